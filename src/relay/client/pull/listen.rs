//! Connections on which relays announce messages, one a mailbox.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::relay::client::backoff;
use crate::relay::client::error::Error;
use crate::relay::client::pull::types::Owned;
use crate::relay::client::transport::Event;
use crate::relay::protocol::Entry;

/// First pause after a connection broke.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause after a connection broke.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Age from which a connection was good: its break has nothing to do with the one before.
const GOOD: Duration = Duration::from_secs(60);

/// State of one connection that is kept up.
pub(super) struct Line {
    begun: Instant,
    /// Time of the next visit to the mailbox, if something broke.
    pub(super) next: Option<Instant>,
    pause: Duration,
    listening: bool,
}

impl Default for Line {
    fn default() -> Self {
        let now = Instant::now();
        Self { begun: now, next: Some(now), pause: FIRST_PAUSE, listening: false }
    }
}

impl Line {
    /// Returns whether it is time to visit the mailbox.
    pub(super) fn is_due(&self) -> bool {
        self.next.is_some_and(|next| next <= Instant::now())
    }

    /// Notes that the mailbox is visited, and listened at after that.
    pub(super) fn begin(&mut self) {
        (self.next, self.begun) = (None, Instant::now());
    }

    /// Listens at the mailbox, unless something broke since.
    pub(super) fn listen(&mut self, watch: &Watch, at: usize, boxes: &[Owned]) {
        if self.next.is_none() && !self.listening {
            self.listening = true;
            watch.begin(at, boxes);
        }
    }

    /// Notes that a visit failed.
    pub(super) fn failed(&mut self) -> Result<(), Error> {
        if self.begun.elapsed() >= GOOD {
            self.pause = FIRST_PAUSE;
        }
        self.next = Some(Instant::now() + backoff::jitter(self.pause)?);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// Notes that the connection broke.
    pub(super) fn broke(&mut self) -> Result<(), Error> {
        self.listening = false;
        self.failed()
    }
}

/// What is heard on a connection.
pub(super) enum News {
    Message(Entry),
    /// The relay hung up, or the connection broke.
    Broke(Option<Error>),
}

/// Threads that listen, one a mailbox. They end when this is dropped.
pub(super) struct Watch {
    tell: mpsc::Sender<(usize, News)>,
    news: mpsc::Receiver<(usize, News)>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let (tell, news) = mpsc::channel();
        Self { tell, news }
    }

    /// Begins to listen at a mailbox.
    pub(super) fn begin(&self, at: usize, boxes: &[Owned]) {
        let Some(Owned { relay, key }) = boxes.get(at).cloned() else { return };
        let tell = self.tell.clone();
        let listen = move || -> Result<(), Error> {
            for event in relay.events(&key)? {
                if let Event::Message(entry) = event?
                    && tell.send((at, News::Message(entry))).is_err()
                {
                    break;
                }
            }
            Ok(())
        };
        let tell = self.tell.clone();
        let spawned = thread::Builder::new()
            .name("mailbox".into())
            .spawn(move || drop(tell.send((at, News::Broke(listen().err())))));
        if let Err(error) = spawned {
            let _ = self.tell.send((at, News::Broke(Some(error.into()))));
        }
    }

    /// Returns what comes first, `None` when nothing does until then.
    pub(super) fn next(&self, until: Instant) -> Option<(usize, News)> {
        self.news.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }
}
