//! The `bulla` program.
fn main() {}
