//! One step of a pairing: stored first, then pushed, and only then acknowledged at the relay.

use std::time::Duration;

use crate::account::account::Account;
use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::account::mailboxes::is_denied;
use crate::account::send::push_all;
use crate::account::{handover, revoke, successor};
use crate::contact::pairing::{
    self, Digits, Event as PairingEvent, MESSAGE, Paired, Pairing, Role, Step, Waits,
};
use crate::contact::{self, Own, Pairs, Purpose, Trust, Underway, Unfinished};
use crate::crypto::SigningSecret;
use crate::kem::PublicKey;
use crate::letter::ratchet::{self, Ratchet, Start};
use crate::relay::client::{Error as RelayError, Transport};
use crate::relay::protocol::{Entry, MAX_LIST};
use crate::secret::Secret;
use crate::text::hex_encode;

/// Outcome of a step.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The message was not for this pairing, or not yet.
    Nothing,
    /// It was a step.
    Step,
    /// The pairing ended without a contact.
    Ended(Error),
}

/// State of pairings after a look at the relays.
#[derive(Debug, Default)]
pub struct Standing {
    /// Pairings that wait.
    pub waiting: usize,
    /// Those of them that wait for digits to be typed here.
    pub digits: usize,
    /// Why a pairing ended without a contact, if one did.
    pub ended: Option<Error>,
    /// Why pairings could not go on. The others did.
    pub failed: Vec<Error>,
    /// How many pairings could go on.
    pub reached: usize,
}

/// What a look at the relays is for. The default looks once for all pairings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look<'a> {
    /// The pairing whose messages come in this mailbox; without it, all.
    pub only: Option<&'a Own>,
    /// Whether to push again what may not have arrived: once a run is enough.
    pub again: bool,
    /// How long to wait for a message, where only one pairing is under way.
    pub wait: Duration,
}

impl Context<'_> {
    /// Advances one pairing or all as far as the messages at the relays allow.
    ///
    /// # Errors
    ///
    /// Those of the state. A relay that fails is no error: see [`Standing::failed`].
    pub fn advance_pairings(&self, look: Look<'_>) -> Result<Standing, Error> {
        let Look { only, again, wait } = look;
        let file = self.account.pairs_file()?;
        let (mut failed, mut ended, mut reached) = (Vec::new(), None, 0);
        let underway = file.read()?;
        let wanted = |one: &&Underway| only.is_none_or(|only| *only == one.meeting);
        let alone = underway.underway().iter().filter(wanted).count() == 1;
        let wait = if alone { wait } else { Duration::ZERO };
        let mut advance = |cx: &Context<'_>, one: &Underway, again| -> Option<Error> {
            match cx.advance(one, again, wait) {
                Ok(how) => {
                    ended = how.or(ended.take());
                    reached += 1;
                    None
                }
                Err(error) => Some(error),
            }
        };
        let mut wanted_ones = underway.underway().iter().filter(wanted);
        if alone {
            failed.extend(wanted_ones.find_map(|one| advance(self, one, again)));
        } else {
            // Each relay is asked once before any is asked again.
            let once = self.relays.once();
            let cx = Context { relays: &*once, ..self.clone() };
            let late: Vec<_> = wanted_ones
                .filter_map(|one| advance(&cx, one, again).map(|error| (one, error)))
                .collect();
            for (one, error) in late {
                match error.is_temporary() {
                    true => failed.extend(advance(self, one, again)),
                    false => failed.push(error),
                }
            }
        }
        let (pairs, now) = (file.read()?, self.account.now());
        let waits = |one: &&Underway| match one.pairing.waits_for() {
            Waits::Done | Waits::Over(_) => false,
            Waits::Joiner => one.pairing.expires() > now,
            _ => true,
        };
        let waiting: Vec<_> = pairs.underway().iter().filter(wanted).filter(waits).collect();
        let is_ours = |one: &&&Underway| matches!(one.pairing.waits_for(), Waits::OurDigits(_));
        let digits = waiting.iter().filter(is_ours).count();
        Ok(Standing { waiting: waiting.len(), digits, ended, failed, reached })
    }

    fn advance(&self, one: &Underway, again: bool, wait: Duration) -> Result<Option<Error>, Error> {
        let relay = self.relays.relay(&one.meeting.relay)?;
        let key = self.account.identity().meeting_mailbox(&one.meeting.index);
        if one.pairing.forget_after() < self.account.now() {
            self.end_pairings(&[one])?;
            return Ok(None);
        }
        let over = matches!(one.pairing.waits_for(), Waits::Done | Waits::Over(_));
        if again {
            match push_all(self, one.pairing.resend()) {
                // The other side has closed its mailbox since, and needs nothing more.
                Err(Error::Relay(error)) if over && is_denied(&error) => {}
                sent => sent.map_err(|error| theirs(one.pairing.resend(), error, &title(one)))?,
            }
        }
        let ours = |error: RelayError| Error::from(error).of_mailbox(&title(one), &relay.url());
        let listed = relay.list(&key, if over { Duration::ZERO } else { wait }, MAX_LIST);
        let listed = listed.map_err(ours)?;
        let (mut done, mut ended) = (Vec::new(), None);
        for entry in listed {
            if entry.size != MESSAGE as u64 {
                done.push(entry.id);
                continue;
            }
            let message = fetch(&*relay, &key, &entry).map_err(ours)?;
            let now = self.account.now();
            match self.take_step(&one.meeting, |pairing| pairing.receive(&message, now)) {
                // It may have overtaken another.
                Ok(Outcome::Nothing) if !over => {}
                Ok(Outcome::Nothing | Outcome::Step) => done.push(entry.id),
                Ok(Outcome::Ended(error)) => {
                    ended = Some(error);
                    done.push(entry.id);
                }
                Err(Error::Pairing(error)) => {
                    self.events.event(Event::PairingMessageRefused { error: &error });
                    done.push(entry.id);
                }
                Err(error) => return Err(error),
            }
        }
        if !done.is_empty() {
            relay.ack(&key, &done).map_err(ours)?;
        }
        handover::serve(self, &one.meeting)?;
        Ok(ended)
    }

    /// Takes the digits that the other side of a pairing shows. Wrong ones end it on both sides.
    ///
    /// # Errors
    ///
    /// [`Error::PairingEnded`] when they are wrong, [`Error::Pairing`] when none are wanted.
    pub fn confirm_digits(&self, meeting: &Own, typed: Digits) -> Result<(), Error> {
        let now = self.account.now();
        match self.take_step(meeting, |pairing| pairing.confirm(typed, now).map(Some))? {
            Outcome::Ended(error) => Err(error),
            Outcome::Nothing | Outcome::Step => Ok(()),
        }
    }

    /// Ends pairings, here first: a relay that is away does not keep an invite good.
    pub(crate) fn end_pairings(&self, ended: &[&Underway]) -> Result<(), Error> {
        if ended.is_empty() {
            return Ok(());
        }
        let now = self.account.now();
        self.account.pairs_file()?.update(|pairs| {
            ended.iter().for_each(|one| pairs.end(&one.meeting, now));
            Ok::<_, contact::Error>(())
        })?;
        self.close_revoked_once()
    }

    /// Takes a step with a pairing as it is now: what comes of it is durable before anything is pushed.
    pub(crate) fn take_step(
        &self,
        meeting: &Own,
        step: impl FnOnce(&Pairing) -> Result<Option<Step>, pairing::Error>,
    ) -> Result<Outcome, Error> {
        let account = self.account;
        let taken = account.pairs_file()?.update(|pairs| {
            let Some(one) = pairs.at(meeting).cloned() else { return Ok(None) };
            let Some(step) = step(&one.pairing)? else { return Ok(None) };
            store(account, pairs, one, step).map(Some)
        })?;
        let Some(Taken { send, event, name, purpose, lifted, earlier }) = taken else {
            return Ok(Outcome::Nothing);
        };
        push_all(self, &send).map_err(|error| theirs(&send, error, &name))?;
        if lifted {
            self.events.event(Event::RevocationLifted { name: &name });
        }
        warn_of_earlier(self.events, &name, earlier);
        let event = match event {
            Ok(event) => event,
            Err(refused) => return Ok(Outcome::Ended(refused)),
        };
        if let PairingEvent::Paired(paired) = &event
            && let Trust::Introduced(by) = &paired.trust
        {
            successor::close_old(self, &by.fingerprint(), &paired.card.fingerprint())?;
        }
        self.tell(&name, &purpose, event)
    }

    fn tell(&self, name: &str, purpose: &Purpose, event: PairingEvent) -> Result<Outcome, Error> {
        let paired = match event {
            PairingEvent::Ended(end) => return Ok(Outcome::Ended(Error::PairingEnded(end))),
            PairingEvent::Paired(paired) => paired,
            event => {
                self.events.event(Event::Pairing { name, event: &event });
                return Ok(Outcome::Step);
            }
        };
        match purpose {
            Purpose::Successor(_) => self.events.event(Event::PairedAgain { name }),
            Purpose::Contact => {
                let (book, trust) = (self.account.book()?, &paired.trust);
                let fingerprint = paired.card.fingerprint();
                self.events.event(Event::Paired { name, fingerprint, trust, book: &book });
            }
            _ => self.events.event(Event::DeviceJoined),
        }
        Ok(Outcome::Step)
    }
}

/// Names the relay of the other side in the error of a push.
fn theirs(sent: &[pairing::Outgoing], error: Error, name: &str) -> Error {
    match sent.first() {
        Some(first) => error.of_mailbox(name, &first.address.relay),
        None => error,
    }
}

fn fetch(relay: &dyn Transport, key: &SigningSecret, entry: &Entry) -> Result<Vec<u8>, RelayError> {
    let mut bytes = Vec::with_capacity(MESSAGE);
    relay.fetch(key, entry, &mut bytes)?;
    Ok(bytes)
}

/// Outcome of a step that is durable.
struct Taken {
    send: Vec<pairing::Outgoing>,
    event: Result<PairingEvent, Error>,
    name: String,
    purpose: Purpose,
    /// Whether it lifted a revocation.
    lifted: bool,
    /// Attempts with the contact that did not finish.
    earlier: Unfinished,
}

/// Stores what comes of a step: in the contact book first, last in `pairs`.
fn store(
    account: &Account,
    pairs: &mut Pairs,
    one: Underway,
    Step { state, send, mut event }: Step,
) -> Result<Taken, Error> {
    let mut name = title(&one);
    let meeting = &one.meeting;
    let (mut lifted, mut earlier) = (false, Unfinished::default());
    if let PairingEvent::Digits(_) = &event {
        earlier = pairs.unfinished(Some(meeting), one.name.as_deref(), None);
    }
    if let PairingEvent::Paired(paired) = &mut event {
        if let Some(refused) = refusal(account, pairs, &one, paired, &name)? {
            // Nothing is said to the other side, which is no contact here.
            pairs.end(meeting, account.now());
            let (send, event, purpose) = (Vec::new(), Err(refused), one.purpose);
            return Ok(Taken { send, event, name, purpose, lifted, earlier });
        }
        if let Some(introduced) = &one.introduced {
            paired.trust = Trust::Introduced(introduced.by().clone());
        }
        let fingerprint = paired.card.fingerprint();
        let known = account.book()?;
        if let (Purpose::Successor(_), Some(known)) =
            (&one.purpose, known.by_fingerprint(&fingerprint))
        {
            // It is the same contact: only the identity here is another.
            (paired.trust, paired.since) = (known.trust().clone(), known.since());
        }
        let (wanted, card) = (one.name.as_deref(), &paired.card);
        if one.purpose.is_contact() {
            name = account
                .book_file()?
                .update(|book| book.pair(wanted, card, paired.trust.clone(), paired.since))?;
            lifted = revoke::lift(account, pairs, &fingerprint)?;
            pairs.introductions.forget(&fingerprint);
            if let Some(introduced) = &one.introduced
                && let Some(old) = successor::take_place(account, pairs, meeting, introduced)?
            {
                name = old;
            }
            if one.purpose == Purpose::Contact
                && matches!(paired.trust, Trust::Digits | Trust::Words)
            {
                earlier = pairs.unfinished(Some(meeting), wanted, Some(&fingerprint));
            }
            pairs.finished(wanted, &fingerprint);
        } else {
            pairs.serve(meeting, Purpose::Waiting(card.to_bytes().to_vec()));
        }
        // First: a step that is taken again after a crash finds the sessions there, and what begins them
        // stands nowhere else from here on.
        begin_sessions(account, paired)?;
        pairs.link(one.mailbox.clone(), paired)?;
    }
    pairs.go_on(meeting, state);
    Ok(Taken { send, event: Ok(event), name, purpose: one.purpose, lifted, earlier })
}

/// Returns why no contact comes of a pairing that succeeded, if none does.
fn refusal(
    account: &Account,
    pairs: &Pairs,
    one: &Underway,
    paired: &Paired,
    name: &str,
) -> Result<Option<Error>, Error> {
    if !one.is_with(&paired.card) {
        let name = name.to_owned();
        if matches!(one.purpose, Purpose::Successor(_)) {
            return Ok(Some(Error::OtherCard { name }));
        }
        let by = one.introduced.as_ref().map(|introduced| introduced.by().name.clone());
        return Ok(Some(Error::OtherCardIntroduced { name, by: by.unwrap_or_default() }));
    }
    let contact = paired.card.fingerprint();
    let revoked = account.book()?.revoked(&contact);
    let barred = revoked.filter(|_| pairs.is_barred(&one.meeting, &contact));
    Ok(barred.map(|since| Error::RevokedJoined { since }))
}

/// Begins the sessions of letters with a contact.
fn begin_sessions(account: &Account, paired: &Paired) -> Result<(), Error> {
    let theirs = PublicKey::from_bytes(&paired.their_key)?;
    account.sessions_file(&paired.card.fingerprint())?.update(|sessions| {
        sessions.begin(paired.address.mailbox, account.now(), || {
            Ratchet::new(Start {
                secret: &paired.pairwise,
                transcript: paired.transcript,
                inviter: paired.role == Role::Inviter,
                ours: Secret::take(&mut { *paired.own_seed.expose() }),
                theirs,
            })
        });
        Ok::<_, ratchet::Error>(())
    })?;
    Ok(())
}

/// Tells of earlier attempts that did not finish: a relay that puts someone in between stalls the
/// attempts whose digits would differ.
pub(crate) fn warn_of_earlier(events: &dyn Events, name: &str, earlier: Unfinished) {
    if earlier.attempts > 0 {
        events.event(Event::EarlierAttempts { name, earlier });
    }
}

/// Returns what a pairing is called until there is a contact.
pub fn title(one: &Underway) -> String {
    if !one.purpose.is_contact() {
        return "another machine".into();
    }
    one.name.clone().unwrap_or_else(|| id(one))
}

/// Returns the id of a pairing under way, by which one without a name is called.
pub fn id(one: &Underway) -> String {
    hex_encode(one.meeting.index.get(..4).unwrap_or_default())
}
