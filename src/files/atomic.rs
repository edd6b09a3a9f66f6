//! Files that appear when they are complete, and what becomes of those in their place.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::disk::{Access, Disk, Existing, Handle, Unnamed, publish};
use crate::files::folder::folder_of;
use crate::files::local::Folder;

/// A file under way: it has no name, or where the system knows no such files a random one beside
/// its place, and goes away when dropped. [`AtomicFile::commit`] makes it durable and gives it its
/// name.
#[derive(Debug)]
pub struct AtomicFile {
    folder: Arc<dyn Disk>,
    name: OsString,
    existing: Existing,
    file: Arc<dyn Handle>,
    unnamed: Box<dyn Unnamed>,
    length: u64,
}

impl AtomicFile {
    /// Begins a file that is to appear at `path`, in a folder that exists.
    pub fn create(path: &Path, existing: Existing, access: Access) -> io::Result<Self> {
        if existing == Existing::Keep && fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let folder = Folder::new(folder_of(path));
        Self::on(Arc::new(folder), name_in_folder(path).to_owned(), existing, access)
    }

    /// Begins a file of a folder.
    pub(crate) fn on(
        folder: Arc<dyn Disk>,
        name: OsString,
        existing: Existing,
        access: Access,
    ) -> io::Result<Self> {
        let (file, unnamed) = folder.begin(access)?;
        Ok(Self { folder, name, existing, file, unnamed, length: 0 })
    }

    /// Takes the place for one of secret keys: what [`Existing::Replace`] replaces there is kept,
    /// whatever it looks like.
    #[must_use]
    pub fn precious(self) -> Self {
        let existing = match self.existing {
            Existing::Replace => Existing::ReplacePrecious,
            other => other,
        };
        Self { existing, ..self }
    }

    /// Syncs the bytes, gives the file its name, syncs the folder. Returns where the secret key is
    /// kept that was there.
    pub fn commit(self) -> io::Result<Option<PathBuf>> {
        let Self { folder, name, existing, file, unnamed, .. } = self;
        publish(&*file, || unnamed.name(&name, existing), &*folder)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the part of a path behind its folder as it was given: `name/` is for the system to refuse.
fn name_in_folder(path: &Path) -> &OsStr {
    let whole = path.as_os_str().as_bytes();
    let folder = path.parent().map_or(&[][..], |folder| folder.as_os_str().as_bytes());
    let mut name = whole.strip_prefix(folder).unwrap_or(whole);
    while let Some(rest) = name.strip_prefix(b"/") {
        name = rest;
    }
    OsStr::from_bytes(name)
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
    use std::fs::File;

    use super::*;
    use crate::files::is_exposed;
    use crate::files::sim::{SimDisk, cut_everywhere};

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

    #[test]
    fn a_crash_leaves_the_old_file_or_the_new_one() {
        let commit = |disk: &SimDisk, existing, text: &str| {
            let mut file = AtomicFile::on(disk.root(), "out".into(), existing, Access::Private)?;
            // In pieces, as a stream comes.
            for piece in text.as_bytes().chunks(700) {
                file.write_all(piece)?;
            }
            file.commit()
        };
        let (old, new) = ("old".repeat(500), "new".repeat(900));
        for existing in [Existing::Keep, Existing::Replace, Existing::Overwrite] {
            let prepare = |disk: &SimDisk| {
                if existing != Existing::Keep {
                    commit(disk, Existing::Keep, &old).unwrap();
                }
            };
            let work = |disk: &SimDisk, (): &mut ()| commit(disk, existing, &new);
            cut_everywhere(prepare, work, |disk, (), outcome| {
                let before = (existing != Existing::Keep).then_some(old.as_bytes());
                let all = disk.all();
                let now = all.get("out").map(Vec::as_slice);
                let is_new = now == Some(new.as_bytes());
                assert!(is_new || outcome.is_err() && now == before, "{existing:?}");
                assert!(all.len() <= 1, "nothing is left beside it");
            });
        }
    }

    /// Both kinds of temporary files, whatever this system has.
    #[test]
    fn named_and_unnamed_files_appear_alike() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |name: &str, existing, access, unnamed: bool| {
            let path = folder.path().join(name);
            let mut file = AtomicFile::create(&path, existing, access).unwrap();
            if !unnamed {
                let named = Folder::new(folder.path()).begin_named(access).unwrap();
                (file.file, file.unnamed) = named;
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
                let named = Folder::new(folder.path()).begin_named(Access::Private).unwrap();
                (file.file, file.unnamed) = named;
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
