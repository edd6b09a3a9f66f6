//! One cluster: its schema, and transactions that respect which slots it serves.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::relay::protocol::Mailbox;
use crate::relay::store::Error;
use crate::relay::store::postgres::connection::{Connection, Lease, Params, Pool, in_time};
use crate::relay::store::postgres::slots;

/// Versions of the schema: the n-th makes version n+1.
const VERSIONS: &[&str] = &[include_str!("schema_1.sql")];

/// Held shared by every transaction that writes, and alone while slots change hands; so whoever
/// writes knows which slots are served here until it has committed.
pub(super) const FENCE: &str = "SELECT pg_advisory_xact_lock_shared(6236411, 1)";
/// The same, alone.
pub(super) const FENCE_ALONE: &str = "SELECT pg_advisory_xact_lock(6236411, 1)";
/// Which of these slots are not served here.
pub(super) const ELSEWHERE: &str = "SELECT slot FROM bulla.elsewhere WHERE slot = ANY($1)";

/// Why a cluster did not do it.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The mailbox is another cluster's, or on its way there.
    Moved,
    /// Any other reason.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// A value of a row; a surprise is an error of the database, not a panic.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, Error> {
    row.try_get(at).map_err(|e| Error::Unavailable(format!("an answer of another shape: {e}")))
}

/// A name of 32 bytes in a row.
pub(super) fn name(row: &Row, at: usize) -> Result<[u8; 32], Error> {
    let bytes: &[u8] = column(row, at)?;
    bytes.try_into().map_err(|_| Error::Unavailable("a name of another length".into()))
}

/// A count in a row, which is never below nothing.
pub(super) fn count(row: &Row, at: usize) -> Result<u64, Error> {
    Ok(u64::try_from(column::<i64>(row, at)?).unwrap_or(0))
}

/// The same, or nothing.
pub(super) fn bound(row: &Row, at: usize) -> Result<Option<u64>, Error> {
    Ok(column::<Option<i64>>(row, at)?.map(|n| u64::try_from(n).unwrap_or(0)))
}

/// A count as the database takes it: what is beyond its greatest number is no bound at all.
pub(super) fn big(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A transaction. Rolled back when dropped, by closing its connection.
pub(super) struct Transaction<'a>(Lease<'a>);

impl Transaction<'_> {
    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }

    pub(super) async fn ask(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        in_time(self.0.ask(sql, params)).await
    }

    /// Ends it: with a commit if all went well. The answer is durable then.
    pub(super) async fn end<T, E: From<Error>>(self, outcome: Result<T, E>) -> Result<T, E> {
        match outcome {
            Ok(done) => {
                in_time(self.0.run("COMMIT")).await?;
                self.0.was_quiet()?;
                self.0.give_back();
                Ok(done)
            }
            Err(refused) => {
                // A statement that failed has aborted the transaction; this ends it too.
                if in_time(self.0.run("ROLLBACK")).await.is_ok() {
                    self.0.give_back();
                }
                Err(refused)
            }
        }
    }
}

impl Pool {
    /// Begins to write to mailboxes of these slots.
    pub(super) async fn begin(&self, slots: &[i16]) -> Result<Transaction<'_>, Refusal> {
        let lease = self.lease().await?;
        lease.prepare(&[FENCE, ELSEWHERE]).await?;
        let begun = async {
            tokio::try_join!(
                biased;
                lease.run("BEGIN"),
                async { lease.ask(FENCE, &[]).await },
                // A statement of its own, so that it sees what was decided while we waited.
                async { lease.ask(ELSEWHERE, &[&slots]).await },
            )
        };
        let (_, _, elsewhere) = in_time(begun).await?;
        let transaction = Transaction(lease);
        if elsewhere.is_empty() {
            Ok(transaction)
        } else {
            transaction.end(Err(Refusal::Moved)).await
        }
    }

    /// Begins to write to one mailbox.
    pub(super) async fn begin_at(&self, mailbox: &Mailbox) -> Result<Transaction<'_>, Refusal> {
        self.begin(&[slots::of(mailbox)]).await
    }

    /// Brings the schema to our version, and says the name of the cluster and whether a standby
    /// has what it commits. Relays that start together wait for each other.
    pub(super) async fn migrate(&self) -> Result<(String, bool), Error> {
        let open = |why: String| Error::Open { place: self.place().to_string(), why };
        let lease = self.lease().await?;
        in_time(lease.run("BEGIN; SELECT pg_advisory_xact_lock(6236411, 2)")).await?;
        let there = "SELECT to_regclass('bulla.about') IS NOT NULL";
        let there = in_time(lease.ask(there, &[])).await?;
        let version = if there.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false) {
            let rows = in_time(lease.ask("SELECT version FROM bulla.about", &[])).await?;
            rows.first().map(|row| column::<i32>(row, 0)).transpose()?.unwrap_or(0)
        } else {
            in_time(lease.run("CREATE SCHEMA bulla")).await?;
            0
        };
        let version = usize::try_from(version).unwrap_or(0);
        if version > VERSIONS.len() {
            let ours = VERSIONS.len();
            return Err(open(format!("its schema is of version {version}, expected {ours}")));
        }
        for script in VERSIONS.iter().skip(version) {
            in_time(lease.run(script)).await?;
        }
        if version == 0 {
            in_time(lease.run("INSERT INTO bulla.about (version) VALUES (1)")).await?;
        }
        let now = i32::try_from(VERSIONS.len()).unwrap_or(i32::MAX);
        in_time(lease.ask("UPDATE bulla.about SET version = $1 WHERE version <> $1", &[&now]))
            .await?;
        in_time(lease.run("COMMIT")).await?;
        lease.was_quiet()?;
        let rows = in_time(lease.ask("SELECT cluster::text FROM bulla.about", &[])).await?;
        let replicated = lease.hello.replicated;
        lease.give_back();
        let name = rows.first().map(|row| column(row, 0)).transpose()?;
        name.map(|name| (name, replicated)).ok_or_else(|| open("it has lost its name".into()))
    }
}
