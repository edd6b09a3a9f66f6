//! Which time a sweep may believe.

use std::time::{Duration, Instant};

/// Seconds by which a clock may leap and still be believed at once.
const LEAP: u64 = 24 * 3600;

/// The caller's clock, held against the one that only goes forward.
///
/// A clock that leaps a year forward must not delete what waits. So a leap of more than a day
/// is believed only after the clock went on from there for a while, in which it can be set
/// right; then it may well be the truth, as after a relay was off for a month. A clock that goes
/// back deletes nothing too early by itself; its way forward again is a leap.
pub(super) struct Clock {
    /// A time that was believed, and since when.
    believed: Option<(u64, Instant)>,
    /// A time that was not, and since when.
    doubted: Option<(u64, Instant)>,
    patience: Duration,
}

impl Clock {
    /// `last` is the last time the log knows of, or 0.
    pub(super) fn new(last: u64, patience: Duration) -> Self {
        let believed = (last > 0).then(|| (last, Instant::now()));
        Self { believed, doubted: None, patience }
    }

    /// The time up to which a sweep may delete.
    pub(super) fn believe(&mut self, now: u64) -> u64 {
        let at = Instant::now();
        let expected = |(then, since): (u64, Instant)| then + at.duration_since(since).as_secs();
        let close = |base: Option<_>| base.is_none_or(|base| now.abs_diff(expected(base)) <= LEAP);
        if close(self.believed) {
            (self.believed, self.doubted) = (Some((now, at)), None);
            return now;
        }
        match self.doubted {
            Some(doubted) if now.abs_diff(expected(doubted)) <= LEAP => {
                if at.duration_since(doubted.1) >= self.patience {
                    (self.believed, self.doubted) = (Some((now, at)), None);
                    return now;
                }
            }
            _ => self.doubted = Some((now, at)),
        }
        // What had expired before the leap may go.
        self.believed.map_or(now, expected).min(now)
    }
}
