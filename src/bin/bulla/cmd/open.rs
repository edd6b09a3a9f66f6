//! `open`: an age file, a letter, or an envelope stream of letters.

use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::Result;
use bulla::account::{self, Arrival, Delivery, Kept, LetterOpener, Opened, Sighted};
use bulla::contact::Receipt;
use bulla::identity::Fingerprint;
use bulla::letter::{self, Envelope, EnvelopeReader};
use bulla::relay::client::spool::Word;
use bulla::relay::protocol::Id;

use crate::app::App;
use crate::body::{Bodies, Body, Room};
use crate::classify::classify;
use crate::cli;
use crate::cli::time::now;
use crate::events::Teller;
use crate::exit::{Exit, Fail, Verdict};
use crate::given::{
    Again, Unopened, hand_back, hint_of_more, is_given, leave_word, tell_of_replay,
};
use crate::input::{Input, Watch};
use crate::output::sync_stdout;
use crate::record::{Origin, Sender, line};
use crate::unlock::Unlock;

/// Most letters that are recorded together.
const TOGETHER: usize = 256;
/// Longest time that an opened letter waits for others to be recorded with it.
const PATIENCE: Duration = Duration::from_millis(50);

pub(crate) fn run(app: &App, args: &cli::Open) -> Result<Exit> {
    let teller = Teller::new(app.ui);
    let unlock = Unlock::new(app, &teller, &args.identity, args.passphrase.as_ref());
    let bodies = match Bodies::new(app, args) {
        Ok(bodies) => bodies,
        Err(error) => {
            if classify(&*error).0 == Exit::OutputExists {
                // What fails here fails again when there is an output.
                let _ = hand_back(args, &unlock);
            }
            return Err(error);
        }
    };
    let input = Input::open(args.file.as_deref(), "something sealed")?;
    let watch = input.watch()?;
    let opener = LetterOpener::new(unlock);
    let mut open =
        Open { app, args, opener, bodies, in_stream: false, again: false, watch, since: None };
    let (kind, input) = letter::sniff(input)?;
    let outcome = match kind {
        letter::Input::Age => open.one(input).map(|arrival| {
            arrival.into_iter().for_each(|arrival| open.opener.keep(arrival));
            Exit::Done
        }),
        letter::Input::Envelopes => {
            let unopened = Unopened::begin()?;
            let outcome = open.all(EnvelopeReader::new(input));
            // Nothing more comes of a replay, or of a letter of somebody who is revoked.
            let is_over = |error: &anyhow::Error| {
                matches!(verdict(error), Some(Verdict::Replay | Verdict::Revoked))
            };
            if outcome.as_ref().is_ok_and(|exit| *exit == Exit::Done)
                || outcome.as_ref().is_err_and(is_over)
            {
                unopened.opened()?;
            }
            outcome
        }
        letter::Input::Empty => return Err(nothing().into()),
        _ => return Err(unsealed("the input is no age file and no envelope stream").into()),
    };
    // Lines of a file appear together or not at all; what else was let out is out.
    if outcome.is_ok() || !open.bodies.is_held_back() || outcome.as_ref().is_err_and(is_of_source) {
        let recorded = open.bodies.commit().and_then(|()| open.record());
        match (&outcome, recorded) {
            (Ok(_), recorded) => recorded?,
            (Err(_), Err(error)) => {
                app.ui.error(&*error);
            }
            (Err(_), Ok(())) => {}
        }
    }
    outcome
}

/// Returns whether it was not this run that failed, but what wrote its input.
fn is_of_source(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(letter::Error::Source { .. }))
}

/// The error of an input that was never sealed.
pub(crate) fn unsealed(message: &str) -> Fail {
    Fail::new(Exit::Malformed, message)
        .hint("expected what bulla seal, age or bulla relay pull wrote; see the status of what came before the pipe")
}

/// The error of an input without a byte.
pub(crate) fn nothing() -> Fail {
    Fail::new(Exit::Damaged, "the input is empty")
        .hint("see the status of what came before the pipe: it wrote nothing")
}

struct Open<'a> {
    app: &'a App,
    args: &'a cli::Open,
    opener: LetterOpener<Unlock<'a>>,
    bodies: Bodies<'a>,
    /// The input is an envelope stream: any sender may have pushed what is in it.
    in_stream: bool,
    /// What is opened now was given out before, and stays where it can be given out again.
    again: bool,
    /// Tells whether more of the input is there.
    watch: Watch,
    /// When the first letter was opened that is not recorded.
    since: Option<Instant>,
}

impl Open<'_> {
    /// Opens the letters of a stream: all of them, or the first that may be written where there is
    /// room for one. One bad letter does not cost those behind it; the last error is the run's.
    fn all(&mut self, mut envelopes: EnvelopeReader<impl Read + Send>) -> Result<Exit> {
        self.opener.keys_mut().in_stream();
        self.in_stream = true;
        let mut opened = 0;
        let mut failed: Option<anyhow::Error> = None;
        let mut broken = false;
        loop {
            let outcome = match envelopes.next() {
                Ok(None) => break,
                Ok(Some(mut envelope)) => match self.one_of(&mut envelope) {
                    Ok(arrival) => match envelope.finish() {
                        Ok(id) => {
                            opened += 1;
                            self.keep(arrival, Id(id), envelopes.has_buffered())
                        }
                        Err(error) => Err(error.into()),
                    },
                    Err(error) => match verdict(&error) {
                        None => Err(error),
                        Some(verdict) => match envelope.finish() {
                            Ok(id) => Err(self.pass_over(verdict, &Id(id), error)),
                            Err(broken) if verdict == Verdict::Untaken => Err(broken.into()),
                            Err(_) => Err(error),
                        },
                    },
                },
                // Nothing behind this can be read. Where the last letter broke off, that says why.
                Err(error) => match failed {
                    Some(cause) if broken => return Err(cause),
                    Some(ours) if matches!(error, letter::Error::Source { .. }) => {
                        self.app.ui.error(&error);
                        return Err(ours);
                    }
                    before => {
                        before.inspect(|before| {
                            self.app.ui.error(&**before);
                        });
                        return Err(error.into());
                    }
                },
            };
            broken = outcome.is_err();
            if let Err(error) = outcome {
                // What broke off counts for more than what was not begun.
                let later = match failed.take() {
                    Some(before) if is_untaken(&error) && self.bodies.is_broken() => {
                        self.app.ui.error(&*error);
                        return Err(before);
                    }
                    before => {
                        before.inspect(|before| {
                            self.app.ui.error(&**before);
                        });
                        error
                    }
                };
                failed = Some(later);
                if failed.as_ref().is_some_and(|error| self.is_fatal(error)) {
                    break;
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None if opened == 0 => Ok(Exit::Negative),
            None => Ok(Exit::Done),
        }
    }

    /// Whether an error is of the output or the keys and not of the letter, so that no other
    /// letter does better.
    fn is_fatal(&self, error: &anyhow::Error) -> bool {
        match classify(&**error).0 {
            Exit::ClosedPipe | Exit::Locked | Exit::WrongPassphrase | Exit::InputMissing => true,
            Exit::MoreLetters => true,
            Exit::OutputExists => self.args.output_dir.is_none(),
            _ => false,
        }
    }

    /// Keeps a letter of a stream for recording, when its body is where it should be.
    ///
    /// Lines are recorded together, as many as come at once; a kill lets those come again that it found
    /// unrecorded. What goes to a file of its own is recorded with it.
    fn keep(&mut self, arrival: Option<Arrival>, id: Id, buffered: bool) -> Result<()> {
        if let Some(arrival) = arrival {
            self.opener.keep(arrival.in_envelope(id));
        }
        if self.bodies.is_held_back() {
            return Ok(());
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let waits = self.bodies.are_lines()
            && self.opener.unrecorded() < TOGETHER
            && since.elapsed() < PATIENCE
            && (buffered || self.watch.is_ready());
        if waits { Ok(()) } else { self.record() }
    }

    /// Opens one letter of a stream.
    fn one_of(&mut self, envelope: &mut Envelope<'_, impl Read + Send>) -> Result<Option<Arrival>> {
        self.again = envelope.is_again();
        self.opener.again(self.again);
        self.one(envelope)
    }

    /// Opens one sealed file to its end and lets its body out. Returns what is to be recorded of it,
    /// if it was a letter.
    fn one(&mut self, sealed: impl Read + Send) -> Result<Option<Arrival>> {
        let Self { app, args, opener, bodies, in_stream, .. } = self;
        let rules = Rules { app, args, bodies, in_stream: *in_stream };
        match opener.open(sealed, &rules)? {
            Opened::File(body) => {
                bodies.finish(body, |body| line(None, None, None, false, body))?;
                Ok(None)
            }
            Opened::Control(arrival) => {
                warn(app, &arrival, sender(&arrival).as_ref());
                Ok(Some(*arrival))
            }
            Opened::Letter(arrival, body) => {
                let (letter, receipt, sender) =
                    (arrival.letter(), arrival.receipt(), sender(&arrival));
                warn(app, &arrival, sender.as_ref());
                let ratchet = arrival.forward_secrecy();
                bodies.finish(body, |body| {
                    line(Some(letter), sender.as_ref(), receipt, ratchet, body)
                })?;
                Ok(Some(*arrival))
            }
        }
    }

    /// Records the letters whose bodies are where they should be. What went into a pipe can still get
    /// lost, so its copy in the spool is kept.
    fn record(&mut self) -> Result<()> {
        self.since = None;
        // The keys of what is there are erased: let it stay there.
        if self.opener.erases_keys() {
            sync_stdout()?;
        }
        // What else a command does with a letter may have to be done again; a file of our own that is
        // there would only be in the way.
        let bodies = &self.bodies;
        let keep = self.args.keep.as_secs();
        // Without its key a sealed copy is of no use.
        let safe = bodies.is_durable() || keep == 0;
        let until = (keep > 0 && !safe).then(|| now().saturating_add(keep));
        let mut failed = self.opener.record(|id| match id.is_some_and(is_given) {
            true => Kept { deferred: true, safe: bodies.are_files(), until: None },
            false => Kept { deferred: false, safe, until },
        });
        let last = failed.pop();
        failed.iter().for_each(|error| {
            self.app.ui.error(error);
        });
        last.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Leaves word of a letter that was not written, and returns the error with what can be done.
    fn pass_over(&self, verdict: Verdict, id: &Id, error: anyhow::Error) -> anyhow::Error {
        let unlock = self.opener.keys();
        let word = match verdict {
            Verdict::Replay => {
                tell_of_replay(unlock, id);
                return error;
            }
            // Dropped for good: the spool takes it for opened.
            Verdict::Revoked => {
                tell_of_replay(unlock, id);
                Word::Opened
            }
            Verdict::Refused => Word::Refused,
            Verdict::Untaken if self.again => {
                return match error.downcast::<Fail>() {
                    Ok(fail) => fail.hint(hint_of_more(false)).into(),
                    Err(error) => error,
                };
            }
            Verdict::Untaken => Word::Untaken,
        };
        let comes_again = leave_word(unlock, word, id).unwrap_or_else(|error| {
            self.app.ui.warn(&format!("only bulla relay pull --again brings it again: {error}"));
            false
        });
        match error.downcast::<Fail>() {
            Ok(fail) if verdict == Verdict::Untaken => fail.hint(hint_of_more(comes_again)).into(),
            Ok(fail) => fail.into(),
            Err(error) => error,
        }
    }
}

/// Which letters are let out, and where to.
struct Rules<'a> {
    app: &'a App,
    args: &'a cli::Open,
    bodies: &'a Bodies<'a>,
    in_stream: bool,
}

impl Rules<'_> {
    fn origin(&self, sender: Option<&Sender>, is_letter: bool) -> Origin {
        match sender {
            None if is_letter || self.in_stream => Origin::Anonymous,
            None => Origin::File,
            Some(sender) if sender.name.is_none() => Origin::Unknown,
            Some(_) => Origin::Contact,
        }
    }

    /// Demands that a letter is from the sender that `--from` names.
    fn demand_sender(&self, letter: &Sighted<'_>, sender: Option<&Sender>) -> Result<()> {
        let Some(wanted) = &self.args.from else { return Ok(()) };
        let wanted = match letter.book.get(wanted) {
            Ok(contact) => contact.fingerprint(),
            Err(unknown) => Fingerprint::parse(wanted).map_err(|_| unknown)?,
        };
        if sender.map(|sender| sender.fingerprint) == Some(wanted) {
            return Ok(());
        }
        let got = sender.map_or("nobody: it is anonymous".into(), Sender::title);
        let message = format!("expected a letter from {wanted}, it is from {got}");
        Err(Fail::refused(message).into())
    }

    /// Demands that a sender may be where people and programs take a body for a contact's: without
    /// more about it than one line, which they may not read.
    fn demand_known(&self, origin: Origin, sender: Option<&Sender>) -> Result<()> {
        if self.bodies.room() == Room::All || self.args.from.is_some() {
            return Ok(());
        }
        let (message, hint) = match (origin, sender) {
            (Origin::Unknown, Some(sender)) if !self.args.unknown => (
                sender.line(),
                "take it with --unknown, or add its sender first: bulla contact add NAME CARD",
            ),
            (Origin::Anonymous, _) if !self.args.anonymous => (
                "the letter is anonymous".into(),
                "take it with --anonymous, or under a name of its own with --output-dir DIR",
            ),
            _ => return Ok(()),
        };
        Err(Fail::refused(message).hint(hint).into())
    }
}

impl Delivery for Rules<'_> {
    type Body = Body;
    type Error = anyhow::Error;

    fn admit(&self, letter: Option<&Sighted<'_>>) -> Result<()> {
        let Some(letter) = letter else {
            if self.args.from.is_some() {
                return Err(Fail::refused("a plain age file proves no sender").into());
            }
            return self.demand_known(self.origin(None, false), None);
        };
        let sender = letter.letter.from.as_ref().map(|card| Sender::new(card, letter.book));
        self.demand_sender(letter, sender.as_ref())?;
        if letter.letter.is_control() {
            return Ok(());
        }
        self.demand_known(self.origin(sender.as_ref(), true), sender.as_ref())
    }

    /// A file that a killed command's letter went to is there, complete; what went elsewhere may be
    /// lost.
    fn again(&self) -> bool {
        self.args.again
            || match Again::of_command() {
                Again::Failed => true,
                Again::Perhaps => !self.bodies.are_files(),
                Again::No => false,
            }
    }

    /// Begins a body, if there is room for it, and says whose it is.
    fn begin(&self, letter: Option<&Sighted<'_>>) -> Result<Body> {
        if self.bodies.room() == Room::Full {
            return Err(Fail::untaken("another letter follows: one run writes one letter").into());
        }
        let card = letter.and_then(|letter| letter.letter.from.as_ref());
        let sender = card.zip(letter).map(|(card, letter)| Sender::new(card, letter.book));
        let origin = self.origin(sender.as_ref(), letter.is_some());
        let body = self.bodies.begin(letter.map(|letter| letter.letter), origin)?;
        match (origin, sender) {
            (_, Some(sender)) => self.app.ui.note(&sender.line()),
            (Origin::File, None) => {}
            (_, None) => self.app.ui.note("anonymous"),
        }
        Ok(body)
    }
}

fn sender(arrival: &Arrival) -> Option<Sender> {
    arrival.sender().map(|card| Sender::new(card, arrival.book()))
}

/// Says what the place of a letter among those of its sender shows.
fn warn(app: &App, arrival: &Arrival, sender: Option<&Sender>) {
    let ui = app.ui;
    let Some(sender) = sender else { return };
    match arrival.receipt() {
        Some(Receipt::Fresh { missed: 1, .. }) => {
            ui.warn(&format!("1 letter from {} before this one was not opened here", sender.title()));
        }
        Some(Receipt::Fresh { missed, .. }) if missed > 0 => ui.warn(&format!(
            "{missed} letters from {} before this one were not opened here",
            sender.title()
        )),
        Some(Receipt::Conflict) => ui.warn(&format!(
            "another letter from {} had the number {}: its sender restored a backup, or runs a copy",
            sender.title(),
            arrival.letter().heading.place.map_or(0, |(_, seq)| seq)
        )),
        None => ui.warn("there is no home to keep state in: replays and gaps are not noticed"),
        _ => {}
    }
}

/// Returns why a letter was not written, if nothing is wrong with it.
fn verdict(error: &anyhow::Error) -> Option<Verdict> {
    use account::Error as E;
    match error.downcast_ref::<E>() {
        Some(E::Replay { .. } | E::KeyErased) => Some(Verdict::Replay),
        Some(E::Revoked { .. }) => Some(Verdict::Revoked),
        _ => error.downcast_ref::<Fail>().and_then(|fail| fail.verdict),
    }
}

fn is_untaken(error: &anyhow::Error) -> bool {
    verdict(error) == Some(Verdict::Untaken)
}
