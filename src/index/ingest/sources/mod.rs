//! Sources: which files there are, what was read of them, and what has changed since.

pub(super) mod build;
pub(super) mod catalogue;
pub(super) mod container;
pub(super) mod letters;
pub(in crate::index) mod original;
pub(super) mod plan;
pub(super) mod pool;
pub(super) mod reconcile;
pub(super) mod source;
pub(super) mod threads;
pub(super) mod walk;
