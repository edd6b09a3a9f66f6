//! The embedded store: fjall for everything small, files for long bodies, one thread that
//! writes.
//!
//! Durable means: the batch is in fjall's journal and synced (`fsync`), and before that every
//! long body's file and the folder that names it. A file without a record is nobody's and is
//! removed at the next start, so a crash between the two leaves nothing behind.

mod body;
mod tables;
mod writer;

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use self::tables::{INLINE, State, Table, Tables, why};
use self::writer::{Body, Command, Writer};
use crate::files;
use crate::relay::protocol::{Entry, Id, Mailbox};
use crate::relay::store::{Answer, Arrivals, Chunks, Error, Put, Quotas, Store, Stored, Usage};

/// Commands that may wait for the writer; more wait in their request.
const QUEUE: usize = 4096;

/// A store in a folder of its own.
pub struct Embedded {
    tables: Arc<Tables>,
    shared: Arc<Shared>,
    bodies: PathBuf,
    queue: Option<SyncSender<Command>>,
    writer: Option<JoinHandle<()>>,
    // The last field: it is given up after everything else.
    _lock: files::Lock,
}

/// What the writer and the requests both know.
struct Shared {
    quotas: Quotas,
    held: Mutex<Held>,
    arrivals: Arrivals,
    failed: watch::Sender<Option<String>>,
}

/// Counts in memory, of what is durable and of what was admitted and is on its way.
#[derive(Default)]
struct Held {
    mailboxes: HashMap<Mailbox, Counts>,
    total: Usage,
    reserved: u64,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    stored: Usage,
    reserved: Usage,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, mailbox: &Mailbox) -> bool {
        self.held().mailboxes.contains_key(mailbox)
    }

    fn mailboxes(&self) -> u64 {
        self.held().mailboxes.len() as u64
    }

    fn open(&self, mailbox: Mailbox) {
        self.held().mailboxes.entry(mailbox).or_default();
    }

    fn close(&self, mailbox: &Mailbox) {
        self.held().mailboxes.remove(mailbox);
    }

    fn add(&self, mailbox: &Mailbox, size: u64) {
        let mut held = self.held();
        held.total.messages += 1;
        held.total.bytes += size;
        if let Some(counts) = held.mailboxes.get_mut(mailbox) {
            counts.stored.messages += 1;
            counts.stored.bytes += size;
        }
    }

    fn remove(&self, mailbox: &Mailbox, size: u64) {
        let mut held = self.held();
        held.total.messages = held.total.messages.saturating_sub(1);
        held.total.bytes = held.total.bytes.saturating_sub(size);
        if let Some(counts) = held.mailboxes.get_mut(mailbox) {
            counts.stored.messages = counts.stored.messages.saturating_sub(1);
            counts.stored.bytes = counts.stored.bytes.saturating_sub(size);
        }
    }
}

/// Room for one message that is on its way, so that many pushes at once cannot overrun a
/// quota. Given back when dropped; by then the message is counted as stored, or refused.
struct Reservation {
    shared: Arc<Shared>,
    mailbox: Mailbox,
    size: u64,
}

impl Reservation {
    fn new(shared: &Arc<Shared>, mailbox: Mailbox, size: u64) -> Result<Self, Error> {
        let quotas = &shared.quotas;
        let mut held = shared.held();
        let whole = held.total.bytes.saturating_add(held.reserved).saturating_add(size);
        let counts = held.mailboxes.get_mut(&mailbox).ok_or(Error::NoMailbox)?;
        let messages = counts.stored.messages + counts.reserved.messages;
        let bytes = (counts.stored.bytes + counts.reserved.bytes).saturating_add(size);
        if messages >= quotas.mailbox_messages || bytes > quotas.mailbox_bytes {
            return Err(Error::MailboxFull);
        }
        if whole > quotas.store_bytes {
            return Err(Error::RelayFull);
        }
        counts.reserved.messages += 1;
        counts.reserved.bytes += size;
        held.reserved += size;
        drop(held);
        Ok(Self { shared: shared.clone(), mailbox, size })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.shared.held();
        held.reserved = held.reserved.saturating_sub(self.size);
        // The mailbox may have been closed, and even registered again, meanwhile.
        if let Some(counts) = held.mailboxes.get_mut(&self.mailbox) {
            counts.reserved.messages = counts.reserved.messages.saturating_sub(1);
            counts.reserved.bytes = counts.reserved.bytes.saturating_sub(self.size);
        }
    }
}

impl Embedded {
    /// Opens the store in `folder`, or makes it. The folder is locked as long as it is open.
    pub fn open(folder: &Path, quotas: Quotas) -> Result<Self, Error> {
        let failed = |why: String| Error::Open { folder: folder.to_owned(), why };
        let bodies = folder.join("bodies");
        files::create_private_folder(folder).map_err(|e| failed(e.to_string()))?;
        let lock = files::Lock::try_acquire(&folder.join("lock"))
            .map_err(|e| failed(e.to_string()))?
            .ok_or_else(|| Error::InUse(folder.to_owned()))?;
        files::create_private_folder(&bodies).map_err(|e| failed(e.to_string()))?;
        files::sync_folder(folder).map_err(|e| failed(e.to_string()))?;

        let tables = Arc::new(Tables::open(&folder.join("tables")).map_err(failed)?);
        let (held, next) = recount(&tables, &bodies).map_err(failed)?;
        let shared = Arc::new(Shared {
            quotas,
            held: Mutex::new(held),
            arrivals: Arrivals::default(),
            failed: watch::Sender::new(None),
        });
        let (queue, commands) = mpsc::sync_channel(QUEUE);
        let writer =
            Writer { tables: tables.clone(), shared: shared.clone(), folder: bodies.clone(), next };
        let writer = std::thread::Builder::new()
            .name("relay-writer".into())
            .spawn(move || writer.run(&commands))
            .map_err(|e| failed(e.to_string()))?;
        Ok(Self { tables, shared, bodies, queue: Some(queue), writer: Some(writer), _lock: lock })
    }

    /// Hands a command to the writer and waits for what it answers after its commit.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let mut command = command(reply);
        let queue = self.queue.as_ref().ok_or_else(|| self.failed())?;
        loop {
            match queue.try_send(command) {
                Ok(()) => break,
                Err(mpsc::TrySendError::Disconnected(_)) => return Err(self.failed()),
                Err(mpsc::TrySendError::Full(back)) => command = back,
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        answer.await.unwrap_or_else(|_| Err(self.failed()))
    }

    fn failed(&self) -> Error {
        let why = self.shared.failed.borrow().clone();
        Error::Failed(why.unwrap_or_else(|| "its writer has ended".into()))
    }

    /// Reads the tables on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tables) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Error> {
        let tables = self.tables.clone();
        tokio::task::spawn_blocking(move || read(&tables))
            .await
            .unwrap_or_else(|e| Err(why(e)))
            .map_err(Error::Unavailable)
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

/// Counts what is stored, and removes files that no record names.
fn recount(tables: &Tables, bodies: &Path) -> Result<(Held, u64), String> {
    let mut held = Held::default();
    let mut next = 0;
    let mut named = std::collections::HashSet::new();
    for item in tables.get(Table::Mailboxes).iter() {
        let key = item.key().map_err(why)?;
        let mailbox = <[u8; 32]>::try_from(&*key).map_err(why)?;
        held.mailboxes.insert(Mailbox(mailbox), Counts::default());
    }
    for item in tables.get(Table::Messages).iter() {
        let (key, value) = item.into_inner().map_err(why)?;
        let message: tables::Message = crate::wire::decode(&value).map_err(why)?;
        let (mailbox, _) = key.split_first_chunk::<32>().ok_or("a key that is too short")?;
        next = next.max(message.number + 1);
        held.total.messages += 1;
        held.total.bytes += message.size;
        if let Some(counts) = held.mailboxes.get_mut(&Mailbox(*mailbox)) {
            counts.stored.messages += 1;
            counts.stored.bytes += message.size;
        }
        named.extend(message.file);
    }
    for file in std::fs::read_dir(bodies).map_err(why)? {
        let file = file.map_err(why)?;
        if !file.file_name().to_str().is_some_and(|name| named.contains(name)) {
            std::fs::remove_file(file.path()).map_err(why)?;
        }
    }
    Ok((held, next))
}

impl Store for Embedded {
    fn register(&self, mailbox: Mailbox) -> Answer<'_, bool> {
        Box::pin(self.ask(move |reply| Command::Register(mailbox, reply)))
    }

    fn close(&self, mailbox: Mailbox) -> Answer<'_, bool> {
        Box::pin(self.ask(move |reply| Command::Close(mailbox, reply)))
    }

    fn put<'a>(
        &'a self,
        mailbox: Mailbox,
        message: Entry,
        now: u64,
        body: &'a mut dyn Chunks,
    ) -> Answer<'a, Put> {
        Box::pin(async move {
            let reservation = Reservation::new(&self.shared, mailbox, message.size);
            // What is there already takes no more room, and a long body need not come again.
            if reservation.is_err() || message.size > INLINE {
                if !self.shared.has(&mailbox) {
                    return Err(Error::NoMailbox);
                }
                let state = self.read(move |tables| tables.state(&mailbox, &message.id)).await?;
                if state.is_some_and(|state| state.deadline() > now) {
                    return Ok(Put::Already);
                }
            }
            let _reservation = reservation?;
            if message.size <= INLINE {
                let bytes = body::collect(body).await?;
                let body = Body::Inline(bytes);
                return self.ask(|reply| Command::Put { mailbox, message, now, body, reply }).await;
            }
            let file = body::write(&self.bodies, body, &self.shared.failed).await?;
            // The file goes with the command: if this request ends now, the writer still has it.
            let body = Body::File(file);
            self.ask(|reply| Command::Put { mailbox, message, now, body, reply }).await
        })
    }

    fn list(&self, mailbox: Mailbox, limit: usize, now: u64) -> Answer<'_, Vec<Entry>> {
        Box::pin(async move {
            if !self.shared.has(&mailbox) {
                return Err(Error::NoMailbox);
            }
            self.read(move |tables| {
                tables
                    .waiting(&mailbox)
                    .filter(|item| item.as_ref().map_or(true, |message| message.expires > now))
                    .take(limit)
                    .map(|item| {
                        item.map(|message| Entry {
                            id: Id(message.id),
                            size: message.size,
                            expires: message.expires,
                        })
                    })
                    .collect()
            })
            .await
        })
    }

    fn get(&self, mailbox: Mailbox, id: Id, now: u64) -> Answer<'_, Option<Stored>> {
        Box::pin(async move {
            if !self.shared.has(&mailbox) {
                return Err(Error::NoMailbox);
            }
            let bodies = self.bodies.clone();
            self.read(move |tables| {
                let message = match tables.state(&mailbox, &id)? {
                    Some(State::Waiting(message)) if message.expires > now => message,
                    _ => return Ok(None),
                };
                let body = match &message.file {
                    Some(name) => body::open(&bodies.join(name))?,
                    None => {
                        let key = tables::number_key(&mailbox, message.number);
                        tables.get(Table::Bodies).get(key).map_err(why)?.map(|b| body::held(&b))
                    }
                };
                // Acknowledged between the two reads, if it is not there.
                Ok(body.map(|body| Stored { size: message.size, body }))
            })
            .await
        })
    }

    fn ack(&self, mailbox: Mailbox, ids: Vec<Id>, remember: u64) -> Answer<'_, u64> {
        Box::pin(self.ask(move |reply| Command::Ack { mailbox, ids, remember, reply }))
    }

    fn usage(&self, mailbox: Mailbox) -> Answer<'_, Option<Usage>> {
        let usage = self.shared.held().mailboxes.get(&mailbox).map(|counts| counts.stored);
        Box::pin(std::future::ready(Ok(usage)))
    }

    fn totals(&self) -> Answer<'_, Usage> {
        let total = self.shared.held().total;
        Box::pin(std::future::ready(Ok(total)))
    }

    fn sweep(&self, now: u64) -> Answer<'_, u64> {
        Box::pin(async move {
            let mut swept = 0;
            loop {
                match self.ask(|reply| Command::Sweep { now, reply }).await? {
                    0 => return Ok(swept),
                    more => swept += more,
                }
            }
        })
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
