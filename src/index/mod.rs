//! The encrypted index.
