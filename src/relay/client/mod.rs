//! Client side of a relay: push, list, fetch and acknowledge, and what makes it safe on this
//! machine.
//!
//! | module | its question |
//! |---|---|
//! | [`Transport`] | what can be asked of one relay |
//! | [`Client`] | how is that asked over HTTP |
//! | [`spool`] | how is a message made safe here before the relay may forget it |
//! | [`pull`] | in which order are messages fetched, delivered and acknowledged |

mod backoff;
mod error;
pub(crate) mod http;
pub mod pull;
pub mod spool;
mod transport;

pub use self::error::Error;
pub use self::http::{Client, HttpRelays, Options};
pub use self::transport::{
    Event, Events, Inbox, Pushed, Relays, SealedBody, Transport, bearer_text,
};
