//! What the owners of mailboxes ask of bulla's relay, each request signed (RFC 9421) by the
//! library: registering, pulling in batches, waiting.

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bulla::crypto::{self, SigningSecret};
use bulla::relay::protocol::signature::{self, Request};
use bulla::relay::protocol::{CapabilityId, Mailbox};
use bulla::secret::Secret;
use tokio::task::JoinSet;

use crate::closed::Line;
use crate::peer::{Bulla, Messages, Peer as _, SIZE, http};

/// The owner of the `n`th mailbox of a load: the same in every run.
pub struct Owner {
    host: String,
    key: SigningSecret,
    pub mailbox: String,
    pub capability: String,
}

impl Owner {
    pub fn new(host: &str, n: usize) -> Self {
        let made = |what: &str| crypto::sha256(&[what.as_bytes(), &n.to_be_bytes()]);
        let seed = Secret::from_slice(&made("mailbox")).expect("32 bytes");
        let key = SigningSecret::from_seed(&seed);
        let mailbox = Mailbox(key.public()).to_string();
        let capability = bulla::text::hex_encode(&made("capability"));
        Self { host: host.to_owned(), key, mailbox, capability }
    }

    /// Appends a signed request for something below the mailbox.
    pub fn ask(
        &self,
        method: &str,
        below: &str,
        query: Option<&str>,
        body: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) {
        let path = format!("/v1/m/{}{below}", self.mailbox);
        let request = Request { method, authority: &self.host, path: &path, query, body };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
        let nonce = crypto::random().expect("random bytes");
        let headers = signature::sign(&request, &self.key, now.as_secs(), nonce);
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let mut head = format!(
            "{method} {path}{query} HTTP/1.1\r\nhost: {}\r\nsignature-input: {}\r\nsignature: {}\r\n",
            self.host, headers.input, headers.signature
        );
        if let (Some(digest), Some(body)) = (headers.content_digest, body) {
            head += &format!(
                "content-digest: {digest}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            );
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body.unwrap_or_default());
    }
}

/// Registers mailboxes `0..count` and allows a capability at each.
pub async fn register(at: &str, count: usize) -> Result<(), String> {
    const LINES: usize = 64;
    let mut all = JoinSet::new();
    for first in 0..LINES.min(count) {
        let at = at.to_owned();
        all.spawn_local(async move {
            let mut line = Line::open(&at).await?;
            for n in (first..count).step_by(LINES) {
                let owner = Owner::new(&at, n);
                owner.ask("PUT", "", None, None, &mut line.out);
                line.exchange(http).await?;
                let capability = CapabilityId::of(&owner.capability);
                let below = format!("/capabilities/{capability}");
                owner.ask("PUT", &below, None, Some(b"{}"), &mut line.out);
                line.exchange(http).await?;
            }
            Ok::<_, String>(())
        });
    }
    finish(all).await.map(|_| ())
}

/// Takes everything out of mailboxes `0..count`: list, take and acknowledge, a thousand at a
/// time. Says how many messages there were and how long it took.
pub async fn pull(at: &str, count: usize, connections: usize) -> Result<(u64, f64), String> {
    let start = Instant::now();
    let mut all = JoinSet::new();
    for first in 0..connections {
        let at = at.to_owned();
        all.spawn_local(async move {
            let mut line = Line::open(&at).await?;
            let mut messages = 0;
            for n in (first..count).step_by(connections) {
                let owner = Owner::new(&at, n);
                loop {
                    let taken = pull_once(&owner, &mut line).await?;
                    messages += taken;
                    if taken == 0 {
                        break;
                    }
                }
            }
            Ok::<u64, String>(messages)
        });
    }
    let messages = finish(all).await?.into_iter().sum();
    Ok((messages, start.elapsed().as_secs_f64()))
}

async fn pull_once(owner: &Owner, line: &mut Line) -> Result<u64, String> {
    owner.ask("GET", "", Some("limit=1000"), None, &mut line.out);
    line.send().await?;
    let end = line.answer(http).await?;
    let ids = ids(&line.got[..end]);
    line.got.drain(..end);
    if ids.is_empty() {
        return Ok(0);
    }
    let body = format!(r#"{{"ids":["{}"]}}"#, ids.join(r#"",""#));
    owner.ask("POST", "/take", None, Some(body.as_bytes()), &mut line.out);
    line.send().await?;
    let end = line.answer(http).await?;
    if end < ids.len() * (SIZE + 40) {
        return Err(format!("{} messages came in {end} bytes", ids.len()));
    }
    line.got.drain(..end);
    owner.ask("POST", "/ack", None, Some(body.as_bytes()), &mut line.out);
    line.exchange(http).await?;
    Ok(ids.len() as u64)
}

/// The ids of a listing.
fn ids(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    text.split(r#""id":""#).skip(1).filter_map(|rest| Some(rest.get(..64)?.to_owned())).collect()
}

/// Microseconds from the begin of a push to the answer of the list that waits for it, sorted.
pub async fn latency(at: &str, rounds: usize) -> Result<Vec<u32>, String> {
    let owner = Owner::new(at, 0);
    let mailboxes = Rc::new(vec![(owner.mailbox.clone(), owner.capability.clone())]);
    let mut pusher = Bulla { host: at.to_owned(), mailboxes, messages: Messages::new(), batch: 1 };
    let (mut waits, mut pushes) = (Line::open(at).await?, Line::open(at).await?);
    let mut micros = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        owner.ask("GET", "", Some("wait=50"), None, &mut waits.out);
        waits.send().await?;
        // The relay is to wait before the push begins.
        tokio::time::sleep(Duration::from_millis(2)).await;
        pusher.request(&mut pushes.out);
        let start = Instant::now();
        let (end, pushed) = tokio::join!(
            async {
                let end = waits.answer(http).await?;
                Ok::<_, String>((end, start.elapsed()))
            },
            pushes.exchange(http),
        );
        pushed?;
        let (end, time) = end?;
        micros.push(time.as_micros() as u32);
        let ids = ids(&waits.got[..end]);
        waits.got.drain(..end);
        let body = format!(r#"{{"ids":["{}"]}}"#, ids.join(r#"",""#));
        owner.ask("POST", "/ack", None, Some(body.as_bytes()), &mut waits.out);
        waits.exchange(http).await?;
    }
    micros.sort_unstable();
    Ok(micros)
}

/// Connections that wait, each at a mailbox of its own.
pub async fn wait(at: &str, count: usize) -> Result<Vec<Line>, String> {
    let mut lines = Vec::with_capacity(count);
    for n in 0..count {
        let mut line = Line::open(at).await?;
        Owner::new(at, n).ask("GET", "", Some("wait=50"), None, &mut line.out);
        line.send().await?;
        lines.push(line);
    }
    Ok(lines)
}

async fn finish<T: 'static>(mut all: JoinSet<Result<T, String>>) -> Result<Vec<T>, String> {
    let mut results = Vec::new();
    while let Some(ended) = all.join_next().await {
        results.push(ended.map_err(|error| error.to_string())??);
    }
    Ok(results)
}
