//! Fuzz targets: a function for each reader of outside bytes. `cargo fuzz run NAME` drives one for
//! hours. An ordinary test runs all of them over the committed corpus and some changes of it.
//!
//! This is a module of the library, since the targets call what is not public. It is built for tests
//! and by `cargo fuzz` only.
//!
//! A target fails by a panic. The texts of the corpus have a line for each part, so that they
//! can be read and written by hand.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a target fails by panicking, and clippy knows `cfg(test)` alone"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::contact::backup::Backup;
use crate::contact::pairing::Invite;
use crate::contact::{Book, Pairs};
use crate::crypto;
use crate::crypto::SigningSecret;
use crate::identity::Card;
use crate::index::{Document, Index, Kind, MAX_BODY, Pdf, Query, SearchOptions};
use crate::letter::EnvelopeReader;
use crate::relay::protocol::field;
use crate::relay::protocol::frame;
use crate::relay::protocol::pow::{Proof, Task};
use crate::relay::protocol::signature;
use crate::relay::protocol::signature::{Headers, Request};
use crate::relay::protocol::{
    Capabilities, CapabilityId, Entry, Failure, Id, Ids, Info, Listing, Mailbox, Pushes, Status,
    Terms, TokenId,
};
use crate::relay::server::{Config, Server};
use crate::relay::store::Quotas;
use crate::relay::store::Store as _;
use crate::relay::store::embedded::Embedded;
use crate::relay::store::embedded::options::Options;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// The next line of `data`, without its end.
fn line<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (line, rest) = data.split_at(end.unwrap_or(data.len()));
    *data = rest.get(1..).unwrap_or_default();
    line
}

/// The same as text.
fn text(data: &mut &[u8]) -> String {
    String::from_utf8_lossy(line(data)).into_owned()
}

/// A message: its document is bounded, and the same twice.
pub fn mail(data: &[u8]) {
    if let Some(document) = Document::of_message(data) {
        assert!(document.body.len() <= MAX_BODY);
        assert_eq!(Document::of_message(data), Some(document));
    }
}

/// A PDF: what is read of it is bounded, and the same twice.
pub fn pdf(data: &[u8]) {
    if let Ok(pdf) = Pdf::read(data) {
        assert!(pdf.text.len() <= MAX_BODY);
        assert_eq!(Pdf::read(data).ok(), Some(pdf));
    }
}

/// A card: whatever is read is written as it was read.
pub fn card(data: &[u8]) {
    if let Ok(card) = Card::from_bytes(data) {
        assert_eq!(card.to_bytes(), data);
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(card) = Card::parse_text(text)
    {
        assert_eq!(
            Card::parse_text(&card.to_text()).expect("its own text").to_bytes(),
            card.to_bytes()
        );
    }
}

/// What is inside a backup: what is read can be put back, and twice is as good as once.
pub fn backup(data: &[u8]) {
    let Ok(backup) = Backup::from_bytes(data) else { return };
    let (mut book, mut pairs) = (Book::default(), Pairs::default());
    let (twice, mailboxes) = (backup.book.clone(), backup.pairs.open());
    if book.merge(backup.book).is_ok() {
        let once = book.clone();
        assert!(book.merge(twice).is_ok_and(|merged| merged.added == 0));
        assert_eq!(book, once);
    }
    assert!(pairs.merge(backup.pairs).is_ok_and(|_| pairs.open() <= mailboxes));
}

/// An invite, as its record and as its line: whatever is read is written as it was read.
pub fn invite(data: &[u8]) {
    let line = crate::text::bech32_encode("bulla-invite-", data);
    if let Ok(invite) = Invite::parse(&line) {
        assert_eq!(*invite.to_line().expect("its own line"), *line);
    }
    if let Ok(line) = std::str::from_utf8(data)
        && let Ok(invite) = Invite::parse(line)
    {
        assert_eq!(*invite.to_line().expect("its own line"), line.trim());
    }
}

/// An envelope stream: its letters are at most as long as it is, and an error is the last word.
pub fn envelope(data: &[u8]) {
    let mut reader = EnvelopeReader::new(data);
    let mut length = 0;
    while let Ok(Some(mut letter)) = reader.next() {
        let mut bytes = Vec::new();
        let read = letter.read_to_end(&mut bytes);
        length += bytes.len();
        assert!(length <= data.len());
        if read.is_err() || letter.finish().is_err() {
            break;
        }
    }
}

/// Fields, queries and names: what is written anew reads as the same.
pub fn field(data: &[u8]) {
    let _ = field::bearer(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = (field::integer(text), field::range_from(text));
    if let Some(query) = field::list_query(text) {
        assert!(query.limit >= 1 && query.limit <= 1000 && query.wait <= 50);
    }
    if let Ok(task) = text.parse::<Task>() {
        assert_eq!(task.to_string().parse(), Ok(task));
    }
    if let Ok(proof) = text.parse::<Proof>() {
        assert_eq!(proof.to_string(), text);
    }
    if let Ok(id) = text.parse::<Id>() {
        assert_eq!(id.to_string(), text);
    }
    let _ = (CapabilityId::of(text), TokenId::of(text), text.parse::<CapabilityId>());
}

/// A query: what is understood is printed so that it is understood alike, and explained.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Query::parse_at(&text, 1_773_500_966) {
        Ok(query) => {
            let printed = query.to_string();
            // It is longer than what was read, and there is a limit to that.
            if printed.len() <= 16 << 10 {
                let again = Query::parse_at(&printed, 0).expect("a query that was printed");
                assert_eq!(again, query, "{printed}");
            }
            assert!(!query.explain().to_string().is_empty());
        }
        Err(error) => {
            assert!(text.is_char_boundary(error.at), "{error} at {}", error.at);
            assert!(!error.expected.is_empty());
        }
    }
}

/// A batch: what is read is the bytes that were there, each once.
pub fn frame(data: &[u8]) {
    let Ok(messages) = frame::decode(data.to_vec().into()) else { return };
    let mut again = Vec::new();
    for (id, body) in &messages {
        frame::push(&mut again, id, body);
    }
    assert_eq!(again, data);
}

/// JSON of both sides: what is read is written so that it reads as the same.
pub fn json(data: &[u8]) {
    fn round<T>(data: &[u8])
    where
        T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug,
    {
        if let Ok(value) = serde_json::from_slice::<T>(data) {
            let text = serde_json::to_string(&value).expect("JSON");
            assert_eq!(serde_json::from_str::<T>(&text).expect("its own JSON"), value);
        }
    }
    round::<Terms>(data);
    round::<Ids>(data);
    round::<Entry>(data);
    round::<Info>(data);
    round::<Listing>(data);
    round::<Pushes>(data);
    round::<Capabilities>(data);
    round::<Status>(data);
    round::<Failure>(data);
}

/// Signature headers. Lines: method, authority, path, query, digest, input, signature; the rest
/// is the body. What verifies does not verify for any other request.
pub fn signature(mut data: &[u8]) {
    let data = &mut data;
    let (method, authority, path, query) = (text(data), text(data), text(data), text(data));
    let (digest, input, signature) = (text(data), text(data), text(data));
    let body = Some(*data).filter(|body| !body.is_empty());
    let request =
        Request { method: &method, authority: &authority, path: &path, query: Some(&query), body };
    let content_digest = Some(digest).filter(|digest| !digest.is_empty());
    let headers = Headers { content_digest, input, signature };
    if signature::verify(&request, &headers).is_ok() {
        let (method, authority) = (format!("{method}x"), format!("{authority}x"));
        let (path, query) = (format!("{path}x"), format!("{query}x"));
        for other in [
            Request { method: &method, ..request },
            Request { authority: &authority, ..request },
            Request { path: &path, ..request },
            Request { query: Some(&query), ..request },
            Request { body: Some(b"another"), ..request },
        ] {
            assert!(signature::verify(&other, &headers).is_err());
        }
    }
}

/// A relay in this process, with a mailbox of [`key`] that [`CAPABILITY`] pushes to.
struct Relay {
    address: SocketAddr,
    host: String,
    mailbox: Mailbox,
}

const CAPABILITY: &str = "4343434343434343434343434343434343434343434343434343434343434343";

fn key() -> SigningSecret {
    SigningSecret::from_seed(&Secret::from_slice(&[42; 32]).expect("32 bytes"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

fn relay() -> &'static Relay {
    static RELAY: OnceLock<Relay> = OnceLock::new();
    RELAY.get_or_init(|| {
        let folder = folder();
        let mut quotas = Quotas::default();
        (quotas.mailboxes, quotas.mailbox_bytes, quotas.store_bytes) = (1000, 1 << 20, 1 << 24);
        let store = Arc::new(Embedded::open(folder.path(), quotas).expect("a store"));
        let mailbox = Mailbox(key().public());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            store.register(mailbox, None, now()).await.expect("a mailbox");
            let capability = CapabilityId::of(CAPABILITY);
            store.allow(mailbox, capability, Terms::default()).await.expect("a capability");
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Server::new(Config::default(), store, listener).expect("a relay");
        std::thread::spawn(move || {
            let _folder = folder;
            server.run(std::future::pending())
        });
        Relay { address, host: address.to_string(), mailbox }
    })
}

fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
        .expect("a folder")
}

/// Sends bytes and reads what comes back, for a moment. Never an answer of 500.
fn exchange(bytes: &[u8], ends: bool) {
    let relay = relay();
    let Ok(mut stream) = TcpStream::connect(relay.address) else { return };
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    let _ = stream.set_nodelay(true);
    if stream.write_all(bytes).is_err() {
        return;
    }
    if ends {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap_or(0);
    let begin = &answer[..length];
    if begin.starts_with(b"HTTP/1.") {
        assert!(begin.len() < 12 || &begin[9..12] != b"500", "{}", String::from_utf8_lossy(begin));
    }
}

/// Raw bytes to a listening relay.
pub fn http(data: &[u8]) {
    exchange(data, true);
}

/// Requests that come further, since their proof is good. Lines: who asks (`owner`, `bearer` or
/// nobody), method, what follows the mailbox in the path, query, headers up to an empty line;
/// the rest is the body.
pub fn request(mut data: &[u8]) {
    let data = &mut data;
    let relay = relay();
    let (who, method, below, query) = (text(data), text(data), text(data), text(data));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    // What is no request is for the target `http`.
    if !plain(&method) || method.is_empty() || !plain(&below) || !plain(&query) {
        return;
    }
    let path = format!("/v1/m/{}{below}", relay.mailbox);
    let mut head = Vec::new();
    loop {
        let header = line(data);
        if header.is_empty() {
            break;
        }
        head.extend_from_slice(header);
        head.extend_from_slice(b"\r\n");
    }
    let body = *data;
    let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n", relay.host).into_bytes();
    match who.as_str() {
        "owner" => {
            let request = Request {
                method: &method,
                authority: &relay.host,
                path: &path,
                query: Some(query.as_str()).filter(|query| !query.is_empty()),
                body: Some(body).filter(|body| !body.is_empty()),
            };
            let nonce = crypto::random().expect("random bytes");
            let proof = signature::sign(&request, &key(), now(), nonce);
            bytes.extend_from_slice(
                format!("signature-input: {}\r\nsignature: {}\r\n", proof.input, proof.signature)
                    .as_bytes(),
            );
            if let Some(digest) = proof.content_digest {
                bytes.extend_from_slice(format!("content-digest: {digest}\r\n").as_bytes());
            }
        }
        "bearer" => {
            bytes.extend_from_slice(format!("authorization: Bearer {CAPABILITY}\r\n").as_bytes());
        }
        _ => {}
    }
    bytes.extend_from_slice(&head);
    if !body.is_empty() {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    // One that may wait for half a minute is left as soon as it was asked.
    exchange(&bytes, query.contains("wait") || below.contains("events"));
}

/// A file of the log with these bytes: the store opens or refuses, and what it shows holds
/// together.
pub fn segment(data: &[u8]) {
    let folder = folder();
    let log = folder.path().join("log");
    std::fs::create_dir(&log).expect("a folder");
    std::fs::write(log.join(format!("{:016x}.log", 1)), data).expect("a file");
    open(folder.path());
    // What a start puts in order stays in order.
    open(folder.path());
}

/// The key that wraps the index key in the targets below.
fn wrapping() -> Secret<32> {
    Secret::from_slice(&[7; 32]).expect("32 bytes")
}

/// What an index says when somebody asks it: an error, or an answer.
fn ask(folder: &std::path::Path) {
    let Ok(index) = Index::open(folder, &wrapping()) else { return };
    let query = Query::parse("harbour OR rope*").expect("a query");
    if let Ok(results) = index.search(&query, &SearchOptions::default()) {
        let lost: u64 = index.left_out().iter().filter_map(|one| one.documents).sum();
        assert!(
            results.total + lost >= 2 || index.left_out().iter().any(|o| o.documents.is_none())
        );
    }
    let _ = index.show("a");
    let _ = index.verify();
}

/// A manifest, as it is when its seal is off, under an index key that fits.
pub fn manifest(data: &[u8]) {
    let folder = folder();
    let key = [3; 32];
    let sealed = |name: &str, kind: &'static str, wrapping: &Secret<32>, record: &[u8]| {
        let record = crypto::seal_record(wrapping, kind, record).expect("a record");
        std::fs::write(folder.path().join(name), record).expect("a file");
    };
    sealed("key", "index key", &wrapping(), &[&[1][..], &key].concat());
    let length = u32::try_from(data.len()).expect("no more than 4 GiB").to_be_bytes();
    let record = [&length[..], data].concat();
    let key = Secret::from_slice(&key).expect("32 bytes");
    sealed("manifest-0", "index manifest", &key, &record);
    sealed("manifest-1", "index manifest", &key, &record);
    // There is nothing in it that could be found.
    if let Ok(index) = Index::open(folder.path(), &wrapping()) {
        let _ = index.verify();
        let _ = index.left_out();
    }
}

/// A pack of a sound index with something changed: where (4 bytes), and what is written there, or
/// nothing to cut it off.
pub fn pack(data: &[u8]) {
    static SOUND: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let sound = SOUND.get_or_init(|| {
        let folder = folder();
        let place = folder.path().join("i");
        let index = Index::create(&place, &wrapping()).expect("an index");
        for (id, body) in [("a", "harbour"), ("b", "rope")] {
            let mut writer = index.writer().expect("a writer");
            let mut document = Document::new(Kind::Letter, id.into());
            document.body = body.into();
            writer.add(document).expect("added");
            writer.finish().expect("written");
        }
        let files = std::fs::read_dir(&place).expect("a folder").map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            (name, std::fs::read(entry.path()).expect("a file"))
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by_key(|(name, _)| name.len() != 32);
        files
    });
    let folder = folder();
    for (number, (name, bytes)) in sound.iter().enumerate() {
        let mut bytes = bytes.clone();
        if let (0, Some((at, change))) = (number, data.split_first_chunk::<4>()) {
            let at = u32::from_be_bytes(*at) as usize % (bytes.len() + 1);
            if change.is_empty() {
                bytes.truncate(at);
            }
            for (place, byte) in bytes.iter_mut().skip(at).zip(change) {
                *place = *byte;
            }
        }
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    }
    ask(folder.path());
}

/// A store with the smallest segments there are, which are quickly made.
fn embedded(folder: &std::path::Path) -> Result<Embedded, crate::relay::store::Error> {
    let options = Options { segment: 4 << 20, ..Options::default() };
    Embedded::open_with(folder, Quotas::default(), options)
}

fn open(folder: &std::path::Path) {
    let Ok(store) = embedded(folder) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mailbox = Mailbox(key().public());
        let totals = store.totals().await.expect("totals");
        if let Ok(Some(usage)) = store.usage(mailbox).await {
            assert!(usage.messages <= totals.waiting.messages);
            let list = store.list(mailbox, 1000, 0).await.expect("a list");
            assert!(list.len() as u64 <= usage.messages);
            for entry in list {
                let _ = store.get(mailbox, entry.id, 0, 0).await;
                let _ = store.ack(mailbox, vec![entry.id], 1).await;
            }
        }
        let _ = store.sweep(u64::MAX / 2).await;
    });
}

/// A whole and sound log, changed in places, with its sums made right again: so the changes reach
/// what lies behind the sums. Each change is three bytes: where, as two bytes, and what.
pub fn log(data: &[u8]) {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    let mut bytes = SOUND.get_or_init(sound).clone();
    let records = records(&bytes);
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    for (at, fact, body) in records {
        let end = (at + HEAD + fact + body).min(bytes.len());
        let sum = crc(&bytes[at + HEAD + fact..end]);
        bytes[at + 20..at + HEAD].copy_from_slice(&sum);
        let sum = crc(&bytes[at + 12..at + HEAD + fact]);
        bytes[at + 8..at + 12].copy_from_slice(&sum);
    }
    segment(&bytes);
}

/// Bytes of a segment's header, and of the head of a record.
const FIRST: usize = 44;
const HEAD: usize = 24;

/// The records of a sound segment: where, bytes of the fact, bytes of the body.
fn records(bytes: &[u8]) -> Vec<(usize, usize, usize)> {
    let mut all = Vec::new();
    let mut at = FIRST;
    while let Some(head) = bytes.get(at..at + HEAD)
        && head[..8] == bytes[24..32]
    {
        let fact = usize::from(u16::from_le_bytes([head[12], head[13]]));
        let body = u32::from_le_bytes([head[16], head[17], head[18], head[19]]) as usize;
        all.push((at, fact, body));
        at += HEAD + fact + body;
    }
    assert!(all.len() > 5, "the format is not the one this target knows");
    all
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// The segment of a store with something of everything.
fn sound() -> Vec<u8> {
    let folder = folder();
    let store = embedded(folder.path()).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mailbox = Mailbox(key().public());
        let capability = CapabilityId::of(CAPABILITY);
        store.register(mailbox, None, 1).await.expect("a mailbox");
        let terms = Terms { total: Some(100), hourly: Some(10), ..Terms::default() };
        store.allow(mailbox, capability, terms).await.expect("a capability");
        let bodies = (1..5u8).map(|n| vec![n; 30 * usize::from(n)]);
        let messages: Vec<_> = bodies
            .map(|body| {
                let id = Id(crypto::sha256(&[&body]));
                (Entry { id, size: body.len() as u64, expires: 7200 }, body.into())
            })
            .collect();
        let first = messages[0].0.id;
        let stored = store.put_all(mailbox, capability, messages, 1).await.expect("messages");
        assert!(stored.iter().all(Result::is_ok));
        store.ack(mailbox, vec![first], 7200).await.expect("an ack");
        let other = Mailbox([7; 32]);
        store.register(other, None, 1).await.expect("a mailbox");
        store.close(other).await.expect("closed");
        store.revoke(mailbox, CapabilityId::public()).await.expect("revoked");
    });
    drop(store);
    let file = folder.path().join("log").join(format!("{:016x}.log", 1));
    let mut bytes = std::fs::read(file).expect("a segment");
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes
}
