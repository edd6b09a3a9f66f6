//! How a new file takes its name, and what becomes of the file that had it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::files::disk::Existing;
use crate::files::kept;
use crate::files::temporary::Temporary;

/// Gives a file its name. Returns where the secret key is kept, durably, that was there.
pub(super) fn name(
    file: Temporary,
    path: &Path,
    existing: Existing,
) -> io::Result<Option<PathBuf>> {
    if existing == Existing::Keep {
        return file.name(path).map(|()| None);
    }
    match (file.name_or_beside(path)?, existing) {
        (None, _) => Ok(None),
        (Some((_, beside)), Existing::Overwrite) => take_place(beside, path),
        (Some((file, beside)), existing) => {
            replace(beside, &file, path, existing == Existing::ReplacePrecious)
        }
    }
}

/// Renames a file, and whatever was at `path` is gone.
fn take_place(beside: TempPath, path: &Path) -> io::Result<Option<PathBuf>> {
    beside.persist(path).map(|()| None).map_err(|e| e.error)
}

/// Renames a file. A secret key at `path` that `new`, which is this file, does not hold is kept
/// under another name: durably before the new file is there, and also when another process put it
/// there at this very moment.
fn replace(
    beside: TempPath,
    new: &File,
    path: &Path,
    precious: bool,
) -> io::Result<Option<PathBuf>> {
    let new = kept::new(new)?;
    let kept = match kept::would_lose(path, &new, precious) {
        true => Some(kept::keep(path)?),
        false => None,
    };
    if !exchange(&beside, path) {
        take_place(beside, path)?;
        return Ok(kept);
    }
    // What was there has the name of the new file now, which it loses here.
    let is_kept = kept.as_ref().is_some_and(|kept| kept::is_same(&beside, kept));
    match !is_kept && kept::would_lose(&beside, &new, precious) {
        true => Ok(Some(kept::keep_moved(beside, path)?)),
        false => Ok(kept),
    }
}

/// Exchanges the names of two files in one step, where the system can.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> bool {
    false
}
