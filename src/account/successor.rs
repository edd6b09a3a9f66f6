//! New identities of contacts whose old ones were stolen: announced by the old one, and accepted or
//! refused by the user.

use crate::account::account::Account;
use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::contact::{self, Introduced, Introducer, News, Own, Pairs, Succession, Underway};
use crate::identity::{Card, Fingerprint};

/// Takes what the old identity of a contact announces.
pub(crate) fn take_announcement(
    account: &Account,
    events: &dyn Events,
    from: &Card,
    content: &[u8],
) -> Result<(), Error> {
    let book = account.book()?;
    let old = from.fingerprint();
    let by = match book.by_fingerprint(&old) {
        Some(contact) if book.revoked(&old).is_none() => contact,
        _ => {
            events.event(Event::SuccessorOfStranger { fingerprint: old });
            return Ok(());
        }
    };
    let told = Succession::from_bytes(content)?;
    let card = told.card()?;
    let new = card.fingerprint();
    let pairs = account.pairs()?;
    let met = |one: &Underway| one.introduced.as_ref().is_some_and(|i| i.fingerprint() == new);
    if new == account.fingerprint() || new == old || book.revoked(&new).is_some() {
        events.event(Event::SuccessorNotNew { name: by.name() });
        return Ok(());
    }
    if !pairs.pairwise_of(&new).is_empty() || pairs.underway().iter().any(met) {
        events.event(Event::SuccessorKnown { name: by.name(), fingerprint: new });
        return Ok(());
    }
    let taken = |name: &str| book.get(name).is_ok_and(|other| other.fingerprint() != new);
    let (introducer, now) = (Introducer::from(by), account.now());
    let one = account.pairs_file()?.update(|pairs| {
        let one = pairs.introductions.announce(introducer, &card, &told.invite, taken, now)?;
        Ok::<_, contact::Error>(one.clone())
    })?;
    account.successors_file()?.update(|successors| {
        successors.announce(&old, &new);
        Ok::<_, contact::Error>(())
    })?;
    let rivals = rivals(account, &one)?;
    let (name, new_name) = (by.name(), one.name.as_str());
    events.event(Event::SuccessorAnnounced { name, fingerprint: new, new_name, rivals: &rivals });
    Ok(())
}

/// Returns whether a contact announced this one as its successor.
pub fn is_successor(account: &Account, one: &Introduced) -> Result<bool, Error> {
    Ok(account.successors_file()?.read()?.is_of(&one.by().fingerprint(), &one.fingerprint()))
}

/// Returns the names of other identities that wait and that the same old one announced.
pub(crate) fn rivals(account: &Account, one: &Introduced) -> Result<Vec<String>, Error> {
    let successors = account.successors_file()?.read()?;
    let by = one.by().fingerprint();
    let pairs = account.pairs()?;
    let others = pairs.introductions.waiting(account.now()).filter(|other| {
        other.fingerprint() != one.fingerprint()
            && other.by().fingerprint() == by
            && successors.is_of(&by, &other.fingerprint())
    });
    Ok(others.map(|other| other.name.clone()).collect())
}

/// Forgets a successor that was refused, or is paired with.
pub(crate) fn forget(account: &Account, new: &Fingerprint) -> Result<(), Error> {
    Ok(account.successors_file()?.update(|successors| {
        successors.forget(new);
        Ok::<_, contact::Error>(())
    })?)
}

/// Gives the new identity, which was paired with at `meeting`, the name of the old one, and revokes
/// that, also on the owner's other devices. Returns the name; `None` when it succeeds no one.
pub(crate) fn take_place(
    account: &Account,
    pairs: &mut Pairs,
    meeting: &Own,
    one: &Introduced,
) -> Result<Option<String>, Error> {
    if !is_successor(account, one)? {
        return Ok(None);
    }
    let (old, new) = (one.by().fingerprint(), one.fingerprint());
    let name = account.book_file()?.update(|book| book.succeed(&old, &new, account.now()))?;
    pairs.succeed(meeting, &old);
    pairs.tell_machines(&News::new(&old, account.now(), true), None);
    Ok(name)
}

/// Closes what was open for the old identity of a contact who was paired with under a new one.
pub(crate) fn close_old(
    cx: &Context<'_>,
    old: &Fingerprint,
    new: &Fingerprint,
) -> Result<(), Error> {
    if !cx.account.successors_file()?.read()?.is_of(old, new) {
        return Ok(());
    }
    cx.events.event(Event::OldIdentityRevoked { fingerprint: *old });
    forget(cx.account, new)?;
    cx.close_revoked_once()
}
