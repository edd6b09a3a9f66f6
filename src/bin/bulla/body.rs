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
use crate::cmd::open::Again;
use crate::exit::Fail;
use crate::output::{Nature, Output, Target};
use crate::record::{Place, json_line};

/// Greatest body that goes on a line of JSON: 16 MiB, which escapes can make 96.
const MAX_LINE: usize = 16 << 20;

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
    /// Nowhere: the letter was for the program.
    Nowhere,
}

impl<'a> Bodies<'a> {
    pub(crate) fn new(app: &'a App, args: &'a cli::Open) -> Result<Self> {
        let folder = args.output_dir.as_deref();
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        // A file that is there already may be this very letter, which only opening it tells.
        let perhaps = Again::of_command() == Again::Perhaps;
        let output =
            cli::Output { output: args.output.output.clone(), force: args.output.force || perhaps };
        let target = Target::new(&output, args.file.as_deref(), Nature::Text)?;
        let target = if args.output.force { target } else { target.keeping() };
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

    /// Whether bodies are nowhere yet: they go to a file that appears when all are in it.
    pub(crate) fn is_held_back(&self) -> bool {
        self.folder.is_none() && self.target.is_file()
    }

    /// Whether they go to files that appear when they are complete.
    pub(crate) fn are_files(&self) -> bool {
        self.folder.is_some() || self.target.is_file()
    }

    /// Whether what was let out cannot get lost any more: it is in a file, or before somebody's
    /// eyes, and not in a pipe.
    pub(crate) fn is_durable(&self) -> bool {
        self.folder.is_some() || self.target.keeps()
    }

    /// Ends a body whose last byte was verified; `line` makes its JSON.
    pub(crate) fn finish(
        &mut self,
        body: Body,
        line: impl FnOnce(Place<'_>) -> serde_json::Value,
    ) -> Result<()> {
        let mut common = match body {
            Body::File(file, path) => {
                file.commit().with_context(|| format!("cannot write {}", path.display()))?;
                let path = path.display().to_string();
                if !self.app.ui.json {
                    self.app.ui.note(&format!("wrote {path}"));
                    return Ok(());
                }
                writeln!(io::stdout(), "{}", line(Place::File(&path)))?;
                return Ok(());
            }
            Body::Nowhere => return Ok(()),
            Body::Common(common) => common,
            Body::Line(bytes, mut common) => {
                let mut text = json_line(&line(Place::Line(&bytes)));
                text.push('\n');
                common.write_all(text.as_bytes())?;
                common
            }
        };
        common.flush()?;
        self.common = Mutex::new(Some(common));
        Ok(())
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
            Self::Nowhere => Ok(buf.len()),
            Self::Common(output) => output.write(buf),
            Self::File(file, _) => file.write(buf),
            Self::Line(bytes, _) => {
                if bytes.len() + buf.len() > MAX_LINE {
                    let fail = Fail::usage("a body over 16 MiB is too long for a line of JSON");
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
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name.as_str(), String::new()),
    };
    let short = id.get(..8).unwrap_or(&id);
    let free = |path: &PathBuf| path.symlink_metadata().is_err();
    Some(folder.join(&name))
        .filter(free)
        .or_else(|| Some(folder.join(format!("{stem}-{short}{extension}"))).filter(free))
        .or_else(|| {
            (2u32..).map(|n| folder.join(format!("{stem}-{short}-{n}{extension}"))).find(free)
        })
        .unwrap_or_else(|| folder.join(id))
}
