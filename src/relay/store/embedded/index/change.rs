//! What each fact changes.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use super::{Effects, Entry, Grant, Inbox, Index, Large, Licence, Partial};
use crate::relay::protocol::{CapabilityId, Id, Mailbox, Terms, TokenId};
use crate::relay::store::Usage;
use crate::relay::store::embedded::record::{self, Hourly};
use crate::relay::store::embedded::segment::Place;
use crate::relay::store::embedded::slab::NONE;

impl Index {
    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// The number of a mailbox, which is made known if it is not.
    pub(super) fn inbox(&mut self, name: Mailbox) -> u32 {
        if let Some(number) = self.any(&name) {
            return number;
        }
        let serial = self.next_serial();
        let number = self.inboxes.insert(Inbox {
            name,
            serial,
            registered: false,
            token: None,
            held: Usage::default(),
            reserved: Usage::default(),
            grants: Vec::new(),
            first: NONE,
            last: NONE,
            segment: 0,
        });
        let Self { inboxes, by_name, hasher, .. } = self;
        by_name.insert_unique(hasher.hash_one(name), number, |n| {
            inboxes.get(*n).map_or(0, |inbox| hasher.hash_one(inbox.name))
        });
        number
    }

    pub(super) fn grant(&mut self, name: Mailbox, id: CapabilityId) -> u32 {
        if let Some(number) = self.grant_number(&name, &id) {
            return number;
        }
        let mailbox = self.inbox(name);
        let serial = self.next_serial();
        let number = self.grants.insert(Grant {
            mailbox,
            id,
            serial,
            allowed: false,
            terms: Terms::default(),
            pushed: 0,
            hourly: Hourly::default(),
            held: Usage::default(),
            reserved: Usage::default(),
            segment: 0,
        });
        if let Some(inbox) = self.inboxes.get_mut(mailbox) {
            inbox.grants.push(number);
        }
        let Self { inboxes, grants, by_grant, hasher, .. } = self;
        by_grant.insert_unique(hasher.hash_one((name, id)), number, |n| {
            let grant = grants.get(*n);
            let inbox = grant.and_then(|grant| inboxes.get(grant.mailbox));
            grant.zip(inbox).map_or(0, |(grant, inbox)| hasher.hash_one((inbox.name, grant.id)))
        });
        number
    }

    /// The number of the capability that a record names, which is made known if it is not: its
    /// fact may have been written again behind the record. [`NONE`] when it was revoked.
    fn named_grant(&mut self, mailbox: [u8; 32], capability: [u8; 32]) -> u32 {
        if capability == record::REVOKED {
            return NONE;
        }
        self.grant(Mailbox(mailbox), CapabilityId(capability))
    }

    /// Returns what a record that is written now names of this number: the capability, or
    /// [`record::REVOKED`]. A capability that was named after its revocation would be known again.
    fn name_of_grant(&self, grant: u32) -> [u8; 32] {
        let allowed = self.grants.get(grant).filter(|grant| grant.allowed);
        allowed.map_or(record::REVOKED, |grant| grant.id.0)
    }

    /// The same for a message's.
    pub(in super::super) fn capability_of(&self, entry: &Entry) -> [u8; 32] {
        self.name_of_grant(entry.grant)
    }

    /// An upload as a record of it names it now.
    pub(in super::super) fn upload_now(&self, partial: &Partial) -> record::Upload {
        let capability = self.name_of_grant(partial.grant);
        record::Upload { capability, ..partial.upload.clone() }
    }

    pub(super) fn register(&mut self, name: Mailbox, token: Option<TokenId>, segment: u32) {
        let number = self.inbox(name);
        let Some(inbox) = self.inboxes.get_mut(number) else { return };
        inbox.segment = segment;
        if inbox.registered {
            return;
        }
        inbox.registered = true;
        inbox.token = token;
        self.registered += 1;
        if let Some(token) = token {
            let held = inbox.held.bytes + inbox.reserved.bytes;
            let licence = self.tokens.entry(token.0).or_default();
            licence.used += 1;
            licence.held += held;
        }
    }

    pub(super) fn close(&mut self, name: &Mailbox, effects: &mut Effects) {
        let Some(number) = self.any(name) else { return };
        while let Some(first) = self.inboxes.get(number).map(|inbox| inbox.first)
            && self.remove(first, effects)
        {}
        let uploads = (number, Id([0; 32]))..=(number, Id([0xff; 32]));
        let ids: Vec<Id> = self.uploads.range(uploads).map(|((_, id), _)| *id).collect();
        for id in ids {
            effects.files.extend(self.end_upload(number, &id).map(|upload| upload.file));
        }
        let grants = self.inboxes.get(number).map(|inbox| inbox.grants.clone());
        grants.into_iter().flatten().for_each(|grant| self.drop_grant(name, grant));
        let Some(inbox) = self.inboxes.remove(number) else { return };
        self.registered -= u64::from(inbox.registered);
        // What is on its way there counts for the token until it arrives at nothing.
        if let Some(token) = inbox.token.filter(|_| inbox.registered)
            && let Some(licence) = self.tokens.get_mut(&token.0)
        {
            licence.used = licence.used.saturating_sub(1);
            licence.held = licence.held.saturating_sub(inbox.reserved.bytes);
            if licence.used == 0 && licence.good.is_none() {
                self.tokens.remove(&token.0);
            }
        }
        self.reserved = self.reserved.saturating_sub(inbox.reserved.bytes);
        if let Ok(entry) = self.by_name.find_entry(self.hasher.hash_one(name), |n| *n == number) {
            entry.remove();
        }
    }

    pub(super) fn revoke(&mut self, name: &Mailbox, id: &CapabilityId) {
        let Some(number) = self.grant_number(name, id) else { return };
        let Some(mailbox) = self.grants.get(number).map(|grant| grant.mailbox) else { return };
        // Its messages stay; nobody's share holds them any more.
        let waiting: Vec<u32> = self.waiting(mailbox).map(|(number, _)| number).collect();
        for message in waiting {
            if let Some(entry) = self.messages.get_mut(message).filter(|e| e.grant == number) {
                entry.grant = NONE;
            }
        }
        let uploads = (mailbox, Id([0; 32]))..=(mailbox, Id([0xff; 32]));
        for (_, partial) in self.uploads.range_mut(uploads) {
            if partial.grant == number {
                partial.grant = NONE;
            }
        }
        self.drop_grant(name, number);
    }

    fn drop_grant(&mut self, name: &Mailbox, number: u32) {
        let Some(grant) = self.grants.remove(number) else { return };
        let hash = self.hasher.hash_one((name, grant.id));
        if let Ok(entry) = self.by_grant.find_entry(hash, |n| *n == number) {
            entry.remove();
        }
        if let Some(inbox) = self.inboxes.get_mut(grant.mailbox) {
            inbox.grants.retain(|one| *one != number);
        }
    }

    /// A message that is there already is moved: this is its copy.
    pub(super) fn put(
        &mut self,
        message: &record::Message,
        at: Place,
        length: u16,
        effects: &mut Effects,
    ) {
        let mailbox = self.inbox(Mailbox(message.mailbox));
        let id = Id(message.id);
        let fact = u8::try_from(length).unwrap_or(u8::MAX);
        let size = match message.file {
            Some(_) => NONE,
            None => u32::try_from(message.size).unwrap_or(NONE - 1),
        };
        if let Some(number) = self.message(mailbox, &id) {
            let Some(entry) = self.messages.get_mut(number) else { return };
            effects.erased.extend(entry.body());
            let (from, old) = (entry.place, Self::record_length(entry));
            (entry.place, entry.fact) = (at, fact);
            let new = Self::record_length(entry);
            self.lives(from, |live| *live -= old);
            self.lives(at, |live| *live += new);
            return;
        }
        let grant = self.named_grant(message.mailbox, message.capability);
        if let Some(upload) = self.end_upload(mailbox, &id)
            && message.file != Some(upload.file)
        {
            effects.files.push(upload.file);
        }
        let previous = self.inboxes.get(mailbox).map_or(NONE, |inbox| inbox.last);
        let entry = Entry {
            id,
            expires: message.expires,
            mailbox,
            grant,
            place: at,
            size,
            previous,
            next: NONE,
            fact,
            pending: true,
        };
        let length = Self::record_length(&entry);
        self.lives(at, |live| *live += length);
        let number = self.messages.insert(entry);
        match self.messages.get_mut(previous) {
            Some(before) => before.next = number,
            None => {
                if let Some(inbox) = self.inboxes.get_mut(mailbox) {
                    inbox.first = number;
                }
            }
        }
        if let Some(inbox) = self.inboxes.get_mut(mailbox) {
            inbox.last = number;
        }
        if let Some(file) = message.file {
            self.large.insert(number, Large { size: message.size, file });
        }
        let Self { messages, by_id, hasher, .. } = self;
        by_id.insert_unique(hasher.hash_one((mailbox, id)), number, |n| {
            messages.get(*n).map_or(0, |entry| hasher.hash_one((entry.mailbox, entry.id)))
        });
        effects.added.push(number);
        if let Some(grant) = self.grants.get_mut(grant)
            && message.order.is_none()
        {
            grant.pushed += 1;
            if grant.hourly.hour != message.hour {
                grant.hourly = Hourly { hour: message.hour, pushed: 0 };
            }
            grant.hourly.pushed += 1;
        }
        self.count(mailbox, grant, |held, _| {
            held.messages += 1;
            held.bytes += message.size;
        });
        self.total.messages += 1;
        self.total.bytes += message.size;
        self.hold(mailbox, |held| *held += message.size);
    }

    /// Changes what a mailbox and a capability hold and have reserved.
    fn count(&mut self, mailbox: u32, grant: u32, change: impl Fn(&mut Usage, &mut Usage)) {
        if let Some(inbox) = self.inboxes.get_mut(mailbox) {
            change(&mut inbox.held, &mut inbox.reserved);
        }
        if let Some(grant) = self.grants.get_mut(grant) {
            change(&mut grant.held, &mut grant.reserved);
        }
    }

    /// Changes what the mailboxes of a mailbox's token hold together.
    fn hold(&mut self, mailbox: u32, change: impl Fn(&mut u64)) {
        if let Some(token) = self.inboxes.get(mailbox).and_then(|inbox| inbox.token)
            && let Some(licence) = self.tokens.get_mut(&token.0)
        {
            change(&mut licence.held);
        }
    }

    /// Changes how many bytes of a segment are of messages that are there.
    fn lives(&mut self, place: Place, change: impl Fn(&mut u64)) {
        if let Some(kept) = self.segments.get_mut(&place.segment) {
            change(&mut kept.live);
        }
    }

    /// Takes a message out; `false` when there is none of that number.
    pub(in super::super) fn remove(&mut self, number: u32, effects: &mut Effects) -> bool {
        let Some(entry) = self.messages.remove(number) else { return false };
        match self.messages.get_mut(entry.previous) {
            Some(before) => before.next = entry.next,
            None => {
                if let Some(inbox) = self.inboxes.get_mut(entry.mailbox) {
                    inbox.first = entry.next;
                }
            }
        }
        match self.messages.get_mut(entry.next) {
            Some(after) => after.previous = entry.previous,
            None => {
                if let Some(inbox) = self.inboxes.get_mut(entry.mailbox) {
                    inbox.last = entry.previous;
                }
            }
        }
        let hash = self.hasher.hash_one((entry.mailbox, entry.id));
        if let Ok(known) = self.by_id.find_entry(hash, |n| *n == number) {
            known.remove();
        }
        let size = match self.large.remove(&number) {
            Some(large) => {
                effects.files.push(large.file);
                large.size
            }
            None => {
                effects.erased.extend(entry.body());
                u64::from(entry.size)
            }
        };
        self.lives(entry.place, |live| *live -= Self::record_length(&entry));
        self.count(entry.mailbox, entry.grant, |held, _| {
            held.messages -= 1;
            held.bytes -= size;
        });
        self.total.messages -= 1;
        self.total.bytes -= size;
        self.hold(entry.mailbox, |held| *held = held.saturating_sub(size));
        true
    }

    pub(super) fn remember(&mut self, mailbox: u32, id: &Id, until: u64) {
        if until > 0
            && let Some(inbox) = self.inboxes.get(mailbox)
        {
            self.acked.insert(inbox.serial, id, until);
        }
    }

    pub(super) fn upload(&mut self, upload: &record::Upload, segment: u32, effects: &mut Effects) {
        let mailbox = self.inbox(Mailbox(upload.mailbox));
        let key = (mailbox, Id(upload.id));
        if let Some(partial) = self.uploads.get_mut(&key)
            && partial.upload.file == upload.file
        {
            partial.upload = upload.clone();
            partial.segment = segment;
            return;
        }
        effects.files.extend(self.end_upload(mailbox, &key.1).map(|upload| upload.file));
        let grant = self.named_grant(upload.mailbox, upload.capability);
        self.reserve(mailbox, grant, upload.size);
        let upload = upload.clone();
        self.uploads.insert(key, Partial { grant, upload, busy: false, hash: None, segment });
    }

    pub(super) fn end_upload(&mut self, mailbox: u32, id: &Id) -> Option<record::Upload> {
        let partial = self.uploads.remove(&(mailbox, *id))?;
        self.release(mailbox, partial.grant, partial.upload.size);
        Some(partial.upload)
    }

    /// Keeps room for a message of `size` bytes.
    pub(in super::super) fn reserve(&mut self, mailbox: u32, grant: u32, size: u64) {
        self.count(mailbox, grant, |_, reserved| {
            reserved.messages += 1;
            reserved.bytes += size;
        });
        self.reserved += size;
        self.hold(mailbox, |held| *held += size);
    }

    /// Gives the room back.
    pub(in super::super) fn release(&mut self, mailbox: u32, grant: u32, size: u64) {
        self.count(mailbox, grant, |_, reserved| {
            reserved.messages = reserved.messages.saturating_sub(1);
            reserved.bytes = reserved.bytes.saturating_sub(size);
        });
        self.reserved = self.reserved.saturating_sub(size);
        self.hold(mailbox, |held| *held = held.saturating_sub(size));
    }

    /// After the log was read: forgets what nobody registered or allowed, and puts messages in
    /// the order in which they came.
    pub(in super::super) fn settle(&mut self, order: &HashMap<u32, u64>, effects: &mut Effects) {
        let strangers: Vec<Mailbox> =
            self.inboxes.iter().filter(|(_, i)| !i.registered).map(|(_, i)| i.name).collect();
        strangers.iter().for_each(|name| self.close(name, effects));
        let revoked = self.grants.iter().filter(|(_, grant)| !grant.allowed);
        let revoked: Vec<_> = revoked.map(|(_, grant)| (grant.mailbox, grant.id)).collect();
        for (mailbox, id) in revoked {
            if let Some(name) = self.inboxes.get(mailbox).map(|inbox| inbox.name) {
                self.revoke(&name, &id);
            }
        }
        let unused = |licence: &Licence| licence.good.is_some() || licence.used > 0;
        self.tokens.retain(|_, licence| unused(licence));
        self.sort(order);
    }

    fn sort(&mut self, order: &HashMap<u32, u64>) {
        if order.is_empty() {
            return;
        }
        let mut all: Vec<(u64, u32)> = self
            .messages
            .iter()
            .map(|(n, entry)| {
                (order.get(&n).copied().unwrap_or_else(|| super::order(entry.place)), n)
            })
            .collect();
        all.sort_unstable();
        for number in 0..self.inboxes.end() {
            if let Some(inbox) = self.inboxes.get_mut(number) {
                (inbox.first, inbox.last) = (NONE, NONE);
            }
        }
        for (_, number) in all {
            let Some(mailbox) = self.messages.get(number).map(|entry| entry.mailbox) else {
                continue;
            };
            let Some(inbox) = self.inboxes.get_mut(mailbox) else { continue };
            let previous = std::mem::replace(&mut inbox.last, number);
            if previous == NONE {
                inbox.first = number;
            }
            if let Some(before) = self.messages.get_mut(previous) {
                before.next = number;
            }
            if let Some(entry) = self.messages.get_mut(number) {
                (entry.previous, entry.next) = (previous, NONE);
            }
        }
    }
}
