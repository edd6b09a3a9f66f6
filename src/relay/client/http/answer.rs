//! What answers and failures mean to a client.

use std::io;
use std::time::{Duration, SystemTime};

use ureq::Body;
use ureq::http::header::{DATE, RETRY_AFTER};
use ureq::http::{HeaderMap, Response, StatusCode};

use crate::files;
use crate::relay::client::error::Error;
use crate::relay::client::http::pace::Within;
use crate::relay::protocol::{Failure, field, pow};
use crate::text;

/// Greatest error body that is read, in bytes.
const MAX_FAILURE: u64 = 16 << 10;

/// A failure on the way: almost all of them pass.
pub(super) fn transport(error: ureq::Error) -> Error {
    use ureq::Error as E;
    match error {
        E::Tls(_) | E::Pem(_) | E::Rustls(_) => Error::Insecure(error.to_string()),
        // What rustls refuses comes out of the connection as invalid data.
        E::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Error::Insecure(error.to_string())
        }
        E::Protocol(_) | E::LargeResponseHeader(..) | E::Http(_) | E::BadUri(_) => {
            Error::Protocol(error.to_string())
        }
        other => Error::Temporary { why: other.to_string(), retry_after: None },
    }
}

/// An answer that is not a success.
pub(super) fn refusal(mut response: Response<Body>, patience: Duration) -> Error {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let relay_time = relay_time(response.headers());
    let work = work(response.headers());
    // Without the body the status has to do: a relay that trickles it gains no time.
    let body = Within::new(response.body_mut().as_reader(), patience);
    let body = files::read_to_limit(body, MAX_FAILURE);
    let failure = body.ok().and_then(|body| serde_json::from_slice::<Failure>(&body).ok());
    let (code, message) = match failure {
        Some(failure) => (failure.error, text::printable(&failure.message)),
        None => (String::new(), format!("status {status}")),
    };
    match (status, code.as_str()) {
        // Also in answer to a HEAD, which has no code.
        (StatusCode::UNAUTHORIZED, "" | "work") if work.is_some() => {
            work.map_or(Error::Protocol(message), Error::Work)
        }
        (StatusCode::UNAUTHORIZED, "stale") => match relay_time {
            Some(relay) => Error::Clock { relay, ours: unix_now() },
            None => Error::Protocol("it refuses our clock and does not tell its own".into()),
        },
        _ => verdict(status, &code, message, retry_after),
    }
}

/// What a status and a code of the protocol mean, of a request or of one message of a batch.
pub(super) fn verdict(
    status: StatusCode,
    code: &str,
    message: String,
    retry_after: Option<Duration>,
) -> Error {
    match (status, code) {
        (
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT,
            _,
        ) => Error::Temporary { why: message, retry_after },
        (StatusCode::INSUFFICIENT_STORAGE, _) => Error::Full(message),
        (StatusCode::NOT_FOUND, "no_mailbox") => Error::NoMailbox,
        // Without a code of the protocol it was something else that answered.
        (_, "") => Error::Protocol(message),
        _ => Error::Refused { code: text::printable(code), message },
    }
}

/// A number in a header.
pub(super) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    field::integer(headers.get(name)?.to_str().ok()?)
}

/// The work that is asked for.
fn work(headers: &HeaderMap) -> Option<pow::Task> {
    headers.get(pow::HEADER)?.to_str().ok()?.parse().ok()
}

/// `Retry-After` in seconds; the other form, a date, is not worth a clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// `Date` in Unix seconds.
fn relay_time(headers: &HeaderMap) -> Option<u64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    u64::try_from(time.as_second()).ok()
}

/// Returns this machine's time in Unix seconds.
pub(super) fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
