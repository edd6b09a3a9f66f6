//! `backup` and `restore`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::shared::Output;
use crate::source::Source;

#[derive(Debug, Args)]
#[command(after_long_help = "\
A backup holds the identity, the contacts with what is remembered of their letters, the settings, and
the mailboxes and links that pairings made. It does not hold the index, letters that were pulled and
not opened, invites and pairings under way, nor the states that letters between paired contacts have
their forward secrecy from: after a restore the next letter begins anew. Make one after each pairing.

It is sealed to a passphrase, or to recipients whose keys lie elsewhere.

Examples:
  bulla backup -p -o alice.backup
  bulla backup --passphrase @ENV:WORDS | ssh host 'cat > alice.backup'
  bulla backup -R recipients > alice.backup")]
pub(crate) struct Backup {
    /// Seal it to a passphrase asked on the terminal
    #[arg(short = 'p', long = "ask-passphrase", conflicts_with_all = ["passphrase", "recipient", "recipients_file"])]
    pub(crate) ask_passphrase: bool,
    /// Seal it to the passphrase from a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", conflicts_with_all = ["recipient", "recipients_file"], value_hint = ValueHint::FilePath)]
    pub(crate) passphrase: Option<Source>,
    /// Seal it to this recipient (age1…, age1pq1…); may be given again
    #[arg(short, long, value_name = "VALUE")]
    pub(crate) recipient: Vec<String>,
    /// Seal it to the recipients listed in a file, one a line
    #[arg(short = 'R', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) recipients_file: Vec<PathBuf>,
    /// Identity to keep: a file, - for stdin, @ENV:NAME or @FD:N
    #[arg(short, long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<Source>,
    /// Passphrase of that identity, when it is locked: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) identity_passphrase: Option<Source>,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Print the backup as text
    #[arg(short, long)]
    pub(crate) armor: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Puts the identity where every verb looks for it, and the state beside it. An identity that was locked
with a passphrase is locked with the same one again, unless --lock gives it another.

Where the same identity is already, the backup is merged: what is missing is added, what is later
holds, and no letter is forgotten. Another identity stays as it is, without --force.

Restore on one machine, and only when the other is gone.

Examples:
  bulla restore alice.backup
  bulla restore --passphrase @ENV:WORDS < alice.backup
  bulla restore -i key.txt --lock alice.backup")]
pub(crate) struct Restore {
    /// The key that the backup is sealed to: a file, - for stdin, @ENV:NAME or @FD:N; may be given
    /// again
    #[arg(short, long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Vec<Source>,
    /// Passphrase of the backup, or of the locked key behind -i: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase: Option<Source>,
    /// Passphrase of an identity that is here and locked, to see whether it is the same
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) identity_passphrase: Option<Source>,
    /// Lock the restored identity with a new passphrase, asked on the terminal or from a file, -,
    /// @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", num_args = 0..=1, require_equals = true, value_hint = ValueHint::FilePath)]
    pub(crate) lock: Option<Option<Source>>,
    /// Replace another identity that is here, and state that is damaged
    #[arg(short, long)]
    pub(crate) force: bool,
    /// The backup; - or nothing for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}
