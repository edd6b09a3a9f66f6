//! The tables of the embedded store and their records.
//!
//! | table | key | value |
//! |---|---|---|
//! | `mailboxes` | mailbox (32) | empty |
//! | `messages` | mailbox (32) ‖ number (8) | [`Message`] |
//! | `ids` | mailbox (32) ‖ id (32) | [`State`] |
//! | `bodies` | mailbox (32) ‖ number (8) | bodies of at most [`INLINE`] bytes |
//! | `deadlines` | time (8) ‖ mailbox (32) ‖ id (32) | empty |
//!
//! Numbers and times are big-endian, so that tables are in order of arrival and of time.

use fjall::Database;
use fjall::Keyspace;
use fjall::KeyspaceCreateOptions;

use crate::relay::protocol::{Id, Mailbox};
use crate::wire;

/// Bodies up to this many bytes lie in a table, longer ones in files of their own.
pub(super) const INLINE: u64 = 256 << 10;

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq, wire::Encode, wire::Decode)]
pub(super) struct Message {
    pub(super) id: [u8; 32],
    pub(super) number: u64,
    pub(super) size: u64,
    pub(super) expires: u64,
    /// Name of the file with the body, unless it lies in the table.
    pub(super) file: Option<String>,
}

impl wire::Record for Message {
    const NAME: &'static str = "stored message";
    const VERSION: u8 = 1;
    const MAX: usize = 256;
}

/// What is known of an id.
#[derive(Debug, Clone, PartialEq, Eq, wire::Encode, wire::Decode)]
pub(super) enum State {
    /// It waits.
    Waiting(Message),
    /// It was acknowledged; remembered until then, so that a push repeated late is no new
    /// message.
    Acked(u64),
}

impl State {
    /// When it may be forgotten.
    pub(super) fn deadline(&self) -> u64 {
        match self {
            Self::Waiting(message) => message.expires,
            Self::Acked(until) => *until,
        }
    }
}

impl wire::Record for State {
    const NAME: &'static str = "state of a message";
    const VERSION: u8 = 1;
    const MAX: usize = 256;
}

/// One of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Table {
    Mailboxes,
    Messages,
    Ids,
    Bodies,
    Deadlines,
}

/// The open database.
pub(super) struct Tables {
    pub(super) database: Database,
    mailboxes: Keyspace,
    messages: Keyspace,
    ids: Keyspace,
    bodies: Keyspace,
    deadlines: Keyspace,
}

/// An engine's or a record's error, in words.
pub(super) type Why = String;

pub(super) fn why(error: impl std::fmt::Display) -> Why {
    error.to_string()
}

impl Tables {
    pub(super) fn open(folder: &std::path::Path) -> Result<Self, Why> {
        let database = Database::builder(folder)
            .cache_size(32 << 20)
            .worker_threads(2)
            // Every group is written and synced by the writer itself.
            .manual_journal_persist(true)
            .open()
            .map_err(why)?;
        let table = |name| database.keyspace(name, KeyspaceCreateOptions::default).map_err(why);
        Ok(Self {
            mailboxes: table("mailboxes")?,
            messages: table("messages")?,
            ids: table("ids")?,
            bodies: table("bodies")?,
            deadlines: table("deadlines")?,
            database,
        })
    }

    pub(super) fn get(&self, table: Table) -> &Keyspace {
        match table {
            Table::Mailboxes => &self.mailboxes,
            Table::Messages => &self.messages,
            Table::Ids => &self.ids,
            Table::Bodies => &self.bodies,
            Table::Deadlines => &self.deadlines,
        }
    }

    pub(super) fn state(&self, mailbox: &Mailbox, id: &Id) -> Result<Option<State>, Why> {
        let Some(bytes) = self.ids.get(id_key(mailbox, id)).map_err(why)? else { return Ok(None) };
        wire::decode(&bytes).map(Some).map_err(why)
    }

    /// The messages of a mailbox, oldest first.
    pub(super) fn waiting(
        &self,
        mailbox: &Mailbox,
    ) -> impl Iterator<Item = Result<Message, Why>> + use<> {
        self.messages.prefix(mailbox.0).map(|item| {
            let value = item.value().map_err(why)?;
            wire::decode(&value).map_err(why)
        })
    }
}

pub(super) fn id_key(mailbox: &Mailbox, id: &Id) -> Vec<u8> {
    [mailbox.0, id.0].concat()
}

pub(super) fn number_key(mailbox: &Mailbox, number: u64) -> Vec<u8> {
    [&mailbox.0[..], &number.to_be_bytes()].concat()
}

pub(super) fn deadline_key(time: u64, mailbox: &Mailbox, id: &Id) -> Vec<u8> {
    [&time.to_be_bytes()[..], &mailbox.0, &id.0].concat()
}

/// The parts of a [`deadline_key`].
pub(super) fn split_deadline(key: &[u8]) -> Option<(u64, Mailbox, Id)> {
    let (time, rest) = key.split_first_chunk::<8>()?;
    let (mailbox, id) = rest.split_first_chunk::<32>()?;
    Some((u64::from_be_bytes(*time), Mailbox(*mailbox), Id(<[u8; 32]>::try_from(id).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_records() {
        let message =
            Message { id: [1; 32], number: 2, size: 300, expires: 7200, file: Some("a".into()) };
        let bytes = wire::encode(&State::Waiting(message.clone())).unwrap();
        let mut expected = vec![1, 0];
        expected.extend([1; 32]);
        expected.extend([2, 251, 44, 1, 251, 32, 28, 1, 1, b'a']);
        assert_eq!(bytes, expected);
        assert_eq!(wire::decode::<State>(&bytes).unwrap(), State::Waiting(message));
        assert_eq!(wire::encode(&State::Acked(9)).unwrap(), [1, 1, 9]);
    }

    #[test]
    fn deadlines_are_in_order_of_time() {
        let (mailbox, id) = (Mailbox([255; 32]), Id([7; 32]));
        assert!(deadline_key(3600, &mailbox, &id) < deadline_key(7200, &Mailbox([0; 32]), &id));
        let key = deadline_key(3600, &mailbox, &id);
        assert_eq!(split_deadline(&key), Some((3600, mailbox, id)));
        assert_eq!(split_deadline(&key[1..]), None);
    }
}
