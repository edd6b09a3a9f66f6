//! The end of a pairing before it has led to a contact: an invite withdrawn, a pairing given up.

use std::io::Write as _;

use anyhow::Result;
use bulla::contact::pairing::{Kind, Role, Waits};
use bulla::contact::{self, Purpose, Underway};
use bulla::text::printable;
use serde_json::json;

use super::super::revoke;
use super::{step, waits_for};
use crate::app::{App, Me, date, now};
use crate::cli::Network;
use crate::exit::{Exit, Fail};
use crate::record::json_line;

/// Lists the invites that no one has paired by yet.
pub(super) fn list(app: &App, me: &Me) -> Result<Exit> {
    let mut stdout = std::io::stdout().lock();
    let pairs = me.pairs()?;
    let mut exit = Exit::Negative;
    for one in pairs.underway().iter().filter(|one| is_invite(one)) {
        let Some(state) = waits_for(one) else { continue };
        exit = Exit::Done;
        let (id, method) = (step::id(one), method(one));
        if app.ui.json {
            let object = json!({
                "schema": 1,
                "id": id,
                "name": one.name,
                "method": method,
                "state": state,
                "expires": date(one.pairing.expires()),
            });
            writeln!(stdout, "{}", json_line(&object))?;
        } else {
            let name = one.name.as_deref().map(|name| format!("  {}", printable(name)));
            let method = method.map(|method| format!("  {method}"));
            let (name, method) = (name.unwrap_or_default(), method.unwrap_or_default());
            writeln!(stdout, "{id}{name}{method}  {}", printable(&state))?;
        }
    }
    Ok(exit)
}

/// The method of an invite, while no one has taken it up.
fn method(one: &Underway) -> Option<&'static str> {
    if !one.purpose.is_contact() {
        return Some("device");
    }
    one.pairing.invite().map(|invite| match invite.kind() {
        Kind::Secret(_) => "secret",
        Kind::Public(_) => "digits",
        Kind::Words => "words",
    })
}

/// Withdraws an invite by its id or name.
pub(super) fn withdraw(app: &App, me: &Me, network: &Network, id: &str) -> Result<Exit> {
    let pairs = me.pairs()?;
    let found = pairs.underway().iter().filter(|one| is_invite(one) && is_named(one, id));
    let found: Vec<_> = found.collect();
    let [one] = found[..] else {
        let fail = match found.len() {
            0 => Fail::usage(format!("no invite has the id or name {id:?}")),
            more => Fail::usage(format!("{more} invites have the name {id:?}: give the id of one")),
        };
        return Err(fail.hint("bulla invite --list").into());
    };
    end(app, me, network, &[one])?;
    app.ui.note("the invite is withdrawn: no one can pair by it");
    Ok(Exit::Done)
}

/// Gives up the pairings of a name or id; says how many there were.
pub(crate) fn by_name(app: &App, me: &Me, network: &Network, name: &str) -> Result<usize> {
    let pairs = me.pairs()?;
    let found = pairs.underway().iter().filter(|one| is_pending(one) && is_named(one, name));
    let found: Vec<_> = found.collect();
    end(app, me, network, &found)?;
    for one in &found {
        app.ui.note(&format!("the pairing with {} is given up", step::title(one)));
        if matches!(one.pairing.waits_for(), Waits::TheirDigits(_)) {
            app.ui.note(
                "the other side may have you as a contact, but their letters no longer reach you",
            );
        }
    }
    Ok(found.len())
}

/// Ends pairings, here first: a relay that is away does not keep an invite good.
pub(super) fn end(app: &App, me: &Me, network: &Network, ended: &[&Underway]) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    me.pairs_file()?.update(|pairs| {
        ended.iter().for_each(|one| pairs.end(&one.meeting, now()));
        Ok::<_, contact::Error>(())
    })?;
    revoke::settle_once(app, me, network)
}

/// Returns whether a pairing has led to nothing yet.
fn is_pending(one: &Underway) -> bool {
    one.purpose.is_contact()
        || one.purpose == Purpose::Machine
            && !matches!(one.pairing.waits_for(), Waits::Done | Waits::Over(_))
}

/// Whether a pairing is by an invite made here.
fn is_invite(one: &Underway) -> bool {
    is_pending(one) && one.introduced.is_none() && one.pairing.role() == Role::Inviter
}

fn is_named(one: &Underway, name: &str) -> bool {
    let is = |other: &str| other.to_lowercase() == name.to_lowercase();
    is(&step::id(one)) || one.name.as_deref().is_some_and(is)
}
