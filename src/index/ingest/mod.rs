//! From files to documents.

mod driver;
mod formats;
mod options;
mod report;
mod sources;

pub use formats::catch_panic::is_panic_expected;
pub use formats::detect::Type;
#[cfg(feature = "pdf")]
pub use formats::pdf::PdfError;
pub use formats::pdf::{Pdf, PdfReader};
pub use options::{BuildOptions, MAX_FILE};
pub use report::{Report, Skipped};
pub use sources::original::{Lost, Original, Part};
