//! A relay that serves: from its start to its orderly end.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::crypto;
use crate::relay::protocol::CapabilityId;
use crate::relay::server::admin::metrics::{Metrics, count};
use crate::relay::server::admin::socket::{self, SocketFile};
use crate::relay::server::app::App;
use crate::relay::server::config::Config;
use crate::relay::server::guard::Replays;
use crate::relay::server::http::body::Memory;
use crate::relay::server::http::listen::Listening;
use crate::relay::server::limits::{PublicLoad, Registrations};
use crate::relay::server::tls::Tls;
use crate::relay::store::{self, Store};

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
    /// Another relay answers on the operator's socket.
    #[error("the operator's socket {} is in use by another relay", .0.display())]
    AdminInUse(PathBuf),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
    /// Socket or thread trouble.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A relay that has its store and its socket, and does not serve yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
    sweep_every: Duration,
    connections: usize,
    tls: Option<Tls>,
    proxied: bool,
    admin: Option<SocketFile>,
    metrics: Option<TcpListener>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Takes a store and a listener over.
    ///
    /// # Errors
    ///
    /// [`Error::Nameless`] when the listener takes every address and [`Config::authorities`] is
    /// empty.
    pub fn new(
        config: Config,
        store: Arc<dyn Store>,
        listener: TcpListener,
    ) -> Result<Self, Error> {
        let address = listener.local_addr()?;
        let mut authorities: Vec<String> =
            config.authorities.iter().map(|name| name.to_ascii_lowercase()).collect();
        if authorities.is_empty() {
            if address.ip().is_unspecified() {
                return Err(Error::Nameless(address));
            }
            let own_port = if config.tls.is_some() { ":443" } else { ":80" };
            authorities.push(without_port(address.to_string(), own_port));
            if address.ip().is_loopback() {
                let local = format!("localhost:{}", address.port());
                authorities.push(without_port(local, own_port));
            }
        }
        listener.set_nonblocking(true)?;
        let app = Arc::new(App {
            store,
            authorities,
            registration: config.registration,
            quotas: config.quotas,
            message_bytes: config.message_bytes,
            ttl_hours: config.ttl_hours,
            body_pause: config.body_pause,
            started: config.clock.now(),
            clock: config.clock,
            public: CapabilityId::public(),
            load: PublicLoad::new(config.public_pushes)?,
            registrations: Registrations::new(config.registrations_hourly)?,
            replays: Replays::default(),
            memory: Memory::new(),
            metrics: Metrics::default(),
            stopping: watch::Sender::new(false),
        });
        Ok(Self {
            app,
            listener,
            address,
            sweep_every: config.sweep_every,
            connections: config.connections,
            tls: config.tls,
            proxied: config.proxied,
            admin: None,
            metrics: None,
        })
    }

    /// Serves the operator on a socket file of mode 0600 too.
    ///
    /// # Errors
    ///
    /// [`Error::AdminInUse`] when another relay does, [`Error::Io`] when it cannot be made.
    pub fn with_admin(mut self, path: &Path) -> Result<Self, Error> {
        let bound = SocketFile::bind(path).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Error::AdminInUse(path.to_owned()),
            _ => Error::Io(error),
        });
        self.admin = Some(bound?);
        Ok(self)
    }

    /// Serves `GET /metrics`, and nothing else, on a listener of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn with_metrics(mut self, listener: TcpListener) -> Result<Self, Error> {
        listener.set_nonblocking(true)?;
        self.metrics = Some(listener);
        Ok(self)
    }

    /// The names clients reach it by.
    pub fn authorities(&self) -> &[String] {
        &self.app.authorities
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
        let mut aside = tokio::task::JoinSet::new();
        aside.spawn(sweep(app.clone(), self.sweep_every));
        if let Some(admin) = &self.admin {
            aside.spawn(socket::on_socket(app.clone(), admin.listener()?));
        }
        if let Some(metrics) = self.metrics {
            let metrics = tokio::net::TcpListener::from_std(metrics)?;
            aside.spawn(socket::on_port(app.clone(), metrics));
        }
        let end = async {
            tokio::select! {
                () = stop => Ok(()),
                why = app.store.failure() => Err(store::Error::Failed(why).into()),
            }
        };
        let ending = || {
            aside.abort_all();
            app.stopping.send_replace(true);
        };
        let listening = Listening {
            listener,
            tls: self.tls,
            connections: self.connections,
            proxied: self.proxied,
        };
        listening.serve(app.clone(), end, ending).await
    }
}

/// Deletes what has expired, now and then. A failure ends the server by way of
/// [`Store::failure`].
async fn sweep(app: Arc<App>, every: Duration) {
    loop {
        if let Ok(expired) = app.store.sweep(app.clock.now()).await {
            count(&app.metrics.expired, expired);
        }
        tokio::time::sleep(every).await;
    }
}

/// The scheme's own port is not part of an authority (RFC 9110, section 4.2.3).
fn without_port(authority: String, port: &str) -> String {
    authority.strip_suffix(port).map(str::to_owned).unwrap_or(authority)
}
