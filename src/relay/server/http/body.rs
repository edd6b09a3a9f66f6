//! The body of a request as it comes in: counted, hashed, timed.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::crypto;
use crate::relay::protocol::Id;
use crate::relay::server::http::answer::{DRAIN, DRAIN_TIME, Refusal};
use crate::relay::store::{Answer, BodyError, Chunks};

/// Slowest body that is borne, in bytes a second.
const SLOWEST: u64 = 1024;
/// Memory for bodies that are held whole, of all requests together, in [`UNIT`]s: 256 MiB.
const UNITS: usize = 256 << 10;
/// Bytes of a unit.
const UNIT: usize = 1024;
/// Longest wait for that memory.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands a body on piece by piece, and its end only if length and hash are right.
pub(crate) struct Upload {
    body: Incoming,
    begun: bool,
    left: u64,
    /// What a whole message must hash to; a part of one is hashed by the store.
    hash: Option<(crypto::Hash, Id)>,
    pause: Duration,
    deadline: Instant,
}

impl Upload {
    /// A body of `size` bytes, with at most `pause` between two of them.
    pub(crate) fn new(body: Incoming, size: u64, id: Option<Id>, pause: Duration) -> Self {
        let whole = pause.saturating_mul(2) + Duration::from_secs(size / SLOWEST);
        Self {
            body,
            begun: false,
            left: size,
            hash: id.map(|id| (crypto::Hash::default(), id)),
            pause,
            deadline: Instant::now() + whole,
        }
    }

    /// Reads and drops a body that nobody wanted, if it is short: else the connection would end with
    /// its request. One that was begun was wanted. A client that waits for `100 Continue` has sent nothing, and will not.
    pub(crate) async fn drain(mut self, announced: bool) {
        if self.begun || announced || self.left > DRAIN {
            return;
        }
        let all = async { while let Some(Ok(_)) = self.frame().await {} };
        let _ = timeout(DRAIN_TIME, all).await;
    }

    async fn frame(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            let body = &mut self.body;
            let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
            match frame.await? {
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Some(Ok(bytes)),
                    // Trailers mean nothing here.
                    Err(_) => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.begun = true;
        let until = self.deadline.min(Instant::now() + self.pause);
        match timeout_at(until, self.frame()).await.map_err(|_| BodyError::TooSlow)? {
            Some(Ok(bytes)) => {
                let length = bytes.len() as u64;
                self.left = self.left.checked_sub(length).ok_or(BodyError::WrongLength)?;
                if let Some((hash, _)) = &mut self.hash {
                    hash.update(&bytes);
                }
                Ok(Some(bytes))
            }
            Some(Err(_)) => Err(BodyError::WrongLength),
            None if self.left > 0 => Err(BodyError::WrongLength),
            None => {
                let right = self.hash.take().is_none_or(|(hash, id)| hash.finish() == id.0);
                if right { Ok(None) } else { Err(BodyError::WrongHash) }
            }
        }
    }

    /// All of it, in one piece.
    pub(crate) async fn whole(&mut self) -> Result<Bytes, BodyError> {
        let first = self.piece().await?.unwrap_or_default();
        if self.left == 0 {
            return Ok(first);
        }
        let mut all = BytesMut::from(first);
        while let Some(piece) = self.piece().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

impl Chunks for Upload {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move { Ok(self.piece().await?) })
    }
}

/// The bound of what all requests together hold in memory.
pub(crate) struct Memory(Arc<Semaphore>);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(UNITS)))
    }

    /// Room for so many bytes, given back when what is returned is dropped. Waits for it a
    /// little.
    pub(crate) async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| Refusal::Busy)?;
        let taking = self.0.clone().acquire_many_owned(units.max(1));
        match timeout(PATIENCE, taking).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(Refusal::Busy),
        }
    }

    /// Gives back what is not needed of a room.
    pub(crate) fn shrink(room: &mut OwnedSemaphorePermit, bytes: usize) {
        let needed = bytes.div_ceil(UNIT);
        drop(room.split(room.num_permits().saturating_sub(needed)));
    }
}
