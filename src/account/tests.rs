//! Whole accounts in one process: people, relays that lie or are away, and a clock that jumps.

mod clock;
mod cuts;
mod devices;
mod keys;
mod letters;
mod lies;
mod pairing;
mod relays;
mod world;
