use super::*;
use crate::crypto;
use crate::relay::store::BodyError;
use bytes::Bytes;
use futures_util::future::join_all;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A body in pieces of 10,000 bytes, that may break off at its end.
struct Pieces(Vec<Bytes>, Option<BodyError>);

impl Pieces {
    fn new(bytes: &[u8]) -> Self {
        Self(bytes.chunks(10_000).rev().map(Bytes::copy_from_slice).collect(), None)
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

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn open(folder: &Path) -> Embedded {
    Embedded::open(folder, Quotas::default()).unwrap()
}

fn entry(bytes: &[u8], expires: u64) -> Entry {
    Entry { id: Id(crypto::sha256(&[bytes])), size: bytes.len() as u64, expires }
}

async fn put(store: &Embedded, mailbox: Mailbox, bytes: &[u8], expires: u64, now: u64) -> Put {
    store.put(mailbox, entry(bytes, expires), now, &mut Pieces::new(bytes)).await.unwrap()
}

async fn body(store: &Embedded, mailbox: Mailbox, id: Id, now: u64) -> Option<Vec<u8>> {
    let mut stored = store.get(mailbox, id, now).await.unwrap()?;
    Some(super::body::collect(stored.body.as_mut()).await.unwrap())
}

const BOX: Mailbox = Mailbox([1; 32]);

#[test]
fn one_group_sees_its_own_changes() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path());
        store.register(BOX).await.unwrap();
        let id = entry(b"same", 100).id;
        for round in 0..20 {
            // Queued at once: the first is a group of its own, the rest mostly the next one.
            let first = put(&store, BOX, b"first", 100 + round, 0);
            let puts = join_all((0..3).map(|_| put(&store, BOX, b"same", 100, 0)));
            let ack = store.ack(BOX, vec![id, id], 100);
            let (_, new, acked, late) =
                tokio::join!(first, puts, ack, put(&store, BOX, b"same", 100, 0));
            let new = new.iter().filter(|put| **put == Put::New).count();
            assert_eq!((new, acked.unwrap(), late), (1, 1, Put::Already));
            assert_eq!(store.usage(BOX).await.unwrap().unwrap(), Usage { messages: 1, bytes: 5 });
            store.close(BOX).await.unwrap();
            store.register(BOX).await.unwrap();
            assert_eq!(store.totals().await.unwrap(), Usage::default());
        }
    });
}

#[test]
fn a_body_that_breaks_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path());
        store.register(BOX).await.unwrap();
        for size in [10, 300 << 10] {
            let bytes = vec![1; size];
            let mut pieces = Pieces::new(&bytes);
            pieces.1 = Some(BodyError::WrongHash);
            let outcome = store.put(BOX, entry(&bytes, 100), 0, &mut pieces).await;
            assert!(matches!(outcome, Err(Error::Body(BodyError::WrongHash))));
        }
        assert!(store.list(BOX, 10, 0).await.unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 0);
        let held = store.shared.held();
        assert_eq!((held.reserved, held.mailboxes[&BOX].reserved), (0, Usage::default()));
    });
}

#[test]
fn whoever_hangs_up_leaves_a_whole_message_or_none() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path());
        store.register(BOX).await.unwrap();
        for round in 0..30u32 {
            let bytes = [&round.to_be_bytes()[..], &vec![7; 300 << 10]].concat();
            let mut pieces = Pieces::new(&bytes);
            let put = store.put(BOX, entry(&bytes, 100), 0, &mut pieces);
            let _ =
                tokio::time::timeout(std::time::Duration::from_micros(u64::from(round) * 150), put)
                    .await;
        }
        // Commands are served in order, so after this one the queue is empty.
        store.register(BOX).await.unwrap();
        let listed = store.list(BOX, 100, 0).await.unwrap();
        for one in &listed {
            assert_eq!(body(&store, BOX, one.id, 0).await.unwrap().len() as u64, one.size);
        }
        let files = std::fs::read_dir(folder.path().join("bodies")).unwrap().count();
        assert_eq!(files, listed.len());
    });
}

/// One step of the comparison with a model.
#[derive(Debug, Clone)]
enum Step {
    Register(u8),
    Close(u8),
    Put(u8, u8, u64),
    Ack(u8, u8),
    Wait(u64),
    Sweep,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..3u8).prop_map(Step::Register),
        1 => (0..3u8).prop_map(Step::Close),
        8 => (0..3u8, 0..6u8, 1..20u64).prop_map(|(b, m, t)| Step::Put(b, m, t)),
        4 => (0..3u8, 0..6u8).prop_map(|(b, m)| Step::Ack(b, m)),
        2 => (1..8u64).prop_map(Step::Wait),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..50)
}

#[derive(Default)]
struct Model {
    /// Order of arrival and expiry; 0 of order for what was acknowledged.
    messages: BTreeMap<u8, (u64, u64)>,
}

/// Messages 4 and 5 lie in files.
fn text(message: u8) -> Vec<u8> {
    vec![message; if message < 4 { 5 + usize::from(message) } else { 257 << 10 }]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn behaves_as_a_model(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let mut boxes: BTreeMap<u8, Model> = BTreeMap::new();
        let (mut now, mut order) = (1u64, 0u64);
        for step in steps {
            match step {
                Step::Register(b) => {
                    let new = run(store.register(Mailbox([b; 32]))).unwrap();
                    prop_assert_eq!(new, !boxes.contains_key(&b));
                    boxes.entry(b).or_default();
                }
                Step::Close(b) => {
                    let there = run(store.close(Mailbox([b; 32]))).unwrap();
                    prop_assert_eq!(there, boxes.remove(&b).is_some());
                }
                Step::Put(b, m, ttl) => {
                    let bytes = text(m);
                    let mut pieces = Pieces::new(&bytes);
                    let put = store.put(Mailbox([b; 32]), entry(&bytes, now + ttl), now, &mut pieces);
                    let outcome = run(put);
                    let Some(model) = boxes.get_mut(&b) else {
                        prop_assert!(matches!(outcome, Err(Error::NoMailbox)));
                        continue;
                    };
                    let known = model.messages.get(&m).is_some_and(|(_, until)| *until > now);
                    prop_assert_eq!(outcome.unwrap(), if known { Put::Already } else { Put::New });
                    if !known {
                        order += 1;
                        model.messages.insert(m, (order, now + ttl));
                    }
                }
                Step::Ack(b, m) => {
                    let ids = vec![entry(&text(m), 0).id];
                    let outcome = run(store.ack(Mailbox([b; 32]), ids, now + 10));
                    let Some(model) = boxes.get_mut(&b) else {
                        prop_assert!(matches!(outcome, Err(Error::NoMailbox)));
                        continue;
                    };
                    let deleted = outcome.unwrap();
                    match model.messages.get_mut(&m).filter(|(order, _)| *order > 0) {
                        // What has expired may be swept already, or not.
                        Some((_, until)) if *until <= now => {
                            if deleted == 1 {
                                model.messages.insert(m, (0, now + 10));
                            }
                        }
                        Some(state) => {
                            prop_assert_eq!(deleted, 1);
                            *state = (0, now + 10);
                        }
                        None => prop_assert_eq!(deleted, 0),
                    }
                }
                Step::Wait(seconds) => now += seconds,
                Step::Sweep => drop(run(store.sweep(now)).unwrap()),
                Step::Reopen => {
                    drop(store);
                    store = open(folder.path());
                }
            }
            for (b, model) in &boxes {
                let mailbox = Mailbox([*b; 32]);
                let mut expected: Vec<_> = model
                    .messages
                    .iter()
                    .filter(|(_, (order, until))| *order > 0 && *until > now)
                    .map(|(m, (order, until))| (*order, entry(&text(*m), *until), *m))
                    .collect();
                expected.sort_by_key(|(order, ..)| *order);
                let listed = run(store.list(mailbox, 100, now)).unwrap();
                let entries: Vec<_> = expected.iter().map(|(_, entry, _)| *entry).collect();
                prop_assert_eq!(&listed, &entries);
                for (_, entry, m) in expected {
                    prop_assert_eq!(run(body(&store, mailbox, entry.id, now)), Some(text(m)));
                }
            }
        }
        // After a sweep the counts are those of what is listed, and every file has a record.
        run(store.sweep(now)).unwrap();
        let mut total = Usage::default();
        let mut files = 0;
        for b in boxes.keys() {
            let listed = run(store.list(Mailbox([*b; 32]), 100, now)).unwrap();
            let bytes = listed.iter().map(|entry| entry.size).sum();
            let usage = Usage { messages: listed.len() as u64, bytes };
            prop_assert_eq!(run(store.usage(Mailbox([*b; 32]))).unwrap(), Some(usage));
            total.messages += usage.messages;
            total.bytes += usage.bytes;
            files += listed.iter().filter(|entry| entry.size > INLINE).count();
        }
        prop_assert_eq!(run(store.totals()).unwrap(), total);
        prop_assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), files);
    }
}
