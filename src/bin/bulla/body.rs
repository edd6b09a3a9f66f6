//! Destinations of letter bodies: an output for one body, a file for each, or lines of JSON.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use bulla::files::{Access, AtomicFile, Existing};
use bulla::letter::Letter;
use bulla::text;

use crate::app::App;
use crate::cli;
use crate::exit::Fail;
use crate::given::Again;
use crate::json::json_line;
use crate::output::{Nature, Output, Target};
use crate::record::{Origin, Place};

/// Greatest body that goes on a line of JSON: 16 MiB, which escapes can make 96.
const MAX_LINE: usize = 16 << 20;

/// All bodies of a run.
pub(crate) struct Bodies<'a> {
    app: &'a App,
    target: Target,
    folder: Option<&'a Path>,
    /// The output of all lines, opened with the first body that may be let out.
    lines: Mutex<Option<Output>>,
    /// Whether some of a body went to the output that is for one alone.
    begun: Arc<AtomicBool>,
    /// Whether all of it is there.
    whole: bool,
}

/// Destination that is left for a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// A file, or a line, of its own: any number of bodies fit.
    All,
    /// To the output that is for one.
    One,
    /// There was one already.
    Full,
}

/// A body under way.
pub(crate) enum Body {
    /// To the output that is for one.
    Only(Output, Arc<AtomicBool>),
    /// To a file of its own.
    File(AtomicFile, PathBuf),
    /// To a line of JSON in the output of all lines.
    Line(Vec<u8>, Output),
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
        let (lines, begun) = (Mutex::new(None), Arc::default());
        Ok(Self { app, target, folder, lines, begun, whole: false })
    }

    /// Returns whether the next body may be let out.
    pub(crate) fn room(&self) -> Room {
        if self.folder.is_some() || self.app.ui.json {
            Room::All
        } else if self.whole || self.is_broken() {
            Room::Full
        } else {
            Room::One
        }
    }

    /// Returns whether a body went to an output that is for one, and broke off there.
    pub(crate) fn is_broken(&self) -> bool {
        self.begun.load(Ordering::Relaxed) && !self.whole
    }

    /// The place of the next body.
    pub(crate) fn begin(&self, letter: Option<&Letter>, origin: Origin) -> Result<Body> {
        if let Some(folder) = self.folder {
            let path = free_path(folder, letter, origin);
            let file = AtomicFile::create(&path, Existing::Keep, Access::Umask)
                .with_context(|| format!("cannot write {}", path.display()))?;
            return Ok(Body::File(file, path));
        }
        if !self.app.ui.json {
            return Ok(Body::Only(self.target.open(Access::Umask)?, self.begun.clone()));
        }
        let opened = self.lines.lock().ok().and_then(|mut lines| lines.take());
        let lines = opened.map_or_else(|| self.target.open(Access::Umask), Ok)?;
        Ok(Body::Line(Vec::new(), lines))
    }

    /// Returns whether bodies are lines of JSON on stdout.
    pub(crate) fn are_lines(&self) -> bool {
        self.app.ui.json && self.folder.is_none()
    }

    /// Returns whether bodies are nowhere yet: they are lines of a file that appears when all are in it.
    pub(crate) fn is_held_back(&self) -> bool {
        self.app.ui.json && self.folder.is_none() && self.target.is_file()
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
        let mut lines = match body {
            Body::File(file, path) => {
                file.commit().with_context(|| format!("cannot write {}", path.display()))?;
                let path = path.display().to_string();
                if !self.app.ui.json {
                    self.app.ui.note(&format!("wrote {path}"));
                    return Ok(());
                }
                writeln!(io::stdout(), "{}", json_line(&line(Place::File(&path))))?;
                return Ok(());
            }
            Body::Only(output, _) => {
                output.finish()?;
                self.whole = true;
                return Ok(());
            }
            Body::Line(bytes, mut lines) => {
                let mut text = json_line(&line(Place::Line(&bytes)));
                text.push('\n');
                lines.write_all(text.as_bytes())?;
                lines
            }
        };
        lines.flush()?;
        self.lines = Mutex::new(Some(lines));
        Ok(())
    }

    /// Gives the file of all lines its name.
    pub(crate) fn commit(&mut self) -> Result<()> {
        match self.lines.get_mut() {
            Ok(lines) => lines.take().map_or(Ok(()), Output::finish),
            Err(_) => Ok(()),
        }
    }
}

impl Write for Body {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Only(output, begun) => {
                let written = output.write(buf)?;
                // A file that breaks off never appears.
                if written > 0 && !output.is_file() {
                    begun.store(true, Ordering::Relaxed);
                }
                Ok(written)
            }
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

/// Prefixes of file names of letters whose sender is no contact.
const UNKNOWN: &str = "unknown-";
const ANONYMOUS: &str = "anonymous-";

/// A path in `folder` that no file has: the letter's file name made safe, else its id, with the
/// beginning of the id in the name when another file has it.
///
/// A sender chooses the name, the id, and when the letter comes. So files of strangers begin with what
/// no file of a contact's begins with: theirs take no name that a contact's file would have.
fn free_path(folder: &Path, letter: Option<&Letter>, origin: Origin) -> PathBuf {
    let id = letter.map_or_else(|| "sealed".into(), |letter| text::hex_encode(&letter.id));
    let asked = letter.and_then(|letter| letter.heading.file_name.as_deref());
    let name = asked.and_then(text::file_name).unwrap_or_else(|| id.clone());
    let name = match origin {
        Origin::Unknown => format!("{UNKNOWN}{name}"),
        Origin::Anonymous => format!("{ANONYMOUS}{name}"),
        Origin::Contact | Origin::File => {
            // Some file systems know no upper and lower case.
            let lower = name.to_lowercase();
            let meets = [UNKNOWN, ANONYMOUS].iter().any(|prefix| lower.starts_with(prefix));
            if meets { format!("contact-{name}") } else { name }
        }
    };
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
