//! `invite` and `pair`.

use clap::{Args, ValueHint};

use super::relay::duration;
use super::{Keys, Network};
use crate::source::Source;

#[derive(Debug, Args)]
#[command(after_long_help = "\
An invite is one line. Whoever has it can pair with you, once, until it expires: hand it over where
nobody else reads, by ssh, as a job's secret, or as a QR code shown in person. Then run bulla pair
here too: pairing takes a few messages, and goes on whenever one of you runs it.

Examples:
  bulla invite --wait 300 | ssh host bulla pair --wait 300
  bulla invite --as bob --expires 1d > invite
  bulla invite --words --as bob > invite
  bulla invite --device --wait 300 | ssh laptop bulla pair --wait 300
  bulla invite --qr")]
pub(crate) struct Invite {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// The name you give whoever accepts; his own name for himself otherwise
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How long the invite is good (12h, 7d)
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    pub(crate) expires: std::time::Duration,
    /// The token the relay's operator gave you: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) token: Option<Source>,
    /// Make an invite that others may see or change on its way: then each of you types four digits
    /// that the other reads out
    #[arg(long)]
    pub(crate) public: bool,
    /// Make an invite that others may see or change on its way, and three words for it, which you
    /// say to the other side: one wrong guess at them ends it
    #[arg(long, conflicts_with = "public")]
    pub(crate) words: bool,
    /// Make an invite for another machine of your own, which gets your identity and contacts with it,
    /// and mailboxes of its own: letters come to both from then on
    #[arg(long, conflicts_with_all = ["public", "words", "name"])]
    pub(crate) device: bool,
    /// Draw the invite as a QR code
    #[arg(long, conflicts_with = "json")]
    pub(crate) qr: bool,
    /// Then go on with the pairing for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) wait: u64,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Each of the two gets a letter with the other's card. When both have opened it and run
bulla pair --accept NAME, they pair, and what they then share nobody else knows. Each remembers who
introduced them: whoever does can name somebody else than the other takes him for.

Examples:
  bulla contact introduce alice bob --note 'we three met in May'")]
pub(crate) struct Introduce {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// The one
    pub(crate) one: String,
    /// The other
    pub(crate) other: String,
    /// A line for both of them
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
With an invite, accepts it; without, goes on with every pairing that can go on. Status 1 says that
some pairing waits for the other side still.

Examples:
  ssh host 'bulla invite --wait 60' | bulla pair --wait 60
  bulla pair --as alice invite
  bulla pair @ENV:INVITE
  bulla pair --as alice invite --words words
  bulla pair --wait 300
  bulla pair --confirm carol --digits digits
  bulla pair --accept bob")]
pub(crate) struct Pair {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// The name you give whoever invites; his own name for himself otherwise
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The token the relay's operator gave you: a file, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) token: Option<Source>,
    /// The words that the inviter says, for an invite with words: a file, -, @ENV:NAME or @FD:N;
    /// asked on the terminal otherwise
    #[arg(long, value_name = "SRC", conflicts_with = "confirm", value_hint = ValueHint::FilePath)]
    pub(crate) words: Option<Source>,
    /// Go on with the pairing for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) wait: u64,
    /// Type the four digits that the other side shows, for the pairing of this name
    #[arg(long, value_names = ["NAME", "DIGITS"], num_args = 1..=2, conflicts_with = "invite")]
    pub(crate) confirm: Option<Vec<String>>,
    /// The digits, for --confirm NAME: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", requires = "confirm", value_hint = ValueHint::FilePath)]
    pub(crate) digits: Option<Source>,
    /// Pair with somebody whom a contact introduced
    #[arg(long, value_name = "NAME", conflicts_with_all = ["invite", "confirm", "words"])]
    pub(crate) accept: Option<String>,
    /// The invite: a file, - for stdin, @ENV:NAME or @FD:N; what is piped in otherwise
    #[arg(value_name = "INVITE", value_hint = ValueHint::FilePath)]
    pub(crate) invite: Option<Source>,
}
