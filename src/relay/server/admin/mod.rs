//! The operator's side of a relay.

pub mod backup;
pub(super) mod metrics;
pub mod operator;
pub(super) mod socket;
