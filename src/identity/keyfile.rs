//! Key files: lines of text, or the same text sealed to a passphrase.

use std::fmt;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::age;
use crate::identity::error::Error;
use crate::identity::keys::{Identity, SECRET_PREFIX};
use crate::secret::SecretString;

/// Greatest key file, in bytes: some eight thousand identities.
const MAX: usize = 1 << 20;

/// One identity of a key file.
pub enum Key {
    /// `BULLA-SECRET-KEY-1…`: opens letters, signs, has a card and a store.
    Bulla(Identity),
    /// `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`: opens sealed files.
    Age(Box<dyn age::Identity>),
}

impl Key {
    /// Returns the age recipient of the key as text, where it has one.
    pub fn age_recipient(&self) -> Option<String> {
        match self {
            Self::Bulla(identity) => Some(identity.age_recipient().to_string()),
            Self::Age(identity) => identity.recipient_text(),
        }
    }
}

impl age::Identity for Key {
    fn unwrap(&self, stanzas: &[age::Stanza]) -> Result<Option<age::FileKey>, age::Error> {
        match self {
            Self::Bulla(identity) => age::Identity::unwrap(identity, stanzas),
            Self::Age(identity) => identity.unwrap(stanzas),
        }
    }

    fn class(&self) -> age::Class {
        match self {
            Self::Bulla(identity) => identity.class(),
            Self::Age(identity) => identity.class(),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bulla(_) => "Bulla(..)",
            Self::Age(_) => "Age(..)",
        })
    }
}

/// A key file, as far as it can be read without a passphrase.
#[derive(Debug)]
pub enum Keyfile {
    /// Its identities, at least one.
    Open(Vec<Key>),
    /// Sealed: a passphrase is wanted.
    Locked(Locked),
}

impl Keyfile {
    /// Reads a key file of at most 1 MiB: `#` comments, blank lines and one identity a line;
    /// or an age file, armored or not, that holds such text.
    ///
    /// # Errors
    ///
    /// [`Error::KeyfileLine`] names the line that is no identity and never repeats it;
    /// [`Error::KeyfileEmpty`] when there is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX {
            return Err(Error::KeyfileLength { max: MAX, got: bytes.len() });
        }
        let head = bytes.trim_ascii_start();
        if head.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
            || head.starts_with(b"age-encryption.org/")
        {
            return Ok(Self::Locked(Locked(bytes.to_vec())));
        }
        parse_lines(bytes).map(Self::Open)
    }
}

/// A key file that a passphrase opens. It is ciphertext: nothing in it is secret.
pub struct Locked(Vec<u8>);

impl Locked {
    /// Opens it. May be tried again with another passphrase.
    ///
    /// # Errors
    ///
    /// [`Error::WrongPassphrase`], or [`Error::Locked`] when the file is damaged or sealed to
    /// something else than a passphrase.
    pub fn unlock(&self, passphrase: SecretString) -> Result<Vec<Key>, Error> {
        let mut text = Bounded::default();
        let identity = age::ScryptIdentity::new(passphrase);
        let opened = age::Dearmored::new(self.0.as_slice())
            .map_err(age::Error::from)
            .and_then(|input| age::Opener::new(input, &[&identity]))
            .and_then(|opener| opener.open(&mut text));
        match opened {
            Ok(_) => parse_lines(&text.0),
            Err(age::Error::WrongPassphrase) => Err(Error::WrongPassphrase),
            Err(other) => Err(Error::Locked(other)),
        }
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locked(..)")
    }
}

/// Seals the text of a key file to a passphrase: an armored age file.
pub fn protect(text: &str, passphrase: &age::ScryptRecipient) -> Result<String, Error> {
    let seal = || {
        let mut out = age::ArmorWriter::new(Vec::new());
        age::Sealer::new(&[passphrase])?.seal(text.as_bytes(), &mut out)?;
        Ok(out.finish()?)
    };
    let armored = seal().map_err(Error::Age)?;
    String::from_utf8(armored).map_err(|_| Error::KeyfileText)
}

/// The text of a new key file: when it was made (Unix seconds), what is public of it as
/// comments, and the identity.
pub fn render(identity: &Identity, created: u64) -> SecretString {
    let date = i64::try_from(created).ok().and_then(|s| Timestamp::from_second(s).ok());
    let date = date.unwrap_or(Timestamp::MAX);
    Zeroizing::new(format!(
        "# created: {date}\n# fingerprint: {}\n# age recipient: {}\n{}\n",
        identity.fingerprint(),
        identity.age_recipient(),
        identity.to_line().as_str(),
    ))
}

fn parse_lines(bytes: &[u8]) -> Result<Vec<Key>, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::KeyfileText)?;
    let keys: Vec<Key> = (1..)
        .zip(text.lines())
        .map(|(line, text)| (line, text.trim()))
        .filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
        .map(|(line, text)| parse_line(text).map_err(|why| Error::KeyfileLine { line, why }))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(Error::KeyfileEmpty) } else { Ok(keys) }
}

/// One identity, or why it is none, in words without the line.
fn parse_line(line: &str) -> Result<Key, String> {
    if line.starts_with(SECRET_PREFIX) {
        Identity::parse(line).map(Key::Bulla).map_err(|e| e.to_string())
    } else if ["age1", "bulla1", "-----BEGIN BULLA CARD"].iter().any(|p| line.starts_with(p)) {
        Err("this is public; an identity is secret and begins with BULLA-SECRET-KEY-1 \
             or AGE-SECRET-KEY-"
            .into())
    } else {
        age::parse_identity(line).map(Key::Age).map_err(|e| e.to_string())
    }
}

/// Collects plaintext that is wiped when dropped and never longer than [`MAX`].
#[derive(Default)]
struct Bounded(Zeroizing<Vec<u8>>);

impl std::io::Write for Bounded {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + buf.len() > MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        // Grown by hand: a vector that grows by itself leaves its old bytes unwiped.
        let mut grown = Zeroizing::new(Vec::with_capacity(self.0.len() + buf.len()));
        grown.extend_from_slice(&self.0);
        grown.extend_from_slice(buf);
        self.0 = grown;
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
