//! Listing and fetching: one statement each, so that what is seen is of one moment.
//!
//! Each says in the same moment whether its slot is served here. While a slot is on its way out
//! it is still read here, and once it is not, no row of it is believed.

use std::sync::Arc;

use bytes::Bytes;

use crate::relay::protocol::{Entry, Id, Mailbox};
use crate::relay::store::postgres::cluster::{Refusal, big, column, count, name};
use crate::relay::store::postgres::parts::{Long, Parts};
use crate::relay::store::postgres::shared::Shared;
use crate::relay::store::postgres::slots;
use crate::relay::store::{Answer, Chunks, Error, INLINE, Stored};

const LIST: &str = "
    SELECT w.slot IS NOT NULL, b.mailbox IS NOT NULL, m.id, m.size, m.expires
    FROM (VALUES (1)) one
    LEFT JOIN bulla.elsewhere w ON w.slot = $2 AND w.state <> 'leaving'
    LEFT JOIN bulla.mailboxes b ON b.mailbox = $1
    LEFT JOIN LATERAL (
        SELECT id, size, expires, number FROM bulla.messages
        WHERE mailbox = $1 AND expires > $3 ORDER BY number LIMIT $4) m ON true
    ORDER BY m.number";
const GET: &str = "
    SELECT w.slot IS NOT NULL, b.mailbox IS NOT NULL, m.size, m.upload, m.body
    FROM (VALUES (1)) one
    LEFT JOIN bulla.elsewhere w ON w.slot = $2 AND w.state <> 'leaving'
    LEFT JOIN bulla.mailboxes b ON b.mailbox = $1
    LEFT JOIN bulla.messages m ON m.mailbox = $1 AND m.id = $3 AND m.expires > $4";
/// Bodies in the order asked, as long as their sum is within the limit.
const TAKE: &str = "
    SELECT w.slot IS NOT NULL, b.mailbox IS NOT NULL, t.id, t.body
    FROM (VALUES (1)) one
    LEFT JOIN bulla.elsewhere w ON w.slot = $2 AND w.state <> 'leaving'
    LEFT JOIN bulla.mailboxes b ON b.mailbox = $1
    LEFT JOIN LATERAL (
        SELECT m.id, m.body, a.place, (sum(m.size) OVER (ORDER BY a.place))::bigint AS bytes
        FROM unnest($3::bytea[]) WITH ORDINALITY AS a (id, place)
        JOIN bulla.messages m ON m.mailbox = $1 AND m.id = a.id
        WHERE m.expires > $4 AND m.size <= $5 AND m.body IS NOT NULL) t ON t.bytes <= $6
    ORDER BY t.place";

/// Whether the rows are this cluster's to show, of a mailbox that is there.
fn check(row: &tokio_postgres::Row) -> Result<(), Refusal> {
    if column(row, 0)? {
        return Err(Refusal::Moved);
    }
    if column(row, 1)? { Ok(()) } else { Err(Error::NoMailbox.into()) }
}

/// A body that is in memory.
struct Short(Option<Bytes>);

impl Chunks for Short {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        let piece = self.0.take().filter(|bytes| !bytes.is_empty());
        Box::pin(std::future::ready(Ok(piece)))
    }
}

impl Shared {
    pub(super) async fn list(
        &self,
        mailbox: Mailbox,
        limit: usize,
        now: u64,
    ) -> Result<Vec<Entry>, Refusal> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let slot = slots::of(&mailbox);
        let rows = self.pool.read(LIST, &[&&mailbox.0[..], &slot, &big(now), &limit]).await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in &rows {
            check(row)?;
            if column::<Option<&[u8]>>(row, 2)?.is_some() {
                let (size, expires) = (count(row, 3)?, count(row, 4)?);
                listed.push(Entry { id: Id(name(row, 2)?), size, expires });
            }
        }
        Ok(listed)
    }

    pub(super) async fn take(
        &self,
        mailbox: Mailbox,
        ids: &[Id],
        limit: usize,
        now: u64,
    ) -> Result<Vec<(Id, Bytes)>, Refusal> {
        let slot = slots::of(&mailbox);
        let ids: Vec<&[u8]> = ids.iter().map(|id| &id.0[..]).collect();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let params: crate::relay::store::postgres::connection::Params<'_> =
            &[&&mailbox.0[..], &slot, &ids, &big(now), &big(INLINE), &limit];
        let rows = self.pool.read(TAKE, params).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in &rows {
            check(row)?;
            if let Some(body) = column::<Option<&[u8]>>(row, 3)? {
                taken.push((Id(name(row, 2)?), Bytes::copy_from_slice(body)));
            }
        }
        Ok(taken)
    }
}

pub(super) async fn get(
    shared: &Arc<Shared>,
    mailbox: Mailbox,
    id: Id,
    from: u64,
    now: u64,
) -> Result<Option<Stored>, Refusal> {
    let slot = slots::of(&mailbox);
    let rows = shared.pool.read(GET, &[&&mailbox.0[..], &slot, &&id.0[..], &big(now)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    check(row)?;
    if column::<Option<i64>>(row, 2)?.is_none() {
        return Ok(None);
    }
    let size = count(row, 2)?;
    if from > size {
        return Ok(None);
    }
    let body: Box<dyn Chunks> = match column::<Option<&[u8]>>(row, 3)? {
        Some(key) => {
            let parts = Parts::new(key.to_vec(), size, from);
            Box::new(Long { shared: shared.clone(), parts })
        }
        None => {
            let body = column::<Option<&[u8]>>(row, 4)?.unwrap_or_default();
            let rest = usize::try_from(from).ok().and_then(|from| body.get(from..));
            Box::new(Short(rest.map(Bytes::copy_from_slice)))
        }
    };
    Ok(Some(Stored { size, body }))
}
