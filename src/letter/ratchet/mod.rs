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
pub use receiving::WINDOW;
pub use session::{Offer, Start};
pub use sessions::{Machine, Next, Sessions};
pub use stanza::{KIND, LetterKey};
pub use state::{Fault, Opened, Outcome, Pending, Ratchet, Sealed};
