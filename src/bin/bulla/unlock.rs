//! Keys for whatever a file asks for: the identities, read when a stanza may be theirs, or the
//! passphrase, asked when it is the file's.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;
use bulla::account::{Account, Events, Keyring, Keys};
use bulla::age::{self, Class, FileKey, Identity as _, ScryptIdentity, Stanza};
use bulla::identity::{Fingerprint, Key};
use bulla::letter::Pairwise;
use bulla::secret::Secret;

use crate::app::App;
use crate::exit::{Exit, Fail};
use crate::source::Source;

/// One identity that stands for all that the flags and the environment give.
pub(crate) struct Unlock<'a> {
    app: &'a App,
    events: &'a dyn Events,
    identities: &'a [Source],
    passphrase: Option<&'a Source>,
    what: Sealed,
    keyring: OnceLock<Keyring<'a>>,
    /// Why no key could be had, which an age error cannot carry.
    stopped: Mutex<Option<anyhow::Error>>,
}

/// What is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealed {
    /// A file that the user named.
    File,
    /// Letters of a stream, which any sender may have pushed: no passphrase is asked or tried.
    Letters,
    /// A backup, which the identities here do not open unless they are named.
    Backup,
}

impl<'a> Unlock<'a> {
    /// Opens files and letters with these identities, else with the default one.
    pub(crate) fn new(
        app: &'a App,
        events: &'a dyn Events,
        identities: &'a [Source],
        passphrase: Option<&'a Source>,
    ) -> Self {
        let (keyring, stopped) = (OnceLock::new(), Mutex::default());
        Self { app, events, identities, passphrase, what: Sealed::File, keyring, stopped }
    }

    /// Opens a backup.
    pub(crate) fn of_backup(self) -> Self {
        Self { what: Sealed::Backup, ..self }
    }

    /// What is opened from here on came in an envelope stream.
    pub(crate) fn in_stream(&mut self) {
        self.what = Sealed::Letters;
    }

    /// Reads the identities before any file asks for them.
    pub(crate) fn prepare(&self) -> Result<()> {
        self.keys().map(drop)
    }

    /// The accounts that were needed so far.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.keyring.get().into_iter().flat_map(Keyring::accounts)
    }

    fn stop(&self, reason: anyhow::Error) -> age::Error {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        age::Error::NoMatch
    }

    fn keys(&self) -> Result<&Keyring<'a>> {
        if let Some(keyring) = self.keyring.get() {
            return Ok(keyring);
        }
        let mut found = Vec::new();
        for source in self.identities {
            found.extend(self.app.keys(Some(source), self.passphrase)?.unwrap_or_default());
        }
        if self.identities.is_empty() {
            if self.what == Sealed::Backup {
                let fail =
                    Fail::new(Exit::NoIdentityFits, "the backup is sealed to a key, none is given");
                return Err(fail.hint("name the key with -i FILE").into());
            }
            found = self.app.keys(None, self.passphrase)?.ok_or_else(|| self.app.no_identity())?;
        }
        let (mut accounts, mut plain) = (Vec::new(), Vec::new());
        for key in found {
            match key {
                Key::Bulla(identity) if self.what != Sealed::Backup => {
                    accounts.push(self.app.account(identity));
                }
                key => plain.push(key),
            }
        }
        Ok(self.keyring.get_or_init(|| Keyring::new(accounts, plain, self.events)))
    }

    fn takes_passphrases(&self) -> bool {
        self.identities.is_empty() && self.what != Sealed::Letters
    }

    fn passphrase(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, age::Error> {
        let what = if self.what == Sealed::Backup { "the backup" } else { "the file" };
        let passphrase = match self.passphrase {
            Some(source) => source.passphrase(),
            None => self.app.ui.ask_passphrase(what),
        };
        ScryptIdentity::new(passphrase.map_err(|error| self.stop(error))?).unwrap(stanzas)
    }
}

impl age::Identity for Unlock<'_> {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, age::Error> {
        if self.takes_passphrases() && stanzas.iter().any(|stanza| stanza.kind == "scrypt") {
            return self.passphrase(stanzas);
        }
        self.keys().map_err(|error| self.stop(error))?.unwrap(stanzas)
    }

    /// Asked about files that no identity fits: whether a passphrase was tried on them.
    fn class(&self) -> Class {
        if self.takes_passphrases() { Class::Passphrase } else { Class::PostQuantum }
    }
}

impl Pairwise for Unlock<'_> {
    fn secrets(&self, to: &Fingerprint, from: &Fingerprint) -> Vec<Arc<Secret<32>>> {
        self.keyring.get().map(|keyring| keyring.secrets(to, from)).unwrap_or_default()
    }
}

impl Keys for Unlock<'_> {
    type Error = anyhow::Error;

    fn keyring(&self) -> Option<&Keyring<'_>> {
        self.keyring.get()
    }

    fn reason(&self, error: anyhow::Error) -> anyhow::Error {
        let ours = self.stopped.lock().unwrap_or_else(PoisonError::into_inner).take();
        let keyring = || Some(self.keyring.get()?.stopped()?.into());
        ours.or_else(keyring).unwrap_or(error)
    }
}
