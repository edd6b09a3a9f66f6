//! The `scrypt` recipient type (C2SP age.md, "The scrypt recipient type"; RFC 7914).

use std::fmt;

use crate::crypto;
use crate::secret::{Secret, SecretString};
use crate::text::base64_encode_unpadded;

use super::error::Error;
use super::key::FileKey;
use super::recipient::{Class, Identity, Recipient};
use super::stanza::{BAD_COUNT, Stanza, decode_argument};

pub(super) const KIND: &str = "scrypt";
const SALT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
const SALT: usize = 16;
/// scrypt's block size `r`: one step of the work factor takes 128 * 8 bytes.
const BLOCK: u32 = 8;

/// Work factor when sealing, as a power of two: about a second and 256 MiB.
pub(crate) const WORK_FACTOR: u8 = 18;
/// Greatest work factor when opening, as `age` has it: 4 GiB.
pub(crate) const MAX_WORK_FACTOR: u8 = 22;

/// A passphrase to seal to. It must be the only recipient.
pub struct ScryptRecipient {
    passphrase: SecretString,
    work_factor: u8,
}

/// A passphrase to open with.
pub struct ScryptIdentity {
    passphrase: SecretString,
    max_work_factor: u8,
}

impl ScryptRecipient {
    /// With the work factor `WORK_FACTOR`.
    pub fn new(passphrase: SecretString) -> Self {
        Self { passphrase, work_factor: WORK_FACTOR }
    }

    /// Sets the work factor, as a power of two from 1 to `MAX_WORK_FACTOR`.
    pub fn work_factor(self, work_factor: u8) -> Result<Self, Error> {
        check_work_factor(work_factor, MAX_WORK_FACTOR)?;
        Ok(Self { work_factor, ..self })
    }
}

impl ScryptIdentity {
    /// Opens files with work factors up to `MAX_WORK_FACTOR`.
    pub fn new(passphrase: SecretString) -> Self {
        Self { passphrase, max_work_factor: MAX_WORK_FACTOR }
    }

    /// Sets the greatest work factor, as a power of two.
    #[cfg(test)]
    pub(crate) fn max_work_factor(self, max_work_factor: u8) -> Self {
        Self { max_work_factor, ..self }
    }

    fn open(&self, stanza: &Stanza) -> Result<Option<FileKey>, Error> {
        let [salt, work_factor] = stanza.args.as_slice() else { return Err(BAD_COUNT) };
        let salt = decode_argument(salt)?;
        let work_factor = parse_work_factor(work_factor)?;
        let body = stanza.body_of()?;
        check_work_factor(work_factor, self.max_work_factor)?;
        Ok(FileKey::unwrap(&stretch(&self.passphrase, &salt, work_factor)?, body))
    }
}

impl Recipient for ScryptRecipient {
    fn wrap(&self, file_key: &FileKey) -> Result<Vec<Stanza>, Error> {
        let salt = crypto::random()?;
        let key = stretch(&self.passphrase, &salt, self.work_factor)?;
        Ok(vec![Stanza {
            kind: KIND.to_owned(),
            args: vec![base64_encode_unpadded(&salt), self.work_factor.to_string()],
            body: file_key.wrap(&key),
        }])
    }

    fn class(&self) -> Class {
        Class::Passphrase
    }
}

impl Identity for ScryptIdentity {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, Error> {
        match stanzas {
            [stanza] if stanza.kind == KIND => self.open(stanza),
            _ => Ok(None),
        }
    }

    fn class(&self) -> Class {
        Class::Passphrase
    }
}

impl fmt::Debug for ScryptRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScryptRecipient(..)")
    }
}

impl fmt::Debug for ScryptIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScryptIdentity(..)")
    }
}

fn check_work_factor(got: u8, max: u8) -> Result<(), Error> {
    if (1..=max).contains(&got) { Ok(()) } else { Err(Error::WorkFactor { max, got }) }
}

/// A decimal number without sign or leading zero.
fn parse_work_factor(text: &str) -> Result<u8, Error> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or(Error::Header("the work factor of a scrypt stanza is not a small decimal number"))
}

fn stretch(passphrase: &str, salt: &[u8; SALT], work_factor: u8) -> Result<Secret<32>, Error> {
    let refused = || Error::WorkFactor { max: MAX_WORK_FACTOR, got: work_factor };
    let params = scrypt::Params::new(work_factor, BLOCK, 1).map_err(|_| refused())?;
    reserve(work_factor)?;
    let salt = [SALT_LABEL, salt].concat();
    Secret::build(|out| scrypt::scrypt(passphrase.as_bytes(), &salt, &params, out))
        .map_err(|_| refused())
}

/// A file says how much memory opening it takes. Where that cannot be had this is an error and
/// not the end of the process, which the scrypt crate would make it.
fn reserve(work_factor: u8) -> Result<(), Error> {
    let bytes = 1usize.checked_shl(work_factor.into()).and_then(|n| n.checked_mul(128 * 8));
    let mut room = Vec::<u8>::new();
    let reserved = bytes.is_some_and(|bytes| room.try_reserve_exact(bytes).is_ok());
    // An allocation that nobody looks at could be optimised away.
    std::hint::black_box(&room);
    if reserved { Ok(()) } else { Err(Error::Io(std::io::ErrorKind::OutOfMemory.into())) }
}
