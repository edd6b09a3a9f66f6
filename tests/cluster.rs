//! Relays over real nodes of PostgreSQL on loopback, and nodes and relays that die.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in its helpers"
)]

#[path = "common/cluster.rs"]
mod cluster;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bulla::crypto::{self, SigningSecret};
use bulla::relay::client::{self, Client, Transport as _};
use bulla::relay::protocol::{CapabilityId, Id, Mailbox, Terms};
use bulla::relay::store::postgres::{Distributed, Options};
use bulla::relay::store::{Quotas, Store, Usage};
use bulla::secret::Secret;

use cluster::{Cluster, QUORUM};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
const NOW: u64 = 1_800_000_000;
/// When nothing has expired.
const EVER: u64 = 0;

fn message(pusher: usize, n: u64) -> Vec<u8> {
    let long = n % 97 == 13;
    let seed = [&pusher.to_be_bytes()[..], &n.to_be_bytes()].concat();
    let seed = crypto::sha256(&[&seed]);
    seed.iter().copied().cycle().take(if long { 300_000 } else { 1024 }).collect()
}
async fn all_of(store: &dyn Store, mailbox: Mailbox, id: Id) -> Option<Vec<u8>> {
    let mut stored = store.get(mailbox, id, 0, EVER).await.unwrap()?;
    let mut all = Vec::new();
    while let Some(piece) = stored.body.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    Some(all)
}

fn open(url: &str) -> Distributed {
    let quotas = Quotas { mailbox_messages: 10_000_000, ..Quotas::default() };
    let options = Options { quotas, ..Options::default() };
    Distributed::start(&[url.to_owned()], options).unwrap()
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
/// `bulla relay serve` over the cluster.
struct Relay {
    child: std::process::Child,
    url: String,
}

impl Relay {
    fn start(store: &str) -> Self {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_bulla"))
                .args(["relay", "serve", "--listen", "127.0.0.1:0", "--store", store])
                .env_clear()
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let mut line = String::new();
            let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
            std::io::BufRead::read_line(&mut out, &mut line).unwrap();
            if line.starts_with("http://") {
                return Self { child, url: line.trim().to_owned() };
            }
            child.wait().unwrap();
            assert!(Instant::now() < until, "the relay does not start");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn key(n: usize) -> SigningSecret {
    SigningSecret::from_seed(&Secret::from_slice(&[n as u8 + 1; 32]).unwrap())
}

/// The capability of these pushers, as they show it.
const BEARER: [u8; 32] = [9; 32];

fn client(url: &str) -> Client {
    let mut options = client::Options::default();
    options.retries = 0;
    options.timeout = Duration::from_secs(6);
    Client::new(url, options).unwrap()
}

/// Says that it is over when dropped.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A pusher over HTTP: notes an id only after its 201.
fn push_over(
    urls: &Mutex<Vec<String>>,
    pusher: usize,
    from: &mut u64,
    promises: &Mutex<Promises>,
    over: &AtomicBool,
) {
    let key = key(pusher);
    let at = Mailbox(key.public());
    let inbox =
        client::Inbox { mailbox: at, capability: Secret::from_slice(&BEARER).map(Arc::new) };
    let mut mine: Vec<Id> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let url = urls.lock().unwrap()[(pusher + *from as usize) % 2].clone();
        let client = client(&url);
        while !over.load(Ordering::Relaxed) {
            let bytes = message(pusher, *from);
            let id = Id(crypto::sha256(&[&bytes]));
            let mut body = std::io::Cursor::new(&bytes);
            match client.push(&inbox, &id, &mut body, bytes.len() as u64) {
                Ok(_) => {
                    promises.lock().unwrap().stored.insert(id, (at, pusher, *from));
                    mine.push(id);
                    *from += 1;
                }
                Err(error) if error.is_temporary() => {
                    std::thread::sleep(Duration::from_millis(50));
                    break;
                }
                Err(other) => panic!("{other:?}"),
            }
            if mine.len() >= 20 {
                let some: Vec<Id> = mine.drain(..12).collect();
                promises.lock().unwrap().asked.extend(&some);
                match client.ack(&key, &some) {
                    Ok(_) => promises.lock().unwrap().deleted.extend(&some),
                    Err(error) if error.is_temporary() => break,
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    KillPrimary,
    FreezePrimary,
    KillStandby,
    FreezeStandby,
    NoStandby,
    KillRelay,
    FreezeRelay,
}

const FAULTS: [Fault; 7] = [
    Fault::KillPrimary,
    Fault::NoStandby,
    Fault::KillRelay,
    Fault::FreezePrimary,
    Fault::FreezeRelay,
    Fault::KillStandby,
    Fault::FreezeStandby,
];

/// `BULLA_CLUSTER_ROUNDS` makes it longer; `BULLA_CLUSTER_SETTINGS` are settings of the nodes
/// that come last and win, to see that the test sees.
#[test]
fn nothing_promised_is_lost_when_nodes_and_relays_die() {
    let rounds = std::env::var("BULLA_CLUSTER_ROUNDS").ok().and_then(|n| n.parse().ok());
    let rounds: usize = rounds.unwrap_or(3);
    let settings = std::env::var("BULLA_CLUSTER_SETTINGS").unwrap_or_default();
    let mut cluster = Cluster::new(&settings);
    cluster.wait_for_standbys(2);
    let all = format!("{QUORUM}\n{settings}");
    let url = cluster.url();
    let store = open(&url);
    assert!(store.is_replicated() || !settings.is_empty());
    run(async {
        let bearer = CapabilityId::of(&client::bearer_text(&Secret::from_slice(&BEARER).unwrap()));
        for n in 0..16 {
            let at = Mailbox(key(n).public());
            store.register(at, None, NOW).await.unwrap();
            store.allow(at, bearer, Terms::default()).await.unwrap();
        }
    });
    drop(store);
    let mut relays = [Relay::start(&url), Relay::start(&url)];
    let promises = Mutex::new(Promises::default());
    let mut from = [0u64; 16];
    for round in 0..rounds {
        let fault = FAULTS[round % FAULTS.len()];
        let urls = Mutex::new(relays.iter().map(|relay| relay.url.clone()).collect::<Vec<_>>());
        let over = AtomicBool::new(false);
        let count = || promises.lock().unwrap().stored.len();
        let before = count();
        std::thread::scope(|scope| {
            // Also when something here fails: the pushers would go on for ever.
            let _over = AtEnd(&over);
            for (pusher, from) in from.iter_mut().enumerate() {
                let (urls, promises, over) = (&urls, &promises, &over);
                scope.spawn(move || push_over(urls, pusher, from, promises, over));
            }
            std::thread::sleep(Duration::from_millis(1500));
            let standbys = cluster.standbys();
            let one = standbys[round % 2];
            match fault {
                Fault::KillPrimary => cluster.fail_over(&all),
                Fault::FreezePrimary => {
                    cluster.primary().freeze();
                    std::thread::sleep(Duration::from_secs(2));
                    cluster.fail_over(&all);
                }
                Fault::KillStandby => {
                    cluster.nodes[one].kill();
                    std::thread::sleep(Duration::from_secs(1));
                    cluster.nodes[one].start();
                    cluster.wait_for_standbys(2);
                }
                Fault::FreezeStandby => {
                    cluster.nodes[one].freeze();
                    std::thread::sleep(Duration::from_secs(3));
                    cluster.nodes[one].thaw();
                }
                Fault::NoStandby => {
                    standbys.iter().for_each(|n| cluster.nodes[*n].freeze());
                    // What a standby had flushed may still be answered.
                    std::thread::sleep(Duration::from_millis(700));
                    let then = count();
                    std::thread::sleep(Duration::from_secs(3));
                    assert_eq!(count(), then, "answered while no standby streams");
                    standbys.iter().for_each(|n| cluster.nodes[*n].thaw());
                }
                Fault::KillRelay => {
                    relays[round % 2] = Relay::start(&url);
                    urls.lock().unwrap()[round % 2].clone_from(&relays[round % 2].url);
                }
                Fault::FreezeRelay => {
                    relays[round % 2].signal("-STOP");
                    std::thread::sleep(Duration::from_secs(5));
                    relays[round % 2].signal("-CONT");
                }
            }
            // It goes on.
            let then = count();
            let until = Instant::now() + Duration::from_secs(30);
            while count() < then + 200 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(50));
            }
            let after = count();
            over.store(true, Ordering::Relaxed);
            assert!(after >= then + 200, "nothing goes on after {fault:?}");
        });
        let promises = promises.lock().unwrap();
        eprintln!("round {round}: {fault:?}, {} promises", promises.stored.len() - before);
        let store = open(&url);
        run(call_in(&store, &promises));
    }
}
