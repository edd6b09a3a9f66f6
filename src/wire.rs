//! Bounded encoding of records: the one place that names `bincode`.
//!
//! A record is a version byte, then the fields in order in bincode 2's standard
//! configuration (little-endian variable-length integers, length-prefixed sequences).
//! Each record type fixes its version and its greatest length; golden bytes in the tests
//! of each module hold the layout still.

#[cfg(unix)]
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use bincode::config::{self, Configuration, Limit, LittleEndian, Varint};
use bincode::de::read::Reader as _;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::enc::write::{SizeWriter, Writer as _};
use bincode::error::{DecodeError, EncodeError};
pub use bincode::{Decode, Encode};

use zeroize::Zeroizing;

use crate::secret::Secret;

/// Greatest record any module may declare: 16 MiB.
const LIMIT: usize = 16 << 20;

/// A type with a fixed place on the wire or on the disk.
pub trait Record: Encode + Decode<()> {
    /// Name in error messages: "card", "letter header".
    const NAME: &'static str;
    /// First byte of the encoding; another one is refused by name.
    const VERSION: u8;
    /// Greatest encoded length in bytes, the version byte included.
    const MAX: usize;
    /// Older versions that are read as well, each with the bytes that stand for the fields its
    /// records lack. A record grows at its end only.
    const OLDER: &'static [(u8, &'static [u8])] = &[];
}

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The version byte is not ours.
    #[error("{name} has version {got}, this program knows version {expected}")]
    Version {
        /// Record type.
        name: &'static str,
        /// What this program writes.
        expected: u8,
        /// What came.
        got: u8,
    },
    /// Longer than the type allows.
    #[error("{name} of {got} bytes, at most {max} are allowed")]
    TooLong {
        /// Record type.
        name: &'static str,
        /// Limit in bytes.
        max: usize,
        /// What came, in bytes.
        got: u64,
    },
    /// Bytes that are no such record.
    #[error("malformed {name}: {why}")]
    Malformed {
        /// Record type.
        name: &'static str,
        /// What the decoder said.
        why: String,
    },
    /// The reader or writer below failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A secret stands in a record as its bytes, without a length: who encodes a record with one in it
/// sees to the bytes that come of it.
impl<const N: usize> Encode for Secret<N> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        encoder.writer().write(self.expose())
    }
}

impl<C, const N: usize> Decode<C> for Secret<N> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        decoder.claim_bytes_read(N)?;
        Self::build(|bytes| decoder.reader().read(bytes))
    }
}

impl<'de, C, const N: usize> bincode::BorrowDecode<'de, C> for Secret<N> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Decode::decode(decoder)
    }
}

/// A path in a record: the bytes by which the system knows it, UTF-8 or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePath(PathBuf);

impl FilePath {
    /// Returns the path of these bytes.
    #[cfg(unix)]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        use std::os::unix::ffi::OsStrExt as _;
        Self(OsStr::from_bytes(bytes).into())
    }

    /// Returns the path of these bytes.
    #[cfg(not(unix))]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned().into())
    }
}

impl Deref for FilePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for FilePath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl PartialEq<PathBuf> for FilePath {
    fn eq(&self, other: &PathBuf) -> bool {
        self.0 == *other
    }
}

impl From<&Path> for FilePath {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl From<PathBuf> for FilePath {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl From<FilePath> for PathBuf {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

impl Encode for FilePath {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.as_os_str().as_encoded_bytes().encode(encoder)
    }
}

impl<C> Decode<C> for FilePath {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(&Vec::<u8>::decode(decoder)?))
    }
}

impl<'de, C> bincode::BorrowDecode<'de, C> for FilePath {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Decode::decode(decoder)
    }
}

fn settings() -> Configuration<LittleEndian, Varint, Limit<LIMIT>> {
    config::standard().with_limit::<LIMIT>()
}

/// Encodes a record: version byte, then fields.
///
/// The bytes may be secret and are the caller's to wipe: they are measured first, since a vector
/// that grows leaves copies behind.
pub fn encode<T: Record>(record: &T) -> Result<Vec<u8>, Error> {
    let mut size = SizeWriter::default();
    bincode::encode_into_writer(record, &mut size, settings()).map_err(|e| malformed::<T>(&e))?;
    let length = size.bytes_written.saturating_add(1);
    check_length::<T>(length as u64)?;
    let mut out = Vec::with_capacity(length);
    out.push(T::VERSION);
    bincode::encode_into_std_write(record, &mut out, settings()).map_err(|e| malformed::<T>(&e))?;
    Ok(out)
}

/// Decodes exactly one record: trailing bytes are an error.
pub fn decode<T: Record>(bytes: &[u8]) -> Result<T, Error> {
    check_length::<T>(bytes.len() as u64)?;
    let (&version, fields) = bytes
        .split_first()
        .ok_or_else(|| Error::Malformed { name: T::NAME, why: "it is empty".into() })?;
    let completed;
    let fields = if version == T::VERSION {
        fields
    } else if let Some((_, lacking)) = T::OLDER.iter().find(|(older, _)| *older == version) {
        completed = Zeroizing::new([fields, lacking].concat());
        &completed
    } else {
        return Err(Error::Version { name: T::NAME, expected: T::VERSION, got: version });
    };
    let (record, used) =
        bincode::decode_from_slice(fields, settings()).map_err(|e| malformed::<T>(&e))?;
    if used == fields.len() {
        Ok(record)
    } else {
        Err(Error::Malformed {
            name: T::NAME,
            why: format!("{} bytes follow its end", fields.len() - used),
        })
    }
}

/// Writes a record after its length as a big-endian `u32`.
pub(crate) fn write_framed<T: Record>(out: &mut impl Write, record: &T) -> Result<(), Error> {
    let bytes = encode(record)?;
    let length = u32::try_from(bytes.len()).map_err(|_| too_long::<T>(bytes.len() as u64))?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&bytes)?;
    Ok(())
}

/// Reads a record written by [`write_framed`]; the length is checked before anything is
/// allocated.
pub(crate) fn read_framed<T: Record>(input: &mut impl Read) -> Result<T, Error> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    check_length::<T>(length.into())?;
    let mut bytes = Vec::new();
    input.take(length.into()).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(length) {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    decode(&bytes)
}

fn check_length<T: Record>(got: u64) -> Result<(), Error> {
    if got > T::MAX as u64 { Err(too_long::<T>(got)) } else { Ok(()) }
}

fn too_long<T: Record>(got: u64) -> Error {
    Error::TooLong { name: T::NAME, max: T::MAX, got }
}

fn malformed<T: Record>(error: &dyn std::fmt::Display) -> Error {
    Error::Malformed { name: T::NAME, why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Pair {
        number: u64,
        text: String,
    }

    impl Record for Pair {
        const NAME: &'static str = "pair";
        const VERSION: u8 = 1;
        const MAX: usize = 64;
    }

    fn pair() -> Pair {
        Pair { number: 300, text: "hé".into() }
    }

    #[test]
    fn golden_bytes() {
        assert_eq!(encode(&pair()).unwrap(), [1, 251, 44, 1, 3, b'h', 0xc3, 0xa9]);
        assert_eq!(decode::<Pair>(&encode(&pair()).unwrap()).unwrap(), pair());
    }

    /// A [`Pair`] that has gained a list.
    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Grown {
        pair: Pair,
        list: Vec<u8>,
    }

    impl Record for Grown {
        const NAME: &'static str = "pair";
        const VERSION: u8 = 2;
        const MAX: usize = 64;
        const OLDER: &'static [(u8, &'static [u8])] = &[(1, &[0])];
    }

    #[test]
    fn older_versions_are_read_and_unknown_ones_refused() {
        let older = encode(&pair()).unwrap();
        let grown = decode::<Grown>(&older).unwrap();
        assert_eq!(grown, Grown { pair: pair(), list: Vec::new() });
        assert_eq!(encode(&grown).unwrap(), [2, 251, 44, 1, 3, b'h', 0xc3, 0xa9, 0]);
        let mut longer = older.clone();
        longer.push(0);
        assert!(matches!(decode::<Grown>(&longer), Err(Error::Malformed { .. })));
        assert!(matches!(decode::<Grown>(&[3, 0]), Err(Error::Version { got: 3, .. })));
    }

    #[test]
    fn bytes_are_measured_before_they_are_written() {
        let bytes = encode(&pair()).unwrap();
        assert_eq!(bytes.len(), bytes.capacity());
    }

    #[test]
    fn refusals() {
        let good = encode(&pair()).unwrap();
        let mut newer = good.clone();
        newer[0] = 2;
        assert!(matches!(decode::<Pair>(&newer), Err(Error::Version { got: 2, .. })));
        let mut longer = good.clone();
        longer.push(0);
        assert!(matches!(decode::<Pair>(&longer), Err(Error::Malformed { .. })));
        assert!(matches!(decode::<Pair>(&good[..5]), Err(Error::Malformed { .. })));
        assert!(matches!(decode::<Pair>(&[]), Err(Error::Malformed { .. })));
        assert!(matches!(decode::<Pair>(&[1; 65]), Err(Error::TooLong { .. })));
        // A string that claims four gigabytes is refused, not allocated.
        assert!(decode::<Pair>(&[1, 0, 252, 255, 255, 255, 255]).is_err());
    }

    #[test]
    fn framed_length_is_checked_before_allocation() {
        let mut out = Vec::new();
        write_framed(&mut out, &pair()).unwrap();
        assert_eq!(read_framed::<Pair>(&mut out.as_slice()).unwrap(), pair());
        let huge = [0xff; 8];
        assert!(matches!(read_framed::<Pair>(&mut huge.as_slice()), Err(Error::TooLong { .. })));
        assert!(matches!(read_framed::<Pair>(&mut &out[..6]), Err(Error::Io(_))));
    }
}
