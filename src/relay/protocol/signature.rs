//! HTTP Message Signatures (RFC 9421) with Ed25519, in the one fixed form of the protocol:
//! an owner's request is proven by the key of the mailbox.
//!
//! Fixed means: the components are `COMPONENTS`, with `content-digest` (RFC 9530) exactly
//! when there is a body; the parameters are `created`, `nonce`, `keyid`, `tag` and optionally
//! `alg`, each once, in any order. Everything else is refused by name. The signature base is
//! built from the `Signature-Input` as it was received, so nothing is parsed that is not also
//! signed.

use crate::crypto::{self, SigningSecret};
use crate::relay::protocol::types::{Mailbox, TAG};
use crate::text;

/// Components every signature covers, in this order (RFC 9421, section 2.2). `@path` and
/// `@query` rather than `@target-uri`: behind a proxy that ends TLS the relay does not know
/// the scheme.
pub(crate) const COMPONENTS: &str = r#"("@method" "@authority" "@path" "@query")"#;
/// The same, of a request with a body.
pub(crate) const COMPONENTS_WITH_BODY: &str =
    r#"("@method" "@authority" "@path" "@query" "content-digest")"#;
/// Label of the signature in both headers.
const LABEL: &str = "bulla=";
/// Greatest `Signature-Input` in bytes.
const MAX_INPUT: usize = 512;

/// Why a request is not proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No `Signature-Input`, `Signature` or `Content-Digest` where one is due.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// Other components than the fixed ones.
    #[error("expected a signature over {expected}")]
    Components {
        /// `COMPONENTS` or `COMPONENTS_WITH_BODY`.
        expected: &'static str,
    },
    /// A parameter that is missing, twice there, unknown or ill-formed.
    #[error("the signature parameter {0} is missing, repeated, unknown or malformed")]
    Parameter(String),
    /// A header that is not of the fixed form.
    #[error("the header {0} is malformed")]
    Malformed(&'static str),
    /// The body is not the one that was signed.
    #[error("the body does not match Content-Digest")]
    Digest,
    /// The signature does not verify under `keyid`.
    #[error("the signature does not verify")]
    Signature,
}

/// The parts of a request that are signed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// Lower-case host, and the port unless it is the scheme's own.
    pub authority: &'a str,
    /// Absolute path as it stands in the request line.
    pub path: &'a str,
    /// Query without its question mark, as it stands.
    pub query: Option<&'a str>,
    /// Body, of requests that have one.
    pub body: Option<&'a [u8]>,
}

/// The header values that prove a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// `Content-Digest`, when there is a body.
    pub content_digest: Option<String>,
    /// `Signature-Input`.
    pub input: String,
    /// `Signature`.
    pub signature: String,
}

/// What a verified signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who signed.
    pub key: Mailbox,
    /// When, in Unix seconds of the signer's clock.
    pub created: u64,
    /// Random text that makes the request one of a kind.
    pub nonce: String,
}

/// The signature base (RFC 9421, section 2.5) of components with their values, and of the
/// component list with its parameters.
pub(crate) fn base(components: &[(&str, &str)], parameters: &str) -> String {
    let mut base = String::new();
    for (name, value) in components {
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    base
}

/// `Content-Digest` (RFC 9530) of a body.
pub(crate) fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", text::base64_encode(&crypto::sha256(&[body])))
}

/// Signs a request. `nonce` is random and never used again within the window.
pub fn sign(request: &Request<'_>, key: &SigningSecret, created: u64, nonce: [u8; 16]) -> Headers {
    let content_digest = request.body.map(content_digest);
    let parameters = format!(
        "{};created={created};nonce=\"{}\";keyid=\"{}\";tag=\"{TAG}\"",
        components_of(request),
        text::hex_encode(&nonce),
        Mailbox(key.public()),
    );
    let base = base_of(request, content_digest.as_deref(), &parameters);
    let signature = key.sign(base.as_bytes());
    Headers {
        content_digest,
        input: format!("{LABEL}{parameters}"),
        signature: format!("{LABEL}:{}:", text::base64_encode(&signature)),
    }
}

/// Verifies a request: form, signature, digest. The caller still compares the key with the
/// mailbox, `created` with the clock, and remembers the nonce.
pub fn verify(request: &Request<'_>, headers: &Headers) -> Result<Verified, Error> {
    let verified = verify_head(request, request.body.is_some(), headers)?;
    if let Some(body) = request.body {
        verify_body(headers, body)?;
    }
    Ok(verified)
}

/// Verifies a request before its body is read: form and signature, which covers the body's
/// digest. So a relay holds no body of somebody it does not know.
pub(crate) fn verify_head(
    request: &Request<'_>,
    has_body: bool,
    headers: &Headers,
) -> Result<Verified, Error> {
    if headers.input.len() > MAX_INPUT {
        return Err(Error::Malformed("Signature-Input"));
    }
    let parameters =
        headers.input.strip_prefix(LABEL).ok_or(Error::Malformed("Signature-Input"))?;
    let expected = if has_body { COMPONENTS_WITH_BODY } else { COMPONENTS };
    let list = parameters.strip_prefix(expected).ok_or(Error::Components { expected })?;
    let verified = parse_parameters(list)?;
    let digest = headers.content_digest.as_deref().filter(|_| has_body);
    if has_body && digest.is_none() {
        return Err(Error::Missing("Content-Digest"));
    }
    let signature = headers
        .signature
        .strip_prefix(LABEL)
        .and_then(|text| text.strip_prefix(':')?.strip_suffix(':'))
        .and_then(|text| text::base64_decode(text.as_bytes()).ok())
        .and_then(|bytes| <[u8; 64]>::try_from(bytes).ok())
        .ok_or(Error::Malformed("Signature"))?;
    let base = base_of(request, digest, parameters);
    crypto::verify(&verified.key.0, base.as_bytes(), &signature).map_err(|_| Error::Signature)?;
    Ok(verified)
}

/// Verifies that the body is the one whose digest [`verify_head`] found signed.
pub(crate) fn verify_body(headers: &Headers, body: &[u8]) -> Result<(), Error> {
    let digest = headers.content_digest.as_deref().ok_or(Error::Missing("Content-Digest"))?;
    if digest == content_digest(body) { Ok(()) } else { Err(Error::Digest) }
}

fn components_of(request: &Request<'_>) -> &'static str {
    if request.body.is_some() { COMPONENTS_WITH_BODY } else { COMPONENTS }
}

fn base_of(request: &Request<'_>, digest: Option<&str>, parameters: &str) -> String {
    // An absent query is signed as an empty one (RFC 9421, section 2.2.7).
    let query = format!("?{}", request.query.unwrap_or_default());
    let mut components = vec![
        ("@method", request.method),
        ("@authority", request.authority),
        ("@path", request.path),
        ("@query", query.as_str()),
    ];
    components.extend(digest.map(|digest| ("content-digest", digest)));
    base(&components, parameters)
}

/// Reads `;name=value` pairs: the five names of the protocol, quoted strings without escapes.
fn parse_parameters(list: &str) -> Result<Verified, Error> {
    let wrong = |name: &str| Error::Parameter(text::printable(name));
    let (mut created, mut nonce, mut key, mut tag, mut alg) = (None, None, None, None, None);
    let mut pairs = list.split(';');
    if pairs.next() != Some("") {
        return Err(Error::Malformed("Signature-Input"));
    }
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or_else(|| wrong(pair))?;
        let text = || value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).filter(is_plain);
        let repeated = match name {
            "created" => created.replace(integer(value).ok_or_else(|| wrong(name))?).is_some(),
            "nonce" => nonce.replace(text().ok_or_else(|| wrong(name))?).is_some(),
            "keyid" => key.replace(text().ok_or_else(|| wrong(name))?).is_some(),
            "tag" => tag.replace(text().ok_or_else(|| wrong(name))?).is_some(),
            "alg" => alg.replace(text().ok_or_else(|| wrong(name))?).is_some(),
            _ => return Err(wrong(name)),
        };
        if repeated {
            return Err(wrong(name));
        }
    }
    if tag != Some(TAG) {
        return Err(wrong("tag"));
    }
    if alg.is_some_and(|alg| alg != "ed25519") {
        return Err(wrong("alg"));
    }
    let nonce = nonce.filter(|nonce| (16..=64).contains(&nonce.len()));
    Ok(Verified {
        key: key.and_then(|key| key.parse().ok()).ok_or_else(|| wrong("keyid"))?,
        created: created.ok_or_else(|| wrong("created"))?,
        nonce: nonce.ok_or_else(|| wrong("nonce"))?.to_owned(),
    })
}

/// Digits only: `str::parse` alone would take a sign.
fn integer(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Visible ASCII that needs no escape in a structured-field string (RFC 8941, section 3.3.3)
/// and holds no separator of ours.
fn is_plain(text: &&str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b';'))
}

#[cfg(test)]
mod tests;
