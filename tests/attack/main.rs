//! Attacks on a real relay process: its memory and disk stay bounded, honest clients are served,
//! and nothing of one mailbox shows in another.
//!
//! `BULLA_ATTACK=long` makes each ten times as heavy, and demands that an honest client's p99
//! stays within ten times of what it is when nothing happens.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../common/mod.rs"]
mod common;
mod silence;
mod watch;
mod wire;

use std::time::{Duration, Instant};

use bulla::relay::protocol::{CapabilityId, Mailbox};

use crate::watch::{Besieged, many};
use crate::wire::{
    Answer, Connection, Owner, PATIENCE, capability, id_of, noise, push, push_all, request,
};

/// Room on the disk that a relay takes whatever happens: segments made beforehand.
const BASE: u64 = 160;

#[test]
fn readers_that_do_not_read() {
    let relay = Besieged::new(&[]);
    let (owner, capability) = Owner::registered(&relay.host);
    let bodies: Vec<_> = (0..30).map(|_| noise(256 << 10)).collect();
    let stored = Connection::open(&relay.host).ask(&push_all(
        &relay.host,
        owner.mailbox,
        &capability,
        &bodies,
    ));
    assert_eq!(stored.text().matches("\"status\":201").count(), 30, "{}", stored.text());
    let ids: Vec<_> = bodies.iter().map(|body| id_of(body)).collect();
    // Each asks for 7.5 MiB several times over and reads none of it.
    let readers: Vec<_> = (0..many(60))
        .map(|_| {
            let mut line = Connection::open(&relay.host);
            for _ in 0..4 {
                line.send_some(&owner.about("/take", &ids));
            }
            line
        })
        .collect();
    std::thread::sleep(Duration::from_secs(2));
    drop(readers);
    relay.unharmed(400, BASE + 16);
}

#[test]
fn events_that_nobody_reads() {
    let relay = Besieged::new(&[]);
    let (owner, capability) = Owner::registered(&relay.host);
    let readers: Vec<_> = (0..many(100))
        .map(|_| {
            let mut line = Connection::open(&relay.host);
            line.send(&owner.signed("GET", "/events", None, None)).unwrap();
            line
        })
        .collect();
    let mut line = Connection::open(&relay.host);
    for _ in 0..10 {
        let bodies: Vec<_> = (0..500).map(|_| noise(64)).collect();
        let stored = line.ask(&push_all(&relay.host, owner.mailbox, &capability, &bodies));
        assert_eq!(stored.status, 200, "{}", stored.text());
    }
    std::thread::sleep(Duration::from_secs(1));
    drop(readers);
    relay.unharmed(64 + many(100) as u64 / 4, BASE);
}

#[test]
fn half_open_connections() {
    let relay = Besieged::new(&[]);
    let halves: [&[u8]; 4] =
        [b"", b"G", b"GET /v1/info HTTP/1.1\r\nhost: a\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    let mut lines: Vec<_> = (0..many(400))
        .map(|n| {
            let mut line = Connection::open(&relay.host);
            line.send(halves[n % halves.len()]).unwrap();
            line
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(40);
    for (n, line) in lines.iter_mut().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        assert!(line.is_closed_within(left.max(Duration::from_millis(1))), "half {}", n % 4);
    }
    relay.unharmed(48 + many(400) as u64 / 40, BASE);
}

#[test]
fn oversized_headers() {
    let relay = Besieged::new(&[]);
    let long = "a".repeat(40 << 10);
    let path = format!("/v1/m/{long}");
    let heads = [
        request(&relay.host, "GET", "/v1/info", &[("x", &long)], b""),
        request(&relay.host, "GET", "/v1/info", &[(&long, "x")], b""),
        request(&relay.host, "GET", &path, &[], b""),
        request(&relay.host, "GET", "/v1/info", &[("x", "y"); 2000], b""),
        request(&relay.host, "GET", "/v1/info", &[("x", "y"); 150], b""),
    ];
    for turn in 0..many(50) {
        for (n, head) in heads.iter().enumerate() {
            // Whole, which the relay need not read to its end: then the answer may be lost.
            let mut line = Connection::open(&relay.host);
            let _ = line.send(head);
            assert!(line.answer().is_none_or(|answer| matches!(answer.status, 414 | 431)));
            // As much as the relay takes, or all: then there is an answer, and the end.
            if n != 3 {
                let mut line = Connection::open(&relay.host);
                line.send(&head[..head.len().min(32 << 10)]).unwrap();
                let status = line.answer().map(|answer| answer.status);
                assert!(matches!(status, Some(414 | 431)), "{turn}, head {n}: {status:?}");
                assert!(line.is_closed_within(PATIENCE));
            }
        }
    }
    // A head without end, many at once.
    let mut lines: Vec<_> = (0..many(50)).map(|_| Connection::open(&relay.host)).collect();
    for line in &mut lines {
        let _ = line.send(format!("GET /v1/info HTTP/1.1\r\nx: {long}").as_bytes());
    }
    for line in &mut lines {
        assert!(line.is_closed_within(PATIENCE));
    }
    relay.unharmed(64 + many(50) as u64 / 4, BASE);
}

#[test]
fn mailboxes_that_are_not_there() {
    let relay = Besieged::new(&[]);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let host = relay.host.clone();
            std::thread::spawn(move || {
                const PIPELINED: usize = 50;
                let mut line = Connection::open(&host);
                let mut first: Option<Answer> = None;
                for _ in 0..many(50_000) / PIPELINED {
                    let requests: Vec<_> = (0..PIPELINED)
                        .map(|_| push(&host, random_mailbox(), &capability(), b"x"))
                        .collect();
                    line.send(&requests.concat()).unwrap();
                    for _ in 0..PIPELINED {
                        let answer = line.answer().unwrap();
                        assert_eq!(answer.status, 404, "{}", answer.text());
                        assert_eq!(first.get_or_insert_with(|| answer.clone()), &answer);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    relay.unharmed(32, BASE);
}

#[test]
fn signatures_replayed_and_mangled() {
    let relay = Besieged::new(&[]);
    let (owner, _) = Owner::registered(&relay.host);
    let stranger = Owner::new(&relay.host);
    let mut line = Connection::open(&relay.host);

    let good = owner.signed("GET", "", None, None);
    assert_eq!(line.ask(&good).status, 200);
    for _ in 0..many(50) {
        let again = line.ask(&good);
        assert_eq!(again.status, 401);
        assert!(again.text().contains("replayed"), "{}", again.text());
    }
    // By somebody else's key, for this mailbox and for one that is not there: the same answer.
    let path = format!("/v1/m/{}", owner.mailbox);
    let foreign = line.ask(&stranger.signed_for("GET", &path, None, None));
    assert_eq!(foreign.status, 404);
    assert_eq!(line.ask(&stranger.signed("GET", "", None, None)), foreign);
    // Every request with one byte of its proof changed is refused, and none of them ends the
    // connection or the relay.
    for turn in 0..many(2000) {
        let mut bad = owner.signed("GET", "", None, None);
        let proof = bad.windows(15).position(|at| at == b"signature-input").unwrap();
        let place = proof + 17 + turn * 31 % (bad.len() - proof - 21);
        if bad[place] == b'\r' || bad[place] == b'\n' {
            continue;
        }
        let was = bad[place];
        bad[place] = if was == b'a' { b'b' } else { b'a' };
        let answer = line.ask(&bad);
        let header_name = answer.status == 400 || answer.status == 401 || answer.status == 404;
        assert!(header_name, "byte {place} was {was}: {} {}", answer.status, answer.text());
    }
    // Signatures that are good and all different fill the memory of used ones only so far.
    for _ in 0..many(2000) {
        line.ask(&stranger.signed("GET", "", None, None));
    }
    relay.unharmed(32, BASE);
}

#[test]
fn capabilities_of_others() {
    let relay = Besieged::new(&[]);
    let (one, his) = Owner::registered(&relay.host);
    let (other, hers) = Owner::registered(&relay.host);
    let mut line = Connection::open(&relay.host);
    let body = noise(100);
    let unknown = line.ask(&push(&relay.host, random_mailbox(), &his, &body));
    assert_eq!(unknown.status, 404);
    for _ in 0..many(300) {
        let text = capability();
        for (mailbox, shown) in
            [(one.mailbox, hers.as_str()), (other.mailbox, his.as_str()), (one.mailbox, &text)]
        {
            assert_eq!(line.ask(&push(&relay.host, mailbox, shown, &body)), unknown);
        }
        // The name of a capability, which its owner lists, is not the capability.
        let name = CapabilityId::of(&his).to_string();
        assert_eq!(line.ask(&push(&relay.host, one.mailbox, &name, &body)), unknown);
    }
    assert_eq!(line.ask(&push(&relay.host, one.mailbox, &his, &body)).status, 201);
    assert_eq!(one.list(&mut line), [id_of(&body)]);
    assert_eq!(other.list(&mut line), []);
    // What is in one mailbox cannot be had through another, by the owner of either.
    let inside = format!("/{}", id_of(&body));
    let answer = line.ask(&other.signed("GET", &inside, None, None));
    assert_eq!(answer.status, 404);
    let foreign = format!("/v1/m/{}{inside}", one.mailbox);
    assert_eq!(line.ask(&other.signed_for("GET", &foreign, None, None)).status, 404);
    assert_eq!(line.ask(&other.about("/take", &[id_of(&body)])).body, b"");
    assert_eq!(line.ask(&other.about("/ack", &[id_of(&body)])).text(), r#"{"deleted":0}"#);
    assert_eq!(one.list(&mut line), [id_of(&body)]);
    relay.unharmed(32, BASE);
}

#[test]
fn a_contact_that_floods() {
    let relay = Besieged::new(&[]);
    let (owner, friend) = Owner::registered(&relay.host);
    let (share, bytes, slow) = (capability(), capability(), capability());
    owner.allow(&share, r#"{"messages":100}"#);
    owner.allow(&bytes, r#"{"bytes":100000}"#);
    owner.allow(&slow, r#"{"hourly":100}"#);
    let mut line = Connection::open(&relay.host);
    for (flooder, fits, refusal) in [(&share, 100, 507), (&bytes, 97, 507), (&slow, 100, 429)] {
        for turn in 0..many(1000) {
            let answer = line.ask(&push(&relay.host, owner.mailbox, flooder, &noise(1024)));
            let expected = if turn < fits { 201 } else { refusal };
            assert_eq!(answer.status, expected, "message {turn}: {}", answer.text());
        }
        // The other contacts of the same mailbox push as before.
        let answer = line.ask(&push(&relay.host, owner.mailbox, &friend, &noise(1024)));
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    assert_eq!(owner.list(&mut line).len(), 100 + 97 + 100 + 3);
    relay.unharmed(32, BASE);
}

#[test]
fn uploads_that_crawl() {
    let relay = Besieged::new(&["--mailbox-size", "64M"]);
    let (owner, capability) = Owner::registered(&relay.host);
    let body = noise(1 << 20);
    let mut refused = 0;
    let mut lines = Vec::new();
    for n in 0..many(200) {
        let mut line = Connection::open(&relay.host);
        let body = [&(n as u64).to_be_bytes(), &body[8..]].concat();
        // The head and one byte in a hundred thousand.
        let whole = push(&relay.host, owner.mailbox, &capability, &body);
        line.send(&whole[..whole.len() - body.len() + 10]).unwrap();
        lines.push(line);
    }
    for turn in 0..20 {
        for line in &mut lines {
            refused += usize::from(line.send(&[turn]).is_err());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("{refused} were refused");
    drop(lines);
    // What was begun and broken off takes no room.
    std::thread::sleep(Duration::from_millis(200));
    let mut line = Connection::open(&relay.host);
    for n in 0..60u64 {
        let body = [&(1000 + n).to_be_bytes(), &body[8..]].concat();
        let answer = line.ask(&push(&relay.host, owner.mailbox, &capability, &body));
        assert_eq!(answer.status, 201, "message {n}: {}", answer.text());
    }
    relay.unharmed(200, BASE + 64);
}

#[test]
fn uploads_left_behind() {
    let relay = Besieged::new(&["--mailbox-size", "64M"]);
    let (owner, capability) = Owner::registered(&relay.host);
    let bearer = format!("Bearer {capability}");
    let mut line = Connection::open(&relay.host);
    let part = noise(100);
    let mut kept = 0;
    for n in 0..many(300) {
        let path = format!("/v1/m/{}/{}", owner.mailbox, id_of(&n.to_be_bytes()));
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/partial-upload"),
            ("upload-offset", "0"),
            ("upload-length", "1000000"),
        ];
        let answer = line.ask(&request(&relay.host, "PATCH", &path, &headers, &part));
        match answer.status {
            204 => kept += 1,
            507 => {}
            status => panic!("{status} {}", answer.text()),
        }
    }
    // Room for the whole is reserved from the first part on: 64 MiB of megabytes.
    assert!((1..=67).contains(&kept), "{kept} uploads were begun");
    relay.unharmed(32, BASE);
}

#[test]
fn mailboxes_by_the_thousand() {
    let relay = Besieged::new(&["--proxied"]);
    let mut line = Connection::open(&relay.host);
    let mut register = |from: &str| {
        let request = Owner::new(&relay.host).signed("PUT", "", None, None);
        let end = request.len() - 2;
        let named = format!("x-forwarded-for: {from}\r\n\r\n");
        line.ask(&[&request[..end], named.as_bytes()].concat())
    };
    let mut registered = 0;
    for _ in 0..many(1000) {
        let answer = register("198.51.100.7");
        match answer.status {
            201 => registered += 1,
            429 => assert!(answer.header("retry-after").is_some()),
            status => panic!("{status} {}", answer.text()),
        }
    }
    // At the turn of the hour, twice as many as in one.
    assert!((1..=60).contains(&registered), "one address registered {registered}");
    assert_eq!(register("203.0.113.9").status, 201);
    relay.unharmed(32, BASE);
}

fn random_mailbox() -> Mailbox {
    Mailbox(noise(32).try_into().unwrap())
}
