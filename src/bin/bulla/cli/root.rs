//! The program's own flags and its verbs.

use std::ffi::OsString;

use clap::{ArgAction, Args, Parser, Subcommand};

#[cfg(feature = "index")]
use crate::cli::agent::Agent;
use crate::cli::backup::{Backup, Restore};
use crate::cli::contact::Contact;
#[cfg(feature = "index")]
use crate::cli::index::{Index, Search};
use crate::cli::keys::{Card, Keygen};
use crate::cli::letters::{Inspect, Open, Seal};
use crate::cli::pair::{Invite, Pair};
use crate::cli::relay::Relay;
use crate::cli::shared::Common;
#[cfg(feature = "index")]
use crate::cli::tag::Tag;

const EXIT_STATUS: &str = "\
Exit status:
  0    the whole input was processed and verified
  1    a negative answer: no match, empty mailbox
  2    usage
  10   no identity fits
  11   sender not authenticated, revoked, or not the one required
  12   damaged or truncated
  13   not a sealed file, malformed
  14   locked, and no passphrase source
  15   wrong passphrase
  16   replay or state conflict
  20   output exists
  21   input missing or unreadable
  22   unsafe permissions on a key file
  23   a partial answer: a damaged part of the index was left out
  24   one letter was written, and more follow: they come again with the next relay pull
  25   some relays or letters failed, the others did not
  26   the command of --exec or --from-command failed
  70   a failure that has no status of its own
  75   temporary, a retry is worth it
  77   the relay refused, a retry is not
  141  the reader of our output went away
  In a pipe from seal or relay pull, the reader ends with their status where they failed and it did not.

Environment:
  BULLA_IDENTITY          the identity itself, for a job that has one secret variable
  BULLA_IDENTITY_FILE     a file with it
  BULLA_IDENTITY_COMMAND  a command that prints it
  BULLA_HOME              one folder for identity, contacts, spool and index
  BULLA_RELAY             address of the relay, as with --relay
  BULLA_ID                the relay's id of the letter, for a command of pull --exec
  BULLA_AGAIN             1 for such a command that was given the letter before and failed,
                          perhaps for one that was begun with it
  BULLA_CA_FILE           certificate authorities to trust beside those of the web (PEM), else
                          SSL_CERT_FILE
  PGPASSFILE              a file with the passwords of relay serve's databases
  HTTPS_PROXY, ALL_PROXY  proxies, socks5h:// too
  NO_COLOR                no colours

Files:
  $XDG_CONFIG_HOME/bulla/identity  the default identity
  $XDG_DATA_HOME/bulla/            contacts, spool and index, all sealed";

/// Seal a stream for someone, carry it over a relay nobody trusts, open it, find it again.
#[derive(Debug, Parser)]
#[command(name = "bulla", version, after_long_help = EXIT_STATUS, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Verb {
    /// Make a secret identity
    Keygen(Keygen),
    /// Print the public card of an identity, to hand out
    Card(Card),
    /// Make an invite, by which somebody can pair with you
    Invite(Invite),
    /// Pair with somebody by an invite, or go on with a pairing
    Pair(Pair),
    /// Keep the book of contacts
    #[command(subcommand)]
    Contact(Contact),
    /// Seal a stream: an age file, or letters when --to names who they are for
    Seal(Seal),
    /// Open what was sealed for you
    Open(Open),
    /// Show what anybody can see of something sealed, without a key
    Inspect(Inspect),
    /// Write everything of yours that a lost machine takes away into one sealed file
    Backup(Backup),
    /// Put a backup back
    Restore(Restore),
    /// Run a relay, push to one, pull from one
    #[command(subcommand)]
    Relay(Relay),
    #[cfg(feature = "index")]
    /// Build and keep the encrypted index
    #[command(subcommand)]
    Index(Index),
    #[cfg(feature = "index")]
    /// Find words in the encrypted index
    Search(Search),
    #[cfg(feature = "index")]
    /// Put tags on what a query finds, and take them off
    Tag(Tag),
    #[cfg(feature = "index")]
    /// Unlock the index for a while, so that searches ask for no passphrase
    Agent(Agent),
    /// Print a shell's completion script
    Completions(Completions),
    /// Print a man page
    Man(Man),
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The verb, with its own verb behind it: man relay push; nothing for bulla itself
    #[arg(action = ArgAction::Append)]
    pub(crate) verb: Vec<String>,
}

impl Verb {
    /// Returns whether this verb writes an envelope stream to stdout.
    pub(crate) fn writes_envelopes(&self) -> bool {
        match self {
            Self::Seal(seal) => !seal.to.is_empty() && seal.output.is_stdout(),
            Self::Relay(Relay::Pull(pull)) => pull.output_dir.is_none() && pull.exec.is_none(),
            _ => false,
        }
    }
}

/// Returns whether what was typed, which cannot be read, begins like such a verb.
pub(crate) fn would_write_envelopes(arguments: impl Iterator<Item = OsString>) -> bool {
    let words: Vec<String> =
        arguments.skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let has = |flag: &str| words.iter().any(|word| word.split('=').next() == Some(flag));
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["seal", ..] => has("--to") && !has("-o") && !has("--output"),
        ["relay", "pull", ..] => !has("--output-dir") && !has("--exec"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use clap::CommandFactory as _;

    #[test]
    fn every_status_of_the_table_passes_through_a_pipe() {
        let numbers = EXIT_STATUS.lines().filter_map(|line| line.split_whitespace().next());
        let listed: Vec<u8> = numbers.filter_map(|number| number.parse().ok()).collect();
        assert!(listed.len() > 20 && listed.contains(&25), "{listed:?}");
        for code in listed.into_iter().filter(|code| *code != 0) {
            assert_eq!(Exit::of_source(code).code(), code);
        }
        assert_eq!(Exit::of_source(200), Exit::Failure);
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
