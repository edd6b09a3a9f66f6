//! `relay`: run one, push to one, pull from one.

mod pull;
mod push;
mod serve;

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulla::relay::client::{Client, Options};
use bulla::relay::protocol::{Id, Mailbox};
use serde_json::json;

use super::card::settle;
use crate::app::{App, Me, date};
use crate::cli::{self, Network};
use crate::exit::{Exit, Fail};

pub(crate) fn run(app: &App, verb: &cli::Relay) -> Result<Exit> {
    match verb {
        cli::Relay::Serve(args) => serve::run(app, args),
        cli::Relay::Register(args) => register(app, args),
        cli::Relay::Push(args) => push::run(app, args),
        cli::Relay::Pull(args) => pull::run(app, args),
        cli::Relay::List(args) => list(app, args),
        cli::Relay::Ack(args) => ack(app, args),
        cli::Relay::Status(args) => status(app, args),
    }
}

/// A client of the relay at `url`, with the flags of the network.
fn client(url: &str, network: &Network) -> Result<Client> {
    let mut options = Options::default();
    options.timeout = Duration::from_secs(network.timeout);
    options.retries = network.retry;
    Ok(Client::new(url, options)?)
}

/// A client of our own relay: the one that is named, else the one we registered at.
fn own(me: &Me, network: &Network) -> Result<Client> {
    let url = match &network.relay {
        Some(url) => url.clone(),
        None => me.book()?.settings.relay.ok_or_else(unknown_relay)?,
    };
    client(&url, network)
}

fn unknown_relay() -> Fail {
    Fail::usage("no relay is named").hint("name it with --relay URL, or in BULLA_RELAY")
}

fn register(app: &App, args: &cli::RelayRegister) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let client = own(&me, &args.network)?;
    let token = args.token.as_ref().map(|source| source.passphrase()).transpose()?;
    let new = client.register(&me.identity.card_mailbox(), token.as_ref())?;
    settle(&me, None, Some(&client.url()))?;
    let done = if new { "registered" } else { "already registered" };
    app.ui.note(&format!("{done} at {}", client.url()));
    Ok(Exit::Done)
}

fn list(app: &App, args: &cli::RelayList) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let client = own(&me, &args.network)?;
    let entries = client.list(&me.identity.card_mailbox(), Duration::ZERO, usize::MAX)?;
    let mut stdout = std::io::stdout().lock();
    for entry in &entries {
        if args.null {
            write!(stdout, "{}\0", entry.id)?;
        } else if app.ui.json {
            let expires = date(entry.expires);
            let object =
                json!({ "schema": 1, "id": entry.id, "size": entry.size, "expires": expires });
            writeln!(stdout, "{object}")?;
        } else {
            writeln!(stdout, "{}  {:>10}  {}", entry.id, entry.size, date(entry.expires))?;
        }
    }
    stdout.flush()?;
    Ok(if entries.is_empty() { Exit::Negative } else { Exit::Done })
}

fn ack(app: &App, args: &cli::RelayAck) -> Result<Exit> {
    let ids = args.id.iter().map(|text| {
        text.parse::<Id>().with_context(|| format!("{text:?} is no id as relay list prints them"))
    });
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let me = app.me(&args.keys)?;
    let deleted = own(&me, &args.network)?.ack(&me.identity.card_mailbox(), &ids)?;
    app.ui.note(&format!("{deleted} deleted at the relay"));
    Ok(if deleted == 0 { Exit::Negative } else { Exit::Done })
}

fn status(app: &App, args: &cli::RelayStatus) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let client = own(&me, &args.network)?;
    let info = client.info()?;
    let key = me.identity.card_mailbox();
    let status = client.status(&key)?;
    let mut stdout = std::io::stdout().lock();
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "relay": client.url(),
            "mailbox": Mailbox(key.public()),
            "messages": status.messages,
            "bytes": status.bytes,
            "max_messages": status.max_messages,
            "max_bytes": status.max_bytes,
            "versions": info.versions,
            "limits": info.limits,
            "registration": info.registration,
        });
        writeln!(stdout, "{object}")?;
    } else {
        writeln!(
            stdout,
            "relay     {}\nmailbox   {}\nwaiting   {} of {} messages, {} of {} bytes\n\
             message   at most {} bytes, kept {} hours",
            client.url(),
            Mailbox(key.public()),
            status.messages,
            status.max_messages,
            status.bytes,
            status.max_bytes,
            info.limits.message_bytes,
            info.limits.ttl_hours,
        )?;
    }
    Ok(Exit::Done)
}
