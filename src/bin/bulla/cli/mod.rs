//! The command line, and nothing else: what can be typed. Man pages and completions are
//! rendered from here.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::source::Source;

mod agent;
mod backup;
mod index;
#[cfg(feature = "serve")]
mod operator;
mod pair;
mod relay;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod store;
mod tag;
pub(crate) mod time;

pub(crate) use agent::*;
pub(crate) use backup::*;
pub(crate) use index::*;
#[cfg(feature = "serve")]
pub(crate) use operator::*;
pub(crate) use pair::*;
pub(crate) use relay::*;
#[cfg(feature = "serve")]
pub(crate) use serve::*;
#[cfg(feature = "serve")]
pub(crate) use store::*;
pub(crate) use tag::*;

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

// Flags that mean the same everywhere.
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
    /// Build and keep the encrypted index
    #[command(subcommand)]
    Index(Index),
    /// Find words in the encrypted index
    Search(Search),
    /// Put tags on what a query finds, and take them off
    Tag(Tag),
    /// Unlock the index for a while, so that searches ask for no passphrase
    Agent(Agent),
    /// Print a shell's completion script
    Completions(Completions),
    /// Print a man page
    Man(Man),
}

// Where the secrets come from.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// Identity: a file, - for stdin, @ENV:NAME or @FD:N
    #[arg(short, long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<Source>,
    /// Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase: Option<Source>,
}

// Where the output goes.
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

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Contact {
    /// Add somebody by a card
    Add(ContactAdd),
    /// List the contacts
    List(ContactList),
    /// Show one contact whole
    Show(ContactShow),
    /// Give a contact another name
    Rename(ContactRename),
    /// Tell two contacts of each other, so that they can pair
    Introduce(Introduce),
    /// Compare 60 digits with a contact, to be sure that no one is in between
    Verify(ContactVerify),
    /// Offer new keys to a contact whose letters do not open any more
    Renew(ContactName),
    /// Send no more letters to one machine of a contact's
    Drop(ContactDrop),
    /// Close the mailboxes that were made for a contact, and refuse what the contact signs
    Revoke(ContactRevoke),
    /// Revoke a contact and forget them; or refuse someone who was introduced, or give up a pairing
    /// that has not finished
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
pub(crate) struct ContactName {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The contact's name
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContactDrop {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The contact's name
    pub(crate) name: String,
    /// The machine as contact show prints it, or enough of its beginning
    pub(crate) machine: String,
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
#[command(after_long_help = "\
Both sides run it and see the same 60 digits, over both fingerprints and the pairing between them.
Compare them over a channel where you know each other: face to face, or by voice. They may be
compared at any time, and again. On a terminal the program asks whether they are the same; a script
gives the digits that the other side sees.

Examples:
  bulla contact verify bob
  bulla contact verify carol --digits digits")]
pub(crate) struct ContactVerify {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The digits that the contact sees, blanks ignored: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) digits: Option<Source>,
    /// The contact's name
    pub(crate) name: String,
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
#[command(after_long_help = "\
Closes every mailbox that was made for the contact, on all your machines that this one knows of, and
refuses letters that the contact signs, whatever way they come. Letters without a sender cannot be
refused: a card that you handed out by hand lets every reader of it push, until bulla relay register
--renew. Pairing with the contact again lifts the revocation.

Examples:
  bulla contact revoke bob
  bulla contact revoke --undo bob")]
pub(crate) struct ContactRevoke {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Accept letters that the contact signs again; mailboxes stay closed
    #[arg(long)]
    pub(crate) undo: bool,
    /// The contact's name, or a whole fingerprint
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContactRemove {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
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
    /// A letter for a contact, or for the card in a file: ./FILE, FILE.card or card:FILE; may be
    /// given again
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
One line a letter on stderr says who sent it. Without --json or --output-dir a run writes one
letter. A second one ends it with status 24, and the next relay pull gives out that letter and
those after it. A letter that is anonymous, or from a sender who is no contact, is refused with
status 11 unless --anonymous or --unknown lets it through. What is refused comes again with each
relay pull, after all other letters, until it is taken.

With --output-dir, files of such letters begin with anonymous- or unknown-, and no file of a
contact's does.

Examples:
  bulla relay pull | bulla open --output-dir inbox
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
    /// Let an anonymous letter reach stdout or -o
    #[arg(long, conflicts_with = "from")]
    pub(crate) anonymous: bool,
    /// Let a letter from a sender who is no contact reach stdout or -o
    #[arg(long)]
    pub(crate) unknown: bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
