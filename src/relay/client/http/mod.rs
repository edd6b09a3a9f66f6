//! Requests to a relay over HTTP: blocking, one connection at a time, bounded in every answer.
//!
//! Every request may be repeated without harm, so what fails for a passing reason is tried
//! again, with exponential backoff and jitter, or when the relay says.

mod address;
mod answer;
mod client;
mod events;
mod pace;
mod push;
mod relays;
mod requests;
mod take;
pub(crate) mod tls;

#[cfg(test)]
mod tests;

pub use self::client::{Client, Options};
pub use self::relays::HttpRelays;
