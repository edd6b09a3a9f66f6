//! Backup of an account, and its return.

use std::path::PathBuf;

use crate::account::account::Account;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::contact::backup::Backup;
use crate::contact::{Book, Merged, Pairs};
use crate::identity::Fingerprint;
use crate::state::{self, StateFile};
use crate::wire::Record;

impl Account {
    /// Returns everything that a lost machine takes away, but what must not come back.
    ///
    /// # Errors
    ///
    /// [`Error::Backup`] when the key file, given with [`with_key_file`](Self::with_key_file), is not
    /// one of this identity.
    pub fn backup(&self) -> Result<Backup, Error> {
        let (book, pairs) = (self.book_file()?.read()?, self.pairs_file()?.read()?);
        Ok(Backup::new(self.identity(), self.key_file(), &book, &pairs, self.now())?)
    }

    /// Merges book and pairings of a backup into the state, both or neither. Returns what came, and
    /// how many mailboxes. With `force` a file of state that cannot be read is kept aside.
    pub fn restore(
        &self,
        book: Book,
        pairs: Pairs,
        force: bool,
        events: &dyn Events,
    ) -> Result<(Merged, usize), Error> {
        let (books, pairings) = (self.book_file()?, self.pairs_file()?);
        set_aside(&books, force, events)?;
        set_aside(&pairings, force, events)?;
        // A contact without sessions begins new ones with the next letter.
        for contact in &pairings.read()?.contacts() | &pairs.contacts() {
            set_aside(&self.sessions_file(&Fingerprint::from_bytes(contact))?, force, events)?;
        }
        pairings.update(|here| {
            let links = here.merge(pairs)?;
            let merged = books.update(|here| here.merge(book))?;
            Ok((merged, links))
        })
    }
}

/// Checks that a file of state can be read. With `force` one that cannot gives its place up.
fn set_aside<R: Record + Default>(
    file: &StateFile<R>,
    force: bool,
    events: &dyn Events,
) -> Result<(), Error> {
    match file.read() {
        Err(error @ (state::Error::Damaged { .. } | state::Error::Record(_))) if force => {
            let kept: PathBuf = file.replace(&R::default())?;
            events.event(Event::StateSetAside { error: &error, kept: &kept });
            Ok(())
        }
        read => Ok(read.map(drop)?),
    }
}
