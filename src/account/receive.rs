//! Receiving: pull, open, deliver, record, erase the key, acknowledge.

use std::fs::File;
use std::io::Write;

use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::Event;
use crate::account::keyring::Keyring;
use crate::account::mailboxes::{Failures, OwnMailbox};
use crate::account::open::{Arrival, Delivery, LetterOpener, Opened, Sighted};
use crate::account::record::Kept;
use crate::account::sessions::erase_all_deferred;
use crate::relay::client::Error as RelayError;
use crate::relay::client::pull::{Delivered, Options, Report, Stopped, follow, pull, pull_again};
use crate::relay::client::spool::{KEPT, Spool};
use crate::relay::protocol::Id;

/// Which letters a pull gives out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pull {
    /// Those that wait, here and at the relays.
    #[default]
    Once,
    /// Those, and then each that arrives.
    Follow,
    /// Those that were given out before to a reader that may have lost them; no relay is asked.
    Again,
}

/// Outcome of a pull.
#[derive(Debug)]
pub struct Pulled {
    /// What was delivered.
    pub report: Report,
    /// Mailboxes that could not be visited, or that their relay should have and does not. Mailboxes at
    /// one relay that failed alike are one [`Error::Mailboxes`].
    pub failed: Vec<Error>,
    /// How many mailboxes were visited.
    pub visited: usize,
}

/// Takes letters, each of which is safe when it returns.
pub trait Receive: Delivery<Error = Error> {
    /// Takes a letter and its complete body. When this returns, the key of the letter is erased and
    /// the relay deletes it, so the body must be durable.
    fn complete(&mut self, letter: &Arrival, body: Self::Body) -> Result<(), Error>;
}

/// Hands each letter and its body, in memory, to a function.
#[derive(Debug)]
pub struct Letters<F>(F);

impl<F> Letters<F>
where
    F: FnMut(&Arrival, &[u8]) -> Result<(), Error> + Send + Sync,
{
    /// Calls `take` with each letter; what it took must be durable when it returns.
    pub fn new(take: F) -> Self {
        Self(take)
    }
}

impl<F> Delivery for Letters<F>
where
    F: FnMut(&Arrival, &[u8]) -> Result<(), Error> + Send + Sync,
{
    type Body = Vec<u8>;
    type Error = Error;

    fn admit(&self, letter: Option<&Sighted<'_>>) -> Result<(), Error> {
        if letter.is_some() { Ok(()) } else { Err(Error::NotALetter) }
    }

    fn begin(&self, _: Option<&Sighted<'_>>) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }
}

impl<F> Receive for Letters<F>
where
    F: FnMut(&Arrival, &[u8]) -> Result<(), Error> + Send + Sync,
{
    fn complete(&mut self, letter: &Arrival, body: Vec<u8>) -> Result<(), Error> {
        (self.0)(letter, &body)
    }
}

impl Context<'_> {
    /// Pulls sealed letters from all mailboxes through the spool, and hands each to `deliver`.
    ///
    /// Keys whose erasure was deferred are erased first. What is left of a revocation is tried again
    /// after the pull, or before one that follows.
    ///
    /// # Errors
    ///
    /// Those of this machine, and of `deliver`: what was delivered before is marked, and acknowledged
    /// if the relay can be reached. A relay that fails is no error: see [`Pulled::failed`].
    pub fn pull<E: From<Error>>(
        &self,
        which: Pull,
        options: Options,
        deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
    ) -> Result<Pulled, E> {
        if which == Pull::Follow {
            self.close_revoked_once()?;
        }
        self.account.erase_expired_keys()?;
        let mine = self.mailboxes()?;
        let mut spool = Spool::on(self.account.spool()?).map_err(Error::from)?;
        erase_all_deferred(self.account, self.events, |id| spool.is_waiting(id))?;
        let boxes: Vec<_> = mine.iter().map(|mine| mine.owned.clone()).collect();
        let broken = |at: usize, error: &RelayError| {
            if let Some(OwnMailbox { owned, purpose }) = mine.get(at) {
                let (relay, name) = (owned.relay.url(), purpose.contact());
                self.events.event(Event::LineBroken { relay, name, error });
            }
        };
        let outcome = match which {
            Pull::Once => pull(&boxes, &mut spool, options, deliver),
            Pull::Follow => follow(&boxes, &mut spool, options, deliver, broken),
            Pull::Again => pull_again(&mut spool, options, deliver),
        };
        let mut report = outcome.map_err(|stopped| match stopped {
            Stopped::Relay(error) => Error::from(error).into(),
            Stopped::Deliver(error) => error,
        })?;
        if which != Pull::Follow {
            self.close_revoked_once()?;
        }
        let mut failed = Failures::default();
        for at in &report.gone {
            let Some(mine) = mine.get(*at) else { continue };
            let gone = Err(RelayError::NoMailbox);
            if let Err(error) = self.if_there::<()>(&mine.purpose, gone) {
                failed.add(mine, error);
            }
        }
        for (at, error) in std::mem::take(&mut report.failed) {
            if let Some(mine) = mine.get(at) {
                failed.add(mine, error.into());
            }
        }
        let visited = mine.len().saturating_sub(failed.count());
        Ok(Pulled { report, failed: failed.finish(), visited })
    }

    /// Receives letters: each is pulled, opened, checked against replay, delivered, recorded, and its
    /// key erased; then the relay deletes it.
    ///
    /// A letter that cannot be opened is an [event](Event::LetterRefused) and stays in the spool for a
    /// week; it does not keep the others. A crash before `delivery` returns delivers a letter again;
    /// later it is known as a replay. No crash loses one.
    ///
    /// # Errors
    ///
    /// That of the state, or of `delivery`, whose letter comes again; or the first of the relays that
    /// failed, when all others were visited. Further ones are [events](Event::Failed).
    pub fn receive(&self, options: Options, delivery: &mut impl Receive) -> Result<Report, Error> {
        let keys = Keyring::new(vec![self.account.clone()], Vec::new(), self.events);
        let mut opener = LetterOpener::new(keys);
        let options = Options { keep: KEPT, ..options };
        let take = |id, sealed: &mut File| match self.receive_one(&mut opener, delivery, sealed) {
            Ok(()) => Ok(Delivered::Yes),
            Err(error) if error.is_settled() => {
                self.events.event(Event::LetterRefused { id, error: &error });
                Ok(Delivered::Yes)
            }
            Err(error) if error.is_of_letter() => {
                self.events.event(Event::LetterRefused { id, error: &error });
                Ok(Delivered::GivenOut)
            }
            Err(error) => Err(error),
        };
        let Pulled { report, failed, .. } = self.pull(Pull::Once, options, take)?;
        let mut failed = failed.into_iter();
        let first = failed.next();
        failed.for_each(|error| self.events.event(Event::Failed { error: &error }));
        first.map_or(Ok(report), Err)
    }

    fn receive_one<D: Receive>(
        &self,
        opener: &mut LetterOpener<Keyring<'_>>,
        delivery: &mut D,
        sealed: &mut File,
    ) -> Result<(), Error> {
        match opener.open(sealed, delivery)? {
            Opened::File(mut body) => body.flush()?,
            Opened::Control(arrival) => opener.keep(*arrival),
            Opened::Letter(arrival, body) => {
                delivery.complete(&arrival, body)?;
                opener.keep(*arrival);
            }
        }
        match opener.record(|_| Kept { safe: true, ..Kept::default() }).pop() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
