//! The verbs of `relay`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::Keys;
use crate::source::Source;

#[derive(Debug, Subcommand)]
pub(crate) enum Relay {
    /// Run a relay
    Serve(RelayServe),
    /// Register your mailbox at a relay, and remember the relay as yours
    Register(RelayRegister),
    /// Push letters to the relays their envelopes name
    Push(RelayPush),
    /// Take your letters from your relay
    Pull(RelayPull),
    /// List what waits in your mailbox
    List(RelayList),
    /// Delete messages from your mailbox by their ids
    Ack(RelayAck),
    /// Show your mailbox and what the relay allows
    Status(RelayStatus),
}

/// How to reach a relay.
#[derive(Debug, Args)]
pub(crate) struct Network {
    /// The relay. For push only where the card of the recipient names none
    #[arg(long, value_name = "URL", env = "BULLA_RELAY", hide_env_values = true, value_hint = ValueHint::Url)]
    pub(crate) relay: Option<String>,
    /// Give up on one request after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=LONGEST))]
    pub(crate) timeout: u64,
    /// Try so often again after a temporary failure
    #[arg(long, value_name = "TIMES", default_value_t = 4)]
    pub(crate) retry: u32,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla relay serve --store store --listen 127.0.0.1:7677
  bulla relay serve --store store --listen 127.0.0.1:7677 --ttl 7d --max-message 64M")]
pub(crate) struct RelayServe {
    /// The folder that holds everything the relay keeps
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) store: PathBuf,
    /// Address and port to listen on; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7677")]
    pub(crate) listen: SocketAddr,
    /// Name that clients reach the relay by, with the port unless it is the scheme's own; may
    /// be given again. Needed when it listens on every address, or behind a proxy
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) name: Vec<String>,
    /// Delete what was not fetched after so long (30d, 12h)
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub(crate) ttl: std::time::Duration,
    /// Greatest message (64M, 1G)
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub(crate) max_message: u64,
    /// Greatest number of messages that wait in one mailbox
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) mailbox_messages: u64,
    /// Greatest size of one mailbox
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = size)]
    pub(crate) mailbox_size: u64,
    /// Greatest size of all mailboxes together
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = size)]
    pub(crate) store_size: u64,
    /// Register only mailboxes whose owner shows this token: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) token: Option<Source>,
}

#[derive(Debug, Args)]
pub(crate) struct RelayRegister {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// The token the relay's operator gave you: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) token: Option<Source>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tar c src | bulla seal --to bob | bulla relay push
  bulla relay push letters.env")]
pub(crate) struct RelayPush {
    #[command(flatten)]
    pub(crate) network: Network,
    /// Envelope streams; - or nothing for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
A letter is deleted at the relay when it is durably in the local spool, and leaves the
spool when it was delivered: written to a file and synced (--output-dir), its command
ended with 0 (--exec), or was opened into a file. What went into a pipe is kept for a week,
and given out again with --again: no program knows what became of it.

A command of --exec does not see BULLA_IDENTITY or BULLA_IDENTITY_COMMAND, so that no child
inherits a secret: give it BULLA_IDENTITY_FILE or the default identity.

Examples:
  bulla relay pull | bulla open --json | jq -r .subject
  bulla relay pull --wait 60 --exec 'bulla open -o \"$BULLA_ID.tar\"'
  bulla relay pull --output-dir inbox")]
pub(crate) struct RelayPull {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Wait up to so long for the first letter
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds())]
    pub(crate) wait: u64,
    /// Write each sealed letter to a file of its own in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) output_dir: Option<PathBuf>,
    /// Run a shell command for each letter: the letter on its stdin, its id in BULLA_ID
    #[arg(long, value_name = "CMD", conflicts_with = "output_dir", value_hint = ValueHint::CommandString)]
    pub(crate) exec: Option<String>,
    /// Give out copies: delete nothing at the relay, and give out the same again next time
    #[arg(long, conflicts_with = "again")]
    pub(crate) peek: bool,
    /// Give out again what went to stdout before and was never opened
    #[arg(long)]
    pub(crate) again: bool,
    /// Take at most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<std::num::NonZeroUsize>,
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
}

/// Longest time that can be asked for: a hundred years.
const LONGEST: u64 = 100 * 365 * 86_400;

fn seconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(..=LONGEST)
}

/// `90`, `90s`, `15m`, `12h`, `30d`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let split = text.len() - usize::from(text.ends_with(|c: char| c.is_ascii_alphabetic()));
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("expected a number with s, m, h or d, such as 30d".into()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .filter(|seconds| *seconds <= LONGEST)
        .map(std::time::Duration::from_secs)
        .ok_or_else(|| "expected a number with s, m, h or d, such as 30d".into())
}

/// `1000`, `64K`, `64M`, `1G`, in steps of 1,024.
fn size(text: &str) -> Result<u64, String> {
    let split = text.len() - usize::from(text.ends_with(|c: char| c.is_ascii_alphabetic()));
    let (number, unit) = text.split_at(split);
    let shift = match unit {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        _ => return Err("expected a number with K, M, G or T, such as 64M".into()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| "expected a number with K, M, G or T, such as 64M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        assert_eq!(duration("30d").unwrap().as_secs(), 30 * 86_400);
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        assert!(duration("30x").is_err() && duration("d").is_err() && duration("é").is_err());
        assert_eq!(size("64M").unwrap(), 64 << 20);
        assert!(size("1X").is_err() && size("99999999999T").is_err());
    }
}
