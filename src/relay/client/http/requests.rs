//! Client of one relay over HTTP: what each request sends, and what its answer is read as.

use std::io::{self, Write};
use std::time::Duration;

use ureq::http::{Method, StatusCode};

use crate::crypto::SigningSecret;
use crate::relay::client::error::Error;
use crate::relay::client::http::client::{Call, Client, encode};
use crate::relay::client::transport::{Events, Inbox, Pushed, SealedBody, Transport};
use crate::relay::protocol::{
    Acked, Capabilities, Capability, CapabilityId, Entry, Id, Ids, Info, Listing, MAX_ACK,
    MAX_LIST, MAX_WAIT, Status, Terms,
};
use crate::secret::SecretString;

impl Transport for Client {
    fn url(&self) -> String {
        self.address.url()
    }

    fn info(&self) -> Result<Info, Error> {
        self.json(&Call::new(Method::GET, "/v1/info".into()))
    }

    fn register(&self, key: &SigningSecret, token: Option<&SecretString>) -> Result<bool, Error> {
        let call = Call { token, ..Call::owner(Method::PUT, key, "") };
        Ok(self.call(&call)?.status() == StatusCode::CREATED)
    }

    fn list(&self, key: &SigningSecret, wait: Duration, limit: usize) -> Result<Vec<Entry>, Error> {
        let limit = limit.clamp(1, MAX_LIST);
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).min(MAX_WAIT);
        let call = Call {
            query: Some(format!("wait={seconds}&limit={limit}")),
            wait: Duration::from_secs(seconds),
            ..Call::owner(Method::GET, key, "")
        };
        let listing: Listing = self.json(&call)?;
        if listing.messages.len() > limit {
            return Err(Error::Protocol("it lists more messages than it was asked for".into()));
        }
        Ok(listing.messages)
    }

    fn ack(&self, key: &SigningSecret, ids: &[Id]) -> Result<u64, Error> {
        let mut deleted = 0;
        for ids in ids.chunks(MAX_ACK) {
            let json = Some(encode(&Ids { ids: ids.to_vec() })?);
            let call = Call { json, ..Call::owner(Method::POST, key, "/ack") };
            deleted += self.json::<Acked>(&call)?.deleted;
        }
        Ok(deleted)
    }

    fn status(&self, key: &SigningSecret) -> Result<Status, Error> {
        self.json(&Call::owner(Method::GET, key, "/status"))
    }

    fn close(&self, key: &SigningSecret) -> Result<(), Error> {
        self.call(&Call::owner(Method::DELETE, key, "")).map(drop)
    }

    fn capabilities(&self, key: &SigningSecret) -> Result<Vec<Capability>, Error> {
        let answer: Capabilities = self.json(&Call::owner(Method::GET, key, "/capabilities"))?;
        Ok(answer.capabilities)
    }

    fn allow(&self, key: &SigningSecret, id: &CapabilityId, terms: &Terms) -> Result<(), Error> {
        let json = Some(encode(terms)?);
        let tail = format!("/capabilities/{id}");
        self.call(&Call { json, ..Call::owner(Method::PUT, key, &tail) }).map(drop)
    }

    fn revoke(&self, key: &SigningSecret, id: &CapabilityId) -> Result<(), Error> {
        let tail = format!("/capabilities/{id}");
        self.call(&Call::owner(Method::DELETE, key, &tail)).map(drop)
    }

    fn fetch_from(
        &self,
        key: &SigningSecret,
        message: &Entry,
        from: u64,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        self.get_message(key, message, from, out)
    }

    fn take(
        &self,
        key: &SigningSecret,
        messages: &[Entry],
        each: &mut dyn FnMut(Id, &[u8]) -> io::Result<()>,
    ) -> Result<Vec<Id>, Error> {
        self.post_take(key, messages, each)
    }

    fn events(&self, key: &SigningSecret) -> Result<Events, Error> {
        self.get_events(key)
    }

    fn push(
        &self,
        to: &Inbox,
        id: &Id,
        body: &mut dyn SealedBody,
        length: u64,
    ) -> Result<Pushed, Error> {
        self.upload(to, id, body, length)
    }

    fn push_batch(
        &self,
        to: &Inbox,
        messages: &[(Id, &[u8])],
    ) -> Result<Vec<Result<Pushed, Error>>, Error> {
        self.upload_batch(to, messages)
    }
}
