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

pub use card::Card;
pub use card::check_own_name;
pub(crate) use card::check_relay;
pub use error::Error;
pub use fingerprint::Fingerprint;
pub use keyfile::Key;
pub use keyfile::Keyfile;
pub use keyfile::Locked;
pub use keyfile::protect;
pub use keyfile::render;
pub use keys::Identity;
pub(crate) use keys::MAX_MACHINES;

#[cfg(test)]
mod tests;
