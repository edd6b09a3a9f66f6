//! What the log says, in memory: every mailbox, capability, token, upload and message, found in
//! one step. [`Index::apply`] is the one way in, for what is being written and for what is read
//! again at start.

mod change;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::relay::protocol::{CapabilityId, Id, Mailbox, Terms, TokenId};
use crate::relay::store::embedded::acked::Remembered;
use crate::relay::store::embedded::record::{Fact, HEAD, Hourly};
use crate::relay::store::embedded::segment::{Place, Segment};
use crate::relay::store::embedded::slab::{NONE, Slab};
use crate::relay::store::{Token, Usage};

/// A mailbox.
pub(super) struct Inbox {
    pub(super) name: Mailbox,
    /// Never used again, unlike its number.
    pub(super) serial: u32,
    /// `false` while the log was read no further than to what is in it.
    pub(super) registered: bool,
    pub(super) token: Option<TokenId>,
    pub(super) held: Usage,
    pub(super) reserved: Usage,
    pub(super) grants: Vec<u32>,
    first: u32,
    last: u32,
    /// Segment of the fact that registers it.
    pub(super) segment: u32,
}

/// A capability.
pub(super) struct Grant {
    pub(super) mailbox: u32,
    pub(super) id: CapabilityId,
    pub(super) serial: u32,
    /// `false` while the log was read no further than to what it pushed.
    pub(super) allowed: bool,
    pub(super) terms: Terms,
    pub(super) pushed: u64,
    pub(super) hourly: Hourly,
    pub(super) held: Usage,
    pub(super) reserved: Usage,
    /// Segment of the fact that allows it.
    pub(super) segment: u32,
}

/// A message. A million of these make most of the memory, so it has 72 bytes.
pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) expires: u64,
    pub(super) mailbox: u32,
    grant: u32,
    pub(super) place: Place,
    /// Bytes of the body, or [`NONE`] for one in a file, which is in the table of large ones.
    size: u32,
    previous: u32,
    next: u32,
    /// Bytes of its fact.
    fact: u8,
    /// Its record is not durable yet.
    pub(super) pending: bool,
}

impl Entry {
    /// Where its body is in the log, and how long.
    fn body(&self) -> Option<(Place, u32)> {
        let offset = self.place.offset.saturating_add(HEAD as u32 + u32::from(self.fact));
        (self.size != NONE).then_some((Place { offset, ..self.place }, self.size))
    }
}

/// A body in a file of its own.
#[derive(Clone, Copy)]
pub(super) struct Large {
    pub(super) size: u64,
    pub(super) file: u64,
}

/// An upload in parts.
pub(super) struct Partial {
    grant: u32,
    pub(super) upload: crate::relay::store::embedded::record::Upload,
    /// A part is on its way.
    pub(super) busy: bool,
    /// The hash of what is there, unless it must be read again.
    pub(super) hash: Option<Box<crate::crypto::Hash>>,
    pub(super) segment: u32,
}

/// A token.
#[derive(Default)]
pub(super) struct Licence {
    pub(super) good: Option<Token>,
    pub(super) used: u64,
    pub(super) held: u64,
    pub(super) segment: u32,
}

/// A segment of the log.
pub(super) struct Kept {
    pub(super) segment: Arc<Segment>,
    /// Its bytes, while it is not written any more.
    pub(super) length: u64,
    /// Bytes in it of records of messages that are there.
    pub(super) live: u64,
}

impl Kept {
    pub(super) fn new(segment: Arc<Segment>) -> Self {
        Self { segment, length: 0, live: 0 }
    }
}

/// What a change leaves to be done with files once it is durable.
#[derive(Default)]
pub(super) struct Effects {
    /// Messages that are there now.
    pub(super) added: Vec<u32>,
    /// Bodies in the log to overwrite: where, and how long.
    pub(super) erased: Vec<(Place, u32)>,
    /// Files of bodies to remove.
    pub(super) files: Vec<u64>,
    /// A record names a file whose name is not durable yet.
    pub(super) named: bool,
}

/// Everything the store knows.
pub(super) struct Index {
    hasher: RandomState,
    pub(super) inboxes: Slab<Inbox>,
    by_name: HashTable<u32>,
    pub(super) registered: u64,
    pub(super) grants: Slab<Grant>,
    by_grant: HashTable<u32>,
    pub(super) messages: Slab<Entry>,
    by_id: HashTable<u32>,
    large: HashMap<u32, Large>,
    pub(super) tokens: BTreeMap<[u8; 32], Licence>,
    pub(super) uploads: BTreeMap<(u32, Id), Partial>,
    pub(super) acked: Remembered,
    pub(super) total: Usage,
    pub(super) reserved: u64,
    /// The last time the store believed.
    pub(super) clock: u64,
    /// The log, oldest first.
    pub(super) segments: BTreeMap<u32, Kept>,
    serial: u32,
}

impl Index {
    pub(super) fn new(remembered: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            inboxes: Slab::default(),
            by_name: HashTable::new(),
            registered: 0,
            grants: Slab::default(),
            by_grant: HashTable::new(),
            messages: Slab::default(),
            by_id: HashTable::new(),
            large: HashMap::new(),
            tokens: BTreeMap::new(),
            uploads: BTreeMap::new(),
            acked: Remembered::new(remembered),
            total: Usage::default(),
            reserved: 0,
            clock: 0,
            segments: BTreeMap::new(),
            serial: 0,
        }
    }

    /// The number of a registered mailbox.
    pub(super) fn find(&self, name: &Mailbox) -> Option<u32> {
        self.any(name).filter(|n| self.inboxes.get(*n).is_some_and(|inbox| inbox.registered))
    }

    /// The same while the log is read, when its registration may still come.
    pub(super) fn any(&self, name: &Mailbox) -> Option<u32> {
        let same = |n: &u32| self.inboxes.get(*n).is_some_and(|inbox| inbox.name == *name);
        self.by_name.find(self.hasher.hash_one(name), same).copied()
    }

    /// The first registered mailboxes behind a name, in order.
    pub(super) fn names_behind(&self, after: Option<Mailbox>, limit: usize) -> Vec<Mailbox> {
        let inboxes = self.by_name.iter().filter_map(|n| self.inboxes.get(*n));
        let names = inboxes.filter(|inbox| inbox.registered).map(|inbox| inbox.name);
        let mut names: Vec<_> = names.filter(|name| after.is_none_or(|a| *name > a)).collect();
        names.sort_unstable();
        names.truncate(limit);
        names
    }

    /// The number of a capability that is allowed, by one look whatever is missing.
    pub(super) fn find_grant(&self, mailbox: &Mailbox, id: &CapabilityId) -> Option<u32> {
        let number = self.grant_number(mailbox, id)?;
        self.grants.get(number).filter(|grant| grant.allowed).map(|_| number)
    }

    fn grant_number(&self, mailbox: &Mailbox, id: &CapabilityId) -> Option<u32> {
        let same = |n: &u32| {
            self.grants.get(*n).is_some_and(|grant| {
                let inbox = self.inboxes.get(grant.mailbox);
                grant.id == *id && inbox.is_some_and(|inbox| inbox.name == *mailbox)
            })
        };
        self.by_grant.find(self.hasher.hash_one((mailbox, id)), same).copied()
    }

    /// The number of a message.
    pub(super) fn message(&self, mailbox: u32, id: &Id) -> Option<u32> {
        let same = |n: &u32| {
            self.messages.get(*n).is_some_and(|entry| entry.mailbox == mailbox && entry.id == *id)
        };
        self.by_id.find(self.hasher.hash_one((mailbox, id)), same).copied()
    }

    /// Bytes of a message's body.
    pub(super) fn size(&self, number: u32, entry: &Entry) -> u64 {
        match entry.size {
            NONE => self.large.get(&number).map_or(0, |large| large.size),
            size => u64::from(size),
        }
    }

    /// The file of a message, if its body is in one.
    pub(super) fn large(&self, number: u32) -> Option<Large> {
        self.large.get(&number).copied()
    }

    /// The numbers of all files of bodies.
    pub(super) fn files(&self) -> impl Iterator<Item = u64> {
        let uploads = self.uploads.values().map(|partial| partial.upload.file);
        self.large.values().map(|large| large.file).chain(uploads)
    }

    /// Bytes of a message's record.
    pub(super) fn record_length(entry: &Entry) -> u64 {
        let body = if entry.size == NONE { 0 } else { entry.size };
        HEAD as u64 + u64::from(entry.fact) + u64::from(body)
    }

    /// The messages of a mailbox in order of arrival.
    pub(super) fn waiting(&self, mailbox: u32) -> impl Iterator<Item = (u32, &Entry)> {
        let first = self.inboxes.get(mailbox).map_or(NONE, |inbox| inbox.first);
        let step = |number| self.messages.get(number).map(|entry| (number, entry));
        std::iter::successors(step(first), move |(_, entry)| step(entry.next))
    }

    /// Makes a fact so. `at` is where its record is and `length` how long its fact is. A fact
    /// that says what is so already changes nothing.
    pub(super) fn apply(&mut self, fact: &Fact, at: Place, length: u16, effects: &mut Effects) {
        match fact {
            Fact::Register { mailbox, token } => {
                self.register(Mailbox(*mailbox), token.map(TokenId), at.segment);
            }
            Fact::Close { mailbox } => self.close(&Mailbox(*mailbox), effects),
            Fact::Allow { mailbox, capability, terms, pushed, hourly } => {
                let number = self.grant(Mailbox(*mailbox), CapabilityId(*capability));
                if let Some(grant) = self.grants.get_mut(number) {
                    grant.allowed = true;
                    grant.terms = (*terms).into();
                    grant.pushed = *pushed;
                    grant.hourly = *hourly;
                    grant.segment = at.segment;
                }
            }
            Fact::Revoke { mailbox, capability } => {
                self.revoke(&Mailbox(*mailbox), &CapabilityId(*capability));
            }
            Fact::Put(message) => self.put(message, at, length, effects),
            Fact::Gone { mailbox, remember, ids } => {
                let inbox = self.inbox(Mailbox(*mailbox));
                for id in ids {
                    if let Some(number) = self.message(inbox, &Id(*id)) {
                        self.remove(number, effects);
                    }
                    self.remember(inbox, &Id(*id), *remember);
                }
            }
            Fact::Remember { mailbox, remember, ids } => {
                let inbox = self.inbox(Mailbox(*mailbox));
                for id in ids.iter().map(|id| Id(*id)) {
                    if self.message(inbox, &id).is_none() {
                        self.remember(inbox, &id, *remember);
                    }
                }
            }
            Fact::Token { id, mailboxes, bytes, expires } => {
                let licence = self.tokens.entry(*id).or_default();
                licence.segment = at.segment;
                licence.good = Some(Token {
                    id: TokenId(*id),
                    mailboxes: *mailboxes,
                    bytes: *bytes,
                    expires: *expires,
                    used: 0,
                });
            }
            Fact::NoToken { id } => {
                if let Some(licence) = self.tokens.get_mut(id) {
                    licence.good = None;
                    if licence.used == 0 {
                        self.tokens.remove(id);
                    }
                }
            }
            Fact::Upload(upload) => self.upload(upload, at.segment, effects),
            Fact::NoUpload { mailbox, id } => {
                if let Some(inbox) = self.any(&Mailbox(*mailbox)) {
                    let upload = self.end_upload(inbox, &Id(*id));
                    effects.files.extend(upload.map(|upload| upload.file));
                }
            }
            Fact::Clock { now } => self.clock = *now,
        }
    }
}

/// How an order of arrival is written: where the message's first record was.
pub(super) fn order(place: Place) -> u64 {
    u64::from(place.segment) << 32 | u64::from(place.offset)
}
