//! A contact's new identity, announced by the old one: shown, and accepted or refused by the user.

use anyhow::Result;
use bulla::contact::{self, Introduced, Introducer, News, Own, Pairs, Succession, Underway};
use bulla::identity::{Card, Fingerprint};

use crate::app::{App, Me, now};
use crate::cli::Network;
use crate::cmd::revoke;

/// Takes what the old identity of a contact announces.
pub(crate) fn heard(app: &App, me: &Me, from: &Card, content: &[u8]) -> Result<()> {
    let book = me.book()?;
    let old = from.fingerprint();
    let by = match book.by_fingerprint(&old) {
        Some(contact) if book.revoked(&old).is_none() => contact,
        _ => {
            app.ui
                .warn(&format!("{old} announces a new identity, and is no contact: it is ignored"));
            return Ok(());
        }
    };
    let told = Succession::from_bytes(content)?;
    let card = told.card()?;
    let new = card.fingerprint();
    let pairs = me.pairs()?;
    let met = |one: &Underway| one.introduced.as_ref().is_some_and(|i| i.fingerprint() == new);
    if new == me.identity.fingerprint() || new == old || book.revoked(&new).is_some() {
        app.ui.warn(&format!("{} announces an identity that is not new: it is ignored", by.name()));
        return Ok(());
    }
    if !pairs.pairwise_of(&new).is_empty() || pairs.underway().iter().any(met) {
        app.ui.note(&format!("{} announces {new} again, which is a contact", by.name()));
        return Ok(());
    }
    let taken = |name: &str| book.get(name).is_ok_and(|other| other.fingerprint() != new);
    let introducer = Introducer::from(by);
    let one = me.pairs_file()?.update(|pairs| {
        let one = pairs.introductions.announce(introducer, &card, &told.invite, taken, now())?;
        Ok::<_, contact::Error>(one.clone())
    })?;
    me.successors_file()?.update(|successors| {
        successors.announce(&old, &new);
        Ok::<_, contact::Error>(())
    })?;
    let (name, new_name) = (by.name(), &one.name);
    app.ui.warn(&format!(
        "{name} announces a new identity, in a letter that the old one proves: {new}"
    ));
    app.ui.warn(&format!(
        "a thief of the old one can write that too: ask {name} over a channel you trust"
    ));
    app.ui.note(&format!("to accept it: bulla pair --accept {new_name}"));
    app.ui.note(&format!("to refuse it: bulla contact remove {new_name}"));
    let others = rivals(me, &one)?;
    if !others.is_empty() {
        app.ui.warn(&format!(
            "{name} announced another one before ({}): one of the two is by someone who has the old \
             key; accept neither before {name} has told you the fingerprint",
            others.join(", ")
        ));
    }
    Ok(())
}

/// Returns whether a contact announced this one as its successor.
pub(super) fn is_successor(me: &Me, one: &Introduced) -> Result<bool> {
    Ok(me.successors_file()?.read()?.is_of(&one.by().fingerprint(), &one.fingerprint()))
}

/// The names of other identities that wait and that the same old one announced.
pub(super) fn rivals(me: &Me, one: &Introduced) -> Result<Vec<String>> {
    let successors = me.successors_file()?.read()?;
    let by = one.by().fingerprint();
    let pairs = me.pairs()?;
    let others = pairs.introductions.waiting(now()).filter(|other| {
        other.fingerprint() != one.fingerprint()
            && other.by().fingerprint() == by
            && successors.is_of(&by, &other.fingerprint())
    });
    Ok(others.map(|other| other.name.clone()).collect())
}

/// Forgets a successor that was refused.
pub(super) fn forget(me: &Me, new: &Fingerprint) -> Result<()> {
    me.successors_file()?.update(|successors| {
        successors.forget(new);
        Ok::<_, contact::Error>(())
    })?;
    Ok(())
}

/// Gives the new identity, which was paired with at `meeting`, the name of the old one, and revokes
/// that, also on the owner's other machines. Returns the name; `None` when it succeeds no one.
pub(super) fn take_place(
    me: &Me,
    pairs: &mut Pairs,
    meeting: &Own,
    one: &Introduced,
) -> Result<Option<String>> {
    if !is_successor(me, one)? {
        return Ok(None);
    }
    let (old, new) = (one.by().fingerprint(), one.fingerprint());
    let name = me.book_file()?.update(|book| book.succeed(&old, &new, now()))?;
    pairs.succeed(meeting, &old);
    pairs.tell_machines(&News::new(&old, now(), true), None);
    Ok(name)
}

/// Closes what was open for the old identity of a contact who was paired with under a new one.
pub(super) fn settle(
    app: &App,
    me: &Me,
    network: &Network,
    old: &Fingerprint,
    new: &Fingerprint,
) -> Result<()> {
    if !me.successors_file()?.read()?.is_of(old, new) {
        return Ok(());
    }
    app.ui.note(&format!("the old identity is revoked: {old}"));
    forget(me, new)?;
    revoke::settle_once(app, me, network)
}
