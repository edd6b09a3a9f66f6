//! Marks of fingerprints, of contacts and others: the strongest verification, and the
//! revocation. Both outlive the contact's entry and its name.

use crate::contact::book::{Book, Mark};
use crate::contact::trust::Trust;
use crate::identity::Fingerprint;

/// Fingerprints with a mark. The oldest that is neither revoked nor a contact's makes room first.
const MAX_MARKS: usize = 4096;

impl Book {
    /// Records that a fingerprint was verified at `now`, in seconds of Unix time. A weaker way than
    /// the one on record changes nothing.
    pub(crate) fn verify(&mut self, fingerprint: &Fingerprint, trust: &Trust, now: u64) {
        self.mark(fingerprint, |mark| {
            let known = mark.verified.as_ref().map(|(known, _)| known.strength());
            if known.is_none_or(|known| known <= trust.strength()) {
                mark.verified = Some((trust.clone(), now));
            }
        });
    }

    /// Records the way in which a contact came, before its entry says something else or is gone.
    pub(super) fn verify_as_known(&mut self, fingerprint: &Fingerprint) {
        let came = self.by_fingerprint(fingerprint).map(|c| (c.trust().clone(), c.since()));
        if let Some((trust, when)) = came.filter(|(trust, _)| *trust != Trust::CardByHand) {
            self.verify(fingerprint, &trust, when);
        }
    }

    /// Returns the strongest verification a fingerprint ever had, with its date in seconds of Unix
    /// time: that on record, or the way the contact came.
    pub fn strongest(&self, fingerprint: &Fingerprint) -> Option<(&Trust, u64)> {
        let on_record = self.mark_of(fingerprint).and_then(|mark| mark.verified.as_ref());
        let on_record = on_record.map(|(trust, when)| (trust, *when));
        let came = self.by_fingerprint(fingerprint).map(|c| (c.trust(), c.since()));
        on_record.into_iter().chain(came).max_by_key(|(trust, _)| trust.strength())
    }

    /// Records that a fingerprint is revoked since `now`, in seconds of Unix time. An earlier date
    /// stands.
    pub(crate) fn revoke(&mut self, fingerprint: &Fingerprint, now: u64) {
        self.mark(fingerprint, |mark| mark.revoked = mark.revoked.or(Some(now)));
    }

    /// Lifts the revocation of a fingerprint. Returns whether there was one.
    pub(crate) fn unrevoke(&mut self, fingerprint: &Fingerprint) -> bool {
        self.revoked(fingerprint).is_some()
            && self.mark(fingerprint, |mark| mark.revoked.take()).is_some()
    }

    /// Returns since when a fingerprint is revoked, in seconds of Unix time.
    pub fn revoked(&self, fingerprint: &Fingerprint) -> Option<u64> {
        self.mark_of(fingerprint).and_then(|mark| mark.revoked)
    }

    /// Returns whether any fingerprint is revoked.
    pub(crate) fn has_revoked(&self) -> bool {
        self.marks.iter().any(|mark| mark.revoked.is_some())
    }

    /// Takes the marks of another book of the same owner: the stronger verification and any
    /// revocation hold.
    pub(super) fn merge_marks(&mut self, theirs: Vec<Mark>) {
        for Mark { fingerprint, verified, revoked } in theirs.into_iter().take(MAX_MARKS) {
            let fingerprint = Fingerprint::from_bytes(fingerprint);
            if let Some((trust, when)) = verified {
                let known = self.mark_of(&fingerprint).and_then(|mark| mark.verified.as_ref());
                if known.is_none_or(|(known, _)| known.strength() < trust.strength()) {
                    self.verify(&fingerprint, &trust, when);
                }
            }
            if let Some(when) = revoked {
                self.revoke(&fingerprint, when);
            }
        }
    }

    fn mark_of(&self, fingerprint: &Fingerprint) -> Option<&Mark> {
        let fingerprint = fingerprint.to_bytes();
        self.marks.iter().find(|mark| mark.fingerprint == fingerprint)
    }

    /// Changes the mark of a fingerprint, which becomes the newest.
    fn mark<T>(&mut self, fingerprint: &Fingerprint, change: impl FnOnce(&mut Mark) -> T) -> T {
        let fingerprint = fingerprint.to_bytes();
        let at = self.marks.iter().position(|mark| mark.fingerprint == fingerprint);
        let mut mark = match at {
            Some(at) => self.marks.remove(at),
            None => {
                self.make_room();
                Mark { fingerprint, verified: None, revoked: None }
            }
        };
        let result = change(&mut mark);
        self.marks.push(mark);
        result
    }

    fn make_room(&mut self) {
        if self.marks.len() < MAX_MARKS {
            return;
        }
        let is_contact =
            |mark: &Mark| self.contacts.iter().any(|c| c.fingerprint == mark.fingerprint);
        let spare = self.marks.iter().position(|mark| mark.revoked.is_none() && !is_contact(mark));
        self.marks.remove(spare.unwrap_or(0));
    }
}
