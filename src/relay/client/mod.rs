//! A client of a relay: blocking, one connection at a time, bounded in every answer.
//!
//! Every request may be repeated without harm, so what fails for a passing reason is tried
//! again, with exponential backoff and jitter, or when the relay says.

mod address;
mod answer;
mod events;
mod pace;
mod push;
mod take;
pub(crate) mod tls;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Method, Request, Response, StatusCode};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, SocksConnector, TcpConnector,
};
use ureq::{Agent, Body, SendBody};

use self::address::Address;
pub use self::events::{Event, Events};
use self::pace::Paced;
pub use self::push::Pushed;
use self::tls::Tls;
use crate::crypto;
use crate::crypto::SigningSecret;
use crate::files;
use crate::relay::error::Error;
use crate::relay::protocol::{
    Acked, Capabilities, Capability, CapabilityId, Entry, Id, Ids, Info, Listing, MAX_ACK,
    MAX_ANSWER_JSON, MAX_LIST, MAX_SKEW, MAX_WAIT, Mailbox, Status, Terms, VERSION, Versions,
};
use crate::relay::signature;
use crate::secret::{Secret, SecretString};
use crate::text;

/// First pause before a retry.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause before a retry: whoever is asked to wait longer comes back another time.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Longest time that is waited for anything: what is longer is taken for this.
pub(in crate::relay) const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
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
    /// Whether this client has a Tor circuit of its own: its SOCKS proxy gets a random user name
    /// that no other client has. Without such a proxy nothing is sent.
    pub unlink: bool,
    /// A PEM file of certificate authorities to trust beside those of the web.
    pub authorities: Option<PathBuf>,
}

impl Default for Options {
    /// 30 seconds, 4 retries, the environment's proxy.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            retries: 4,
            proxy_from_environment: true,
            unlink: false,
            authorities: None,
        }
    }
}

/// Where a push goes, and by what right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbox {
    /// The mailbox.
    pub mailbox: Mailbox,
    /// The capability that is shown; `None` for a mailbox that is open to all.
    pub capability: Option<Arc<Secret<32>>>,
}

/// The text of a capability or a token, as it is shown to a relay: 64 lower-case hexadecimal
/// digits.
pub fn bearer_text(secret: &Secret<32>) -> SecretString {
    SecretString::new(text::hex_encode(secret.expose()))
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
    /// Another header, which is not signed.
    header: Option<(&'static str, String)>,
    wait: Duration,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: String) -> Self {
        let wait = Duration::ZERO;
        let (query, key, token, json, header) = (None, None, None, None, None);
        Self { method, path, query, key, token, json, header, wait }
    }

    fn owner(method: Method, key: &'a SigningSecret, tail: &str) -> Self {
        let path = format!("/v1/m/{}{tail}", Mailbox(key.public()));
        Self { key: Some(key), ..Self::new(method, path) }
    }
}

impl Client {
    /// A client of the relay at `url`: `https://host[:port]`, `http://host[:port]`, or
    /// `relay+https://host[:port]#sha256-…` with the relay's key. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Error::Url`], [`Error::Proxy`] and [`Error::Authorities`].
    pub fn new(url: &str, mut options: Options) -> Result<Self, Error> {
        options.timeout = options.timeout.min(LONGEST);
        let address = Address::parse(url)?;
        let circuit = match options.unlink {
            // Of this run alone: not even the proxy can tell the same mailbox tomorrow.
            true => Some(text::hex_encode(&crypto::random::<16>()?)),
            false => None,
        };
        let proxy = match options.proxy_from_environment {
            true => address.proxy(circuit.as_deref(), |name| std::env::var(name).ok())?,
            false => address.proxy(circuit.as_deref(), |_| None)?,
        };
        let through = proxy.as_ref().and_then(|proxy| proxy.uri().authority());
        let tls = Tls::new(address.pin, options.authorities.as_deref(), through)?;
        let timeout = Some(options.timeout);
        // The deadline costs a thread a request, and an address needs no resolving.
        let resolve = if address.is_numeric() { None } else { timeout };
        let config = Agent::config_builder()
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
            .build();
        let connector = SocksConnector::default()
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(tls);
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Ok(Self { agent, address, options, ahead: AtomicI64::new(0) })
    }

    /// The relay's address in its normal form.
    pub fn url(&self) -> String {
        self.address.url()
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

    /// Deletes messages at the relay, durably before this returns; says how many were there.
    pub fn ack(&self, key: &SigningSecret, ids: &[Id]) -> Result<u64, Error> {
        let mut deleted = 0;
        for ids in ids.chunks(MAX_ACK) {
            let json = Some(encode(&Ids { ids: ids.to_vec() })?);
            let call = Call { json, ..Call::owner(Method::POST, key, "/ack") };
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

    /// The capabilities of the mailbox of `key`.
    pub fn capabilities(&self, key: &SigningSecret) -> Result<Vec<Capability>, Error> {
        let answer: Capabilities = self.json(&Call::owner(Method::GET, key, "/capabilities"))?;
        Ok(answer.capabilities)
    }

    /// Adds a capability to the mailbox of `key`, or changes its terms.
    pub fn allow(
        &self,
        key: &SigningSecret,
        id: &CapabilityId,
        terms: &Terms,
    ) -> Result<(), Error> {
        let json = Some(encode(terms)?);
        let tail = format!("/capabilities/{id}");
        self.call(&Call { json, ..Call::owner(Method::PUT, key, &tail) }).map(drop)
    }

    /// Takes a capability away from the mailbox of `key`: nothing is pushed with it from now on.
    pub fn revoke(&self, key: &SigningSecret, id: &CapabilityId) -> Result<(), Error> {
        let tail = format!("/capabilities/{id}");
        self.call(&Call::owner(Method::DELETE, key, &tail)).map(drop)
    }

    fn json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Error> {
        self.parse(self.call(call)?)
    }

    fn parse<T: DeserializeOwned>(&self, mut response: Response<Body>) -> Result<T, Error> {
        let body = Paced::new(response.body_mut().as_reader(), self.options.timeout);
        let bytes = files::read_to_limit(body, MAX_ANSWER_JSON).map_err(|e| match e.kind() {
            io::ErrorKind::FileTooLarge => Error::Protocol("its answer is too long".into()),
            _ => answer::transport(e.into()),
        })?;
        serde_json::from_slice(&bytes).map_err(|e| Error::Protocol(e.to_string()))
    }

    /// Sends a call until it is answered, or the retries are used up.
    fn call(&self, call: &Call<'_>) -> Result<Response<Body>, Error> {
        self.retry(|| match self.attempt(call) {
            // The clocks differ, or the relay has just started: once more by its own clock, unless
            // that would leave it with a signature for another day.
            Err(Error::Clock { relay, ours }) if relay.abs_diff(ours) <= MAX_SKEW => {
                // Both are at most a day apart, so this neither wraps nor loses its sign.
                self.ahead.store(relay.wrapping_sub(ours) as i64, Ordering::Relaxed);
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
            self.address.base(),
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
            request = request.header(AUTHORIZATION, bearer(token)?);
        }
        if let Some((name, value)) = &call.header {
            request = request.header(*name, value);
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
        let response = self.exchange(request, wait)?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response)) }
    }

    /// One request, one answer of whatever status, its head within `wait` more than usual.
    fn exchange(
        &self,
        request: Result<Request<SendBody<'_>>, ureq::Error>,
        wait: Duration,
    ) -> Result<Response<Body>, Error> {
        let request = request.map_err(answer::transport)?;
        let timeout = Some(self.options.timeout.saturating_add(wait).min(LONGEST));
        let request = self
            .agent
            .configure_request(request)
            .timeout_recv_response(timeout)
            .timeout_per_read(timeout)
            .build();
        self.agent.run(request).map_err(answer::transport)
    }

    /// The error that an answer without success means. Where the relay knows no such request, it is
    /// asked for the versions it speaks.
    fn refusal(&self, response: Response<Body>) -> Error {
        let error = answer::refusal(response, self.options.timeout);
        match &error {
            Error::Refused { code, .. } if code == "no_route" || code == "method" => {
                self.other_version().unwrap_or(error)
            }
            _ => error,
        }
    }

    /// The error of a relay that does not speak this program's version of the protocol.
    fn other_version(&self) -> Option<Error> {
        let request = Request::get(format!("{}/v1/info", self.address.base()));
        let request = request.body(SendBody::none()).map_err(ureq::Error::Http);
        let response = self.exchange(request, Duration::ZERO).ok()?;
        let info: Info = self.parse(response).ok()?;
        let Versions { min, max } = info.versions;
        (!(min..=max).contains(&VERSION)).then_some(Error::Version { min, max })
    }

    fn retry<T>(&self, mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut patience = Patience::new(self.options.retries);
        loop {
            match attempt() {
                Err(error) => patience.wait(error)?,
                outcome => return outcome,
            }
        }
    }
}

/// How often more a request is tried, and after which pause.
#[derive(Debug)]
pub(in crate::relay) struct Patience {
    retries: u32,
    left: u32,
    pause: Duration,
}

impl Patience {
    pub(in crate::relay) fn new(retries: u32) -> Self {
        Self { retries, left: retries, pause: FIRST_PAUSE }
    }

    /// Begins anew, since there was progress.
    pub(in crate::relay) fn renew(&mut self) {
        *self = Self::new(self.retries);
    }

    /// Waits until it is time to try again, or gives the error back: it will not pass, or not
    /// soon, or it came too often.
    pub(in crate::relay) fn wait(&mut self, error: Error) -> Result<(), Error> {
        let Error::Temporary { retry_after, .. } = &error else { return Err(error) };
        let least = retry_after.unwrap_or_default();
        if self.left == 0 || least > LONGEST_PAUSE {
            return Err(error);
        }
        std::thread::sleep((jitter(self.pause)? + least).min(LONGEST_PAUSE));
        self.left -= 1;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::Protocol(e.to_string()))
}

/// The header that shows a capability or a token, marked so that nobody prints it.
fn bearer(text: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", text.as_str()))
        .map_err(|_| Error::Refused { code: "token".into(), message: "it is no token".into() })?;
    value.set_sensitive(true);
    Ok(value)
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

#[cfg(test)]
mod tests;
