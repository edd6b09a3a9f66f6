//! ASCII armor: strict PEM (RFC 7468, section 3, as C2SP age.md, "ASCII armor" narrows it).

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use crate::text::{base64_decode, base64_encode};

use super::error::Error;

const BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const END: &[u8] = b"-----END AGE ENCRYPTED FILE-----";
/// Columns of base64 in every line but the last.
const COLUMNS: usize = 64;
/// Bytes in a full line.
const LINE: usize = COLUMNS / 4 * 3;
/// Lines coded at once.
const LINES: usize = 128;
/// White space allowed before and after the armor, in bytes, as `age` allows it.
const BLANK_MAX: usize = 1024;

/// A sealed file, armored or not, as the binary file that it is.
#[derive(Debug)]
pub enum Dearmored<R: Read> {
    /// It was binary.
    Binary(BufReader<R>),
    /// It is armored.
    Armored(ArmorReader<BufReader<R>>),
}

impl<R: Read> Dearmored<R> {
    /// Looks at the first byte: a binary file begins with a letter, armor with a dash or with
    /// white space.
    pub fn new(input: R) -> io::Result<Self> {
        let mut input = BufReader::new(input);
        let armored = loop {
            match input.fill_buf() {
                Ok(start) => {
                    break start.first().is_some_and(|b| *b == b'-' || b.is_ascii_whitespace());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        Ok(if armored { Self::Armored(ArmorReader::new(input)) } else { Self::Binary(input) })
    }

    /// Whether the file is armored.
    pub fn is_armored(&self) -> bool {
        matches!(self, Self::Armored(_))
    }
}

impl<R: Read> Read for Dearmored<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Binary(input) => input.read(out),
            Self::Armored(input) => input.read(out),
        }
    }
}

/// Decodes armor. What breaks a rule is an [`io::Error`] that holds an [`Error::Armor`].
#[derive(Debug)]
pub struct ArmorReader<R> {
    input: R,
    state: State,
    line: Vec<u8>,
    /// Decoded bytes, and how many of them were given out.
    bytes: Vec<u8>,
    given: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Within,
    After,
}

impl<R: BufRead> ArmorReader<R> {
    /// Reads armor from `input`, with white space allowed before and after it.
    pub fn new(input: R) -> Self {
        Self { input, state: State::Before, line: Vec::new(), bytes: Vec::new(), given: 0 }
    }

    /// Decodes the next lines, or none when the armor has ended.
    fn refill(&mut self) -> Result<(), Error> {
        self.given = 0;
        self.bytes.clear();
        if self.state == State::Before {
            self.begin()?;
            self.state = State::Within;
        }
        let mut text = Vec::with_capacity(COLUMNS * LINES);
        while self.state == State::Within && text.len() < COLUMNS * LINES {
            self.next_line()?;
            if self.line == END {
                self.end()?;
                break;
            }
            if self.line.is_empty() || self.line.len() > COLUMNS {
                return Err(Error::Armor("a line is empty or longer than 64 columns"));
            }
            text.extend_from_slice(&self.line);
            // A line that is not full is the last one, by its columns or by its padding.
            if self.line.len() < COLUMNS || self.line.ends_with(b"=") {
                self.next_line()?;
                if self.line != END {
                    return Err(Error::Armor("a short line is not followed by the end line"));
                }
                self.end()?;
            }
        }
        // Whole lines were joined, so padding is canonical only at the end of the last one.
        self.bytes = base64_decode(&text)
            .map_err(|_| Error::Armor("it is not canonical base64 with padding"))?;
        Ok(())
    }

    /// Skips white space and the first line.
    fn begin(&mut self) -> Result<(), Error> {
        let mut blank = 0;
        loop {
            self.next_line()?;
            if !self.line.trim_ascii().is_empty() {
                break;
            }
            blank += self.line.len() + 1;
            if blank > BLANK_MAX {
                return Err(Error::Armor("too much white space before it"));
            }
        }
        if self.line == BEGIN {
            Ok(())
        } else {
            Err(Error::Armor("its first line is not -----BEGIN AGE ENCRYPTED FILE-----"))
        }
    }

    /// Makes sure that nothing but white space follows.
    fn end(&mut self) -> Result<(), Error> {
        self.state = State::After;
        let mut rest = Vec::new();
        (&mut self.input).take(BLANK_MAX as u64 + 1).read_to_end(&mut rest)?;
        if !rest.trim_ascii().is_empty() || rest.len() > BLANK_MAX {
            return Err(Error::Armor("something follows its end line"));
        }
        Ok(())
    }

    /// Reads a line, without its LF or CR LF.
    fn next_line(&mut self) -> Result<(), Error> {
        self.line.clear();
        let most = BLANK_MAX as u64 + 1;
        let got = (&mut self.input).take(most).read_until(b'\n', &mut self.line)?;
        if got == 0 {
            return Err(Error::Armor("its end line is missing"));
        }
        if self.line.ends_with(b"\n") {
            self.line.pop();
            if self.line.ends_with(b"\r") {
                self.line.pop();
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for ArmorReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.bytes.len() && self.state != State::After && !out.is_empty() {
            self.refill()?;
        }
        let mut rest = self.bytes.get(self.given..).unwrap_or_default();
        let got = rest.read(out)?;
        self.given += got;
        Ok(got)
    }
}

/// Armors what is written to it. [`ArmorWriter::finish`] writes the end.
#[derive(Debug)]
pub struct ArmorWriter<W: Write> {
    output: BufWriter<W>,
    pending: Vec<u8>,
    begun: bool,
}

impl<W: Write> ArmorWriter<W> {
    /// Armors to `output`.
    pub fn new(output: W) -> Self {
        let pending = Vec::with_capacity(LINE * LINES);
        Self { output: BufWriter::new(output), pending, begun: false }
    }

    /// Writes what is left and the end line, and gives the writer below back.
    pub fn finish(mut self) -> io::Result<W> {
        self.encode()?;
        self.output.write_all(END)?;
        self.output.write_all(b"\n")?;
        self.output.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn encode(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.output.write_all(BEGIN)?;
            self.output.write_all(b"\n")?;
        }
        for line in base64_encode(&self.pending).as_bytes().chunks(COLUMNS) {
            self.output.write_all(line)?;
            self.output.write_all(b"\n")?;
        }
        self.pending.clear();
        Ok(())
    }
}

impl<W: Write> Write for ArmorWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.len() == LINE * LINES {
            self.encode()?;
        }
        let taken = bytes.len().min(LINE * LINES - self.pending.len());
        self.pending.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    /// Flushes whole lines; the last one waits for [`ArmorWriter::finish`].
    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests;
