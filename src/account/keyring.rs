//! Keys that letters and sealed files are opened with: accounts with their sessions, and plain age
//! identities.

use std::sync::{Arc, Mutex, PoisonError};

use crate::account::account::Account;
use crate::account::error::Error;
use crate::account::event::Events;
use crate::account::sessions::{OpenedBy, SessionCache};
use crate::age::{self, Class, FileKey, Stanza};
use crate::identity::{Fingerprint, Key};
use crate::letter::ratchet::KIND;
use crate::letter::{self, Pairwise};
use crate::secret::Secret;

/// What opens letters: a [`Keyring`], or one that is filled when the first file asks for it.
pub trait Keys: age::Identity + Pairwise {
    /// Why opening failed.
    type Error: From<Error> + From<letter::Error> + From<age::Error> + Send;

    /// Returns the keyring, once a file has asked for a key.
    fn keyring(&self) -> Option<&Keyring<'_>>;

    /// Returns the reason for which no key was had, if that is why opening failed. An age error
    /// cannot carry it.
    fn reason(&self, error: Self::Error) -> Self::Error;
}

/// Accounts and plain age identities.
pub struct Keyring<'a> {
    accounts: Vec<Member>,
    plain: Vec<Key>,
    events: &'a dyn Events,
    stopped: Mutex<Option<Error>>,
}

struct Member {
    fingerprint: Fingerprint,
    account: Account,
    sessions: SessionCache,
}

impl<'a> Keyring<'a> {
    /// Holds these accounts and plain age identities.
    pub fn new(accounts: Vec<Account>, plain: Vec<Key>, events: &'a dyn Events) -> Self {
        let member = |account: Account| Member {
            fingerprint: account.fingerprint(),
            account,
            sessions: SessionCache::default(),
        };
        let accounts = accounts.into_iter().map(member).collect();
        Self { accounts, plain, events, stopped: Mutex::default() }
    }

    /// Returns the accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().map(|member| &member.account)
    }

    /// Returns the fingerprints of the accounts.
    pub(crate) fn fingerprints(&self) -> Vec<Fingerprint> {
        self.accounts.iter().map(|member| member.fingerprint).collect()
    }

    /// Returns an account and its sessions.
    pub(crate) fn member(
        &self,
        fingerprint: &Fingerprint,
    ) -> Result<(&Account, &SessionCache), Error> {
        let found = self.accounts.iter().find(|member| member.fingerprint == *fingerprint);
        found.map(|member| (&member.account, &member.sessions)).ok_or(Error::NoIdentity)
    }

    /// Takes the session that opened the last file, if one did.
    pub(crate) fn opened_by(&self) -> Option<OpenedBy> {
        self.accounts.iter().find_map(|member| member.sessions.opened_by())
    }

    pub(crate) fn events(&self) -> &'a dyn Events {
        self.events
    }

    /// Returns why a file key or the secret of a pairing could not be had since the last call.
    pub fn stopped(&self) -> Option<Error> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn stop(&self, reason: Error) -> age::Error {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        age::Error::NoMatch
    }
}

impl age::Identity for Keyring<'_> {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, age::Error> {
        for Member { account, sessions, .. } in &self.accounts {
            let found = sessions.unwrap(account, self.events, stanzas);
            if let Some(file_key) = found.map_err(|error| self.stop(error))? {
                return Ok(Some(file_key));
            }
            if let Some(file_key) = account.identity().unwrap(stanzas)? {
                return Ok(Some(file_key));
            }
        }
        for key in &self.plain {
            if let Some(file_key) = key.unwrap(stanzas)? {
                return Ok(Some(file_key));
            }
        }
        match stanzas.iter().any(|stanza| stanza.kind == KIND) {
            true => Err(self.stop(Error::KeyMissing)),
            false => Ok(None),
        }
    }

    fn class(&self) -> Class {
        Class::PostQuantum
    }
}

impl Pairwise for Keyring<'_> {
    fn secrets(&self, to: &Fingerprint, from: &Fingerprint) -> Vec<Arc<Secret<32>>> {
        let Ok((account, _)) = self.member(to) else { return Vec::new() };
        account.pairs().map(|pairs| pairs.pairwise_of(from)).unwrap_or_else(|error| {
            self.stop(error);
            Vec::new()
        })
    }
}

impl Keys for Keyring<'_> {
    type Error = Error;

    fn keyring(&self) -> Option<&Keyring<'_>> {
        Some(self)
    }

    fn reason(&self, error: Error) -> Error {
        self.stopped().unwrap_or(error)
    }
}
