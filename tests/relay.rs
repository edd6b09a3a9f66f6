//! The relay over a real loopback socket: every command, every refusal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in its helpers"
)]

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use bulla::crypto;
use bulla::crypto::SigningSecret;
use bulla::relay::client::{Client, Options, Pushed};
use bulla::relay::error::Error;
use bulla::relay::protocol::{Entry, Id, Mailbox, WINDOW};
use bulla::relay::pull;
use bulla::relay::pull::Delivered;
use bulla::relay::server;
use bulla::relay::server::{Clock, Config, Server};
use bulla::relay::signature;
use bulla::relay::signature::Headers;
use bulla::relay::spool::Spool;
use bulla::relay::store;
use bulla::secret::Secret;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A relay on a thread of its own, with a clock that the test can move.
struct Relay {
    address: SocketAddr,
    ahead: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), server::Error>>>,
}

impl Relay {
    fn start(folder: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let ahead = Arc::new(AtomicU64::new(0));
        let moved = ahead.clone();
        let mut config = Config::new(folder);
        config.clock = Clock::new(move || unix_now() + moved.load(Ordering::Relaxed));
        config.sweep_every = Duration::from_millis(50);
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::new(config, listener).unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            server.run(async {
                let _ = stopped.await;
            })
        });
        Self { address, ahead, stop: Some(stop), thread: Some(thread) }
    }

    fn client(&self) -> Client {
        client(&format!("http://{}", self.address))
    }

    fn forward(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    fn stop(mut self) -> Result<(), server::Error> {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap()
    }

    /// Sends bytes as they are and reads the answer to its end.
    fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends an owner's request signed by hand, changed on its way by `change`.
    fn signed(&self, case: &Case<'_>, change: impl FnOnce(&mut Headers)) -> String {
        let authority = self.address.to_string();
        let mut headers = case.sign(&authority, crypto::random().unwrap());
        change(&mut headers);
        self.raw(&case.bytes(&authority, &headers))
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

/// A request as an owner makes it.
#[derive(Clone, Copy)]
struct Case<'a> {
    method: &'a str,
    mailbox: Mailbox,
    tail: &'a str,
    body: Option<&'a [u8]>,
    key: &'a SigningSecret,
    created: u64,
}

impl Case<'_> {
    fn target(&self) -> String {
        format!("/v1/m/{}{}", self.mailbox, self.tail)
    }

    fn sign(&self, authority: &str, nonce: [u8; 16]) -> Headers {
        let target = self.target();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target.as_str(), None),
        };
        let body = self.body;
        let request = signature::Request { method: self.method, authority, path, query, body };
        signature::sign(&request, self.key, self.created, nonce)
    }

    fn bytes(&self, authority: &str, headers: &Headers) -> Vec<u8> {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\nsignature-input: {}\r\n\
             signature: {}\r\n",
            self.method,
            self.target(),
            headers.input,
            headers.signature
        );
        if let Some(digest) = &headers.content_digest {
            text.push_str(&format!("content-digest: {digest}\r\n"));
        }
        let body = self.body.unwrap_or_default();
        text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        [text.as_bytes(), body].concat()
    }
}

fn list_case(key: &SigningSecret) -> Case<'_> {
    let mailbox = Mailbox(key.public());
    Case { method: "GET", mailbox, tail: "?limit=5", body: None, key, created: unix_now() }
}

fn client(url: &str) -> Client {
    let mut options = Options::default();
    options.timeout = Duration::from_secs(5);
    options.retries = 2;
    Client::new(url, options).unwrap()
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn key(byte: u8) -> SigningSecret {
    SigningSecret::from_seed(&Secret::from_slice(&[byte; 32]).unwrap())
}

fn id_of(bytes: &[u8]) -> Id {
    Id(crypto::sha256(&[bytes]))
}

fn push(client: &Client, key: &SigningSecret, bytes: &[u8]) -> Result<Pushed, Error> {
    let mailbox = Mailbox(key.public());
    client.push(&mailbox, &id_of(bytes), &mut Cursor::new(bytes), bytes.len() as u64)
}

fn list(client: &Client, key: &SigningSecret) -> Vec<Entry> {
    client.list(key, Duration::ZERO, 1000).unwrap()
}

fn fetch(client: &Client, key: &SigningSecret, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let entry = Entry { id: id_of(bytes), size: bytes.len() as u64, expires: 0 };
    let mut out = Vec::new();
    client.fetch(key, &entry, &mut out).map(|()| out)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn code(error: &Error) -> &str {
    match error {
        Error::Refused { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_command() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let (client, key) = (relay.client(), key(1));
    let info = client.info().unwrap();
    assert_eq!((info.protocol.as_str(), info.versions.min), ("bulla-relay", 1));

    assert!(matches!(push(&client, &key, b"one"), Err(Error::NoMailbox)));
    assert!(client.register(&key, None).unwrap());
    assert!(!client.register(&key, None).unwrap());
    assert!(list(&client, &key).is_empty());

    let long = vec![7u8; 3 << 20];
    let bodies: [&[u8]; 4] = [b"one", b"two", &long, &long[..256 << 10]];
    for body in bodies {
        assert_eq!(push(&client, &key, body).unwrap(), Pushed::New);
        assert_eq!(push(&client, &key, body).unwrap(), Pushed::Already);
    }
    let entries = list(&client, &key);
    assert_eq!(entries.iter().map(|e| e.id).collect::<Vec<_>>(), bodies.map(id_of));
    for (entry, body) in entries.iter().zip(bodies) {
        assert_eq!(entry.size, body.len() as u64);
        assert!(entry.expires % 3600 == 0 && entry.expires > unix_now() + 719 * 3600);
        assert_eq!(fetch(&client, &key, body).unwrap(), body);
    }
    let two = client.list(&key, Duration::ZERO, 2).unwrap();
    assert_eq!(two, entries[..2]);
    let status = client.status(&key).unwrap();
    let bytes: usize = bodies.iter().map(|body| body.len()).sum();
    assert_eq!((status.messages, status.bytes), (4, bytes as u64));
    assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 1);

    let ids = [id_of(b"one"), id_of(&long), id_of(b"never there")];
    assert_eq!(client.ack(&key, &ids).unwrap(), 2);
    assert_eq!(client.ack(&key, &ids).unwrap(), 0);
    assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 0);
    assert!(matches!(fetch(&client, &key, b"one"), Err(Error::NoMessage(_))));
    assert_eq!(list(&client, &key).len(), 2);
    // A push repeated late brings nothing back.
    assert_eq!(push(&client, &key, b"one").unwrap(), Pushed::Already);
    assert_eq!(push(&client, &key, &long).unwrap(), Pushed::Already);
    assert_eq!(client.status(&key).unwrap().messages, 2);

    client.close(&key).unwrap();
    assert!(matches!(client.close(&key), Err(Error::NoMailbox)));
    assert!(matches!(client.status(&key), Err(Error::NoMailbox)));
    assert!(matches!(push(&client, &key, b"two"), Err(Error::NoMailbox)));
    // Registered again, it is empty and remembers nothing.
    assert!(client.register(&key, None).unwrap());
    assert!(list(&client, &key).is_empty());
    assert_eq!(push(&client, &key, b"two").unwrap(), Pushed::New);
    relay.stop().unwrap();
}

#[test]
fn what_is_stored_survives_a_restart_and_orphans_do_not() {
    let folder = folder();
    let long = vec![9u8; 300 << 10];
    let relay = Relay::start(folder.path(), |_| {});
    let client = relay.client();
    client.register(&key(1), None).unwrap();
    for body in [b"short".as_slice(), &long, b"gone"] {
        push(&client, &key(1), body).unwrap();
    }
    client.ack(&key(1), &[id_of(b"gone")]).unwrap();
    let second = Server::new(Config::new(folder.path()), TcpListener::bind("127.0.0.1:0").unwrap());
    assert!(matches!(second, Err(server::Error::Store(store::Error::InUse(_)))));
    relay.stop().unwrap();

    std::fs::write(folder.path().join("bodies/b-orphan"), "half a body").unwrap();
    let relay = Relay::start(folder.path(), |_| {});
    let client = relay.client();
    assert_eq!(list(&client, &key(1)).len(), 2);
    assert_eq!(fetch(&client, &key(1), &long).unwrap(), long);
    assert_eq!(push(&client, &key(1), b"gone").unwrap(), Pushed::Already);
    assert_eq!(push(&client, &key(1), b"new").unwrap(), Pushed::New);
    assert_eq!(list(&client, &key(1)).last().unwrap().id, id_of(b"new"));
    let status = client.status(&key(1)).unwrap();
    assert_eq!((status.messages, status.bytes), (3, 8 + (300 << 10)));
    assert!(!folder.path().join("bodies/b-orphan").exists());
}

#[test]
fn registering_may_take_a_token() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| {
        config.token = Some(crypto::sha256(&[b"let me in"]));
    });
    let client = relay.client();
    let token = |text: &str| bulla::secret::SecretString::new(text.to_owned());
    assert_eq!(code(&client.register(&key(1), None).unwrap_err()), "token");
    assert_eq!(code(&client.register(&key(1), Some(&token("let me"))).unwrap_err()), "token");
    assert!(client.register(&key(1), Some(&token("let me in"))).unwrap());
    assert!(!client.register(&key(1), None).unwrap());
}

#[test]
fn signatures_replayed_stale_forged_or_for_another_relay() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let (owner, stranger) = (key(1), key(2));
    relay.client().register(&owner, None).unwrap();
    let case = list_case(&owner);
    let has = |answer: &str, status: u16, code: &str| {
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} "))
                && answer.contains(&format!("\"error\":\"{code}\"")),
            "expected {status} {code}: {answer}"
        );
    };

    let authority = relay.address.to_string();
    let once = case.bytes(&authority, &case.sign(&authority, [9; 16]));
    assert!(relay.raw(&once).starts_with("HTTP/1.1 200 "));
    has(&relay.raw(&once), 401, "replayed");

    for created in [case.created - WINDOW - 5, case.created + WINDOW + 5] {
        let answer = relay.signed(&Case { created, ..case }, |_| {});
        has(&answer, 401, "stale");
        assert!(answer.to_lowercase().contains("\r\ndate: "));
    }
    let other = case.bytes("other.example", &case.sign("other.example", [3; 16]));
    has(&relay.raw(&other), 421, "misdirected");
    // Signed for another relay, sent to this one.
    let passed_on = case.bytes(&authority, &case.sign("other.example", [4; 16]));
    has(&relay.raw(&passed_on), 401, "signature");

    // A stranger who names the owner's key.
    let answer = relay.signed(&Case { key: &stranger, ..case }, |headers| {
        headers.input = headers
            .input
            .replace(&Mailbox(stranger.public()).to_string(), &case.mailbox.to_string());
    });
    has(&answer, 401, "signature");
    has(&relay.signed(&case, |h| h.signature = "bulla=:AAAA:".into()), 401, "signature");
    has(&relay.signed(&case, |h| h.input = h.input.replace("\"@path\" ", "")), 401, "signature");
    let target = case.target();
    let bare = format!("GET {target} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    has(&relay.raw(bare.as_bytes()), 401, "signature");

    // A body other than the signed one, and one without a digest.
    let body = br#"{"ids":[]}"#;
    let ack = Case { method: "POST", tail: "/ack", body: Some(body), ..case };
    assert!(relay.signed(&ack, |_| {}).starts_with("HTTP/1.1 200 "));
    let digest = |text: &[u8]| Some(signature::content_digest(text));
    has(&relay.signed(&ack, |h| h.content_digest = digest(b"{}")), 401, "signature");
    has(&relay.signed(&ack, |h| h.content_digest = None), 401, "signature");
}

#[test]
fn a_signature_from_before_the_start_is_stale() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    relay.client().register(&key(1), None).unwrap();
    relay.stop().unwrap();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    let created = unix_now() - 5;
    let answer = relay.signed(&Case { created, ..list_case(&owner) }, |_| {});
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("stale"), "{answer}");
}

#[test]
fn a_client_with_a_wrong_clock_corrects_itself() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    relay.forward(100 * 24 * 3600);
    let client = relay.client();
    assert!(client.register(&key(1), None).unwrap());
    assert_eq!(client.status(&key(1)).unwrap().messages, 0);
}

/// An answer without what differs every second.
fn comparable(answer: &str) -> String {
    answer.lines().filter(|line| !line.to_lowercase().starts_with("date:")).collect()
}

#[test]
fn unknown_closed_and_foreign_mailboxes_are_one_answer() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let client = relay.client();
    let (known, closed, unknown, stranger) = (key(1), key(2), key(3), key(4));
    client.register(&known, None).unwrap();
    client.register(&closed, None).unwrap();
    push(&client, &known, b"here").unwrap();
    push(&client, &closed, b"here").unwrap();
    client.close(&closed).unwrap();
    let here = format!("/{}", id_of(b"here"));
    let ids = format!(r#"{{"ids":["{}"]}}"#, id_of(b"here"));
    let routes: [(&str, &str, Option<&[u8]>); 5] = [
        ("GET", "?wait=0", None),
        ("GET", &here, None),
        ("GET", "/status", None),
        ("POST", "/ack", Some(ids.as_bytes())),
        ("DELETE", "", None),
    ];
    let mut answers = BTreeSet::new();
    for (method, tail, body) in routes {
        for (mailbox, key) in [
            (&unknown, &unknown),
            (&closed, &closed),
            (&known, &stranger),
            (&closed, &stranger),
            (&unknown, &stranger),
        ] {
            let mailbox = Mailbox(mailbox.public());
            let case = Case { method, mailbox, tail, body, key, created: unix_now() };
            let answer = relay.signed(&case, |_| {});
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
            answers.insert(comparable(&answer));
        }
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert_eq!(client.status(&known).unwrap().messages, 1);
}

#[test]
fn pushes_that_are_refused() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| {
        config.message_bytes = 1 << 20;
        config.body_pause = Duration::from_millis(400);
    });
    let client = relay.client();
    client.register(&key(1), None).unwrap();
    let mailbox = Mailbox(key(1).public());
    let head = |id: &str, rest: &str| {
        format!("PUT /v1/m/{mailbox}/{id} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}\r\n")
    };
    let id = id_of(b"hello").to_string();
    let answer = |request: String| relay.raw(request.as_bytes());
    let has = |answer: String, status: u16, code: &str| {
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(code),
            "expected {status} {code}: {answer}"
        );
    };

    for size in [5usize, 300 << 10] {
        let wrong = vec![b'x'; size];
        let pushed = client.push(&mailbox, &id_of(b"hello"), &mut Cursor::new(&wrong), size as u64);
        assert_eq!(code(&pushed.unwrap_err()), "wrong_hash");
    }
    has(answer(head(&id, "content-length: 0\r\n")), 400, "malformed");
    has(answer(head("ab", "content-length: 5\r\n") + "hello"), 400, "malformed");
    has(answer(head(&id.to_uppercase(), "content-length: 5\r\n") + "hello"), 400, "malformed");
    has(answer(head(&id, "transfer-encoding: chunked\r\n") + "0\r\n\r\n"), 411, "length");
    // The refusal comes before the body: none is sent here.
    let large = format!("content-length: {}\r\nexpect: 100-continue\r\n", (1 << 20) + 1);
    has(answer(head(&id, &large)), 413, "too_large");
    let pushed = push(&client, &key(1), &vec![0; (1 << 20) + 1]).unwrap_err();
    assert_eq!(code(&pushed), "too_large");
    // Half a body, then nothing; then a body that ends too early.
    has(answer(head(&id, "content-length: 5\r\n") + "he"), 408, "slow");
    for size in [5, 300 << 10] {
        let mut stream = TcpStream::connect(relay.address).unwrap();
        stream.write_all(head(&id, &format!("content-length: {size}\r\n")).as_bytes()).unwrap();
        stream.write_all(b"he").unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!(list(&client, &key(1)).is_empty());
    assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 0);
    assert_eq!(push(&client, &key(1), b"hello").unwrap(), Pushed::New);
}

#[test]
fn heads_and_bodies_are_bounded() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.client().register(&owner, None).unwrap();
    let huge = format!("GET /v1/info HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(64 << 10));
    assert!(relay.raw(huge.as_bytes()).starts_with("HTTP/1.1 431 "));
    assert!(relay.raw(b"what is this\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let body = vec![b' '; 200 << 10];
    let ack = Case { method: "POST", tail: "/ack", body: Some(&body), ..list_case(&owner) };
    assert!(relay.signed(&ack, |_| {}).starts_with("HTTP/1.1 413 "));
    let many: Vec<Id> = (0..1001u32).map(|n| id_of(&n.to_be_bytes())).collect();
    let body = serde_json::to_vec(&serde_json::json!({ "ids": many })).unwrap();
    let ack = Case { body: Some(&body), ..ack };
    assert!(relay.signed(&ack, |_| {}).starts_with("HTTP/1.1 413 "));
    // The client splits them.
    assert_eq!(relay.client().ack(&owner, &many).unwrap(), 0);
    for body in [&b"{"[..], b"{\"ids\":[\"x\"]}", b"{}"] {
        let ack = Case { body: Some(body), ..ack };
        assert!(relay.signed(&ack, |_| {}).starts_with("HTTP/1.1 400 "));
    }
    let bad = Case { tail: "?wait=soon", ..list_case(&owner) };
    assert!(relay.signed(&bad, |_| {}).starts_with("HTTP/1.1 400 "));
    let close = "host: x\r\nconnection: close\r\n\r\n";
    let answer = relay.raw(format!("PATCH /v1/info HTTP/1.1\r\n{close}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\"method\""));
    let answer = relay.raw(format!("GET /v2/info HTTP/1.1\r\n{close}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("\"no_route\""));
}

#[test]
fn http_2_without_tls_is_spoken() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let mut stream = TcpStream::connect(relay.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "a SETTINGS frame comes first");
}

#[test]
fn quotas_hold_against_many_at_once() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| {
        config.quotas.mailbox_messages = 10;
        config.quotas.mailbox_bytes = 5 << 20;
        config.quotas.store_bytes = 8 << 20;
        config.quotas.mailboxes = 3;
    });
    let client = relay.client();
    for byte in 1..=3 {
        client.register(&key(byte), None).unwrap();
    }
    assert!(matches!(client.register(&key(4), None), Err(Error::Full(_))));
    let new = std::thread::scope(|scope| {
        let pushers: Vec<_> = (0..8u8)
            .map(|thread| {
                let client = &client;
                scope.spawn(move || {
                    (0..5u8).filter(|n| push(client, &key(1), &[thread, *n]).is_ok()).count()
                })
            })
            .collect();
        pushers.into_iter().map(|p| p.join().unwrap()).sum::<usize>()
    });
    assert_eq!(new, 10);
    assert!(matches!(push(&client, &key(1), b"more"), Err(Error::Full(_))));
    let large = |byte: u8| vec![byte; 2 << 20];
    assert!(push(&client, &key(2), &large(1)).is_ok());
    assert!(push(&client, &key(2), &large(2)).is_ok());
    assert!(matches!(push(&client, &key(2), &large(3)), Err(Error::Full(_))));
    assert!(push(&client, &key(3), &large(1)).is_ok());
    assert!(matches!(push(&client, &key(3), &large(2)), Err(Error::Full(_))), "the whole store");
    // What is taken out makes room.
    let ids: Vec<Id> = list(&client, &key(1)).iter().map(|e| e.id).collect();
    client.ack(&key(1), &ids).unwrap();
    client.ack(&key(2), &[id_of(&large(1))]).unwrap();
    assert!(push(&client, &key(3), &large(2)).is_ok());
    assert!(push(&client, &key(1), b"more").is_ok());
}

#[test]
fn many_pushers_of_one_message_make_one() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let client = relay.client();
    client.register(&key(1), None).unwrap();
    for body in [vec![1u8; 1000], vec![2u8; 400 << 10]] {
        let new = std::thread::scope(|scope| {
            let pushers: Vec<_> =
                (0..12).map(|_| scope.spawn(|| push(&client, &key(1), &body).unwrap())).collect();
            pushers
                .into_iter()
                .filter_map(|p| (p.join().unwrap() == Pushed::New).then_some(()))
                .count()
        });
        assert_eq!(new, 1);
    }
    assert_eq!(list(&client, &key(1)).len(), 2);
    assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 1);
}

#[test]
fn what_has_expired_is_gone() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| {
        config.ttl_hours = 2;
        // Expiry is seen without any sweep.
        config.sweep_every = Duration::from_secs(3600);
    });
    let client = relay.client();
    let long = vec![1u8; 300 << 10];
    client.register(&key(1), None).unwrap();
    push(&client, &key(1), b"short").unwrap();
    push(&client, &key(1), &long).unwrap();
    relay.forward(3600 + 3599);
    assert_eq!(list(&client, &key(1)).len(), 2);
    relay.forward(3602);
    assert!(list(&client, &key(1)).is_empty());
    assert!(matches!(fetch(&client, &key(1), b"short"), Err(Error::NoMessage(_))));
    // It may come again, as a new message.
    assert_eq!(push(&client, &key(1), b"short").unwrap(), Pushed::New);
    assert_eq!(push(&client, &key(1), &long).unwrap(), Pushed::New);
    assert_eq!(client.status(&key(1)).unwrap().messages, 2);
    assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 1);
}

#[test]
fn sweeping_frees_what_expired_and_forgets_old_acks() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| config.ttl_hours = 2);
    let client = relay.client();
    client.register(&key(1), None).unwrap();
    push(&client, &key(1), b"acked").unwrap();
    client.ack(&key(1), &[id_of(b"acked")]).unwrap();
    push(&client, &key(1), &vec![1u8; 300 << 10]).unwrap();
    relay.forward(4 * 3600);
    let until = Instant::now() + Duration::from_secs(10);
    while client.status(&key(1)).unwrap().messages > 0 {
        assert!(Instant::now() < until, "never swept");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 0);
    assert_eq!(push(&client, &key(1), b"acked").unwrap(), Pushed::Already);
    relay.forward(26 * 3600);
    assert_eq!(push(&client, &key(1), b"acked").unwrap(), Pushed::New);
}

#[test]
fn a_waiting_list_wakes_up() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let client = relay.client();
    for byte in [1, 2] {
        client.register(&key(byte), None).unwrap();
    }
    let start = Instant::now();
    assert!(client.list(&key(1), Duration::from_secs(1), 5).unwrap().is_empty());
    assert!(start.elapsed() >= Duration::from_secs(1));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let start = Instant::now();
            (client.list(&key(1), Duration::from_secs(20), 5).unwrap(), start.elapsed())
        });
        std::thread::sleep(Duration::from_millis(200));
        push(&relay.client(), &key(2), b"for another").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        push(&relay.client(), &key(1), b"at last").unwrap();
        let (entries, time) = waiting.join().unwrap();
        assert_eq!(entries[0].id, id_of(b"at last"));
        assert!(time > Duration::from_millis(350) && time < Duration::from_secs(10), "{time:?}");
    });
    // A relay that stops lets nobody wait.
    client.ack(&key(1), &[id_of(b"at last")]).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.list(&key(1), Duration::from_secs(30), 5));
        std::thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        relay.stop().unwrap();
        assert!(waiting.join().unwrap().unwrap().is_empty());
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    });
}

#[test]
fn pulling_delivers_marks_and_acknowledges() {
    let folder = folder();
    let relay = Relay::start(&folder.path().join("relay"), |_| {});
    let (client, key) = (relay.client(), key(1));
    client.register(&key, None).unwrap();
    let long = vec![5u8; 400 << 10];
    let bodies: [&[u8]; 3] = [b"one", &long, b"three"];
    for body in bodies {
        push(&client, &key, body).unwrap();
    }
    let mut spool = Spool::open(folder.path().join("spool")).unwrap();
    let mut got: Vec<Id> = Vec::new();
    let run = |spool: &mut Spool,
               options: pull::Options,
               got: &mut Vec<Id>,
               answer: &dyn Fn(Id) -> Result<Delivered, String>| {
        got.clear();
        pull::pull(&client, &key, spool, options, |id, file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            assert_eq!(id_of(&bytes), id);
            got.push(id);
            answer(id)
        })
    };
    let ids = bodies.map(id_of);
    let all = pull::Options::default();
    let mut peek = all;
    peek.peek = true;

    for _ in 0..2 {
        let report = run(&mut spool, peek, &mut got, &|_| Ok(Delivered::Yes)).unwrap();
        assert_eq!((report.delivered, report.acknowledged), (3, 0));
        assert_eq!(got, ids);
    }
    // A function that fails stops the pull; the message comes again.
    let fail = |id| if id == ids[1] { Err("disk full".to_owned()) } else { Ok(Delivered::Yes) };
    let stopped = run(&mut spool, all, &mut got, &fail).unwrap_err();
    assert_eq!(stopped.to_string(), "disk full");
    assert_eq!(got, ids[..2]);
    // One that is put off does not hold up the others.
    let later = |id| Ok(if id == ids[1] { Delivered::Later } else { Delivered::Yes });
    let report = run(&mut spool, all, &mut got, &later).unwrap();
    assert_eq!((report.delivered, report.later, report.acknowledged), (1, 1, 2));
    assert_eq!(got, ids[1..]);
    assert_eq!(list(&client, &key).iter().map(|e| e.id).collect::<Vec<_>>(), [ids[1]]);
    let mut one = all;
    one.limit = 1;
    let report = run(&mut spool, one, &mut got, &|_| Ok(Delivered::Yes)).unwrap();
    assert_eq!((report.delivered, got.as_slice()), (1, &ids[1..2]));
    // It had its limit from the spool alone, and told the relay all the same.
    assert_eq!(report.acknowledged, 1);
    let report = run(&mut spool, all, &mut got, &|_| Ok(Delivered::Yes)).unwrap();
    assert_eq!((report.delivered, report.acknowledged), (0, 0));
    assert!(list(&client, &key).is_empty() && spool.waiting().is_empty());

    // Waiting is for the first message only, and not done by asking again and again.
    let mut wait = all;
    wait.wait = Duration::from_secs(20);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            push(&relay.client(), &key, b"four").unwrap();
        });
        let report = run(&mut spool, wait, &mut got, &|_| Ok(Delivered::Yes)).unwrap();
        assert_eq!((report.delivered, report.acknowledged), (1, 1));
    });
    assert!(start.elapsed() < Duration::from_secs(10));
    wait.wait = Duration::from_millis(600);
    let report = run(&mut spool, wait, &mut got, &|_| Ok(Delivered::Yes)).unwrap();
    assert_eq!(report.delivered, 0);
}

/// The folder of bodies vanishes under a push: its sync fails, so the push gets no promise
/// and the relay ends.
#[test]
fn a_failed_sync_ends_the_relay() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    relay.client().register(&key(1), None).unwrap();
    let body = vec![3u8; 300 << 10];
    let mut stream = TcpStream::connect(relay.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mailbox, id) = (Mailbox(key(1).public()), id_of(&body));
    let length = body.len();
    let head =
        format!("PUT /v1/m/{mailbox}/{id} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..1000]).unwrap();
    let bodies = folder.path().join("bodies");
    let until = Instant::now() + Duration::from_secs(5);
    while std::fs::read_dir(&bodies).unwrap().count() == 0 {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_dir_all(&bodies).unwrap();
    stream.write_all(&body[1000..]).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    let mut relay = relay;
    let outcome = relay.thread.take().unwrap().join().unwrap();
    assert!(matches!(outcome, Err(server::Error::Store(store::Error::Failed(_)))), "{outcome:?}");
}

#[test]
fn a_relay_on_every_address_wants_a_name() {
    let folder = folder();
    let listener = || TcpListener::bind("0.0.0.0:0").unwrap();
    let nameless = Server::new(Config::new(folder.path()), listener());
    assert!(matches!(nameless, Err(server::Error::Nameless(_))));
    let mut config = Config::new(folder.path());
    config.authorities = vec!["Relay.Example".into()];
    assert!(Server::new(config, listener()).is_ok());
}

/// A body that nobody holds whole: `size` bytes that depend on their place.
struct Generated {
    at: u64,
    size: u64,
}

impl std::io::Read for Generated {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let count = (self.size - self.at).min(buf.len() as u64) as usize;
        buf[..count].iter_mut().zip(self.at..).for_each(|(byte, at)| *byte = (at / 97) as u8);
        self.at += count as u64;
        Ok(count)
    }
}

impl std::io::Seek for Generated {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        match to {
            std::io::SeekFrom::Start(at) => self.at = at,
            std::io::SeekFrom::Current(0) => {}
            other => panic!("{other:?}"),
        }
        Ok(self.at)
    }
}

/// Greatest resident memory of this process so far, in bytes.
#[cfg(target_os = "linux")]
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
#[cfg(target_os = "linux")]
fn large_messages_take_little_memory_on_both_sides() {
    const SIZE: u64 = 192 << 20;
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let (client, key) = (relay.client(), key(1));
    client.register(&key, None).unwrap();
    let mut hash = crypto::Hash::default();
    let mut piece = vec![0; 1 << 20];
    let mut body = Generated { at: 0, size: SIZE };
    while let Ok(count @ 1..) = body.read(&mut piece) {
        hash.update(&piece[..count]);
    }
    let entry = Entry { id: Id(hash.finish()), size: SIZE, expires: 0 };
    let mut body = Generated { at: 0, size: SIZE };
    let before = most_memory();
    client.push(&Mailbox(key.public()), &entry.id, &mut body, SIZE).unwrap();
    client.fetch(&key, &entry, &mut std::io::sink()).unwrap();
    let taken = most_memory() - before;
    assert!(taken < SIZE / 4, "{taken} bytes");
}

/// Answers each connection with the next of `answers`, whatever was asked; returns what was.
fn canned(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            asked.push(String::from_utf8_lossy(&head).into_owned());
            let _ = stream.write_all(&answer);
        }
        asked
    });
    (url, thread)
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn a_client_tries_again_what_may_pass() {
    let busy = || http("503 Service Unavailable", "retry-after: 1\r\n", b"{}");
    let (url, thread) = canned(vec![busy(), Vec::new(), http("201 Created", "", b"")]);
    let start = Instant::now();
    assert_eq!(push(&client(&url), &key(1), b"hello").unwrap(), Pushed::New);
    assert!(start.elapsed() >= Duration::from_secs(1), "Retry-After is honoured");
    for asked in thread.join().unwrap() {
        let asked = asked.to_lowercase();
        assert!(asked.starts_with("put /v1/m/") && asked.contains("content-length: 5\r\n"));
        assert!(!asked.contains("user-agent"), "{asked}");
    }
    let (url, thread) = canned(vec![busy(), busy(), busy()]);
    let error = push(&client(&url), &key(1), b"hello").unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    assert_eq!(thread.join().unwrap().len(), 3);
    // Nobody listens there any more.
    assert!(client(&url).info().unwrap_err().is_temporary());
    let full = http("507 Insufficient Storage", "", br#"{"error":"mailbox_full","message":"x"}"#);
    let (url, thread) = canned(vec![full]);
    assert!(matches!(push(&client(&url), &key(1), b"hello"), Err(Error::Full(_))));
    assert_eq!(thread.join().unwrap().len(), 1);
}

#[test]
fn a_client_believes_no_relay() {
    let one = |answer: Vec<u8>| {
        let (url, thread) = canned(vec![answer]);
        (client(&url), thread)
    };
    let (client, _thread) = one(http("200 OK", "", &vec![b' '; 2 << 20]));
    assert!(matches!(client.info(), Err(Error::Protocol(_))));
    let (client, _thread) = one(http("200 OK", "", b"<html>"));
    assert!(matches!(client.info(), Err(Error::Protocol(_))));
    let (client, _thread) = one(http("302 Found", "location: http://127.0.0.1:1/\r\n", b""));
    assert!(matches!(client.info(), Err(Error::Protocol(_))));
    let hostile = "{\"error\":\"x\",\"message\":\"\\u001b[2Jboo\"}";
    let (client, _thread) = one(http("403 Forbidden", "", hostile.as_bytes()));
    assert!(!client.info().unwrap_err().to_string().contains('\u{1b}'));
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20));
    let (client, _thread) = one(endless.into_bytes());
    assert!(client.info().is_err());
    // More messages than asked for.
    let entry = Entry { id: id_of(b"a"), size: 1, expires: 0 };
    let listing = serde_json::json!({ "messages": [entry, entry] }).to_string();
    let (client, _thread) = one(http("200 OK", "", listing.as_bytes()));
    assert!(matches!(client.list(&key(1), Duration::ZERO, 1), Err(Error::Protocol(_))));
    // Other bytes, more bytes, fewer bytes.
    for bytes in [&b"jello"[..], b"hello, world", b"hell"] {
        let (client, _thread) = one(http("200 OK", "", bytes));
        assert!(matches!(fetch(&client, &key(1), b"hello"), Err(Error::WrongHash(_))));
    }
    let (client, _thread) = one(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe".to_vec());
    assert!(fetch(&client, &key(1), b"hello").unwrap_err().is_temporary());
    // Not TLS where TLS is due.
    let (url, _thread) = canned(vec![http("200 OK", "", b"{}")]);
    let plain = self::client(&url.replace("http://", "https://")).info().unwrap_err();
    assert!(matches!(plain, Error::Insecure(_)), "{plain:?}");
    // What cannot be read here is not the relay's fault, and not tried again.
    let (client, _thread) = one(http("201 Created", "", b""));
    let short = client.push(&Mailbox([1; 32]), &id_of(b"x"), &mut Cursor::new(b"he"), 5);
    assert!(matches!(short, Err(Error::Io(_))), "{short:?}");
}

/// A SOCKS5 proxy that takes one request, notes the name in it and hangs up.
#[test]
fn names_are_resolved_by_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).unwrap();
        stream.read_exact(&mut vec![0; greeting[1].into()]).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        let mut request = [0; 5];
        stream.read_exact(&mut request).unwrap();
        let mut name = vec![0; request[4].into()];
        stream.read_exact(&mut name).unwrap();
        stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        (request[3], String::from_utf8(name).unwrap())
    });
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_asks_by_proxy", "--ignored"])
        .env("ALL_PROXY", format!("socks5://{proxy}"))
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(thread.join().unwrap(), (3, "relay.invalid".to_owned()));
}

#[test]
#[ignore = "started by names_are_resolved_by_the_proxy"]
fn child_that_asks_by_proxy() {
    let mut options = Options::default();
    options.retries = 0;
    let client = Client::new("http://relay.invalid:7777", options).unwrap();
    assert!(client.info().is_err());
}
