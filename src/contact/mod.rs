//! The contact book: whom one knows, how one came to trust them, and what was sent and
//! received, so that a lost, repeated or reordered letter is noticed.
//!
//! Everything is in one sealed file under the owner's storage key (`BookFile`); a [`Book`]
//! is what it holds.

pub mod backup;
mod book;
mod error;
mod introduction;
mod memory;
mod name;
pub mod pairing;
mod pairs;
mod succession;
mod takeover;
#[cfg(test)]
mod tests;
mod trust;

pub(crate) use book::BookFile;
pub use book::merge::Merged;
pub use book::{Added, Book, Contact, Lookalikes, Settings};
pub use error::Error;
pub use introduction::{Introduced, Introductions};
pub(crate) use introduction::{Introduction, WAITS};
pub(crate) use memory::Place;
pub use memory::Receipt;
pub(crate) use name::check_name;
pub(crate) use pairs::Purpose;
pub use pairs::abandoned::Unfinished;
pub use pairs::machine::Machine;
pub(crate) use pairs::machine::News;
pub(crate) use pairs::mailbox::Closing;
pub use pairs::mailbox::Own;
pub use pairs::{Pairs, Underway};
pub(crate) use succession::{Succession, Successors, Untold, Untolds};
pub(crate) use takeover::Takeover;
pub use trust::{Introducer, Trust};
