//! An index: its folder, its key, its engine.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tantivy::directory::error::LockError;
use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{
    DocAddress, DocSet as _, IndexReader, ReloadPolicy, Searcher, TERMINATED, TantivyDocument,
    TantivyError,
};

use crate::files;
use crate::files::disk::{self, Disk};
use crate::files::local::Folder;
use crate::index::analysis::stemmer::Stems;
use crate::index::analysis::tokenizer::WordTokenizer;
use crate::index::document::Document;
use crate::index::document::fields::{Fields, WORDS, headed, stemmed};
use crate::index::document::summary::body;
use crate::index::document::summary_store::{Heads, Summaries};
use crate::index::error::Error;
use crate::index::storage::directory::{CellDirectory, LeftOut};
use crate::index::storage::folder;
use crate::index::storage::verify::{self, Checked};
use crate::secret::Secret;

/// Unpacked blocks of stored documents kept a segment.
const STORE_BLOCKS: usize = 4;

/// An encrypted index in a folder, open for reading. [`Index::writer`] opens it for writing.
///
/// ```
/// use bulla::index::{Document, Index, Kind, Query, SearchOptions};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let key = bulla::crypto::random_secret()?;
/// let index = Index::create(&folder.path().join("index"), &key)?;
/// let mut writer = index.writer()?;
/// let mut note = Document::new(Kind::Text, "note-1".into());
/// note.body = "Bring the tools to the harbour".into();
/// writer.add(note)?;
/// writer.finish()?;
/// let found = index.search(&Query::parse("harb* NOT train")?, &SearchOptions::default())?;
/// assert_eq!(found.total, 1);
/// # Ok(())
/// # }
/// ```
pub struct Index {
    pub(super) directory: CellDirectory,
    pub(super) engine: tantivy::Index,
    pub(super) reader: IndexReader,
    /// How many segments were left out when the reader looked last.
    excluded: AtomicU64,
    pub(super) fields: Fields,
    pub(super) stems: Stems,
}

/// What an index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Documents that can be found.
    pub documents: u64,
    /// Segments the engine keeps them in.
    pub segments: u64,
    /// Files in the folder.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
}

impl Index {
    /// Makes an index in a folder that is empty or not there, under a fresh key wrapped with
    /// `wrapping`. The folder appears whole or not at all.
    pub fn create(folder: &Path, wrapping: &Secret<32>) -> Result<Self, Error> {
        Self::create_stemmed(folder, wrapping, &Stems::default())
    }

    /// The same, for an index that finds the other forms of a word in these languages too.
    pub(crate) fn create_stemmed(
        folder: &Path,
        wrapping: &Secret<32>,
        stems: &Stems,
    ) -> Result<Self, Error> {
        match folder::is_empty(folder) {
            Ok(true) => {}
            Ok(false) if folder::has_key(folder) => return Err(Error::Exists(folder.into())),
            Ok(false) => return Err(Error::Foreign(folder.into())),
            Err(error) => return Err(Error::io(folder)(error)),
        }
        let absolute = std::path::absolute(folder).map_err(Error::io(folder))?;
        let parent = absolute.parent().unwrap_or(&absolute);
        let io = |error| Error::io(folder)(error);
        files::create_private_folder(parent).map_err(io)?;
        let beside = tempfile::Builder::new()
            .prefix(".bulla-")
            .suffix(".part")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(io)?;
        Self::create_on(Arc::new(Folder::new(beside.path())), beside.path(), wrapping, stems)?;
        fs::rename(beside.path(), &absolute).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty => Error::Exists(folder.into()),
            _ => io(error),
        })?;
        // It has its name now; there is nothing left to clean up.
        drop(beside.keep());
        files::sync_folder(parent).map_err(io)?;
        Self::open(folder, wrapping)
    }

    /// Makes an index on an empty disk.
    pub(super) fn create_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        wrapping: &Secret<32>,
        stems: &Stems,
    ) -> Result<(), Error> {
        let keys = folder::new_key(&*disk, folder, wrapping)?;
        let directory = CellDirectory::new(disk, folder, folder::copied(wrapping)?, keys);
        let made = tantivy::Index::builder()
            .schema(Fields::schema(stems))
            .settings(tantivy::IndexSettings::default())
            .register_plugin(Arc::new(Summaries))
            .open_or_create(directory.clone());
        checked(&directory, made).map(drop)
    }

    /// Opens an index whose key was wrapped with `wrapping`. What is damaged is left out of it,
    /// see [`Index::left_out`].
    pub fn open(folder: &Path, wrapping: &Secret<32>) -> Result<Self, Error> {
        let index = Self::open_on(Arc::new(Folder::new(folder)), folder, wrapping)?;
        // Only now it is known to be an index, and one of this user's.
        files::restrict_folder(folder).map_err(Error::io(folder))?;
        Ok(index)
    }

    /// Opens an index on a disk.
    pub(super) fn open_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        wrapping: &Secret<32>,
    ) -> Result<Self, Error> {
        let keys = folder::unwrap_key(&*disk, folder, wrapping)?;
        let directory = CellDirectory::new(disk, folder, folder::copied(wrapping)?, keys);
        let held = directory.lock_readers().map_err(Error::io(folder))?;
        directory.refresh()?;
        drop(held);
        let (engine, fields, stems, reader) = retried(&directory, || {
            let mut engine = tantivy::Index::open(directory.clone())?;
            engine.register_plugin(Arc::new(Summaries));
            let stems = Fields::stems(&engine.schema()).ok_or_else(|| {
                TantivyError::SchemaError("it names no languages this program knows".into())
            })?;
            let tokenizers = engine.tokenizers();
            tokenizers.register(WORDS, WordTokenizer::default());
            tokenizers.register(&stemmed(&stems), WordTokenizer::new(stems.clone()));
            tokenizers.register(&headed(&stems), WordTokenizer::heads(stems.clone()));
            let fields = Fields::of(&engine.schema())?;
            let reader = engine
                .reader_builder()
                .reload_policy(ReloadPolicy::Manual)
                .doc_store_cache_num_blocks(STORE_BLOCKS)
                .try_into()?;
            Ok((engine, fields, stems, reader))
        })?;
        let excluded = AtomicU64::new(directory.exclusions());
        Ok(Self { directory, engine, reader, fields, stems, excluded })
    }

    /// Opens the index, or makes one where there is none.
    pub fn open_or_create(folder: &Path, wrapping: &Secret<32>) -> Result<Self, Error> {
        match Self::open(folder, wrapping) {
            Err(Error::Missing(_)) => match Self::create(folder, wrapping) {
                Err(Error::Exists(_)) => Self::open(folder, wrapping),
                other => other,
            },
            other => other,
        }
    }

    /// Opens the index, or makes one with stems in these languages; one with others is refused.
    pub fn open_or_create_stemmed(
        folder: &Path,
        wrapping: &Secret<32>,
        stems: &Stems,
    ) -> Result<Self, Error> {
        let index = match Self::open(folder, wrapping) {
            Err(Error::Missing(_)) => match Self::create_stemmed(folder, wrapping, stems) {
                Err(Error::Exists(_)) => Self::open(folder, wrapping)?,
                other => other?,
            },
            other => other?,
        };
        if index.stems != *stems {
            let (expected, got) = (stems.to_string(), index.stems.to_string());
            return Err(Error::Stems { path: folder.into(), expected, got });
        }
        Ok(index)
    }

    /// The languages whose stems it holds.
    #[cfg(test)]
    pub(crate) fn stems(&self) -> &Stems {
        &self.stems
    }

    /// The folder of the index.
    pub(crate) fn folder(&self) -> &Path {
        self.directory.folder()
    }

    /// Sees what writers have committed since the index was opened.
    pub(crate) fn reload(&self) -> Result<(), Error> {
        retried(&self.directory, || self.reader.reload())
    }

    /// What is damaged and left out, as far as it was met: by opening the index, and by every
    /// search since. The next commit leaves it out for good; to have its documents again, index
    /// them again.
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.directory.left_out()
    }

    /// Asks the searcher something. A damaged segment that is met is left out, and what is left
    /// asked again.
    pub(super) fn ask<T>(
        &self,
        ask: impl Fn(&Searcher) -> Result<T, TantivyError>,
    ) -> Result<T, Error> {
        retried(&self.directory, || {
            // Something was left out since the searcher was made, by whomever.
            let now = self.directory.exclusions();
            if self.excluded.swap(now, Ordering::Relaxed) != now {
                self.reader.reload()?;
            }
            ask(&self.reader.searcher())
        })
    }

    /// Cells of 4 KiB decrypted since the index was opened.
    pub fn cells_opened(&self) -> u64 {
        self.directory.opened().cells()
    }

    /// The file that the last commit names as the catalogue of what was read.
    pub(super) fn catalogue(&self) -> Result<Option<String>, Error> {
        Ok(self.checked(self.engine.load_metas())?.payload)
    }

    /// Counts documents and files.
    pub fn stats(&self) -> Result<Stats, Error> {
        let searcher = self.reader.searcher();
        let mut stats = Stats {
            documents: searcher.num_docs(),
            segments: searcher.segment_readers().len() as u64,
            files: 0,
            bytes: 0,
        };
        let files = disk::list_with_lengths(self.directory.disk());
        for (_, length) in files.map_err(Error::io(self.folder()))? {
            stats.files += 1;
            stats.bytes += length;
        }
        Ok(stats)
    }

    /// Opens both manifests, and every cell of every file that they name. No writer may be at work
    /// meanwhile.
    pub fn verify(&self) -> Result<Checked, Error> {
        verify::verify(&self.directory)
    }

    /// Gives a document back by its id, or by the beginning of it when no other has the same.
    pub fn show(&self, id: &str) -> Result<Document, Error> {
        let (_, address) = self.find(id)?;
        self.ask(|searcher| {
            let stored: TantivyDocument = searcher.doc(address)?;
            let body = body(&stored, &self.fields).to_owned();
            Ok(Document { summary: Heads::default().get(searcher, address)?, body })
        })
    }

    /// The full id and place of the document whose id begins so.
    pub(super) fn find(&self, beginning: &str) -> Result<(String, DocAddress), Error> {
        self.ask(|searcher| self.find_in(searcher, beginning))?
    }

    fn find_in(
        &self,
        searcher: &Searcher,
        beginning: &str,
    ) -> Result<Result<(String, DocAddress), Error>, TantivyError> {
        let mut found: Option<(String, DocAddress)> = None;
        let mut ambiguous = false;
        self.each_id(searcher, beginning, |id, address| {
            let exact = id == beginning;
            ambiguous |= found.as_ref().is_some_and(|(other, _)| other != id) && !exact;
            if exact || found.is_none() {
                found = Some((id.to_owned(), address));
            }
            ambiguous &= !exact;
            !exact
        })?;
        Ok(match found {
            None => Err(Error::UnknownId(beginning.to_owned())),
            Some((id, _)) if ambiguous && id != beginning => {
                Err(Error::AmbiguousId(beginning.to_owned()))
            }
            Some(found) => Ok(found),
        })
    }

    /// Visits the ids that begin so, until `visit` returns false.
    pub(super) fn each_id(
        &self,
        searcher: &Searcher,
        beginning: &str,
        mut visit: impl FnMut(&str, DocAddress) -> bool,
    ) -> Result<(), TantivyError> {
        for (segment, reader) in (0..).zip(searcher.segment_readers()) {
            let ids = reader.inverted_index(self.fields.id)?;
            let mut terms = ids.terms().range().ge(beginning.as_bytes()).into_stream()?;
            while terms.advance() && terms.key().starts_with(beginning.as_bytes()) {
                let Ok(id) = std::str::from_utf8(terms.key()) else { continue };
                let info = terms.value();
                let mut postings =
                    ids.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
                while postings.doc() != TERMINATED && reader.is_deleted(postings.doc()) {
                    postings.advance();
                }
                if postings.doc() != TERMINATED
                    && !visit(id, DocAddress::new(segment, postings.doc()))
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The result of a call of the engine that writes. Damage that it met is left out from now on;
    /// a merge that met some is only given up.
    pub(super) fn checked<T>(&self, result: Result<T, TantivyError>) -> Result<T, Error> {
        match (self.directory.opened().take_damage(), result) {
            (None, result) => checked(&self.directory, result),
            (Some(damage), Ok(value)) if self.directory.leave_out(&damage) => Ok(value),
            (Some(damage), _) => {
                self.directory.leave_out(&damage);
                Err(Error::Damaged(damage))
            }
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({})", self.folder().display())
    }
}

/// The documents with a term that were not removed.
pub(super) fn living(searcher: &Searcher, term: &Term) -> Result<Vec<DocAddress>, TantivyError> {
    let mut found = Vec::new();
    for (at, reader) in (0..).zip(searcher.segment_readers()) {
        let index = reader.inverted_index(term.field())?;
        let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic)? else {
            continue;
        };
        while postings.doc() != TERMINATED {
            if !reader.is_deleted(postings.doc()) {
                found.push(DocAddress::new(at, postings.doc()));
            }
            postings.advance();
        }
    }
    Ok(found)
}

/// Asks the engine something again as long as it meets damaged segments that can be left out.
fn retried<T>(
    directory: &CellDirectory,
    mut ask: impl FnMut() -> Result<T, TantivyError>,
) -> Result<T, Error> {
    loop {
        let seen = directory.exclusions();
        let result = ask();
        match directory.opened().take_damage() {
            Some(damage) if directory.leave_out(&damage) => {}
            // Another thread took the damage that this one met, and left the segment out.
            _ if result.is_err() && seen != directory.exclusions() => {}
            Some(damage) => return Err(Error::Damaged(damage)),
            None => return checked(directory, result),
        }
    }
}

fn checked<T>(directory: &CellDirectory, result: Result<T, TantivyError>) -> Result<T, Error> {
    if let Some(damage) = directory.opened().take_damage() {
        return Err(Error::Damaged(damage));
    }
    let error = match result {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // A write that failed in one of the engine's threads is told by a later call.
    if let Some(failure) = directory.opened().take_failure() {
        return Err(Error::io(directory.folder())(failure));
    }
    Err(match error {
        TantivyError::LockFailure(LockError::LockBusy, _) => Error::Busy(directory.folder().into()),
        TantivyError::LockFailure(LockError::IoError(error), _) | TantivyError::IoError(error) => {
            Error::Io {
                path: directory.folder().into(),
                error: io::Error::new(error.kind(), error.to_string()),
            }
        }
        TantivyError::FieldNotFound(_) | TantivyError::SchemaError(_) => {
            Error::Another(directory.folder().into())
        }
        other => Error::Engine(other.to_string()),
    })
}
