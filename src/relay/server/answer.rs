//! Refusals, and the one place that turns them into status and JSON.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::relay::protocol::Failure;
use crate::relay::signature;
use crate::relay::store;
use crate::relay::store::BodyError;

/// Seconds a client is asked to wait when the relay is busy.
const RETRY: u64 = 5;

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The path names nothing.
    NoRoute,
    /// The path does not take the method.
    Method,
    /// Query, header or JSON that cannot be read; the text says which.
    Malformed(String),
    /// The request was made for another relay.
    Misdirected,
    /// No valid signature of an owner.
    Unsigned(signature::Error),
    /// A signature from too long ago, or from the future.
    Stale,
    /// A signature that was used before.
    Replayed,
    /// Registering takes a token of the operator.
    Token,
    /// The mailbox is unknown, closed, or another's: the answer is the same for all three.
    NoMailbox,
    /// No such message, or no more.
    NoMessage,
    /// A push without `Content-Length`.
    NoLength,
    /// Longer than the relay takes.
    TooLarge,
    /// The store said no.
    Store(store::Error),
    /// Too much at once.
    Busy,
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoMailbox => Self::NoMailbox,
            other => Self::Store(other),
        }
    }
}

impl Refusal {
    /// Status, code and words. The codes are listed in the protocol page.
    fn parts(&self) -> (StatusCode, &'static str, String) {
        use StatusCode as S;
        let (status, code, message) = match self {
            Self::NoRoute => (S::NOT_FOUND, "no_route", "this path names nothing"),
            Self::Method => (S::METHOD_NOT_ALLOWED, "method", "this path does not take the method"),
            Self::Malformed(what) => return (S::BAD_REQUEST, "malformed", what.clone()),
            Self::Misdirected => (
                S::MISDIRECTED_REQUEST,
                "misdirected",
                "this relay does not go by the name the request was signed for",
            ),
            Self::Unsigned(why) => return (S::UNAUTHORIZED, "signature", why.to_string()),
            Self::Stale => (S::UNAUTHORIZED, "stale", "the signature is not of now: see Date"),
            Self::Replayed => (S::UNAUTHORIZED, "replayed", "the signature was used before"),
            Self::Token => (S::UNAUTHORIZED, "token", "registering takes a token of the operator"),
            Self::NoMailbox => {
                (S::NOT_FOUND, "no_mailbox", "no such mailbox, or the key is not its owner's")
            }
            Self::NoMessage => (S::NOT_FOUND, "no_message", "no such message"),
            Self::NoLength => (S::LENGTH_REQUIRED, "length", "Content-Length is missing"),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too_large", "larger than this relay takes"),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "too much at once, try again"),
            Self::Store(error) => match error {
                store::Error::Body(BodyError::WrongHash) => {
                    (S::UNPROCESSABLE_ENTITY, "wrong_hash", "the body does not hash to the id")
                }
                store::Error::Body(BodyError::TooSlow) => {
                    (S::REQUEST_TIMEOUT, "slow", "the body came too slowly")
                }
                store::Error::Body(_) => {
                    (S::BAD_REQUEST, "length", "the body is not as long as announced")
                }
                store::Error::MailboxFull => {
                    (S::INSUFFICIENT_STORAGE, "mailbox_full", "the mailbox is full")
                }
                store::Error::RelayFull => {
                    (S::INSUFFICIENT_STORAGE, "relay_full", "the relay is full")
                }
                // What went wrong inside is the operator's to know.
                _ => (S::SERVICE_UNAVAILABLE, "unavailable", "the relay cannot answer now"),
            },
        };
        (status, code, message.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let mut response = json(status, &Failure { error: code.into(), message });
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY));
        }
        if matches!(self, Self::Token) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // These types have string keys and no maps: they always serialize.
    let text = serde_json::to_vec(body).unwrap_or_default();
    let kind = HeaderValue::from_static("application/json");
    (status, [(CONTENT_TYPE, kind)], text).into_response()
}

/// Whether a body that was not read is short enough to read and drop, so that a client which
/// sends before it listens sees the answer and not a closed connection.
pub(super) const DRAIN: u64 = 256 << 10;
/// How long draining may take.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// Every status and code is in the table of the page, in one row.
    #[test]
    fn the_page_lists_every_refusal() {
        use store::Error as S;
        let refusals = [
            Refusal::NoRoute,
            Refusal::Method,
            Refusal::Malformed("it".into()),
            Refusal::Misdirected,
            Refusal::Unsigned(signature::Error::Signature),
            Refusal::Stale,
            Refusal::Replayed,
            Refusal::Token,
            Refusal::NoMailbox,
            Refusal::NoMessage,
            Refusal::NoLength,
            Refusal::TooLarge,
            Refusal::Busy,
            Refusal::Store(BodyError::WrongHash.into()),
            Refusal::Store(BodyError::WrongLength.into()),
            Refusal::Store(BodyError::TooSlow.into()),
            Refusal::Store(S::MailboxFull),
            Refusal::Store(S::RelayFull),
            Refusal::Store(S::Unavailable("secret path".into())),
            Refusal::Store(S::Failed("secret path".into())),
        ];
        let page = include_str!("../PROTOCOL.md");
        for refusal in refusals {
            let (status, code, message) = refusal.parts();
            let row =
                page.lines().find(|line| line.starts_with(&format!("| {} |", status.as_u16())));
            assert!(row.is_some_and(|row| row.contains(&format!("`{code}`"))), "{status} {code}");
            assert!(!message.contains("secret"));
        }
    }
}
