//! Moving slots from one cluster to another while relays serve them.
//!
//! | step | at the source | at the target | table of slots |
//! |---|---|---|---|
//! | 1 fence | `leaving`: read, not written | `absent` | source |
//! | 2 copy, in one transaction | | `arriving`: neither | |
//! | 3 let go | `absent`: neither | | |
//! | 4 point | | | target |
//! | 5 serve | | served | |
//! | 6 delete | rows deleted | | |
//!
//! A slot is served by one cluster at any moment, and by none between 3 and 5, when relays wait
//! and ask again; so no reader sees a message missing or twice. Each step is one transaction that
//! does nothing when it has been done, so whoever repeats the command after a crash goes on; and
//! until step 3, moving a slot to where it is takes everything back.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::pin::pin;

use futures_util::{SinkExt as _, TryStreamExt as _};

use crate::relay::store::Error;
use crate::relay::store::postgres::address::Target;
use crate::relay::store::postgres::cluster::{FENCE_ALONE, column};
use crate::relay::store::postgres::connection::{Connection, Pool, in_time, unavailable};
use crate::relay::store::postgres::options::Options;
use crate::relay::store::postgres::slots::SLOTS;

const ROUTE: &str = "SELECT slot, cluster::text FROM bulla.route ORDER BY slot";
const STATE: &str = "SELECT state FROM bulla.elsewhere WHERE slot = $1";
const MARK: &str = "INSERT INTO bulla.elsewhere (slot, state) VALUES ($1, $2)
    ON CONFLICT (slot) DO UPDATE SET state = excluded.state";
const UNMARK: &str = "DELETE FROM bulla.elsewhere WHERE slot = $1";
const POINT: &str = "UPDATE bulla.route SET cluster = $2::text::uuid WHERE slot = $1";
const NAME: &str = "SELECT cluster::text FROM bulla.about";

/// What a slot weighs is taken out of the counters here when it leaves, and added when it comes.
const WEIGH: &str = "
    WITH box AS (
        SELECT b.token, b.messages, b.bytes,
               (SELECT coalesce(sum(u.size), 0)::bigint FROM bulla.uploads u
                WHERE u.mailbox = b.mailbox) AS reserved
        FROM bulla.mailboxes b WHERE b.slot = $1
    ), purses AS (
        UPDATE bulla.tokens t SET used = t.used + $2 * p.used, bytes = t.bytes + $2 * p.bytes
        FROM (SELECT token, count(*) AS used, sum(bytes + reserved)::bigint AS bytes FROM box
              WHERE token IS NOT NULL GROUP BY token) p
        WHERE t.id = p.token
    )
    UPDATE bulla.totals t SET mailboxes = t.mailboxes + $2 * w.mailboxes,
        messages = t.messages + $2 * w.messages, bytes = t.bytes + $2 * w.bytes,
        reserved = t.reserved + $2 * w.reserved
    FROM (SELECT count(*) AS mailboxes, coalesce(sum(messages), 0)::bigint AS messages,
                 coalesce(sum(bytes), 0)::bigint AS bytes,
                 coalesce(sum(reserved), 0)::bigint AS reserved FROM box) w
    WHERE t.lane = 0";

/// The tables of a slot and what of them belongs to it. The mailboxes come first and go last:
/// the rest is found by them.
const TABLES: &[(&str, &str)] = &[
    ("mailboxes", "slot = $"),
    ("capabilities", "mailbox IN (SELECT mailbox FROM bulla.mailboxes WHERE slot = $)"),
    ("acked", "mailbox IN (SELECT mailbox FROM bulla.mailboxes WHERE slot = $)"),
    ("uploads", "mailbox IN (SELECT mailbox FROM bulla.mailboxes WHERE slot = $)"),
    ("messages", "mailbox IN (SELECT mailbox FROM bulla.mailboxes WHERE slot = $)"),
    (
        "parts",
        "key IN (SELECT u.key FROM bulla.uploads u JOIN bulla.mailboxes b USING (mailbox)
                 WHERE b.slot = $
                 UNION ALL
                 SELECT m.upload FROM bulla.messages m JOIN bulla.mailboxes b USING (mailbox)
                 WHERE b.slot = $ AND m.upload IS NOT NULL)",
    ),
];

/// Moves slots, from 0 to 1023, to one of the clusters, all of which are named in `urls`, the
/// first of them first. Says each slot once it is there. One at a time may do it.
pub(crate) async fn shift(
    urls: &[String],
    options: &Options,
    slots: RangeInclusive<u16>,
    to: &str,
    moved: &mut (dyn FnMut(u16) + Send),
) -> Result<(), Error> {
    let mut clusters = HashMap::new();
    let mut first = None;
    for url in urls {
        let pool = Pool::new(Target::parse(url, options)?);
        let (name, _) = pool.migrate().await?;
        if let Some(first) = &first {
            join(clusters.get(first).unwrap_or(&pool), &pool).await?;
        } else {
            begin(&pool).await?;
            first = Some(name.clone());
        }
        clusters.insert(name, pool);
    }
    let target = Pool::new(Target::parse(to, options)?);
    let (target, _) = target.migrate().await?;
    let place = || clusters.values().next().map(|pool| pool.place().to_string());
    let open = |why: String| Error::Open { place: place().unwrap_or_default(), why };
    let unnamed = || open("the cluster the slots go to is none of those named".into());
    if !clusters.contains_key(&target) {
        return Err(unnamed());
    }
    let table = first.as_ref().and_then(|first| clusters.get(first)).ok_or_else(unnamed)?;
    let alone = table.connect(None).await?;
    let lock = "SELECT pg_try_advisory_lock(6236411, 3)";
    let rows = in_time(alone.ask(lock, &[])).await?;
    if !rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false) {
        return Err(open("somebody else is moving slots".into()));
    }
    for (slot, owner) in route(table).await? {
        let number = slot.unsigned_abs();
        if !slots.contains(&number) {
            continue;
        }
        let source = clusters.get(&owner).ok_or_else(|| {
            open(format!("slot {slot} is in cluster {owner}, which is not among those named"))
        })?;
        let mut others = clusters.iter().filter(|(name, _)| **name != owner);
        if owner == target {
            let others: Vec<&Pool> = others.map(|(_, pool)| pool).collect();
            settle(slot, source, &others).await?;
        } else if let Some((_, pool)) = others.find(|(name, _)| **name == target) {
            let step = Step { slot, source, target: pool };
            step.fence_and_copy().await?;
            let point = table.connect(None).await?;
            in_time(point.ask(POINT, &[&slot, &target])).await?;
            point.was_quiet()?;
            serve(slot, pool).await?;
            delete(slot, source).await?;
        }
        moved(number);
    }
    Ok(())
}

/// The same, blocking.
pub fn shift_blocking(
    urls: &[String],
    options: &Options,
    slots: RangeInclusive<u16>,
    to: &str,
    moved: &mut (dyn FnMut(u16) + Send),
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::Unavailable(e.to_string()))?;
    runtime.block_on(shift(urls, options, slots, to, moved))
}

/// A slot on its way.
struct Step<'a> {
    slot: i16,
    source: &'a Pool,
    target: &'a Pool,
}

/// A session without deadlines, for rows by the million.
async fn patient(pool: &Pool) -> Result<Connection, Error> {
    let db = pool.connect(None).await?;
    in_time(db.run("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"))
        .await?;
    Ok(db)
}

async fn state(db: &Connection, slot: i16) -> Result<Option<String>, Error> {
    let rows = in_time(db.ask(STATE, &[&slot])).await?;
    rows.first().map(|row| column(row, 0)).transpose()
}

async fn commit(db: &Connection) -> Result<(), Error> {
    db.run("COMMIT").await.map_err(unavailable)?;
    db.was_quiet()
}

/// Begins a transaction that no writer runs beside.
async fn alone(db: &Connection) -> Result<(), Error> {
    in_time(db.run("BEGIN")).await?;
    in_time(db.ask(FENCE_ALONE, &[])).await.map(drop)
}

impl Step<'_> {
    /// Steps 1 to 3.
    async fn fence_and_copy(&self) -> Result<(), Error> {
        let from = patient(self.source).await?;
        alone(&from).await?;
        match state(&from, self.slot).await?.as_deref() {
            // Let go before a crash: the copy is complete.
            Some("absent") => return in_time(from.run("ROLLBACK")).await,
            _ => in_time(from.ask(MARK, &[&self.slot, &"leaving"])).await?,
        };
        commit(&from).await?;

        let to = patient(self.target).await?;
        alone(&to).await?;
        in_time(to.ask(MARK, &[&self.slot, &"arriving"])).await?;
        commit(&to).await?;
        // Others write to other slots meanwhile.
        in_time(to.run("BEGIN")).await?;
        wipe(&to, self.slot).await?;
        for (table, rows) in TABLES {
            let rows = rows.replace('$', &self.slot.to_string());
            let out = format!(
                "COPY (SELECT * FROM bulla.{table} WHERE {rows}) TO STDOUT (FORMAT binary)"
            );
            let into = format!("COPY bulla.{table} FROM STDIN (FORMAT binary)");
            let mut out = pin!(from.copy_out(&out).await.map_err(unavailable)?);
            let mut into = pin!(to.copy_in(&into).await.map_err(unavailable)?);
            while let Some(piece) = out.try_next().await.map_err(unavailable)? {
                into.send(piece).await.map_err(unavailable)?;
            }
            into.as_mut().finish().await.map_err(unavailable)?;
        }
        // What is pushed there comes after what was copied.
        to.run(&format!(
            "SELECT setval('bulla.numbers', greatest(nextval('bulla.numbers'),
                (SELECT max(number) FROM bulla.messages m JOIN bulla.mailboxes b USING (mailbox)
                 WHERE b.slot = {})))",
            self.slot
        ))
        .await
        .map_err(unavailable)?;
        commit(&to).await?;

        alone(&from).await?;
        in_time(from.ask(MARK, &[&self.slot, &"absent"])).await?;
        in_time(from.ask(WEIGH, &[&self.slot, &-1i64])).await?;
        commit(&from).await
    }
}

/// Step 5: the target serves the slot.
async fn serve(slot: i16, target: &Pool) -> Result<(), Error> {
    let db = patient(target).await?;
    alone(&db).await?;
    if state(&db, slot).await?.as_deref() == Some("arriving") {
        in_time(db.ask(UNMARK, &[&slot])).await?;
        in_time(db.ask(WEIGH, &[&slot, &1i64])).await?;
    }
    commit(&db).await
}

/// Step 6: the rows of a slot that is served elsewhere.
async fn delete(slot: i16, source: &Pool) -> Result<(), Error> {
    let db = patient(source).await?;
    in_time(db.run("BEGIN")).await?;
    if state(&db, slot).await?.as_deref() == Some("absent") {
        wipe(&db, slot).await?;
    }
    commit(&db).await
}

async fn wipe(db: &Connection, slot: i16) -> Result<(), Error> {
    for (table, rows) in TABLES.iter().rev() {
        let rows = rows.replace('$', &slot.to_string());
        let sql = format!("DELETE FROM bulla.{table} WHERE {rows}");
        db.run(&sql).await.map_err(unavailable)?;
    }
    Ok(())
}

/// A slot that is to be where it is: finishes a move here, or takes one back that began.
async fn settle(slot: i16, owner: &Pool, others: &[&Pool]) -> Result<(), Error> {
    let db = patient(owner).await?;
    let here = state(&db, slot).await?;
    match here.as_deref() {
        Some("arriving") => serve(slot, owner).await?,
        Some("leaving") => {
            for other in others {
                let to = patient(other).await?;
                in_time(to.run("BEGIN")).await?;
                if state(&to, slot).await?.as_deref() == Some("arriving") {
                    wipe(&to, slot).await?;
                    in_time(to.ask(MARK, &[&slot, &"absent"])).await?;
                }
                commit(&to).await?;
            }
            in_time(db.ask(UNMARK, &[&slot])).await?;
            db.was_quiet()?;
        }
        Some(_) => {
            let why = "it was let go and not taken: move it to where it was on its way".into();
            return Err(Error::Open { place: owner.place().to_string(), why });
        }
        None => {}
    }
    for other in others {
        delete(slot, other).await?;
    }
    Ok(())
}

/// Makes the table of slots in the first cluster, where all of them are at first.
pub(super) async fn begin(first: &Pool) -> Result<(), Error> {
    let db = first.connect(None).await?;
    alone(&db).await?;
    let fresh = "SELECT NOT EXISTS (SELECT FROM bulla.route),
                        NOT EXISTS (SELECT FROM bulla.elsewhere)";
    let rows = in_time(db.ask(fresh, &[])).await?;
    let row = rows.first().ok_or_else(|| Error::Unavailable("no answer".into()))?;
    if column(row, 0)? {
        if !column::<bool>(row, 1)? {
            let why = "it is not the first cluster of its store: name that one first".into();
            return Err(Error::Open { place: first.place().to_string(), why });
        }
        let fill = "INSERT INTO bulla.route (slot, cluster)
            SELECT s, cluster FROM bulla.about, generate_series(0, $1::smallint - 1) s";
        in_time(db.ask(fill, &[&SLOTS])).await?;
    }
    commit(&db).await
}

/// Makes a cluster one of the store of the first: it serves no slot at first.
pub(super) async fn join(first: &Pool, other: &Pool) -> Result<(), Error> {
    let db = other.connect(None).await?;
    let name = in_time(db.ask(NAME, &[])).await?;
    let name: String = name.first().map(|row| column(row, 0)).transpose()?.unwrap_or_default();
    if route(first).await?.iter().any(|(_, owner)| *owner == name) {
        return Ok(());
    }
    alone(&db).await?;
    let fresh = "SELECT EXISTS (SELECT FROM bulla.elsewhere),
        EXISTS (SELECT FROM bulla.mailboxes) OR EXISTS (SELECT FROM bulla.route)";
    let rows = in_time(db.ask(fresh, &[])).await?;
    let row = rows.first().ok_or_else(|| Error::Unavailable("no answer".into()))?;
    if !column::<bool>(row, 0)? {
        if column(row, 1)? {
            let why = "it holds a store of its own".into();
            return Err(Error::Open { place: other.place().to_string(), why });
        }
        let mark = "INSERT INTO bulla.elsewhere (slot, state)
            SELECT s, 'absent' FROM generate_series(0, $1::smallint - 1) s";
        in_time(db.ask(mark, &[&SLOTS])).await?;
        let tokens = "SELECT id, max_mailboxes, max_bytes, expires FROM bulla.tokens";
        let insert = "INSERT INTO bulla.tokens (id, max_mailboxes, max_bytes, expires)
            VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";
        for row in &first.read(tokens, &[]).await? {
            let id: &[u8] = column(row, 0)?;
            let (most, bytes, end) = (
                column::<i64>(row, 1)?,
                column::<Option<i64>>(row, 2)?,
                column::<Option<i64>>(row, 3)?,
            );
            in_time(db.ask(insert, &[&id, &most, &bytes, &end])).await?;
        }
    }
    commit(&db).await
}

/// Which cluster has which slot.
pub(super) async fn route(first: &Pool) -> Result<Vec<(i16, String)>, Error> {
    let rows = first.read(ROUTE, &[]).await?;
    rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).collect()
}
