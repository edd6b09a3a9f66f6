//! Search: documents that match a query, their order, and what is shown of them.

pub(super) mod collect;
pub(super) mod highlight;
pub(super) mod options;
pub(super) mod prefetch;
pub(super) mod results;
pub(super) mod threads;
