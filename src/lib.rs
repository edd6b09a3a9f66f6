//! Seal a stream for someone, carry it over a relay that nobody trusts, open it, and find it
//! again in an index that only you can read.

pub mod age;
pub mod contact;
pub mod crypto;
pub mod files;
pub mod identity;
pub mod index;
pub mod letter;
pub mod padding;
pub mod progress;
pub mod relay;
pub mod secret;
pub mod text;
pub mod wire;
