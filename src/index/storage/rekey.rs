//! A new index key: for everything, or so that what was deleted opens no more.

use tantivy::merge_policy::NoMergePolicy;

use crate::crypto;
use crate::index::Error;
use crate::index::engine::Index;
use crate::index::storage::directory::CellDirectory;
use crate::index::storage::folder::{self, Keys};
use crate::index::storage::manifest::{self, Manifest};
use crate::index::storage::pack;

/// What [`Index::purge`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Segments that held something deleted, and were written anew without it.
    pub segments: u64,
    /// Documents that were still in them, deleted.
    pub documents: u64,
}

impl Index {
    /// Makes deleted what was removed or replaced: segments that hold some of it are written anew
    /// without it, and the index key is changed. The secrets of the files before stand in lists
    /// that only the old key opens, and that is overwritten: nothing opens their cells any more,
    /// wherever a copy of them may lie.
    pub fn purge(&self) -> Result<Purged, Error> {
        let mut writer = self.writer()?;
        writer.engine.set_merge_policy(Box::new(NoMergePolicy));
        let metas = self.checked(self.engine.searchable_segment_metas())?;
        let mut purged = Purged::default();
        for segment in metas.iter().filter(|segment| segment.has_deletes()) {
            let merged = writer.engine.merge(&[segment.id()]).wait();
            self.checked(merged)?;
            purged.segments += 1;
            purged.documents += u64::from(segment.num_deleted_docs());
        }
        turn(&self.directory, false)?;
        drop(writer);
        self.reload()?;
        Ok(purged)
    }

    /// Changes the index key and those of all files: each is written anew under a new one, cell by
    /// cell, which takes as much room again while it lasts.
    pub fn rekey(&self) -> Result<(), Error> {
        let writer = self.writer()?;
        turn(&self.directory, true)?;
        drop(writer);
        self.reload()
    }
}

/// Puts everything under a new index key; `reseal` also gives every file a new secret. Only for
/// the holder of the writer's lock. A kill at any moment leaves the index under the old key or
/// under the new one, and [`settle`] makes an end of it.
fn turn(directory: &CellDirectory, reseal: bool) -> Result<(), Error> {
    let turned = try_to_turn(directory, reseal);
    if turned.is_err() {
        // Room for what is to be done next; what cannot be removed now is when a writer comes.
        let _ = directory.sweep();
    }
    turned
}

fn try_to_turn(directory: &CellDirectory, reseal: bool) -> Result<(), Error> {
    let disk = directory.disk();
    let io = |error| Error::io(directory.folder())(error);
    let held = directory.lock_readers().map_err(io)?;
    directory.refresh()?;
    drop(held);
    let (mut manifest, packs) = directory.sound()?;
    if reseal {
        let pairs = manifest.packs.iter().zip(&packs);
        let copies = pairs.map(|(entry, pack)| pack::resealed(disk, entry, pack));
        let copies = copies.collect::<Result<_, _>>();
        manifest.packs = copies.map_err(|error| match directory.opened().take_damage() {
            Some(damage) => Error::Damaged(damage),
            None => io(error),
        })?;
        disk.sync().map_err(io)?;
    }
    let now = directory.keys();
    let now = now.newest().ok_or_else(|| Error::Key(directory.folder().into()))?;
    let to_come = crypto::random_secret()?;
    let _held = directory.lock_readers().map_err(io)?;
    Keys::changing(folder::copied(now)?, folder::copied(&to_come)?).write(
        disk,
        directory.folder(),
        directory.wrapping(),
    )?;
    finish(directory, manifest, to_come)
}

/// Two generations under the new key, then that key alone, then the files go that are not named.
fn finish(
    directory: &CellDirectory,
    manifest: Manifest,
    key: crate::secret::Secret<32>,
) -> Result<(), Error> {
    let io = |error| Error::io(directory.folder())(error);
    directory.publish_twice(manifest, &key).map_err(io)?;
    let keys = Keys::one(key);
    keys.write(directory.disk(), directory.folder(), directory.wrapping())?;
    directory.set_keys(keys);
    directory.refresh()?;
    directory.sweep().map_err(io)?;
    directory.disk().sync().map_err(io)
}

/// Makes an end of a change of the key that was killed. Only for the holder of the writer's lock.
pub(crate) fn settle(directory: &CellDirectory) -> Result<(), Error> {
    let io = |error| Error::io(directory.folder())(error);
    let keys = folder::unwrap_key(directory.disk(), directory.folder(), directory.wrapping())?;
    let [now, to_come] = keys.all() else { return Ok(()) };
    let _held = directory.lock_readers().map_err(io)?;
    // Every manifest under the new key is newer than any under the old one.
    let reached = [folder::copied(to_come)?];
    if let Ok(found) = manifest::newest(directory.disk(), &reached).map_err(io)? {
        return finish(directory, found.newest, folder::copied(to_come)?);
    }
    let keys = Keys::one(folder::copied(now)?);
    keys.write(directory.disk(), directory.folder(), directory.wrapping())?;
    directory.set_keys(keys);
    directory.refresh()
}
