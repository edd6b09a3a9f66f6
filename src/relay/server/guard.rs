//! Who asks: the authority a request was made for, the freshness of its signature, and the
//! memory of signatures that were used.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName};
use hyper::http::request::Parts;

use crate::crypto;
use crate::relay::protocol::WINDOW;
use crate::relay::protocol::signature::{self, Headers, Verified};
use crate::relay::server::http::answer::Refusal;

/// Most signatures remembered in one period: 64 MiB of memory, some 3,000 owner requests a
/// second. Beyond that owners are asked to come back, rather than forgotten.
const REMEMBERED: usize = 1 << 20;

/// What proves a request whose body has not been read yet.
pub(super) struct Proof {
    /// What was verified.
    pub(super) verified: Verified,
    headers: Headers,
}

impl Proof {
    /// Whether the body is the one that was signed.
    pub(super) fn covers(&self, body: &[u8]) -> Result<(), Refusal> {
        signature::verify_body(&self.headers, body).map_err(Refusal::Unsigned)
    }
}

/// Checks everything about a signed request that neither the mailbox nor the body has a part
/// in.
pub(super) fn verify(
    parts: &Parts,
    has_body: bool,
    authorities: &[String],
    now: u64,
    started: u64,
) -> Result<Proof, Refusal> {
    let authority = authority(parts)?;
    if !authorities.contains(&authority) {
        return Err(Refusal::Misdirected);
    }
    let request = signature::Request {
        method: parts.method.as_str(),
        authority: &authority,
        path: parts.uri.path(),
        query: parts.uri.query(),
        body: None,
    };
    let headers = headers(&parts.headers).map_err(Refusal::Unsigned)?;
    let verified =
        signature::verify_head(&request, has_body, &headers).map_err(Refusal::Unsigned)?;
    // What was signed before this process began may have been used with the one before it,
    // whose memory is gone.
    if verified.created.abs_diff(now) > WINDOW || verified.created < started {
        return Err(Refusal::Stale);
    }
    Ok(Proof { verified, headers })
}

/// `@authority` (RFC 9421, section 2.2.3): lower case. `:authority` of HTTP/2, else `Host`.
fn authority(parts: &Parts) -> Result<String, Refusal> {
    let wrong = || Refusal::Malformed("the authority is missing or given twice");
    let mut named = parts.headers.get_all(HOST).iter();
    let host = named.next().map(|host| host.to_str().map(str::to_ascii_lowercase));
    let host = host.transpose().map_err(|_| wrong())?;
    if named.next().is_some() {
        return Err(wrong());
    }
    let target = parts.uri.authority().map(|a| a.as_str().to_ascii_lowercase());
    match (host, target) {
        (Some(host), Some(target)) if host != target => Err(wrong()),
        (Some(one), _) | (None, Some(one)) => Ok(one),
        (None, None) => Err(wrong()),
    }
}

fn headers(headers: &HeaderMap) -> Result<Headers, signature::Error> {
    let one = |name: &'static str| -> Result<Option<String>, signature::Error> {
        let mut values = headers.get_all(HeaderName::from_static(name)).iter();
        let value = values.next();
        if values.next().is_some() {
            return Err(signature::Error::Malformed(name));
        }
        let text = value.map(|value| value.to_str().map(str::to_owned));
        text.transpose().map_err(|_| signature::Error::Malformed(name))
    };
    Ok(Headers {
        content_digest: one("content-digest")?,
        input: one("signature-input")?.ok_or(signature::Error::Missing("Signature-Input"))?,
        signature: one("signature")?.ok_or(signature::Error::Missing("Signature"))?,
    })
}

/// Signatures that were used: in memory, for as long as they would still be fresh.
#[derive(Default)]
pub(super) struct Replays(Mutex<Generations>);

/// Two sets that take turns. A signature is fresh for at most `2 * WINDOW` seconds after it
/// was first seen; a turn takes that long, so each is remembered for one to two turns.
#[derive(Default)]
struct Generations {
    turn: u64,
    current: HashSet<[u8; 16]>,
    previous: HashSet<[u8; 16]>,
}

impl Replays {
    /// Remembers a signature, or refuses one that was used.
    pub(super) fn check(&self, verified: &Verified, now: u64) -> Result<(), Refusal> {
        let mark = crypto::truncate(&crypto::sha256(&[&verified.key.0, verified.nonce.as_bytes()]));
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = now / (2 * WINDOW);
        if turn != seen.turn {
            let last = std::mem::take(&mut seen.current);
            // A clock that jumps back keeps both; one that leaps ahead makes all of them stale.
            seen.previous = if turn > seen.turn + 1 { HashSet::new() } else { last };
            seen.turn = turn;
        }
        if seen.previous.contains(&mark) {
            return Err(Refusal::Replayed);
        }
        if seen.current.len() >= REMEMBERED {
            return Err(Refusal::Busy);
        }
        if seen.current.insert(mark) { Ok(()) } else { Err(Refusal::Replayed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::protocol::Mailbox;

    #[test]
    fn a_signature_is_remembered_as_long_as_it_is_fresh() {
        let replays = Replays::default();
        let verified =
            |n: u64| Verified { key: Mailbox([1; 32]), created: 0, nonce: n.to_string() };
        let start = 2 * WINDOW * 1000 - 1;
        assert!(replays.check(&verified(1), start).is_ok());
        for later in [0, 1, WINDOW, 2 * WINDOW] {
            assert!(matches!(replays.check(&verified(1), start + later), Err(Refusal::Replayed)));
        }
        let other = Verified { key: Mailbox([2; 32]), ..verified(1) };
        assert!(replays.check(&other, start).is_ok());
        // Long after, it would be stale, and its memory is gone.
        assert!(replays.check(&verified(1), start + 6 * WINDOW).is_ok());
    }
}
