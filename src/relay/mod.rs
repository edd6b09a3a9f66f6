#![doc = include_str!("PROTOCOL.md")]
//!
//! ## In this library
//!
//! [`protocol`] is what both sides share, [`frame`] how messages travel in batches, [`signature`]
//! the owner's proof. [`server`] is a relay
//! over a [`store`]. [`client`] talks to one, [`spool`] makes safe what it brings, and [`pull`]
//! puts the two together.

pub mod client;
pub mod error;
pub mod field;
pub mod frame;
pub mod pin;
pub mod protocol;
pub mod pull;
pub mod server;
pub mod signature;
pub mod spool;
pub mod store;
pub mod work;
