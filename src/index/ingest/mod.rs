//! From files to documents.

mod driver;
mod formats;
mod options;
mod report;
mod sources;

pub use formats::catch_panic::is_panic_expected;
pub use formats::detect::Type;
pub use formats::pdf::Pdf;
#[cfg(feature = "pdf")]
pub use formats::pdf::PdfError;
pub use options::{BuildOptions, MAX_FILE};
pub use report::{Report, Skipped};
pub use sources::original::{Lost, Original, Part};
