//! A new device: it pairs under an identity that it throws away, takes over the identity that is
//! handed to it, and tells the contacts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account::account::Account;
use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::Event;
use crate::account::handover::{CONTENT_TYPE, open_between};
use crate::account::keyring::Keyring;
use crate::account::send::{kind, send_control};
use crate::age::Opener;
use crate::contact::backup::{self, Backup, Inside};
use crate::contact::pairing::Invite;
use crate::contact::{self, Machine, Own, Pairs};
use crate::files::{self, Access, AtomicFile, Existing};
use crate::identity::{self, Card, Fingerprint, Identity};
use crate::letter::{self, Content, Notice, Proof};
use crate::relay::protocol::MAX_LIST;

/// A device that is being taken into use.
#[derive(Debug)]
pub struct Newcomer {
    path: PathBuf,
    account: Account,
}

/// What a device took over.
#[derive(Debug)]
pub struct TakenOver {
    /// The account under its new identity.
    pub account: Account,
    /// Contacts that were told of this device.
    pub told: usize,
}

impl Newcomer {
    /// Returns the device whose throw-away identity was read from `path`.
    pub fn new(path: PathBuf, account: Account) -> Self {
        Self { path, account }
    }

    /// Generates the throw-away identity in the file `path`, with its state under `home`.
    /// `expected` is the identity that is to come, if it is known.
    pub fn create(
        path: PathBuf,
        home: Option<&Path>,
        expected: Option<&Fingerprint>,
    ) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            files::create_private_folder(folder)?;
        }
        let identity = Identity::generate()?;
        let account = Account::open(identity, home);
        let text = identity::render(account.identity(), account.now());
        let newcomer = Self { path, account };
        // First: the identity is never there without what it is to become.
        if let Some(expected) = expected {
            newcomer.expect(expected)?;
        }
        let mut file = AtomicFile::create(&newcomer.path, Existing::Keep, Access::Private)?;
        file.write_all(text.as_bytes())?;
        file.commit()?;
        Ok(newcomer)
    }

    /// Returns the account of the throw-away identity.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Returns whether this device is being taken into use by this invite.
    pub fn knows(&self, invite: &Invite) -> Result<bool, Error> {
        Ok(self.account.pairs()?.underway().iter().any(|one| one.pairing.is_of(invite)))
    }

    /// Returns whether the identity is being installed: one that is found in its place may be it.
    pub fn is_installing(&self) -> Result<bool, Error> {
        Ok(self.account.takeover_file()?.read()?.installing)
    }

    /// Returns whether no invite was taken up.
    pub fn is_idle(&self) -> Result<bool, Error> {
        Ok(self.account.pairs()?.underway().is_empty())
    }

    /// Returns whether nothing can come any more.
    pub fn is_over(&self) -> Result<bool, Error> {
        let pairs = self.account.pairs()?;
        Ok(pairs.underway().is_empty() && pairs.mailboxes().next().is_none())
    }

    /// Returns the identity that is to come, if it is known.
    pub fn expected(&self) -> Result<Option<Fingerprint>, Error> {
        Ok(self.account.takeover_file()?.read()?.expected())
    }

    /// Stores which identity is to come.
    pub fn expect(&self, fingerprint: &Fingerprint) -> Result<(), Error> {
        self.account.takeover_file()?.update(|takeover| {
            takeover.expect(fingerprint);
            Ok::<_, contact::Error>(())
        })?;
        Ok(())
    }

    /// Returns the fingerprint and the name of the identity at the other end, once it is known.
    pub fn peer(&self) -> Result<Option<(Fingerprint, String)>, Error> {
        let Some(peer) = self.account.pairs()?.contacts().into_iter().next() else {
            return Ok(None);
        };
        let peer = Fingerprint::from_bytes(peer);
        let name = match self.account.book()?.by_fingerprint(&peer) {
            Some(contact) => contact.card()?.name().to_owned(),
            None => String::new(),
        };
        Ok(Some((peer, name)))
    }

    /// Forgets the invite, and closes the mailbox for what is handed over. That of the pairing
    /// expires: if it were closed, the other side could not say what it says again, and would fail.
    pub fn give_up(&self, cx: &Context<'_>) -> Result<(), Error> {
        let made = self.account.pairs()?;
        self.forget()?;
        let cx = cx.of(&self.account);
        made.mailboxes().for_each(|(own, _)| cx.close_unneeded(own));
        Ok(())
    }

    /// Closes the mailboxes of this device until now. What stays at the relays is empty, or expires.
    fn close(&self, cx: &Context<'_>, made: &Pairs) {
        let cx = cx.of(&self.account);
        made.mailboxes().for_each(|(own, _)| cx.close_unneeded(own));
        for one in made.underway() {
            if let Ok(relay) = cx.relays.relay(&one.meeting.relay) {
                let key = self.account.identity().meeting_mailbox(&one.meeting.index);
                let _ = relay.close(&key);
            }
        }
    }

    /// Fetches the letter with everything, if it is there, from the `confirmed` identity. It stays at
    /// the relay.
    pub fn fetch(
        &self,
        cx: &Context<'_>,
        wait: Duration,
        confirmed: &Fingerprint,
    ) -> Result<Option<Backup>, Error> {
        for (own, _) in self.account.pairs()?.mailboxes() {
            let relay = cx.relays.relay(&own.relay)?;
            let key = self.account.identity().contact_mailbox(&own.index);
            for entry in relay.list(&key, wait, MAX_LIST)? {
                if entry.size > backup::MAX as u64 * 2 {
                    continue;
                }
                let mut sealed = Vec::new();
                relay.fetch(&key, &entry, &mut sealed)?;
                match self.open(cx, &sealed, confirmed) {
                    Ok(backup) => return Ok(Some(backup)),
                    Err(error) => cx.events.event(Event::HandoverRefused { error }),
                }
            }
        }
        Ok(None)
    }

    fn open(
        &self,
        cx: &Context<'_>,
        sealed: &[u8],
        confirmed: &Fingerprint,
    ) -> Result<Backup, Error> {
        // Nothing is erased: the letter may have to be read again, and its keys go with the rest.
        let keys = Keyring::new(vec![self.account.clone()], Vec::new(), cx.events);
        let reason = |error: Error| keys.stopped().unwrap_or(error);
        let opener = Opener::new(sealed, &[&keys]).map_err(|error| reason(error.into()))?;
        let accept = |content: &Content| match content {
            Content::Letter(letter)
                if letter.proof == Proof::Pairwise
                    && letter.heading.content_type.as_deref() == Some(CONTENT_TYPE) =>
            {
                Ok(Inside::default())
            }
            _ => Err(Error::NoHandover),
        };
        let mine = [self.account.fingerprint()];
        let (content, inside) = letter::open_paired(opener, &mine, &keys, accept)?;
        let backup = inside.read()?;
        let from = match &content {
            Content::Letter(letter) => letter.from.as_ref().map(Card::fingerprint),
            Content::Plain => None,
        };
        if from != Some(*confirmed) || *confirmed != backup.identity.fingerprint() {
            return Err(Error::OtherHandover);
        }
        Ok(backup)
    }

    /// Takes over the identity that was handed over, with its state under `home`. `install` writes
    /// the text of its key file to where it is found from now on. All of it may be done twice.
    ///
    /// # Errors
    ///
    /// Those of `install`; [`Error::ContactsNotTold`] when a relay was away: the same again continues.
    pub fn take_over<E: From<Error>>(
        &self,
        cx: &Context<'_>,
        home: Option<&Path>,
        backup: Backup,
        install: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<TakenOver, E> {
        let Backup { identity, key_file, book, pairs, .. } = backup;
        let account =
            Account::open(identity, home).with_clock(self.account.clock()).with_key_file(key_file);
        let cx = cx.of(&account);
        let pairs = self.merge(&cx, book, pairs)?;
        let installing = self.account.takeover_file()?.update(|takeover| {
            takeover.installing = true;
            Ok::<_, contact::Error>(())
        });
        installing.map_err(Error::from)?;
        install(account.key_file())?;
        let told = tell_contacts(&cx, &pairs)?;
        // From here on it is over; what closing leaves at the relays is empty, or expires.
        let made = self.account.pairs()?;
        self.forget()?;
        self.close(&cx, &made);
        drop(cx);
        Ok(TakenOver { account, told })
    }

    /// Merges what was handed over, and opens the mailboxes of this device.
    fn merge(&self, cx: &Context<'_>, book: contact::Book, pairs: Pairs) -> Result<Pairs, Error> {
        let account = cx.account;
        // The other device computes them too, so that it can close them.
        let id = self.account.fingerprint();
        let own = |contact: &Fingerprint, theirs: &Own| -> Result<Own, Error> {
            let url = cx.relay.as_ref().unwrap_or(&theirs.relay);
            let relay = cx.relays.relay(url)?.url();
            let index = account.identity().machine_index(&id.to_bytes(), &contact.to_bytes());
            Ok(Own { relay, index })
        };
        let theirs = self.account.pairs()?.machines_of(&account.fingerprint()).first().cloned();
        let other = theirs.map(|address| Machine::new(&id, true, &address.relay));
        account.pairs_file()?.update(|here| {
            here.take_over(pairs, own)?;
            if let Some(other) = other.clone() {
                here.add_machine(other);
            }
            account.book_file()?.update(|here| here.merge(book))?;
            Ok::<_, Error>(())
        })?;
        let pairs = account.pairs()?;
        for (own, _) in pairs.mailboxes() {
            cx.open_for_letters(&*cx.relays.relay(&own.relay)?, own)?;
        }
        if let Some(other) = &other {
            open_between(cx, other);
        }
        Ok(pairs)
    }

    /// Throws away what this device was until now.
    pub fn forget(&self) -> Result<(), Error> {
        let folder = self.account.folder()?;
        // A run that is killed here leaves a folder that no identity opens.
        std::fs::remove_file(&self.path)
            .and_then(|()| std::fs::remove_dir_all(folder))
            .map_err(|source| Error::NotRemoved { path: self.path.clone(), source })
    }
}

/// Writes to every contact that this device is there, and where it takes letters. Returns to how many.
fn tell_contacts(cx: &Context<'_>, pairs: &Pairs) -> Result<usize, Error> {
    let (mut told, mut failed) = (0, None);
    for contact in cx.account.book()?.contacts() {
        if pairs.mailbox_of(&contact.fingerprint()).is_none() {
            continue;
        }
        let notice = Notice { kind: kind::MACHINE, content: Vec::new() };
        let sent = contact
            .card()
            .map_err(Error::from)
            .and_then(|card| send_control(cx, &card, Some(contact.name()), &notice));
        match sent {
            Ok(()) => told += 1,
            Err(error) if error.is_denied() => {
                cx.events.event(Event::ContactClosed { name: contact.name() });
            }
            // One relay that is away does not keep the others from being asked.
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    cx.events.event(Event::Failed { error: &before });
                }
            }
        }
    }
    match failed {
        Some(error) => Err(Error::ContactsNotTold(Box::new(error))),
        None => Ok(told),
    }
}
