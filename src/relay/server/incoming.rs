//! The body of a push as it comes in: counted, hashed, timed.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use crate::crypto;
use crate::relay::protocol::Id;
use crate::relay::store::{Answer, BodyError, Chunks};

/// Slowest body that is borne, in bytes a second.
const SLOWEST: u64 = 1024;

/// Hands a body on piece by piece, and its end only if length and hash are right.
pub(super) struct Incoming {
    body: BodyDataStream,
    id: Id,
    begun: bool,
    left: u64,
    hash: crypto::Hash,
    pause: Duration,
    deadline: Instant,
}

impl Incoming {
    /// `pause` is the longest time without a byte.
    pub(super) fn new(body: Body, id: Id, size: u64, pause: Duration) -> Self {
        let whole = pause.saturating_mul(2) + Duration::from_secs(size / SLOWEST);
        Self {
            body: body.into_data_stream(),
            id,
            begun: false,
            left: size,
            hash: crypto::Hash::default(),
            pause,
            deadline: Instant::now() + whole,
        }
    }

    /// Whether anything was asked of it.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Reads and drops what is left, at most `limit` bytes and for at most `time`.
    pub(super) async fn drain(mut self, limit: u64, time: Duration) {
        if self.left > limit {
            return;
        }
        let all = async { while let Some(Ok(_)) = self.body.next().await {} };
        let _ = tokio::time::timeout(time, all).await;
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.begun = true;
        loop {
            let until = self.deadline.min(Instant::now() + self.pause);
            let piece = timeout_at(until, self.body.next()).await;
            match piece.map_err(|_| BodyError::TooSlow)? {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => {
                    let length = bytes.len() as u64;
                    self.left = self.left.checked_sub(length).ok_or(BodyError::WrongLength)?;
                    self.hash.update(&bytes);
                    return Ok(Some(bytes));
                }
                Some(Err(_)) => return Err(BodyError::WrongLength),
                None if self.left > 0 => return Err(BodyError::WrongLength),
                None if self.hash.clone().finish() != self.id.0 => {
                    return Err(BodyError::WrongHash);
                }
                None => return Ok(None),
            }
        }
    }
}

impl Chunks for Incoming {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move { Ok(self.piece().await?) })
    }
}
