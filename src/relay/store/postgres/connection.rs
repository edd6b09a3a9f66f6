//! Connections to one cluster: made to the node that takes writes, used by one at a time, thrown
//! away at the first doubt.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select_ok;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{
    AsyncMessage, Client, Config, CopyInSink, CopyOutStream, Row, SimpleQueryMessage, Statement,
};

use crate::relay::store::Error;
use crate::relay::store::postgres::address::Target;

/// How long a node may take to let us in.
const CONNECT: Duration = Duration::from_secs(3);
/// How long any answer may take. Of what was asked nothing is known after it.
const ANSWER: Duration = Duration::from_secs(10);
/// Connections that requests share.
const POOL: usize = 8;

/// Says of what a node is and sets what every session needs, in one round trip.
///
/// `synchronous_commit` below `on` answers before a standby has flushed, so it is raised;
/// `remote_apply` is kept. `idle_in_transaction_session_timeout` frees the rows that a relay
/// that stopped in the middle holds. Plans by nested loops over indexes are right for a queue at
/// any time, while its statistics are mostly of yesterday.
const HELLO: &str = "
    SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool,
           current_setting('fsync')::bool AND current_setting('full_page_writes')::bool,
           current_setting('synchronous_standby_names') <> '',
           CASE WHEN pg_is_in_recovery() THEN '' ELSE
               substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END,
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
           set_config('statement_timeout', '9s', false),
           set_config('idle_in_transaction_session_timeout', '3s', false),
           set_config('default_transaction_isolation', 'read committed', false),
           set_config('enable_seqscan', 'off', false),
           set_config('enable_hashjoin', 'off', false),
           set_config('enable_mergejoin', 'off', false),
           set_config('plan_cache_mode', 'force_generic_plan', false),
           set_config('jit', 'off', false)";

/// What a node says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hello {
    /// Whether a standby must have what is committed.
    pub(super) replicated: bool,
}

/// Parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A session at the node that takes writes.
pub(super) struct Connection {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    driver: JoinHandle<()>,
    warned: Arc<AtomicBool>,
    pub(super) hello: Hello,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Also when the node does not answer any more.
        self.driver.abort();
    }
}

/// A failure of the database, in words. None of these is a lost write: the session is closed and
/// whoever pushed repeats himself.
pub(super) fn unavailable(error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(said) if *said.code() == SqlState::DISK_FULL => Error::RelayFull,
        Some(said) => Error::Unavailable(format!("{} ({})", said.message(), said.code().code())),
        None => {
            let source = std::error::Error::source(&error).map(|e| format!(": {e}"));
            Error::Unavailable(format!("{error}{}", source.unwrap_or_default()))
        }
    }
}

/// Gives up after [`ANSWER`].
pub(super) async fn in_time<T>(
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(ANSWER, work).await {
        Ok(outcome) => outcome.map_err(unavailable),
        Err(_) => Err(Error::Unavailable("the database does not answer".into())),
    }
}

/// The same for what has its error in words already.
pub(super) async fn in_time_or<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(ANSWER, work)
        .await
        .unwrap_or_else(|_| Err(Error::Unavailable("the database does not answer".into())))
}

impl Connection {
    /// A session at the first node that takes writes. What is notified goes to `told`.
    async fn open(
        target: &Target,
        timeline: &AtomicU32,
        told: Option<&mpsc::UnboundedSender<String>>,
    ) -> Result<Self, Error> {
        let nodes = target.nodes.iter().map(|node| {
            Box::pin(async move {
                tokio::time::timeout(CONNECT, Self::at(node, target, timeline, told))
                    .await
                    .unwrap_or_else(|_| Err(Error::Unavailable("a node does not answer".into())))
            })
        });
        Ok(select_ok(nodes).await?.0)
    }

    async fn at(
        node: &Config,
        target: &Target,
        timeline: &AtomicU32,
        told: Option<&mpsc::UnboundedSender<String>>,
    ) -> Result<Self, Error> {
        let (client, mut connection) =
            node.connect(target.tls.clone()).await.map_err(unavailable)?;
        let warned = Arc::new(AtomicBool::new(false));
        let driver = tokio::spawn({
            let warned = warned.clone();
            let told = told.cloned();
            async move {
                // Messages come in the order the node sent them, so a warning is noted before
                // the answer it belongs to arrives.
                while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                    match message {
                        AsyncMessage::Notice(notice)
                            if notice.parsed_severity() == Some(Severity::Warning) =>
                        {
                            warned.store(true, Ordering::SeqCst);
                        }
                        AsyncMessage::Notification(news) => {
                            let payload = news.payload().to_owned();
                            let _ = told.as_ref().map(|told| told.send(payload));
                        }
                        _ => {}
                    }
                }
            }
        });
        let hello = Hello { replicated: false };
        let statements = Mutex::default();
        let mut this = Self { client, statements, driver, warned, hello };
        let said = this.client.simple_query(HELLO).await.map_err(unavailable)?;
        let row = said.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let says = |column| row.and_then(|row| row.get(column));
        if says(0) != Some("f") {
            return Err(Error::Unavailable("no node takes writes".into()));
        }
        if says(1) != Some("t") {
            let why = "it runs with fsync or full_page_writes off and loses what it promised";
            return Err(Error::Open { place: target.to_string(), why: why.into() });
        }
        this.hello.replicated = says(2) == Some("t");
        // A primary of the past that came back knows nothing of what was done since.
        let now = says(3).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or_default();
        if timeline.fetch_max(now, Ordering::SeqCst) > now {
            return Err(Error::Unavailable("a node is of a past timeline".into()));
        }
        // What a node warns of when it lets us in is not about a commit.
        this.warned.store(false, Ordering::SeqCst);
        Ok(this)
    }

    /// Prepares statements, so that [`Connection::ask`] sends them without a pause and many can
    /// be on their way at once, in the order they were first polled.
    pub(super) async fn prepare(&self, all: &[&'static str]) -> Result<(), Error> {
        for sql in all {
            in_time(self.statement(sql)).await?;
        }
        Ok(())
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        let known = self.statements().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements().insert(sql, statement.clone());
        Ok(statement)
    }

    fn statements(&self) -> MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows of one statement.
    pub(super) async fn ask(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, params).await
    }

    /// Statements without parameters.
    pub(super) async fn run(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }

    /// Rows on their way out, as PostgreSQL packs them.
    pub(super) async fn copy_out(&self, sql: &str) -> Result<CopyOutStream, tokio_postgres::Error> {
        self.client.copy_out(sql).await
    }

    /// Rows on their way in.
    pub(super) async fn copy_in(
        &self,
        sql: &str,
    ) -> Result<CopyInSink<Bytes>, tokio_postgres::Error> {
        self.client.copy_in(sql).await
    }

    /// Whether nothing was warned of since the last time. A commit that comes with a warning,
    /// such as that nobody waited for the standby, promises nothing.
    pub(super) fn was_quiet(&self) -> Result<(), Error> {
        if self.warned.swap(false, Ordering::SeqCst) {
            return Err(Error::Unavailable("the database did not wait for a standby".into()));
        }
        Ok(())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// Connections of one cluster.
pub(super) struct Pool {
    target: Target,
    /// The greatest timeline seen.
    timeline: AtomicU32,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

/// A connection for one piece of work. Closed when dropped, unless it was given back.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    connection: Connection,
    _permit: SemaphorePermit<'a>,
}

impl std::ops::Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Lease<'_> {
    /// Lets others use it: no transaction is open in it.
    pub(super) fn give_back(self) {
        let Self { pool, connection, _permit } = self;
        if !connection.is_closed() {
            pool.idle().push(connection);
        }
    }
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            timeline: AtomicU32::new(0),
            idle: Mutex::default(),
            permits: Semaphore::new(POOL),
        }
    }

    pub(super) fn place(&self) -> &Target {
        &self.target
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of one's own, outside of the pool.
    pub(super) async fn connect(
        &self,
        told: Option<&mpsc::UnboundedSender<String>>,
    ) -> Result<Connection, Error> {
        Connection::open(&self.target, &self.timeline, told).await
    }

    /// Waits for a free connection, and makes one when none is idle.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, Error> {
        let permit = tokio::time::timeout(ANSWER, self.permits.acquire()).await;
        let permit = permit
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| Error::Unavailable("all connections to the database are busy".into()))?;
        loop {
            let idle = self.idle().pop();
            match idle {
                Some(connection) if connection.is_closed() => {}
                Some(connection) => {
                    return Ok(Lease { pool: self, connection, _permit: permit });
                }
                None => break,
            }
        }
        let connection = self.connect(None).await?;
        Ok(Lease { pool: self, connection, _permit: permit })
    }

    /// The rows of one statement that changes nothing. Asked again when it broke, for a
    /// connection may have died unnoticed.
    pub(super) async fn read(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        let mut first = true;
        loop {
            let lease = self.lease().await?;
            match in_time(lease.ask(sql, params)).await {
                Ok(rows) => {
                    lease.give_back();
                    return Ok(rows);
                }
                Err(Error::Unavailable(_)) if first => {
                    first = false;
                    self.idle().clear();
                }
                Err(error) => return Err(error),
            }
        }
    }
}
