#![doc = include_str!("FORMAT.md")]

mod acked;
mod admit;
mod body;
mod clock;
mod index;
mod keeper;
mod locate;
mod log;
mod mover;
mod open;
pub(crate) mod options;
mod read;
mod record;
mod recover;
mod segment;
mod shared;
mod slab;
mod store;
mod sweep;
mod upload;
mod writer;

#[cfg(test)]
mod tests;

pub use self::open::Embedded;
