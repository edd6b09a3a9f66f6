//! `relay pull`: takes letters, and lets the relay delete only what is safe here.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulla::account::{self, Context, Pull, Pulled, erase_deferred};
use bulla::files::{self, Access, AtomicFile, Existing};
use bulla::letter::{EnvelopeWriter, Routing};
use bulla::relay::client::pull::{Delivered, Options, Report};
use bulla::relay::protocol::Id;
use serde_json::json;

use crate::app::App;
use crate::child;
use crate::classify::classify;
use crate::cli;
use crate::events::Teller;
use crate::exit::{Exit, Fail};
use crate::given;
use crate::harden;
use crate::json::json_line;
use crate::network;
use crate::output::{Nature, Output, Target, begin_stream, end_stream};
use crate::partly;

pub(crate) fn run(app: &App, args: &cli::RelayPull) -> Result<Exit> {
    let to_stdout = args.output_dir.is_none() && args.exec.is_none();
    let nature = if to_stdout { Nature::Binary } else { Nature::Text };
    let target =
        Target::new(&cli::Output { output: None, force: false }, None, nature).map_err(|_| {
            Fail::usage("sealed letters would go to the terminal")
                .hint("bulla relay pull | bulla open, or --output-dir DIR")
        })?;
    let (me, relays, teller) =
        (app.me(&args.keys)?, network::relays(&args.network), Teller::new(app.ui));
    let cx = network::context(&me, &relays, &teller, &args.network);
    let relay = cx.mailboxes()?.first().map(|first| first.owned.relay.url());
    let mailbox = me.identity().card_mailbox().public();
    let routing = Routing { relay, mailbox, capability: None };
    if let Some(folder) = &args.output_dir {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }

    let marks = me.spool_folder()?;
    let mut out = Delivery { app, args, cx: &cx, target, routing, marks, stream: None };
    let mut options = Options::default();
    options.wait = Duration::from_secs(args.wait);
    options.limit = args.limit.map_or(usize::MAX, NonZeroUsize::get);
    options.peek = args.peek;
    options.keep = args.keep;
    options.message_bytes = args.max_size;
    options.turn = Duration::from_secs(args.network.timeout);
    let which = match (args.again, args.follow) {
        (true, _) => Pull::Again,
        (false, true) => Pull::Follow,
        (false, false) => Pull::Once,
    };
    let Pulled { report, failed, visited } =
        cx.pull(which, options, |id, letter: &mut File| out.deliver(id, letter))?;
    let exit = conclude(app, args, &report, failed, visited)?;
    // With any other status the reader is told of it at the end of the stream.
    out.finish(to_stdout)?;
    Ok(exit)
}

/// Tells what failed, and picks the status.
fn conclude(
    app: &App,
    args: &cli::RelayPull,
    report: &Report,
    failed: Vec<account::Error>,
    visited: usize,
) -> Result<Exit> {
    let mut failed: Vec<anyhow::Error> = failed.into_iter().map(Into::into).collect();
    let letters = |count: u64| match count {
        1 => "1 letter".to_owned(),
        more => format!("{more} letters"),
    };
    if report.refused > 0 {
        let message = format!("damaged at the relay, and left there: {}", letters(report.refused));
        failed.push(Fail::new(Exit::SomeFailed, message).into());
    }
    if report.too_long > 0 {
        let (count, most) = (letters(report.too_long), args.max_size);
        let message = format!("longer than {most} bytes, and left at the relay: {count}");
        let hint = "bulla relay list shows their lengths, and --max-size SIZE takes longer ones";
        failed.push(Fail::new(Exit::SomeFailed, message).hint(hint).into());
    }
    if report.later > 0 {
        failed.iter().for_each(|error| {
            app.ui.error(&**error);
        });
        let message = format!("the command failed for {} letters, which come again", report.later);
        return Err(Fail::new(Exit::CommandFailed, message).hint("mend it and pull again").into());
    }
    match partly::failed(app.ui, failed, visited > 0) {
        Some(error) => Err(error),
        None if report.delivered == 0 => Ok(Exit::Negative),
        None => Ok(Exit::Done),
    }
}

/// Where letters are delivered to.
struct Delivery<'a> {
    app: &'a App,
    args: &'a cli::RelayPull,
    cx: &'a Context<'a>,
    target: Target,
    routing: Routing,
    /// Where it is marked what commands were given.
    marks: PathBuf,
    /// The stream on stdout, begun with the first letter.
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
            none => {
                let mut stream = begin_stream(self.target.open(Access::Umask)?, false)?;
                if self.args.again {
                    stream.again()?;
                }
                none.insert(stream)
            }
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
        let mut shell: Command = child::shell(command).context("cannot find this program")?;
        // What it does with the letter may be done twice, when it or this process ends in between.
        let [begun, failed, replay] = ["begun", "failed", "replay"].map(|what| self.mark(id, what));
        if failed.exists() {
            shell.env("BULLA_AGAIN", "1");
        } else if begun.exists() {
            shell.env("BULLA_AGAIN", "perhaps");
        } else {
            files::replace_private(&begun, &[])?;
        }
        let outcome = self.mark(id, "outcome");
        forget(&outcome)?;
        files::create_private_folder(&outcome)?;
        shell.env(given::OUTCOME, &outcome);
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
                && classify(&*error).0 != Exit::ClosedPipe
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
        let unopened = std::fs::read_dir(&outcome)?.next().is_some();
        forget(&outcome)?;
        if (!status.success() && !known) || unopened {
            files::replace_private(&failed, &[])?;
            let what = match status.success() {
                true => "bulla open failed in the command, which ended with 0,".to_owned(),
                false => format!("the command ended with {status}"),
            };
            self.app.ui.warn(&format!("{what} for {id}, which comes again"));
            return Ok(Delivered::Later);
        }
        if !self.args.peek {
            erase_deferred(self.cx.account, self.cx.events, &id)?;
        }
        for mark in [begun, failed] {
            if mark.exists() {
                std::fs::remove_file(mark)?;
            }
        }
        if known {
            self.app.ui.note(&format!("{id} was opened before, or is refused for good"));
        }
        Ok(Delivered::Once)
    }

    /// A mark of what became of a letter in a command.
    fn mark(&self, id: Id, what: &str) -> PathBuf {
        self.marks.join(format!("{id}.{what}"))
    }

    /// Ends the stream; one without letters says that there were none.
    fn finish(self, to_stdout: bool) -> Result<()> {
        let stream = match self.stream {
            Some(stream) => stream,
            None if to_stdout => begin_stream(self.target.open(Access::Umask)?, false)?,
            None => return Ok(()),
        };
        end_stream(stream)?.finish()
    }
}

/// Removes a folder of marks, if it is there.
fn forget(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
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
