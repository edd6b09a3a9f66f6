//! Walks folders, and says what it could not enter.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use walkdir::WalkDir;

use crate::files;
use crate::index::error::Error;
use crate::index::ingest::options::BuildOptions;
use crate::index::ingest::report::Skipped;
use crate::index::ingest::sources::catalogue::Stat;

/// The file of a folder that says what in it and below is left out.
const EXCLUDES: &str = ".bullaignore";
/// The same of git, which is read when it is asked for, and the folder that git keeps to itself.
const GIT_EXCLUDES: &str = ".gitignore";
const GIT: &str = ".git";
/// Folders above one that is given in which a repository is looked for.
const ABOVE: usize = 64;
/// Longest such file that is read, in bytes.
const EXCLUDES_MAX: u64 = 1 << 20;

/// A regular file.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) stat: Stat,
}

impl Found {
    /// When it was changed, in seconds since 1970.
    pub(crate) fn modified(&self) -> i64 {
        self.stat.modified.div_euclid(1_000_000_000)
    }
}

impl Stat {
    pub(crate) fn of(metadata: &Metadata) -> Self {
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

/// What is left out, in the syntax of `.gitignore`: by patterns given, by [`EXCLUDES`], and by
/// [`GIT_EXCLUDES`] if that is asked for.
struct Excludes {
    given: Gitignore,
    git: bool,
    /// What the repository says above the root.
    above: Vec<Gitignore>,
    /// Those of the folders above the one at hand, with their depths.
    within: Vec<(usize, Gitignore)>,
}

impl Excludes {
    fn new(root: &Path, patterns: &[String], git: bool) -> Result<Self, ignore::Error> {
        let mut builder = GitignoreBuilder::new(root);
        for pattern in patterns {
            builder.add_line(None, pattern)?;
        }
        let above = if git { above(root) } else { Vec::new() };
        Ok(Self { given: builder.build()?, git, above, within: Vec::new() })
    }

    /// Whether an entry of a folder is left out; a folder that is not is entered next.
    fn leave_out(&mut self, path: &Path, depth: usize, folder: bool) -> bool {
        while self.within.last().is_some_and(|(above, _)| *above >= depth) {
            self.within.pop();
        }
        if self.git && folder && depth > 0 && path.file_name().is_some_and(|name| name == GIT) {
            return true;
        }
        let within = self.within.iter().rev().map(|(_, excludes)| excludes);
        // The nearest word counts, and what was typed counts most.
        let word = std::iter::once(&self.given)
            .chain(within)
            .chain(&self.above)
            .map(|excludes| excludes.matched(path, folder))
            .find(|word| !word.is_none());
        if depth > 0 && word.is_some_and(|word| word.is_ignore()) {
            return true;
        }
        if folder {
            // Ours comes last, and so counts before git's.
            let git = self.git.then(|| excludes_of(path, GIT_EXCLUDES)).flatten();
            let all = git.into_iter().chain(excludes_of(path, EXCLUDES));
            self.within.extend(all.map(|excludes| (depth, excludes)));
        }
        false
    }
}

/// What a file of a folder says, if there is one.
fn excludes_of(folder: &Path, name: &str) -> Option<Gitignore> {
    let file = folder.join(name);
    file.metadata().ok().filter(|m| m.is_file() && m.len() <= EXCLUDES_MAX)?;
    let mut builder = GitignoreBuilder::new(folder);
    // A pattern that is none leaves nothing out.
    let _ = builder.add(&file);
    builder.build().ok()
}

/// What the repository that a folder lies in says above it, the nearest first; nothing where it lies
/// in none, or is its top.
fn above(root: &Path) -> Vec<Gitignore> {
    let is_top = |folder: &Path| folder.join(GIT).symlink_metadata().is_ok();
    let mut said = Vec::new();
    if is_top(root) {
        return said;
    }
    for folder in root.ancestors().skip(1).take(ABOVE) {
        said.extend(excludes_of(folder, GIT_EXCLUDES));
        if is_top(folder) {
            return said;
        }
    }
    Vec::new()
}

/// Whether all of these can be patterns; the first that cannot, and why.
pub(crate) fn check(patterns: &[String]) -> Result<(), (String, String)> {
    for pattern in patterns {
        Excludes::new(Path::new("/"), std::slice::from_ref(pattern), false)
            .map_err(|error| (pattern.clone(), error.to_string()))?;
    }
    Ok(())
}

/// Visits the regular files under `root`, in order of their names, without the index itself, what
/// is left out, and messages that a Maildir is still taking in.
pub(crate) fn walk(
    root: &Path,
    index: &Path,
    options: &BuildOptions,
    mut visit: impl FnMut(Result<Found, Skipped>),
) -> Result<(), Error> {
    let mut excludes =
        Excludes::new(root, &options.exclude, options.gitignore).map_err(|error| {
            Error::Pattern { pattern: options.exclude.join(" "), why: error.to_string() }
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
        names_with(root, &BuildOptions { exclude, ..BuildOptions::default() })
    }

    fn names_with(root: &Path, options: &BuildOptions) -> Vec<String> {
        let mut names = Vec::new();
        walk(root, Path::new("/nowhere"), options, |found| {
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

    #[test]
    fn what_git_leaves_out_is_left_out_when_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(".gitignore", "*.txt\n");
        put("repo/.git/config", "");
        put("repo/.gitignore", "*.log\n/target/\n/sub/odd\n");
        put("repo/sub/.gitignore", "!keep.log\n*.bak\n");
        put("repo/sub/.bullaignore", "!a.bak\n");
        for name in ["a.txt", "b.log", "target/c", "sub/keep.log", "sub/d.log", "sub/odd"] {
            put(&format!("repo/{name}"), "");
        }
        put("repo/sub/a.bak", "");
        put("repo/sub/b.bak", "");
        let root = folder.path().join("repo");
        let options = BuildOptions { gitignore: true, ..BuildOptions::default() };
        let sub = [".bullaignore", ".gitignore", "a.bak", "keep.log"];
        // What stands above the repository is not its.
        let mut all = vec![".gitignore".to_owned(), "a.txt".to_owned()];
        all.extend(sub.iter().map(|name| format!("sub/{name}")));
        assert_eq!(names_with(&root, &options), all);
        assert_eq!(names_with(&root.join("sub"), &options), sub);
        let found = names(&root, &[]);
        assert!(found.iter().any(|name| name == ".git/config"), "{found:?}");
        assert!(found.iter().any(|name| name == "target/c"), "{found:?}");
        // Typed words count most.
        let exclude = vec!["!b.log".to_owned()];
        let found = names_with(&root, &BuildOptions { exclude, ..options });
        assert!(found.iter().any(|name| name == "b.log"), "{found:?}");
    }
}
