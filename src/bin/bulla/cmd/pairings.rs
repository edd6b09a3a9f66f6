//! Pairings under way and introductions that wait, listed.

use std::io::Write as _;

use anyhow::Result;
use bulla::account::{self, Account, is_successor};
use bulla::contact::Underway;
use bulla::contact::pairing::Waits;
use bulla::text::{date, printable};
use serde_json::json;

use crate::app::App;
use crate::cli::time::now;
use crate::json::json_line;

/// What a pairing waits for, in words; `None` when it waits for nothing that matters.
pub(super) fn waits_for(one: &Underway) -> Option<String> {
    let (pairing, name) = (&one.pairing, account::title(one));
    Some(match pairing.waits_for() {
        Waits::Joiner if pairing.expires() <= now() => "waits no more: the invite expired".into(),
        Waits::Joiner => format!("waits for somebody to accept, until {}", date(pairing.expires())),
        Waits::Answer | Waits::Confirmation => "waits for the other side".into(),
        Waits::OurDigits(shown) => format!(
            "waits for you to type their digits: bulla pair --confirm {name}; they must type {shown}"
        ),
        Waits::TheirDigits(shown) => format!("waits for the other side to type {shown}"),
        _ => return None,
    })
}

/// Lists the pairings under way; says how many there are.
pub(super) fn list(app: &App, me: &Account) -> Result<usize> {
    let mut stdout = std::io::stdout().lock();
    let mut count = 0;
    for one in me.pairs()?.underway() {
        let Some(waits) = waits_for(one) else { continue };
        count += 1;
        let title = account::title(one);
        if app.ui.json {
            let id = account::id(one);
            let object = json!({ "schema": 1, "pairing": title, "id": id, "state": waits });
            writeln!(stdout, "{}", json_line(&object))?;
        } else {
            writeln!(stdout, "{}  pairing {waits}", printable(&title))?;
        }
    }
    Ok(count + introductions(app, me)?)
}

/// Lists those who were introduced and wait; says how many there are.
fn introductions(app: &App, me: &Account) -> Result<usize> {
    let mut stdout = std::io::stdout().lock();
    let mut count = 0;
    for one in me.pairs()?.introductions.waiting(now()) {
        count += 1;
        let by = one.by();
        let is_successor = is_successor(me, one)?;
        let state = match one.accepted() {
            true => "waits for the other side to accept".to_owned(),
            false => format!("bulla pair --accept {}", one.name),
        };
        if app.ui.json {
            let object = json!({
                "schema": 1,
                "introduction": one.name,
                "fingerprint": one.fingerprint().to_string(),
                "introduced_by": { "name": by.name, "fingerprint": by.fingerprint().to_string() },
                "note": one.note(),
                "accepted": one.accepted(),
                "successor": is_successor,
                "until": date(one.until()),
            });
            writeln!(stdout, "{}", json_line(&object))?;
        } else {
            let (name, by) = (printable(&one.name), printable(&by.name));
            let until = date(one.until());
            let how = if is_successor { "new identity of" } else { "introduced by" };
            writeln!(stdout, "{name}  {how} {by}, until {until}: {state}")?;
        }
    }
    Ok(count)
}
