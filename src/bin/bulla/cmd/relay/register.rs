//! `relay register`: a mailbox at a relay, open to those who have our card.

use std::io::Write as _;

use anyhow::Result;
use bulla::crypto::SigningSecret;
use bulla::relay::client::{Transport, bearer_text};
use bulla::relay::protocol::{Capability, CapabilityId, Mailbox, Terms};
use serde_json::json;

use super::super::card::settle;
use crate::app::{App, Me};
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::record::json_line;

/// How many generations another machine may be ahead of this one, and how many old ones are
/// looked for.
const REACH: u32 = 256;

pub(crate) fn run(app: &App, args: &cli::RelayRegister) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    if args.renew {
        // A generation nobody remembers would be lost with this run.
        me.folder()?;
    }
    let client = super::own(&me, &args.network)?;
    let token = args.token.as_ref().map(|source| source.line("the token")).transpose()?;
    let key = me.identity.card_mailbox();
    let new = client.register(&key, token.as_ref())?;

    let known = client.capabilities(&key)?;
    let now = newest(&me, &known)?;
    let generation = match args.renew {
        true => now.checked_add(1).ok_or_else(|| Fail::usage("there is no further generation"))?,
        false => now,
    };
    let id = card_capability(&me, generation);
    let asked = args.terms.terms();
    // Whoever names no terms keeps those there are.
    let terms = asked.or(terms_of(&known, &card_capability(&me, now))).unwrap_or_default();
    if asked.is_some() || terms_of(&known, &id).is_none() {
        client.allow(&key, &id, &terms)?;
    }
    // The new one is good and remembered before the old one goes: killed in between, the next
    // run finds it.
    settle(&me, |settings| {
        settings.relay = Some(client.url());
        settings.generation = generation;
    })?;
    revoke_before(&me, &*client, &key, &known, generation)?;

    let done = if new { "registered" } else { "already registered" };
    app.ui.note(&format!("{done} at {}", client.url()));
    if args.renew {
        app.ui
            .note("nobody can push with an older card of yours: hand out the new one, bulla card");
    }
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "relay": client.url(),
            "mailbox": Mailbox(key.public()),
            "new": new,
            "generation": generation,
            "capability_id": id,
            "terms": super::capability::terms_object(&terms),
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    Ok(Exit::Done)
}

/// The name at the relay of the capability on the card of a generation.
pub(super) fn card_capability(me: &Me, generation: u32) -> CapabilityId {
    CapabilityId::of(&bearer_text(&me.identity.card_capability(generation)))
}

/// The generation of our card: the one remembered here, or a later one that another machine with
/// this identity took. A relay that hides or shows old ones brings none of them back.
fn newest(me: &Me, known: &[Capability]) -> Result<u32> {
    let ours = me.book()?.settings.generation;
    let later = (ours..=ours.saturating_add(REACH)).rev();
    let mut later = later.filter(|generation| has(known, &card_capability(me, *generation)));
    Ok(later.next().unwrap_or(ours))
}

fn revoke_before(
    me: &Me,
    client: &dyn Transport,
    key: &SigningSecret,
    known: &[Capability],
    generation: u32,
) -> Result<()> {
    for old in generation.saturating_sub(REACH)..generation {
        let id = card_capability(me, old);
        if has(known, &id) {
            client.revoke(key, &id)?;
        }
    }
    Ok(())
}

fn has(known: &[Capability], id: &CapabilityId) -> bool {
    known.iter().any(|capability| capability.id == *id)
}

fn terms_of(known: &[Capability], id: &CapabilityId) -> Option<Terms> {
    known.iter().find(|capability| capability.id == *id).map(|capability| capability.terms)
}
