//! People with homes of their own, and a real relay process, for tests of the program.

#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

pub(crate) mod evil;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The program under test.
pub(crate) const BULLA: &str = env!("CARGO_BIN_EXE_bulla");

/// Somebody with a home folder of his own.
pub(crate) struct Person {
    home: TempDir,
}

/// What a run printed, and its status.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Demands a status.
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stderr: {}\nstdout: {}", self.err, self.text());
        self
    }

    /// Returns whether it wrote nothing but that it failed.
    pub(crate) fn is_without_letters(&self) -> bool {
        self.out == [&b"\x8bbulla E\xff\xff\xff"[..], &[self.status as u8]].concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Stdout as JSON lines.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Person {
    /// Somebody without an identity.
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// Somebody with the default identity.
    pub(crate) fn with_identity() -> Self {
        let person = Self::new();
        person.run(&["keygen", "--default"]).expect(0);
        person
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A path in a folder of this person's that is not his home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join("files");
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(name)
    }

    /// The program with this person's environment and nothing else.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BULLA);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("BULLA_HOME", self.home.path().join("home"))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Runs with `input` on stdin.
    pub(crate) fn pipe(&self, args: &[&str], input: &[u8]) -> Ran {
        feed(self.command(args), input)
    }

    /// This person's card, with a relay on it.
    pub(crate) fn card(&self, name: &str, relay: &str) -> PathBuf {
        let path = self.path(&format!("{name}.card"));
        let ran = self.run(&["card", "--name", name, "--relay", relay]).expect(0);
        std::fs::write(&path, ran.out).unwrap();
        path
    }

    /// Adds another's card under a name.
    pub(crate) fn knows(&self, name: &str, card: &Path) {
        self.run(&["contact", "add", name, card.to_str().unwrap()]).expect(0);
    }

    pub(crate) fn fingerprint(&self) -> String {
        let card = self.run(&["card", "--json"]).expect(0).json();
        card[0]["fingerprint"].as_str().unwrap().to_owned()
    }
}

/// Pairs two people by a secret invite: each calls the other by a name, and has the mailboxes at a
/// relay. Returns what the inviter is told at the end.
pub(crate) fn pair(
    [inviter, joiner]: [&Person; 2],
    [inviters, joiners]: [&str; 2],
    [here, there]: [&Relay; 2],
) -> String {
    let invite = inviter.run(&["invite", "--as", joiners, "--relay", &here.url]).expect(0).out;
    let pair = ["pair", "--method", "secret", "--as", inviters, "--relay", &there.url, "-"];
    joiner.pipe(&pair, &invite).expect(0);
    inviter.run(&["pair"]);
    joiner.run(&["pair"]).expect(0);
    inviter.run(&["pair"]).expect(0).err
}

/// Runs a command with `input` on stdin, which it need not read to its end.
pub(crate) fn feed(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran::from(output)
}

/// A relay process on a loopback port, killed when dropped.
pub(crate) struct Relay {
    child: Child,
    store: PathBuf,
    pub(crate) url: String,
}

impl Relay {
    pub(crate) fn start(store: &Path) -> Self {
        Self::start_with(store, "127.0.0.1:0", &[])
    }

    pub(crate) fn start_with(store: &Path, listen: &str, more: &[&str]) -> Self {
        let mut child = Command::new(BULLA)
            .args(["relay", "serve", "--listen", listen, "--store"])
            .arg(store)
            .args(more)
            .env_clear()
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "relay said {line:?}");
        Self { child, store: store.to_owned(), url }
    }

    /// SIGKILL, then the same store on the same port.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        let listen = self.url.trim_start_matches("http://").to_owned();
        *self = Self::start_with(&self.store.clone(), &listen, &[]);
    }

    /// Waits until so many requests wait at the relay for messages to come.
    pub(crate) fn until_waiting(&self, count: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        while waiting(&self.store.join("admin.sock")) != count {
            assert!(Instant::now() < until, "never did {count} requests wait");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Requests that wait at a relay, as its operator is told.
fn waiting(admin: &Path) -> usize {
    let mut line = UnixStream::connect(admin).unwrap();
    line.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    line.read_to_string(&mut text).unwrap();
    let count = text.lines().find_map(|line| line.strip_prefix("bulla_waiting_requests "));
    count.unwrap().trim().parse().unwrap()
}

/// Secret keys that were kept when their files were replaced.
pub(crate) fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut kept: Vec<_> =
        entries.filter(|path| path.to_str().unwrap().contains(".old-")).collect();
    kept.sort();
    kept
}

/// Every byte of every file below a folder.
pub(crate) fn everything_below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        all.extend_from_slice(entry.file_name().as_encoded_bytes());
        if entry.file_type().is_file() {
            std::fs::File::open(entry.path()).unwrap().read_to_end(&mut all).unwrap();
        }
    }
    all
}
