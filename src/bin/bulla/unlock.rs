//! Opening with whatever a file asks for: the identities, read when a stanza may be theirs, or
//! the passphrase, asked when it is the file's.

use std::sync::{Arc, Mutex, OnceLock};

use anyhow::Result;
use bulla::age::{self, Class, FileKey, Identity as _, ScryptIdentity, Stanza};
use bulla::identity::{Fingerprint, Key};
use bulla::letter::Pairwise;
use bulla::letter::ratchet::KIND;
use bulla::secret::Secret;

use crate::app::{App, Me, no_identity};
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::paired::{Found, Paired, secrets};

/// One identity that stands for all that the flags and the environment give.
pub(crate) struct Unlock<'a> {
    app: &'a App,
    args: &'a cli::Open,
    keys: OnceLock<Keys>,
    /// Why no key could be had, which an age error cannot carry.
    stopped: Mutex<Option<anyhow::Error>>,
    /// In a stream anybody may have pushed what comes next: no passphrase is asked or tried.
    in_stream: bool,
}

#[derive(Default)]
struct Keys {
    ours: Vec<Ours>,
    plain: Vec<Key>,
}

/// An identity, and what is kept with those it paired with.
pub(crate) struct Ours {
    fingerprint: Fingerprint,
    pub(crate) me: Me,
    pub(crate) paired: Paired,
}

impl<'a> Unlock<'a> {
    pub(crate) fn new(app: &'a App, args: &'a cli::Open) -> Self {
        Self { app, args, keys: OnceLock::new(), stopped: Mutex::new(None), in_stream: false }
    }

    /// What is opened from here on came in an envelope stream.
    pub(crate) fn in_stream(&mut self) {
        self.in_stream = true;
    }

    /// Reads the identities before any file asks for them.
    pub(crate) fn prepare(&self) -> Result<()> {
        self.keys().map(drop)
    }

    /// The fingerprints of the identities that were needed so far.
    pub(crate) fn fingerprints(&self) -> Vec<Fingerprint> {
        self.ours().map(|ours| ours.fingerprint).collect()
    }

    /// The identity of a fingerprint.
    pub(crate) fn of(&self, fingerprint: &Fingerprint) -> Option<&Ours> {
        self.ours().find(|ours| ours.fingerprint == *fingerprint)
    }

    /// The identities that were needed so far.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Me> {
        self.ours().map(|ours| &ours.me)
    }

    /// By which ratchet the last file was opened, if it was by one.
    pub(crate) fn found(&self) -> Option<Found> {
        self.ours().find_map(|ours| ours.paired.found())
    }

    fn ours(&self) -> impl Iterator<Item = &Ours> {
        self.keys.get().into_iter().flat_map(|keys| &keys.ours)
    }

    /// The reason behind an error of opening: ours, if it came from here.
    pub(crate) fn reason(&self, error: impl Into<anyhow::Error>) -> anyhow::Error {
        let ours = self.stopped.lock().ok().and_then(|mut stopped| stopped.take());
        ours.unwrap_or_else(|| error.into())
    }

    fn stop(&self, reason: anyhow::Error) -> age::Error {
        if let Ok(mut stopped) = self.stopped.lock() {
            *stopped = Some(reason);
        }
        age::Error::NoMatch
    }

    fn keys(&self) -> Result<&Keys> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let passphrase = self.args.passphrase.as_ref();
        let mut found = Vec::new();
        for source in &self.args.identity {
            found.extend(self.app.keys(Some(source), passphrase)?.unwrap_or_default());
        }
        if self.args.identity.is_empty() {
            found = self.app.keys(None, passphrase)?.ok_or_else(no_identity)?;
        }
        let mut keys = Keys::default();
        for key in found {
            match key {
                Key::Bulla(identity) => {
                    let fingerprint = identity.fingerprint();
                    let (me, paired) = (Me::new(identity, &self.app.home), Paired::default());
                    keys.ours.push(Ours { fingerprint, me, paired });
                }
                plain @ Key::Age(_) => keys.plain.push(plain),
            }
        }
        Ok(self.keys.get_or_init(|| keys))
    }

    fn takes_passphrases(&self) -> bool {
        self.args.identity.is_empty() && !self.in_stream
    }

    fn passphrase(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, age::Error> {
        let passphrase = match &self.args.passphrase {
            Some(source) => source.passphrase(),
            None => self.app.ui.ask_passphrase("the file"),
        };
        ScryptIdentity::new(passphrase.map_err(|error| self.stop(error))?).unwrap(stanzas)
    }
}

impl age::Identity for Unlock<'_> {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, age::Error> {
        if self.takes_passphrases() && stanzas.iter().any(|stanza| stanza.kind == "scrypt") {
            return self.passphrase(stanzas);
        }
        let keys = self.keys().map_err(|error| self.stop(error))?;
        for Ours { me, paired, .. } in &keys.ours {
            let found = paired.unwrap(self.app, me, stanzas);
            if let Some(file_key) = found.map_err(|error| self.stop(error))? {
                return Ok(Some(file_key));
            }
            if let Some(file_key) = me.identity.unwrap(stanzas)? {
                return Ok(Some(file_key));
            }
        }
        for key in &keys.plain {
            if let Some(file_key) = key.unwrap(stanzas)? {
                return Ok(Some(file_key));
            }
        }
        if stanzas.iter().any(|stanza| stanza.kind == KIND) {
            let fail = Fail::new(
                Exit::NoIdentityFits,
                "this letter's key is not here: it was erased, is another machine's, or another identity's",
            );
            let hint = "if a contact's letters do not open any more: bulla contact renew NAME, and write to him";
            return Err(self.stop(fail.hint(hint).into()));
        }
        Ok(None)
    }

    /// Asked about files that no identity fits: whether a passphrase was tried on them.
    fn class(&self) -> Class {
        if self.takes_passphrases() { Class::Passphrase } else { Class::PostQuantum }
    }
}

impl Pairwise for Unlock<'_> {
    fn secrets(&self, to: &Fingerprint, from: &Fingerprint) -> Vec<Arc<Secret<32>>> {
        let Some(ours) = self.of(to) else { return Vec::new() };
        secrets(&ours.me, from).unwrap_or_else(|error| {
            self.stop(error);
            Vec::new()
        })
    }
}
