//! Where a relay keeps what it carries: the trait every backend fulfils.
//!
//! The methods are asynchronous and boxed. Asynchronous, because a push waits for a group
//! commit and must hold no thread meanwhile, and because clients of database servers are;
//! boxed, so that the server holds an `Arc<dyn Store>` and does not know which backend it has.
//!
//! A store has no clock: whoever calls it says what time it is.

pub mod embedded;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use crate::relay::protocol::{Entry, Id, Mailbox};

/// What a method of a store returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Why a store refused, or could not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No mailbox of that name is registered.
    #[error("no such mailbox")]
    NoMailbox,
    /// The mailbox holds as much as it may.
    #[error("the mailbox is full")]
    MailboxFull,
    /// The relay holds as much as it may.
    #[error("the relay is full")]
    RelayFull,
    /// The body of a push ended early, was too slow, or was not the one announced.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Another process has the store open.
    #[error("the store in {} is in use by another relay", .0.display())]
    InUse(PathBuf),
    /// The store could not be opened or read.
    #[error("the store in {} cannot be opened: {why}", folder.display())]
    Open {
        /// Where it is.
        folder: PathBuf,
        /// What the engine said.
        why: String,
    },
    /// Something could not be read or begun; nothing is lost, and a retry may succeed.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A write or sync failed. What is on the disk is unknown from here on: the store takes
    /// nothing any more and the process must end.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// Why a body did not arrive as announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Its SHA-256 is not the id.
    #[error("the body does not hash to the id")]
    WrongHash,
    /// It has another length than announced, or broke off.
    #[error("the body is not as long as announced")]
    WrongLength,
    /// Nothing came for too long.
    #[error("the body came too slowly")]
    TooSlow,
}

/// A body in pieces.
///
/// It says `None` only after everything was right: length and hash. So a store keeps what it
/// was given exactly when it saw `None`.
pub trait Chunks: Send {
    /// The next piece, not empty, or `None` at the end.
    fn next(&mut self) -> Answer<'_, Option<Bytes>>;
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is durable.
    New,
    /// It was there before, or was acknowledged lately.
    Already,
}

/// A stored body.
pub struct Stored {
    /// Length in bytes.
    pub size: u64,
    /// The bytes.
    pub body: Box<dyn Chunks>,
}

/// Messages and bytes of a mailbox, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Messages.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// Bounds a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Most messages in a mailbox.
    pub mailbox_messages: u64,
    /// Most bytes in a mailbox.
    pub mailbox_bytes: u64,
    /// Most bytes in all mailboxes together.
    pub store_bytes: u64,
    /// Most mailboxes.
    pub mailboxes: u64,
}

impl Default for Quotas {
    /// 10,000 messages and 4 GiB a mailbox; 64 GiB and 100,000 mailboxes in all.
    fn default() -> Self {
        Self {
            mailbox_messages: 10_000,
            mailbox_bytes: 4 << 30,
            store_bytes: 64 << 30,
            mailboxes: 100_000,
        }
    }
}

/// A durable store of messages. What a method has answered survives a power cut.
pub trait Store: Send + Sync {
    /// Makes a mailbox; `false` when it is there already.
    fn register(&self, mailbox: Mailbox) -> Answer<'_, bool>;

    /// Deletes a mailbox with all it holds; `false` when there is none.
    fn close(&self, mailbox: Mailbox) -> Answer<'_, bool>;

    /// Stores a message of `size` bytes until `expires`. Refuses before it asks `body` for
    /// anything where it can.
    fn put<'a>(
        &'a self,
        mailbox: Mailbox,
        message: Entry,
        now: u64,
        body: &'a mut dyn Chunks,
    ) -> Answer<'a, Put>;

    /// At most `limit` messages, oldest first, none that has expired.
    fn list(&self, mailbox: Mailbox, limit: usize, now: u64) -> Answer<'_, Vec<Entry>>;

    /// The body of a message, unless it has expired.
    fn get(&self, mailbox: Mailbox, id: Id, now: u64) -> Answer<'_, Option<Stored>>;

    /// Deletes messages and remembers their ids until `remember`; says how many were there.
    fn ack(&self, mailbox: Mailbox, ids: Vec<Id>, remember: u64) -> Answer<'_, u64>;

    /// What a mailbox holds, or `None` when there is none.
    fn usage(&self, mailbox: Mailbox) -> Answer<'_, Option<Usage>>;

    /// What all mailboxes hold together.
    fn totals(&self) -> Answer<'_, Usage>;

    /// Deletes what has expired by `now`; says how many messages.
    fn sweep(&self, now: u64) -> Answer<'_, u64>;

    /// Resolves when the store can no longer be trusted, with the reason.
    fn failure(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;

    /// Where new messages are announced.
    fn arrivals(&self) -> &Arrivals;
}

/// Wakes those who wait for a message.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<HashMap<Mailbox, watch::Sender<()>>>);

/// Somebody who waits at a mailbox; leaves when dropped.
#[derive(Debug)]
pub struct Waiter<'a> {
    arrivals: &'a Arrivals,
    mailbox: Mailbox,
    told: watch::Receiver<()>,
}

impl Arrivals {
    /// Begins to wait: what arrives from now on is not missed.
    pub fn wait_at(&self, mailbox: Mailbox) -> Waiter<'_> {
        let told = self.waiters().entry(mailbox).or_default().subscribe();
        Waiter { arrivals: self, mailbox, told }
    }

    /// Says that a message is there to be listed.
    pub fn tell(&self, mailbox: &Mailbox) {
        if let Some(waiters) = self.waiters().get(mailbox) {
            waiters.send_replace(());
        }
    }

    fn waiters(&self) -> MutexGuard<'_, HashMap<Mailbox, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    /// Returns after the next arrival since the last call, or since the waiting began.
    pub async fn arrived(&mut self) {
        // Fails only when the sender is gone, and it stays as long as this waiter does.
        let _ = self.told.changed().await;
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiters = self.arrivals.waiters();
        // The receiver of this waiter is still counted.
        if waiters.get(&self.mailbox).is_some_and(|sender| sender.receiver_count() == 1) {
            waiters.remove(&self.mailbox);
        }
    }
}
