//! Who may push what: decided before a body is asked for, and room kept from then on, so that
//! many pushes at once cannot overrun a bound.

use std::sync::Arc;

use crate::relay::protocol::{CapabilityId, Entry, Id, Mailbox};
use crate::relay::store::embedded::index::Index;
use crate::relay::store::embedded::log::Turn;
use crate::relay::store::embedded::record::Fact;
use crate::relay::store::embedded::shared::Shared;
use crate::relay::store::{Error, Push, Put, Quotas};

/// Room for one message that is on its way. Given back when dropped; by then the message is
/// counted as stored, or refused.
pub(super) struct Reservation {
    shared: Arc<Shared>,
    room: Option<Room>,
}

#[derive(Clone, Copy)]
struct Room {
    mailbox: u32,
    grant: u32,
    /// Serial numbers: by the time the room is given back, the numbers may be another's.
    serials: (u32, u32),
    size: u64,
}

impl Reservation {
    /// Gives the room back within a turn of the writer, which then counts the message itself.
    pub(super) fn settle(mut self, index: &mut Index) {
        if let Some(room) = self.room.take() {
            room.release(index);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            room.release(&mut self.shared.index());
        }
    }
}

impl Room {
    fn release(self, index: &mut Index) {
        let inbox = index.inboxes.get(self.mailbox).map(|inbox| inbox.serial);
        // A mailbox that was closed took its reservations with it.
        if inbox != Some(self.serials.0) {
            return;
        }
        let grant = index.grants.get(self.grant).map(|grant| grant.serial);
        let grant = if grant == Some(self.serials.1) {
            self.grant
        } else {
            crate::relay::store::embedded::slab::NONE
        };
        index.release(self.mailbox, grant, self.size);
    }
}

/// What is known of a push before its body.
pub(super) enum Admitted {
    /// It was there before.
    Already,
    /// There is room for it.
    Room(Reservation),
}

/// Finds the capability: one look, the same whether the mailbox or the capability is missing.
pub(super) fn capability(
    index: &Index,
    mailbox: &Mailbox,
    id: &CapabilityId,
    now: u64,
) -> Result<(u32, u32), Error> {
    let number = index.find_grant(mailbox, id).ok_or(Error::NoMailbox)?;
    let grant = index.grants.get(number).ok_or(Error::NoMailbox)?;
    if grant.terms.expires.is_some_and(|expires| expires <= now) {
        return Err(Error::NoMailbox);
    }
    Ok((grant.mailbox, number))
}

/// Whether a push of this message would bring nothing new.
pub(super) fn is_known(index: &Index, mailbox: u32, id: &Id, now: u64) -> bool {
    let waiting = index.message(mailbox, id).and_then(|number| index.messages.get(number));
    if let Some(entry) = waiting {
        return entry.expires > now;
    }
    let serial = index.inboxes.get(mailbox).map_or(0, |inbox| inbox.serial);
    index.acked.until(serial, id).is_some_and(|until| until > now)
}

/// Admits a push or refuses it.
pub(super) fn admit(shared: &Arc<Shared>, push: &Push) -> Result<Admitted, Error> {
    let mut index = shared.index();
    let (mailbox, grant) = capability(&index, &push.mailbox, &push.capability, push.now)?;
    let Entry { id, size, .. } = push.message;
    // What waits is durable only once it is shown; before, it takes its turn behind the first.
    let pending = index.message(mailbox, &id).and_then(|number| index.messages.get(number));
    if is_known(&index, mailbox, &id, push.now) && !pending.is_some_and(|entry| entry.pending) {
        return Ok(Admitted::Already);
    }
    bounds(&index, (mailbox, grant), size, push.now, &shared.quotas)?;
    if shared.disk_is_low(1) {
        return Err(Error::RelayFull);
    }
    index.reserve(mailbox, grant, size);
    let serials = (
        index.inboxes.get(mailbox).map_or(0, |inbox| inbox.serial),
        index.grants.get(grant).map_or(0, |grant| grant.serial),
    );
    drop(index);
    let room = Some(Room { mailbox, grant, serials, size });
    Ok(Admitted::Room(Reservation { shared: shared.clone(), room }))
}

fn bounds(
    index: &Index,
    (mailbox, grant): (u32, u32),
    size: u64,
    now: u64,
    quotas: &Quotas,
) -> Result<(), Error> {
    let grant = index.grants.get(grant).ok_or(Error::NoMailbox)?;
    let inbox = index.inboxes.get(mailbox).ok_or(Error::NoMailbox)?;
    let (terms, more) = (&grant.terms, grant.reserved.messages);
    let over = |bound: Option<u64>, count: u64| bound.is_some_and(|most| count > most);
    if over(terms.total, grant.pushed + more + 1) {
        return Err(Error::NoMailbox);
    }
    let hour = u64::from(grant.hourly.hour) == now / 3600;
    let pushed = if hour { grant.hourly.pushed } else { 0 };
    if over(terms.hourly, pushed + more + 1) {
        return Err(Error::Rate);
    }
    let sum = |held: u64, reserved: u64| held.saturating_add(reserved).saturating_add(size);
    if over(terms.messages, grant.held.messages + more + 1)
        || over(terms.bytes, sum(grant.held.bytes, grant.reserved.bytes))
    {
        return Err(Error::ShareFull);
    }
    if inbox.held.messages + inbox.reserved.messages >= quotas.mailbox_messages
        || sum(inbox.held.bytes, inbox.reserved.bytes) > quotas.mailbox_bytes
    {
        return Err(Error::MailboxFull);
    }
    let licence = inbox.token.and_then(|token| index.tokens.get(&token.0));
    let share = licence.and_then(|licence| Some((licence.good?.bytes?, licence.held)));
    if share.is_some_and(|(most, held)| held.saturating_add(size) > most) {
        return Err(Error::MailboxFull);
    }
    if sum(index.total.bytes, index.reserved) > quotas.store_bytes {
        return Err(Error::RelayFull);
    }
    Ok(())
}

impl Turn<'_> {
    /// Puts a message, unless it came before.
    pub(super) fn message(
        &mut self,
        push: &Push,
        fact: &Fact,
        record: &[u8],
    ) -> Result<Put, Error> {
        let id = push.message.id;
        let (mailbox, _) = capability(self.index, &push.mailbox, &push.capability, push.now)?;
        if is_known(self.index, mailbox, &id, push.now) {
            return Ok(Put::Already);
        }
        if self.index.message(mailbox, &id).is_some() {
            // It has expired, and comes anew.
            let ids = vec![id.0];
            self.say(&Fact::Gone { mailbox: push.mailbox.0, remember: 0, ids })?;
        }
        self.put(fact, record);
        Ok(Put::New)
    }
}
