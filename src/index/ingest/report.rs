//! Report of a build: what was added, changed, removed and skipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::index::ingest::formats::detect;

/// What was skipped is named so often; beyond that it is counted only.
const NAMED: usize = 1000;

/// What a build did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Documents that are new.
    pub added: u64,
    /// Documents that changed: files that were edited, files that were moved, flags.
    pub updated: u64,
    /// Documents that were there already.
    pub unchanged: u64,
    /// Documents whose files are gone.
    pub removed: u64,
    /// Files, messages and attached PDFs that could not be read.
    pub skipped: u64,
    /// The first thousand of these.
    pub named: Vec<Skipped>,
    /// Documents whose text is longer than [`MAX_BODY`](crate::index::MAX_BODY), and is searched as far as that.
    pub cut: u64,
    /// The first thousand of these.
    pub named_cut: Vec<Skipped>,
    /// Files that hold no text, by kind: `image`, `archive`, …, `other`.
    pub binary: BTreeMap<&'static str, u64>,
    /// Bytes read.
    pub bytes: u64,
    /// Ids of letters of JSON lines that are in the index.
    pub letters: Vec<[u8; 16]>,
}

/// Something that was not indexed, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file or folder.
    pub path: PathBuf,
    /// Where in the file, when it holds many messages.
    pub offset: Option<u64>,
    /// Why.
    pub why: String,
}

impl Report {
    pub(crate) fn skip(&mut self, path: &Path, offset: Option<u64>, why: impl ToString) {
        self.skipped += 1;
        if self.named.len() < NAMED {
            self.named.push(Skipped { path: path.to_owned(), offset, why: why.to_string() });
        }
    }

    pub(crate) fn cut(&mut self, cut: Skipped) {
        self.cut += 1;
        if self.named_cut.len() < NAMED {
            self.named_cut.push(cut);
        }
    }

    pub(crate) fn binary(&mut self, kind: u8) {
        let name = detect::BINARIES.get(usize::from(kind)).or(detect::BINARIES.last());
        *self.binary.entry(name.copied().unwrap_or_default()).or_default() += 1;
    }
}
