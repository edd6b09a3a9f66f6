//! `contact list` and `contact show`.

use std::io::Write as _;

use anyhow::Result;
use bulla::contact::pairing::Address;
use bulla::contact::{Book, Contact, Trust};
use bulla::text::{date, hex_encode, printable};
use serde_json::json;

use crate::app::App;
use crate::cli;
use crate::cmd::pairings;
use crate::exit::Exit;
use crate::json::json_line;
use crate::present::{contact_object, shown, trust};

pub(super) fn list(app: &App, args: &cli::ContactList) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let book = me.book()?;
    if app.ui.json {
        for contact in book.contacts() {
            println(&json_line(&contact_object(&book, contact)?))?;
        }
    } else {
        let known = book.lookalikes();
        let names: Vec<String> = book.contacts().map(|contact| shown(&known, contact)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, contact) in names.iter().zip(book.contacts()) {
            let revoked = book.revoked(&contact.fingerprint());
            println(&format!(
                "{name:width$}  {}  {}{}",
                trust(contact.trust()),
                contact.fingerprint(),
                revoked.map_or(String::new(), |since| format!("  revoked {}", date(since)))
            ))?;
        }
    }
    let underway = pairings::list(app, &me)?;
    Ok(if book.contacts().len() + underway == 0 { Exit::Negative } else { Exit::Done })
}

pub(super) fn show(app: &App, args: &cli::ContactShow) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let (book, pairs) = (me.book()?, me.pairs()?);
    let contact = book.get(&args.name)?;
    let card = book.newest_card(contact)?;
    let machines = pairs.machines_of(&contact.fingerprint());
    if args.card {
        std::io::stdout().write_all(card.to_text().as_bytes())?;
        return Ok(Exit::Done);
    }
    if app.ui.json {
        let mut object = contact_object(&book, contact)?;
        let verified = verified(&book, contact)
            .map(|(way, when)| json!({ "by": trust(way), "date": date(when) }));
        let machine = |m: &Address| json!({ "mailbox": hex_encode(&m.mailbox), "relay": m.relay });
        if let Some(fields) = object.as_object_mut() {
            fields.insert("verified".into(), verified.unwrap_or_default());
            fields.insert("machines".into(), machines.iter().map(machine).collect());
        }
        println(&json_line(&object))?;
        return Ok(Exit::Done);
    }
    let relay = card.relay().unwrap_or("none on the card");
    let verified = match verified(&book, contact) {
        Some((way, when)) => format!("{}, {}", trust(way), date(when)),
        None => format!("never: bulla contact verify {}", printable(contact.name())),
    };
    let by = match contact.trust() {
        Trust::Introduced(by) => format!(" by {}", printable(&by.name)),
        _ => String::new(),
    };
    println(&format!(
        "name:         {}\ncalls itself: {}\nfingerprint:  {}\ntrust:        {}{by}, {}\nverified:     {verified}\nrelay:        {}",
        shown(&book.lookalikes(), contact),
        printable(card.name()),
        contact.fingerprint(),
        trust(contact.trust()),
        date(contact.since()),
        printable(relay),
    ))?;
    if let Some(since) = book.revoked(&contact.fingerprint()) {
        println(&format!("revoked:      {}", date(since)))?;
    }
    for Address { mailbox, relay, .. } in machines {
        println(&format!("machine:      {} at {}", hex_encode(mailbox), printable(relay)))?;
    }
    Ok(Exit::Done)
}

/// Returns the strongest verification that a contact's fingerprint ever had, with its date. A card
/// by hand alone does not count.
fn verified<'a>(book: &'a Book, contact: &Contact) -> Option<(&'a Trust, u64)> {
    book.strongest(&contact.fingerprint()).filter(|(way, _)| !matches!(way, Trust::CardByHand))
}

fn println(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
