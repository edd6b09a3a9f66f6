//! Pauses between attempts.

use std::time::{Duration, Instant};

use crate::crypto;
use crate::relay::client::error::Error;

/// First pause before a retry.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause before a retry: a request that is asked to wait longer fails.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Longest wait for anything: longer ones are shortened to this.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Remaining retries of a request, and the pause before the next.
#[derive(Debug)]
pub(super) struct Patience {
    retries: u32,
    left: u32,
    pause: Duration,
    /// Time in which an attempt may begin.
    time: Duration,
    begun: Instant,
}

impl Patience {
    /// Begins with a request that is tried again within `time`.
    pub(super) fn new(retries: u32, time: Duration) -> Self {
        Self { retries, left: retries, pause: FIRST_PAUSE, time, begun: Instant::now() }
    }

    /// Starts over, since there was progress.
    pub(super) fn renew(&mut self) {
        *self = Self::new(self.retries, self.time);
    }

    /// Waits until it is time to try again, or gives the error back: it will not pass, or not
    /// soon, or it came too often.
    pub(super) fn wait(&mut self, error: Error) -> Result<(), Error> {
        let Error::Temporary { retry_after, .. } = &error else { return Err(error) };
        let least = retry_after.unwrap_or_default();
        if self.left == 0 || least > LONGEST_PAUSE {
            return Err(error);
        }
        let pause = (jitter(self.pause)? + least).min(LONGEST_PAUSE);
        if self.begun.elapsed().saturating_add(pause) > self.time {
            return Err(error);
        }
        std::thread::sleep(pause);
        self.left -= 1;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// Between a half and the whole of a pause, so that clients that failed together do not come
/// back together.
pub(super) fn jitter(pause: Duration) -> Result<Duration, Error> {
    let [byte] = crypto::random::<1>()?;
    Ok(pause / 2 + pause / 2 * u32::from(byte) / 255)
}
