//! The client of `examples/client.rs`, as its head says to use it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, Stdio};

mod common;

use common::{BULLA, Relay, feed};

#[test]
fn two_people_pair_and_write() {
    let program = Path::new(BULLA).with_file_name("examples").join("client");
    assert!(program.exists(), "build it with: cargo build --example client");
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&folder.path().join("store"));
    let run = |person: &str, args: &[&str], input: &[u8]| {
        let mut client = Command::new(&program);
        client.arg(folder.path().join(person)).args(args).env("RELAY", &relay.url);
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        feed(client, input).expect(0)
    };
    let line = run("ann", &["invite", "bob"], b"");
    run("bob", &["join", "ann"], &line.out);
    for person in ["ann", "bob", "ann"] {
        run(person, &["pair"], b"");
    }
    run("ann", &["send", "bob"], b"see you at three\n");
    assert_eq!(run("bob", &["receive"], b"").text(), "ann: see you at three\n");
    assert_eq!(run("bob", &["receive"], b"").text(), "");
}
