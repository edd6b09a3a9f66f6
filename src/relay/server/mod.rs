//! The relay as a server: HTTP/1.1 and cleartext HTTP/2 on one listener.
//!
//! It prints nothing and logs nothing: no addresses, no mailboxes. Whoever runs it asks
//! [`Server::address`] where it listens and [`Server::run`] why it ended.

mod answer;
mod guard;
mod incoming;
mod routes;

use std::fmt;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, watch};

use self::guard::Replays;
use crate::relay::store;
use crate::relay::store::embedded::Embedded;
use crate::relay::store::{Quotas, Store};

/// Time for the head of a request, and for the first request of a connection.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// Greatest head of a request in bytes.
const HEAD_BYTES: usize = 32 << 10;
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 64;
/// Time for requests under way when the relay is asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Why a relay did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not be opened, or failed while serving: then the disk or its file
    /// system needs looking after before the relay runs again.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The relay listens on every address and was not told its name.
    #[error("the relay listens on {0}: it must be told the name clients use (host or host:port)")]
    Nameless(SocketAddr),
    /// Socket or thread trouble.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The time, in Unix seconds. Tests bring their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock of one's own.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The operating system's.
    pub fn system() -> Self {
        Self::new(|| {
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
        })
    }

    fn now(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How a relay runs.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Folder of the store; made when it is missing.
    pub store: PathBuf,
    /// Names clients reach the relay by, as they stand in their URLs: `relay.example`, or
    /// `host:port` where the port is not the scheme's own. A request signed for another name
    /// is refused. Empty: the address of the socket, and `localhost` if it is a loopback one.
    pub authorities: Vec<String>,
    /// SHA-256 of the token that registering takes, if it takes one.
    pub token: Option<[u8; 32]>,
    /// Bounds of the store.
    pub quotas: Quotas,
    /// Greatest message in bytes.
    pub message_bytes: u64,
    /// Hours a message is kept for.
    pub ttl_hours: u64,
    /// Longest pause in the body of a request.
    pub body_pause: Duration,
    /// Time between two sweeps of what has expired.
    pub sweep_every: Duration,
    /// Most connections at once.
    pub connections: usize,
    /// The time.
    pub clock: Clock,
}

impl Config {
    /// A relay open to all, with a gigabyte a message, 30 days, and 16,384 connections.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self {
            store: store.into(),
            authorities: Vec::new(),
            token: None,
            quotas: Quotas::default(),
            message_bytes: 1 << 30,
            ttl_hours: 30 * 24,
            body_pause: Duration::from_secs(30),
            sweep_every: Duration::from_secs(600),
            connections: 16_384,
            clock: Clock::system(),
        }
    }
}

impl fmt::Debug for Config {
    /// Without the token's hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("store", &self.store).finish_non_exhaustive()
    }
}

/// What the requests share.
struct App {
    store: Arc<dyn Store>,
    authorities: Vec<String>,
    token: Option<[u8; 32]>,
    quotas: Quotas,
    message_bytes: u64,
    ttl_hours: u64,
    body_pause: Duration,
    clock: Clock,
    /// When this process began to serve.
    started: u64,
    replays: Replays,
    stopping: watch::Sender<bool>,
}

/// A relay that has its store and its socket, and does not serve yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
    sweep_every: Duration,
    connections: usize,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the store and takes the listener over.
    ///
    /// # Errors
    ///
    /// [`store::Error::InUse`] when another relay has the store, [`Error::Nameless`] when the
    /// listener takes every address and [`Config::authorities`] is empty.
    pub fn new(config: Config, listener: TcpListener) -> Result<Self, Error> {
        let address = listener.local_addr()?;
        let mut authorities: Vec<String> =
            config.authorities.iter().map(|name| name.to_ascii_lowercase()).collect();
        if authorities.is_empty() {
            if address.ip().is_unspecified() {
                return Err(Error::Nameless(address));
            }
            authorities.push(without_default_port(address.to_string()));
            if address.ip().is_loopback() {
                let local = format!("localhost:{}", address.port());
                authorities.push(without_default_port(local));
            }
        }
        listener.set_nonblocking(true)?;
        let store = Arc::new(Embedded::open(&config.store, config.quotas)?);
        let app = Arc::new(App {
            store,
            authorities,
            token: config.token,
            quotas: config.quotas,
            message_bytes: config.message_bytes,
            ttl_hours: config.ttl_hours,
            body_pause: config.body_pause,
            started: config.clock.now(),
            clock: config.clock,
            replays: Replays::default(),
            stopping: watch::Sender::new(false),
        });
        let (sweep_every, connections) = (config.sweep_every, config.connections);
        Ok(Self { app, listener, address, sweep_every, connections })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves: then it takes no new connection, answers what is under
    /// way for at most ten seconds, and closes the store. Blocks; `stop` is polled inside the
    /// runtime this starts, so it may wait for signals with tokio.
    ///
    /// # Errors
    ///
    /// [`store::Error::Failed`] as soon as a write or sync fails: the process should end, and
    /// what was not answered was not promised.
    pub fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(self.serve(stop));
        // Requests that hang must not hold the end up; the store is closed when the last of
        // them lets go of it.
        runtime.shutdown_timeout(Duration::from_secs(1));
        outcome
    }

    async fn serve(self, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let app = self.app;
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let router = routes::router(app.clone());
        let slots = Arc::new(Semaphore::new(self.connections));
        let graceful = GracefulShutdown::new();
        let sweeper = tokio::spawn(sweep(app.clone(), self.sweep_every));
        let accept = async {
            loop {
                // The semaphore is never closed.
                let Ok(slot) = slots.clone().acquire_owned().await else { return };
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of file descriptors, or the peer is gone already.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let asked = Arc::new(AtomicBool::new(false));
                let service = Asked { inner: router.clone(), asked: asked.clone() };
                let service = TowerToHyperService::new(service);
                let connection = connection_builder()
                    .serve_connection(TokioIo::new(stream), service)
                    .into_owned();
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    let silent = async {
                        tokio::time::sleep(HEAD_TIME).await;
                        if asked.load(Ordering::Relaxed) {
                            std::future::pending::<()>().await;
                        }
                    };
                    tokio::select! {
                        // Broken connections are the client's to notice.
                        _ = connection => {}
                        () = silent => {}
                    }
                    drop(slot);
                });
            }
        };
        let outcome = tokio::select! {
            () = accept => Ok(()),
            () = stop => Ok(()),
            why = app.store.failure() => Err(store::Error::Failed(why).into()),
        };
        sweeper.abort();
        app.stopping.send_replace(true);
        if outcome.is_ok() {
            let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
        }
        outcome
    }
}

fn connection_builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIME)
        .keep_alive_timeout(HEAD_TIME)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32);
    builder
}

/// Notes that a connection has sent a request: one that never does is closed.
#[derive(Clone)]
struct Asked<S> {
    inner: S,
    asked: Arc<AtomicBool>,
}

impl<S: tower_service::Service<R>, R> tower_service::Service<R> for Asked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.asked.store(true, Ordering::Relaxed);
        self.inner.call(request)
    }
}

/// Deletes what has expired, now and then. A failure ends the server by way of
/// [`Store::failure`].
async fn sweep(app: Arc<App>, every: Duration) {
    loop {
        let _ = app.store.sweep(app.clock.now()).await;
        tokio::time::sleep(every).await;
    }
}

/// Port 80 is not part of an `http` authority (RFC 9110, section 4.2.3).
fn without_default_port(authority: String) -> String {
    authority.strip_suffix(":80").map(str::to_owned).unwrap_or(authority)
}
