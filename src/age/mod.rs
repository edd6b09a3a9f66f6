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
//! A file is a [header](Sealer::header) of stanzas, one or more for each recipient, with a MAC
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

pub use armor::ArmorReader;
pub use armor::ArmorWriter;
pub use armor::Dearmored;
pub use error::Error;
pub use error::KeyError;
pub use hybrid::HybridIdentity;
pub use hybrid::HybridRecipient;
pub use inspect::Inspection;
pub use inspect::inspect;
pub use key::FileKey;
pub use open::Opener;
pub use parse::parse_identity;
pub use parse::parse_recipient;
pub use passphrase::ScryptIdentity;
pub use passphrase::ScryptRecipient;
pub use recipient::Class;
pub use recipient::Identity;
pub use recipient::Recipient;
pub use seal::Sealer;
pub use stanza::Stanza;
pub use x25519::X25519Identity;
pub use x25519::X25519Recipient;
