//! What every store does, one function a behaviour. Each begins with an empty store that
//! `open` opens, with [`quotas`]; called again after the first is dropped, it opens the same
//! store anew.
//!
//! `for_each_behaviour!(mine)` calls the macro `mine!` with all their names.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::crypto;
use crate::relay::protocol::{CapabilityId, Entry, Id, Mailbox, Terms, TokenId};
use crate::relay::store::{
    Answer, BodyError, Chunks, Error, INLINE, Push, Put, Quotas, Store, Token, Upload, Usage,
};
use bytes::Bytes;
use futures_util::future::join_all;

/// Opens the store.
pub(crate) type Open = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Arc<dyn Store>>>>>;

macro_rules! for_each_behaviour {
    ($with:ident) => {
        $with! {
            a_message_comes_back_as_it_came
            a_message_twice_is_one
            what_was_acknowledged_stays_away
            messages_are_listed_in_the_order_they_came
            a_list_is_as_long_as_asked
            what_expired_is_not_shown_and_is_swept
            a_body_is_read_from_any_byte_on
            many_bodies_are_taken_at_once
            a_body_that_breaks_off_leaves_nothing
            without_a_capability_there_is_no_mailbox
            a_capability_ends
            a_capability_has_a_share
            a_capability_pushes_so_many_an_hour
            a_capability_pushes_so_many_in_all
            new_terms_keep_what_was_counted
            a_revoked_capability_leaves_its_messages
            a_revoked_capability_stays_revoked
            capabilities_have_a_bound
            a_mailbox_has_a_bound
            the_store_has_a_bound
            room_is_kept_while_a_body_comes
            a_batch_is_decided_one_by_one
            a_batch_arrives_in_its_order
            a_closed_mailbox_is_gone_with_all_it_held
            a_token_registers_so_many
            a_token_bounds_the_bytes_of_its_mailboxes
            a_token_that_ended_registers_nothing
            there_are_so_many_mailboxes
            an_upload_goes_on_where_it_was
            an_upload_that_breaks_off_keeps_what_came
            an_upload_of_other_bytes_is_thrown_away
            an_upload_reserves_its_room
            an_upload_is_swept_after_a_day
            a_short_upload_is_a_message_like_others
            pushes_at_once_stay_within_bounds
            an_arrival_is_told
            mailboxes_do_not_show_in_each_other
            all_of_it_is_there_after_a_restart
        }
    };
}

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const LATER: u64 = NOW + 30 * 86_400;
pub(crate) const BOX: Mailbox = Mailbox([1; 32]);
pub(crate) const OTHER: Mailbox = Mailbox([2; 32]);
pub(crate) const CAP: CapabilityId = CapabilityId([7; 32]);
pub(crate) const CAP2: CapabilityId = CapabilityId([8; 32]);

/// The bounds the behaviours are written for.
pub(crate) fn quotas() -> Quotas {
    Quotas {
        mailbox_messages: 1000,
        mailbox_bytes: 2 << 20,
        mailbox_capabilities: 3,
        store_bytes: 3 << 20,
        mailboxes: 4,
    }
}

/// A body in pieces, that may break off at its end.
pub(crate) struct Pieces(Vec<Bytes>, Option<BodyError>);

impl Pieces {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.chunks(10_000).rev().map(Bytes::copy_from_slice).collect(), None)
    }

    fn breaking(bytes: &[u8], error: BodyError) -> Self {
        Self(Self::new(bytes).0, Some(error))
    }
}

impl Chunks for Pieces {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        let next = match (self.0.pop(), self.1) {
            (Some(piece), _) => Ok(Some(piece)),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Ok(None),
        };
        Box::pin(std::future::ready(next))
    }
}

pub(crate) fn entry(bytes: &[u8]) -> Entry {
    Entry { id: Id(crypto::sha256(&[bytes])), size: bytes.len() as u64, expires: LATER }
}

pub(crate) fn push(bytes: &[u8]) -> Push {
    Push { mailbox: BOX, capability: CAP, message: entry(bytes), now: NOW }
}

/// Bytes that differ from those of another seed.
pub(crate) fn text(seed: u64, length: usize) -> Vec<u8> {
    let seed = crypto::sha256(&[&seed.to_be_bytes()]);
    seed.iter().copied().cycle().take(length).collect()
}

async fn put(store: &Arc<dyn Store>, push: Push, bytes: &[u8]) -> Result<Put, Error> {
    store.put(push, &mut Pieces::new(bytes)).await
}

/// Pushes and demands that it is new.
async fn new(store: &Arc<dyn Store>, bytes: &[u8]) -> Id {
    assert_eq!(put(store, push(bytes), bytes).await.unwrap(), Put::New);
    entry(bytes).id
}

async fn all(body: &mut dyn Chunks) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await.unwrap() {
        assert!(!piece.is_empty());
        bytes.extend_from_slice(&piece);
    }
    bytes
}

pub(crate) async fn body(store: &Arc<dyn Store>, mailbox: Mailbox, id: Id) -> Option<Vec<u8>> {
    let mut stored = store.get(mailbox, id, 0, NOW).await.unwrap()?;
    let bytes = all(&mut *stored.body).await;
    assert_eq!(bytes.len() as u64, stored.size);
    Some(bytes)
}

async fn ids(store: &Arc<dyn Store>, mailbox: Mailbox) -> Vec<Id> {
    store.list(mailbox, 1000, NOW).await.unwrap().iter().map(|entry| entry.id).collect()
}

async fn usage(store: &Arc<dyn Store>) -> (u64, u64) {
    let Usage { messages, bytes } = store.usage(BOX).await.unwrap().unwrap();
    (messages, bytes)
}

/// Opens a store with one mailbox and one capability without bounds.
async fn with_box(open: &Open) -> Arc<dyn Store> {
    let store = open().await;
    assert!(store.register(BOX, None, NOW).await.unwrap());
    store.allow(BOX, CAP, Terms::default()).await.unwrap();
    store
}

pub(crate) async fn a_message_comes_back_as_it_came(open: Open) {
    let store = with_box(&open).await;
    for size in [1, 1000, INLINE as usize, INLINE as usize + 1, 700_000] {
        let bytes = text(size as u64, size);
        let id = new(&store, &bytes).await;
        assert_eq!(body(&store, BOX, id).await.unwrap(), bytes);
        assert!(store.list(BOX, 10, NOW).await.unwrap().contains(&entry(&bytes)));
    }
    assert_eq!(body(&store, BOX, Id([9; 32])).await, None);
}

pub(crate) async fn a_message_twice_is_one(open: Open) {
    let store = with_box(&open).await;
    for bytes in [text(1, 100), text(2, 300_000)] {
        let id = new(&store, &bytes).await;
        assert_eq!(put(&store, push(&bytes), &bytes).await.unwrap(), Put::Already);
        // The second body is not even asked for.
        let mut untouched = Pieces::breaking(&[], BodyError::TooSlow);
        assert_eq!(store.put(push(&bytes), &mut untouched).await.unwrap(), Put::Already);
        assert_eq!(body(&store, BOX, id).await.unwrap(), bytes);
    }
    assert_eq!(usage(&store).await, (2, 300_100));
    // At once: one of them is new.
    let bytes = text(3, 50);
    let puts = join_all((0..8).map(|_| put(&store, push(&bytes), &bytes))).await;
    assert_eq!(puts.iter().filter(|put| matches!(put, Ok(Put::New))).count(), 1);
    assert_eq!(usage(&store).await.0, 3);
}

pub(crate) async fn what_was_acknowledged_stays_away(open: Open) {
    let store = with_box(&open).await;
    let until = NOW + 3600;
    for bytes in [text(1, 100), text(2, 300_000)] {
        let id = new(&store, &bytes).await;
        assert_eq!(store.ack(BOX, vec![id, Id([3; 32]), id], until).await.unwrap(), 1);
        assert_eq!(store.ack(BOX, vec![id], until).await.unwrap(), 0);
        assert_eq!(body(&store, BOX, id).await, None);
        assert_eq!(put(&store, push(&bytes), &bytes).await.unwrap(), Put::Already);
        assert!(ids(&store, BOX).await.is_empty());
        // In another mailbox it is another message, and after a while it may come again.
        let late = Push { now: until, ..push(&bytes) };
        assert_eq!(put(&store, late, &bytes).await.unwrap(), Put::New);
        assert_eq!(body(&store, BOX, id).await.unwrap(), bytes);
        assert_eq!(store.ack(BOX, vec![id], 0).await.unwrap(), 1);
    }
    assert_eq!(usage(&store).await, (0, 0));
    assert!(matches!(store.ack(OTHER, vec![], until).await, Err(Error::NoMailbox)));
}

pub(crate) async fn messages_are_listed_in_the_order_they_came(open: Open) {
    let store = with_box(&open).await;
    let mut expected = Vec::new();
    for number in 0..20 {
        let size = if number % 7 == 3 { 300_000 } else { 10 };
        expected.push(new(&store, &text(number, size)).await);
    }
    assert_eq!(ids(&store, BOX).await, expected);
    let gone = [expected.remove(0), expected.remove(9), expected.pop().unwrap()];
    store.ack(BOX, gone.to_vec(), 0).await.unwrap();
    assert_eq!(ids(&store, BOX).await, expected);
    expected.push(new(&store, b"last").await);
    assert_eq!(ids(&store, BOX).await, expected);
}

pub(crate) async fn a_list_is_as_long_as_asked(open: Open) {
    let store = with_box(&open).await;
    for number in 0..5 {
        new(&store, &text(number, 10)).await;
    }
    for (limit, length) in [(0, 0), (1, 1), (4, 4), (5, 5), (100, 5)] {
        assert_eq!(store.list(BOX, limit, NOW).await.unwrap().len(), length);
    }
    assert!(matches!(store.list(OTHER, 1, NOW).await, Err(Error::NoMailbox)));
}

pub(crate) async fn what_expired_is_not_shown_and_is_swept(open: Open) {
    let store = with_box(&open).await;
    let expiring = |bytes: &[u8], after| Push {
        message: Entry { expires: NOW + after, ..entry(bytes) },
        ..push(bytes)
    };
    for (number, size) in [(1, 10), (2, 300_000)] {
        let bytes = text(number, size);
        put(&store, expiring(&bytes, 100), &bytes).await.unwrap();
    }
    let stays = new(&store, b"stays").await;
    assert_eq!(store.list(BOX, 10, NOW + 99).await.unwrap().len(), 3);
    assert_eq!(store.list(BOX, 10, NOW + 100).await.unwrap(), [entry(b"stays")]);
    let first = entry(&text(1, 10)).id;
    assert!(store.get(BOX, first, 0, NOW + 100).await.unwrap().is_none());
    assert!(store.take(BOX, vec![first], 1000, NOW + 100).await.unwrap().is_empty());
    // One that expired may come again before anybody swept.
    let again = Push { now: NOW + 100, ..expiring(&text(1, 10), 200) };
    assert_eq!(put(&store, again, &text(1, 10)).await.unwrap(), Put::New);
    assert_eq!(store.sweep(NOW + 99).await.unwrap(), 0);
    assert_eq!(store.sweep(NOW + 150).await.unwrap(), 1);
    assert_eq!(store.sweep(NOW + 150).await.unwrap(), 0);
    assert_eq!(ids(&store, BOX).await, [stays, first]);
    assert_eq!(store.sweep(NOW + 250).await.unwrap(), 1);
    assert_eq!(usage(&store).await, (1, 5));
    assert_eq!(store.totals().await.unwrap().waiting, Usage { messages: 1, bytes: 5 });
}

pub(crate) async fn a_body_is_read_from_any_byte_on(open: Open) {
    let store = with_box(&open).await;
    for size in [1000, 300_000] {
        let bytes = text(size as u64, size);
        let id = new(&store, &bytes).await;
        for from in [0, 1, size / 2, size - 1, size] {
            let mut stored = store.get(BOX, id, from as u64, NOW).await.unwrap().unwrap();
            assert_eq!(stored.size, size as u64);
            assert_eq!(all(&mut *stored.body).await, bytes[from..]);
        }
        for from in [size as u64 + 1, u64::MAX] {
            assert!(store.get(BOX, id, from, NOW).await.unwrap().is_none());
        }
    }
}

pub(crate) async fn many_bodies_are_taken_at_once(open: Open) {
    let store = with_box(&open).await;
    let bodies: Vec<Vec<u8>> = (0..6).map(|n| text(n, 200_000)).collect();
    let mut asked = Vec::new();
    for bytes in &bodies {
        asked.push(new(&store, bytes).await);
    }
    let long = new(&store, &text(10, INLINE as usize + 1)).await;
    asked.reverse();
    let missing = [&[Id([5; 32]), long][..], &asked, &[Id([6; 32])]].concat();
    let taken = store.take(BOX, missing.clone(), 8 << 20, NOW).await.unwrap();
    assert_eq!(taken.iter().map(|(id, _)| *id).collect::<Vec<_>>(), asked);
    for (id, bytes) in &taken {
        assert_eq!(entry(bytes).id, *id);
    }
    // No more than the limit, and no message in part.
    for (limit, count) in [(0, 0), (199_999, 0), (200_000, 1), (599_999, 2), (600_000, 3)] {
        let taken = store.take(BOX, missing.clone(), limit, NOW).await.unwrap();
        assert_eq!(taken.len(), count, "{limit}");
    }
    // Nothing is gone by it.
    assert_eq!(usage(&store).await.0, 7);
    assert!(matches!(store.take(OTHER, vec![], 1, NOW).await, Err(Error::NoMailbox)));
}

pub(crate) async fn a_body_that_breaks_off_leaves_nothing(open: Open) {
    let store = with_box(&open).await;
    for size in [10, 300_000] {
        let bytes = text(1, size);
        for error in [BodyError::WrongHash, BodyError::WrongLength, BodyError::TooSlow] {
            let outcome = store.put(push(&bytes), &mut Pieces::breaking(&bytes, error)).await;
            assert!(matches!(outcome, Err(Error::Body(same)) if same == error));
        }
        assert_eq!(usage(&store).await, (0, 0));
        assert!(ids(&store, BOX).await.is_empty());
        assert!(body(&store, BOX, entry(&bytes).id).await.is_none());
    }
    // All the room is there again.
    for number in 0..quotas().mailbox_messages {
        new(&store, &text(number, 10)).await;
    }
}

pub(crate) async fn without_a_capability_there_is_no_mailbox(open: Open) {
    let store = with_box(&open).await;
    let bytes = text(1, 10);
    let wrong = [
        Push { mailbox: OTHER, ..push(&bytes) },
        Push { capability: CAP2, ..push(&bytes) },
        Push { capability: CapabilityId::public(), ..push(&bytes) },
    ];
    for push in wrong {
        assert!(matches!(put(&store, push, &bytes).await, Err(Error::NoMailbox)));
        let part = store.append(push, 0, &mut Pieces::new(&bytes)).await;
        assert!(matches!(part, Err(Error::NoMailbox)));
        let far = store.uploaded(push.mailbox, push.capability, push.message.id, NOW).await;
        assert!(matches!(far, Err(Error::NoMailbox)));
        let all = vec![(push.message, Bytes::from(bytes.clone()))];
        match store.put_all(push.mailbox, push.capability, all, NOW).await {
            Err(Error::NoMailbox) => {}
            Ok(outcomes) => assert!(matches!(outcomes[..], [Err(Error::NoMailbox)])),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(matches!(store.allow(OTHER, CAP, Terms::default()).await, Err(Error::NoMailbox)));
    assert!(matches!(store.revoke(OTHER, CAP).await, Err(Error::NoMailbox)));
    assert!(matches!(store.capabilities(OTHER).await, Err(Error::NoMailbox)));
    assert!(matches!(store.get(OTHER, Id([0; 32]), 0, NOW).await, Err(Error::NoMailbox)));
    assert_eq!(store.usage(OTHER).await.unwrap(), None);
    // A public inbox is one that allows the capability of those who show none.
    store.allow(BOX, CapabilityId::public(), Terms::default()).await.unwrap();
    assert_eq!(put(&store, wrong[2], &bytes).await.unwrap(), Put::New);
}

async fn terms(store: &Arc<dyn Store>, terms: Terms) {
    store.allow(BOX, CAP, terms).await.unwrap();
}

pub(crate) async fn a_capability_ends(open: Open) {
    let store = with_box(&open).await;
    terms(&store, Terms { expires: Some(NOW + 10), ..Terms::default() }).await;
    new(&store, b"in time").await;
    for (now, good) in [(NOW + 9, true), (NOW + 10, false), (NOW + 11, false)] {
        let bytes = text(now, 10);
        let outcome = put(&store, Push { now, ..push(&bytes) }, &bytes).await;
        assert_eq!(outcome.is_ok(), good, "{now}");
        assert!(good || matches!(outcome, Err(Error::NoMailbox)));
    }
    assert_eq!(usage(&store).await.0, 2);
}

pub(crate) async fn a_capability_has_a_share(open: Open) {
    let store = with_box(&open).await;
    terms(&store, Terms { messages: Some(2), bytes: Some(400_000), ..Terms::default() }).await;
    store.allow(BOX, CAP2, Terms::default()).await.unwrap();
    let first = new(&store, &text(1, 300_000)).await;
    let refused = |outcome| matches!(outcome, Err(Error::ShareFull));
    assert!(refused(put(&store, push(&text(2, 100_001)), &text(2, 100_001)).await));
    new(&store, &text(3, 100_000)).await;
    assert!(refused(put(&store, push(b"x"), b"x").await));
    let part = store.append(push(b"x"), 0, &mut Pieces::new(b"x")).await;
    assert!(matches!(part, Err(Error::ShareFull)));
    // What is there already is no more, and the other capability has its own.
    assert_eq!(put(&store, push(&text(3, 100_000)), &[]).await.unwrap(), Put::Already);
    let other = Push { capability: CAP2, ..push(b"y") };
    assert_eq!(put(&store, other, b"y").await.unwrap(), Put::New);
    store.ack(BOX, vec![first], 0).await.unwrap();
    new(&store, b"x").await;
    let mut shares = store.capabilities(BOX).await.unwrap();
    shares.sort_by_key(|one| one.id);
    let counts: Vec<_> = shares.iter().map(|c| (c.id, c.pushed, c.messages, c.bytes)).collect();
    assert_eq!(counts, [(CAP, 3, 2, 100_001), (CAP2, 1, 1, 1)]);
}

pub(crate) async fn a_capability_pushes_so_many_an_hour(open: Open) {
    let store = with_box(&open).await;
    terms(&store, Terms { hourly: Some(2), ..Terms::default() }).await;
    let hour = NOW / 3600 * 3600 + 3600;
    let at = |now, number| {
        let store = store.clone();
        async move {
            let bytes = text(number, 10);
            put(&store, Push { now, ..push(&bytes) }, &bytes).await
        }
    };
    assert_eq!(at(hour, 1).await.unwrap(), Put::New);
    assert_eq!(at(hour + 1800, 2).await.unwrap(), Put::New);
    // It is the pushes that count, not what waits.
    store.ack(BOX, ids(&store, BOX).await, 0).await.unwrap();
    assert!(matches!(at(hour + 3599, 3).await, Err(Error::Rate)));
    assert_eq!(at(hour + 3600, 4).await.unwrap(), Put::New);
    assert_eq!(at(hour + 3600, 5).await.unwrap(), Put::New);
    assert!(matches!(at(hour + 3600, 6).await, Err(Error::Rate)));
}

pub(crate) async fn a_capability_pushes_so_many_in_all(open: Open) {
    let store = with_box(&open).await;
    terms(&store, Terms { total: Some(2), ..Terms::default() }).await;
    let first = new(&store, b"1").await;
    store.ack(BOX, vec![first], 0).await.unwrap();
    new(&store, b"2").await;
    assert!(matches!(put(&store, push(b"3"), b"3").await, Err(Error::NoMailbox)));
    // Whoever did not hear the answer may ask again.
    assert_eq!(put(&store, push(b"2"), b"2").await.unwrap(), Put::Already);
    terms(&store, Terms { total: Some(3), ..Terms::default() }).await;
    new(&store, b"3").await;
}

pub(crate) async fn new_terms_keep_what_was_counted(open: Open) {
    let store = with_box(&open).await;
    new(&store, b"1").await;
    let narrow = Terms { messages: Some(1), hourly: Some(9), total: Some(9), ..Terms::default() };
    terms(&store, narrow).await;
    assert!(matches!(put(&store, push(b"2"), b"2").await, Err(Error::ShareFull)));
    let [one] = store.capabilities(BOX).await.unwrap()[..] else { panic!() };
    assert_eq!((one.id, one.terms, one.pushed, one.messages, one.bytes), (CAP, narrow, 1, 1, 1));
}

pub(crate) async fn a_revoked_capability_leaves_its_messages(open: Open) {
    let store = with_box(&open).await;
    let id = new(&store, b"1").await;
    assert!(store.revoke(BOX, CAP).await.unwrap());
    assert!(!store.revoke(BOX, CAP).await.unwrap());
    assert!(matches!(put(&store, push(b"2"), b"2").await, Err(Error::NoMailbox)));
    assert!(matches!(put(&store, push(b"1"), b"1").await, Err(Error::NoMailbox)));
    assert!(store.capabilities(BOX).await.unwrap().is_empty());
    assert_eq!(body(&store, BOX, id).await.unwrap(), b"1");
    assert_eq!(usage(&store).await, (1, 1));
    store.ack(BOX, vec![id], 0).await.unwrap();
    assert_eq!(usage(&store).await, (0, 0));
}

/// After the store has made room and was opened again, twice.
pub(crate) async fn a_revoked_capability_stays_revoked(open: Open) {
    let mut store = with_box(&open).await;
    store.allow(BOX, CAP2, Terms::default()).await.unwrap();
    let id = new(&store, b"1").await;
    assert!(store.revoke(BOX, CAP).await.unwrap());
    for round in 0..2 {
        // Enough for an embedded store to go through all that was written before.
        for number in 0..120 {
            let bytes = text(1000 * round + number, 200_000);
            let push = Push { capability: CAP2, ..push(&bytes) };
            assert_eq!(put(&store, push, &bytes).await.unwrap(), Put::New);
            store.ack(BOX, vec![entry(&bytes).id], NOW).await.unwrap();
        }
        store.sweep(NOW + 1).await.unwrap();
        drop(store);
        store = open().await;
        assert!(matches!(put(&store, push(b"2"), b"2").await, Err(Error::NoMailbox)));
        assert!(matches!(put(&store, push(b"1"), b"1").await, Err(Error::NoMailbox)));
        let known = store.capabilities(BOX).await.unwrap();
        assert_eq!(known.iter().map(|one| one.id).collect::<Vec<_>>(), [CAP2]);
        assert_eq!(body(&store, BOX, id).await.unwrap(), b"1");
    }
    store.allow(BOX, CAP, Terms::default()).await.unwrap();
    drop(store);
    new(&open().await, b"2").await;
}

pub(crate) async fn capabilities_have_a_bound(open: Open) {
    let store = with_box(&open).await;
    for byte in 10..12 {
        store.allow(BOX, CapabilityId([byte; 32]), Terms::default()).await.unwrap();
    }
    let more = CapabilityId([12; 32]);
    assert!(matches!(store.allow(BOX, more, Terms::default()).await, Err(Error::MailboxFull)));
    store.allow(BOX, CAP, Terms::default()).await.unwrap();
    store.revoke(BOX, CAP).await.unwrap();
    store.allow(BOX, more, Terms::default()).await.unwrap();
    assert_eq!(store.capabilities(BOX).await.unwrap().len(), 3);
}

pub(crate) async fn a_mailbox_has_a_bound(open: Open) {
    let store = with_box(&open).await;
    let most = quotas().mailbox_bytes;
    let first = new(&store, &text(0, most as usize - 10)).await;
    assert!(matches!(put(&store, push(&[1; 11]), &[1; 11]).await, Err(Error::MailboxFull)));
    new(&store, &[1; 10]).await;
    store.ack(BOX, vec![first], 0).await.unwrap();
    for number in 1..quotas().mailbox_messages {
        new(&store, &text(number, 10)).await;
    }
    assert!(matches!(put(&store, push(b"x"), b"x").await, Err(Error::MailboxFull)));
    assert!(matches!(
        store.append(push(b"x"), 0, &mut Pieces::new(b"x")).await,
        Err(Error::MailboxFull)
    ));
    assert_eq!(put(&store, push(&[1; 10]), &[]).await.unwrap(), Put::Already);
}

pub(crate) async fn the_store_has_a_bound(open: Open) {
    let store = with_box(&open).await;
    store.register(OTHER, None, NOW).await.unwrap();
    store.allow(OTHER, CAP, Terms::default()).await.unwrap();
    let half = text(0, quotas().mailbox_bytes as usize);
    let first = new(&store, &half).await;
    let other = |bytes: &[u8]| Push { mailbox: OTHER, ..push(bytes) };
    assert!(matches!(put(&store, other(&half), &half).await, Err(Error::RelayFull)));
    let rest = text(1, (quotas().store_bytes - quotas().mailbox_bytes) as usize);
    assert_eq!(put(&store, other(&rest), &rest).await.unwrap(), Put::New);
    assert!(matches!(put(&store, other(b"x"), b"x").await, Err(Error::RelayFull)));
    store.ack(BOX, vec![first], 0).await.unwrap();
    assert_eq!(put(&store, other(b"x"), b"x").await.unwrap(), Put::New);
}

pub(crate) async fn room_is_kept_while_a_body_comes(open: Open) {
    /// A body that looks whether somebody else finds room meanwhile.
    struct Slow(Arc<dyn Store>, Option<Vec<u8>>);
    impl Chunks for Slow {
        fn next(&mut self) -> Answer<'_, Option<Bytes>> {
            Box::pin(async move {
                let Some(bytes) = self.1.take() else { return Ok(None) };
                let outcome = put(&self.0, push(b"x"), b"x").await;
                assert!(matches!(outcome, Err(Error::ShareFull)));
                Ok(Some(bytes.into()))
            })
        }
    }
    let store = with_box(&open).await;
    terms(&store, Terms { messages: Some(1), ..Terms::default() }).await;
    for (number, size) in [(1, 10), (2, 300_000)] {
        let bytes = text(number, size);
        let slow = &mut Slow(store.clone(), Some(bytes.clone()));
        assert_eq!(store.put(push(&bytes), slow).await.unwrap(), Put::New);
        store.ack(BOX, vec![entry(&bytes).id], 0).await.unwrap();
    }
    new(&store, b"x").await;
}

pub(crate) async fn a_batch_is_decided_one_by_one(open: Open) {
    let store = with_box(&open).await;
    terms(&store, Terms { messages: Some(3), ..Terms::default() }).await;
    new(&store, &text(1, 10)).await;
    let batch = [1, 2, 2, 3, 4].map(|n| (entry(&text(n, 10)), Bytes::from(text(n, 10))));
    let outcomes = store.put_all(BOX, CAP, batch.to_vec(), NOW).await.unwrap();
    assert_eq!(outcomes.len(), 5);
    let count =
        |wanted: fn(&Result<Put, Error>) -> bool| outcomes.iter().filter(|o| wanted(o)).count();
    assert!(matches!(outcomes[0], Ok(Put::Already)));
    assert!(matches!(outcomes[1], Ok(Put::New)));
    assert_eq!(usage(&store).await.0, 3 - u64::from(count(|o| matches!(o, Ok(Put::New))) == 1));
    assert!(matches!(outcomes[4], Err(Error::ShareFull)));
    for id in ids(&store, BOX).await {
        assert!(body(&store, BOX, id).await.is_some());
    }
    assert!(store.put_all(BOX, CAP, Vec::new(), NOW).await.unwrap().is_empty());
}

pub(crate) async fn a_batch_arrives_in_its_order(open: Open) {
    let store = with_box(&open).await;
    let batch = (0..900).map(|n| (entry(&text(n, 40)), Bytes::from(text(n, 40))));
    let batch: Vec<_> = batch.collect();
    let outcomes = store.put_all(BOX, CAP, batch.clone(), NOW).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Put::New))));
    let expected: Vec<Id> = batch.iter().map(|(entry, _)| entry.id).collect();
    assert_eq!(ids(&store, BOX).await, expected);
}

pub(crate) async fn a_closed_mailbox_is_gone_with_all_it_held(open: Open) {
    let store = with_box(&open).await;
    let acked = new(&store, b"acked").await;
    store.ack(BOX, vec![acked], LATER).await.unwrap();
    new(&store, b"1").await;
    new(&store, &text(1, 300_000)).await;
    store
        .append(push(&text(2, 20_000)), 0, &mut Pieces::breaking(b"ab", BodyError::TooSlow))
        .await
        .unwrap_err();
    assert!(store.close(BOX).await.unwrap());
    assert!(!store.close(BOX).await.unwrap());
    assert!(matches!(put(&store, push(b"2"), b"2").await, Err(Error::NoMailbox)));
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.mailboxes, totals.waiting), (0, Usage::default()));
    // The next of that name has nothing of it, not even its memory.
    assert!(store.register(BOX, None, NOW).await.unwrap());
    assert!(!store.register(BOX, None, NOW).await.unwrap());
    assert!(store.capabilities(BOX).await.unwrap().is_empty());
    assert!(matches!(put(&store, push(b"2"), b"2").await, Err(Error::NoMailbox)));
    store.allow(BOX, CAP, Terms::default()).await.unwrap();
    assert!(ids(&store, BOX).await.is_empty());
    new(&store, b"1").await;
    new(&store, b"acked").await;
    let far = store.uploaded(BOX, CAP, entry(&text(2, 20_000)).id, NOW).await.unwrap();
    assert_eq!(far, None);
}

fn token(byte: u8) -> Token {
    Token { id: TokenId([byte; 32]), mailboxes: 1, bytes: None, expires: None, used: 0 }
}

pub(crate) async fn a_token_registers_so_many(open: Open) {
    let store = open().await;
    let id = token(1).id;
    assert!(matches!(store.register(BOX, Some(id), NOW).await, Err(Error::Token)));
    store.add_token(token(1)).await.unwrap();
    assert!(store.register(BOX, Some(id), NOW).await.unwrap());
    assert!(!store.register(BOX, Some(id), NOW).await.unwrap());
    assert!(matches!(store.register(OTHER, Some(id), NOW).await, Err(Error::Token)));
    assert_eq!(store.tokens().await.unwrap(), [Token { used: 1, ..token(1) }]);
    // A mailbox that is closed gives its place back.
    assert!(store.close(BOX).await.unwrap());
    assert_eq!(store.tokens().await.unwrap(), [token(1)]);
    assert!(store.register(OTHER, Some(id), NOW).await.unwrap());
    // Its mailboxes stay without it.
    assert!(store.remove_token(id).await.unwrap());
    assert!(!store.remove_token(id).await.unwrap());
    assert!(store.tokens().await.unwrap().is_empty());
    assert!(store.usage(OTHER).await.unwrap().is_some());
    assert!(matches!(store.register(BOX, Some(id), NOW).await, Err(Error::Token)));
    assert!(store.register(BOX, None, NOW).await.unwrap());
}

pub(crate) async fn a_token_bounds_the_bytes_of_its_mailboxes(open: Open) {
    let store = open().await;
    store.add_token(Token { mailboxes: 2, bytes: Some(100), ..token(1) }).await.unwrap();
    for mailbox in [BOX, OTHER] {
        store.register(mailbox, Some(token(1).id), NOW).await.unwrap();
        store.allow(mailbox, CAP, Terms::default()).await.unwrap();
    }
    let first = new(&store, &[1; 60]).await;
    let other = |bytes: &[u8]| Push { mailbox: OTHER, ..push(bytes) };
    assert!(matches!(put(&store, other(&[2; 41]), &[2; 41]).await, Err(Error::MailboxFull)));
    assert_eq!(put(&store, other(&[2; 40]), &[2; 40]).await.unwrap(), Put::New);
    assert!(matches!(put(&store, push(&[3; 1]), &[3; 1]).await, Err(Error::MailboxFull)));
    store.ack(BOX, vec![first], 0).await.unwrap();
    new(&store, &[3; 60]).await;
    store.close(OTHER).await.unwrap();
    new(&store, &[4; 40]).await;
}

pub(crate) async fn a_token_that_ended_registers_nothing(open: Open) {
    let store = open().await;
    let ended = Token { mailboxes: 9, expires: Some(NOW + 10), ..token(1) };
    store.add_token(ended).await.unwrap();
    assert!(store.register(BOX, Some(ended.id), NOW + 9).await.unwrap());
    assert!(matches!(store.register(OTHER, Some(ended.id), NOW + 10).await, Err(Error::Token)));
    assert!(store.usage(BOX).await.unwrap().is_some());
}

pub(crate) async fn there_are_so_many_mailboxes(open: Open) {
    let store = open().await;
    for byte in 0..quotas().mailboxes as u8 {
        assert!(store.register(Mailbox([byte; 32]), None, NOW).await.unwrap());
    }
    let more = Mailbox([99; 32]);
    assert!(matches!(store.register(more, None, NOW).await, Err(Error::RelayFull)));
    assert!(!store.register(Mailbox([0; 32]), None, NOW).await.unwrap());
    store.close(Mailbox([0; 32])).await.unwrap();
    assert!(store.register(more, None, NOW).await.unwrap());
    assert_eq!(store.totals().await.unwrap().mailboxes, quotas().mailboxes);
}

async fn append(
    store: &Arc<dyn Store>,
    whole: &[u8],
    range: std::ops::Range<usize>,
) -> Result<Upload, Error> {
    let offset = range.start as u64;
    store.append(push(whole), offset, &mut Pieces::new(&whole[range])).await
}

async fn far(store: &Arc<dyn Store>, whole: &[u8]) -> Option<Upload> {
    store.uploaded(BOX, CAP, entry(whole).id, NOW).await.unwrap()
}

pub(crate) async fn an_upload_goes_on_where_it_was(open: Open) {
    let store = with_box(&open).await;
    let whole = text(1, 900_000);
    assert_eq!(far(&store, &whole).await, None);
    let wrong = |outcome, at| matches!(outcome, Err(Error::Offset { expected }) if expected == at);
    assert!(wrong(append(&store, &whole, 5..10).await, 0));
    assert_eq!(append(&store, &whole, 0..400_000).await.unwrap(), Upload::Part(400_000));
    assert_eq!(far(&store, &whole).await, Some(Upload::Part(400_000)));
    assert!(ids(&store, BOX).await.is_empty());
    assert!(wrong(append(&store, &whole, 0..10).await, 400_000));
    assert!(wrong(append(&store, &whole, 400_001..400_010).await, 400_000));
    assert_eq!(append(&store, &whole, 400_000..400_001).await.unwrap(), Upload::Part(400_001));
    assert_eq!(append(&store, &whole, 400_001..400_001).await.unwrap(), Upload::Part(400_001));
    let end = append(&store, &whole, 400_001..900_000).await.unwrap();
    assert_eq!(end, Upload::Whole(Put::New));
    let id = entry(&whole).id;
    assert_eq!(ids(&store, BOX).await, [id]);
    assert_eq!(body(&store, BOX, id).await.unwrap(), whole);
    assert_eq!(far(&store, &whole).await, Some(Upload::Whole(Put::Already)));
    let again = append(&store, &whole, 400_001..900_000).await.unwrap();
    assert_eq!(again, Upload::Whole(Put::Already));
    assert_eq!(usage(&store).await, (1, 900_000));
    store.ack(BOX, vec![id], LATER).await.unwrap();
    assert_eq!(far(&store, &whole).await, Some(Upload::Whole(Put::Already)));
}

pub(crate) async fn an_upload_that_breaks_off_keeps_what_came(open: Open) {
    let store = with_box(&open).await;
    let whole = text(1, 600_000);
    let broken = &mut Pieces::breaking(&whole[..150_000], BodyError::TooSlow);
    let outcome = store.append(push(&whole), 0, broken).await;
    assert!(matches!(outcome, Err(Error::Body(BodyError::TooSlow))));
    assert_eq!(far(&store, &whole).await, Some(Upload::Part(150_000)));
    // Whoever hangs up breaks off too: what came before is kept, and more may come.
    struct Hangs(Option<Bytes>);
    impl Chunks for Hangs {
        fn next(&mut self) -> Answer<'_, Option<Bytes>> {
            match self.0.take() {
                Some(bytes) => Box::pin(std::future::ready(Ok(Some(bytes)))),
                None => Box::pin(std::future::pending()),
            }
        }
    }
    let mut hangs = Hangs(Some(whole[150_000..160_000].to_vec().into()));
    let part = store.append(push(&whole), 150_000, &mut hangs);
    tokio::time::timeout(Duration::from_millis(300), part).await.unwrap_err();
    let mut tries = 0;
    let end = loop {
        let Some(Upload::Part(at)) = far(&store, &whole).await else { panic!() };
        assert!((150_000..=160_000).contains(&at));
        match append(&store, &whole, at as usize..600_000).await {
            Err(Error::Unavailable(_) | Error::Offset { .. }) if tries < 100 => tries += 1,
            end => break end.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(end, Upload::Whole(Put::New));
    assert_eq!(body(&store, BOX, entry(&whole).id).await.unwrap(), whole);
}

pub(crate) async fn an_upload_of_other_bytes_is_thrown_away(open: Open) {
    let store = with_box(&open).await;
    for size in [300_000, 1000] {
        let (whole, other) = (text(1, size), text(2, size));
        append(&store, &whole, 0..size / 2).await.unwrap();
        let rest = &mut Pieces::new(&other[size / 2..]);
        let outcome = store.append(push(&whole), size as u64 / 2, rest).await;
        assert!(matches!(outcome, Err(Error::Body(BodyError::WrongHash))));
        assert_eq!(far(&store, &whole).await, None);
        assert_eq!(usage(&store).await, (0, 0));
        assert_eq!(append(&store, &whole, 0..size).await.unwrap(), Upload::Whole(Put::New));
        store.ack(BOX, vec![entry(&whole).id], 0).await.unwrap();
    }
}

pub(crate) async fn an_upload_reserves_its_room(open: Open) {
    let store = with_box(&open).await;
    terms(&store, Terms { bytes: Some(1_000_000), total: Some(3), ..Terms::default() }).await;
    let whole = text(1, 900_000);
    append(&store, &whole, 0..1).await.unwrap();
    let refused = text(2, 100_001);
    assert!(matches!(put(&store, push(&refused), &refused).await, Err(Error::ShareFull)));
    new(&store, &text(3, 100_000)).await;
    append(&store, &whole, 1..900_000).await.unwrap();
    let [one] = store.capabilities(BOX).await.unwrap()[..] else { panic!() };
    assert_eq!((one.pushed, one.messages, one.bytes), (2, 2, 1_000_000));
    store.ack(BOX, vec![entry(&whole).id], 0).await.unwrap();
    new(&store, &refused).await;
}

pub(crate) async fn an_upload_is_swept_after_a_day(open: Open) {
    let store = with_box(&open).await;
    terms(&store, Terms { bytes: Some(900_000), ..Terms::default() }).await;
    let whole = text(1, 900_000);
    append(&store, &whole, 0..500_000).await.unwrap();
    for hours in [6, 12, 18, 23] {
        store.sweep(NOW + hours * 3600).await.unwrap();
    }
    assert_eq!(far(&store, &whole).await, Some(Upload::Part(500_000)));
    store.sweep(NOW + 25 * 3600).await.unwrap();
    assert_eq!(far(&store, &whole).await, None);
    new(&store, &text(2, 900_000)).await;
}

pub(crate) async fn a_short_upload_is_a_message_like_others(open: Open) {
    let store = with_box(&open).await;
    let whole = text(1, 500);
    append(&store, &whole, 0..499).await.unwrap();
    assert_eq!(append(&store, &whole, 499..500).await.unwrap(), Upload::Whole(Put::New));
    let id = entry(&whole).id;
    let taken = store.take(BOX, vec![id], 1000, NOW).await.unwrap();
    assert_eq!(taken, [(id, Bytes::from(whole.clone()))]);
    // A push of the whole ends an upload of it.
    let whole = text(2, 500_000);
    append(&store, &whole, 0..499).await.unwrap();
    new(&store, &whole).await;
    assert_eq!(far(&store, &whole).await, Some(Upload::Whole(Put::Already)));
    assert_eq!(usage(&store).await, (2, 500_500));
}

pub(crate) async fn pushes_at_once_stay_within_bounds(open: Open) {
    let store = with_box(&open).await;
    terms(&store, Terms { messages: Some(10), hourly: Some(30), ..Terms::default() }).await;
    let pushes = (0..40).map(|number| {
        let store = store.clone();
        async move {
            let bytes = text(number, 10);
            put(&store, push(&bytes), &bytes).await
        }
    });
    let outcomes = join_all(pushes).await;
    assert_eq!(outcomes.iter().filter(|o| matches!(o, Ok(Put::New))).count(), 10);
    assert!(outcomes.iter().all(|o| matches!(o, Ok(Put::New) | Err(Error::ShareFull))));
    assert_eq!(usage(&store).await.0, 10);
}

pub(crate) async fn an_arrival_is_told(open: Open) {
    let store = with_box(&open).await;
    let mut waiter = store.arrivals().wait_at(BOX);
    let told = async {
        waiter.arrived().await.unwrap();
        ids(&store, BOX).await
    };
    let (told, id) =
        tokio::join!(tokio::time::timeout(Duration::from_secs(30), told), new(&store, b"1"));
    assert_eq!(told.unwrap(), [id]);
}

pub(crate) async fn mailboxes_do_not_show_in_each_other(open: Open) {
    let store = with_box(&open).await;
    store.register(OTHER, None, NOW).await.unwrap();
    store.allow(OTHER, CAP2, Terms { total: Some(1), ..Terms::default() }).await.unwrap();
    let id = new(&store, b"1").await;
    assert!(ids(&store, OTHER).await.is_empty());
    assert_eq!(body(&store, OTHER, id).await, None);
    assert_eq!(store.ack(OTHER, vec![id], LATER).await.unwrap(), 0);
    assert!(matches!(
        put(&store, Push { capability: CAP2, ..push(b"2") }, b"2").await,
        Err(Error::NoMailbox)
    ));
    let same = Push { mailbox: OTHER, capability: CAP2, ..push(b"1") };
    assert_eq!(put(&store, same, b"1").await.unwrap(), Put::New);
    store.close(OTHER).await.unwrap();
    assert_eq!(body(&store, BOX, id).await.unwrap(), b"1");
}

pub(crate) async fn all_of_it_is_there_after_a_restart(open: Open) {
    let store = with_box(&open).await;
    store.add_token(Token { mailboxes: 2, bytes: Some(1000), ..token(1) }).await.unwrap();
    store.register(OTHER, Some(token(1).id), NOW).await.unwrap();
    let limits = Terms {
        expires: Some(LATER),
        messages: Some(20),
        bytes: Some(1 << 20),
        hourly: Some(12),
        total: Some(30),
    };
    store.allow(BOX, CAP2, limits).await.unwrap();
    let mut bodies = BTreeMap::new();
    for number in 0..12 {
        let bytes = text(number, if number == 5 { 300_000 } else { 10 });
        let push = Push { capability: CAP2, ..push(&bytes) };
        put(&store, push, &bytes).await.unwrap();
        bodies.insert(push.message.id, bytes);
    }
    let order = ids(&store, BOX).await;
    let gone: BTreeSet<Id> = order[..2].iter().copied().collect();
    store.ack(BOX, gone.iter().copied().collect(), LATER).await.unwrap();
    let whole = text(100, 700_000);
    append(&store, &whole, 0..400_000).await.unwrap();
    let before = store.capabilities(BOX).await.unwrap();
    drop(store);
    let store = open().await;
    assert_eq!(ids(&store, BOX).await, order[2..]);
    for id in &order[2..] {
        assert_eq!(body(&store, BOX, *id).await.as_ref(), bodies.get(id));
    }
    let sorted = |mut all: Vec<crate::relay::protocol::Capability>| {
        all.sort_by_key(|one| one.id);
        all
    };
    assert_eq!(sorted(store.capabilities(BOX).await.unwrap()), sorted(before));
    assert_eq!(store.tokens().await.unwrap()[0].used, 1);
    for id in &gone {
        let bytes = &bodies[id];
        assert_eq!(put(&store, push(bytes), bytes).await.unwrap(), Put::Already);
    }
    // Its hour is used up, and that is remembered too.
    let more = Push { capability: CAP2, ..push(b"x") };
    assert!(matches!(put(&store, more, b"x").await, Err(Error::Rate)));
    assert_eq!(far(&store, &whole).await, Some(Upload::Part(400_000)));
    let end = append(&store, &whole, 400_000..700_000).await.unwrap();
    assert_eq!(end, Upload::Whole(Put::New));
    assert_eq!(body(&store, BOX, entry(&whole).id).await.unwrap(), whole);
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.mailboxes, totals.waiting.messages), (2, 11));
}
