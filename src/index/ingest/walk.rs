//! Walks folders, and says what it could not enter.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use walkdir::WalkDir;

use super::catalogue::Stat;
use super::{BuildOptions, Skipped};
use crate::files;
use crate::index::Error;

/// The file of a folder that says what in it and below is left out.
const EXCLUDES: &str = ".bullaignore";
/// Longest such file that is read, in bytes.
const EXCLUDES_MAX: u64 = 1 << 20;

/// A regular file.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
}

impl Found {
    /// When it was changed, in seconds since 1970.
    pub(super) fn modified(&self) -> i64 {
        self.stat.modified.div_euclid(1_000_000_000)
    }
}

impl Stat {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |time: SystemTime| match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
        };
        #[cfg(unix)]
        let (device, inode) = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let (device, inode) = (0, 0);
        let modified = metadata.modified().map(nanoseconds).unwrap_or_default();
        Self { size: metadata.len(), modified, device, inode }
    }
}

/// What is left out, in the syntax of `.gitignore`: by patterns given, and by [`EXCLUDES`].
struct Excludes {
    given: Gitignore,
    /// Those of the folders above the one at hand, with their depths.
    within: Vec<(usize, Gitignore)>,
}

impl Excludes {
    fn new(root: &Path, patterns: &[String]) -> Result<Self, ignore::Error> {
        let mut builder = GitignoreBuilder::new(root);
        for pattern in patterns {
            builder.add_line(None, pattern)?;
        }
        Ok(Self { given: builder.build()?, within: Vec::new() })
    }

    /// Whether an entry of a folder is left out; a folder that is not is entered next.
    fn leave_out(&mut self, path: &Path, depth: usize, folder: bool) -> bool {
        while self.within.last().is_some_and(|(above, _)| *above >= depth) {
            self.within.pop();
        }
        let within = self.within.iter().rev().map(|(_, excludes)| excludes);
        // The nearest word counts, and what was typed counts most.
        let word = std::iter::once(&self.given)
            .chain(within)
            .map(|excludes| excludes.matched(path, folder))
            .find(|word| !word.is_none());
        if depth > 0 && word.is_some_and(|word| word.is_ignore()) {
            return true;
        }
        let file = path.join(EXCLUDES);
        if folder && file.metadata().is_ok_and(|m| m.is_file() && m.len() <= EXCLUDES_MAX) {
            let mut builder = GitignoreBuilder::new(path);
            // A pattern that is none leaves nothing out.
            let _ = builder.add(&file);
            self.within.extend(builder.build().ok().map(|excludes| (depth, excludes)));
        }
        false
    }
}

/// Whether all of these can be patterns; the first that cannot, and why.
pub(super) fn check(patterns: &[String]) -> Result<(), (String, String)> {
    for pattern in patterns {
        Excludes::new(Path::new("/"), std::slice::from_ref(pattern))
            .map_err(|error| (pattern.clone(), error.to_string()))?;
    }
    Ok(())
}

/// Visits the regular files under `root`, in order of their names, without the index itself, what
/// is left out, and messages that a Maildir is still taking in.
pub(super) fn walk(
    root: &Path,
    index: &Path,
    options: &BuildOptions,
    mut visit: impl FnMut(Result<Found, Skipped>),
) -> Result<(), Error> {
    let mut excludes = Excludes::new(root, &options.exclude).map_err(|error| Error::Pattern {
        pattern: options.exclude.join(" "),
        why: error.to_string(),
    })?;
    let walker = WalkDir::new(root).follow_links(options.follow_links).sort_by_file_name();
    let mut entries = walker.into_iter();
    while let Some(entry) = entries.next() {
        let skip =
            |path: &Path, why: String| Err(Skipped { path: path.to_owned(), offset: None, why });
        if let Ok(entry) = &entry {
            let folder = entry.file_type().is_dir();
            let left = folder
                && (files::same_file(entry.path(), index) || is_maildir_tmp(entry.path()))
                || excludes.leave_out(entry.path(), entry.depth(), folder);
            if left && folder {
                entries.skip_current_dir();
            }
            if left || folder {
                continue;
            }
        }
        let found = match entry {
            // Links that are not followed are somebody else's files.
            Ok(entry) if entry.file_type().is_symlink() => continue,
            Ok(entry) if !entry.file_type().is_file() => {
                skip(entry.path(), "not a regular file".into())
            }
            Ok(entry) => match entry.metadata() {
                Ok(metadata) => Ok(Found { stat: Stat::of(&metadata), path: entry.into_path() }),
                Err(error) => skip(entry.path(), error.to_string()),
            },
            Err(error) => {
                let why = match (error.loop_ancestor(), error.io_error()) {
                    (Some(above), _) => format!("a link back to {}", above.display()),
                    (None, Some(io)) => io.to_string(),
                    (None, None) => error.to_string(),
                };
                skip(error.path().unwrap_or(root), why)
            }
        };
        visit(found);
    }
    Ok(())
}

/// `tmp` beside `cur` and `new`.
fn is_maildir_tmp(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tmp")
        && path
            .parent()
            .is_some_and(|folder| folder.join("cur").is_dir() && folder.join("new").is_dir())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(root: &Path, exclude: &[&str]) -> Vec<String> {
        let exclude = exclude.iter().map(|one| (*one).to_owned()).collect();
        let options = BuildOptions { exclude, ..BuildOptions::default() };
        let mut names = Vec::new();
        walk(root, Path::new("/nowhere"), &options, |found| {
            let path = found.unwrap().path;
            names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        })
        .unwrap();
        names
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for name in ["a.txt", "b.log", "sub/c.log", "sub/d.txt", "sub/keep.log", "target/e.txt"] {
            put(name, "");
        }
        put(".bullaignore", "*.log\n/target/\n");
        put("sub/.bullaignore", "!keep.log\n# a comment\n");
        let all = [".bullaignore", "a.txt", "sub/.bullaignore", "sub/d.txt", "sub/keep.log"];
        assert_eq!(names(folder.path(), &[]), all);
        assert_eq!(names(folder.path(), &["sub"]), [".bullaignore", "a.txt"]);
        assert_eq!(names(folder.path(), &["*.txt", "!b.log", ".*"]), ["b.log", "sub/keep.log"]);
        assert!(check(&["*.txt".into()]).is_ok());
        assert_eq!(check(&["ok".into(), "{a,b".into()]).unwrap_err().0, "{a,b");
    }
}
