//! Revocation: what is closed with a contact, and what must be tried again.

use std::sync::Arc;

use super::MAX_LINKS;
use super::Own;
use super::Pairs;
use super::abandoned::TRIED;
use crate::identity::Fingerprint;
use crate::secret::Secret;
use crate::wire::Decode;
use crate::wire::Encode;

/// A capability for the mailbox on the own card that its relay has still to revoke.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Revoking {
    /// The relay's URL.
    pub relay: String,
    /// The capability.
    pub capability: Arc<Secret<32>>,
    /// Until when revoking is tried, in seconds of Unix time.
    until: u64,
}

impl Pairs {
    /// Revokes a contact: every mailbox for the contact that is known, here and on other machines,
    /// is to be closed; introductions by the contact and of the contact are forgotten; and no pairing
    /// that is under way ends with the contact. `now` is in seconds of Unix time. Returns how many
    /// mailboxes there were: here, and elsewhere.
    pub fn revoke(&mut self, contact: &Fingerprint, now: u64) -> (usize, usize) {
        let fingerprint = contact.to_bytes();
        let here = self.mailboxes_of(contact);
        let elsewhere = self.elsewhere.extract_if(.., |(of, _)| *of == fingerprint);
        let elsewhere: Vec<Own> = elsewhere.map(|(_, own)| own).collect();
        let counts = (here.len(), elsewhere.len());
        for own in here.into_iter().chain(elsewhere) {
            self.close(&own);
            self.close_later(own, false, now);
        }
        self.introductions.forget_by(contact);
        self.introductions.forget(contact);
        let introduced = self.underway.iter().filter(|one| {
            one.introduced.as_ref().is_some_and(|introduced| {
                introduced.fingerprint() == *contact || introduced.by().fingerprint() == *contact
            })
        });
        let introduced: Vec<Own> = introduced.map(|one| one.meeting.clone()).collect();
        introduced.iter().for_each(|meeting| self.end(meeting, now));
        let bars = self.underway.iter().map(|one| (one.meeting.index, fingerprint));
        let bars: Vec<_> = bars.filter(|bar| !self.barred.contains(bar)).collect();
        self.barred.extend(bars);
        counts
    }

    /// Whether the pairing that meets there began before the contact was revoked.
    pub fn is_barred(&self, meeting: &Own, contact: &Fingerprint) -> bool {
        self.barred.contains(&(meeting.index, contact.to_bytes()))
    }

    /// Returns the capabilities that a relay has still to revoke, without those that were tried for
    /// long enough.
    pub fn revoking(&self, now: u64) -> impl Iterator<Item = &Revoking> {
        self.revoking.iter().filter(move |one| now < one.until)
    }

    /// Remembers that a capability for the mailbox on the own card is to be revoked.
    pub(super) fn revoke_later(&mut self, relay: String, capability: Secret<32>, now: u64) {
        // The oldest makes room.
        if self.revoking.len() >= MAX_LINKS {
            self.revoking.remove(0);
        }
        let (capability, until) = (Arc::new(capability), now.saturating_add(TRIED));
        self.revoking.push(Revoking { relay, capability, until });
    }

    /// Remembers that a relay has revoked such a capability.
    pub fn revoked(&mut self, revoked: &Revoking, now: u64) {
        self.revoking.retain(|one| one != revoked && now < one.until);
    }

    /// Drops what is not needed any more; `own` is the owner's fingerprint, `now` Unix time in
    /// seconds. Returns whether anything changed.
    pub fn tidy(&mut self, own: &Fingerprint, now: u64) -> bool {
        let before = (self.routes.len(), self.barred.len());
        self.tidy_routes(own, now);
        let underway = &self.underway;
        self.barred.retain(|(index, _)| underway.iter().any(|one| one.meeting.index == *index));
        before != (self.routes.len(), self.barred.len())
    }
}
