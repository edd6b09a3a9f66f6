//! Ratchet sessions with contacts: the key of a letter that arrives, and what the letter changes.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::account::account::Account;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::age::{FileKey, Stanza};
use crate::contact;
use crate::contact::pairing::Address;
use crate::identity::Fingerprint;
use crate::letter::ratchet::{self, Due, Machine, Offer, Opened, Outcome, Owed, Pending, Sessions};
use crate::letter::{Letter, Proof};
use crate::relay::protocol::Id;
use crate::state::StateFile;

/// Sessions of one account, read when the first stanza asks for them.
#[derive(Default)]
pub(crate) struct SessionCache(Mutex<State>);

#[derive(Default)]
struct State {
    read: Option<Vec<(Fingerprint, Sessions)>>,
    /// The session that opened the last file.
    opened_by: Option<OpenedBy>,
}

/// The session that opened a letter, and what the letter does to it.
#[derive(Clone)]
pub(crate) struct OpenedBy {
    pub(crate) contact: Fingerprint,
    machine: Machine,
    pending: Pending,
}

impl SessionCache {
    /// Unwraps the file key, if a session of this account has it.
    pub(crate) fn unwrap(
        &self,
        account: &Account,
        events: &dyn Events,
        stanzas: &[Stanza],
    ) -> Result<Option<FileKey>, Error> {
        let [stanza] = stanzas else { return Ok(None) };
        if stanza.kind != ratchet::KIND || !account.has_state() {
            return Ok(None);
        }
        let mut state = self.state();
        // What was read before this letter may have changed: another process sealed, or paired.
        let mut fresh = state.read.is_none();
        let found = loop {
            let found = find(state.read(account, events)?, stanza)?;
            match found {
                Some((contact, machine, Outcome::Opened(opened))) => {
                    let Opened { file_key, pending, .. } = *opened;
                    state.opened_by = Some(OpenedBy { contact, machine, pending });
                    return Ok(Some(FileKey::new(file_key)));
                }
                other if fresh => break other,
                _ => (state.read, fresh) = (None, true),
            }
        };
        let Some((contact, _, outcome)) = found else { return Ok(None) };
        state.read = None;
        drop(state);
        if !matches!(outcome, Outcome::Lost(_) | Outcome::Conflict(_)) {
            return Err(Error::KeyErased);
        }
        let secret = account.pairs()?.pairwise_of(&contact).into_iter().next();
        if let Some(secret) = secret
            && account
                .sessions_file(&contact)?
                .update(|sessions| sessions.resync(stanza, &secret, account.now()))?
        {
            restart(account, events, &contact)?;
        }
        let name = account.title(&contact)?;
        // Another machine with this mailbox may have the key that is not here.
        Err(match outcome {
            Outcome::Lost(_) => Error::SessionLost { name },
            _ => Error::SessionConflict { name },
        })
    }

    /// Takes the session that opened the last file.
    pub(crate) fn opened_by(&self) -> Option<OpenedBy> {
        self.state().opened_by.take()
    }

    /// Applies a letter to the sessions in memory, for the letters of the same run that follow it.
    pub(crate) fn advance(&self, account: &Account, by: &OpenedBy) {
        let mut state = self.state();
        let contacts = state.read.iter_mut().flatten();
        for (_, sessions) in contacts.filter(|(of, _)| *of == by.contact) {
            // What fails here fails again where it is told.
            let _ = sessions.apply(&by.machine, by.pending.clone(), None, 0, account.now());
        }
    }

    /// Takes what a verified letter says of its sender's machine: where it wants letters, and the
    /// start of a session that it offers.
    pub(crate) fn take_control_data(
        &self,
        account: &Account,
        events: &dyn Events,
        letter: &Letter,
    ) -> Result<(), Error> {
        let postscript = &letter.postscript;
        let (Some(reply), Some(card)) = (&postscript.reply, &letter.from) else { return Ok(()) };
        let (Some(relay), Some(capability)) = (&reply.relay, &reply.capability) else {
            return Ok(());
        };
        // The MAC alone could be made by a thief of this home, and the signature alone by a quantum
        // computer.
        let (Proof::SignedPairwise, Some(secret)) = (letter.proof, &letter.pairwise) else {
            return Ok(());
        };
        let sender = card.fingerprint();
        let mut mine = account.pairs()?.mailboxes_of(&sender).into_iter();
        let meant = |machine| mine.any(|own| account.address(&own).mailbox == machine);
        if !postscript.machine.is_some_and(meant) {
            return Ok(());
        }
        let machine = reply.mailbox;
        let address =
            Address { relay: relay.clone(), mailbox: machine, capability: capability.clone() };
        let further = account.pairs_file()?.update(|pairs| {
            let known = pairs.machines_of(&sender).iter().any(|known| known.mailbox == machine);
            pairs.heard_of(&sender, address);
            Ok::<_, contact::Error>(!known)
        })?;
        if further {
            events.event(Event::ContactAddedDevice { name: account.title(&sender)? });
        }
        if let Some(offer) = &postscript.offer {
            let (offer, now) = (Offer::decode(offer)?, account.now());
            account
                .sessions_file(&sender)?
                .update(|sessions| sessions.adopt(&machine, &offer, secret, now).map(drop))?;
            self.state().read = None;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read(
        &mut self,
        account: &Account,
        events: &dyn Events,
    ) -> Result<&[(Fingerprint, Sessions)], Error> {
        if self.read.is_none() {
            let mut all = Vec::new();
            for contact in account.pairs()?.contacts() {
                let contact = Fingerprint::from_bytes(contact);
                match account.sessions_file(&contact)?.read() {
                    Ok(sessions) => all.push((contact, sessions)),
                    // Letters of others open all the same.
                    Err(error) => {
                        let name = account.title(&contact)?;
                        events.event(Event::SessionUnreadable { name, error: error.into() });
                    }
                }
            }
            self.read = Some(all);
        }
        Ok(self.read.as_deref().unwrap_or_default())
    }
}

/// Finds the session of a stanza. Those whose next letter it may be are tried first.
fn find(
    contacts: &[(Fingerprint, Sessions)],
    stanza: &Stanza,
) -> Result<Option<(Fingerprint, Machine, Outcome)>, Error> {
    let (mut due, mut others) = (Vec::new(), Vec::new());
    for one in contacts {
        if one.1.expect(stanza)? { due.push(one) } else { others.push(one) }
    }
    for (contact, sessions) in due.into_iter().chain(others) {
        if let Some((machine, outcome)) = sessions.open(stanza)? {
            return Ok(Some((*contact, machine, outcome)));
        }
    }
    Ok(None)
}

/// Makes what a letter changes durable: its key is gone when this returns. `written` is the date of
/// the letter in seconds of Unix time.
///
/// A command that is given letters may fail after it opened the one of the id `deferred`, and be given
/// it again: then the key stays until [`erase_deferred`] is called.
pub(crate) fn erase_key(
    account: &Account,
    events: &dyn Events,
    by: &OpenedBy,
    written: u64,
    deferred: Option<&Id>,
) -> Result<(), Error> {
    let OpenedBy { contact, machine, pending } = by.clone();
    let due = Due { contact: contact.to_bytes(), machine, pending, written };
    match deferred {
        Some(id) => Ok(deferred_file(account, id)?.update(|file| {
            file.0 = Some(due);
            Ok::<_, ratchet::Error>(())
        })?),
        None => apply(account, events, due),
    }
}

/// Erases the key of a letter that was given to a command, once that has succeeded.
pub fn erase_deferred(account: &Account, events: &dyn Events, id: &Id) -> Result<(), Error> {
    let file = deferred_file(account, id)?;
    if let Owed(Some(due)) = file.read()? {
        apply(account, events, due)?;
        file.remove()?;
    }
    Ok(())
}

/// Erases the keys of letters that no command is given again: those for which `waits` is false.
pub(crate) fn erase_all_deferred(
    account: &Account,
    events: &dyn Events,
    waits: impl Fn(&Id) -> bool,
) -> Result<(), Error> {
    let files = match account.deferred_folder()?.list() {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for file in files {
        if let Some(id) = file.parse::<Id>().ok().filter(|id| !waits(id)) {
            erase_deferred(account, events, &id)?;
        }
    }
    Ok(())
}

fn deferred_file(account: &Account, id: &Id) -> Result<StateFile<Owed>, Error> {
    let (folder, key) = (account.deferred_folder()?, account.deferred_key(&id.0));
    Ok(StateFile::named_on(folder, &id.to_string(), key))
}

fn apply(account: &Account, events: &dyn Events, due: Due) -> Result<(), Error> {
    let Due { contact, machine, pending, written } = due;
    let contact = Fingerprint::from_bytes(contact);
    let secret = account.pairs()?.pairwise_of(&contact).into_iter().next();
    let out_of_step = account.sessions_file(&contact)?.update(|sessions| {
        match sessions.apply(&machine, pending, secret.as_deref(), written, account.now()) {
            // Another process was faster, and erased it.
            Err(ratchet::Error::Spent) => Ok(false),
            other => other,
        }
    })?;
    if out_of_step { restart(account, events, &contact) } else { Ok(()) }
}

/// Begins a new stream of numbers: the keys of the two sides are out of step, and new ones are offered.
fn restart(account: &Account, events: &dyn Events, contact: &Fingerprint) -> Result<(), Error> {
    let name = account.title(contact)?;
    account.book_file()?.update(|book| {
        book.begin_stream(contact);
        Ok::<_, contact::Error>(())
    })?;
    events.event(Event::KeysOutOfStep { name });
    Ok(())
}
