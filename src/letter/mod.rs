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

pub use envelope::Envelope;
pub use envelope::EnvelopeReader;
pub use envelope::EnvelopeSink;
pub use envelope::EnvelopeWriter;
pub use envelope::Routing;
pub use error::Error;
pub use header::Heading;
pub use header::Letter;
pub use header::Notice;
pub use header::Postscript;
pub use open::Content;
pub use open::open;
pub use open::open_paired;
pub use proof::Pairwise;
pub use proof::Proof;
pub use seal::Draft;
pub use seal::Sender;
pub use seal::seal;
pub use sniff::Input;
pub use sniff::sniff;

#[cfg(test)]
mod tests;
