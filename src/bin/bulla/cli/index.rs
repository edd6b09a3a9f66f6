//! The verbs of `index`, and `search`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::Keys;

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
    /// Make deleted what was removed or replaced: nothing opens it any more
    Purge(IndexStats),
    /// Change the index key, and seal everything anew
    Rekey(IndexStats),
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
