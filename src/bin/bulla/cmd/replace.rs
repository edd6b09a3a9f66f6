//! `keygen --replace`: a new identity in the place of a stolen one, and contacts told by the old one.
//!
//! Everything that needs the old key is made first and kept under the new one. Then the key file is
//! replaced, and then the contacts are told; those who are not reached are told by the next `pair`.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use bulla::age::ScryptRecipient;
use bulla::contact::pairing::{Own, Pairing};
use bulla::contact::{
    Contact, Error as ContactError, Purpose, Succession, Underway, Untold, WAITS,
};
use bulla::files::{Access, Existing};
use bulla::identity::{self, Card, Identity};
use bulla::letter::Notice;
use bulla::relay::protocol::Terms;
use serde_json::json;
use zeroize::Zeroizing;

use super::card::settle;
use super::notice;
use super::pair::{self, Made};
use super::restore::{identity_file, other_passphrase};
use crate::app::{App, Me, first, no_identity, now};
use crate::cli::{self, Network};
use crate::exit::{Exit, Fail};
use crate::record::json_line;
use crate::{output, ui};

pub(crate) fn run(app: &App, args: &cli::Keygen) -> Result<Exit> {
    let path = identity_file(app)?.ok_or_else(|| {
        Fail::usage("the identity comes from a variable, where it cannot be replaced")
            .hint("unset BULLA_IDENTITY and BULLA_IDENTITY_COMMAND")
    })?;
    let found = app.key_file(None)?.ok_or_else(no_identity)?;
    let keys = app.unlock(&found, args.identity_passphrase.as_ref()).map_err(other_passphrase)?;
    let old = Me::new(first(keys)?, &app.home);
    if !old.untold_file()?.read()?.contacts.is_empty() {
        let fail = Fail::new(Exit::Conflict, "this identity is new: contacts are still to be told");
        return Err(fail.hint("bulla pair tells them").into());
    }
    let identity = Identity::generate()?;
    let text = identity::render(&identity, now());
    let text = match super::keygen::lock(app, args)? {
        Some(passphrase) => {
            Zeroizing::new(identity::protect(&text, &ScryptRecipient::new(passphrase))?)
        }
        None => text,
    };
    let new = Me::new(identity, &app.home);

    let unreachable = announce(app, &old, &new, &args.network)?;
    let write = || {
        let mut file = output::begin(&path, Existing::Replace, Access::Private)?;
        file.write_all(text.as_bytes())?;
        output::complete(file, &path)
    };
    let kept = write().with_context(|| format!("cannot write {}", path.display()))?;
    let (before, after) = (old.identity.fingerprint(), new.identity.fingerprint());
    app.ui.note(&format!("fingerprint: {after}"));
    if let Some(kept) = &kept {
        let kept = ui::quoted(kept);
        app.ui.note(&format!(
            "letters and the index of the old identity open with the old key: bulla open -i {kept}"
        ));
    }
    register(app, &new, args);
    let Told { told, left } = tell(app, &new, &args.network, args.token.as_ref())?;
    for (name, why) in &unreachable {
        app.ui.warn(&format!("{name} was not told: {why}: pair with {name} again"));
    }
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "fingerprint": after.to_string(),
            "replaced": before.to_string(),
            "kept": kept,
            "told": told,
            "untold": left,
            "unreachable": unreachable.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    Ok(if left.is_empty() { Exit::Done } else { Exit::Temporary })
}

/// Prepares the new identity's book, and for each contact a pairing that waits and letters that tell
/// of it. Returns who cannot be told, and why. Changes nothing that the old identity needs.
fn announce(app: &App, old: &Me, new: &Me, network: &Network) -> Result<Vec<(String, String)>> {
    let book = old.book()?;
    new.book_file()?.update(|new| new.merge(book.clone()).map(drop))?;
    let card = settle(new, |_| ())?;
    let mut unreachable = Vec::new();
    for contact in book.contacts() {
        let fingerprint = contact.fingerprint();
        if book.revoked(&fingerprint).is_some() || fingerprint == old.identity.fingerprint() {
            continue;
        }
        let made = announce_to(app, old, new, network, &card, contact);
        let kept = made.and_then(|(untold, underway)| {
            // One that is not told has no use for the pairing; the other way round it could not answer.
            new.pairs_file()?.update(|pairs| pairs.begin(underway))?;
            new.untold_file()?.update(|all| {
                all.contacts.push(untold);
                Ok::<_, ContactError>(())
            })?;
            Ok(())
        });
        if let Err(error) = kept {
            unreachable.push((contact.name().to_owned(), format!("{error:#}")));
        }
    }
    Ok(unreachable)
}

fn announce_to(
    app: &App,
    old: &Me,
    new: &Me,
    network: &Network,
    card: &Card,
    contact: &Contact,
) -> Result<(Untold, Underway)> {
    let fingerprint = contact.fingerprint();
    let since_pairing = old.pairs()?.mailbox_of(&fingerprint).map(|own| own.relay.clone());
    let settings = old.book()?.settings.relay;
    let relay = network.relay.clone().or(since_pairing).or(settings);
    let relay = relay.context("no relay of yours is known")?;
    let made = Made::new(&*super::relay::client(&relay, network)?)?;
    let expires = now().saturating_add(WAITS);
    let own = Own { identity: &new.identity, card, address: new.address(&made.mailbox) };
    let (pairing, invite) = Pairing::offer_secret(&own, made.meeting_address(new), expires, now())?;
    let content = Succession::new(card, invite).to_bytes()?;
    let notice = Notice { kind: notice::SUCCESSOR, content };
    let name = contact.name();
    let letters = notice::sealed(app, old, network, &contact.card()?, Some(name), &notice)?;
    let (meeting, mailbox) = (made.meeting.clone(), made.mailbox.clone());
    let purpose = Purpose::Successor(fingerprint.to_bytes());
    let underway = Underway { purpose, ..made.underway(Some(name.into()), pairing, None) };
    Ok((Untold { name: name.into(), letters, meeting, mailbox, expires }, underway))
}

/// Registers the mailbox on the new card, where the old identity had a relay.
fn register(app: &App, me: &Me, args: &cli::Keygen) {
    let registered = || -> Result<()> {
        let settings = me.book()?.settings;
        let Some(relay) = settings.relay else { return Ok(()) };
        let token = args.token.as_ref().map(|source| source.line("the token")).transpose()?;
        let client = super::relay::client(&relay, &args.network)?;
        let key = me.identity.card_mailbox();
        let capability = me.identity.card_capability(settings.generation);
        pair::open(&*client, &key, &capability, &Terms::default(), token.as_ref())
    };
    match registered() {
        Ok(()) => app.ui.note("hand out your new card to those who had the old one: bulla card"),
        Err(error) => app.ui.warn(&format!(
            "the new card has no mailbox at your relay yet: {error:#}: bulla relay register"
        )),
    }
}

/// Contacts that were told, and contacts still to be told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) told: Vec<String>,
    pub(super) left: Vec<String>,
}

/// Tells the contacts of a new identity who were not told.
pub(super) fn tell(
    app: &App,
    me: &Me,
    network: &Network,
    token: Option<&crate::source::Source>,
) -> Result<Told> {
    let mut all = Told::default();
    if !me.has_home() {
        return Ok(all);
    }
    for one in me.untold_file()?.read()?.contacts {
        let name = one.name.clone();
        let told = || -> Result<()> {
            let made = Made { meeting: one.meeting.clone(), mailbox: one.mailbox.clone() };
            let client = super::relay::client(&one.meeting.relay, network)?;
            made.register(me, &*client, token, one.expires)?;
            pair::push(network, &one.letters)
        };
        match told() {
            Ok(()) => {
                app.ui.note(&format!("told {name} of your new identity"));
                all.told.push(name);
            }
            // No letter of the old identity reaches them any more.
            Err(error) if pair::is_denied(&error) || one.expires <= now() => {
                app.ui
                    .warn(&format!("{name} could not be told: {error:#}: pair with {name} again"));
            }
            // One relay that is away does not keep the others from being told.
            Err(error) => {
                app.ui.error(&error.context(format!("{name} could not be told: bulla pair tells")));
                all.left.push(name);
                continue;
            }
        }
        me.untold_file()?.update(|all| {
            all.contacts.retain(|other| other.meeting != one.meeting);
            Ok::<_, ContactError>(())
        })?;
    }
    Ok(all)
}
