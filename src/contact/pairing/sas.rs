//! Both sides of a public invite, while people compare digits.

use crate::contact::pairing::address::Outgoing;
use crate::contact::pairing::digits::{Code, Digits};
use crate::contact::pairing::error::Error;
use crate::contact::pairing::message::{self, Later, Sort};
use crate::contact::pairing::state::{Agreed, Closed, Comparing, Move, Said, Settled, State};
use crate::contact::pairing::step::{End, Event, Waits};
use crate::contact::trust::Trust;
use crate::identity::{Card, Fingerprint};
use crate::wire;

impl Comparing {
    pub(super) fn begin(agreed: Agreed, code: Code, said: Said) -> Move {
        let (send, event) = (said.pending.clone(), Event::Digits(code.shown(agreed.role)));
        let comparing = Self { agreed, code, confirmed: None, theirs: None, said };
        Move { state: State::Comparing(Box::new(comparing)), send, event }
    }

    pub(super) fn their_fingerprint(&self) -> Option<Fingerprint> {
        let hand = self.theirs.as_ref()?;
        Card::from_bytes(&hand.card.0).ok().map(|card| card.fingerprint())
    }

    pub(super) fn waits_for(&self) -> Waits {
        let shown = self.code.shown(self.agreed.role);
        match self.confirmed {
            None => Waits::OurDigits(shown),
            Some(_) => Waits::TheirDigits(shown),
        }
    }

    /// The other side's word that its digits were right, or wrong.
    pub(super) fn receive(mut self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        let key = self.agreed.later(self.agreed.role.other());
        let Some(later) = message::open(&key, Sort::Later, bytes) else { return Ok(None) };
        match wire::decode(&later)? {
            Later::Burnt => Ok(Some(Closed::because(End::BurntThere, now))),
            Later::Hand(hand) if self.theirs.is_none() => {
                let card = self.agreed.verify(&hand)?;
                if card.fingerprint() == self.agreed.party.card()?.fingerprint() {
                    return Ok(Some(Closed::because(End::Oneself, now)));
                }
                self.theirs = Some(hand);
                // Who says this has heard what was said before.
                self.said.pending = self.confirmed.iter().cloned().collect();
                self.said.heard.push(message::name(bytes));
                self.settle(Vec::new(), Event::TheyConfirmed, now).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn confirm(mut self, typed: Digits, now: u64) -> Result<Move, Error> {
        let role = self.agreed.role;
        let (shown, expected) = (self.code.shown(role), self.code.shown(role.other()));
        let right = typed == expected;
        match (right, &self.confirmed) {
            (true, Some(confirmed)) => {
                let send = vec![confirmed.clone()];
                return Ok(Move {
                    state: State::Comparing(Box::new(self)),
                    send,
                    event: Event::Repeated,
                });
            }
            (false, Some(_)) => return Err(Error::Confirmed),
            // A slip that tells nothing and lets nobody in.
            (false, None) if typed == shown => return Err(Error::OwnDigits),
            _ => {}
        }
        let word = if right { Later::Hand(self.agreed.party.hand.clone()) } else { Later::Burnt };
        let word = message::send(&self.agreed.to, &self.agreed.later(role), Sort::Later, &word)?;
        self.said.pending.push(word.clone());
        if !right {
            return Ok(Closed::burn(End::BurntHere, self.said, word, now));
        }
        self.confirmed = Some(word.clone());
        self.settle(vec![word], Event::WeConfirmed, now)
    }

    /// Ends with a contact when both have confirmed.
    fn settle(self, mut send: Vec<Outgoing>, event: Event, now: u64) -> Result<Move, Error> {
        let (Some(_), Some(hand)) = (&self.confirmed, &self.theirs) else {
            return Ok(Move { state: State::Comparing(Box::new(self)), send, event });
        };
        let role = self.agreed.role;
        let done =
            message::send(&self.agreed.to, &self.agreed.later(role), Sort::Later, &Later::Done)?;
        send.push(done.clone());
        let said = Said { answer: Some(done), ..self.said };
        let settled = Settled::new(Some(self.agreed.later(role.other())), None, said, now);
        self.agreed.settle(hand, Trust::Digits, settled, send)
    }
}
