//! What people read. The rules:
//!
//! - `error:`, `warning:`, `hint:` and notes go to stderr, lower case, no full stop; the hint is
//!   what to type next. Nothing else in the program prints them.
//! - Data goes to stdout and never passes through here.
//! - Whatever a stranger wrote is made printable before a terminal sees it.
//! - Questions go to the controlling terminal, never to stdin or stdout.
//! - With `--json` the last line on stderr is the error as an object.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use bulla::progress::Progress;
use bulla::secret::SecretString;
use bulla::text::printable;
use zeroize::Zeroizing;

use crate::bar::Bar;
use crate::cli::Common;
use crate::exit::{Exit, Fail};
use crate::json::json_line;

/// Bytes of an answer that are read.
const MAX_LINE: u64 = 1 << 10;

/// Talks to the person, if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    pub(crate) json: bool,
    quiet: bool,
    verbose: bool,
    no_input: bool,
}

impl Ui {
    pub(crate) fn new(common: &Common) -> Self {
        let Common { json, quiet, verbose, no_input } = *common;
        Self { json, quiet, verbose, no_input }
    }

    /// Something that was done and cannot be seen otherwise.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            line("", text);
        }
    }

    /// Something that would be lost if it were not said: not even `--quiet` holds it back.
    pub(crate) fn say(&self, text: &str) {
        line("", text);
    }

    /// Something that only a curious person wants to know.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            line("", text);
        }
    }

    #[cfg(feature = "index")]
    /// Whether somebody is curious.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Something that went on, but should be known.
    pub(crate) fn warn(&self, text: &str) {
        line("warning: ", text);
    }

    /// An error that does not end the run.
    pub(crate) fn error(&self, error: &(dyn Error + 'static)) -> Exit {
        let (exit, hint) = crate::classify::classify(error);
        line("error: ", &message(error));
        for hint in hint.iter().flat_map(|hint| hint.lines()) {
            line("hint: ", hint);
        }
        exit
    }

    /// The error that ends the run, and its status. A closed pipe is quiet.
    pub(crate) fn last_error(&self, error: &anyhow::Error) -> Exit {
        let error: &(dyn Error + 'static) = &**error;
        if crate::classify::classify(error).0 == Exit::ClosedPipe {
            return Exit::ClosedPipe;
        }
        let exit = self.error(error);
        if self.json {
            exit_error(exit, &message(error));
        }
        exit
    }

    /// A progress bar for work of so many bytes, or nothing where nobody looks.
    pub(crate) fn bar(&self, what: &'static str) -> Box<dyn Progress> {
        if self.quiet || self.json || !std::io::stderr().is_terminal() {
            Box::new(bulla::progress::Silent)
        } else {
            Box::new(Bar::new(what))
        }
    }

    /// Asks for a passphrase on the controlling terminal.
    pub(crate) fn ask_passphrase(&self, what: &str) -> Result<SecretString> {
        self.ask(&format!("passphrase for {what}: "))
    }

    /// Asks for a new passphrase, twice.
    pub(crate) fn ask_new_passphrase(&self) -> Result<SecretString> {
        let first = self.ask("new passphrase: ")?;
        if first.is_empty() {
            return Err(Fail::usage("the passphrase is empty").into());
        }
        if *first != *self.ask("again: ")? {
            return Err(Fail::usage("the two passphrases differ").into());
        }
        Ok(first)
    }

    fn ask(&self, question: &str) -> Result<SecretString> {
        self.terminal("a passphrase is needed", "the passphrase with --passphrase")?;
        let answer = rpassword::prompt_password(question).context("cannot ask on the terminal")?;
        Ok(Zeroizing::new(answer))
    }

    /// Asks for the words of an invite on the controlling terminal, where they can be seen.
    pub(crate) fn ask_words(&self) -> Result<SecretString> {
        let mut terminal = self.terminal("the invite's words are needed", "them with --words")?;
        terminal.write_all(b"the words that the inviter says: ")?;
        let mut line = SecretString::default();
        BufReader::new(terminal.take(MAX_LINE)).read_line(&mut line)?;
        Ok(line)
    }

    /// Returns whether there is someone who can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.controlling().is_ok()
    }

    /// Asks a question on the controlling terminal, where the answer can be seen; `None` where there
    /// is no terminal to ask on, or `--no-input` forbids it.
    pub(crate) fn ask_line(&self, question: &str) -> Result<Option<String>> {
        let Ok(mut terminal) = self.controlling() else { return Ok(None) };
        terminal.write_all(question.as_bytes())?;
        let mut line = String::new();
        BufReader::new(terminal.take(MAX_LINE)).read_line(&mut line)?;
        Ok(Some(line))
    }

    /// The controlling terminal, where there is one and it may be asked on.
    fn terminal(&self, needed: &str, instead: &str) -> Result<File> {
        let locked = |why: &str| {
            Fail::new(Exit::Locked, format!("{needed}, and {why}"))
                .hint(format!("give {instead} FILE, @ENV:NAME or @FD:N"))
        };
        Ok(self.controlling().map_err(locked)?)
    }

    fn controlling(&self) -> Result<File, &'static str> {
        if self.no_input {
            return Err("--no-input forbids to ask");
        }
        let terminal = File::options().read(true).write(true).open("/dev/tty");
        terminal.map_err(|_| "there is no terminal to ask on")
    }
}

/// Panics that the library expects of a parser, and catches, print nothing; any other is a mistake
/// of ours, and prints what it always does.
#[cfg(feature = "index")]
pub(crate) fn hold_expected_panics() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !bulla::index::is_panic_expected() {
            others(panic);
        }
    }));
}

/// Says where a secret key is kept that was at `path`, and how to use it or put it back, which loses
/// neither key.
pub(crate) fn kept(path: &Path, kept: &Path) {
    let (at, in_file) = (path.display(), kept.display());
    line("warning: ", &format!("the secret key that was in {at} is kept in {in_file}"));
    let (path, kept) = (quoted(path), quoted(kept));
    line("hint: ", &format!("use it with -i {kept}"));
    line("hint: ", &format!("or put it back: mv -n {path} {path}.new && mv -n {kept} {path}"));
}

/// A path as a shell reads it.
pub(crate) fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = if path.starts_with('-') { format!("./{path}") } else { path.into_owned() };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// The last line on stderr with `--json`.
pub(crate) fn exit_error(exit: Exit, message: &str) {
    let code = exit.code();
    let object =
        serde_json::json!({ "message_type": "exit_error", "code": code, "message": message });
    let _ = writeln!(std::io::stderr(), "{}", json_line(&object));
}

fn line(label: &str, text: &str) {
    // A stderr that is gone must not end the work.
    let _ = writeln!(std::io::stderr(), "{label}{}", printable(text));
}

/// The whole chain in one line, without saying twice what a cause repeats.
pub(crate) fn message(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in std::iter::successors(Some(error), |&error| error.source()) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(feature = "index")]
#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn other_panics_print_still() {
        static PRINTED: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(|panic| PRINTED.lock().unwrap().push(panic.to_string())));
        hold_expected_panics();
        let broken =
            b"From: a@b\nContent-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\
            -i--\n--o\nContent-Type: message/rfc822\n\nSubject: inner\n\ninside\n--o--\nx\n--d--\n";
        let read = bulla::index::Document::of_message(broken);
        let ours = catch_unwind(|| panic!("a mistake of ours"));
        std::panic::set_hook(before);
        assert!(read.is_none() == cfg!(debug_assertions) && ours.is_err());
        // Other tests may panic meanwhile, with a hook that is not theirs.
        let printed = PRINTED.lock().unwrap();
        assert!(printed.iter().any(|text| text.contains("a mistake of ours")), "{printed:?}");
        assert!(!printed.iter().any(|text| text.contains("mail-parser")), "{printed:?}");
    }
}
