//! A client of a relay: blocking, one connection at a time, bounded in every answer.
//!
//! Every request may be repeated without harm, so what fails for a passing reason is tried
//! again, with exponential backoff and jitter, or when the relay says.

mod address;
mod answer;

use std::fmt;
use std::io;
use std::io::{Read, Seek, Write};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::{Agent, Body, SendBody};

use self::address::Address;
use crate::crypto;
use crate::crypto::SigningSecret;
use crate::files;
use crate::relay::error::Error;
use crate::relay::protocol::{
    Ack, Acked, Entry, Id, Info, Listing, MAX_ACK, MAX_ANSWER_JSON, MAX_LIST, MAX_WAIT, Mailbox,
    Status,
};
use crate::relay::signature;
use crate::secret::SecretString;

/// Bodies longer than this are announced first (`Expect: 100-continue`), so that a refusal
/// comes before the bytes go.
const ANNOUNCE: u64 = 64 << 10;
/// First pause before a retry.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause before a retry, also when the relay asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Greatest head of an answer in bytes.
const MAX_HEAD: usize = 32 << 10;

/// How a client behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Longest time to connect, for the head of an answer, and without a byte of a body.
    pub timeout: Duration,
    /// How often a request is tried again.
    pub retries: u32,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are followed.
    pub proxy_from_environment: bool,
}

impl Default for Options {
    /// 30 seconds, 4 retries, the environment's proxy.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), retries: 4, proxy_from_environment: true }
    }
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The relay has it durably.
    New,
    /// The relay had it before.
    Already,
}

/// A client of one relay.
pub struct Client {
    agent: Agent,
    address: Address,
    options: Options,
    /// What the relay's clock is ahead of ours, in seconds, once it refused a signature.
    ahead: AtomicI64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("relay", &self.url()).finish_non_exhaustive()
    }
}

/// One request, before it is signed.
struct Call<'a> {
    method: Method,
    path: String,
    query: Option<String>,
    key: Option<&'a SigningSecret>,
    token: Option<&'a SecretString>,
    json: Option<Vec<u8>>,
    wait: Duration,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: String) -> Self {
        let wait = Duration::ZERO;
        Self { method, path, query: None, key: None, token: None, json: None, wait }
    }

    fn owner(method: Method, key: &'a SigningSecret, tail: &str) -> Self {
        let path = format!("/v1/m/{}{tail}", Mailbox(key.public()));
        Self { key: Some(key), ..Self::new(method, path) }
    }
}

impl Client {
    /// A client of the relay at `url`: `https://host[:port]` or `http://host[:port]`. Nothing
    /// is sent yet.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] and [`Error::Proxy`].
    pub fn new(url: &str, options: Options) -> Result<Self, Error> {
        let address = Address::parse(url)?;
        let proxy = match options.proxy_from_environment {
            true => address.proxy(|name| std::env::var(name).ok())?,
            false => None,
        };
        let timeout = Some(options.timeout);
        // The deadline costs a thread a request, and an address needs no resolving.
        let resolve = if address.is_numeric() { None } else { timeout };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would be followed with a signature for another relay.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            // Nothing about the program or its version.
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_response_header_size(MAX_HEAD)
            // Sooner than a relay closes an idle connection.
            .max_idle_age(Duration::from_secs(10))
            .timeout_resolve(resolve)
            .timeout_connect(timeout)
            .timeout_per_read(None)
            .timeout_per_write(timeout)
            .build()
            .new_agent();
        Ok(Self { agent, address, options, ahead: AtomicI64::new(0) })
    }

    /// The relay's address in its normal form.
    pub fn url(&self) -> String {
        format!("{}://{}", self.address.scheme, self.address.authority)
    }

    /// What the relay says of itself.
    pub fn info(&self) -> Result<Info, Error> {
        self.json(&Call::new(Method::GET, "/v1/info".into()))
    }

    /// Registers the mailbox of `key`, with the operator's token if the relay wants one.
    /// `true` when it is new.
    pub fn register(
        &self,
        key: &SigningSecret,
        token: Option<&SecretString>,
    ) -> Result<bool, Error> {
        let call = Call { token, ..Call::owner(Method::PUT, key, "") };
        Ok(self.call(&call)?.status() == StatusCode::CREATED)
    }

    /// Pushes `length` sealed bytes, which hash to `id`, from where `body` stands.
    ///
    /// # Errors
    ///
    /// [`Error::NoMailbox`], [`Error::Full`], [`Error::Refused`] with `too_large`, …;
    /// [`Error::Io`] when `body` cannot be read.
    pub fn push(
        &self,
        mailbox: &Mailbox,
        id: &Id,
        body: &mut (impl Read + Seek),
        length: u64,
    ) -> Result<Pushed, Error> {
        let start = body.stream_position()?;
        let response = self.retry(|| {
            body.seek(io::SeekFrom::Start(start))?;
            let mut body = Exactly { inner: &mut *body, left: length, failed: None };
            let mut request = Request::builder()
                .method(Method::PUT)
                .uri(format!("{}/v1/m/{mailbox}/{id}", self.url()))
                .header("content-type", "application/octet-stream")
                .header("content-length", length);
            if length > ANNOUNCE {
                request = request.header("expect", "100-continue");
            }
            let request = request.body(SendBody::from_reader(&mut body));
            let outcome = self.send(request.map_err(ureq::Error::Http), Duration::ZERO);
            // What failed here, and not on the way, is not tried again.
            match body.failed.take() {
                Some(error) => Err(error.into()),
                None => outcome,
            }
        })?;
        Ok(if response.status() == StatusCode::CREATED { Pushed::New } else { Pushed::Already })
    }

    /// At most `limit` messages of the mailbox of `key`, oldest first. When there is none, the
    /// relay waits up to `wait` (it caps at [`MAX_WAIT`] seconds) for one.
    pub fn list(
        &self,
        key: &SigningSecret,
        wait: Duration,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let limit = limit.clamp(1, MAX_LIST);
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).min(MAX_WAIT);
        let call = Call {
            query: Some(format!("wait={seconds}&limit={limit}")),
            wait: Duration::from_secs(seconds),
            ..Call::owner(Method::GET, key, "")
        };
        let listing: Listing = self.json(&call)?;
        if listing.messages.len() > limit {
            return Err(Error::Protocol("it lists more messages than it was asked for".into()));
        }
        Ok(listing.messages)
    }

    /// Writes the body of a message to `out`. What `out` holds is good only after `Ok`: the
    /// hash is known at the end. A body that breaks off is [`Error::Temporary`]; the caller
    /// begins again with an empty `out`.
    ///
    /// # Errors
    ///
    /// [`Error::NoMessage`], [`Error::WrongHash`], [`Error::Io`] when `out` cannot be written.
    pub fn fetch(
        &self,
        key: &SigningSecret,
        message: &Entry,
        out: &mut impl Write,
    ) -> Result<(), Error> {
        let id = message.id;
        let mut response =
            self.call(&Call::owner(Method::GET, key, &format!("/{id}"))).map_err(|e| match e {
                Error::Refused { code, .. } if code == "no_message" => Error::NoMessage(id),
                other => other,
            })?;
        let mut body = response.body_mut().as_reader().take(message.size.saturating_add(1));
        let mut hash = crypto::Hash::default();
        let mut piece = vec![0; 64 << 10];
        loop {
            let read = match body.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(answer::transport(error.into())),
            };
            let bytes = piece.get(..read).unwrap_or_default();
            hash.update(bytes);
            out.write_all(bytes)?;
        }
        if hash.finish() == id.0 { Ok(()) } else { Err(Error::WrongHash(id)) }
    }

    /// Deletes messages at the relay, durably before this returns; says how many were there.
    pub fn ack(&self, key: &SigningSecret, ids: &[Id]) -> Result<u64, Error> {
        let mut deleted = 0;
        for ids in ids.chunks(MAX_ACK) {
            let json = serde_json::to_vec(&Ack { ids: ids.to_vec() });
            let json = json.map_err(|e| Error::Protocol(e.to_string()))?;
            let call = Call { json: Some(json), ..Call::owner(Method::POST, key, "/ack") };
            deleted += self.json::<Acked>(&call)?.deleted;
        }
        Ok(deleted)
    }

    /// What the mailbox of `key` holds and may hold.
    pub fn status(&self, key: &SigningSecret) -> Result<Status, Error> {
        self.json(&Call::owner(Method::GET, key, "/status"))
    }

    /// Closes the mailbox of `key`: the relay deletes it with all it holds.
    pub fn close(&self, key: &SigningSecret) -> Result<(), Error> {
        self.call(&Call::owner(Method::DELETE, key, "")).map(drop)
    }

    fn json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Error> {
        let mut response = self.call(call)?;
        let bytes = files::read_to_limit(response.body_mut().as_reader(), MAX_ANSWER_JSON)
            .map_err(|e| match e.kind() {
                io::ErrorKind::FileTooLarge => Error::Protocol("its answer is too long".into()),
                _ => answer::transport(e.into()),
            })?;
        serde_json::from_slice(&bytes).map_err(|e| Error::Protocol(e.to_string()))
    }

    /// Sends a call until it is answered, or the retries are used up.
    fn call(&self, call: &Call<'_>) -> Result<Response<Body>, Error> {
        self.retry(|| match self.attempt(call) {
            // The clocks differ, or the relay has just started: once more by its own clock.
            Err(Error::Clock { relay }) => {
                let ahead = i64::try_from(relay).unwrap_or(i64::MAX)
                    - i64::try_from(unix_now()).unwrap_or(i64::MAX);
                self.ahead.store(ahead, Ordering::Relaxed);
                self.attempt(call)
            }
            outcome => outcome,
        })
    }

    fn attempt(&self, call: &Call<'_>) -> Result<Response<Body>, Error> {
        let query = call.query.as_deref();
        let target = query.map_or(String::new(), |query| format!("?{query}"));
        let mut request = Request::builder().method(call.method.clone()).uri(format!(
            "{}{}{target}",
            self.url(),
            call.path
        ));
        if let Some(key) = call.key {
            let message = signature::Request {
                method: call.method.as_str(),
                authority: &self.address.authority,
                path: &call.path,
                query,
                body: call.json.as_deref(),
            };
            let now = unix_now().saturating_add_signed(self.ahead.load(Ordering::Relaxed));
            let signed = signature::sign(&message, key, now, crypto::random()?);
            request = request
                .header("signature-input", signed.input)
                .header("signature", signed.signature);
            if let Some(digest) = signed.content_digest {
                request = request.header("content-digest", digest);
            }
        }
        if let Some(token) = call.token {
            request = request.header("authorization", format!("Bearer {}", token.as_str()));
        }
        match &call.json {
            None => self.send(request.body(SendBody::none()).map_err(ureq::Error::Http), call.wait),
            Some(json) => {
                let request = request
                    .header("content-type", "application/json")
                    .header("content-length", json.len());
                let mut json = json.as_slice();
                let request = request.body(SendBody::from_reader(&mut json));
                self.send(request.map_err(ureq::Error::Http), call.wait)
            }
        }
    }

    /// One request, one answer: 2xx, or an error.
    fn send(
        &self,
        request: Result<Request<SendBody<'_>>, ureq::Error>,
        wait: Duration,
    ) -> Result<Response<Body>, Error> {
        let request = request.map_err(answer::transport)?;
        let timeout = Some(self.options.timeout + wait);
        let request = self
            .agent
            .configure_request(request)
            .timeout_recv_response(timeout)
            .timeout_per_read(timeout)
            .build();
        let response = self.agent.run(request).map_err(answer::transport)?;
        if response.status().is_success() { Ok(response) } else { Err(answer::refusal(response)) }
    }

    fn retry<T>(&self, mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..self.options.retries {
            match attempt() {
                Err(Error::Temporary { retry_after, .. }) => {
                    let least = retry_after.unwrap_or_default();
                    std::thread::sleep((jitter(pause)? + least).min(LONGEST_PAUSE));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                outcome => return outcome,
            }
        }
        attempt()
    }
}

/// Between a half and the whole of a pause, so that clients that failed together do not come
/// back together.
fn jitter(pause: Duration) -> Result<Duration, Error> {
    let [byte] = crypto::random::<1>()?;
    Ok(pause / 2 + pause / 2 * u32::from(byte) / 255)
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Exactly so many bytes of a reader; remembers why it could not.
struct Exactly<R> {
    inner: R,
    left: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buf.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let outcome = match self.inner.read(buf.get_mut(..most).unwrap_or_default()) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            other => other,
        };
        match outcome {
            Ok(read) => {
                self.left -= read as u64;
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}
