//! Requests of owners.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, IF_RANGE, RANGE,
};
use hyper::http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use crate::relay::protocol::field::{self, ListQuery};
use crate::relay::protocol::{
    self, Acked, Capabilities, Id, Ids, Listing, Mailbox, Registration, Status, Terms, TokenId,
    frame,
};
use crate::relay::server::admin::metrics::{Held, count};
use crate::relay::server::app::App;
use crate::relay::server::guard::{self, Proof};
use crate::relay::server::http::answer::{Content, Refusal, empty, json, of_kind};
use crate::relay::server::http::body::{Memory, Upload};
use crate::relay::server::http::request::{
    Outcome, capability, full_hour, header, length, mailbox,
};
use crate::relay::store::{Chunks, Displaced};

/// Seconds an acknowledged id is remembered.
const REMEMBER: u64 = 24 * 3600;
/// Bytes from which a piece of a batch goes.
const PIECE: usize = 64 << 10;

/// A request that is signed by somebody, for a mailbox that may be anybody's.
pub(super) struct Asked {
    mailbox: Mailbox,
    proof: Proof,
}

/// Everything a stranger may learn is decided here, before the mailbox is looked up.
pub(super) fn prove(
    app: &App,
    parts: &Parts,
    name: &str,
    has_body: bool,
) -> Result<Asked, Refusal> {
    let now = app.clock.now();
    let proof = guard::verify(parts, has_body, &app.authorities, now, app.started)?;
    Ok(Asked { mailbox: mailbox(name)?, proof })
}

/// The mailbox, if its owner asks. Unknown, closed and foreign are one answer after one
/// look-up.
pub(super) async fn owned(app: &App, asked: &Asked) -> Result<Mailbox, Refusal> {
    let known = app.store.usage(asked.mailbox).await?.is_some();
    if !known || asked.proof.verified.key != asked.mailbox {
        return Err(Refusal::NO_MAILBOX);
    }
    // Only now, so that strangers cannot fill the memory of signatures.
    app.replays.check(&asked.proof.verified, app.clock.now())?;
    Ok(asked.mailbox)
}

async fn owner(app: &App, parts: &Parts, name: &str) -> Result<Mailbox, Refusal> {
    owned(app, &prove(app, parts, name, false)?).await
}

/// The mailbox and the JSON of an owner's request; the body is read for owners only.
async fn owner_json<T: DeserializeOwned>(
    app: &App,
    parts: &Parts,
    name: &str,
    body: Incoming,
) -> Result<(Mailbox, T), Refusal> {
    let asked = prove(app, parts, name, true)?;
    let mailbox = owned(app, &asked).await?;
    let size = length(parts)?;
    let small = usize::try_from(size).ok().filter(|size| *size <= protocol::MAX_REQUEST_JSON);
    let _room = app.memory.take(small.ok_or(Refusal::TooLarge)?).await?;
    let body = Upload::new(body, size, None, app.body_pause).whole().await?;
    asked.proof.covers(&body)?;
    let json = serde_json::from_slice(&body);
    Ok((mailbox, json.map_err(|_| Refusal::Malformed("the JSON is not what is due here"))?))
}

/// `PUT /v1/m/{mailbox}`. The one place where an address is looked at, and only when nothing
/// else limits who registers.
pub(super) async fn register(
    app: &App,
    parts: &Parts,
    name: &str,
    peer: Option<IpAddr>,
) -> Outcome {
    let asked = prove(app, parts, name, false)?;
    let mailbox = asked.mailbox;
    if asked.proof.verified.key != mailbox {
        return Err(Refusal::NO_MAILBOX);
    }
    // No memory of the signature: registering twice is registering once, and strangers must not
    // fill that memory.
    if app.store.usage(mailbox).await?.is_some() {
        return Ok(empty(StatusCode::OK));
    }
    let now = app.clock.now();
    let shown = header(parts, AUTHORIZATION)?;
    let token = shown.and_then(|value| field::bearer(value.as_bytes())).map(TokenId::of);
    if token.is_none() {
        match app.registration {
            Registration::Token => return Err(crate::relay::store::Error::Token.into()),
            Registration::Open => app.registrations.admit(peer, now)?,
        }
    }
    let new = app.store.register(mailbox, token, now).await?;
    Ok(empty(if new { StatusCode::CREATED } else { StatusCode::OK }))
}

/// `DELETE /v1/m/{mailbox}`.
pub(super) async fn close(app: &App, parts: &Parts, name: &str) -> Outcome {
    let mailbox = owner(app, parts, name).await?;
    if !app.store.close(mailbox).await? {
        return Err(Refusal::NO_MAILBOX);
    }
    // Who waits there learns it.
    app.store.arrivals().tell(&mailbox);
    Ok(empty(StatusCode::NO_CONTENT))
}

/// What a list was asked for.
pub(super) fn list_request(
    app: &App,
    parts: &Parts,
    name: &str,
) -> Result<(Asked, Option<ListQuery>), Refusal> {
    let asked = prove(app, parts, name, false)?;
    Ok((asked, field::list_query(parts.uri.query().unwrap_or_default())))
}

/// `GET /v1/m/{mailbox}`.
pub(super) async fn list(
    app: &App,
    request: Result<(Asked, Option<ListQuery>), Refusal>,
) -> Outcome {
    let (asked, query) = request?;
    let mailbox = owned(app, &asked).await?;
    drop(asked);
    let query = query.ok_or(Refusal::Malformed("wait and limit are decimal numbers"))?;
    if query.wait == 0 {
        let messages = app.store.list(mailbox, query.limit, app.clock.now()).await?;
        return Ok(json(StatusCode::OK, &Listing { messages }));
    }
    let _waiting = Held::new(&app.metrics.waiting);
    let deadline = Instant::now() + Duration::from_secs(query.wait);
    let mut stopping = app.stopping.subscribe();
    // Before the first look, so that nothing arrives between looking and waiting.
    let mut waiter = app.store.arrivals().wait_at(mailbox);
    loop {
        let messages = app.store.list(mailbox, query.limit, app.clock.now()).await?;
        let over = Instant::now() >= deadline || *stopping.borrow_and_update();
        if !messages.is_empty() || over {
            return Ok(json(StatusCode::OK, &Listing { messages }));
        }
        tokio::select! {
            arrived = waiter.arrived() => arrived.map_err(|Displaced| Refusal::Busy)?,
            () = sleep_until(deadline) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// `GET /v1/m/{mailbox}/{id}`, from a byte on if a range says so.
pub(super) async fn fetch(app: &Arc<App>, parts: &Parts, name: &str, id: &str) -> Outcome {
    let mailbox = owner(app, parts, name).await?;
    let id: Id = id.parse().map_err(|_| Refusal::NoMessage)?;
    // There is nothing that `If-Range` could name: then the whole is due.
    let range = header(parts, RANGE)?.filter(|_| !parts.headers.contains_key(IF_RANGE));
    let from = range.and_then(|range| field::range_from(range.to_str().ok()?));
    let now = app.clock.now();
    let stored = match app.store.get(mailbox, id, from.unwrap_or(0), now).await? {
        Some(stored) if from.is_some_and(|from| from >= stored.size) => {
            return Err(Refusal::Range(stored.size));
        }
        Some(stored) => stored,
        None => {
            let whole = app.store.get(mailbox, id, 0, now).await?.ok_or(Refusal::NoMessage)?;
            return Err(Refusal::Range(whole.size));
        }
    };
    count(&app.metrics.taken, 1);
    let size = stored.size;
    let left = size.saturating_sub(from.unwrap_or(0));
    let pieces = futures_util::stream::try_unfold(stored.body, |mut body: Box<dyn Chunks>| async {
        let piece = body.next().await?;
        Ok::<_, crate::relay::store::Error>(piece.map(|piece| (piece, body)))
    });
    let content = Content::Pieces(Box::pin(pieces), Some(left));
    let status = if from.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut answer = of_kind(status, "application/octet-stream", content);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(left));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(from) = from {
        let range = format!("bytes {from}-{}/{size}", size.saturating_sub(1));
        headers.extend(HeaderValue::try_from(range).ok().map(|range| (CONTENT_RANGE, range)));
    }
    Ok(answer)
}

/// `POST /v1/m/{mailbox}/take`.
pub(super) async fn take(app: &App, parts: &Parts, name: &str, body: Incoming) -> Outcome {
    let (mailbox, Ids { ids }) = owner_json(app, parts, name, body).await?;
    if ids.len() > protocol::MAX_ACK {
        return Err(Refusal::TooLarge);
    }
    let heads = ids.len() * frame::HEAD;
    let greatest = heads + ids.len() * protocol::MAX_FRAME as usize;
    let mut room = app.memory.take(greatest.min(protocol::MAX_BATCH_BYTES)).await?;
    let limit = protocol::MAX_BATCH_BYTES - heads;
    let messages = app.store.take(mailbox, ids, limit, app.clock.now()).await?;
    count(&app.metrics.taken, messages.len() as u64);
    let size: usize = messages.iter().map(|(_, body)| frame::HEAD + body.len()).sum();
    Memory::shrink(&mut room, size);
    // Framed as they go, so that they are in memory once; the room is theirs until the last went.
    let rest = (messages.into_iter(), room);
    let pieces = futures_util::stream::unfold(rest, |(mut messages, room)| async {
        let mut piece = Vec::new();
        while piece.len() < PIECE
            && let Some((id, body)) = messages.next()
        {
            frame::push(&mut piece, &id, &body);
        }
        (!piece.is_empty()).then(|| (Ok(Bytes::from(piece)), (messages, room)))
    });
    let content = Content::Pieces(Box::pin(pieces), Some(size as u64));
    Ok(of_kind(StatusCode::OK, protocol::MESSAGES, content))
}

/// `POST /v1/m/{mailbox}/ack`.
pub(super) async fn ack(app: &App, parts: &Parts, name: &str, body: Incoming) -> Outcome {
    let (mailbox, Ids { ids }) = owner_json(app, parts, name, body).await?;
    if ids.len() > protocol::MAX_ACK {
        return Err(Refusal::TooLarge);
    }
    let remember = full_hour(app.clock.now() + REMEMBER);
    let deleted = app.store.ack(mailbox, ids, remember).await?;
    count(&app.metrics.acknowledged, deleted);
    // A stream shows the oldest: what comes after them may be shown now.
    app.store.arrivals().tell(&mailbox);
    Ok(json(StatusCode::OK, &Acked { deleted }))
}

/// `GET /v1/m/{mailbox}/status`.
pub(super) async fn status(app: &App, parts: &Parts, name: &str) -> Outcome {
    let mailbox = owner(app, parts, name).await?;
    let usage = app.store.usage(mailbox).await?.ok_or(Refusal::NO_MAILBOX)?;
    let status = Status {
        messages: usage.messages,
        bytes: usage.bytes,
        max_messages: app.quotas.mailbox_messages,
        max_bytes: app.quotas.mailbox_bytes,
    };
    Ok(json(StatusCode::OK, &status))
}

/// `GET /v1/m/{mailbox}/capabilities`.
pub(super) async fn capabilities(app: &App, parts: &Parts, name: &str) -> Outcome {
    let mailbox = owner(app, parts, name).await?;
    let capabilities = app.store.capabilities(mailbox).await?;
    Ok(json(StatusCode::OK, &Capabilities { capabilities }))
}

/// `PUT /v1/m/{mailbox}/capabilities/{cap}`.
pub(super) async fn allow(
    app: &App,
    parts: &Parts,
    name: &str,
    id: &str,
    body: Incoming,
) -> Outcome {
    let (mailbox, terms): (_, Terms) = owner_json(app, parts, name, body).await?;
    let terms = Terms { expires: terms.expires.map(full_hour), ..terms };
    app.store.allow(mailbox, capability(id)?, terms).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `DELETE /v1/m/{mailbox}/capabilities/{cap}`.
pub(super) async fn revoke(app: &App, parts: &Parts, name: &str, id: &str) -> Outcome {
    let mailbox = owner(app, parts, name).await?;
    // One that is not there is as good as revoked.
    app.store.revoke(mailbox, capability(id)?).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
