//! `GET /v1/m/{mailbox}/events`: messages as they arrive, as server-sent events (HTML living
//! standard, section 9.2).

use std::collections::HashSet;
use std::fmt::Write as _;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use hyper::StatusCode;

use crate::relay::protocol::{Entry, Id, MAX_LIST, Mailbox};
use crate::relay::server::admin::metrics::Held;
use crate::relay::server::app::App;
use crate::relay::server::http::answer::{Content, Refusal, of_kind};
use crate::relay::server::http::request::Outcome;
use crate::relay::server::owner::{Asked, owned};
use crate::relay::store;

/// Time between two lines when nothing arrives: shorter than what common proxies bear.
const KEEPALIVE: Duration = Duration::from_secs(25);
/// Events that are written at once.
const TOGETHER: usize = 64;

/// Begins a stream for the owner of a mailbox.
pub(super) async fn begin(app: &Arc<App>, asked: Result<Asked, Refusal>) -> Outcome {
    let mailbox = owned(app, &asked?).await?;
    let slot = Slot::default();
    let run = follow(app.clone(), mailbox, slot.clone());
    let content = Content::Pieces(Box::pin(Events { slot, run: Box::pin(run) }), None);
    Ok(of_kind(StatusCode::OK, "text/event-stream", content))
}

/// Puts every message into the slot once, for as long as the mailbox is there, the relay runs,
/// and not too many others come to wait.
async fn follow(app: Arc<App>, mailbox: Mailbox, slot: Slot) {
    let _waiting = Held::new(&app.metrics.waiting);
    let mut stopping = app.stopping.subscribe();
    // Before the first look, so that nothing arrives between looking and waiting.
    let mut waiter = app.store.arrivals().wait_at(mailbox);
    // What was shown and is still listed: at most as many as one list shows.
    let mut shown: HashSet<Id> = HashSet::new();
    // A first line, so that a proxy hands on that the stream is there.
    slot.put(Bytes::from_static(b":\n\n")).await;
    while !*stopping.borrow_and_update() {
        // A mailbox that was closed, or a store that fails: the owner asks again and learns it.
        let Ok(entries) = app.store.list(mailbox, MAX_LIST, app.clock.now()).await else { return };
        let new: Vec<&Entry> = entries.iter().filter(|entry| !shown.contains(&entry.id)).collect();
        for some in new.chunks(TOGETHER) {
            slot.put(events(some)).await;
        }
        shown = entries.iter().map(|entry| entry.id).collect();
        drop(entries);
        tokio::select! {
            arrived = waiter.arrived() => if arrived.is_err() { return },
            () = tokio::time::sleep(KEEPALIVE) => slot.put(Bytes::from_static(b":\n\n")).await,
            _ = stopping.changed() => {}
        }
    }
}

fn events(entries: &[&Entry]) -> Bytes {
    let mut text = String::with_capacity(256 * entries.len());
    for entry in entries {
        // An entry always serializes, and writing to a string does not fail.
        let data = serde_json::to_string(entry).unwrap_or_default();
        let _ = write!(text, "id: {}\nevent: message\ndata: {data}\n\n", entry.id);
    }
    text.into()
}

/// What is to be sent next. Who fills it waits until it was taken: a slow reader holds one
/// piece, not all that arrives.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Bytes>>>);

impl Slot {
    async fn put(&self, bytes: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
        // Taking it is followed by polling this again, so nobody needs to be woken.
        poll_fn(|_| if self.is_empty() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn take(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs `run` and hands on what it puts into the slot.
struct Events<F> {
    slot: Slot,
    run: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Stream for Events<F> {
    type Item = Result<Bytes, store::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ended = self.run.as_mut().poll(context).is_ready();
        match self.slot.take() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None if ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
