//! The one thread that writes: it takes all that is queued, commits it as one batch with one
//! sync, and only then answers.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use fjall::PersistMode;
use tokio::sync::oneshot;

use super::Shared;
use super::body::Written;
use super::tables;
use super::tables::{Message, State, Table, Tables, Why, why};
use crate::files;
use crate::relay::protocol::{Entry, Id, Mailbox};
use crate::relay::store::{Error, Put};
use crate::wire;

/// Most commands of one group.
const GROUP: usize = 512;
/// Most body bytes of one group.
const GROUP_BYTES: usize = 8 << 20;
/// Most deadlines of one sweep.
const SWEEP: usize = 1024;

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Where the body of a push lies.
pub(super) enum Body {
    Inline(Vec<u8>),
    /// A complete, synced file, whose name is not durable yet.
    File(Written),
}

/// What the thread is asked to do.
pub(super) enum Command {
    Register(Mailbox, Reply<bool>),
    Close(Mailbox, Reply<bool>),
    Put { mailbox: Mailbox, message: Entry, now: u64, body: Body, reply: Reply<Put> },
    Ack { mailbox: Mailbox, ids: Vec<Id>, remember: u64, reply: Reply<u64> },
    Sweep { now: u64, reply: Reply<u64> },
}

/// What is gathered before a commit.
#[derive(Default)]
struct Group {
    /// The last word on every key: one batch has one sequence number, so a key may occur in it
    /// once only.
    writes: HashMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    /// What is done once the batch is durable, in order.
    effects: Vec<Effect>,
    new_files: bool,
    dead_files: Vec<String>,
    bytes: usize,
    answers: Vec<Box<dyn FnOnce() + Send>>,
}

enum Effect {
    Opened(Mailbox),
    Closed(Mailbox),
    Added(Mailbox, u64),
    Removed(Mailbox, u64),
}

pub(super) struct Writer {
    pub(super) tables: Arc<Tables>,
    pub(super) shared: Arc<Shared>,
    pub(super) folder: PathBuf,
    pub(super) next: u64,
}

impl Writer {
    /// Works until every sender is gone, or until a write fails: then the reason goes to
    /// [`Shared::failed`], and whoever waits or comes later is refused because the receiving
    /// end is dropped. After a failed sync nobody knows what is on the disk.
    pub(super) fn run(mut self, queue: &Receiver<Command>) {
        while let Ok(first) = queue.recv() {
            if let Err(why) = self.group(first, queue) {
                self.shared.failed.send_replace(Some(why));
                return;
            }
        }
    }

    fn group(&mut self, first: Command, queue: &Receiver<Command>) -> Result<(), Why> {
        let mut group = Group::default();
        self.apply(first, &mut group)?;
        while group.answers.len() < GROUP && group.bytes < GROUP_BYTES {
            let Ok(command) = queue.try_recv() else { break };
            self.apply(command, &mut group)?;
        }
        self.commit(group)
    }

    fn apply(&mut self, command: Command, group: &mut Group) -> Result<(), Why> {
        match command {
            Command::Register(mailbox, reply) => {
                let outcome = self.register(mailbox, group);
                group.answer(reply, outcome);
            }
            Command::Put { mailbox, message, now, body, reply } => {
                let outcome = self.put(mailbox, message, now, body, group)?;
                group.answer(reply, outcome);
            }
            Command::Ack { mailbox, ids, remember, reply } => {
                let outcome = self.ack(mailbox, &ids, remember, group)?;
                group.answer(reply, outcome);
            }
            // These two walk the tables, which must show what this group has done so far.
            Command::Close(mailbox, reply) => {
                self.commit(std::mem::take(group))?;
                let outcome = self.close(mailbox, group)?;
                group.answer(reply, Ok(outcome));
                self.commit(std::mem::take(group))?;
            }
            Command::Sweep { now, reply } => {
                self.commit(std::mem::take(group))?;
                let outcome = self.sweep(now, group)?;
                group.answer(reply, Ok(outcome));
            }
        }
        Ok(())
    }

    fn register(&self, mailbox: Mailbox, group: &mut Group) -> Result<bool, Error> {
        let opened = |effect: &Effect| matches!(effect, Effect::Opened(one) if *one == mailbox);
        if self.shared.has(&mailbox) || group.effects.iter().any(opened) {
            return Ok(false);
        }
        let opening = group.effects.iter().filter(|e| matches!(e, Effect::Opened(_))).count();
        if self.shared.mailboxes() + opening as u64 >= self.shared.quotas.mailboxes {
            return Err(Error::RelayFull);
        }
        group.insert(Table::Mailboxes, mailbox.0.to_vec(), Vec::new());
        group.effects.push(Effect::Opened(mailbox));
        Ok(true)
    }

    /// Quotas were reserved before the body came, see [`super::Reservation`].
    fn put(
        &mut self,
        mailbox: Mailbox,
        entry: Entry,
        now: u64,
        body: Body,
        group: &mut Group,
    ) -> Result<Result<Put, Error>, Why> {
        let refused = if !self.shared.has(&mailbox) {
            Some(Err(Error::NoMailbox))
        } else {
            match self.state(&mailbox, &entry.id, group)? {
                Some(state) if state.deadline() > now => Some(Ok(Put::Already)),
                Some(State::Waiting(expired)) => {
                    group.delete(&mailbox, &expired);
                    None
                }
                _ => None,
            }
        };
        if let Some(outcome) = refused {
            // A body in a file goes away with its guard.
            return Ok(outcome);
        }
        let number = self.next;
        self.next += 1;
        let file = match body {
            Body::Inline(bytes) => {
                group.bytes += bytes.len();
                group.insert(Table::Bodies, tables::number_key(&mailbox, number), bytes);
                None
            }
            Body::File(written) => {
                group.new_files = true;
                Some(written.keep()?)
            }
        };
        let message =
            Message { id: entry.id.0, number, size: entry.size, expires: entry.expires, file };
        let record = wire::encode(&message).map_err(why)?;
        group.insert(Table::Messages, tables::number_key(&mailbox, number), record);
        group.set_state(&mailbox, &entry.id, &State::Waiting(message))?;
        group.effects.push(Effect::Added(mailbox, entry.size));
        Ok(Ok(Put::New))
    }

    fn ack(
        &self,
        mailbox: Mailbox,
        ids: &[Id],
        remember: u64,
        group: &mut Group,
    ) -> Result<Result<u64, Error>, Why> {
        if !self.shared.has(&mailbox) {
            return Ok(Err(Error::NoMailbox));
        }
        let mut deleted = 0;
        for id in ids {
            if let Some(State::Waiting(message)) = self.state(&mailbox, id, group)? {
                group.delete(&mailbox, &message);
                group.set_state(&mailbox, id, &State::Acked(remember))?;
                deleted += 1;
            }
        }
        Ok(Ok(deleted))
    }

    fn close(&self, mailbox: Mailbox, group: &mut Group) -> Result<bool, Why> {
        if !self.shared.has(&mailbox) {
            return Ok(false);
        }
        for item in self.tables.get(Table::Ids).prefix(mailbox.0) {
            let (key, value) = item.into_inner().map_err(why)?;
            let id = key.get(32..).and_then(|id| <[u8; 32]>::try_from(id).ok()).map(Id);
            let id = id.ok_or("a key of the wrong length in the table of ids")?;
            match wire::decode(&value).map_err(why)? {
                State::Waiting(message) => group.delete(&mailbox, &message),
                State::Acked(until) => group.forget(&mailbox, &id, until),
            }
        }
        group.remove(Table::Mailboxes, mailbox.0.to_vec());
        group.effects.push(Effect::Closed(mailbox));
        Ok(true)
    }

    /// One round of a sweep: at most [`SWEEP`] deadlines, in order of time.
    fn sweep(&self, now: u64, group: &mut Group) -> Result<u64, Why> {
        let mut swept = 0;
        let until = now.saturating_add(1).to_be_bytes();
        for item in self.tables.get(Table::Deadlines).range(..until).take(SWEEP) {
            let key = item.key().map_err(why)?;
            let (time, mailbox, id) = tables::split_deadline(&key)
                .ok_or("a key of the wrong length in the table of deadlines")?;
            match self.state(&mailbox, &id, group)? {
                Some(State::Waiting(message)) if message.expires == time => {
                    group.delete(&mailbox, &message);
                }
                Some(State::Acked(until)) if until == time => {
                    group.forget(&mailbox, &id, time);
                }
                // A deadline of a state that was replaced.
                _ => group.remove(Table::Deadlines, key.to_vec()),
            }
            swept += 1;
        }
        Ok(swept)
    }

    fn state(&self, mailbox: &Mailbox, id: &Id, group: &Group) -> Result<Option<State>, Why> {
        match group.writes.get(&(Table::Ids, tables::id_key(mailbox, id))) {
            Some(Some(record)) => wire::decode(record).map(Some).map_err(why),
            Some(None) => Ok(None),
            None => self.tables.state(mailbox, id),
        }
    }

    /// Files first, then the records that name them; the answers last.
    fn commit(&self, group: Group) -> Result<(), Why> {
        if group.new_files {
            files::sync_folder(&self.folder).map_err(why)?;
        }
        let mut batch = self.tables.database.batch().durability(Some(PersistMode::SyncAll));
        for ((table, key), value) in group.writes {
            match value {
                Some(value) => batch.insert(self.tables.get(table), key, value),
                None => batch.remove(self.tables.get(table), key),
            }
        }
        batch.commit().map_err(why)?;
        let mut arrived = Vec::new();
        for effect in group.effects {
            match effect {
                Effect::Opened(mailbox) => self.shared.open(mailbox),
                Effect::Closed(mailbox) => self.shared.close(&mailbox),
                Effect::Removed(mailbox, size) => self.shared.remove(&mailbox, size),
                Effect::Added(mailbox, size) => {
                    self.shared.add(&mailbox, size);
                    arrived.push(mailbox);
                }
            }
        }
        for name in group.dead_files {
            // No record names the file any more: if it stays, the next start removes it.
            let _ = fs::remove_file(self.folder.join(name));
        }
        group.answers.into_iter().for_each(|answer| answer());
        arrived.iter().for_each(|mailbox| self.shared.arrivals.tell(mailbox));
        Ok(())
    }
}

impl Group {
    fn insert(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert((table, key), Some(value));
    }

    fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.writes.insert((table, key), None);
    }

    fn set_state(&mut self, mailbox: &Mailbox, id: &Id, state: &State) -> Result<(), Why> {
        let record = wire::encode(state).map_err(why)?;
        self.insert(Table::Ids, tables::id_key(mailbox, id), record);
        let deadline = tables::deadline_key(state.deadline(), mailbox, id);
        self.insert(Table::Deadlines, deadline, Vec::new());
        Ok(())
    }

    fn forget(&mut self, mailbox: &Mailbox, id: &Id, deadline: u64) {
        self.remove(Table::Ids, tables::id_key(mailbox, id));
        self.remove(Table::Deadlines, tables::deadline_key(deadline, mailbox, id));
    }

    fn delete(&mut self, mailbox: &Mailbox, message: &Message) {
        let key = tables::number_key(mailbox, message.number);
        self.remove(Table::Messages, key.clone());
        match &message.file {
            Some(name) => self.dead_files.push(name.clone()),
            None => self.remove(Table::Bodies, key),
        }
        self.forget(mailbox, &Id(message.id), message.expires);
        self.effects.push(Effect::Removed(*mailbox, message.size));
    }

    fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, outcome: Result<T, Error>) {
        // Whoever asked may have hung up.
        self.answers.push(Box::new(move || drop(reply.send(outcome))));
    }
}
