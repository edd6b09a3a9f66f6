#![doc = include_str!("../RATCHET.md")]

mod chain;
mod deferred;
mod error;
mod receiving;
mod sending;
mod session;
mod sessions;
mod stanza;
mod state;

pub(crate) use deferred::{Due, Owed};
pub use error::Error;
pub(crate) use session::{Offer, Start};
pub(crate) use sessions::{Machine, Next, Sessions};
pub use stanza::KIND;
pub(crate) use stanza::LetterKey;
pub(crate) use state::{Opened, Outcome, Pending, Ratchet};
