//! Mailboxes, their capabilities, and the operator's tokens.

use crate::relay::protocol::{Capability, CapabilityId, Mailbox, Terms, TokenId};
use crate::relay::store::postgres::cluster::{
    Refusal, Transaction, big, bound, column, count, name,
};
use crate::relay::store::postgres::connection::in_time;
use crate::relay::store::postgres::open::{Cluster, Distributed};
use crate::relay::store::postgres::shared::Shared;
use crate::relay::store::postgres::slots;
use crate::relay::store::{Error, Token, Totals, Usage};

const LOCK: &str = "SELECT 1 FROM bulla.mailboxes WHERE mailbox = $1 FOR NO KEY UPDATE";
const OPEN: &str = "INSERT INTO bulla.mailboxes (mailbox, slot, token) VALUES ($1, $2, $3)
    ON CONFLICT (mailbox) DO NOTHING RETURNING 1";
const SPEND: &str = "SELECT max_mailboxes, expires, used FROM bulla.tokens WHERE id = $1
    FOR NO KEY UPDATE";
const SPENT: &str = "UPDATE bulla.tokens SET used = used + 1 WHERE id = $1";
const ALL: &str = "SELECT sum(mailboxes)::bigint FROM bulla.totals";
const OPENED: &str = "UPDATE bulla.totals SET mailboxes = mailboxes + 1 WHERE lane = $1";

/// Deletes a locked mailbox with all it holds.
const CLOSE: &str = "
    WITH box AS (
        DELETE FROM bulla.mailboxes WHERE mailbox = $1 RETURNING token, messages, bytes
    ), c AS (DELETE FROM bulla.capabilities WHERE mailbox = $1
    ), a AS (DELETE FROM bulla.acked WHERE mailbox = $1
    ), m AS (DELETE FROM bulla.messages WHERE mailbox = $1 RETURNING upload
    ), u AS (DELETE FROM bulla.uploads WHERE mailbox = $1 RETURNING key, size
    ), keys AS (
        SELECT upload AS key FROM m WHERE upload IS NOT NULL UNION ALL SELECT key FROM u
    ), trash AS (INSERT INTO bulla.garbage SELECT key FROM keys
    ), reserved AS (SELECT coalesce(sum(size), 0)::bigint AS bytes FROM u
    ), purse AS (
        UPDATE bulla.tokens t SET used = t.used - 1, bytes = t.bytes - box.bytes - reserved.bytes
        FROM box, reserved WHERE t.id = box.token
    ), whole AS (
        UPDATE bulla.totals t SET mailboxes = t.mailboxes - 1, messages = t.messages - box.messages,
            bytes = t.bytes - box.bytes, reserved = t.reserved - reserved.bytes
        FROM box, reserved WHERE t.lane = $2
    )
    SELECT array(SELECT key FROM keys) FROM box";

const CAPABILITIES: &str = "
    SELECT w.slot IS NOT NULL, b.mailbox IS NOT NULL, c.id, c.expires, c.max_messages, c.max_bytes,
           c.hourly, c.total, c.pushed, c.messages, c.bytes
    FROM (VALUES (1)) one
    LEFT JOIN bulla.elsewhere w ON w.slot = $2 AND w.state <> 'leaving'
    LEFT JOIN bulla.mailboxes b ON b.mailbox = $1
    LEFT JOIN bulla.capabilities c ON c.mailbox = $1
    ORDER BY c.id";
const MANY: &str = "SELECT count(*) FROM bulla.capabilities WHERE mailbox = $1 AND id <> $2";
/// What it pushed before it was revoked is counted again.
const ALLOW: &str = "
    INSERT INTO bulla.capabilities
        (mailbox, id, expires, max_messages, max_bytes, hourly, total, messages, bytes)
    SELECT $1, $2, $3, $4, $5, $6, $7, count(*), coalesce(sum(size), 0)::bigint
    FROM bulla.messages WHERE mailbox = $1 AND capability = $2
    ON CONFLICT (mailbox, id) DO UPDATE SET
        expires = excluded.expires, max_messages = excluded.max_messages,
        max_bytes = excluded.max_bytes, hourly = excluded.hourly, total = excluded.total";
const REVOKE: &str = "DELETE FROM bulla.capabilities WHERE mailbox = $1 AND id = $2 RETURNING 1";
const USAGE: &str = "
    SELECT w.slot IS NOT NULL, b.messages, b.bytes FROM (VALUES (1)) one
    LEFT JOIN bulla.elsewhere w ON w.slot = $2 AND w.state <> 'leaving'
    LEFT JOIN bulla.mailboxes b ON b.mailbox = $1";
const TOTALS: &str = "SELECT sum(mailboxes)::bigint, sum(messages)::bigint, sum(bytes)::bigint
    FROM bulla.totals";

const ADD_TOKEN: &str = "
    INSERT INTO bulla.tokens (id, max_mailboxes, max_bytes, expires, used, bytes)
    SELECT $1, $2, $3, $4, count(*), coalesce(sum(b.bytes), 0)::bigint
    FROM bulla.mailboxes b WHERE b.token = $1
    ON CONFLICT (id) DO UPDATE SET max_mailboxes = excluded.max_mailboxes,
        max_bytes = excluded.max_bytes, expires = excluded.expires
    RETURNING 1";
const REMOVE_TOKEN: &str = "DELETE FROM bulla.tokens WHERE id = $1 RETURNING 1";
const TOKENS: &str = "SELECT id, max_mailboxes, max_bytes, expires, used FROM bulla.tokens";

/// Locks a mailbox; refuses when there is none.
pub(super) async fn lock(db: &Transaction<'_>, mailbox: &Mailbox) -> Result<(), Error> {
    match db.ask(LOCK, &[&&mailbox.0[..]]).await?.is_empty() {
        true => Err(Error::NoMailbox),
        false => Ok(()),
    }
}

impl Distributed {
    /// A token counts the mailboxes in all clusters: those of the others are looked up before,
    /// so only registrations at two clusters in the same moment can overrun it.
    pub(super) async fn register_at(
        &self,
        cluster: &Cluster,
        mailbox: Mailbox,
        token: Option<TokenId>,
        now: u64,
    ) -> Result<bool, Refusal> {
        let mut others = 0;
        if let Some(id) = token {
            for other in self.clusters.iter().filter(|other| other.name != cluster.name) {
                let tokens = other.shared.tokens().await?;
                let used = tokens.iter().find(|one| one.id == id).map_or(0, |one| one.used);
                others = used.saturating_add(others);
            }
        }
        let db = cluster.shared.pool.begin_at(&mailbox).await?;
        let outcome = cluster.shared.register(&db, mailbox, token, others, now).await;
        Ok(db.end(outcome).await?)
    }

    pub(super) async fn all_tokens(&self) -> Result<Vec<Token>, Error> {
        let mut all: Vec<Token> = Vec::new();
        for cluster in &self.clusters {
            for token in cluster.shared.tokens().await? {
                match all.iter_mut().find(|one| one.id == token.id) {
                    Some(known) => known.used = known.used.saturating_add(token.used),
                    None => all.push(token),
                }
            }
        }
        Ok(all)
    }
}

impl Shared {
    async fn register(
        &self,
        db: &Transaction<'_>,
        mailbox: Mailbox,
        token: Option<TokenId>,
        others: u64,
        now: u64,
    ) -> Result<bool, Error> {
        let key = &mailbox.0[..];
        let by = token.as_ref().map(|token| &token.0[..]);
        if db.ask(OPEN, &[&key, &slots::of(&mailbox), &by]).await?.is_empty() {
            return Ok(false);
        }
        if let Some(by) = by {
            let rows = db.ask(SPEND, &[&by]).await?;
            let row = rows.first().ok_or(Error::Token)?;
            let used = count(row, 2)?.saturating_add(others);
            if used >= count(row, 0)? || bound(row, 1)?.is_some_and(|end| end <= now) {
                return Err(Error::Token);
            }
            db.ask(SPENT, &[&by]).await?;
        }
        let rows = db.ask(ALL, &[]).await?;
        let all = rows.first().map(|row| count(row, 0)).transpose()?.unwrap_or(0);
        if all >= self.options.quotas.mailboxes {
            return Err(Error::RelayFull);
        }
        db.ask(OPENED, &[&self.lane]).await?;
        Ok(true)
    }

    pub(super) async fn close(&self, mailbox: Mailbox) -> Result<bool, Refusal> {
        let db = self.pool.begin_at(&mailbox).await?;
        let closed = async {
            match lock(&db, &mailbox).await {
                Err(Error::NoMailbox) => return Ok(None),
                outcome => outcome?,
            }
            let rows = db.ask(CLOSE, &[&&mailbox.0[..], &self.lane]).await?;
            rows.first().map(|row| column::<Vec<Vec<u8>>>(row, 0)).transpose()
        };
        let closed = closed.await;
        let garbage = db.end::<_, Error>(closed).await?;
        let there = garbage.is_some();
        self.discard(garbage.unwrap_or_default());
        Ok(there)
    }

    pub(super) async fn allow(
        &self,
        mailbox: Mailbox,
        id: CapabilityId,
        terms: Terms,
    ) -> Result<(), Refusal> {
        let db = self.pool.begin_at(&mailbox).await?;
        let allowed = async {
            lock(&db, &mailbox).await?;
            let (key, id) = (&mailbox.0[..], &id.0[..]);
            let rows = db.ask(MANY, &[&key, &id]).await?;
            let others = rows.first().map(|row| count(row, 0)).transpose()?.unwrap_or(0);
            if others >= self.options.quotas.mailbox_capabilities {
                return Err(Error::MailboxFull);
            }
            let [expires, messages, bytes, hourly, total] =
                [terms.expires, terms.messages, terms.bytes, terms.hourly, terms.total]
                    .map(|bound| bound.map(big));
            db.ask(ALLOW, &[&key, &id, &expires, &messages, &bytes, &hourly, &total]).await?;
            Ok(())
        };
        let allowed = allowed.await;
        Ok(db.end(allowed).await?)
    }

    pub(super) async fn revoke(&self, mailbox: Mailbox, id: CapabilityId) -> Result<bool, Refusal> {
        let db = self.pool.begin_at(&mailbox).await?;
        let revoked = async {
            lock(&db, &mailbox).await?;
            Ok(!db.ask(REVOKE, &[&&mailbox.0[..], &&id.0[..]]).await?.is_empty())
        };
        let revoked: Result<bool, Error> = revoked.await;
        Ok(db.end(revoked).await?)
    }

    pub(super) async fn capabilities(&self, mailbox: Mailbox) -> Result<Vec<Capability>, Refusal> {
        let rows = self.pool.read(CAPABILITIES, &[&&mailbox.0[..], &slots::of(&mailbox)]).await?;
        let mut all = Vec::new();
        for row in &rows {
            if column(row, 0)? {
                return Err(Refusal::Moved);
            }
            if !column::<bool>(row, 1)? {
                return Err(Error::NoMailbox.into());
            }
            if column::<Option<&[u8]>>(row, 2)?.is_none() {
                continue;
            }
            let terms = Terms {
                expires: bound(row, 3)?,
                messages: bound(row, 4)?,
                bytes: bound(row, 5)?,
                hourly: bound(row, 6)?,
                total: bound(row, 7)?,
            };
            all.push(Capability {
                id: CapabilityId(name(row, 2)?),
                terms,
                pushed: count(row, 8)?,
                messages: count(row, 9)?,
                bytes: count(row, 10)?,
            });
        }
        Ok(all)
    }

    pub(super) async fn usage(&self, mailbox: Mailbox) -> Result<Option<Usage>, Refusal> {
        let rows = self.pool.read(USAGE, &[&&mailbox.0[..], &slots::of(&mailbox)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        if column(row, 0)? {
            return Err(Refusal::Moved);
        }
        let (messages, bytes) = (bound(row, 1)?, bound(row, 2)?);
        Ok(messages.zip(bytes).map(|(messages, bytes)| Usage { messages, bytes }))
    }

    pub(super) async fn totals(&self) -> Result<Totals, Error> {
        let rows = self.pool.read(TOTALS, &[]).await?;
        let Some(row) = rows.first() else { return Ok(Totals::default()) };
        let waiting = Usage { messages: count(row, 1)?, bytes: count(row, 2)? };
        Ok(Totals { mailboxes: count(row, 0)?, waiting })
    }

    pub(super) async fn add_token(&self, token: &Token) -> Result<(), Error> {
        let (most, bytes) = (big(token.mailboxes), token.bytes.map(big));
        let expires = token.expires.map(big);
        self.alone(ADD_TOKEN, &[&&token.id.0[..], &most, &bytes, &expires]).await?;
        Ok(())
    }

    pub(super) async fn remove_token(&self, id: TokenId) -> Result<bool, Error> {
        Ok(self.alone(REMOVE_TOKEN, &[&&id.0[..]]).await? > 0)
    }

    /// One statement that writes, no mailbox among it; says how many rows came back.
    pub(super) async fn alone(
        &self,
        sql: &'static str,
        params: crate::relay::store::postgres::connection::Params<'_>,
    ) -> Result<usize, Error> {
        let lease = self.pool.lease().await?;
        let rows = in_time(lease.ask(sql, params)).await?.len();
        lease.was_quiet()?;
        lease.give_back();
        Ok(rows)
    }

    async fn tokens(&self) -> Result<Vec<Token>, Error> {
        let rows = self.pool.read(TOKENS, &[]).await?;
        let token = |row| {
            Ok(Token {
                id: TokenId(name(row, 0)?),
                mailboxes: count(row, 1)?,
                bytes: bound(row, 2)?,
                expires: bound(row, 3)?,
                used: count(row, 4)?,
            })
        };
        rows.iter().map(token).collect()
    }
}
