//! Seal for a contact, carry over a relay that learns nothing but a mailbox, open, and find again in
//! an index that only the owner can read. The program `bulla` parses, calls this and prints.
//!
//! # From two accounts to a letter found in the index
//!
//! An [`Account`](account::Account) is an identity and its sealed state. [`Context`](account::Context)
//! joins it with the way to relays and the receiver of events; everything that one installation does
//! is there.
//!
#![cfg_attr(all(feature = "serve", feature = "index"), doc = "```")]
#![cfg_attr(not(all(feature = "serve", feature = "index")), doc = "```ignore")]
//! use std::time::Duration;
//!
//! use bulla::account::{
//!     Account, Context, Error, Expectation, InviteLine, Letters, Look, Method, Silent,
//! };
//! use bulla::identity::Identity;
//! use bulla::index::{Document, Index, Kind, Query, SearchOptions};
//! use bulla::letter::Heading;
//! use bulla::relay::client::{HttpRelays, Options, pull};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let relay = bulla::relay::server::Background::start(&home.path().join("relay"))?;
//! # let url = relay.url();
//! # let (ann_home, bob_home) = (home.path().join("ann"), home.path().join("bob"));
//! let relays = HttpRelays::new(Options::default());
//! let ann = Account::open(Identity::generate()?, Some(&ann_home));
//! let bob = Account::open(Identity::generate()?, Some(&bob_home));
//! let ann = Context::new(&ann, &relays, &Silent).at(&url);
//! let bob = Context::new(&bob, &relays, &Silent).at(&url);
//!
//! // Ann hands Bob one line over a private channel; then each reads what the other pushed.
//! let invitation = ann.invite(Method::Secret, Some("bob"), 3600)?;
//! let InviteLine::Contact(invite) = InviteLine::parse(&invitation.line)? else { return Ok(()) };
//! bob.join(&invite, Some("ann"), || Ok::<_, Error>(Expectation::Secret))?;
//! let look = Look { wait: Duration::from_secs(5), ..Look::default() };
//! for side in [&ann, &bob, &ann] {
//!     side.advance_pairings(look)?;
//! }
//!
//! let heading = Heading { subject: Some("lunch".into()), ..Heading::default() };
//! ann.send(&["bob"], &heading, &b"The bistro closes at three."[..])?;
//!
//! // When the function returns, the letter's key is erased and the relay deletes the letter.
//! let index = Index::create(&bob_home.join("index"), &bob.account.index_key())?;
//! bob.receive(pull::Options::default(), &mut Letters::new(|letter, body| {
//!     let mut document = Document::new(Kind::Letter, letter.id());
//!     document.from = letter.contact().map_or("", |contact| contact.name()).to_owned();
//!     document.body = String::from_utf8_lossy(body).into_owned();
//!     let mut writer = index.writer().map_err(Error::delivery)?;
//!     writer.add(document).map_err(Error::delivery)?;
//!     writer.finish().map_err(Error::delivery)
//! }))?;
//!
//! let found = index.search(&Query::parse("from:ann bistro")?, &SearchOptions::default())?;
//! assert_eq!(found.total, 1);
//! # Ok(())
//! # }
//! ```
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
//! | [`account`] | what does one installation do |
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
//! | [`secret`] [`wire`] [`text`] [`files`] [`progress`] | the ground |

pub mod account;
pub mod age;
pub mod contact;
pub mod crypto;
pub mod files;
#[cfg(all(any(test, fuzzing), feature = "serve", feature = "pdf"))]
#[doc(hidden)]
#[path = "../fuzz/targets.rs"]
pub mod fuzz;
pub mod identity;
#[cfg(feature = "index")]
pub mod index;
pub mod kem;
pub mod letter;
mod padding;
pub mod pake;
pub mod progress;
pub mod relay;
pub mod secret;
#[cfg(test)]
#[path = "../tests/common/skip.rs"]
mod skip;
pub mod state;
pub mod text;
pub mod wire;
