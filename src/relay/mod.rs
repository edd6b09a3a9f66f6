//! Store and forward by a relay that nobody trusts.
//!
pub mod client;
pub mod error;
pub mod protocol;
pub mod pull;
pub mod server;
pub mod signature;
pub mod spool;
pub mod store;
