use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::age::stream::{CHUNK, Opening, Sealing};
use crate::crypto::Aead;
use crate::secret::Secret;

thread_local! {
    /// Threads this thread has started.
    pub(super) static STARTED: Cell<usize> = const { Cell::new(0) };
}

const BATCH_PLAIN: usize = BATCH * CHUNK;

/// Lengths at which something changes, up to several batches for each of three workers.
const LENGTHS: [usize; 10] = [
    0,
    1,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    BATCH_PLAIN - 1,
    BATCH_PLAIN,
    BATCH_PLAIN + 1,
    BATCH_PLAIN + CHUNK,
    7 * BATCH_PLAIN + 5,
];

fn aead() -> Aead {
    Aead::new(&Secret::from_slice(&[7; 32]).unwrap())
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

fn workers(count: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(count)
}

fn seal(plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    pump(&Sealing(aead()), plain, &mut sealed, workers(1)).unwrap();
    sealed
}

/// What opening gives out, and how it ends.
fn open(sealed: &[u8], count: usize) -> (Vec<u8>, Result<u64, Error>) {
    let mut opened = Vec::new();
    let result = pump(&Opening(aead()), sealed, &mut opened, workers(count));
    (opened, result)
}

/// Gives small pieces, and an interruption before each.
struct Trickle<'a> {
    rest: &'a [u8],
    step: usize,
    interrupt: bool,
}

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(ErrorKind::Interrupted.into());
        }
        let most = out.len().min(self.step);
        self.rest.read(&mut out[..most])
    }
}

#[test]
fn every_length_with_every_reader_and_number_of_workers() {
    for length in LENGTHS {
        let plain = plain(length);
        let sealed = seal(&plain);
        let chunks = length.div_ceil(CHUNK).max(1);
        assert_eq!(sealed.len(), length + 16 * chunks);
        for count in [1, 2, 5] {
            for step in [1009, CHUNK, CHUNK + 16, usize::MAX] {
                let trickle = |rest| Trickle { rest, step, interrupt: false };
                let mut again = Vec::new();
                let codec = Sealing(aead());
                let written = pump(&codec, trickle(&plain), &mut again, workers(count)).unwrap();
                assert!(again == sealed && written == sealed.len() as u64);
                let mut opened = Vec::new();
                let codec = Opening(aead());
                let written = pump(&codec, trickle(&sealed), &mut opened, workers(count)).unwrap();
                assert!(opened == plain && written == length as u64, "{length} {count} {step}");
            }
        }
    }
}

#[test]
fn single_bytes() {
    let plain = plain(CHUNK + 3);
    let sealed = seal(&plain);
    let mut opened = Vec::new();
    let input = Trickle { rest: &sealed, step: 1, interrupt: false };
    pump(&Opening(aead()), input, &mut opened, workers(2)).unwrap();
    assert!(opened == plain);
}

#[test]
fn truncation_anywhere_is_noticed() {
    let length = 2 * BATCH_PLAIN + CHUNK + 99;
    let plain = plain(length);
    let sealed = seal(&plain);
    for boundary in (0..=sealed.len()).step_by(SEALED) {
        for cut in
            [boundary.saturating_sub(1), boundary, boundary + 1, boundary + 16, boundary + 17]
        {
            let cut = cut.min(sealed.len() - 1);
            let (opened, result) = open(&sealed[..cut], 3);
            let whole = cut / SEALED * CHUNK;
            assert!(opened == plain[..whole], "cut at {cut}");
            match result {
                Err(Error::Truncated) if cut % SEALED < 16 => {}
                Err(Error::Payload { chunk }) if cut % SEALED >= 16 => {
                    assert_eq!(chunk as usize, cut / SEALED);
                }
                result => panic!("cut at {cut}: {result:?}"),
            }
        }
    }
}

#[test]
fn whole_chunks_after_the_last_are_noticed() {
    for chunks in [1, BATCH, BATCH + 1] {
        let plain = plain(chunks * CHUNK);
        let sealed = seal(&plain);
        for more in [1, 16, SEALED, 2 * BATCH * SEALED] {
            let longer = [sealed.as_slice(), &vec![0; more]].concat();
            let (opened, result) = open(&longer, 2);
            assert!(matches!(result, Err(Error::Trailing)), "{chunks} {more} {result:?}");
            assert!(opened == plain);
        }
    }
}

#[test]
fn a_changed_chunk_ends_the_stream_before_it() {
    let chunks = 3 * BATCH + 2;
    let plain = plain(chunks * CHUNK - 1);
    let sealed = seal(&plain);
    for chunk in 0..chunks {
        let mut changed = sealed.clone();
        changed[chunk * SEALED + 77] ^= 1;
        // Later damage does not hide the first.
        *changed.last_mut().unwrap() ^= 1;
        for count in [1, 4] {
            let (opened, result) = open(&changed, count);
            assert!(
                matches!(result, Err(Error::Payload { chunk: got }) if got == chunk as u64),
                "{chunk} {result:?}"
            );
            assert!(opened == plain[..chunk * CHUNK]);
        }
    }
}

#[test]
fn chunks_out_of_place_are_refused() {
    let sealed = seal(&plain(2 * BATCH_PLAIN));
    let chunks: Vec<_> = sealed.chunks(SEALED).collect();
    for (one, other) in [(0, 1), (1, BATCH), (0, 2 * BATCH - 1), (BATCH, BATCH + 1)] {
        let mut swapped = chunks.clone();
        swapped.swap(one, other);
        let (opened, result) = open(&swapped.concat(), 2);
        assert!(matches!(result, Err(Error::Payload { chunk }) if chunk == one as u64));
        assert_eq!(opened.len(), one * CHUNK);
        let mut twice = chunks.clone();
        twice.insert(one + 1, chunks[one]);
        let (_, result) = open(&twice.concat(), 2);
        assert!(matches!(result, Err(Error::Payload { chunk }) if chunk == one as u64 + 1));
        let mut dropped = chunks.clone();
        dropped.remove(one);
        let (_, result) = open(&dropped.concat(), 2);
        assert!(matches!(result, Err(Error::Payload { chunk }) if chunk == one as u64));
    }
}

#[test]
fn what_fits_in_one_batch_starts_no_thread() {
    for length in [0, 1, CHUNK, BATCH_PLAIN] {
        let sealed = seal(&plain(length));
        STARTED.set(0);
        pump(&Sealing(aead()), plain(length).as_slice(), io::sink(), workers(8)).unwrap();
        pump(&Sealing(aead()), plain(length).as_slice(), io::sink(), None).unwrap();
        pump(&Opening(aead()), sealed.as_slice(), io::sink(), workers(8)).unwrap();
        assert_eq!(STARTED.get(), 0, "{length} bytes");
    }
    pump(&Sealing(aead()), plain(BATCH_PLAIN + 1).as_slice(), io::sink(), workers(8)).unwrap();
    assert_eq!(STARTED.get(), 7);
}

/// Takes so many bytes, then fails in one way or another.
struct Sink {
    room: usize,
    panics: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the sink is full")]
struct Full;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 && self.panics {
            panic!("the sink panics");
        }
        if self.room == 0 {
            return Err(io::Error::other(Full));
        }
        let taken = self.room.min(bytes.len());
        self.room -= taken;
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_failed_sink_stops_an_endless_input() {
    for room in [0, 1, CHUNK, 5 * BATCH_PLAIN + 1] {
        for count in [1, 2, 5] {
            let sink = Sink { room, panics: false };
            let result = pump(&Sealing(aead()), io::repeat(1), sink, workers(count));
            let Err(Error::Io(error)) = result else { panic!("{result:?}") };
            assert!(error.downcast::<Full>().is_ok(), "the sink's own error comes back");
        }
    }
}

#[test]
fn a_panicking_sink_or_reader_lets_the_others_go() {
    struct Panics;
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("the reader panics")
        }
    }
    for room in [0, 1, CHUNK, 5 * BATCH_PLAIN + 1] {
        for count in [1, 2, 5] {
            let sink = Sink { room, panics: true };
            let run = || pump(&Sealing(aead()), io::repeat(1), sink, workers(count));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            let input = io::repeat(1).take(room as u64).chain(Panics);
            let run = || pump(&Sealing(aead()), input, io::sink(), workers(count));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        }
    }
}

#[test]
fn whole_chunks_before_a_failed_read_are_given_out() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other(Full))
        }
    }
    let plain = plain(2 * BATCH_PLAIN);
    let sealed = seal(&plain);
    for cut in [0, 5, SEALED, SEALED + 1, BATCH * SEALED, BATCH * SEALED + SEALED + 1] {
        for count in [1, 3] {
            let mut opened = Vec::new();
            let input = sealed[..cut].chain(Fails);
            let result = pump(&Opening(aead()), input, &mut opened, workers(count));
            let Err(Error::Io(error)) = result else { panic!("{result:?}") };
            assert!(error.downcast::<Full>().is_ok());
            assert!(opened == plain[..cut / SEALED * CHUNK]);
        }
    }
}
