//! The sockets of a relay: accepted within bounds, put under TLS, served, let go in order.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::relay::server::admin::metrics::Held;
use crate::relay::server::app::App;
use crate::relay::server::http::answer::Answer;
use crate::relay::server::http::pace::Paced;
use crate::relay::server::http::routes::{self, Answering};
use crate::relay::server::tls::{ACME_TLS, Tls};

/// Time for the head of a request, and for the first request of a connection.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// Greatest head of a request in bytes.
const HEAD_BYTES: usize = 32 << 10;
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 64;
/// Time for the first byte of a connection, and again for its TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// TLS handshakes at once. Whoever is silent takes none of these places.
const HANDSHAKES: usize = 1024;
/// Time without new connections when the process is out of file descriptors.
const BREATH: Duration = Duration::from_millis(20);
/// Time for requests under way when the relay is asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// First byte of a TLS connection: a record of a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// For somebody who speaks plain HTTP to a port under TLS.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n\
    content-length: 73\r\nconnection: close\r\n\r\n\
    {\"error\":\"tls\",\"message\":\"the relay speaks TLS on this port: use https\"}\n";

/// How connections are taken.
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Tls>,
    /// Most connections at once.
    pub(crate) connections: usize,
    /// Whether a proxy on this machine says in `X-Forwarded-For` whom it speaks for.
    pub(crate) proxied: bool,
}

/// What every connection needs.
#[derive(Clone)]
struct Shared {
    app: Arc<App>,
    tls: Option<TlsAcceptor>,
    handshakes: Arc<Semaphore>,
    proxied: bool,
}

impl Listening {
    /// Accepts until `end` resolves, then calls `ending` and gives requests under way some time.
    /// With an error the end is at once.
    pub(crate) async fn serve<E>(
        self,
        app: Arc<App>,
        end: impl Future<Output = Result<(), E>>,
        ending: impl FnOnce(),
    ) -> Result<(), E> {
        let graceful = GracefulShutdown::new();
        let shared = Shared {
            app,
            tls: self.tls.map(|tls| TlsAcceptor::from(tls.config)),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES)),
            proxied: self.proxied,
        };
        let slots = Arc::new(Semaphore::new(self.connections));
        let (stop, stopping) = tokio::sync::watch::channel(());
        let accept = async {
            loop {
                // The semaphore is never closed.
                let Ok(slot) = slots.clone().acquire_owned().await else { return };
                let Ok((stream, peer)) = self.listener.accept().await else {
                    // Out of file descriptors, or the peer is gone already.
                    sleep(BREATH).await;
                    continue;
                };
                let (shared, watcher) = (shared.clone(), graceful.watcher());
                let mut stopping = stopping.clone();
                tokio::spawn(async move {
                    let _open = Held::new(&shared.app.metrics.connections);
                    let secured = tokio::select! {
                        secured = shared.secure(stream) => secured,
                        _ = stopping.changed() => None,
                    };
                    match secured {
                        Some(Secured::Plain(stream)) => shared.serve(stream, peer, watcher).await,
                        Some(Secured::Tls(stream)) => shared.serve(stream, peer, watcher).await,
                        None => {}
                    }
                    drop(slot);
                });
            }
        };
        let outcome = tokio::select! {
            () = accept => Ok(()),
            outcome = end => outcome,
        };
        drop(stop);
        ending();
        if outcome.is_ok() {
            let _ = timeout(GRACE, graceful.shutdown()).await;
        }
        outcome
    }
}

/// A connection that is ready for HTTP.
enum Secured {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl Shared {
    /// Does the handshake, if there is one to do. What fails here is the client's to notice.
    async fn secure(&self, mut stream: TcpStream) -> Option<Secured> {
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return Some(Secured::Plain(stream)) };
        let mut first = [0];
        let read = timeout(HANDSHAKE_TIME, stream.peek(&mut first)).await.ok()?.ok()?;
        if read == 0 {
            return None;
        }
        let _place = self.handshakes.acquire().await.ok()?;
        if first != [TLS_HANDSHAKE] {
            let _ = timeout(HANDSHAKE_TIME, stream.write_all(SPEAK_TLS)).await;
            return None;
        }
        let stream = timeout(HANDSHAKE_TIME, tls.accept(stream)).await.ok()?.ok()?;
        // The authority has seen the certificate of the challenge, and wants no more.
        if stream.get_ref().1.alpn_protocol() == Some(ACME_TLS) {
            return None;
        }
        Some(Secured::Tls(Box::new(stream)))
    }

    async fn serve<S>(&self, stream: S, peer: SocketAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let asked = Arc::new(AtomicBool::new(false));
        let service = Known {
            app: self.app.clone(),
            asked: asked.clone(),
            peer: peer.ip().to_canonical(),
            proxied: self.proxied,
        };
        let connection =
            builder().serve_connection(TokioIo::new(Paced::new(stream)), service).into_owned();
        let silent = async {
            sleep(HEAD_TIME).await;
            if asked.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // Broken connections are the client's to notice.
            _ = watcher.watch(connection) => {}
            () = silent => {}
        }
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
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

/// Tells each request whom it is from, and notes that there was one: a connection that never
/// has one is closed.
struct Known {
    app: Arc<App>,
    asked: Arc<AtomicBool>,
    peer: IpAddr,
    proxied: bool,
}

impl Service<Request<Incoming>> for Known {
    type Response = Answer;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        self.asked.store(true, Ordering::Relaxed);
        let behind = self.proxied && self.peer.is_loopback();
        let named = if behind { forwarded_for(request.headers()) } else { None };
        routes::answer(&self.app, request, Some(named.unwrap_or(self.peer)))
    }
}

/// The last address of `X-Forwarded-For`: the one the nearest proxy has seen itself. Those
/// before it are anybody's word.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    last.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nearest_proxy_is_believed() {
        let peer = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            forwarded_for(&headers).map(|address| address.to_string())
        };
        assert_eq!(peer(&["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(peer(&["192.0.2.9, 192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(peer(&["192.0.2.9", "2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(peer(&["::ffff:192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        for wrong in [&[][..], &[""], &["192.0.2.1,"], &["unknown"], &["192.0.2.1:80"]] {
            assert_eq!(peer(wrong), None);
        }
    }

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(SPEAK_TLS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
