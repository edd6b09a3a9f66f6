//! The behaviours of every store, of the embedded one; and a thousand kills of its process.
//!
//! `BULLA_SOAK=n` makes the kills n times as many.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::crypto;
use crate::relay::protocol::{Id, Terms};
use crate::relay::store::embedded::Embedded;
use crate::relay::store::embedded::options::Options;
use crate::relay::store::tests::suite::{self, BOX, CAP, NOW, Pieces, body, entry, push, text};
use crate::relay::store::{Put, Quotas, Store};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

macro_rules! embedded {
    ($($name:ident)*) => {
        mod behaves {
            $(
                #[test]
                fn $name() {
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().to_owned();
                    let open: super::suite::Open = Box::new(move || {
                        // Small ones, so that a test can fill some and have them gone through.
                        let options =
                            super::Options { segment: 4 << 20, ..super::Options::default() };
                        let quotas = super::suite::quotas();
                        let store = super::Embedded::open_with(&path, quotas, options).unwrap();
                        let store: super::Arc<dyn super::Store> = super::Arc::new(store);
                        Box::pin(std::future::ready(store))
                    });
                    super::run(super::suite::$name(open));
                }
            )*
        }
    };
}

for_each_behaviour!(embedded);

const FOLDER: &str = "BULLA_TEST_FOLDER";
const FIRST: &str = "BULLA_TEST_FIRST";

fn open(folder: &Path) -> Arc<dyn Store> {
    // Small ones, so that many are sealed, gone through and dropped.
    let options = Options { segment: 4 << 20, ..Options::default() };
    let quotas = Quotas { mailbox_messages: 1 << 20, ..Quotas::default() };
    Arc::new(Embedded::open_with(folder, quotas, options).unwrap())
}

/// The bytes of message `number`: mostly short, some in a file of their own.
fn message(number: u64) -> Vec<u8> {
    let size = match number % 60 {
        0 => 270_000 + number as usize % 50_000,
        1..20 => 10_000 + number as usize * 37 % 30_000,
        _ => 10 + number as usize * 37 % 3000,
    };
    text(number, size)
}

/// Pushes and acknowledges until it is killed; says on its output what was answered.
#[test]
#[ignore = "a process of the test below"]
fn child_store() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let next = Arc::new(AtomicU64::new(first));
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
    };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let store = open(Path::new(&folder));
            store.register(BOX, None, NOW).await.unwrap();
            store.allow(BOX, CAP, Terms::default()).await.unwrap();
            for _ in 0..8 {
                let (store, next) = (store.clone(), next.clone());
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let bytes = message(number);
                        say(format!("? {number}"));
                        let put = store.put(push(&bytes), &mut Pieces::new(&bytes)).await;
                        assert_eq!(put.unwrap(), Put::New);
                        say(format!("+ {number}"));
                    }
                });
            }
            loop {
                let list = store.list(BOX, 300, NOW).await.unwrap();
                let ids: Vec<Id> = list.iter().map(|e| e.id).filter(|id| id.0[0] % 4 > 0).collect();
                let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
                say(format!("ask {}", names.join(" ")));
                store.ack(BOX, ids, NOW + 86_400).await.unwrap();
                say(format!("ack {}", names.join(" ")));
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        });
}

#[test]
fn a_killed_store_keeps_every_promise() {
    let soak: u64 = std::env::var("BULLA_SOAK").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let folder = tempfile::tempdir().unwrap();
    let (mut stored, mut asked) = (BTreeMap::new(), BTreeSet::new());
    let (mut acked, mut next, mut count) = (BTreeSet::<Id>::new(), 0, 0);
    for round in 0..20 * soak {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                concat!("relay::store::tests::embedded::", "child_store"),
                "--ignored",
                "--nocapture",
                "--quiet",
            ])
            .env(FOLDER, folder.path())
            .env(FIRST, next.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let [random] = crypto::random::<1>().unwrap();
        // It reads on after the kill: what the child had said was answered.
        let read =
            std::thread::spawn(move || out.lines().map_while(Result::ok).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(60 + u64::from(random) * 2));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in read.join().unwrap() {
            let ids = |line: &str| -> Vec<Id> {
                line.split(' ').skip(1).filter_map(|id| id.parse().ok()).collect()
            };
            if let Some(number) = line.strip_prefix("? ").and_then(|n| n.parse::<u64>().ok()) {
                next = next.max(number + 1);
            } else if let Some(number) = line.strip_prefix("+ ").and_then(|n| n.parse().ok()) {
                stored.insert(entry(&message(number)).id, number);
            } else if line.starts_with("ask ") {
                asked.extend(ids(&line));
            } else if line.starts_with("ack ") {
                acked.extend(ids(&line));
            }
        }
        if round % 5 == 4 {
            count += stored.len();
            run(call_in(open(folder.path()), &mut stored, &mut asked, &mut acked));
        }
    }
    eprintln!("{count} messages were promised, {} acknowledged", acked.len());
    assert!(count > 100 && acked.len() > 50, "too little was tried");
}

/// Every message that was promised is there byte for byte, and no acknowledged one is.
async fn call_in(
    store: Arc<dyn Store>,
    stored: &mut BTreeMap<Id, u64>,
    asked: &mut BTreeSet<Id>,
    acked: &mut BTreeSet<Id>,
) {
    let list = store.list(BOX, usize::MAX, NOW).await.unwrap();
    let there: BTreeSet<Id> = list.iter().map(|entry| entry.id).collect();
    assert_eq!(there.intersection(acked).next(), None, "it came back after its ack");
    for (id, number) in &*stored {
        if there.contains(id) {
            assert!(body(&store, BOX, *id).await == Some(message(*number)), "{id} has other bytes");
        } else {
            assert!(asked.contains(id), "{id} was promised and is lost");
        }
    }
    let usage = store.usage(BOX).await.unwrap().unwrap();
    assert_eq!(usage.messages, there.len() as u64);
    assert_eq!(usage.bytes, list.iter().map(|entry| entry.size).sum::<u64>());
    for id in stored.keys().filter(|id| acked.contains(id)).take(20) {
        let bytes = message(stored[id]);
        assert_eq!(store.put(push(&bytes), &mut Pieces::new(&bytes)).await.unwrap(), Put::Already);
    }
    // Room for the next rounds: what was called in is taken out.
    for ids in list.chunks(1000) {
        let ids: Vec<Id> = ids.iter().map(|entry| entry.id).collect();
        store.ack(BOX, ids.clone(), NOW + 86_400).await.unwrap();
        acked.extend(ids);
    }
    stored.clear();
    asked.clear();
}
