//! One installation: an identity, and the state sealed under it in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::account::error::Error;
use crate::contact::pairing::Address;
use crate::contact::{Book, BookFile, Own, Pairs, Settings, Successors, Takeover, Untolds};
use crate::crypto::{self, label};
use crate::files::disk::{Disk, Held};
use crate::files::local::Folder;
use crate::identity::{Card, Fingerprint, Identity};
use crate::letter::ratchet::Sessions;
use crate::secret::Secret;
use crate::state::StateFile;
use crate::text::hex_encode;

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// Returns the time in seconds of Unix time.
    fn now(&self) -> u64;
}

/// The clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
    }
}

/// An identity and the state sealed under it.
///
/// Clones share the identity and the state.
#[derive(Clone)]
pub struct Account {
    identity: Arc<Identity>,
    disk: Option<Arc<dyn Disk>>,
    key_file: Arc<Zeroizing<Vec<u8>>>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("identity", &self.identity.fingerprint()).finish()
    }
}

impl Account {
    /// Opens the account of an identity whose state is kept under `home`; creates the folder.
    ///
    /// Several identities share a home: each has a folder whose name says nothing without the identity.
    /// Without a home, or where it cannot be written, the account keeps no state: it can seal and
    /// open, but notices no replay.
    pub fn open(identity: Identity, home: Option<&Path>) -> Self {
        let name = identity.storage_key(label::STORAGE_FOLDER);
        let folder = state_folder(home, &crypto::truncate(name.expose()));
        Self::on(identity, folder.map(|folder| Arc::new(Folder::new(&folder)) as Arc<dyn Disk>))
    }

    /// Opens the account of an identity whose state is kept in a folder of any disk.
    pub(crate) fn on(identity: Identity, disk: Option<Arc<dyn Disk>>) -> Self {
        let (identity, key_file) = (Arc::new(identity), Arc::default());
        Self { identity, disk, key_file, clock: Arc::new(SystemClock) }
    }

    /// Keeps the text that the identity was read from, which a backup holds.
    #[must_use]
    pub fn with_key_file(self, key_file: Zeroizing<Vec<u8>>) -> Self {
        Self { key_file: Arc::new(key_file), ..self }
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Returns the identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the fingerprint of the identity.
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// Returns the text that the identity was read from; empty where it is not known.
    pub(crate) fn key_file(&self) -> &[u8] {
        &self.key_file
    }

    /// Returns the source of the current time.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Returns the time in seconds of Unix time.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Returns the folder of the state.
    ///
    /// # Errors
    ///
    /// [`Error::NoState`] without a home.
    pub fn folder(&self) -> Result<&Path, Error> {
        Ok(self.disk()?.path())
    }

    fn disk(&self) -> Result<&Arc<dyn Disk>, Error> {
        self.disk.as_ref().ok_or(Error::NoState)
    }

    /// Returns whether state is kept.
    pub(crate) fn has_state(&self) -> bool {
        self.disk.is_some()
    }

    /// Returns the folder in which pulled letters wait.
    pub fn spool_folder(&self) -> Result<PathBuf, Error> {
        Ok(self.spool()?.path().to_owned())
    }

    /// Returns that folder on the disk of the state.
    pub(crate) fn spool(&self) -> Result<Arc<dyn Disk>, Error> {
        Ok(self.disk()?.folder("spool"))
    }

    /// Returns the folder of the erasures that letters still need.
    pub(crate) fn deferred_folder(&self) -> Result<Arc<dyn Disk>, Error> {
        Ok(self.disk()?.folder("owed"))
    }

    /// Returns the folder of letters that can be opened again.
    pub(crate) fn kept_folder(&self) -> Result<Arc<dyn Disk>, Error> {
        Ok(self.disk()?.folder("kept"))
    }

    /// Returns the file of the contact book.
    pub fn book_file(&self) -> Result<BookFile, Error> {
        self.file(label::STORAGE_BOOK)
    }

    /// Returns the file of pairings and of what they leave.
    pub fn pairs_file(&self) -> Result<StateFile<Pairs>, Error> {
        self.file(label::STORAGE_PAIRS)
    }

    /// Returns the file that a new device keeps until it has taken the identity over.
    pub(crate) fn takeover_file(&self) -> Result<StateFile<Takeover>, Error> {
        self.file(label::STORAGE_TAKEOVER)
    }

    /// Returns the file of contacts who are still to be told of this identity.
    pub(crate) fn untold_file(&self) -> Result<StateFile<Untolds>, Error> {
        self.file(label::STORAGE_UNTOLD)
    }

    /// Returns the file of the new identities that contacts announced.
    pub(crate) fn successors_file(&self) -> Result<StateFile<Successors>, Error> {
        self.file(label::STORAGE_SUCCESSORS)
    }

    fn file<R: crate::state::Kept>(&self, label: &'static [u8]) -> Result<StateFile<R>, Error> {
        Ok(StateFile::on(Arc::clone(self.disk()?), self.identity.storage_key(label)))
    }

    /// Returns the file of the ratchets with a contact, whose name says nothing without the identity.
    pub(crate) fn sessions_file(
        &self,
        contact: &Fingerprint,
    ) -> Result<StateFile<Sessions>, Error> {
        let of = |label| self.identity.storage_key_for(label, &contact.to_bytes());
        let name = of(label::STORAGE_RATCHET_NAME);
        let name = hex_encode(&crypto::truncate::<8>(name.expose()));
        let disk = Arc::clone(self.disk()?);
        Ok(StateFile::named_on(disk, &name, of(label::STORAGE_RATCHET)))
    }

    /// Returns the key that wraps the keys of the account's indexes.
    pub fn index_key(&self) -> Secret<32> {
        self.identity.storage_key(label::STORAGE_INDEX)
    }

    /// Returns the key under which the erasure that a letter still needs is kept.
    pub(crate) fn deferred_key(&self, id: &[u8; 32]) -> Secret<32> {
        self.identity.storage_key_for(label::STORAGE_OWED, id)
    }

    /// Returns what a contact needs to write to a mailbox that was made for them.
    pub(crate) fn address(&self, own: &Own) -> Address {
        Address {
            relay: own.relay.clone(),
            mailbox: self.identity.contact_mailbox(&own.index).public(),
            capability: self.identity.contact_capability(&own.index, 0).into(),
        }
    }

    /// Reads pairings and what they left; nothing without a home.
    pub fn pairs(&self) -> Result<Pairs, Error> {
        if self.has_state() { Ok(self.pairs_file()?.read()?) } else { Ok(Pairs::default()) }
    }

    /// Reads the contact book; an empty one without a home.
    pub fn book(&self) -> Result<Book, Error> {
        if self.has_state() { Ok(self.book_file()?.read()?) } else { Ok(Book::default()) }
    }

    /// Returns the contact's name, or the fingerprint of a stranger.
    pub(crate) fn title(&self, fingerprint: &Fingerprint) -> Result<String, Error> {
        let book = self.book()?;
        let known = book.by_fingerprint(fingerprint).map(|known| known.name().to_owned());
        Ok(known.unwrap_or_else(|| fingerprint.to_string()))
    }

    /// Returns the card without a capability: for pairings, and inside letters.
    pub(crate) fn card(&self) -> Result<Card, Error> {
        self.change_settings(|_| ()).and_then(|settings| self.plain_card(&settings))
    }

    /// Returns the card to hand out by hand, after a change of the settings that it is made of: everyone
    /// who has it can push to the mailbox on it.
    pub fn public_card(&self, edit: impl FnOnce(&mut Settings)) -> Result<Card, Error> {
        let Settings { name, relay, generation, changed } = self.change_settings(edit)?;
        Ok(self.identity.card(&name, relay.as_deref(), generation, changed)?)
    }

    /// Changes the settings that cards are made of, and stores them. A card is dated at their last
    /// change, so the same card comes out every time.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] when no card can be made of them; nothing is stored then.
    pub(crate) fn change_settings(
        &self,
        edit: impl FnOnce(&mut Settings),
    ) -> Result<Settings, Error> {
        let change = |settings: &mut Settings| -> Result<Settings, Error> {
            let mut new = settings.clone();
            edit(&mut new);
            if new != *settings || new.changed == 0 {
                // Later than the card before, also within a second of it.
                new.changed = self.now().max(settings.changed.saturating_add(1));
            }
            self.plain_card(&new)?;
            settings.clone_from(&new);
            Ok(new)
        };
        if self.has_state() {
            self.book_file()?.update(|book| change(&mut book.settings))
        } else {
            change(&mut Settings::default())
        }
    }

    fn plain_card(&self, settings: &Settings) -> Result<Card, Error> {
        let Settings { name, relay, changed, .. } = settings;
        Ok(self.identity.card_without_capability(name, relay.as_deref(), *changed)?)
    }

    /// Waits until no other process opens the letter.
    pub(crate) fn lock_letter(&self, id: &[u8; 16]) -> Result<LetterLock, Error> {
        self.letter_lock(id, true)
    }

    /// Locks the letter now.
    ///
    /// # Errors
    ///
    /// [`Error::LetterInUse`] when another process opens it.
    pub(crate) fn try_lock_letter(&self, id: &[u8; 16]) -> Result<LetterLock, Error> {
        self.letter_lock(id, false)
    }

    fn letter_lock(&self, id: &[u8; 16], wait: bool) -> Result<LetterLock, Error> {
        let (disk, name) = (Arc::clone(self.disk()?), format!("{}.turn", hex_encode(id)));
        let lock = disk.lock(&name, wait).map_err(Error::Lock)?;
        Ok(LetterLock { disk, name, _lock: lock.ok_or(Error::LetterInUse)? })
    }
}

/// A letter that this process alone opens.
#[derive(Debug)]
pub(crate) struct LetterLock {
    disk: Arc<dyn Disk>,
    name: String,
    _lock: Held,
}

impl Drop for LetterLock {
    fn drop(&mut self) {
        // A process that waits for it creates it again.
        let _ = self.disk.remove(&self.name);
    }
}

/// Returns the folder of an identity's state, and creates it. A home that cannot be written, as that of
/// many services, counts as none.
pub fn state_folder(home: Option<&Path>, name: &[u8; 8]) -> Option<PathBuf> {
    let folder = home?.join(hex_encode(name));
    Folder::new(&folder).make().is_ok().then_some(folder)
}
