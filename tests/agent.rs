//! The agent from outside: what it saves, what it refuses, and when it forgets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/skip.rs"]
mod skip;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn bulla(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulla"));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BULLA_"))
    {
        command.env_remove(name);
    }
    command
        .env("BULLA_HOME", home)
        .env("PASSPHRASE", "correct horse")
        .arg("--no-input")
        .args(args)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

/// A home with a locked identity and an index with one text.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let text = home.path().join("note.txt");
    fs::write(&text, "harbour tools").unwrap();
    let at = |args: &[&str]| done(bulla(home.path(), args));
    at(&["keygen", "--default", "--passphrase", "@ENV:PASSPHRASE"]);
    at(&["index", "build", "--passphrase", "@ENV:PASSPHRASE", text.to_str().unwrap()]);
    home
}

/// Waits until the agent's socket is gone, which goes with its process.
fn gone(socket: &Path) {
    let until = Instant::now() + Duration::from_secs(60);
    while socket.exists() {
        assert!(Instant::now() < until, "the agent stays");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_index_that_is_named_is_destroyed_without_the_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let (text, index) = (home.path().join("note.txt"), home.path().join("index"));
    fs::write(&text, "harbour tools").unwrap();
    let (text, index) = (text.to_str().unwrap(), index.to_str().unwrap());
    let locked = ["--passphrase", "@ENV:PASSPHRASE"];
    done(bulla(home.path(), &[&["keygen", "--default"], &locked[..]].concat()));
    done(bulla(home.path(), &[&["index", "build", "--index", index, text], &locked[..]].concat()));
    let destroy = |more: &[&str]| {
        let destroy = [&["index", "destroy"], more].concat();
        bulla(home.path(), &destroy).status.code()
    };
    assert_eq!(destroy(&["--force"]), Some(14), "where it lies, the identity knows");
    assert_eq!(destroy(&["--index", index]), Some(2));
    assert!(Path::new(index).join("key").exists());
    assert_eq!(destroy(&["--index", index, "--force"]), Some(0));
    assert!(!Path::new(index).exists());
}

#[test]
fn a_passphrase_once_and_then_none() {
    let home = home();
    let search = || bulla(home.path(), &["search", "-0", "harbour"]);
    assert_eq!(search().status.code(), Some(14), "locked, and nothing to ask");
    assert_eq!(bulla(home.path(), &["agent", "status"]).status.code(), Some(1));

    done(bulla(home.path(), &["search", "--passphrase", "@ENV:PASSPHRASE", "harbour"]));
    assert!(
        done(bulla(home.path(), &["agent", "--for", "1h", "--passphrase", "@ENV:PASSPHRASE"]))
            .contains("unlocked for 1h")
    );
    // Without the passphrase: nothing is derived from it, which is what takes the time.
    done(search());
    let status = done(bulla(home.path(), &["agent", "status"]));
    assert!(status.contains("identities  1\n"), "{status}");

    // It is for the index alone: letters and contacts want the passphrase.
    assert_eq!(bulla(home.path(), &["contact", "list"]).status.code(), Some(14));
    let socket = home.path().join("agent");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);

    // A second one takes the place of the first in the process that is there.
    done(bulla(home.path(), &["agent", "--for", "2h", "--passphrase", "@ENV:PASSPHRASE"]));
    done(bulla(home.path(), &["agent", "lock"]));
    assert_eq!(search().status.code(), Some(14));
    assert_eq!(bulla(home.path(), &["agent", "lock"]).status.code(), Some(1));
    gone(&socket);
}

#[test]
fn it_forgets_by_itself() {
    let home = home();
    done(bulla(home.path(), &["agent", "--for", "1s", "--passphrase", "@ENV:PASSPHRASE"]));
    gone(&home.path().join("agent"));
    assert_eq!(bulla(home.path(), &["search", "-0", "harbour"]).status.code(), Some(14));
}

#[test]
fn nonsense_and_silence_do_not_stop_it() {
    let home = home();
    done(bulla(home.path(), &["agent", "--for", "60s", "--passphrase", "@ENV:PASSPHRASE"]));
    let socket = home.path().join("agent");
    // Somebody connects and says nothing; others send what is no request.
    let silent = UnixStream::connect(&socket).unwrap();
    for bytes in [&b""[..], b"g", b"x", &[b'p'; 40], &[0; 4096]] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{answer:?}");
    }
    drop(silent);
    // A name it does not know gets nothing.
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(&[&b"g"[..], &[7; 32]].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"n");
    assert!(bulla(home.path(), &["search", "-0", "harbour"]).status.success());
    done(bulla(home.path(), &["agent", "lock"]));
}

#[test]
fn an_identity_that_is_not_locked_needs_none() {
    let home = tempfile::tempdir().unwrap();
    done(bulla(home.path(), &["keygen", "--default"]));
    let refused = bulla(home.path(), &["agent"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(!home.path().join("agent").exists());
}

/// The memory of the process that holds the keys is closed to others of the same user, and its
/// arguments show nothing.
#[test]
#[cfg(target_os = "linux")]
fn the_process_shows_nothing() {
    let home = home();
    done(bulla(home.path(), &["agent", "--for", "60s", "--passphrase", "@ENV:PASSPHRASE"]));
    let mut seen = 0;
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let place = home.path().as_os_str().as_encoded_bytes();
        if !command.windows(place.len()).any(|window| window == place) {
            continue;
        }
        seen += 1;
        assert_eq!(command.split(|b| *b == 0).count(), 5, "program, agent, hold, socket");
        let limits = fs::read_to_string(entry.path().join("limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        // A process that is not dumpable belongs to root in /proc.
        let memory = fs::metadata(entry.path().join("mem")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&memory), 0);
        // Root may read the variables it was started with: the passphrase is not among them.
        let variables = fs::read(entry.path().join("environ")).unwrap_or_default();
        assert!(!variables.windows(7).any(|window| window == b"correct"));
    }
    assert_eq!(seen, 1);
    done(bulla(home.path(), &["agent", "lock"]));
}

/// Neither a query nor anything else of the index leaves the machine.
#[test]
#[cfg(target_os = "linux")]
fn a_search_connects_to_nobody() {
    let home = home();
    let log = home.path().join("calls");
    for args in [&["search", "harbour"][..], &["index", "build", "/dev/null"], &["index", "purge"]]
    {
        let traced = Command::new("strace")
            .args(["-f", "-e", "trace=%network", "-o"])
            .arg(&log)
            .arg(env!("CARGO_BIN_EXE_bulla"))
            .args(args)
            .args(["--no-input", "--passphrase", "@ENV:PASSPHRASE"])
            .env("BULLA_HOME", home.path())
            .env("PASSPHRASE", "correct horse")
            .output();
        let Ok(traced) = traced else {
            return skip::because("strace is not installed");
        };
        let calls = fs::read_to_string(&log).unwrap();
        assert!(calls.contains("exited with"), "{}", said(&traced));
        let outward =
            calls.lines().find(|line| line.contains("AF_INET") || line.contains("SOCK_DGRAM"));
        assert_eq!(outward, None, "{args:?}");
    }
}
