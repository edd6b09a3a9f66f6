//! Checks before a new machine takes an identity over: that it has none of its own, and that
//! the one it gets is the user's.

use std::path::PathBuf;

use anyhow::Result;
use bulla::identity::Fingerprint;
use bulla::text::printable;

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};

/// How often the question is asked, when the answer is neither yes nor no.
const ASKED: usize = 4;

/// Refuses to take an identity over where there is one.
pub(super) fn refuse_identity(app: &App, args: &cli::Pair) -> Result<()> {
    let Some(place) = identity_here(app, args) else { return Ok(()) };
    let message = format!("this machine has an identity, from {place}: it is not replaced");
    Err(Fail::new(Exit::OutputExists, message)
        .hint("to take another one over, set BULLA_HOME to a new folder")
        .into())
}

/// Returns the source of the identity that verbs would find, if there is one.
fn identity_here(app: &App, args: &cli::Pair) -> Option<String> {
    if let Some(source) = &args.keys.identity {
        return Some(format!("-i {source}"));
    }
    for name in ["BULLA_IDENTITY", "BULLA_IDENTITY_COMMAND"] {
        if std::env::var_os(name).is_some() {
            return Some(name.into());
        }
    }
    let named = std::env::var_os("BULLA_IDENTITY_FILE").map(PathBuf::from);
    let places = [named, app.home.identity()];
    let mut places = places.into_iter().flatten();
    let found = places.find(|path| path.symlink_metadata().is_ok());
    found.map(|path| path.display().to_string())
}

/// Returns whether any way of finding the identity finds one, `-i` aside.
pub(super) fn has_identity(app: &App, args: &cli::Pair) -> bool {
    identity_here(app, args).is_some()
}

/// Refuses to go on where no one could confirm the identity that comes.
pub(super) fn refuse_unconfirmed(app: &App, expected: Option<Fingerprint>) -> Result<()> {
    if expected.is_some() || app.ui.can_ask() {
        return Ok(());
    }
    let message = "the identity that this machine gets must be confirmed, and no one can be asked";
    Err(Fail::usage(message)
        .hint("add --fingerprint FINGERPRINT, as bulla invite --device prints it there")
        .into())
}

/// Confirms that the identity which is handed over is the user's: it is what they expect, or they say
/// so now.
pub(super) fn confirm(
    app: &App,
    fingerprint: Fingerprint,
    name: &str,
    expected: &[Fingerprint],
) -> Result<()> {
    let refused = |message: String| {
        Fail::new(Exit::SenderNotAuthenticated, message).hint(
            "nothing was installed; make a new invite on your own machine: bulla invite --device",
        )
    };
    if let Some(other) = expected.iter().find(|expected| **expected != fingerprint) {
        return Err(refused(format!("this invite hands over {fingerprint}, not {other}")).into());
    }
    if !expected.is_empty() {
        return Ok(());
    }
    let name = if name.is_empty() { "an identity without a name".into() } else { printable(name) };
    let mut question = format!(
        "this machine is about to become one of {name}\n\
         fingerprint: {fingerprint}\n\
         compare it, whole, with the one that your other machine shows: bulla card\n\
         is it the same? yes or no: "
    );
    for _ in 0..ASKED {
        let answer = app.ui.ask_line(&question)?.unwrap_or_default();
        match answer.trim().to_lowercase().as_str() {
            "yes" => return Ok(()),
            "no" => break,
            _ => question = "type yes or no: ".into(),
        }
    }
    Err(refused(format!("the identity {fingerprint} was not confirmed")).into())
}
