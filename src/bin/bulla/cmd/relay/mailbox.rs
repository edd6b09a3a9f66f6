//! `relay list`, `ack` and `status`: what waits in one's mailboxes, the card's and those made for
//! contacts.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulla::account::{Asked, Error, MailboxPurpose, OwnMailbox};
use bulla::relay::protocol::{Id, Mailbox};
use serde_json::json;

use crate::app::App;
use crate::cli;
use crate::events::Teller;
use crate::exit::Exit;
use crate::json::json_line;
use crate::network;
use crate::partly;
use bulla::text::date;

pub(super) fn list(app: &App, args: &cli::RelayList) -> Result<Exit> {
    let (me, relays, teller) =
        (app.me(&args.keys)?, network::relays(&args.network), Teller::new(app.ui));
    let cx = network::context(&me, &relays, &teller, &args.network);
    let mut stdout = std::io::stdout().lock();
    let mut any = false;
    let Asked { answers, failed, visited } =
        cx.ask_all(|it| it.owned.relay.list(&it.owned.key, Duration::ZERO, usize::MAX))?;
    for (OwnMailbox { owned, purpose }, listed) in answers {
        for entry in listed {
            any = true;
            let expires = date(entry.expires);
            if args.null {
                write!(stdout, "{}\0", entry.id)?;
            } else if app.ui.json {
                let object = json!({
                    "schema": 1,
                    "id": entry.id,
                    "size": entry.size,
                    "expires": expires,
                    "mailbox": Mailbox(owned.key.public()),
                    "contact": purpose.contact(),
                });
                writeln!(stdout, "{}", json_line(&object))?;
            } else {
                let name = purpose.contact().unwrap_or_default();
                let line = format!("{}  {:>10}  {expires}  {name}", entry.id, entry.size);
                writeln!(stdout, "{}", line.trim_end())?;
            }
        }
    }
    stdout.flush()?;
    conclude(app, failed, visited, any)
}

pub(super) fn ack(app: &App, args: &cli::RelayAck) -> Result<Exit> {
    let ids = args.id.iter().map(|text| {
        text.parse::<Id>().with_context(|| format!("{text:?} is no id as relay list prints them"))
    });
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let (me, relays, teller) =
        (app.me(&args.keys)?, network::relays(&args.network), Teller::new(app.ui));
    let cx = network::context(&me, &relays, &teller, &args.network);
    // Where a message is, its relay knows; a relay that is asked for those of others learns ids
    // that say nothing to it.
    let Asked { answers, failed, visited } = cx.ask_all(|OwnMailbox { owned, .. }| {
        let here = owned.relay.list(&owned.key, Duration::ZERO, usize::MAX)?;
        let here: Vec<Id> = here.iter().map(|e| e.id).filter(|id| ids.contains(id)).collect();
        if here.is_empty() { Ok(0) } else { owned.relay.ack(&owned.key, &here) }
    })?;
    let deleted: u64 = answers.iter().map(|(_, deleted)| deleted).sum();
    app.ui.note(&format!("{deleted} deleted at the relay"));
    if app.ui.json {
        writeln!(std::io::stdout(), "{}", json!({ "schema": 1, "deleted": deleted }))?;
    }
    conclude(app, failed, visited, deleted > 0)
}

pub(super) fn status(app: &App, args: &cli::RelayStatus) -> Result<Exit> {
    let (me, relays, teller) =
        (app.me(&args.keys)?, network::relays(&args.network), Teller::new(app.ui));
    let cx = network::context(&me, &relays, &teller, &args.network);
    let mut stdout = std::io::stdout().lock();
    let mut shown = 0;
    let Asked { answers, failed, visited } = cx.ask_all(|OwnMailbox { owned, .. }| {
        Ok((owned.relay.status(&owned.key)?, owned.relay.info()?))
    })?;
    for (OwnMailbox { owned, purpose }, (status, info)) in answers {
        let relay = &owned.relay;
        shown += 1;
        let mailbox = Mailbox(owned.key.public());
        if app.ui.json {
            let object = json!({
                "schema": 1,
                "relay": relay.url(),
                "mailbox": mailbox,
                "contact": purpose.contact(),
                "messages": status.messages,
                "bytes": status.bytes,
                "max_messages": status.max_messages,
                "max_bytes": status.max_bytes,
                "versions": info.versions,
                "limits": info.limits,
                "registration": info.registration,
            });
            writeln!(stdout, "{}", json_line(&object))?;
            continue;
        }
        let blank = if shown == 1 { "" } else { "\n" };
        let made_for = match purpose {
            MailboxPurpose::Card => "on the card".into(),
            MailboxPurpose::Contact(_, name) => format!("for {name}"),
            MailboxPurpose::Device => "for another machine of yours".into(),
        };
        writeln!(
            stdout,
            "{blank}relay     {}\nmailbox   {mailbox} {made_for}\n\
             waiting   {} of {} messages, {} of {} bytes\n\
             message   at most {} bytes, kept {} hours",
            relay.url(),
            status.messages,
            status.max_messages,
            status.bytes,
            status.max_bytes,
            info.limits.message_bytes,
            info.limits.ttl_hours,
        )?;
    }
    if shown == 0 && failed.is_empty() {
        app.ui.note("no mailbox is open");
    }
    conclude(app, failed, visited, shown > 0)
}

/// Tells which mailboxes failed, and picks the status.
fn conclude(app: &App, failed: Vec<Error>, visited: usize, any: bool) -> Result<Exit> {
    let failed = failed.into_iter().map(Into::into).collect();
    match partly::failed(app.ui, failed, visited > 0) {
        Some(error) => Err(error),
        None if any => Ok(Exit::Done),
        None => Ok(Exit::Negative),
    }
}
