//! Terms of a pull: the mailboxes, the bounds, and what is reported.

use std::sync::Arc;
use std::time::Duration;

use crate::crypto::SigningSecret;
use crate::relay::client::error::Error;
use crate::relay::client::transport::Transport;

/// Mailbox of the caller, and the relay it is at.
#[derive(Debug, Clone)]
pub struct Owned {
    /// Transport to its relay. With [`Options::unlink`](crate::relay::client::Options) each mailbox
    /// needs one of its own, or they share a connection.
    pub relay: Arc<dyn Transport>,
    /// Its key.
    pub key: Arc<SigningSecret>,
}

/// Answer of the caller to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is where it should be, and safe there: mark and acknowledge it.
    Yes,
    /// The same, and it must not be delivered twice: the mark is durable before anything else is
    /// delivered.
    Once,
    /// It went to a reader that may say nothing: acknowledge it, and keep it in the spool
    /// until its reader leaves word, for `pull_again`.
    GivenOut,
    /// Not this time: it stays in the spool and at the relay, and comes again.
    Later,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Bounds of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How long to wait for a first message when there is none.
    pub wait: Duration,
    /// Most messages to deliver.
    pub limit: usize,
    /// How long what was [given out](Delivered::GivenOut) stays in the spool; at most a week.
    pub keep: Duration,
    /// Deliver without marking or acknowledging: everything comes again next time.
    pub peek: bool,
    /// Greatest message that is fetched, in bytes; longer ones stay at the relay.
    pub message_bytes: u64,
    /// Longest time with one mailbox while others have not been visited.
    pub turn: Duration,
}

impl Default for Options {
    /// No waiting, all there is, kept for a day, 1 GiB, a minute.
    fn default() -> Self {
        Self {
            wait: Duration::ZERO,
            limit: usize::MAX,
            keep: DAY,
            peek: false,
            message_bytes: 1 << 30,
            turn: Duration::from_secs(60),
        }
    }
}

/// Outcome of a pull.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Messages delivered.
    pub delivered: u64,
    /// Messages put off by the caller.
    pub later: u64,
    /// Messages the relay deleted, also such as were delivered another time.
    pub acknowledged: u64,
    /// Messages whose bytes at the relay are not what their id says. They stay at the relay.
    pub refused: u64,
    /// Messages longer than [`Options::message_bytes`]. They stay at the relay.
    pub too_long: u64,
    /// Mailboxes that their relay does not have, by their index among those that were given.
    pub gone: Vec<usize>,
    /// Mailboxes whose last visit failed, by the same index, each with the reason.
    pub failed: Vec<(usize, Error)>,
}

/// Reason why a pull stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Stopped<E> {
    /// The spool, or this machine.
    #[error(transparent)]
    Relay(#[from] Error),
    /// The caller's function. The message is in the spool and comes again.
    #[error("{0}")]
    Deliver(E),
}
