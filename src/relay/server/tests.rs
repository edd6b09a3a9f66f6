//! The relay over a real loopback socket: every request, every refusal, byte by byte.

mod events;
mod golden;
mod harness;
mod operator;
mod owner;
mod page;
mod push;
mod uniform;
mod upload;
