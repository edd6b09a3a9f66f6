//! Clients by their relays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::relay::client::error::Error;
use crate::relay::client::http::address::Address;
use crate::relay::client::http::client::{Client, Options};
use crate::relay::client::transport::{Relays, Transport};

/// Relays over HTTP, with one client for each, so that connections are reused. With
/// [`Options::unlink`] every call returns a client of its own, which shares no connection.
#[derive(Debug, Default)]
pub struct HttpRelays {
    options: Options,
    clients: Mutex<BTreeMap<String, Arc<Client>>>,
}

impl HttpRelays {
    /// Creates clients with these options.
    pub fn new(options: Options) -> Self {
        Self { options, clients: Mutex::default() }
    }
}

impl Relays for HttpRelays {
    fn relay(&self, url: &str) -> Result<Arc<dyn Transport>, Error> {
        let url = Address::parse(url)?.url();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&url).filter(|_| !self.options.unlink) {
            return Ok(client.clone());
        }
        let client = Arc::new(Client::new(&url, self.options.clone())?);
        if !self.options.unlink {
            clients.insert(url, client.clone());
        }
        Ok(client)
    }

    fn once(&self) -> Box<dyn Relays + '_> {
        Box::new(Self::new(Options { retries: 0, ..self.options.clone() }))
    }
}
