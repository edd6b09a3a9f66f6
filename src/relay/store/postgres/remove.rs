//! Deleting messages: as a set, in one statement, with all their counters.

use crate::relay::protocol::{Id, Mailbox};
use crate::relay::store::Error;
use crate::relay::store::postgres::cluster::{big, column};
use crate::relay::store::postgres::connection::{Connection, unavailable};

/// Takes the rows of the mailboxes and tokens to be locked. Of those that ask for the same
/// message the first one has it.
pub(super) const REMOVE: &str = "
    WITH asked AS (
        SELECT DISTINCT ON (mailbox, id) command, mailbox, id, until
        FROM unnest($1::int[], $2::bytea[], $3::bytea[], $4::bigint[])
            AS a (command, mailbox, id, until)
        ORDER BY mailbox, id, command
    ), gone AS (
        DELETE FROM bulla.messages m USING asked a
        WHERE m.mailbox = a.mailbox AND m.id = a.id AND m.expires <= $5
        RETURNING a.command, a.until, m.mailbox, m.id, m.size, m.capability, m.upload
    ), remembered AS (
        INSERT INTO bulla.acked (mailbox, id, until)
        SELECT mailbox, id, until FROM gone WHERE until IS NOT NULL
        ON CONFLICT (mailbox, id) DO UPDATE SET until = excluded.until
    ), trash AS (
        INSERT INTO bulla.garbage (key) SELECT upload FROM gone WHERE upload IS NOT NULL
    ), shares AS (
        UPDATE bulla.capabilities c SET messages = c.messages - g.messages, bytes = c.bytes - g.bytes
        FROM (SELECT mailbox, capability, count(*) AS messages, sum(size)::bigint AS bytes
              FROM gone GROUP BY mailbox, capability) g
        WHERE c.mailbox = g.mailbox AND c.id = g.capability
    ), boxes AS (
        UPDATE bulla.mailboxes b SET messages = b.messages - g.messages, bytes = b.bytes - g.bytes
        FROM (SELECT mailbox, count(*) AS messages, sum(size)::bigint AS bytes
              FROM gone GROUP BY mailbox) g
        WHERE b.mailbox = g.mailbox
        RETURNING b.token, g.bytes
    ), purses AS (
        UPDATE bulla.tokens t SET bytes = t.bytes - p.bytes
        FROM (SELECT token, sum(bytes)::bigint AS bytes FROM boxes
              WHERE token IS NOT NULL GROUP BY token) p
        WHERE t.id = p.token
    ), whole AS (
        UPDATE bulla.totals t SET messages = t.messages - g.messages, bytes = t.bytes - g.bytes
        FROM (SELECT count(*) AS messages, coalesce(sum(size), 0)::bigint AS bytes FROM gone) g
        WHERE t.lane = $6 AND g.messages > 0
    )
    SELECT command, count(*), array_agg(upload) FILTER (WHERE upload IS NOT NULL)
    FROM gone GROUP BY command";

/// One message to delete.
pub(super) struct Asked {
    /// Who asks: a number that comes back with the count.
    pub(super) command: i32,
    pub(super) mailbox: Mailbox,
    pub(super) id: Id,
    /// How long its id is remembered, if at all.
    pub(super) until: Option<u64>,
}

/// What was deleted.
#[derive(Default)]
pub(super) struct Removed {
    /// How many messages for which command.
    pub(super) counts: Vec<(i32, u64)>,
    /// Keys whose parts nobody names any more, once it is committed.
    pub(super) garbage: Vec<Vec<u8>>,
}

/// Deletes those of the messages that are there and expire no later than `expired`.
pub(super) async fn remove(
    db: &Connection,
    lane: i16,
    asked: &[Asked],
    expired: u64,
) -> Result<Removed, Error> {
    let mut removed = Removed::default();
    if asked.is_empty() {
        return Ok(removed);
    }
    let commands: Vec<i32> = asked.iter().map(|one| one.command).collect();
    let mailboxes: Vec<&[u8]> = asked.iter().map(|one| &one.mailbox.0[..]).collect();
    let ids: Vec<&[u8]> = asked.iter().map(|one| &one.id.0[..]).collect();
    let until: Vec<Option<i64>> = asked.iter().map(|one| one.until.map(big)).collect();
    let rows = db
        .ask(REMOVE, &[&commands, &mailboxes, &ids, &until, &big(expired), &lane])
        .await
        .map_err(unavailable)?;
    for row in &rows {
        let count = u64::try_from(column::<i64>(row, 1)?).unwrap_or(0);
        removed.counts.push((column(row, 0)?, count));
        removed.garbage.extend(column::<Option<Vec<Vec<u8>>>>(row, 2)?.unwrap_or_default());
    }
    Ok(removed)
}
