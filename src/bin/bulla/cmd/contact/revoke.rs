//! `contact revoke` and `contact remove`: what was closed, in words.

use std::io::Write as _;

use anyhow::Result;
use bulla::account::{Account, Removed, RemovedContact, Revoked};
use bulla::identity::Fingerprint;
use bulla::text::date;
use serde_json::json;

use crate::app::App;
use crate::cli;
use crate::events::Teller;
use crate::exit::{Exit, Fail};
use crate::json::json_line;
use crate::network::{context, relays};

pub(super) fn revoke(app: &App, args: &cli::ContactRevoke) -> Result<Exit> {
    let (me, relays, teller) = (app.me(&args.keys)?, relays(&args.network), Teller::new(app.ui));
    let cx = context(&me, &relays, &teller, &args.network);
    let (fingerprint, name) = me.find_contact(&args.name)?;
    if args.undo {
        return undo(app, &name, cx.unrevoke(&fingerprint)?);
    }
    let Revoked { since, before, here, elsewhere, open } = cx.revoke(&fingerprint)?;
    if app.ui.json {
        print(&fingerprint, &Revoked { since, before, here, elsewhere, open })?;
    }
    if before && here + elsewhere == 0 {
        app.ui.note(&format!("{name} is revoked since {}", date(since)));
    } else {
        tell(app, &me, &name, here, elsewhere)?;
    }
    done(open)
}

fn print(fingerprint: &Fingerprint, revoked: &Revoked) -> Result<()> {
    let object = json!({
        "schema": 1,
        "fingerprint": fingerprint.to_string(),
        "revoked": date(revoked.since),
        "mailboxes": revoked.here,
        "mailboxes_elsewhere": revoked.elsewhere,
        "open": revoked.open,
    });
    Ok(writeln!(std::io::stdout(), "{}", json_line(&object))?)
}

/// Letters of the contact are accepted again. What was closed stays closed.
fn undo(app: &App, name: &str, lifted: Option<usize>) -> Result<Exit> {
    let Some(open) = lifted else {
        app.ui.note(&format!("{name} is not revoked"));
        return Ok(Exit::Negative);
    };
    app.ui.note(&format!(
        "letters signed by {name} are accepted again; the mailboxes stay closed: pair again to open \
         new ones"
    ));
    done(open)
}

pub(super) fn remove(app: &App, args: &cli::ContactRemove) -> Result<Exit> {
    let (me, relays, teller) = (app.me(&args.keys)?, relays(&args.network), Teller::new(app.ui));
    let cx = context(&me, &relays, &teller, &args.network);
    let Removed { contact, open } = cx.remove_contact(&args.name)?;
    if let Some(RemovedContact { name, here, elsewhere }) = contact {
        tell(app, &me, &name, here, elsewhere)?;
    }
    done(open)
}

/// Says what a revocation covers.
fn tell(app: &App, me: &Account, name: &str, here: usize, elsewhere: usize) -> Result<()> {
    let count = |count: usize| match count {
        1 => "1 mailbox".to_owned(),
        count => format!("{count} mailboxes"),
    };
    app.ui.note(&format!("{name} is revoked: letters that {name} signs are refused from now on"));
    match (here, elsewhere) {
        (0, 0) => app.ui.note(&format!("there was no mailbox for {name}")),
        (here, 0) => app.ui.note(&format!("mailboxes for {name}: {} here", count(here))),
        (here, elsewhere) => app.ui.note(&format!(
            "mailboxes for {name}: {} here, {} of your other machines",
            count(here),
            count(elsewhere)
        )),
    }
    if !me.pairs()?.machines().is_empty() {
        app.ui.note("your other machines are told, and refuse from their next pull on");
    }
    app.ui.note(&format!(
        "anonymous letters cannot be refused: if {name} has a card from you that was handed out by \
         hand, bulla relay register --renew revokes the capability on it"
    ));
    Ok(())
}

fn done(left: usize) -> Result<Exit> {
    let what = match left {
        0 => return Ok(Exit::Done),
        1 => "1 thing at a relay is still open or unsaid".to_owned(),
        left => format!("{left} things at relays are still open or unsaid"),
    };
    let fail = Fail::new(Exit::Temporary, what);
    Err(fail.hint("bulla relay pull tries again, and so does the same command").into())
}
