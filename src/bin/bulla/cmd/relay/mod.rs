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
use bulla::account::{Account, Context};
use bulla::relay::client::{HttpRelays, Options, Relays as _, Transport};
use bulla::secret::SecretString;

use crate::app::App;
use crate::cli::{self, Network};
use crate::events::Teller;
use crate::exit::Exit;
use crate::source::Source;

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
pub(crate) fn relays(network: &Network) -> HttpRelays {
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

/// The account over these relays, with the flags of the network.
pub(crate) fn context<'a>(
    me: &'a Account,
    relays: &'a HttpRelays,
    teller: &'a Teller,
    network: &Network,
) -> Context<'a> {
    Context { relay: network.relay.clone(), ..Context::new(me, relays, teller) }
}

/// The token of a relay's operator.
pub(crate) fn token(source: Option<&Source>) -> Result<Option<SecretString>> {
    source.map(|source| source.line("the token")).transpose()
}
