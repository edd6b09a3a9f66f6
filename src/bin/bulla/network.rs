//! Relays, reached with the flags of the network.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bulla::account::{Account, Context};
use bulla::relay::client::{HttpRelays, Options, Relays as _, Transport};
use bulla::secret::SecretString;

use crate::cli::Network;
use crate::events::Teller;
use crate::source::Source;

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
pub(crate) fn authorities() -> Option<PathBuf> {
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
