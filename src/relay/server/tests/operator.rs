//! The operator's socket and the collector's port.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use crate::relay::protocol::{Mailbox, Registration, Terms, TokenId};
use crate::relay::server::admin::operator::Operator;
use crate::relay::server::{self, Config, Server};
use crate::relay::store::Token;

use crate::relay::server::tests::harness::*;

fn token() -> Token {
    let id = TokenId::of("let-me-in");
    Token { id, mailboxes: 2, bytes: Some(1 << 30), expires: None, used: 0 }
}

fn over(socket: &std::path::Path, request: &str) -> Reply {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    Reply::read(&answer)
}

#[test]
fn an_operator_sees_totals_and_gives_out_tokens() {
    let folder = folder();
    let socket = folder.path().join("admin.sock");
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = metrics.local_addr().unwrap();
    assert!(Operator::at(&socket).is_none());
    let relay = Relay::start_with(
        |config| config.registration = Registration::Token,
        |config| embedded(folder.path(), config),
        |server| server.with_admin(&socket).unwrap().with_metrics(metrics).unwrap(),
    );
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let operator = Operator::at(&socket).unwrap();
    operator.add_token(token()).unwrap();
    assert_eq!(operator.tokens().unwrap(), [token()]);

    let (owner, mailbox) = (key(1), Mailbox(key(1).public()));
    let register = ask("PUT", format!("/v1/m/{mailbox}")).bearer("let-me-in").signed(&owner);
    relay.send(&register).is(201);
    relay.allow(&owner, CAP, Terms::default());
    relay.push(&owner, CAP, b"hello").is(201);
    relay.push(&owner, CAP, b"hello").is(200);
    relay.push(&owner, "wrong", b"hello").is(404);
    assert_eq!(operator.tokens().unwrap()[0].used, 1);
    let totals = operator.totals().unwrap();
    assert_eq!((totals.mailboxes, totals.waiting.messages, totals.waiting.bytes), (1, 1, 5));

    let lines = over(&socket, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").is(200);
    assert_eq!(lines.header("content-type"), Some("text/plain; version=0.0.4"));
    let text = String::from_utf8(lines.body).unwrap();
    for line in [
        "bulla_mailboxes 1",
        "bulla_waiting_messages 1",
        "bulla_waiting_bytes 5",
        "bulla_pushed_total 1",
        "bulla_repeated_total 1",
        "bulla_refused_total{code=\"no_mailbox\"} 1",
        "bulla_refused_total{code=\"busy\"} 0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    assert!(!text.contains(&mailbox.to_string()) && !text.contains("127.0.0.1"), "{text}");
    // The port has nothing else.
    let at = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        Reply::read(&exchange(port, request.as_bytes()))
    };
    assert!(at("/metrics").is(200).body.starts_with(b"# HELP bulla_mailboxes"));
    at("/v1/tokens").is(404);
    at("/v1/totals").is(404);

    assert!(operator.remove_token(token().id).unwrap());
    assert!(!operator.remove_token(token().id).unwrap());
    over(&socket, "POST /v1/tokens HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").is(400);
    let second = Server::new(
        Config::default(),
        embedded(&folder.path().join("other"), &Config::default()),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let second = second.unwrap().with_admin(&socket);
    assert!(matches!(second, Err(server::Error::AdminInUse(_))));
    relay.stop().unwrap();
    assert!(!socket.exists());

    // Without a relay, the store says the same.
    let operator = Operator::of(embedded(folder.path(), &Config::default())).unwrap();
    assert_eq!(operator.totals().unwrap(), totals);
    operator.add_token(token()).unwrap();
    assert_eq!(operator.tokens().unwrap().len(), 1);
    assert!(operator.remove_token(token().id).unwrap());
}
