//! Opens every cell there is.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use tantivy::SegmentMeta;
use tantivy::directory::error::OpenReadError;
use tantivy::index::SegmentComponent;

use super::Error;
use super::cells::Damage;
use super::directory::{MANAGED, META, WRITER};
use super::engine::Index;
use super::folder;
use crate::files;

/// What [`Index::verify`] saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Cell files read.
    pub files: u64,
    /// Cells opened in them.
    pub cells: u64,
    /// What is damaged, missing or too much; empty when all is well.
    pub damage: Vec<Damage>,
}

impl Index {
    /// Opens every cell of every file. No writer may be at work meanwhile.
    pub fn verify(&self) -> Result<Checked, Error> {
        let _lock = files::Lock::try_acquire(&self.folder().join(WRITER))
            .map_err(Error::io(self.folder()))?
            .ok_or_else(|| Error::Busy(self.folder().into()))?;
        let mut report = Checked::default();
        let metas = self.checked(self.engine.searchable_segment_metas())?;
        let managed = self.engine.directory().list_managed_files();
        let living: Vec<PathBuf> = metas.iter().flat_map(files_of).collect();
        let mut ours = Vec::new();
        let of_all = [PathBuf::from(META), PathBuf::from(MANAGED)];
        let every: BTreeSet<&PathBuf> = managed.iter().chain(&living).chain(&of_all).collect();
        for path in every {
            let on_disk = self.directory.name_on_disk(path);
            match self.directory.open_cells(path) {
                // A killed writer lists files that it never came to write.
                Err(OpenReadError::FileDoesNotExist(_)) if !living.contains(path) => {}
                Err(OpenReadError::FileDoesNotExist(_)) => {
                    report
                        .damage
                        .push(Damage { file: on_disk.clone(), what: folder::MISSING.into() });
                }
                Err(error) => report.damage.push(self.damage_of(&on_disk, &error)),
                Ok(file) => {
                    report.files += 1;
                    for cell in 0..file.cells() {
                        match file.cell(cell) {
                            Ok(_) => report.cells += 1,
                            Err(error) => report.damage.push(self.damage_of(&on_disk, &error)),
                        }
                    }
                }
            }
            ours.push(on_disk);
        }
        for entry in fs::read_dir(self.folder()).map_err(Error::io(self.folder()))? {
            let name = entry.map_err(Error::io(self.folder()))?.file_name();
            let name = name.to_string_lossy().into_owned();
            if !ours.contains(&name) && !folder::is_plain_name(&name) {
                let what = "it is no file of this index".to_owned();
                report.damage.push(Damage { file: name, what });
            }
        }
        Ok(report)
    }

    fn damage_of(&self, file: &str, error: &dyn fmt::Display) -> Damage {
        let met = self.directory.opened().take_damage();
        met.unwrap_or_else(|| Damage { file: file.to_owned(), what: error.to_string() })
    }
}

/// The files that a segment must have.
fn files_of(segment: &SegmentMeta) -> Vec<PathBuf> {
    let mut parts = vec![
        SegmentComponent::Postings,
        SegmentComponent::Positions,
        SegmentComponent::Terms,
        SegmentComponent::Store,
        SegmentComponent::FastFields,
        SegmentComponent::FieldNorms,
    ];
    if segment.has_deletes() {
        parts.push(SegmentComponent::Delete);
    }
    parts.into_iter().map(|part| segment.relative_path(part)).collect()
}
