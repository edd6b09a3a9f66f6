//! Splits an mbox (RFC 4155; mboxo and mboxrd quoting) as it is read, in memory for one message.

use std::io::{self, BufRead};

use crate::index::ingest::formats::detect::is_from_line;

/// Longest line that is looked at whole; of a longer one the beginning is.
const LINE: usize = 64 << 10;

/// Walks over the messages of an mbox.
///
/// A message begins behind a line `From sender date` at the start of the file or after an empty
/// line. One `>` is taken from lines `>From `, `>>From ` and so on, and the empty line before
/// the next message is taken away.
pub(crate) struct Messages<R> {
    input: R,
    max: u64,
    /// Bytes read.
    at: u64,
    /// A line read, not yet used.
    line: Vec<u8>,
}

/// A message that was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where its `From ` line begins.
    pub(crate) offset: u64,
    /// Bytes up to the next one.
    pub(crate) length: u64,
    /// It was longer than allowed, and is not given.
    pub(crate) too_long: bool,
}

impl<R: BufRead> Messages<R> {
    /// Messages of at most `max` bytes.
    pub(crate) fn new(input: R, max: u64) -> Self {
        Self { input, max, at: 0, line: Vec::new() }
    }

    /// Reads the next message, without its `From ` line, into `message`.
    pub(crate) fn next_into(&mut self, message: &mut Vec<u8>) -> io::Result<Option<Found>> {
        message.clear();
        if self.at == 0 {
            self.read_line()?;
        }
        if self.line.is_empty() {
            return Ok(None);
        }
        let offset = self.at - self.line.len() as u64;
        let mut too_long = false;
        let (mut line_begins, mut after_empty) = (ends_line(&self.line), false);
        loop {
            self.read_line()?;
            if self.line.is_empty() || (after_empty && is_from_line(&self.line)) {
                break;
            }
            let empty = matches!(self.line.as_slice(), b"\n" | b"\r\n");
            after_empty = line_begins && empty;
            let quoted = line_begins && is_quoted(&self.line);
            line_begins = ends_line(&self.line);
            if message.len() as u64 + self.line.len() as u64 > self.max {
                too_long = true;
                message.clear();
                message.shrink_to(LINE);
            }
            if !too_long {
                message.extend(self.line.iter().skip(usize::from(quoted)));
            }
        }
        if after_empty {
            let blank = if message.ends_with(b"\r\n") { 2 } else { 1 };
            message.truncate(message.len().saturating_sub(blank));
        }
        let length = self.at - self.line.len() as u64 - offset;
        Ok(Some(Found { offset, length, too_long }))
    }

    /// Reads a line, or the next 64 KiB of a longer one.
    fn read_line(&mut self) -> io::Result<()> {
        self.line.clear();
        while self.line.len() < LINE {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let room = buffer.len().min(LINE - self.line.len());
            let piece = buffer.get(..room).unwrap_or_default();
            let end = piece.iter().position(|b| *b == b'\n').map_or(room, |at| at + 1);
            self.line.extend(piece.iter().take(end));
            self.input.consume(end);
            self.at += end as u64;
            if end == 0 || ends_line(&self.line) {
                break;
            }
        }
        Ok(())
    }
}

fn ends_line(line: &[u8]) -> bool {
    line.ends_with(b"\n")
}

/// `>From `, with any number of `>`.
fn is_quoted(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|b| **b == b'>').count();
    quotes > 0 && line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    const FROM: &str = "From x@y Thu Jan  1 00:00:00 1970\n";

    fn split(mbox: &[u8], max: u64, buffer: usize) -> Vec<(Found, Vec<u8>)> {
        let mut messages = Messages::new(BufReader::with_capacity(buffer, mbox), max);
        let (mut found, mut message) = (Vec::new(), Vec::new());
        while let Some(one) = messages.next_into(&mut message).unwrap() {
            found.push((one, message.clone()));
        }
        found
    }

    #[test]
    fn messages_are_parted_and_unquoted() {
        let mbox = format!("{FROM}A: b\n\n>From me\n>>From you\nFrom nobody\n\n{FROM}C: d\n\nlast");
        let found = split(mbox.as_bytes(), 1000, 7);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].1, b"A: b\n\nFrom me\n>From you\nFrom nobody\n");
        assert_eq!(found[1].1, b"C: d\n\nlast");
        assert_eq!(found[1].0.offset, found[0].0.length);
        assert_eq!(found[1].0.offset + found[1].0.length, mbox.len() as u64);
        assert!(split(b"", 1000, 7).is_empty());
    }

    #[test]
    fn a_long_message_is_passed_over_in_little_memory() {
        let long = "x".repeat(300_000);
        let mbox = format!("{FROM}A: b\n\n{long}\n\n{FROM}C: d\n\nlast\n");
        let found = split(mbox.as_bytes(), 1000, 64);
        assert_eq!(found.iter().map(|(f, _)| f.too_long).collect::<Vec<_>>(), [true, false]);
        assert_eq!(found[1].1, b"C: d\n\nlast\n");
    }

    proptest! {
        #[test]
        fn what_mboxrd_writes_comes_back(
            messages in proptest::collection::vec(
                "([A-Za-z>]{1,5}\n|>{0,2}From [a-z]{1,3}( 10:00)?\n|\n){1,8}", 1..5
            ),
            buffer in 1usize..50,
        ) {
            let mut mbox = String::new();
            for message in &messages {
                mbox.push_str(FROM);
                for line in message.lines() {
                    let quoted = line.trim_start_matches('>').starts_with("From ");
                    mbox.push_str(if quoted { ">" } else { "" });
                    mbox.push_str(line);
                    mbox.push('\n');
                }
                mbox.push('\n');
            }
            let found = split(mbox.as_bytes(), 10_000, buffer);
            let found: Vec<_> = found.into_iter().map(|(_, m)| String::from_utf8(m).unwrap()).collect();
            prop_assert_eq!(found, messages);
        }

        #[test]
        fn nothing_makes_it_panic(mbox in proptest::collection::vec(any::<u8>(), 0..300)) {
            let all = split(&mbox, 50, 16);
            prop_assert_eq!(all.iter().map(|(f, _)| f.length).sum::<u64>(), mbox.len() as u64);
        }
    }
}
