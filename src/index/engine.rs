//! An index: its folder, its key, its engine.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tantivy::directory::error::{LockError, OpenReadError};
use tantivy::index::SegmentComponent;
use tantivy::schema::IndexRecordOption;
use tantivy::{
    DocAddress, DocSet as _, IndexReader, ReloadPolicy, SegmentMeta, TERMINATED, TantivyDocument,
    TantivyError,
};

use super::Error;
use super::cells::Damage;
use super::directory::{CellDirectory, MANAGED, META, READERS, WRITER};
use super::document::Document;
use super::schema::{Fields, WORDS};
use super::words::WordTokenizer;
use crate::crypto;
use crate::files;
use crate::secret::Secret;

/// Version of everything in the folder; it stands before the index key.
const FORMAT: u8 = 1;
/// File of the wrapped index key.
const KEY: &str = "key";
/// Kind of the record that wraps the index key.
const KEY_KIND: &str = "index key";
/// Greatest length of the key's file, in bytes.
const KEY_MAX: u64 = 1024;
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
    pub(super) fields: Fields,
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

/// What [`Index::verify`] saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Cell files read.
    pub files: u64,
    /// Cells opened in them.
    pub cells: u64,
    /// What is damaged, missing or too much; empty when all is well.
    pub damage: Vec<Damage>,
}

impl Index {
    /// Makes an index in a folder that is empty or not there, under a fresh key wrapped with
    /// `wrapping`. The folder appears whole or not at all.
    pub fn create(folder: &Path, wrapping: &Secret<32>) -> Result<Self, Error> {
        match is_empty(folder) {
            Ok(true) => {}
            Ok(false) if folder.join(KEY).exists() => return Err(Error::Exists(folder.into())),
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
            .tempdir_in(parent)
            .map_err(io)?;
        let index_key = crypto::random_secret::<32>()?;
        let record = zeroize::Zeroizing::new([&[FORMAT][..], index_key.expose()].concat());
        let wrapped = crypto::seal_record(wrapping, KEY_KIND, &record)?;
        files::replace_private(&beside.path().join(KEY), &wrapped).map_err(io)?;
        let directory = CellDirectory::new(beside.path(), index_key);
        tantivy::Index::create(directory, Fields::schema(), tantivy::IndexSettings::default())
            .map_err(|error| Error::Engine(error.to_string()))?;
        fs::rename(beside.path(), &absolute).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty => Error::Exists(folder.into()),
            _ => io(error),
        })?;
        // It has its name now; there is nothing left to clean up.
        drop(beside.keep());
        files::sync_folder(parent).map_err(io)?;
        Self::open(folder, wrapping)
    }

    /// Opens an index whose key was wrapped with `wrapping`.
    pub fn open(folder: &Path, wrapping: &Secret<32>) -> Result<Self, Error> {
        let directory = CellDirectory::new(folder, unwrap_key(folder, wrapping)?);
        let opened = tantivy::Index::open(directory.clone()).and_then(|engine| {
            engine.tokenizers().register(WORDS, WordTokenizer);
            let fields = Fields::of(&engine.schema())?;
            let reader = engine
                .reader_builder()
                .reload_policy(ReloadPolicy::Manual)
                .doc_store_cache_num_blocks(STORE_BLOCKS)
                .try_into()?;
            Ok((engine, fields, reader))
        });
        let (engine, fields, reader) = checked(&directory, opened)?;
        Ok(Self { directory, engine, reader, fields })
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

    /// The folder of the index.
    pub fn folder(&self) -> &Path {
        self.directory.folder()
    }

    /// Sees what writers have committed since the index was opened.
    pub fn reload(&self) -> Result<(), Error> {
        self.checked(self.reader.reload())
    }

    /// Cells of 16 KiB decrypted since the index was opened.
    pub fn cells_opened(&self) -> u64 {
        self.directory.opened().cells()
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
        let io = |error| Error::io(self.folder())(error);
        for entry in fs::read_dir(self.folder()).map_err(io)? {
            match entry.and_then(|entry| entry.metadata()) {
                Ok(metadata) => {
                    stats.files += 1;
                    stats.bytes += metadata.len();
                }
                // A writer at work removes files.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(error)),
            }
        }
        Ok(stats)
    }

    /// Gives a document back by its id, or by the beginning of it when no other has the same.
    pub fn show(&self, id: &str) -> Result<Document, Error> {
        let (_, address) = self.find(id)?;
        let stored: TantivyDocument = self.checked(self.reader.searcher().doc(address))?;
        Document::from_stored(&stored, &self.fields)
            .map_err(|error| Error::Engine(error.to_string()))
    }

    /// Opens every cell of every file. No writer may be at work meanwhile.
    pub fn verify(&self) -> Result<Checked, Error> {
        let _lock = files::Lock::try_acquire(&self.folder().join(WRITER))
            .map_err(Error::io(self.folder()))?
            .ok_or_else(|| Error::Busy(self.folder().into()))?;
        let mut report = Checked::default();
        let metas = self.checked(self.engine.searchable_segment_metas())?;
        let managed = self.engine.directory().list_managed_files();
        let living: Vec<PathBuf> = metas.iter().flat_map(files_of).collect();
        let mut ours = Vec::new();
        let of_all = [PathBuf::from(META), PathBuf::from(MANAGED)];
        let every: BTreeSet<&PathBuf> = managed.iter().chain(&living).chain(&of_all).collect();
        for path in every {
            let on_disk = self.directory.name_on_disk(path);
            match self.directory.open_cells(path) {
                // A killed writer lists files that it never came to write.
                Err(OpenReadError::FileDoesNotExist(_)) if !living.contains(path) => {}
                Err(OpenReadError::FileDoesNotExist(_)) => {
                    report.damage.push(Damage { file: on_disk.clone(), what: MISSING.into() });
                }
                Err(error) => report.damage.push(self.damage_of(&on_disk, &error)),
                Ok(file) => {
                    report.files += 1;
                    for cell in 0..file.cells() {
                        match file.cell(cell) {
                            Ok(_) => report.cells += 1,
                            Err(error) => report.damage.push(self.damage_of(&on_disk, &error)),
                        }
                    }
                }
            }
            ours.push(on_disk);
        }
        for entry in fs::read_dir(self.folder()).map_err(Error::io(self.folder()))? {
            let name = entry.map_err(Error::io(self.folder()))?.file_name();
            let name = name.to_string_lossy().into_owned();
            if !ours.contains(&name) && !is_plain_name(&name) {
                let what = "it is no file of this index".to_owned();
                report.damage.push(Damage { file: name, what });
            }
        }
        Ok(report)
    }

    fn damage_of(&self, file: &str, error: &dyn fmt::Display) -> Damage {
        let met = self.directory.opened().take_damage();
        met.unwrap_or_else(|| Damage { file: file.to_owned(), what: error.to_string() })
    }

    /// The full id and place of the document whose id begins so.
    pub(super) fn find(&self, beginning: &str) -> Result<(String, DocAddress), Error> {
        let mut found: Option<(String, DocAddress)> = None;
        let mut ambiguous = false;
        self.each_id(beginning, |id, address| {
            let exact = id == beginning;
            ambiguous |= found.as_ref().is_some_and(|(other, _)| other != id) && !exact;
            if exact || found.is_none() {
                found = Some((id.to_owned(), address));
            }
            ambiguous &= !exact;
            !exact
        })?;
        match found {
            None => Err(Error::UnknownId(beginning.to_owned())),
            Some((id, _)) if ambiguous && id != beginning => {
                Err(Error::AmbiguousId(beginning.to_owned()))
            }
            Some(found) => Ok(found),
        }
    }

    /// Visits the ids that begin so, until `visit` returns false.
    pub(super) fn each_id(
        &self,
        beginning: &str,
        mut visit: impl FnMut(&str, DocAddress) -> bool,
    ) -> Result<(), Error> {
        let searcher = self.reader.searcher();
        let mut walk = || -> Result<(), TantivyError> {
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
        };
        self.checked(walk())
    }

    /// The result of an engine's call, unless a damaged cell was met in it.
    pub(super) fn checked<T>(&self, result: Result<T, TantivyError>) -> Result<T, Error> {
        checked(&self.directory, result)
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({})", self.folder().display())
    }
}

/// The files that a segment must have.
fn files_of(segment: &SegmentMeta) -> Vec<PathBuf> {
    let mut parts = vec![
        SegmentComponent::Postings,
        SegmentComponent::Positions,
        SegmentComponent::Terms,
        SegmentComponent::Store,
        SegmentComponent::FastFields,
        SegmentComponent::FieldNorms,
    ];
    if segment.has_deletes() {
        parts.push(SegmentComponent::Delete);
    }
    parts.into_iter().map(|part| segment.relative_path(part)).collect()
}

const MISSING: &str = "it is missing";

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
        TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(path)) => {
            let file = directory.name_on_disk(&path);
            Error::Damaged(Damage { file, what: MISSING.into() })
        }
        TantivyError::IoError(error) => Error::Io {
            path: directory.folder().into(),
            error: io::Error::new(error.kind(), error.to_string()),
        },
        other => Error::Engine(other.to_string()),
    })
}

fn unwrap_key(folder: &Path, wrapping: &Secret<32>) -> Result<Secret<32>, Error> {
    let path = folder.join(KEY);
    let wrapped = match files::read_bounded(&path, KEY_MAX) {
        Ok(wrapped) => wrapped,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(Error::Foreign(folder.into()));
        }
        Err(error) => {
            return Err(match is_empty(folder) {
                Ok(true) => Error::Missing(folder.into()),
                Ok(false) if error.kind() == io::ErrorKind::NotFound => {
                    Error::Foreign(folder.into())
                }
                _ => Error::io(path)(error),
            });
        }
    };
    let record =
        crypto::open_record(wrapping, KEY_KIND, &wrapped).map_err(|_| Error::Key(folder.into()))?;
    match record.split_first() {
        Some((&FORMAT, key)) => {
            Secret::from_slice(key).ok_or_else(|| Error::Foreign(folder.into()))
        }
        Some((&got, _)) => Err(Error::Version { path: folder.into(), expected: FORMAT, got }),
        None => Err(Error::Foreign(folder.into())),
    }
}

/// Whether there is nothing in a folder, or no folder.
fn is_empty(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// The names that are not of cell files.
fn is_plain_name(name: &str) -> bool {
    matches!(name, KEY | WRITER | READERS) || is_under_way(name)
}

fn is_under_way(name: &str) -> bool {
    name.starts_with(".bulla-") && name.ends_with(".part")
}

fn is_cell_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Destroys an index: the key first, overwritten and removed for good, then the rest. It needs
/// no key, touches no file that is not of an index, and goes on where a killed run stopped.
pub fn destroy(folder: &Path) -> Result<(), Error> {
    let io = |error| Error::io(folder)(error);
    if !folder.is_dir() || is_empty(folder).map_err(io)? {
        return Err(Error::Missing(folder.into()));
    }
    let names = || -> io::Result<Vec<String>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    let known = |name: &String| is_plain_name(name) || is_cell_name(name);
    if !folder.join(KEY).is_file() && !names().map_err(io)?.iter().all(known) {
        return Err(Error::Foreign(folder.into()));
    }
    let _lock = files::Lock::try_acquire(&folder.join(WRITER))
        .map_err(io)?
        .ok_or_else(|| Error::Busy(folder.into()))?;
    let remove_all = || -> io::Result<()> {
        let key = folder.join(KEY);
        if key.exists() {
            let mut file = fs::OpenOptions::new().write(true).open(&key)?;
            let length = usize::try_from(file.metadata()?.len().min(KEY_MAX)).unwrap_or_default();
            file.write_all(&vec![0; length])?;
            file.sync_all()?;
            fs::remove_file(&key)?;
            files::sync_folder(folder)?;
        }
        let mut others = false;
        for name in names()? {
            if known(&name) {
                fs::remove_file(folder.join(name))?;
            } else {
                others = true;
            }
        }
        if others { Ok(()) } else { fs::remove_dir(folder) }
    };
    remove_all().map_err(io)
}
