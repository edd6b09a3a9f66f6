//! `open`: an age file, a letter, or an envelope stream of letters.

use std::io::{self, Read, Write};

use anyhow::Result;
use bulla::age::{Dearmored, Opener};
use bulla::contact::{Book, Place, Receipt};
use bulla::identity::Fingerprint;
use bulla::letter::{self, Content, EnvelopeReader, Letter};
use bulla::relay::client::spool::Word;
use bulla::relay::protocol::Id;

use crate::app::{App, Turn};
use crate::body::{Bodies, Body, Room};
use crate::classify::classify;
use crate::cli;
use crate::exit::{Exit, Fail, Verdict};
use crate::input::Input;
use crate::output::sync_stdout;
use crate::paired::Found;
use crate::record::{Origin, Sender, line};
use crate::unlock::{Ours, Unlock};

mod given;

pub(crate) use given::Again;
use given::{hand_back, hint_of_more, is_given, leave_word, tell_of_replay};

pub(crate) fn run(app: &App, args: &cli::Open) -> Result<Exit> {
    let unlock = Unlock::new(app, args);
    let bodies = match Bodies::new(app, args) {
        Ok(bodies) => bodies,
        Err(error) => {
            if classify(&error).0 == Exit::OutputExists {
                // What fails here fails again when there is an output.
                let _ = hand_back(args, &unlock);
            }
            return Err(error);
        }
    };
    let input = Input::open(args.file.as_deref(), "something sealed")?;
    let mut open = Open { app, args, unlock, bodies, in_stream: false, unrecorded: Vec::new() };
    let (kind, input) = letter::sniff(input)?;
    let exit = match kind {
        letter::Input::Age => {
            let came = open.one(input)?;
            open.unrecorded.extend(came);
            Exit::Done
        }
        letter::Input::Envelopes => open.all(EnvelopeReader::new(input))?,
        letter::Input::Empty => return Err(unsealed("the input is empty").into()),
        _ => return Err(unsealed("the input is no age file and no envelope stream").into()),
    };
    open.finish()?;
    Ok(exit)
}

/// Most lines of one output file whose letters are kept from other processes until it is complete.
const MOST_TURNS: usize = 64;

/// The error of an input that was never sealed.
pub(crate) fn unsealed(message: &str) -> Fail {
    Fail::new(Exit::Malformed, message)
        .hint("expected what bulla seal, age or bulla relay pull wrote; see the status of what came before the pipe")
}

struct Open<'a> {
    app: &'a App,
    args: &'a cli::Open,
    unlock: Unlock<'a>,
    bodies: Bodies<'a>,
    /// The input is an envelope stream: any sender may have pushed what is in it.
    in_stream: bool,
    /// Letters whose lines are in an output file that is not there yet.
    unrecorded: Vec<Came>,
}

/// What is known of a letter when its body may be let out.
struct Came {
    me: Fingerprint,
    sender: Option<Fingerprint>,
    id: [u8; 16],
    place: Option<Place>,
    letter: Letter,
    /// The ratchet that opened it.
    found: Option<Found>,
    /// It was opened before, and is again.
    known: bool,
    /// The relay's id, when it came in an envelope.
    envelope: Option<Id>,
    /// Held until the letter is remembered.
    _turn: Option<Turn>,
}

impl Open<'_> {
    /// Opens the letters of a stream: all of them, or the first that may be written where there is
    /// room for one. One bad letter does not cost those behind it; the last error is the run's.
    fn all(&mut self, mut envelopes: EnvelopeReader<impl Read + Send>) -> Result<Exit> {
        self.unlock.in_stream();
        self.in_stream = true;
        let mut opened = 0;
        let mut failed: Option<anyhow::Error> = None;
        let mut broken = false;
        loop {
            let outcome = match envelopes.next() {
                Ok(None) => break,
                Ok(Some(mut envelope)) => match self.one(&mut envelope) {
                    Ok(came) => envelope.finish().map_err(Into::into).and_then(|id| {
                        opened += 1;
                        self.keep(came, id)
                    }),
                    Err(error) => match error.downcast_ref::<Fail>().and_then(|f| f.verdict) {
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
                    before => {
                        before.inspect(|before| {
                            self.app.ui.error(before);
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
                        self.app.ui.error(&error);
                        return Err(before);
                    }
                    before => {
                        before.inspect(|before| {
                            self.app.ui.error(before);
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
        match classify(error).0 {
            Exit::ClosedPipe | Exit::Locked | Exit::WrongPassphrase | Exit::InputMissing => true,
            Exit::MoreLetters => true,
            Exit::OutputExists => self.args.output_dir.is_none(),
            _ => false,
        }
    }

    /// Remembers a letter of a stream when its body is where it should be.
    fn keep(&mut self, came: Option<Came>, id: [u8; 32]) -> Result<()> {
        if let Some(came) = came {
            self.unrecorded.push(Came { envelope: Some(Id(id)), ..came });
        }
        if self.bodies.is_held_back() { Ok(()) } else { self.record() }
    }

    /// Opens one sealed file to its end and lets its body out. Returns what is to be remembered
    /// of it, if it was a letter.
    fn one(&mut self, sealed: impl Read + Send) -> Result<Option<Came>> {
        let opener = Opener::new(Dearmored::new(sealed)?, &[&self.unlock]);
        let found = self.unlock.found();
        let opener = opener.map_err(|error| self.unlock.reason(error))?;
        let mine = self.unlock.fingerprints();
        let accept = |content: &Content| self.accept(content, found.as_ref());
        let (content, accepted) = letter::open_paired(opener, &mine, &self.unlock, accept)
            .map_err(|error: anyhow::Error| self.unlock.reason(error))?;
        let Accepted { body, about } = accepted;
        let (Content::Letter(letter), Some(About { came, sender, receipt })) = (content, about)
        else {
            self.bodies.finish(body, |body| line(None, None, None, false, body))?;
            return Ok(None);
        };
        self.warn(&letter, sender.as_ref(), receipt);
        let ratchet = found.is_some();
        self.bodies
            .finish(body, |body| line(Some(&letter), sender.as_ref(), receipt, ratchet, body))?;
        if let Some(found) = &found {
            self.ours(&came.me)?.paired.go_on(found);
        }
        Ok(Some(Came { found, ..came }))
    }

    /// Decides whether a body is let out, and where to, before any of it is.
    fn accept(&self, content: &Content, found: Option<&Found>) -> Result<Accepted> {
        let Content::Letter(letter) = content else {
            if self.args.from.is_some() {
                return Err(Fail::refused("a plain age file proves no sender").into());
            }
            let origin = if self.in_stream { Origin::Anonymous } else { Origin::File };
            self.demand_known(origin, None)?;
            return Ok(Accepted { body: self.begin(None, origin, None)?, about: None });
        };
        let about = self.about(letter, found)?;
        let body = match letter.postscript.notice {
            Some(_) => Body::Nowhere,
            None => {
                self.begin(Some(letter), origin(about.sender.as_ref()), about.sender.as_ref())?
            }
        };
        Ok(Accepted { body, about: Some(about) })
    }

    /// Begins a body, if there is room for it, and says whose it is.
    fn begin(
        &self,
        letter: Option<&Letter>,
        origin: Origin,
        sender: Option<&Sender>,
    ) -> Result<Body> {
        if self.bodies.room() == Room::Full {
            return Err(Fail::untaken("another letter follows: one run writes one letter").into());
        }
        let body = self.bodies.begin(letter, origin)?;
        match (origin, sender) {
            (_, Some(sender)) => self.app.ui.note(&sender.line()),
            (Origin::File, None) => {}
            (_, None) => self.app.ui.note("anonymous"),
        }
        Ok(body)
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

    fn about(&self, letter: &Letter, found: Option<&Found>) -> Result<About> {
        let me = &self.ours(&letter.to)?.me;
        let book = me.book()?;
        let fingerprint = letter.from.as_ref().map(|card| card.fingerprint());
        if let Some(found) = found
            && fingerprint != Some(found.contact)
        {
            let message = "a letter under the keys of one contact names another as its sender";
            return Err(unauthenticated(message).into());
        }
        if let Some(fingerprint) = &fingerprint
            && let Some(since) = book.revoked(fingerprint)
        {
            let known = book.by_fingerprint(fingerprint).map(|contact| contact.name().to_owned());
            let name = known.unwrap_or_else(|| fingerprint.to_string());
            let since = crate::app::date(since);
            let fail = Fail::revoked(format!(
                "letter from {name} refused and dropped: the contact was revoked on {since}"
            ));
            let hint = format!("bulla contact revoke --undo {name} accepts them again");
            return Err(fail.hint(hint).into());
        }
        let sender = letter.from.as_ref().map(|card| Sender::new(card, &book));
        if let Some(wanted) = &self.args.from {
            let wanted = match book.get(wanted) {
                Ok(contact) => contact.fingerprint(),
                Err(unknown) => Fingerprint::parse(wanted).map_err(|_| unknown)?,
            };
            if fingerprint != Some(wanted) {
                let got = sender.as_ref().map_or("nobody: it is anonymous".into(), Sender::title);
                let message = format!("expected a letter from {wanted}, it is from {got}");
                return Err(Fail::refused(message).into());
            }
        }
        if letter.postscript.notice.is_none() {
            self.demand_known(origin(sender.as_ref()), sender.as_ref())?;
        }
        let place = letter.heading.place.map(|(stream, seq)| Place { stream, seq });
        // Two processes that open one letter take turns, and the second sees a replay. Who has a
        // letter in hand already does not wait for another: two such could wait for each other.
        let held = self.unrecorded.iter().any(|came| came.id == letter.id);
        let turn = match (me.has_home() && !held, self.unrecorded.is_empty()) {
            (true, true) => Some(me.turn(&letter.id)?),
            (true, false) if self.unrecorded.len() < MOST_TURNS => Some(me.try_turn(&letter.id)?),
            _ => None,
        };
        let receipt = if me.has_home() {
            let mut book = me.book()?;
            for came in self.unrecorded.iter().filter(|came| came.me == letter.to) {
                let _ = came.record(&mut book);
            }
            let receipt = book.check(fingerprint.as_ref(), &letter.id, place);
            // A key that is used once opens no replay, however old the letter is.
            Some(match receipt {
                Receipt::Old if found.is_some() => Receipt::Fresh { missed: 0, late: true },
                receipt => receipt,
            })
        } else {
            None
        };
        let known = matches!(receipt, Some(Receipt::Replay | Receipt::Old));
        // A file that a killed command's letter went to is there, complete; what went elsewhere may
        // be lost.
        let again = match Again::of_command() {
            Again::Failed => true,
            Again::Perhaps => !self.bodies.are_files(),
            Again::No => false,
        };
        let again = again || self.args.again;
        if known && !again {
            // A run that ended before it erased the key of what it had opened.
            if let Some(found) = found {
                let written = letter.heading.date;
                self.ours(&letter.to)?.paired.settle(self.app, me, found, written, None)?;
            }
            let message =
                format!("letter {} was opened before", bulla::text::hex_encode(&letter.id));
            return Err(Fail::replay(message).hint("--again opens it again").into());
        }
        let came = Came {
            me: letter.to,
            sender: fingerprint,
            id: letter.id,
            place,
            letter: letter.clone(),
            found: None,
            known,
            envelope: None,
            _turn: turn,
        };
        Ok(About { came, sender, receipt })
    }

    fn warn(&self, letter: &Letter, sender: Option<&Sender>, receipt: Option<Receipt>) {
        let ui = self.app.ui;
        let Some(sender) = sender else { return };
        match receipt {
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
                letter.heading.place.map_or(0, |(_, seq)| seq)
            )),
            None => ui.warn("there is no home to keep state in: replays and gaps are not noticed"),
            _ => {}
        }
    }

    /// Remembers the letters whose bodies are where they should be, and tells the spool of those
    /// that cannot get lost any more: what went into a pipe can, so its copy is kept. One that
    /// cannot be remembered does not cost those behind it.
    fn record(&mut self) -> Result<()> {
        // The keys of what is there are erased: let it stay there.
        if self.unrecorded.iter().any(|came| came.found.is_some()) {
            sync_stdout()?;
        }
        let mut failed = None;
        for came in std::mem::take(&mut self.unrecorded) {
            if let Err(error) = self.record_one(&came)
                && let Some(before) = failed.replace(error)
            {
                self.app.ui.error(&before);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// First what a letter says, which can be heard twice, then that it came, then its key goes:
    /// killed in between, it is opened again and nothing of it is lost.
    fn record_one(&self, came: &Came) -> Result<()> {
        let Ours { me, paired, .. } = self.ours(&came.me)?;
        if !me.has_home() {
            return Ok(());
        }
        if !came.known {
            paired.hear(self.app, me, &came.letter)?;
            if let Some(notice) = &came.letter.postscript.notice {
                super::notice::take(self.app, me, &came.letter, notice)?;
            }
        }
        me.book_file()?.update(|book| {
            let _ = came.record(book);
            Ok::<_, bulla::contact::Error>(())
        })?;
        let given = came.envelope.as_ref().filter(|id| is_given(id));
        if let Some(found) = &came.found {
            paired.settle(self.app, me, found, came.letter.heading.date, given)?;
        }
        // What else a command does with it may have to be done again; a file of our own that is there
        // would only be in the way.
        let safe = match given {
            Some(_) => self.bodies.are_files(),
            None => self.bodies.is_durable(),
        };
        if let Some(id) = came.envelope.filter(|_| safe) {
            // If this fails the copy is kept a week longer.
            let _ = Word::Opened.leave(&me.folder()?.join("spool"), &id);
        } else if let Some(id) = came.envelope {
            // It was refused before, and need not come again for that.
            let _ = Word::Refused.retract(&me.folder()?.join("spool"), &id);
        }
        Ok(())
    }

    /// Leaves word of a letter that was not written, and returns the error with what can be done.
    fn pass_over(&self, verdict: Verdict, id: &Id, error: anyhow::Error) -> anyhow::Error {
        let word = match verdict {
            Verdict::Replay => {
                tell_of_replay(&self.unlock, id);
                return error;
            }
            // Dropped for good: the spool takes it for opened.
            Verdict::Revoked => {
                tell_of_replay(&self.unlock, id);
                Word::Opened
            }
            Verdict::Refused => Word::Refused,
            Verdict::Untaken => Word::Untaken,
        };
        let comes_again = leave_word(&self.unlock, word, id).unwrap_or_else(|error| {
            self.app.ui.warn(&format!("only bulla relay pull --again brings it again: {error}"));
            false
        });
        match error.downcast::<Fail>() {
            Ok(fail) if verdict == Verdict::Untaken => fail.hint(hint_of_more(comes_again)).into(),
            Ok(fail) => fail.into(),
            Err(error) => error,
        }
    }

    fn ours(&self, fingerprint: &Fingerprint) -> Result<&Ours> {
        self.unlock.of(fingerprint).ok_or_else(|| crate::app::no_identity().into())
    }

    fn finish(mut self) -> Result<()> {
        self.bodies.commit()?;
        self.record()
    }
}

impl Came {
    fn record(&self, book: &mut Book) -> Receipt {
        book.record(self.sender.as_ref(), &self.id, self.place)
    }
}

/// A body that may be let out, and what is known of it when it is a letter's.
struct Accepted {
    body: Body,
    about: Option<About>,
}

impl Write for Accepted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.body.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.body.flush()
    }
}

/// A letter on its way out.
struct About {
    came: Came,
    sender: Option<Sender>,
    receipt: Option<Receipt>,
}

fn is_untaken(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Fail>().is_some_and(|fail| fail.verdict == Some(Verdict::Untaken))
}

fn origin(sender: Option<&Sender>) -> Origin {
    match sender {
        None => Origin::Anonymous,
        Some(sender) if sender.name.is_none() => Origin::Unknown,
        Some(_) => Origin::Contact,
    }
}

fn unauthenticated(message: impl Into<String>) -> Fail {
    Fail::new(Exit::SenderNotAuthenticated, message)
}
