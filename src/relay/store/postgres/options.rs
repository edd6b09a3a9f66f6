//! Options of a store over PostgreSQL.

use std::path::PathBuf;

use crate::relay::store::Quotas;
use crate::secret::SecretString;

/// Options of a store over PostgreSQL.
#[derive(Default)]
pub struct Options {
    /// Bounds. Those of the whole store hold for each cluster.
    pub quotas: Quotas,
    /// Where long bodies go: `s3://…`, `gs://…`, `az://…` or `file:///…`; without, to the
    /// database. All relays name the same.
    pub blobs: Option<String>,
    /// The password, when the address has none.
    pub password: Option<SecretString>,
    /// A file of passwords in the form of PostgreSQL's `PGPASSFILE`, mode 0600.
    pub passwords: Option<PathBuf>,
    /// A file of certificates (PEM) that databases and object stores are verified by, beside the
    /// public roots.
    pub certificates: Option<PathBuf>,
}
