//! Expiry, in batches: short transactions, so that nobody waits long for a row.

use std::collections::BTreeSet;

use tokio_postgres::Row;

use crate::relay::protocol::{Id, Mailbox};
use crate::relay::store::Error;
use crate::relay::store::postgres::cluster::{Refusal, big, column, name};
use crate::relay::store::postgres::connection::in_time_or;
use crate::relay::store::postgres::load::{self, About, Lock};
use crate::relay::store::postgres::shared::Shared;
use crate::relay::store::postgres::{remove, slots};

/// Most rows of one batch.
const BATCH: usize = 1000;

const EXPIRED: &str = "SELECT mailbox, id FROM bulla.messages WHERE expires <= $1
    AND mailbox NOT IN (SELECT b.mailbox FROM bulla.mailboxes b
                        JOIN bulla.elsewhere w ON w.slot = b.slot)
    ORDER BY expires LIMIT 1000";
const LATE: &str = "SELECT mailbox, key FROM bulla.uploads WHERE until <= $1
    AND mailbox NOT IN (SELECT b.mailbox FROM bulla.mailboxes b
                        JOIN bulla.elsewhere w ON w.slot = b.slot)
    ORDER BY until LIMIT 1000";
/// Nothing is counted of these.
const FORGET: &str = "
    DELETE FROM bulla.acked a USING (
        SELECT mailbox, id FROM bulla.acked WHERE until <= $1 ORDER BY until LIMIT 1000) o
    WHERE a.mailbox = o.mailbox AND a.id = o.id AND a.until <= $1 RETURNING 1";

/// Deletes what has expired; says how many messages. Several relays may do it at once.
pub(super) async fn sweep(shared: &Shared, now: u64) -> Result<u64, Error> {
    let mut swept: u64 = 0;
    loop {
        let rows = shared.pool.read(EXPIRED, &[&big(now)]).await?;
        match shared.expire(&rows, now).await {
            Ok(some) => swept = swept.saturating_add(some),
            Err(Refusal::Store(error)) => return Err(error),
            // What moves is swept where it arrives.
            Err(Refusal::Moved) => break,
        }
        if rows.len() < BATCH {
            break;
        }
    }
    loop {
        let rows = shared.pool.read(LATE, &[&big(now)]).await?;
        match shared.give_up(&rows).await {
            Ok(()) => {}
            Err(Refusal::Store(error)) => return Err(error),
            Err(Refusal::Moved) => break,
        }
        if rows.len() < BATCH {
            break;
        }
    }
    while shared.alone(FORGET, &[&big(now)]).await? == BATCH {}
    shared.collect_garbage().await?;
    Ok(swept)
}

fn boxes_of(rows: &[Row]) -> Result<(About, Vec<i16>), Error> {
    let mut about = About::default();
    for row in rows {
        about.boxes.insert(Mailbox(name(row, 0)?));
    }
    let touched: BTreeSet<i16> = about.boxes.iter().map(slots::of).collect();
    Ok((about, touched.into_iter().collect()))
}

impl Shared {
    async fn expire(&self, rows: &[Row], now: u64) -> Result<u64, Refusal> {
        if rows.is_empty() {
            return Ok(0);
        }
        let (about, touched) = boxes_of(rows)?;
        let mut asked = Vec::with_capacity(rows.len());
        for row in rows {
            let (mailbox, id) = (Mailbox(name(row, 0)?), Id(name(row, 1)?));
            asked.push(remove::Asked { command: 0, mailbox, id, until: None });
        }
        let db = self.pool.begin(&touched).await?;
        let removed = async {
            load::load(db.connection(), &about, Lock::Yes).await?;
            in_time_or(remove::remove(db.connection(), self.lane, &asked, now)).await
        };
        let removed = removed.await;
        let removed = db.end(removed).await?;
        self.discard(removed.garbage);
        Ok(removed.counts.iter().map(|(_, count)| count).sum())
    }

    async fn give_up(&self, rows: &[Row]) -> Result<(), Refusal> {
        if rows.is_empty() {
            return Ok(());
        }
        let (about, touched) = boxes_of(rows)?;
        let mut keys: Vec<&[u8]> = Vec::with_capacity(rows.len());
        for row in rows {
            keys.push(column(row, 1)?);
        }
        let db = self.pool.begin(&touched).await?;
        let dropped = async {
            load::load(db.connection(), &about, Lock::Yes).await?;
            self.drop_all(&db, &keys).await
        };
        let dropped = dropped.await;
        Ok(db.end(dropped).await?)
    }
}
