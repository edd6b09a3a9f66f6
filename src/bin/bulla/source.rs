//! Where secrets come from: a file, stdin, a variable, a file descriptor, a command.
//! Never the command line itself, which everybody on the machine can read.

use std::convert::Infallible;
use std::ffi::OsString;
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
use crate::harden;
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
    /// None of these, and why. What was typed is left out: it may be the secret itself.
    Unusable(String),
}

impl FromStr for Source {
    /// A value that is no source is refused when it is read: an error of the command line would
    /// repeat it.
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let Some(special) = text.strip_prefix('@') else { return Ok(Self::File(text.into())) };
        if Path::new(text).exists() {
            let why = format!("a file has the name {text}: write ./{text} if you mean it");
            return Ok(Self::Unusable(why));
        }
        Ok(match special.split_once(':') {
            Some(("ENV", name)) if !name.is_empty() && !name.contains('=') => {
                hide(name);
                Self::Env(name.into())
            }
            Some(("FD", number)) => match number.parse() {
                Ok(number) => Self::Fd(number),
                Err(_) => Self::Unusable("expected a number after @FD:".into()),
            },
            _ => Self::Unusable("expected a file, -, @ENV:NAME or @FD:N".into()),
        })
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
            Self::Unusable(why) => return Err(Fail::usage(why).into()),
            Self::File(path) => {
                let file = open(path, what)?;
                if files::is_exposed(&file)? && !is_mounted_secret(path, &file)? {
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
            Self::Unusable(_) => f.write_str("what was given"),
        }
    }
}

/// Opens a file with `what`. A name that no file has may be the secret itself, typed in its place,
/// and is not repeated.
pub(crate) fn open(path: &Path, what: &str) -> Result<File> {
    let name = path.to_string_lossy();
    if begins_with(&name, INVITES) || begins_with(&name, KEYS) {
        return Err(secret_as_argument().into());
    }
    File::open(path).map_err(|error| match path.symlink_metadata() {
        Ok(_) => {
            anyhow::Error::new(error).context(format!("cannot read {what} from {}", path.display()))
        }
        Err(_) => {
            let message = format!("cannot read {what}: no file has the name that was given");
            Fail::new(Exit::InputMissing, message)
                .hint(
                    "name a file, or give a secret in a variable, as @ENV:NAME, or with - on stdin",
                )
                .into()
        }
    })
}

/// Beginnings of invites.
const INVITES: &[&str] = &["bulla-invite-1", "bulla-device-1"];
/// Beginnings of keys.
const KEYS: &[&str] = &["bulla-secret-key-", "age-secret-key-"];

fn begins_with(word: &str, beginnings: &[&str]) -> bool {
    let word = word.trim();
    beginnings.iter().any(|beginning| {
        word.get(..beginning.len()).is_some_and(|head| head.eq_ignore_ascii_case(beginning))
    })
}

/// Returns whether an invite was typed among the arguments, as a word or as the value of a flag.
pub(crate) fn is_invite_among(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.any(|argument| {
        let text = argument.to_string_lossy();
        let value = text.strip_prefix("--").and_then(|flag| flag.split_once('='));
        begins_with(&text, INVITES) || value.is_some_and(|(_, value)| begins_with(value, INVITES))
    })
}

/// The error of a secret among the arguments, which does not repeat it.
pub(crate) fn secret_as_argument() -> Fail {
    Fail::usage("an invite or a key was given as an argument, which others on this machine can see")
        .hint("pipe it in, name a file with it, or give it in a variable, as @ENV:NAME")
}

fn exposed(path: &Path, what: &str) -> Fail {
    let path = path.display();
    Fail::new(
        Exit::UnsafePermissions,
        format!("{path}, with {what}, can be read or written by others"),
    )
    .hint(format!("chmod 600 {path}, or where that cannot be done: -i - < {path}"))
}

/// Returns whether others may read a file because whoever runs this container or service mounted it
/// so: nobody else may write it, and its mode cannot be changed, or it lies where secrets are mounted.
fn is_mounted_secret(path: &Path, file: &File) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    if file.metadata()?.permissions().mode() & 0o022 != 0 {
        return Ok(false);
    }
    if rustix::fs::fstatvfs(file)?.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Ok(true);
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|path| !path.is_empty());
    let mut folders = [Some(PathBuf::from("/run/secrets")), credentials.map(PathBuf::from)]
        .into_iter()
        .flatten()
        .filter_map(|folder| folder.canonicalize().ok());
    let path = path.canonicalize()?;
    Ok(folders.any(|folder| path.starts_with(folder)))
}

/// The output of a command, for `BULLA_IDENTITY_COMMAND`.
pub(crate) fn command_output(command: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut child = harden::spawn(shell(command).stdin(Stdio::null()).stdout(Stdio::piped()))
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
            let source: Source = wrong.parse().unwrap();
            assert!(matches!(source, Source::Unusable(_)), "{wrong}");
            assert!(source.read("it").is_err(), "{wrong}");
        }
    }

    #[test]
    fn invites_among_the_arguments_are_seen() {
        let among = |argument: &str| is_invite_among([OsString::from(argument)].into_iter());
        for invite in ["bulla-invite-1qq", " BULLA-DEVICE-1QQ", "--words=bulla-invite-1q"] {
            assert!(among(invite), "{invite}");
        }
        for other in ["invite", "./bulla-invite-1q", "bulla-invites", "bulla-invite-", "é", ""] {
            assert!(!among(other), "{other}");
        }
    }
}
