//! Messages one after another, as batches travel in both directions
//! (`application/vnd.bulla.messages`): for each its id (32 bytes), its size (8 bytes,
//! big-endian) and its bytes.

#[cfg(any(test, feature = "serve"))]
use bytes::Bytes;

use crate::relay::protocol::types::Id;
#[cfg(any(test, feature = "serve"))]
use crate::relay::protocol::types::{MAX_BATCH, MAX_FRAME};

/// Bytes before the body of a message.
pub const HEAD: usize = 40;

/// Why bytes are no batch.
#[cfg(any(test, feature = "serve"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// They end inside a frame.
    #[error("the batch ends inside a message")]
    Truncated,
    /// A message of no bytes.
    #[error("a message of the batch is empty")]
    Empty,
    /// A message that does not go in batches.
    #[error("expected messages of at most {MAX_FRAME} bytes, got one of {0}")]
    TooLarge(u64),
    /// More messages than one batch has.
    #[error("expected at most {MAX_BATCH} messages")]
    TooMany,
}

/// What stands before the body of a message.
pub(crate) fn head(id: &Id, size: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let (name, length) = head.split_at_mut(32);
    name.copy_from_slice(&id.0);
    length.copy_from_slice(&size.to_be_bytes());
    head
}

/// Appends one frame.
pub(crate) fn push(out: &mut Vec<u8>, id: &Id, body: &[u8]) {
    out.extend_from_slice(&head(id, body.len() as u64));
    out.extend_from_slice(body);
}

/// The messages of a batch. Their bodies share its memory; whether they hash to their ids is
/// for the caller to see.
///
/// # Errors
///
/// The first rule that is broken; then nothing of the batch counts.
#[cfg(any(test, feature = "serve"))]
pub(crate) fn decode(mut batch: Bytes) -> Result<Vec<(Id, Bytes)>, Error> {
    let mut messages = Vec::new();
    while !batch.is_empty() {
        if messages.len() == MAX_BATCH {
            return Err(Error::TooMany);
        }
        let (id, rest) = batch.split_first_chunk::<32>().ok_or(Error::Truncated)?;
        let (size, _) = rest.split_first_chunk::<8>().ok_or(Error::Truncated)?;
        let (id, size) = (Id(*id), u64::from_be_bytes(*size));
        if size == 0 {
            return Err(Error::Empty);
        }
        if size > MAX_FRAME {
            return Err(Error::TooLarge(size));
        }
        // At most `MAX_FRAME`, so it fits.
        let length = size as usize;
        if batch.len() < HEAD + length {
            return Err(Error::Truncated);
        }
        let mut frame = batch.split_to(HEAD + length);
        messages.push((id, frame.split_off(HEAD)));
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_of_a_batch() {
        let mut batch = Vec::new();
        push(&mut batch, &Id([0xab; 32]), b"hello");
        let mut expected = vec![0xab; 32];
        expected.extend_from_slice(b"\0\0\0\0\0\0\0\x05hello");
        assert_eq!(batch, expected);
    }

    #[test]
    fn what_is_no_batch() {
        let frame = |size: u64, body: &[u8]| [&head(&Id([1; 32]), size)[..], body].concat();
        let read = |bytes: Vec<u8>| decode(bytes.into());
        assert_eq!(read(frame(0, b"")), Err(Error::Empty));
        assert_eq!(read(frame(MAX_FRAME + 1, b"x")), Err(Error::TooLarge(MAX_FRAME + 1)));
        assert_eq!(read(frame(u64::MAX, b"x")), Err(Error::TooLarge(u64::MAX)));
        assert_eq!(read(frame(2, b"x")), Err(Error::Truncated));
        assert_eq!(read(frame(1, b"xy")), Err(Error::Truncated));
        assert_eq!(read(frame(1, b"x").repeat(MAX_BATCH + 1)), Err(Error::TooMany));
        assert_eq!(read(frame(1, b"x").repeat(MAX_BATCH)).map(|all| all.len()), Ok(MAX_BATCH));
    }

    proptest! {
        #[test]
        fn batches_round_trip(
            all in proptest::collection::vec(
                (any::<[u8; 32]>(), proptest::collection::vec(any::<u8>(), 1..50)), 0..20),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut batch = Vec::new();
            for (id, body) in &all {
                push(&mut batch, &Id(*id), body);
            }
            let read = decode(batch.clone().into()).unwrap();
            let same = read.iter().map(|(id, body)| (id.0, body.to_vec()));
            prop_assert!(same.eq(all));
            if let Ok(some) = decode(batch[..cut.index(batch.len() + 1)].to_vec().into()) {
                prop_assert!(some.len() <= read.len());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = decode(bytes.into());
        }
    }
}
