//! `relay serve`.

use std::future::pending;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulla::relay::protocol::{Registration, TokenId};
use bulla::relay::server::tls::acme::Acme;
use bulla::relay::server::tls::{Certificate, Tls};
use bulla::relay::server::{Config, Server};
use bulla::relay::store::{Quotas, Store};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use super::store;
use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::notify::Manager;
use bulla::text::date;

/// Descriptors kept for the store, where there are many.
const RESERVED: usize = 4096;
/// Time between two looks at the files of a certificate.
const LOOK: Duration = Duration::from_secs(30);

pub(crate) fn run(app: &App, args: &cli::RelayServe) -> Result<Exit> {
    let mut config = Config::default();
    config.authorities.clone_from(&args.name);
    config.ttl_hours = args.ttl.as_secs().div_ceil(3600).max(1);
    config.message_bytes = args.max_message;
    config.quotas = quotas(args);
    config.proxied = args.proxied;
    config.connections = connections(args.connections);
    config.registration = match args.registration {
        cli::Registration::Open => Registration::Open,
        cli::Registration::Token => Registration::Token,
    };
    let shown = Shown::new(&args.tls, store::folder(&args.at))?;
    config.tls = shown.tls();
    if let (Shown::Acme { acme, .. }, true) = (&shown, config.authorities.is_empty()) {
        config.authorities.clone_from(&acme.domains);
    }
    let named = config.authorities.len().max(1);
    // Before the store: a second relay on one address has nothing to do with the first's store.
    let listener = listener(args)?;
    let store = store::open(app, &args.at, args.blobs.as_deref(), quotas(args))?;
    let mut server = Server::new(config, store.clone(), listener)?;
    if let Some(admin) = super::operator::socket(args.admin.as_deref(), &args.at) {
        server = server.with_admin(&admin)?;
    }
    if let Some(address) = args.metrics {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        server = server.with_metrics(listener)?;
    }
    // Scripts read the address, and know by it that the relay is there.
    let mut stdout = std::io::stdout().lock();
    // In one write: a reader may leave after the first line.
    stdout.write_all((shown.addresses(&server, named).join("\n") + "\n").as_bytes())?;
    stdout.flush()?;
    drop(stdout);
    for place in &args.at.store {
        app.ui.detail(&format!("store {}", place.display()));
    }
    let manager = Manager::from_env();
    server.run(async {
        manager.tell("READY=1");
        tokio::select! {
            () = stop() => {}
            () = shown.keep(app) => {}
            () = watch(&manager, &*store) => {}
        }
        manager.tell("STOPPING=1");
    })?;
    app.ui.detail("stopped");
    Ok(Exit::Done)
}

fn quotas(args: &cli::RelayServe) -> Quotas {
    Quotas {
        mailbox_messages: args.mailbox_messages,
        mailbox_bytes: args.mailbox_size,
        store_bytes: args.store_size,
        ..Quotas::default()
    }
}

/// The socket a socket unit hands over, else one of our own.
fn listener(args: &cli::RelayServe) -> Result<TcpListener> {
    let mut handed = listenfd::ListenFd::from_env();
    if handed.len() > 1 {
        return Err(Fail::usage("the socket unit has more than one socket").into());
    }
    let taken = handed.take_tcp_listener(0).context("the socket of the socket unit")?;
    match taken {
        Some(listener) => Ok(listener),
        None => TcpListener::bind(args.listen)
            .with_context(|| format!("cannot listen on {}", args.listen)),
    }
}

/// What the relay shows for itself, and how that is kept fresh.
enum Shown {
    /// Nothing: plain HTTP.
    Plain,
    Files {
        tls: Tls,
        certificates: PathBuf,
        key: PathBuf,
        pinned: bool,
        now: Certificate,
    },
    Acme {
        tls: Tls,
        acme: Acme,
    },
}

impl Shown {
    fn new(args: &cli::ServeTls, store: Option<&Path>) -> Result<Self> {
        let files = match (&args.online, &args.cert, &args.key) {
            (Some(online), ..) => Some((online, online)),
            (None, Some(certificates), Some(key)) => Some((certificates, key)),
            _ => None,
        };
        if let Some((certificates, key)) = files {
            let now = Certificate::read(certificates, key)?;
            let tls = Tls::new()?;
            tls.show(now.clone());
            let (certificates, key) = (certificates.clone(), key.clone());
            return Ok(Self::Files { tls, certificates, key, pinned: args.online.is_some(), now });
        }
        if args.acme.is_empty() {
            return Ok(Self::Plain);
        }
        let cache = match (&args.acme_cache, store) {
            (Some(folder), _) => folder.clone(),
            (None, Some(store)) => store.join("acme"),
            (None, None) => {
                return Err(Fail::usage("the certificate needs a folder")
                    .hint("--acme-cache DIR")
                    .into());
            }
        };
        let acme = Acme {
            domains: args.acme.iter().map(|name| name.to_ascii_lowercase()).collect(),
            contact: args.acme_contact.clone(),
            directory: args.acme_directory.clone(),
            cache,
            authorities: crate::network::authorities(),
        };
        Ok(Self::Acme { tls: Tls::new()?, acme })
    }

    fn tls(&self) -> Option<Tls> {
        match self {
            Self::Plain => None,
            Self::Files { tls, .. } | Self::Acme { tls, .. } => Some(tls.clone()),
        }
    }

    /// The addresses to hand out: one a name, which are so many, or that of the socket.
    fn addresses(&self, server: &Server, named: usize) -> Vec<String> {
        let names = server.authorities().iter().take(named);
        match self {
            Self::Plain => vec![format!("http://{}", server.address())],
            Self::Files { pinned: true, now, .. } => {
                let pin = now.pin();
                names.filter_map(|name| Some(format!("relay+https://{name}#{}", pin?))).collect()
            }
            _ => names.map(|name| format!("https://{name}")).collect(),
        }
    }

    /// Keeps what is shown fresh. Never returns.
    async fn keep(&self, app: &App) {
        match self {
            Self::Plain => pending().await,
            Self::Files { tls, certificates, key, .. } => {
                reread(app, tls, certificates, key).await;
            }
            Self::Acme { tls, acme } => {
                let report = |outcome: Result<&Certificate, &_>| match outcome {
                    Ok(new) => app.ui.detail(&format!("certificate until {}", date(new.expires()))),
                    Err(error) => app.ui.warn(&format!("{error}")),
                };
                acme.clone().keep(tls.clone(), report).await;
            }
        }
    }
}

/// Reads the files again when they change, and at once on SIGHUP. What cannot be read leaves
/// the certificate as it was: perhaps only one of the two is renewed yet.
async fn reread(app: &App, tls: &Tls, certificates: &Path, key: &Path) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return pending().await };
    let mut told = String::new();
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            () = sleep(LOOK) => false,
        };
        match Certificate::read(certificates, key) {
            Ok(new) => {
                let until = date(new.expires());
                if tls.show(new) {
                    app.ui.detail(&format!("certificate until {until}"));
                }
                told.clear();
            }
            Err(error) => {
                let text = format!("the certificate stays as it was: {error}");
                if asked || text != told {
                    app.ui.warn(&text);
                }
                told = text;
            }
        }
    }
}

/// Tells the manager that the relay is alive for as long as its store answers. Never returns.
async fn watch(manager: &Manager, store: &dyn Store) {
    let Some(silence) = manager.watchdog() else { return pending().await };
    loop {
        if is_alive(store, silence / 3).await {
            manager.tell("WATCHDOG=1");
        }
        sleep(silence / 3).await;
    }
}

/// Whether what writes the store answers. Taking away a token that nobody has goes the way of
/// every write, and changes nothing.
async fn is_alive(store: &dyn Store, patience: Duration) -> bool {
    let nobody = TokenId::of("");
    matches!(timeout(patience, store.remove_token(nobody)).await, Ok(Ok(_)))
}

/// As many connections as asked for, if there are descriptors for them: those that are left must
/// do for the store, which would have to end if it could open no file.
fn connections(asked: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if raised { maximum } else { current };
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    asked.min((limit / 2).max(limit.saturating_sub(RESERVED)))
}

/// Resolves when the relay is asked to stop.
async fn stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
