//! Rotation of the index key, and recovery of a rotation that was interrupted.

use crate::crypto;
use crate::index::error::Error;
use crate::index::storage::directory::CellDirectory;
use crate::index::storage::folder::{self, Keys};
use crate::index::storage::manifest::{self, Manifest};
use crate::index::storage::pack;
use crate::secret::Secret;

/// Puts everything under a new index key; `reseal` also gives every file a new secret. Only for
/// the holder of the writer's lock. A kill at any moment leaves the index under the old key or
/// under the new one, and [`recover_rotation`] completes or undoes it.
pub(crate) fn rotate_key(directory: &CellDirectory, reseal: bool) -> Result<(), Error> {
    let rotated = try_to_rotate(directory, reseal);
    if rotated.is_err() {
        // Room for what is to be done next; what cannot be removed now is when a writer comes.
        let _ = directory.sweep();
    }
    rotated
}

fn try_to_rotate(directory: &CellDirectory, reseal: bool) -> Result<(), Error> {
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
fn finish(directory: &CellDirectory, manifest: Manifest, key: Secret<32>) -> Result<(), Error> {
    let io = |error| Error::io(directory.folder())(error);
    directory.publish_twice(manifest, &key).map_err(io)?;
    let keys = Keys::one(key);
    keys.write(directory.disk(), directory.folder(), directory.wrapping())?;
    directory.set_keys(keys);
    directory.refresh()?;
    directory.sweep().map_err(io)?;
    directory.disk().sync().map_err(io)
}

/// Completes or rolls back an interrupted key rotation. Only for the holder of the writer's lock.
pub(crate) fn recover_rotation(directory: &CellDirectory) -> Result<(), Error> {
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
