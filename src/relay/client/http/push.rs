//! Pushing: one message, several small ones at once, a long one in parts.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use ureq::http::request::Builder;
use ureq::http::{HeaderMap, Method, Request, Response, StatusCode};
use ureq::{Body, SendBody};

use crate::files;
use crate::relay::client::error::Error;
use crate::relay::client::http::answer;
use crate::relay::client::http::client::{Client, Limits, bearer};
use crate::relay::client::http::pace::{Pace, SLOWEST, Within};
use crate::relay::client::transport::{Inbox, Pushed, SealedBody, bearer_text};
use crate::relay::protocol::{
    Id, MAX_ANSWER_JSON, MESSAGES, PARTIAL, PushResult, Pushes, field, frame, pow,
};
use crate::text;

/// Bodies longer than this are announced first (`Expect: 100-continue`), so that a refusal
/// comes before the bytes go.
const ANNOUNCE: u64 = 64 << 10;
/// Messages longer than this go in parts, so that a line that breaks costs a part.
const IN_PARTS: u64 = 8 << 20;
/// How often a challenge is worked for: the next may come while the first is solved.
const CHALLENGES: u32 = 3;
/// How often the parts of a message begin anew, after the relay had others than we sent.
const RESTARTS: u32 = 1;

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upload {
    Part(u64),
    Whole(Pushed),
}

impl Client {
    /// Pushes one message.
    pub(super) fn upload(
        &self,
        to: &Inbox,
        id: &Id,
        body: &mut dyn SealedBody,
        length: u64,
    ) -> Result<Pushed, Error> {
        let start = body.stream_position()?;
        if length > IN_PARTS {
            return self.push_in_parts(to, id, body, start, length).map_err(of_push);
        }
        let put = |work: Option<&str>| {
            self.retry(slowest(length), || {
                body.seek(io::SeekFrom::Start(start))?;
                let request = self.request(Method::PUT, to, &id.to_string(), work)?;
                let request = request.header(CONTENT_TYPE, "application/octet-stream");
                self.send_body(request, body, length)
            })
        };
        let response = self.working(to, id, put).map_err(of_push)?;
        Ok(pushed(response.status()))
    }

    /// Pushes several messages in one request, or one by one where the relay asks for work.
    pub(super) fn upload_batch(
        &self,
        to: &Inbox,
        messages: &[(Id, &[u8])],
    ) -> Result<Vec<Result<Pushed, Error>>, Error> {
        match self.post_batch(to, messages) {
            // Work is done for a message, not for a batch.
            Err(Error::Work(_)) if to.capability.is_none() => {
                let one = |(id, bytes): &(Id, &[u8])| {
                    self.upload(to, id, &mut io::Cursor::new(bytes), bytes.len() as u64)
                };
                Ok(messages.iter().map(one).collect())
            }
            outcome => outcome.map_err(without_work).map_err(of_push),
        }
    }

    fn post_batch(
        &self,
        to: &Inbox,
        messages: &[(Id, &[u8])],
    ) -> Result<Vec<Result<Pushed, Error>>, Error> {
        let mut body = Vec::new();
        messages.iter().for_each(|(id, bytes)| frame::push(&mut body, id, bytes));
        let mut response = self.retry(slowest(body.len() as u64), || {
            let request = self.request(Method::POST, to, "push", None)?;
            let request = request.header(CONTENT_TYPE, MESSAGES);
            self.send_body(request, &mut body.as_slice(), body.len() as u64)
        })?;
        let answer = Within::new(response.body_mut().as_reader(), self.options.timeout);
        let answer = files::read_to_limit(answer, MAX_ANSWER_JSON)
            .map_err(|error| answer::transport(error.into()))?;
        let answer: Pushes =
            serde_json::from_slice(&answer).map_err(|e| Error::Protocol(e.to_string()))?;
        let ids = answer.results.iter().map(|result| result.id);
        if !ids.eq(messages.iter().map(|(id, _)| *id)) {
            return Err(Error::Protocol("it answers for other messages than were sent".into()));
        }
        Ok(answer.results.into_iter().map(|result| verdict(result).map_err(of_push)).collect())
    }

    fn push_in_parts(
        &self,
        to: &Inbox,
        id: &Id,
        body: &mut dyn SealedBody,
        start: u64,
        length: u64,
    ) -> Result<Pushed, Error> {
        // Each part that came begins them anew.
        let mut patience = self.patience(self.options.timeout.saturating_mul(2));
        let mut restarts = 0;
        let mut reached = 0;
        // Not known where it stands: ask.
        let mut at = None;
        loop {
            let outcome = match at {
                None => self.working(to, id, |work| self.uploaded(to, id, length, work)),
                Some(offset) => self.working(to, id, |work| {
                    body.seek(io::SeekFrom::Start(start.saturating_add(offset)))?;
                    self.append(to, id, body, offset, length, work)
                }),
            };
            match outcome {
                Ok(Upload::Whole(pushed)) => return Ok(pushed),
                Ok(Upload::Part(offset)) => {
                    if offset > reached {
                        reached = offset;
                        patience.renew();
                    } else if at.is_some() {
                        let why = "the upload does not move on".into();
                        patience.wait(Error::Temporary { why, retry_after: None })?;
                    }
                    at = Some(offset);
                }
                // What it had before was not ours, or was damaged: it is deleted now.
                Err(Error::Refused { code, .. }) if code == "wrong_hash" && restarts < RESTARTS => {
                    restarts += 1;
                    (reached, at) = (0, None);
                }
                Err(error) => {
                    patience.wait(error)?;
                    at = None;
                }
            }
        }
    }

    /// Asks how much of a message is at the relay.
    fn uploaded(
        &self,
        to: &Inbox,
        id: &Id,
        length: u64,
        work: Option<&str>,
    ) -> Result<Upload, Error> {
        let request = self.request(Method::HEAD, to, &id.to_string(), work)?;
        let request = request.body(SendBody::none()).map_err(ureq::Error::Http);
        let response = self.exchange(request, Limits::default())?;
        if response.status() == StatusCode::NOT_FOUND {
            // Nothing there, or not for us: an answer to HEAD has no body that would say so, and
            // that to the first part has.
            return Ok(Upload::Part(0));
        }
        if !response.status().is_success() {
            return Err(self.refusal(response));
        }
        standing(response.headers(), length)
    }

    /// Sends the rest of a message, of which the relay has `offset` bytes.
    fn append(
        &self,
        to: &Inbox,
        id: &Id,
        body: &mut dyn Read,
        offset: u64,
        length: u64,
        work: Option<&str>,
    ) -> Result<Upload, Error> {
        let request = self
            .request(Method::PATCH, to, &id.to_string(), work)?
            .header(CONTENT_TYPE, PARTIAL)
            .header(field::UPLOAD_OFFSET, offset)
            .header(field::UPLOAD_LENGTH, length);
        let response = self.exchange_body(request, body, length.saturating_sub(offset))?;
        match response.status() {
            status @ (StatusCode::CREATED | StatusCode::OK) => Ok(Upload::Whole(pushed(status))),
            StatusCode::NO_CONTENT | StatusCode::CONFLICT => standing(response.headers(), length),
            _ => Err(self.refusal(response)),
        }
    }

    /// A push to `to`, with its capability and the work that was done for it.
    fn request(
        &self,
        method: Method,
        to: &Inbox,
        tail: &str,
        work: Option<&str>,
    ) -> Result<Builder, Error> {
        let uri = format!("{}/v1/m/{}/{tail}", self.address.base(), to.mailbox);
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(capability) = &to.capability {
            request = request.header(AUTHORIZATION, bearer(&bearer_text(capability))?);
        }
        if let Some(work) = work {
            request = request.header(pow::HEADER, work);
        }
        Ok(request)
    }

    fn send_body(
        &self,
        request: Builder,
        body: &mut dyn Read,
        length: u64,
    ) -> Result<Response<Body>, Error> {
        let response = self.exchange_body(request, body, length)?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response)) }
    }

    fn exchange_body(
        &self,
        mut request: Builder,
        body: &mut dyn Read,
        length: u64,
    ) -> Result<Response<Body>, Error> {
        let pace = Pace::new(self.options.timeout);
        let mut body = Exactly { inner: body, left: length, failed: None, pace, sending: None };
        request = request.header(CONTENT_LENGTH, length);
        if length > ANNOUNCE {
            request = request.header(EXPECT, "100-continue");
        }
        let request = request.body(SendBody::from_reader(&mut body)).map_err(ureq::Error::Http);
        // The relay syncs it all before it answers: time for 16 MiB a second.
        let wait = Duration::from_secs(length >> 24);
        let outcome =
            self.exchange(request, Limits { wait, upload: slowest(length), is_long: true });
        // What failed here, and not on the way, is not tried again.
        match body.failed.take() {
            Some(error) => Err(error.into()),
            None => outcome,
        }
    }

    /// Makes an attempt, and makes it again with the work that was asked for. Where a capability is
    /// shown no relay has a reason to ask, and none is done.
    fn working<T>(
        &self,
        to: &Inbox,
        id: &Id,
        mut attempt: impl FnMut(Option<&str>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut outcome = attempt(None);
        if to.capability.is_some() {
            return outcome.map_err(without_work);
        }
        for _ in 0..CHALLENGES {
            let Err(Error::Work(task)) = &outcome else { break };
            match task.solve(&to.mailbox, id) {
                Some(proof) => outcome = attempt(Some(&proof.to_string())),
                None => break,
            }
        }
        outcome
    }
}

fn verdict(result: PushResult) -> Result<Pushed, Error> {
    let status = StatusCode::from_u16(result.status).unwrap_or(StatusCode::BAD_GATEWAY);
    if status.is_success() {
        return Ok(pushed(status));
    }
    let code = text::printable(&result.error.unwrap_or_default());
    let message = format!("status {status}, {code}");
    Err(answer::verdict(status, &code, message, None))
}

fn pushed(status: StatusCode) -> Pushed {
    if status == StatusCode::CREATED { Pushed::New } else { Pushed::Already }
}

/// Refuses work that is asked of the holder of a capability.
fn without_work(error: Error) -> Error {
    match error {
        Error::Work(_) => {
            Error::Protocol("it asks for work before a push with a capability".into())
        }
        other => other,
    }
}

/// Returns the time that so many bytes take at the least rate.
fn slowest(length: u64) -> Duration {
    Duration::from_secs(length / SLOWEST)
}

/// To somebody without the key, no mailbox and no right to it are the same.
fn of_push(error: Error) -> Error {
    match error {
        Error::NoMailbox => Error::Denied,
        other => other,
    }
}

/// Reads where an upload stands.
fn standing(headers: &HeaderMap, length: u64) -> Result<Upload, Error> {
    if headers.get(field::UPLOAD_COMPLETE).is_some_and(|value| value == "?1") {
        return Ok(Upload::Whole(Pushed::Already));
    }
    match answer::number(headers, field::UPLOAD_OFFSET) {
        Some(offset) if offset <= length => Ok(Upload::Part(offset)),
        _ => Err(Error::Protocol("it does not say where the upload stands".into())),
    }
}

/// Exactly so many bytes of a reader; remembers why it could not. Each is asked for when those
/// before it are on their way, so a relay that takes them too slowly is given up.
struct Exactly<R> {
    inner: R,
    left: u64,
    failed: Option<io::Error>,
    pace: Pace,
    /// Bytes on their way, and since when.
    sending: Option<(usize, Instant)>,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some((bytes, since)) = self.sending.take() {
            self.pace.count(bytes, since.elapsed())?;
        }
        if self.left == 0 || buf.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let outcome = match self.inner.read(buf.get_mut(..most).unwrap_or_default()) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            other => other,
        };
        match outcome {
            Ok(read) => {
                self.left -= read as u64;
                self.sending = Some((read, Instant::now()));
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}
