//! `relay register`: a mailbox at a relay, open to those who have our card.

use std::io::Write as _;

use anyhow::Result;
use bulla::account::{Context, Registered};
use bulla::relay::protocol::Mailbox;
use serde_json::json;

use crate::app::App;
use crate::cli;
use crate::events::Teller;
use crate::exit::Exit;
use crate::json::json_line;
use crate::network;

pub(crate) fn run(app: &App, args: &cli::RelayRegister) -> Result<Exit> {
    let (me, relays, teller) =
        (app.me(&args.keys)?, network::relays(&args.network), Teller::new(app.ui));
    let token = network::token(args.token.as_ref())?;
    let cx = Context { token, ..network::context(&me, &relays, &teller, &args.network) };
    let registered = cx.register(args.renew, args.terms.terms())?;
    let Registered { relay, mailbox, new, generation, capability, terms } = registered;
    let done = if new { "registered" } else { "already registered" };
    app.ui.note(&format!("{done} at {relay}"));
    if args.renew {
        app.ui
            .note("nobody can push with an older card of yours: hand out the new one, bulla card");
    }
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "relay": relay,
            "mailbox": Mailbox(mailbox),
            "new": new,
            "generation": generation,
            "capability_id": capability,
            "terms": super::capability::terms_object(&terms),
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    Ok(Exit::Done)
}
