//! Pushing, one by one and in batches.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::relay::protocol::pow::Task;
use crate::relay::protocol::{Mailbox, Terms, frame};

use crate::relay::server::tests::harness::*;

#[test]
fn a_push_takes_a_capability() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    for body in [b"one".to_vec(), vec![7; 300 << 10]] {
        relay.push(&owner, CAP, &body).is(201);
        relay.push(&owner, CAP, &body).is(200);
        relay.push(&owner, "", &body).refuses(404, "no_mailbox");
        relay.push(&owner, &CAP.to_uppercase(), &body).refuses(404, "no_mailbox");
        let got = relay.owner(&owner, "GET", &format!("/{}", id_of(&body))).is(200);
        assert!(got.body == body);
    }
    let odd = push(&Mailbox(owner.public()), "", b"x").header("authorization", "Basic abc");
    relay.send(&odd).refuses(400, "malformed");
    let twice = push(&Mailbox(owner.public()), CAP, b"x").bearer(CAP);
    relay.send(&twice).refuses(400, "malformed");
    // Revoked, it opens nothing any more; what it pushed stays.
    let id = crate::relay::protocol::CapabilityId::of(CAP);
    relay.owner(&owner, "DELETE", &format!("/capabilities/{id}")).is(204);
    relay.owner(&owner, "DELETE", &format!("/capabilities/{id}")).is(204);
    relay.push(&owner, CAP, b"two").refuses(404, "no_mailbox");
    assert_eq!(relay.listed(&owner).len(), 2);
}

#[test]
fn terms_of_a_capability_hold() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| config.message_bytes = 1 << 20);
    let owner = key(1);
    let terms = |change: fn(&mut Terms)| {
        let mut terms = Terms::default();
        change(&mut terms);
        terms
    };
    relay.forward_to_hour();
    relay.mailbox(&owner, "shares", terms(|t| t.messages = Some(2)));
    relay.push(&owner, "shares", b"1").is(201);
    relay.push(&owner, "shares", b"2").is(201);
    relay.push(&owner, "shares", b"3").refuses(507, "share_full");
    relay.push(&owner, "shares", b"2").is(200);

    relay.allow(&owner, "bytes", terms(|t| t.bytes = Some(10)));
    relay.push(&owner, "bytes", b"12345678901").refuses(507, "share_full");

    relay.allow(&owner, "rate", terms(|t| t.hourly = Some(1)));
    relay.push(&owner, "rate", b"4").is(201);
    let refused = relay.push(&owner, "rate", b"5").refuses(429, "rate");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3500..=3600).contains(&seconds), "{seconds}");
    relay.forward(seconds);
    relay.push(&owner, "rate", b"5").is(201);

    relay.allow(&owner, "once", terms(|t| t.total = Some(1)));
    relay.push(&owner, "once", b"6").is(201);
    relay.push(&owner, "once", b"7").refuses(404, "no_mailbox");

    let soon = relay.now() + 10;
    relay.allow(&owner, "soon", Terms { expires: Some(soon), ..Terms::default() });
    let shown = relay.owner(&owner, "GET", "/capabilities").is(200).json();
    let all = shown["capabilities"].as_array().unwrap();
    assert_eq!(all.len(), 5);
    let expires = all.iter().find_map(|one| one["terms"]["expires"].as_u64()).unwrap();
    assert!(expires >= soon && expires.is_multiple_of(3600), "times are kept at the hour");
    relay.push(&owner, "soon", b"8").is(201);
    relay.forward(2 * 3600);
    relay.push(&owner, "soon", b"9").refuses(404, "no_mailbox");
    // Only a good capability learns what is too large.
    let large = vec![1; (1 << 20) + 1];
    relay.push(&owner, "bytes", &large).refuses(413, "too_large");
    relay.push(&owner, "soon", &large[..1 << 10]).refuses(404, "no_mailbox");
    let announced = push(&Mailbox(owner.public()), "soon", b"")
        .header("content-length", "99999999")
        .header("expect", "100-continue");
    relay.send(&announced).refuses(404, "no_mailbox");
}

#[test]
fn pushes_that_are_refused() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| {
        config.message_bytes = 1 << 20;
        config.body_pause = Duration::from_millis(400);
    });
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let mailbox = Mailbox(owner.public());
    let id = id_of(b"hello");
    let to = |id: &str| ask("PUT", format!("/v1/m/{mailbox}/{id}")).bearer(CAP);
    let hello = to(&id.to_string());

    for size in [5usize, 300 << 10] {
        relay.send(&hello.clone().body(vec![b'x'; size])).refuses(422, "wrong_hash");
    }
    relay.send(&hello.clone().body("")).refuses(400, "malformed");
    relay.send(&to("ab").body("hello")).refuses(400, "malformed");
    relay.send(&to(&id.to_string().to_uppercase()).body("hello")).refuses(400, "malformed");
    let chunked = hello.clone().header("transfer-encoding", "chunked");
    relay.send(&chunked).refuses(411, "length");
    // The refusal comes before the body: none is sent here.
    let large = hello.clone().header("content-length", format!("{}", (1 << 20) + 1));
    relay.send(&large.clone().header("expect", "100-continue")).refuses(413, "too_large");
    relay.push(&owner, CAP, &vec![0; (1 << 20) + 1]).refuses(413, "too_large");
    // Half a body, then nothing; then a body that ends too early.
    let half = hello.clone().header("content-length", "5").body("he");
    relay.send(&half).refuses(408, "slow");
    for size in ["5", "307200"] {
        let cut = hello.clone().header("content-length", size).body("he");
        let mut stream = TcpStream::connect(relay.address).unwrap();
        stream.write_all(&cut.bytes("x", 0)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!(relay.listed(&owner).is_empty());
    relay.push(&owner, CAP, b"hello").is(201);
}

#[test]
fn the_body_is_asked_for_only_when_it_is_wanted() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let ask = push(&Mailbox(owner.public()), CAP, b"hello").header("expect", "100-continue");
    let bytes = ask.bytes("x", 0);
    let mut stream = TcpStream::connect(relay.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(&bytes[..bytes.len() - 5]).unwrap();
    let mut line = [0; 25];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Reply::read(&answer).is(201);
}

fn batch_of(bodies: &[&[u8]]) -> Vec<u8> {
    let mut batch = Vec::new();
    bodies.iter().for_each(|body| frame::push(&mut batch, &id_of(body), body));
    batch
}

#[test]
fn batches_both_ways() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms { messages: Some(4), ..Terms::default() });
    let target = format!("/v1/m/{}/push", Mailbox(owner.public()));
    let to = ask("POST", target).bearer(CAP);
    let large = vec![9; 256 << 10];
    relay.push(&owner, CAP, b"one").is(201);
    let mut batch = batch_of(&[b"one", b"two", &large]);
    frame::push(&mut batch, &id_of(b"three"), b"tree");
    batch.extend(batch_of(&[b"four", b"five"]));
    let reply = relay.send(&to.clone().body(batch)).is(200).json();
    let results: Vec<(u64, &str)> = reply["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["status"].as_u64().unwrap(), one["error"].as_str().unwrap_or_default()))
        .collect();
    let expected =
        [(200, ""), (201, ""), (201, ""), (422, "wrong_hash"), (201, ""), (507, "share_full")];
    assert_eq!(results, expected);
    assert_eq!(reply["results"][4]["id"], id_of(b"four").to_string());
    relay.send(&to.clone().body("")).is(200);

    let ids = [&b"two"[..], b"nobody has it", &large, b"one"].map(id_of);
    let take = serde_json::json!({ "ids": ids });
    let reply = relay.owner_json(&owner, "/take", &take).is(200);
    assert_eq!(reply.header("content-type"), Some("application/vnd.bulla.messages"));
    assert!(reply.body == batch_of(&[b"two", &large, b"one"]));
    assert_eq!(relay.owner_json(&owner, "/ack", &take).is(200).json()["deleted"], 3);
    assert!(relay.owner_json(&owner, "/take", &take).is(200).body.is_empty());
    assert_eq!(relay.listed(&owner), [id_of(b"four")]);
}

#[test]
fn batches_that_are_refused() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let target = format!("/v1/m/{}/push", Mailbox(owner.public()));
    let to = ask("POST", target.clone()).bearer(CAP);
    relay.send(&to.clone().body("what is this")).refuses(400, "malformed");
    let mut long = frame::head(&id_of(b"x"), (256 << 10) + 1).to_vec();
    long.push(1);
    relay.send(&to.clone().body(long)).refuses(400, "malformed");
    relay.send(&to.clone().body(batch_of(&[b"x".as_slice(); 1001]))).refuses(400, "malformed");
    let huge = to.clone().header("content-length", format!("{}", (8 << 20) + 1));
    relay.send(&huge.clone().header("expect", "100-continue")).refuses(413, "too_large");
    // Who has no capability sends no body.
    let stranger = ask("POST", target).bearer("nothing").header("content-length", "1000000");
    relay.send(&stranger.header("expect", "100-continue")).refuses(404, "no_mailbox");
    assert!(relay.listed(&owner).is_empty());
}

#[test]
fn a_public_inbox_takes_work_under_load() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| config.public_pushes = 4);
    let (owner, other) = (key(1), key(2));
    relay.mailbox(&owner, "", Terms::default());
    // Time stands still for one second of the clock at most; the bound counts in that.
    let mut work = None;
    for n in 0..60u8 {
        let reply = relay.push(&owner, "", &[n]);
        if reply.status == 401 {
            work = Some((n, reply.refuses(401, "work")));
            break;
        }
        reply.is(201);
    }
    let (n, reply) = work.expect("no work was ever asked for");
    let task: Task = reply.header("bulla-work").unwrap().parse().unwrap();
    let mailbox = Mailbox(owner.public());
    let proof = task.solve(&mailbox, &id_of(&[n])).unwrap().to_string();
    let ask = push(&mailbox, "", &[n]);
    relay.send(&ask.clone().header("bulla-work", "nonsense")).refuses(400, "malformed");
    relay.send(&ask.header("bulla-work", proof)).is(201);
    // A mailbox that is not there asks for the same; a capability for nothing.
    relay.push(&other, "", b"x").refuses(401, "work");
    relay.allow(&owner, CAP, Terms::default());
    relay.push(&owner, CAP, b"with a capability").is(201);
    relay.forward(60);
    relay.push(&owner, "", b"quiet again").is(201);
    relay.push(&other, "", b"x").refuses(404, "no_mailbox");
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
    for byte in 1..=3 {
        relay.mailbox(&key(byte), CAP, Terms::default());
    }
    relay.owner(&key(4), "PUT", "").refuses(507, "relay_full");
    let new = std::thread::scope(|scope| {
        let pushers: Vec<_> = (0..8u8)
            .map(|thread| {
                let relay = &relay;
                let new = move |n: &u8| relay.push(&key(1), CAP, &[thread, *n]).status == 201;
                scope.spawn(move || (0..5u8).filter(new).count())
            })
            .collect();
        pushers.into_iter().map(|p| p.join().unwrap()).sum::<usize>()
    });
    assert_eq!(new, 10);
    relay.push(&key(1), CAP, b"more").refuses(507, "mailbox_full");
    let large = |byte: u8| vec![byte; 2 << 20];
    relay.push(&key(2), CAP, &large(1)).is(201);
    relay.push(&key(2), CAP, &large(2)).is(201);
    relay.push(&key(2), CAP, &large(3)).refuses(507, "mailbox_full");
    relay.push(&key(3), CAP, &large(1)).is(201);
    relay.push(&key(3), CAP, &large(2)).refuses(507, "relay_full");
    // What is taken out makes room.
    let ids = serde_json::json!({ "ids": relay.listed(&key(1)) });
    relay.owner_json(&key(1), "/ack", &ids).is(200);
    let ids = serde_json::json!({ "ids": [id_of(&large(1))] });
    relay.owner_json(&key(2), "/ack", &ids).is(200);
    relay.push(&key(3), CAP, &large(2)).is(201);
    relay.push(&key(1), CAP, b"more").is(201);
}

#[test]
fn many_pushers_of_one_message_make_one() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    for body in [vec![1u8; 1000], vec![2u8; 400 << 10]] {
        let new = std::thread::scope(|scope| {
            let one = || scope.spawn(|| relay.push(&owner, CAP, &body).status);
            let pushers: Vec<_> = (0..12).map(|_| one()).collect();
            pushers.into_iter().filter_map(|p| (p.join().unwrap() == 201).then_some(())).count()
        });
        assert_eq!(new, 1);
    }
    assert_eq!(relay.listed(&owner).len(), 2);
}

#[test]
fn what_has_expired_is_gone_and_old_acks_are_forgotten() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| config.ttl_hours = 2);
    let owner = key(1);
    relay.forward_to_hour();
    relay.mailbox(&owner, CAP, Terms::default());
    let long = vec![1u8; 300 << 10];
    relay.push(&owner, CAP, b"acked").is(201);
    let ids = serde_json::json!({ "ids": [id_of(b"acked")] });
    relay.owner_json(&owner, "/ack", &ids).is(200);
    relay.push(&owner, CAP, b"short").is(201);
    relay.push(&owner, CAP, &long).is(201);
    relay.forward(3600 + 1800);
    assert_eq!(relay.listed(&owner).len(), 2);
    relay.forward(2 * 3600);
    assert!(relay.listed(&owner).is_empty());
    let short = format!("/{}", id_of(b"short"));
    relay.owner(&owner, "GET", &short).refuses(404, "no_message");
    // It may come again, as a new message; what was acknowledged may not.
    relay.push(&owner, CAP, b"short").is(201);
    relay.push(&owner, CAP, b"acked").is(200);
    relay.forward(26 * 3600);
    std::thread::sleep(Duration::from_millis(300));
    relay.push(&owner, CAP, b"acked").is(201);
}

#[test]
fn a_push_that_was_there_before_does_not_end_the_connection() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let body = vec![9; 3000];
    relay.push(&owner, CAP, &body).is(201);
    let bytes =
        push(&Mailbox(owner.public()), CAP, &body).bytes(&relay.address.to_string(), relay.now());
    let text = String::from_utf8(bytes).unwrap().replace("connection: close\r\n", "");
    let (head, body) = text.split_at(text.len() - body.len());
    let mut stream = TcpStream::connect(relay.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    for _ in 0..2 {
        // It knows the answer from the head alone, before the body is on its way.
        stream.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            rest.push(byte[0]);
        }
    }
}
