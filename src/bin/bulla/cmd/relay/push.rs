//! `relay push`: strips the envelopes off and hands ciphertext to the relays they name.
//!
//! Small letters wait in a window until it is full or the input ends, and go together with those
//! to the same mailbox, to all relays at the same time. What became of each is told in the order in
//! which they came. A relay that cannot be reached is not tried again by the same run.

mod parallel;

use std::collections::HashMap;
use std::io::{self, Cursor, Read, Seek as _, Write as _};
use std::sync::Arc;

use anyhow::Result;
use bulla::account;
use bulla::letter::{self, Envelope, EnvelopeReader};
use bulla::relay::client::{Inbox, Pushed, Transport};
use bulla::relay::protocol::{Id, MAX_BATCH, MAX_BATCH_BYTES, MAX_FRAME, Mailbox, frame};
use bulla::secret::Secret;
use serde_json::json;

use self::parallel::{Circuit, Job, Outcome, Place, Small, grouped, is_away, run_all};
use super::super::open::{nothing, unsealed};
use crate::app::App;
use crate::classify::classify;
use crate::cli::{self, Network};
use crate::exit::{Exit, Fail};
use crate::input::Input;
use crate::json::json_line;
use crate::network;
use crate::partly;
use crate::ui::message;

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
        away: HashMap::new(),
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
        if let (Err(_), Some(error)) = (&read, &push.failed) {
            app.ui.error(&***error);
        }
        read?;
    }
    let failed = push.failed.into_iter().map(owned).collect();
    match partly::failed(app.ui, failed, push.pushed > 0) {
        Some(error) => Err(error),
        None if push.pushed == 0 => Ok(Exit::Negative),
        None => Ok(Exit::Done),
    }
}

struct Push<'a> {
    app: &'a App,
    network: &'a Network,
    /// Shown in place of those on the envelopes.
    capability: Option<Arc<Secret<32>>>,
    clients: HashMap<Circuit, Arc<dyn Transport>>,
    /// Relays that could not be reached.
    away: HashMap<Circuit, Arc<anyhow::Error>>,
    /// Small letters that wait to be pushed together.
    window: Vec<Small>,
    /// Bytes that are left in it.
    room: usize,
    pushed: u64,
    /// The error the run ends with: one that may pass, if any did.
    failed: Option<Arc<anyhow::Error>>,
}

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
        let circuit = self.circuit(&place);
        let client = match self.away.get(&circuit) {
            Some(away) => Err(away.clone()),
            None => self.client(&place).map_err(Arc::new),
        };
        let outcome = client.and_then(|client| {
            client.push(&place.inbox, &id, &mut body, length).map_err(|error| {
                let is_away = is_away(&error);
                let error = Arc::new(anyhow::Error::from(error).context(client.url()));
                if is_away {
                    self.away.insert(circuit, error.clone());
                }
                error
            })
        });
        self.report(&place, id, length, outcome)
    }

    fn place(&self, routing: &letter::Routing) -> Result<Place> {
        let relay = routing.relay.as_ref().or(self.network.relay.as_ref());
        let relay = relay.ok_or(account::Error::NoRelay)?.clone();
        let capability = self.capability.as_ref().or(routing.capability.as_ref()).cloned();
        Ok(Place { relay, inbox: Inbox { mailbox: Mailbox(routing.mailbox), capability } })
    }

    fn client(&mut self, place: &Place) -> Result<Arc<dyn Transport>> {
        let circuit = self.circuit(place);
        if let Some(known) = self.clients.get(&circuit) {
            return Ok(known.clone());
        }
        let new = network::client(&place.relay, self.network)?;
        self.clients.insert(circuit, new.clone());
        Ok(new)
    }

    fn circuit(&self, place: &Place) -> Circuit {
        (place.relay.clone(), self.network.unlink.then_some(place.inbox.mailbox))
    }

    /// Pushes what is in the window, and tells what became of it.
    fn flush(&mut self) -> Result<()> {
        let window = std::mem::take(&mut self.window);
        self.room = MAX_BATCH_BYTES;
        let mut outcomes: Vec<Option<Outcome>> = window.iter().map(|_| None).collect();
        let mut jobs: Vec<Job<'_>> = Vec::new();
        for group in grouped(&window) {
            let circuit = self.circuit(group.place);
            let client = match self.away.get(&circuit) {
                Some(away) => Err(away.clone()),
                None => self.client(group.place).map_err(Arc::new),
            };
            match client {
                Err(error) => fill(&mut outcomes, &group.at, |_| Err(error.clone())),
                Ok(client) => match jobs.iter_mut().find(|job| job.circuit == circuit) {
                    Some(job) => job.groups.push(group),
                    None => jobs.push(Job { circuit, client, groups: vec![group] }),
                },
            }
        }
        for (circuit, away, each) in run_all(jobs) {
            for (at, outcome) in each {
                fill(&mut outcomes, &[at], |_| outcome.clone());
            }
            if let Some(away) = away {
                self.away.insert(circuit, away);
            }
        }
        for (small, outcome) in window.iter().zip(outcomes.into_iter().flatten()) {
            self.report(&small.place, small.id, small.bytes.len() as u64, outcome)?;
        }
        Ok(())
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
        self.fail(Arc::new(error));
        Ok(())
    }

    /// Keeps one error to end with, and tells the others, each once.
    fn fail(&mut self, error: Arc<anyhow::Error>) {
        let Some(kept) = self.failed.take() else {
            self.failed = Some(error);
            return;
        };
        if Arc::ptr_eq(&kept, &error) || message(&**kept) == message(&**error) {
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

fn fill(outcomes: &mut [Option<Outcome>], at: &[usize], outcome: impl Fn(usize) -> Outcome) {
    for &at in at {
        if let Some(slot) = outcomes.get_mut(at) {
            *slot = Some(outcome(at));
        }
    }
}

/// The error itself, also where several letters shared it.
fn owned(error: Arc<anyhow::Error>) -> anyhow::Error {
    Arc::try_unwrap(error).unwrap_or_else(|shared| {
        let (exit, hint) = classify(&**shared);
        let fail = Fail::new(exit, format!("{shared:#}"));
        hint.into_iter().fold(fail, Fail::hint).into()
    })
}
