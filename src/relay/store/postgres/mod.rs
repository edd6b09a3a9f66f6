//! Store over PostgreSQL, which keeps everything, so that any number of relays serve the
//! same mailboxes and keep nothing themselves.
//!
//! Durable means: committed with `synchronous_commit = on`. With `synchronous_standby_names` set
//! that is flushed on the primary and on a standby; without, on the one node. A commit that comes
//! with a warning is not one.
//!
//! Nothing that fails here is a lost write: the sender is told to come again
//! ([`Error::Unavailable`](crate::relay::store::Error)), and the repetition finds the message or stores it. So the store never
//! says that it [`failed`](crate::relay::store::Error::Failed).
//!
//! | file | what |
//! |---|---|
//! | `open` | the clusters and the tasks of an open store |
//! | `address`, `tls`, `connection` | how a cluster is reached |
//! | `cluster` | schema, transactions |
//! | `ledger`, `load` | who may push how much |
//! | `store` | the methods of a store, each at the right cluster |
//! | `gate`, `coming`, `writer`, `remove` | pushing and acknowledging, in groups |
//! | `boxes`, `read` | mailboxes, capabilities, tokens; listing and fetching |
//! | `upload`, `parts`, `blobs` | long bodies |
//! | `sweep`, `wait` | expiry; waking those who wait |
//! | `slots`, `shift` | many clusters |

mod address;
mod blobs;
mod boxes;
mod cluster;
mod coming;
mod connection;
mod gate;
mod ledger;
mod load;
mod open;
mod options;
mod parts;
mod read;
mod remove;
mod shared;
mod shift;
mod slots;
mod store;
mod sweep;
mod tls;
mod upload;
mod wait;
mod writer;

pub use self::open::Distributed;
pub use self::options::Options;
pub(crate) use self::shift::shift;
pub use self::shift::shift_blocking;
