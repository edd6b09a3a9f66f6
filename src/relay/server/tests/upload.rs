//! Messages in parts, and large ones.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::crypto;
use crate::relay::protocol::{Id, Mailbox, Terms};

use crate::relay::server::tests::harness::*;

struct Parts<'a> {
    relay: &'a Relay,
    target: String,
}

impl Parts<'_> {
    fn part(&self, offset: u64, whole: u64, bytes: &[u8]) -> Ask<'static> {
        ask("PATCH", self.target.clone())
            .bearer(CAP)
            .header("content-type", "application/partial-upload")
            .header("upload-offset", offset.to_string())
            .header("upload-length", whole.to_string())
            .body(bytes)
    }

    fn send(&self, offset: u64, whole: u64, bytes: &[u8]) -> Reply {
        self.relay.send(&self.part(offset, whole, bytes))
    }

    fn head(&self) -> Reply {
        self.relay.send(&ask("HEAD", self.target.clone()).bearer(CAP))
    }
}

#[test]
fn an_upload_goes_on_where_it_was() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let body: Vec<u8> = (0..1_000_000u32).map(|n| (n / 7) as u8).collect();
    let size = body.len() as u64;
    let target = format!("/v1/m/{}/{}", Mailbox(owner.public()), id_of(&body));
    let parts = Parts { relay: &relay, target: target.clone() };
    parts.head().is(404);

    let reply = parts.send(0, size, &body[..400_000]).is(204);
    assert_eq!(reply.header("upload-offset"), Some("400000"));
    assert_eq!(reply.header("upload-complete"), Some("?0"));
    let reply = parts.head().is(204);
    assert_eq!(reply.header("upload-offset"), Some("400000"));
    assert_eq!(reply.header("upload-complete"), Some("?0"));
    // Neither a message yet, nor anybody else's business.
    assert!(relay.listed(&owner).is_empty());
    relay.send(&ask("HEAD", target.clone())).is(404);
    for offset in [0, 399_999, 400_001] {
        let reply = parts.send(offset, size, &body[..10]).refuses(409, "offset");
        assert_eq!(reply.header("upload-offset"), Some("400000"));
    }
    // A line that breaks: what came stays.
    let mut stream = TcpStream::connect(relay.address).unwrap();
    let rest = parts.part(400_000, size, &body[400_000..]).bytes("x", 0);
    stream.write_all(&rest[..rest.len() - 100_000]).unwrap();
    drop(stream);
    let mut offset = 0;
    for _ in 0..100 {
        offset = parts.head().is(204).header("upload-offset").unwrap().parse().unwrap();
        if offset > 400_000 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(offset > 400_000 && offset <= 900_000, "{offset}");
    let reply = parts.send(offset, size, &body[offset as usize..]).is(201);
    assert_eq!(reply.header("upload-complete"), Some("?1"));
    assert_eq!(parts.head().is(200).header("upload-complete"), Some("?1"));
    assert!(relay.send(&ask("GET", target).signed(&owner)).is(200).body == body);
    relay.push(&owner, CAP, &body).is(200);
}

#[test]
fn parts_that_are_refused() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |config| config.message_bytes = 1 << 20);
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms { bytes: Some(1000), ..Terms::default() });
    let target = format!("/v1/m/{}/{}", Mailbox(owner.public()), id_of(b"hello"));
    let parts = Parts { relay: &relay, target: target.clone() };
    let plain = ask("PATCH", target).bearer(CAP).body("he");
    relay.send(&plain).refuses(415, "media_type");
    let typed = plain.header("content-type", "application/partial-upload");
    relay.send(&typed).refuses(400, "malformed");
    let half = typed.header("upload-offset", "0");
    relay.send(&half).refuses(400, "malformed");
    relay.send(&half.header("upload-length", "-5")).refuses(400, "malformed");
    parts.send(0, 5, b"").refuses(400, "malformed");
    parts.send(4, 5, b"lo").refuses(400, "malformed");
    parts.send(u64::MAX, 5, b"lo").refuses(400, "malformed");
    parts.send(0, (1 << 20) + 1, b"he").refuses(413, "too_large");
    // Room for the whole is what counts, from the first part on.
    parts.send(0, 1001, b"he").refuses(507, "share_full");
    parts.send(2, 5, b"llo").refuses(409, "offset");
    parts.send(0, 5, b"he").is(204);
    parts.send(2, 5, b"xxx").refuses(422, "wrong_hash");
    parts.head().is(404);
    parts.send(0, 5, b"he").is(204);
    parts.send(2, 5, b"llo").is(201);
    parts.send(0, 5, b"hello").is(200);
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
fn large_messages_take_little_memory() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 192;
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let owner = key(1);
    relay.mailbox(&owner, CAP, Terms::default());
    let piece = |n: usize| vec![n as u8; PIECE];
    let mut hash = crypto::Hash::default();
    (0..PIECES).for_each(|n| hash.update(&piece(n)));
    let id = Id(hash.finish());
    let target = format!("/v1/m/{}/{id}", Mailbox(owner.public()));
    let size = (PIECE * PIECES).to_string();
    let head = ask("PUT", target.clone()).bearer(CAP).header("content-length", size);
    let before = most_memory();
    let mut stream = TcpStream::connect(relay.address).unwrap();
    stream.write_all(&head.bytes("x", 0)).unwrap();
    for n in 0..PIECES {
        stream.write_all(&piece(n)).unwrap();
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Reply::read(&answer).is(201);
    let get = ask("GET", target).signed(&owner);
    let mut stream = TcpStream::connect(relay.address).unwrap();
    stream.write_all(&get.bytes(&relay.address.to_string(), relay.now())).unwrap();
    // A slow reader holds up its own answer only.
    std::thread::sleep(Duration::from_millis(500));
    let mut buffer = vec![0; 1 << 16];
    let mut read = 0;
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        read += count;
    }
    assert!(read > PIECE * PIECES);
    let taken = most_memory() - before;
    assert!(taken < 48 << 20, "{taken} bytes");
}
