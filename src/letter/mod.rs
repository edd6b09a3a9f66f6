#![doc = include_str!("FORMAT.md")]

mod envelope;
mod error;
mod header;
mod open;
mod plaintext;
mod proof;
pub mod ratchet;
mod seal;
mod sniff;

pub use envelope::{
    Envelope, EnvelopeReader, EnvelopeSink, EnvelopeWriter, Routing, write_failure,
};
pub use error::Error;
pub use header::{Heading, Letter};
pub(crate) use header::{Notice, Postscript};
pub(crate) use open::open_paired;
pub use open::{Content, open};
pub use proof::{Pairwise, Proof};
pub use seal::{Draft, Sender, seal};
pub use sniff::{Input, sniff};

#[cfg(test)]
mod tests;
