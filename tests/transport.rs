//! How a relay is reached: TLS of every kind, proxies, and what a service manager hands over.
//! The relay is the program; the proxies, the manager and the strangers are the test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in its helpers"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Cursor, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use bulla::crypto::{self, SigningSecret};
use bulla::relay::client::{Client, Error, Inbox, Options, Pushed, Transport as _};
use bulla::relay::protocol::{CapabilityId, Id, Mailbox, Terms};
use bulla::relay::server::tls::key::OfflineKey;
use bulla::secret::Secret;
use common::{BULLA, Person};
use tempfile::TempDir;

/// A relay process, ended when dropped.
struct Serve {
    child: Child,
    addresses: Vec<String>,
}

impl Serve {
    /// Runs a relay and reads its addresses, of which `--name` gives as many.
    fn start(folder: &TempDir, args: &[&str]) -> Self {
        let mut command = Command::new(BULLA);
        command.args(["relay", "serve", "--store"]).arg(folder.path().join("store")).args(args);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        Self::spawn(command, args.iter().filter(|arg| **arg == "--name").count().max(1))
    }

    fn spawn(mut command: Command, lines: usize) -> Self {
        let kept = command_env(&command);
        command.env_clear().envs(kept).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let addresses: Vec<_> = stdout.lines().take(lines).map(Result::unwrap).collect();
        assert_eq!(addresses.len(), lines, "the relay did not start");
        Self { child, addresses }
    }

    fn url(&self) -> &str {
        &self.addresses[0]
    }

    /// Host and port of the first address.
    fn authority(&self) -> &str {
        let url = self.url().split_once("://").unwrap().1;
        url.split('#').next().unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

/// What a test has set for a command, which [`Command::env_clear`] would take away.
fn command_env(command: &Command) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect()
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The relay's words of itself, fetched by a client.
fn info(url: &str, authorities: Option<&Path>) -> Result<(), Error> {
    client(url, authorities)?.info().map(drop)
}

fn client(url: &str, authorities: Option<&Path>) -> Result<Client, Error> {
    let mut options = Options::default();
    options.retries = 0;
    options.timeout = Duration::from_secs(10);
    options.proxy_from_environment = false;
    options.authorities = authorities.map(Path::to_owned);
    Client::new(url, options)
}

#[track_caller]
fn refused(outcome: Result<(), Error>, word: &str) {
    match outcome {
        Err(Error::Insecure(why)) => assert!(why.contains(word), "{why}"),
        other => panic!("{other:?}"),
    }
}

fn bulla(args: &[&str]) -> String {
    let output = Command::new(BULLA).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Keys as `relay key new` makes them, for localhost at a port; and the address.
fn keys(folder: &TempDir, name: &str, port: u16) -> (PathBuf, String) {
    let out = folder.path().join(name);
    let host = format!("localhost:{port}");
    let address = bulla(&["relay", "key", "new", "--name", &host, "--out", out.to_str().unwrap()]);
    (out, address.trim().to_owned())
}

fn serve_online(folder: &TempDir, online: &Path, port: u16) -> Serve {
    let listen = format!("127.0.0.1:{port}");
    let name = format!("localhost:{port}");
    let online = online.to_str().unwrap();
    Serve::start(folder, &["--online", online, "--name", &name, "--listen", &listen])
}

/// Tries for as long as a relay needs to notice.
fn eventually(mut what: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < end, "it did not come true");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_key_in_the_address_is_the_one_that_counts() {
    let folder = folder();
    let port = free_port();
    let (own, address) = keys(&folder, "own", port);
    let (_, foreign) = keys(&folder, "foreign", port);
    let relay = serve_online(&folder, &own.join("online.pem"), port);
    assert_eq!(relay.url(), address);

    info(&address, None).unwrap();
    // The name does not matter; but the relay wants to be asked for under one of its own.
    let by_number = address.replace("localhost", "127.0.0.1");
    assert!(!matches!(info(&by_number, None), Err(Error::Insecure(_))));
    refused(info(&foreign, None), "not the one its address names");
    refused(info(&format!("https://localhost:{port}"), None), "no authority we trust");
    let plain = info(&format!("http://localhost:{port}"), None);
    assert!(matches!(plain, Err(Error::Refused { code, .. }) if code == "tls"));
}

#[test]
fn a_relay_whose_key_its_address_names_is_pushed_to() {
    let folder = folder();
    let port = free_port();
    let (own, address) = keys(&folder, "own", port);
    let _relay = serve_online(&folder, &own.join("online.pem"), port);
    let client = client(&address, None).unwrap();
    let key = SigningSecret::from_seed(&Secret::from_slice(&[1; 32]).unwrap());
    client.register(&key, None).unwrap();
    client.allow(&key, &CapabilityId::public(), &Terms::default()).unwrap();
    let inbox = Inbox { mailbox: Mailbox(key.public()), capability: None };
    let body = b"sealed";
    let id = Id(crypto::sha256(&[body]));
    client.push(&inbox, &id, &mut Cursor::new(body), body.len() as u64).unwrap();
    assert_eq!(
        client.push_batch(&inbox, &[(id, body)]).unwrap()[0].as_ref().unwrap(),
        &Pushed::Already
    );
    assert_eq!(client.list(&key, Duration::ZERO, 9).unwrap()[0].id, id);
}

#[test]
fn a_rotated_key_keeps_the_address() {
    let folder = folder();
    let port = free_port();
    let (own, address) = keys(&folder, "own", port);
    let online = own.join("online.pem");
    let relay = serve_online(&folder, &online, port);
    let before = certificate(port, &["http/1.1"]).unwrap();

    let (name, offline) = (format!("localhost:{port}"), own.join("offline.key"));
    let args = ["relay", "key", "rotate", "--name", &name, "--offline", offline.to_str().unwrap()];
    let again = bulla(&[&args[..], &[online.to_str().unwrap()]].concat());
    assert_eq!(again.trim(), address);
    // A relay never sees the offline key.
    fs::remove_file(&offline).unwrap();
    relay.signal("HUP");
    eventually(|| certificate(port, &["http/1.1"]).unwrap() != before);
    info(&address, None).unwrap();

    // A file that cannot be read leaves the certificate as it was.
    let kept = certificate(port, &["http/1.1"]);
    fs::write(&online, "-----BEGIN CERTIFICATE-----\n").unwrap();
    relay.signal("HUP");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(certificate(port, &["http/1.1"]), kept);
    info(&address, None).unwrap();
}

#[test]
fn showing_the_pinned_certificate_is_not_having_its_key() {
    let folder = folder();
    let port = free_port();
    let (own, address) = keys(&folder, "own", port);
    let (foreign, _) = keys(&folder, "foreign", port);
    // The thief's own certificate and key, with the relay's offline certificate put behind.
    let mixed = [
        fs::read_to_string(foreign.join("online.pem")).unwrap(),
        fs::read_to_string(own.join("offline.crt")).unwrap(),
    ];
    let online = folder.path().join("mixed.pem");
    fs::write(&online, mixed.concat()).unwrap();
    let _relay = serve_online(&folder, &online, port);
    refused(info(&address, None), "signature");
}

#[test]
fn an_expired_or_early_certificate_is_refused() {
    for (begins, word) in [(now() - 10 * 86_400, "expired"), (now() + 10 * 86_400, "not valid yet")]
    {
        let folder = folder();
        let port = free_port();
        let key = OfflineKey::generate().unwrap();
        let online = folder.path().join("online.pem");
        let pem = key.sign(&["localhost".into()], begins, 1).unwrap();
        fs::write(&online, pem.as_bytes()).unwrap();
        let relay = serve_online(&folder, &online, port);
        refused(info(relay.url(), None), word);
        let certificate = folder.path().join("offline.crt");
        fs::write(&certificate, key.certificate(now()).unwrap().pem).unwrap();
        refused(info(&format!("https://localhost:{port}"), Some(&certificate)), word);
    }
}

/// A certificate as an authority would give it, in two files.
fn files(folder: &TempDir, authority: &OfflineKey, names: &[&str]) -> (PathBuf, PathBuf, PathBuf) {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let pem = authority.sign(&names, now(), 90).unwrap();
    let split = pem.find("-----BEGIN PRIVATE KEY").unwrap();
    let place = |name| folder.path().join(name);
    let (cert, key, root) = (place("cert.pem"), place("key.pem"), place("root.pem"));
    fs::write(&cert, &pem[..split]).unwrap();
    fs::write(&key, &pem[split..]).unwrap();
    fs::write(&root, authority.certificate(now()).unwrap().pem).unwrap();
    (cert, key, root)
}

#[test]
fn an_authoritys_certificate_is_for_its_name() {
    let folder = folder();
    let authority = OfflineKey::generate().unwrap();
    let (cert, key, root) = files(&folder, &authority, &["localhost"]);
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let relay = Serve::start(&folder, &["--cert", cert, "--key", key]);
    let port = relay.authority().rsplit(':').next().unwrap();
    assert!(relay.url().starts_with("https://127.0.0.1:"));

    let good = format!("https://localhost:{port}");
    info(&good, Some(&root)).unwrap();
    refused(info(&good, None), "no authority we trust");
    refused(info(&format!("https://127.0.0.1:{port}"), Some(&root)), "another name");

    // curl, with the authority and without a look at it.
    let url = format!("{good}/v1/info");
    for more in [&["--cacert", root.to_str().unwrap()][..], &["-k"]] {
        for version in ["--http1.1", "--http2"] {
            let args = ["-sS", "-w", "%{http_version}", version];
            let out = Command::new("curl").args(args).args(more).arg(&url).output().unwrap();
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            assert!(text.contains("bulla-relay"), "{text}");
            assert!(text.ends_with(if version == "--http2" { "2" } else { "1.1" }), "{text}");
        }
    }

    // Renewed under the same names: read without being asked, or at once on SIGHUP.
    let before = certificate(port.parse().unwrap(), &["h2"]).unwrap();
    let (..) = files(&folder, &authority, &["localhost", "127.0.0.1"]);
    relay.signal("HUP");
    eventually(|| certificate(port.parse().unwrap(), &["h2"]).unwrap() != before);
    info(&format!("https://127.0.0.1:{port}"), Some(&root)).unwrap();
}

#[test]
fn a_key_of_another_certificate_is_refused_at_the_start() {
    let folder = folder();
    let (one, other) = (OfflineKey::generate().unwrap(), OfflineKey::generate().unwrap());
    let (cert, ..) = files(&folder, &one, &["localhost"]);
    let kept = folder.path().join("kept.pem");
    fs::rename(cert, &kept).unwrap();
    let (_, key, _) = files(&folder, &other, &["localhost"]);
    let output = Command::new(BULLA)
        .args(["relay", "serve", "--listen", "127.0.0.1:0", "--store"])
        .arg(folder.path().join("store"))
        .args(["--cert", kept.to_str().unwrap(), "--key", key.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(13));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not the key of the certificate"));
}

#[test]
fn https_to_a_plain_relay_sends_nothing() {
    let folder = folder();
    let relay = Serve::start(&folder, &[]);
    refused(info(&relay.url().replace("http://", "https://"), None), "does not speak TLS");
}

#[test]
fn whoever_is_silent_is_hung_up_on() {
    let folder = folder();
    let port = free_port();
    let (own, address) = keys(&folder, "own", port);
    let _relay = serve_online(&folder, &own.join("online.pem"), port);
    // Nothing; half a record; a handshake and no request.
    let begun = Instant::now();
    let starts: [&[u8]; 3] = [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"];
    let silent: Vec<_> = starts
        .iter()
        .map(|start| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(start).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream
        })
        .collect();
    info(&address, None).unwrap();
    for mut stream in silent {
        let _ = stream.read_to_end(&mut Vec::new());
        assert!(begun.elapsed() < Duration::from_secs(25));
    }
    assert!(begun.elapsed() > Duration::from_secs(5));
}

/// The certificate a relay shows to whoever offers these protocols, which it must then choose
/// among: the first.
fn certificate(port: u16, protocols: &[&str]) -> Option<Vec<u8>> {
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .dangerous()
    .with_custom_certificate_verifier(Arc::new(Anybody))
    .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).ok()?;
    }
    assert_eq!(tls.alpn_protocol(), protocols.first().map(|p| p.as_bytes()));
    tls.peer_certificates().map(|chain| chain[0].to_vec())
}

/// Takes any certificate: this client only looks.
#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What a client wants of a proxy: a place, and the user it named.
type Asked = (String, Option<String>);

/// A small proxy that leads everybody to one place, and remembers what it was asked.
struct Proxy {
    address: SocketAddr,
    /// What was asked for, and by which user.
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Proxy {
    fn start(to: u16, greet: fn(&mut TcpStream) -> Asked) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let memory = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut near = stream.unwrap();
                let memory = memory.clone();
                thread::spawn(move || {
                    memory.lock().unwrap().push(greet(&mut near));
                    let mut far = TcpStream::connect(("127.0.0.1", to)).unwrap();
                    let (mut near_in, mut far_out) =
                        (near.try_clone().unwrap(), far.try_clone().unwrap());
                    let there = thread::spawn(move || {
                        let _ = std::io::copy(&mut near_in, &mut far_out);
                        let _ = far_out.shutdown(std::net::Shutdown::Write);
                    });
                    let _ = std::io::copy(&mut far, &mut near);
                    let _ = near.shutdown(std::net::Shutdown::Both);
                    let _ = there.join();
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<(String, Option<String>)> {
        self.asked.lock().unwrap().clone()
    }
}

fn exactly(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn counted(stream: &mut TcpStream) -> String {
    let length = exactly(stream, 1)[0];
    String::from_utf8(exactly(stream, length.into())).unwrap()
}

/// SOCKS 5 (RFC 1928) with user names where they are offered (RFC 1929).
fn socks(stream: &mut TcpStream) -> (String, Option<String>) {
    assert_eq!(exactly(stream, 1), [5]);
    let count = exactly(stream, 1)[0];
    let methods = exactly(stream, count.into());
    let user = if methods.contains(&2) {
        stream.write_all(&[5, 2]).unwrap();
        assert_eq!(exactly(stream, 1), [1]);
        let (user, password) = (counted(stream), counted(stream));
        stream.write_all(&[1, 0]).unwrap();
        Some(format!("{user}:{password}"))
    } else {
        stream.write_all(&[5, 0]).unwrap();
        None
    };
    assert_eq!(exactly(stream, 3), [5, 1, 0]);
    let host = match exactly(stream, 1)[0] {
        3 => counted(stream),
        kind => format!("(resolved, of kind {kind})"),
    };
    let port = exactly(stream, 2);
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    (format!("{host}:{}", u16::from_be_bytes([port[0], port[1]])), user)
}

/// CONNECT (RFC 9110, section 9.3.6).
fn connect(stream: &mut TcpStream) -> (String, Option<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(exactly(stream, 1)[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let target = target.unwrap_or_else(|| panic!("{head}")).to_owned();
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    (target, None)
}

/// A relay by a name that nobody can resolve; how to reach it; its port.
fn hidden(folder: &TempDir, host: &str) -> (Serve, String, u16) {
    let port = free_port();
    let out = folder.path().join("keys");
    let args = ["relay", "key", "new", "--name", host, "--out", out.to_str().unwrap()];
    let address = bulla(&args).trim().to_owned();
    let (online, listen) = (out.join("online.pem"), format!("127.0.0.1:{port}"));
    let online = online.to_str().unwrap();
    let relay = Serve::start(folder, &["--online", online, "--name", host, "--listen", &listen]);
    (relay, address, port)
}

/// Runs with a proxy, as somebody.
fn through(person: &Person, proxy: &str, variable: &str, args: &[&str]) -> (i32, String) {
    let mut command = person.command(args);
    let output = command.env(variable, proxy).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), words)
}

#[test]
fn a_proxy_gets_the_name_and_does_the_rest() {
    for (host, variable, scheme, greet) in [
        ("relay.invalid", "HTTPS_PROXY", "http", connect as fn(&mut TcpStream) -> _),
        ("relay.invalid", "ALL_PROXY", "socks5h", socks),
        ("relay.invalid", "ALL_PROXY", "socks5", socks),
        ("abcdefghijklmnop.onion", "ALL_PROXY", "socks5h", socks),
    ] {
        let folder = folder();
        let (_relay, address, port) = hidden(&folder, host);
        let proxy = Proxy::start(port, greet);
        let url = format!("{scheme}://{}", proxy.address);
        let person = Person::with_identity();
        let args = ["relay", "register", "--relay", &address, "--retry", "0"];
        let (status, words) = through(&person, &url, variable, &args);
        assert_eq!(status, 0, "{scheme}: {words}");
        let asked: BTreeSet<_> = proxy.asked().into_iter().collect();
        assert_eq!(asked, BTreeSet::from([(format!("{host}:443"), None)]));
        // Without the proxy there is no way, and nothing looks for one.
        let (status, _) = through(&person, "", variable, &args);
        assert_eq!(status, if host.ends_with(".onion") { 2 } else { 75 });
    }
}

#[test]
fn each_client_that_must_not_be_linked_is_another_user_of_the_proxy() {
    let folder = folder();
    let (_relay, address, port) = hidden(&folder, "relay.invalid");
    let proxy = Proxy::start(port, socks);
    let url = format!("socks5h://{}", proxy.address);
    let args = ["relay", "register", "--relay", &address, "--retry", "0", "--unlink"];
    for _ in 0..2 {
        let person = Person::with_identity();
        let (status, words) = through(&person, &url, "ALL_PROXY", &args);
        assert_eq!(status, 0, "{words}");
    }
    let users: BTreeSet<_> = proxy.asked().into_iter().map(|(_, user)| user.unwrap()).collect();
    assert_eq!(users.len(), 2, "{users:?}");

    // What cannot keep them apart is refused before anything is sent.
    let person = Person::with_identity();
    let before = proxy.asked().len();
    for url in [
        String::new(),
        format!("http://{}", proxy.address),
        format!("socks5h://me:x@{}", proxy.address),
    ] {
        let (status, words) = through(&person, &url, "ALL_PROXY", &args);
        assert_eq!(status, 2, "{words}");
    }
    assert_eq!(proxy.asked().len(), before);
}

/// A service manager: a socket for words, and one to hand over.
struct Manager {
    words: UnixDatagram,
    place: PathBuf,
}

impl Manager {
    fn new(folder: &TempDir) -> Self {
        let place = folder.path().join("notify");
        let words = UnixDatagram::bind(&place).unwrap();
        words.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { words, place }
    }

    fn hears(&self, word: &str) {
        let mut bytes = [0; 256];
        loop {
            let length = self.words.recv(&mut bytes).expect("the relay is silent");
            if bytes[..length] == *word.as_bytes() {
                return;
            }
            assert_eq!(&bytes[..length], b"WATCHDOG=1");
        }
    }
}

#[test]
fn a_service_manager_hands_over_the_socket_and_hears_of_the_relay() {
    let folder = folder();
    let manager = Manager::new(&folder);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The socket becomes descriptor 3, and the variables name the very process.
    let script = r#"LISTEN_FDS=1 LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$@" 3<&0"#;
    let script = format!("export LISTEN_FDS LISTEN_PID WATCHDOG_PID; {script}");
    let mut command = Command::new("bash");
    command
        .args(["-c", &script, "bash", BULLA, "relay", "serve", "--store"])
        .arg(folder.path().join("store"))
        .env("NOTIFY_SOCKET", &manager.place)
        .env("WATCHDOG_USEC", "300000")
        .stdin(Stdio::from(OwnedFd::from(listener)));
    let mut relay = Serve::spawn(command, 1);
    assert_eq!(relay.url(), format!("http://{address}"));
    info(relay.url(), None).unwrap();
    manager.hears("READY=1");
    manager.hears("WATCHDOG=1");
    manager.hears("WATCHDOG=1");
    relay.signal("TERM");
    manager.hears("STOPPING=1");
    assert!(relay.child.wait().unwrap().success());
}

/// A real authority: pebble, made by those who run Let's Encrypt, with a name server that leads
/// every name to this machine.
struct Authority {
    children: Vec<Child>,
    directory: String,
    roots: String,
    /// Signed the authority's own certificate.
    root: PathBuf,
}

impl Authority {
    fn start(folder: &TempDir, relay: u16, life: u64) -> Self {
        let (cert, key, root) = files(folder, &OfflineKey::generate().unwrap(), &["localhost"]);
        let [own, management, names, control] = [(); 4].map(|()| free_port());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{own}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": cert,
            "privateKey": key,
            "httpPort": 1,
            "tlsPort": relay,
            "certificateValidityPeriod": life,
        }});
        let place = folder.path().join("pebble.json");
        fs::write(&place, config.to_string()).unwrap();
        let quiet = |command: &mut Command| {
            let command = command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("pebble is missing: apt-get install pebble")
        };
        let names = format!("127.0.0.1:{names}");
        let children = vec![
            quiet(
                Command::new("pebble-challtestsrv")
                    .args(["-defaultIPv6", "", "-defaultIPv4", "127.0.0.1", "-dns01", &names])
                    .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
                    .args(["-management", &format!("127.0.0.1:{control}")]),
            ),
            quiet(
                Command::new("pebble")
                    .args(["-dnsserver", &names, "-config", place.to_str().unwrap()])
                    .env("PEBBLE_VA_NOSLEEP", "1"),
            ),
        ];
        let directory = format!("https://localhost:{own}/dir");
        let roots = format!("https://localhost:{management}/roots/0");
        let this = Self { children, directory, roots, root };
        eventually(|| curl(&["--cacert", this.root.to_str().unwrap(), &this.directory]).is_some());
        this
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn curl(args: &[&str]) -> Option<String> {
    let output = Command::new("curl").args(["-sSf"]).args(args).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn an_authority_proves_signs_and_renews() {
    let folder = folder();
    let port = free_port();
    let authority = Authority::start(&folder, port, 24);
    let start = || {
        let mut command = Command::new(BULLA);
        command
            .args(["relay", "serve", "--listen", &format!("127.0.0.1:{port}"), "--store"])
            .arg(folder.path().join("store"))
            .args(["--acme", "Relay.Test", "--acme", "also.test"])
            .args(["--acme-contact", "mailto:operator@relay.test"])
            .args(["--acme-directory", &authority.directory])
            .env("BULLA_CA_FILE", &authority.root);
        Serve::spawn(command, 2)
    };
    let relay = start();
    assert_eq!(relay.addresses, ["https://relay.test", "https://also.test"]);
    eventually(|| certificate(port, &["http/1.1"]).is_some());
    let first = certificate(port, &["http/1.1"]);

    let root = folder.path().join("acme-root.pem");
    fs::write(&root, curl(&["-k", &authority.roots]).unwrap()).unwrap();
    for name in ["relay.test", "also.test"] {
        let (lead, url) = (format!("{name}:{port}:127.0.0.1"), format!("https://{name}:{port}"));
        let args = ["--cacert", root.to_str().unwrap(), "--resolve", &lead];
        let answer = curl(&[&args[..], &[&format!("{url}/v1/info")]].concat());
        assert!(answer.unwrap().contains("bulla-relay"));
    }

    // In the last third of its life there is another.
    thread::sleep(Duration::from_secs(10));
    eventually(|| certificate(port, &["http/1.1"]) != first);
    let second = certificate(port, &["http/1.1"]);

    // A restart needs no authority, and nobody else can read what it needs.
    drop(relay);
    for child in &authority.children {
        let _ = Command::new("kill").args(["-s", "STOP", &child.id().to_string()]).status();
    }
    let _relay = start();
    eventually(|| certificate(port, &["http/1.1"]).is_some());
    assert_eq!(certificate(port, &["http/1.1"]), second);
    let cache = folder.path().join("store/acme");
    let kept: Vec<_> = fs::read_dir(cache).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.len(), 2, "an account and a certificate");
    for file in kept {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
