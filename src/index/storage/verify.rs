//! Opens every cell there is.

use std::collections::BTreeSet;

use crate::files::disk;
use crate::index::error::Error;
use crate::index::storage::cells::Damage;
use crate::index::storage::directory::CellDirectory;
use crate::index::storage::folder::{self, WRITER};
use crate::index::storage::manifest;
use crate::index::storage::pack::Pack;

/// What `Index::verify` saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Files read.
    pub files: u64,
    /// Cells opened in them.
    pub cells: u64,
    /// Files that no manifest names: a killed writer left them, the next one removes them.
    pub left_over: u64,
    /// What is damaged, missing or foreign; empty when all is well.
    pub damage: Vec<Damage>,
}

/// Opens both manifests, and every cell of every file that they name.
pub(crate) fn verify(directory: &CellDirectory) -> Result<Checked, Error> {
    let io = |error| Error::io(directory.folder())(error);
    let files = directory.disk();
    let _writer = files
        .lock(WRITER, false)
        .map_err(io)?
        .ok_or_else(|| Error::Busy(directory.folder().into()))?;
    let readers = directory.lock_readers().map_err(io)?;
    directory.refresh()?;
    drop(readers);
    let mut report = Checked::default();
    let found = manifest::newest(files, directory.keys().all()).map_err(io)?;
    let found = found.map_err(|damage| match damage {
        Some(damage) => Error::Damaged(damage),
        None => Error::Missing(directory.folder().into()),
    })?;
    report.damage.extend(found.doubt);
    let mut known = BTreeSet::new();
    for manifest in [Some(found.newest), found.before].into_iter().flatten() {
        report.files += 1;
        for entry in &manifest.packs {
            if !known.insert(entry.name()) {
                continue;
            }
            match Pack::open(files, entry, directory.opened()) {
                Ok(pack) => {
                    report.files += 1;
                    pack.file.each(|_, opened| {
                        match opened {
                            Ok(_) => report.cells += 1,
                            Err(error) => {
                                report.damage.push(damage_of(directory, &entry.name(), &error));
                            }
                        }
                        true
                    });
                }
                Err(error) => report.damage.push(damage_of(directory, &entry.name(), &error)),
            }
        }
    }
    for name in files.list().map_err(io)? {
        if known.contains(&name) || folder::is_plain_name(&name) {
            report.left_over += u64::from(disk::is_under_way(&name));
        } else if folder::is_cell_name(&name) {
            report.left_over += 1;
        } else {
            let what = "it is no file of this index".to_owned();
            report.damage.push(Damage { file: name, what });
        }
    }
    Ok(report)
}

/// What is damaged, as the cells said, or else as the error does.
fn damage_of(directory: &CellDirectory, file: &str, error: &dyn std::fmt::Display) -> Damage {
    let met = directory.opened().take_damage();
    met.unwrap_or_else(|| Damage { file: file.to_owned(), what: error.to_string() })
}
