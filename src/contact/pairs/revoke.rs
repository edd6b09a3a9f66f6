//! Revocation: what is closed with a contact, and what must be tried again.

use crate::contact::pairs::mailbox::{Closing, Own};
use crate::contact::pairs::{MAX_LINKS, Pairs, Underway};
use crate::identity::Fingerprint;

impl Pairs {
    /// Revokes a contact: every mailbox for the contact that is known, here and on other machines,
    /// is to be closed; what the contact introduced is forgotten; and no pairing that is under way
    /// ends with the contact. Returns how many mailboxes there were: here, and elsewhere.
    pub(crate) fn revoke(&mut self, contact: &Fingerprint) -> (usize, usize) {
        let fingerprint = contact.to_bytes();
        let here = self.mailboxes_of(contact);
        let elsewhere = self.elsewhere.extract_if(.., |(of, _)| *of == fingerprint);
        let elsewhere: Vec<Own> = elsewhere.map(|(_, own)| own).collect();
        let counts = (here.len(), elsewhere.len());
        for own in here.into_iter().chain(elsewhere) {
            self.close(&own);
            self.close_later(Closing::Mailbox(own), u64::MAX);
        }
        self.introductions.forget_by(contact);
        self.introductions.forget(contact);
        let with = |one: &mut Underway| {
            one.introduced.as_ref().is_some_and(|introduced| {
                introduced.fingerprint() == *contact || introduced.by().fingerprint() == *contact
            })
        };
        let ended: Vec<Underway> = self.underway.extract_if(.., with).collect();
        for one in ended {
            self.close_later(Closing::Mailbox(one.mailbox), u64::MAX);
        }
        let bars = self.underway.iter().map(|one| (one.meeting.index, fingerprint));
        let bars: Vec<_> = bars.filter(|bar| !self.barred.contains(bar)).collect();
        self.barred.extend(bars);
        counts
    }

    /// Revokes the old identity of a contact, whose new one was paired with at `meeting`. As
    /// [`Pairs::revoke`] otherwise.
    pub(crate) fn succeed(&mut self, meeting: &Own, old: &Fingerprint) {
        let kept = self.underway.extract_if(.., |one| one.meeting == *meeting);
        let mut kept: Vec<Underway> = kept.collect();
        self.revoke(old);
        self.underway.append(&mut kept);
    }

    /// Returns whether the pairing that meets there began before the contact was revoked.
    pub(crate) fn is_barred(&self, meeting: &Own, contact: &Fingerprint) -> bool {
        self.barred.contains(&(meeting.index, contact.to_bytes()))
    }

    /// Returns what is to be closed and was not tried for long enough; `now` is in seconds of Unix
    /// time.
    pub(crate) fn closing(&self, now: u64) -> impl Iterator<Item = &Closing> {
        self.closing.iter().filter(move |(_, until)| now < *until).map(|(closing, _)| closing)
    }

    /// Remembers that something is to be closed, and until when that is tried, in seconds of Unix
    /// time: a relay may be gone for good.
    pub(super) fn close_later(&mut self, closing: Closing, until: u64) {
        if let Some((_, known)) = self.closing.iter_mut().find(|(known, _)| *known == closing) {
            *known = until.max(*known);
            return;
        }
        // The oldest makes room.
        if self.closing.len() >= MAX_LINKS {
            self.closing.remove(0);
        }
        self.closing.push((closing, until));
    }

    /// Remembers that something was closed.
    pub(crate) fn closed(&mut self, closing: &Closing) {
        self.closing.retain(|(one, _)| one != closing);
    }

    /// Drops what is not needed any more; `own` is the owner's fingerprint, `now` Unix time in
    /// seconds. Says whether anything changed.
    pub(crate) fn tidy(&mut self, own: &Fingerprint, now: u64) -> bool {
        let before = (self.routes.len(), self.barred.len(), self.closing.len());
        self.tidy_routes(own, now);
        self.closing.retain(|(_, until)| now < *until);
        let underway = &self.underway;
        self.barred.retain(|(index, _)| underway.iter().any(|one| one.meeting.index == *index));
        before != (self.routes.len(), self.barred.len(), self.closing.len())
    }
}
