#![doc = include_str!("../PAIRING.md")]

mod address;
mod digits;
mod done;
mod error;
mod handshake;
mod invite;
mod inviter;
mod joiner;
mod key_schedule;
mod message;
mod pake;
mod refusal;
mod safety;
mod sas;
mod side;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod words;

pub use address::Address;
pub(crate) use address::Outgoing;
pub use digits::Digits;
pub use error::Error;
pub use handshake::Pairing;
pub(crate) use handshake::{Expected, Step};
pub use invite::{Invite, Kind};
pub(crate) use message::MESSAGE;
pub use message::Refusal;
pub use safety::SafetyNumber;
pub(crate) use side::{Own, Role};
pub use step::{End, Event, Paired, Waits};
pub use words::Words;
