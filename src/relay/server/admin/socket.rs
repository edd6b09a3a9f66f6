//! The operator's side: HTTP on a socket file for the operator's own commands, and `/metrics`
//! alone on a TCP port for whoever collects them.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::relay::protocol::TokenId;
use crate::relay::server::admin::operator::{self, TokenRecord, Tokens, TotalsRecord};
use crate::relay::server::app::App;
use crate::relay::server::http::answer::{Content, Refusal, empty, json, of_kind};
use crate::relay::server::http::body::Upload;
use crate::relay::server::http::request::Outcome;
use crate::relay::store::Token;

/// Time for the head of a request, and for its body.
const TIME: Duration = Duration::from_secs(5);
/// Greatest body of a request.
const BODY: u64 = 4096;
/// Most requests at once.
const AT_ONCE: usize = 16;

/// A socket file that only its owner reaches; it goes when this is dropped.
pub(crate) struct SocketFile {
    listener: UnixListener,
    path: PathBuf,
}

impl SocketFile {
    /// Takes the place of a socket that nobody listens to any more.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] when somebody does.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        if UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // Made in a folder that nobody else enters, so that it never stands open.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let hidden = tempfile::Builder::new()
            .prefix(".")
            .rand_bytes(4)
            .tempdir_in(folder.unwrap_or(Path::new(".")))?;
        let first = hidden.path().join("s");
        let listener = UnixListener::bind(&first)?;
        std::fs::set_permissions(&first, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&first, path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// The listener of this socket, inside a runtime.
    pub(crate) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.listener.try_clone()?)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves the operator, until it is dropped.
pub(crate) async fn on_socket(app: Arc<App>, listener: tokio::net::UnixListener) {
    let slots = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(one(app.clone(), stream, true, slot))),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Serves the collector of metrics, until it is dropped.
pub(crate) async fn on_port(app: Arc<App>, listener: tokio::net::TcpListener) {
    let slots = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(one(app.clone(), stream, false, slot))),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// One request, then the connection is closed.
async fn one<S>(app: Arc<App>, stream: S, operator: bool, slot: tokio::sync::OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let app = app.clone();
        async move {
            let outcome = handle(&app, request, operator).await;
            Ok::<_, Infallible>(outcome.unwrap_or_else(|no| no.answer(app.clock.now())))
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(TIME).keep_alive(false);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(TIME * 4, Pin::from(Box::new(connection))).await;
    drop(slot);
}

async fn handle(app: &App, request: Request<Incoming>, is_operator: bool) -> Outcome {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let token = path.strip_prefix("/v1/tokens/");
    let mailboxes = path.strip_prefix("/v1/mailboxes");
    match (&parts.method, path) {
        (&Method::GET, "/metrics") => {
            let text = app.metrics.text(&app.store.totals().await?);
            let content = Content::Whole(Bytes::from(text));
            Ok(of_kind(StatusCode::OK, "text/plain; version=0.0.4", content))
        }
        _ if !is_operator => Err(Refusal::NoRoute),
        (&Method::GET, "/v1/totals") => {
            Ok(json(StatusCode::OK, &TotalsRecord::from(app.store.totals().await?)))
        }
        (&Method::GET, _) if mailboxes.is_some() => {
            let after = mailboxes.and_then(|rest| rest.strip_prefix('/'));
            let after = after.map(str::parse).transpose();
            let after = after.map_err(|_| Refusal::Malformed("the name is not of a mailbox"))?;
            Ok(json(StatusCode::OK, &operator::page(&*app.store, after).await?))
        }
        (&Method::GET, "/v1/tokens") => {
            let tokens = app.store.tokens().await?;
            let tokens = tokens.into_iter().map(TokenRecord::from).collect();
            Ok(json(StatusCode::OK, &Tokens { tokens }))
        }
        (&Method::POST, "/v1/tokens") => {
            let size = crate::relay::server::http::request::length(&parts)?;
            if size > BODY {
                return Err(Refusal::TooLarge);
            }
            let body = Upload::new(body, size, None, TIME).whole().await?;
            let record: TokenRecord = serde_json::from_slice(&body)
                .map_err(|_| Refusal::Malformed("the JSON is not a token"))?;
            app.store.add_token(Token::from(record)).await?;
            Ok(empty(StatusCode::CREATED))
        }
        (&Method::DELETE, _) if token.is_some() => {
            let id: Option<TokenId> = token.and_then(|text| text.parse().ok());
            let id = id.ok_or(Refusal::Malformed("the id is not a SHA-256"))?;
            let there = app.store.remove_token(id).await?;
            Ok(empty(if there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }))
        }
        _ => Err(Refusal::NoRoute),
    }
}
