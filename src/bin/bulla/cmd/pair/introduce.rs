//! Introductions: somebody whom two know tells each of the other, and both accept.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bulla::contact::pairing::{Address, Expected, Invite, Own, Pairing, Role, Waits};
use bulla::contact::{self, Introduced, Introducer, Introduction, Underway, WAITS};
use bulla::identity::Card;
use bulla::letter::Notice;
use bulla::relay::protocol::Terms;
use bulla::text::printable;
use serde_json::json;
use zeroize::Zeroizing;

use super::machine::is_denied;
use super::{Made, step, succession};
use crate::app::{App, Me, date, now};
use crate::cli::{self, Network};
use crate::cmd::card::settle;
use crate::cmd::{notice, relay};
use crate::exit::{Exit, Fail};
use crate::record::json_line;

/// Invites of one introduction that wait at the relay at once.
const MOST_INVITES: u64 = 4;
/// Greatest letter with an invite, in bytes.
const INVITE_BYTES: u64 = 16 << 10;

/// Tells two contacts of each other.
pub(crate) fn introduce(app: &App, args: &cli::Introduce) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let book = me.book()?;
    let both = [book.get(&args.one)?, book.get(&args.other)?];
    let told = Introduction::of(both[0], both[1], args.note.as_deref().unwrap_or_default())?;
    for (to, told) in both.iter().zip(told) {
        let notice = Notice { kind: notice::INTRODUCTION, content: told.to_bytes()? };
        notice::send(app, &me, &args.network, &to.card()?, Some(to.name()), notice)
            .with_context(|| format!("{} was not told", to.name()))?;
    }
    let [one, other] = both.map(|contact| contact.name());
    app.ui.note(&format!("{one} and {other} were told of each other, and pair when both accept"));
    Ok(Exit::Done)
}

/// Somebody introduces somebody.
pub(crate) fn heard(app: &App, me: &Me, from: &Card, content: &[u8]) -> Result<()> {
    let book = me.book()?;
    let Some(by) = book.by_fingerprint(&from.fingerprint()) else {
        app.ui.warn(&format!(
            "{} introduces somebody, and is no contact: nothing comes of it",
            from.fingerprint()
        ));
        return Ok(());
    };
    let told = Introduction::from_bytes(content)?;
    let fingerprint = told.card()?.fingerprint();
    if let Some(since) = book.revoked(&fingerprint) {
        app.ui.warn(&format!(
            "{} introduces {fingerprint}, which you revoked on {}: ignored",
            by.name(),
            date(since)
        ));
        return Ok(());
    }
    if fingerprint == me.identity.fingerprint() {
        app.ui.warn(&format!("{} introduces you to yourself", by.name()));
        return Ok(());
    }
    let pairs = me.pairs()?;
    let met =
        |one: &Underway| one.introduced.as_ref().is_some_and(|i| i.fingerprint() == fingerprint);
    let underway = pairs.underway().iter().any(met);
    if !pairs.pairwise_of(&fingerprint).is_empty() || underway {
        if underway {
            // The other side may have accepted this introduction and not the one before.
            me.pairs_file()?.update(|pairs| pairs.add_route(&by.fingerprint(), &told))?;
        }
        app.ui.note(&format!("{} introduces {fingerprint} again, whom you know", by.name()));
        return Ok(());
    }
    let taken = |name: &str| book.get(name).is_ok_and(|other| other.fingerprint() != fingerprint);
    let by = Introducer::from(by);
    let one = me.pairs_file()?.update(|pairs| pairs.hear(by, &told, taken, now()).cloned())?;
    let by = &one.by().name;
    app.ui.note(&match one.accepted() {
        true => format!("{by} introduces {} again, who has to accept", one.name),
        false => format!("{by} introduces {0}: bulla pair --accept {0}", one.name),
    });
    app.ui.note(&format!("fingerprint: {}", one.fingerprint()));
    if !one.note().is_empty() {
        app.ui.note(&format!("{by} writes: {}", one.note()));
    }
    Ok(())
}

/// Somebody who was introduced has accepted.
pub(crate) fn invited(app: &App, me: &Me, from: &Card, content: &[u8]) -> Result<()> {
    let line = Zeroizing::new(String::from_utf8_lossy(content).into_owned());
    let invite = Invite::parse(&line)?;
    let from = from.fingerprint();
    let his = me.pairs_file()?.update(|pairs| {
        let his = pairs.introductions.invited(&from, &invite, now())?;
        Ok::<_, contact::Error>(his.into_iter().cloned().collect::<Vec<_>>())
    })?;
    let accepted = his.iter().find(|one| one.accepted());
    app.ui.note(&match (accepted, his.first()) {
        (Some(one), _) => format!("{} has accepted too: bulla pair goes on", one.name),
        (None, Some(one)) => format!(
            "{0}, whom {1} introduced, has accepted: bulla pair --accept {0}",
            one.name,
            one.by().name
        ),
        (None, None) => format!("an invite of {from} waits until somebody introduces him"),
    });
    Ok(())
}

/// Accepts somebody who was introduced.
pub(super) fn accept(app: &App, me: &Me, args: &cli::Pair, name: &str) -> Result<Exit> {
    if let Some(renamed) = &args.name {
        contact::check_name(renamed)?;
    }
    let file = me.pairs_file()?;
    let pairs = file.read()?;
    let wanted = name.to_lowercase();
    let before = pairs
        .underway()
        .iter()
        .find(|one| one.introduced.is_some() && step::title(one).to_lowercase() == wanted);
    let meeting = match before {
        Some(one) => {
            // Accepted before: what may not have come goes again.
            push_invite(app, me, &args.network, one, true)?;
            one.meeting.clone()
        }
        None if pairs.introductions.get(name, now())?.invites() => {
            let one = pairs.introductions.get(name, now())?;
            invite(app, me, args, one)?
        }
        None => {
            let renamed = args.name.as_deref();
            let found = pairs.introductions.get(name, now())?;
            if renamed.is_some() && succession::is_successor(me, found)? {
                let fail = Fail::usage("a new identity gets the name of the one it replaces");
                return Err(fail.hint("leave --as out, and rename the contact later").into());
            }
            if let [other, ..] = &succession::rivals(me, found)?[..] {
                app.ui.warn(&format!(
                    "{other} was announced by the same old identity: if this one is the thief's, you \
                     now write to the thief"
                ));
            }
            let one =
                file.update(|pairs| pairs.introductions.accept(name, renamed, now()).cloned())?;
            open_routes(me, args, &one)?;
            match one.invite() {
                Some(invite) => take_up(me, args, &one, invite)?,
                None => {
                    app.ui.note(&format!(
                        "accepted: waits for {} to accept; an invite then comes as a letter: bulla \
                         relay pull | bulla open, then bulla pair",
                        one.name
                    ));
                    return Ok(Exit::Done);
                }
            }
        }
    };
    if args.wait == 0 {
        app.ui.note("accepted: bulla pair goes on, here and on the other side");
        return Ok(Exit::Done);
    }
    super::wait(app, me, &args.network, args.wait, Some(&meeting))
}

/// Makes the invite, for the other one alone.
fn invite(app: &App, me: &Me, args: &cli::Pair, one: &Introduced) -> Result<contact::Own> {
    let card = one.card()?;
    let relay = card.relay().ok_or_else(|| {
        Fail::new(Exit::Conflict, format!("the card of {} names no relay", one.name))
            .hint(format!("ask {} to introduce you by a newer card", one.by().name))
    })?;
    let client = relay::own_or(me, &args.network, relay)?;
    let expires = now().saturating_add(WAITS);
    let made = Made::new(&*client)?;
    made.register(me, &*client, args.token.as_ref(), expires)?;
    let ours = settle(me, |_| ())?;
    let own = Own { identity: &me.identity, card: &ours, address: me.address(&made.mailbox) };
    let (pairing, invite) = Pairing::offer_secret(&own, made.meeting_address(me), expires, now())?;
    drop(invite);
    let meeting = made.meeting.clone();
    let name = args.name.clone().unwrap_or_else(|| one.name.clone());
    let underway = made.underway(Some(name), pairing, Some(one.clone()));
    begin(me, underway.clone(), one)?;
    push_invite(app, me, &args.network, &underway, true)?;
    Ok(meeting)
}

/// Takes up the invite of the other one.
fn take_up(me: &Me, args: &cli::Pair, one: &Introduced, invite: &Invite) -> Result<contact::Own> {
    let (underway, send) = super::joined(me, args, invite, Expected::Secret, |made, pairing| {
        made.underway(Some(one.name.clone()), pairing, Some(one.clone()))
    })?;
    let meeting = underway.meeting.clone();
    begin(me, underway, one)?;
    step::send(&args.network, &send)?;
    Ok(meeting)
}

/// What was an introduction is a pairing from here on.
fn begin(me: &Me, underway: Underway, one: &Introduced) -> Result<()> {
    me.pairs_file()?.update(|pairs| {
        pairs.begin(underway)?;
        pairs.introductions.forget(&one.fingerprint());
        Ok::<_, contact::Error>(())
    })?;
    Ok(())
}

/// Pushes the invite to the mailbox on the joiner's card, by the routes that were not used yet. The
/// relay refuses it until the joiner accepts. With `all` it is pushed by every route once more.
fn push_invite(
    app: &App,
    me: &Me,
    network: &Network,
    underway: &Underway,
    all: bool,
) -> Result<()> {
    let (Some(invite), Some(one)) = (underway.pairing.invite(), &underway.introduced) else {
        return Ok(());
    };
    let (card, line, joiner) = (one.card()?, invite.to_line()?, one.fingerprint());
    let notice = || Notice { kind: notice::INVITE, content: line.as_bytes().to_vec() };
    let failed = "the invite was not sent";
    let pairs = me.pairs()?;
    if !pairs.has_route(&joiner) {
        // An introduction by an older program: the capability is on the card.
        return match all {
            true => notice::send(app, me, network, &card, None, notice()).context(failed),
            false => Ok(()),
        };
    }
    let routes = match all {
        true => pairs.routes_of(&joiner).cloned().collect(),
        false => pairs.fresh_routes(&joiner),
    };
    let relay = card.relay().unwrap_or_default().to_owned();
    let mut refused = false;
    for route in routes {
        let capability = Arc::new(route.capability(&joiner));
        let address = Address { relay: relay.clone(), mailbox: *card.mailbox(), capability };
        match notice::send_to(app, me, network, &card, &address, notice()) {
            Ok(()) => me.pairs_file()?.update(|pairs| {
                pairs.sent(&route);
                Ok::<_, contact::Error>(())
            })?,
            Err(error) if is_denied(&error) => refused = true,
            Err(error) => return Err(error.context(failed)),
        }
    }
    if refused {
        app.ui.note(&format!(
            "{} has not accepted yet: the next bulla pair sends the invite again",
            step::title(underway)
        ));
    }
    Ok(())
}

/// Opens the mailbox on the own card to the capabilities of an introduction, for the invite.
fn open_routes(me: &Me, args: &cli::Pair, one: &Introduced) -> Result<()> {
    let routes = me.pairs()?.fresh_routes(&one.fingerprint());
    if routes.is_empty() {
        return Ok(());
    }
    let client = relay::own(me, &args.network)?;
    let token = args.token.as_ref().map(|source| source.line("the token")).transpose()?;
    let terms = Terms {
        expires: Some(one.until().div_ceil(3600) * 3600),
        messages: Some(MOST_INVITES),
        bytes: Some(MOST_INVITES * INVITE_BYTES),
        ..Terms::default()
    };
    let own = me.identity.fingerprint();
    for route in routes {
        let capability = route.capability(&own);
        super::mailboxes::open(
            &*client,
            &me.identity.card_mailbox(),
            &capability,
            &terms,
            token.as_ref(),
        )?;
        me.pairs_file()?.update(|pairs| {
            pairs.opened(&route, &client.url());
            Ok::<_, contact::Error>(())
        })?;
    }
    Ok(())
}

/// Pushes the invites that were refused so far, and takes up those of contacts who were accepted and
/// have accepted. Returns how many have not.
pub(super) fn go_on(app: &App, me: &Me, args: &cli::Pair) -> Result<usize> {
    let mut waiting = 0;
    for one in me.pairs()?.underway() {
        if one.pairing.role() == Role::Inviter && matches!(one.pairing.waits_for(), Waits::Joiner) {
            // One relay that is away does not keep the others from being asked.
            if let Err(error) = push_invite(app, me, &args.network, one, false) {
                app.ui.warn(&format!("{error:#}: the next bulla pair tries again"));
            }
        }
    }
    for one in me.pairs()?.introductions.waiting(now()).filter(|one| one.accepted()) {
        if !one.invites()
            && let Err(error) = open_routes(me, args, one)
        {
            app.ui.warn(&format!("the invite of {} cannot come yet: {error:#}", one.name));
        }
        match one.invite().filter(|invite| now() < invite.expires()) {
            Some(invite) => drop(take_up(me, args, one, invite)?),
            None => waiting += 1,
        }
    }
    Ok(waiting)
}

/// Forgets somebody who was introduced.
pub(crate) fn refuse(app: &App, me: &Me, name: &str) -> Result<Exit> {
    let one = me.pairs_file()?.update(|pairs| pairs.introductions.refuse(name, now()))?;
    if succession::is_successor(me, &one)? {
        succession::forget(me, &one.fingerprint())?;
        app.ui.note(&format!(
            "refused {}, the new identity that {} announced",
            one.name,
            one.by().name
        ));
        return Ok(Exit::Done);
    }
    app.ui.note(&format!("refused {}, whom {} introduced", one.name, one.by().name));
    Ok(Exit::Done)
}

/// Lists those who were introduced and wait; says how many there are.
pub(super) fn list(app: &App, me: &Me) -> Result<usize> {
    let mut stdout = std::io::stdout().lock();
    let mut count = 0;
    for one in me.pairs()?.introductions.waiting(now()) {
        count += 1;
        let by = one.by();
        let is_successor = succession::is_successor(me, one)?;
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
