//! A relay on a thread of its own, and requests written by hand: no client stands between the
//! tests and the bytes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::crypto::{self, SigningSecret};
use crate::relay::protocol::{CapabilityId, Id, Mailbox, Terms, signature};
use crate::relay::server::config::Clock;
use crate::relay::server::{self, Config, Server};
use crate::relay::store::Store;
use crate::relay::store::embedded::Embedded;
use crate::secret::Secret;
use tokio::sync::oneshot;

/// A relay whose clock the test moves.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    ahead: Arc<AtomicU64>,
    /// The operator's socket, if it has one.
    admin: Option<PathBuf>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), server::Error>>>,
}

pub(crate) fn embedded(folder: &Path, config: &Config) -> Arc<dyn Store> {
    Arc::new(Embedded::open(folder, config.quotas).unwrap())
}

impl Relay {
    pub(crate) fn start(folder: &Path, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(change, |config| embedded(folder, config), |server| server)
    }

    pub(crate) fn start_with(
        change: impl FnOnce(&mut Config),
        open: impl FnOnce(&Config) -> Arc<dyn Store>,
        dress: impl FnOnce(Server) -> Server,
    ) -> Self {
        let ahead = Arc::new(AtomicU64::new(0));
        let moved = ahead.clone();
        let mut config = Config {
            clock: Clock::new(move || unix_now() + moved.load(Ordering::Relaxed)),
            sweep_every: Duration::from_millis(50),
            ..Config::default()
        };
        change(&mut config);
        let store = open(&config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = dress(Server::new(config, store, listener).unwrap());
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            server.run(async {
                let _ = stopped.await;
            })
        });
        Self { address, ahead, admin: None, stop: Some(stop), thread: Some(thread) }
    }

    /// Starts a relay that says how many requests wait.
    pub(crate) fn start_watched(folder: &Path) -> Self {
        let admin = folder.join("admin.sock");
        let dress = |server: Server| server.with_admin(&admin).unwrap();
        let mut relay = Self::start_with(|_| {}, |config| embedded(folder, config), dress);
        relay.admin = Some(admin.clone());
        relay
    }

    /// Waits until so many requests wait for messages to come.
    pub(crate) fn until_waiting(&self, count: u64) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.waiting() != count {
            assert!(Instant::now() < until, "never did {count} requests wait");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn waiting(&self) -> u64 {
        let mut line = UnixStream::connect(self.admin.as_ref().unwrap()).unwrap();
        line.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        line.read_to_string(&mut text).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("bulla_waiting_requests "));
        count.unwrap().trim().parse().unwrap()
    }

    pub(crate) fn now(&self) -> u64 {
        unix_now() + self.ahead.load(Ordering::Relaxed)
    }

    pub(crate) fn forward(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Goes to the beginning of the next hour, so that a test does not run across one.
    pub(crate) fn forward_to_hour(&self) {
        self.forward(3600 - self.now() % 3600);
    }

    pub(crate) fn stop(mut self) -> Result<(), server::Error> {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap()
    }

    /// Sends bytes as they are and reads the answer to its end.
    pub(crate) fn raw(&self, request: &[u8]) -> Vec<u8> {
        exchange(self.address, request)
    }

    pub(crate) fn send(&self, ask: &Ask<'_>) -> Reply {
        Reply::read(&self.raw(&ask.bytes(&self.address.to_string(), self.now())))
    }

    /// Registers a mailbox and allows one capability to push there.
    pub(crate) fn mailbox(&self, key: &SigningSecret, text: &str, terms: Terms) {
        let mailbox = Mailbox(key.public());
        self.send(&ask("PUT", format!("/v1/m/{mailbox}")).signed(key)).is(201);
        self.allow(key, text, terms);
    }

    pub(crate) fn allow(&self, key: &SigningSecret, text: &str, terms: Terms) {
        let (mailbox, id) = (Mailbox(key.public()), CapabilityId::of(text));
        let target = format!("/v1/m/{mailbox}/capabilities/{id}");
        let terms = serde_json::to_vec(&terms).unwrap();
        self.send(&ask("PUT", target).body(terms).signed(key)).is(204);
    }

    pub(crate) fn push(&self, key: &SigningSecret, text: &str, body: &[u8]) -> Reply {
        self.send(&push(&Mailbox(key.public()), text, body))
    }

    pub(crate) fn owner(&self, key: &SigningSecret, method: &str, tail: &str) -> Reply {
        let target = format!("/v1/m/{}{tail}", Mailbox(key.public()));
        self.send(&ask(method, target).signed(key))
    }

    pub(crate) fn owner_json(
        &self,
        key: &SigningSecret,
        tail: &str,
        body: &serde_json::Value,
    ) -> Reply {
        let target = format!("/v1/m/{}{tail}", Mailbox(key.public()));
        self.send(&ask("POST", target).body(body.to_string()).signed(key))
    }

    /// The ids that a list shows.
    pub(crate) fn listed(&self, key: &SigningSecret) -> Vec<Id> {
        let reply = self.owner(key, "GET", "?limit=1000").is(200);
        let entries = reply.json()["messages"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["id"].as_str().unwrap().parse().unwrap()).collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A request, before it is signed.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    method: &'a str,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    key: Option<&'a SigningSecret>,
    created: Option<u64>,
    nonce: Option<[u8; 16]>,
    authority: Option<&'a str>,
}

pub(crate) fn ask(method: &str, target: impl Into<String>) -> Ask<'_> {
    Ask {
        method,
        target: target.into(),
        headers: Vec::new(),
        body: None,
        key: None,
        created: None,
        nonce: None,
        authority: None,
    }
}

pub(crate) fn push<'a>(mailbox: &Mailbox, text: &str, body: &[u8]) -> Ask<'a> {
    ask("PUT", format!("/v1/m/{mailbox}/{}", id_of(body))).bearer(text).body(body)
}

impl<'a> Ask<'a> {
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Shows a capability or token; none if the text is empty.
    pub(crate) fn bearer(self, text: &str) -> Self {
        if text.is_empty() { self } else { self.header("authorization", format!("Bearer {text}")) }
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn signed(mut self, key: &'a SigningSecret) -> Self {
        self.key = Some(key);
        self
    }

    pub(crate) fn created(mut self, created: u64) -> Self {
        self.created = Some(created);
        self
    }

    pub(crate) fn nonce(mut self, nonce: [u8; 16]) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// The name it is signed for.
    pub(crate) fn authority(mut self, authority: &'a str) -> Self {
        self.authority = Some(authority);
        self
    }

    /// The headers that prove it.
    pub(crate) fn proof(&self, host: &str, now: u64) -> Option<signature::Headers> {
        let key = self.key?;
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target.as_str(), None),
        };
        let request = signature::Request {
            method: self.method,
            authority: self.authority.unwrap_or(host),
            path,
            query,
            body: self.body.as_deref(),
        };
        let nonce = self.nonce.unwrap_or_else(|| crypto::random().unwrap());
        Some(signature::sign(&request, key, self.created.unwrap_or(now), nonce))
    }

    pub(crate) fn bytes(&self, host: &str, now: u64) -> Vec<u8> {
        self.bytes_with(host, self.proof(host, now).as_ref())
    }

    pub(crate) fn bytes_with(&self, host: &str, proof: Option<&signature::Headers>) -> Vec<u8> {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n",
            self.method, self.target
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(proof) = proof {
            if let Some(digest) = &proof.content_digest {
                text.push_str(&format!("content-digest: {digest}\r\n"));
            }
            text.push_str(&format!(
                "signature-input: {}\r\nsignature: {}\r\n",
                proof.input, proof.signature
            ));
        }
        let named = self.headers.iter().any(|(name, _)| name == "content-length");
        if let Some(body) = self.body.as_ref().filter(|_| !named) {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        [text.as_bytes(), self.body.as_deref().unwrap_or_default()].concat()
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Status line and headers, as they came.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let text = String::from_utf8_lossy(bytes);
        let end = end.unwrap_or_else(|| panic!("no answer: {text:?}"));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Demands a status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}\n\n{body}", self.head);
        self
    }

    /// Demands a refusal.
    #[track_caller]
    pub(crate) fn refuses(self, status: u16, code: &str) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert!(
            self.status == status && body.contains(&format!("\"error\":\"{code}\"")),
            "expected {status} {code}: {}\n\n{body}",
            self.head
        );
        self
    }

    /// All of it, without what differs every second.
    pub(crate) fn comparable(&self) -> (String, Vec<u8>) {
        let lines = self.head.lines().filter(|line| !line.starts_with("date:"));
        (lines.collect::<Vec<_>>().join("\n"), self.body.clone())
    }
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn key(byte: u8) -> SigningSecret {
    SigningSecret::from_seed(&Secret::from_slice(&[byte; 32]).unwrap())
}

pub(crate) fn id_of(bytes: &[u8]) -> Id {
    Id(crypto::sha256(&[bytes]))
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A text as capabilities have it.
pub(crate) const CAP: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
