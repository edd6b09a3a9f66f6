//! Bodies that must keep moving: a relay that sends or takes a byte now and then, each in time, is
//! given up all the same.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Slowest body in bytes a second, once the first patience is over: what a relay asks of clients.
const SLOWEST: u64 = 1 << 10;

/// Progress of a body against the pace it has to keep.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the first bytes were asked for: connecting has bounds of its own.
    start: Option<Instant>,
    patience: Duration,
    moved: u64,
    /// Whether what moved earns more time.
    earns: bool,
}

impl Pace {
    /// A body whose first bytes may take `patience`, and the others as long as they earn.
    pub(super) fn new(patience: Duration) -> Self {
        Self { start: None, patience, moved: 0, earns: true }
    }

    /// Counts bytes that moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes as u64);
    }

    /// Fails when it is too late for the next bytes.
    pub(super) fn check(&mut self) -> io::Result<()> {
        let start = *self.start.get_or_insert_with(Instant::now);
        let earned = if self.earns { self.moved / SLOWEST } else { 0 };
        let allowed = self.patience.saturating_add(Duration::from_secs(earned));
        if start.elapsed() <= allowed {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the relay is too slow"))
    }
}

/// A reader of such a body. Each read has its own bound, so the end comes at most one read late.
#[derive(Debug)]
pub(super) struct Paced<R> {
    inner: R,
    pace: Pace,
}

impl<R: Read> Paced<R> {
    /// A body of any length.
    pub(super) fn new(inner: R, patience: Duration) -> Self {
        Self { inner, pace: Pace::new(patience) }
    }

    /// A short body, all of which has to come within `patience`.
    pub(super) fn within(inner: R, patience: Duration) -> Self {
        Self { inner, pace: Pace { earns: false, ..Pace::new(patience) } }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.pace.check()?;
        let read = self.inner.read(buf)?;
        self.pace.moved(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time_where_they_may() {
        let hour_ago = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap();
        let pace = |moved, earns| Pace {
            start: Some(hour_ago),
            patience: Duration::from_secs(30),
            moved,
            earns,
        };
        assert!(pace(3600 * SLOWEST, true).check().is_ok());
        assert!(pace(3500 * SLOWEST, true).check().is_err());
        assert!(pace(u64::MAX, false).check().is_err());
        assert!(Pace::new(Duration::MAX).check().is_ok());
    }
}
