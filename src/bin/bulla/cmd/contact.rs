//! `contact`: the book of those one knows.

mod verify;

use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use bulla::contact::pairing::Address;
use bulla::contact::{Added, Book, Contact, Lookalikes, Trust};
use bulla::identity::{Card, Fingerprint};
use bulla::letter::ratchet;
use bulla::text::{hex_encode, mixes_scripts, printable};
use serde_json::json;

use crate::app::{App, date, now};
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::input::Input;
use crate::record::json_line;

/// Greatest card file: 64 KiB, twenty times a card.
const MAX_CARD: u64 = 64 << 10;

pub(crate) fn run(app: &App, verb: &cli::Contact) -> Result<Exit> {
    match verb {
        cli::Contact::Add(args) => add(app, args),
        cli::Contact::List(args) => list(app, args),
        cli::Contact::Show(args) => show(app, args),
        cli::Contact::Rename(args) => {
            let book = app.me(&args.keys)?.book_file()?;
            book.update(|book| book.rename(&args.old, &args.new))?;
            app.ui.note(&format!("{} is {} from now on", args.old, args.new));
            Ok(Exit::Done)
        }
        cli::Contact::Verify(args) => verify::run(app, args),
        cli::Contact::Introduce(args) => super::pair::introduce::introduce(app, args),
        cli::Contact::Remove(args) => super::revoke::remove(app, args),
        cli::Contact::Renew(args) => renew(app, args),
        cli::Contact::Drop(args) => drop_machine(app, args),
        cli::Contact::Revoke(args) => super::revoke::revoke(app, args),
    }
}

/// Begins anew with the keys of letters, because the user wants it.
fn renew(app: &App, args: &cli::ContactName) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let fingerprint = me.book()?.get(&args.name)?.fingerprint();
    let Some(secret) = me.pairs()?.pairwise_of(&fingerprint).into_iter().next() else {
        let fail = Fail::new(Exit::Conflict, format!("you and {} have not paired", args.name));
        return Err(fail.hint("letters to his card have no keys to renew: bulla invite").into());
    };
    me.sessions_file(&fingerprint)?.update(|sessions| sessions.renew(&secret, now()))?;
    app.ui.note(&format!(
        "your next letter to {0} offers new keys; {0}'s answer takes them",
        args.name
    ));
    Ok(Exit::Done)
}

/// Forgets a machine of a contact's: no letter goes there any more.
fn drop_machine(app: &App, args: &cli::ContactDrop) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let fingerprint = me.book()?.get(&args.name)?.fingerprint();
    let all = me.pairs()?;
    let wanted = args.machine.to_lowercase();
    let named = |machine: &&Address| hex_encode(&machine.mailbox).starts_with(&wanted);
    let found: Vec<_> = all.machines_of(&fingerprint).iter().filter(named).collect();
    let [machine] = found[..] else {
        let count = found.len();
        let fail = Fail::usage(format!("expected one machine of {}, {count} begin so", args.name));
        return Err(fail.hint(format!("bulla contact show {}", args.name)).into());
    };
    me.pairs_file()?.update(|pairs| {
        pairs.forget_machine(&fingerprint, &machine.mailbox);
        Ok::<_, bulla::contact::Error>(())
    })?;
    me.sessions_file(&fingerprint)?.update(|sessions| {
        sessions.forget(&machine.mailbox);
        Ok::<_, ratchet::Error>(())
    })?;
    app.ui.note(&format!("{} gets no more letters on that machine", args.name));
    Ok(Exit::Done)
}

fn add(app: &App, args: &cli::ContactAdd) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let card = read_card(args.card.as_deref())?;
    if card.fingerprint() == me.identity.fingerprint() {
        app.ui.warn("this is your own card");
    }
    let book = me.book_file()?;
    let added = book.update(|book| book.add(&args.name, &card, Trust::CardByHand, now()))?;
    let done = match added {
        Added::New => "added",
        Added::Refreshed => "replaced the card of",
        Added::Unchanged => "already knew",
    };
    let book = book.read()?;
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
        println(&json_line(&object(&book, contact)?))?;
    }
    Ok(Exit::Done)
}

fn list(app: &App, args: &cli::ContactList) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let book = me.book()?;
    if app.ui.json {
        for contact in book.contacts() {
            println(&json_line(&object(&book, contact)?))?;
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
    let underway = super::pair::list(app, &me)?;
    Ok(if book.contacts().len() + underway == 0 { Exit::Negative } else { Exit::Done })
}

fn show(app: &App, args: &cli::ContactShow) -> Result<Exit> {
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
        let mut object = object(&book, contact)?;
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

/// Reads a card from a file or from stdin.
pub(crate) fn read_card(path: Option<&Path>) -> Result<Card> {
    let place = path.map_or("standard input".into(), |path| path.display().to_string());
    let mut text = String::new();
    Input::open(path, "a card")?.take(MAX_CARD).read_to_string(&mut text).ok().ok_or_else(
        || Fail::new(Exit::Malformed, format!("{place} is not a card, it is not text")),
    )?;
    Card::parse_text(&text).with_context(|| format!("cannot take {place} as a card"))
}

/// Returns remarks on the name of a key's owner: it can be taken for another contact's, or
/// mixes scripts.
pub(crate) fn remarks(known: &Lookalikes<'_>, name: &str, owner: &Fingerprint) -> Vec<String> {
    let like =
        known.find(name, owner).map(|contact| format!("looks like {}", printable(contact.name())));
    like.into_iter().chain(mixes_scripts(name).then(|| "mixed scripts".to_owned())).collect()
}

/// A contact's name as people read it, with what is conspicuous about it.
pub(crate) fn shown(known: &Lookalikes<'_>, contact: &Contact) -> String {
    let name = printable(contact.name());
    let remarks = remarks(known, contact.name(), &contact.fingerprint());
    if remarks.is_empty() { name } else { format!("{name} ({})", remarks.join(", ")) }
}

/// How trust came, as scripts and people read it.
pub(crate) fn trust(trust: &Trust) -> &'static str {
    match trust {
        Trust::CardByHand => "card by hand",
        Trust::SecretInvite => "secret-invite",
        Trust::Digits => "digits",
        Trust::Words => "words",
        Trust::Introduced(_) => "introduced",
        Trust::Compared => "compared",
        _ => "unknown",
    }
}

pub(crate) fn object(book: &Book, contact: &Contact) -> Result<serde_json::Value> {
    let mut object = super::card::object(&book.newest_card(contact)?);
    if let Some(fields) = object.as_object_mut() {
        let own = fields.insert("name".into(), contact.name().into());
        fields.insert("self_asserted_name".into(), own.unwrap_or_default());
        fields.insert("trust".into(), trust(contact.trust()).into());
        if let Trust::Introduced(by) = contact.trust() {
            let by = json!({ "name": by.name, "fingerprint": by.fingerprint().to_string() });
            fields.insert("introduced_by".into(), by);
        }
        fields.insert("since".into(), date(contact.since()).into());
        let revoked = book.revoked(&contact.fingerprint()).map(date);
        fields.insert("revoked".into(), revoked.into());
    }
    Ok(object)
}

fn println(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
