//! Opens the store of a relay: a folder, or PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use bulla::relay::store::embedded::Embedded;
use bulla::relay::store::{Quotas, Store};

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};

/// Whether a store is no folder.
pub(super) fn is_url(store: &Path) -> bool {
    store.to_string_lossy().contains("://")
}

/// The folder of a store that has one.
pub(super) fn folder(at: &cli::StoreAt) -> Option<&Path> {
    at.store.first().map(PathBuf::as_path).filter(|store| !is_url(store))
}

/// Opens the store; `blobs` is where long bodies go.
pub(super) fn open(
    app: &App,
    at: &cli::StoreAt,
    blobs: Option<&str>,
    quotas: Quotas,
) -> Result<Arc<dyn Store>> {
    if let Some(folder) = folder(at) {
        if at.store.len() > 1 {
            return Err(Fail::usage("a folder is a store alone").hint("--store DIR").into());
        }
        if blobs.is_some() {
            return Err(Fail::usage("--blobs goes with a store over PostgreSQL").into());
        }
        return Ok(Arc::new(Embedded::open(folder, quotas)?));
    }
    database::open(app, at, blobs, quotas)
}

/// `relay move`.
pub(super) fn shift(app: &App, args: &cli::RelayMove) -> Result<Exit> {
    if folder(&args.at).is_some() {
        return Err(Fail::usage("slots are moved between clusters of PostgreSQL").into());
    }
    database::shift(app, args)
}

/// A program that was built without the feature `distributed`.
#[cfg(not(feature = "distributed"))]
mod database {
    use std::sync::Arc;

    use anyhow::Result;
    use bulla::relay::store::{Quotas, Store};

    use crate::app::App;
    use crate::cli;
    use crate::exit::{Exit, Fail};

    fn refused() -> anyhow::Error {
        Fail::usage("this program was built without PostgreSQL").hint("--store DIR").into()
    }

    pub(super) fn open(
        _: &App,
        _: &cli::StoreAt,
        _: Option<&str>,
        _: Quotas,
    ) -> Result<Arc<dyn Store>> {
        Err(refused())
    }

    pub(super) fn shift(_: &App, _: &cli::RelayMove) -> Result<Exit> {
        Err(refused())
    }
}

#[cfg(feature = "distributed")]
mod database;
