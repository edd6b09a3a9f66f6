//! A relay writes down nobody: whatever it prints, it prints no mailbox, message or address.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use bulla::relay::protocol::CapabilityId;

use crate::common::BULLA;
use crate::wire::{Connection, Owner, id_of, push, request};

#[test]
fn nothing_that_is_printed_names_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(BULLA)
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
    let host = first.trim().trim_start_matches("http://");
    let (owner, capability) = Owner::registered(host);
    let send = |bytes: Vec<u8>| Connection::open(host).ask(&bytes).status;
    let id = id_of(b"hello").to_string();
    assert_eq!(send(push(host, owner.mailbox, &capability, b"hello")), 201);
    assert_eq!(send(owner.signed("GET", &format!("/{id}"), None, None)), 200);
    let target = format!("/v1/m/{}", owner.mailbox);
    let bearer = [("authorization", format!("Bearer {capability}"))];
    let bearer = bearer.each_ref().map(|(name, value)| (*name, value.as_str()));
    let other = format!("{target}/{}", id_of(b"other"));
    for wrong in [
        push(host, owner.mailbox, "wrong", b"hello"),
        request(host, "PUT", &other, &bearer, b"jello"),
        request(host, "POST", &format!("{target}/push"), &bearer, b"nonsense"),
        owner.signed("POST", "/ack", None, Some(b"nonsense")),
        owner.signed("GET", "", Some("wait=soon"), None),
        request(host, "GET", &format!("{target}/events"), &[], b""),
        request(host, "BREW", &target, &[], b""),
    ] {
        assert!(send(wrong) >= 400);
    }
    let mut line = Connection::open(host);
    line.send(b"\x16\x03\x01 not http at all\r\n\r\n").unwrap();
    while line.answer().is_some() {}
    drop(std::net::TcpStream::connect(host).unwrap());
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(child.wait().unwrap().success());
    let mut printed = String::new();
    stdout.read_to_string(&mut printed).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut printed).unwrap();
    let names = [owner.mailbox.to_string(), id, CapabilityId::of(&capability).to_string()];
    for name in names.iter().map(String::as_str).chain([&*capability, "127.0.0.1:"]) {
        assert!(!printed.contains(name), "{name} in {printed}");
    }
}
