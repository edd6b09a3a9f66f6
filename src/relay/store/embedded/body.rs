//! Bodies on their way into the store and out of it, never whole in memory when long.

use std::fs::File;
use std::io;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use bytes::Bytes;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;

use super::tables::{Why, why};
use crate::relay::store::{Answer, Chunks, Error};

/// Bytes of one piece of a body that is read from a file.
const PIECE: usize = 64 << 10;

/// Takes a short body into memory. `body` itself holds the announced length, which is at most
/// [`super::INLINE`].
pub(super) async fn collect(body: &mut dyn Chunks) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A complete and synced body; removed when dropped without [`Written::keep`].
pub(super) struct Written(TempPath);

impl Written {
    /// Leaves the file where it is and says its name in the folder of bodies.
    pub(super) fn keep(self) -> Result<String, Why> {
        let path = self.0.keep().map_err(why)?;
        let name = path.file_name().and_then(|name| name.to_str());
        name.map(str::to_owned).ok_or_else(|| "the file of a body has no name".into())
    }
}

/// Writes a long body to a file of its own and syncs it. It keeps the random name it was
/// created with: a file is a body once a record names it, so there is nothing to rename.
pub(super) async fn write(
    folder: &Path,
    body: &mut dyn Chunks,
    failed: &watch::Sender<Option<String>>,
) -> Result<Written, Error> {
    // What a failed sync has lost is unknown, so it ends the relay. A disk that is full
    // refuses one body, which nobody was promised.
    let fatal = |error: std::io::Error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::RelayFull,
        _ => {
            failed.send_replace(Some(error.to_string()));
            Error::Failed(error.to_string())
        }
    };
    let folder = folder.to_owned();
    let (file, path) = blocking(move || create(&folder)).await.map_err(unavailable)?;
    let path = Written(path);
    let mut file = tokio::fs::File::from_std(file);
    while let Some(piece) = body.next().await? {
        file.write_all(&piece).await.map_err(fatal)?;
    }
    file.flush().await.map_err(fatal)?;
    file.sync_all().await.map_err(fatal)?;
    Ok(path)
}

fn unavailable(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::RelayFull,
        _ => Error::Unavailable(error.to_string()),
    }
}

fn create(folder: &Path) -> io::Result<(File, TempPath)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("b-").rand_bytes(16);
    builder.tempfile_in(folder).map(tempfile::NamedTempFile::into_parts)
}

/// A body from a file, or `None` when the file is gone.
pub(super) fn open(path: &Path) -> Result<Option<Box<dyn Chunks>>, Why> {
    match File::open(path) {
        Ok(file) => Ok(Some(Box::new(FromFile(Some(file))))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(why(error)),
    }
}

/// A body that is in memory.
pub(super) fn held(bytes: &[u8]) -> Box<dyn Chunks> {
    Box::new(Held(Some(Bytes::copy_from_slice(bytes))))
}

struct Held(Option<Bytes>);

impl Chunks for Held {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        let piece = self.0.take().filter(|bytes| !bytes.is_empty());
        Box::pin(std::future::ready(Ok(piece)))
    }
}

struct FromFile(Option<File>);

impl Chunks for FromFile {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move {
            let Some(mut file) = self.0.take() else { return Ok(None) };
            let read = move || {
                let mut piece = Vec::with_capacity(PIECE);
                (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
                Ok((file, piece))
            };
            let (file, piece) = blocking(read).await.map_err(unavailable)?;
            if piece.is_empty() {
                return Ok(None);
            }
            self.0 = Some(file);
            Ok(Some(piece.into()))
        })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(io::Error::other(e)))
}
