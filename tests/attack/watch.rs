//! A relay under attack: what it may use, and an honest client that must not notice.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::Relay;
use crate::wire::{Connection, Owner, id_of, noise, push};

/// Ten times the attack, and the honest client's times count too.
pub(crate) fn is_long() -> bool {
    std::env::var("BULLA_ATTACK").is_ok_and(|form| form == "long")
}

/// A number of attackers or attacks.
pub(crate) fn many(short: usize) -> usize {
    if is_long() { short * 10 } else { short }
}

/// A relay, its folder, and somebody who uses it all the while.
pub(crate) struct Besieged {
    pub(crate) host: String,
    relay: Relay,
    folder: TempDir,
    honest: Option<Honest>,
    idle: Duration,
    memory: u64,
}

impl Besieged {
    /// Starts a relay and learns how it is when nothing happens.
    pub(crate) fn new(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let relay = Relay::start_with(&folder.path().join("store"), "127.0.0.1:0", options);
        let host = relay.url.trim_start_matches("http://").to_owned();
        let idle = {
            let honest = Honest::start(&host);
            std::thread::sleep(Duration::from_millis(if is_long() { 3000 } else { 300 }));
            p99(honest.stop(many(20)))
        };
        let memory = peak(relay.pid());
        let honest = Some(Honest::start(&host));
        Self { host, relay, folder, honest, idle, memory }
    }

    /// Ends the attack and demands that it did no harm: the relay's memory never grew by more
    /// than so many MiB, its folder is not greater than so many, it runs, and the honest
    /// client was served.
    #[track_caller]
    pub(crate) fn unharmed(mut self, memory: u64, disk: u64) {
        let times = self.honest.take().unwrap().stop(many(20));
        let grown = peak(self.relay.pid()).saturating_sub(self.memory) >> 20;
        assert!(grown <= memory, "memory grew by {grown} MiB, expected at most {memory}");
        let used = size_of(self.folder.path()) >> 20;
        assert!(used <= disk, "the store takes {used} MiB, expected at most {disk}");
        let (rounds, late) = (times.len(), p99(times));
        println!(
            "memory +{grown} MiB, disk {used} MiB, {rounds} honest rounds, p99 {late:?}, idle {:?}",
            self.idle
        );
        if is_long() {
            assert!(late <= self.idle * 10, "p99 {late:?}, idle {:?}", self.idle);
        }
    }
}

/// Somebody who pushes to himself, and sees his own messages and nothing else.
struct Honest {
    stop: Arc<AtomicBool>,
    /// Rounds it has had.
    rounds: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Honest {
    fn start(host: &str) -> Self {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (host, told, count) = (host.to_owned(), stop.clone(), rounds.clone());
        let thread = std::thread::spawn(move || {
            let (owner, capability) = Owner::registered(&host);
            let mut line = Connection::open(&host);
            let mut times = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let body = noise(1024);
                let start = Instant::now();
                let stored = line.ask(&push(&host, owner.mailbox, &capability, &body));
                assert_eq!(stored.status, 201, "{}", stored.text());
                assert_eq!(owner.list(&mut line), [id_of(&body)]);
                let taken =
                    line.ask(&owner.signed("GET", &format!("/{}", id_of(&body)), None, None));
                assert_eq!((taken.status, &taken.body), (200, &body));
                let acked = line.ask(&owner.about("/ack", &[id_of(&body)]));
                assert_eq!(acked.text(), r#"{"deleted":1}"#);
                times.push(start.elapsed());
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
            times
        });
        Self { stop, rounds, thread }
    }

    /// Ends after so many rounds at least, or when the client has ended by itself.
    fn stop(self, rounds: usize) -> Vec<Duration> {
        while self.rounds.load(Ordering::Relaxed) < rounds && !self.thread.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// The most memory a process has had, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

/// Bytes that the files of a folder have on the disk.
fn size_of(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = walkdir::WalkDir::new(folder).into_iter();
    entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.blocks() * 512)).sum()
}
