//! The relay over a real loopback socket: every request, every refusal, byte by byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in its helpers"
)]

mod events;
mod golden;
mod harness;
mod operator;
mod owner;
mod page;
mod push;
mod silence;
mod uniform;
mod upload;
