//! Group commit: all that is queued goes into one transaction, and nobody is answered before it
//! is committed.
//!
//! A group costs two round trips: one that locks and reads, one that writes and commits.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::relay::protocol::{Id, Mailbox};
use crate::relay::store::postgres::cluster::{Refusal, big};
use crate::relay::store::postgres::connection::{Connection, in_time, in_time_or, unavailable};
use crate::relay::store::postgres::ledger::Ledger;
use crate::relay::store::postgres::load::{self, About, Lock};
use crate::relay::store::postgres::remove;
use crate::relay::store::postgres::shared::Shared;
use crate::relay::store::{Error, Push, Put};

/// Most commands of one group.
const GROUP: usize = 256;
/// Most body bytes of one group.
const GROUP_BYTES: usize = 4 << 20;
/// Commands that may wait for a writer; more wait in their request.
pub(super) const QUEUE: usize = 1024;

const INSERT: &str = "
    INSERT INTO bulla.messages (mailbox, id, number, size, expires, capability, body)
    SELECT p.mailbox, p.id, nextval('bulla.numbers'), p.size, p.expires, p.capability, p.body
    FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[])
        AS p (mailbox, id, size, expires, capability, body)";
/// All counters at once.
const COUNT: &str = "
    WITH boxes AS (
        UPDATE bulla.mailboxes b SET messages = b.messages + d.messages, bytes = b.bytes + d.bytes
        FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS d (mailbox, messages, bytes)
        WHERE b.mailbox = d.mailbox
    ), shares AS (
        UPDATE bulla.capabilities c SET messages = c.messages + d.messages,
            bytes = c.bytes + d.bytes, pushed = c.pushed + d.messages,
            hour = d.hour, in_hour = d.in_hour
        FROM unnest($4::bytea[], $5::bytea[], $6::bigint[], $7::bigint[], $8::bigint[],
                    $9::bigint[]) AS d (mailbox, id, messages, bytes, hour, in_hour)
        WHERE c.mailbox = d.mailbox AND c.id = d.id
    ), purses AS (
        UPDATE bulla.tokens t SET bytes = t.bytes + d.bytes
        FROM unnest($10::bytea[], $11::bigint[]) AS d (id, bytes) WHERE t.id = d.id
    )
    UPDATE bulla.totals SET messages = messages + $13, bytes = bytes + $14 WHERE lane = $12";
pub(super) const PURSES: &str = "
    UPDATE bulla.tokens t SET bytes = t.bytes + d.bytes
    FROM unnest($1::bytea[], $2::bigint[]) AS d (id, bytes) WHERE t.id = d.id";
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(6236411, 1)";

type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What a writer is asked to do.
pub(super) enum Command {
    /// Store a message whose body is at hand, or without one say durably that it is there.
    Put { push: Push, body: Option<Bytes>, reply: Reply<Put> },
    /// Delete messages and remember their ids.
    Ack { mailbox: Mailbox, ids: Vec<Id>, remember: u64, reply: Reply<u64> },
}

impl Command {
    fn mailbox(&self) -> &Mailbox {
        match self {
            Self::Put { push, .. } => &push.mailbox,
            Self::Ack { mailbox, .. } => mailbox,
        }
    }

    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Put { reply, .. } => reply.is_closed(),
            Self::Ack { reply, .. } => reply.is_closed(),
        }
    }

    /// Bytes, or rows where those count for more.
    fn weight(&self) -> usize {
        match self {
            Self::Put { body, .. } => body.as_ref().map_or(0, Bytes::len),
            Self::Ack { ids, .. } => ids.len() << 10,
        }
    }

    fn refuse(self, refusal: Refusal) {
        match self {
            Self::Put { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Ack { reply, .. } => drop(reply.send(Err(refusal))),
        }
    }
}

/// What became of a command.
enum Outcome {
    Put(Result<Put, Refusal>),
    Ack(Result<u64, Refusal>),
}

/// Works until every sender is gone.
pub(super) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Command>) {
    let lane = shared.lane;
    let mut connection = None;
    let mut group = Vec::new();
    while let Some(first) = queue.recv().await {
        let mut weight = first.weight();
        group.push(first);
        while group.len() < GROUP && weight < GROUP_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            weight = weight.saturating_add(next.weight());
            group.push(next);
        }
        group.retain(|command| !command.is_abandoned());
        match commit(&shared, lane, &mut connection, &group).await {
            Ok(outcomes) => {
                announce(&shared, &group, &outcomes);
                for (command, outcome) in group.drain(..).zip(outcomes) {
                    answer(command, outcome);
                }
            }
            Err(error) => {
                // What became of the group is unknown, and so is the state of the session.
                connection = None;
                for command in group.drain(..) {
                    command.refuse(Refusal::Store(again(&error)));
                }
            }
        }
    }
}

/// The same refusal for everybody in a group.
pub(super) fn again(error: &Error) -> Error {
    match error {
        Error::RelayFull => Error::RelayFull,
        other => Error::Unavailable(match other {
            Error::Unavailable(why) => why.clone(),
            other => other.to_string(),
        }),
    }
}

fn announce(shared: &Shared, group: &[Command], outcomes: &[Outcome]) {
    let new = |outcome: &Outcome| matches!(outcome, Outcome::Put(Ok(Put::New)));
    let arrived = group.iter().zip(outcomes).filter(|(_, outcome)| new(outcome));
    let arrived: HashSet<Mailbox> = arrived.map(|(command, _)| *command.mailbox()).collect();
    shared.announce(arrived);
}

fn answer(command: Command, outcome: Outcome) {
    // Whoever hung up meanwhile is told nothing.
    match (command, outcome) {
        (Command::Put { reply, .. }, Outcome::Put(outcome)) => drop(reply.send(outcome)),
        (Command::Ack { reply, .. }, Outcome::Ack(outcome)) => drop(reply.send(outcome)),
        _ => {}
    }
}

/// One transaction for a group.
async fn commit(
    shared: &Shared,
    lane: i16,
    connection: &mut Option<Connection>,
    group: &[Command],
) -> Result<Vec<Outcome>, Error> {
    if connection.as_ref().is_none_or(Connection::is_closed) {
        *connection = None;
    }
    let db = match connection {
        Some(db) => &*db,
        None => {
            let db = connection.insert(shared.pool.connect(None).await?);
            db.prepare(&[load::LOCK, load::REST, INSERT, COUNT, remove::REMOVE]).await?;
            &*db
        }
    };
    let mut about = About::default();
    for command in group {
        match command {
            Command::Put { push, .. } => {
                about.push(push.mailbox, push.capability, push.message.id);
            }
            Command::Ack { mailbox, .. } => _ = about.boxes.insert(*mailbox),
        }
    }
    let begun = async { in_time(db.run(BEGIN)).await };
    let ((), mut ledger) = tokio::try_join!(biased; begun, load::load(db, &about, Lock::Yes))?;
    if clear_stale(db, lane, group, &ledger).await? {
        ledger = load::load(db, &about, Lock::Yes).await?;
    }

    let mut acks = Vec::new();
    let mut bodies: Vec<&[u8]> = Vec::new();
    let mut pushes = Vec::new();
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(group.len());
    for (at, command) in group.iter().enumerate() {
        let moved = ledger.has_left(command.mailbox());
        outcomes.push(match command {
            Command::Put { .. } if moved => Outcome::Put(Err(Refusal::Moved)),
            Command::Ack { .. } if moved => Outcome::Ack(Err(Refusal::Moved)),
            Command::Put { push, body: Some(body), .. } => {
                let outcome = ledger.admit(push, &shared.options.quotas);
                if matches!(outcome, Ok(Put::New)) {
                    pushes.push(push);
                    bodies.push(body);
                }
                Outcome::Put(outcome.map_err(Refusal::Store))
            }
            Command::Put { push, body: None, .. } => {
                let outcome = match ledger.check(push, &shared.options.quotas) {
                    Ok(Put::New) => Err(Error::Unavailable("the message has just expired".into())),
                    outcome => outcome,
                };
                Outcome::Put(outcome.map_err(Refusal::Store))
            }
            Command::Ack { mailbox, ids, remember, .. } => {
                if ledger.boxes.contains_key(mailbox) {
                    acks.extend(ids.iter().map(|id| remove::Asked {
                        command: i32::try_from(at).unwrap_or(i32::MAX),
                        mailbox: *mailbox,
                        id: *id,
                        until: Some(*remember),
                    }));
                    Outcome::Ack(Ok(0))
                } else {
                    Outcome::Ack(Err(Refusal::Store(Error::NoMailbox)))
                }
            }
        });
    }
    let written = async {
        tokio::try_join!(
            biased;
            remove::remove(db, lane, &acks, u64::MAX),
            insert(db, &pushes, &bodies),
            count(db, lane, &ledger),
            async { db.run("COMMIT").await.map_err(unavailable) },
        )
    };
    let (removed, ..) = in_time_or(written).await?;
    db.was_quiet()?;
    for (command, deleted) in removed.counts {
        let at = usize::try_from(command).ok().and_then(|at| outcomes.get_mut(at));
        if let Some(Outcome::Ack(Ok(count))) = at {
            *count = deleted;
        }
    }
    shared.discard(removed.garbage);
    Ok(outcomes)
}

/// Deletes messages that have expired unswept and are pushed again.
async fn clear_stale(
    db: &Connection,
    lane: i16,
    group: &[Command],
    ledger: &Ledger,
) -> Result<bool, Error> {
    let stale = group.iter().filter_map(|command| match command {
        Command::Put { push, .. } if ledger.is_stale(push) => Some(push),
        _ => None,
    });
    let stale: Vec<remove::Asked> = stale
        .map(|push| remove::Asked {
            command: 0,
            mailbox: push.mailbox,
            id: push.message.id,
            until: None,
        })
        .collect();
    if stale.is_empty() {
        return Ok(false);
    }
    in_time_or(remove::remove(db, lane, &stale, u64::MAX)).await?;
    Ok(true)
}

/// A plain insert: what is there already was set aside while the mailbox is locked, so a
/// conflict cannot be, and would undo the group rather than count a message twice.
async fn insert(db: &Connection, pushes: &[&Push], bodies: &[&[u8]]) -> Result<(), Error> {
    if pushes.is_empty() {
        return Ok(());
    }
    let mailboxes: Vec<&[u8]> = pushes.iter().map(|push| &push.mailbox.0[..]).collect();
    let ids: Vec<&[u8]> = pushes.iter().map(|push| &push.message.id.0[..]).collect();
    let sizes: Vec<i64> = pushes.iter().map(|push| big(push.message.size)).collect();
    let expires: Vec<i64> = pushes.iter().map(|push| big(push.message.expires)).collect();
    let capabilities: Vec<&[u8]> = pushes.iter().map(|push| &push.capability.0[..]).collect();
    db.ask(INSERT, &[&mailboxes, &ids, &sizes, &expires, &capabilities, &bodies])
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// Adds what was admitted to the counters of mailboxes, capabilities, tokens and the whole.
pub(super) async fn count(db: &Connection, lane: i16, ledger: &Ledger) -> Result<(), Error> {
    let boxes: Vec<_> = ledger.boxes.iter().filter(|(_, held)| held.added.messages > 0).collect();
    if boxes.is_empty() {
        return Ok(());
    }
    let mailboxes: Vec<&[u8]> = boxes.iter().map(|(mailbox, _)| &mailbox.0[..]).collect();
    let messages: Vec<i64> = boxes.iter().map(|(_, held)| big(held.added.messages)).collect();
    let bytes: Vec<i64> = boxes.iter().map(|(_, held)| big(held.added.bytes)).collect();
    let all = (messages.iter().sum::<i64>(), bytes.iter().sum::<i64>());

    let shares: Vec<_> = ledger.shares.iter().filter(|(_, s)| s.added.messages > 0).collect();
    let at: Vec<&[u8]> = shares.iter().map(|((mailbox, _), _)| &mailbox.0[..]).collect();
    let by: Vec<&[u8]> = shares.iter().map(|((_, id), _)| &id.0[..]).collect();
    let pushed: Vec<i64> = shares.iter().map(|(_, share)| big(share.added.messages)).collect();
    let shared: Vec<i64> = shares.iter().map(|(_, share)| big(share.added.bytes)).collect();
    let hours: Vec<i64> = shares.iter().map(|(_, share)| big(share.hour)).collect();
    let in_hours: Vec<i64> = shares.iter().map(|(_, share)| big(share.in_hour)).collect();

    let purses: Vec<_> = ledger.purses.iter().filter(|(_, purse)| purse.added > 0).collect();
    let tokens: Vec<&[u8]> = purses.iter().map(|(id, _)| &id.0[..]).collect();
    let spent: Vec<i64> = purses.iter().map(|(_, purse)| big(purse.added)).collect();
    db.ask(
        COUNT,
        &[
            &mailboxes, &messages, &bytes, &at, &by, &pushed, &shared, &hours, &in_hours, &tokens,
            &spent, &lane, &all.0, &all.1,
        ],
    )
    .await
    .map_err(unavailable)?;
    Ok(())
}
