//! Bodies on their way into the store and out of it, never whole in memory when long.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::files::disk::{self, Disk, Handle};
use crate::relay::store::embedded::shared::Shared;
use crate::relay::store::{Answer, Chunks, Error};

/// Bytes of one piece of a body that is read from a file.
const PIECE: u64 = 64 << 10;
/// Bytes that are gathered before they are written to a file.
pub(super) const GATHER: usize = 512 << 10;

/// The file name of a body.
fn name(number: u64) -> String {
    format!("{number:016x}")
}

/// The number in a body's file name.
pub(super) fn number(name: &str) -> Option<u64> {
    (name.len() == 16).then(|| u64::from_str_radix(name, 16).ok())?
}

/// Takes a short body into memory. `body` itself holds the announced length, which is at most
/// [`crate::relay::store::INLINE`].
pub(super) async fn collect(body: &mut dyn Chunks, size: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    while let Some(piece) = body.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A body's file; removed when dropped without [`Written::keep`].
pub(super) struct Written {
    shared: Arc<Shared>,
    pub(super) number: u64,
    pub(super) file: Arc<dyn Handle>,
    kept: bool,
}

impl Written {
    /// Makes an empty file.
    pub(super) async fn create(shared: &Arc<Shared>) -> Result<Self, Error> {
        let (number, shared) = (shared.next_file(), shared.clone());
        // Made there, so that it is removed again when nobody waits for it any more.
        let create = move || {
            let file = shared.bodies.create(&name(number))?;
            Ok(Self { shared, number, file, kept: false })
        };
        blocking(create).await.map_err(unavailable)
    }

    /// Leaves the file where it is: a record names it now.
    pub(super) fn keep(mut self) -> u64 {
        self.kept = true;
        self.number
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.kept {
            // If it stays, the next start removes it.
            let _ = self.shared.bodies.remove(&name(self.number));
        }
    }
}

/// Writes a long body to a file of its own and syncs it. A file is a body once a record names
/// it, so there is nothing to rename.
pub(super) async fn write(shared: &Arc<Shared>, body: &mut dyn Chunks) -> Result<Written, Error> {
    let written = Written::create(shared).await?;
    let mut at = 0;
    let mut gathered = Vec::new();
    loop {
        let piece = body.next().await?;
        let end = piece.is_none();
        gathered.extend_from_slice(&piece.unwrap_or_default());
        if gathered.len() >= GATHER || end {
            let (file, bytes) = (written.file.clone(), std::mem::take(&mut gathered));
            let length = bytes.len() as u64;
            let write = move || {
                file.write_at(&bytes, at)?;
                if end { file.sync_data() } else { Ok(()) }
            };
            blocking(write).await.map_err(|error| shared.failed_write(&error))?;
            at += length;
        }
        if end {
            return Ok(written);
        }
    }
}

/// Removes a body's file. If it is gone already, so much the better.
pub(super) fn remove(bodies: &dyn Disk, number: u64) -> io::Result<()> {
    match bodies.remove(&name(number)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a body's file.
pub(super) fn open(bodies: &dyn Disk, number: u64) -> io::Result<Arc<dyn Handle>> {
    bodies.open_writable(&name(number))
}

pub(super) fn unavailable(error: io::Error) -> Error {
    if disk::is_full(&error) { Error::RelayFull } else { Error::Unavailable(error.to_string()) }
}

/// A body that is in memory.
pub(super) struct Held(pub(super) Option<Bytes>);

impl Chunks for Held {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        let piece = self.0.take().filter(|bytes| !bytes.is_empty());
        Box::pin(std::future::ready(Ok(piece)))
    }
}

/// A body in a file. The reader knows its hash: that is its id.
pub(super) struct FromFile {
    pub(super) file: Arc<dyn Handle>,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Chunks for FromFile {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move {
            let length = PIECE.min(self.end - self.at);
            if length == 0 {
                return Ok(None);
            }
            let (file, at) = (self.file.clone(), self.at);
            let read = move || {
                let mut piece = vec![0; length as usize];
                file.read_at(&mut piece, at).map(|()| piece)
            };
            let piece = blocking(read).await.map_err(unavailable)?;
            self.at += length;
            Ok(Some(piece.into()))
        })
    }
}

/// Does on a thread that may block what may take long.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(io::Error::other(e)))
}
