//! Folders: private, closed to others, and their names made durable.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Creates a folder and its parents for the owner alone (0700).
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Creates a folder that is for this program's state alone, and its parents (0700). One that is
/// there and belongs to this user is closed to all others.
pub(crate) fn create_state_folder(path: &Path) -> io::Result<()> {
    create_private_folder(path)?;
    restrict_folder(path)
}

/// Closes a folder of this user to all others (0700).
pub(crate) fn restrict_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let there = fs::metadata(path)?;
        let ours = there.uid() == rustix::process::geteuid().as_raw();
        if ours && there.mode() & 0o077 != 0 {
            // A file system that knows no modes, or is read-only, is no reason to refuse the state.
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
        }
    }
    Ok(())
}

/// Returns the folder a path lies in; `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
