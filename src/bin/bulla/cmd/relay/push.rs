//! `relay push`: strips the envelopes off and hands ciphertext to the relays they name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Read, Seek as _, Write as _};

use anyhow::Result;
use bulla::letter::{self, Envelope, EnvelopeReader};
use bulla::relay::client::{Client, Pushed};
use bulla::relay::protocol::{Id, Mailbox};
use serde_json::json;

use super::super::open::unsealed;
use crate::app::App;
use crate::cli::{self, Network};
use crate::exit::Exit;
use crate::input::Input;

/// Letters up to this are held in memory while they are pushed, longer ones in a file: a retry
/// needs the bytes again.
const IN_MEMORY: usize = 1 << 20;

pub(crate) fn run(app: &App, args: &cli::RelayPush) -> Result<Exit> {
    let mut push =
        Push { app, network: &args.network, clients: HashMap::new(), pushed: 0, failed: None };
    if args.file.is_empty() {
        push.stream(Input::open(None, "an envelope stream")?)?;
    }
    for path in &args.file {
        push.stream(Input::open(Some(path), "an envelope stream")?)?;
    }
    match push.failed {
        Some(error) => Err(error),
        None if push.pushed == 0 => Ok(Exit::Negative),
        None => Ok(Exit::Done),
    }
}

struct Push<'a> {
    app: &'a App,
    network: &'a Network,
    clients: HashMap<String, Client>,
    pushed: u64,
    /// The last letter that could not be pushed; those behind it were tried.
    failed: Option<anyhow::Error>,
}

impl Push<'_> {
    fn stream(&mut self, input: Input) -> Result<()> {
        let (kind, input) = letter::sniff(input)?;
        match kind {
            letter::Input::Envelopes => {}
            letter::Input::Empty => return Err(unsealed("the input is empty").into()),
            _ => return Err(unsealed("the input is no envelope stream: seal it with --to").into()),
        }
        let mut envelopes = EnvelopeReader::new(input);
        while let Some(envelope) = envelopes.next()? {
            if let Err(error) = self.one(envelope) {
                if error.downcast_ref::<letter::Error>().is_some() {
                    return Err(error);
                }
                self.failed.replace(error).inspect(|before| {
                    self.app.ui.error(before);
                });
            }
        }
        Ok(())
    }

    fn one(&mut self, mut envelope: Envelope<'_, impl Read>) -> Result<()> {
        let mut body = tempfile::SpooledTempFile::new(IN_MEMORY);
        let length = io::copy(&mut envelope, &mut body).map_err(letter::Error::from)?;
        let routing = envelope.routing().clone();
        let id = Id(envelope.finish()?);
        body.rewind()?;
        let relay = routing.relay.as_ref().or(self.network.relay.as_ref());
        let relay = relay.ok_or_else(super::unknown_relay)?;
        let client = match self.clients.entry(relay.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(super::client(relay, self.network)?),
        };
        let pushed = client.push(&Mailbox(routing.mailbox), &id, &mut body, length)?;
        self.pushed += 1;
        let mut stdout = io::stdout().lock();
        if self.app.ui.json {
            let new = pushed == Pushed::New;
            let object =
                json!({ "schema": 1, "id": id, "relay": client.url(), "size": length, "new": new });
            writeln!(stdout, "{object}")?;
        } else {
            writeln!(stdout, "{id}")?;
        }
        if pushed == Pushed::Already {
            self.app.ui.detail(&format!("{id} was at the relay already"));
        }
        Ok(())
    }
}
