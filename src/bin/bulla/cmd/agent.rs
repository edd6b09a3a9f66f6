//! `agent`: the passphrase once, and searches that do not wait for it.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use bulla::crypto::{self, label};
use bulla::secret::Secret;
use zeroize::Zeroizing;

use crate::agent::{self, Held};
use crate::app::{App, first};
use crate::cli::{self, AgentVerb};
use crate::exit::{Exit, Fail};
use crate::home::homeless;
use crate::json::json_line;
use crate::source::forget_secrets;

/// What the process that stays says when it can be asked.
const READY: &str = "ready";
/// What it says when another has the place.
const TAKEN: &str = "taken";

pub(crate) fn run(app: &App, args: &cli::Agent) -> Result<Exit> {
    let socket = agent::socket(&app.home).ok_or_else(homeless)?;
    match &args.verb {
        None => unlock(app, args, &socket),
        Some(AgentVerb::Lock) => {
            let was = agent::lock(&socket);
            app.ui.note(if was { "locked" } else { "there is no agent" });
            Ok(if was { Exit::Done } else { Exit::Negative })
        }
        Some(AgentVerb::Status) => status(app, &socket),
        Some(AgentVerb::Hold { socket }) => hold_from_stdin(socket),
    }
}

fn unlock(app: &App, args: &cli::Agent, socket: &Path) -> Result<Exit> {
    let file = app.key_file(args.keys.identity.as_ref())?.ok_or_else(|| app.no_identity())?;
    if !file.is_locked()? {
        return Err(Fail::usage("the identity is not locked, so there is nothing to hold")
            .hint("searches need no passphrase without an agent")
            .into());
    }
    let name = agent::name_of(&file.bytes);
    let identity = first(app.unlock(&file, args.keys.passphrase.as_ref())?)?;
    let folder = identity.storage_key(label::STORAGE_FOLDER);
    let folder = crypto::truncate(folder.expose());
    let key: Secret<32> = identity.storage_key(label::STORAGE_INDEX);
    // From here on nothing of the identity is left in this process.
    drop(identity);
    let held = Held { name, folder, key, time: args.time };
    let told = || app.ui.note(&format!("unlocked for {}", spoken(args.time.as_secs())));
    if agent::put(socket, &held) {
        told();
        return Ok(Exit::Done);
    }
    if args.foreground {
        let ready = || {
            told();
            Ok(())
        };
        return match agent::hold(socket, held, ready).with_context(|| cannot(socket))? {
            Some(()) => Ok(Exit::Done),
            None => Err(taken().into()),
        };
    }
    leave_behind(&held, socket).with_context(|| cannot(socket))?;
    told();
    Ok(Exit::Done)
}

fn cannot(socket: &Path) -> String {
    format!("cannot listen at {}", socket.display())
}

fn taken() -> Fail {
    Fail::new(Exit::Temporary, "another agent is starting or does not answer").hint("try again")
}

/// Starts a process of its own group, gives it what to hold over a pipe, and waits until it can
/// be asked.
fn leave_behind(held: &Held, socket: &Path) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["agent", "hold"]).arg(std::path::absolute(socket)?).current_dir("/");
    forget_secrets(&mut command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Neither the terminal's signals nor its end are meant for it.
        .process_group(0)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&held.record())?;
    }
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    match said.trim_end() {
        READY => Ok(()),
        TAKEN => Err(taken().into()),
        _ => Err(io::Error::other(format!("it ended with {}", child.wait()?)).into()),
    }
}

fn hold_from_stdin(socket: &Path) -> Result<Exit> {
    let mut record = Zeroizing::new(Vec::new());
    io::stdin().take(Held::RECORD as u64 + 1).read_to_end(&mut record)?;
    let held = Held::from_record(&record)
        .ok_or_else(|| Fail::usage("this verb is for bulla agent itself"))?;
    let say = |word: &str| writeln!(io::stdout(), "{word}");
    if agent::hold(socket, held, || say(READY))?.is_none() {
        say(TAKEN)?;
        return Ok(Exit::Temporary);
    }
    Ok(Exit::Done)
}

fn status(app: &App, socket: &Path) -> Result<Exit> {
    let Some(status) = agent::status(socket) else {
        if app.ui.json {
            writeln!(io::stdout(), "{}", serde_json::json!({ "schema": 1, "identities": 0 }))?;
        } else {
            app.ui.note("there is no agent");
        }
        return Ok(Exit::Negative);
    };
    let agent::Status { identities, seconds, locked_memory } = status;
    if app.ui.json {
        let object = serde_json::json!({
            "schema": 1,
            "identities": identities,
            "seconds": seconds,
            "locked_memory": locked_memory,
        });
        writeln!(io::stdout(), "{}", json_line(&object))?;
    } else {
        let memory = if locked_memory { "never swapped out" } else { "may be swapped out" };
        let time = spoken(seconds);
        writeln!(
            io::stdout(),
            "identities  {identities}\nfor         {time}\nmemory      {memory}"
        )?;
    }
    Ok(Exit::Done)
}

/// A time in the largest unit that divides it.
fn spoken(seconds: u64) -> String {
    let unit = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = unit.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (900, "15m"), (5400, "90m"), (86_400, "1d")]
        {
            assert_eq!(spoken(seconds), text);
        }
    }
}
