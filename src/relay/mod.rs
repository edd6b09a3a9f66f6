#![doc = include_str!("protocol/PROTOCOL.md")]
//!
//! ## In this library
//!
//! | room | its question |
//! |---|---|
//! | [`protocol`] | on what do both sides agree |
//! | [`client`] | how are messages pushed to a relay, and pulled from it |
//! | [`server`] | how is a relay served |
//! | [`store`] | how does a relay keep messages |

pub mod client;
pub mod protocol;
#[cfg(feature = "serve")]
pub mod server;
#[cfg(feature = "serve")]
pub mod store;
