//! `relay`: run one, push to one, pull from one.

#[cfg(feature = "serve")]
mod backup;
mod capability;
#[cfg(feature = "serve")]
mod key;
mod mailbox;
#[cfg(feature = "serve")]
mod operator;
mod pull;
mod push;
mod register;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bulla::contact::Own;
use bulla::crypto::SigningSecret;
use bulla::relay::client::pull::Owned;
use bulla::relay::client::{HttpRelays, Options, Relays as _, Transport};

use crate::app::{App, Me};
use crate::cli::{self, Network};
use crate::exit::{Exit, Fail};

pub(crate) fn run(app: &App, verb: &cli::Relay) -> Result<Exit> {
    match verb {
        #[cfg(feature = "serve")]
        cli::Relay::Serve(args) => serve::run(app, args),
        #[cfg(feature = "serve")]
        cli::Relay::Backup(args) => backup::write(app, args),
        #[cfg(feature = "serve")]
        cli::Relay::Restore(args) => backup::read(app, args),
        #[cfg(feature = "serve")]
        cli::Relay::Key(verb) => key::run(app, verb),
        #[cfg(feature = "serve")]
        cli::Relay::Token(verb) => operator::token(app, verb),
        #[cfg(feature = "serve")]
        cli::Relay::Move(args) => store::shift(app, args),
        cli::Relay::Register(args) => register::run(app, args),
        cli::Relay::Capability(verb) => capability::run(app, verb),
        cli::Relay::Push(args) => push::run(app, args),
        cli::Relay::Pull(args) => pull::run(app, args),
        cli::Relay::List(args) => mailbox::list(app, args),
        cli::Relay::Ack(args) => mailbox::ack(app, args),
        #[cfg(feature = "serve")]
        cli::Relay::Status(args) if !args.store.is_empty() => {
            let (store, store_password) = (args.store.clone(), args.store_password.clone());
            let store = cli::StoreAt { store, store_password };
            operator::status(app, &cli::OperatorAt { store, admin: args.admin.clone() })
        }
        cli::Relay::Status(args) => mailbox::status(app, args),
    }
}

/// Returns a connection to the relay at `url`, with the flags of the network.
pub(crate) fn client(url: &str, network: &Network) -> Result<Arc<dyn Transport>> {
    Ok(relays(network).relay(url)?)
}

/// Returns the relays, with the flags of the network.
fn relays(network: &Network) -> HttpRelays {
    let mut options = Options::default();
    options.timeout = Duration::from_secs(network.timeout);
    options.retries = network.retry;
    options.authorities = authorities();
    options.unlink = network.unlink;
    HttpRelays::new(options)
}

/// The file of certificate authorities the environment names.
fn authorities() -> Option<PathBuf> {
    let file = std::env::var_os("BULLA_CA_FILE").or_else(|| std::env::var_os("SSL_CERT_FILE"));
    file.filter(|file| !file.is_empty()).map(PathBuf::from)
}

/// A client of our own relay: the one that is named, else the one we registered at.
pub(crate) fn own(me: &Me, network: &Network) -> Result<Arc<dyn Transport>> {
    client(&own_url(me, network)?.ok_or_else(unknown_relay)?, network)
}

/// The same, or else a client of the relay at `url`.
pub(crate) fn own_or(me: &Me, network: &Network, url: &str) -> Result<Arc<dyn Transport>> {
    client(own_url(me, network)?.as_deref().unwrap_or(url), network)
}

/// A mailbox that letters come to.
struct Mine {
    owned: Owned,
    kind: Kind,
}

/// Purpose of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Letters to the owner's card.
    Card,
    /// Letters of one contact.
    Contact(Own, String),
    /// News from another machine of the owner.
    Machine,
}

impl Kind {
    /// The contact's name, if it is for one.
    fn contact(&self) -> Option<&str> {
        match self {
            Self::Contact(_, name) => Some(name),
            _ => None,
        }
    }
}

/// The mailboxes that letters come to, the card's first. With `--relay` they are those at that
/// relay.
fn mine(me: &Me, network: &Network) -> Result<Vec<Mine>> {
    let (book, pairs) = (me.book()?, me.pairs()?);
    let named = network.relay.as_ref().map(|url| client(url, network)).transpose()?;
    let named = named.map(|client| client.url());
    let mut places: Vec<(String, SigningSecret, Kind)> = Vec::new();
    // An account that never registered one has only those that pairings made, open or closed. One
    // without any state may have registered elsewhere: a job starts without a home each time.
    let unused = !pairs.had_mailboxes() && book.contacts().len() == 0 && !book.has_revoked();
    if book.settings.relay.is_some() || unused {
        let url = named.clone().or(book.settings.relay.clone()).ok_or_else(unknown_relay)?;
        places.push((url, me.identity.card_mailbox(), Kind::Card));
    }
    let here = |own: &Own| named.as_ref().is_none_or(|named| *named == own.relay);
    for (own, contact) in pairs.mailboxes().filter(|(own, _)| here(own)) {
        let known = book.by_fingerprint(&contact).map(|contact| contact.name().to_owned());
        let name = known.unwrap_or_else(|| contact.to_string());
        let key = me.identity.contact_mailbox(&own.index);
        places.push((own.relay.clone(), key, Kind::Contact(own.clone(), name)));
    }
    for own in pairs.machines().iter().map(|machine| machine.inbox(&me.identity)).filter(here) {
        let key = me.identity.contact_mailbox(&own.index);
        places.push((own.relay, key, Kind::Machine));
    }
    let relays = relays(network);
    let with_relay = |(url, key, kind): (String, SigningSecret, _)| -> Result<Mine> {
        Ok(Mine { owned: Owned { relay: relays.relay(&url)?, key: Arc::new(key) }, kind })
    };
    places.into_iter().map(with_relay).collect()
}

/// Returns the outcome of a request to one of the mailboxes; `None` when the relay has no such mailbox and
/// nothing is missed: another machine of the owner closed it.
fn if_there<T>(
    app: &App,
    me: &Me,
    kind: &Kind,
    outcome: Result<T, bulla::relay::client::Error>,
) -> Result<Option<T>> {
    match (outcome, kind) {
        (Err(bulla::relay::client::Error::NoMailbox), Kind::Machine) => Ok(None),
        (Err(error @ bulla::relay::client::Error::NoMailbox), Kind::Contact(own, name)) => {
            is_gone(app, me, own, name, error).map(|()| None)
        }
        (outcome, _) => Ok(outcome.map(Some)?),
    }
}

/// Deals with a mailbox for a contact that its relay does not have.
fn is_gone(
    app: &App,
    me: &Me,
    own: &Own,
    name: &str,
    error: bulla::relay::client::Error,
) -> Result<()> {
    let pairs = me.pairs()?;
    let contact = pairs.mailboxes().find(|(open, _)| *open == own).map(|(_, contact)| contact);
    let revoked =
        contact.is_some_and(|contact| me.book().is_ok_and(|book| book.revoked(&contact).is_some()));
    if revoked {
        me.pairs_file()?.update(|pairs| {
            pairs.close(own);
            Ok::<_, bulla::contact::Error>(())
        })?;
        return Ok(());
    }
    if pairs.machines().is_empty() {
        let hint = format!("{name} can no longer write to you: pair with {name} again");
        let message = format!("the mailbox for {name} at {}: {error}", own.relay);
        return Err(Fail::new(Exit::Refused, message).hint(hint).into());
    }
    app.ui.warn(&format!(
        "the mailbox for {name} is gone at {}: did you revoke {name} on another machine?",
        own.relay
    ));
    Ok(())
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
