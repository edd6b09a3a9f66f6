//! `relay pull`: takes letters, and lets the relay delete only what is safe here.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulla::files::{self, Access, AtomicFile, Existing};
use bulla::letter::{EnvelopeWriter, Routing};
use bulla::relay::client::pull::{self, Delivered, Options, Stopped, pull_again};
use bulla::relay::client::spool::Spool;
use bulla::relay::protocol::Id;
use serde_json::json;

use crate::app::{App, Me};
use crate::classify::classify;
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::harden;
use crate::output::{Nature, Output, Target};
use crate::paired;
use crate::record::json_line;
use crate::source;

pub(crate) fn run(app: &App, args: &cli::RelayPull) -> Result<Exit> {
    let to_stdout = args.output_dir.is_none() && args.exec.is_none();
    let nature = if to_stdout { Nature::Binary } else { Nature::Text };
    let target =
        Target::new(&cli::Output { output: None, force: false }, None, nature).map_err(|_| {
            Fail::usage("sealed letters would go to the terminal")
                .hint("bulla relay pull | bulla open, or --output-dir DIR")
        })?;
    let me = app.me(&args.keys)?;
    // What is left of a revocation is tried again; pull goes on without it.
    super::super::revoke::settle_once(app, &me, &args.network)?;
    let mine = super::mine(&me, &args.network)?;
    let (boxes, kinds): (Vec<_>, Vec<_>) =
        mine.into_iter().map(|mine| (mine.owned, mine.kind)).unzip();
    let mut spool = Spool::open(me.folder()?.join("spool"))?;
    paired::erase_rest(app, &me, |id| spool.is_waiting(id))?;
    let relay = boxes.first().map(|first| first.relay.url());
    let mailbox = me.identity.card_mailbox().public();
    let routing = Routing { relay, mailbox, capability: None };
    if let Some(folder) = &args.output_dir {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }

    let marks = spool.folder().to_owned();
    let mut out = Delivery { app, args, me: &me, target, routing, marks, stream: None };
    let deliver = |id: Id, letter: &mut File| out.deliver(id, letter);
    let limit = args.limit.map_or(usize::MAX, NonZeroUsize::get);
    let report = if args.again {
        pull_again(&mut spool, limit, deliver)
    } else {
        let mut options = Options::default();
        options.wait = Duration::from_secs(args.wait);
        options.limit = limit;
        options.peek = args.peek;
        if args.follow {
            let broken = |error: &bulla::relay::client::Error| {
                app.ui.warn(&format!("{error}: trying again"));
            };
            pull::follow(&boxes, &mut spool, options, deliver, broken)
        } else {
            pull::pull(&boxes, &mut spool, options, deliver)
        }
    };
    let report = report.map_err(|stopped| match stopped {
        Stopped::Relay(error) => error.into(),
        Stopped::Deliver(error) => error,
        _ => anyhow::anyhow!("the pull stopped"),
    })?;
    // Of the mailboxes that are not there, the first that should be is the error of the run.
    let missing = report.gone.iter().filter_map(|at| kinds.get(*at)).try_for_each(|kind| {
        let gone = Err(bulla::relay::client::Error::NoMailbox);
        super::if_there::<()>(app, &me, kind, gone).map(drop)
    });
    if report.delivered > 0 || missing.is_ok() {
        out.finish(to_stdout)?;
    }
    missing?;
    if report.refused > 0 {
        app.ui.warn(&format!(
            "{} letters were too long or damaged and stay at the relay",
            report.refused
        ));
    }
    if report.later > 0 {
        let message = format!("the command failed for {} letters, which come again", report.later);
        return Err(Fail::new(Exit::Failure, message).hint("mend it and pull again").into());
    }
    Ok(if report.delivered == 0 { Exit::Negative } else { Exit::Done })
}

/// Where letters are delivered to.
struct Delivery<'a> {
    app: &'a App,
    args: &'a cli::RelayPull,
    me: &'a Me,
    target: Target,
    routing: Routing,
    /// Where it is marked what commands were given.
    marks: PathBuf,
    /// The stream on stdout, begun with the first letter: a pull that fails at once leaves
    /// nothing there, not half a stream.
    stream: Option<EnvelopeWriter<Output>>,
}

impl Delivery<'_> {
    fn deliver(&mut self, id: Id, letter: &mut File) -> Result<Delivered> {
        if let Some(folder) = &self.args.output_dir {
            return self.to_file(folder, id, letter);
        }
        if let Some(command) = &self.args.exec {
            return self.to_command(command, id, letter);
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(EnvelopeWriter::new(self.target.open(Access::Umask)?)?),
        };
        // Nothing holds it back: with --follow its reader gets it now.
        envelope(stream, &self.routing, letter)?;
        // Whether the reader did anything with it is not known here: see `relay::client::spool::Word`.
        Ok(Delivered::GivenOut)
    }

    fn to_file(&self, folder: &Path, id: Id, letter: &mut File) -> Result<Delivered> {
        let path = folder.join(format!("{id}.age"));
        let mut write = || {
            let mut file = AtomicFile::create(&path, Existing::Keep, Access::Umask)?;
            io::copy(letter, &mut file)?;
            file.commit().map(drop)
        };
        match write() {
            Ok(()) if self.app.ui.json => {
                let object = json!({ "schema": 1, "id": id, "path": path });
                writeln!(io::stdout(), "{}", json_line(&object))?;
            }
            Ok(()) => self.app.ui.note(&format!("wrote {}", path.display())),
            // Its name is the hash of its bytes: a run that was killed wrote it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write {}", path.display()));
            }
        }
        Ok(Delivered::Yes)
    }

    fn to_command(&self, command: &str, id: Id, letter: &mut File) -> Result<Delivered> {
        let mut shell: Command = source::shell(command);
        // What it does with the letter may be done twice, when it or this process ends in between.
        let [begun, failed, replay] = ["begun", "failed", "replay"].map(|what| self.mark(id, what));
        if failed.exists() {
            shell.env("BULLA_AGAIN", "1");
        } else if begun.exists() {
            shell.env("BULLA_AGAIN", "perhaps");
        } else {
            files::replace_private(&begun, &[])?;
        }
        shell.env("BULLA_ID", id.to_string()).stdin(Stdio::piped());
        let mut child = harden::spawn(&mut shell).context("cannot run the command of --exec")?;
        if let Some(stdin) = child.stdin.take() {
            let fed = EnvelopeWriter::new(stdin)
                .and_then(|mut stream| {
                    envelope(&mut stream, &self.routing, letter)?;
                    stream.finish()
                })
                .map(drop);
            // A command need not read all of it: its status says whether it is content.
            if let Err(error) = fed.map_err(anyhow::Error::from)
                && classify(&error).0 != Exit::ClosedPipe
            {
                let _ = child.wait();
                return Err(error);
            }
        }
        let status = child.wait()?;
        // A status can mean anything; `open` leaves word when it is of a letter opened before, or
        // of one that is refused for good.
        let over = [Exit::Conflict, Exit::SenderNotAuthenticated];
        let over = over.iter().any(|exit| status.code() == Some(exit.code().into()));
        let known = over && replay.exists();
        if replay.exists() {
            std::fs::remove_file(replay)?;
        }
        if !status.success() && !known {
            files::replace_private(&failed, &[])?;
            self.app
                .ui
                .warn(&format!("the command ended with {status} for {id}, which comes again"));
            return Ok(Delivered::Later);
        }
        if !self.args.peek {
            paired::erase(self.app, self.me, &id)?;
        }
        for mark in [begun, failed] {
            if mark.exists() {
                std::fs::remove_file(mark)?;
            }
        }
        if known {
            self.app.ui.note(&format!("{id} was opened before, or is refused for good"));
        }
        Ok(Delivered::Yes)
    }

    /// A mark of what became of a letter in a command.
    fn mark(&self, id: Id, what: &str) -> PathBuf {
        self.marks.join(format!("{id}.{what}"))
    }

    /// Ends the stream; one without letters says that there were none.
    fn finish(self, to_stdout: bool) -> Result<()> {
        let stream = match self.stream {
            Some(stream) => stream,
            None if to_stdout => EnvelopeWriter::new(self.target.open(Access::Umask)?)?,
            None => return Ok(()),
        };
        stream.finish()?.finish()
    }
}

fn envelope(
    stream: &mut EnvelopeWriter<impl Write>,
    routing: &Routing,
    letter: &mut File,
) -> Result<(), bulla::letter::Error> {
    let mut envelope = stream.begin(routing)?;
    io::copy(letter, &mut envelope)?;
    envelope.finish()?;
    Ok(())
}
