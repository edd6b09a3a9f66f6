//! Who somebody is: one secret seed, the keys derived from it, the card handed out, and the
//! fingerprint that names it all.
//!
//! ```
//! use bulla::identity::{Card, Identity};
//!
//! let identity = Identity::generate()?;
//! let card = identity.card("ops", Some("https://relay.example"), 0, 1_767_225_600)?;
//! let received = Card::parse_text(&card.to_text())?;
//! assert_eq!(received.fingerprint(), identity.fingerprint());
//! # Ok::<(), bulla::identity::Error>(())
//! ```

mod card;
mod error;
mod fingerprint;
mod keyfile;
mod keys;

pub(crate) use card::check_relay;
pub use card::{Card, check_own_name};
pub use error::Error;
pub use fingerprint::Fingerprint;
pub use keyfile::{Key, Keyfile, Locked, protect, render};
pub use keys::Identity;
pub(crate) use keys::MAX_MACHINES;

#[cfg(test)]
mod tests;
