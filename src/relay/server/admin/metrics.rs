//! What the operator may count: totals, and nothing that names a mailbox, a message or an
//! address.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::relay::server::http::answer::CODES;
use crate::relay::store::Totals;

/// Counters since the start, and gauges of now.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Messages that were stored.
    pub(crate) pushed: AtomicU64,
    /// Pushes of what was there already.
    pub(crate) repeated: AtomicU64,
    /// Messages that were handed out.
    pub(crate) taken: AtomicU64,
    /// Messages that their owners deleted.
    pub(crate) acknowledged: AtomicU64,
    /// Messages that expired.
    pub(crate) expired: AtomicU64,
    /// Requests that were refused, in the order of [`CODES`].
    refused: Vec<AtomicU64>,
    /// Lists and streams that wait.
    pub(crate) waiting: AtomicU64,
    /// Connections.
    pub(crate) connections: AtomicU64,
}

/// Counts one up for as long as it lives.
pub(crate) struct Held<'a>(&'a AtomicU64);

impl<'a> Held<'a> {
    pub(crate) fn new(gauge: &'a AtomicU64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl Default for Metrics {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            pushed: zero(),
            repeated: zero(),
            taken: zero(),
            acknowledged: zero(),
            expired: zero(),
            refused: CODES.iter().map(|_| zero()).collect(),
            waiting: zero(),
            connections: zero(),
        }
    }
}

impl Metrics {
    /// Counts a refusal.
    pub(crate) fn refuse(&self, code: &str) {
        let place = CODES.iter().position(|one| *one == code);
        if let Some(counter) = place.and_then(|place| self.refused.get(place)) {
            count(counter, 1);
        }
    }

    /// The text format of Prometheus, version 0.0.4.
    pub(crate) fn text(&self, totals: &Totals) -> String {
        let mut text = String::with_capacity(4096);
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut one = |kind: &str, name: &str, help: &str, value: u64| {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "# HELP bulla_{name} {help}\n# TYPE bulla_{name} {kind}\nbulla_{name} {value}"
            );
        };
        one("gauge", "mailboxes", "Registered mailboxes.", totals.mailboxes);
        one("gauge", "waiting_messages", "Messages that wait.", totals.waiting.messages);
        one("gauge", "waiting_bytes", "Bytes of the messages that wait.", totals.waiting.bytes);
        one("gauge", "connections", "Open connections.", of(&self.connections));
        one("gauge", "waiting_requests", "Lists and streams that wait.", of(&self.waiting));
        one("counter", "pushed_total", "Messages that were stored.", of(&self.pushed));
        one("counter", "repeated_total", "Pushes of what was there.", of(&self.repeated));
        one("counter", "taken_total", "Messages that were handed out.", of(&self.taken));
        let help = "Messages that their owners deleted.";
        one("counter", "acknowledged_total", help, of(&self.acknowledged));
        one("counter", "expired_total", "Messages nobody took in time.", of(&self.expired));
        let name = "bulla_refused_total";
        let _ = writeln!(text, "# HELP {name} Refused requests.\n# TYPE {name} counter");
        for (code, counter) in CODES.iter().zip(&self.refused) {
            let _ = writeln!(text, "{name}{{code=\"{code}\"}} {}", of(counter));
        }
        text
    }
}
