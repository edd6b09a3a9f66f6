//! The verbs of `relay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

#[cfg(feature = "serve")]
use crate::cli::operator::RelayToken;
#[cfg(feature = "serve")]
use crate::cli::serve::{RelayBackup, RelayKey, RelayRestore, RelayServe};
use crate::cli::shared::{Keys, Network, Output};
use crate::cli::size::size;
#[cfg(feature = "serve")]
use crate::cli::store::RelayMove;
use crate::cli::time::{duration, keep, now, seconds};
use crate::source::Source;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Relay {
    /// Run a relay
    #[cfg(feature = "serve")]
    Serve(RelayServe),
    /// Write down who registered at a relay and who may push, without the messages
    #[cfg(feature = "serve")]
    Backup(RelayBackup),
    /// Put a backup into a new store
    #[cfg(feature = "serve")]
    Restore(RelayRestore),
    /// Make the keys of a relay that no certificate authority knows
    #[command(subcommand)]
    #[cfg(feature = "serve")]
    Key(RelayKey),
    /// Give out tokens to register with at your relay
    #[command(subcommand)]
    #[cfg(feature = "serve")]
    Token(RelayToken),
    /// Move mailboxes from one cluster of a relay to another, while it serves them
    #[cfg(feature = "serve")]
    Move(RelayMove),
    /// Register your mailbox at a relay, and remember the relay as yours
    Register(RelayRegister),
    /// Say who may push to your mailbox, beside those who have your card
    #[command(subcommand)]
    Capability(RelayCapability),
    /// Push letters to the relays their envelopes name
    Push(RelayPush),
    /// Take your letters from your relay
    Pull(RelayPull),
    /// List what waits in your mailboxes
    List(RelayList),
    /// Delete messages from your mailboxes by their ids
    Ack(RelayAck),
    /// Show your mailboxes and what their relays allow
    Status(RelayStatus),
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Who has your card can push to your mailbox, within the terms that are set here. With --renew
older cards are good for nothing more: hand out the new one.

Examples:
  bulla relay register --relay http://127.0.0.1:7677
  bulla relay register --hourly 100 --max-bytes 64M
  bulla relay register --renew && bulla card > me.card")]
pub(crate) struct RelayRegister {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// The token the relay's operator gave you: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) token: Option<Source>,
    /// Put a new capability on your card, and revoke the one before
    #[arg(long)]
    pub(crate) renew: bool,
    #[command(flatten)]
    pub(crate) terms: Terms,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Relays are served at the same time. When some letters failed, the others were pushed, and the status
is 25: push the same stream again, nothing is sent twice. A relay that takes less than 1 KiB a
second, over the time of --timeout, is given up.

Examples:
  tar c src | bulla seal --to bob | bulla relay push
  bulla relay push letters.env")]
pub(crate) struct RelayPush {
    #[command(flatten)]
    pub(crate) network: Network,
    /// Show this capability, not the one on the envelopes: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) capability: Option<Source>,
    /// Envelope streams; - or nothing for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
A letter is deleted at the relay when it is durably in the local spool, and leaves the
spool when it was delivered: written to a file and synced (--output-dir), its command
ended with 0 (--exec), or was opened into a file. What went into a pipe may be lost there, and
no program knows what became of it: it can be given out again with --again, and opened again,
for the time that --keep says here and in open, or until index add has it in the index.

What open did not take comes again with the next pull: letters behind the one that it wrote to
stdout or -o, in their order, and letters of senders that it refused, after all others.

The rules of open hold in a command of --exec too: a letter that is anonymous, or from a sender
who is no contact, makes bulla open fail with status 11 there, and comes again, unless the command
has --anonymous or --unknown, --json or --output-dir.

A letter counts as delivered when the command of --exec ended with 0 and each bulla open in it
opened what it was given. The command gets SIGTERM when the pull ends. It and what it starts hold
the spool: another pull ends with 75 until the last of them has ended. A letter is given to a
command again only when no end of it was recorded, with BULLA_AGAIN set.

All relays of yours are asked, whatever one of them does. When some failed, the others were served,
and the status is 25. With --follow a relay that failed is asked again later. A letter that comes
more slowly than 1 KiB a second, over the time of --timeout, is given up until the next pull.

A command of --exec does not see BULLA_IDENTITY or BULLA_IDENTITY_COMMAND, so that no child
inherits a secret: give it BULLA_IDENTITY_FILE or the default identity.

Examples:
  bulla relay pull | bulla open --json | jq -r .subject
  bulla relay pull --again | bulla open --json | bulla index add -
  bulla relay pull --wait 60 --exec 'bulla open -o \"$BULLA_ID.tar\"'
  bulla relay pull --follow --exec 'bulla open --json >> letters.jsonl'
  bulla relay pull --output-dir inbox")]
pub(crate) struct RelayPull {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Wait up to so long for the first letter
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds(0))]
    pub(crate) wait: u64,
    /// Do not end: give out each letter as it arrives
    #[arg(long, conflicts_with_all = ["wait", "peek", "again"])]
    pub(crate) follow: bool,
    /// Write each sealed letter to a file of its own in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) output_dir: Option<PathBuf>,
    /// Run a shell command for each letter: the letter on its stdin, its id in BULLA_ID
    #[arg(long, value_name = "CMD", conflicts_with = "output_dir", value_hint = ValueHint::CommandString)]
    pub(crate) exec: Option<String>,
    /// Give out copies: delete nothing at the relay, and give out the same again next time
    #[arg(long, conflicts_with = "again")]
    pub(crate) peek: bool,
    /// Give out again what went to a pipe before and may be lost, also when it was opened
    #[arg(long)]
    pub(crate) again: bool,
    /// How long what goes to stdout can be given out again, at most 7d; 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = keep)]
    pub(crate) keep: Duration,
    /// Take at most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<std::num::NonZeroUsize>,
    /// Leave letters at the relay that are longer than this (64M, 2G), and end with 25
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub(crate) max_size: u64,
}

#[derive(Debug, Args)]
pub(crate) struct RelayList {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// End each id with a NUL byte and print nothing else
    #[arg(short = '0', long)]
    pub(crate) null: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RelayAck {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Ids as relay list prints them
    #[arg(required = true, value_name = "ID")]
    pub(crate) id: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RelayStatus {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// For the operator: totals of the relay with this store, a folder or postgres://…
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "DIR|URL", value_hint = ValueHint::DirPath)]
    pub(crate) store: Vec<PathBuf>,
    /// The password of the databases: a file, -, @ENV:NAME or @FD:N
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "SRC", requires = "store", value_hint = ValueHint::FilePath)]
    pub(crate) store_password: Option<Source>,
    /// The socket file of that relay [default: admin.sock in the folder of the store]
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "FILE", requires = "store", value_hint = ValueHint::FilePath)]
    pub(crate) admin: Option<PathBuf>,
}

// What a capability allows; what is not given is not limited, other than by the mailbox.
#[derive(Debug, Args)]
#[command(next_help_heading = "Terms")]
pub(crate) struct Terms {
    /// Most letters that are pushed in one hour
    #[arg(long, value_name = "N")]
    hourly: Option<u64>,
    /// Most letters that wait at once
    #[arg(long, value_name = "N")]
    max_messages: Option<u64>,
    /// Most bytes that wait at once (64M, 1G)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_bytes: Option<u64>,
    /// Most letters that are pushed at all
    #[arg(long, value_name = "N")]
    total: Option<u64>,
    /// When it ends (30d, 12h), to the full hour
    #[arg(long, value_name = "TIME", value_parser = duration)]
    expires: Option<Duration>,
}

impl Terms {
    /// The terms, or `None` when none is given.
    pub(crate) fn terms(&self) -> Option<bulla::relay::protocol::Terms> {
        let end = |time: Duration| (now() + time.as_secs()).div_ceil(3600) * 3600;
        let terms = bulla::relay::protocol::Terms {
            expires: self.expires.map(end),
            messages: self.max_messages,
            bytes: self.max_bytes,
            hourly: self.hourly,
            total: self.total,
        };
        (terms != Default::default()).then_some(terms)
    }
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum RelayCapability {
    /// List who may push, and what came of it
    List(RelayCapabilityList),
    /// Let somebody push: print a capability for him, or open the mailbox to all
    New(RelayCapabilityNew),
    /// Let somebody push no more
    Revoke(RelayCapabilityRevoke),
}

#[derive(Debug, Args)]
pub(crate) struct RelayCapabilityList {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla relay capability new --hourly 60 --expires 30d -o build.cap
  bulla relay push --capability build.cap letters.env")]
pub(crate) struct RelayCapabilityNew {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Open the mailbox to all who know it; a relay under load asks them for work
    #[arg(long, conflicts_with_all = ["output", "force"])]
    pub(crate) public: bool,
    #[command(flatten)]
    pub(crate) terms: Terms,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct RelayCapabilityRevoke {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Close the mailbox to those who show no capability
    #[arg(long)]
    pub(crate) public: bool,
    /// Ids as relay capability list prints them
    #[arg(value_name = "ID", required_unless_present = "public")]
    pub(crate) id: Vec<String>,
}
