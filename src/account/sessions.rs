//! Ratchet sessions with contacts: the key of a letter that arrives, and what the letter changes.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::account::account::Account;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::account::kept::{self, KeptKey, KeptLetter};
use crate::age::{FileKey, Stanza};
use crate::contact;
use crate::contact::pairing::Address;
use crate::identity::Fingerprint;
use crate::letter::ratchet::{self, Due, Machine, Offer, Opened, Outcome, Owed, Pending, Sessions};
use crate::letter::{Letter, Proof};
use crate::relay::protocol::Id;
use crate::secret::Secret;
use crate::state::StateFile;

/// Sessions of one account, read when the first stanza asks for them.
#[derive(Default)]
pub(crate) struct SessionCache(Mutex<State>);

#[derive(Default)]
struct State {
    read: Option<Vec<(Fingerprint, Sessions)>>,
    kept: Option<KeptIndex>,
    /// The session that opened the last file.
    opened_by: Option<OpenedBy>,
}

/// Letters that went to a pipe.
#[derive(Default)]
struct KeptIndex {
    /// By their stanzas.
    keys: HashMap<[u8; 32], (Fingerprint, Arc<Secret<16>>)>,
    ids: HashSet<[u8; 16]>,
}

/// The session that opened a letter, and what the letter does to it.
#[derive(Clone)]
pub(crate) struct OpenedBy {
    pub(crate) contact: Fingerprint,
    stanza: [u8; 32],
    file_key: Arc<Secret<16>>,
    /// What the letter does to the session; nothing when its key was kept.
    change: Option<(Machine, Pending)>,
}

impl OpenedBy {
    /// Returns the key to be kept while the letter can be opened again; `None` when it is kept already.
    pub(crate) fn kept_key(&self) -> Option<KeptKey> {
        let file_key = Secret::take(&mut { *self.file_key.expose() });
        self.change.is_some().then_some(KeptKey { stanza: self.stanza, file_key })
    }
}

impl OpenedBy {
    /// Returns whether the key was not used before.
    pub(crate) fn is_first(&self) -> bool {
        self.change.is_some()
    }

    fn due(&self, written: u64) -> Option<Due> {
        let (machine, pending) = self.change.clone()?;
        Some(Due { contact: self.contact.to_bytes(), machine, pending, written })
    }
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
                    let change = Some((machine, pending));
                    return Ok(Some(state.opens(contact, stanza, Arc::new(file_key), change)));
                }
                other if fresh => break other,
                _ => (state.read, fresh) = (None, true),
            }
        };
        if let Some((contact, file_key)) = state.kept(account)?.keys.get(&kept::digest(stanza)) {
            let (contact, file_key) = (*contact, Arc::clone(file_key));
            return Ok(Some(state.opens(contact, stanza, file_key, None)));
        }
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
        let Some((machine, pending)) = &by.change else { return };
        let mut state = self.state();
        let contacts = state.read.iter_mut().flatten();
        for (_, sessions) in contacts.filter(|(of, _)| *of == by.contact) {
            // What fails here fails again where it is told.
            let _ = sessions.apply(machine, pending.clone(), None, 0, account.now());
        }
    }

    /// Returns whether a letter went to a pipe, and can be opened again.
    pub(crate) fn is_kept(&self, account: &Account, id: &[u8; 16]) -> Result<bool, Error> {
        Ok(self.state().kept(account)?.ids.contains(id))
    }

    /// Reads kept keys again when a letter asks for one.
    pub(crate) fn forget_kept(&self) {
        self.state().kept = None;
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
    /// Notes what opens the file, and returns its key.
    fn opens(
        &mut self,
        contact: Fingerprint,
        stanza: &Stanza,
        file_key: Arc<Secret<16>>,
        change: Option<(Machine, Pending)>,
    ) -> FileKey {
        let key = FileKey::new(Secret::take(&mut { *file_key.expose() }));
        let stanza = kept::digest(stanza);
        self.opened_by = Some(OpenedBy { contact, stanza, file_key, change });
        key
    }

    fn kept(&mut self, account: &Account) -> Result<&KeptIndex, Error> {
        if self.kept.is_none() {
            let mut index = KeptIndex::default();
            for KeptLetter { letter, sender, key, .. } in account.kept_letters()? {
                index.ids.insert(letter);
                if let Some((sender, KeptKey { stanza, file_key })) = sender.zip(key) {
                    let key = (Fingerprint::from_bytes(sender), Arc::new(file_key));
                    index.keys.insert(stanza, key);
                }
            }
            self.kept = Some(index);
        }
        Ok(self.kept.get_or_insert_default())
    }

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

/// Makes what letters change durable: their keys are gone when this returns. Each has its date in
/// seconds of Unix time. Returns why some were not erased.
pub(crate) fn erase_keys(
    account: &Account,
    events: &dyn Events,
    opened: &[(&OpenedBy, u64)],
) -> Vec<Error> {
    let mut by_contact: Vec<(Fingerprint, Vec<Due>)> = Vec::new();
    for due in opened.iter().filter_map(|(by, written)| by.due(*written)) {
        let contact = Fingerprint::from_bytes(due.contact);
        match by_contact.iter_mut().find(|(of, _)| *of == contact) {
            Some((_, all)) => all.push(due),
            None => by_contact.push((contact, vec![due])),
        }
    }
    let mut errors = Vec::new();
    for (_, due) in by_contact {
        // Where one cannot be applied the others are, each by itself.
        if apply(account, events, &due).is_err() {
            let each = due.chunks(1).map(|one| apply(account, events, one));
            errors.extend(each.filter_map(Result::err));
        }
    }
    errors
}

/// Keeps what a letter changes, and with it its key, for a command that is given the letter of this id
/// and may fail: until [`erase_deferred`] is called.
pub(crate) fn defer_key(
    account: &Account,
    by: &OpenedBy,
    written: u64,
    id: &Id,
) -> Result<(), Error> {
    let Some(due) = by.due(written) else { return Ok(()) };
    Ok(deferred_file(account, id)?.update(|file| {
        file.0 = Some(due);
        Ok::<_, ratchet::Error>(())
    })?)
}

/// Erases the key of a letter that was given to a command, once that has succeeded.
pub fn erase_deferred(account: &Account, events: &dyn Events, id: &Id) -> Result<(), Error> {
    let file = deferred_file(account, id)?;
    if let Owed(Some(due)) = file.read()? {
        apply(account, events, &[due])?;
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

/// Applies what letters of one contact change.
fn apply(account: &Account, events: &dyn Events, due: &[Due]) -> Result<(), Error> {
    let Some(first) = due.first() else { return Ok(()) };
    let contact = Fingerprint::from_bytes(first.contact);
    let secret = account.pairs()?.pairwise_of(&contact).into_iter().next();
    let out_of_step = account.sessions_file(&contact)?.update(|sessions| {
        let mut out_of_step = false;
        for Due { machine, pending, written, .. } in due {
            let applied = sessions.apply(
                machine,
                pending.clone(),
                secret.as_deref(),
                *written,
                account.now(),
            );
            out_of_step |= match applied {
                // Another process was faster, and erased it.
                Err(ratchet::Error::Spent) => false,
                other => other?,
            };
        }
        Ok::<_, ratchet::Error>(out_of_step)
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
