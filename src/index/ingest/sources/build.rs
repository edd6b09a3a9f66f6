//! Reads what a plan says, hands messages and files to those who make documents of them, and keeps
//! the catalogue true meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::index::document::{file_id, message_id};
use crate::index::engine::Index;
use crate::index::error::Error;
use crate::index::ingest::formats::detect::Form;
use crate::index::ingest::options::BuildOptions;
use crate::index::ingest::report::Report;
use crate::index::ingest::sources::catalogue::{Catalogue, Entry, Holding, Name, Shape};
use crate::index::ingest::sources::container::{Piece, Reading};
use crate::index::ingest::sources::plan::Gone;
use crate::index::ingest::sources::pool::{Job, Pool};
use crate::index::ingest::sources::source::{self, Source};
use crate::index::ingest::sources::walk::Found;
use crate::index::writer::Known;
use crate::progress::Progress;

/// A build under way.
pub(crate) struct Build<'a> {
    pub(crate) index: &'a Index,
    pub(crate) options: &'a BuildOptions,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) catalogue: Catalogue,
    pub(crate) report: Report,
    pub(crate) todo: VecDeque<Found>,
    pub(crate) gone: Gone,
    /// Documents whose files do not hold them any more, a name for each time; counted as held until
    /// the end, for another file may turn up with them.
    pub(crate) released: Vec<Name>,
    /// Documents that have to be told where they are.
    pub(crate) unsettled: HashSet<Name>,
    /// Documents that another file has said to hold: they may have come from there.
    pub(crate) doubted: HashSet<Name>,
    /// Some were told since the last commit.
    pub(crate) settled: bool,
    /// The file that is being read.
    pub(crate) reading: Option<Reading>,
    /// Bytes read since the last commit.
    pub(crate) uncommitted: u64,
}

/// Why a file ended early: the file is to blame, or the index.
pub(crate) enum Failed {
    Read(io::Error),
    Index(Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Index(error)
    }
}

impl<'a> Build<'a> {
    pub(crate) fn new(
        index: &'a Index,
        options: &'a BuildOptions,
        progress: &'a dyn Progress,
        catalogue: Catalogue,
        report: Report,
    ) -> Self {
        Self {
            index,
            options,
            progress,
            catalogue,
            report,
            todo: VecDeque::new(),
            gone: Gone::default(),
            released: Vec::new(),
            unsettled: HashSet::new(),
            doubted: HashSet::new(),
            settled: false,
            reading: None,
            uncommitted: 0,
        }
    }

    /// Reads until `most` bytes are not committed. False when all is read.
    pub(crate) fn read(
        &mut self,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
        most: u64,
    ) -> Result<bool, Error> {
        let mut raw = Vec::new();
        while self.uncommitted < most {
            let result = match self.reading.take() {
                Some(reading) => self.next(reading, pool, known, &mut raw),
                None => match self.todo.pop_front() {
                    Some(found) => self.begin(found, pool, known),
                    None => return Ok(false),
                },
            };
            match result {
                Ok(()) => {}
                Err((path, Failed::Read(error))) => self.report.skip(&path, None, error),
                Err((_, Failed::Index(error))) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Begins a file, and reads it if it is one document.
    fn begin(
        &mut self,
        found: Found,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
    ) -> Result<(), (PathBuf, Failed)> {
        let path = found.path.clone();
        let before = self.report.bytes;
        let length = found.stat.size;
        let begun = self.begun(found, pool, known);
        if self.reading.is_none() {
            // What was skipped is done as well.
            let read = self.report.bytes - before;
            self.progress.advance(length.saturating_sub(read));
        }
        begun.map_err(|error| (path, error))
    }

    fn begun(
        &mut self,
        mut found: Found,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
    ) -> Result<(), Failed> {
        let old = self.catalogue.get(&found.path).filter(|_| !self.options.reread);
        let mut source = Source::open(&found, old)?;
        found.stat = source.stat;
        source.form = self.options.form(source.form);
        if !self.options.takes(source.form) {
            return Ok(());
        }
        match source.form {
            Form::Binary(kind) => {
                self.report.binary(kind);
                let binary = Some(kind);
                let entry =
                    Entry { stat: source.stat, fresh: source.fresh, binary, ..Entry::default() };
                self.close(&found.path, entry, false);
            }
            Form::Mbox | Form::Lines => {
                let resumed = source.begin > 0;
                let old = self.catalogue.get(&found.path).filter(|_| resumed);
                let holds = old.map(|old| old.holds.clone()).unwrap_or_default();
                self.report.unchanged += holds.len() as u64;
                self.progress.advance(source.begin);
                self.reading = Some(Reading::begin(found, source, holds, self.options.max_file));
            }
            Form::Mail => {
                let raw = source.whole(self.options.max_file)?;
                self.count(raw.len() as u64);
                let content = source::content(&raw);
                let id = message_id(&raw);
                let path: Arc<Path> = found.path.as_path().into();
                let job = self.job(id, raw, source.form, &path, None, &found);
                let holding = self.offer(job, pool, known)?;
                let entry = Entry {
                    stat: source.stat,
                    fresh: source.fresh,
                    content,
                    shape: Shape::Mail,
                    holds: vec![holding],
                    ..Entry::default()
                };
                self.close(&found.path, entry, false);
            }
            Form::File(..) => {
                let raw = source.whole(self.options.max_file)?;
                self.count(raw.len() as u64);
                self.whole_file(&found, &source, raw, pool, known)?;
            }
        }
        Ok(())
    }

    /// Reads the next document of a file with many.
    fn next(
        &mut self,
        mut reading: Reading,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
        raw: &mut Vec<u8>,
    ) -> Result<(), (PathBuf, Failed)> {
        let path = reading.path.to_path_buf();
        match self.read_one(&mut reading, pool, known, raw) {
            Ok(true) => {
                self.reading = Some(reading);
                Ok(())
            }
            Ok(false) => {
                self.ended(reading);
                Ok(())
            }
            // What was read of it stays, unless more was known before.
            Err(error) => {
                reading.fresh = true;
                if reading.resumed || self.catalogue.get(&path).is_none() {
                    self.ended(reading);
                }
                Err((path, error))
            }
        }
    }

    fn read_one(
        &mut self,
        reading: &mut Reading,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
        raw: &mut Vec<u8>,
    ) -> Result<bool, Failed> {
        let at = reading.at();
        let Some((length, piece)) = reading.next(raw, self.options.max_file)? else {
            return Ok(false);
        };
        self.report.bytes += length;
        self.uncommitted += length;
        if !reading.packed {
            // Of a packed file it is not known how far it was read.
            self.progress.advance(length);
        }
        let holding = match piece {
            Piece::Blank => return Ok(true),
            Piece::Skipped(why) => {
                self.report.skip(&reading.path, Some(at), why);
                return Ok(true);
            }
            Piece::Message(id) => {
                let bytes = std::mem::take(raw);
                let job = self.job(id, bytes, Form::Mbox, &reading.path, Some(at), &reading.found);
                self.offer(job, pool, known)?
            }
            Piece::Line(mut document) => {
                let (holding, is_new) = self.hold(&document.id, at, known)?;
                if is_new {
                    document.path = Some(reading.path.as_ref().into());
                    document.offset = Some(at);
                    pool.sink().send(*document)?;
                }
                holding
            }
        };
        reading.holds.push(holding);
        Ok(true)
    }

    /// A file with many documents was read to its end.
    fn ended(&mut self, reading: Reading) {
        if reading.packed {
            self.progress.advance(reading.found.stat.size);
        }
        let resumed = reading.resumed;
        let (path, entry) = reading.whole();
        self.close(&path, entry, resumed);
    }

    /// Puts into the catalogue how far the file at hand was read, before a commit: a killed build
    /// goes on there.
    pub(crate) fn mark(&mut self) {
        let Some(reading) = &mut self.reading else { return };
        let known = self.catalogue.get(&reading.path).is_some();
        if reading.packed || (known && !reading.resumed) {
            return;
        }
        reading.resumed = true;
        self.catalogue.put(reading.path.to_path_buf(), reading.so_far());
    }

    fn count(&mut self, bytes: u64) {
        self.report.bytes += bytes;
        self.uncommitted += bytes;
        self.progress.advance(bytes);
    }

    fn job(
        &self,
        id: String,
        raw: Vec<u8>,
        form: Form,
        path: &Arc<Path>,
        offset: Option<u64>,
        found: &Found,
    ) -> Job {
        let modified = found.modified();
        let (path, tags, pdf) = (Arc::clone(path), BTreeSet::new(), self.options.pdf);
        Job { id, raw, form, path, offset, modified, tags, pdf }
    }

    /// A file that is one document keeps its id when it is edited or moved.
    fn whole_file(
        &mut self,
        found: &Found,
        source: &Source,
        raw: Vec<u8>,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
    ) -> Result<(), Failed> {
        let content = source::content(&raw);
        let path: Arc<Path> = found.path.as_path().into();
        let mut entry =
            Entry { stat: source.stat, fresh: source.fresh, content, ..Entry::default() };
        let old = self.catalogue.get(&found.path);
        let mut own = old.filter(|old| old.shape == Shape::File && old.holds.len() == 1).cloned();
        let mut is_renamed = false;
        if own.is_none()
            && let Some(from) = self.gone.taken(content)
        {
            is_renamed = from.file_name() != found.path.file_name();
            own = self.catalogue.take(&from);
            self.unsettled
                .extend(own.iter().flat_map(|own| &own.holds).map(|one| one.name.clone()));
        }
        if let Some(own) = own {
            let same = own.content == content && !is_renamed;
            entry.holds = own.holds;
            let id = entry.holds.first().map(|one| one.name.id()).unwrap_or_default();
            let there = !self.options.reread || known.knows(&id)?;
            if same && there {
                self.report.unchanged += 1;
            } else {
                // It takes the place of what it was, with what its reader put on that.
                let mut job = self.job(id, raw, source.form, &path, None, found);
                job.tags = self.index.show(&job.id).map(|old| old.summary.tags).unwrap_or_default();
                pool.sink().delete(&job.id);
                known.expect(&job.id);
                *if there { &mut self.report.updated } else { &mut self.report.added } += 1;
                pool.send(job);
            }
            if self.catalogue.get(&found.path).is_some_and(|old| old.shape != Shape::File) {
                self.close(&found.path, entry, false);
            } else {
                self.catalogue.put(found.path.clone(), entry);
            }
            return Ok(());
        }
        // A file that was here before may have taken the id along.
        let mut id = file_id(&found.path, &raw);
        while self.catalogue.holds(&Name::of(&id)) {
            id = file_id(&found.path, id.as_bytes());
        }
        let job = self.job(id, raw, source.form, &path, None, found);
        entry.holds = vec![self.offer(job, pool, known)?];
        self.close(&found.path, entry, false);
        Ok(())
    }

    /// Counts a document as held, and says whether it is new to the index.
    fn hold(
        &mut self,
        id: &str,
        offset: u64,
        known: &mut Known<'_>,
    ) -> Result<(Holding, bool), Error> {
        let name = Name::of(id);
        let elsewhere = self.catalogue.holds(&name);
        // What somebody removed stays away while a file has it, unless all is read again.
        let is_new = (!elsewhere || self.options.reread) && !known.knows(id)?;
        if is_new {
            known.expect(id);
            self.report.added += 1;
        } else {
            self.report.unchanged += 1;
        }
        if !is_new {
            // The index has it. If no file did, what it says of its place may be old; and if one did,
            // that one may be gone.
            let told = if elsewhere { &mut self.doubted } else { &mut self.unsettled };
            told.insert(name.clone());
        }
        self.catalogue.hold(&name);
        Ok((Holding { name, offset, home: !elsewhere }, is_new))
    }

    /// Has a document made, unless it is there.
    fn offer(
        &mut self,
        job: Job,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
    ) -> Result<Holding, Error> {
        let (holding, is_new) = self.hold(&job.id, job.offset.unwrap_or_default(), known)?;
        if is_new {
            pool.send(job);
        }
        Ok(holding)
    }

    /// Remembers a file. What it held before and holds no more is released, unless it only grew.
    fn close(&mut self, path: &Path, mut entry: Entry, resumed: bool) {
        let old = self.catalogue.take(path);
        if let Some(old) = old.filter(|_| !resumed) {
            let mut homes: HashMap<Name, u64> = HashMap::new();
            for one in &old.holds {
                if one.home {
                    homes.insert(one.name.clone(), one.offset);
                }
            }
            for one in &mut entry.holds {
                if let Some(offset) = homes.remove(&one.name) {
                    one.home = true;
                    if offset != one.offset {
                        self.unsettled.insert(one.name.clone());
                    }
                }
            }
            // Those left lose their home.
            self.unsettled.extend(homes.into_keys());
            self.released.extend(old.holds.into_iter().map(|one| one.name));
        }
        self.catalogue.put(path.to_owned(), entry);
    }
}
