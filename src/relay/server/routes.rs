//! The requests of version 1, one function each.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use tokio::time::{Instant, sleep_until, timeout};

use super::App;
use super::answer;
use super::answer::{Refusal, json};
use super::guard;
use super::incoming::Incoming;
use crate::crypto;
use crate::relay::protocol;
use crate::relay::protocol::{
    Ack, Acked, Entry, Id, Info, Limits, Listing, Mailbox, Registration, Status, Versions,
};
use crate::relay::store::{Chunks, Put};

type Shared = State<Arc<App>>;
type Outcome = Result<Response, Refusal>;

/// Seconds an acknowledged id is remembered.
const REMEMBER: u64 = 24 * 3600;

pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/info", get(info))
        .route("/v1/m/{mailbox}", put(register).get(list).delete(close))
        .route("/v1/m/{mailbox}/ack", post(ack))
        .route("/v1/m/{mailbox}/status", get(status))
        .route("/v1/m/{mailbox}/{id}", put(push).get(fetch))
        .fallback(|| async { Refusal::NoRoute })
        .method_not_allowed_fallback(|| async { Refusal::Method })
        .layer(middleware::map_response_with_state(app.clone(), stamp))
        .with_state(app)
}

/// Every answer bears the relay's own time, which a client with a stale clock goes by, and
/// is kept by no cache.
async fn stamp(State(app): Shared, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(date) = http_date(app.clock.now()) {
        headers.insert(DATE, date);
    }
    response
}

/// `Date` as RFC 9110, section 5.6.7 wants it.
fn http_date(now: u64) -> Option<HeaderValue> {
    let time = jiff::Timestamp::from_second(i64::try_from(now).ok()?).ok()?;
    let text =
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()?;
    HeaderValue::from_str(&text).ok()
}

async fn info(State(app): Shared) -> Response {
    let info = Info {
        protocol: protocol::NAME.into(),
        versions: Versions { min: protocol::VERSION, max: protocol::VERSION },
        limits: Limits {
            message_bytes: app.message_bytes,
            list: protocol::MAX_LIST,
            ack: protocol::MAX_ACK,
            wait_seconds: protocol::MAX_WAIT,
            ttl_hours: app.ttl_hours,
            window_seconds: protocol::WINDOW,
        },
        registration: match app.token {
            Some(_) => Registration::Token,
            None => Registration::Open,
        },
    };
    json(StatusCode::OK, &info)
}

async fn register(State(app): Shared, Path(name): Path<String>, request: Request) -> Outcome {
    let (parts, _) = request.into_parts();
    let now = app.clock.now();
    let verified = guard::verify(&parts, None, &app.authorities, now, app.started)?;
    let mailbox = mailbox(&name)?;
    if verified.key != mailbox {
        return Err(Refusal::NoMailbox);
    }
    // No memory of the signature: registering twice is registering once, and strangers must not
    // fill that memory.
    if app.store.usage(mailbox).await?.is_some() {
        return Ok(StatusCode::OK.into_response());
    }
    if app.token.is_some_and(|hash| !shows_token(&parts, &hash)) {
        return Err(Refusal::Token);
    }
    let new = app.store.register(mailbox).await?;
    Ok(if new { StatusCode::CREATED } else { StatusCode::OK }.into_response())
}

fn shows_token(parts: &Parts, hash: &[u8; 32]) -> bool {
    let shown = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let token = shown.and_then(|value| value.strip_prefix(b"Bearer "));
    token.is_some_and(|token| crypto::equal(&crypto::sha256(&[token]), hash))
}

async fn close(State(app): Shared, Path(name): Path<String>, request: Request) -> Outcome {
    let mailbox = owner(&app, &request.into_parts().0, &name, None).await?;
    if !app.store.close(mailbox).await? {
        return Err(Refusal::NoMailbox);
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn push(
    State(app): Shared,
    Path((name, id)): Path<(String, String)>,
    request: Request,
) -> Outcome {
    let (parts, body) = request.into_parts();
    let mailbox = mailbox(&name)?;
    let id: Id = id.parse().map_err(|_| Refusal::Malformed("the id is not a SHA-256".into()))?;
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let size: u64 = length.and_then(|length| length.parse().ok()).ok_or(Refusal::NoLength)?;
    if size == 0 {
        return Err(Refusal::Malformed("the message is empty".into()));
    }
    let mut body = Incoming::new(body, id, size, app.body_pause);
    let outcome = if size > app.message_bytes {
        Err(Refusal::TooLarge)
    } else {
        let now = app.clock.now();
        let message = Entry { id, size, expires: full_hour(now + app.ttl_hours * 3600) };
        app.store.put(mailbox, message, now, &mut body).await.map_err(Refusal::from)
    };
    // Refused unread; but a client that waits for `100 Continue` has sent nothing, and will not.
    if outcome.is_err() && !body.is_begun() && !parts.headers.contains_key(EXPECT) {
        body.drain(answer::DRAIN, answer::DRAIN_TIME).await;
    }
    Ok(match outcome? {
        Put::New => StatusCode::CREATED,
        Put::Already => StatusCode::OK,
    }
    .into_response())
}

/// The end of the hour `time` lies in: what is kept tells no finer time.
fn full_hour(time: u64) -> u64 {
    time.div_ceil(3600) * 3600
}

#[derive(serde::Deserialize)]
struct ListQuery {
    #[serde(default)]
    wait: u64,
    limit: Option<usize>,
}

async fn list(
    State(app): Shared,
    Path(name): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
    request: Request,
) -> Outcome {
    let mailbox = owner(&app, &request.into_parts().0, &name, None).await?;
    let Query(query) =
        query.map_err(|_| Refusal::Malformed("wait and limit are decimal numbers".into()))?;
    let limit = query.limit.unwrap_or(protocol::DEFAULT_LIST).clamp(1, protocol::MAX_LIST);
    let deadline = Instant::now() + Duration::from_secs(query.wait.min(protocol::MAX_WAIT));
    let mut stopping = app.stopping.subscribe();
    // Before the first look, so that nothing arrives between looking and waiting.
    let mut waiter = app.store.arrivals().wait_at(mailbox);
    loop {
        let messages = app.store.list(mailbox, limit, app.clock.now()).await?;
        let over = Instant::now() >= deadline || *stopping.borrow_and_update();
        if !messages.is_empty() || over {
            return Ok(json(StatusCode::OK, &Listing { messages }));
        }
        tokio::select! {
            () = waiter.arrived() => {}
            () = sleep_until(deadline) => {}
            _ = stopping.changed() => {}
        }
    }
}

async fn fetch(
    State(app): Shared,
    Path((name, id)): Path<(String, String)>,
    request: Request,
) -> Outcome {
    let mailbox = owner(&app, &request.into_parts().0, &name, None).await?;
    let id: Id = id.parse().map_err(|_| Refusal::NoMessage)?;
    let stored = app.store.get(mailbox, id, app.clock.now()).await?.ok_or(Refusal::NoMessage)?;
    let pieces = futures_util::stream::try_unfold(stored.body, |mut body: Box<dyn Chunks>| async {
        let piece = body.next().await?;
        Ok::<_, crate::relay::store::Error>(piece.map(|piece| (piece, body)))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (CONTENT_LENGTH, HeaderValue::from(stored.size)),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn ack(State(app): Shared, Path(name): Path<String>, request: Request) -> Outcome {
    let (parts, body) = request.into_parts();
    let reading = axum::body::to_bytes(body, protocol::MAX_REQUEST_JSON);
    let body = timeout(app.body_pause, reading)
        .await
        .map_err(|_| Refusal::Store(crate::relay::store::BodyError::TooSlow.into()))?
        .map_err(|_| Refusal::TooLarge)?;
    let mailbox = owner(&app, &parts, &name, Some(&body)).await?;
    let ack: Ack = serde_json::from_slice(&body)
        .map_err(|e| Refusal::Malformed(format!("the list of ids cannot be read: {e}")))?;
    if ack.ids.len() > protocol::MAX_ACK {
        return Err(Refusal::TooLarge);
    }
    let remember = full_hour(app.clock.now() + REMEMBER);
    let deleted = app.store.ack(mailbox, ack.ids, remember).await?;
    Ok(json(StatusCode::OK, &Acked { deleted }))
}

async fn status(State(app): Shared, Path(name): Path<String>, request: Request) -> Outcome {
    let mailbox = owner(&app, &request.into_parts().0, &name, None).await?;
    let usage = app.store.usage(mailbox).await?.ok_or(Refusal::NoMailbox)?;
    let status = Status {
        messages: usage.messages,
        bytes: usage.bytes,
        max_messages: app.quotas.mailbox_messages,
        max_bytes: app.quotas.mailbox_bytes,
    };
    Ok(json(StatusCode::OK, &status))
}

/// The mailbox, if its owner asks. Everything a stranger may learn is decided before the
/// mailbox is looked up; after that unknown, closed and foreign are one answer.
async fn owner(
    app: &App,
    parts: &Parts,
    name: &str,
    body: Option<&[u8]>,
) -> Result<Mailbox, Refusal> {
    let now = app.clock.now();
    let verified = guard::verify(parts, body, &app.authorities, now, app.started)?;
    let mailbox = mailbox(name)?;
    let known = app.store.usage(mailbox).await?.is_some();
    if !known || verified.key != mailbox {
        return Err(Refusal::NoMailbox);
    }
    // Only now, so that strangers cannot fill the memory of signatures.
    app.replays.check(&verified, now)?;
    Ok(mailbox)
}

fn mailbox(name: &str) -> Result<Mailbox, Refusal> {
    name.parse().map_err(|_| Refusal::NoMailbox)
}
