//! The query language. `FORMAT.md` has its grammar.
//!
//! A query is read into a tree ([`expr`]), which is printed again as text that reads as the same
//! tree, explained in words, and compiled for the engine.

pub(super) mod compile;
mod date;
pub(super) mod error;
mod explain;
pub(super) mod expr;
mod field;
mod near;
mod parse;
pub(super) mod plan;
mod prefix;
mod print;
mod size;

pub use error::QueryError;
pub use explain::Explained;
pub use expr::Query;

#[cfg(test)]
mod tests;
