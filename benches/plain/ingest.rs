//! From an mbox to documents, by the library's own files.

#[rustfmt::skip]
#[path = "../../src/index/ingest/formats/mod.rs"]
mod formats;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use formats::{mail, mbox, pdf};

use super::document::{Document, message_id};

/// Longest message that is read.
const MAX: u64 = 64 << 20;

/// Gives every message of an mbox.
pub(crate) fn each_message(path: &Path, mut give: impl FnMut(Document)) {
    let input = BufReader::with_capacity(64 << 10, File::open(path).unwrap());
    let mut messages = mbox::Messages::new(input, MAX);
    let mut raw = Vec::new();
    while let Some(found) = messages.next_into(&mut raw).unwrap() {
        if let Some(document) = read(&raw, path, Some(found.offset)) {
            give(document);
        }
    }
}

/// The document of one message.
pub(super) fn read(raw: &[u8], path: &Path, offset: Option<u64>) -> Option<Document> {
    let read: pdf::PdfReader = |bytes| pdf::Pdf::read(bytes).map_err(|error| error.to_string());
    let mut attached = pdf::Attached::new(Some(read));
    let mut document = mail::document(raw, message_id(raw), &mut attached).ok()?;
    document.path = Some(path.into());
    document.offset = offset;
    Some(document)
}
