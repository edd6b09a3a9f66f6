//! Flags that several verbs have.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::cli::time::seconds;
use crate::source::Source;

// Flags that mean the same everywhere.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print one JSON object a line; errors end with one on stderr
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// No progress, no notes: errors and warnings only
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
    /// Say more of what is done
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = "Everywhere")]
    pub(crate) verbose: bool,
    /// Never ask: fail with status 14 where a passphrase would be asked for
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) no_input: bool,
}

// Where the secrets come from.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// Identity: a file, - for stdin, @ENV:NAME or @FD:N
    #[arg(short, long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<Source>,
    /// Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase: Option<Source>,
}

// Where the output goes.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Write to a file, which appears when it is complete; - forces stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short, long)]
    pub(crate) force: bool,
}

impl Output {
    /// Returns whether it is standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        self.output.as_deref().is_none_or(|path| path == Path::new("-"))
    }
}

// How to reach a relay.
#[derive(Debug, Clone, Args)]
pub(crate) struct Network {
    /// The relay. For push only where the card of the recipient names none
    #[arg(long, value_name = "URL", env = "BULLA_RELAY", hide_env_values = true, value_hint = ValueHint::Url)]
    pub(crate) relay: Option<String>,
    /// Give up on one request after so long; one with a letter may take longer, at 1 KiB a second
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = seconds(1))]
    pub(crate) timeout: u64,
    /// Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are
    /// one person's. Takes ALL_PROXY=socks5h://…
    #[arg(long)]
    pub(crate) unlink: bool,
    /// Try so often again after a temporary failure
    #[arg(long, value_name = "TIMES", default_value_t = 4)]
    pub(crate) retry: u32,
}

// Which index.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The index's folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) index: Option<PathBuf>,
}
