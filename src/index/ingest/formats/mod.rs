//! File formats: from the bytes of a message or file to a document.

pub(in crate::index) mod catch_panic;
pub(super) mod charset;
pub(super) mod css_visibility;
pub(super) mod cte;
pub(in crate::index) mod detect;
pub(super) mod flags;
pub(super) mod html;
pub(super) mod jsonl;
pub(super) mod legacy_charset;
pub(super) mod mail;
pub(super) mod mbox;
pub(in crate::index) mod pdf;
pub(super) mod rfc2047;
pub(super) mod unpack;
