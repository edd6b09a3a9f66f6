//! `relay capability`: who may push to the mailbox, beside those who have the card.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use bulla::files::Access;
use bulla::relay::client::bearer_text;
use bulla::relay::protocol::{Capability, CapabilityId, Terms};
use bulla::secret::Secret;
use bulla::{crypto, text};
use serde_json::{Value, json};

use crate::app::App;
use crate::cli;
use crate::events::Teller;
use crate::exit::{Exit, Fail};
use crate::json::json_line;
use crate::network;
use crate::output::{Nature, Target};
use crate::source::Source;
use bulla::text::date;

pub(crate) fn run(app: &App, verb: &cli::RelayCapability) -> Result<Exit> {
    match verb {
        cli::RelayCapability::List(args) => list(app, args),
        cli::RelayCapability::New(args) => new(app, args),
        cli::RelayCapability::Revoke(args) => revoke(app, args),
    }
}

/// Reads the text of a capability.
pub(super) fn read(source: &Source) -> Result<Secret<32>> {
    let text = source.line("the capability")?;
    let mut bytes = text::hex_decode(&text).map_err(|_| {
        Fail::new(Exit::Malformed, "the capability is not 64 hexadecimal digits")
            .hint("bulla relay capability new prints one")
    })?;
    Ok(Secret::take(&mut bytes))
}

fn list(app: &App, args: &cli::RelayCapabilityList) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let (relays, teller) = (network::relays(&args.network), Teller::new(app.ui));
    let cx = network::context(&me, &relays, &teller, &args.network);
    let relay = cx.own_relay()?;
    let card = cx.card_capability(me.book()?.settings.generation);
    let mut known = relay.capabilities(&me.identity().card_mailbox())?;
    known.sort_by_key(|capability| capability.id);
    let mut stdout = std::io::stdout().lock();
    for capability in &known {
        let Capability { id, terms, pushed, messages, bytes } = capability;
        let of = match *id {
            id if id == card => "card",
            id if id == CapabilityId::public() => "public",
            _ => "contact",
        };
        if app.ui.json {
            let object = json!({
                "schema": 1,
                "id": id,
                "of": of,
                "terms": terms_object(terms),
                "pushed": pushed,
                "messages": messages,
                "bytes": bytes,
            });
            writeln!(stdout, "{}", json_line(&object))?;
        } else {
            let terms = terms_text(terms);
            writeln!(stdout, "{id}  {of:7}  {messages} of {pushed} wait  {terms}")?;
        }
    }
    stdout.flush()?;
    Ok(if known.is_empty() { Exit::Negative } else { Exit::Done })
}

fn new(app: &App, args: &cli::RelayCapabilityNew) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let (relays, teller) = (network::relays(&args.network), Teller::new(app.ui));
    let relay = network::context(&me, &relays, &teller, &args.network).own_relay()?;
    let key = me.identity().card_mailbox();
    let target = Target::new(&args.output, None, Nature::Text)?;
    let terms = args.terms.terms().unwrap_or_default();
    let capability = match args.public {
        true => None,
        false => Some(bearer_text(&crypto::random_secret()?)),
    };
    let id = capability.as_ref().map_or(CapabilityId::public(), |text| CapabilityId::of(text));
    // Opened first: a capability that is allowed and shown to nobody is of no use.
    let mut output = target.open(Access::Private)?;
    relay.allow(&key, &id, &terms)?;
    if app.ui.json {
        let capability = capability.as_ref().map(|text| text.as_str());
        let terms = terms_object(&terms);
        let object = json!({ "schema": 1, "id": id, "capability": capability, "terms": terms });
        writeln!(output, "{}", json_line(&object))?;
    } else if let Some(text) = &capability {
        writeln!(output, "{}", text.as_str())?;
    }
    output.finish()?;
    match capability {
        Some(_) => app.ui.note(&format!("to revoke it: bulla relay capability revoke {id}")),
        None => app.ui.note("whoever knows the mailbox can push to it now"),
    }
    Ok(Exit::Done)
}

fn revoke(app: &App, args: &cli::RelayCapabilityRevoke) -> Result<Exit> {
    let ids = args.id.iter().map(|text| {
        let id = text.parse::<CapabilityId>();
        id.with_context(|| format!("{text:?} is no id as relay capability list prints them"))
    });
    let mut ids = ids.collect::<Result<Vec<_>>>()?;
    ids.extend(args.public.then(CapabilityId::public));
    let me = app.me(&args.keys)?;
    let (relays, teller) = (network::relays(&args.network), Teller::new(app.ui));
    let cx = network::context(&me, &relays, &teller, &args.network);
    let relay = cx.own_relay()?;
    let key = me.identity().card_mailbox();
    let known = relay.capabilities(&key)?;
    ids.retain(|id| known.iter().any(|capability| capability.id == *id));
    for id in &ids {
        relay.revoke(&key, id)?;
    }
    app.ui.note(&format!("{} revoked", ids.len()));
    if ids.contains(&cx.card_capability(me.book()?.settings.generation)) {
        app.ui.note("one was that of your card: bulla relay register --renew makes another");
    }
    if app.ui.json {
        writeln!(std::io::stdout(), "{}", json!({ "schema": 1, "revoked": ids }))?;
    }
    Ok(if ids.is_empty() { Exit::Negative } else { Exit::Done })
}

/// Terms as JSON, its time as text.
pub(super) fn terms_object(terms: &Terms) -> Value {
    json!({
        "expires": terms.expires.map(date),
        "messages": terms.messages,
        "bytes": terms.bytes,
        "hourly": terms.hourly,
        "total": terms.total,
    })
}

/// Terms in words.
fn terms_text(terms: &Terms) -> String {
    let words = [
        terms.hourly.map(|n| format!("{n} an hour")),
        terms.messages.map(|n| format!("at most {n} wait")),
        terms.bytes.map(|n| format!("at most {n} bytes wait")),
        terms.total.map(|n| format!("{n} in all")),
        terms.expires.map(|time| format!("until {}", date(time))),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    if words.is_empty() { "no terms".into() } else { words.join(", ") }
}
