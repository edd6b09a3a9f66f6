//! State that the writer and the requests of a store share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::files::disk::{self, Disk};
use crate::relay::store::embedded::clock::Clock;
use crate::relay::store::embedded::index::Index;
use crate::relay::store::embedded::options::Options;
use crate::relay::store::{Arrivals, Error, Quotas};

/// Most bytes of the records of a job that names one thing.
pub(super) const SMALL: u64 = 1 << 10;

/// State that the writer and the requests share.
pub(super) struct Shared {
    pub(super) quotas: Quotas,
    pub(super) options: Options,
    pub(super) index: Mutex<Index>,
    pub(super) clock: Mutex<Clock>,
    pub(super) bodies: Arc<dyn Disk>,
    pub(super) next_file: AtomicU64,
    pub(super) damaged: AtomicU64,
    pub(super) free: Mutex<Option<(Instant, u64)>>,
    pub(super) arrivals: Arrivals,
    pub(super) failed: watch::Sender<Option<String>>,
}

impl Shared {
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_file(&self) -> u64 {
        self.next_file.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether the file system has less free than `times` the floor; looked up once a second.
    pub(super) fn disk_is_low(&self, times: u64) -> bool {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match *free {
            Some((at, bytes)) if at.elapsed() < Duration::from_secs(1) => bytes,
            // When it cannot be known, a write says it.
            _ => self.bodies.free().unwrap_or(u64::MAX),
        };
        let fresh = free.is_none_or(|(at, _)| at.elapsed() >= Duration::from_secs(1));
        if fresh {
            *free = Some((Instant::now(), bytes));
        }
        bytes < self.options.floor.saturating_mul(times)
    }

    pub(super) fn fail(&self, why: &std::io::Error) {
        self.failed.send_replace(Some(why.to_string()));
    }

    /// A write of a body's file failed. A full disk refuses one body, which nobody was promised;
    /// anything else ends the relay.
    pub(super) fn failed_write(&self, error: &std::io::Error) -> Error {
        if disk::is_full(error) {
            return Error::RelayFull;
        }
        self.fail(error);
        Error::Failed(error.to_string())
    }
}
