//! A whole pull: from all mailboxes of an owner into one spool, once or for as long as the caller
//! wants.

use std::fs::File;
use std::time::{Duration, Instant};

use crate::crypto;
use crate::relay::client::backoff::LONGEST;
use crate::relay::client::error::Error;
use crate::relay::client::pull::listen::{Line, News, Watch};
use crate::relay::client::pull::round::{Pull, hand_over};
use crate::relay::client::pull::types::{Delivered, Options, Owned, Report, Stopped};
use crate::relay::client::spool::Spool;
use crate::relay::protocol::Id;

/// Time after which put-off messages are offered to the caller again.
const AGAIN: Duration = Duration::from_secs(60);

/// Delivers what waits in the spool from before, then what is in each of these mailboxes, in a
/// random order.
///
/// Returns when the mailboxes show nothing new, or `limit` messages were delivered. Stops at the
/// first error; what was delivered before it is marked, and acknowledged if the relay can be
/// reached. A relay that cannot be reached does not keep the others from being asked; then its
/// error is that of the whole. A mailbox that its relay does not have is reported as
/// [gone](Report::gone), and is no error.
pub(crate) fn pull<E>(
    boxes: &[Owned],
    spool: &mut Spool,
    options: Options,
    mut deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
) -> Result<Report, Stopped<E>> {
    let Some(mut pull) = Pull::new(boxes, spool, options, &mut deliver) else {
        return Ok(Report::default());
    };
    let outcome = pull.once();
    pull.spool.settle().map_err(Error::from)?;
    outcome.map(|()| pull.report)
}

/// Does what [`pull`] does, and goes on with each message that arrives, until `limit` were
/// delivered. `options.wait` is not used.
///
/// When a connection breaks, `broken` is told, and it is mended, however long that takes. Messages
/// that were put off ([`Delivered::Later`]) are offered again every minute or so.
pub(crate) fn follow<E>(
    boxes: &[Owned],
    spool: &mut Spool,
    options: Options,
    mut deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
    mut broken: impl FnMut(&Error),
) -> Result<Report, Stopped<E>> {
    let Some(mut pull) = Pull::new(boxes, spool, options, &mut deliver) else {
        return Ok(Report::default());
    };
    let outcome = pull.follow(&mut broken);
    pull.spool.settle().map_err(Error::from)?;
    outcome.map(|()| pull.report)
}

/// Delivers again, from the spool alone, what was given out and not opened since.
pub(crate) fn pull_again<E>(
    spool: &mut Spool,
    options: Options,
    mut deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
) -> Result<Report, Stopped<E>> {
    let mut report = Report::default();
    let mut given = spool.given().into_iter().take(options.limit);
    let outcome = given.try_for_each(|id| hand_over(spool, id, &mut deliver, options, &mut report));
    spool.settle().map_err(Error::from)?;
    outcome.map(|()| report)
}

impl<E> Pull<'_, E> {
    fn once(&mut self) -> Result<(), Stopped<E>> {
        // One mailbox is waited at by its list, several by a connection each.
        let several = self.boxes.len() > 1;
        let until = if several { Instant::now() } else { deadline(self.options.wait) };
        self.deliver_waiting()?;
        let mut failed = None;
        for at in shuffled(self.boxes.len())? {
            match self.visit(at, until) {
                Err(Stopped::Relay(error)) => failed = Some(error),
                outcome => outcome?,
            }
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        if several {
            self.wait_for_first(deadline(self.options.wait))?;
        }
        self.deliver_deferred()
    }

    /// Waits until something came, if nothing did so far.
    fn wait_for_first(&mut self, until: Instant) -> Result<(), Stopped<E>> {
        if self.handed() > 0 || Instant::now() >= until {
            return Ok(());
        }
        let watch = Watch::new();
        let there = (0..self.boxes.len()).filter(|at| !self.is_gone(*at));
        there.for_each(|at| watch.begin(at, self.boxes));
        while self.handed() == 0
            && self.report.gone.len() < self.boxes.len()
            && let Some((at, news)) = watch.next(until)
        {
            match news {
                News::Message(entry) if self.is_new(&entry.id) => self.visit(at, Instant::now())?,
                News::Message(_) | News::Broke(None) => {}
                News::Broke(Some(Error::NoMailbox)) => self.note_gone(at),
                News::Broke(Some(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn follow(&mut self, broken: &mut impl FnMut(&Error)) -> Result<(), Stopped<E>> {
        let watch = Watch::new();
        let mut lines: Vec<Line> = self.boxes.iter().map(|_| Line::default()).collect();
        let order = shuffled(lines.len())?;
        let mut offered = Instant::now();
        while !self.is_enough() && self.report.gone.len() < lines.len() {
            let there: Vec<usize> = order.iter().copied().filter(|at| !self.is_gone(*at)).collect();
            let is_due = |at: &usize| lines.get(*at).is_some_and(Line::is_due);
            let due: Vec<usize> = there.iter().copied().filter(is_due).collect();
            let offer = due.len() == there.len() || offered.elapsed() >= AGAIN;
            if offer {
                self.deliver_waiting()?;
                offered = Instant::now();
            }
            // A list before a connection: a proxy may hold back what is announced.
            let mut failed = None;
            for &at in &due {
                let Some(line) = lines.get_mut(at) else { continue };
                line.begin();
                match self.visit_again(at, line, broken) {
                    Err(Stopped::Relay(error)) => failed = Some(error),
                    outcome => outcome?,
                }
            }
            if let Some(error) = failed {
                return Err(error.into());
            }
            if offer {
                self.deliver_deferred()?;
            }
            self.spool.settle().map_err(Error::from)?;
            if self.is_enough() {
                break;
            }
            for &at in due.iter().filter(|at| !self.is_gone(**at)) {
                lines.get_mut(at).into_iter().for_each(|line| line.listen(&watch, at, self.boxes));
            }
            let next = there.iter().filter_map(|at| lines.get(*at)?.next).min();
            let until = next.map_or(offered + AGAIN, |next| next.min(offered + AGAIN));
            if let Some((at, news)) = watch.next(until)
                && let Some(line) = lines.get_mut(at)
            {
                match news {
                    News::Message(entry) if self.is_new(&entry.id) => {
                        self.visit_again(at, line, broken)?;
                        self.spool.settle().map_err(Error::from)?;
                    }
                    News::Message(_) => {}
                    News::Broke(Some(Error::NoMailbox)) => self.note_gone(at),
                    News::Broke(Some(error)) if !error.is_temporary() => return Err(error.into()),
                    News::Broke(why) => {
                        why.iter().for_each(&mut *broken);
                        line.broke()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Visits a mailbox. An error that may pass is for `broken`: then it is visited again later.
    fn visit_again(
        &mut self,
        at: usize,
        line: &mut Line,
        broken: &mut impl FnMut(&Error),
    ) -> Result<(), Stopped<E>> {
        match self.visit(at, Instant::now()) {
            Err(Stopped::Relay(error)) if error.is_temporary() => {
                broken(&error);
                Ok(line.failed()?)
            }
            outcome => outcome,
        }
    }
}

/// Returns when a wait that begins now is over.
fn deadline(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait.min(LONGEST)).unwrap_or(now)
}

/// Returns the numbers below `count` in a random order (Fisher and Yates, Knuth's algorithm P): a
/// relay must not know the mailboxes of one owner by their order.
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
