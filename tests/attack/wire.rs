//! HTTP/1.1 by hand, so that a request can be as wrong as an attacker wants it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use bulla::crypto::{self, SigningSecret};
use bulla::relay::protocol::signature::{self, Request};
use bulla::relay::protocol::{CapabilityId, Id, Listing, Mailbox};
use bulla::secret::Secret;
use bulla::text;

/// Longest a relay may take for anything that is asked of it here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub(crate) struct Connection(BufReader<TcpStream>);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lower-case names; without `date`, which tells nothing.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    pub(crate) fn open(host: &str) -> Self {
        let stream = TcpStream::connect(host).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends bytes, or as many as the relay takes before it hangs up.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Sends what can be sent without waiting for the relay to read.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) {
        let stream = self.0.get_mut();
        stream.set_nonblocking(true).unwrap();
        let _ = stream.write(bytes);
        stream.set_nonblocking(false).unwrap();
    }

    /// The next answer, or `None` when the relay has hung up.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let line = self.line()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            let name = name.to_ascii_lowercase();
            if name != "date" {
                headers.push((name, value.trim().to_owned()));
            }
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if answer.header("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).ok()?;
                let mut piece = vec![0; size + 2];
                self.0.read_exact(&mut piece).ok()?;
                answer.body.extend_from_slice(&piece[..size]);
                if size == 0 {
                    return Some(answer);
                }
            }
        }
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        answer.body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut answer.body).ok()?;
        Some(answer)
    }

    /// Sends a request and demands an answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: &[u8]) -> Answer {
        self.send(request).unwrap();
        self.answer().unwrap()
    }

    /// Whether the relay has hung up; waits so long for it.
    pub(crate) fn is_closed_within(&mut self, time: Duration) -> bool {
        self.0.get_ref().set_read_timeout(Some(time)).unwrap();
        let mut byte = [0; 4096];
        loop {
            match self.0.read(&mut byte) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    }
}

/// The bytes of a request.
pub(crate) fn request(
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        bytes += &format!("content-length: {}\r\n", body.len());
    }
    bytes += "\r\n";
    [bytes.as_bytes(), body].concat()
}

/// A push that shows a capability.
pub(crate) fn push(host: &str, mailbox: Mailbox, capability: &str, body: &[u8]) -> Vec<u8> {
    let path = format!("/v1/m/{mailbox}/{}", id_of(body));
    let bearer = format!("Bearer {capability}");
    request(host, "PUT", &path, &[("authorization", &bearer)], body)
}

/// A batch of messages that shows a capability.
pub(crate) fn push_all(
    host: &str,
    mailbox: Mailbox,
    capability: &str,
    bodies: &[Vec<u8>],
) -> Vec<u8> {
    let mut batch = Vec::new();
    for body in bodies {
        batch.extend_from_slice(&id_of(body).0);
        batch.extend_from_slice(&(body.len() as u64).to_be_bytes());
        batch.extend_from_slice(body);
    }
    let bearer = format!("Bearer {capability}");
    let kind = ("content-type", "application/vnd.bulla.messages");
    request(
        host,
        "POST",
        &format!("/v1/m/{mailbox}/push"),
        &[("authorization", &bearer), kind],
        &batch,
    )
}

pub(crate) fn id_of(body: &[u8]) -> Id {
    Id(crypto::sha256(&[body]))
}

/// Random text of the form of a capability.
pub(crate) fn capability() -> String {
    text::hex_encode(&crypto::random::<32>().unwrap())
}

/// Random bytes.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// The owner of a mailbox.
pub(crate) struct Owner {
    host: String,
    key: SigningSecret,
    pub(crate) mailbox: Mailbox,
}

impl Owner {
    pub(crate) fn new(host: &str) -> Self {
        let key = SigningSecret::from_seed(&Secret::from_slice(&noise(32)).unwrap());
        Self { host: host.to_owned(), mailbox: Mailbox(key.public()), key }
    }

    /// Somebody with a mailbox at the relay, and a capability to push there.
    pub(crate) fn registered(host: &str) -> (Self, String) {
        let owner = Self::new(host);
        let mut line = Connection::open(host);
        let answer = line.ask(&owner.signed("PUT", "", None, None));
        assert_eq!(answer.status, 201, "{}", answer.text());
        let capability = capability();
        owner.allow(&capability, "{}");
        (owner, capability)
    }

    /// Allows a capability, with terms in JSON.
    pub(crate) fn allow(&self, capability: &str, terms: &str) {
        let below = format!("/capabilities/{}", CapabilityId::of(capability));
        let request = self.signed("PUT", &below, None, Some(terms.as_bytes()));
        let answer = Connection::open(&self.host).ask(&request);
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    /// A signed request for something below the mailbox.
    pub(crate) fn signed(
        &self,
        method: &str,
        below: &str,
        query: Option<&str>,
        body: Option<&[u8]>,
    ) -> Vec<u8> {
        let path = format!("/v1/m/{}{below}", self.mailbox);
        self.signed_for(method, &path, query, body)
    }

    /// The same for any path.
    pub(crate) fn signed_for(
        &self,
        method: &str,
        path: &str,
        query: Option<&str>,
        body: Option<&[u8]>,
    ) -> Vec<u8> {
        let asked = Request { method, authority: &self.host, path, query, body };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let proof = signature::sign(&asked, &self.key, now, crypto::random().unwrap());
        let mut headers = vec![
            ("signature-input", proof.input.as_str()),
            ("signature", proof.signature.as_str()),
        ];
        if let Some(digest) = &proof.content_digest {
            headers.push(("content-digest", digest));
            headers.push(("content-type", "application/json"));
        }
        let target = query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
        request(&self.host, method, &target, &headers, body.unwrap_or_default())
    }

    /// The ids that wait.
    pub(crate) fn list(&self, line: &mut Connection) -> Vec<Id> {
        let answer = line.ask(&self.signed("GET", "", Some("limit=1000"), None));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let listing: Listing = serde_json::from_slice(&answer.body).unwrap();
        listing.messages.iter().map(|entry| entry.id).collect()
    }

    /// A signed request that names ids: `take` or `ack`.
    pub(crate) fn about(&self, what: &str, ids: &[Id]) -> Vec<u8> {
        let names: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
        let body = format!("{{\"ids\":[{}]}}", names.join(","));
        self.signed("POST", what, None, Some(body.as_bytes()))
    }
}
