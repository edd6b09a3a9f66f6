//! The open store: its clusters, the tasks that work on each, and which mailbox is where.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::relay::protocol::{Id, Mailbox};
use crate::relay::store::postgres::address::Target;
use crate::relay::store::postgres::blobs::Blobs;
use crate::relay::store::postgres::cluster::Refusal;
use crate::relay::store::postgres::coming::Coming;
use crate::relay::store::postgres::connection::Pool;
use crate::relay::store::postgres::gate::{self, Look, Seen};
use crate::relay::store::postgres::options::Options;
use crate::relay::store::postgres::shared::Shared;
use crate::relay::store::postgres::writer::{self, Command};
use crate::relay::store::postgres::{parts, shift, slots, wait};
use crate::relay::store::{Arrivals, Error, Push, Put};

/// Threads of a store with its own runtime.
const THREADS: usize = 2;
/// How often a request follows a mailbox that moves, and how long it waits between.
const FOLLOW: u32 = 30;
const FOLLOW_EVERY: Duration = Duration::from_millis(100);

/// A store over PostgreSQL.
pub struct Distributed {
    pub(super) clusters: Vec<Cluster>,
    /// The place in `clusters` of each slot.
    route: RwLock<Vec<usize>>,
    pub(super) arrivals: Arc<Arrivals>,
    // Ended when dropped.
    _tasks: JoinSet<()>,
    runtime: Option<Runtime>,
}

impl Drop for Distributed {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // May happen where nothing may block.
            runtime.shutdown_background();
        }
    }
}

/// One cluster and the ways to its writer.
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) replicated: bool,
    pub(super) shared: Arc<Shared>,
    /// To the one writer: two would halve its groups, and wait for each other's mailboxes.
    pub(super) writer: mpsc::Sender<Command>,
    pub(super) gate: mpsc::Sender<Look>,
}

impl Distributed {
    /// Opens the clusters as `Distributed::open` does, with threads of its own for its work.
    /// Blocks.
    pub fn start(urls: &[String], options: Options) -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::Unavailable(e.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("relay-store")
            .enable_all()
            .build()
            .map_err(failed)?;
        let mut this = runtime.block_on(Self::open(urls, options))?;
        this.runtime = Some(runtime);
        Ok(this)
    }

    /// Opens the clusters at these addresses (`postgres://user@host[:port][,host…]/database`),
    /// the first of which has the table of slots, and makes what is missing in them. Takes the
    /// runtime it is called in for its own work.
    pub(crate) async fn open(urls: &[String], options: Options) -> Result<Self, Error> {
        let options = Arc::new(options);
        let arrivals = Arc::new(Arrivals::default());
        let mut tasks = JoinSet::new();
        let mut clusters: Vec<Cluster> = Vec::new();
        for url in urls {
            let pool = Pool::new(Target::parse(url, &options)?);
            let (name, replicated) = pool.migrate().await?;
            if clusters.iter().any(|cluster| cluster.name == name) {
                let place = pool.place().to_string();
                return Err(Error::Open { place, why: "it is named twice".into() });
            }
            let mut cluster = Cluster::start(name, pool, &options, &arrivals, &mut tasks)?;
            cluster.replicated = replicated;
            clusters.push(cluster);
        }
        let Some(first) = clusters.first() else {
            return Err(Error::Open { place: "postgres://…".into(), why: "no address".into() });
        };
        shift::begin(&first.shared.pool).await?;
        for cluster in clusters.iter().skip(1) {
            shift::join(&first.shared.pool, &cluster.shared.pool).await?;
        }
        let this =
            Self { clusters, route: RwLock::default(), arrivals, _tasks: tasks, runtime: None };
        this.read_route().await?;
        Ok(this)
    }

    /// Whether every commit waits for a standby, in all clusters, as it was when it was opened.
    pub fn is_replicated(&self) -> bool {
        self.clusters.iter().all(|cluster| cluster.replicated)
    }

    /// Reads which cluster has which slot.
    async fn read_route(&self) -> Result<(), Error> {
        let Some(first) = self.clusters.first() else { return Ok(()) };
        let names: HashMap<&str, usize> =
            self.clusters.iter().enumerate().map(|(n, one)| (one.name.as_str(), n)).collect();
        let mut route = vec![0; usize::from(slots::SLOTS.unsigned_abs())];
        for (slot, name) in shift::route(&first.shared.pool).await? {
            let at = names.get(name.as_str()).ok_or_else(|| Error::Open {
                place: first.shared.pool.place().to_string(),
                why: format!("slot {slot} is in cluster {name}, which --store does not name"),
            })?;
            if let Some(place) = usize::try_from(slot).ok().and_then(|slot| route.get_mut(slot)) {
                *place = *at;
            }
        }
        *self.route.write().unwrap_or_else(PoisonError::into_inner) = route;
        Ok(())
    }

    pub(super) fn at(&self, mailbox: &Mailbox) -> Result<&Cluster, Error> {
        let slot = usize::try_from(slots::of(mailbox)).unwrap_or_default();
        let route = self.route.read().unwrap_or_else(PoisonError::into_inner);
        let cluster = route.get(slot).and_then(|at| self.clusters.get(*at));
        cluster.ok_or_else(|| Error::Unavailable("a slot without a cluster".into()))
    }

    /// After a cluster said that a mailbox is not its own: where is it now?
    pub(super) async fn follow(&self, steps: &mut u32) -> Result<(), Error> {
        if *steps == FOLLOW {
            return Err(Error::Unavailable("the mailbox is being moved".into()));
        }
        if *steps > 0 {
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
        *steps += 1;
        self.read_route().await
    }
}

impl Cluster {
    fn start(
        name: String,
        pool: Pool,
        options: &Arc<Options>,
        arrivals: &Arc<Arrivals>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, Error> {
        let [lane] = crate::crypto::random().map_err(|e| Error::Unavailable(e.to_string()))?;
        let (news, announced) = mpsc::unbounded_channel();
        let (trash, discarded) = mpsc::unbounded_channel();
        let blobs = options.blobs.as_deref().map(|url| Blobs::open(url, options)).transpose()?;
        let shared = Arc::new(Shared {
            pool,
            options: options.clone(),
            blobs,
            arrivals: arrivals.clone(),
            news,
            trash,
            coming: Arc::new(Coming::default()),
            lane: i16::from(lane % 16),
        });
        let (writer, queue) = mpsc::channel(writer::QUEUE);
        tasks.spawn(writer::run(shared.clone(), queue));
        let (gate, looks) = mpsc::channel(writer::QUEUE);
        tasks.spawn(gate::run(shared.clone(), looks));
        tasks.spawn(wait::run(shared.clone(), announced));
        tasks.spawn(parts::collect(shared.clone(), discarded));
        Ok(Self { name, replicated: false, shared, writer, gate })
    }

    pub(super) async fn look(&self, push: Push) -> Result<Seen, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.gate.send((push, reply)).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// Begins to store a message; the answer comes after its commit. Without a body, it only
    /// answers whether the message is there.
    pub(super) async fn send(
        &self,
        push: Push,
        body: Option<Bytes>,
    ) -> Result<oneshot::Receiver<Result<Put, Refusal>>, Error> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Put { push, body, reply };
        self.writer.send(command).await.map_err(|_| stopped())?;
        Ok(answer)
    }

    pub(super) async fn write(&self, push: Push, body: Option<Bytes>) -> Result<Put, Refusal> {
        self.send(push, body).await?.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    pub(super) async fn ack(
        &self,
        mailbox: Mailbox,
        ids: Vec<Id>,
        remember: u64,
    ) -> Result<u64, Refusal> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Ack { mailbox, ids, remember, reply };
        self.writer.send(command).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped().into()))
    }
}

pub(super) fn stopped() -> Error {
    Error::Unavailable("the relay is stopping".into())
}
