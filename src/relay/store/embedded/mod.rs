#![doc = include_str!("FORMAT.md")]

mod acked;
mod admit;
mod body;
mod clock;
mod disk;
mod index;
mod keeper;
mod log;
mod mover;
mod options;
mod read;
mod record;
mod recover;
mod segment;
mod slab;
mod sweep;
mod upload;
mod writer;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use self::admit::Admitted;
use self::clock::Clock;
use self::disk::{Disk, Folder};
use self::index::Index;
use self::keeper::Keeper;
use self::log::Turn;
pub use self::options::Options;
use self::record::{Fact, Message};
use self::writer::{Ask, Job, Writer};
use crate::files;
use crate::relay::protocol::{Capability, CapabilityId, Entry, Id, Mailbox, Terms, TokenId};
use crate::relay::store::{
    Answer, Arrivals, Chunks, Error, INLINE, Push, Put, Quotas, Store, Stored, Token, Totals,
    Upload, Usage,
};

/// Jobs that may wait for the writer; more wait in their request.
const QUEUE: usize = 4096;
/// Most bytes of the records of a job that names one thing.
const SMALL: u64 = 1 << 10;

/// Least bytes of a segment.
const SMALLEST: u64 = 4 << 20;

/// A store in a folder of its own.
pub struct Embedded {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    // The last field: it is given up after everything else.
    _lock: Option<files::Lock>,
}

/// What the writer and the requests both know.
struct Shared {
    quotas: Quotas,
    options: Options,
    index: Mutex<Index>,
    clock: Mutex<Clock>,
    bodies: Arc<dyn Disk>,
    next_file: AtomicU64,
    damaged: AtomicU64,
    free: Mutex<Option<(Instant, u64)>>,
    arrivals: Arrivals,
    failed: watch::Sender<Option<String>>,
}

impl Shared {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_file(&self) -> u64 {
        self.next_file.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether the file system has less free than `times` the floor; looked up once a second.
    fn disk_is_low(&self, times: u64) -> bool {
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

    fn fail(&self, why: &std::io::Error) {
        self.failed.send_replace(Some(why.to_string()));
    }

    /// A write of a body's file failed. A full disk refuses one body, which nobody was promised;
    /// anything else ends the relay.
    fn failed_write(&self, error: &std::io::Error) -> Error {
        if disk::is_full(error) {
            return Error::RelayFull;
        }
        self.fail(error);
        Error::Failed(error.to_string())
    }
}

/// What the writer will say of a job.
type Queued<T> = oneshot::Receiver<Result<T, Error>>;

impl Embedded {
    /// Opens the store in `folder`, or makes it. The folder is locked as long as it is open.
    pub fn open(folder: &Path, quotas: Quotas) -> Result<Self, Error> {
        Self::open_with(folder, quotas, Options::default())
    }

    /// The same with other options than the usual.
    pub fn open_with(folder: &Path, quotas: Quotas, options: Options) -> Result<Self, Error> {
        let failed = |why: std::io::Error| Error::Open {
            place: folder.display().to_string(),
            why: why.to_string(),
        };
        files::create_state_folder(folder).map_err(failed)?;
        let lock = files::Lock::try_acquire(&folder.join("lock"))
            .map_err(failed)?
            .ok_or_else(|| Error::InUse(folder.to_owned()))?;
        let options = Options { segment: options.segment.clamp(SMALLEST, 1 << 30), ..options };
        let log = Arc::new(Folder::open(folder.join("log")).map_err(failed)?);
        let bodies = Arc::new(Folder::open(folder.join("bodies")).map_err(failed)?);
        files::sync_folder(folder).map_err(failed)?;
        let keeper = Keeper::start().map_err(failed)?;
        let mut store = Self::start(log, bodies, keeper, quotas, options).map_err(failed)?;
        store._lock = Some(lock);
        Ok(store)
    }

    fn start(
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

    /// Stretches of the log and messages that were found damaged since the store was opened.
    pub fn damaged(&self) -> u64 {
        self.shared.damaged.load(Ordering::Relaxed)
    }

    /// Has the writer do something in its turn, and waits until it is durable. The records it
    /// makes have at most `room` bytes.
    async fn ask<T: Send + 'static>(
        &self,
        room: u64,
        grows: bool,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.answer(self.queue(room, grows, work).await?).await
    }

    /// Puts something into the writer's queue; returns when it has its place there.
    async fn queue<T: Send + 'static>(
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

    async fn answer<T>(&self, queued: Queued<T>) -> Result<T, Error> {
        queued.await.unwrap_or_else(|_| Err(self.failed()))
    }

    fn failed(&self) -> Error {
        let why = self.shared.failed.borrow().clone();
        Error::Failed(why.unwrap_or_else(|| "its writer has ended".into()))
    }

    /// Has an admitted message stored whose body is in memory or in a file.
    async fn store(
        &self,
        push: Push,
        reservation: admit::Reservation,
        body: Result<Bytes, body::Written>,
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

/// What the log says of a push.
fn message(push: &Push, file: Option<u64>) -> Fact {
    Fact::Put(Box::new(Message {
        mailbox: push.mailbox.0,
        capability: push.capability.0,
        id: push.message.id.0,
        size: push.message.size,
        expires: push.message.expires,
        hour: u32::try_from(push.now / 3600).unwrap_or(u32::MAX),
        file,
        order: None,
    }))
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Store for Embedded {
    fn register(&self, mailbox: Mailbox, token: Option<TokenId>, now: u64) -> Answer<'_, bool> {
        let most = self.shared.quotas.mailboxes;
        let low = self.shared.disk_is_low(2);
        Box::pin(self.ask(SMALL, true, move |turn| {
            if turn.index.find(&mailbox).is_some() {
                return Ok(false);
            }
            if let Some(token) = token {
                let licence = turn.index.tokens.get(&token.0);
                let good = licence.and_then(|l| l.good.filter(|good| l.used < good.mailboxes));
                if good.is_none_or(|good| good.expires.is_some_and(|end| end <= now)) {
                    return Err(Error::Token);
                }
            }
            if turn.index.registered >= most || low {
                return Err(Error::RelayFull);
            }
            turn.say(&Fact::Register { mailbox: mailbox.0, token: token.map(|token| token.0) })?;
            Ok(true)
        }))
    }

    fn close(&self, mailbox: Mailbox) -> Answer<'_, bool> {
        Box::pin(self.ask(SMALL, false, move |turn| {
            let there = turn.index.find(&mailbox).is_some();
            if there {
                turn.say(&Fact::Close { mailbox: mailbox.0 })?;
            }
            Ok(there)
        }))
    }

    fn allow(&self, mailbox: Mailbox, id: CapabilityId, terms: Terms) -> Answer<'_, ()> {
        let most = self.shared.quotas.mailbox_capabilities;
        Box::pin(self.ask(SMALL, true, move |turn| {
            let number = turn.index.find(&mailbox).ok_or(Error::NoMailbox)?;
            let known = turn.index.find_grant(&mailbox, &id);
            let known = known.and_then(|number| turn.index.grants.get(number));
            let count = turn.index.inboxes.get(number).map_or(0, |inbox| inbox.grants.len());
            if known.is_none() && count as u64 >= most {
                return Err(Error::MailboxFull);
            }
            let (pushed, hourly) =
                known.map(|grant| (grant.pushed, grant.hourly)).unwrap_or_default();
            turn.say(&Fact::Allow {
                mailbox: mailbox.0,
                capability: id.0,
                terms: terms.into(),
                pushed,
                hourly,
            })
        }))
    }

    fn revoke(&self, mailbox: Mailbox, id: CapabilityId) -> Answer<'_, bool> {
        Box::pin(self.ask(SMALL, false, move |turn| {
            turn.index.find(&mailbox).ok_or(Error::NoMailbox)?;
            let there = turn.index.find_grant(&mailbox, &id).is_some();
            if there {
                turn.say(&Fact::Revoke { mailbox: mailbox.0, capability: id.0 })?;
            }
            Ok(there)
        }))
    }

    fn capabilities(&self, mailbox: Mailbox) -> Answer<'_, Vec<Capability>> {
        Box::pin(std::future::ready(self.shared.index().capabilities(&mailbox)))
    }

    fn put<'a>(&'a self, push: Push, body: &'a mut dyn Chunks) -> Answer<'a, Put> {
        Box::pin(async move {
            let reservation = match admit::admit(&self.shared, &push)? {
                Admitted::Already => return Ok(Put::Already),
                Admitted::Room(reservation) => reservation,
            };
            let body = if push.message.size <= INLINE {
                Ok(body::collect(body, push.message.size).await?.into())
            } else {
                // The file goes with the job: if this request ends now, the writer still has it.
                Err(body::write(&self.shared, body).await?)
            };
            self.answer(self.store(push, reservation, body).await?).await
        })
    }

    fn put_all(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        messages: Vec<(Entry, Bytes)>,
        now: u64,
    ) -> Answer<'_, Vec<Result<Put, Error>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(messages.len());
            // Each is a job of its own; queued in their order before the first is waited for, they
            // share groups.
            for (message, body) in messages {
                let push = Push { mailbox, capability, message, now };
                outcomes.push(match admit::admit(&self.shared, &push) {
                    Ok(Admitted::Already) => Ok(None),
                    Ok(Admitted::Room(reservation)) => {
                        self.store(push, reservation, Ok(body)).await.map(Some)
                    }
                    Err(error) => Err(error),
                });
            }
            let mut puts = Vec::with_capacity(outcomes.len());
            for outcome in outcomes {
                puts.push(match outcome {
                    Ok(Some(queued)) => self.answer(queued).await,
                    Ok(None) => Ok(Put::Already),
                    Err(error) => Err(error),
                });
            }
            Ok(puts)
        })
    }

    fn append<'a>(
        &'a self,
        push: Push,
        offset: u64,
        body: &'a mut dyn Chunks,
    ) -> Answer<'a, Upload> {
        Box::pin(self.append_part(push, offset, body))
    }

    fn uploaded(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        id: Id,
        now: u64,
    ) -> Answer<'_, Option<Upload>> {
        Box::pin(std::future::ready(self.part(&mailbox, &capability, &id, now)))
    }

    fn list(&self, mailbox: Mailbox, limit: usize, now: u64) -> Answer<'_, Vec<Entry>> {
        Box::pin(std::future::ready(self.shared.index().list(&mailbox, limit, now)))
    }

    fn get(&self, mailbox: Mailbox, id: Id, from: u64, now: u64) -> Answer<'_, Option<Stored>> {
        Box::pin(self.read_one(mailbox, id, from, now))
    }

    fn take(
        &self,
        mailbox: Mailbox,
        ids: Vec<Id>,
        limit: usize,
        now: u64,
    ) -> Answer<'_, Vec<(Id, Bytes)>> {
        Box::pin(self.read_many(mailbox, ids, limit, now))
    }

    fn ack(&self, mailbox: Mailbox, ids: Vec<Id>, remember: u64) -> Answer<'_, u64> {
        let room = SMALL + 64 * ids.len() as u64;
        Box::pin(self.ask(room, false, move |turn| {
            let number = turn.index.find(&mailbox).ok_or(Error::NoMailbox)?;
            let ids: BTreeSet<Id> = ids.into_iter().collect();
            let there = |id: &Id| turn.index.message(number, id).is_some();
            let there: Vec<Id> = ids.into_iter().filter(there).collect();
            for fact in Fact::gone(mailbox, remember, &there) {
                turn.say(&fact)?;
            }
            Ok(there.len() as u64)
        }))
    }

    fn usage(&self, mailbox: Mailbox) -> Answer<'_, Option<Usage>> {
        let index = self.shared.index();
        let number = index.find(&mailbox);
        let usage = number.and_then(|n| index.inboxes.get(n)).map(|inbox| inbox.held);
        Box::pin(std::future::ready(Ok(usage)))
    }

    fn totals(&self) -> Answer<'_, Totals> {
        let index = self.shared.index();
        let totals = Totals { mailboxes: index.registered, waiting: index.total };
        Box::pin(std::future::ready(Ok(totals)))
    }

    fn add_token(&self, token: Token) -> Answer<'_, ()> {
        Box::pin(self.ask(SMALL, true, move |turn| turn.say(&Fact::token(&token))))
    }

    fn remove_token(&self, id: TokenId) -> Answer<'_, bool> {
        Box::pin(self.ask(SMALL, false, move |turn| {
            let there = turn.index.tokens.get(&id.0).is_some_and(|known| known.good.is_some());
            if there {
                turn.say(&Fact::NoToken { id: id.0 })?;
            }
            Ok(there)
        }))
    }

    fn tokens(&self) -> Answer<'_, Vec<Token>> {
        let index = self.shared.index();
        let tokens = index.tokens.values();
        let tokens = tokens.filter_map(|known| Some(Token { used: known.used, ..known.good? }));
        Box::pin(std::future::ready(Ok(tokens.collect())))
    }

    fn mailboxes(&self, after: Option<Mailbox>, limit: usize) -> Answer<'_, Vec<Mailbox>> {
        Box::pin(std::future::ready(Ok(self.shared.index().names_behind(after, limit))))
    }

    fn sweep(&self, now: u64) -> Answer<'_, u64> {
        Box::pin(self.sweep_all(now))
    }

    fn failure(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        let mut failed = self.shared.failed.subscribe();
        Box::pin(async move {
            let why = failed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
            why.unwrap_or_default()
        })
    }

    fn arrivals(&self) -> &Arrivals {
        &self.shared.arrivals
    }
}

#[cfg(test)]
mod tests;
