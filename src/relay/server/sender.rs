//! Requests of senders: whole messages, batches, and messages in parts.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, EXPECT, HeaderName, HeaderValue};
use hyper::http::request::Parts;

use crate::crypto;
use crate::relay::protocol::{
    CapabilityId, Entry, Id, MAX_BATCH_BYTES, Mailbox, PARTIAL, PushResult, Pushes, field, frame,
    pow,
};
use crate::relay::server::admin::metrics::count;
use crate::relay::server::app::App;
use crate::relay::server::http::answer::{Answer, Refusal, empty, json};
use crate::relay::server::http::body::Upload;
use crate::relay::server::http::request::{
    Outcome, full_hour, header, length, mailbox, message, number,
};
use crate::relay::store::{self, BodyError, Push, Put};

/// Batches longer than this are hashed on a thread that may block.
const LONG: usize = 256 << 10;

/// `PUT /v1/m/{mailbox}/{id}`.
pub(super) async fn push(
    app: &Arc<App>,
    parts: &Parts,
    name: &str,
    id: &str,
    body: Incoming,
) -> Outcome {
    let (mailbox, id) = (mailbox(name)?, message(id)?);
    let size = length(parts)?;
    if size == 0 {
        return Err(Refusal::Malformed("the message is empty"));
    }
    let mut body = Upload::new(body, size, Some(id), app.body_pause);
    let outcome = async {
        let push = admit(app, parts, mailbox, id, size).await?;
        Ok(app.store.put(push, &mut body).await?)
    };
    let outcome: Result<_, Refusal> = outcome.await;
    body.drain(parts.headers.contains_key(EXPECT)).await;
    Ok(stored(app, outcome?))
}

/// The push of one message, or why it is refused before anything of it is read.
async fn admit(
    app: &App,
    parts: &Parts,
    mailbox: Mailbox,
    id: Id,
    size: u64,
) -> Result<Push, Refusal> {
    let capability = shown(app, parts)?;
    let now = app.clock.now();
    if capability == app.public {
        let proof = header(parts, HeaderName::from_static(pow::HEADER))?;
        let proof = proof.map(|proof| {
            let proof = proof.to_str().ok().and_then(|text| text.parse().ok());
            proof.ok_or(Refusal::Malformed("Bulla-Work is malformed"))
        });
        app.load.admit(&mailbox, &id, proof.transpose()?.as_ref(), now)?;
    }
    if size > app.message_bytes {
        // Who has no right to push learns no more here than anywhere.
        app.store.uploaded(mailbox, capability, id, now).await?;
        return Err(Refusal::TooLarge);
    }
    let message = Entry { id, size, expires: full_hour(now + app.ttl_hours * 3600) };
    Ok(Push { mailbox, capability, message, now })
}

/// The capability that is shown, or the one of those who show none.
fn shown(app: &App, parts: &Parts) -> Result<CapabilityId, Refusal> {
    let Some(value) = header(parts, AUTHORIZATION)? else { return Ok(app.public) };
    let text = field::bearer(value.as_bytes());
    Ok(CapabilityId::of(text.ok_or(Refusal::Malformed("expected Authorization: Bearer"))?))
}

fn stored(app: &App, put: Put) -> Answer {
    empty(status(app, put))
}

fn status(app: &App, put: Put) -> StatusCode {
    match put {
        Put::New => {
            count(&app.metrics.pushed, 1);
            StatusCode::CREATED
        }
        Put::Already => {
            count(&app.metrics.repeated, 1);
            StatusCode::OK
        }
    }
}

/// `POST /v1/m/{mailbox}/push`.
pub(super) async fn batch(app: &Arc<App>, parts: &Parts, name: &str, body: Incoming) -> Outcome {
    let mailbox = mailbox(name)?;
    let size = length(parts)?;
    let mut body = Upload::new(body, size, None, app.body_pause);
    let outcome = batch_of(app, parts, mailbox, size, &mut body).await;
    if outcome.is_err() {
        body.drain(parts.headers.contains_key(EXPECT)).await;
    }
    outcome
}

async fn batch_of(
    app: &Arc<App>,
    parts: &Parts,
    mailbox: Mailbox,
    size: u64,
    body: &mut Upload,
) -> Outcome {
    let capability = shown(app, parts)?;
    let now = app.clock.now();
    // Work is for one message: under load a batch without a capability finds no way in.
    let nothing = Id([0; 32]);
    if capability == app.public {
        app.load.admit(&mailbox, &nothing, None, now)?;
    }
    // Before the body: whether there is a right to push at all.
    app.store.uploaded(mailbox, capability, nothing, now).await?;
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_BATCH_BYTES);
    let _room = app.memory.take(size.ok_or(Refusal::TooLarge)?).await?;
    let bytes = body.whole().await?;

    let messages = if bytes.len() > LONG {
        tokio::task::spawn_blocking(move || checked(bytes)).await.map_err(|_| Refusal::Busy)?
    } else {
        checked(bytes)
    };
    let mut results = Vec::new();
    let mut good = Vec::new();
    let expires = full_hour(now + app.ttl_hours * 3600);
    for (id, body, matches) in messages.map_err(Refusal::Batch)? {
        let outcome = match matches {
            false => Some(Refusal::from(BodyError::WrongHash)),
            true if body.len() as u64 > app.message_bytes => Some(Refusal::TooLarge),
            true => None,
        };
        if outcome.is_none() {
            good.push((Entry { id, size: body.len() as u64, expires }, body));
        }
        results.push((id, outcome));
    }
    let stored = match good.is_empty() {
        true => Vec::new(),
        false => app.store.put_all(mailbox, capability, good, now).await?,
    };
    let mut stored = stored.into_iter();
    let results = results.into_iter().map(|(id, refusal)| {
        let lost = || Err(store::Error::Unavailable("no outcome".into()));
        let outcome = match refusal {
            Some(refusal) => Err(refusal),
            None => stored.next().unwrap_or_else(lost).map_err(Refusal::from),
        };
        match outcome {
            Ok(put) => PushResult { id, status: status(app, put).as_u16(), error: None },
            Err(refusal) => {
                let (status, code) = refusal.code();
                app.metrics.refuse(code);
                PushResult { id, status: status.as_u16(), error: Some(code.into()) }
            }
        }
    });
    Ok(json(StatusCode::OK, &Pushes { results: results.collect() }))
}

/// The messages of a batch, and whether they hash to their ids.
fn checked(bytes: Bytes) -> Result<Vec<(Id, Bytes, bool)>, frame::Error> {
    let messages = frame::decode(bytes)?.into_iter();
    let check = |(id, body): (Id, Bytes)| {
        let matches = crypto::sha256(&[&body]) == id.0;
        (id, body, matches)
    };
    Ok(messages.map(check).collect())
}

/// `HEAD /v1/m/{mailbox}/{id}`.
pub(super) async fn progress(app: &App, parts: &Parts, name: &str, id: &str) -> Outcome {
    let (mailbox, id) = (mailbox(name)?, message(id)?);
    let capability = shown(app, parts)?;
    let upload = app.store.uploaded(mailbox, capability, id, app.clock.now()).await?;
    match upload.ok_or(Refusal::NoMessage)? {
        store::Upload::Part(offset) => Ok(uploaded(StatusCode::NO_CONTENT, Some(offset))),
        store::Upload::Whole(_) => Ok(uploaded(StatusCode::OK, None)),
    }
}

/// `PATCH /v1/m/{mailbox}/{id}`.
pub(super) async fn part(
    app: &Arc<App>,
    parts: &Parts,
    name: &str,
    id: &str,
    body: Incoming,
) -> Outcome {
    let (mailbox, id) = (mailbox(name)?, message(id)?);
    if header(parts, CONTENT_TYPE)?.is_none_or(|kind| kind != PARTIAL) {
        return Err(Refusal::MediaType);
    }
    let size = length(parts)?;
    let field =
        |name, missing| number(parts, HeaderName::from_static(name), Refusal::Malformed(missing));
    let offset = field(field::UPLOAD_OFFSET, "Upload-Offset is missing")?;
    let whole = field(field::UPLOAD_LENGTH, "Upload-Length is missing")?;
    if size == 0 || offset.checked_add(size).is_none_or(|end| end > whole) {
        return Err(Refusal::Malformed("the part is empty, or goes beyond Upload-Length"));
    }
    let mut body = Upload::new(body, size, None, app.body_pause);
    let outcome = async {
        let push = admit(app, parts, mailbox, id, whole).await?;
        Ok(app.store.append(push, offset, &mut body).await?)
    };
    let outcome: Result<_, Refusal> = outcome.await;
    body.drain(parts.headers.contains_key(EXPECT)).await;
    Ok(match outcome? {
        store::Upload::Part(offset) => uploaded(StatusCode::NO_CONTENT, Some(offset)),
        store::Upload::Whole(put) => uploaded(status(app, put), None),
    })
}

/// How far an upload has come: to a byte, or to its end.
fn uploaded(status: StatusCode, offset: Option<u64>) -> Answer {
    let mut answer = empty(status);
    let headers = answer.headers_mut();
    let complete = if offset.is_none() { "?1" } else { "?0" };
    let name = HeaderName::from_static(field::UPLOAD_COMPLETE);
    headers.insert(name, HeaderValue::from_static(complete));
    if let Some(offset) = offset {
        headers.insert(HeaderName::from_static(field::UPLOAD_OFFSET), HeaderValue::from(offset));
    }
    answer
}
