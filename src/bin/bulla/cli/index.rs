//! The verbs of `index`, and `search`.

use std::path::PathBuf;

use bulla::index::{Stems, Type};
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::cli::shared::{Output, Place};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Index {
    /// Index folders and files: mbox, Maildir, .eml, PDF, HTML, Markdown, code, text
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
    /// Make deleted what was removed or replaced: nothing opens it any more
    Purge(IndexStats),
    /// Change the index key, and seal everything anew
    Rekey(IndexStats),
    /// Destroy the index: the key first, then the rest
    Destroy(IndexDestroy),
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
What is read: mbox (also .gz, .xz, .zst), Maildir with its flags, .eml, PDF, HTML, Markdown,
source code, text in any charset, lines of JSON; of mail also text and PDFs attached. A PDF is read
by a process that may take 10 s of work and 512 MiB; one that opens with a passphrase alone is not
read. Files without text are counted by kind and left out.

A second build reads what changed: an mbox that only grew from where it ended, of a file that was
renamed or whose flags changed nothing at all. What no file holds any more leaves the index. Tags
stay. What was removed by hand stays away while its file is as it was; --reread brings it back.

What cannot be read is counted and named at the end, and costs nothing else: the status is 0.

A file .bullaignore in a folder says what in it is left out, as .gitignore does. With
--gitignore the files .gitignore count too, also those above in the same repository.

Examples:
  bulla index build ~/Mail && bulla search --json 'subject:invoice after:2025-06'
  bulla index build --exclude '*.log' --exclude /target/ --type code,markdown ~/src
  bulla index build --stem en,de ~/Mail")]
pub(crate) struct IndexBuild {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Leave out what matches, as a line of .gitignore does; again for more
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Leave out what git leaves out: what .gitignore says, and .git
    #[arg(long)]
    pub(crate) gitignore: bool,
    /// Read these alone: mail, html, markdown, text, code, json, pdf
    #[arg(long = "type", value_name = "TYPE,...", value_delimiter = ',', value_parser = file_type)]
    pub(crate) types: Vec<Type>,
    /// Leave out files and messages larger than this, 64M unless said; an mbox may have any size
    #[arg(long, value_name = "SIZE", value_parser = crate::cli::size::size)]
    pub(crate) max_size: Option<u64>,
    /// Find the other forms of a word too, in these languages: en, de, fr, and others; for a new index
    #[arg(long, value_name = "LANG,...", value_parser = stems)]
    pub(crate) stem: Option<Stems>,
    /// Follow links within folders
    #[arg(short = 'L', long)]
    pub(crate) follow: bool,
    /// Read again what looks unchanged, and bring back what was removed by hand
    #[arg(long)]
    pub(crate) reread: bool,
    /// Files and folders
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) path: Vec<PathBuf>,
}

fn file_type(text: &str) -> Result<Type, String> {
    let names = || Type::names().collect::<Vec<_>>().join(", ");
    Type::named(text).ok_or_else(|| format!("expected one of {}", names()))
}

fn stems(text: &str) -> Result<Stems, String> {
    text.parse().map_err(|error: bulla::index::StemsError| error.to_string())
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
    /// A whole id, or a query; - for stdin, or @ENV:NAME or @FD:N
    #[arg(required = true, value_name = "QUERY|ID")]
    pub(crate) query: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
What comes is the original, from the file it was indexed from, when that holds the same bytes
still; else what the index holds, which a note on stderr says.

Examples:
  bulla index show 2af1 > message.eml
  bulla index show --list 2af1
  bulla index show --attachment 1 -o report.pdf 2af1")]
pub(crate) struct IndexShow {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Print what is indexed, as text
    #[arg(long, group = "what")]
    pub(crate) text: bool,
    /// List the parts of the original
    #[arg(long, group = "what", conflicts_with = "output")]
    pub(crate) list: bool,
    /// Give one part of the original, by its number in the list
    #[arg(long, value_name = "N", group = "what")]
    pub(crate) part: Option<usize>,
    /// Give one attachment, by its file name or its number among the attachments
    #[arg(long, value_name = "NAME|N", group = "what")]
    pub(crate) attachment: Option<String>,
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

const QUERIES: &str = "\
Queries:
  one two, one AND two     both; AND may be left out
  one OR two               either, or both; AND binds tighter
  NOT one, -one            not that
  (one OR two) three       parentheses
  \"release notes\"          words that follow each other
  bill*                    words that begin so; \"release no\"* too
  one NEAR/5 two           at most five words apart, in either order; NEAR alone is NEAR/10
  (one OR two~1) NEAR six  one of several, a beginning* or a word~1 is near something as well
  invocie~1                one letter may be another, missing, too much or swapped; ~2 for two
  =bills                   that form of the word only, in an index with stems
  *                        everything

  from:alice               words in one field: from: to: cc: subject: body: attachment: path:
  from:\"Jo Doe\"            a phrase, or from:(jo OR alice)
  type:pdf                 mail, letter, html, text, …, and MIME types: type:image/png, type:image
  tag:todo                 what bulla tag put there; tag:to* begins so, tag:* is any
  is:unread                unread, flagged, replied, passed, draft, trashed, read
  id:2af1, thread:9c0e     the beginning of an id or of a thread's key; a Message-ID with id:
  size:>1M                 bytes, with k, M, G: <10k, >=1M, 1M..5M, 1M..

  date:2026-03             a year, month, day or minute, in UTC (2026-03-14T15:09, …T17:09+02:00)
  date:2026-01..2026-03    from the first moment of one to the last of the other; ends may lack
  date:2w                  since two weeks ago; h, d, w, m for months, y
  after:yesterday          on or after; before: strictly before; today, yesterday

  A query may come on stdin (-), from a variable (@ENV:NAME) or a descriptor (@FD:N): what stands
  on the command line, every user of the machine can read.

Formats:
  --format takes text with fields in braces, \\n, \\t, \\0 and \\\\, {{ and }}:
  {id} {date} {day} {from} {to} {cc} {subject} {path} {location} {type} {size} {tags} {flags}
  {thread} {message_id} {attachments} {snippet} {score}; with --threads also {count} {matched}
  {participants}. A line end is added unless one, or \\0, ends the format.

Exit status:
  0 when something was found, 1 when nothing was, 2 for a mistake in the query, 23 when a part of
  the index is damaged and was left out.

Examples:
  bulla search 'from:alice after:2026-01 \"release notes\"'
  bulla search --json 'subject:invoice after:2025-06'
  bulla search -0 --files-with-matches 'kernel panic' | xargs -0 less
  bulla search --threads --limit 5 'is:unread date:1y..'
  bulla search --format '{day} {from}: {subject}' 'kernel NEAR/3 panic'
  bulla search --explain 'invoice OR bill* -tag:paid'
  bulla search --count - < query";

#[derive(Debug, Args)]
#[command(after_long_help = QUERIES)]
pub(crate) struct Search {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The order of what is printed
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = Order::Date)]
    pub(crate) sort: Order,
    /// Print at most so many; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Leave so many out before the first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) offset: usize,
    /// Print the number of matches alone
    #[arg(long, group = "form")]
    pub(crate) count: bool,
    /// Print a line a thread: its newest match, how many it has, who takes part
    #[arg(long, conflicts_with_all = ["ids", "files_with_matches", "count", "explain"])]
    pub(crate) threads: bool,
    /// Print the ids alone
    #[arg(long, group = "form")]
    pub(crate) ids: bool,
    /// Print each match as this says, see below
    #[arg(long, value_name = "FORMAT", group = "form")]
    pub(crate) format: Option<String>,
    /// End each id, path or format with a NUL byte; alone, print the ids
    #[arg(short = '0', long, conflicts_with_all = ["count", "explain"])]
    pub(crate) null: bool,
    /// Print the files that hold matches, each once
    #[arg(short = 'l', long, group = "form")]
    pub(crate) files_with_matches: bool,
    /// Print how the query is understood, and search nothing
    #[arg(long, group = "form")]
    pub(crate) explain: bool,
    /// What to find; - for stdin, or @ENV:NAME or @FD:N
    #[arg(required = true, value_name = "QUERY")]
    pub(crate) query: Vec<String>,
}

/// In which order matches come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Newest first
    Date,
    /// Oldest first
    Oldest,
    /// Best match first
    Relevance,
}
