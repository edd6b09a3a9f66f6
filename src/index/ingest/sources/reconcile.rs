//! Reconciliation of indexed documents with files that moved, changed or vanished, and with threads
//! that turned out to be one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tantivy::schema::Term;

use crate::index::document::summary_store::Heads;
use crate::index::engine::living;
use crate::index::error::Error;
use crate::index::ingest::formats::flags;
use crate::index::ingest::sources::build::Build;
use crate::index::ingest::sources::catalogue::{Entry, Holding, Name, Shape};
use crate::index::ingest::sources::plan::is_gone;
use crate::index::ingest::sources::pool::Told;
use crate::index::ingest::sources::threads::Threads;
use crate::index::ingest::sources::walk::Found;
use crate::index::writer::Sink;

/// Path of the entry that holds what was released, in a catalogue that a commit on the way names.
const RELEASED: &str = "";

impl Build<'_> {
    /// Takes up what a killed build had released, and gives files that were renamed their names.
    pub(crate) fn rename(&mut self, moved: Vec<(PathBuf, Found)>) {
        if let Some(left) = self.catalogue.take(Path::new(RELEASED)) {
            self.released.extend(left.holds.into_iter().map(|one| one.name));
        }
        let taken: Vec<_> = moved
            .into_iter()
            .filter_map(|(from, found)| {
                let same = from.file_name() == found.path.file_name();
                Some((self.catalogue.take(&from)?, found, same))
            })
            .collect();
        for (mut entry, found, same) in taken {
            // What was under that name before was written over.
            if let Some(lost) = self.catalogue.take(&found.path) {
                self.let_go(lost);
            }
            if entry.shape == Shape::File && !same {
                // By its name it is another kind of file, perhaps, and called otherwise for sure.
                (entry.content, entry.fresh) = (0, true);
                self.catalogue.put(found.path.clone(), entry);
                self.todo.push_back(found);
                continue;
            }
            let homes = entry.holds.iter().filter(|one| one.home);
            self.unsettled.extend(homes.map(|one| one.name.clone()));
            self.report.unchanged += entry.holds.len() as u64;
            self.catalogue.put(found.path, entry);
        }
    }

    /// Counts what nothing could be made of. A file of that kind is read again, and named again, by
    /// the next build, like one that could not be opened.
    pub(crate) fn tell(&mut self, told: Vec<Told>) {
        for told in told {
            let skipped = match told {
                Told::Failed(skipped) => skipped,
                Told::Part(part) => {
                    self.report.skip(&part.path, part.offset, part.why);
                    continue;
                }
                Told::Cut(cut) => {
                    self.report.cut(cut);
                    continue;
                }
            };
            self.report.added = self.report.added.saturating_sub(1);
            if skipped.offset.is_none()
                && let Some(entry) = self.catalogue.take(&skipped.path)
            {
                for one in entry.holds {
                    self.catalogue.release(&one.name);
                }
            }
            self.report.skip(&skipped.path, skipped.offset, skipped.why);
        }
    }

    /// Releases what a file held that is no more.
    fn let_go(&mut self, entry: Entry) {
        for one in entry.holds {
            if one.home {
                self.unsettled.insert(one.name.clone());
            }
            self.released.push(one.name);
        }
    }

    /// Before a commit on the way: what is released is still held, by nothing else.
    pub(crate) fn park(&mut self) {
        if self.released.is_empty() {
            return;
        }
        let holds = self.released.iter();
        let holds = holds.map(|name| Holding { name: name.clone(), offset: 0, home: false });
        let entry = Entry { holds: holds.collect(), ..Entry::default() };
        self.catalogue.put(PathBuf::from(RELEASED), entry);
    }

    /// At the end: documents that no file holds any more leave the index.
    pub(crate) fn remove(&mut self, sink: Sink<'_>) {
        self.catalogue.files.remove(Path::new(RELEASED));
        for path in std::mem::take(&mut self.gone.paths) {
            if let Some(entry) = self.catalogue.take(&path) {
                self.let_go(entry);
            }
        }
        for name in std::mem::take(&mut self.released) {
            if self.catalogue.release(&name) {
                sink.delete(&name.id());
                self.unsettled.remove(&name);
                self.report.removed += 1;
            }
        }
    }

    /// Of documents that turned up a second time, those whose first file is gone have moved.
    pub(crate) fn doubt(&mut self) {
        let names = std::mem::take(&mut self.doubted);
        if names.is_empty() {
            return;
        }
        let is_home = |one: &Holding| one.home && names.contains(&one.name);
        let (mut moved, mut empty) = (Vec::new(), Vec::new());
        for (path, entry) in &mut self.catalogue.files {
            if !entry.holds.iter().any(is_home) || !is_gone(path) {
                continue;
            }
            moved.extend(entry.holds.iter().filter(|one| is_home(one)).map(|one| one.name.clone()));
            entry.holds.retain(|one| !is_home(one));
            // Should it come back, it is read.
            entry.fresh = true;
            if entry.holds.is_empty() {
                empty.push(path.clone());
            }
        }
        self.catalogue.changed |= !moved.is_empty();
        for name in moved {
            self.catalogue.release(&name);
            self.unsettled.insert(name);
        }
        for path in empty {
            self.catalogue.files.remove(&path);
        }
    }

    /// Tells documents of the last commit where they are, and what their folder says of them.
    pub(crate) fn settle(&mut self, sink: Sink<'_>) -> Result<(), Error> {
        self.settled = false;
        let names = std::mem::take(&mut self.unsettled);
        if names.is_empty() {
            return Ok(());
        }
        // The file that a document says it came from, or else one that holds it.
        let mut homes: HashMap<&Name, (&PathBuf, usize, bool)> = HashMap::new();
        for (path, entry) in &self.catalogue.files {
            for (at, one) in entry.holds.iter().enumerate() {
                if let Some(name) = names.get(&one.name)
                    && homes.get(name).is_none_or(|(.., home)| one.home && !home)
                {
                    homes.insert(name, (path, at, one.home));
                }
            }
        }
        let homes: Vec<_> = homes.into_values().map(|(path, at, _)| (path.clone(), at)).collect();
        for (path, at) in homes {
            let Some(entry) = self.catalogue.files.get_mut(&path) else { continue };
            let shape = entry.shape;
            let Some(one) = entry.holds.get_mut(at) else { continue };
            self.catalogue.changed |= !one.home;
            one.home = true;
            let mut document = match self.index.show(&one.name.id()) {
                Ok(document) => document,
                // Somebody removed it.
                Err(Error::UnknownId(_)) => continue,
                Err(error) => return Err(error),
            };
            let offset = matches!(shape, Shape::Mbox | Shape::Lines).then_some(one.offset);
            let flags = match shape {
                Shape::Mail => flags::of_maildir(&path).unwrap_or_default(),
                _ => document.flags.clone(),
            };
            let is = (document.path.as_deref(), document.offset, &document.flags);
            if is == (Some(path.as_path()), offset, &flags) {
                continue;
            }
            document.path = Some(path.into());
            document.offset = offset;
            document.flags = flags;
            sink.delete(&document.id);
            sink.send(document)?;
            self.report.updated += 1;
            self.settled = true;
        }
        Ok(())
    }

    /// Tells documents of the last commit whose thread has turned out to be a part of another one.
    /// False when there were none.
    pub(crate) fn join(&self, threads: &Threads, sink: Sink<'_>) -> Result<bool, Error> {
        let mut any = false;
        for (part, whole) in threads.parts() {
            let term = Term::from_field_text(self.index.fields.thread, &part);
            let ids = self.index.ask(|searcher| {
                let heads = Heads::default();
                let members = living(searcher, &term)?.into_iter();
                members.map(|address| Ok(heads.get(searcher, address)?.id)).collect()
            });
            let ids: Vec<String> = ids?;
            for id in ids {
                let mut document = self.index.show(&id)?;
                document.thread.clone_from(&whole);
                sink.delete(&id);
                sink.send(document)?;
                any = true;
            }
        }
        Ok(any)
    }
}
