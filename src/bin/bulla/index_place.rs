//! Where an index is, what opens it, and what is damaged in it.

use std::path::PathBuf;

use anyhow::Result;
use bulla::account::Account;
use bulla::index::{Index, LeftOut, Stems};
use bulla::secret::Secret;

use crate::app::App;
use crate::cli;
use crate::ui::Ui;

/// Where an index is, and what opens it.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    key: Secret<32>,
    account: Option<Account>,
    ui: Ui,
}

impl Place {
    pub(crate) fn of(app: &App, args: &cli::Place) -> Result<Self> {
        let searcher = app.searcher(&args.keys)?;
        let folder = match &args.index {
            Some(folder) => folder.clone(),
            None => searcher.folder()?.join("index"),
        };
        Ok(Self { folder, key: searcher.key, ui: app.ui, account: searcher.account })
    }

    /// Erases what is kept of letters that are in the index now. Where an agent opened it, their time
    /// does.
    pub(crate) fn are_safe(&self, letters: &[[u8; 16]]) -> Result<()> {
        match &self.account {
            Some(account) if account.folder().is_ok() => Ok(account.letters_are_safe(letters)?),
            _ => Ok(()),
        }
    }

    pub(crate) fn open(&self) -> Result<Index> {
        let index = Index::open(&self.folder, &self.key)?;
        warn_of(&self.ui, &index.left_out());
        Ok(index)
    }

    /// The index, made where there is none; with stems in these languages, if any are named.
    pub(crate) fn open_or_create(&self, stems: Option<&Stems>) -> Result<Index> {
        let index = match stems {
            Some(stems) => Index::open_or_create_stemmed(&self.folder, &self.key, stems)?,
            None => Index::open_or_create(&self.folder, &self.key)?,
        };
        warn_of(&self.ui, &index.left_out());
        Ok(index)
    }
}

/// Says what is damaged and left out.
pub(crate) fn warn_of(ui: &Ui, left_out: &[LeftOut]) {
    for LeftOut { damage, documents } in left_out {
        ui.warn(&match documents {
            Some(0) => format!("what is known of files read is lost, and no document: {damage}"),
            Some(1) => format!("1 document is left out: {damage}"),
            Some(documents) => format!("{documents} documents are left out: {damage}"),
            None => format!("what was indexed last may be missing: {damage}"),
        });
    }
}
