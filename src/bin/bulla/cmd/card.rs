//! `card`: what to hand out, so that others can write.

use std::io::Write as _;

use anyhow::Result;
use bulla::contact::Settings;
use bulla::identity::{self, Card};
use bulla::text::hex_encode;

use crate::app::{App, Me, now};
use crate::cli;
use crate::exit::Exit;
use crate::record::json_line;

pub(crate) fn run(app: &App, args: &cli::Card) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let mut stdout = std::io::stdout().lock();
    if args.recipient {
        writeln!(stdout, "{}", me.identity.age_recipient())?;
        return Ok(Exit::Done);
    }
    if let Some(name) = &args.name {
        identity::check_own_name(name)?;
    }
    let settings = settings(&me, |settings| {
        args.name.as_ref().inspect(|name| settings.name.clone_from(name));
        args.relay.as_ref().inspect(|relay| settings.relay = Some((*relay).clone()));
    })?;
    let Settings { name, relay, generation, changed } = settings;
    let card = me.identity.card(&name, relay.as_deref(), generation, changed)?;
    if app.ui.json {
        writeln!(stdout, "{}", json_line(&object(&card)))?;
        return Ok(Exit::Done);
    }
    stdout.write_all(card.to_text().as_bytes())?;
    app.ui.note(&format!("fingerprint: {}", card.fingerprint()));
    if card.relay().is_none() {
        app.ui.note("no relay is on this card: name one with --relay URL");
    }
    Ok(Exit::Done)
}

/// Returns the card without a capability after a change of the settings: for pairings and inside
/// letters. Only `bulla card` hands out the capability.
pub(crate) fn settle(me: &Me, edit: impl FnOnce(&mut Settings)) -> Result<Card> {
    let Settings { name, relay, changed, .. } = settings(me, edit)?;
    Ok(me.identity.card_without_capability(&name, relay.as_deref(), changed)?)
}

/// Changes the settings that cards are made of and stores them. A card is dated at their last
/// change, so the same card comes out every time.
fn settings(me: &Me, edit: impl FnOnce(&mut Settings)) -> Result<Settings> {
    let change = |settings: &mut Settings| -> Result<Settings> {
        let mut new = settings.clone();
        edit(&mut new);
        if new != *settings || new.changed == 0 {
            // Later than the card before, also within a second of it.
            new.changed = now().max(settings.changed.saturating_add(1));
        }
        // Checks that a card can be made of them before they are stored.
        me.identity.card_without_capability(&new.name, new.relay.as_deref(), new.changed)?;
        settings.clone_from(&new);
        Ok(new)
    };
    if me.has_home() {
        me.book_file()?.update(|book| change(&mut book.settings))
    } else {
        change(&mut Settings::default())
    }
}

/// A card as JSON.
pub(crate) fn object(card: &Card) -> serde_json::Value {
    serde_json::json!({
        "schema": 1,
        "name": card.name(),
        "fingerprint": card.fingerprint().to_string(),
        "recipient": card.recipient().to_string(),
        "relay": card.relay(),
        "mailbox": hex_encode(card.mailbox()),
        "card": card.to_text(),
    })
}
