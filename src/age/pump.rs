//! A bounded pipeline that works on the chunks of a payload on several cores.
//!
//! It is a turnstile. Each worker owns one buffer and goes round: under the lock of the input
//! it fills the buffer with a batch of chunks, it seals or opens them in place while others
//! read, then waits for its turn to write. There is no queue: the buffers are all the memory,
//! and order is kept by the number each batch drew when it was read.
//!
//! The calling thread is the first worker, and it reads the first batch before it asks for
//! company: an input that fits in one batch never starts a thread.

use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::error::Error;
use super::stream::{Codec, Place, SEALED};

/// Chunks in a batch.
pub(super) const BATCH: usize = 4;
/// Most workers started unless the caller asks for more: reading and writing are not parallel.
const WORKERS_MAX: usize = 8;

/// Passes all of `input` through `codec` to `output`, and returns the bytes written.
///
/// On an error everything before it in the order of the stream was written, and nothing after.
pub(super) fn pump<C: Codec>(
    codec: &C,
    input: impl Read + Send,
    output: impl Write + Send,
    workers: Option<NonZeroUsize>,
) -> Result<u64, Error> {
    let line = Line {
        codec,
        intake: Mutex::new(Intake { input, ahead: None, next: 0, ended: false }),
        outlet: Mutex::new(Outlet { output, turn: 0, written: 0, error: None }),
        turned: Condvar::new(),
        stopped: AtomicBool::new(false),
    };
    let mut first = Batch::new();
    if line.fill(&mut first) && !first.last && first.error.is_none() {
        let workers = workers.map_or_else(default_workers, NonZeroUsize::get);
        thread::scope(|scope| {
            for _ in 1..workers {
                #[cfg(test)]
                tests::STARTED.set(tests::STARTED.get() + 1);
                // Without a thread the work takes longer and is the same.
                let _ = thread::Builder::new().spawn_scoped(scope, || line.work(Batch::new()));
            }
            let _guard = Guard(&line);
            line.deliver(&mut first);
            line.work(first);
        });
    } else {
        line.deliver(&mut first);
    }
    let outlet = line.outlet.into_inner().unwrap_or_else(PoisonError::into_inner);
    outlet.finish()
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WORKERS_MAX)
}

/// What the workers share.
struct Line<'a, C, R, W> {
    codec: &'a C,
    intake: Mutex<Intake<R>>,
    outlet: Mutex<Outlet<W>>,
    /// The turn went on, or everything stopped.
    turned: Condvar,
    /// Changed under the lock of the outlet.
    stopped: AtomicBool,
}

struct Intake<R> {
    input: R,
    /// One byte read to know whether a batch is the last.
    ahead: Option<u8>,
    /// Number of the next batch.
    next: u64,
    ended: bool,
}

struct Outlet<W> {
    output: W,
    /// Number of the batch to be written next.
    turn: u64,
    written: u64,
    error: Option<Error>,
}

/// A worker's buffer. Plaintext passes here as through any pipe; it is not wiped.
struct Batch {
    number: u64,
    slots: Vec<u8>,
    /// Bytes at the start of each slot in use: first as read, then as to be written.
    lens: Vec<usize>,
    /// Whether the input ends after it.
    last: bool,
    /// What ends the stream after the chunks of this batch.
    error: Option<Error>,
}

impl Batch {
    fn new() -> Self {
        let slots = vec![0; BATCH * SEALED];
        Self { number: 0, slots, lens: Vec::with_capacity(BATCH), last: false, error: None }
    }
}

impl<C: Codec, R: Read + Send, W: Write + Send> Line<'_, C, R, W> {
    fn work(&self, mut batch: Batch) {
        let _guard = Guard(self);
        while self.fill(&mut batch) {
            self.deliver(&mut batch);
        }
    }

    fn fill(&self, batch: &mut Batch) -> bool {
        lock(&self.intake).fill(batch, C::TAKES, &self.stopped)
    }

    /// Works on a batch, and writes it when it is its turn.
    fn deliver(&self, batch: &mut Batch) {
        self.run(batch);
        let mut outlet = lock(&self.outlet);
        while outlet.turn != batch.number && !self.stopped.load(Relaxed) {
            outlet = self.turned.wait(outlet).unwrap_or_else(PoisonError::into_inner);
        }
        if self.stopped.load(Relaxed) {
            return;
        }
        if let Err(error) = outlet.write(batch) {
            outlet.error = Some(error);
            self.stopped.store(true, Relaxed);
        }
        outlet.turn += 1;
        self.turned.notify_all();
    }

    fn run(&self, batch: &mut Batch) {
        let count = batch.lens.len();
        let first = batch.number * BATCH as u64;
        let slots = batch.slots.chunks_exact_mut(SEALED);
        for (i, (slot, len)) in slots.zip(&mut batch.lens).enumerate() {
            let place = Place { number: first + i as u64, last: batch.last && i + 1 == count };
            let (written, result) = self.codec.run(place, slot, *len);
            *len = written;
            if let Err(error) = result {
                batch.lens.truncate(i + 1);
                batch.error = Some(error);
                break;
            }
        }
    }
}

impl<R: Read> Intake<R> {
    /// Fills a batch; `false` when the input has ended before it.
    fn fill(&mut self, batch: &mut Batch, takes: usize, stopped: &AtomicBool) -> bool {
        if self.ended {
            return false;
        }
        batch.lens.clear();
        batch.number = self.next;
        self.next += 1;
        let filled = self.fill_slots(batch, takes, stopped);
        self.ended = !matches!(filled, Ok(false));
        batch.last = matches!(filled, Ok(true));
        batch.error = filled.err();
        !stopped.load(Relaxed)
    }

    /// Whether the input ended with this batch.
    fn fill_slots(
        &mut self,
        batch: &mut Batch,
        takes: usize,
        stopped: &AtomicBool,
    ) -> Result<bool, Error> {
        for slot in batch.slots.chunks_exact_mut(SEALED) {
            let room = slot.get_mut(..takes).unwrap_or_default();
            let mut len = 0;
            while let Some(rest) = room.get_mut(len..).filter(|rest| !rest.is_empty()) {
                if stopped.load(Relaxed) {
                    // Nobody will look at this batch any more.
                    return Ok(true);
                }
                let got = match (self.ahead.take(), rest.first_mut()) {
                    (Some(byte), Some(first)) => {
                        *first = byte;
                        1
                    }
                    _ => read(&mut self.input, rest)?,
                };
                if got == 0 {
                    // Only an empty input has an empty chunk.
                    if len > 0 || batch.lens.is_empty() {
                        batch.lens.push(len);
                    }
                    return Ok(true);
                }
                len += got;
            }
            batch.lens.push(takes);
        }
        let mut ahead = [0];
        let got = read(&mut self.input, &mut ahead)?;
        self.ahead = (got == 1).then_some(ahead[0]);
        Ok(got == 0)
    }
}

impl<W: Write> Outlet<W> {
    fn write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        for (slot, len) in batch.slots.chunks_exact(SEALED).zip(&batch.lens) {
            self.output.write_all(slot.get(..*len).unwrap_or_default())?;
            self.written += *len as u64;
        }
        batch.error.take().map_or(Ok(()), Err)
    }

    fn finish(mut self) -> Result<u64, Error> {
        // What is authentic reaches the sink also when the stream breaks off.
        let flushed = self.output.flush();
        self.error.map_or(Ok(()), Err)?;
        flushed?;
        Ok(self.written)
    }
}

/// Lets the other workers go when one of them unwinds out of the caller's reader or writer.
struct Guard<'a, 'b, C, R, W>(&'a Line<'b, C, R, W>);

impl<C, R, W> Drop for Guard<'_, '_, C, R, W> {
    fn drop(&mut self) {
        if thread::panicking() {
            let _outlet = lock(&self.0.outlet);
            self.0.stopped.store(true, Relaxed);
            self.0.turned.notify_all();
        }
    }
}

/// A lock that a panic poisoned is taken all the same: [`Guard`] has stopped the work.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Error> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
mod tests;
