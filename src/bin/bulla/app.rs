//! What every verb starts from: the person, the identity, and the state kept under it.

use anyhow::{Context as _, Result};
use bulla::account::Account;
use bulla::identity::{Identity, Key, Keyfile};
use bulla::secret::SecretString;
use zeroize::Zeroizing;

use crate::classify::NO_IDENTITY;
use crate::cli::Keys;
use crate::exit::{Exit, Fail};
use crate::home::Home;
use crate::source::{self, Source};
use crate::ui::Ui;

/// The run: who is talked to, and where things are kept.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) ui: Ui,
    pub(crate) home: Home,
}

impl App {
    /// The keys of `source`, or of the first default that exists: `BULLA_IDENTITY`,
    /// `BULLA_IDENTITY_FILE`, `BULLA_IDENTITY_COMMAND`, the default file. `None` where there is
    /// no default.
    pub(crate) fn keys(
        &self,
        source: Option<&Source>,
        passphrase: Option<&Source>,
    ) -> Result<Option<Vec<Key>>> {
        let Some(file) = self.key_file(source)? else { return Ok(None) };
        Ok(Some(self.unlock(&file, passphrase)?))
    }

    /// The same, as it is kept.
    pub(crate) fn key_file(&self, source: Option<&Source>) -> Result<Option<KeyFile>> {
        Ok(self.key_bytes(source)?.map(|(bytes, place)| KeyFile { bytes, place }))
    }

    /// The keys of a key file, which may be locked.
    pub(crate) fn unlock(&self, file: &KeyFile, passphrase: Option<&Source>) -> Result<Vec<Key>> {
        let KeyFile { bytes, place } = file;
        match Keyfile::parse(bytes).with_context(|| format!("in {place}"))? {
            Keyfile::Open(keys) => Ok(keys),
            Keyfile::Locked(locked) => {
                let passphrase = match passphrase {
                    Some(source) => source.passphrase()?,
                    None => self.ui.ask_passphrase(place)?,
                };
                locked.unlock(passphrase).with_context(|| format!("in {place}"))
            }
        }
    }

    /// A new passphrase: from `source`, or asked for where that is wanted.
    pub(crate) fn new_passphrase(
        &self,
        source: Option<&Source>,
        ask: bool,
    ) -> Result<Option<SecretString>> {
        match source {
            Some(source) => Ok(Some(source.passphrase()?)),
            None if ask => Ok(Some(self.ui.ask_new_passphrase()?)),
            None => Ok(None),
        }
    }

    fn key_bytes(&self, source: Option<&Source>) -> Result<Option<(Zeroizing<Vec<u8>>, String)>> {
        let read = |source: &Source| {
            let bytes = source.read("the identity")?;
            Ok(Some((bytes, source.to_string())))
        };
        if let Some(source) = source {
            return read(source);
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        if std::env::var_os("BULLA_IDENTITY").is_some() {
            // An empty one is a secret that a job was not given, and never meant as absent.
            if set("BULLA_IDENTITY").is_none() {
                let fail = Fail::new(Exit::InputMissing, "the variable BULLA_IDENTITY is empty");
                return Err(fail.hint("give the job its secret, or unset BULLA_IDENTITY").into());
            }
            return read(&Source::Env("BULLA_IDENTITY".into()));
        }
        if let Some(path) = set("BULLA_IDENTITY_FILE") {
            return read(&Source::File(path.into()));
        }
        if let Some(command) = set("BULLA_IDENTITY_COMMAND") {
            let bytes = source::command_output(&command.to_string_lossy())?;
            return Ok(Some((bytes, "BULLA_IDENTITY_COMMAND".into())));
        }
        match self.home.identity() {
            Some(path) if path.exists() => read(&Source::File(path)),
            _ => Ok(None),
        }
    }

    /// The identity of these flags, which must be one of ours and not a plain age identity.
    pub(crate) fn me(&self, keys: &Keys) -> Result<Account> {
        Ok(self.me_if_any(keys)?.ok_or_else(|| self.no_identity())?)
    }

    /// The same, or `None` where no identity is named and there is no default.
    pub(crate) fn me_if_any(&self, keys: &Keys) -> Result<Option<Account>> {
        let Some(file) = self.key_file(keys.identity.as_ref())? else { return Ok(None) };
        let identity = first(self.unlock(&file, keys.passphrase.as_ref())?)?;
        Ok(Some(self.account(identity).with_key_file(file.bytes)))
    }

    /// The error of a verb that needs an identity where none is found.
    pub(crate) fn no_identity(&self) -> Fail {
        let hint = match self.home.identity() {
            _ if std::env::var_os("BULLA_ID").is_some() => {
                "a command of --exec sees no BULLA_IDENTITY: give it BULLA_IDENTITY_FILE"
            }
            None => "there is no home either: set BULLA_HOME to a folder, or name one with -i FILE",
            Some(_) => NO_IDENTITY,
        };
        Fail::new(Exit::InputMissing, "there is no identity").hint(hint)
    }

    /// The account of an identity.
    pub(crate) fn account(&self, identity: Identity) -> Account {
        let account = Account::open(identity, self.home.data());
        if let Err(error) = account.erase_expired_keys() {
            self.ui.warn(&format!("keys of letters whose time is over cannot be erased: {error}"));
        }
        account
    }
}

/// Whom a key file is of: its first identity of ours.
pub(crate) fn first(keys: Vec<Key>) -> Result<Identity> {
    let identity = keys.into_iter().find_map(|key| match key {
        Key::Bulla(identity) => Some(identity),
        Key::Age(_) => None,
    });
    identity.ok_or_else(|| {
        Fail::new(Exit::Malformed, "a plain age identity has no card, contacts or mailbox")
            .hint("bulla keygen --default makes an identity that has")
            .into()
    })
}

/// A key file as it is kept, and where.
pub(crate) struct KeyFile {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) place: String,
}

#[cfg(feature = "index")]
impl KeyFile {
    /// Whether a passphrase is wanted.
    pub(crate) fn is_locked(&self) -> Result<bool> {
        let parsed = Keyfile::parse(&self.bytes).with_context(|| format!("in {}", self.place))?;
        Ok(matches!(parsed, Keyfile::Locked(_)))
    }
}
