//! `contact add`: a card that came by hand.

use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use bulla::contact::Added;
use bulla::identity::Card;
use bulla::text::date;

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::input::Input;
use crate::json::json_line;
use crate::present::{contact_object, shown};
use crate::source::Source;

/// Greatest card file: 64 KiB, twenty times a card.
const MAX_CARD: u64 = 64 << 10;

pub(super) fn run(app: &App, args: &cli::ContactAdd) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let card = read_card(args.card.as_deref())?;
    if card.fingerprint() == me.fingerprint() {
        app.ui.warn("this is your own card");
    }
    let added = me.add_contact(&args.name, &card)?;
    let done = match added {
        Added::New => "added",
        Added::Refreshed => "replaced the card of",
        Added::Unchanged => "already knew",
    };
    let book = me.book()?;
    let contact = book.get(&args.name)?;
    let name = shown(&book.lookalikes(), contact);
    app.ui.note(&format!("{done} {name}, by a card that came by hand"));
    app.ui.note(&format!("fingerprint: {}", card.fingerprint()));
    app.ui.note("a card by hand is as good as the way it came: compare the whole fingerprint");
    if let Some(since) = book.revoked(&card.fingerprint()) {
        app.ui.warn(&format!(
            "{0} was revoked on {1} and stays so: letters that {0} signs are refused; pair again, or \
             lift it with bulla contact revoke --undo {0}",
            args.name,
            date(since)
        ));
    }
    if app.ui.json {
        writeln!(std::io::stdout(), "{}", json_line(&contact_object(&book, contact)?))?;
    }
    Ok(Exit::Done)
}

/// Reads a card from a file, stdin, a variable or a descriptor.
pub(crate) fn read_card(path: Option<&Path>) -> Result<Card> {
    let place = path.map_or("standard input".into(), |path| path.display().to_string());
    let mut text = String::new();
    let read = match path.and_then(Path::to_str).map(str::parse) {
        Some(Ok(source @ (Source::Env(_) | Source::Fd(_) | Source::Unusable(_)))) => {
            source.read("a card")?.take(MAX_CARD).read_to_string(&mut text)
        }
        _ => Input::open(path, "a card")?.take(MAX_CARD).read_to_string(&mut text),
    };
    read.ok().ok_or_else(|| {
        Fail::new(Exit::Malformed, format!("{place} is not a card, it is not text"))
    })?;
    Card::parse_text(&text).with_context(|| format!("cannot take {place} as a card"))
}
