//! A process that holds the index keys of locked identities for a while, and how it is asked.

mod holder;
mod protocol;

pub(crate) use self::holder::hold;
pub(crate) use self::protocol::{Held, Status, get, lock, name_of, put, socket, status};
