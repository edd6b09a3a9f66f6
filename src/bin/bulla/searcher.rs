//! Access to the index of an identity, by an agent or by the identity itself.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bulla::account::{Account, state_folder};
use bulla::secret::Secret;

use crate::agent;
use crate::app::{App, first};
use crate::cli::Keys;
use crate::home::homeless;

impl App {
    /// Who may search: an agent that holds the key of the index is asked first, so that a locked
    /// identity need not be unlocked.
    pub(crate) fn searcher(&self, keys: &Keys) -> Result<Searcher> {
        let file = self.key_file(keys.identity.as_ref())?.ok_or_else(|| self.no_identity())?;
        if keys.passphrase.is_none() && file.is_locked()? {
            let socket = agent::socket(&self.home);
            let held = socket.and_then(|at| agent::get(&at, &agent::name_of(&file.bytes)));
            if let Some(held) = held {
                let folder = state_folder(self.home.data(), &held.folder);
                return Ok(Searcher { folder, key: held.key, account: None });
            }
        }
        let me = self.account(first(self.unlock(&file, keys.passphrase.as_ref())?)?);
        let key = me.index_key();
        let folder = me.folder().ok().map(Path::to_owned);
        Ok(Searcher { key, folder, account: Some(me) })
    }
}

/// What a search needs of an identity.
pub(crate) struct Searcher {
    folder: Option<PathBuf>,
    /// What wraps the keys of indexes.
    pub(crate) key: Secret<32>,
    /// The account; an agent has the key of the index alone.
    pub(crate) account: Option<Account>,
}

impl Searcher {
    /// The folder of the identity's state; an error without a home.
    pub(crate) fn folder(&self) -> Result<&Path> {
        Ok(self.folder.as_deref().ok_or_else(homeless)?)
    }
}
