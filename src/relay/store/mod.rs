//! Where a relay keeps what it carries: the trait every backend fulfils.
//!
//! The methods are asynchronous and boxed. Asynchronous, because a push waits for a group
//! commit and must hold no thread meanwhile, and because clients of database servers are;
//! boxed, so that the server holds an `Arc<dyn Store>` and does not know which backend it has.
//!
//! A store has no clock: whoever calls it says what time it is.

pub mod embedded;
#[cfg(feature = "distributed")]
pub mod postgres;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use crate::relay::protocol::{Capability, CapabilityId, Entry, Id, Mailbox, Terms, TokenId};

/// Bodies up to this many bytes go in batches and lie with the records that name them; longer ones
/// go alone.
pub(crate) const INLINE: u64 = 256 << 10;

/// What a method of a store returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Why a store refused, or could not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No mailbox of that name is registered, or the capability does not open it: unknown,
    /// revoked, expired, used up. One answer for all of these.
    #[error("no such mailbox, or not for this capability")]
    NoMailbox,
    /// Registering takes a token that is known, not expired and not used up.
    #[error("the token is not known, expired or used up")]
    Token,
    /// The capability may push again in the next hour only.
    #[error("the capability has pushed its number of messages for this hour")]
    Rate,
    /// As much as the capability may have waiting is waiting.
    #[error("the share of the capability is full")]
    ShareFull,
    /// The mailbox holds as much as it may.
    #[error("the mailbox is full")]
    MailboxFull,
    /// The relay holds as much as it may.
    #[error("the relay is full")]
    RelayFull,
    /// A part of an upload does not begin where the part before it ended.
    #[error("the upload goes on at byte {expected}")]
    Offset {
        /// Bytes that are there.
        expected: u64,
    },
    /// The body of a push ended early, was too slow, or was not the one announced.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Another process has the store open.
    #[error("the store in {} is in use by another relay", .0.display())]
    InUse(PathBuf),
    /// The store could not be opened or read.
    #[error("the store in {place} cannot be opened: {why}")]
    Open {
        /// Where it is, without a password.
        place: String,
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
/// It says `None` only after everything was right: the length, and for a whole message the
/// hash. So a store keeps a message exactly when it saw `None`.
pub trait Chunks: Send {
    /// The next piece, not empty, or `None` at the end.
    fn next(&mut self) -> Answer<'_, Option<Bytes>>;
}

/// A push: what is to be stored, and by what right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// Where it goes.
    pub mailbox: Mailbox,
    /// The capability that was shown.
    pub capability: CapabilityId,
    /// The message: its id, whole size, and when it is deleted.
    pub message: Entry,
    /// The time, in Unix seconds.
    pub now: u64,
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is durable.
    New,
    /// It was there before, or was acknowledged lately.
    Already,
}

/// How far an upload in parts has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// So many bytes of it are there.
    Part(u64),
    /// All of it is, as a message.
    Whole(Put),
}

/// A stored body.
pub struct Stored {
    /// Length of the whole body in bytes.
    pub size: u64,
    /// The bytes from where they were asked for.
    pub body: Box<dyn Chunks>,
}

/// Messages and bytes of a mailbox, of a capability, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Messages.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// What the operator may see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Registered mailboxes.
    pub mailboxes: u64,
    /// Messages that wait, and their bytes.
    pub waiting: Usage,
}

/// A right to register mailboxes, given out by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of its text.
    pub id: TokenId,
    /// How many mailboxes it registers in all.
    pub mailboxes: u64,
    /// Most bytes that wait in them together.
    pub bytes: Option<u64>,
    /// When it registers no more; what it registered stays. Unix seconds.
    pub expires: Option<u64>,
    /// How many it has registered. A mailbox that is closed gives its place back.
    pub used: u64,
}

/// Bounds a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Most messages in a mailbox.
    pub mailbox_messages: u64,
    /// Most bytes in a mailbox.
    pub mailbox_bytes: u64,
    /// Most capabilities of a mailbox.
    pub mailbox_capabilities: u64,
    /// Most bytes in all mailboxes together.
    pub store_bytes: u64,
    /// Most mailboxes.
    pub mailboxes: u64,
}

impl Default for Quotas {
    /// 10,000 messages, 4 GiB and 100 capabilities a mailbox; 64 GiB and 100,000 mailboxes in
    /// all.
    fn default() -> Self {
        Self {
            mailbox_messages: 10_000,
            mailbox_bytes: 4 << 30,
            mailbox_capabilities: 100,
            store_bytes: 64 << 30,
            mailboxes: 100_000,
        }
    }
}

/// A durable store of messages. What a method has answered survives a power cut.
///
/// Where a method takes a mailbox and none of that name is registered, it answers
/// [`Error::NoMailbox`], unless it says otherwise. Whether the owner asks is for the caller to
/// know; whether a capability is good is for the store.
pub trait Store: Send + Sync {
    /// Makes a mailbox, on account of a token if one is named; `false` when it is there already.
    fn register(&self, mailbox: Mailbox, token: Option<TokenId>, now: u64) -> Answer<'_, bool>;

    /// Deletes a mailbox with all it holds; `false` when there is none.
    fn close(&self, mailbox: Mailbox) -> Answer<'_, bool>;

    /// Adds a capability to a mailbox, or changes its terms; what it pushed stays counted.
    /// [`Error::MailboxFull`] when there are too many.
    fn allow(&self, mailbox: Mailbox, id: CapabilityId, terms: Terms) -> Answer<'_, ()>;

    /// Takes a capability away; `false` when there is none. What it pushed stays.
    fn revoke(&self, mailbox: Mailbox, id: CapabilityId) -> Answer<'_, bool>;

    /// The capabilities of a mailbox.
    fn capabilities(&self, mailbox: Mailbox) -> Answer<'_, Vec<Capability>>;

    /// Stores a message whole. Refuses before it asks `body` for anything where it can.
    fn put<'a>(&'a self, push: Push, body: &'a mut dyn Chunks) -> Answer<'a, Put>;

    /// Stores messages whose bodies are at hand and match their ids, each for itself; the
    /// outcomes are in their order. All durable with few syncs.
    fn put_all(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        messages: Vec<(Entry, Bytes)>,
        now: u64,
    ) -> Answer<'_, Vec<Result<Put, Error>>>;

    /// Stores a part of a message, of which `offset` bytes are there. Keeps what came even when
    /// `body` breaks off, so that an upload goes on there. The part that completes the message
    /// makes it one, if its SHA-256 is the id; otherwise all parts are deleted
    /// ([`BodyError::WrongHash`]). Room for the whole is reserved from the first part on; parts
    /// that were not completed within a day are swept.
    fn append<'a>(
        &'a self,
        push: Push,
        offset: u64,
        body: &'a mut dyn Chunks,
    ) -> Answer<'a, Upload>;

    /// How far the upload of a message has come; `None` when nothing of it is there.
    fn uploaded(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        id: Id,
        now: u64,
    ) -> Answer<'_, Option<Upload>>;

    /// At most `limit` messages, oldest first, none that has expired.
    fn list(&self, mailbox: Mailbox, limit: usize, now: u64) -> Answer<'_, Vec<Entry>>;

    /// The body of a message from byte `from` on, unless it has expired. `from` is at most its
    /// size, or the answer is `None`.
    fn get(&self, mailbox: Mailbox, id: Id, from: u64, now: u64) -> Answer<'_, Option<Stored>>;

    /// The bodies of those of these messages that are there, not expired and at most
    /// `INLINE` bytes long, in the order asked; ends before `limit` bytes would be exceeded.
    fn take(
        &self,
        mailbox: Mailbox,
        ids: Vec<Id>,
        limit: usize,
        now: u64,
    ) -> Answer<'_, Vec<(Id, Bytes)>>;

    /// Deletes messages and remembers their ids until `remember`; says how many were there.
    fn ack(&self, mailbox: Mailbox, ids: Vec<Id>, remember: u64) -> Answer<'_, u64>;

    /// What a mailbox holds, or `None` when there is none.
    fn usage(&self, mailbox: Mailbox) -> Answer<'_, Option<Usage>>;

    /// What all mailboxes hold together.
    fn totals(&self) -> Answer<'_, Totals>;

    /// Makes a token good for registering.
    fn add_token(&self, token: Token) -> Answer<'_, ()>;

    /// Takes a token away; `false` when there is none. Its mailboxes stay.
    fn remove_token(&self, id: TokenId) -> Answer<'_, bool>;

    /// The tokens.
    fn tokens(&self) -> Answer<'_, Vec<Token>>;

    /// At most `limit` registered mailboxes behind `after`, in the order of their names: for
    /// backups, which take all but messages. A store that is backed up by its own means says
    /// [`Error::Unavailable`].
    fn mailboxes(&self, after: Option<Mailbox>, limit: usize) -> Answer<'_, Vec<Mailbox>> {
        let _ = (after, limit);
        let why = "it is backed up by its own means".into();
        Box::pin(std::future::ready(Err(Error::Unavailable(why))))
    }

    /// Deletes what has expired by `now`; says how many messages.
    fn sweep(&self, now: u64) -> Answer<'_, u64>;

    /// Resolves when the store can no longer be trusted, with the reason.
    fn failure(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;

    /// Where new messages are announced.
    fn arrivals(&self) -> &Arrivals;
}

/// Most who wait at one mailbox: each costs a list with every message that arrives.
pub(crate) const MAX_WAITING: usize = 16;

/// Wakes those who wait for a message.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    places: HashMap<Mailbox, Place>,
    /// Of all mailboxes together: a ticket is given out once.
    next: u64,
}

/// Where people wait.
#[derive(Debug, Default)]
struct Place {
    told: watch::Sender<()>,
    /// Who waits, in the order in which they came.
    tickets: Vec<u64>,
}

/// Somebody who waits at a mailbox; leaves when dropped.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    arrivals: &'a Arrivals,
    mailbox: Mailbox,
    ticket: u64,
    told: watch::Receiver<()>,
}

/// Others came to wait, more than there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Displaced;

impl Arrivals {
    /// Begins to wait: what arrives from now on is not missed. Where `MAX_WAITING` wait already,
    /// the first of them gives way: it may be a connection whose other end is long gone.
    pub(crate) fn wait_at(&self, mailbox: Mailbox) -> Waiter<'_> {
        let mut waiting = self.waiting();
        let ticket = waiting.next;
        waiting.next += 1;
        let place = waiting.places.entry(mailbox).or_default();
        if place.tickets.len() == MAX_WAITING {
            place.tickets.remove(0);
            place.told.send_replace(());
        }
        let told = place.told.subscribe();
        place.tickets.push(ticket);
        drop(waiting);
        Waiter { arrivals: self, mailbox, ticket, told }
    }

    /// Says that a message is there to be listed.
    pub(crate) fn tell(&self, mailbox: &Mailbox) {
        if let Some(place) = self.waiting().places.get(mailbox) {
            place.told.send_replace(());
        }
    }

    /// The mailboxes somebody waits at.
    #[cfg(any(test, feature = "distributed"))]
    pub(crate) fn mailboxes(&self) -> Vec<Mailbox> {
        self.waiting().places.keys().copied().collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    /// Returns after the next arrival since the last call, or since the waiting began.
    ///
    /// # Errors
    ///
    /// [`Displaced`], and from then on always.
    pub(crate) async fn arrived(&mut self) -> Result<(), Displaced> {
        // Fails when the place is gone, which it is not before everybody has left it or was
        // displaced.
        let _ = self.told.changed().await;
        let waiting = self.arrivals.waiting();
        let place = waiting.places.get(&self.mailbox);
        place.filter(|place| place.tickets.contains(&self.ticket)).map(drop).ok_or(Displaced)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let places = &mut self.arrivals.waiting().places;
        let Some(place) = places.get_mut(&self.mailbox) else { return };
        place.tickets.retain(|ticket| *ticket != self.ticket);
        if place.tickets.is_empty() {
            places.remove(&self.mailbox);
        }
    }
}

#[cfg(test)]
mod tests;
