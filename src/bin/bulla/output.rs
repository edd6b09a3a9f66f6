//! What a verb writes to: a file that appears when it is complete, or standard output.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use bulla::files::{self, Access, AtomicFile, Existing};
use bulla::letter::{EnvelopeWriter, write_failure};
use bulla::text::TerminalGuard;

use crate::cli;
use crate::exit::{Exit, Fail};
use crate::home::Home;
use crate::ui;

/// How the output may look to a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    Text,
    Binary,
}

/// Where to write, checked before any work but not yet opened.
#[derive(Debug)]
pub(crate) struct Target {
    path: Option<PathBuf>,
    existing: Existing,
    /// `-o -`: a terminal gets whatever comes.
    forced: bool,
}

impl Target {
    /// Checks what can be checked first: the file is not there, it is not the input, a terminal
    /// does not get binary unless `-o -` asks for it.
    pub(crate) fn new(args: &cli::Output, input: Option<&Path>, nature: Nature) -> Result<Self> {
        let existing = if args.force { Existing::Replace } else { Existing::Keep };
        let path = match args.output.as_deref() {
            Some(path) if path == Path::new("-") || is_stdout(path) => None,
            Some(path) => {
                let path = &destination(path)?;
                if input.is_some_and(|input| files::same_file(input, path)) {
                    let message = format!("{} is input and output at once", path.display());
                    return Err(Fail::usage(message).hint("choose another -o").into());
                }
                if !args.force && !is_special(path) && path.symlink_metadata().is_ok() {
                    return Err(exists(path).into());
                }
                Some(path.to_owned())
            }
            None => {
                if nature == Nature::Binary && io::stdout().is_terminal() {
                    return Err(Fail::usage("binary output would go to the terminal")
                        .hint("use -o FILE, a pipe, or -o - to force it")
                        .into());
                }
                None
            }
        };
        let forced = path.is_none() && args.output.is_some();
        Ok(Self { path, existing, forced })
    }

    /// The same, but a file that is there when it is complete is not replaced.
    pub(crate) fn keeping(self) -> Self {
        Self { existing: Existing::Keep, ..self }
    }

    /// Whether it is a file that appears when it is complete.
    pub(crate) fn is_file(&self) -> bool {
        self.path.as_deref().is_some_and(|path| !is_special(path))
    }

    /// Whether what is written there stays there: a file, or a terminal, and no pipe.
    pub(crate) fn keeps(&self) -> bool {
        let stdout_keeps = || {
            let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
            stdout.and_then(|stdout| Ok(stdout.is_terminal() || stdout.metadata()?.is_file()))
        };
        self.is_file() || (self.path.is_none() && stdout_keeps().unwrap_or(false))
    }

    /// Opens the target for writing.
    pub(crate) fn open(&self, access: Access) -> Result<Output> {
        let Some(path) = &self.path else {
            // Unbuffered: what is written is large, and authenticated already.
            let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            let guarded = !self.forced && stdout.is_terminal();
            return Ok(if guarded {
                Output::Terminal { stdout, guard: TerminalGuard::default() }
            } else {
                Output::Stdout(stdout)
            });
        };
        if is_special(path) {
            let file = File::options().write(true).open(path).map_err(|e| describe(e, path))?;
            return Ok(Output::Stdout(file));
        }
        begin(path, self.existing, access)
            .map(|file| Output::File { file, path: path.clone() })
            .map_err(|e| describe(e, path))
    }
}

/// An open output; without [`Output::finish`] a file never appears.
#[derive(Debug)]
pub(crate) enum Output {
    Stdout(File),
    /// A terminal, which must not be told to do things by what a stranger wrote.
    Terminal {
        stdout: File,
        guard: TerminalGuard,
    },
    File {
        file: AtomicFile,
        path: PathBuf,
    },
}

impl Output {
    /// Returns whether it is a file that appears when it is complete.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(mut stdout) => Ok(stdout.flush()?),
            Self::Terminal { mut stdout, mut guard } => {
                let rest = guard.finish().ok_or_else(hostile)?;
                stdout.write_all(&rest)?;
                Ok(stdout.flush()?)
            }
            Self::File { file, path } => match complete(file, &path) {
                Ok(_) => Ok(()),
                Err(error) => Err(describe(error, &path)),
            },
        }
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(buf),
            Self::Terminal { stdout, guard } => {
                let safe = guard.pass(buf).ok_or_else(|| io::Error::other(hostile()))?;
                stdout.write_all(&safe)?;
                Ok(buf.len())
            }
            Self::File { file, .. } => file.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) | Self::Terminal { stdout, .. } => stdout.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}

fn hostile() -> Fail {
    Fail::usage("the output has control characters, and goes to a terminal")
        .hint("use -o FILE, a pipe, or -o - to force it")
}

/// Whether an envelope stream on stdout was begun and not ended.
static IN_STREAM: AtomicBool = AtomicBool::new(false);

/// Begins an envelope stream on an output, of which [`tell_reader`] knows where it is stdout.
pub(crate) fn begin_stream<W: Write>(output: W, is_file: bool) -> Result<EnvelopeWriter<W>> {
    let stream = EnvelopeWriter::new(output)?;
    IN_STREAM.store(!is_file, Ordering::Relaxed);
    Ok(stream)
}

/// Ends an envelope stream.
pub(crate) fn end_stream<W: Write>(stream: EnvelopeWriter<W>) -> Result<W> {
    let output = stream.finish()?;
    IN_STREAM.store(false, Ordering::Relaxed);
    Ok(output)
}

/// Tells whoever reads our envelope stream from a pipe that this run failed, so that the pipeline ends
/// with its status and not with a complaint about the stream.
pub(crate) fn tell_reader(exit: Exit) {
    if matches!(exit, Exit::Done | Exit::Negative | Exit::ClosedPipe) {
        return;
    }
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    let Ok(mut stdout) = stdout else { return };
    let begun = IN_STREAM.load(Ordering::Relaxed);
    let kind = stdout.metadata().map(|metadata| metadata.file_type());
    if begun || kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket()) {
        // A reader that is gone needs no word.
        let _ = write_failure(&mut stdout, begun, exit.code());
    }
}

/// Makes what went to stdout durable, where that is a file.
pub(crate) fn sync_stdout() -> io::Result<()> {
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if stdout.metadata()?.is_file() { stdout.sync_data() } else { Ok(()) }
}

/// Returns whether a path is a name of our standard output, which is written to as it is.
fn is_stdout(path: &Path) -> bool {
    ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// Most links that are followed from one to the next, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Returns what a path leads to through links, which need not be there.
///
/// A link of somebody else in a folder that all can write to, as /tmp is, would choose for us what we
/// write to, and is refused.
fn destination(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(link) = path.symlink_metadata() else { return Ok(path) };
        if !link.is_symlink() || is_special(&path) {
            return Ok(path);
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new("."));
        let around = folder.metadata()?;
        let ours = [rustix::process::geteuid().as_raw(), around.uid()].contains(&link.uid());
        if around.mode() & 0o1002 == 0o1002 && !ours {
            let message = format!("{} is a link of another user", path.display());
            return Err(Fail::new(Exit::UnsafePermissions, message)
                .hint("choose another -o, in a folder of your own")
                .into());
        }
        path = folder.join(path.read_link()?);
    }
    let message = format!("{}: too many links lead on from it", path.display());
    Err(Fail::new(Exit::InputMissing, message).hint("choose another -o").into())
}

/// A device, a pipe or a socket, which is written to and not replaced.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn describe(error: io::Error, path: &Path) -> anyhow::Error {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return exists(path).into();
    }
    anyhow::Error::new(error).context(format!("cannot write {}", path.display()))
}

fn exists(path: &Path) -> Fail {
    let fail = |what: &str| Fail::new(Exit::OutputExists, format!("{} {what}", path.display()));
    if is_identity_place(path) || files::holds_key(path) {
        return fail("exists, and holds a secret key").hint("choose another -o");
    }
    fail("exists").hint("choose another -o, or --force to replace it")
}

/// Begins a file at a path that the user named.
pub(crate) fn begin(path: &Path, existing: Existing, access: Access) -> io::Result<AtomicFile> {
    let file = AtomicFile::create(path, existing, access)?;
    Ok(if is_identity_place(path) { file.precious() } else { file })
}

/// Completes a file. Says where a secret key is kept that was in its place, and returns it.
pub(crate) fn complete(file: AtomicFile, path: &Path) -> io::Result<Option<PathBuf>> {
    let kept = file.commit()?;
    if let Some(kept) = &kept {
        ui::kept(path, kept);
    }
    Ok(kept)
}

/// Returns whether every verb looks for the identity at this path.
fn is_identity_place(path: &Path) -> bool {
    let set = std::env::var_os("BULLA_IDENTITY_FILE").filter(|value| !value.is_empty());
    let mut places = [set.map(PathBuf::from), Home::from_env().identity()].into_iter().flatten();
    places.any(|place| place == path || files::same_file(&place, path))
}
