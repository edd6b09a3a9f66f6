//! `invite` and `pair`.

use clap::{Args, ValueEnum, ValueHint};

use bulla::identity::Fingerprint;

use crate::cli::shared::{Keys, Network};
use crate::cli::time::{duration, seconds};
use crate::source::Source;

/// How the two sides know each other. The inviter chooses it and tells the joiner; the line of the
/// invite does not decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// The line itself: it goes over a private channel, which no one else can read or change
    Secret,
    /// Digits that both sides compare: others may read or change the line
    Digits,
    /// Three words that the inviter tells the joiner: others may read or change the line
    Words,
    /// The line itself, to another machine of your own, which becomes you
    Device,
}

impl From<Method> for bulla::account::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Secret => Self::Secret,
            Method::Digits => Self::Digits,
            Method::Words => Self::Words,
            Method::Device => Self::Device,
        }
    }
}

impl From<bulla::account::Method> for Method {
    fn from(method: bulla::account::Method) -> Self {
        match method {
            bulla::account::Method::Secret => Self::Secret,
            bulla::account::Method::Digits => Self::Digits,
            bulla::account::Method::Words => Self::Words,
            bulla::account::Method::Device => Self::Device,
        }
    }
}

impl Method {
    /// The value as it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Digits => "digits",
            Self::Words => "words",
            Self::Device => "device",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
An invite is one line, which names no method that the other side could rely on: tell them over a
channel you trust which one it is, and they run bulla pair --method METHOD. With secret, the method
where nothing is said, anyone who has the line can pair with you, once, until it expires: hand it
over where no one else reads it, by ssh, as a job's secret, or as a QR code shown in person. Then run
bulla pair here too: pairing takes a few messages, and goes on whenever one of you runs it.

Examples:
  bulla invite --wait 300 | ssh host bulla pair --method secret --wait 300
  bulla invite --as bob --expires 1d > invite
  bulla invite --words --as bob > invite
  export FINGERPRINT=$(bulla card --json | jq -r .fingerprint)
  bulla invite --device --wait 300 | ssh laptop bulla pair --method device --fingerprint $FINGERPRINT --wait 300
  bulla invite --qr
  bulla invite --list
  bulla invite --withdraw 1f0c22a7")]
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
    /// How you and the other side know each other; secret otherwise
    #[arg(long, value_name = "METHOD", conflicts_with_all = ["public", "words", "device"])]
    pub(crate) method: Option<Method>,
    /// Make an invite that others may see or change on its way: then each of you types four digits
    /// that the other reads out. As --method digits
    #[arg(long)]
    pub(crate) public: bool,
    /// Make an invite that others may see or change on its way, and three words for it, which you
    /// say to the other side: one wrong guess at them ends it. As --method words
    #[arg(long, conflicts_with = "public")]
    pub(crate) words: bool,
    /// Make an invite for another machine of your own, which gets your identity and contacts with it,
    /// and mailboxes of its own: letters come to both from then on. As --method device
    #[arg(long, conflicts_with_all = ["public", "words", "name"])]
    pub(crate) device: bool,
    /// List the invites that no one has paired by yet
    #[arg(long, conflicts_with_all = ["method", "public", "words", "device", "name", "qr", "wait", "token", "expires"])]
    pub(crate) list: bool,
    /// Withdraw the invite of this id or name, as --list shows it: no one can pair by it from then on
    #[arg(long, value_name = "ID", conflicts_with_all = ["list", "method", "public", "words", "device", "name", "qr", "wait", "token", "expires"])]
    pub(crate) withdraw: Option<String>,
    /// Draw the invite as a QR code
    #[arg(long, conflicts_with = "json")]
    pub(crate) qr: bool,
    /// Then go on with the pairing for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds(0))]
    pub(crate) wait: u64,
}

impl Invite {
    /// The method, by its name or its short form.
    pub(crate) fn method(&self) -> Method {
        match (self.method, self.public, self.words, self.device) {
            (Some(method), ..) => method,
            (None, true, ..) => Method::Digits,
            (None, _, true, _) => Method::Words,
            (None, _, _, true) => Method::Device,
            (None, false, false, false) => Method::Secret,
        }
    }
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

A new invite is accepted by the method that you name, and by no other: anyone who can change the
line could replace it with one for a method that asks less of you. Learn the method from the inviter
over a channel you trust. On a terminal the program asks; a script gives --method.

With --method device this machine becomes one of the identity's that made the invite. It must have
none of its own. The fingerprint and the name are shown and confirmed before anything is installed; a
script passes the fingerprint, which it gets over a channel of its own.

Examples:
  ssh host 'bulla invite --wait 60' | bulla pair --method secret --wait 60
  bulla pair --as alice --method digits invite
  bulla pair --method secret @ENV:INVITE
  bulla pair --as alice --words words invite
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
    /// How you and the inviter know each other, as the inviter told you; asked on the terminal
    /// otherwise
    #[arg(long, value_name = "METHOD", conflicts_with = "confirm")]
    pub(crate) method: Option<Method>,
    /// The fingerprint of the identity that this machine is to get, with --method device: asked for
    /// on the terminal otherwise
    #[arg(long, value_name = "FINGERPRINT", value_parser = fingerprint, conflicts_with_all = ["confirm", "accept"])]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// The words that the inviter says, with --method words, which it implies: a file, -, @ENV:NAME
    /// or @FD:N; asked on the terminal otherwise
    #[arg(long, value_name = "SRC", conflicts_with = "confirm", value_hint = ValueHint::FilePath)]
    pub(crate) words: Option<Source>,
    /// Go on with the pairing for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds(0))]
    pub(crate) wait: u64,
    /// Type the four digits that the other side shows, for the pairing of this name
    #[arg(long, value_names = ["NAME", "DIGITS"], num_args = 1..=2, conflicts_with = "invite")]
    pub(crate) confirm: Option<Vec<String>>,
    /// The digits, for --confirm NAME: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", requires = "confirm", value_hint = ValueHint::FilePath)]
    pub(crate) digits: Option<Source>,
    /// Pair with somebody whom a contact introduced
    #[arg(long, value_name = "NAME", conflicts_with_all = ["invite", "confirm", "words", "method"])]
    pub(crate) accept: Option<String>,
    /// The invite: a file, - for stdin, @ENV:NAME or @FD:N; what is piped in otherwise
    #[arg(value_name = "INVITE", value_hint = ValueHint::FilePath)]
    pub(crate) invite: Option<Source>,
}

fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::parse(text.trim()).map_err(|error| format!("expected bulla1…, whole: {error}"))
}
