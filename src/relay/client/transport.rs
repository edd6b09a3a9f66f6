//! Requests to one relay, whatever carries them.

use std::fmt;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::{self, SigningSecret};
use crate::relay::client::error::Error;
use crate::relay::protocol::{Capability, CapabilityId, Entry, Id, Info, Mailbox, Status, Terms};
use crate::secret::{Secret, SecretString};
use crate::text;

/// Connection to one relay. [`Client`](crate::relay::client::Client) is the one over HTTP.
///
/// Every request may be repeated without harm. Requests of an owner are signed with `key`, the
/// key of the mailbox.
pub trait Transport: Send + Sync {
    /// Returns the relay's address in its normal form.
    fn url(&self) -> String;

    /// Asks the relay about itself.
    fn info(&self) -> Result<Info, Error>;

    /// Registers the mailbox of `key`, with the operator's token if the relay wants one.
    /// Returns `true` when it is new.
    fn register(&self, key: &SigningSecret, token: Option<&SecretString>) -> Result<bool, Error>;

    /// Returns what the mailbox of `key` holds and may hold.
    fn status(&self, key: &SigningSecret) -> Result<Status, Error>;

    /// Closes the mailbox of `key`: the relay deletes it with all it holds.
    fn close(&self, key: &SigningSecret) -> Result<(), Error>;

    /// Returns the capabilities of the mailbox of `key`.
    fn capabilities(&self, key: &SigningSecret) -> Result<Vec<Capability>, Error>;

    /// Adds a capability to the mailbox of `key`, or changes its terms.
    fn allow(&self, key: &SigningSecret, id: &CapabilityId, terms: &Terms) -> Result<(), Error>;

    /// Revokes a capability of the mailbox of `key`: nothing is pushed with it from now on.
    fn revoke(&self, key: &SigningSecret, id: &CapabilityId) -> Result<(), Error>;

    /// Lists at most `limit` messages of the mailbox of `key`, oldest first. When there is none,
    /// the relay waits up to `wait` (it caps at `MAX_WAIT`
    /// seconds) for one.
    fn list(&self, key: &SigningSecret, wait: Duration, limit: usize) -> Result<Vec<Entry>, Error>;

    /// Deletes messages at the relay, durably before this returns. Returns how many were there.
    fn ack(&self, key: &SigningSecret, ids: &[Id]) -> Result<u64, Error>;

    /// Writes the body of a message to `out`. What `out` holds is good only after `Ok`: the
    /// hash is known at the end. A body that breaks off is [`Error::Temporary`]; the caller
    /// begins again with an empty `out`.
    ///
    /// # Errors
    ///
    /// [`Error::NoMessage`], [`Error::WrongHash`], [`Error::Io`] when `out` cannot be written.
    fn fetch(
        &self,
        key: &SigningSecret,
        message: &Entry,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let mut out = Hashed { out, hash: crypto::Hash::default() };
        self.fetch_from(key, message, 0, &mut out)?;
        let id = message.id;
        if out.hash.finish() == id.0 { Ok(()) } else { Err(Error::WrongHash(id)) }
    }

    /// Writes the bytes of a message from byte `from` on to `out`, at most one more than its size.
    /// The caller checks the hash of the whole. After [`Error::Temporary`] the caller continues
    /// behind what `out` got.
    ///
    /// # Errors
    ///
    /// [`Error::NoMessage`], [`Error::Io`] when `out` cannot be written.
    fn fetch_from(
        &self,
        key: &SigningSecret,
        message: &Entry,
        from: u64,
        out: &mut dyn Write,
    ) -> Result<(), Error>;

    /// Fetches several messages in one request, each of at most
    /// [`MAX_FRAME`](crate::relay::protocol::MAX_FRAME) bytes. Each goes to `each` as soon as all
    /// of it came and its hash was right. Messages that are not there, or no longer, or do not fit
    /// in one answer are left out. Returns those whose bytes do not hash to their id.
    ///
    /// # Errors
    ///
    /// [`Error::Temporary`] when the answer breaks off: what `each` got before is good.
    fn take(
        &self,
        key: &SigningSecret,
        messages: &[Entry],
        each: &mut dyn FnMut(Id, &[u8]) -> io::Result<()>,
    ) -> Result<Vec<Id>, Error>;

    /// Listens for messages in the mailbox of `key`.
    fn events(&self, key: &SigningSecret) -> Result<Events, Error>;

    /// Pushes `length` sealed bytes, which hash to `id`, from where `body` stands. A long message
    /// goes in parts: when the connection breaks it continues where it was, and so does the next
    /// call with the same message.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Full`], [`Error::Work`], [`Error::Refused`] with
    /// `too_large`, …; [`Error::Io`] when `body` cannot be read.
    fn push(
        &self,
        to: &Inbox,
        id: &Id,
        body: &mut dyn SealedBody,
        length: u64,
    ) -> Result<Pushed, Error>;

    /// Pushes several messages in one request, each with the id its bytes hash to: at most
    /// [`MAX_BATCH`](crate::relay::protocol::MAX_BATCH) of at most
    /// [`MAX_FRAME`](crate::relay::protocol::MAX_FRAME) bytes, in all at most
    /// [`MAX_BATCH_BYTES`](crate::relay::protocol::MAX_BATCH_BYTES) with 40 more for each.
    /// Returns the outcome of each, in their order.
    ///
    /// # Errors
    ///
    /// Those of [`Transport::push`] when all were refused together.
    fn push_batch(
        &self,
        to: &Inbox,
        messages: &[(Id, &[u8])],
    ) -> Result<Vec<Result<Pushed, Error>>, Error>;
}

impl fmt::Debug for dyn Transport + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("relay", &self.url()).finish_non_exhaustive()
    }
}

/// Access to relays by their URLs. [`HttpRelays`](crate::relay::client::HttpRelays) is the one over
/// HTTP.
pub trait Relays: Send + Sync {
    /// Returns a transport to the relay at `url`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Error::Url`], [`Error::Proxy`] and [`Error::Authorities`].
    fn relay(&self, url: &str) -> Result<Arc<dyn Transport>, Error>;

    /// Returns the same relays, each request to which is tried once.
    fn once(&self) -> Box<dyn Relays + '_>;
}

/// Bytes that can be read again from an earlier position, as a retry needs them.
pub trait SealedBody: Read + Seek {}

impl<T: Read + Seek + ?Sized> SealedBody for T {}

/// Destination of a push, and the right to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbox {
    /// The mailbox.
    pub mailbox: Mailbox,
    /// The capability that is shown; `None` for a mailbox that is open to all.
    pub capability: Option<Arc<Secret<32>>>,
}

/// Outcome of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The relay has it durably.
    New,
    /// The relay had it before.
    Already,
}

/// Messages of a mailbox as a relay announces them: first those that wait, then each that arrives.
/// It ends when the relay hangs up, and after an error: [`Error::Temporary`] when the connection
/// broke, [`Error::Protocol`].
pub type Events = Box<dyn Iterator<Item = Result<Event, Error>> + Send>;

/// Announcement by a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A message waits.
    Message(Entry),
    /// Nothing new, but the connection is good.
    Alive,
}

/// Returns the text of a capability or a token, as it is shown to a relay: 64 lower-case
/// hexadecimal digits.
pub fn bearer_text(secret: &Secret<32>) -> SecretString {
    SecretString::new(text::hex_encode(secret.expose()))
}

/// Hashes what is written through it.
struct Hashed<'a> {
    out: &'a mut dyn Write,
    hash: crypto::Hash,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
