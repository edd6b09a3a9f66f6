//! Messages on their way from mailboxes to the caller: list, spool, deliver, mark, acknowledge. Small
//! messages go through each of these together, a long one alone and, when the connection breaks, on
//! from where it was.
//!
//! One order serves every way of delivering, be it a file, a command or a pipe:
//!
//! 1. **Spool.** The bytes are fetched, their hash is checked, they are synced here.
//! 2. **Deliver.** The caller's function gets them, and says that it is through with them.
//! 3. **Mark.** The message is marked as delivered in the spool, by one rename.
//! 4. **Acknowledge.** The marks are synced, and the relay deletes what they name.
//!
//! A reader behind a pipe may say nothing of what it did. What is given to it is marked as given
//! and acknowledged, and its bytes stay in the spool until the reader leaves word that they are safe
//! ([`Word::Opened`](crate::relay::client::spool::Word)), or for a week: `pull_again` gives them out once
//! more. A reader that takes one message, or refuses some, leaves word of that too, and the next
//! pull gives out again what was not taken. Those that were refused come after all others, new ones
//! included: however many there are, and however small the limit, they keep no other from coming.
//!
//! What a crash does, by where it comes:
//!
//! | after | next time |
//! |---|---|
//! | 1 | delivered from the spool, not fetched again |
//! | 2 | delivered **again**: the one place, see below |
//! | 3 | the relay lists it again; it is only acknowledged (after a power cut, as after 2) |
//! | 4 | nothing |
//!
//! So nothing is deleted at the relay that was not delivered, and delivery happens at least
//! once. It happens once to the user when the receiving end tells a message that came before:
//! between its success and the mark no order can help, for two systems cannot commit in one
//! step. A file named after the id and created exclusively does it; so does the memory of
//! letters that opening them keeps.

mod listen;
mod round;
mod run;
mod types;

pub(crate) use self::listen::Away;
pub(crate) use self::run::{follow, pull, pull_again};
pub(crate) use self::types::Stopped;
pub use self::types::{Delivered, Options, Owned, Report};

#[cfg(test)]
mod tests;
