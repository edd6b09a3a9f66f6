//! Store and forward by a relay that nobody trusts.
//!
pub mod protocol;
pub mod server;
pub mod signature;
pub mod store;
