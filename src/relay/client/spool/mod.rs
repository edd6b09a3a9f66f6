//! A folder on this machine that makes a message safe before the relay may forget it, and
//! remembers what was delivered after.
//!
//! | name | what |
//! |---|---|
//! | `lock` | held by the one process that uses the spool |
//! | `{number:016x}-{id}.waiting` | the sealed bytes of a message that is to be delivered |
//! | `{number:016x}-{id}.{turn:016x}.{until:016x}.given` | the same, given to a reader that has left no word since; kept until then (without a time, for a week) |
//! | `{number:016x}-{id}.deferred` | the same, refused by its reader: given out again after the others |
//! | `{number:016x}-{id}.done` | empty: the message was delivered |
//! | `{id}.opened` `{id}.untaken` `{id}.refused` | empty: what a reader left word of, see [`Word`] |
//! | `{id}.partial` | what came so far of a long message; there is at most one |
//! | `.bulla-….part` | a message on its way; removed at the next start |
//!
//! A message goes from one state to the next by one rename, so a crash leaves it in one of them.
//! Turns count in the order in which messages were given out, numbers in that of their arrival.
//! Names are made of numbers and of ids that were read as such: nothing a relay says becomes a
//! path. Renames are durable after `Spool::settle`, which serves many at once.
//!
//! The names tell a thief what the relay knew: ids and sizes of sealed bytes, and the order of
//! arrival. Not the mailbox, not the relay.

mod folder;
mod state;
mod word;

pub(crate) use self::folder::KEPT;
pub use self::folder::Spool;
pub use self::word::Word;
