//! `relay push`: strips the envelopes off and hands ciphertext to the relays they name.
//!
//! Small letters wait in a window until it is full or the input ends, and go together with those
//! to the same mailbox. What became of each is told in the order in which they came.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Cursor, Read, Seek as _, Write as _};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Result;
use bulla::account;
use bulla::letter::{self, Envelope, EnvelopeReader};
use bulla::relay::client::{Inbox, Pushed, Transport};
use bulla::relay::protocol::{Id, MAX_BATCH, MAX_BATCH_BYTES, MAX_FRAME, Mailbox, frame};
use bulla::secret::Secret;
use serde_json::json;

use super::super::open::{nothing, unsealed};
use crate::app::App;
use crate::classify::classify;
use crate::cli::{self, Network};
use crate::exit::{Exit, Fail};
use crate::input::Input;
use crate::json::json_line;
use crate::network;

/// Letters up to this are held in memory while they are pushed, longer ones in a file: a retry
/// needs the bytes again.
const IN_MEMORY: usize = 1 << 20;

pub(crate) fn run(app: &App, args: &cli::RelayPush) -> Result<Exit> {
    let capability = args.capability.as_ref().map(super::capability::read).transpose()?;
    let mut push = Push {
        app,
        network: &args.network,
        capability: capability.map(Arc::new),
        clients: HashMap::new(),
        window: Vec::new(),
        room: MAX_BATCH_BYTES,
        pushed: 0,
        failed: None,
    };
    let inputs =
        if args.file.is_empty() { vec![None] } else { args.file.iter().map(Some).collect() };
    for path in inputs {
        let read = Input::open(path.map(|path| path.as_path()), "an envelope stream")
            .and_then(|input| push.stream(input));
        // What came before a stream broke is as good as any.
        push.flush()?;
        read?;
    }
    match push.failed {
        Some(error) => Err(owned(error)),
        None if push.pushed == 0 => Ok(Exit::Negative),
        None => Ok(Exit::Done),
    }
}

struct Push<'a> {
    app: &'a App,
    network: &'a Network,
    /// Shown in place of those on the envelopes.
    capability: Option<Arc<Secret<32>>>,
    /// By relay; with --unlink by mailbox too.
    clients: HashMap<(String, Option<Mailbox>), Arc<dyn Transport>>,
    /// Small letters that wait to be pushed together.
    window: Vec<Small>,
    /// Bytes that are left in it.
    room: usize,
    pushed: u64,
    /// The error the run ends with: one that may pass, if any did.
    failed: Option<Rc<anyhow::Error>>,
}

/// Where a letter goes.
#[derive(Clone, PartialEq)]
struct Place {
    relay: String,
    inbox: Inbox,
}

struct Small {
    place: Place,
    id: Id,
    bytes: Vec<u8>,
}

/// What became of a letter; letters that failed together share the error.
type Outcome = Result<Pushed, Rc<anyhow::Error>>;

impl Push<'_> {
    fn stream(&mut self, input: Input) -> Result<()> {
        let (kind, input) = letter::sniff(input)?;
        match kind {
            letter::Input::Envelopes => {}
            letter::Input::Empty => return Err(nothing().into()),
            _ => return Err(unsealed("the input is no envelope stream: seal it with --to").into()),
        }
        let mut envelopes = EnvelopeReader::new(input);
        while let Some(envelope) = envelopes.next()? {
            self.one(envelope)?;
        }
        Ok(())
    }

    /// Reads a letter: into the window, or when it is long, pushes it alone.
    fn one(&mut self, mut envelope: Envelope<'_, impl Read>) -> Result<()> {
        let place = self.place(envelope.routing());
        let mut bytes = Vec::new();
        let read = envelope.by_ref().take(MAX_FRAME + 1).read_to_end(&mut bytes);
        read.map_err(letter::Error::from)?;
        if bytes.len() as u64 <= MAX_FRAME {
            let id = Id(envelope.finish()?);
            if bytes.len() + frame::HEAD > self.room || self.window.len() == MAX_BATCH {
                self.flush()?;
            }
            match place {
                Ok(place) => {
                    self.room -= bytes.len() + frame::HEAD;
                    self.window.push(Small { place, id, bytes });
                }
                Err(error) => self.failed_before(id, error)?,
            }
            return Ok(());
        }
        self.flush()?;
        let mut body = tempfile::SpooledTempFile::new(IN_MEMORY);
        let copied = io::copy(&mut Cursor::new(bytes).chain(&mut envelope), &mut body);
        let length = copied.map_err(letter::Error::from)?;
        let id = Id(envelope.finish()?);
        body.rewind()?;
        let place = match place {
            Ok(place) => place,
            Err(error) => return self.failed_before(id, error),
        };
        let pushed = self
            .client(&place)
            .and_then(|client| Ok(client.push(&place.inbox, &id, &mut body, length)?));
        self.report(&place, id, length, pushed.map_err(Rc::new))
    }

    fn place(&self, routing: &letter::Routing) -> Result<Place> {
        let relay = routing.relay.as_ref().or(self.network.relay.as_ref());
        let relay = relay.ok_or(account::Error::NoRelay)?.clone();
        let capability = self.capability.as_ref().or(routing.capability.as_ref()).cloned();
        Ok(Place { relay, inbox: Inbox { mailbox: Mailbox(routing.mailbox), capability } })
    }

    fn client(&mut self, place: &Place) -> Result<&dyn Transport> {
        Ok(match self.clients.entry(self.circuit(place)) {
            Entry::Occupied(known) => &**known.into_mut(),
            Entry::Vacant(new) => &**new.insert(network::client(&place.relay, self.network)?),
        })
    }

    /// What shares a connection.
    fn circuit(&self, place: &Place) -> (String, Option<Mailbox>) {
        (place.relay.clone(), self.network.unlink.then_some(place.inbox.mailbox))
    }

    /// Pushes what is in the window, and tells what became of it.
    fn flush(&mut self) -> Result<()> {
        let window = std::mem::take(&mut self.window);
        self.room = MAX_BATCH_BYTES;
        let mut outcomes: Vec<Option<Outcome>> = window.iter().map(|_| None).collect();
        while let Some(first) = outcomes.iter().position(Option::is_none) {
            let Some(place) = window.get(first).map(|small| &small.place) else { break };
            let together: Vec<usize> = (first..window.len())
                .filter(|&at| window.get(at).is_some_and(|small| small.place == *place))
                .collect();
            let letters: Vec<(Id, &[u8])> = together
                .iter()
                .filter_map(|&at| window.get(at))
                .map(|small| (small.id, small.bytes.as_slice()))
                .collect();
            for (at, outcome) in together.into_iter().zip(self.together(place, &letters)) {
                if let Some(slot) = outcomes.get_mut(at) {
                    *slot = Some(outcome);
                }
            }
        }
        for (small, outcome) in window.iter().zip(outcomes.into_iter().flatten()) {
            self.report(&small.place, small.id, small.bytes.len() as u64, outcome)?;
        }
        Ok(())
    }

    /// Pushes letters to one mailbox: one outcome for each.
    fn together(&mut self, place: &Place, letters: &[(Id, &[u8])]) -> Vec<Outcome> {
        let pushed = self.client(place).and_then(|client| {
            Ok(match letters {
                [(id, bytes)] => {
                    let length = bytes.len() as u64;
                    vec![client.push(&place.inbox, id, &mut Cursor::new(bytes), length)]
                }
                many => client.push_batch(&place.inbox, many)?,
            })
        });
        match pushed {
            Ok(each) => each.into_iter().map(|one| one.map_err(|e| Rc::new(e.into()))).collect(),
            Err(error) => {
                let error = match letters.len() {
                    1 => error,
                    many => {
                        error.context(format!("{many} letters for mailbox {}", place.inbox.mailbox))
                    }
                };
                vec![Err(Rc::new(error)); letters.len()]
            }
        }
    }

    fn report(&mut self, place: &Place, id: Id, size: u64, outcome: Outcome) -> Result<()> {
        let mut stdout = io::stdout().lock();
        let relay =
            self.clients.get(&self.circuit(place)).map_or(place.relay.clone(), |relay| relay.url());
        match outcome {
            Ok(pushed) => {
                self.pushed += 1;
                if self.app.ui.json {
                    let new = pushed == Pushed::New;
                    let object =
                        json!({ "schema": 1, "id": id, "relay": relay, "size": size, "new": new });
                    writeln!(stdout, "{}", json_line(&object))?;
                } else {
                    writeln!(stdout, "{id}")?;
                }
                if pushed == Pushed::Already {
                    self.app.ui.detail(&format!("{id} was at the relay already"));
                }
            }
            Err(error) => {
                if self.app.ui.json {
                    let object = json!({
                        "schema": 1, "id": id, "relay": relay, "size": size, "new": null,
                        "error": { "code": classify(&**error).0.code(), "message": format!("{error:#}") },
                    });
                    writeln!(stdout, "{}", json_line(&object))?;
                }
                self.fail(error);
            }
        }
        Ok(())
    }

    /// A letter that no relay was asked for.
    fn failed_before(&mut self, id: Id, error: anyhow::Error) -> Result<()> {
        // In its place among the others.
        self.flush()?;
        if self.app.ui.json {
            let message = format!("{error:#}");
            let error = json!({ "code": classify(&*error).0.code(), "message": message });
            let object = json!({ "schema": 1, "id": id, "new": null, "error": error });
            writeln!(io::stdout(), "{}", json_line(&object))?;
        }
        self.fail(Rc::new(error));
        Ok(())
    }

    /// Keeps one error to end with, and tells the others, each once.
    fn fail(&mut self, error: Rc<anyhow::Error>) {
        let Some(kept) = self.failed.take() else {
            self.failed = Some(error);
            return;
        };
        if Rc::ptr_eq(&kept, &error) {
            self.failed = Some(kept);
            return;
        }
        let passes = |error: &anyhow::Error| classify(&**error).0 == Exit::Temporary;
        // A retry of all is worth it when it is for one.
        let (kept, told) =
            if passes(&kept) && !passes(&error) { (kept, error) } else { (error, kept) };
        self.app.ui.error(&**told);
        self.failed = Some(kept);
    }
}

/// The error itself, also where several letters shared it.
fn owned(error: Rc<anyhow::Error>) -> anyhow::Error {
    Rc::try_unwrap(error).unwrap_or_else(|shared| {
        let (exit, hint) = classify(&**shared);
        let fail = Fail::new(exit, format!("{shared:#}"));
        hint.into_iter().fold(fail, Fail::hint).into()
    })
}
