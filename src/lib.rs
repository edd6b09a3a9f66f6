//! Seal a stream for someone, carry it over a relay that nobody trusts, open it, and find it
//! again in an index that only you can read. The program `bulla` is a thin skin over this.
//!
//! # Seal and open a stream
//!
//! Any bytes, of any length, in constant memory and on all cores; the result is an age v1 file.
//!
//! ```
//! use bulla::age::{HybridIdentity, Opener, Sealer};
//!
//! let identity = HybridIdentity::generate()?;
//! let mut sealed = Vec::new();
//! Sealer::new(&[&identity.recipient()])?.seal(&b"hello"[..], &mut sealed)?;
//!
//! let mut opened = Vec::new();
//! Opener::new(sealed.as_slice(), &[&identity])?.open(&mut opened)?;
//! assert_eq!(opened, b"hello");
//! # Ok::<(), bulla::age::Error>(())
//! ```
//!
//! # Write a letter and know who wrote it
//!
//! A letter is sealed to a card, proves its sender inside the seal, and hides its length.
//!
//! ```
//! use bulla::age::Opener;
//! use bulla::identity::Identity;
//! use bulla::letter::{self, Content, Heading, Sender};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alice, bob) = (Identity::generate()?, Identity::generate()?);
//! let card = alice.card("Alice", None, 0, 1_767_225_600)?;
//! let to = bob.card("Bob", Some("https://relay.example"), 0, 1_767_225_600)?;
//!
//! let heading = Heading { subject: Some("greetings".into()), ..Heading::default() };
//! let sender = Sender { identity: &alice, card: &card, pairwise: None };
//! let mut sealed = Vec::new();
//! letter::seal(&heading, &to, Some(sender), &b"hello"[..], &mut sealed)?;
//!
//! let opener = Opener::new(sealed.as_slice(), &[&bob])?;
//! let (content, body) =
//!     letter::open(opener, &[bob.fingerprint()], |_| Ok::<_, letter::Error>(Vec::new()))?;
//! let Content::Letter(letter) = content else { panic!("not a letter") };
//! assert_eq!(letter.from.map(|card| card.fingerprint()), Some(alice.fingerprint()));
//! assert_eq!(body, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | module | its question |
//! |---|---|
//! | [`age`] | how is a stream sealed and opened |
//! | [`identity`] | who is somebody: seed, keys, card, fingerprint |
//! | [`letter`] | what is inside a sealed letter, and the envelope outside |
//! | [`contact`] | whom do we know, and what have we received |
//! | [`relay`] | how do sealed bytes wait for their owner |
//! | [`index`] | where was that sentence |
//! | [`crypto`] | which primitives, and all domain labels |
//! | [`kem`] | how is a secret agreed on with the holder of a key |
//! | [`pake`] | how is a secret agreed on by a few words |
//! | [`state`] | how is a record kept on the disk |
//! | [`secret`] [`wire`] [`text`] [`files`] [`padding`] [`progress`] | the ground |

pub mod account;
pub mod age;
pub mod contact;
pub mod crypto;
pub mod files;
pub mod identity;
pub mod index;
pub mod kem;
pub mod letter;
pub mod padding;
pub mod pake;
pub mod progress;
pub mod relay;
pub mod secret;
pub mod state;
pub mod text;
pub mod wire;
