//! `keygen --replace`: a new identity in the place of a stolen one, and contacts told by the old one.
//!
//! Contacts who are not reached are told by the next `pair`.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use bulla::account::{self, Context, Told};
use bulla::age::ScryptRecipient;
use bulla::files::{Access, Existing};
use bulla::identity::{self, Identity};
use serde_json::json;
use zeroize::Zeroizing;

use crate::app::{App, first};
use crate::cli;
use crate::cli::time::now;
use crate::cmd::restore::{identity_file, other_passphrase};
use crate::events::{Teller, chain};
use crate::exit::{Exit, Fail};
use crate::json::json_line;
use crate::network::{context, relays, token};
use crate::{output, ui};

pub(crate) fn run(app: &App, args: &cli::Keygen) -> Result<Exit> {
    let path = identity_file(app)?.ok_or_else(|| {
        Fail::usage("the identity comes from a variable, where it cannot be replaced")
            .hint("unset BULLA_IDENTITY and BULLA_IDENTITY_COMMAND")
    })?;
    let found = app.key_file(None)?.ok_or_else(|| app.no_identity())?;
    let keys = app.unlock(&found, args.identity_passphrase.as_ref()).map_err(other_passphrase)?;
    let old = app.account(first(keys)?);
    if old.has_untold()? {
        return Err(account::Error::IdentityIsNew.into());
    }
    let identity = Identity::generate()?;
    let text = identity::render(&identity, now());
    let text = match app.new_passphrase(args.passphrase.as_ref(), args.lock)? {
        Some(passphrase) => {
            Zeroizing::new(identity::protect(&text, &ScryptRecipient::new(passphrase))?)
        }
        None => text,
    };
    let new = app.account(identity);

    let (relays, teller) = (relays(&args.network), Teller::new(app.ui));
    let unreachable = context(&old, &relays, &teller, &args.network).announce_successor(&new)?;
    let write = || {
        let mut file = output::begin(&path, Existing::Replace, Access::Private)?;
        file.write_all(text.as_bytes())?;
        output::complete(file, &path)
    };
    let kept = write().with_context(|| format!("cannot write {}", path.display()))?;
    let (before, after) = (old.fingerprint(), new.fingerprint());
    app.ui.note(&format!("fingerprint: {after}"));
    if let Some(kept) = &kept {
        let kept = ui::quoted(kept);
        app.ui.note(&format!(
            "letters and the index of the old identity open with the old key: bulla open -i {kept}"
        ));
    }
    let token = token(args.token.as_ref())?;
    let cx = Context { token, ..context(&new, &relays, &teller, &args.network) };
    register(app, &cx);
    let Told { told, left } = cx.tell_untold()?;
    for (name, why) in &unreachable {
        let why = chain(why);
        app.ui.warn(&format!("{name} was not told: {why}: pair with {name} again"));
    }
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "fingerprint": after.to_string(),
            "replaced": before.to_string(),
            "kept": kept,
            "told": told,
            "untold": left,
            "unreachable": unreachable.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    Ok(if left.is_empty() { Exit::Done } else { Exit::Temporary })
}

/// Registers the mailbox on the new card, where the old identity had a relay.
fn register(app: &App, cx: &Context<'_>) {
    match cx.register_successor() {
        Ok(false) => {}
        Ok(true) => app.ui.note("hand out your new card to those who had the old one: bulla card"),
        Err(error) => app.ui.warn(&format!(
            "the new card has no mailbox at your relay yet: {:#}: bulla relay register",
            anyhow::Error::new(error)
        )),
    }
}
