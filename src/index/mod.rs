#![doc = include_str!("FORMAT.md")]

// The rooms, from the ground up; each uses only what stands before it. `tests/layers.rs` holds this.
//
//   analysis   from text to terms              storage   sealed cells, packs, manifests
//   document   what is indexed, and its fields of the engine
//   query      what was asked                  engine    one index, open for reading
//   search     which documents, in what order, and what is shown of them
//   writer     one writer of an index          ingest    from files to documents
//
// `error` stands beside all of them: its variants hold the errors of `storage` and `query`.

mod analysis;
mod document;
mod engine;
mod error;
mod ingest;
mod query;
mod search;
mod storage;
mod writer;

pub use analysis::stemmer::{Stems, StemsError};
pub use document::{Document, Flag, Kind, MAX_BODY, Summary};
pub use engine::{Index, Stats};
pub use error::Error;
#[cfg(feature = "pdf")]
pub use ingest::PdfError;
pub use ingest::{
    BuildOptions, Lost, MAX_FILE, Original, Part, Pdf, Report, Skipped, Type, is_panic_expected,
};
pub use query::{Explained, Query, QueryError};
pub use search::highlight::Snippet;
pub use search::options::{SearchOptions, Sort};
pub use search::results::{Hit, Hits, Results};
pub use search::threads::{Thread, Threads};
pub use storage::cells::Damage;
pub use storage::directory::LeftOut;
pub use storage::folder::destroy;
pub use storage::verify::Checked;
pub use writer::tag::Retagged;
pub use writer::{Purged, Writer};

#[cfg(test)]
mod tests;
