//! A whole pull: from all mailboxes of an owner into one spool, once or for as long as the caller
//! wants.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::{Duration, Instant};

use crate::crypto;
use crate::relay::client::backoff::LONGEST;
use crate::relay::client::error::Error;
use crate::relay::client::pull::listen::{Away, Line, News, Watch};
use crate::relay::client::pull::round::{Pull, Visit, hand_over};
use crate::relay::client::pull::types::{Delivered, Options, Owned, Report, Stopped};
use crate::relay::client::spool::Spool;
use crate::relay::protocol::{Entry, Id, MAX_LIST};

/// Time after which put-off messages are offered to the caller again.
const AGAIN: Duration = Duration::from_secs(60);

/// Delivers what waits in the spool from before, then what is in each of these mailboxes, in a
/// random order.
///
/// Returns when the mailboxes show nothing new, or `limit` messages were delivered. Whatever a relay
/// does, the others are asked: a mailbox that could not be visited is reported as
/// [failed](Report::failed), one that its relay does not have as [gone](Report::gone). Stops at the
/// first error of `deliver` or of this machine; what was delivered before it is marked, and
/// acknowledged if the relay can be reached.
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
/// When a relay fails or a connection breaks, `broken` is told the index of the mailbox, which is
/// visited again later, however long that takes. Messages that were put off ([`Delivered::Later`])
/// are offered again every minute or so. Ends early when every mailbox is gone, or refused for good.
pub(crate) fn follow<E>(
    boxes: &[Owned],
    spool: &mut Spool,
    options: Options,
    mut deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
    mut broken: impl FnMut(usize, &Error),
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
        let (now, end) = (Instant::now(), deadline(self.options.wait));
        self.deliver_waiting()?;
        // One mailbox is waited at by its list, several by a connection each.
        let at_once =
            self.boxes.len() > 1 || self.handed() > 0 || !self.spool.deferred().is_empty();
        self.visit_all(if at_once { now } else { end })?;
        self.deliver_deferred()?;
        if !at_once || self.handed() > 0 || self.options.wait.is_zero() {
            return Ok(());
        }
        let mut lines: Vec<Line> = self.boxes.iter().map(|_| Line::new()).collect();
        for (at, line) in lines.iter_mut().enumerate() {
            match self.failure(at) {
                Some(error) => line.failed(!error.is_temporary())?,
                None => line.next = None,
            }
        }
        self.watch(lines, Some(end), &mut |_, _| ())
    }

    /// Visits each mailbox. Relays are asked at the same time, and their mailboxes dealt with in the
    /// order in which they answer.
    fn visit_all(&mut self, until: Instant) -> Result<(), Stopped<E>> {
        let order = shuffled(self.boxes.len())?;
        let mut relays: BTreeMap<String, Vec<(usize, Owned)>> = BTreeMap::new();
        for at in &order {
            let Some(owned) = self.boxes.get(*at) else { continue };
            relays.entry(owned.relay.url()).or_default().push((*at, owned.clone()));
        }
        let mut late = Vec::new();
        if relays.len() == 1 {
            let mut away = Away::default();
            for (count, &at) in order.iter().enumerate() {
                if let Some(error) = away.error() {
                    self.note(at, Err(error.into()))?;
                    continue;
                }
                let others_wait = count + 1 < order.len();
                if self.visit(at, None, until, others_wait)? == Visit::TurnOver {
                    late.push(at);
                }
                away.count(self.failure(at));
            }
        } else {
            let watch = Watch::new();
            for boxes in relays.into_values() {
                watch.list_all(boxes, self.page_size())?;
            }
            let mut awaited = order.len();
            while awaited > 0
                && !self.is_enough()
                && let Some((at, news)) = watch.next(deadline(LONGEST))
            {
                let News::Listed(listed) = news else { continue };
                awaited -= 1;
                let visit = match listed {
                    Ok(listed) => self.visit(at, Some(listed), until, true)?,
                    Err(error) => self.note(at, Err(error.into()))?,
                };
                if visit == Visit::TurnOver {
                    late.push(at);
                }
            }
        }
        for at in late {
            self.visit(at, None, until, false)?;
        }
        Ok(())
    }

    fn follow(&mut self, broken: &mut impl FnMut(usize, &Error)) -> Result<(), Stopped<E>> {
        let lines = self.boxes.iter().map(|_| Line::new()).collect();
        self.watch(lines, None, broken)
    }

    /// Lists mailboxes that are due, and listens at all: until something was handed over or `until` is
    /// over, or without it for as long as the caller wants. Ends also when no relay has a mailbox, or
    /// all refuse for good.
    fn watch(
        &mut self,
        mut lines: Vec<Line>,
        until: Option<Instant>,
        broken: &mut impl FnMut(usize, &Error),
    ) -> Result<(), Stopped<E>> {
        let watch = Watch::new();
        let order = shuffled(lines.len())?;
        let mut offered = Instant::now();
        let mut owes_deferred = false;
        while !self.is_enough()
            && until.is_none_or(|until| self.handed() == 0 && Instant::now() < until)
            && self.has_open(&lines)
        {
            let there: Vec<usize> = order.iter().copied().filter(|at| !self.is_gone(*at)).collect();
            let is_due = |at: &usize| lines.get(*at).is_some_and(Line::is_due);
            let due: Vec<usize> = there.iter().copied().filter(is_due).collect();
            if until.is_none() && (due.len() == there.len() || offered.elapsed() >= AGAIN) {
                self.deliver_waiting()?;
                (offered, owes_deferred) = (Instant::now(), true);
            }
            for &at in &there {
                let page = self.page_size();
                let (Some(line), Some(mailbox)) = (lines.get_mut(at), self.boxes.get(at)) else {
                    continue;
                };
                // A list before a connection: a proxy may hold back what is announced.
                if due.contains(&at) {
                    line.list(&watch, at, mailbox, page)?;
                } else if !line.is_paused() {
                    line.listen(&watch, at, mailbox)?;
                }
            }
            if owes_deferred && !there.iter().any(|at| lines.get(*at).is_some_and(|l| l.asking)) {
                self.deliver_deferred()?;
                owes_deferred = false;
                self.spool.settle().map_err(Error::from)?;
                continue;
            }
            let next = there.iter().filter_map(|at| lines.get(*at)?.next).min();
            let next = next.into_iter().chain(until).fold(offered + AGAIN, Instant::min);
            let mut news = watch.next(next);
            let mut announced: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
            let mut others = Vec::new();
            for _ in 0..MAX_LIST {
                match news {
                    Some((at, News::Message(entry))) => {
                        announced.entry(at).or_default().push(entry);
                    }
                    Some(other) => others.push(other),
                    None => break,
                }
                news = watch.more();
            }
            for (at, entries) in announced {
                self.hear_of(&mut lines, at, &entries, broken)?;
            }
            for (at, news) in others {
                if !self.is_enough() {
                    self.hear(&mut lines, at, news, broken)?;
                }
            }
            self.spool.settle().map_err(Error::from)?;
        }
        Ok(())
    }

    /// Returns whether a mailbox is there that its relay does not refuse for good.
    fn has_open(&self, lines: &[Line]) -> bool {
        lines.iter().enumerate().any(|(at, line)| !self.is_gone(at) && !line.refused)
    }

    /// Takes a list, or the end of a connection.
    fn hear(
        &mut self,
        lines: &mut [Line],
        at: usize,
        news: News,
        broken: &mut impl FnMut(usize, &Error),
    ) -> Result<(), Stopped<E>> {
        let Some(line) = lines.get_mut(at) else { return Ok(()) };
        let visit = match news {
            News::Listed(listed) => {
                line.answered();
                match listed {
                    Ok(listed) if listed.len() < self.page_size() => {
                        self.visit_announced(at, &listed)?
                    }
                    Ok(listed) => self.visit(at, Some(listed), Instant::now(), true)?,
                    Err(error) => self.note(at, Err(error.into()))?,
                }
            }
            News::Broke(Some(error)) => {
                line.broke(false)?;
                self.note(at, Err(error.into()))?
            }
            News::Broke(None) => return Ok(line.broke(false)?),
            News::Message(_) => return Ok(()),
        };
        self.go_on(lines, at, visit, broken)
    }

    /// Takes announced messages.
    fn hear_of(
        &mut self,
        lines: &mut [Line],
        at: usize,
        entries: &[Entry],
        broken: &mut impl FnMut(usize, &Error),
    ) -> Result<(), Stopped<E>> {
        let Some(line) = lines.get_mut(at) else { return Ok(()) };
        let new: Vec<Entry> = entries.iter().copied().filter(|it| self.is_new(&it.id)).collect();
        if line.is_paused() || new.is_empty() {
            return Ok(());
        }
        let handed = self.handed();
        let visit = self.visit_announced(at, &new)?;
        if visit == Visit::Done && self.handed() == handed {
            // A relay that announces what it does not have is asked less and less often.
            return Ok(line.failed(false)?);
        }
        self.go_on(lines, at, visit, broken)
    }

    /// Decides when a mailbox is visited again.
    fn go_on(
        &mut self,
        lines: &mut [Line],
        at: usize,
        visit: Visit,
        broken: &mut impl FnMut(usize, &Error),
    ) -> Result<(), Stopped<E>> {
        let Some(line) = lines.get_mut(at) else { return Ok(()) };
        match visit {
            Visit::Done => line.refused = false,
            Visit::TurnOver => line.again(),
            Visit::Failed => {
                let refused = self.failure(at).is_some_and(|error| !error.is_temporary());
                line.failed(refused)?;
                // Where all are refused the run ends, and says why.
                if self.has_open(lines)
                    && let Some(error) = self.failure(at)
                {
                    broken(at, error);
                }
            }
        }
        Ok(())
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
