//! What has expired goes.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::relay::protocol::{Id, Mailbox};
use crate::relay::store::Error;
use crate::relay::store::embedded::log::Turn;
use crate::relay::store::embedded::open::Embedded;
use crate::relay::store::embedded::record::Fact;

/// Messages that are looked at in one turn.
const LOOK: u32 = 1 << 15;
/// Most that are deleted in one turn.
const MOST: usize = 1000;
/// Most bytes of the facts that say so, if each is of another mailbox.
const ROOM: u64 = 256 << 10;

impl Embedded {
    pub(super) async fn sweep_all(&self, now: u64) -> Result<u64, Error> {
        let now = {
            let mut clock =
                self.shared.clock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            clock.believe(now)
        };
        let (mut swept, mut from) = (0, 0);
        let end = self.shared.index().messages.end();
        while from < end {
            let range = from..end.min(from.saturating_add(LOOK));
            let found = self.shared.index().expired(range.clone(), now);
            match found {
                None => from = range.end,
                Some(last) => {
                    let part = from..last;
                    swept += self.ask(ROOM, false, move |turn| turn.sweep(part, now)).await?;
                    from = last;
                }
            }
        }
        self.ask(ROOM, false, move |turn| turn.sweep_rest(now)).await?;
        Ok(swept)
    }
}

impl crate::relay::store::embedded::index::Index {
    /// Whether one of these has expired: the end of a stretch with some that have.
    fn expired(&self, range: Range<u32>, now: u64) -> Option<u32> {
        let mut found = 0;
        for number in range.clone() {
            found += usize::from(self.messages.get(number).is_some_and(|e| e.expires <= now));
            if found == MOST {
                return Some(number + 1);
            }
        }
        (found > 0).then_some(range.end)
    }
}

impl Turn<'_> {
    fn sweep(&mut self, range: Range<u32>, now: u64) -> Result<u64, Error> {
        let mut gone: BTreeMap<Mailbox, Vec<Id>> = BTreeMap::new();
        let mut count = 0;
        for entry in range.filter_map(|number| self.index.messages.get(number)) {
            if entry.expires <= now
                && let Some(inbox) = self.index.inboxes.get(entry.mailbox)
                && count < MOST
            {
                gone.entry(inbox.name).or_default().push(entry.id);
                count += 1;
            }
        }
        for (mailbox, ids) in gone {
            for fact in Fact::gone(mailbox, 0, &ids) {
                self.say(&fact)?;
            }
        }
        Ok(count as u64)
    }

    /// Uploads nobody completed, and ids that were remembered long enough.
    fn sweep_rest(&mut self, now: u64) -> Result<(), Error> {
        let late = self.index.uploads.values().filter(|p| p.upload.deadline <= now && !p.busy);
        let late: Vec<_> = late.map(|p| (p.upload.mailbox, p.upload.id)).take(MOST).collect();
        for (mailbox, id) in late {
            self.say(&Fact::NoUpload { mailbox, id })?;
        }
        self.index.acked.expire(now);
        // By the hour: a clock that leapt while the relay was off is known by it.
        if now / 3600 != self.index.clock / 3600 {
            self.say(&Fact::Clock { now })?;
        }
        Ok(())
    }
}
