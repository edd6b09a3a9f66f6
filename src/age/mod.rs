//! The sealed file: an age v1 file (C2SP `age.md`), written and read as a stream.
//!
//! ```
//! use bulla::age::Opener;
//! use bulla::age::Sealer;
//! use bulla::age::X25519Identity;
//!
//! let identity = X25519Identity::generate()?;
//! let mut sealed = Vec::new();
//! Sealer::new(&[identity.recipient()])?.seal(&b"hello"[..], &mut sealed)?;
//!
//! let mut opened = Vec::new();
//! Opener::new(sealed.as_slice(), &[&identity])?.open(&mut opened)?;
//! assert_eq!(opened, b"hello");
//! # Ok::<(), bulla::age::Error>(())
//! ```
//!
//! A file is a header of stanzas, one or more for each recipient, with a MAC
//! over all of them, and a payload of chunks of 64 KiB. Each stanza wraps the same [`FileKey`]:
//!
//! | stanza | to | from | quantum computer |
//! |---|---|---|---|
//! | `X25519` | [`X25519Recipient`], `age1…` | [`X25519Identity`] | opens it |
//! | `mlkem768x25519` | [`HybridRecipient`], `age1pq1…` | [`HybridIdentity`] | does not |
//! | `scrypt` | [`ScryptRecipient`], a passphrase | [`ScryptIdentity`] | does not |
//!
//! Stanzas of other types are skipped when a file is opened. Other recipients are added by
//! implementing [`Recipient`] and [`Identity`].

mod armor;
mod error;
mod header;
mod hybrid;
mod inspect;
mod key;
mod open;
mod parse;
mod passphrase;
mod pump;
mod recipient;
mod seal;
mod stanza;
mod stream;
#[cfg(test)]
mod tests;
mod x25519;

pub use armor::{ArmorReader, ArmorWriter, Dearmored};
pub use error::{Error, KeyError};
pub use hybrid::{HybridIdentity, HybridRecipient};
pub use inspect::{Inspection, inspect};
pub use key::FileKey;
pub use open::Opener;
pub use parse::{parse_identity, parse_recipient};
pub use passphrase::{ScryptIdentity, ScryptRecipient};
pub use recipient::{Class, Identity, Recipient};
pub use seal::Sealer;
pub use stanza::Stanza;
pub use x25519::{X25519Identity, X25519Recipient};
