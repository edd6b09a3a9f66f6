//! What an operator asks of a relay: `relay token`, and `relay status --store`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use crate::cli::shared::Output;
use crate::cli::size::size;
use crate::cli::store::StoreAt;
use crate::cli::time::duration;

// The relay: through its socket when it runs, else its store.
#[derive(Debug, Args)]
pub(crate) struct OperatorAt {
    #[command(flatten)]
    pub(crate) store: StoreAt,
    /// The socket file of the relay [default: admin.sock in the folder of the store]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) admin: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum RelayToken {
    /// Make a token with which mailboxes are registered
    New(RelayTokenNew),
    /// List the tokens
    List(OperatorAt),
    /// Take tokens back; what was registered with them stays
    Revoke(RelayTokenRevoke),
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
The relay keeps only a hash of the token: print it once, hand it out.

Examples:
  bulla relay token new --store store --mailboxes 50 --expires 30d -o team.token
  bulla relay register --relay https://relay.example --token team.token")]
pub(crate) struct RelayTokenNew {
    #[command(flatten)]
    pub(crate) at: OperatorAt,
    /// How many mailboxes it registers; one that is closed gives its place back
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) mailboxes: u64,
    /// How long it registers (30d, 12h); what it registered stays
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) expires: Option<Duration>,
    /// Greatest size of all its mailboxes together
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) bytes: Option<u64>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct RelayTokenRevoke {
    #[command(flatten)]
    pub(crate) at: OperatorAt,
    /// Ids as relay token list prints them
    #[arg(value_name = "ID", required = true)]
    pub(crate) id: Vec<String>,
}
