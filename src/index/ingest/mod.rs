//! From files to documents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tantivy::SegmentReader;
use tantivy::index::SegmentId;

use crate::index::Error;
use crate::index::ingest::formats::detect;
use crate::index::ingest::sources::{build, catalogue, plan, pool, threads, walk};
use crate::index::writer::Writer;
use crate::progress::Progress;

mod formats;
mod sources;

pub use formats::catch_panic::is_panic_expected;
pub use formats::detect::Type;
pub use formats::pdf::{Pdf, PdfError, PdfReader};
pub use sources::original::{Lost, Original, Part};

/// Greatest file, and greatest message of an mbox, that is read unless told otherwise: 64 MiB.
pub const MAX_FILE: u64 = 64 << 20;
/// Bytes read between two commits unless told otherwise: some seconds of work. Each commit leaves a
/// segment or two, and every query opens every segment.
const COMMIT_EVERY: u64 = 256 << 20;
/// A segment of fewer documents than this part of all holds little.
const LITTLE: u64 = 16;
/// What was skipped is named so often; beyond that it is counted only.
const NAMED: usize = 1000;
/// Files to read for which it is worth reading every id in the index first.
const MANY: usize = 64;

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
    fn form(&self, form: detect::Form) -> detect::Form {
        if form == detect::PDF && self.pdf.is_none() { detect::PDF_UNREAD } else { form }
    }

    /// Whether files of a form are read.
    fn takes(&self, form: detect::Form) -> bool {
        self.types.is_empty() || form.r#type().is_some_and(|kind| self.types.contains(&kind))
    }
}

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
    /// Documents whose text is longer than [`MAX_BODY`](super::MAX_BODY), and is searched as far as that.
    pub cut: u64,
    /// The first thousand of these.
    pub named_cut: Vec<Skipped>,
    /// Files that hold no text, by kind: `image`, `archive`, …, `other`.
    pub binary: BTreeMap<&'static str, u64>,
    /// Bytes read.
    pub bytes: u64,
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
    fn skip(&mut self, path: &Path, offset: Option<u64>, why: impl ToString) {
        self.skipped += 1;
        if self.named.len() < NAMED {
            self.named.push(Skipped { path: path.to_owned(), offset, why: why.to_string() });
        }
    }

    fn cut(&mut self, cut: Skipped) {
        self.cut += 1;
        if self.named_cut.len() < NAMED {
            self.named_cut.push(cut);
        }
    }

    fn binary(&mut self, kind: u8) {
        let name = detect::BINARIES.get(usize::from(kind)).or(detect::BINARIES.last());
        *self.binary.entry(name.copied().unwrap_or_default()).or_default() += 1;
    }
}

impl Writer<'_> {
    /// Indexes files and folders: mbox (packed ones too), Maildir, mail, HTML, Markdown, source
    /// code, text, lines of JSON, and PDF if the options say who reads it. A file that cannot be read is named in the report and never fatal.
    ///
    /// The index remembers each file. Those that look as they did (length, time, number) are not
    /// read again; an mbox that only grew is read from where it ended; of a file that was renamed the
    /// documents are told so, also when its folder was; what no file below these paths holds any more
    /// is removed. A document that was removed by hand stays away while its file is as it was.
    ///
    /// `progress` counts bytes. Every 256 MiB are committed unless told otherwise, and so is the end.
    pub fn build(
        &mut self,
        paths: &[PathBuf],
        options: &BuildOptions,
        progress: &dyn Progress,
    ) -> Result<Report, Error> {
        let index = self.index;
        walk::check(&options.exclude).map_err(|(pattern, why)| Error::Pattern { pattern, why })?;
        // Absolute, so that a hit is found from any working folder.
        let roots = paths.iter().map(|path| std::path::absolute(path).map_err(Error::io(path)));
        let roots = roots.collect::<Result<Vec<_>, _>>()?;
        let catalogue = catalogue::Catalogue::load(index)?;
        let mut report = Report::default();
        let plan = plan::plan(&roots, index.folder(), options, &catalogue, &mut report)?;
        progress.total(plan.todo.iter().map(|found| found.stat.size).sum());
        let much =
            plan.todo.len() >= MANY || plan.todo.iter().any(|found| found.stat.size > COMMIT_EVERY);
        if much {
            self.read_ids()?;
        }
        let threads = threads::Threads::of(index, much)?;
        let mut build = build::Build::new(index, options, progress, catalogue, report);
        build.gone = plan.gone;
        build.todo = plan.todo.into();
        build.rename(plan.moved);
        build.settle(self.split().0)?;
        while self.read_some(&mut build, &threads)? {
            build.mark();
            build.park();
            self.commit_with(&mut build.catalogue)?;
        }
        build.remove(self.split().0);
        build.doubt();
        self.all = None;
        self.commit_with(&mut build.catalogue)?;
        build.settle(self.split().0)?;
        if build.catalogue.changed || build.settled {
            self.commit_with(&mut build.catalogue)?;
        }
        if build.join(&threads, self.split().0)? {
            self.commit_with(&mut build.catalogue)?;
            self.gather()?;
        }
        Ok(build.report)
    }

    /// Makes one segment of those that hold little, so that a search has fewer to open: what was left
    /// when a commit came, and what was told of its thread at the end.
    fn gather(&mut self) -> Result<(), Error> {
        let searcher = self.index.reader.searcher();
        let little =
            |reader: &&SegmentReader| u64::from(reader.num_docs()) * LITTLE < searcher.num_docs();
        let segments = searcher.segment_readers().iter().filter(little);
        let segments: Vec<SegmentId> = segments.map(SegmentReader::segment_id).collect();
        if segments.len() > 1 {
            let merged = self.engine.merge(&segments).wait();
            self.index.checked(merged)?;
            self.index.reload()?;
        }
        Ok(())
    }

    /// Reads as much as one commit takes. False when all is read.
    fn read_some(
        &mut self,
        build: &mut build::Build<'_>,
        threads: &threads::Threads,
    ) -> Result<bool, Error> {
        let (index, ended) = (self.index, Arc::default());
        let (sink, mut known) = self.split();
        let more = thread::scope(|scope| {
            let pool = pool::Pool::start(scope, sink, &ended, (index, threads))?;
            let more = build.read(&pool, &mut known, build.options.commit_every.max(1));
            build.tell(pool.finish());
            more
        });
        ended.take()?;
        threads.send_waiting(sink)?;
        build.uncommitted = 0;
        more
    }

    /// Commits, and the catalogue with it.
    fn commit_with(&mut self, catalogue: &mut catalogue::Catalogue) -> Result<(), Error> {
        if catalogue.changed {
            self.catalogue = Some(catalogue.store(self.index)?);
        }
        self.commit()
    }
}
