//! Driver of a build: plans, reads in as many commits as it takes, and reconciles.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tantivy::SegmentReader;
use tantivy::index::SegmentId;

use crate::index::error::Error;
use crate::index::ingest::options::{BuildOptions, COMMIT_EVERY};
use crate::index::ingest::report::Report;
use crate::index::ingest::sources::build::Build;
use crate::index::ingest::sources::catalogue::Catalogue;
use crate::index::ingest::sources::pool::Pool;
use crate::index::ingest::sources::threads::Threads;
use crate::index::ingest::sources::{plan, walk};
use crate::index::writer::Writer;
use crate::progress::Progress;

/// A segment of fewer documents than this part of all holds little.
const LITTLE: u64 = 16;
/// Files to read for which it is worth reading every id in the index first.
const MANY: usize = 64;

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
        let catalogue = Catalogue::load(index)?;
        let mut report = Report::default();
        let plan = plan::plan(&roots, index.folder(), options, &catalogue, &mut report)?;
        progress.total(plan.todo.iter().map(|found| found.stat.size).sum());
        let much =
            plan.todo.len() >= MANY || plan.todo.iter().any(|found| found.stat.size > COMMIT_EVERY);
        if much {
            self.read_ids()?;
        }
        let threads = Threads::of(index, much)?;
        let mut build = Build::new(index, options, progress, catalogue, report);
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
    fn read_some(&mut self, build: &mut Build<'_>, threads: &Threads) -> Result<bool, Error> {
        let (index, ended) = (self.index, Arc::default());
        let (sink, mut known) = self.split();
        let more = thread::scope(|scope| {
            let pool = Pool::start(scope, sink, &ended, (index, threads))?;
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
    fn commit_with(&mut self, catalogue: &mut Catalogue) -> Result<(), Error> {
        if catalogue.changed {
            self.catalogue = Some(catalogue.store(self.index)?);
        }
        self.commit()
    }
}
