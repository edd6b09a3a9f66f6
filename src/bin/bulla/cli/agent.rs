//! The verbs of `agent`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::shared::Keys;
use crate::cli::time::duration;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_long_help = "\
Without a verb it asks for the passphrase of a locked identity once, derives the key of the index
from it, and leaves a process behind that gives this key to index and search, until the time is
over or bulla agent lock. It never holds the identity itself: letters cannot be opened with what it
has. It listens on a socket that only you can reach: $XDG_RUNTIME_DIR/bulla/agent, or agent in the
folder of bulla's state, or in BULLA_HOME.

Examples:
  bulla agent --for 1h
  bulla search 'from:alice'
  bulla agent lock")]
pub(crate) struct Agent {
    #[command(subcommand)]
    pub(crate) verb: Option<AgentVerb>,
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// Forget the key after this time: seconds, or 15m, 8h, 1d
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = duration)]
    pub(crate) time: Duration,
    /// Stay in the foreground, as a service manager wants it
    #[arg(long)]
    pub(crate) foreground: bool,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum AgentVerb {
    /// Forget all keys now, and end
    Lock,
    /// Say whether an agent holds keys, and for how long
    Status,
    /// Hold the keys that come on stdin
    #[command(hide = true)]
    Hold {
        /// Where to listen
        #[arg(value_name = "SOCKET")]
        socket: PathBuf,
    },
}
