//! Terms on which clients and relays agree: version 1 of the protocol.
//!
//! `PROTOCOL.md` beside this file is the page for readers, `openapi.json` the same for machines.

pub mod field;
pub mod frame;
pub mod pin;
pub mod pow;
pub mod signature;
mod types;

#[cfg(feature = "serve")]
pub(crate) use self::types::MAX_REQUEST_JSON;
pub(crate) use self::types::{
    Acked, MAX_ACK, MAX_ANSWER_JSON, MAX_SKEW, MAX_WAIT, MESSAGES, PARTIAL, VERSION,
};
pub use self::types::{
    Capabilities, Capability, CapabilityId, Entry, Failure, Id, Ids, Info, Limits, Listing,
    MAX_BATCH, MAX_BATCH_BYTES, MAX_FRAME, MAX_LIST, Mailbox, NAME, PushResult, Pushes,
    Registration, Status, TAG, Terms, TokenId, Versions, WINDOW,
};
