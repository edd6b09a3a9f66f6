//! `seal`, `open` and `inspect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::cli::shared::{Keys, Output};
use crate::cli::time::keep;
use crate::source::Source;

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
    /// Seal what a shell command prints, and nothing when it fails
    #[arg(long, value_name = "CMD", conflicts_with = "file", value_hint = ValueHint::CommandString)]
    pub(crate) from_command: Option<String>,
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

The key of a letter from somebody you paired with is erased when the letter is in a file. A letter
that went to a pipe may be lost there, so its own key is kept for the time of --keep: relay pull
--again gives it out, and open opens it again.

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
    /// How long a letter that goes to a pipe can be opened again, at most 7d; 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = keep)]
    pub(crate) keep: Duration,
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
