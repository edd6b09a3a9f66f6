//! All ratchets with one contact, as they are kept.

use std::fmt;

use crate::age;
use crate::identity::MAX_MACHINES;
use crate::letter::ratchet::error::Error;
#[cfg(doc)]
use crate::letter::ratchet::receiving::KEEP;
use crate::letter::ratchet::session::Offer;
use crate::letter::ratchet::stanza::LetterKey;
use crate::letter::ratchet::state::{Adopted, Outcome, Pending, Ratchet};
use crate::secret::Secret;
use crate::state::StateFile;
use crate::wire::{Decode, Encode, Record};

/// A machine of a contact, by the mailbox in which it takes letters from here.
pub(crate) type Machine = [u8; 32];

/// The ratchets with one contact, one for each of his machines.
#[derive(Default, Encode, Decode)]
pub(crate) struct Sessions(Vec<(Machine, Ratchet)>);

impl Record for Sessions {
    const NAME: &'static str = "ratchets";
    const VERSION: u8 = 1;
    const MAX: usize = MAX_MACHINES * Ratchet::MAX + 1024;
}

/// How the next letter to a machine is sealed.
#[derive(Debug)]
pub(crate) enum Next {
    /// Under this key.
    Key(Box<LetterKey>),
    /// To the contact's card, with this offer inside, until he answers it.
    Offer {
        /// To be put into the letter.
        offer: Offer,
        /// It was made for this letter, since there was no state.
        new: bool,
    },
}

impl Sessions {
    /// Begins with a machine after a pairing; one that is known keeps its ratchet. Those with other
    /// machines are kept for opening only, for `KEEP` hours: letters go to this one alone now, so
    /// no exchange would heal them.
    pub(crate) fn begin(&mut self, machine: Machine, now: u64, ratchet: impl FnOnce() -> Ratchet) {
        self.prune(now);
        if self.get(&machine).is_none() {
            self.0.iter_mut().for_each(|(_, ratchet)| ratchet.retire(now));
            self.push(machine, ratchet());
        }
    }

    /// The key of the next letter, once the state that is past it is on the disk. Where there is no
    /// state a new start is offered, with the secret of the pairing.
    pub(crate) fn next(
        file: &StateFile<Self>,
        machine: &Machine,
        secret: &Secret<32>,
        now: u64,
    ) -> Result<Next, Error> {
        // What is returned here is handed out when the state is durable, and only then.
        file.update(|sessions| {
            sessions.prune(now);
            let new = sessions.get(machine).is_none();
            if new {
                sessions.push(*machine, Ratchet::recover(secret, now)?);
            }
            let ratchet = sessions.get_mut(machine).ok_or(Error::Unanswered)?;
            if let Some(offer) = ratchet.offer() {
                return Ok(Next::Offer { offer, new });
            }
            Ok(Next::Key(Box::new(ratchet.seal(now)?)))
        })
    }

    /// Forgets a machine.
    pub(crate) fn forget(&mut self, machine: &Machine) {
        self.0.retain(|(known, _)| known != machine);
    }

    /// Whether a stanza is, as far as can be seen at once, the next of one of these.
    pub(crate) fn expect(&self, stanza: &age::Stanza) -> Result<bool, Error> {
        for (_, ratchet) in &self.0 {
            if ratchet.expects(stanza)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// As [`Ratchet::open`], with all of them; says whose it was.
    pub(crate) fn open(&self, stanza: &age::Stanza) -> Result<Option<(Machine, Outcome)>, Error> {
        for (machine, ratchet) in &self.0 {
            if let Some(outcome) = ratchet.open(stanza)? {
                return Ok(Some((*machine, outcome)));
            }
        }
        Ok(None)
    }

    /// As [`Ratchet::apply`]. What has faults is offered a new start at once; says whether it was.
    pub(crate) fn apply(
        &mut self,
        machine: &Machine,
        pending: Pending,
        secret: Option<&Secret<32>>,
        written: u64,
        now: u64,
    ) -> Result<bool, Error> {
        let ratchet = self.get_mut(machine).ok_or(Error::Spent)?;
        match (ratchet.apply(pending, written, now)?, secret) {
            (Some(fault), Some(secret)) => ratchet.resync(&fault, secret, now),
            _ => Ok(false),
        }
    }

    /// As [`Ratchet::adopt`], also of a machine that was not known.
    pub(crate) fn adopt(
        &mut self,
        machine: &Machine,
        offer: &Offer,
        secret: &Secret<32>,
        now: u64,
    ) -> Result<Adopted, Error> {
        match self.get_mut(machine) {
            Some(ratchet) => ratchet.adopt(offer, secret, now),
            None => {
                self.push(*machine, Ratchet::answer(offer, secret, now)?);
                Ok(Adopted::New)
            }
        }
    }

    /// As [`Ratchet::resync`], when a stanza is at odds with the state as it is now.
    pub(crate) fn resync(
        &mut self,
        stanza: &age::Stanza,
        secret: &Secret<32>,
        now: u64,
    ) -> Result<bool, Error> {
        match self.open(stanza)? {
            Some((machine, Outcome::Conflict(fault) | Outcome::Lost(fault))) => self
                .get_mut(&machine)
                .map_or(Ok(false), |ratchet| ratchet.resync(&fault, secret, now)),
            _ => Ok(false),
        }
    }

    /// Offers a new start to each machine, because the user wants one; where an offer waits for its
    /// answer it stays.
    pub(crate) fn renew(&mut self, secret: &Secret<32>, now: u64) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(|(_, ratchet)| {
            let fault = ratchet.in_use();
            ratchet.resync(&fault, secret, now).map(drop)
        })
    }

    /// Forgets the ratchets that were retired too long ago.
    fn prune(&mut self, now: u64) {
        self.0.retain(|(_, ratchet)| !ratchet.is_over(now));
    }

    fn push(&mut self, machine: Machine, ratchet: Ratchet) {
        if self.0.len() >= MAX_MACHINES {
            self.0.remove(0);
        }
        self.0.push((machine, ratchet));
    }

    fn get(&self, machine: &Machine) -> Option<&Ratchet> {
        self.0.iter().find(|(known, _)| known == machine).map(|(_, ratchet)| ratchet)
    }

    fn get_mut(&mut self, machine: &Machine) -> Option<&mut Ratchet> {
        self.0.iter_mut().find(|(known, _)| known == machine).map(|(_, ratchet)| ratchet)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(..)")
    }
}
