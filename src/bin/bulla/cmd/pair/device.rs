//! `pair` on a new device: the identity of another one is taken over.

use std::io::Write as _;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use bulla::account::{self, Context, Expectation, Look, Newcomer, TakenOver};
use bulla::contact::backup::Backup;
use bulla::contact::pairing::Invite;
use bulla::identity::Fingerprint;
use serde_json::json;

use super::handover;
use super::wait::{LONGEST_LOOK, PAUSE};
use crate::app::{App, first};
use crate::cli;
use crate::cli::time::deadline;
use crate::cmd::restore::{self, Here};
use crate::events::Teller;
use crate::exit::{Exit, Fail};
use crate::home::homeless;
use crate::json::json_line;
use crate::network::{context, relays, token};
use crate::source::Source;

/// Returns whether this machine is being taken into use.
///
/// An identity that came to it in another way meanwhile ends that.
pub(super) fn is_underway(app: &App, args: &cli::Pair, teller: &Teller) -> Result<bool> {
    if !app.home.newcomer().is_some_and(|path| path.exists()) {
        return Ok(false);
    }
    let newcomer = read(app)?;
    if newcomer.is_installing()? || !handover::has_identity(app, args) {
        return Ok(true);
    }
    app.ui.note("this machine has an identity of its own now: the invite for it is given up");
    give_up(args, teller, &newcomer)?;
    Ok(false)
}

/// Returns whether this machine is being taken into use by this invite.
pub(super) fn knows(app: &App, args: &cli::Pair, teller: &Teller, invite: &Invite) -> Result<bool> {
    Ok(is_underway(app, args, teller)? && read(app)?.knows(invite)?)
}

/// Accepts an invite of another machine of one's own.
pub(super) fn join(app: &App, args: &cli::Pair, teller: &Teller, invite: &Invite) -> Result<Exit> {
    if args.name.is_some() {
        let fail = Fail::usage("this invite is for a machine of your own, which has no other name");
        return Err(fail.hint("leave --as out").into());
    }
    let newcomer = match knows(app, args, teller, invite)? {
        true => read(app)?,
        false => begin(app, args, teller)?,
    };
    let relays = relays(&args.network);
    let token = token(args.token.as_ref())?;
    let cx = Context { token, ..context(newcomer.account(), &relays, teller, &args.network) };
    let joined = cx.join(invite, None, || Ok::<_, account::Error>(Expectation::Secret));
    if let Err(error) = joined {
        // What was not begun leaves nothing.
        if newcomer.is_idle()? {
            newcomer.forget()?;
        }
        return Err(error.into());
    }
    if args.wait == 0 {
        app.ui.note("the invite is accepted: bulla pair goes on, here and on your other machine");
        return Ok(Exit::Done);
    }
    go_on(app, args, teller)
}

/// Makes the identity that this machine throws away, where it has none of its own.
fn begin(app: &App, args: &cli::Pair, teller: &Teller) -> Result<Newcomer> {
    let path = place(app)?;
    // Another invite before this one is given up.
    if is_underway(app, args, teller)? {
        if handover::has_identity(app, args) {
            let fail = Fail::new(Exit::Conflict, "this machine is being taken into use already");
            return Err(fail.hint("bulla pair goes on with that").into());
        }
        handover::refuse_unconfirmed(app, args.fingerprint)?;
        give_up(args, teller, &read(app)?)?;
    }
    handover::refuse_identity(app, args)?;
    handover::refuse_unconfirmed(app, args.fingerprint)?;
    Ok(Newcomer::create(path, app.home.data(), args.fingerprint.as_ref())?)
}

/// Continues with taking this machine into use.
pub(super) fn go_on(app: &App, args: &cli::Pair, teller: &Teller) -> Result<Exit> {
    let newcomer = read(app)?;
    let relays = relays(&args.network);
    let cx = context(newcomer.account(), &relays, teller, &args.network);
    let expected = newcomer.expected()?.or(args.fingerprint);
    if newcomer.is_over()? {
        return Err(expired(&newcomer)?.into());
    }
    handover::refuse_unconfirmed(app, expected)?;
    let until = deadline(Duration::from_secs(args.wait));
    let mut again = true;
    loop {
        let wait = until.saturating_duration_since(Instant::now()).min(LONGEST_LOOK);
        let standing = cx.advance_pairings(Look { only: None, again, wait })?;
        again = false;
        if let Some(error) = standing.failed.into_iter().next() {
            return Err(error.into());
        }
        if let Some(ended) = standing.ended {
            let exit = app.ui.error(&ended);
            newcomer.forget()?;
            return Ok(exit);
        }
        if let Some(confirmed) = confirm(app, args, &cx, &newcomer)?
            && let Some(backup) = newcomer.fetch(&cx, wait, &confirmed)?
        {
            return take_over(app, args, &cx, &newcomer, backup);
        }
        if newcomer.is_over()? {
            return Err(expired(&newcomer)?.into());
        }
        if Instant::now() >= until {
            app.ui.note("waits for your other machine: bulla pair goes on, here and there");
            return Ok(Exit::Negative);
        }
        sleep(PAUSE);
    }
}

fn place(app: &App) -> Result<PathBuf> {
    Ok(app.home.newcomer().ok_or_else(homeless)?)
}

fn read(app: &App) -> Result<Newcomer> {
    let path = place(app)?;
    let keys = app.keys(Some(&Source::File(path.clone())), None)?.unwrap_or_default();
    Ok(Newcomer::new(path, app.account(first(keys)?)))
}

fn give_up(args: &cli::Pair, teller: &Teller, newcomer: &Newcomer) -> Result<()> {
    let relays = relays(&args.network);
    Ok(newcomer.give_up(&context(newcomer.account(), &relays, teller, &args.network))?)
}

/// Forgets an invite of which nothing comes any more.
fn expired(newcomer: &Newcomer) -> Result<Fail> {
    newcomer.forget()?;
    let fail = Fail::new(Exit::Conflict, "the invite for this machine has expired");
    Ok(fail.hint("make another one there: bulla invite --device"))
}

/// Confirms the identity at the other end once it is known, and returns it. One that is not the
/// user's leaves nothing here.
fn confirm(
    app: &App,
    args: &cli::Pair,
    cx: &Context<'_>,
    newcomer: &Newcomer,
) -> Result<Option<Fingerprint>> {
    let Some((other, name)) = newcomer.peer()? else { return Ok(None) };
    // Given again, it has to be the same.
    let expected: Vec<_> = [args.fingerprint, newcomer.expected()?].into_iter().flatten().collect();
    if let Err(refused) = handover::confirm(app, other, &name, &expected) {
        newcomer.give_up(cx)?;
        return Err(refused);
    }
    newcomer.expect(&other)?;
    Ok(Some(other))
}

/// Becomes a machine of the inviter's identity.
fn take_over(
    app: &App,
    args: &cli::Pair,
    cx: &Context<'_>,
    newcomer: &Newcomer,
    backup: Backup,
) -> Result<Exit> {
    let here = Here { force: false, passphrase: None };
    let fingerprint = backup.identity.fingerprint();
    let place = match restore::place(app, here, &fingerprint, &backup.key_file) {
        Ok(place) => place,
        Err(error) => {
            // Another identity came here meanwhile, which stays.
            if error.downcast_ref::<Fail>().is_some() {
                newcomer.give_up(cx)?;
            }
            return Err(error);
        }
    };
    let cx = Context { token: token(args.token.as_ref())?, ..cx.clone() };
    let install = |key_file: &[u8]| place.write(key_file).map(drop);
    let TakenOver { account, told } = newcomer.take_over(&cx, app.home.data(), backup, install)?;
    place.tell(app);
    app.ui.note(&format!("fingerprint: {fingerprint}"));
    app.ui.note(&format!("contacts told of this machine: {told}"));
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "fingerprint": fingerprint.to_string(),
            "identity": place.word(),
            "contacts": account.book()?.contacts().len(),
            "told": told,
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    Ok(Exit::Done)
}
