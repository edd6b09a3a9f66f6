//! The distributed store over real nodes of PostgreSQL on loopback: the behaviors of every store, and
//! slots that move under load. `tests/cluster.rs` kills nodes and relays.

#[path = "../../../../tests/common/cluster.rs"]
mod nodes;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::crypto;
use crate::relay::protocol::{CapabilityId, Entry, Id, Mailbox, Terms};
use crate::relay::store::postgres::{self, Distributed, Options};
use crate::relay::store::tests::suite::{self, Pieces};
use crate::relay::store::{Error, Push, Put, Quotas, Store, Usage};

use self::nodes::{Cluster, Node};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

macro_rules! behaviours {
    ($($name:ident)*) => {
        fn behave(node: &Node, blobs: Option<String>) {
            $({
                eprintln!("{}", stringify!($name));
                let url = node.database(concat!("d_", stringify!($name)));
                let blobs = blobs.clone();
                let open: suite::Open = Box::new(move || {
                    let (urls, blobs) = ([url.clone()], blobs.clone());
                    Box::pin(async move {
                        let options = Options { quotas: suite::quotas(), blobs, ..Options::default() };
                        let store = Distributed::open(&urls, options).await.unwrap();
                        Arc::new(store) as Arc<dyn Store>
                    })
                });
                run(suite::$name(open));
                node.sql(concat!("DROP DATABASE d_", stringify!($name), " WITH (FORCE)"));
            })*
        }
    };
}

for_each_behaviour!(behaviours);

#[test]
fn behaves_as_every_store() {
    behave(&Node::new(""), None);
}

#[test]
fn behaves_as_every_store_with_objects_beside() {
    let objects = tempfile::tempdir().unwrap();
    behave(&Node::new(""), Some(format!("file://{}", objects.path().display())));
}

const CAP: CapabilityId = CapabilityId([7; 32]);
const NOW: u64 = suite::NOW;
/// When nothing has expired.
const EVER: u64 = 0;

fn mailbox(n: u8) -> Mailbox {
    Mailbox([n; 32])
}

fn message(pusher: usize, n: u64) -> Vec<u8> {
    let long = n % 97 == 13;
    let seed = [&pusher.to_be_bytes()[..], &n.to_be_bytes()].concat();
    let seed = crypto::sha256(&[&seed]);
    seed.iter().copied().cycle().take(if long { 300_000 } else { 1024 }).collect()
}

fn push_to(mailbox: Mailbox, bytes: &[u8]) -> Push {
    let id = Id(crypto::sha256(&[bytes]));
    let message = Entry { id, size: bytes.len() as u64, expires: suite::LATER };
    Push { mailbox, capability: CAP, message, now: NOW }
}

async fn all_of(store: &dyn Store, mailbox: Mailbox, id: Id) -> Option<Vec<u8>> {
    let mut stored = store.get(mailbox, id, 0, EVER).await.unwrap()?;
    let mut all = Vec::new();
    while let Some(piece) = stored.body.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    Some(all)
}

async fn open(urls: &[String]) -> Arc<Distributed> {
    let quotas = Quotas { mailbox_messages: 10_000_000, ..Quotas::default() };
    let options = Options { quotas, ..Options::default() };
    Arc::new(Distributed::open(urls, options).await.unwrap())
}

/// What was promised: ids are noted only after the answer.
#[derive(Default)]
struct Promises {
    stored: BTreeMap<Id, (Mailbox, usize, u64)>,
    /// What somebody asked to delete, whether or not he was answered.
    asked: BTreeSet<Id>,
    deleted: BTreeSet<Id>,
}

/// Calls every promise in.
async fn call_in(store: &dyn Store, promises: &Promises) {
    let boxes: BTreeSet<Mailbox> = promises.stored.values().map(|(at, ..)| *at).collect();
    let mut listed = BTreeMap::new();
    for at in &boxes {
        let all = store.list(*at, 1_000_000, EVER).await.unwrap();
        let ids: BTreeSet<Id> = all.iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), all.len(), "a message is listed twice");
        assert!(ids.is_disjoint(&promises.deleted), "an acknowledged message is back");
        let bytes = all.iter().map(|entry| entry.size).sum();
        let counted = store.usage(*at).await.unwrap().unwrap();
        assert_eq!(counted, Usage { messages: all.len() as u64, bytes }, "the counters are wrong");
        listed.insert(*at, ids);
    }
    for (id, (at, pusher, n)) in &promises.stored {
        if listed[at].contains(id) {
            // One in so many byte for byte: the database keeps checksums of its own.
            if id.0[0] % 8 == 0 {
                assert!(all_of(store, *at, *id).await.unwrap() == message(*pusher, *n));
            }
        } else {
            assert!(promises.asked.contains(id), "{id} was promised and is lost");
        }
    }
}

/// Pushes and acknowledges until it is over, through stores that may fail.
async fn load(
    stores: Vec<Arc<Distributed>>,
    pusher: usize,
    promises: Arc<Mutex<Promises>>,
    over: Arc<AtomicBool>,
) {
    let at = mailbox((pusher % 8) as u8);
    let mut n = 0;
    let mut mine: Vec<Id> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let store = &stores[(pusher + n as usize) % stores.len()];
        let bytes = message(pusher, n);
        let push = push_to(at, &bytes);
        match store.put(push, &mut Pieces::new(&bytes)).await {
            Ok(_) => {
                let known = (at, pusher, n);
                promises.lock().unwrap().stored.insert(push.message.id, known);
                mine.push(push.message.id);
                n += 1;
            }
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other:?}"),
        }
        if mine.len() >= 20 {
            let some: Vec<Id> = mine.drain(..12).collect();
            promises.lock().unwrap().asked.extend(&some);
            match store.ack(at, some.clone(), suite::LATER).await {
                Ok(_) => promises.lock().unwrap().deleted.extend(&some),
                Err(Error::Unavailable(_)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

async fn with_boxes(store: &dyn Store) {
    for n in 0..8 {
        store.register(mailbox(n), None, NOW).await.unwrap();
        store.allow(mailbox(n), CAP, Terms::default()).await.unwrap();
    }
}

#[test]
fn slots_move_under_load() {
    let node = Node::new("");
    let urls = [node.database("a"), node.database("b")];
    run(async {
        let stores = vec![open(&urls).await, open(&urls).await];
        with_boxes(&*stores[0]).await;
        let promises = Arc::new(Mutex::new(Promises::default()));
        let over = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..16)
            .map(|n| tokio::spawn(load(stores.clone(), n, promises.clone(), over.clone())))
            .collect();
        // A reader who never sees a promised message missing, or an acknowledged one.
        let watcher = tokio::spawn({
            let (store, promises, over) = (stores[1].clone(), promises.clone(), over.clone());
            async move {
                let mut looks = 0;
                while !over.load(Ordering::Relaxed) {
                    let at = mailbox((looks % 8) as u8);
                    let (before, gone) = {
                        let p = promises.lock().unwrap();
                        let here = p.stored.iter().filter(|(_, (to, ..))| *to == at);
                        (here.map(|(id, _)| *id).collect::<Vec<_>>(), p.deleted.clone())
                    };
                    match store.list(at, 1_000_000, NOW).await {
                        Ok(listed) => {
                            let seen: BTreeSet<Id> = listed.iter().map(|e| e.id).collect();
                            assert_eq!(seen.len(), listed.len());
                            assert!(seen.is_disjoint(&gone), "an acknowledged message is back");
                            let asked = promises.lock().unwrap().asked.clone();
                            for id in before {
                                assert!(
                                    seen.contains(&id) || asked.contains(&id),
                                    "{id} is missing"
                                );
                            }
                            looks += 1;
                        }
                        Err(Error::Unavailable(_)) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                looks
            }
        });
        for to in [1, 0, 1] {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let mut moved = 0;
            // Only the slots with something in them: the rest is a matter of time.
            for slot in [616u16, 717, 391] {
                let range = slot..=slot;
                let url = &urls[to];
                postgres::shift(&urls, &Options::default(), range, url, &mut |_| moved += 1)
                    .await
                    .unwrap();
            }
            assert_eq!(moved, 3);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        over.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.unwrap();
        }
        let looks = watcher.await.unwrap();
        let promises = std::mem::take(&mut *promises.lock().unwrap());
        eprintln!("{} messages, {looks} looks", promises.stored.len());
        call_in(&*stores[0], &promises).await;
        // The old place keeps nothing of it.
        let fresh = open(&urls).await;
        call_in(&*fresh, &promises).await;
        let all: u64 = {
            let mut all = 0;
            for n in 0..8 {
                all += fresh.usage(mailbox(n)).await.unwrap().unwrap().messages;
            }
            all
        };
        assert_eq!(fresh.totals().await.unwrap().waiting.messages, all);
    });
}

/// Pushes of 1 KiB by 64 at once, and rows of the same size inserted one a commit by 64
/// connections, into the same three nodes.
#[test]
#[ignore = "a measurement"]
fn speed_beside_one_row_a_commit() {
    const SECONDS: u64 = 6;
    let cluster = Cluster::new(&std::env::var("BULLA_CLUSTER_SETTINGS").unwrap_or_default());
    cluster.wait_for_standbys(2);
    let plain = "CREATE TABLE plain (mailbox bytea, id bytea, expires bigint, body bytea,
        PRIMARY KEY (mailbox, id))";
    cluster.primary().sql(plain);
    let url = cluster.url();
    let of = |at: u8, n: u64| {
        let mut bytes = vec![at; 1024];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        bytes
    };
    let used = || {
        let nodes = cluster.nodes.iter().map(Node::processor_time).sum::<f64>();
        nodes + nodes::processor_time("self")
    };
    let start = used();
    let rows = run(async {
        let until = Instant::now() + Duration::from_secs(SECONDS);
        let tasks = (0..64u8).map(|at| {
            let url = cluster.primary().url("postgres");
            tokio::spawn(async move {
                let (db, connection) =
                    tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                let insert = db.prepare("INSERT INTO plain VALUES ($1, $2, 7, $3)").await.unwrap();
                let mut n = 0u64;
                while Instant::now() < until {
                    let bytes = of(at, n);
                    let (mailbox, id) = ([at; 32], crypto::sha256(&[&bytes]));
                    db.execute(&insert, &[&&mailbox[..], &&id[..], &bytes]).await.unwrap();
                    n += 1;
                }
                n
            })
        });
        let mut all = 0;
        for task in tasks.collect::<Vec<_>>() {
            all += task.await.unwrap();
        }
        all / SECONDS
    });
    let middle = used();
    let pushes = run(async {
        let store = open(std::slice::from_ref(&url)).await;
        for n in 0..64 {
            store.register(mailbox(n), None, NOW).await.unwrap();
            store.allow(mailbox(n), CAP, Terms::default()).await.unwrap();
        }
        let until = Instant::now() + Duration::from_secs(SECONDS);
        let tasks = (0..64u8).map(|at| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut n = 0u64;
                while Instant::now() < until {
                    let bytes = of(at, n);
                    let push = push_to(mailbox(at), &bytes);
                    assert_eq!(store.put(push, &mut Pieces::new(&bytes)).await.unwrap(), Put::New);
                    n += 1;
                }
                n
            })
        });
        let mut all = 0;
        for task in tasks.collect::<Vec<_>>() {
            all += task.await.unwrap();
        }
        all / SECONDS
    });
    let end = used();
    let each = |time: f64, n: u64| time * 1e6 / (n * SECONDS) as f64;
    eprintln!(
        "{pushes} pushes a second of {:.0} µs, {rows} rows a second one a commit of {:.0} µs",
        each(end - middle, pushes),
        each(middle - start, rows),
    );
}
