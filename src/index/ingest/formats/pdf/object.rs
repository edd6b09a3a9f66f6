//! Objects of a PDF, and bounds for what is read of them.

use lopdf::{Dictionary, Document, Object};

/// What a stream may decompress to, in bytes: four times the text that is kept.
pub(super) const MAX_STREAM: usize = 64 << 20;
/// Links followed to a parent in the tree of pages.
pub(super) const DEPTH: usize = 64;

/// An entry of a dictionary, behind any references.
pub(super) fn entry<'a>(
    document: &'a Document,
    of: &'a Dictionary,
    key: &[u8],
) -> Option<&'a Object> {
    of.get_deref(key, document).ok()
}

/// The dictionary of an object that is or has one.
pub(super) fn dictionary(object: &Object) -> Option<&Dictionary> {
    match object {
        Object::Dictionary(dictionary) => Some(dictionary),
        Object::Stream(stream) => Some(&stream.dict),
        _ => None,
    }
}
