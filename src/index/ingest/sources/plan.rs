//! What there is to do: which files are new, changed, moved, gone.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::index::error::Error;
use crate::index::ingest::options::BuildOptions;
use crate::index::ingest::report::Report;
use crate::index::ingest::sources::catalogue::{Catalogue, Entry, Shape, Stat};
use crate::index::ingest::sources::walk::{Found, walk};

/// The outcome of a walk against the catalogue.
#[derive(Default)]
pub(crate) struct Plan {
    /// Files to read, in the order they were met.
    pub(crate) todo: Vec<Found>,
    /// Files that are no more, by what of them may turn up elsewhere.
    pub(crate) gone: Gone,
    /// Files that were renamed: from where, to which.
    pub(crate) moved: Vec<(PathBuf, Found)>,
}

/// Files that are no more.
#[derive(Default)]
pub(crate) struct Gone {
    pub(crate) paths: HashSet<PathBuf>,
    by_stat: HashMap<Stat, PathBuf>,
    by_content: HashMap<u128, PathBuf>,
    /// Files that were not looked for: of those that are gone too nothing is known but that what they
    /// held may turn up, when the folder they were in was itself renamed.
    away: Away,
}

#[derive(Default)]
struct Away {
    by_stat: HashMap<Stat, PathBuf>,
    by_content: HashMap<u128, PathBuf>,
}

impl Gone {
    fn add(&mut self, path: &Path, entry: &Entry) {
        if entry.stat.inode != 0 && !entry.fresh {
            self.by_stat.insert(entry.stat, path.to_owned());
        }
        if entry.shape == Shape::File && !entry.holds.is_empty() {
            self.by_content.insert(entry.content, path.to_owned());
        }
        self.paths.insert(path.to_owned());
    }

    fn add_away(&mut self, path: &Path, entry: &Entry) {
        if entry.stat.inode != 0 && !entry.fresh {
            self.away.by_stat.insert(entry.stat, path.to_owned());
        }
        if entry.shape == Shape::File && !entry.holds.is_empty() {
            self.away.by_content.insert(entry.content, path.to_owned());
        }
    }

    /// The one that looked like this: it has another name now.
    fn renamed(&mut self, stat: &Stat) -> Option<PathBuf> {
        match self.by_stat.remove(stat) {
            Some(path) => self.paths.remove(&path).then_some(path),
            None => self.away.by_stat.remove(stat).filter(|path| is_gone(path)),
        }
    }

    /// The one that held this: it was taken elsewhere.
    pub(crate) fn taken(&mut self, content: u128) -> Option<PathBuf> {
        match self.by_content.remove(&content) {
            Some(path) => self.paths.remove(&path).then_some(path),
            None => self.away.by_content.remove(&content).filter(|path| is_gone(path)),
        }
    }
}

/// Walks below `roots` (absolute) and compares. What is unchanged is counted in the report.
pub(crate) fn plan(
    roots: &[PathBuf],
    index: &Path,
    options: &BuildOptions,
    catalogue: &Catalogue,
    report: &mut Report,
) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    let mut met: HashSet<PathBuf> = HashSet::new();
    let mut changed: Vec<Found> = Vec::new();
    let mut empty: Vec<&PathBuf> = Vec::new();
    for root in roots {
        let before = met.len();
        let mut troubled = false;
        walk(root, index, options, |found| match found {
            // Below two of the roots, it is read once.
            Ok(found) if met.insert(found.path.clone()) => match catalogue.get(&found.path) {
                Some(entry) if entry.stat == found.stat && !entry.fresh && !options.reread => {
                    report.unchanged += entry.holds.len() as u64;
                    entry.binary.into_iter().for_each(|kind| report.binary(kind));
                }
                _ => changed.push(found),
            },
            Ok(_) => {}
            Err(skipped) => {
                troubled = true;
                report.skip(&skipped.path, None, skipped.why);
            }
        })?;
        if met.len() == before && !troubled && root.is_dir() {
            empty.push(root);
        }
    }
    for (path, entry) in &catalogue.files {
        let below = roots.iter().any(|root| path.starts_with(root));
        if below && !met.contains(path) && is_gone(path) {
            plan.gone.add(path, entry);
        } else if !below && !changed.is_empty() {
            plan.gone.add_away(path, entry);
        }
    }
    // A disk that is not there looks like a folder somebody emptied.
    for root in empty {
        let lost = plan.gone.paths.iter().filter(|path| path.starts_with(root)).count();
        if lost > 1 && !options.reread {
            plan.gone.paths.retain(|path| !path.starts_with(root));
            let why = format!("it is empty, and held {lost} files: nothing was removed");
            report.skip(root, None, why);
        }
    }
    // The names of files that are kept lead to none of those any more.
    for found in changed {
        match plan.gone.renamed(&found.stat).filter(|_| !options.reread) {
            Some(from) => plan.moved.push((from, found)),
            None => plan.todo.push(found),
        }
    }
    Ok(plan)
}

/// Whether there is no such file any more. One that cannot be looked at may be there.
pub(crate) fn is_gone(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(_) => false,
        Err(error) => {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        }
    }
}
