//! Settings of a relay.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::header::HeaderValue;

use crate::relay::protocol::Registration;
use crate::relay::server::tls::Tls;
use crate::relay::store::Quotas;

/// The time in Unix seconds: the operating system's, or one that tests bring.
#[derive(Clone)]
pub(crate) struct Clock(Option<Arc<dyn Fn() -> u64 + Send + Sync>>);

impl Clock {
    /// Returns a clock that tests set.
    #[cfg(test)]
    pub(crate) fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// Returns the operating system's clock.
    pub(crate) fn system() -> Self {
        Self(None)
    }

    pub(super) fn now(&self) -> u64 {
        let system =
            || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        self.0.as_ref().map_or_else(system, |clock| clock())
    }

    /// `Date` as RFC 9110, section 5.6.7 wants it; none for the system's clock, whose `Date`
    /// hyper writes itself.
    pub(super) fn date(&self) -> Option<HeaderValue> {
        let now = self.0.as_ref()?();
        let time = jiff::Timestamp::from_second(i64::try_from(now).ok()?).ok()?;
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        HeaderValue::try_from(printer.timestamp_to_rfc9110_string(&time).ok()?).ok()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Settings of a relay.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Names clients reach the relay by, as they stand in their URLs: `relay.example`, or
    /// `host:port` where the port is not the scheme's own. A request signed for another name
    /// is refused. Empty: the address of the socket, and `localhost` if it is a loopback one.
    pub authorities: Vec<String>,
    /// Who may register a mailbox.
    pub registration: Registration,
    /// Mailboxes one address may register in an hour where registration is open.
    pub(crate) registrations_hourly: u32,
    /// Pushes a second without a capability, to all public inboxes together, that take no work.
    pub public_pushes: u32,
    /// Bounds of the store, for answers that tell them.
    pub quotas: Quotas,
    /// Greatest message in bytes.
    pub message_bytes: u64,
    /// Hours a message is kept for.
    pub ttl_hours: u64,
    /// Longest pause in the body of a request.
    pub body_pause: Duration,
    /// Time between two sweeps of what has expired.
    pub sweep_every: Duration,
    /// Most connections at once.
    pub connections: usize,
    /// TLS, unless a proxy on this machine does it, or an onion service needs none.
    pub tls: Option<Tls>,
    /// Whether connections from this machine are a proxy's, which says in `X-Forwarded-For`
    /// whom it speaks for. With an onion service before the relay anybody could say so.
    pub proxied: bool,
    /// The time.
    pub(crate) clock: Clock,
}

impl Default for Config {
    /// A relay open to all, with a gigabyte a message, 30 days, and 16,384 connections.
    fn default() -> Self {
        Self {
            authorities: Vec::new(),
            registration: Registration::Open,
            registrations_hourly: 30,
            public_pushes: 100,
            quotas: Quotas::default(),
            message_bytes: 1 << 30,
            ttl_hours: 30 * 24,
            body_pause: Duration::from_secs(30),
            sweep_every: Duration::from_secs(600),
            connections: 16_384,
            tls: None,
            proxied: false,
            clock: Clock::system(),
        }
    }
}
