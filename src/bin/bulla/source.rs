//! Where secrets come from: a file, stdin, a variable, a file descriptor, a command.
//! Never the command line itself, which everybody on the machine can read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use bulla::files;
use bulla::secret::SecretString;
use zeroize::Zeroizing;

use crate::exit::{Exit, Fail};
use crate::input;

/// Greatest identity file or passphrase: 1 MiB.
const MAX: u64 = 1 << 20;

/// Variables that hold secrets and are hidden from every child.
static SECRET_VARIABLES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A source of secret bytes, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    Stdin,
    Env(String),
    Fd(u32),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let Some(special) = text.strip_prefix('@') else { return Ok(Self::File(text.into())) };
        if Path::new(text).exists() {
            return Err(format!("a file has the name {text}: write ./{text} if you mean it"));
        }
        match special.split_once(':') {
            Some(("ENV", name)) if !name.is_empty() && !name.contains('=') => {
                hide(name);
                Ok(Self::Env(name.into()))
            }
            Some(("FD", number)) => {
                number.parse().map(Self::Fd).map_err(|_| "expected a number behind @FD:".into())
            }
            _ => Err("expected a file, -, @ENV:NAME or @FD:N".into()),
        }
    }
}

impl Source {
    /// Reads the source to its end; a key file that others can read is refused.
    pub(crate) fn read(&self, what: &str) -> Result<Zeroizing<Vec<u8>>> {
        let context = || format!("cannot read {what} from {self}");
        let bytes = match self {
            Self::Stdin => files::read_to_limit(input::stdin(what)?, MAX),
            Self::Env(name) => std::env::var(name).map(String::into_bytes).map_err(|_| {
                io::Error::new(io::ErrorKind::NotFound, "the variable is not set, or not UTF-8")
            }),
            // Opening the descriptor by its name makes a second one, so ours stays as it was.
            Self::Fd(number) => File::open(format!("/dev/fd/{number}"))
                .and_then(|file| files::read_to_limit(file, MAX)),
            Self::File(path) => {
                refuse_secret(path)?;
                let file = File::open(path).with_context(context)?;
                if files::is_exposed(&file)? {
                    return Err(exposed(path, what).into());
                }
                files::read_to_limit(file, MAX)
            }
        };
        Ok(Zeroizing::new(bytes.with_context(context)?))
    }

    /// Reads a passphrase.
    pub(crate) fn passphrase(&self) -> Result<SecretString> {
        self.line("the passphrase")
    }

    /// Reads a secret of one line, its line end cut off.
    pub(crate) fn line(&self, what: &str) -> Result<SecretString> {
        let bytes = self.read(what)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Fail::new(Exit::Malformed, format!("{what} is not UTF-8")))?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err(Fail::new(Exit::Malformed, format!("{what} is empty")).into());
        }
        Ok(Zeroizing::new(line.to_owned()))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::Env(name) => write!(f, "@ENV:{name}"),
            Self::Fd(number) => write!(f, "@FD:{number}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Refuses a secret where the name of a file belongs, without repeating it.
fn refuse_secret(path: &Path) -> Result<()> {
    let path = path.to_string_lossy();
    if ["BULLA-SECRET-KEY-", "AGE-SECRET-KEY-"].iter().any(|p| path.trim().starts_with(p)) {
        return Err(Fail::usage("expected the name of a file, got the secret itself")
            .hint("everybody can see it here: put it into a file, or into BULLA_IDENTITY")
            .into());
    }
    Ok(())
}

fn exposed(path: &Path, what: &str) -> Fail {
    let path = path.display();
    Fail::new(
        Exit::UnsafePermissions,
        format!("{path}, with {what}, can be read or written by others"),
    )
    .hint(format!("chmod 600 {path}"))
}

/// The output of a command, for `BULLA_IDENTITY_COMMAND`.
pub(crate) fn command_output(command: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut child = shell(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run BULLA_IDENTITY_COMMAND")?;
    let mut output = Zeroizing::new(Vec::new());
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX).read_to_end(&mut output)?;
    }
    let status = child.wait()?;
    if !status.success() {
        let message = format!("BULLA_IDENTITY_COMMAND ended with {status}");
        return Err(Fail::new(Exit::InputMissing, message).into());
    }
    Ok(output)
}

/// A shell command that sees none of our secret variables.
pub(crate) fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    forget_secrets(&mut shell);
    shell
}

/// Takes our secret variables from what a child gets to see.
pub(crate) fn forget_secrets(child: &mut Command) {
    for name in ["BULLA_IDENTITY", "BULLA_IDENTITY_COMMAND"] {
        child.env_remove(name);
    }
    if let Ok(names) = SECRET_VARIABLES.lock() {
        names.iter().for_each(|name| {
            child.env_remove(name);
        });
    }
}

fn hide(name: &str) {
    if let Ok(mut names) = SECRET_VARIABLES.lock() {
        names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!("-".parse(), Ok(Source::Stdin));
        assert_eq!("@ENV:X".parse(), Ok(Source::Env("X".into())));
        assert_eq!("@FD:3".parse(), Ok(Source::Fd(3)));
        assert_eq!("a@b".parse(), Ok(Source::File("a@b".into())));
        for wrong in ["@FD:x", "@ENV:", "@ENV:A=B", "@HOME", "@"] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }
}
