//! What every verb starts from: the person, the identity, and the state kept under it.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use bulla::contact::pairing::Address;
use bulla::contact::{Book, BookFile, Own, Pairs, Successors, Takeover, Untolds};
use bulla::crypto;
use bulla::crypto::label;
use bulla::files::{self, Lock};
use bulla::identity::{Fingerprint, Identity, Key, Keyfile};
use bulla::letter::ratchet::Sessions;
use bulla::secret::Secret;
use bulla::state::StateFile;
use bulla::text::hex_encode;
use zeroize::Zeroizing;

use crate::agent;
use crate::cli::Keys;
use crate::exit::{Exit, Fail};
use crate::home::{Home, homeless};
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
    pub(crate) fn me(&self, keys: &Keys) -> Result<Me> {
        Ok(self.me_if_any(keys)?.ok_or_else(no_identity)?)
    }

    /// The same, or `None` where no identity is named and there is no default.
    pub(crate) fn me_if_any(&self, keys: &Keys) -> Result<Option<Me>> {
        let Some(file) = self.key_file(keys.identity.as_ref())? else { return Ok(None) };
        let identity = first(self.unlock(&file, keys.passphrase.as_ref())?)?;
        Ok(Some(Me { key_file: Some(file.bytes), ..Me::new(identity, &self.home) }))
    }

    /// Who may search: an agent that holds the key of the index is asked first, so that a locked
    /// identity need not be unlocked.
    pub(crate) fn searcher(&self, keys: &Keys) -> Result<Searcher> {
        let file = self.key_file(keys.identity.as_ref())?.ok_or_else(no_identity)?;
        if keys.passphrase.is_none() && file.is_locked()? {
            let socket = agent::socket(&self.home);
            let held = socket.and_then(|at| agent::get(&at, &agent::name_of(&file.bytes)));
            if let Some(held) = held {
                return Ok(Searcher {
                    folder: state_folder(&self.home, &held.folder),
                    key: held.key,
                });
            }
        }
        let me = Me::new(first(self.unlock(&file, keys.passphrase.as_ref())?)?, &self.home);
        Ok(Searcher { key: me.identity.storage_key(label::STORAGE_INDEX), folder: me.folder })
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

impl KeyFile {
    /// Whether a passphrase is wanted.
    pub(crate) fn is_locked(&self) -> Result<bool> {
        let parsed = Keyfile::parse(&self.bytes).with_context(|| format!("in {}", self.place))?;
        Ok(matches!(parsed, Keyfile::Locked(_)))
    }
}

/// What a search needs of an identity.
pub(crate) struct Searcher {
    folder: Option<PathBuf>,
    /// What wraps the keys of indexes.
    pub(crate) key: Secret<32>,
}

impl Searcher {
    /// The folder of the identity's state; an error without a home.
    pub(crate) fn folder(&self) -> Result<&Path> {
        Ok(self.folder.as_deref().ok_or_else(homeless)?)
    }
}

/// The folder of an identity's state, made. A home that cannot be written, as that of many
/// services, is none.
fn state_folder(home: &Home, name: &[u8; 8]) -> Option<PathBuf> {
    home.state(&hex_encode(name)).filter(|folder| files::create_state_folder(folder).is_ok())
}

/// The error of a verb that needs an identity where none is found.
pub(crate) fn no_identity() -> Fail {
    Fail::new(Exit::InputMissing, "there is no identity")
        .hint("make one with: bulla keygen --default, or name one with -i FILE")
}

/// An identity and the state sealed under it.
pub(crate) struct Me {
    pub(crate) identity: Identity,
    folder: Option<PathBuf>,
    /// The text it was read from, where there is one.
    pub(crate) key_file: Option<Zeroizing<Vec<u8>>>,
}

impl Me {
    pub(crate) fn new(identity: Identity, home: &Home) -> Self {
        // Each identity has a folder of its own, whose name says nothing without the identity.
        let name = identity.storage_key(label::STORAGE_FOLDER);
        let folder = state_folder(home, &crypto::truncate(name.expose()));
        Self { folder, identity, key_file: None }
    }

    /// The folder of this identity's state; an error without a home.
    pub(crate) fn folder(&self) -> Result<&Path> {
        Ok(self.folder.as_deref().ok_or_else(homeless)?)
    }

    /// Whether there is a home to keep state in.
    pub(crate) fn has_home(&self) -> bool {
        self.folder.is_some()
    }

    /// The contact book's file.
    pub(crate) fn book_file(&self) -> Result<BookFile> {
        Ok(BookFile::new(self.folder()?, self.identity.storage_key(label::STORAGE_BOOK)))
    }

    /// The file of what pairings leave.
    pub(crate) fn pairs_file(&self) -> Result<StateFile<Pairs>> {
        Ok(StateFile::new(self.folder()?, self.identity.storage_key(label::STORAGE_PAIRS)))
    }

    /// The file of what a new machine remembers until it is in use.
    pub(crate) fn takeover_file(&self) -> Result<StateFile<Takeover>> {
        Ok(StateFile::new(self.folder()?, self.identity.storage_key(label::STORAGE_TAKEOVER)))
    }

    /// The file of what contacts are still to be told of this identity.
    pub(crate) fn untold_file(&self) -> Result<StateFile<Untolds>> {
        Ok(StateFile::new(self.folder()?, self.identity.storage_key(label::STORAGE_UNTOLD)))
    }

    /// The file of the new identities that contacts announced.
    pub(crate) fn successors_file(&self) -> Result<StateFile<Successors>> {
        Ok(StateFile::new(self.folder()?, self.identity.storage_key(label::STORAGE_SUCCESSORS)))
    }

    /// The file of the ratchets with a contact, whose name says nothing without the identity.
    pub(crate) fn sessions_file(&self, contact: &Fingerprint) -> Result<StateFile<Sessions>> {
        let of = |label| self.identity.storage_key_for(label, &contact.to_bytes());
        let name = of(label::STORAGE_RATCHET_NAME);
        let name = hex_encode(&crypto::truncate::<8>(name.expose()));
        Ok(StateFile::named(self.folder()?, &name, of(label::STORAGE_RATCHET)))
    }

    /// The key of what is kept of a letter that a command was given.
    pub(crate) fn owed_key(&self, id: &[u8; 32]) -> Secret<32> {
        self.identity.storage_key_for(label::STORAGE_OWED, id)
    }

    /// What others need to write to a mailbox that was made for one of them.
    pub(crate) fn address(&self, own: &Own) -> Address {
        Address {
            relay: own.relay.clone(),
            mailbox: self.identity.contact_mailbox(&own.index).public(),
            capability: self.identity.contact_capability(&own.index, 0).into(),
        }
    }

    /// What pairings left; nothing without a home.
    pub(crate) fn pairs(&self) -> Result<Pairs> {
        if self.has_home() { Ok(self.pairs_file()?.read()?) } else { Ok(Pairs::default()) }
    }

    /// The contact book; an empty one without a home.
    pub(crate) fn book(&self) -> Result<Book> {
        if self.has_home() { Ok(self.book_file()?.read()?) } else { Ok(Book::default()) }
    }
}

impl Me {
    /// Waits for this process's turn with a letter.
    pub(crate) fn turn(&self, id: &[u8; 16]) -> Result<Turn> {
        let path = self.turn_path(id)?;
        let lock = Lock::acquire(&path).context("cannot take a lock in the state folder")?;
        Ok(Turn { path, _lock: lock })
    }

    /// Takes the turn with a letter now, or fails.
    pub(crate) fn try_turn(&self, id: &[u8; 16]) -> Result<Turn> {
        let path = self.turn_path(id)?;
        let lock = Lock::try_acquire(&path).context("cannot take a lock in the state folder")?;
        let busy = || {
            Fail::new(Exit::Temporary, "another process has this letter in hand")
                .hint("try again when it has ended")
        };
        Ok(Turn { path, _lock: lock.ok_or_else(busy)? })
    }

    fn turn_path(&self, id: &[u8; 16]) -> Result<PathBuf> {
        Ok(self.folder()?.join(format!("{}.turn", hex_encode(id))))
    }
}

/// A letter that this process alone has in hand.
#[derive(Debug)]
pub(crate) struct Turn {
    path: PathBuf,
    _lock: Lock,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Who waits for it makes it anew.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Seconds since 1970, UTC.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// A time as RFC 3339 has it.
pub(crate) fn date(seconds: impl TryInto<i64>) -> String {
    let time = seconds.try_into().ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    time.unwrap_or(jiff::Timestamp::MAX).to_string()
}
