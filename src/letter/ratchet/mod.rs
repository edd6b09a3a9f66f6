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

pub use deferred::{Due, Owed};
pub use error::Error;
pub use receiving::{KEEP, WINDOW};
pub use session::{Offer, Start};
pub use sessions::{Machine, Next, Sessions};
pub use stanza::{KIND, LetterKey};
pub use state::{Adopted, Fault, MAX_SKIPPED, Opened, Outcome, Pending, Ratchet, Sealed};
