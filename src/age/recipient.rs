//! Whom a file is sealed to, and who can open it.

use crate::age::error::Error;
use crate::age::key::FileKey;
use crate::age::stanza::Stanza;

/// What may stand together in one header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Broken by a quantum computer.
    Classic,
    /// Not broken by one.
    PostQuantum,
    /// A passphrase, which stands alone.
    Passphrase,
}

/// Somebody a file can be sealed to.
pub trait Recipient: Send + Sync {
    /// Wraps the file key: at least one stanza, with fresh randomness each time.
    fn wrap(&self, file_key: &FileKey) -> Result<Vec<Stanza>, Error>;

    /// What else may stand in the header.
    fn class(&self) -> Class;
}

/// Somebody who may open a file.
pub trait Identity: Send + Sync {
    /// The file key, or `None` when no stanza is for this identity: the next one is tried.
    /// An error is fatal: a stanza of this identity's type is malformed.
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, Error>;

    /// The class of recipient this identity belongs to.
    fn class(&self) -> Class;

    /// Returns the recipient of this identity as text, where it has one.
    fn recipient_text(&self) -> Option<String> {
        None
    }
}
