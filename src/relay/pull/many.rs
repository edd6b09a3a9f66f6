//! Pulling from several mailboxes of one owner, into one spool.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::crypto;
use crate::crypto::SigningSecret;
use crate::relay::client::{Client, Event};
use crate::relay::error::Error;
use crate::relay::protocol::{Entry, Id};
use crate::relay::pull::follow::{AGAIN, FIRST_PAUSE, GOOD, LONGEST_PAUSE, shortened};
use crate::relay::pull::{Delivered, Options, Pull, Report, Stopped, follow};
use crate::relay::spool::Spool;

/// A mailbox, and the relay it is at.
#[derive(Debug, Clone)]
pub struct Owned {
    /// A client of its relay. With [`Options::unlink`](crate::relay::client::Options) each mailbox
    /// needs one of its own, or they share a connection.
    pub client: Arc<Client>,
    /// Its key.
    pub key: Arc<SigningSecret>,
}

/// Does what [`pull`](super::pull) does for each of these mailboxes, in a random order.
///
/// A relay that cannot be reached does not keep the others from being asked; then its error is
/// that of the whole. A mailbox that its relay does not have is reported as
/// [gone](Report::gone), and is no error.
pub fn pull_all<E>(
    boxes: &[Owned],
    spool: &mut Spool,
    options: Options,
    deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
) -> Result<Report, Stopped<E>> {
    let first = match boxes {
        [] => return Ok(Report::default()),
        [first, ..] => first,
    };
    let mut pull = Pull::new(&first.client, &first.key, spool, options, deliver);
    let until = super::deadline(options.wait);
    let outcome = if boxes.len() == 1 {
        let outcome = pull.deliver_waiting().and_then(|()| pull.rounds(until));
        pull.unless_gone(0, outcome)
    } else {
        let outcome = pull.deliver_waiting().and_then(|()| pull.all(boxes));
        outcome.and_then(|failed| match failed {
            Some(error) => Err(error.into()),
            None => pull.first(boxes, super::deadline(options.wait)),
        })
    };
    let outcome = outcome.and_then(|()| pull.deliver_deferred());
    pull.spool.settle().map_err(Error::from)?;
    outcome.map(|()| pull.report)
}

/// Does what [`follow`] does for all of these mailboxes at once, with a line for each.
pub fn follow_all<E>(
    boxes: &[Owned],
    spool: &mut Spool,
    options: Options,
    deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
    mut broken: impl FnMut(&Error),
) -> Result<Report, Stopped<E>> {
    let first = match boxes {
        [] => return Ok(Report::default()),
        [one] => {
            return match follow(&one.client, &one.key, spool, options, deliver, broken) {
                Err(Stopped::Relay(Error::NoMailbox)) => {
                    Ok(Report { gone: vec![0], ..Report::default() })
                }
                outcome => outcome,
            };
        }
        [first, ..] => first,
    };
    let mut pull = Pull::new(&first.client, &first.key, spool, options, deliver);
    let outcome = pull.follow_all(boxes, &mut broken);
    pull.spool.settle().map_err(Error::from)?;
    outcome.map(|()| pull.report)
}

impl<'a, F> Pull<'a, F> {
    fn turn_to(&mut self, mailbox: &'a Owned) {
        self.client = &mailbox.client;
        self.key = &mailbox.key;
    }

    /// Deals with what is in each mailbox now. Says which error one of them had.
    fn all<E>(&mut self, boxes: &'a [Owned]) -> Result<Option<Error>, Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        let mut failed = None;
        for at in shuffled(boxes.len())? {
            let Some(mailbox) = boxes.get(at) else { continue };
            self.turn_to(mailbox);
            let outcome = self.rounds(Instant::now());
            match self.unless_gone(at, outcome) {
                Ok(()) => {}
                Err(Stopped::Relay(error)) => failed = Some(error),
                Err(other) => return Err(other),
            }
        }
        Ok(failed)
    }

    /// Takes note of a mailbox that its relay does not have.
    fn unless_gone<E>(
        &mut self,
        at: usize,
        outcome: Result<(), Stopped<E>>,
    ) -> Result<(), Stopped<E>> {
        match outcome {
            Err(Stopped::Relay(Error::NoMailbox)) => {
                if !self.report.gone.contains(&at) {
                    self.report.gone.push(at);
                }
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn is_gone(&self, at: usize) -> bool {
        self.report.gone.contains(&at)
    }

    /// Waits until something came, if nothing did so far.
    fn first<E>(&mut self, boxes: &'a [Owned], until: Instant) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        if self.handed() > 0 || Instant::now() >= until {
            return Ok(());
        }
        let watch = Watch::new();
        let there = (0..boxes.len()).filter(|at| !self.is_gone(*at));
        there.for_each(|at| watch.begin(at, boxes));
        while self.handed() == 0
            && self.report.gone.len() < boxes.len()
            && let Some((at, news)) = watch.next(until)
        {
            if let News::Broke(Some(error)) = news {
                self.unless_gone(at, Err(error.into()))?;
                continue;
            }
            self.deal_with_news(boxes, at, &news)?;
        }
        Ok(())
    }

    fn deal_with_news<E>(
        &mut self,
        boxes: &'a [Owned],
        at: usize,
        news: &News,
    ) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        let is_new = |id: &Id| !self.seen.contains(id) && !self.spool.is_done(id);
        // One message is a reason to list, so that many are dealt with together.
        if matches!(news, News::Message(entry) if is_new(&entry.id))
            && let Some(mailbox) = boxes.get(at)
        {
            self.turn_to(mailbox);
            let outcome = self.rounds(Instant::now());
            self.unless_gone(at, outcome)?;
            self.seen.retain(|id| !self.spool.is_done(id));
            self.acked.clear();
        }
        Ok(())
    }

    fn follow_all<E>(
        &mut self,
        boxes: &'a [Owned],
        broken: &mut impl FnMut(&Error),
    ) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        self.deliver_waiting()?;
        match self.all(boxes)? {
            Some(error) if error.is_temporary() => broken(&error),
            Some(error) => return Err(error.into()),
            None => {}
        }
        self.deliver_deferred()?;
        let watch = Watch::new();
        let mut lines: Vec<Line> = boxes.iter().map(|_| Line::default()).collect();
        let mut offered = Instant::now();
        while !self.is_enough() && self.report.gone.len() < boxes.len() {
            for (at, line) in lines.iter_mut().enumerate() {
                if !self.is_gone(at) && line.next.is_some_and(|next| next <= Instant::now()) {
                    line.next = None;
                    line.begun = Instant::now();
                    watch.begin(at, boxes);
                }
            }
            let there = lines.iter().enumerate().filter(|(at, _)| !self.is_gone(*at));
            let mend = there.filter_map(|(_, line)| line.next).min();
            let until = (offered + AGAIN).min(mend.unwrap_or(offered + AGAIN));
            if let Some((at, news)) = watch.next(until) {
                self.deal_with_line(boxes, at, &news, broken)?;
                if let (News::Broke(why), Some(line)) = (news, lines.get_mut(at)) {
                    match why {
                        Some(Error::NoMailbox) => {
                            self.unless_gone::<E>(at, Err(Error::NoMailbox.into()))?;
                            continue;
                        }
                        Some(error) if !error.is_temporary() => return Err(error.into()),
                        why => why.iter().for_each(&mut *broken),
                    }
                    line.mend()?;
                }
            }
            if offered.elapsed() >= AGAIN {
                self.deliver_waiting()?;
                self.deliver_deferred()?;
                offered = Instant::now();
            }
        }
        Ok(())
    }

    /// Errors of a line are for `broken`, if it can be mended.
    fn deal_with_line<E>(
        &mut self,
        boxes: &'a [Owned],
        at: usize,
        news: &News,
        broken: &mut impl FnMut(&Error),
    ) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        match self.deal_with_news(boxes, at, news) {
            Err(Stopped::Relay(error)) if error.is_temporary() => broken(&error),
            outcome => outcome?,
        }
        self.spool.settle().map_err(Error::from)?;
        Ok(())
    }
}

/// One line that is followed.
struct Line {
    begun: Instant,
    /// When it is begun again, if it is broken.
    next: Option<Instant>,
    pause: Duration,
}

impl Default for Line {
    fn default() -> Self {
        Self { begun: Instant::now(), next: Some(Instant::now()), pause: FIRST_PAUSE }
    }
}

impl Line {
    fn mend(&mut self) -> Result<(), Error> {
        if self.begun.elapsed() >= GOOD {
            self.pause = FIRST_PAUSE;
        }
        self.next = Some(Instant::now() + shortened(self.pause)?);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

enum News {
    Message(Entry),
    /// The relay hung up, or the line broke.
    Broke(Option<Error>),
}

/// Threads that listen, one a mailbox. They end when nobody listens to them any more.
struct Watch {
    tell: mpsc::Sender<(usize, News)>,
    news: mpsc::Receiver<(usize, News)>,
}

impl Watch {
    fn new() -> Self {
        let (tell, news) = mpsc::channel();
        Self { tell, news }
    }

    fn begin(&self, at: usize, boxes: &[Owned]) {
        let Some(Owned { client, key }) = boxes.get(at).cloned() else { return };
        let tell = self.tell.clone();
        let listen = move || -> Result<(), Error> {
            let mut events = client.events(&key)?;
            while let Some(event) = events.next()? {
                if let Event::Message(entry) = event
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

    /// What comes first, `None` when nothing does until then.
    fn next(&self, until: Instant) -> Option<(usize, News)> {
        self.news.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }
}

/// The numbers below `count` in a random order (Fisher and Yates, Knuth's algorithm P): a relay
/// must not know the mailboxes of one owner by their order.
fn shuffled(count: usize) -> Result<Vec<usize>, Error> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let random = u64::from_le_bytes(crypto::random()?);
        // The bias of a remainder of 64 bits is of no account for some hundred.
        let other = usize::try_from(random % (last as u64 + 1)).unwrap_or(last);
        order.swap(last, other);
    }
    Ok(order)
}
