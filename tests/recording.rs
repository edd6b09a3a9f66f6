//! A relay that records everything it sees while three people who paired write to each other: what
//! it could find out, and what not (SECURITY.md, C1; PROTOCOL.md, "What a relay must never learn").
//!
//! Real processes, and a proxy before the relay that keeps every byte. What may be alike in requests
//! for two mailboxes is listed here exactly; everything else that is alike fails the test.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use bulla::crypto::sha256;
use bulla::text::{base64_decode, base64_encode};

use common::{Person, Relay, everything_below};

/// Shortest string that must not be seen twice.
const SHORTEST: usize = 16;

/// What requests for different mailboxes have in common: the text of the protocol, the relay's own
/// name (`HOST`), and numbers, which stand as `#`: times of a request, the hour in which an invite
/// ends, a length. Longer ones first.
const ALIKE: &[&str] = &[
    // The request line.
    "GET /v1/m/",
    "PUT /v1/m/",
    "POST /v1/m/",
    "/capabilities/",
    "/ack",
    "/take",
    "?wait=#&limit=#",
    " HTTP/1.1\r\n",
    // The owner's proof.
    "signature-input: bulla=(\"@method\" \"@authority\" \"@path\" \"@query\");created=#;nonce=\"",
    "signature-input: bulla=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\");created=#;nonce=\"",
    "\";keyid=\"",
    "\";tag=\"bulla-relay-v1\"\r\n",
    "signature: bulla=:",
    ":\r\n",
    // The sender's, which is a capability, and nothing else of his.
    "authorization: Bearer ",
    // Where and how long.
    "host: HOST\r\n",
    "content-length: #\r\n",
    "transfer-encoding: chunked\r\n",
    // What: the terms of a mailbox for one pairing, those of one for letters, ids, a letter.
    "content-type: application/json\r\n",
    "content-type: application/octet-stream\r\n",
    "{\"expires\":#,\"messages\":16}",
    "{}",
    "{\"ids\":[\"",
    "\"]}",
    "age-encryption.org/v1\n-> bulla-ratchet-v1 ",
];

// ---- the recorder ----

/// What went over one connection to the relay, and who was at it.
struct Connection {
    who: String,
    sent: Vec<u8>,
    answered: Vec<u8>,
}

struct Recorder {
    url: String,
    who: Arc<Mutex<String>>,
    seen: Arc<Mutex<Vec<Arc<Mutex<Connection>>>>>,
    relay: Relay,
    store: tempfile::TempDir,
}

impl Recorder {
    fn start() -> Self {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = proxy.local_addr().unwrap().to_string();
        let store = tempfile::tempdir().unwrap();
        let relay = Relay::start_with(store.path(), "127.0.0.1:0", &["--name", &name]);
        let behind = relay.url.trim_start_matches("http://").to_owned();
        let who = Arc::new(Mutex::new(String::new()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (now, all) = (who.clone(), seen.clone());
        thread::spawn(move || {
            for client in proxy.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&behind).unwrap());
                let who = now.lock().unwrap().clone();
                let (sent, answered) = (Vec::new(), Vec::new());
                let connection = Arc::new(Mutex::new(Connection { who, sent, answered }));
                all.lock().unwrap().push(connection.clone());
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let record = connection.clone();
                thread::spawn(move || {
                    copy(from, to, |bytes| record.lock().unwrap().sent.extend_from_slice(bytes));
                });
                thread::spawn(move || {
                    copy(server, client, |bytes| {
                        connection.lock().unwrap().answered.extend_from_slice(bytes);
                    });
                });
            }
        });
        Self { url: format!("http://{name}"), who, seen, relay, store }
    }

    /// From here on it is `who` that the relay hears.
    fn now(&self, who: &str) {
        who.clone_into(&mut self.who.lock().unwrap());
    }

    /// Every request, with who made it.
    fn requests(&self) -> Vec<(String, Request)> {
        let seen = self.seen.lock().unwrap();
        let connections = seen.iter().map(|connection| connection.lock().unwrap());
        connections
            .flat_map(|one| {
                requests(&one.sent).into_iter().map(|r| (one.who.clone(), r)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Every byte that the relay got, gave and kept.
    fn everything(&self) -> Vec<u8> {
        let mut all = everything_below(self.store.path());
        for connection in self.seen.lock().unwrap().iter() {
            let connection = connection.lock().unwrap();
            all.extend_from_slice(&connection.sent);
            all.extend_from_slice(&connection.answered);
        }
        all
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, record: impl Fn(&[u8])) {
    let mut buffer = [0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        record(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[derive(Debug)]
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn method(&self) -> &str {
        self.head.split(' ').next().unwrap()
    }

    /// The mailbox it is about.
    fn mailbox(&self) -> &str {
        let path = self.head.split(' ').nth(1).unwrap();
        let rest = path.strip_prefix("/v1/m/").unwrap_or_else(|| panic!("{path}"));
        let mailbox = rest.get(..64).unwrap();
        assert!(mailbox.bytes().all(|byte| byte.is_ascii_hexdigit()));
        mailbox
    }

    /// The head without the hash of the body, which says no more than the body does.
    fn head_without_digest(&self) -> String {
        let Some(digest) = self.field("content-digest") else { return self.head.clone() };
        let hash = base64_encode(&sha256(&[&self.body]));
        assert_eq!(digest, format!("sha-256=:{hash}:"));
        self.head.replace(&format!("content-digest: {digest}\r\n"), "")
    }

    fn registers(&self) -> bool {
        self.method() == "PUT" && self.head.split(' ').nth(1).unwrap().ends_with(self.mailbox())
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Returns the requests of one connection. All of it is understood, or the test fails, but for a last
/// body that was never sent: the relay had closed the connection, and the client asked again.
fn requests(mut sent: &[u8]) -> Vec<Request> {
    let mut requests = Vec::new();
    while !sent.is_empty() {
        let end = sent.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8(sent[..end].to_vec()).unwrap();
        let mut request = Request { head, body: Vec::new() };
        sent = &sent[end..];
        if request.field("transfer-encoding").is_some() {
            // Chunks, of which the last is empty.
            loop {
                let end = sent.windows(2).position(|window| window == b"\r\n").unwrap();
                let size = std::str::from_utf8(&sent[..end]).unwrap();
                let size = usize::from_str_radix(size, 16).unwrap();
                request.body.extend_from_slice(&sent[end + 2..end + 2 + size]);
                sent = &sent[end + 2 + size + 2..];
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = request.field("content-length").map_or(0, |n| n.parse().unwrap());
            if sent.is_empty() && length > 0 {
                break;
            }
            request.body = sent[..length].to_vec();
            sent = &sent[length..];
        }
        requests.push(request);
    }
    requests
}

// ---- three people ----

const NAMES: [&str; 3] = ["Alcibiades", "Berenice", "Clytemnestra"];

fn three() -> (Recorder, [Person; 3]) {
    let recorder = Recorder::start();
    let people = [(); 3].map(|()| Person::with_identity());
    for (person, name) in people.iter().zip(NAMES) {
        person.run(&["card", "--name", name]).expect(0);
    }
    for (one, other) in [(0, 1), (1, 2), (2, 0)] {
        recorder.now(&format!("{one}-{other}"));
        let (inviter, joiner) = (&people[one], &people[other]);
        let invite = inviter.run(&["invite", "--relay", &recorder.url]).expect(0).out;
        joiner.pipe(&["pair", "--method", "secret"], &invite).expect(0);
        for (person, status) in [(inviter, 1), (joiner, 0), (inviter, 0)] {
            person.run(&["pair"]).expect(status);
        }
    }
    (recorder, people)
}

/// Ten letters, each way between each two, some before an answer and some after.
const LETTERS: [(usize, usize); 10] =
    [(0, 1), (1, 0), (0, 1), (0, 2), (2, 0), (1, 2), (2, 1), (1, 2), (2, 0), (1, 0)];

fn subject(number: usize) -> String {
    format!("peregrination the {number}th")
}

fn body(number: usize) -> String {
    format!("meet me at the lighthouse, {}", "quietly ".repeat(1 + 37 * number))
}

fn write(recorder: &Recorder, people: &[Person; 3]) {
    for (number, (from, to)) in LETTERS.into_iter().enumerate() {
        recorder.now(&format!("{from}>{to}"));
        let seal = ["seal", "--to", NAMES[to], "--subject", &subject(number)];
        let sealed = people[from].pipe(&seal, body(number).as_bytes()).expect(0).out;
        people[from].pipe(&["relay", "push"], &sealed).expect(0);
        recorder.now(&format!(">{to}"));
        let pulled = people[to].run(&["relay", "pull"]).expect(0).out;
        let opened = people[to].pipe(&["open", "--json"], &pulled).expect(0).json().remove(0);
        assert_eq!(opened["body"], body(number));
        assert_eq!(
            (&opened["subject"], &opened["from"]["name"]),
            (&subject(number).into(), &NAMES[from].into())
        );
        assert_eq!(opened["forward_secrecy"], true);
    }
}

// ---- what is alike ----

/// Strings that were seen with a mailbox, or in a letter, and those seen with two.
#[derive(Default)]
struct Seen {
    first: HashMap<[u8; SHORTEST], usize>,
    twice: BTreeSet<String>,
}

impl Seen {
    /// Takes what is not known to be alike, as it stands and as it is meant.
    fn take(&mut self, owner: usize, bytes: &[u8]) {
        self.windows(owner, bytes);
        if let Ok(text) = std::str::from_utf8(bytes) {
            for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c))) {
                if let Some(meant) = from_hex(word) {
                    self.windows(owner, &meant);
                }
                if let Ok(meant) = base64_decode(word.as_bytes()) {
                    self.windows(owner, &meant);
                }
            }
        }
    }

    fn windows(&mut self, owner: usize, bytes: &[u8]) {
        for window in bytes.windows(SHORTEST) {
            let window: [u8; SHORTEST] = window.try_into().unwrap();
            if *self.first.entry(window).or_insert(owner) != owner {
                self.twice.insert(window.escape_ascii().to_string());
            }
        }
    }
}

fn from_hex(word: &str) -> Option<Vec<u8>> {
    let digits = word.len().is_multiple_of(2) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| {
        (0..word.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&word[i..i + 2], 16).unwrap())
            .collect()
    })
}

/// The pieces of `bytes` between the strings of `alike`; notes which of them there were.
fn between<'a>(bytes: &'a [u8], alike: &[String], used: &mut BTreeSet<String>) -> Vec<&'a [u8]> {
    for one in alike {
        let numbers: Vec<&str> = one.split('#').collect();
        if let Some((start, end)) = find(bytes, &numbers) {
            used.insert(one.clone());
            let mut pieces = between(&bytes[..start], alike, used);
            pieces.extend(between(&bytes[end..], alike, used));
            return pieces;
        }
    }
    vec![bytes]
}

/// Where the parts stand, with digits between each two.
fn find(bytes: &[u8], parts: &[&str]) -> Option<(usize, usize)> {
    (0..bytes.len()).find_map(|start| {
        let mut at = start;
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                at += bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            }
            bytes[at..].starts_with(part.as_bytes()).then(|| at += part.len())?;
        }
        Some((start, at))
    })
}

#[test]
fn nothing_at_the_relay_links_two_contacts_or_two_letters() {
    let (recorder, people) = three();
    write(&recorder, &people);
    let requests = recorder.requests();

    // Each of the six ways letters go has a mailbox of its own, and so has each side of each pairing.
    let mut mailboxes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (who, request) in requests.iter().filter(|(who, _)| !who.starts_with('>')) {
        mailboxes.entry(who).or_default().insert(request.mailbox());
    }
    let ways: Vec<_> = mailboxes.iter().filter(|(who, _)| who.contains('>')).collect();
    assert_eq!(ways.len(), 6);
    for (way, mailboxes) in &ways {
        assert_eq!(mailboxes.len(), 1, "{way}");
    }
    let letters: BTreeSet<_> = ways.iter().flat_map(|(_, mailboxes)| mailboxes.iter()).collect();
    assert_eq!(letters.len(), 6, "a mailbox takes letters of two contacts");
    let mut registered: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (who, request) in requests.iter().filter(|(_, request)| request.registers()) {
        registered.entry(who).or_default().insert(request.mailbox());
    }
    assert_eq!(registered.values().map(BTreeSet::len).collect::<Vec<_>>(), [4, 4, 4]);
    let together: BTreeSet<_> = registered.values().flatten().collect();
    assert_eq!(together.len(), 12, "a mailbox is in two pairings");
    let spoken_of: BTreeSet<_> = requests.iter().map(|(_, request)| request.mailbox()).collect();
    assert_eq!(spoken_of.len(), 12);

    // Whatever is said of one mailbox has no sixteen bytes in common with what is said of another.
    let host = recorder.url.trim_start_matches("http://");
    let alike: Vec<String> = ALIKE.iter().map(|text| text.replace("HOST", host)).collect();
    let names: Vec<&str> = requests.iter().map(|(_, request)| request.mailbox()).collect();
    let (mut seen, mut used) = (Seen::default(), BTreeSet::new());
    for (_, request) in &requests {
        let owner = names.iter().position(|name| *name == request.mailbox()).unwrap();
        let whole = [request.head_without_digest().as_bytes(), &request.body].concat();
        for piece in between(&whole, &alike, &mut used) {
            seen.take(owner, piece);
        }
    }
    assert!(seen.twice.is_empty(), "seen with two mailboxes:\n{:#?}", seen.twice);
    let unused: Vec<_> = alike.iter().filter(|text| !used.contains(*text)).collect();
    assert!(unused.is_empty(), "listed, and never said: {unused:#?}");

    // Letters are ratcheted age files of a length rounded up, and have nothing in common but that.
    let pushed = |way: char| {
        let of = move |(who, request): &&(String, Request)| {
            who.contains(way)
                && request.method() == "PUT"
                && request.field("authorization").is_some()
        };
        requests.iter().filter(of).map(|(_, request)| request.body.as_slice()).collect::<Vec<_>>()
    };
    let letters = pushed('>');
    assert_eq!(letters.len(), LETTERS.len());
    let mut seen = Seen::default();
    let frame = ["age-encryption.org/v1\n-> bulla-ratchet-v1 ", "\n--- ", "\n", " "];
    let frame = frame.map(str::to_owned);
    for (number, letter) in letters.iter().enumerate() {
        let end = letter.windows(5).position(|window| window == b"\n--- ").unwrap() + 5 + 43 + 1;
        for piece in between(&letter[..end], &frame, &mut used) {
            seen.take(number, piece);
        }
        seen.windows(number, &letter[end..]);
        let sealed = letter.len() - end - 16;
        let plain = sealed - 16 * sealed.div_ceil((64 << 10) + 16);
        // Padmé: as many zeros at the end as the exponent is longer than its own length.
        let zeros = plain.ilog2() - plain.ilog2().ilog2() - 1;
        assert!(plain.trailing_zeros() >= zeros, "letter {number}");
    }
    assert!(seen.twice.is_empty(), "in two letters:\n{:#?}", seen.twice);
    assert!(letters.iter().all(|letter| letter.starts_with(frame[0].as_bytes())));
    // The messages of pairings are all of one length, and look random from their first byte.
    // One that may not have come is said again, byte for byte, in the same mailbox.
    let messages: BTreeSet<_> = pushed('-').into_iter().collect();
    let mut seen = Seen::default();
    for (number, message) in messages.iter().enumerate() {
        assert_eq!(message.len(), 8192);
        seen.windows(number, message);
    }
    assert!(seen.twice.is_empty(), "in two messages:\n{:#?}", seen.twice);
    assert_eq!(messages.len(), 12);
}

#[test]
fn names_keys_and_words_are_nowhere_at_the_relay() {
    let (recorder, people) = three();
    write(&recorder, &people);
    let everything = recorder.everything();
    let mut secrets: HashMap<[u8; SHORTEST], &str> = HashMap::new();
    let mut keep = |what, secret: &[u8]| {
        for window in secret.windows(SHORTEST) {
            secrets.insert(window.try_into().unwrap(), what);
        }
    };
    // What must be there is: the test looks in the right place.
    let (_, request) = &recorder.requests()[0];
    keep("seen", request.mailbox().as_bytes());

    let words =
        NAMES.into_iter().chain(["peregrination", "lighthouse", "quietly", "bulla1", "age1"]);
    for word in words {
        for word in [word.to_owned(), word.to_lowercase()] {
            let found = everything.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{word}");
        }
    }
    for person in &people {
        let card = person.run(&["card", "--json"]).expect(0).json().remove(0);
        for field in ["fingerprint", "recipient", "mailbox"] {
            let text = card[field].as_str().unwrap();
            keep(field, text.as_bytes());
            keep(field, &from_hex(text).unwrap_or_default());
        }
        // The record itself, from its armor: every key and the signature.
        let armor = card["card"].as_str().unwrap();
        let lines = armor.lines().filter(|line| !line.starts_with("-----"));
        let record = base64_decode(lines.collect::<String>().as_bytes()).unwrap();
        assert!(record.len() > 1300);
        keep("card", &record);
        let identity = std::fs::read(person.home().join("home/identity")).unwrap();
        keep("identity", identity.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap());
    }
    let found = everything.windows(SHORTEST).filter_map(|window| secrets.get(window).copied());
    assert_eq!(found.collect::<BTreeSet<_>>(), BTreeSet::from(["seen"]));

    // The store has the hash of a capability only, and no letter that was taken.
    let store = everything_below(recorder.store.path());
    let mut shown = HashSet::new();
    for (_, request) in recorder.requests() {
        if let Some(bearer) = request.field("authorization") {
            let text = bearer.strip_prefix("Bearer ").unwrap();
            shown.insert(text.as_bytes()[..SHORTEST].to_vec());
            shown.insert(from_hex(text).unwrap()[..SHORTEST].to_vec());
        }
    }
    assert!(shown.len() >= 12);
    assert!(!store.windows(SHORTEST).any(|window| shown.contains(window)));
    drop(recorder.relay);
}
