//! Makes room: the oldest segment is gone through, what still counts in it is said again at the
//! end of the log, and it is dropped.
//!
//! It is always the oldest. So whatever says that something is gone comes after all that says
//! it was there, and is dropped after it: nothing comes back. A message whose capability was
//! revoked names none in its copy, so that no copy brings a capability back either. A segment goes when nothing in the
//! log of messages in it is left; when more of the whole log is dead than alive, so that each
//! byte freed costs at most one that is copied; and when it is a day old and anything is dead,
//! so that what is known of dead messages goes too.

use std::io;

use crate::files::disk::Disk;
use crate::relay::protocol::{CapabilityId, Id, Mailbox};
use crate::relay::store::embedded::index::Index;
use crate::relay::store::embedded::locate::Found;
use crate::relay::store::embedded::log::{Log, Turn};
use crate::relay::store::embedded::record::{self, Fact, Message};
use crate::relay::store::embedded::segment::{Place, Records, Segment};

/// Of the bytes of a step, the part that is copied before the last record of it.
const COPY: u64 = 4;
/// Most records that are looked at in one group.
const LOOK: usize = 2000;
/// Seconds after which a segment goes.
const AGE: u64 = 24 * 3600;

/// Most bytes that one step writes, for segments of `size` bytes: so little that whoever waits
/// for the same sync does not notice.
pub(super) fn room(size: u64) -> u64 {
    (size / 8).min(1 << 20)
}

/// A segment that is being gone through.
pub(super) struct Mover {
    pub(super) segment: u32,
    records: Records,
}

/// What one step found.
#[derive(Default)]
pub(super) struct Step {
    segment: u32,
    copies: Vec<(Message, Found, Option<bytes::Bytes>)>,
    facts: Vec<Fact>,
    /// The segment has no more.
    pub(super) end: bool,
}

impl Index {
    /// The oldest segment, when it should go.
    pub(super) fn ripe(&self, log: &Log) -> Option<u32> {
        let (number, oldest) = self.segments.first_key_value()?;
        if *number == log.active().number {
            return None;
        }
        let live = self.segments.values().map(|kept| kept.live).sum::<u64>() + self.small();
        let all: u64 = self.segments.values().map(|kept| kept.length).sum::<u64>() + log.length();
        let dead = all.saturating_sub(live);
        let old = self.is_old(&oldest.segment);
        let go = oldest.live == 0 || dead > live + 2 * log.size() || (old && dead > 0);
        go.then_some(*number)
    }

    /// Whether a segment was begun a day ago.
    pub(super) fn is_old(&self, segment: &Segment) -> bool {
        self.clock >= segment.created.saturating_add(AGE)
    }
}

impl Index {
    /// More than the bytes of all facts but messages that still count.
    fn small(&self) -> u64 {
        let facts = self.registered + u64::from(self.grants.end()) + self.tokens.len() as u64;
        200 * (facts + self.uploads.len() as u64) + 64 * self.acked.len()
    }
}

impl Mover {
    pub(super) fn start(disk: &dyn Disk, segment: u32) -> io::Result<Option<Self>> {
        let read = Segment::read(disk, segment)?;
        Ok(read.map(|(_, records)| Self { segment, records }))
    }

    /// Finds what is to be said again, in one look at the index.
    pub(super) fn find(&mut self, index: &Index, room: u64) -> Step {
        let mut step = Step { segment: self.segment, ..Step::default() };
        let mut bytes = 0;
        for _ in 0..LOOK {
            let Some(met) = self.records.next() else {
                step.end = true;
                break;
            };
            let place = Place { segment: self.segment, offset: met.offset };
            match &met.fact {
                Fact::Put(message) => {
                    let inbox = index.find(&Mailbox(message.mailbox));
                    let number = inbox.and_then(|inbox| index.message(inbox, &Id(message.id)));
                    let found = number.and_then(|number| index.found(number));
                    if let Some(found) = found.filter(|found| found.place == place) {
                        bytes += met.head.length();
                        step.copies.push((message.as_ref().clone(), found, None));
                    }
                }
                _ => {
                    bytes += met.head.length();
                    step.facts.push(met.fact);
                }
            }
            if bytes >= room / COPY {
                break;
            }
        }
        step
    }
}

impl Step {
    /// Reads the bodies of what is copied, without a lock.
    pub(super) fn read(&mut self) -> io::Result<()> {
        for (_, found, body) in &mut self.copies {
            *body = found.read()?;
        }
        Ok(())
    }

    /// Says it again, where it is still so. Says how many messages were damaged.
    pub(super) fn say(self, turn: &mut Turn<'_>) -> Result<u64, crate::relay::store::Error> {
        let mut damaged = 0;
        for (message, found, body) in self.copies {
            let inbox = turn.index.find(&Mailbox(message.mailbox));
            let number = inbox.and_then(|inbox| turn.index.message(inbox, &found.id));
            let entry = number.and_then(|number| turn.index.messages.get(number));
            let Some(entry) = entry.filter(|entry| entry.place == found.place) else { continue };
            let capability = turn.index.capability_of(entry);
            let Some(body) = body else {
                damaged += 1;
                let (mailbox, ids) = (message.mailbox, vec![message.id]);
                turn.say(&Fact::Gone { mailbox, remember: 0, ids })?;
                continue;
            };
            let order =
                message.order.unwrap_or(crate::relay::store::embedded::index::order(found.place));
            let fact = Fact::Put(Box::new(Message { capability, order: Some(order), ..message }));
            let record = record::encode(&fact, &body)
                .map_err(|e| crate::relay::store::Error::Unavailable(e.to_string()))?;
            turn.put(&fact, &record);
        }
        for fact in &self.facts {
            if let Some(fact) = turn.index.again(fact, self.segment) {
                turn.say(&fact)?;
            }
        }
        Ok(damaged)
    }
}

impl Index {
    /// A fact of a segment that is to go, as it is now; `None` when it counts no more or was
    /// said again later.
    fn again(&self, fact: &Fact, segment: u32) -> Option<Fact> {
        match fact {
            Fact::Register { mailbox, .. } => {
                let inbox = self.inboxes.get(self.find(&Mailbox(*mailbox))?)?;
                (inbox.segment == segment).then(|| Fact::Register {
                    mailbox: *mailbox,
                    token: inbox.token.map(|token| token.0),
                })
            }
            Fact::Allow { mailbox, capability, .. } => {
                let number = self.find_grant(&Mailbox(*mailbox), &CapabilityId(*capability))?;
                let grant = self.grants.get(number)?;
                (grant.segment == segment).then(|| Fact::Allow {
                    mailbox: *mailbox,
                    capability: *capability,
                    terms: grant.terms.into(),
                    pushed: grant.pushed,
                    hourly: grant.hourly,
                })
            }
            Fact::Token { id, .. } => {
                let licence = self.tokens.get(id)?;
                licence.good.filter(|_| licence.segment == segment).map(|good| Fact::token(&good))
            }
            Fact::Upload(upload) => {
                let inbox = self.find(&Mailbox(upload.mailbox))?;
                let partial = self.uploads.get(&(inbox, Id(upload.id)))?;
                let now = || Fact::Upload(Box::new(self.upload_now(partial)));
                (partial.segment == segment).then(now)
            }
            Fact::Gone { mailbox, remember, ids } | Fact::Remember { mailbox, remember, ids } => {
                let inbox = self.inboxes.get(self.find(&Mailbox(*mailbox))?)?;
                let until = |id: &[u8; 32]| self.acked.until(inbox.serial, &Id(*id));
                let known = |id: &&[u8; 32]| {
                    *remember > self.clock && until(id).is_some_and(|until| until <= *remember)
                };
                let ids: Vec<[u8; 32]> = ids.iter().filter(known).copied().collect();
                let (mailbox, remember) = (*mailbox, *remember);
                (!ids.is_empty()).then_some(Fact::Remember { mailbox, remember, ids })
            }
            Fact::Clock { now } => (*now == self.clock).then_some(Fact::Clock { now: *now }),
            _ => None,
        }
    }
}
