//! Connection to one relay: how a request is signed, sent and retried.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Method, Request, Response};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, SocksConnector, TcpConnector,
};
use ureq::{Agent, Body, SendBody};

use crate::crypto::{self, SigningSecret};
use crate::files;
use crate::relay::client::backoff::{LONGEST, Patience};
use crate::relay::client::error::Error;
use crate::relay::client::http::address::Address;
use crate::relay::client::http::answer::{self, unix_now};
use crate::relay::client::http::pace::Within;
use crate::relay::client::http::tls::Tls;
use crate::relay::protocol::{
    Info, MAX_ANSWER_JSON, MAX_SKEW, Mailbox, VERSION, Versions, signature,
};
use crate::secret::SecretString;
use crate::text;

/// A relay says something every 25 seconds; a line that is silent for longer than this, and the
/// timeout besides, is broken.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a body that are sent at once.
const OUTPUT: usize = 32 << 10;
/// Greatest head of an answer in bytes.
const MAX_HEAD: usize = 32 << 10;

/// How a client behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Longest time for a request and its answer, a message in either apart: that has to move at
    /// 1 KiB a second, averaged over windows of this length.
    pub timeout: Duration,
    /// How often a request is tried again, within that time.
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

/// A client of one relay.
pub struct Client {
    agent: Agent,
    pub(super) address: Address,
    pub(super) options: Options,
    /// What the relay's clock is ahead of ours, in seconds, once it refused a signature.
    ahead: AtomicI64,
    /// Longest time between two signs of life of a stream of events, beside the timeout.
    pub(super) silence: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("relay", &self.address.url()).finish_non_exhaustive()
    }
}

/// One request, before it is signed.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) key: Option<&'a SigningSecret>,
    pub(super) token: Option<&'a SecretString>,
    pub(super) json: Option<Vec<u8>>,
    /// Another header, which is not signed.
    pub(super) header: Option<(&'static str, String)>,
    pub(super) wait: Duration,
    /// Whether the answer is a message or a stream, which takes longer than the timeout.
    pub(super) is_long: bool,
}

/// Time limits of one exchange, beside the timeout.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// Time that the relay may wait before it answers.
    pub(super) wait: Duration,
    /// Time for the body of the request.
    pub(super) upload: Duration,
    /// Whether the body of the answer has limits of its own.
    pub(super) is_long: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: String) -> Self {
        let wait = Duration::ZERO;
        let (query, key, token, json, header) = (None, None, None, None, None);
        Self { method, path, query, key, token, json, header, wait, is_long: false }
    }

    pub(super) fn owner(method: Method, key: &'a SigningSecret, tail: &str) -> Self {
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
            .timeout_send_request(timeout)
            // What a relay that reads slowly can hold up behind the last byte that is counted.
            .output_buffer_size(OUTPUT)
            .timeout_per_read(None)
            .timeout_per_write(timeout)
            .build();
        let connector = SocksConnector::default()
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(tls);
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Ok(Self { agent, address, options, ahead: AtomicI64::new(0), silence: SILENCE })
    }

    pub(super) fn json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Error> {
        self.parse(self.call(call)?)
    }

    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        mut response: Response<Body>,
    ) -> Result<T, Error> {
        let body = Within::new(response.body_mut().as_reader(), self.options.timeout);
        let bytes = files::read_to_limit(body, MAX_ANSWER_JSON).map_err(|e| match e.kind() {
            io::ErrorKind::FileTooLarge => Error::Protocol("its answer is too long".into()),
            _ => answer::transport(e.into()),
        })?;
        serde_json::from_slice(&bytes).map_err(|e| Error::Protocol(e.to_string()))
    }

    /// Sends a call until it is answered, or the retries are used up.
    pub(super) fn call(&self, call: &Call<'_>) -> Result<Response<Body>, Error> {
        self.retry(call.wait, || match self.attempt(call) {
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
        let limits = Limits { wait: call.wait, is_long: call.is_long, ..Limits::default() };
        match &call.json {
            None => self.send(request.body(SendBody::none()).map_err(ureq::Error::Http), limits),
            Some(json) => {
                let request = request
                    .header("content-type", "application/json")
                    .header("content-length", json.len());
                let mut json = json.as_slice();
                let request = request.body(SendBody::from_reader(&mut json));
                self.send(request.map_err(ureq::Error::Http), limits)
            }
        }
    }

    /// One request, one answer: 2xx, or an error.
    pub(super) fn send(
        &self,
        request: Result<Request<SendBody<'_>>, ureq::Error>,
        limits: Limits,
    ) -> Result<Response<Body>, Error> {
        let response = self.exchange(request, limits)?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response)) }
    }

    /// One request, one answer of whatever status.
    pub(super) fn exchange(
        &self,
        request: Result<Request<SendBody<'_>>, ureq::Error>,
        limits: Limits,
    ) -> Result<Response<Body>, Error> {
        let request = request.map_err(answer::transport)?;
        let with = |more| self.options.timeout.saturating_add(more).min(LONGEST);
        let (head, upload) = (with(limits.wait), with(limits.upload));
        let whole = with(limits.wait.saturating_add(limits.upload));
        let request = self
            .agent
            .configure_request(request)
            .timeout_send_body(Some(upload))
            .timeout_recv_response(Some(head))
            .timeout_per_read(Some(head))
            .timeout_global((!limits.is_long).then_some(whole))
            .build();
        self.agent.run(request).map_err(answer::transport)
    }

    /// The error that an answer without success means. Where the relay knows no such request, it is
    /// asked for the versions it speaks.
    pub(super) fn refusal(&self, response: Response<Body>) -> Error {
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
        let response = self.exchange(request, Limits::default()).ok()?;
        let info: Info = self.parse(response).ok()?;
        let Versions { min, max } = info.versions;
        (!(min..=max).contains(&VERSION)).then_some(Error::Version { min, max })
    }

    /// Returns the retries of a request that may take `more` than the timeout.
    pub(super) fn patience(&self, more: Duration) -> Patience {
        Patience::new(self.options.retries, self.options.timeout.saturating_add(more))
    }

    /// Makes attempts until one succeeds, fails for good, or the retries or the time are used up:
    /// the timeout and `more`.
    pub(super) fn retry<T>(
        &self,
        more: Duration,
        mut attempt: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut patience = self.patience(more);
        loop {
            match attempt() {
                Err(error) => patience.wait(error)?,
                outcome => return outcome,
            }
        }
    }
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::Protocol(e.to_string()))
}

/// The header that shows a capability or a token, marked so that nobody prints it.
pub(super) fn bearer(text: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", text.as_str()))
        .map_err(|_| Error::Refused { code: "token".into(), message: "it is no token".into() })?;
    value.set_sensitive(true);
    Ok(value)
}
