//! Room for documents between the parser and the engine. The engine's own queue counts
//! documents, so some large ones would fill the memory; this one counts their bytes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long to wait for room while none is given back: an engine whose workers died gives none
/// back, and is found out by the next call to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A number of bytes that may be on their way.
#[derive(Debug)]
pub(crate) struct Room {
    used: Mutex<usize>,
    given_back: Condvar,
    all: usize,
}

/// Bytes taken, given back when dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(all: usize) -> Arc<Self> {
        Arc::new(Self { used: Mutex::new(0), given_back: Condvar::new(), all })
    }

    /// Waits until `bytes` fit, or nothing else is on its way.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Taken {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while *used > 0 && *used + bytes > self.all {
            let waited = self
                .given_back
                .wait_timeout(used, PATIENCE)
                .unwrap_or_else(PoisonError::into_inner);
            used = waited.0;
            if waited.1.timed_out() {
                break;
            }
        }
        *used += bytes;
        Taken { room: Arc::clone(self), bytes }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut used = self.room.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(self.bytes);
        self.room.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taker_waits_until_there_is_room() {
        let room = Room::new(10);
        let first = room.take(8);
        let waiter = {
            let room = Arc::clone(&room);
            std::thread::spawn(move || drop(room.take(20)))
        };
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiter.is_finished());
        drop(first);
        waiter.join().unwrap();
        assert_eq!(*room.used.lock().unwrap(), 0);
    }
}
