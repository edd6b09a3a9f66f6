//! Conversations of version 1, kept as files and replayed.

use std::path::{Path, PathBuf};

use crate::relay::protocol::{CapabilityId, Mailbox, frame};
use crate::relay::server::config::Clock;
use crate::text;
use serde_json::{Value, json};

use crate::relay::server::tests::harness::*;

/// The first hour of 2027.
const NOW: u64 = 1_798_761_600;
const HOST: &str = "relay.example";

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

fn relay(folder: &Path) -> Relay {
    Relay::start(folder, |config| {
        config.clock = Clock::new(|| NOW);
        config.authorities = vec![HOST.into()];
        config.message_bytes = 1 << 20;
    })
}

/// A section of a file: what it is, and the message as it goes over the wire.
fn sections(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut sections = Vec::new();
    for section in text.split("\n=== ").skip(1) {
        let (kind, rest) = section.split_once('\n').unwrap();
        let (head, body) = rest.split_once("\n\n").unwrap();
        let mut bytes = format!("{}\r\n\r\n", head.replace('\n', "\r\n")).into_bytes();
        match kind.strip_suffix(" hex") {
            Some(_) => bytes.extend(unhex(body)),
            None => bytes.extend_from_slice(body.as_bytes()),
        }
        sections.push((kind.trim_end_matches(" hex").to_owned(), bytes));
    }
    sections
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// Whether `new` says all that `old` says.
fn includes(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (_, Value::String(text)) if text == "{any}" => true,
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(name, old)| new.get(name).is_some_and(|new| includes(new, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| includes(new, old))
        }
        (new, old) => new == old,
    }
}

fn compare(place: &str, new: &Reply, old: &Reply) {
    let show = || format!("{place}\n{}\n{}", new.head, String::from_utf8_lossy(&new.body));
    assert_eq!(new.status, old.status, "{}", show());
    for line in old.head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        let now = new.header(name);
        // JSON may grow.
        let any = value == "{any}" || name == "content-length";
        assert!(now.is_some_and(|now| any || now == value), "{name}: {now:?}\n{}", show());
    }
    if old.header("content-type") == Some("application/json") && !old.body.is_empty() {
        assert!(includes(&new.json(), &old.json()), "{}", show());
    } else {
        assert!(new.body == old.body, "{}", show());
    }
}

#[test]
fn version_1_is_kept() {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(files()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= conversations().len());
    for name in names {
        let folder = folder();
        let relay = relay(folder.path());
        let sections = sections(&std::fs::read_to_string(&name).unwrap());
        assert!(!sections.is_empty() && sections.len().is_multiple_of(2), "{}", name.display());
        for (n, pair) in sections.chunks(2).enumerate() {
            let [(asked, request), (answered, answer)] = pair else { panic!("odd") };
            assert_eq!((asked.as_str(), answered.as_str()), ("request", "answer"));
            let reply = Reply::read(&relay.raw(request));
            compare(&format!("{} request {n}", name.display()), &reply, &Reply::read(answer));
        }
    }
}

#[test]
fn a_changed_answer_is_noticed() {
    let old = Reply::read(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":1}");
    let with = |head: &str, body: &str| Reply {
        status: 200,
        head: format!("HTTP/1.1 200 OK\r\n{head}"),
        body: body.as_bytes().to_vec(),
    };
    let kind = "content-type: application/json";
    compare("same", &with(&format!("{kind}\r\nnew: x"), "{\"a\":1,\"b\":2}"), &old);
    for (head, body) in [(kind, "{\"a\":2}"), (kind, "{\"b\":1}"), ("x: y", "{\"a\":1}")] {
        let changed = with(head, body);
        assert!(std::panic::catch_unwind(|| compare("changed", &changed, &old)).is_err());
    }
}

/// A conversation: the name of its file, what it shows, and its requests.
type Conversation = (&'static str, &'static str, Vec<Vec<u8>>);

/// Writes requests as they are kept: one nonce after another.
struct Writer {
    mailbox: Mailbox,
    requests: Vec<Vec<u8>>,
}

impl Writer {
    fn new() -> Self {
        let mut writer = Self { mailbox: Mailbox(key(1).public()), requests: Vec::new() };
        writer.owner("PUT", "", None);
        let id = CapabilityId::of(CAP);
        writer.owner("PUT", &format!("/capabilities/{id}"), Some(json!({})));
        writer
    }

    fn add(&mut self, ask: Ask<'_>) {
        let nonce = [self.requests.len() as u8 + 1; 16];
        self.requests.push(ask.nonce(nonce).bytes(HOST, NOW));
    }

    fn owner(&mut self, method: &'static str, tail: &str, body: Option<Value>) {
        let key = key(1);
        let mut ask = ask(method, format!("/v1/m/{}{tail}", self.mailbox));
        if let Some(body) = body {
            ask = ask.header("content-type", "application/json").body(body.to_string());
        }
        self.add(ask.signed(&key));
    }

    fn push(&mut self, bearer: &str, body: &[u8]) {
        self.add(push(&self.mailbox, bearer, body));
    }
}

fn conversations() -> Vec<Conversation> {
    let here = |body: &[u8]| format!("/{}", id_of(body));
    let mut all = Vec::new();

    let info = ask("GET", "/v1/info").bytes(HOST, NOW);
    all.push(("01-info", "What a relay says of itself.", vec![info]));

    let mut talk = Writer::new();
    talk.owner("PUT", "", None);
    talk.owner("GET", "?wait=0&limit=10", None);
    talk.push(CAP, b"hello");
    talk.push(CAP, b"hello");
    talk.owner("GET", "?limit=10", None);
    talk.owner("GET", &here(b"hello"), None);
    talk.owner("GET", "/status", None);
    talk.owner("GET", "/capabilities", None);
    let ids = json!({ "ids": [id_of(b"hello"), id_of(b"nothing")] });
    talk.owner("POST", "/ack", Some(ids));
    talk.push(CAP, b"hello");
    talk.owner("GET", "", None);
    talk.owner("DELETE", "", None);
    talk.owner("DELETE", "", None);
    all.push(("02-one-message", "Register, push, list, take, ack, close.", talk.requests));

    let mut talk = Writer::new();
    let mut batch = Vec::new();
    for body in [&b"one"[..], b"two", b"three"] {
        frame::push(&mut batch, &id_of(body), body);
    }
    frame::push(&mut batch, &id_of(b"other"), b"wrong");
    let target = format!("/v1/m/{}/push", talk.mailbox);
    let kind = "application/vnd.bulla.messages";
    let many = ask("POST", target).bearer(CAP).header("content-type", kind);
    talk.add(many.clone().body(batch.clone()));
    talk.add(many.clone().body(batch[..100].to_vec()));
    let ids = json!({ "ids": [id_of(b"three"), id_of(b"nothing"), id_of(b"one")] });
    talk.owner("POST", "/take", Some(ids.clone()));
    talk.owner("POST", "/ack", Some(ids));
    all.push(("03-batches", "Many messages in one request, both ways.", talk.requests));

    let mut talk = Writer::new();
    let target = format!("/v1/m/{}{}", talk.mailbox, here(b"hello, world"));
    let part = |offset: &str, bytes: &str| {
        ask("PATCH", target.clone())
            .bearer(CAP)
            .header("content-type", "application/partial-upload")
            .header("upload-offset", offset)
            .header("upload-length", "12")
            .body(bytes)
    };
    let head = ask("HEAD", target.clone()).bearer(CAP);
    talk.add(head.clone());
    talk.add(part("0", "hello"));
    talk.add(head.clone());
    talk.add(part("0", "hello"));
    talk.add(part("5", ", world"));
    talk.add(head);
    talk.add(part("5", ", world").header("x-unknown", "is passed over"));
    let key = key(1);
    talk.add(ask("GET", target.clone()).header("range", "bytes=7-").signed(&key));
    talk.add(ask("GET", target).header("range", "bytes=12-").signed(&key));
    all.push(("04-parts", "A message in parts, and taken from a byte on.", talk.requests));

    let mut talk = Writer::new();
    let terms = |terms: Value| Some(terms);
    let of = |text: &str| format!("/capabilities/{}", CapabilityId::of(text));
    talk.owner("PUT", &of("share"), terms(json!({ "messages": 1, "unknown": true })));
    talk.push("share", b"1");
    talk.push("share", b"2");
    talk.owner("PUT", &of("rate"), terms(json!({ "hourly": 1, "expires": NOW + 1 })));
    talk.push("rate", b"3");
    talk.push("rate", b"4");
    talk.owner("DELETE", &of("rate"), None);
    talk.push("rate", b"4");
    talk.push("", b"5");
    talk.owner("PUT", &of(""), terms(json!({})));
    talk.push("", b"5");
    all.push(("05-capabilities", "Terms, revoking, a public inbox.", talk.requests));

    let mut talk = Writer::new();
    let name = talk.mailbox;
    let stranger = self::key(2);
    let unknown = Mailbox(stranger.public());
    talk.add(push(&unknown, CAP, b"hello"));
    talk.add(ask("GET", format!("/v1/m/{unknown}")).signed(&stranger));
    talk.add(ask("GET", format!("/v1/m/{name}")).signed(&stranger));
    talk.add(ask("GET", format!("/v1/m/{name}")));
    talk.add(ask("GET", format!("/v1/m/{name}")).signed(&key).created(NOW - 91));
    let again = talk.requests[0].clone();
    talk.owner("GET", "/status", None);
    let replayed = talk.requests.last().unwrap().clone();
    talk.requests.extend([replayed, again]);
    talk.add(ask("GET", format!("/v1/m/{name}")).signed(&key).authority("other.example"));
    talk.owner("GET", "?wait=soon", None);
    talk.owner("GET", &here(b"nothing"), None);
    talk.owner("POST", "/ack", Some(json!({ "ids": ["nonsense"] })));
    talk.add(ask("PUT", format!("/v1/m/{name}{}", here(b"x"))).bearer(CAP).body("y"));
    talk.add(ask("PUT", format!("/v1/m/{name}/nonsense")).bearer(CAP).body("y"));
    let long = ask("PUT", format!("/v1/m/{name}{}", here(b"x"))).bearer(CAP);
    let long = long.header("content-length", "9999999").header("expect", "100-continue");
    talk.add(long);
    talk.add(ask("PUT", format!("/v1/m/{name}{}", here(b"x"))).bearer(CAP));
    talk.add(ask("PATCH", "/v1/info"));
    talk.add(ask("GET", "/v1/nothing"));
    all.push(("06-refusals", "What is refused, and how.", talk.requests));
    all
}

/// A message as it is kept.
fn kept(kind: &str, bytes: &[u8]) -> String {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().replace("\r\n", "\n");
    let body = &bytes[end + 4..];
    match std::str::from_utf8(body).ok().filter(|text| !text.contains(['\0', '\r'])) {
        Some(body) => format!("\n=== {kind}\n{head}\n\n{body}"),
        None => format!("\n=== {kind} hex\n{head}\n\n{}", text::hex_encode(body)),
    }
}

#[test]
#[ignore = "writes files that are kept for ever"]
fn write_what_is_missing() {
    for (name, words, requests) in conversations() {
        let path = files().join(format!("{name}.http"));
        if path.exists() {
            continue;
        }
        let folder = folder();
        let relay = relay(folder.path());
        let mut text = format!("# {words}\n");
        for request in requests {
            text.push_str(&kept("request", &request));
            text.push_str(&kept("answer", &relay.raw(&request)));
        }
        std::fs::write(path, text).unwrap();
    }
}
