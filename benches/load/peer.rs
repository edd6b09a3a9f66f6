//! What is said to each server: one durable write of one message, over one connection.
//!
//! Requests are written and answers read by hand: the load shares its cores with what it
//! measures, so it does no more than these protocols ask for.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

/// Bytes of a message.
pub const SIZE: usize = 1024;
/// Queues, streams, subjects or mailboxes that the messages are spread over.
pub const PLACES: usize = 256;

/// A conversation on one connection: requests that are each answered once.
pub trait Peer {
    /// What is said before the first write: each is answered before the next is sent.
    fn greetings(&mut self) -> Vec<Vec<u8>> {
        Vec::new()
    }
    /// How long the answer to a greeting is, or `None` while it is not all there.
    fn greeted(&self, got: &[u8]) -> Result<Option<usize>, String> {
        self.answered(got)
    }
    /// Appends the next write.
    fn request(&mut self, out: &mut Vec<u8>);
    /// How long the answer to a write is, or `None` while it is not all there.
    fn answered(&self, got: &[u8]) -> Result<Option<usize>, String>;
    /// Messages in one request.
    fn batch(&self) -> usize {
        1
    }
}

/// Random messages, each unlike every other: only the last bytes change.
pub struct Messages {
    body: [u8; SIZE],
    /// SHA-256 of all but the last block, which is the same for all.
    begun: Sha256,
    next: u64,
}

const TAIL: usize = 64;

impl Messages {
    pub fn new() -> Self {
        let mut body = [0; SIZE];
        getrandom::fill(&mut body).expect("random bytes");
        Self { begun: Sha256::new_with_prefix(&body[..SIZE - TAIL]), body, next: 0 }
    }

    pub fn next(&mut self) -> &[u8; SIZE] {
        self.next += 1;
        self.body[SIZE - 8..].copy_from_slice(&self.next.to_be_bytes());
        &self.body
    }

    pub fn id(&self) -> [u8; 32] {
        let mut hash = self.begun.clone();
        hash.update(&self.body[SIZE - TAIL..]);
        hash.finalize().into()
    }

    /// Where this message goes.
    pub fn place(&self) -> usize {
        (self.next as usize).wrapping_mul(0x9e37_79b9) >> 7
    }
}

pub fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

fn find(needle: &[u8], got: &[u8]) -> Option<usize> {
    got.windows(needle.len()).position(|window| window == needle)
}

/// The length of an HTTP answer, once all of it is there; an error unless it is a success.
pub fn http(got: &[u8]) -> Result<Option<usize>, String> {
    let Some(head) = find(b"\r\n\r\n", got) else { return Ok(None) };
    let text = String::from_utf8_lossy(&got[..head]);
    let length = text
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        })
        .unwrap_or(0);
    let end = head + 4 + length;
    if got.len() < end {
        return Ok(None);
    }
    if got.get(9) != Some(&b'2') {
        return Err(String::from_utf8_lossy(&got[..end]).into_owned());
    }
    Ok(Some(end))
}

/// The first line of an answer that begins as it should.
fn line(got: &[u8], good: &str) -> Result<Option<usize>, String> {
    let Some(end) = find(b"\r\n", got) else { return Ok(None) };
    if got.starts_with(good.as_bytes()) {
        Ok(Some(end + 2))
    } else {
        Err(String::from_utf8_lossy(&got[..end]).into_owned())
    }
}

/// `PUT /v1/m/{mailbox}/{id}`, or with a batch `POST /v1/m/{mailbox}/push`.
pub struct Bulla {
    pub host: String,
    /// Mailboxes with the text of a capability for each; empty: none is shown.
    pub mailboxes: std::rc::Rc<Vec<(String, String)>>,
    pub messages: Messages,
    pub batch: usize,
}

impl Peer for Bulla {
    fn request(&mut self, out: &mut Vec<u8>) {
        let body = *self.messages.next();
        let (mailbox, capability) = &self.mailboxes[self.messages.place() % self.mailboxes.len()];
        let verb = if self.batch == 1 { "PUT" } else { "POST" };
        out.extend_from_slice(format!("{verb} /v1/m/{mailbox}/").as_bytes());
        if self.batch == 1 {
            hex(&self.messages.id(), out);
        } else {
            out.extend_from_slice(b"push");
        }
        out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        out.extend_from_slice(self.host.as_bytes());
        if !capability.is_empty() {
            out.extend_from_slice(b"\r\nauthorization: Bearer ");
            out.extend_from_slice(capability.as_bytes());
        }
        if self.batch == 1 {
            out.extend_from_slice(b"\r\ncontent-length: 1024\r\n\r\n");
            out.extend_from_slice(&body);
            return;
        }
        let length = self.batch * (32 + 8 + SIZE);
        out.extend_from_slice(
            format!(
                "\r\ncontent-type: application/vnd.bulla.messages\r\ncontent-length: {length}\r\n\r\n"
            )
            .as_bytes(),
        );
        for turn in 0..self.batch {
            let body = if turn == 0 { body } else { *self.messages.next() };
            out.extend_from_slice(&self.messages.id());
            out.extend_from_slice(&(SIZE as u64).to_be_bytes());
            out.extend_from_slice(&body);
        }
    }

    fn answered(&self, got: &[u8]) -> Result<Option<usize>, String> {
        let end = http(got)?;
        if self.batch > 1
            && let Some(end) = end
        {
            let stored = got[..end].windows(12).filter(|at| at == b"\"status\":201").count();
            if stored != self.batch {
                return Err(String::from_utf8_lossy(&got[..end]).into_owned());
            }
        }
        Ok(end)
    }

    fn batch(&self) -> usize {
        self.batch
    }
}

/// `XADD`, a stream for each place; with a batch that many in a pipeline.
pub struct Redis {
    pub password: String,
    pub messages: Messages,
    pub batch: usize,
}

impl Peer for Redis {
    fn greetings(&mut self) -> Vec<Vec<u8>> {
        let length = self.password.len();
        vec![format!("*2\r\n$4\r\nAUTH\r\n${length}\r\n{}\r\n", self.password).into_bytes()]
    }

    fn greeted(&self, got: &[u8]) -> Result<Option<usize>, String> {
        line(got, "+OK")
    }

    fn request(&mut self, out: &mut Vec<u8>) {
        for _ in 0..self.batch {
            let body = *self.messages.next();
            let place = format!("q{:04}", self.messages.place() % PLACES);
            out.extend_from_slice(b"*5\r\n$4\r\nXADD\r\n$5\r\n");
            out.extend_from_slice(place.as_bytes());
            out.extend_from_slice(b"\r\n$1\r\n*\r\n$1\r\nm\r\n$1024\r\n");
            out.extend_from_slice(&body);
            out.extend_from_slice(b"\r\n");
        }
    }

    fn answered(&self, got: &[u8]) -> Result<Option<usize>, String> {
        // Each is a bulk string: `$15\r\n1700000000000-0\r\n`.
        let mut at = 0;
        for _ in 0..self.batch {
            let Some(head) = line(&got[at..], "$")? else { return Ok(None) };
            let Some(end) = find(b"\r\n", &got[at + head..]) else { return Ok(None) };
            at += head + end + 2;
        }
        Ok(Some(at))
    }

    fn batch(&self) -> usize {
        self.batch
    }
}

/// `put`, a tube for all. The protocol has no authentication.
pub struct Beanstalkd {
    pub messages: Messages,
}

impl Peer for Beanstalkd {
    fn request(&mut self, out: &mut Vec<u8>) {
        let body = *self.messages.next();
        out.extend_from_slice(b"put 0 0 60 1024\r\n");
        out.extend_from_slice(&body);
        out.extend_from_slice(b"\r\n");
    }

    fn answered(&self, got: &[u8]) -> Result<Option<usize>, String> {
        line(got, "INSERTED")
    }
}

/// JetStream publish with its acknowledgement; one stream, a subject for each place.
pub struct Nats {
    pub token: String,
    pub messages: Messages,
    /// Its number, from 0; the first makes the stream.
    pub connection: usize,
}

impl Peer for Nats {
    fn greetings(&mut self) -> Vec<Vec<u8>> {
        let mut all = vec![
            format!(
                "CONNECT {{\"verbose\":false,\"auth_token\":\"{}\"}}\r\nSUB r.{} 1\r\nPING\r\n",
                self.token, self.connection
            )
            .into_bytes(),
        ];
        if self.connection == 0 {
            // Answered to `r.0`.
            let config = r#"{"name":"load","subjects":["q.*"],"storage":"file","num_replicas":1}"#;
            let length = config.len();
            all.push(
                format!("PUB $JS.API.STREAM.CREATE.load r.0 {length}\r\n{config}\r\n").into_bytes(),
            );
        }
        all
    }

    fn greeted(&self, got: &[u8]) -> Result<Option<usize>, String> {
        if let Some(at) = find(b"PONG\r\n", got) {
            return Ok(Some(at + 6));
        }
        if find(b"-ERR", got).is_some() {
            return Err(String::from_utf8_lossy(got).into_owned());
        }
        if got.starts_with(b"MSG") { self.answered(got) } else { Ok(None) }
    }

    fn request(&mut self, out: &mut Vec<u8>) {
        let body = *self.messages.next();
        let place = self.messages.place() % PLACES;
        out.extend_from_slice(format!("PUB q.{place} r.{} 1024\r\n", self.connection).as_bytes());
        out.extend_from_slice(&body);
        out.extend_from_slice(b"\r\n");
    }

    fn answered(&self, got: &[u8]) -> Result<Option<usize>, String> {
        // The server asks once whether anybody is there, and waits minutes for the answer.
        if let Some(rest) = got.strip_prefix(b"PING\r\n") {
            return Ok(self.answered(rest)?.map(|end| end + 6));
        }
        // `MSG r.0 1 33\r\n{"stream":"load","seq":1}\r\n`
        let Some(head) = line(got, "MSG")? else { return Ok(None) };
        let text = String::from_utf8_lossy(&got[..head]);
        let length = text.split_whitespace().next_back().and_then(|n| n.parse::<usize>().ok());
        let end = head + length.ok_or_else(|| text.into_owned())? + 2;
        if got.len() < end {
            return Ok(None);
        }
        if find(b"\"error\"", &got[..end]).is_some() {
            return Err(String::from_utf8_lossy(&got[..end]).into_owned());
        }
        Ok(Some(end))
    }
}

/// `put` over the JSON gateway, with the token of a user.
pub struct Etcd {
    pub host: String,
    pub token: String,
    pub messages: Messages,
    pub connection: usize,
}

impl Peer for Etcd {
    fn request(&mut self, out: &mut Vec<u8>) {
        let body = BASE64.encode(self.messages.next());
        let mut key = String::new();
        let place = self.messages.place() % PLACES;
        let _ = write!(key, "{place}/{}/{}", self.connection, self.messages.next);
        let json = format!(r#"{{"key":"{}","value":"{body}"}}"#, BASE64.encode(key));
        out.extend_from_slice(
            format!(
                "POST /v3/kv/put HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n{json}",
                self.host,
                self.token,
                json.len()
            )
            .as_bytes(),
        );
    }

    fn answered(&self, got: &[u8]) -> Result<Option<usize>, String> {
        http(got)
    }
}

/// One `INSERT` a transaction, prepared; rows keep a mailbox, an id and a body.
pub struct Postgres {
    pub user: String,
    pub password: String,
    pub messages: Messages,
}

fn framed(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(body);
}

impl Peer for Postgres {
    fn greetings(&mut self) -> Vec<Vec<u8>> {
        let mut start = 196_608u32.to_be_bytes().to_vec();
        start.extend_from_slice(format!("user\0{0}\0database\0{0}\0\0", self.user).as_bytes());
        let mut startup = (start.len() as u32 + 4).to_be_bytes().to_vec();
        startup.extend_from_slice(&start);
        let mut password = Vec::new();
        framed(b'p', format!("{}\0", self.password).as_bytes(), &mut password);
        let mut prepare = Vec::new();
        let insert = "s\0INSERT INTO load VALUES ($1, $2, $3)\0\0\0";
        framed(b'P', insert.as_bytes(), &mut prepare);
        framed(b'S', b"", &mut prepare);
        vec![startup, password, prepare]
    }

    fn greeted(&self, got: &[u8]) -> Result<Option<usize>, String> {
        // The server asks for a password in the clear (its length is 8) before it is ready.
        if got.len() >= 9 && got[0] == b'R' && got[5..9] == [0, 0, 0, 3] {
            return Ok(Some(9));
        }
        self.answered(got)
    }

    fn request(&mut self, out: &mut Vec<u8>) {
        let body = *self.messages.next();
        let place = (self.messages.place() % PLACES) as u64;
        let mut bind = b"\0s\0\0\x01\0\x01\0\x03".to_vec();
        let mut mailbox = [0; 32];
        mailbox[..8].copy_from_slice(&place.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        for value in [&mailbox[..], &self.messages.id(), &body] {
            bind.extend_from_slice(&(value.len() as u32).to_be_bytes());
            bind.extend_from_slice(value);
        }
        bind.extend_from_slice(&[0, 0]);
        framed(b'B', &bind, out);
        framed(b'E', b"\0\0\0\0\0", out);
        framed(b'S', b"", out);
    }

    fn answered(&self, got: &[u8]) -> Result<Option<usize>, String> {
        let mut at = 0;
        while let Some(head) = got.get(at..at + 5) {
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let end = at + 1 + length;
            if got.len() < end {
                return Ok(None);
            }
            match head[0] {
                b'E' => return Err(String::from_utf8_lossy(&got[at..end]).into_owned()),
                b'Z' => return Ok(Some(end)),
                _ => at = end,
            }
        }
        Ok(None)
    }
}
