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
use crate::relay::pull::{Delivered, Options, Pull, Report, Stopped, follow, pull};
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

/// Does what [`pull`] does for each of these mailboxes, in an order that nobody can foresee.
///
/// A relay that cannot be reached does not keep the others from being asked; then its error is
/// that of the whole.
pub fn pull_all<E>(
    boxes: &[Owned],
    spool: &mut Spool,
    options: Options,
    deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
) -> Result<Report, Stopped<E>> {
    let first = match boxes {
        [] => return Ok(Report::default()),
        [one] => return pull(&one.client, &one.key, spool, options, deliver),
        [first, ..] => first,
    };
    let mut pull = Pull::new(&first.client, &first.key, spool, options, deliver);
    let outcome = pull.deliver_waiting().and_then(|()| pull.all(boxes));
    let outcome = outcome.and_then(|failed| match failed {
        Some(error) => Err(error.into()),
        None => pull.first(boxes, super::deadline(options.wait)),
    });
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
        [one] => return follow(&one.client, &one.key, spool, options, deliver, broken),
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
            match self.rounds(Instant::now()) {
                Ok(()) => {}
                Err(Stopped::Relay(error)) => failed = Some(error),
                Err(other) => return Err(other),
            }
        }
        Ok(failed)
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
        (0..boxes.len()).for_each(|at| watch.begin(at, boxes));
        while self.handed() == 0
            && let Some((at, news)) = watch.next(until)
        {
            if let News::Broke(Some(error)) = news {
                return Err(error.into());
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
            self.rounds(Instant::now())?;
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
        while !self.is_enough() {
            for (at, line) in lines.iter_mut().enumerate() {
                if line.next.is_some_and(|next| next <= Instant::now()) {
                    line.next = None;
                    line.begun = Instant::now();
                    watch.begin(at, boxes);
                }
            }
            let mend = lines.iter().filter_map(|line| line.next).min();
            let until = (offered + AGAIN).min(mend.unwrap_or(offered + AGAIN));
            if let Some((at, news)) = watch.next(until) {
                self.deal_with_line(boxes, at, &news, broken)?;
                if let (News::Broke(why), Some(line)) = (news, lines.get_mut(at)) {
                    match why {
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
