//! Relays in memory: they do what the page of the protocol says, or lie and fail as they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::account::Clock;
use crate::account::tests::mailbox::{Claims, HOUR, LIFE, Lie, MAX_CAPABILITIES, Message, Stored};
use crate::account::tests::world::SimClock;
use crate::crypto::{self, SigningSecret};
use crate::relay::client::{
    Error, Event, Events, Inbox, Pushed, Relays, SealedBody, Transport, bearer_text,
};
use crate::relay::protocol::{
    Capability, CapabilityId, Entry, Id, Info, MAX_BATCH, MAX_BATCH_BYTES, MAX_FRAME, MAX_LIST,
    Mailbox, Status, Terms, frame,
};
use crate::secret::SecretString;

/// A request that reached a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Register,
    Status,
    Close,
    Capabilities,
    Allow,
    Revoke,
    List,
    Ack,
    Fetch,
    Take,
    Listen,
    Push,
}

/// Where a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before the request reaches the relay.
    Request,
    /// Behind the relay, which did what was asked.
    Answer,
}

/// Relays in memory, each at the URL under which it was first asked for.
#[derive(Clone)]
pub(super) struct SimRelays {
    clock: SimClock,
    net: Arc<Mutex<Net>>,
}

#[derive(Clone, Default)]
struct Net {
    relays: BTreeMap<String, Relay>,
    log: Vec<(String, Request, Mailbox)>,
    last_sent: Option<Vec<u8>>,
    /// In how many requests the connection breaks for good, and where it does.
    cut: Option<(usize, Cut)>,
}

#[derive(Clone, Default)]
struct Relay {
    away: bool,
    lies: BTreeSet<Lie>,
    mailboxes: BTreeMap<Mailbox, Stored>,
    /// All that was ever pushed.
    pushed: Vec<(Mailbox, Message)>,
}

impl SimRelays {
    pub(super) fn new(clock: SimClock) -> Self {
        Self { clock, net: Arc::default() }
    }

    /// Returns relays that hold what these hold now, and go on by another clock.
    pub(super) fn fork(&self, clock: SimClock) -> Self {
        Self { clock, net: Arc::new(Mutex::new(self.net().clone())) }
    }

    fn net(&self) -> MutexGuard<'_, Net> {
        self.net.lock().unwrap()
    }

    fn change(&self, url: &str, change: impl FnOnce(&mut Relay)) {
        change(self.net().relays.entry(url.to_owned()).or_default());
    }

    /// Makes a relay unreachable, or reachable again.
    pub(super) fn away(&self, url: &str, away: bool) {
        self.change(url, |relay| relay.away = away);
    }

    /// Makes a relay lie in this way too.
    pub(super) fn lie(&self, url: &str, lie: Lie) {
        self.change(url, |relay| relay.lies.extend([lie]));
    }

    /// Makes a relay honest from now on.
    pub(super) fn repent(&self, url: &str) {
        self.change(url, |relay| relay.lies.clear());
    }

    /// Cuts the connection to all relays at the request of this number, the next being 1.
    pub(super) fn cut_at(&self, requests: usize, cut: Cut) {
        self.net().cut = Some((requests, cut));
    }

    /// Mends the connection. Returns whether it broke.
    pub(super) fn mend(&self) -> bool {
        matches!(self.net().cut.take(), Some((0, _)))
    }

    /// Returns the requests that reached a relay since the last call.
    pub(super) fn seen(&self) -> Vec<(String, Request, Mailbox)> {
        std::mem::take(&mut self.net().log)
    }

    /// Returns how many mailboxes are registered at a relay.
    pub(super) fn mailboxes(&self, url: &str) -> usize {
        self.net().relays.get(url).map_or(0, |relay| relay.mailboxes.len())
    }

    /// Returns how many messages wait at a relay.
    pub(super) fn waiting(&self, url: &str) -> usize {
        let net = self.net();
        let boxes = net.relays.get(url).into_iter().flat_map(|relay| relay.mailboxes.values());
        boxes.map(|mailbox| mailbox.messages.len()).sum()
    }

    /// Loses all messages that wait at a relay.
    pub(super) fn forget_messages(&self, url: &str) {
        self.change(url, |relay| {
            relay.mailboxes.values_mut().for_each(|mailbox| mailbox.messages.clear());
        });
    }

    /// Returns the message that was sent last, whether a relay keeps it or not.
    pub(super) fn last_sent(&self) -> Option<Vec<u8>> {
        self.net().last_sent.clone()
    }

    /// Returns every message that was ever pushed to a relay, oldest first.
    pub(super) fn pushed(&self, url: &str) -> Vec<Vec<u8>> {
        let net = self.net();
        let relay = net.relays.get(url).into_iter();
        relay.flat_map(|relay| &relay.pushed).map(|(_, message)| message.bytes.clone()).collect()
    }

    /// Puts bytes into every mailbox of a relay that something was pushed to, as only the relay can.
    pub(super) fn plant(&self, url: &str, bytes: &[u8]) {
        let expires = self.clock.now() + LIFE;
        self.change(url, |relay| {
            for mailbox in relay.mailboxes.values_mut() {
                let (id, capability) = (Id(crypto::sha256(&[bytes])), CapabilityId::public());
                mailbox.messages.push(Message { id, bytes: bytes.to_vec(), capability, expires });
            }
        });
    }
}

impl Relays for SimRelays {
    fn relay(&self, url: &str) -> Result<Arc<dyn Transport>, Error> {
        if !url.starts_with("http://") {
            return Err(Error::Url { url: url.to_owned(), why: "no relay of this test" });
        }
        Ok(Arc::new(SimTransport { relays: self.clone(), url: url.to_owned() }))
    }

    fn once(&self) -> Box<dyn Relays + '_> {
        Box::new(self.clone())
    }
}

struct SimTransport {
    relays: SimRelays,
    url: String,
}

fn temporary(why: &str) -> Error {
    Error::Temporary { why: why.to_owned(), retry_after: None }
}

fn refused(code: &str) -> Error {
    Error::Refused { code: code.to_owned(), message: code.to_owned() }
}

impl SimTransport {
    /// Makes a request, if the relay is reached; the answer is lost where the connection is cut then.
    fn ask<T>(
        &self,
        request: Request,
        mailbox: Mailbox,
        answer: impl FnOnce(&mut Relay, u64) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let now = self.relays.clock.now();
        let mut net = self.relays.net();
        let mut lost = false;
        match &mut net.cut {
            Some((0, _)) => return Err(temporary("the line is cut")),
            Some((left, cut)) => {
                *left -= 1;
                match (*left, *cut) {
                    (0, Cut::Request) => return Err(temporary("the request was lost")),
                    (0, Cut::Answer) => lost = true,
                    _ => {}
                }
            }
            None => {}
        }
        if net.relays.entry(self.url.clone()).or_default().away {
            return Err(temporary("the relay is away"));
        }
        net.log.push((self.url.clone(), request, mailbox));
        let relay = net.relays.get_mut(&self.url).unwrap();
        relay.mailboxes.values_mut().for_each(|mailbox| mailbox.expire(now));
        let answer = answer(relay, now);
        if lost { Err(temporary("the answer was lost")) } else { answer }
    }

    /// Makes a request of the owner of a mailbox.
    fn own<T>(
        &self,
        request: Request,
        key: &SigningSecret,
        answer: impl FnOnce(&mut Stored, &mut Claims<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let name = Mailbox(key.public());
        self.ask(request, name, |relay, now| {
            if relay.lies.contains(&Lie::DeniesMailboxes) {
                return Err(Error::NoMailbox);
            }
            let Relay { mailboxes, lies, pushed, .. } = relay;
            let mailbox = mailboxes.get_mut(&name).ok_or(Error::NoMailbox)?;
            answer(mailbox, &mut Claims { name, lies, pushed, now })
        })
    }

    fn put(&self, to: &Inbox, id: &Id, bytes: Vec<u8>) -> Result<Pushed, Error> {
        self.relays.net().last_sent = Some(bytes.clone());
        self.ask(Request::Push, to.mailbox, |relay, now| {
            if relay.lies.contains(&Lie::DropsPushes) {
                return Ok(Pushed::New);
            }
            let mailbox = relay.mailboxes.get_mut(&to.mailbox).ok_or(Error::Denied)?;
            let capability = to
                .capability
                .as_ref()
                .map_or_else(CapabilityId::public, |shown| CapabilityId::of(&bearer_text(shown)));
            let message =
                Message { id: *id, bytes, capability, expires: (now + LIFE).div_ceil(HOUR) * HOUR };
            let pushed = mailbox.push(message.clone(), now)?;
            relay.pushed.push((to.mailbox, message));
            if relay.lies.contains(&Lie::DeniesPushes) { Err(Error::Denied) } else { Ok(pushed) }
        })
    }
}

impl Transport for SimTransport {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn info(&self) -> Result<Info, Error> {
        Err(Error::Protocol("a relay of a test says nothing of itself".into()))
    }

    fn register(&self, key: &SigningSecret, _: Option<&SecretString>) -> Result<bool, Error> {
        let name = Mailbox(key.public());
        self.ask(Request::Register, name, |relay, _| {
            let mut new = false;
            relay.mailboxes.entry(name).or_insert_with(|| {
                new = true;
                Stored::default()
            });
            match relay.lies.contains(&Lie::DeniesRegistration) {
                true => Err(refused("token")),
                false => Ok(new),
            }
        })
    }

    fn status(&self, key: &SigningSecret) -> Result<Status, Error> {
        self.own(Request::Status, key, |mailbox, claims| {
            let shown = claims.shown(mailbox);
            let bytes = shown.iter().map(|message| message.bytes.len() as u64).sum();
            let (max_messages, max_bytes) = (10_000, 4 << 30);
            Ok(Status { messages: shown.len() as u64, bytes, max_messages, max_bytes })
        })
    }

    fn close(&self, key: &SigningSecret) -> Result<(), Error> {
        let name = Mailbox(key.public());
        self.ask(Request::Close, name, |relay, _| {
            relay.mailboxes.remove(&name).map(drop).ok_or(Error::NoMailbox)
        })
    }

    fn capabilities(&self, key: &SigningSecret) -> Result<Vec<Capability>, Error> {
        self.own(Request::Capabilities, key, |mailbox, _| {
            let all = mailbox.capabilities.iter().map(|(id, (terms, pushed))| {
                let (messages, bytes) = mailbox.share(id);
                Capability { id: *id, terms: *terms, pushed: *pushed, messages, bytes }
            });
            Ok(all.collect())
        })
    }

    fn allow(&self, key: &SigningSecret, id: &CapabilityId, terms: &Terms) -> Result<(), Error> {
        self.own(Request::Allow, key, |mailbox, _| {
            let known = mailbox.capabilities.get(id).map(|(_, pushed)| *pushed);
            if known.is_none() && mailbox.capabilities.len() == MAX_CAPABILITIES {
                return Err(Error::Full("mailbox_full".into()));
            }
            let expires = terms.expires.map(|end| end.div_ceil(HOUR) * HOUR);
            let terms = Terms { expires, ..*terms };
            mailbox.capabilities.insert(*id, (terms, known.unwrap_or_default()));
            Ok(())
        })
    }

    fn revoke(&self, key: &SigningSecret, id: &CapabilityId) -> Result<(), Error> {
        self.own(Request::Revoke, key, |mailbox, _| {
            mailbox.capabilities.remove(id);
            Ok(())
        })
    }

    /// Never waits: nothing comes while a test of one thread does.
    fn list(&self, key: &SigningSecret, _: Duration, limit: usize) -> Result<Vec<Entry>, Error> {
        self.own(Request::List, key, |mailbox, claims| {
            let limit = limit.clamp(1, MAX_LIST);
            let grown = u64::from(claims.are(Lie::Resizes));
            let entries = claims.shown(mailbox).into_iter().take(limit).map(|message| {
                let entry = message.entry();
                Entry { size: entry.size + grown, ..entry }
            });
            Ok(entries.collect())
        })
    }

    fn ack(&self, key: &SigningSecret, ids: &[Id]) -> Result<u64, Error> {
        self.own(Request::Ack, key, |mailbox, claims| {
            let is_named = |message: &&Message| ids.contains(&message.id);
            let there = mailbox.messages.iter().filter(is_named).count() as u64;
            if !claims.are(Lie::KeepsAcknowledged) {
                mailbox.messages.retain(|message| !ids.contains(&message.id));
                mailbox.acked.extend(ids.iter().map(|id| (*id, claims.now)));
            }
            Ok(there)
        })
    }

    fn fetch_from(
        &self,
        key: &SigningSecret,
        message: &Entry,
        from: u64,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let bytes =
            self.own(Request::Fetch, key, |mailbox, claims| claims.bytes(mailbox, &message.id))?;
        let from = usize::try_from(from).unwrap();
        Ok(out.write_all(bytes.get(from..).unwrap_or_default())?)
    }

    fn take(
        &self,
        key: &SigningSecret,
        messages: &[Entry],
        each: &mut dyn FnMut(Id, &[u8]) -> io::Result<()>,
    ) -> Result<Vec<Id>, Error> {
        let came = self.own(Request::Take, key, |mailbox, claims| {
            let mut room = MAX_BATCH_BYTES;
            let taken = messages.iter().filter_map(|entry| {
                let bytes = claims.bytes(mailbox, &entry.id).ok()?;
                (bytes.len() as u64 <= MAX_FRAME).then_some((entry.id, bytes))
            });
            let fits = |one: &(Id, Vec<u8>)| {
                let size = one.1.len() + frame::HEAD;
                let fits = size <= room;
                room = room.saturating_sub(size);
                fits
            };
            Ok(taken.take_while(fits).collect::<Vec<_>>())
        })?;
        let mut damaged = Vec::new();
        for (id, bytes) in came {
            match crypto::sha256(&[&bytes]) == id.0 {
                true => each(id, &bytes)?,
                false => damaged.push(id),
            }
        }
        Ok(damaged)
    }

    fn events(&self, key: &SigningSecret) -> Result<Events, Error> {
        let waiting = self.own(Request::Listen, key, |mailbox, claims| {
            Ok(claims.shown(mailbox).iter().map(Message::entry).collect::<Vec<_>>())
        })?;
        Ok(Box::new(waiting.into_iter().map(|entry| Ok(Event::Message(entry)))))
    }

    fn push(
        &self,
        to: &Inbox,
        id: &Id,
        body: &mut dyn SealedBody,
        length: u64,
    ) -> Result<Pushed, Error> {
        let mut bytes = Vec::new();
        let at = body.stream_position()?;
        (&mut *body).take(length).read_to_end(&mut bytes)?;
        body.seek(SeekFrom::Start(at))?;
        self.put(to, id, bytes)
    }

    fn push_batch(
        &self,
        to: &Inbox,
        messages: &[(Id, &[u8])],
    ) -> Result<Vec<Result<Pushed, Error>>, Error> {
        assert!(messages.len() <= MAX_BATCH);
        Ok(messages.iter().map(|(id, bytes)| self.put(to, id, bytes.to_vec())).collect())
    }
}
