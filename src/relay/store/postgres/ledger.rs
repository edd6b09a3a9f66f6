//! Who may push how much: what is decided for each push of a group, from rows that are locked.
//!
//! Nothing here waits or writes. The rows of the mailboxes are locked while it decides, so what
//! one relay decides holds however many others push to the same mailbox.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::relay::protocol::{CapabilityId, Id, Mailbox, Terms, TokenId};
use crate::relay::store::postgres::slots;
use crate::relay::store::{Error, Push, Put, Quotas, Usage};

/// A mailbox as it was read, and what is added to it.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) token: Option<TokenId>,
    /// What waits in it and what is reserved for uploads.
    pub(super) taken: Usage,
    pub(super) added: Usage,
}

/// A capability as it was read, and what is added to it.
#[derive(Debug, Default)]
pub(super) struct Share {
    pub(super) terms: Terms,
    /// Pushed so far, uploads on their way included.
    pub(super) pushed: u64,
    /// What waits of it and what is reserved for uploads.
    pub(super) taken: Usage,
    pub(super) hour: u64,
    pub(super) in_hour: u64,
    pub(super) added: Usage,
}

/// A token with a bound.
#[derive(Debug, Default)]
pub(super) struct Purse {
    pub(super) most: Option<u64>,
    pub(super) taken: u64,
    pub(super) added: u64,
}

/// What is known before a group is decided. Ordered where rows are written in order.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) boxes: BTreeMap<Mailbox, Held>,
    pub(super) shares: BTreeMap<(Mailbox, CapabilityId), Share>,
    pub(super) purses: BTreeMap<TokenId, Purse>,
    /// Messages that wait or were acknowledged, and until when that counts.
    pub(super) known: HashMap<(Mailbox, Id), u64>,
    /// Of these, the ones that wait.
    pub(super) waiting: HashSet<(Mailbox, Id)>,
    /// Bytes in all.
    pub(super) total: u64,
    /// Slots that are not served here.
    pub(super) elsewhere: HashSet<i16>,
}

impl Ledger {
    /// The first hurdle: whether the capability opens the mailbox at all.
    pub(super) fn opens(&self, push: &Push) -> Result<(&Held, &Share), Error> {
        let held = self.boxes.get(&push.mailbox).ok_or(Error::NoMailbox)?;
        let share = self.shares.get(&(push.mailbox, push.capability)).ok_or(Error::NoMailbox)?;
        if share.terms.expires.is_some_and(|end| end <= push.now) {
            return Err(Error::NoMailbox);
        }
        Ok((held, share))
    }

    /// Whether a message is there, or was acknowledged lately.
    pub(super) fn knows(&self, push: &Push) -> bool {
        self.known
            .get(&(push.mailbox, push.message.id))
            .is_some_and(|deadline| *deadline > push.now)
    }

    /// Whether a message is there that has expired, and gives way to a new one.
    pub(super) fn is_stale(&self, push: &Push) -> bool {
        self.waiting.contains(&(push.mailbox, push.message.id)) && !self.knows(push)
    }

    /// Decides a push, and counts it if it is taken.
    pub(super) fn admit(&mut self, push: &Push, quotas: &Quotas) -> Result<Put, Error> {
        let outcome = self.check(push, quotas)?;
        if outcome == Put::New {
            self.count(push);
        }
        Ok(outcome)
    }

    /// Decides a push.
    pub(super) fn check(&self, push: &Push, quotas: &Quotas) -> Result<Put, Error> {
        let (held, share) = self.opens(push)?;
        // A repetition takes nothing, so it is answered also when the capability is used up.
        if self.knows(push) {
            return Ok(Put::Already);
        }
        let size = push.message.size;
        let hour = push.now / 3600;
        let terms = &share.terms;
        let over = |bound: Option<u64>, n: u64| bound.is_some_and(|bound| n > bound);
        if over(terms.total, share.pushed.saturating_add(1)) {
            return Err(Error::NoMailbox);
        }
        if over(terms.hourly, share.pushes_in(hour).saturating_add(1)) {
            return Err(Error::Rate);
        }
        let with = |usage: Usage| Usage {
            messages: usage.messages.saturating_add(1),
            bytes: usage.bytes.saturating_add(size),
        };
        let mine = with(share.taken);
        if over(terms.messages, mine.messages) || over(terms.bytes, mine.bytes) {
            return Err(Error::ShareFull);
        }
        let all = with(held.taken);
        let purse = held.token.and_then(|token| self.purses.get(&token));
        let spent = |purse: &Purse| over(purse.most, purse.taken.saturating_add(size));
        if all.messages > quotas.mailbox_messages
            || all.bytes > quotas.mailbox_bytes
            || purse.is_some_and(spent)
        {
            return Err(Error::MailboxFull);
        }
        if self.total.saturating_add(size) > quotas.store_bytes {
            return Err(Error::RelayFull);
        }
        Ok(Put::New)
    }

    /// Whether this cluster has nothing to say about a mailbox.
    pub(super) fn has_left(&self, mailbox: &Mailbox) -> bool {
        !self.elsewhere.is_empty() && self.elsewhere.contains(&slots::of(mailbox))
    }

    /// Takes uploads into account that have begun; the bytes of them all are in the total.
    pub(super) fn uploading(&mut self, at: (Mailbox, CapabilityId), begun: Usage) {
        let total = self.total;
        self.reserve(at, begun);
        self.total = total;
        if let Some(share) = self.shares.get_mut(&at) {
            share.pushed = share.pushed.saturating_add(begun.messages);
        }
    }

    /// Takes what is on its way elsewhere into account.
    pub(super) fn reserve(&mut self, at: (Mailbox, CapabilityId), coming: Usage) {
        let add = |usage: &mut Usage| {
            usage.messages = usage.messages.saturating_add(coming.messages);
            usage.bytes = usage.bytes.saturating_add(coming.bytes);
        };
        if let Some(share) = self.shares.get_mut(&at) {
            add(&mut share.taken);
        }
        if let Some(held) = self.boxes.get_mut(&at.0) {
            add(&mut held.taken);
        }
        self.total = self.total.saturating_add(coming.bytes);
    }

    /// Counts a message that is taken.
    pub(super) fn count(&mut self, push: &Push) {
        let size = push.message.size;
        let hour = push.now / 3600;
        let add = |usage: &mut Usage| {
            usage.messages = usage.messages.saturating_add(1);
            usage.bytes = usage.bytes.saturating_add(size);
        };
        if let Some(share) = self.shares.get_mut(&(push.mailbox, push.capability)) {
            share.in_hour = share.pushes_in(hour).saturating_add(1);
            share.hour = hour;
            share.pushed = share.pushed.saturating_add(1);
            add(&mut share.taken);
            add(&mut share.added);
        }
        if let Some(held) = self.boxes.get_mut(&push.mailbox) {
            add(&mut held.taken);
            add(&mut held.added);
            if let Some(purse) = held.token.and_then(|token| self.purses.get_mut(&token)) {
                purse.taken = purse.taken.saturating_add(size);
                purse.added = purse.added.saturating_add(size);
            }
        }
        self.total = self.total.saturating_add(size);
        self.known.insert((push.mailbox, push.message.id), push.message.expires);
    }
}

impl Share {
    fn pushes_in(&self, hour: u64) -> u64 {
        if self.hour == hour { self.in_hour } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::protocol::Entry;

    const BOX: Mailbox = Mailbox([1; 32]);
    const CAP: CapabilityId = CapabilityId([2; 32]);

    fn push(id: u8, size: u64, now: u64) -> Push {
        let message = Entry { id: Id([id; 32]), size, expires: now + 3600 };
        Push { mailbox: BOX, capability: CAP, message, now }
    }

    fn ledger(terms: Terms) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.boxes.insert(BOX, Held::default());
        ledger.shares.insert((BOX, CAP), Share { terms, ..Share::default() });
        ledger
    }

    #[test]
    fn each_bound_holds_within_a_group() {
        let quotas = Quotas::default();
        let cases = [
            (Terms { total: Some(2), ..Terms::default() }, "NoMailbox"),
            (Terms { hourly: Some(2), ..Terms::default() }, "Rate"),
            (Terms { messages: Some(2), ..Terms::default() }, "ShareFull"),
            (Terms { bytes: Some(20), ..Terms::default() }, "ShareFull"),
        ];
        for (terms, expected) in cases {
            let mut ledger = ledger(terms);
            for id in [1, 2, 1] {
                let again = id == 1 && ledger.knows(&push(1, 10, 0));
                let outcome = ledger.admit(&push(id, 10, 0), &quotas).unwrap();
                assert_eq!(outcome == Put::Already, again);
            }
            let refused = ledger.admit(&push(3, 10, 0), &quotas).unwrap_err();
            assert_eq!(format!("{refused:?}"), expected);
            // A repetition takes nothing.
            assert_eq!(ledger.admit(&push(2, 10, 0), &quotas).unwrap(), Put::Already);
        }
    }

    #[test]
    fn an_hour_ends_at_the_full_hour() {
        let quotas = Quotas::default();
        let mut ledger = ledger(Terms { hourly: Some(1), ..Terms::default() });
        assert!(ledger.admit(&push(1, 1, 3599), &quotas).is_ok());
        assert!(matches!(ledger.admit(&push(2, 1, 3599), &quotas), Err(Error::Rate)));
        assert!(ledger.admit(&push(2, 1, 3600), &quotas).is_ok());
    }

    #[test]
    fn mailbox_token_and_relay_have_their_bounds() {
        let small = Quotas { mailbox_bytes: 15, ..Quotas::default() };
        let refused = ledger(Terms::default()).admit(&push(1, 16, 0), &small);
        assert!(matches!(refused, Err(Error::MailboxFull)));
        let relay = Quotas { store_bytes: 15, ..Quotas::default() };
        let refused = ledger(Terms::default()).admit(&push(1, 16, 0), &relay);
        assert!(matches!(refused, Err(Error::RelayFull)));
        let mut ledger = ledger(Terms::default());
        let token = TokenId([3; 32]);
        ledger.boxes.entry(BOX).or_default().token = Some(token);
        ledger.purses.insert(token, Purse { most: Some(15), ..Purse::default() });
        assert!(ledger.admit(&push(1, 10, 0), &Quotas::default()).is_ok());
        let refused = ledger.admit(&push(2, 10, 0), &Quotas::default());
        assert!(matches!(refused, Err(Error::MailboxFull)));
        assert_eq!(ledger.purses[&token].added, 10);
    }

    #[test]
    fn what_is_expired_opens_nothing_and_blocks_nothing() {
        let quotas = Quotas::default();
        let mut ledger = ledger(Terms { expires: Some(100), ..Terms::default() });
        ledger.known.insert((BOX, Id([1; 32])), 50);
        ledger.waiting.insert((BOX, Id([1; 32])));
        assert!(!ledger.is_stale(&push(1, 1, 49)));
        assert!(ledger.is_stale(&push(1, 1, 50)));
        assert_eq!(ledger.admit(&push(1, 1, 49), &quotas).unwrap(), Put::Already);
        assert_eq!(ledger.admit(&push(1, 1, 50), &quotas).unwrap(), Put::New);
        assert!(matches!(ledger.admit(&push(2, 1, 100), &quotas), Err(Error::NoMailbox)));
    }
}
