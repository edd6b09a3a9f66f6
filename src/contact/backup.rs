#![doc = include_str!("BACKUP.md")]

use std::fmt;
use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::age::{self, Opener, Sealer};
use crate::contact::{self, Book, Pairs};
use crate::identity::{self, Identity, Key, Keyfile};
use crate::padding::padme;
use crate::wire::{self, Decode, Encode, Record};

/// What a backup begins with, inside its seal.
const MAGIC: &[u8; 16] = b"bulla/v1/backup\n";
/// Greatest plaintext, in bytes: three records with their lengths, and an eighth of padding.
pub(crate) const MAX: usize =
    (MAGIC.len() + 12 + Head::MAX + Book::MAX + Pairs::MAX) / 8 * 9 + 1024;

/// Why a backup was not made, or what came is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It opened, and is no backup of ours.
    #[error("not a backup that bulla wrote: {0}")]
    Malformed(&'static str),
    /// One of its records is malformed or of another version.
    #[error(transparent)]
    Record(#[from] wire::Error),
    /// The identity in it, or its key file, is none.
    #[error("the identity in the backup: {0}")]
    Identity(#[source] identity::Error),
    /// Whoever has the key that opens it lost it together with all else.
    #[error("the backup would be sealed to nobody but the identity that is in it")]
    Locked,
    /// The seal refused.
    #[error(transparent)]
    Age(#[from] age::Error),
    /// What is in it does not go together with what is here.
    #[error(transparent)]
    Contact(#[from] contact::Error),
}

/// Everything of a person that a lost machine takes away, but what must not come back.
pub struct Backup {
    /// When it was made, in seconds of Unix time.
    pub created: u64,
    /// The identity, unlocked.
    pub identity: Identity,
    /// The text of its key file, locked or not, as it was.
    pub key_file: Zeroizing<Vec<u8>>,
    /// Contacts, settings, and what is remembered of letters; no places of letters sent.
    pub book: Book,
    /// Links; no pairings under way.
    pub pairs: Pairs,
}

/// The first record.
#[derive(Encode, Decode)]
struct Head {
    created: u64,
    /// The identity's line. It is taken out before the record is dropped.
    identity: String,
    key_file: Vec<u8>,
}

impl Record for Head {
    const NAME: &'static str = "backup";
    const VERSION: u8 = 1;
    /// A key file has at most 1 MiB.
    const MAX: usize = (1 << 20) + 256;
}

impl Drop for Head {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.identity.zeroize();
        self.key_file.zeroize();
    }
}

impl Backup {
    /// Takes what is to be kept out of what there is; `now` is Unix time in seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] when `key_file` is not one of this identity's.
    pub(crate) fn new(
        identity: &Identity,
        key_file: &[u8],
        book: &Book,
        pairs: &Pairs,
        now: u64,
    ) -> Result<Self, Error> {
        let identity = Identity::parse(&identity.to_line()).map_err(Error::Identity)?;
        check_key_file(&identity, key_file)?;
        Ok(Self {
            created: now,
            identity,
            key_file: Zeroizing::new(key_file.to_vec()),
            book: book.kept(),
            pairs: pairs.kept(),
        })
    }

    /// Seals it: an age file. `inside` are all identities of the key file, unlocked.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] when nothing opens it but what lies in it, and those of [`Sealer::new`].
    pub fn seal(
        &self,
        recipients: &[&dyn age::Recipient],
        inside: &[Key],
        out: impl Write + Send,
    ) -> Result<(), Error> {
        let probe = age::FileKey::generate()?;
        let mut outside = recipients.is_empty();
        for recipient in recipients {
            outside |= recipient.class() == age::Class::Passphrase
                || !self.holds_key(&recipient.wrap(&probe)?, inside)?;
        }
        if !outside {
            return Err(Error::Locked);
        }
        Sealer::new(recipients)?.seal(self.to_bytes()?.as_slice(), out)?;
        Ok(())
    }

    /// Whether one of the identities that lie in the backup opens what is sealed by these.
    fn holds_key(&self, stanzas: &[age::Stanza], inside: &[Key]) -> Result<bool, age::Error> {
        for key in inside {
            if age::Identity::unwrap(key, stanzas)?.is_some() {
                return Ok(true);
            }
        }
        Ok(age::Identity::unwrap(&self.identity, stanzas)?.is_some())
    }

    /// Opens one whose seal was opened.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::Record`], [`Error::Identity`]; [`Error::Age`] when the seal
    /// breaks off or was changed.
    pub fn open(opener: Opener<impl Read + Send>) -> Result<Self, Error> {
        let mut inside = Inside::default();
        opener.open(&mut inside)?;
        inside.read()
    }

    /// What is inside the seal.
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let line = self.identity.to_line();
        let head = Head {
            created: self.created,
            identity: line.as_str().to_owned(),
            key_file: self.key_file.to_vec(),
        };
        let records = [
            Zeroizing::new(wire::encode(&head)?),
            Zeroizing::new(wire::encode(&self.book)?),
            Zeroizing::new(wire::encode(&self.pairs)?),
        ];
        let length = MAGIC.len() + records.iter().map(|record| 4 + record.len()).sum::<usize>();
        let padded = padme(length as u64) as usize;
        let mut plain = Zeroizing::new(Vec::with_capacity(padded));
        plain.extend_from_slice(MAGIC);
        for record in &records {
            let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
            plain.extend_from_slice(&length.to_be_bytes());
            plain.extend_from_slice(record);
        }
        plain.resize(padded, 0);
        Ok(plain)
    }

    /// Reads what is inside the seal; errors as [`Backup::open`].
    pub(crate) fn from_bytes(plain: &[u8]) -> Result<Self, Error> {
        let foreign = || Error::Malformed("it does not begin as one");
        let mut rest = plain.strip_prefix(MAGIC).ok_or_else(foreign)?;
        let mut head: Head = record(&mut rest)?;
        let book = record(&mut rest)?;
        let pairs: Pairs = record(&mut rest)?;
        if !pairs.is_sound() {
            return Err(Error::Malformed("a link in it is none"));
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Error::Malformed("bytes follow its end"));
        }
        let identity = Identity::parse(&head.identity).map_err(Error::Identity)?;
        check_key_file(&identity, &head.key_file)?;
        Ok(Self {
            created: head.created,
            identity,
            key_file: Zeroizing::new(std::mem::take(&mut head.key_file)),
            book,
            pairs,
        })
    }
}

/// Takes the next record.
fn record<T: Record>(rest: &mut &[u8]) -> Result<T, Error> {
    let short = || Error::Malformed("it ends within a record");
    let (length, after) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (record, after) = after.split_at_checked(length).ok_or_else(short)?;
    *rest = after;
    Ok(wire::decode(record)?)
}

/// A key file that can be read holds the identity it is kept with, and holds it first.
fn check_key_file(identity: &Identity, key_file: &[u8]) -> Result<(), Error> {
    let keys = match Keyfile::parse(key_file).map_err(Error::Identity)? {
        Keyfile::Open(keys) => keys,
        Keyfile::Locked(_) => return Ok(()),
    };
    let first = keys.iter().find_map(|key| match key {
        Key::Bulla(first) => Some(first.fingerprint()),
        Key::Age(_) => None,
    });
    match first == Some(identity.fingerprint()) {
        true => Ok(()),
        false => Err(Error::Malformed("its key file holds another identity")),
    }
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup").field("created", &self.created).finish_non_exhaustive()
    }
}

/// Takes what is inside a seal, in pieces that are wiped when dropped: a vector that grows leaves its
/// old bytes unwiped. Takes no more than a backup can have.
#[derive(Default)]
pub(crate) struct Inside {
    pieces: Vec<Zeroizing<Vec<u8>>>,
    length: usize,
}

impl Inside {
    /// Reads the backup that was written here; errors as [`Backup::open`].
    pub(crate) fn read(&self) -> Result<Backup, Error> {
        let mut whole = Zeroizing::new(Vec::with_capacity(self.length));
        self.pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
        Backup::from_bytes(&whole)
    }
}

impl Write for Inside {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.length + buf.len() > MAX {
            let kind = io::ErrorKind::FileTooLarge;
            return Err(io::Error::new(kind, format!("a backup has at most {MAX} bytes")));
        }
        self.length += buf.len();
        self.pieces.push(Zeroizing::new(buf.to_vec()));
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inside(..)")
    }
}

#[cfg(test)]
mod tests;
