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

pub use address::{Address, Outgoing};
pub use digits::Digits;
pub use error::Error;
pub use handshake::{Expected, Pairing, Step};
pub use invite::{Invite, Kind};
pub use message::{MESSAGE, Refusal};
pub use safety::SafetyNumber;
pub use side::{Own, Role};
pub use step::{End, Event, Paired, Waits};
pub use words::Words;
