//! Time limits of bodies: a least rate for messages, and one deadline for everything short.
//!
//! Each read and write has its own bound, which a byte now and then keeps for ever.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Least rate of a message in bytes a second: what a relay asks of clients.
pub(super) const SLOWEST: u64 = 1 << 10;

/// Rate of a body, averaged over windows. Only time spent on the connection counts.
#[derive(Debug)]
pub(super) struct Pace {
    window: Duration,
    spent: Duration,
    moved: u64,
}

impl Pace {
    /// Measures over windows of this length.
    pub(super) fn new(window: Duration) -> Self {
        Self { window, spent: Duration::ZERO, moved: 0 }
    }

    /// Counts bytes, and the time that they took.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] at the end of a window in which too few bytes moved.
    pub(super) fn count(&mut self, bytes: usize, took: Duration) -> io::Result<()> {
        self.spent = self.spent.saturating_add(took);
        self.moved = self.moved.saturating_add(bytes as u64);
        if self.spent < self.window {
            return Ok(());
        }
        let least = u128::from(SLOWEST) * self.spent.as_millis() / 1000;
        if u128::from(self.moved) < least {
            return Err(too_slow());
        }
        *self = Self::new(self.window);
        Ok(())
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the relay is too slow")
}

/// Reader of a message, which has to keep the least rate.
#[derive(Debug)]
pub(super) struct Paced<R> {
    inner: R,
    pace: Pace,
}

impl<R: Read> Paced<R> {
    pub(super) fn new(inner: R, window: Duration) -> Self {
        Self { inner, pace: Pace::new(window) }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let asked = Instant::now();
        let read = self.inner.read(buf)?;
        if read > 0 {
            self.pace.count(read, asked.elapsed())?;
        }
        Ok(read)
    }
}

/// Reader of something short, all of which has to come until a deadline. The end comes at most one
/// read late.
#[derive(Debug)]
pub(super) struct Within<R> {
    inner: R,
    limit: Duration,
    begun: Instant,
}

impl<R: Read> Within<R> {
    /// Gives the bytes that are read from now on so much time.
    pub(super) fn new(inner: R, limit: Duration) -> Self {
        Self { inner, limit, begun: Instant::now() }
    }

    /// Gives those from now on as much time again.
    pub(super) fn renew(&mut self) {
        self.begun = Instant::now();
    }
}

impl<R: Read> Read for Within<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.begun.elapsed() > self.limit {
            return Err(too_slow());
        }
        self.inner.read(buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_window_has_to_bring_its_bytes() {
        let mut pace = Pace::new(30 * SECOND);
        // A burst pays for its own window alone.
        pace.count(1 << 30, SECOND).unwrap();
        for _ in 0..29 {
            pace.count(1, SECOND).unwrap();
        }
        for _ in 0..29 {
            pace.count(1, SECOND).unwrap();
        }
        assert!(pace.count(1, SECOND).is_err());
        let mut pace = Pace::new(30 * SECOND);
        for _ in 0..3600 {
            pace.count(SLOWEST as usize, SECOND).unwrap();
        }
        // One read may take longer than a window.
        assert!(Pace::new(SECOND).count(SLOWEST as usize, 2 * SECOND).is_err());
        assert!(Pace::new(Duration::MAX).count(0, SECOND).is_ok());
    }

    #[test]
    fn something_short_has_one_deadline() {
        let mut late = Within::new(&b"late"[..], Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert!(late.read(&mut [0; 4]).is_err());
        let mut early = Within::new(&b"early"[..], 3600 * SECOND);
        assert_eq!(early.read(&mut [0; 4]).unwrap(), 4);
    }
}
