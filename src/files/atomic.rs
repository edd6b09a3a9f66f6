//! Files that appear when they are complete, and what becomes of those in their place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::files::folder::{folder_of, sync_folder};
use crate::files::kept;
use crate::files::temporary::{Access, Temporary};

/// Treatment of a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Fail with [`io::ErrorKind::AlreadyExists`], atomically.
    Keep,
    /// Take its place. A secret key in it that the new file does not hold is kept beside it.
    Replace,
    /// Take its place, and nothing of it stays: for files of the program's own, and for the same
    /// secret under another lock.
    Overwrite,
}

/// A file under way: it has no name, or where the system knows no such files a random one beside
/// its place, and goes away when dropped. [`AtomicFile::commit`] makes it durable and gives it its
/// name.
#[derive(Debug)]
pub struct AtomicFile {
    temporary: Temporary,
    path: PathBuf,
    existing: Existing,
    /// Whatever [`Existing::Replace`] replaces counts as a secret key.
    precious: bool,
}

impl AtomicFile {
    /// Begins a file that is to appear at `path`, in a folder that exists.
    pub fn create(path: &Path, existing: Existing, access: Access) -> io::Result<Self> {
        if existing == Existing::Keep && fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let temporary = Temporary::create(path, access)?;
        Ok(Self { temporary, path: path.to_owned(), existing, precious: false })
    }

    /// Takes the place for one of secret keys: what [`Existing::Replace`] replaces there is kept,
    /// whatever it looks like.
    #[must_use]
    pub fn precious(self) -> Self {
        Self { precious: true, ..self }
    }

    /// Syncs the bytes, gives the file its name, syncs the folder. Returns where the secret key is
    /// kept that was there.
    pub fn commit(self) -> io::Result<Option<PathBuf>> {
        let folder = folder_of(&self.path).to_owned();
        self.sync()?;
        let kept = self.name()?;
        sync_folder(&folder)?;
        Ok(kept)
    }

    /// Syncs the bytes.
    pub fn sync(&self) -> io::Result<()> {
        self.temporary.file().sync_all()
    }

    /// Another handle of the file, to write and read it anywhere while it is under way.
    pub fn handle(&self) -> io::Result<File> {
        self.temporary.file().try_clone()
    }

    /// The same as [`name`](Self::name), with another last component than it was begun with.
    pub fn name_beside(mut self, name: &str) -> io::Result<Option<PathBuf>> {
        self.path.set_file_name(name);
        self.name()
    }

    /// Gives a file its name that was [synced](Self::sync). The name is durable when the caller
    /// has called [`sync_folder`], once for as many files as they like. Returns where the secret
    /// key is kept that was there, which is durable.
    pub fn name(self) -> io::Result<Option<PathBuf>> {
        if self.existing == Existing::Keep {
            return self.temporary.name(&self.path).map(|()| None);
        }
        match self.temporary.name_or_beside(&self.path)? {
            None => Ok(None),
            Some((file, beside)) if self.existing == Existing::Replace => {
                replace(beside, &file, &self.path, self.precious)
            }
            Some((_, beside)) => take_place(beside, &self.path),
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

impl Write for AtomicFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.temporary.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a whole private file in one atomic step, in place of what was there. For files of the
/// program's own: see [`Existing::Overwrite`].
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path, Existing::Overwrite, Access::Private)?;
    file.write_all(bytes)?;
    file.commit().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::is_exposed;

    #[test]
    fn a_dropped_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = AtomicFile::create(&path, Existing::Keep, Access::Umask).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_existing_file_is_kept_even_when_it_appears_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = AtomicFile::create(&path, Existing::Keep, Access::Umask).unwrap();
        file.write_all(b"new").unwrap();
        fs::write(&path, "old").unwrap();
        assert_eq!(file.commit().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        replace_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!is_exposed(&File::open(&path).unwrap()).unwrap());
    }

    /// Both kinds of temporary files, whatever this system has.
    #[test]
    fn named_and_unnamed_files_appear_alike() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |name: &str, existing, access, unnamed: bool| {
            let path = folder.path().join(name);
            let mut file = AtomicFile::create(&path, existing, access).unwrap();
            if !unnamed {
                file.temporary = Temporary::create_named(&path, access).unwrap();
            }
            file.write_all(name.as_bytes()).unwrap();
            (file, path)
        };
        for (unnamed, name) in [(true, "one"), (false, "two")] {
            let (file, path) = begin(name, Existing::Keep, Access::Private, unnamed);
            assert!(!path.exists());
            file.commit().unwrap();
            assert_eq!(fs::read(&path).unwrap(), name.as_bytes());
            assert!(!is_exposed(&File::open(&path).unwrap()).unwrap());
            let (file, path) = begin(name, Existing::Replace, Access::Umask, unnamed);
            assert_eq!(file.commit().unwrap(), None);
            let umask = fs::metadata(folder.path().join("umask")).map(|m| m.permissions());
            let umask = umask.or_else(|_| {
                File::create(folder.path().join("umask"))?.metadata().map(|m| m.permissions())
            });
            assert_eq!(fs::metadata(&path).unwrap().permissions(), umask.unwrap());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    /// Both kinds of temporary files, and a key that another process puts there meanwhile.
    #[test]
    fn a_secret_key_that_is_replaced_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let key = |number: u32| format!("BULLA-SECRET-KEY-1{number}\n");
        let commit = |text: &str, existing, unnamed: bool| {
            let mut file = AtomicFile::create(&path, existing, Access::Private).unwrap();
            if !unnamed {
                file.temporary = Temporary::create_named(&path, Access::Private).unwrap();
            }
            file.write_all(text.as_bytes()).unwrap();
            file.commit().unwrap()
        };
        for unnamed in [true, false] {
            fs::write(&path, key(0)).unwrap();
            let kept = commit("a letter", Existing::Replace, unnamed).unwrap();
            assert_eq!(fs::read_to_string(&kept).unwrap(), key(0));
            assert_eq!(fs::read_to_string(&path).unwrap(), "a letter");
            assert_eq!(commit(&key(0), Existing::Replace, unnamed), None);
            assert_eq!(commit(&format!("# same\n{}", key(0)), Existing::Replace, unnamed), None);
            assert_eq!(commit(&key(1), Existing::Overwrite, unnamed), None);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        fs::write(&path, key(0)).unwrap();
        std::thread::scope(|scope| {
            for number in 1..=8 {
                let text = key(number);
                scope.spawn(move || commit(&text, Existing::Replace, number % 2 == 0));
            }
        });
        let all =
            fs::read_dir(folder.path()).unwrap().map(|e| fs::read_to_string(e.unwrap().path()));
        let all: Vec<String> = all.map(Result::unwrap).collect();
        for number in 0..=8 {
            assert!(all.contains(&key(number)), "{number}");
        }
    }
}
