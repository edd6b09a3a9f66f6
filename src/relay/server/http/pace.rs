//! A stream whose reader must keep up: one who takes an answer too slowly holds its memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Time in which a reader takes [`STEP`] bytes, or all that there are.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that count as going on: with [`PATIENCE`], half a kilobyte a second.
const STEP: usize = 16 << 10;

/// Fails to write when nobody reads.
pub(crate) struct Paced<S> {
    stream: S,
    patience: Duration,
    /// Runs while something waits to be taken; none is made for a reader who keeps up.
    running: Option<Pin<Box<Sleep>>>,
    taken: usize,
}

impl<S: AsyncWrite + Unpin> Paced<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, patience: PATIENCE, running: None, taken: 0 }
    }

    fn paced(
        &mut self,
        outcome: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = outcome {
            self.taken = self.taken.saturating_add(count);
            if self.taken >= STEP {
                (self.running, self.taken) = (None, 0);
            }
        }
        if outcome.is_ready() {
            return outcome;
        }
        let running = self.running.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        ready!(running.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.paced(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.paced(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context).map_ok(|()| 0);
        if let Poll::Ready(Ok(_)) = outcome {
            // All that there was is taken.
            (self.running, self.taken) = (None, 0);
            return Poll::Ready(Ok(()));
        }
        self.paced(outcome, context).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn who_reads_slowly_is_borne_and_who_does_not_read_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            let patience = Duration::from_millis(400);
            let mut paced = Paced { patience, ..Paced::new(ours) };
            let writing = tokio::spawn(async move {
                paced.write_all(&[0; 64 << 10]).await?;
                paced.flush().await?;
                let start = tokio::time::Instant::now();
                let outcome = paced.write_all(&[0; 4096]).await;
                assert!(start.elapsed() >= patience);
                outcome
            });
            let mut piece = [0; 1024];
            for _ in 0..64 {
                // Longer in all than the patience, and never a step in less of it.
                sleep(patience / 40).await;
                theirs.read_exact(&mut piece).await.unwrap();
            }
            let outcome = writing.await.unwrap();
            assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }
}
