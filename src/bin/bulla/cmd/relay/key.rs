//! `relay key`: the keys of a relay that no certificate authority knows.

use std::io::Write as _;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use bulla::files::{self, Access, AtomicFile, Existing};
use bulla::relay::protocol::pin::Pin;
use bulla::relay::server::tls::key::OfflineKey;
use bulla::secret::SecretString;

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::output;

pub(crate) fn run(app: &App, verb: &cli::RelayKey) -> Result<Exit> {
    match verb {
        cli::RelayKey::New(args) => new(app, args),
        cli::RelayKey::Rotate(args) => rotate(args),
    }
}

fn new(app: &App, args: &cli::KeyNew) -> Result<Exit> {
    let key = OfflineKey::generate()?;
    let online = sign(&key, &args.online)?;
    let certificate = key.certificate(now())?;
    files::create_private_folder(&args.out)
        .with_context(|| format!("cannot make the folder {}", args.out.display()))?;
    // The offline key first: when it is there already, nothing else is written.
    let secret = key.to_pem();
    for (name, text, access) in [
        ("offline.key", secret.as_str(), Access::Private),
        ("offline.crt", certificate.pem.as_str(), Access::Umask),
        ("online.pem", online.as_str(), Access::Private),
    ] {
        let path = args.out.join(name);
        let write = || {
            let mut file = AtomicFile::create(&path, Existing::Keep, access)?;
            file.write_all(text.as_bytes())?;
            file.commit().map(drop)
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
    }
    app.ui.note(&format!(
        "take {} off this machine: it stands for the relay, and signs its next online key",
        args.out.join("offline.key").display()
    ));
    print(&args.online.name, certificate.pin)
}

fn rotate(args: &cli::KeyRotate) -> Result<Exit> {
    let pem = args.offline.read("the offline key")?;
    let key = std::str::from_utf8(&pem).ok().map(OfflineKey::from_pem).and_then(Result::ok);
    let key = key.ok_or_else(|| {
        Fail::new(Exit::Malformed, "this is no offline key")
            .hint("relay key new made it as offline.key")
    })?;
    let online = sign(&key, &args.online)?;
    let write = || {
        let mut file = output::begin(&args.file, Existing::Replace, Access::Private)?;
        file.write_all(online.as_bytes())?;
        output::complete(file, &args.file)
    };
    write().with_context(|| format!("cannot write {}", args.file.display()))?;
    print(&args.online.name, key.certificate(now())?.pin)
}

fn sign(key: &OfflineKey, args: &cli::Online) -> Result<SecretString> {
    let hosts: Vec<_> = args.name.iter().map(|name| host(name).to_owned()).collect();
    let days = (args.expires.as_secs() / 86_400).max(1);
    key.sign(&hosts, now(), days)
        .map_err(|error| Fail::usage(error.to_string()).hint("--name HOST[:PORT]").into())
}

/// The host of `host`, `host:port`, `[address]` or `[address]:port`.
fn host(name: &str) -> &str {
    match name.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => name.split_once(':').map_or(name, |(host, _)| host),
    }
}

fn print(names: &[String], pin: Pin) -> Result<Exit> {
    let mut stdout = std::io::stdout().lock();
    for name in names {
        writeln!(stdout, "relay+https://{}#{pin}", name.to_ascii_lowercase())?;
    }
    stdout.flush()?;
    Ok(Exit::Done)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
