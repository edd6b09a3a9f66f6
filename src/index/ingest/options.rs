//! Options of a build: which files are walked, and what is read of them.

use crate::index::ingest::formats::detect::{self, Type};
use crate::index::ingest::formats::pdf::PdfReader;

/// Greatest file, and greatest message of an mbox, that is read unless told otherwise: 64 MiB.
pub const MAX_FILE: u64 = 64 << 20;
/// Bytes read between two commits unless told otherwise: some seconds of work. Each commit leaves a
/// segment or two, and every query opens every segment.
pub(super) const COMMIT_EVERY: u64 = 256 << 20;

/// How to walk and read.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Whether to follow links found in folders (those given are always followed).
    pub follow_links: bool,
    /// Greatest file or message in bytes; greater ones are skipped, an mbox of any length is read.
    pub max_file: u64,
    /// What is left out below each path given, in the syntax of `.gitignore`; so is what the files
    /// `.bullaignore` of folders say.
    pub exclude: Vec<String>,
    /// Whether what git leaves out is left out: what the files `.gitignore` of folders say, and of those
    /// above in the same repository, and the folders `.git`. `.bullaignore` and `exclude` count before.
    pub gitignore: bool,
    /// Types of files that are read; all when it is empty.
    pub types: Vec<Type>,
    /// Whether to read files again that look as they did, and to put in again what was removed.
    pub reread: bool,
    /// Bytes read between two commits: what a killed build loses at most. Each commit leaves
    /// segments, and every query opens every segment.
    pub commit_every: u64,
    /// Who reads PDFs, attached ones too; without one they are counted among files without text.
    pub pdf: Option<PdfReader>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        let (exclude, types) = (Vec::new(), Vec::new());
        let (max_file, commit_every) = (MAX_FILE, COMMIT_EVERY);
        Self {
            follow_links: false,
            max_file,
            exclude,
            types,
            reread: false,
            gitignore: false,
            commit_every,
            pdf: None,
        }
    }
}

impl BuildOptions {
    /// What a file is read as.
    pub(crate) fn form(&self, form: detect::Form) -> detect::Form {
        if form == detect::PDF && self.pdf.is_none() { detect::PDF_UNREAD } else { form }
    }

    /// Whether files of a form are read.
    pub(crate) fn takes(&self, form: detect::Form) -> bool {
        self.types.is_empty() || form.r#type().is_some_and(|kind| self.types.contains(&kind))
    }
}
