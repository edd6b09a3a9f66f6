//! The open store: its folder, its lock, and the queue of its writer.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::files;
use crate::files::disk::Disk;
use crate::files::local::Folder;
use crate::relay::store::embedded::admit::Reservation;
use crate::relay::store::embedded::body::Written;
use crate::relay::store::embedded::clock::Clock;
use crate::relay::store::embedded::keeper::Keeper;
use crate::relay::store::embedded::log::Turn;
use crate::relay::store::embedded::options::Options;
use crate::relay::store::embedded::record::{self, message};
use crate::relay::store::embedded::recover;
use crate::relay::store::embedded::shared::{SMALL, Shared};
use crate::relay::store::embedded::writer::{Ask, Job, Writer};
use crate::relay::store::{Arrivals, Error, Push, Put, Quotas};

/// Jobs that may wait for the writer; more wait in their request.
const QUEUE: usize = 4096;
/// Least bytes of a segment.
const SMALLEST: u64 = 4 << 20;

/// A store in a folder of its own.
pub struct Embedded {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Option<mpsc::Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    // The last field: it is given up after everything else.
    _lock: Option<files::Lock>,
}

/// Answer of the writer to a job, once there is one.
pub(super) type Queued<T> = oneshot::Receiver<Result<T, Error>>;

impl Embedded {
    /// Opens the store in `folder`, or makes it. The folder is locked as long as it is open.
    pub fn open(folder: &Path, quotas: Quotas) -> Result<Self, Error> {
        Self::open_with(folder, quotas, Options::default())
    }

    /// The same with other options than the usual.
    pub(crate) fn open_with(
        folder: &Path,
        quotas: Quotas,
        options: Options,
    ) -> Result<Self, Error> {
        let failed = |why: std::io::Error| Error::Open {
            place: folder.display().to_string(),
            why: why.to_string(),
        };
        files::create_state_folder(folder).map_err(failed)?;
        let lock = files::Lock::try_acquire(&folder.join("lock"))
            .map_err(failed)?
            .ok_or_else(|| Error::InUse(folder.to_owned()))?;
        let options = Options { segment: options.segment.clamp(SMALLEST, 1 << 30), ..options };
        let (log, bodies) = (Folder::new(&folder.join("log")), Folder::new(&folder.join("bodies")));
        log.make().and_then(|()| bodies.make()).map_err(failed)?;
        files::sync_folder(folder).map_err(failed)?;
        let keeper = Keeper::start().map_err(failed)?;
        let mut store = Self::start(Arc::new(log), Arc::new(bodies), keeper, quotas, options)
            .map_err(failed)?;
        store._lock = Some(lock);
        Ok(store)
    }

    pub(super) fn start(
        log: Arc<dyn Disk>,
        bodies: Arc<dyn Disk>,
        keeper: Keeper,
        quotas: Quotas,
        options: Options,
    ) -> std::io::Result<Self> {
        let (size, remembered) = (options.segment, options.remembered);
        let found = recover::recover(&log, &*bodies, keeper, size, remembered)?;
        let clock = Clock::new(found.index.clock, options.patience);
        let shared = Arc::new(Shared {
            quotas,
            options,
            index: Mutex::new(found.index),
            clock: Mutex::new(clock),
            bodies: bodies.clone(),
            next_file: AtomicU64::new(found.next_file),
            damaged: AtomicU64::new(found.damaged),
            free: Mutex::new(None),
            arrivals: Arrivals::default(),
            failed: watch::Sender::new(None),
        });
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = Writer::new(shared.clone(), found.log, bodies);
        let writer = std::thread::Builder::new()
            .name("relay-writer".into())
            .spawn(move || writer.run(jobs))?;
        Ok(Self { shared, queue: Some(queue), writer: Some(writer), _lock: None })
    }

    /// Has the writer do something in its turn, and waits until it is durable. The records it
    /// makes have at most `room` bytes.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        room: u64,
        grows: bool,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.answer(self.queue(room, grows, work).await?).await
    }

    /// Puts something into the writer's queue; returns when it has its place there.
    pub(super) async fn queue<T: Send + 'static>(
        &self,
        room: u64,
        grows: bool,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Queued<T>, Error> {
        let queue = self.queue.as_ref().ok_or_else(|| self.failed())?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Ask { work: Some(work), room, grows, outcome: None, reply });
        queue.send(job).await.map_err(|_| self.failed())?;
        Ok(answer)
    }

    pub(super) async fn answer<T>(&self, queued: Queued<T>) -> Result<T, Error> {
        queued.await.unwrap_or_else(|_| Err(self.failed()))
    }

    pub(super) fn failed(&self) -> Error {
        let why = self.shared.failed.borrow().clone();
        Error::Failed(why.unwrap_or_else(|| "its writer has ended".into()))
    }

    /// Has an admitted message stored whose body is in memory or in a file.
    pub(super) async fn store(
        &self,
        push: Push,
        reservation: Reservation,
        body: Result<Bytes, Written>,
    ) -> Result<Queued<Put>, Error> {
        let (bytes, file) = match body {
            Ok(bytes) => (bytes, None),
            Err(written) => (Bytes::new(), Some(written)),
        };
        let fact = message(&push, file.as_ref().map(|file| file.number));
        let record =
            record::encode(&fact, &bytes).map_err(|e| Error::Unavailable(e.to_string()))?;
        drop(bytes);
        let room = record.len() as u64 + SMALL;
        self.queue(room, true, move |turn| {
            reservation.settle(turn.index);
            let put = turn.message(&push, &fact, &record)?;
            if let Some(file) = file.filter(|_| put == Put::New) {
                file.keep();
                turn.effects.named = true;
            }
            Ok(put)
        })
        .await
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
