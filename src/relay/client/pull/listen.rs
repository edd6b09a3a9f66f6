//! Threads that ask relays: which messages wait, and which arrive.
//!
//! A relay that does not answer holds a thread of its own, and no other mailbox.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::relay::client::backoff;
use crate::relay::client::error::Error;
use crate::relay::client::pull::types::Owned;
use crate::relay::client::transport::Event;
use crate::relay::protocol::Entry;

/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause after a failure that may pass.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause after any other failure.
const LONGEST_REFUSED: Duration = Duration::from_secs(15 * 60);
/// Age from which a connection was good: its break has nothing to do with the one before.
const GOOD: Duration = Duration::from_secs(60);
/// News that wait to be heard; then the relays wait.
const WAITING: usize = 256;
/// Pause after a sign of life, of which an honest relay gives two a minute.
const AFTER_ALIVE: Duration = Duration::from_millis(10);

/// State of one mailbox that is followed.
pub(super) struct Line {
    begun: Instant,
    /// Time of the next list.
    pub(super) next: Option<Instant>,
    pause: Duration,
    /// Whether a list is awaited.
    pub(super) asking: bool,
    listening: bool,
    /// Whether the last failure will not pass by itself.
    pub(super) refused: bool,
}

impl Line {
    /// Begins with a mailbox that is to be listed now.
    pub(super) fn new() -> Self {
        let begun = Instant::now();
        let (asking, listening, refused) = (false, false, false);
        Self { begun, next: Some(begun), pause: FIRST_PAUSE, asking, listening, refused }
    }

    /// Returns whether it is time to list the mailbox.
    pub(super) fn is_due(&self) -> bool {
        !self.asking && self.next.is_some_and(|next| next <= Instant::now())
    }

    /// Returns whether what is announced waits for the next list.
    pub(super) fn is_paused(&self) -> bool {
        self.asking || self.next.is_some()
    }

    /// Lists the mailbox.
    pub(super) fn list(
        &mut self,
        watch: &Watch,
        at: usize,
        mailbox: &Owned,
        limit: usize,
    ) -> Result<(), Error> {
        (self.next, self.begun, self.asking) = (None, Instant::now(), true);
        watch.list(at, mailbox, limit)
    }

    /// Notes that the list came, or failed.
    pub(super) fn answered(&mut self) {
        self.asking = false;
    }

    /// Lists the mailbox again when the others had their turn.
    pub(super) fn again(&mut self) {
        self.next = Some(Instant::now());
    }

    /// Listens at the mailbox, unless that is done already.
    pub(super) fn listen(
        &mut self,
        watch: &Watch,
        at: usize,
        mailbox: &Owned,
    ) -> Result<(), Error> {
        (self.next, self.refused) = (None, false);
        if self.listening {
            return Ok(());
        }
        (self.listening, self.begun) = (true, Instant::now());
        watch.listen(at, mailbox)
    }

    /// Notes a failure, or an announcement of which nothing came; the mailbox is listed later.
    pub(super) fn failed(&mut self, refused: bool) -> Result<(), Error> {
        if self.begun.elapsed() >= GOOD {
            self.pause = FIRST_PAUSE;
        }
        self.refused = refused;
        self.next = Some(Instant::now() + backoff::jitter(self.pause)?);
        let longest = if refused { LONGEST_REFUSED } else { LONGEST_PAUSE };
        self.pause = (self.pause * 2).min(longest);
        Ok(())
    }

    /// Notes that the connection broke.
    pub(super) fn broke(&mut self, refused: bool) -> Result<(), Error> {
        self.listening = false;
        self.failed(refused)
    }
}

/// Answer of a relay.
pub(super) enum News {
    /// The messages that wait.
    Listed(Result<Vec<Entry>, Error>),
    /// A message is announced.
    Message(Entry),
    /// The relay hung up, or the connection broke.
    Broke(Option<Error>),
}

/// Threads that ask relays. They end when this is dropped.
pub(super) struct Watch {
    tell: mpsc::SyncSender<(usize, News)>,
    news: mpsc::Receiver<(usize, News)>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let (tell, news) = mpsc::sync_channel(WAITING);
        Self { tell, news }
    }

    /// Lists a mailbox.
    fn list(&self, at: usize, mailbox: &Owned, limit: usize) -> Result<(), Error> {
        let (tell, mailbox) = (self.tell.clone(), mailbox.clone());
        spawn(move || {
            let listed = mailbox.relay.list(&mailbox.key, Duration::ZERO, limit);
            let _ = tell.send((at, News::Listed(listed)));
        })
    }

    /// Lists mailboxes at one relay, one after the other. When two in a row could not be listed, the
    /// others are not asked for.
    pub(super) fn list_all(&self, boxes: Vec<(usize, Owned)>, limit: usize) -> Result<(), Error> {
        let tell = self.tell.clone();
        spawn(move || {
            let mut away = Away::default();
            for (at, mailbox) in boxes {
                let listed = match away.error() {
                    Some(error) => Err(error),
                    None => mailbox.relay.list(&mailbox.key, Duration::ZERO, limit),
                };
                away.count(listed.as_ref().err());
                if tell.send((at, News::Listed(listed))).is_err() {
                    break;
                }
            }
        })
    }

    /// Listens at a mailbox.
    fn listen(&self, at: usize, mailbox: &Owned) -> Result<(), Error> {
        let (tell, mailbox) = (self.tell.clone(), mailbox.clone());
        spawn(move || {
            let listen = || -> Result<(), Error> {
                for event in mailbox.relay.events(&mailbox.key)? {
                    match event? {
                        Event::Message(entry) if tell.send((at, News::Message(entry))).is_err() => {
                            break;
                        }
                        Event::Message(_) => {}
                        Event::Alive => thread::sleep(AFTER_ALIVE),
                    }
                }
                Ok(())
            };
            let broke = listen().err();
            let _ = tell.send((at, News::Broke(broke)));
        })
    }

    /// Returns what comes first, `None` when nothing does until then.
    pub(super) fn next(&self, until: Instant) -> Option<(usize, News)> {
        self.news.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// Returns what has come already.
    pub(super) fn more(&self) -> Option<(usize, News)> {
        self.news.try_recv().ok()
    }
}

fn spawn(ask: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().name("mailbox".into()).spawn(ask)?;
    Ok(())
}

/// Failures in a row of mailboxes at one relay.
#[derive(Debug, Default)]
pub(crate) struct Away {
    failures: u32,
    why: String,
}

impl Away {
    /// Counts the outcome of a mailbox.
    pub(crate) fn count(&mut self, error: Option<&Error>) {
        match error {
            Some(Error::Temporary { why, .. }) => {
                self.failures += 1;
                self.why.clone_from(why);
            }
            _ => self.failures = 0,
        }
    }

    /// Returns the error of the mailboxes that are not asked for any more.
    pub(crate) fn error(&self) -> Option<Error> {
        let why = self.why.clone();
        (self.failures >= 2).then_some(Error::Temporary { why, retry_after: None })
    }
}
