//! Reader of a PDF: its title, its author, its date, and the text of its pages, in bounded work.

use std::ops::ControlFlow;

use lopdf::{LoadOptions, decode_text_string};

use crate::index::document::{MAX_BODY, MAX_FIELD, cut};
use crate::index::ingest::formats::catch_panic;
use crate::index::ingest::formats::pdf::object::{MAX_STREAM, dictionary, entry};
use crate::index::ingest::formats::pdf::page::Reader;
use crate::index::ingest::formats::pdf::text::{Pdf, one_line};

/// Operators, and bytes of streams divided by 16, that are read of one file: some seconds of work.
const WORK: u64 = 8_000_000;
/// Why a PDF was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PdfError {
    /// It opens with a passphrase alone.
    #[error("this PDF opens with a passphrase alone")]
    Locked,
    /// Nothing can be taken out of it.
    #[error("this PDF is damaged: {0}")]
    Malformed(String),
    /// The reader below gave up with a panic.
    #[error("this PDF is too broken to be read")]
    Broken,
}

impl Pdf {
    /// Reads a PDF, here and now: its title, its author, its date, and the text of its pages.
    ///
    /// One that is encrypted, but opens without a passphrase, is read. What is written on a page is
    /// read whether it can be seen or not: scanners put what they recognised behind the picture.
    ///
    /// Work and memory are bounded as far as this code counts them, that of the library below is not:
    /// do not call it for what strangers send but in a process that may fail (see `PdfReader`).
    pub fn read(bytes: &[u8]) -> Result<Self, PdfError> {
        catch_panic::caught(|| read(bytes)).unwrap_or(Err(PdfError::Broken))
    }
}

fn read(bytes: &[u8]) -> Result<Pdf, PdfError> {
    let malformed = |why: String| PdfError::Malformed(why);
    let options = LoadOptions { max_decompressed_size: Some(MAX_STREAM), ..LoadOptions::default() };
    let document = match lopdf::Document::load_mem_with_options(bytes, options) {
        Err(lopdf::Error::InvalidPassword | lopdf::Error::Decryption(_)) => {
            return Err(PdfError::Locked);
        }
        other => other.map_err(|error| malformed(error.to_string()))?,
    };
    if document.is_encrypted() && document.encryption_state.is_none() {
        return Err(PdfError::Locked);
    }
    let mut pdf = Pdf::default();
    if let Some(info) = entry(&document, &document.trailer, b"Info").and_then(dictionary) {
        let text = |key| entry(&document, info, key).and_then(|o| decode_text_string(o).ok());
        let line = |key| text(key).map(|text| one_line(&text)).unwrap_or_default();
        (pdf.title, pdf.author) = (line(b"Title"), line(b"Author"));
        pdf.created = text(b"CreationDate").and_then(|date| seconds(&date));
    }
    let mut reader = Reader::new(&document, WORK);
    let mut pages = 0usize;
    for page in document.page_iter() {
        pages += 1;
        if reader.page(page) == ControlFlow::Break(()) {
            break;
        }
    }
    if pages == 0 {
        return Err(malformed("expected pages, got none".to_owned()));
    }
    pdf.text = reader.end().map_err(malformed)?;
    // A little less, for what stands before it in the record.
    cut(&mut pdf.text, MAX_BODY - 3 * MAX_FIELD);
    Ok(pdf)
}

/// The moment of a date (7.9.4): `D:20261128031111+01'00'`, of which all behind the year may lack.
fn seconds(date: &str) -> Option<i64> {
    let date = date.trim().strip_prefix("D:").unwrap_or(date.trim());
    let end = date.find(|c: char| !c.is_ascii_digit()).unwrap_or(date.len());
    let (digits, zone) = date.split_at_checked(end)?;
    let part = |from: usize, to: usize, lacking: i8| match digits.get(from..to) {
        Some(digits) => digits.parse().ok(),
        None => Some(lacking),
    };
    let time = jiff::civil::DateTime::new(
        digits.get(..4)?.parse().ok()?,
        part(4, 6, 1)?,
        part(6, 8, 1)?,
        part(8, 10, 0)?,
        part(10, 12, 0)?,
        part(12, 14, 0)?,
        0,
    );
    let mut minutes = 0;
    if let Some(sign) = zone.chars().next().filter(|sign| matches!(sign, '+' | '-')) {
        let mut parts = zone.get(1..)?.split('\'').map(|part| part.parse::<i64>().unwrap_or(0));
        minutes = parts.next().unwrap_or(0) * 60 + parts.next().unwrap_or(0);
        minutes *= if sign == '-' { -1 } else { 1 };
    }
    let utc = time.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some(utc - minutes * 60)
}

#[cfg(test)]
mod tests;
