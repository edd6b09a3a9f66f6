//! What a relay shows for itself: its certificate, and where that comes from.

pub mod acme;
mod certificate;
pub mod key;

pub(super) use self::certificate::ACME_TLS;
pub use self::certificate::{Certificate, Error, Tls};
