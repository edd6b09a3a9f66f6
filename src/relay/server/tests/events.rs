//! Waiting: long polls and streams of events.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::crypto::SigningSecret;
use crate::relay::protocol::{Id, Mailbox, Terms};
use serde_json::json;

use crate::relay::server::tests::harness::*;

#[test]
fn a_waiting_list_wakes_up() {
    let folder = folder();
    let relay = Relay::start_watched(folder.path());
    for byte in [1, 2] {
        relay.mailbox(&key(byte), CAP, Terms::default());
    }
    let start = Instant::now();
    let nothing = relay.owner(&key(1), "GET", "?wait=1").is(200).json();
    assert!(nothing["messages"].as_array().unwrap().is_empty());
    assert!(start.elapsed() >= Duration::from_secs(1));
    std::thread::scope(|scope| {
        // For longer than an answer is waited for here.
        let waiting = scope.spawn(|| relay.owner(&key(1), "GET", "?wait=50").is(200).json());
        relay.until_waiting(1);
        relay.push(&key(2), CAP, b"for another").is(201);
        relay.until_waiting(1);
        relay.push(&key(1), CAP, b"at last").is(201);
        let list = waiting.join().unwrap();
        assert_eq!(list["messages"][0]["id"], id_of(b"at last").to_string());
    });
    relay.until_waiting(0);
    // A relay that stops lets nobody wait.
    let ids = json!({ "ids": [id_of(b"at last")] });
    relay.owner_json(&key(1), "/ack", &ids).is(200);
    let host = relay.address.to_string();
    let list = ask("GET", format!("/v1/m/{}?wait=50", Mailbox(key(1).public())));
    let owner = key(1);
    let bytes = list.signed(&owner).bytes(&host, relay.now());
    let address = relay.address;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| exchange(address, &bytes));
        relay.until_waiting(1);
        relay.stop().unwrap();
        Reply::read(&waiting.join().unwrap()).is(200);
    });
}

/// A stream of events, read as a browser reads it.
struct Follow(BufReader<TcpStream>);

impl Follow {
    fn begin(relay: &Relay, owner: &SigningSecret) -> Self {
        let events = ask("GET", format!("/v1/m/{}/events", Mailbox(owner.public()))).signed(owner);
        let mut stream = TcpStream::connect(relay.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(&events.bytes(&relay.address.to_string(), relay.now())).unwrap();
        let mut follow = Self(BufReader::new(stream));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(follow.0.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        follow
    }

    /// The next message, or `None` at the end of the stream.
    fn next(&mut self) -> Option<Id> {
        let (mut id, mut data) = (None, None);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // Without the framing of chunks, which never begins like a field.
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = Some(value.parse::<Id>().unwrap()),
                Some(("event", kind)) => assert_eq!(kind, "message"),
                Some(("data", value)) => {
                    data = Some(serde_json::from_str::<serde_json::Value>(value).unwrap());
                }
                _ if line.trim().is_empty() && id.is_some() => break,
                _ => {}
            }
        }
        assert_eq!(data.unwrap()["id"], id.unwrap().to_string());
        id
    }
}

#[test]
fn events_come_as_messages_arrive() {
    let folder = folder();
    let relay = Relay::start_watched(folder.path());
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    relay.push(&owner, CAP, b"before").is(201);
    let mut follow = Follow::begin(&relay, &owner);
    assert_eq!(follow.next(), Some(id_of(b"before")));
    for n in 0..100u8 {
        relay.push(&owner, CAP, &[n]).is(201);
    }
    for n in 0..100u8 {
        assert_eq!(follow.next(), Some(id_of(&[n])), "each once, in order");
    }
    // What was acknowledged is not told again, also not to somebody new.
    let ids = json!({ "ids": [id_of(b"before"), id_of(&[0])] });
    relay.owner_json(&owner, "/ack", &ids).is(200);
    let mut another = Follow::begin(&relay, &owner);
    assert_eq!(another.next(), Some(id_of(&[1])));
    relay.push(&owner, CAP, b"last").is(201);
    assert_eq!(follow.next(), Some(id_of(b"last")));
    // A mailbox that is closed, and a relay that stops, end the stream.
    relay.owner(&owner, "DELETE", "").is(204);
    assert_eq!(follow.next(), None);
    relay.mailbox(&owner, CAP, Terms::default());
    let mut follow = Follow::begin(&relay, &owner);
    relay.until_waiting(1);
    relay.stop().unwrap();
    assert_eq!(follow.next(), None);
}

#[test]
fn a_stream_goes_on_where_a_full_list_ended() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let bodies: Vec<[u8; 4]> = (0..1100u32).map(u32::to_be_bytes).collect();
    for some in bodies.chunks(550) {
        let mut batch = Vec::new();
        for body in some {
            crate::relay::protocol::frame::push(&mut batch, &id_of(body), body);
        }
        let target = format!("/v1/m/{}/push", Mailbox(owner.public()));
        relay.send(&ask("POST", target).bearer(CAP).body(batch)).is(200);
    }
    let mut follow = Follow::begin(&relay, &owner);
    let mut told: Vec<Id> = (0..1000).map(|_| follow.next().unwrap()).collect();
    relay.owner_json(&owner, "/ack", &json!({ "ids": told })).is(200);
    told.extend((0..100).map(|_| follow.next().unwrap()));
    // Messages of one batch arrive at once, in no order among each other.
    assert_eq!(told.len(), bodies.len());
    let all: BTreeSet<Id> = bodies.iter().map(|body| id_of(body)).collect();
    assert!(BTreeSet::from_iter(told) == all, "each once");
}
