//! Letters from those one paired with: found by the ratchets kept with them, and what they change.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bulla::age::{FileKey, Stanza};
use bulla::contact::pairing::Address;
use bulla::identity::Fingerprint;
use bulla::letter::ratchet::{self, Due, Machine, Offer, Opened, Outcome, Owed, Pending, Sessions};
use bulla::letter::{Letter, Proof};
use bulla::relay::protocol::Id;
use bulla::secret::Secret;
use bulla::state::StateFile;

use crate::app::{App, Me, now};
use crate::exit::{Exit, Fail};

/// What is kept with those one paired with, read when a stanza asks for it.
#[derive(Default)]
pub(crate) struct Paired(Mutex<State>);

#[derive(Default)]
struct State {
    read: Option<Vec<(Fingerprint, Sessions)>>,
    /// By which ratchet the last file was opened.
    found: Option<Found>,
}

/// The ratchet that opened a letter, and what the letter does to it.
#[derive(Clone)]
pub(crate) struct Found {
    /// With whom.
    pub(crate) contact: Fingerprint,
    machine: Machine,
    pending: Pending,
}

impl Paired {
    /// The file key, if a ratchet of this identity's has it.
    pub(crate) fn unwrap(&self, app: &App, me: &Me, stanzas: &[Stanza]) -> Result<Option<FileKey>> {
        let [stanza] = stanzas else { return Ok(None) };
        if stanza.kind != ratchet::KIND || !me.has_home() {
            return Ok(None);
        }
        let mut state = self.state();
        // What was read before this letter may have changed: another process sealed, or paired.
        let mut fresh = state.read.is_none();
        let found = loop {
            let found = find(state.read(app, me)?, stanza)?;
            match found {
                Some((contact, machine, Outcome::Opened(opened))) => {
                    let Opened { file_key, pending, .. } = *opened;
                    state.found = Some(Found { contact, machine, pending });
                    return Ok(Some(FileKey::new(file_key)));
                }
                other if fresh => break other,
                _ => (state.read, fresh) = (None, true),
            }
        };
        let Some((contact, _, outcome)) = found else { return Ok(None) };
        state.read = None;
        drop(state);
        let message = match outcome {
            Outcome::Lost(_) => {
                "it answers a key that is not here: this state is a copy, or a backup"
            }
            Outcome::Conflict(_) => {
                "its number was used: it was sealed from a copy of the sender's state, or a backup"
            }
            _ => {
                let fail = Fail::replay("this letter was opened before");
                return Err(fail.hint("its key was erased then: ask for it again").into());
            }
        };
        let secret = me.pairs()?.pairwise_of(&contact).into_iter().next();
        if let Some(secret) = secret
            && me.sessions_file(&contact)?.update(|s| s.resync(stanza, &secret, now()))?
        {
            begin_anew(app, me, &contact)?;
        }
        let name = name(me, &contact)?;
        // Another machine with this mailbox may have the key that is not here.
        let exit = match outcome {
            Outcome::Lost(_) => Exit::NoIdentityFits,
            _ => Exit::Conflict,
        };
        let fail = Fail::new(exit, format!("a letter from {name} cannot be opened: {message}"));
        Err(fail.hint(format!("write to {name}, and ask for it again")).into())
    }

    /// By which ratchet the file that was unwrapped last was opened.
    pub(crate) fn found(&self) -> Option<Found> {
        self.state().found.take()
    }

    /// Takes what a letter changes for the letters of the same run that come after it.
    pub(crate) fn go_on(&self, found: &Found) {
        let mut state = self.state();
        let contacts = state.read.iter_mut().flatten();
        for (_, sessions) in contacts.filter(|(of, _)| *of == found.contact) {
            // What fails here fails again where it is told.
            let _ = sessions.apply(&found.machine, found.pending.clone(), None, 0, now());
        }
    }

    /// Makes what a letter changes durable: its key is gone when this returns. A command of `relay
    /// pull --exec` may fail after it opened the letter `given` to it, and be given it again: then
    /// the key stays until [`erase`] is called.
    pub(crate) fn settle(
        &self,
        app: &App,
        me: &Me,
        found: &Found,
        written: u64,
        given: Option<&Id>,
    ) -> Result<()> {
        let Found { contact, machine, pending } = found.clone();
        let due = Due { contact: contact.to_bytes(), machine, pending, written };
        match given {
            Some(id) => Ok(owed_file(me, id)?.update(|owed| {
                owed.0 = Some(due);
                Ok::<_, ratchet::Error>(())
            })?),
            None => apply(app, me, due),
        }
    }

    /// Takes what a verified letter says of its sender's machine: where it wants letters, and the
    /// start of a ratchet that it offers.
    pub(crate) fn hear(&self, app: &App, me: &Me, letter: &Letter) -> Result<()> {
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
        let mut mine = me.pairs()?.mailboxes_of(&sender).into_iter();
        let meant = |machine| mine.any(|own| me.address(&own).mailbox == machine);
        if !postscript.machine.is_some_and(meant) {
            return Ok(());
        }
        let machine = reply.mailbox;
        let address =
            Address { relay: relay.clone(), mailbox: machine, capability: capability.clone() };
        let further = me.pairs_file()?.update(|pairs| {
            let known = pairs.machines_of(&sender).iter().any(|known| known.mailbox == machine);
            pairs.heard_of(&sender, address);
            Ok::<_, bulla::contact::Error>(!known)
        })?;
        if further {
            let name = name(me, &sender)?;
            app.ui.warn(&format!(
                "{name} has a further machine, which gets your letters from now on: if {name} does \
                 not know of it, bulla contact show {name}, and drop it"
            ));
        }
        if let Some(offer) = &postscript.offer {
            let offer = Offer::decode(offer)?;
            me.sessions_file(&sender)?
                .update(|sessions| sessions.adopt(&machine, &offer, secret, now()).map(drop))?;
            self.state().read = None;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read(&mut self, app: &App, me: &Me) -> Result<&[(Fingerprint, Sessions)]> {
        if self.read.is_none() {
            let mut all = Vec::new();
            for contact in me.pairs()?.contacts() {
                let contact = Fingerprint::from_bytes(contact);
                match me.sessions_file(&contact)?.read() {
                    Ok(sessions) => all.push((contact, sessions)),
                    // Letters of others open all the same.
                    Err(error) => app.ui.warn(&format!("{}: {error}", name(me, &contact)?)),
                }
            }
            self.read = Some(all);
        }
        Ok(self.read.as_deref().unwrap_or_default())
    }
}

/// The secrets of pairings with somebody.
pub(crate) fn secrets(me: &Me, contact: &Fingerprint) -> Result<Vec<Arc<Secret<32>>>> {
    Ok(me.pairs()?.pairwise_of(contact))
}

/// Whose letter a stanza is: those are looked at first of whom it may be the next.
fn find(
    contacts: &[(Fingerprint, Sessions)],
    stanza: &Stanza,
) -> Result<Option<(Fingerprint, Machine, Outcome)>> {
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

/// Erases the key of a letter that was given to a command, once that has succeeded.
pub(crate) fn erase(app: &App, me: &Me, id: &Id) -> Result<()> {
    let file = owed_file(me, id)?;
    if let Owed(Some(due)) = file.read()? {
        apply(app, me, due)?;
        file.remove()?;
    }
    Ok(())
}

/// Erases the keys of letters that no command is given again.
pub(crate) fn erase_rest(app: &App, me: &Me, waits: impl Fn(&Id) -> bool) -> Result<()> {
    let files = match fs::read_dir(owed_folder(me)?) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for file in files {
        let id = file?.file_name().to_str().and_then(|name| name.parse::<Id>().ok());
        if let Some(id) = id.filter(|id| !waits(id)) {
            erase(app, me, &id)?;
        }
    }
    Ok(())
}

fn owed_folder(me: &Me) -> Result<PathBuf> {
    Ok(me.folder()?.join("owed"))
}

fn owed_file(me: &Me, id: &Id) -> Result<StateFile<Owed>> {
    Ok(StateFile::named(&owed_folder(me)?, &id.to_string(), me.owed_key(&id.0)))
}

fn apply(app: &App, me: &Me, due: Due) -> Result<()> {
    let Due { contact, machine, pending, written } = due;
    let contact = Fingerprint::from_bytes(contact);
    let secret = me.pairs()?.pairwise_of(&contact).into_iter().next();
    let anew = me.sessions_file(&contact)?.update(|sessions| {
        match sessions.apply(&machine, pending, secret.as_deref(), written, now()) {
            // Another process was faster, and erased it.
            Err(ratchet::Error::Spent) => Ok(false),
            other => other,
        }
    })?;
    if anew { begin_anew(app, me, &contact) } else { Ok(()) }
}

/// Keys here and there are out of step, and new ones are offered.
fn begin_anew(app: &App, me: &Me, contact: &Fingerprint) -> Result<()> {
    let name = name(me, contact)?;
    me.book_file()?.update(|book| {
        book.begin_stream(contact);
        Ok::<_, bulla::contact::Error>(())
    })?;
    app.ui.warn(&format!(
        "keys here and at {name} are out of step, as after a backup was restored or a machine \
         copied: your next letter to {name} begins anew"
    ));
    Ok(())
}

fn name(me: &Me, contact: &Fingerprint) -> Result<String> {
    let book = me.book()?;
    let known = book.by_fingerprint(contact).map(|known| known.name().to_owned());
    Ok(known.unwrap_or_else(|| contact.to_string()))
}
