//! Letters from a stream of JSON lines.

use std::io::{BufRead, Read as _};
use std::path::Path;

use crate::index::error::Error;
use crate::index::ingest::formats::jsonl;
use crate::index::ingest::report::Report;
use crate::index::writer::Writer;
use crate::text::hex_decode;

/// Longest line in bytes: 128 MiB.
const LINE: u64 = 128 << 20;

impl Writer<'_> {
    /// Adds letters, one JSON object a line, as `bulla open --json` prints them. A letter that is
    /// in the index already is left as it is.
    ///
    /// A line that is no letter is named in the report as skipped, by its number, and costs no
    /// other line.
    pub fn add_json_lines(&mut self, mut input: impl BufRead) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut line = Vec::new();
        for number in 1.. {
            let place = Path::new("-");
            line.clear();
            let read = input
                .by_ref()
                .take(LINE + 1)
                .read_until(b'\n', &mut line)
                .map_err(Error::io("-"))? as u64;
            if read == 0 {
                break;
            }
            report.bytes += read;
            if read > LINE {
                input.skip_until(b'\n').map_err(Error::io("-"))?;
                report.skip(place, Some(number), format!("a line of more than {LINE} bytes"));
                continue;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let document = match jsonl::document(&line) {
                Ok(document) => document,
                Err(why) => {
                    report.skip(place, Some(number), why);
                    continue;
                }
            };
            report.letters.extend(hex_decode(&document.id).ok());
            if self.knows(&document.id)? {
                report.unchanged += 1;
            } else {
                self.put(document)?;
                report.added += 1;
            }
        }
        Ok(report)
    }
}
