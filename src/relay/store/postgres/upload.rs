//! Long messages on their way in: room is reserved, parts are added, and the last one makes them
//! a message.

use bytes::{Bytes, BytesMut};

use crate::crypto;
use crate::relay::store::postgres::cluster::{Refusal, Transaction, big, column, count};
use crate::relay::store::postgres::connection::in_time_or;
use crate::relay::store::postgres::ledger::Ledger;
use crate::relay::store::postgres::load::{self, About, Lock};
use crate::relay::store::postgres::parts::Parts;
use crate::relay::store::postgres::shared::Shared;
use crate::relay::store::postgres::{boxes, remove, writer};
use crate::relay::store::{BodyError, Chunks, Error, INLINE, Push, Put, Upload};

/// How long an upload may take, in seconds.
const PATIENCE: u64 = 24 * 3600;

const FIND: &str = "SELECT key, size, have FROM bulla.uploads
    WHERE mailbox = $1 AND capability = $2 AND id = $3 AND resumable";
const BEGIN: &str = "
    INSERT INTO bulla.uploads (key, mailbox, capability, id, size, until, resumable)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const RESERVE: &str = "UPDATE bulla.totals SET reserved = reserved + $2 WHERE lane = $1";
/// Adds a part, if it begins where the one before it ended and does not go beyond the end.
const ADD: &str = "
    WITH grown AS (
        UPDATE bulla.uploads SET have = have + $3
        WHERE key = $1 AND have = $2 AND have + $3 <= size RETURNING key
    )
    INSERT INTO bulla.parts (key, start, size, body) SELECT key, $2, $3, $4 FROM grown
    RETURNING 1";
/// Takes uploads away, of mailboxes whose rows are locked.
const DROP: &str = "
    WITH gone AS (
        DELETE FROM bulla.uploads WHERE key = ANY($1) RETURNING key, mailbox, size
    ), trash AS (INSERT INTO bulla.garbage SELECT key FROM gone
    ), purses AS (
        UPDATE bulla.tokens t SET bytes = t.bytes - p.bytes
        FROM (SELECT b.token, sum(g.size)::bigint AS bytes
              FROM gone g JOIN bulla.mailboxes b ON b.mailbox = g.mailbox
              WHERE b.token IS NOT NULL GROUP BY b.token) p
        WHERE t.id = p.token
    ), whole AS (
        UPDATE bulla.totals t SET reserved = t.reserved - g.bytes
        FROM (SELECT coalesce(sum(size), 0)::bigint AS bytes FROM gone) g WHERE t.lane = $2
    )
    SELECT key FROM gone";
/// Makes a complete upload a message; what the token was charged stays charged.
const FINISH: &str = "
    WITH whole AS (
        DELETE FROM bulla.uploads WHERE key = $1 AND have = size
        RETURNING key, mailbox, capability, id, size
    ), trash AS (INSERT INTO bulla.garbage SELECT key FROM whole WHERE $3::bytea IS NOT NULL
    ), free AS (
        UPDATE bulla.totals t SET reserved = t.reserved - w.size FROM whole w WHERE t.lane = $4
    )
    INSERT INTO bulla.messages (mailbox, id, number, size, expires, capability, upload, body)
    SELECT mailbox, id, nextval('bulla.numbers'), size, $2, capability,
           CASE WHEN $3::bytea IS NULL THEN key END, $3::bytea
    FROM whole RETURNING 1";

/// An upload that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parcel {
    pub(super) key: Vec<u8>,
    pub(super) size: u64,
    pub(super) have: u64,
}

/// What became of the wish to upload.
#[derive(Debug)]
pub(super) enum Begun {
    /// The message is there.
    Whole(Put),
    /// It may come, or go on.
    Part(Parcel),
}

fn about(push: &Push) -> About {
    let mut about = About::default();
    about.push(push.mailbox, push.capability, push.message.id);
    about
}

async fn locked(db: &Transaction<'_>, push: &Push) -> Result<Ledger, Error> {
    load::load(db.connection(), &about(push), Lock::Yes).await
}

async fn find(db: &Transaction<'_>, push: &Push) -> Result<Option<Parcel>, Error> {
    let (mailbox, by, id) = (&push.mailbox.0[..], &push.capability.0[..], &push.message.id.0[..]);
    let rows = db.ask(FIND, &[&mailbox, &by, &id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let key = column::<&[u8]>(row, 0)?.to_vec();
    Ok(Some(Parcel { key, size: count(row, 1)?, have: count(row, 2)? }))
}

impl Shared {
    /// Reserves room for a message, or finds the upload that was begun before.
    pub(super) async fn begin_upload(&self, push: Push, resumable: bool) -> Result<Begun, Refusal> {
        let db = self.pool.begin_at(&push.mailbox).await?;
        let begun = self.begin_in(&db, &push, resumable).await;
        Ok(db.end(begun).await?)
    }

    async fn begin_in(
        &self,
        db: &Transaction<'_>,
        push: &Push,
        resumable: bool,
    ) -> Result<Begun, Error> {
        let mut ledger = locked(db, push).await?;
        ledger.opens(push)?;
        if ledger.knows(push) {
            self.end_upload(db, push).await?;
            return Ok(Begun::Whole(Put::Already));
        }
        if resumable && let Some(begun) = find(db, push).await? {
            return Ok(Begun::Part(begun));
        }
        ledger.admit(push, &self.options.quotas)?;
        let key = crypto::random::<16>().map_err(|e| Error::Unavailable(e.to_string()))?.to_vec();
        let (mailbox, by) = (&push.mailbox.0[..], &push.capability.0[..]);
        let (id, size) = (&push.message.id.0[..], big(push.message.size));
        let until = big(push.now.saturating_add(PATIENCE));
        db.ask(BEGIN, &[&key, &mailbox, &by, &id, &size, &until, &resumable]).await?;
        for (token, purse) in ledger.purses.iter().filter(|(_, purse)| purse.added > 0) {
            db.ask(writer::PURSES, &[&vec![&token.0[..]], &vec![big(purse.added)]]).await?;
        }
        db.ask(RESERVE, &[&self.lane, &size]).await?;
        Ok(Begun::Part(Parcel { key, size: push.message.size, have: 0 }))
    }

    /// Ends an upload of a message that came whole meanwhile.
    async fn end_upload(&self, db: &Transaction<'_>, push: &Push) -> Result<(), Error> {
        if let Some(begun) = find(db, push).await? {
            db.ask(DROP, &[&vec![&begun.key[..]], &self.lane]).await?;
        }
        Ok(())
    }

    /// How far an upload has come.
    pub(super) async fn uploaded(&self, push: Push) -> Result<Option<Upload>, Refusal> {
        let db = self.pool.begin_at(&push.mailbox).await?;
        let found = async {
            let ledger = locked(&db, &push).await?;
            ledger.opens(&push)?;
            if ledger.knows(&push) {
                self.end_upload(&db, &push).await?;
                return Ok(Some(Upload::Whole(Put::Already)));
            }
            Ok(find(&db, &push).await?.map(|begun| Upload::Part(begun.have)))
        };
        let found: Result<_, Error> = found.await;
        Ok(db.end(found).await?)
    }

    /// A long message in one request: all of it or nothing.
    pub(super) async fn put_long(
        &self,
        push: Push,
        mut upload: Parcel,
        body: &mut dyn Chunks,
    ) -> Result<Put, Error> {
        let stored = async {
            self.receive(&push, &mut upload, body).await?;
            // `body` has said that the hash is right, or would not have ended.
            self.finish(&push, &upload, None).await
        };
        match stored.await {
            Ok(put) => Ok(put),
            Err(error) => {
                // Swept later, if this fails too.
                let _ = self.drop_upload(&push, &upload.key).await;
                Err(error)
            }
        }
    }

    /// A part of a long message.
    pub(super) async fn append(
        &self,
        push: Push,
        mut upload: Parcel,
        offset: u64,
        body: &mut dyn Chunks,
    ) -> Result<Upload, Error> {
        if upload.size != push.message.size {
            return Err(BodyError::WrongLength.into());
        }
        if upload.have != offset {
            return Err(Error::Offset { expected: upload.have });
        }
        self.receive(&push, &mut upload, body).await?;
        if upload.have < upload.size {
            return Ok(Upload::Part(upload.have));
        }
        let mut hash = crypto::Hash::default();
        let mut whole = (upload.size <= INLINE).then(BytesMut::new);
        let mut parts = Parts::new(upload.key.clone(), upload.size, 0);
        while let Some(piece) = parts.next(self).await? {
            hash.update(&piece);
            if let Some(whole) = &mut whole {
                whole.extend_from_slice(&piece);
            }
        }
        if hash.finish() != push.message.id.0 {
            self.drop_upload(&push, &upload.key).await?;
            return Err(BodyError::WrongHash.into());
        }
        let whole = whole.map(BytesMut::freeze);
        Ok(Upload::Whole(self.finish(&push, &upload, whole).await?))
    }

    /// Takes what comes, in parts of one size; keeps also what came before `body` broke off.
    async fn receive(
        &self,
        push: &Push,
        upload: &mut Parcel,
        body: &mut dyn Chunks,
    ) -> Result<(), Error> {
        let most = self.part_size();
        let mut held = BytesMut::new();
        loop {
            let piece = body.next().await;
            let over = !matches!(piece, Ok(Some(_)));
            if let Ok(Some(piece)) = &piece {
                held.extend_from_slice(piece);
            }
            while held.len() >= most || (over && !held.is_empty()) {
                let part = held.split_to(held.len().min(most)).freeze();
                self.add_part(push, upload, part).await?;
            }
            if over {
                return piece.map(drop);
            }
        }
    }

    async fn add_part(&self, push: &Push, upload: &mut Parcel, part: Bytes) -> Result<(), Error> {
        let size = part.len() as u64;
        if upload.have.saturating_add(size) > upload.size {
            return Err(BodyError::WrongLength.into());
        }
        let stored = match &self.blobs {
            Some(blobs) => {
                blobs.put(&upload.key, upload.have, part.clone()).await?;
                None
            }
            None => Some(&part[..]),
        };
        let moved = |refusal| match refusal {
            Refusal::Moved => Error::Unavailable("the mailbox is being moved".into()),
            Refusal::Store(error) => error,
        };
        let db = self.pool.begin_at(&push.mailbox).await.map_err(moved)?;
        let added = db.ask(ADD, &[&upload.key, &big(upload.have), &big(size), &stored]).await;
        if db.end(added).await?.is_empty() {
            // Another request is ahead, or it was swept.
            return Err(self.astray(push).await);
        }
        upload.have = upload.have.saturating_add(size);
        Ok(())
    }

    /// Where an upload stands that another request goes on with.
    async fn astray(&self, push: &Push) -> Error {
        match self.uploaded(*push).await {
            Ok(Some(Upload::Part(expected))) => Error::Offset { expected },
            Ok(_) => Error::Offset { expected: 0 },
            Err(Refusal::Store(error)) => error,
            Err(Refusal::Moved) => Error::Unavailable("the mailbox is being moved".into()),
        }
    }

    async fn finish(
        &self,
        push: &Push,
        upload: &Parcel,
        body: Option<Bytes>,
    ) -> Result<Put, Error> {
        let db = match self.pool.begin_at(&push.mailbox).await {
            Ok(db) => db,
            Err(Refusal::Store(error)) => return Err(error),
            Err(Refusal::Moved) => {
                return Err(Error::Unavailable("the mailbox is being moved".into()));
            }
        };
        let finished = async {
            let mut ledger = locked(&db, push).await?;
            ledger.opens(push)?;
            if ledger.knows(push) {
                db.ask(DROP, &[&vec![&upload.key[..]], &self.lane]).await?;
                return Ok(Put::Already);
            }
            if ledger.is_stale(push) {
                let asked = remove::Asked {
                    command: 0,
                    mailbox: push.mailbox,
                    id: push.message.id,
                    until: None,
                };
                in_time_or(remove::remove(db.connection(), self.lane, &[asked], u64::MAX)).await?;
            }
            let (until, body) = (big(push.message.expires), body.as_deref());
            let made = db.ask(FINISH, &[&upload.key, &until, &body, &self.lane]).await?;
            if made.is_empty() {
                return Err(Error::Unavailable("the upload was swept".into()));
            }
            ledger.count(push);
            ledger.purses.clear();
            in_time_or(writer::count(db.connection(), self.lane, &ledger)).await?;
            Ok(Put::New)
        };
        let finished: Result<Put, Error> = finished.await;
        let put = db.end(finished).await?;
        match put {
            Put::New => self.announce([push.mailbox].into()),
            Put::Already => {}
        }
        if put == Put::Already || body.is_some() {
            self.discard(vec![upload.key.clone()]);
        }
        Ok(put)
    }

    async fn drop_upload(&self, push: &Push, key: &[u8]) -> Result<(), Error> {
        let Ok(db) = self.pool.begin_at(&push.mailbox).await else { return Ok(()) };
        let dropped = async {
            match boxes::lock(&db, &push.mailbox).await {
                // Closed meanwhile, and everything with it.
                Err(Error::NoMailbox) => Ok(()),
                Err(error) => Err(error),
                Ok(()) => db.ask(DROP, &[&vec![key], &self.lane]).await.map(drop),
            }
        };
        let dropped = dropped.await;
        db.end(dropped).await?;
        self.discard(vec![key.to_vec()]);
        Ok(())
    }

    /// Takes uploads away that were not completed in time; of mailboxes that are locked.
    pub(super) async fn drop_all(&self, db: &Transaction<'_>, keys: &[&[u8]]) -> Result<(), Error> {
        db.ask(DROP, &[&keys, &self.lane]).await.map(drop)
    }
}
