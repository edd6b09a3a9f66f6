//! Owners' requests and their proof.

use std::time::{Duration, Instant};

use crate::relay::protocol::{Mailbox, Terms, TokenId, WINDOW, signature};
use crate::relay::server::{self, Config, Server};
use crate::relay::store::Token;
use serde_json::json;

use crate::relay::server::tests::harness::*;

#[test]
fn every_request_of_an_owner() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    let info = relay.send(&ask("GET", "/v1/info")).is(200);
    assert_eq!(info.header("cache-control"), Some("no-store"));
    assert_eq!(info.json()["protocol"], "bulla-relay");
    assert_eq!(info.json()["registration"], "open");

    relay.owner(&owner, "PUT", "").is(201);
    relay.owner(&owner, "PUT", "").is(200);
    assert!(relay.listed(&owner).is_empty());
    relay.allow(&owner, CAP, Terms::default());
    let long = vec![7u8; 3 << 20];
    let bodies: [&[u8]; 4] = [b"one", b"two", &long, &long[..256 << 10]];
    for body in bodies {
        relay.push(&owner, CAP, body).is(201);
    }
    assert_eq!(relay.listed(&owner), bodies.map(id_of));
    let two = relay.owner(&owner, "GET", "?limit=2").is(200).json();
    assert_eq!(two["messages"].as_array().unwrap().len(), 2);
    assert_eq!(two["messages"][1]["size"], 3);
    let expires = two["messages"][0]["expires"].as_u64().unwrap();
    assert!(expires.is_multiple_of(3600) && expires > relay.now() + 719 * 3600);
    let bytes: usize = bodies.iter().map(|body| body.len()).sum();
    let status = relay.owner(&owner, "GET", "/status").is(200).json();
    assert_eq!((&status["messages"], &status["bytes"]), (&json!(4), &json!(bytes)));
    let shown = relay.owner(&owner, "GET", "/capabilities").is(200).json();
    assert_eq!(shown["capabilities"][0]["messages"], 4);
    assert_eq!(shown["capabilities"][0]["pushed"], 4);

    let ids = json!({ "ids": [id_of(b"one"), id_of(&long), id_of(b"never there")] });
    assert_eq!(relay.owner_json(&owner, "/ack", &ids).is(200).json()["deleted"], 2);
    assert_eq!(relay.owner_json(&owner, "/ack", &ids).is(200).json()["deleted"], 0);
    let one = format!("/{}", id_of(b"one"));
    relay.owner(&owner, "GET", &one).refuses(404, "no_message");
    relay.owner(&owner, "GET", "/nonsense").refuses(404, "no_message");
    relay.push(&owner, CAP, b"one").is(200);
    assert_eq!(relay.listed(&owner).len(), 2);

    relay.owner(&owner, "DELETE", "").is(204);
    relay.owner(&owner, "DELETE", "").refuses(404, "no_mailbox");
    relay.push(&owner, CAP, b"two").refuses(404, "no_mailbox");
    // Registered again, it is empty, remembers nothing and lets nobody push.
    relay.owner(&owner, "PUT", "").is(201);
    relay.push(&owner, CAP, b"two").refuses(404, "no_mailbox");
    relay.allow(&owner, CAP, Terms::default());
    relay.push(&owner, CAP, b"one").is(201);
    relay.stop().unwrap();
}

#[test]
fn parts_of_a_message() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let long: Vec<u8> = (0..700_000u32).map(|n| (n / 3) as u8).collect();
    for body in [&b"hello"[..], &long] {
        relay.push(&owner, CAP, body).is(201);
        let target = format!("/v1/m/{}/{}", Mailbox(owner.public()), id_of(body));
        let get = |range: &str| {
            relay.send(&ask("GET", target.clone()).header("range", range).signed(&owner))
        };
        for from in [0, 1, body.len() / 2, body.len() - 1] {
            let reply = get(&format!("bytes={from}-")).is(206);
            assert!(reply.body == body[from..]);
            let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
            assert_eq!(reply.header("content-range"), Some(range.as_str()));
            let left = (body.len() - from).to_string();
            assert_eq!(reply.header("content-length"), Some(left.as_str()));
        }
        for from in [body.len(), body.len() + 1, usize::MAX] {
            let reply = get(&format!("bytes={from}-")).refuses(416, "range");
            let range = format!("bytes */{}", body.len());
            assert_eq!(reply.header("content-range"), Some(range.as_str()));
        }
        for other in ["bytes=-2", "bytes=0-1", "bytes=1-,3-", "lines=1-"] {
            assert!(get(other).is(200).body == body);
        }
        let whole = ask("GET", target).header("range", "bytes=1-").header("if-range", "\"x\"");
        assert!(relay.send(&whole.signed(&owner)).is(200).body == body);
    }
}

#[test]
fn registering_may_take_a_token() {
    let folder = folder();
    let token = Token {
        id: TokenId::of("let-me-in"),
        mailboxes: 2,
        bytes: None,
        expires: Some(unix_now() + 3600),
        used: 0,
    };
    let add = |config: &Config| {
        let store = embedded(folder.path(), config);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.add_token(token)).unwrap();
        store
    };
    let closed = |config: &mut Config| {
        config.registration = crate::relay::protocol::Registration::Token;
    };
    let relay = Relay::start_with(closed, add, |server| server);
    assert_eq!(relay.send(&ask("GET", "/v1/info")).json()["registration"], "token");
    let put = |key: &crate::crypto::SigningSecret, token: &str| {
        let target = format!("/v1/m/{}", Mailbox(key.public()));
        relay.send(&ask("PUT", target).bearer(token).signed(key))
    };
    let refused = put(&key(1), "").refuses(401, "token");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    put(&key(1), "let-me").refuses(401, "token");
    put(&key(1), "let-me-in").is(201);
    put(&key(1), "").is(200);
    put(&key(2), "let-me-in").is(201);
    put(&key(3), "let-me-in").refuses(401, "token");
    // A mailbox that is closed gives its place back.
    relay.owner(&key(2), "DELETE", "").is(204);
    put(&key(3), "let-me-in").is(201);
    relay.owner(&key(3), "DELETE", "").is(204);
    relay.forward(2 * 3600);
    put(&key(3), "let-me-in").refuses(401, "token");
}

#[test]
fn signatures_replayed_stale_forged_or_for_another_relay() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let (owner, stranger) = (key(1), key(2));
    relay.mailbox(&owner, CAP, Terms::default());
    let mailbox = Mailbox(owner.public());
    let list = ask("GET", format!("/v1/m/{mailbox}?limit=5")).signed(&owner);
    let host = relay.address.to_string();
    let changed = |ask: &Ask<'_>, change: &dyn Fn(&mut signature::Headers)| {
        let mut proof = ask.proof(&host, relay.now()).unwrap();
        change(&mut proof);
        Reply::read(&relay.raw(&ask.bytes_with(&host, Some(&proof))))
    };

    let once = list.bytes(&host, relay.now());
    Reply::read(&relay.raw(&once)).is(200);
    Reply::read(&relay.raw(&once)).refuses(401, "replayed");
    for created in [relay.now() - WINDOW - 5, relay.now() + WINDOW + 5] {
        let reply = relay.send(&list.clone().created(created)).refuses(401, "stale");
        assert!(reply.header("date").is_some());
    }
    let other = list.bytes("other.example", relay.now());
    Reply::read(&relay.raw(&other)).refuses(421, "misdirected");
    // Signed for another relay, sent to this one.
    relay.send(&list.clone().authority("other.example")).refuses(401, "signature");
    // A stranger who names the owner's key.
    let forged = list.clone().signed(&stranger);
    let reply = changed(&forged, &|headers| {
        let name = Mailbox(stranger.public()).to_string();
        headers.input = headers.input.replace(&name, &mailbox.to_string());
    });
    reply.refuses(401, "signature");
    changed(&list, &|h| h.signature = "bulla=:AAAA:".into()).refuses(401, "signature");
    changed(&list, &|h| h.input = h.input.replace("\"@path\" ", "")).refuses(401, "signature");
    relay.send(&ask("GET", format!("/v1/m/{mailbox}"))).refuses(401, "signature");

    // A body other than the signed one, and one without a digest.
    let ack = ask("POST", format!("/v1/m/{mailbox}/ack")).body(r#"{"ids":[]}"#).signed(&owner);
    relay.send(&ack).is(200);
    let digest = |text: &[u8]| Some(signature::content_digest(text));
    changed(&ack, &|h| h.content_digest = digest(b"{}")).refuses(401, "signature");
    changed(&ack, &|h| h.content_digest = None).refuses(401, "signature");
    let proof = ack.proof(&host, relay.now()).unwrap();
    let swapped = ack.body(r#"{"ids":[ ]}"#).bytes_with(&host, Some(&proof));
    Reply::read(&relay.raw(&swapped)).refuses(401, "signature");
}

#[test]
fn a_signature_from_before_the_start_is_stale() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let list = ask("GET", format!("/v1/m/{}", Mailbox(owner.public()))).signed(&owner);
    relay.send(&list.created(relay.now() - 30)).refuses(401, "stale");
}

#[test]
fn heads_and_bodies_are_bounded() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let huge = ask("GET", "/v1/info").header("x", "y".repeat(64 << 10));
    assert_eq!(relay.send(&huge).status, 431);
    assert!(relay.raw(b"what is this\r\n\r\n").starts_with(b"HTTP/1.1 400 "));
    let mailbox = Mailbox(owner.public());
    let ack = |body: Vec<u8>| {
        relay.send(&ask("POST", format!("/v1/m/{mailbox}/ack")).body(body).signed(&owner))
    };
    ack(vec![b' '; 200 << 10]).refuses(413, "too_large");
    let many: Vec<_> = (0..1001u32).map(|n| id_of(&n.to_be_bytes())).collect();
    ack(json!({ "ids": many }).to_string().into()).refuses(413, "too_large");
    ack(json!({ "ids": many[1..] }).to_string().into()).is(200);
    for body in ["{", "{\"ids\":[\"x\"]}", "{}", "", "null"] {
        ack(body.into()).refuses(400, "malformed");
    }
    relay.owner(&owner, "GET", "?wait=soon").refuses(400, "malformed");
    let refused = relay.send(&ask("PATCH", "/v1/info")).refuses(405, "method");
    assert_eq!(refused.header("allow"), Some("GET"));
    relay.send(&ask("GET", "/v2/info")).refuses(404, "no_route");
    relay.send(&ask("GET", "/")).refuses(404, "no_route");
}

#[test]
fn strangers_make_nobody_read_their_bodies() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let (owner, stranger) = (key(1), key(2));
    relay.mailbox(&owner, CAP, Terms::default());
    for mailbox in [Mailbox(owner.public()), Mailbox(stranger.public())] {
        // The body never comes, and the answer does.
        let never = ask("POST", format!("/v1/m/{mailbox}/ack")).body("{}").signed(&stranger);
        let bytes = never.bytes(&relay.address.to_string(), relay.now());
        let start = Instant::now();
        Reply::read(&relay.raw(&bytes[..bytes.len() - 2])).refuses(404, "no_mailbox");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn http_2_without_tls_is_spoken() {
    use std::io::{Read as _, Write as _};
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let mut stream = std::net::TcpStream::connect(relay.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "a SETTINGS frame comes first");
}

#[test]
fn a_relay_on_every_address_wants_a_name() {
    let folder = folder();
    let mut config = Config::default();
    let store = embedded(folder.path(), &config);
    let listener = || std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let nameless = Server::new(config.clone(), store.clone(), listener());
    assert!(matches!(nameless, Err(server::Error::Nameless(_))));
    config.authorities = vec!["Relay.Example".into()];
    assert!(Server::new(config, store, listener()).is_ok());
}
