//! A relay writes down nobody: whatever it prints, it prints no mailbox, message or address.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use bulla::relay::protocol::Mailbox;

use crate::harness::*;

#[test]
fn nothing_that_is_printed_names_anybody() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bulla"))
        .args(["relay", "serve", "-v", "--listen", "127.0.0.1:0", "--store"])
        .arg(folder.path().join("store"))
        .env_clear()
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    let address = first.trim().rsplit('/').next().unwrap().parse().unwrap();
    let send = |ask: &Ask<'_>, host: &str| exchange(address, &ask.bytes(host, unix_now() + 1));
    let host = address.to_string();
    let (owner, mailbox) = (key(1), Mailbox(key(1).public()));
    let target = format!("/v1/m/{mailbox}");
    let message = format!("{target}/{}", id_of(b"hello"));
    Reply::read(&send(&ask("PUT", target.clone()).signed(&owner), &host)).is(201);
    let capability = bulla::relay::protocol::CapabilityId::of(CAP);
    let allow = ask("PUT", format!("{target}/capabilities/{capability}")).body("{}");
    Reply::read(&send(&allow.signed(&owner), &host)).is(204);
    Reply::read(&send(&push(&mailbox, CAP, b"hello"), &host)).is(201);
    Reply::read(&send(&ask("GET", message.clone()).signed(&owner), &host)).is(200);
    for wrong in [
        push(&mailbox, "wrong", b"hello"),
        ask("PUT", format!("{target}/{}", id_of(b"other"))).bearer(CAP).body("jello"),
        ask("POST", format!("{target}/push")).bearer(CAP).body("nonsense"),
        ask("POST", format!("{target}/ack")).body("nonsense").signed(&owner),
        ask("GET", format!("{target}?wait=soon")).signed(&owner),
        ask("GET", format!("{target}/events")),
        ask("BREW", target.clone()),
    ] {
        assert!(Reply::read(&send(&wrong, &host)).status >= 400);
    }
    exchange(address, b"\x16\x03\x01 not http at all\r\n\r\n");
    drop(std::net::TcpStream::connect(address).unwrap());
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(child.wait().unwrap().success());
    let mut printed = String::new();
    stdout.read_to_string(&mut printed).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut printed).unwrap();
    let ids = [mailbox.to_string(), id_of(b"hello").to_string(), capability.to_string()];
    for name in ids.iter().map(String::as_str).chain([CAP, "127.0.0.1:"]) {
        assert!(!printed.contains(name), "{name} in {printed}");
    }
}
