//! Lists and bodies. What is asked for is found in memory; a body is read from the log without
//! a lock, so it is checked whether it is the one that was meant.

use std::io;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::relay::protocol::{Capability, CapabilityId, Entry, Id, Mailbox};
use crate::relay::store::embedded::body::{self, FromFile, Held, blocking, unavailable};
use crate::relay::store::embedded::index::Index;
use crate::relay::store::embedded::locate::Found;
use crate::relay::store::embedded::open::Embedded;
use crate::relay::store::embedded::record::Fact;
use crate::relay::store::embedded::shared::SMALL;
use crate::relay::store::{Error, INLINE, Stored, Upload};

/// Body bytes that are read at once without a thread that may block: they are mostly in memory,
/// and a disk that must be asked is asked once.
const AT_ONCE: u64 = 256 << 10;

impl Index {
    pub(super) fn capabilities(&self, mailbox: &Mailbox) -> Result<Vec<Capability>, Error> {
        let number = self.find(mailbox).ok_or(Error::NoMailbox)?;
        let grants = self.inboxes.get(number).into_iter().flat_map(|inbox| &inbox.grants);
        let grants = grants.filter_map(|number| self.grants.get(*number));
        let capabilities = grants.map(|grant| Capability {
            id: grant.id,
            terms: grant.terms,
            pushed: grant.pushed,
            messages: grant.held.messages,
            bytes: grant.held.bytes,
        });
        Ok(capabilities.collect())
    }

    pub(super) fn list(
        &self,
        mailbox: &Mailbox,
        limit: usize,
        now: u64,
    ) -> Result<Vec<Entry>, Error> {
        let number = self.find(mailbox).ok_or(Error::NoMailbox)?;
        let there = self.waiting(number).filter(|(_, entry)| !entry.pending && entry.expires > now);
        let entries = there.take(limit).map(|(number, entry)| Entry {
            id: entry.id,
            size: self.size(number, entry),
            expires: entry.expires,
        });
        Ok(entries.collect())
    }

    /// A message that may be shown.
    fn shown(&self, mailbox: u32, id: &Id, now: u64) -> Option<u32> {
        let number = self.message(mailbox, id)?;
        let entry = self.messages.get(number)?;
        (!entry.pending && entry.expires > now).then_some(number)
    }
}

impl Embedded {
    pub(super) fn part(
        &self,
        mailbox: &Mailbox,
        capability: &CapabilityId,
        id: &Id,
        now: u64,
    ) -> Result<Option<Upload>, Error> {
        let index = self.shared.index();
        let (mailbox, _) =
            crate::relay::store::embedded::admit::capability(&index, mailbox, capability, now)?;
        if crate::relay::store::embedded::admit::is_known(&index, mailbox, id, now) {
            return Ok(Some(Upload::Whole(crate::relay::store::Put::Already)));
        }
        let partial = index.uploads.get(&(mailbox, *id));
        Ok(partial.map(|partial| Upload::Part(partial.upload.offset)))
    }

    pub(super) async fn read_one(
        &self,
        mailbox: Mailbox,
        id: Id,
        from: u64,
        now: u64,
    ) -> Result<Option<Stored>, Error> {
        enum Body {
            File(crate::relay::store::embedded::index::Large),
            Log,
        }
        let body = {
            let index = self.shared.index();
            let inbox = index.find(&mailbox).ok_or(Error::NoMailbox)?;
            let Some(number) = index.shown(inbox, &id, now) else { return Ok(None) };
            index.large(number).map_or(Body::Log, Body::File)
        };
        match body {
            Body::File(large) if from <= large.size => {
                let bodies = self.shared.bodies.clone();
                let file = blocking(move || body::open(&*bodies, large.file)).await;
                let file = match file {
                    // Acknowledged meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    file => file.map_err(unavailable)?,
                };
                let body = Box::new(FromFile { file, at: from, end: large.size });
                Ok(Some(Stored { size: large.size, body }))
            }
            Body::File(_) => Ok(None),
            Body::Log => {
                let Some(bytes) = self.body(&mailbox, &id, now).await? else { return Ok(None) };
                let size = bytes.len() as u64;
                let Ok(start) = usize::try_from(from) else { return Ok(None) };
                if from > size {
                    return Ok(None);
                }
                Ok(Some(Stored { size, body: Box::new(Held(Some(bytes.slice(start..)))) }))
            }
        }
    }

    /// The body of a message in the log.
    async fn body(&self, mailbox: &Mailbox, id: &Id, now: u64) -> Result<Option<Bytes>, Error> {
        loop {
            let found = {
                let index = self.shared.index();
                let inbox = index.find(mailbox).ok_or(Error::NoMailbox)?;
                index.shown(inbox, id, now).and_then(|number| index.found(number))
            };
            let Some(found) = found else { return Ok(None) };
            if let Some(bytes) = found.read().map_err(unavailable)? {
                return Ok(Some(bytes));
            }
            self.lose(*mailbox, *id).await?;
        }
    }

    /// Gives a message up that is damaged, so that the rest of its mailbox can be had. Only the
    /// writer knows whether it is: while it moves a message, the index says already where it
    /// will be.
    async fn lose(&self, mailbox: Mailbox, id: Id) -> Result<(), Error> {
        let lost = self.ask(SMALL, false, move |turn| {
            let number = turn.index.find(&mailbox).and_then(|inbox| turn.index.message(inbox, &id));
            let Some(found) = number.and_then(|number| turn.index.found(number)) else {
                return Ok(false);
            };
            let damaged = found.read().map_err(unavailable)?.is_none();
            if damaged {
                turn.say(&Fact::Gone { mailbox: mailbox.0, remember: 0, ids: vec![id.0] })?;
            }
            Ok(damaged)
        });
        if lost.await? {
            self.shared.damaged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) async fn read_many(
        &self,
        mailbox: Mailbox,
        ids: Vec<Id>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<(Id, Bytes)>, Error> {
        // What is to be read, found by one look at the index: the ids, their sizes, and where
        // those in the log are.
        let mut wanted = Vec::new();
        let (mut left, mut sum) = (limit as u64, 0);
        {
            let index = self.shared.index();
            let inbox = index.find(&mailbox).ok_or(Error::NoMailbox)?;
            for id in ids {
                let Some(number) = index.shown(inbox, &id, now) else { continue };
                let Some(entry) = index.messages.get(number) else { continue };
                let size = index.size(number, entry);
                if size > INLINE {
                    continue;
                }
                let Some(rest) = left.checked_sub(size) else { break };
                (left, sum) = (rest, sum + size);
                wanted.extend(index.found(number));
            }
        }
        let read = move || {
            let read = |found: Found| found.read().map(|bytes| (found.id, bytes));
            wanted.into_iter().map(read).collect::<io::Result<Vec<_>>>()
        };
        let bodies = if sum <= AT_ONCE { read() } else { blocking(read).await };
        let mut taken = Vec::new();
        for (id, bytes) in bodies.map_err(unavailable)? {
            let bytes = match bytes {
                Some(bytes) => Some(bytes),
                // Gone or moved meanwhile, or damaged.
                None => self.body(&mailbox, &id, now).await?,
            };
            taken.extend(bytes.map(|bytes| (id, bytes)));
        }
        Ok(taken)
    }
}
