//! PDF (ISO 32000-1) as text. lopdf reads the file, its filters and its encryption; what a font's
//! codes say (`font`), and what stands beside and below what on a page (`page`), is read here. All of
//! that needs the feature `pdf`; what a PDF says (`text`) does not.

#[cfg(feature = "pdf")]
mod font;
#[cfg(feature = "pdf")]
mod object;
#[cfg(feature = "pdf")]
mod page;
#[cfg(feature = "pdf")]
mod read;
mod text;

#[cfg(feature = "pdf")]
pub use read::PdfError;
pub use text::Pdf;
pub(crate) use text::PdfReader;
pub(in crate::index) use text::{Attached, is_of};
