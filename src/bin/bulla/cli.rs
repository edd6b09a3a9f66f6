//! The command line, and nothing else: what can be typed. Man pages and completions are
//! rendered from here.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::source::Source;

const EXIT_STATUS: &str = "\
Exit status:
  0    the whole input was processed and verified
  1    a negative answer: no match, empty mailbox
  2    usage
  10   no identity fits
  11   sender not authenticated, or not the one required
  12   damaged or truncated
  13   not a sealed file, malformed
  14   locked, and no passphrase source
  15   wrong passphrase
  16   replay or state conflict
  20   output exists
  21   input missing or unreadable
  22   unsafe permissions on a key file
  75   temporary, a retry is worth it
  77   the relay refused, a retry is not
  141  the reader of our output went away
  Anything else is a failure.

Environment:
  BULLA_IDENTITY          the identity itself, for a job that has one secret variable
  BULLA_IDENTITY_FILE     a file with it
  BULLA_IDENTITY_COMMAND  a command that prints it
  BULLA_HOME              one folder for identity, contacts, spool and index
  BULLA_RELAY             address of the relay, as with --relay
  BULLA_AGAIN             set to 1 for a command of pull --exec whose letter came before
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

/// Flags that mean the same everywhere.
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

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a secret identity
    Keygen(Keygen),
    /// Print the public card of an identity, to hand out
    Card(Card),
    /// Keep the book of contacts
    #[command(subcommand)]
    Contact(Contact),
    /// Seal a stream: an age file, or letters when --to names who they are for
    Seal(Seal),
    /// Open what was sealed for you
    Open(Open),
    /// Show what anybody can see of something sealed, without a key
    Inspect(Inspect),
    /// Run a relay, push to one, pull from one
    #[command(subcommand)]
    Relay(Relay),
    /// Build and keep the encrypted index
    #[command(subcommand)]
    Index(Index),
    /// Find words in the encrypted index
    Search(Search),
    /// Print a shell's completion script
    Completions(Completions),
    /// Print a man page
    Man(Man),
}

/// Where the secrets come from.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// Identity: a file, - for stdin, @ENV:NAME or @FD:N
    #[arg(short, long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<Source>,
    /// Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase: Option<Source>,
}

/// Where the output goes.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Write to a file, which appears when it is complete; - forces stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla keygen --default
  bulla keygen -o id.key && bulla card -i id.key > me.card
  bulla keygen -o id.key -p")]
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

#[derive(Debug, Subcommand)]
pub(crate) enum Contact {
    /// Add somebody by a card
    Add(ContactAdd),
    /// List the contacts
    List(ContactList),
    /// Show one contact whole
    Show(ContactShow),
    /// Give a contact another name
    Rename(ContactRename),
    /// Forget a contact
    Remove(ContactRemove),
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla contact add bob bob.card
  ssh host bulla card | bulla contact add host")]
pub(crate) struct ContactAdd {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The name you give
    pub(crate) name: String,
    /// The card's file; - or nothing for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) card: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ContactList {
    #[command(flatten)]
    pub(crate) keys: Keys,
}

#[derive(Debug, Args)]
pub(crate) struct ContactShow {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The contact's name
    pub(crate) name: String,
    /// Print the contact's card
    #[arg(long)]
    pub(crate) card: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ContactRename {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The name so far
    pub(crate) old: String,
    /// The name from now on
    pub(crate) new: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContactRemove {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The contact's name
    pub(crate) name: String,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tar c src | bulla seal --to bob | bulla relay push
  bulla seal --to ops.card --subject 'nightly dump' dump.sql | bulla relay push
  bulla seal -r age1… < f | age -d -i key.txt
  bulla seal -p -o secret.age notes.txt")]
pub(crate) struct Seal {
    /// A letter for a contact or for a card's file; may be given again
    #[arg(long, value_name = "NAME|CARD", value_hint = ValueHint::FilePath)]
    pub(crate) to: Vec<String>,
    /// An age file for this recipient (age1…, age1pq1…); may be given again
    #[arg(short, long, value_name = "VALUE", conflicts_with = "to")]
    pub(crate) recipient: Vec<String>,
    /// An age file for the recipients listed in a file, one a line
    #[arg(short = 'R', long, value_name = "FILE", conflicts_with = "to", value_hint = ValueHint::FilePath)]
    pub(crate) recipients_file: Vec<PathBuf>,
    /// An age file for a passphrase asked on the terminal
    #[arg(short = 'p', long = "ask-passphrase", conflicts_with_all = ["to", "recipient", "recipients_file"])]
    pub(crate) ask_passphrase: bool,
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Print the age file as text
    #[arg(short, long, conflicts_with = "to")]
    pub(crate) armor: bool,
    /// The letter's subject
    #[arg(long, value_name = "TEXT", requires = "to")]
    pub(crate) subject: Option<String>,
    /// The file name the letter carries; that of FILE otherwise
    #[arg(long, value_name = "NAME", requires = "to")]
    pub(crate) name: Option<String>,
    /// The content type the letter carries
    #[arg(long = "type", value_name = "MIME", requires = "to")]
    pub(crate) content_type: Option<String>,
    /// A header of your own in the letter; may be given again
    #[arg(long, value_name = "KEY=VALUE", requires = "to")]
    pub(crate) header: Vec<String>,
    /// Do not say who sends it
    #[arg(long, requires = "to")]
    pub(crate) anonymous: bool,
    /// What to seal; - or nothing for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla relay pull | bulla open --json | jq -r .subject
  bulla open --from bob -o src.tar letter
  bulla open -i key.txt < file.age")]
pub(crate) struct Open {
    /// Identity: a file, - for stdin, @ENV:NAME or @FD:N; may be given again
    #[arg(short, long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Vec<Source>,
    /// Passphrase of the file, or of a locked identity: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase: Option<Source>,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Write every letter to a file of its own in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "force"], value_hint = ValueHint::DirPath)]
    pub(crate) output_dir: Option<PathBuf>,
    /// Demand that this contact (or fingerprint) is the sender
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,
    /// Open letters that were opened before
    #[arg(long)]
    pub(crate) again: bool,
    /// What to open; - or nothing for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// What to look at; - or nothing for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

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

/// Which index.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The index's folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) index: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Index {
    /// Index folders and files: mbox, Maildir, .eml, HTML, text
    Build(IndexBuild),
    /// Index the JSON lines of open --json
    Add(IndexAdd),
    /// Remove documents by id or by query
    Remove(IndexRemove),
    /// Give a document back
    Show(IndexShow),
    /// Show how much the index holds
    Stats(IndexStats),
    /// Open every cell of the index and report damage
    Verify(IndexStats),
    /// Destroy the index: the key first, then the rest
    Destroy(IndexDestroy),
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla index build ~/Mail && bulla search --json 'subject:invoice after:2025-06'")]
pub(crate) struct IndexBuild {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Files and folders
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) path: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla relay pull | bulla open --json | bulla index add -")]
pub(crate) struct IndexAdd {
    #[command(flatten)]
    pub(crate) place: Place,
    /// A file of JSON lines; - for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct IndexRemove {
    #[command(flatten)]
    pub(crate) place: Place,
    /// An id, or a query
    #[arg(required = true, value_name = "QUERY|ID")]
    pub(crate) query: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct IndexShow {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The id as search prints it, or enough of its beginning
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct IndexStats {
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct IndexDestroy {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Do it
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Queries:
  word \"a phrase\" prefix* one AND two, one OR two, NOT three, -three, (one OR two) four
  from: to: subject: path:       in one field, also field:\"a phrase\" and field:(a OR b)
  after:2026-01 before:2026-02-15  on or after that date, before that date (UTC)

Examples:
  bulla search 'from:alice after:2026-01 \"release notes\"'
  bulla search --json 'subject:invoice after:2025-06'
  bulla search -0 --files-with-matches 'kernel panic' | xargs -0 less")]
pub(crate) struct Search {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print the number of matches alone
    #[arg(long, conflicts_with_all = ["null", "files_with_matches"])]
    pub(crate) count: bool,
    /// Print at most so many, newest first; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// End each id, or each path, with a NUL byte and print nothing else
    #[arg(short = '0', long)]
    pub(crate) null: bool,
    /// Print the files that hold matches, each once
    #[arg(short = 'l', long)]
    pub(crate) files_with_matches: bool,
    /// What to find; - reads it from stdin
    #[arg(required = true, value_name = "QUERY")]
    pub(crate) query: Vec<String>,
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
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_with_units() {
        assert_eq!(duration("30d").unwrap().as_secs(), 30 * 86_400);
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        assert!(duration("30x").is_err() && duration("d").is_err() && duration("é").is_err());
        assert_eq!(size("64M").unwrap(), 64 << 20);
        assert!(size("1X").is_err() && size("99999999999T").is_err());
    }
}
