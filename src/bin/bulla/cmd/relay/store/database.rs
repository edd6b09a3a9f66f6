//! Opens a store over PostgreSQL, and moves its slots.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use bulla::relay::store::postgres::{self, Distributed, Options};
use bulla::relay::store::{Quotas, Store};

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};

/// Opens the store; `blobs` is where long bodies go.
pub(super) fn open(
    app: &App,
    at: &cli::StoreAt,
    blobs: Option<&str>,
    quotas: Quotas,
) -> Result<Arc<dyn Store>> {
    let (urls, options) = options(at, blobs, quotas)?;
    let store = Distributed::start(&urls, options)?;
    if !store.is_replicated() {
        app.ui.warn("synchronous_standby_names is empty: what is stored is on one node only");
    }
    Ok(Arc::new(store))
}

fn options(
    at: &cli::StoreAt,
    blobs: Option<&str>,
    quotas: Quotas,
) -> Result<(Vec<String>, Options)> {
    let urls = at.store.iter().map(|url| address(&url.to_string_lossy()));
    let urls = urls.collect::<Result<Vec<_>>>()?;
    let password = at.store_password.as_ref();
    let password =
        password.map(|source| source.line("the password of the database")).transpose()?;
    let file = std::env::var_os("PGPASSFILE").filter(|file| !file.is_empty());
    let options = Options {
        quotas,
        blobs: blobs.map(str::to_owned),
        password,
        passwords: file.map(PathBuf::from),
        certificates: crate::network::authorities(),
    };
    Ok((urls, options))
}

/// An address without a password: everybody on the machine can read it.
fn address(url: &str) -> Result<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || rest.contains("password=") {
        return Err(Fail::usage("expected an address without a password")
            .hint("--store-password SRC, or a file in PGPASSFILE")
            .into());
    }
    Ok(url.to_owned())
}

pub(super) fn shift(app: &App, args: &cli::RelayMove) -> Result<Exit> {
    let (urls, options) = options(&args.at, None, Quotas::default())?;
    let to = address(&args.to)?;
    let all = args.slots.clone().count();
    let mut moved = 0;
    postgres::shift_blocking(&urls, &options, args.slots.clone(), &to, &mut |slot| {
        moved += 1;
        app.ui.detail(&format!("slot {slot} is there ({moved} of {all})"));
    })?;
    app.ui.note(&format!("{moved} slots are there"));
    Ok(Exit::Done)
}
