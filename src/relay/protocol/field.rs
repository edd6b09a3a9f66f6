//! Header fields and queries of the protocol: one strict reader each, so that a request means
//! one thing.

use std::num::ParseIntError;

#[cfg(any(test, feature = "serve"))]
use crate::relay::protocol::types::{DEFAULT_LIST, MAX_LIST, MAX_WAIT};

/// How far an upload has come (draft-ietf-httpbis-resumable-upload, section 4).
pub(crate) const UPLOAD_OFFSET: &str = "upload-offset";
/// How long the whole message is (the same draft, section 4).
pub(crate) const UPLOAD_LENGTH: &str = "upload-length";
/// Whether all of it is there: `?1` or `?0` (the same draft, section 4).
pub(crate) const UPLOAD_COMPLETE: &str = "upload-complete";

/// Decimal digits and nothing else: `str::parse` alone would take a sign.
pub(crate) fn integer(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse()).and_then(|number: Result<u64, ParseIntError>| number.ok())
}

/// The first byte of `Range: bytes=N-` (RFC 9110, section 14.1.2). Any other range is one that
/// a server may ignore, and is.
#[cfg(any(test, feature = "serve"))]
pub(crate) fn range_from(text: &str) -> Option<u64> {
    integer(text.strip_prefix("bytes=")?.strip_suffix('-')?)
}

/// The token of `Authorization: Bearer` (RFC 6750, section 2.1), not empty.
#[cfg(any(test, feature = "serve"))]
pub(crate) fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = value.split_first_chunk::<7>()?;
    let right = scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty();
    let visible = token.iter().all(u8::is_ascii_graphic);
    if right && visible { std::str::from_utf8(token).ok() } else { None }
}

/// What a list is asked for.
#[cfg(any(test, feature = "serve"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListQuery {
    /// Seconds to wait for a message, at most `MAX_WAIT`.
    pub wait: u64,
    /// Most messages, 1 to [`MAX_LIST`].
    pub limit: usize,
}

/// Reads `wait=S&limit=N`: either, both or none, other numbers brought within their bounds,
/// other names passed over. `None` when one of the two is no number or is given twice.
#[cfg(any(test, feature = "serve"))]
pub(crate) fn list_query(query: &str) -> Option<ListQuery> {
    let (mut wait, mut limit) = (None, None);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = match name {
            "wait" => &mut wait,
            "limit" => &mut limit,
            _ => continue,
        };
        if known.replace(integer(value)?).is_some() {
            return None;
        }
    }
    let limit = limit.map_or(DEFAULT_LIST, |limit| usize::try_from(limit).unwrap_or(MAX_LIST));
    Some(ListQuery { wait: wait.unwrap_or(0).min(MAX_WAIT), limit: limit.clamp(1, MAX_LIST) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_form_each() {
        assert_eq!(range_from("bytes=7-"), Some(7));
        for other in ["bytes=-7", "bytes=7-8", "bytes=7-,9-", "bytes= 7-", "items=7-", "bytes=+7-"]
        {
            assert_eq!(range_from(other), None, "{other}");
        }
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX));
        for other in ["", "+1", "-1", " 1", "1.0", "0x1", "18446744073709551616"] {
            assert_eq!(integer(other), None, "{other}");
        }
        assert_eq!(bearer(b"bEaReR abc"), Some("abc"));
        for other in [&b"Bearer "[..], b"Bearer", b"Basic abc", b"Bearer a b", b"Bearer \xff"] {
            assert_eq!(bearer(other), None, "{other:?}");
        }
    }

    #[test]
    fn queries_of_a_list() {
        let is =
            |query, wait, limit| assert_eq!(list_query(query), Some(ListQuery { wait, limit }));
        is("", 0, DEFAULT_LIST);
        is("wait=5&limit=7", 5, 7);
        is("limit=0&wait=51&colour=red&&x", MAX_WAIT, 1);
        is("limit=99999999999999", 0, MAX_LIST);
        for bad in ["wait", "wait=", "wait=soon", "limit=-1", "wait=1&wait=2", "limit=%31"] {
            assert_eq!(list_query(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC*", bytes: Vec<u8>) {
            let _ = (integer(&text), range_from(&text), list_query(&text), bearer(&bytes));
        }
    }
}
