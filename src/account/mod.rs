//! One installation: everything that an identity does with its contacts over relays.
//!
//! The only room that uses [`letter`](crate::letter), [`contact`](crate::contact) and
//! [`relay`](crate::relay) together. It has no text for people, asks no questions, and reads no
//! environment: clock, relays and the receiver of events are passed in.
//!
//! | file | what it does |
//! |---|---|
//! | `account` | an identity and its state folder; cards |
//! | `context` | an account, its relays, its events |
//! | `mailboxes` | the mailboxes of the account at relays |
//! | `kept` | letters that went to a pipe, and can be opened again |
//! | `sessions` | the ratchet that opens a letter, and what the letter changes |
//! | `send` | keys, numbers and copies of letters to contacts |
//! | `revoke` `successor` | what is closed at relays; new identities of contacts |
//! | `handover` | everything for another device of the owner |
//! | `step` `pair` | pairing by every method |
//! | `introduce` | two contacts told of each other |
//! | `contacts` | cards by hand, verification, removal |
//! | `newcomer` | a device that takes an identity over |
//! | `replace` | a new identity in the place of a stolen one |
//! | `restore` | backup, and its return |
//! | `control` | control messages, to the files above |
//! | `keyring` `open` `record` `receive` | letters: pulled, opened, recorded, acknowledged |
//!
//! Arrows point up in this table: a file uses those above it.

#[allow(clippy::module_inception)]
mod account;
mod contacts;
mod context;
mod control;
mod error;
mod event;
mod handover;
mod introduce;
mod kept;
mod keyring;
mod mailboxes;
mod newcomer;
mod open;
mod pair;
mod receive;
mod record;
mod replace;
mod restore;
mod revoke;
mod send;
mod sessions;
mod step;
mod successor;

pub use self::account::{Account, Clock, SystemClock, state_folder};
pub use self::contacts::{Removed, RemovedContact, Verification};
pub use self::context::Context;
pub use self::error::Error;
pub use self::event::{Event, Events, Silent};
pub use self::keyring::{Keyring, Keys};
pub use self::mailboxes::{Asked, MailboxPurpose, OwnMailbox, Registered};
pub use self::newcomer::{Newcomer, TakenOver};
pub use self::open::{Arrival, Delivery, LetterOpener, Opened, Sighted};
pub use self::pair::{Expectation, Invitation, InviteLine, Method, is_invite, method};
pub use self::receive::{Letters, Pull, Pulled, Receive};
pub use self::record::Kept;
pub use self::replace::Told;
pub use self::revoke::Revoked;
pub use self::send::{Addressed, LetterSealer, Recipient};
pub use self::sessions::erase_deferred;
pub use self::step::{Look, Standing, id, title};
pub use self::successor::is_successor;

#[cfg(test)]
mod tests;
