//! Walks folders, and says what it could not enter.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use walkdir::WalkDir;

use super::{BuildOptions, Skipped};
use crate::files;
use crate::index::Error;

/// A regular file.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    /// Seconds since 1970.
    pub(super) modified: Option<i64>,
}

/// Visits the regular files under `root`, in order of their names, without the index itself
/// and without messages that a Maildir is still taking in.
pub(super) fn walk(
    root: &Path,
    index: &Path,
    options: &BuildOptions,
    mut visit: impl FnMut(Result<Found, Skipped>) -> Result<(), Error>,
) -> Result<(), Error> {
    let walker = WalkDir::new(root).follow_links(options.follow_links).sort_by_file_name();
    let entries = walker.into_iter().filter_entry(|entry| {
        !entry.file_type().is_dir()
            || !(files::same_file(entry.path(), index) || is_maildir_tmp(entry.path()))
    });
    for entry in entries {
        let skip =
            |path: &Path, why: String| Err(Skipped { path: path.to_owned(), offset: None, why });
        let found = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            // Links that are not followed are somebody else's files.
            Ok(entry) if entry.file_type().is_symlink() => continue,
            Ok(entry) if !entry.file_type().is_file() => {
                skip(entry.path(), "not a regular file".into())
            }
            Ok(entry) => match entry.metadata() {
                Ok(metadata) => Ok(Found {
                    length: metadata.len(),
                    modified: metadata
                        .modified()
                        .ok()
                        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                        .and_then(|since| i64::try_from(since.as_secs()).ok()),
                    path: entry.into_path(),
                }),
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
        visit(found)?;
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
