//! A contact's new identity takes the place of the old one.

use crate::contact::book::Book;
use crate::contact::error::Error;
use crate::contact::name::{MAX_NAME, numbered};
use crate::identity::Fingerprint;

impl Book {
    /// Gives the contact `new` the name of the contact `old`, which is revoked and gets another name.
    /// Returns the name; `None` when either is no contact. Doing it twice changes nothing.
    pub(crate) fn succeed(
        &mut self,
        old: &Fingerprint,
        new: &Fingerprint,
        now: u64,
    ) -> Result<Option<String>, Error> {
        let name_of = |of| self.by_fingerprint(of).map(|contact| contact.name().to_owned());
        let (Some(name), Some(other)) = (name_of(old), name_of(new)) else { return Ok(None) };
        if self.revoked(old).is_some() {
            return Ok(Some(other));
        }
        let base: String = name.chars().take(MAX_NAME - 4).chain("-old".chars()).collect();
        let aside = numbered(&base, |wanted| self.get(wanted).is_ok());
        self.rename(&name, &aside)?;
        self.rename(&other, &name)?;
        self.revoke(old, now);
        Ok(Some(name))
    }
}
