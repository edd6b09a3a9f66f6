//! `relay`: run one, push to one, pull from one.

mod backup;
mod capability;
mod key;
mod operator;
mod pull;
mod push;
mod register;
mod serve;
mod store;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulla::contact::Own;
use bulla::crypto::SigningSecret;
use bulla::relay::client::{Client, Options};
use bulla::relay::protocol::{Id, Mailbox};
use bulla::relay::pull::Owned;
use serde_json::json;

use crate::app::{App, Me, date};
use crate::cli::{self, Network};
use crate::exit::{Exit, Fail};

pub(crate) fn run(app: &App, verb: &cli::Relay) -> Result<Exit> {
    match verb {
        cli::Relay::Serve(args) => serve::run(app, args),
        cli::Relay::Backup(args) => backup::write(app, args),
        cli::Relay::Restore(args) => backup::read(app, args),
        cli::Relay::Key(verb) => key::run(app, verb),
        cli::Relay::Token(verb) => operator::token(app, verb),
        cli::Relay::Move(args) => store::shift(app, args),
        cli::Relay::Register(args) => register::run(app, args),
        cli::Relay::Capability(verb) => capability::run(app, verb),
        cli::Relay::Push(args) => push::run(app, args),
        cli::Relay::Pull(args) => pull::run(app, args),
        cli::Relay::List(args) => list(app, args),
        cli::Relay::Ack(args) => ack(app, args),
        cli::Relay::Status(args) if args.store.is_empty() => status(app, args),
        cli::Relay::Status(args) => {
            let (store, store_password) = (args.store.clone(), args.store_password.clone());
            let store = cli::StoreAt { store, store_password };
            operator::status(app, &cli::OperatorAt { store, admin: args.admin.clone() })
        }
    }
}

/// A client of the relay at `url`, with the flags of the network.
pub(crate) fn client(url: &str, network: &Network) -> Result<Client> {
    let mut options = Options::default();
    options.timeout = Duration::from_secs(network.timeout);
    options.retries = network.retry;
    options.authorities = authorities();
    options.unlink = network.unlink;
    Ok(Client::new(url, options)?)
}

/// The file of certificate authorities the environment names.
fn authorities() -> Option<PathBuf> {
    let file = std::env::var_os("BULLA_CA_FILE").or_else(|| std::env::var_os("SSL_CERT_FILE"));
    file.filter(|file| !file.is_empty()).map(PathBuf::from)
}

/// A client of our own relay: the one that is named, else the one we registered at.
pub(crate) fn own(me: &Me, network: &Network) -> Result<Client> {
    client(&own_url(me, network)?.ok_or_else(unknown_relay)?, network)
}

/// The same, or else a client of the relay at `url`.
pub(crate) fn own_or(me: &Me, network: &Network, url: &str) -> Result<Client> {
    client(own_url(me, network)?.as_deref().unwrap_or(url), network)
}

/// The mailboxes that letters come to, the card's first. With `--relay` they are those at that
/// relay.
fn mailboxes(me: &Me, network: &Network) -> Result<Vec<Owned>> {
    let (book, pairs) = (me.book()?, me.pairs()?);
    let named = network.relay.as_ref().map(|url| client(url, network)).transpose()?;
    let named = named.map(|client| client.url());
    let mut places: Vec<(String, SigningSecret)> = Vec::new();
    // Who never registered one has only those that pairings made.
    if book.settings.relay.is_some() || pairs.mailboxes().next().is_none() {
        let url = named.clone().or(book.settings.relay).ok_or_else(unknown_relay)?;
        places.push((url, me.identity.card_mailbox()));
    }
    let asked = |own: &&Own| named.as_ref().is_none_or(|named| *named == own.relay);
    places.extend(
        pairs
            .mailboxes()
            .filter(asked)
            .map(|own| (own.relay.clone(), me.identity.contact_mailbox(&own.index))),
    );
    let mut clients: BTreeMap<String, Arc<Client>> = BTreeMap::new();
    let with_client = |(url, key): (String, SigningSecret)| -> Result<Owned> {
        let known = clients.get(&url).filter(|_| !network.unlink).cloned();
        let client = known.map_or_else(|| client(&url, network).map(Arc::new), Ok)?;
        clients.insert(url, client.clone());
        Ok(Owned { client, key: Arc::new(key) })
    };
    places.into_iter().map(with_client).collect()
}

fn own_url(me: &Me, network: &Network) -> Result<Option<String>> {
    match &network.relay {
        Some(url) => Ok(Some(url.clone())),
        None => Ok(me.book()?.settings.relay),
    }
}

fn unknown_relay() -> Fail {
    Fail::usage("no relay is named").hint("name it with --relay URL, or in BULLA_RELAY")
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
    if app.ui.json {
        writeln!(std::io::stdout(), "{}", json!({ "schema": 1, "deleted": deleted }))?;
    }
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
