//! What `seal` seals: a file, standard input, or what a command prints; the same for every recipient.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use bulla::age::{Opener, Sealer, X25519Identity};
use bulla::progress::Progress;

use crate::cli;
use crate::exit::{Exit, Fail};
use crate::harden;
use crate::input::{Input, stdin};
use crate::source;

/// The same body for every recipient.
pub(crate) enum Bodies {
    /// Read once.
    One(Input),
    /// A file is opened again for each.
    File(PathBuf),
    /// A stream is kept, sealed to a key that lives in memory only, in a file without a name.
    Kept { sealed: File, key: X25519Identity },
}

impl Bodies {
    /// Takes what these flags name, for so many recipients. Of a command all is taken before this
    /// returns.
    pub(crate) fn new(args: &cli::Seal, recipients: usize, bar: &dyn Progress) -> Result<Self> {
        if let Some(command) = &args.from_command {
            return from_command(command);
        }
        let input = Input::open(args.file.as_deref(), "what is to be sealed")?;
        bar.total(input.length() * recipients.max(1) as u64);
        match (recipients, &args.file) {
            (0 | 1, _) => Ok(Self::One(input)),
            (_, Some(path)) if input.is_file() => Ok(Self::File(path.to_owned())),
            _ => Self::keep(input),
        }
    }

    fn keep(input: impl Read + Send) -> Result<Self> {
        let key = X25519Identity::generate()?;
        let mut sealed = tempfile::tempfile().context("cannot keep the input")?;
        Sealer::new(&[key.recipient()])?.seal(input, &mut sealed)?;
        Ok(Self::Kept { sealed, key })
    }

    /// Lends the body to `seal` for one of the recipients.
    pub(crate) fn with<T>(
        &mut self,
        bar: &dyn Progress,
        seal: impl FnOnce(&mut (dyn Read + Send)) -> Result<T>,
    ) -> Result<T> {
        match self {
            Self::One(input) => seal(&mut Watched { input, bar }),
            Self::File(path) => seal(&mut Watched { input: File::open(path)?, bar }),
            Self::Kept { sealed, key } => {
                let mut sealed = sealed.try_clone()?;
                sealed.rewind()?;
                let opener = Opener::new(sealed, &[key])?;
                let (reader, writer) = io::pipe()?;
                std::thread::scope(|scope| {
                    let opening = scope.spawn(move || opener.open(writer));
                    let result = seal(&mut Watched { input: reader, bar })?;
                    // A body that broke off looks like one that ended: this tells them apart.
                    opening.join().map_err(|_| anyhow::anyhow!("a thread died"))??;
                    Ok(result)
                })
            }
        }
    }
}

/// Takes all that a command prints, and nothing when it fails. It reads our standard input.
fn from_command(command: &str) -> Result<Bodies> {
    let _stdin = stdin("the command of --from-command")?;
    let mut shell = source::shell(command);
    let mut child = harden::spawn(shell.stdout(Stdio::piped()))
        .context("cannot run the command of --from-command")?;
    let bodies = match child.stdout.take() {
        Some(stdout) => Bodies::keep(stdout),
        None => Err(anyhow::anyhow!("the command of --from-command has no output")),
    };
    let status = child.wait()?;
    if !status.success() {
        let message = format!("the command of --from-command ended with {status}");
        return Err(Fail::new(Exit::CommandFailed, message).hint("nothing was sealed").into());
    }
    bodies
}

/// A reader that tells its progress.
struct Watched<'a, R> {
    input: R,
    bar: &'a dyn Progress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buf)?;
        self.bar.advance(read as u64);
        Ok(read)
    }
}
