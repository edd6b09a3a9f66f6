//! Whole accounts in one process: people, relays that lie or are away, and a clock that jumps.

mod clock;
mod crash;
mod cuts;
mod devices;
mod introductions;
mod kept;
mod keys;
mod letters;
mod lies;
mod mailbox;
mod numbers;
mod pairing;
mod relays;
mod revocation;
mod successors;
mod world;
