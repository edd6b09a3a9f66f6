//! The parts of long bodies: read back one after another, and deleted when nobody names them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::relay::store::postgres::cluster::{big, column, count};
use crate::relay::store::postgres::shared::Shared;
use crate::relay::store::{Answer, Chunks, Error};

/// Bytes of one part in the database: read and written whole.
const IN_DATABASE: usize = 1 << 20;
/// Bytes of one part in an object store, which charges by the request.
const IN_OBJECTS: usize = 4 << 20;

const PART: &str = "SELECT start, size, body FROM bulla.parts WHERE key = $1 AND start <= $2
    ORDER BY start DESC LIMIT 1";
/// Some of the parts at a time: a long body has thousands, and each of them many pages.
const DELETE: &str = "DELETE FROM bulla.parts WHERE key = $1 AND start IN
    (SELECT start FROM bulla.parts WHERE key = $1 ORDER BY start LIMIT 64) RETURNING 1";
const FORGET: &str = "DELETE FROM bulla.garbage WHERE key = $1 RETURNING 1";
const GARBAGE: &str = "SELECT key FROM bulla.garbage ORDER BY key LIMIT 1000";

/// Where a reader of parts stands.
pub(super) struct Parts {
    key: Vec<u8>,
    end: u64,
    at: u64,
}

impl Parts {
    pub(super) fn new(key: Vec<u8>, end: u64, at: u64) -> Self {
        Self { key, end, at }
    }

    /// The next piece, or `None` at the end.
    pub(super) async fn next(&mut self, shared: &Shared) -> Result<Option<Bytes>, Error> {
        if self.at >= self.end {
            return Ok(None);
        }
        let gone = || Error::Unavailable("the message was deleted while it was read".into());
        let rows = shared.pool.read(PART, &[&self.key, &big(self.at)]).await?;
        let row = rows.first().ok_or_else(gone)?;
        let (start, size) = (count(row, 0)?, count(row, 1)?);
        let body = match (column::<Option<&[u8]>>(row, 2)?, &shared.blobs) {
            (Some(body), _) => Bytes::copy_from_slice(body),
            (None, Some(blobs)) => blobs.get(&self.key, start).await?,
            (None, None) => {
                return Err(Error::Unavailable("no object store is named to this relay".into()));
            }
        };
        if body.len() as u64 != size {
            return Err(Error::Unavailable("a part of the message is damaged".into()));
        }
        let skip = usize::try_from(self.at.saturating_sub(start)).unwrap_or(usize::MAX);
        let piece = body.slice(skip.min(body.len())..);
        if piece.is_empty() {
            return Err(gone());
        }
        self.at = self.at.saturating_add(piece.len() as u64);
        Ok(Some(piece))
    }
}

/// A long body on its way out; one part of it is in memory.
pub(super) struct Long {
    pub(super) shared: Arc<Shared>,
    pub(super) parts: Parts,
}

impl Chunks for Long {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(self.parts.next(&self.shared))
    }
}

impl Shared {
    pub(super) fn part_size(&self) -> usize {
        if self.blobs.is_some() { IN_OBJECTS } else { IN_DATABASE }
    }

    /// Deletes the parts of one key that is in the table of garbage. Does nothing that must not
    /// be done twice.
    async fn delete_parts(&self, key: &[u8]) -> Result<(), Error> {
        if let Some(blobs) = &self.blobs {
            blobs.delete(key).await?;
        }
        while self.alone(DELETE, &[&key]).await? > 0 {}
        self.alone(FORGET, &[&key]).await?;
        Ok(())
    }

    /// Deletes what was left over by relays that ended before they could.
    pub(super) async fn collect_garbage(&self) -> Result<(), Error> {
        let rows = self.pool.read(GARBAGE, &[]).await?;
        for row in &rows {
            self.delete_parts(column(row, 0)?).await?;
        }
        Ok(())
    }
}

/// Deletes what becomes garbage here.
pub(super) async fn collect(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Vec<Vec<u8>>>) {
    while let Some(keys) = queue.recv().await {
        for key in keys {
            if shared.delete_parts(&key).await.is_err() {
                // It stays in the table for the next sweep.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
