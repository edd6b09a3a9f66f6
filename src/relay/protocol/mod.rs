//! Terms on which clients and relays agree: version 1 of the protocol.
//!
//! `PROTOCOL.md` beside this file is the page for readers, `openapi.json` the same for machines.

pub(crate) mod field;
pub mod frame;
pub mod pin;
pub mod pow;
pub mod signature;
mod types;

pub(crate) use self::types::{
    Acked, Capabilities, Failure, Ids, MAX_ACK, MAX_ANSWER_JSON, MAX_LIST, MAX_SKEW, MAX_WAIT,
    MESSAGES, PARTIAL, PushResult, Pushes, VERSION,
};
pub use self::types::{
    Capability, CapabilityId, Entry, Id, Info, Limits, Listing, MAX_BATCH, MAX_BATCH_BYTES,
    MAX_FRAME, Mailbox, Registration, Status, Terms, TokenId, Versions,
};
#[cfg(feature = "serve")]
pub(crate) use self::types::{MAX_REQUEST_JSON, NAME, WINDOW};
