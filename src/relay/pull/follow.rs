//! Pulling without an end: each message as it arrives.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use crate::crypto;
use crate::crypto::SigningSecret;
use crate::relay::client::{Client, Event};
use crate::relay::error::Error;
use crate::relay::protocol::Id;
use crate::relay::pull::{Delivered, Options, Pull, Report, Stopped};
use crate::relay::spool::Spool;

/// First pause after a line broke.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause after a line broke.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A line that was good for so long: the next break is one of its own.
pub(super) const GOOD: Duration = Duration::from_secs(60);
/// After so long what the caller put off is offered to him again.
pub(super) const AGAIN: Duration = Duration::from_secs(60);

/// Does what [`pull`](crate::relay::pull::pull) does, and goes on with each message that arrives,
/// until `limit` were delivered. `options.wait` is not used.
///
/// When the line breaks, `broken` is told, and it is mended, however long that takes. What was put
/// off ([`Delivered::Later`]) is offered again every minute or so.
pub fn follow<E>(
    client: &Client,
    key: &SigningSecret,
    spool: &mut Spool,
    options: Options,
    deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
    mut broken: impl FnMut(&Error),
) -> Result<Report, Stopped<E>> {
    let mut pull = Pull::new(client, key, spool, options, deliver);
    let mut pause = FIRST_PAUSE;
    while !pull.is_enough() {
        let begun = Instant::now();
        let outcome = pull.listen();
        pull.spool.settle().map_err(Error::from)?;
        match outcome {
            // The relay stops, or starts anew.
            Ok(()) => {}
            Err(Stopped::Relay(error)) if error.is_temporary() => broken(&error),
            Err(other) => return Err(other),
        }
        if pull.is_enough() {
            break;
        }
        if begun.elapsed() >= GOOD {
            pause = FIRST_PAUSE;
        }
        thread::sleep(shortened(pause)?);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(pull.report)
}

/// Between a half and the whole of a pause, so that clients do not come back together.
pub(super) fn shortened(pause: Duration) -> Result<Duration, Error> {
    let [byte] = crypto::random::<1>()?;
    Ok(pause / 2 + pause / 2 * u32::from(byte) / 255)
}

impl<F> Pull<'_, F> {
    /// Deals with what is there and then with what arrives, until the relay hangs up.
    fn listen<E>(&mut self) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        self.deliver_waiting()?;
        self.round()?;
        self.deliver_deferred()?;
        if self.is_enough() {
            return Ok(());
        }
        let mut events = self.client.events(self.key)?;
        let mut offered = Instant::now();
        while let Some(event) = events.next()? {
            let is_new = |id: &Id| !self.seen.contains(id) && !self.spool.is_done(id);
            // One event is a reason to list, so that many are dealt with together.
            if matches!(event, Event::Message(entry) if is_new(&entry.id)) {
                self.round()?;
            }
            if offered.elapsed() >= AGAIN {
                self.deliver_waiting()?;
                self.deliver_deferred()?;
                offered = Instant::now();
            }
            if self.is_enough() {
                break;
            }
        }
        Ok(())
    }

    /// Deals with all that is listed, and forgets what need not be remembered.
    fn round<E>(&mut self) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        self.rounds(Instant::now())?;
        self.seen.retain(|id| !self.spool.is_done(id));
        self.acked.clear();
        Ok(())
    }
}
