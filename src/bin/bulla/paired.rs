//! Letters from those one paired with: found by the ratchets kept with them, and what they change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bulla::age::{FileKey, Stanza};
use bulla::contact::Pairs;
use bulla::contact::pairing::Address;
use bulla::identity::Fingerprint;
use bulla::letter::Letter;
use bulla::letter::ratchet::{
    self, Adopted, Due, Machine, Offer, Opened, Outcome, Pending, Sessions,
};
use bulla::secret::Secret;

use crate::app::{Me, now};
use crate::exit::{Exit, Fail};
use crate::ui::Ui;

/// What is kept with those one paired with, read when a stanza asks for it.
#[derive(Default)]
pub(crate) struct Paired(Mutex<State>);

#[derive(Default)]
struct State {
    read: Option<(Pairs, Vec<(Fingerprint, Sessions)>)>,
    /// By which ratchet the last file was opened.
    found: Option<Found>,
}

/// The ratchet that opened a letter, and what the letter does to it.
pub(crate) struct Found {
    /// With whom.
    pub(crate) contact: Fingerprint,
    machine: Machine,
    pending: Pending,
    fault: Option<ratchet::Fault>,
}

impl Paired {
    /// The file key, if a ratchet of this identity's has it.
    pub(crate) fn unwrap(&self, ui: Ui, me: &Me, stanzas: &[Stanza]) -> Result<Option<FileKey>> {
        let [stanza] = stanzas else { return Ok(None) };
        if stanza.kind != ratchet::KIND || !me.has_home() {
            return Ok(None);
        }
        let mut state = self.state();
        let (pairs, contacts) = state.read(me)?;
        let Some((contact, machine, outcome)) = find(contacts, stanza)? else { return Ok(None) };
        let name = || -> Result<String> {
            let book = me.book()?;
            let known = book.by_fingerprint(&contact).map(|known| known.name().to_owned());
            Ok(known.unwrap_or_else(|| contact.to_string()))
        };
        let message = match outcome {
            Outcome::Opened(opened) => {
                let Opened { file_key, fault, pending, .. } = *opened;
                state.found = Some(Found { contact, machine, pending, fault });
                return Ok(Some(FileKey::new(file_key)));
            }
            Outcome::Replay => {
                let fail = Fail::new(Exit::Conflict, "this letter was opened before");
                return Err(fail.hint("its key was erased then: ask for it again").into());
            }
            Outcome::Conflict(fault) => {
                let secrets = pairs.pairwise_of(&contact);
                resync(ui, me, &contact, &machine, &fault, &secrets, &name()?)?;
                "its number was used: it was sealed from a copy of the sender's state, or a backup"
            }
            Outcome::Lost(fault) => {
                let secrets = pairs.pairwise_of(&contact);
                resync(ui, me, &contact, &machine, &fault, &secrets, &name()?)?;
                "it answers a key that is not here: this state is a copy, or a backup"
            }
        };
        state.read = None;
        let name = name()?;
        let fail =
            Fail::new(Exit::Conflict, format!("a letter from {name} cannot be opened: {message}"));
        Err(fail.hint(format!("ask for it again, when you have written to {name} once")).into())
    }

    /// By which ratchet the file that was unwrapped last was opened.
    pub(crate) fn found(&self) -> Option<Found> {
        self.state().found.take()
    }

    /// The secrets of pairings with somebody.
    pub(crate) fn secrets(&self, me: &Me, contact: &Fingerprint) -> Vec<Arc<Secret<32>>> {
        let mut state = self.state();
        state.read(me).map_or(Vec::new(), |(pairs, _)| pairs.pairwise_of(contact))
    }

    /// Takes what a letter changes for the letters of the same run that come after it.
    pub(crate) fn go_on(&self, found: &Found) {
        let mut state = self.state();
        let Some((_, contacts)) = &mut state.read else { return };
        if let Some((_, sessions)) = contacts.iter_mut().find(|(of, _)| *of == found.contact) {
            // What fails here fails again where it is told.
            let _ = sessions.apply(&found.machine, found.pending.clone(), now());
        }
    }

    /// Makes what a letter changes durable: its key is gone when this returns. A command of `relay
    /// pull --exec` may fail after it opened the letter `given` to it, and be given it again: then
    /// the key stays until [`erase`] is called.
    pub(crate) fn settle(
        &self,
        ui: Ui,
        me: &Me,
        found: &Found,
        given: Option<[u8; 32]>,
    ) -> Result<()> {
        let Found { contact, machine, pending, fault } = found;
        let due = |id| {
            let (contact, machine, pending) = (contact.to_bytes(), *machine, pending.clone());
            Due { id, contact, machine, pending }
        };
        let put_off = match given {
            Some(id) => {
                me.owed_file()?.update(|owed| Ok::<_, ratchet::Error>(owed.put_off(due(id))))?
            }
            None => false,
        };
        if !put_off {
            apply(me, contact, machine, pending)?;
        }
        if let Some(fault) = fault {
            let secrets = self.secrets(me, contact);
            let book = me.book()?;
            let name = book.by_fingerprint(contact).map_or("the sender", |known| known.name());
            resync(ui, me, contact, machine, fault, &secrets, name)?;
        }
        Ok(())
    }

    /// Takes what a verified letter says of its sender's machine: where it wants letters, and the
    /// start of a ratchet that it offers.
    pub(crate) fn hear(&self, me: &Me, letter: &Letter) -> Result<()> {
        let Some(sender) = letter.from.as_ref().map(|card| card.fingerprint()) else {
            return Ok(());
        };
        let postscript = &letter.postscript;
        let Some(reply) = &postscript.reply else { return Ok(()) };
        let (Some(relay), Some(capability)) = (&reply.relay, &reply.capability) else {
            return Ok(());
        };
        // Who did not pair has no ratchet, and his letters go to his card.
        let Some(secret) = self.secrets(me, &sender).into_iter().next() else { return Ok(()) };
        let address = Address {
            relay: relay.clone(),
            mailbox: reply.mailbox,
            capability: capability.clone(),
        };
        me.pairs_file()?.update(|pairs| {
            pairs.heard_of(&sender, address);
            Ok::<_, bulla::contact::Error>(())
        })?;
        if let Some(offer) = &postscript.offer {
            let offer = Offer::decode(offer)?;
            me.sessions_file(&sender)?.update(|sessions| {
                let _: Adopted = sessions.adopt(&reply.mailbox, &offer, &secret, now())?;
                Ok::<_, ratchet::Error>(())
            })?;
        }
        self.state().read = None;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read(&mut self, me: &Me) -> Result<&mut (Pairs, Vec<(Fingerprint, Sessions)>)> {
        if self.read.is_none() {
            let pairs = me.pairs()?;
            let contacts = pairs.contacts().into_iter().map(|contact| {
                let contact = Fingerprint::from_bytes(contact);
                Ok((contact, me.sessions_file(&contact)?.read()?))
            });
            let contacts = contacts.collect::<Result<_>>()?;
            self.read = Some((pairs, contacts));
        }
        self.read.as_mut().ok_or_else(|| anyhow::anyhow!("nothing was read"))
    }
}

/// Erases the key of a letter whose command has succeeded.
pub(crate) fn erase(me: &Me, id: &[u8; 32]) -> Result<()> {
    let file = me.owed_file()?;
    let owed = file.read()?;
    let Some(due) = owed.of(id) else { return Ok(()) };
    apply(me, &Fingerprint::from_bytes(due.contact), &due.machine, &due.pending)?;
    file.update(|owed| {
        owed.done(id);
        Ok::<_, ratchet::Error>(())
    })?;
    Ok(())
}

fn apply(me: &Me, contact: &Fingerprint, machine: &Machine, pending: &Pending) -> Result<()> {
    me.sessions_file(contact)?.update(|sessions| {
        match sessions.apply(machine, pending.clone(), now()) {
            // Another process was faster, and erased it.
            Err(ratchet::Error::Spent) => Ok(()),
            other => other,
        }
    })?;
    Ok(())
}

/// Whose letter a stanza is: those are looked at first of whom it may be the next.
fn find(
    contacts: &[(Fingerprint, Sessions)],
    stanza: &Stanza,
) -> Result<Option<(Fingerprint, Machine, Outcome)>> {
    for due in [true, false] {
        for (contact, sessions) in contacts {
            if sessions.expect(stanza)? == due
                && let Some((machine, outcome)) = sessions.open(stanza)?
            {
                return Ok(Some((*contact, machine, outcome)));
            }
        }
    }
    Ok(None)
}

fn resync(
    ui: Ui,
    me: &Me,
    contact: &Fingerprint,
    machine: &Machine,
    fault: &ratchet::Fault,
    secrets: &[Arc<Secret<32>>],
    name: &str,
) -> Result<()> {
    let Some(secret) = secrets.first() else { return Ok(()) };
    let new = me
        .sessions_file(contact)?
        .update(|sessions| sessions.resync(machine, fault, secret, now()))?;
    if new {
        ui.warn(&format!(
            "keys here and at {name} are out of step, as after a backup was restored or a machine \
             copied: your next letter to {name} begins anew"
        ));
    }
    Ok(())
}
