//! Errors of the index.

use std::io;
use std::path::PathBuf;

use crate::crypto;
use crate::index::document::MAX_TAG;
use crate::index::query::error::QueryError;
use crate::index::storage::cells::Damage;

/// Why the index refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no index.
    #[error("{}: there is no index", .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("{}: there is an index already", .0.display())]
    Exists(PathBuf),
    /// The folder holds other things than an index.
    #[error("{}: expected an index or an empty folder, got something else", .0.display())]
    Foreign(PathBuf),
    /// The index key is wrapped to another identity, or its file was changed.
    #[error("{}: the index key does not open with this identity", .0.display())]
    Key(PathBuf),
    /// It opens, and has not the fields that this program looks for.
    #[error("{}: expected an index of this version of the program, got one of another", .0.display())]
    Another(PathBuf),
    /// Another version of this program wrote the index.
    #[error("{}: expected index format {expected}, got {got}", .path.display())]
    Version {
        /// Folder of the index.
        path: PathBuf,
        /// The format this program knows.
        expected: u8,
        /// The format of the index.
        got: u8,
    },
    /// Another writer is at work: try again.
    #[error("{}: another process is writing to the index", .0.display())]
    Busy(PathBuf),
    /// A file of the index was changed, cut, moved or lost.
    #[error("the index is damaged: {0}")]
    Damaged(Damage),
    /// A query that was not understood.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// What is to be left out was not understood.
    #[error("expected a pattern as in .gitignore, got {pattern:?}: {why}")]
    Pattern {
        /// What came.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// An index was made with other languages than are asked for.
    #[error("{}: expected an index with stems of {expected:?}, got one of {got:?}", .path.display())]
    Stems {
        /// Folder of the index.
        path: PathBuf,
        /// What was asked for.
        expected: String,
        /// What it was made with.
        got: String,
    },
    /// An id that is empty or too long.
    #[error("expected an id of 1 to {max} bytes, got {got}")]
    Id {
        /// Limit in bytes.
        max: usize,
        /// What came, in bytes.
        got: usize,
    },
    /// A tag that is none.
    #[error("expected a tag of 1 to {MAX_TAG} bytes without blanks and brackets, got {0:?}")]
    Tag(String),
    /// A document would have too many tags.
    #[error("{id} would have more than {max} tags")]
    Tags {
        /// The document.
        id: String,
        /// Limit.
        max: usize,
    },
    /// No document has an id that begins so.
    #[error("no document has the id {0:?}")]
    UnknownId(String),
    /// More than one document has an id that begins so.
    #[error("more than one document has an id that begins with {0:?}")]
    AmbiguousId(String),
    /// The file system refused.
    #[error("{}: {error}", .path.display())]
    Io {
        /// What was at hand.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
    /// The search engine failed for a reason of its own.
    #[error("the search engine failed: {0}")]
    Engine(String),
}

impl Error {
    /// Makes an error of the file system one of the index, with the path at hand.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |error| Self::Io { path, error }
    }
}
