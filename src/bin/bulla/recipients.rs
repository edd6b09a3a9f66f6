//! Whom an age file is sealed to, as typed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulla::age::{self, Recipient};
use bulla::files;

use crate::input;

/// Greatest list of recipients: 16 MiB, as age's.
const MAX_LIST: u64 = 16 << 20;

/// The recipients behind `-r`, and those in the files behind `-R`.
pub(crate) fn read(values: &[String], files: &[PathBuf]) -> Result<Vec<Box<dyn Recipient>>> {
    let mut found = Vec::new();
    for value in values {
        found.push(age::parse_recipient(value).context("cannot take what is behind -r")?);
    }
    for path in files {
        let bytes = if path == Path::new("-") {
            files::read_to_limit(input::stdin("-R")?, MAX_LIST)
        } else {
            files::read_bounded(path, MAX_LIST)
        };
        let bytes =
            bytes.with_context(|| format!("cannot read recipients from {}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in (1..).zip(text.lines()).map(|(n, line)| (n, line.trim())) {
            if !line.is_empty() && !line.starts_with('#') {
                let recipient = age::parse_recipient(line)
                    .with_context(|| format!("line {number} of {}", path.display()))?;
                found.push(recipient);
            }
        }
    }
    Ok(found)
}
