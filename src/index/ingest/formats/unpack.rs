//! Packed files, unpacked as they are read: gzip, xz and Zstandard, within bounds of memory and of
//! what comes out.

use std::io::{self, BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// Memory that a packer's window may ask for, in bytes: that of `xz -9` and of `zstd --ultra -22`
/// stay below it.
const WINDOW: u64 = 128 << 20;
/// What comes out of a file of any length, in bytes; and how many times its length beyond that. Mail
/// packs to a tenth, a thousand times is a bomb.
const FLOOR: u64 = 256 << 20;
const RATIO: u64 = 256;
/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

/// Whether the first bytes of a file are of a packed one.
pub(crate) fn is_packed(head: &[u8]) -> bool {
    kind(head).is_some()
}

#[derive(Clone, Copy)]
enum Kind {
    Gzip,
    Xz,
    Zstd,
}

fn kind(head: &[u8]) -> Option<Kind> {
    match head {
        [0x1f, 0x8b, 8, ..] => Some(Kind::Gzip),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Kind::Xz),
        // A frame, or one to be skipped.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Kind::Zstd),
        _ => None,
    }
}

/// What is in a packed file of `length` bytes; the file itself when it is none.
pub(crate) fn unpack<'a>(
    mut input: impl BufRead + 'a,
    length: u64,
) -> io::Result<Box<dyn BufRead + 'a>> {
    let most = FLOOR.max(length.saturating_mul(RATIO));
    let Some(kind) = kind(input.fill_buf()?) else { return Ok(Box::new(input)) };
    let unpacked: Box<dyn Read + 'a> = match kind {
        Kind::Gzip => Box::new(MultiGzDecoder::new(input)),
        Kind::Xz => {
            let limit = u32::try_from(WINDOW >> 10).unwrap_or(u32::MAX);
            Box::new(XzReader::new_mem_limit(input, true, limit))
        }
        Kind::Zstd => Box::new(Frames { input: Some(input), frame: None }),
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER, Bounded { unpacked, most, left: most })))
}

/// A reader that fails when more comes than is believable.
struct Bounded<R> {
    unpacked: R,
    most: u64,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // A decoder that gives up on what a stranger packed costs one file, not the build.
        let read = catch_unwind(AssertUnwindSafe(|| self.unpacked.read(buf)))
            .unwrap_or_else(|_| Err(io::Error::other("it cannot be unpacked")))
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    io::Error::new(error.kind(), "it ends in the middle: what comes before is read")
                }
                _ => error,
            })?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                let why = format!("it unpacks to more than {} bytes", self.most);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
            }
        }
        Ok(read)
    }
}

/// The frames of a Zstandard file (RFC 8878, section 3.1), one behind the other.
struct Frames<R: Read> {
    /// Between two frames.
    input: Option<R>,
    frame: Option<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(buf)?;
                if read > 0 || buf.is_empty() {
                    return Ok(read);
                }
            }
            if let Some(frame) = self.frame.take() {
                self.input = Some(frame.into_inner());
            }
            let Some(mut input) = self.input.take() else { return Ok(0) };
            if input.fill_buf()?.is_empty() {
                return Ok(0);
            }
            // The decoder takes what it reads for a frame; one to be skipped is looked for here.
            if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = input.fill_buf()? {
                let mut header = [0; 8];
                input.read_exact(&mut header)?;
                let [.., a, b, c, d] = header;
                let length = u64::from(u32::from_le_bytes([a, b, c, d]));
                if io::copy(&mut input.by_ref().take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.input = Some(input);
                continue;
            }
            match StreamingDecoder::new_with_max_window_size(input, WINDOW) {
                Ok(frame) => self.frame = Some(frame),
                Err(FrameDecoderError::ReadFrameHeaderError(
                    ReadFrameHeaderError::BadMagicNumber(_),
                )) => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "something else stands behind a frame of Zstandard",
                    ));
                }
                Err(error) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn all(packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        unpack(packed, packed.len() as u64)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// What a packer of the machine makes of bytes, if it has it.
    fn packed(by: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut child = Command::new(by)
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut stdin = child.stdin.take()?;
        let bytes = bytes.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        let out = child.wait_with_output().ok()?.stdout;
        writer.join().unwrap();
        Some(out)
    }

    #[test]
    fn what_the_packers_make_comes_back() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for by in ["gzip", "xz", "zstd"] {
            let Some(one) = packed(by, &text) else {
                eprintln!("SKIPPED: {by} is not there");
                continue;
            };
            assert!(is_packed(&one) && one.len() < text.len(), "{by}");
            assert!(all(&one).unwrap() == text, "{by}");
            // Two behind each other are one, as their own programs have it.
            assert!(
                all(&[&one[..], &one].concat()).unwrap() == [&text[..], &text].concat(),
                "{by}"
            );
            assert!(all(&one[..one.len() / 2]).is_err(), "{by} cut");
            let mut bad = one.clone();
            let middle = bad.len() / 2;
            bad[middle] ^= 0x10;
            assert!(all(&bad).map_or(true, |got| got != text), "{by} changed");
        }
        assert_eq!(all(b"plain").unwrap(), b"plain");
        assert_eq!(all(b"").unwrap(), b"");
    }

    #[test]
    fn a_frame_to_be_skipped_is_skipped() {
        let Some(one) = packed("zstd", b"text") else { return };
        let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &one].concat();
        assert_eq!(all(&skipped).unwrap(), b"text");
        assert!(all(&[&one[..], b"behind"].concat()).is_err());
    }

    #[test]
    fn a_bomb_goes_off_in_a_bounded_room() {
        let mut bounded = Bounded { unpacked: io::repeat(0), most: 1 << 20, left: 1 << 20 };
        let error = io::copy(&mut bounded, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("1048576"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(
            which in 0usize..3,
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        ) {
            let magic: [&[u8]; 3] =
                [&[0x1f, 0x8b, 8], &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd]];
            let _ = all(&[magic[which], &bytes].concat());
        }
    }
}
