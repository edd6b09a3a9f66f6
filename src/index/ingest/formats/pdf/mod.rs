//! PDF (ISO 32000-1) as text. lopdf reads the file, its filters and its encryption; what a font's
//! codes say (`font`), and what stands beside and below what on a page (`page`), is read here.

mod font;
mod object;
mod page;
mod read;

pub(in crate::index) use read::{Attached, is_of};
pub use read::{Pdf, PdfError, PdfReader};
