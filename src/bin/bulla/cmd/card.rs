//! `card`: what to hand out, so that others can write.

use std::io::Write as _;

use anyhow::Result;
use bulla::identity::{self, Key};

use crate::app::App;
use crate::cli::{self, Keys};
use crate::exit::Exit;
use crate::json::json_line;
use crate::present::card_object;

pub(crate) fn run(app: &App, args: &cli::Card) -> Result<Exit> {
    if args.recipient {
        return recipients(app, args);
    }
    let me = app.me(&args.keys)?;
    let mut stdout = std::io::stdout().lock();
    if let Some(name) = &args.name {
        identity::check_own_name(name)?;
    }
    let card = me.public_card(|settings| {
        args.name.as_ref().inspect(|name| settings.name.clone_from(name));
        args.relay.as_ref().inspect(|relay| settings.relay = Some((*relay).clone()));
    })?;
    if app.ui.json {
        writeln!(stdout, "{}", json_line(&card_object(&card)))?;
        return Ok(Exit::Done);
    }
    stdout.write_all(card.to_text().as_bytes())?;
    app.ui.note(&format!("fingerprint: {}", card.fingerprint()));
    if card.relay().is_none() {
        app.ui.note("no relay is on this card: name one with --relay URL");
    }
    Ok(Exit::Done)
}

/// Prints the age recipient of each key of an identity, as `age-keygen -y` does.
fn recipients(app: &App, args: &cli::Card) -> Result<Exit> {
    let Keys { identity, passphrase } = &args.keys;
    let keys = app.keys(identity.as_ref(), passphrase.as_ref())?;
    let mut stdout = std::io::stdout().lock();
    for recipient in keys.ok_or_else(|| app.no_identity())?.iter().filter_map(Key::age_recipient) {
        writeln!(stdout, "{recipient}")?;
    }
    Ok(Exit::Done)
}
