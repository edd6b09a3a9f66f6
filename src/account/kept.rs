//! Letters that went to a pipe, where they can get lost: for a time each can be opened again.
//!
//! What is kept of a letter is its own key, never one that another letter's key follows from. The keys
//! of one run are in a file of their own in the folder `kept`, sealed under the account, whose name says
//! until when: `{until:016x}-{random:016x}`. Backups have none of them.

use std::fmt;
use std::io;

use crate::account::account::Account;
use crate::account::error::Error;
use crate::age::Stanza;
use crate::crypto::{self, label};
use crate::identity::Fingerprint;
use crate::relay::client::spool::Word;
use crate::relay::protocol::Id;
use crate::secret::Secret;
use crate::state::StateFile;
use crate::text::hex_encode;
use crate::wire::{Decode, Encode, Record};

/// Most letters of one file.
pub(crate) const MOST: usize = 256;

/// A letter that can be opened again.
#[derive(Encode, Decode)]
pub(crate) struct KeptLetter {
    /// Its id.
    pub(crate) letter: [u8; 16],
    /// Fingerprint of its sender.
    pub(crate) sender: Option<[u8; 32]>,
    /// Its id at the relay, when it came in an envelope.
    pub(crate) envelope: Option<[u8; 32]>,
    /// Its key, when it had one of its own, which the ratchet has erased.
    pub(crate) key: Option<KeptKey>,
}

/// The key of one letter.
#[derive(Encode, Decode)]
pub(crate) struct KeptKey {
    /// SHA-256 of its stanza.
    pub(crate) stanza: [u8; 32],
    /// The file key.
    pub(crate) file_key: Secret<16>,
}

/// The letters of one file.
#[derive(Default, Encode, Decode)]
pub(crate) struct KeptLetters(Vec<KeptLetter>);

impl Record for KeptLetters {
    const NAME: &'static str = "keys of letters that went to a pipe";
    const VERSION: u8 = 1;
    const MAX: usize = 64 << 10;
}

impl fmt::Debug for KeptLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptLetters(..)")
    }
}

/// Returns what a stanza is known by.
pub(crate) fn digest(stanza: &Stanza) -> [u8; 32] {
    let mut parts: Vec<&[u8]> = vec![stanza.kind.as_bytes()];
    for arg in &stanza.args {
        parts.extend([&b" "[..], arg.as_bytes()]);
    }
    parts.extend([&b"\n"[..], &stanza.body]);
    crypto::sha256(&parts)
}

impl Account {
    /// Keeps letters until a time in seconds of Unix time. They are durable when this returns.
    pub(crate) fn keep_letters(&self, until: u64, letters: Vec<KeptLetter>) -> Result<(), Error> {
        let mut letters = letters.into_iter().peekable();
        while letters.peek().is_some() {
            let some = KeptLetters(letters.by_ref().take(MOST).collect());
            let random: [u8; 8] = crypto::random()?;
            let name = format!("{until:016x}-{}", hex_encode(&random));
            self.kept_file(&name)?.update(|file| {
                *file = some;
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    }

    /// Returns the letters that are kept now.
    pub(crate) fn kept_letters(&self) -> Result<Vec<KeptLetter>, Error> {
        let mut all = Vec::new();
        for (until, name) in self.kept_names()? {
            if until > self.now() {
                all.extend(self.kept_file(&name)?.read()?.0);
            }
        }
        Ok(all)
    }

    /// Erases what was kept of letters, all whose time has come: call it first in whatever uses an
    /// account. Reads no file.
    ///
    /// # Errors
    ///
    /// [`Error::State`] when a file cannot be removed.
    pub fn erase_expired_keys(&self) -> Result<(), Error> {
        for (until, name) in self.kept_names()? {
            if until <= self.now() {
                self.kept_file(&name)?.remove()?;
            }
        }
        Ok(())
    }

    /// Erases what was kept of letters with these ids, which are safe now, and lets the spool forget
    /// their sealed bytes.
    ///
    /// # Errors
    ///
    /// [`Error::State`] when a file cannot be read or written.
    pub fn letters_are_safe(&self, ids: &[[u8; 16]]) -> Result<(), Error> {
        let spool = self.spool()?;
        self.forget_kept(|kept| {
            let safe = ids.contains(&kept.letter);
            if let Some(id) = kept.envelope.filter(|_| safe) {
                // If this fails the copy is kept to the end of its time.
                let _ = Word::Opened.leave_on(&*spool, &Id(id));
            }
            safe
        })
    }

    /// Erases what was kept of letters from a contact.
    pub(crate) fn forget_letters_of(&self, contact: &Fingerprint) -> Result<(), Error> {
        self.forget_kept(|kept| kept.sender == Some(contact.to_bytes()))
    }

    fn forget_kept(&self, forget: impl Fn(&KeptLetter) -> bool) -> Result<(), Error> {
        for (_, name) in self.kept_names()? {
            let file = self.kept_file(&name)?;
            let left = file.update(|letters| {
                letters.0.retain(|kept| !forget(kept));
                Ok::<_, Error>(letters.0.len())
            })?;
            if left == 0 {
                file.remove()?;
            }
        }
        Ok(())
    }

    /// Returns the files of kept letters, each with the end of its time.
    fn kept_names(&self) -> Result<Vec<(u64, String)>, Error> {
        if !self.has_state() {
            return Ok(Vec::new());
        }
        let folder = self.kept_folder()?;
        let names = match folder.list() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names?,
        };
        // Closes one that was left open to others.
        folder.make()?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
        let until = |name: &str| {
            let (until, random) = name.split_once('-')?;
            number(random).and(number(until))
        };
        Ok(names.into_iter().filter_map(|name| Some((until(&name)?, name))).collect())
    }

    fn kept_file(&self, name: &str) -> Result<StateFile<KeptLetters>, Error> {
        let key = self.identity().storage_key_for(label::STORAGE_KEPT, name.as_bytes());
        Ok(StateFile::named_on(self.kept_folder()?, name, key))
    }
}
