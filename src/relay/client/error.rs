//! Why a relay could not be used.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::crypto;
use crate::relay::protocol::pow::Task;
use crate::relay::protocol::{self, Id};

/// Why a relay could not be used, or the spool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not the address of a relay.
    #[error(
        "{url:?} is no relay address: {why} (expected https://host[:port], \
         http://host[:port] or relay+https://host[:port]#sha256-…)"
    )]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A proxy variable that cannot be followed. Going without the proxy would tell the
    /// network what the user wants hidden, so nothing is sent.
    #[error("the proxy in {variable} cannot be used: {why}")]
    Proxy {
        /// Name of the environment variable.
        variable: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file of certificate authorities that cannot be used.
    #[error("the certificate authorities in {} cannot be used: {why}", .file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The relay could not be reached or is overloaded: the same request may succeed later.
    #[error("the relay cannot be reached now: {why}")]
    Temporary {
        /// What happened.
        why: String,
        /// How long the relay asks to wait.
        retry_after: Option<Duration>,
    },
    /// The mailbox or the relay is full: a push may succeed when its owner has taken something
    /// out.
    #[error("{0}")]
    Full(String),
    /// The relay understood and said no.
    #[error("the relay refused ({code}): {message}")]
    Refused {
        /// Code of the protocol.
        code: String,
        /// The relay's words, safe to print.
        message: String,
    },
    /// The mailbox is not registered at this relay, or the key is not its owner's.
    #[error("the relay has no such mailbox")]
    NoMailbox,
    /// Nothing can be pushed there with this capability: the mailbox is not registered, or the
    /// capability was revoked, has expired or is used up. A relay does not say which.
    #[error("the relay has no such mailbox, or the capability shown does not open it")]
    Denied,
    /// Under load the relay asks for work before a push without a capability, and for more than
    /// is done.
    #[error(
        "the relay is under load, and asks for too much work ({} bits) before a push without \
         a capability", .0.bits
    )]
    Work(Task),
    /// The message is not there: taken, expired, or never there.
    #[error("the relay has no message {0}")]
    NoMessage(Id),
    /// The relay's certificate or TLS is not to be trusted.
    #[error("the connection to the relay is not safe: {0}")]
    Insecure(String),
    /// The relay refuses our signature as stale, and its clock is too far from ours to sign by it,
    /// or refused that too.
    #[error(
        "the relay's clock and this machine's are too far apart: the relay says {}, this machine {}",
        date(*.relay), date(*.ours)
    )]
    Clock {
        /// The relay's time in Unix seconds.
        relay: u64,
        /// This machine's time in Unix seconds.
        ours: u64,
    },
    /// The relay speaks other versions of the protocol.
    #[error(
        "the relay speaks versions {min} to {max} of the protocol, and this program version {}",
        protocol::VERSION
    )]
    Version {
        /// Oldest version that the relay speaks.
        min: u16,
        /// Newest version that the relay speaks.
        max: u16,
    },
    /// The answer is not one of this protocol.
    #[error("this is not a relay, or it is broken: {0}")]
    Protocol(String),
    /// The relay handed out other bytes than the id names.
    #[error("the relay's bytes of {0} do not hash to it")]
    WrongHash(Id),
    /// Reading what is to be pushed, or writing what was pulled, failed on this machine.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another process has the spool: a pull, or a command that one gave a letter to.
    #[error("the spool in {} is in use by {}", .folder.display(), .holder.as_deref().unwrap_or("another process"))]
    SpoolInUse {
        /// The spool.
        folder: PathBuf,
        /// The process, where the system tells.
        holder: Option<String>,
    },
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

/// Formats Unix seconds as RFC 3339.
fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    time.map_or_else(|| format!("{seconds} (Unix seconds)"), |time| time.to_string())
}

impl Error {
    /// Returns whether the same request, unchanged, may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary { .. } | Self::Full(_) | Self::Work(_))
    }

    /// Returns whether something failed on this machine, so that no other relay would do better.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Io(_) | Self::SpoolInUse { .. } | Self::Crypto(_))
    }
}
