//! Parts of a request: names in its path, its headers.

use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::http::request::Parts;

use crate::relay::protocol::{CapabilityId, Id, Mailbox, field};
use crate::relay::server::http::answer::{Answer, Refusal};

/// Result of a handler.
pub(crate) type Outcome = Result<Answer, Refusal>;

/// The mailbox of a path.
pub(crate) fn mailbox(name: &str) -> Result<Mailbox, Refusal> {
    name.parse().map_err(|_| Refusal::NO_MAILBOX)
}

/// The message of a path.
pub(crate) fn message(id: &str) -> Result<Id, Refusal> {
    id.parse().map_err(|_| Refusal::Malformed("the id is not a SHA-256 in lower-case digits"))
}

/// The capability of a path.
pub(crate) fn capability(id: &str) -> Result<CapabilityId, Refusal> {
    id.parse()
        .map_err(|_| Refusal::Malformed("the capability is not a SHA-256 in lower-case digits"))
}

/// The one value of a header, if it is there.
pub(crate) fn header(parts: &Parts, name: HeaderName) -> Result<Option<&HeaderValue>, Refusal> {
    let mut values = parts.headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::Malformed("a header is given twice"));
    }
    Ok(value)
}

/// The number in a header.
pub(crate) fn number(parts: &Parts, name: HeaderName, missing: Refusal) -> Result<u64, Refusal> {
    let value = header(parts, name)?.ok_or(missing)?;
    let text = value.to_str().ok().and_then(field::integer);
    text.ok_or(Refusal::Malformed("a header that is a number is none"))
}

/// `Content-Length`.
pub(crate) fn length(parts: &Parts) -> Result<u64, Refusal> {
    number(parts, CONTENT_LENGTH, Refusal::NoLength)
}

/// The end of the hour `time` lies in: what is kept tells no finer time.
pub(crate) fn full_hour(time: u64) -> u64 {
    time.div_ceil(3600).saturating_mul(3600)
}
