//! Real processes on a loopback port, killed with SIGKILL in the middle of their work.
//!
//! An id is noted only when the answer that promises something has come; afterwards every
//! noted promise is called in. `BULLA_SOAK=n` makes both tests n times as long.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::crypto::{self, SigningSecret};
use crate::files::{Access, AtomicFile, Existing};
use crate::relay::client::pull::{self, Delivered, Owned};
use crate::relay::client::spool::Spool;
use crate::relay::client::{Client, Error, Inbox, Options, Transport as _, bearer_text};
use crate::relay::protocol::{CapabilityId, Entry, Id, Mailbox, Terms};
use crate::relay::server::{Config, Server};
use crate::relay::store::Quotas;
use crate::relay::store::embedded::Embedded;
use crate::secret::Secret;

const FOLDER: &str = "BULLA_TEST_FOLDER";

/// A process of this very program that runs one ignored test; killed when dropped.
struct Process(Child);

impl Process {
    fn start(test: &str, folder: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("relay::store::tests::crash::{test}")])
            .args(["--ignored", "--nocapture"])
            .env(FOLDER, folder)
            // It ends itself when this pipe does, so it does not outlive the test.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn finish(mut self) -> bool {
        // Without closing its standard input, which would end it.
        let until = Instant::now() + Duration::from_secs(120);
        while Instant::now() < until {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In a child: its folder, and its end when the parent is gone. `None` when somebody runs the
/// ignored tests by hand.
fn child_folder() -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER)?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    Some(folder.into())
}

fn relay(folder: &Path) -> (Process, String) {
    let at = folder.join("address");
    let _ = fs::remove_file(&at);
    let process = Process::start("child_relay", folder);
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < until, "the relay did not start");
        if let Ok(url) = fs::read_to_string(&at) {
            return (process, url);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "a process of the tests below"]
fn child_relay() {
    let Some(folder) = child_folder() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config { sweep_every: Duration::from_millis(100), ..Config::default() };
    let store = Embedded::open(&folder.join("relay"), Quotas::default()).unwrap();
    let server = Server::new(config, Arc::new(store), listener).unwrap();
    let mut file =
        AtomicFile::create(&folder.join("address"), Existing::Replace, Access::Private).unwrap();
    write!(file, "http://{}", server.address()).unwrap();
    file.commit().unwrap();
    server.run(std::future::pending()).unwrap();
}

#[test]
#[ignore = "a process of the tests below"]
fn child_puller() {
    let Some(folder) = child_folder() else { return };
    let out = folder.join("out");
    let mut log =
        fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let client = client(&fs::read_to_string(folder.join("address")).unwrap());
    let boxes = [Owned { relay: Arc::new(client), key: Arc::new(key()) }];
    let mut spool = Spool::open(folder.join("spool")).unwrap();
    let options = pull::Options::default();
    let report = pull::pull(&boxes, &mut spool, options, |id, file| {
        // One line for each time the message is handed over, complete or not.
        log.write_all(format!("{id}\n").as_bytes())?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        match AtomicFile::create(&out.join(id.to_string()), Existing::Keep, Access::Private) {
            Ok(mut copy) => {
                copy.write_all(&bytes)?;
                copy.commit()?;
            }
            // It came before: the mark was lost with the process that had it.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(Delivered::Yes)
    });
    match report {
        Ok(_) => {}
        Err(pull::Stopped::Relay(error)) if error.is_temporary() => std::process::exit(75),
        Err(error) => panic!("{error}"),
    }
}

fn client(url: &str) -> Client {
    let options = Options { retries: 0, timeout: Duration::from_secs(10), ..Options::default() };
    Client::new(url, options).unwrap()
}

fn key() -> SigningSecret {
    SigningSecret::from_seed(&Secret::from_slice(&[1; 32]).unwrap())
}

fn capability() -> Secret<32> {
    Secret::from_slice(&[2; 32]).unwrap()
}

fn inbox() -> Inbox {
    Inbox { mailbox: Mailbox(key().public()), capability: Some(Arc::new(capability())) }
}

fn register(url: &str) {
    let client = client(url);
    client.register(&key(), None).unwrap();
    let capability = CapabilityId::of(bearer_text(&capability()).as_str());
    client.allow(&key(), &capability, &Terms::default()).unwrap();
}

/// The bytes of message `number`: mostly short, every ninth in a file of its own.
fn message(number: u32) -> Vec<u8> {
    let size = match number % 9 {
        0 => 270_000 + number as usize % 50_000,
        _ => 10 + number as usize * 37 % 3000,
    };
    number.to_be_bytes().iter().copied().cycle().take(size).collect()
}

fn id_of(bytes: &[u8]) -> Id {
    Id(crypto::sha256(&[bytes]))
}

fn push(client: &Client, number: u32) -> Result<Id, Error> {
    let bytes = message(number);
    let id = id_of(&bytes);
    client.push(&inbox(), &id, &mut Cursor::new(&bytes), bytes.len() as u64).map(|_| id)
}

fn random_millis(range: std::ops::Range<u64>) -> Duration {
    let [a, b] = crypto::random::<2>().unwrap();
    let random = u64::from(u16::from_be_bytes([a, b]));
    Duration::from_millis(range.start + random % (range.end - range.start))
}

fn budget(seconds: u64) -> Instant {
    let soak: u64 = std::env::var("BULLA_SOAK").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    Instant::now() + Duration::from_secs(seconds * soak)
}

/// What the relay has promised.
#[derive(Default)]
struct Promises {
    /// Ids that got 201 or 200, with their message's number.
    stored: BTreeMap<Id, u32>,
    /// Ids that were to be deleted: asked, and answered.
    asked: BTreeSet<Id>,
    deleted: BTreeSet<Id>,
}

#[test]
fn a_killed_relay_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let promises = Mutex::new(Promises::default());
    let next = AtomicU32::new(0);
    let until = budget(10);
    let mut rounds = 0;
    {
        let (process, url) = relay(folder.path());
        register(&url);
        process.kill();
    }
    while Instant::now() < until || rounds < 5 {
        rounds += 1;
        let (process, url) = relay(folder.path());
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let client = client(&url);
                    while !over.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if let Ok(id) = push(&client, number) {
                            promises.lock().unwrap().stored.insert(id, number);
                        }
                    }
                });
            }
            scope.spawn(|| {
                let client = client(&url);
                while !over.load(Ordering::Relaxed) {
                    // Two of three are taken out; the rest pile up.
                    let Ok(listed) = client.list(&key(), Duration::ZERO, 1000) else { continue };
                    let ids: Vec<Id> =
                        listed.iter().map(|e| e.id).filter(|id| id.0[0] % 3 > 0).take(40).collect();
                    promises.lock().unwrap().asked.extend(&ids);
                    if client.ack(&key(), &ids).is_ok() {
                        promises.lock().unwrap().deleted.extend(&ids);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            std::thread::sleep(random_millis(20..350));
            process.kill();
            over.store(true, Ordering::Relaxed);
        });
        if rounds % 4 == 0 || Instant::now() >= until {
            call_in(folder.path(), &mut promises.lock().unwrap());
        }
    }
    let promises = promises.into_inner().unwrap();
    eprintln!(
        "{rounds} kills, {} messages stored, {} deleted",
        promises.stored.len() + promises.deleted.len(),
        promises.deleted.len()
    );
    assert!(promises.deleted.len() > 50, "too little was tried");
}

/// Every message that was promised is there byte for byte, and no deleted one is.
fn call_in(folder: &Path, promises: &mut Promises) {
    let (process, url) = relay(folder);
    let client = client(&url);
    let mut out = Vec::new();
    for (id, number) in &promises.stored {
        let expected = message(*number);
        let entry = Entry { id: *id, size: expected.len() as u64, expires: 0 };
        out.clear();
        match client.fetch(&key(), &entry, &mut out) {
            Ok(()) => {
                assert_eq!(out, expected);
                assert!(!promises.deleted.contains(id), "{id} came back after its ack");
            }
            Err(Error::NoMessage(_)) => {
                assert!(promises.asked.contains(id), "{id} was promised and is lost");
            }
            Err(other) => panic!("{other}"),
        }
    }
    // A late repetition of what was deleted brings nothing back, and the count is right.
    for id in promises.deleted.iter().take(20) {
        if let Some(number) = promises.stored.get(id) {
            push(&client, *number).unwrap();
        }
    }
    // Not a promise: messages that are there although no answer came back.
    loop {
        let listed = client.list(&key(), Duration::ZERO, 1000).unwrap();
        assert!(listed.iter().all(|entry| !promises.deleted.contains(&entry.id)));
        let count = client.status(&key()).unwrap().messages;
        assert!(count == listed.len() as u64 || (listed.len() == 1000 && count > 1000));
        if listed.is_empty() {
            break;
        }
        // Room for the next rounds: what was called in is taken out.
        let ids: Vec<Id> = listed.iter().map(|entry| entry.id).collect();
        client.ack(&key(), &ids).unwrap();
        promises.asked.extend(&ids);
        promises.deleted.extend(&ids);
    }
    assert_eq!(fs::read_dir(folder.join("relay/bodies")).unwrap().count(), 0, "orphans");
    process.kill();
}

#[test]
fn a_killed_puller_loses_nothing_and_delivers_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    let (mut process, mut url) = relay(folder.path());
    register(&url);
    let mut promised = BTreeSet::new();
    let mut next = 0;
    let mut kills = 0u32;
    let until = budget(8);
    while Instant::now() < until || kills < 20 {
        let puller = Process::start("child_puller", folder.path());
        let end = Instant::now() + random_millis(15..150);
        let most = next + 40;
        while Instant::now() < end {
            if next == most {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            if let Ok(id) = push(&client(&url), next) {
                promised.insert(id);
            }
            next += 1;
        }
        puller.kill();
        kills += 1;
        if kills.is_multiple_of(10) {
            // The relay dies too: acks that got lost must not deliver again.
            process.kill();
            (process, url) = relay(folder.path());
        }
    }
    assert!(Process::start("child_puller", folder.path()).finish(), "the last pull failed");

    for id in &promised {
        let bytes = fs::read(folder.path().join("out").join(id.to_string()));
        assert_eq!(id_of(&bytes.unwrap_or_else(|_| panic!("{id} is lost"))), *id);
    }
    assert_eq!(client(&url).status(&key()).unwrap().messages, 0);
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    let handed = log.lines().count();
    let delivered: BTreeSet<&str> = log.lines().collect();
    let files = fs::read_dir(folder.path().join("out")).unwrap();
    let files =
        files.filter(|f| !f.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(files.count(), delivered.len());
    eprintln!(
        "{kills} kills, {} messages, {} handed over again",
        delivered.len(),
        handed - delivered.len()
    );
    // A kill catches at most the one message that is being handed over.
    assert!(handed - delivered.len() <= kills as usize, "{handed} {}", delivered.len());
    assert!(delivered.len() > 50, "too little was tried");
    let spool = Spool::open(folder.path().join("spool")).unwrap();
    assert!(spool.waiting().is_empty());
    process.kill();
}
