//! Where the bodies of letters go: one output for all of them, a file each, or lines of JSON.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use bulla::files::{Access, AtomicFile, Existing};
use bulla::letter::Letter;
use bulla::text;

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::output::{Nature, Output, Target};
use crate::record::Place;

/// Greatest body that goes on a line of JSON: 64 MiB.
const MAX_LINE: usize = 64 << 20;

/// All bodies of a run.
pub(crate) struct Bodies<'a> {
    app: &'a App,
    target: Target,
    folder: Option<&'a Path>,
    /// The common output, opened with the first body that may be let out.
    common: Mutex<Option<Output>>,
}

/// A body under way.
pub(crate) enum Body {
    /// To the common output.
    Common(Output),
    /// To a file of its own.
    File(AtomicFile, PathBuf),
    /// To a line of JSON in the common output.
    Line(Vec<u8>, Output),
}

impl<'a> Bodies<'a> {
    pub(crate) fn new(app: &'a App, args: &'a cli::Open) -> Result<Self> {
        let folder = args.output_dir.as_deref();
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let target = Target::new(&args.output, args.file.as_deref(), Nature::Text)?;
        Ok(Self { app, target, folder, common: Mutex::new(None) })
    }

    /// The place of the next body.
    pub(crate) fn begin(&self, letter: Option<&Letter>) -> Result<Body> {
        if let Some(folder) = self.folder {
            let path = free_path(folder, letter);
            let file = AtomicFile::create(&path, Existing::Keep, Access::Umask)
                .with_context(|| format!("cannot write {}", path.display()))?;
            return Ok(Body::File(file, path));
        }
        let opened = self.common.lock().ok().and_then(|mut common| common.take());
        let common = opened.map_or_else(|| self.target.open(Access::Umask), Ok)?;
        Ok(if self.app.ui.json { Body::Line(Vec::new(), common) } else { Body::Common(common) })
    }

    /// Ends a body whose last byte was verified; `line` makes its JSON. Returns whether the
    /// body is where it should be: that of a common file is not before [`Bodies::commit`].
    pub(crate) fn finish(
        &mut self,
        body: Body,
        line: impl FnOnce(Place<'_>) -> serde_json::Value,
    ) -> Result<bool> {
        let mut common = match body {
            Body::File(file, path) => {
                file.commit().with_context(|| format!("cannot write {}", path.display()))?;
                let path = path.display().to_string();
                if !self.app.ui.json {
                    self.app.ui.note(&format!("wrote {path}"));
                    return Ok(true);
                }
                writeln!(io::stdout(), "{}", line(Place::File(&path)))?;
                return Ok(true);
            }
            Body::Common(common) => common,
            Body::Line(bytes, mut common) => {
                let mut text = line(Place::Line(&bytes)).to_string();
                text.push('\n');
                common.write_all(text.as_bytes())?;
                common
            }
        };
        common.flush()?;
        let durable = !matches!(common, Output::File { .. });
        self.common = Mutex::new(Some(common));
        Ok(durable)
    }

    /// Gives the common file its name.
    pub(crate) fn commit(&mut self) -> Result<()> {
        match self.common.get_mut() {
            Ok(common) => common.take().map_or(Ok(()), Output::finish),
            Err(_) => Ok(()),
        }
    }
}

impl Write for Body {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Common(output) => output.write(buf),
            Self::File(file, _) => file.write(buf),
            Self::Line(bytes, _) => {
                if bytes.len() + buf.len() > MAX_LINE {
                    let fail = Fail::new(
                        Exit::Malformed,
                        "a body over 64 MiB is too long for a line of JSON",
                    );
                    return Err(io::Error::other(
                        fail.hint("write bodies to files with --output-dir DIR"),
                    ));
                }
                bytes.extend_from_slice(buf);
                Ok(buf.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A path in `folder` that no file has: the letter's file name made safe, else its id, with the
/// beginning of the id in the name when another file has it.
fn free_path(folder: &Path, letter: Option<&Letter>) -> PathBuf {
    let id = letter.map_or_else(|| "sealed".into(), |letter| text::hex_encode(&letter.id));
    let asked = letter.and_then(|letter| letter.heading.file_name.as_deref());
    let name = asked.and_then(text::file_name).unwrap_or_else(|| id.clone());
    let taken = |path: &Path| path.symlink_metadata().is_ok();
    let path = folder.join(&name);
    if !taken(&path) {
        return path;
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name.as_str(), String::new()),
    };
    folder.join(format!("{stem}-{}{extension}", id.get(..8).unwrap_or(&id)))
}
