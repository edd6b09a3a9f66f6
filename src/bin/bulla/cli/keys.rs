//! `keygen` and `card`.

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::shared::{Keys, Network, Output};
use crate::source::Source;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla keygen --default
  bulla keygen -o id.key && bulla card -i id.key > me.card
  bulla keygen -o id.key -p
  bulla keygen --replace

--replace is for an identity that was stolen. The old key is kept beside the new one: older letters
and the index open with it. Each contact gets a letter that the old identity proves, with the new card
and an invite; they accept it with bulla pair --accept, and pair with the new identity, or refuse it.
A thief of the old key can write such a letter too. So this is weaker than pairing again: tell those
who matter the new fingerprint over a channel they trust.")]
pub(crate) struct Keygen {
    #[command(flatten)]
    pub(crate) output: Output,
    /// Write to the place where every verb looks for the identity
    #[arg(short, long, conflicts_with = "output")]
    pub(crate) default: bool,
    /// Lock the identity with a passphrase asked on the terminal
    #[arg(short = 'p', long = "lock")]
    pub(crate) lock: bool,
    /// Lock it with the passphrase from a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", conflicts_with = "lock", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase: Option<Source>,
    /// Replace the default identity, which was stolen, and tell all contacts
    #[arg(long, conflicts_with_all = ["output", "default", "force", "age"])]
    pub(crate) replace: bool,
    /// Passphrase of the identity that is replaced: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", requires = "replace", value_hint = ValueHint::FilePath)]
    pub(crate) identity_passphrase: Option<Source>,
    /// The token the relay's operator gave you, for the new mailboxes: a file, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", requires = "replace", value_hint = ValueHint::FilePath)]
    pub(crate) token: Option<Source>,
    #[command(flatten, next_help_heading = "With --replace")]
    pub(crate) network: Network,
    /// Make a plain age identity instead, for use with age itself
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "pq")]
    pub(crate) age: Option<AgeKind>,
}

/// Kinds of plain age identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AgeKind {
    /// ML-KEM-768 with X25519 (age 1.3 and later)
    Pq,
    /// X25519 alone, which every age knows
    X25519,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla card --name Alice --relay http://127.0.0.1:7677 > alice.card
  bulla card -i id.key > me.card")]
pub(crate) struct Card {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The name to put on the card; whoever adds it may choose another
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The relay where first letters are to be pushed
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) relay: Option<String>,
    /// Print the age recipient alone, for users of age
    #[arg(long, conflicts_with_all = ["name", "relay"])]
    pub(crate) recipient: bool,
}
