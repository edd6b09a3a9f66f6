//! Answers: bodies, refusals, and the one place that turns them into status and JSON.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::relay::protocol::{Failure, field, frame, pow, signature};
use crate::relay::store::{self, BodyError};

/// What is answered.
pub(crate) type Answer = Response<Content>;

/// Seconds a client is asked to wait when the relay is busy.
const RETRY: u64 = 5;
/// Longest body that is read and dropped when its request was refused unread, so that a client
/// which sends before it listens sees the answer and not a closed connection.
pub(crate) const DRAIN: u64 = 256 << 10;
/// How long draining may take.
pub(crate) const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Pieces of an answer as they come.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, store::Error>> + Send>>;

/// The body of an answer.
pub(crate) enum Content {
    /// At hand.
    Whole(Bytes),
    /// In pieces; how many bytes are left, where that is known.
    Pieces(Pieces, Option<u64>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = store::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, store::Error>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pieces(pieces, left) => {
                let piece = std::task::ready!(pieces.as_mut().poll_next(context));
                if let (Some(Ok(piece)), Some(left)) = (&piece, left) {
                    *left = left.saturating_sub(piece.len() as u64);
                }
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces(_, Some(left)) => SizeHint::with_exact(*left),
            Self::Pieces(_, None) => SizeHint::default(),
        }
    }
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The path names nothing.
    NoRoute,
    /// The path does not take the method, but those named.
    Method(&'static str),
    /// Query, header or JSON that cannot be read; the text says which.
    Malformed(&'static str),
    /// A batch that cannot be read.
    Batch(frame::Error),
    /// The request was made for another relay.
    Misdirected,
    /// No valid signature of an owner.
    Unsigned(signature::Error),
    /// A signature from too long ago, or from the future.
    Stale,
    /// A signature that was used before.
    Replayed,
    /// A push to a public inbox under load takes work.
    Work(pow::Task),
    /// No such message, or no more.
    NoMessage,
    /// A body without `Content-Length`.
    NoLength,
    /// Longer than the relay takes.
    TooLarge,
    /// A part of another media type.
    MediaType,
    /// A range that begins after the last of so many bytes.
    Range(u64),
    /// Too many from one place: again in so many seconds.
    Rate(u64),
    /// The store said no.
    Store(store::Error),
    /// Too much at once.
    Busy,
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::Store(error.into())
    }
}

/// All codes, for counting.
pub(crate) const CODES: &[&str] = &[
    "busy",
    "length",
    "mailbox_full",
    "malformed",
    "media_type",
    "method",
    "misdirected",
    "no_mailbox",
    "no_message",
    "no_route",
    "offset",
    "range",
    "rate",
    "relay_full",
    "replayed",
    "share_full",
    "signature",
    "slow",
    "stale",
    "token",
    "too_large",
    "unavailable",
    "work",
    "wrong_hash",
];

impl Refusal {
    /// The mailbox is unknown, closed or another's, or the capability is not good: one answer
    /// for all of these.
    pub(crate) const NO_MAILBOX: Self = Self::Store(store::Error::NoMailbox);

    /// Status and code. The page of the protocol lists them.
    pub(crate) fn code(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        use store::Error as E;
        match self {
            Self::NoRoute => (S::NOT_FOUND, "no_route"),
            Self::Method(_) => (S::METHOD_NOT_ALLOWED, "method"),
            Self::Malformed(_) | Self::Batch(_) => (S::BAD_REQUEST, "malformed"),
            Self::Misdirected => (S::MISDIRECTED_REQUEST, "misdirected"),
            Self::Unsigned(_) => (S::UNAUTHORIZED, "signature"),
            Self::Stale => (S::UNAUTHORIZED, "stale"),
            Self::Replayed => (S::UNAUTHORIZED, "replayed"),
            Self::Work(_) => (S::UNAUTHORIZED, "work"),
            Self::NoMessage => (S::NOT_FOUND, "no_message"),
            Self::NoLength => (S::LENGTH_REQUIRED, "length"),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too_large"),
            Self::MediaType => (S::UNSUPPORTED_MEDIA_TYPE, "media_type"),
            Self::Range(_) => (S::RANGE_NOT_SATISFIABLE, "range"),
            Self::Rate(_) => (S::TOO_MANY_REQUESTS, "rate"),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy"),
            Self::Store(error) => match error {
                E::NoMailbox => (S::NOT_FOUND, "no_mailbox"),
                E::Token => (S::UNAUTHORIZED, "token"),
                E::Rate => (S::TOO_MANY_REQUESTS, "rate"),
                E::ShareFull => (S::INSUFFICIENT_STORAGE, "share_full"),
                E::MailboxFull => (S::INSUFFICIENT_STORAGE, "mailbox_full"),
                E::RelayFull => (S::INSUFFICIENT_STORAGE, "relay_full"),
                E::Offset { .. } => (S::CONFLICT, "offset"),
                E::Body(BodyError::WrongHash) => (S::UNPROCESSABLE_ENTITY, "wrong_hash"),
                E::Body(BodyError::TooSlow) => (S::REQUEST_TIMEOUT, "slow"),
                E::Body(BodyError::WrongLength) => (S::BAD_REQUEST, "length"),
                // What went wrong inside is the operator's to know.
                E::InUse(_) | E::Open { .. } | E::Unavailable(_) | E::Failed(_) => {
                    (S::SERVICE_UNAVAILABLE, "unavailable")
                }
            },
        }
    }

    /// Words for people.
    fn message(&self) -> Cow<'static, str> {
        use store::Error as E;
        Cow::Borrowed(match self {
            Self::NoRoute => "this path names nothing",
            Self::Method(_) => "this path does not take the method",
            Self::Malformed(what) => what,
            Self::Batch(why) => return Cow::Owned(why.to_string()),
            Self::Misdirected => "this relay does not go by the name the request was signed for",
            Self::Unsigned(why) => return Cow::Owned(why.to_string()),
            Self::Stale => "the signature is not of now: see Date",
            Self::Replayed => "the signature was used before",
            Self::Work(_) => "much is pushed without a capability: see Bulla-Work",
            Self::NoMessage => "no such message",
            Self::NoLength => "Content-Length is missing",
            Self::TooLarge => "larger than this relay takes",
            Self::MediaType => "a part of a message is application/partial-upload",
            Self::Range(_) => "the message has no such bytes",
            Self::Rate(_) => "too many from one address for this hour",
            Self::Busy => "too much at once, try again",
            Self::Store(error) => match error {
                E::NoMailbox => "no such mailbox, or not for this key or capability",
                E::Token => "registering takes a token of the operator",
                E::Rate => "too many for this hour",
                E::ShareFull => "the share of the capability is full",
                E::MailboxFull => "the mailbox is full",
                E::RelayFull => "the relay is full",
                E::Offset { .. } => "the upload goes on elsewhere: see Upload-Offset",
                E::Body(BodyError::WrongHash) => "the body does not hash to the id",
                E::Body(BodyError::TooSlow) => "the body came too slowly",
                E::Body(BodyError::WrongLength) => "the body is not as long as announced",
                E::InUse(_) | E::Open { .. } | E::Unavailable(_) | E::Failed(_) => {
                    "the relay cannot answer now"
                }
            },
        })
    }

    /// The answer. `now` is the relay's time in Unix seconds.
    pub(crate) fn answer(&self, now: u64) -> Answer {
        let (status, code) = self.code();
        let message = self.message().into_owned();
        let mut answer = json(status, &Failure { error: code.into(), message });
        let mut with = |name: HeaderName, value: Option<HeaderValue>| {
            value.and_then(|value| answer.headers_mut().insert(name, value))
        };
        let text = |text: String| HeaderValue::try_from(text).ok();
        match self {
            Self::Method(allow) => with(ALLOW, Some(HeaderValue::from_static(allow))),
            Self::Store(store::Error::Token) => {
                with(WWW_AUTHENTICATE, Some(HeaderValue::from_static("Bearer")))
            }
            Self::Work(task) => with(HeaderName::from_static(pow::HEADER), text(task.to_string())),
            Self::Range(size) => with(CONTENT_RANGE, text(format!("bytes */{size}"))),
            Self::Store(store::Error::Offset { expected }) => {
                let name = HeaderName::from_static(field::UPLOAD_OFFSET);
                with(name, Some(HeaderValue::from(*expected)))
            }
            Self::Rate(seconds) => with(RETRY_AFTER, Some(HeaderValue::from(*seconds))),
            Self::Store(store::Error::Rate) => {
                with(RETRY_AFTER, Some(HeaderValue::from(to_full_hour(now))))
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                with(RETRY_AFTER, Some(HeaderValue::from(RETRY)))
            }
            _ => None,
        };
        answer
    }
}

/// Seconds until the next hour of the clock begins.
pub(crate) fn to_full_hour(now: u64) -> u64 {
    3600 - now % 3600
}

/// An answer that no cache keeps.
fn answer(status: StatusCode, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    answer(status, Content::Whole(Bytes::new()))
}

/// An answer of some media type.
pub(crate) fn of_kind(status: StatusCode, kind: &'static str, content: Content) -> Answer {
    let mut answer = answer(status, content);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // These types have string keys and no maps: they always serialize.
    let text = serde_json::to_vec(body).unwrap_or_default();
    of_kind(status, "application/json", Content::Whole(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every refusal is in the table of the page, and every code of it is counted.
    #[test]
    fn the_page_lists_every_refusal() {
        use store::Error as S;
        let refusals = [
            Refusal::NoRoute,
            Refusal::Method("GET"),
            Refusal::Malformed("it"),
            Refusal::Batch(frame::Error::Truncated),
            Refusal::Misdirected,
            Refusal::Unsigned(signature::Error::Signature),
            Refusal::Stale,
            Refusal::Replayed,
            Refusal::Work(pow::Task { bits: 1, challenge: [0; pow::CHALLENGE] }),
            Refusal::NO_MAILBOX,
            Refusal::NoMessage,
            Refusal::NoLength,
            Refusal::TooLarge,
            Refusal::MediaType,
            Refusal::Range(7),
            Refusal::Rate(7),
            Refusal::Busy,
            Refusal::Store(S::Token),
            Refusal::Store(S::Rate),
            Refusal::Store(S::ShareFull),
            Refusal::Store(S::MailboxFull),
            Refusal::Store(S::RelayFull),
            Refusal::Store(S::Offset { expected: 7 }),
            Refusal::Store(BodyError::WrongHash.into()),
            Refusal::Store(BodyError::WrongLength.into()),
            Refusal::Store(BodyError::TooSlow.into()),
            Refusal::Store(S::Unavailable("secret path".into())),
            Refusal::Store(S::Failed("secret path".into())),
        ];
        let page = include_str!("../../protocol/PROTOCOL.md");
        let mut codes: Vec<&str> = Vec::new();
        for refusal in &refusals {
            let (status, code) = refusal.code();
            let row =
                page.lines().find(|line| line.starts_with(&format!("| {} |", status.as_u16())));
            assert!(row.is_some_and(|row| row.contains(&format!("`{code}`"))), "{status} {code}");
            assert!(!refusal.message().contains("secret"));
            codes.push(code);
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes, CODES);
    }
}
