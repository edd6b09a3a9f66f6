//! Terms on which clients and relays agree: version 1 of the protocol.
//!
//! `PROTOCOL.md` beside this file is the page for readers, `openapi.json` the same for machines.

pub mod field;
pub mod frame;
pub mod pin;
pub mod pow;
pub mod signature;
mod types;

pub use self::types::{
    Acked, Capabilities, Capability, CapabilityId, DEFAULT_LIST, Entry, Failure, Id, Ids, Info,
    Limits, Listing, MAX_ACK, MAX_ANSWER_JSON, MAX_BATCH, MAX_BATCH_BYTES, MAX_FRAME, MAX_LIST,
    MAX_REQUEST_JSON, MAX_SKEW, MAX_WAIT, MESSAGES, Mailbox, NAME, PARTIAL, PushResult, Pushes,
    Registration, Status, TAG, Terms, TokenId, VERSION, Versions, WINDOW,
};
