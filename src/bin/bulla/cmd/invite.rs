//! `invite`: an invite to pair, listed and withdrawn too.

use std::io::Write as _;

use anyhow::Result;
use bulla::account::{self, Account, Context, Invitation, is_invite};
use bulla::text::{date, printable};
use serde_json::json;

use crate::app::App;
use crate::cli::{self, Method};
use crate::cmd::pair::wait;
use crate::cmd::pairings::waits_for;
use crate::events::Teller;
use crate::exit::{Exit, Fail};
use crate::json::json_line;
use crate::network::{context, relays, token};
use crate::qr;

pub(crate) fn run(app: &App, args: &cli::Invite) -> Result<Exit> {
    let (me, relays, teller) = (app.me(&args.keys)?, relays(&args.network), Teller::new(app.ui));
    let cx = context(&me, &relays, &teller, &args.network);
    if args.list {
        return list(app, &me);
    }
    if let Some(id) = &args.withdraw {
        cx.withdraw_invite(id)?;
        app.ui.note("the invite is withdrawn: no one can pair by it");
        return Ok(Exit::Done);
    }
    let method = args.method();
    if args.name.is_some() && method == Method::Device {
        let fail = Fail::usage("a machine of your own has no other name");
        return Err(fail.hint("leave --as out").into());
    }
    let cx = Context { token: token(args.token.as_ref())?, ..cx };
    let lifetime = args.expires.as_secs();
    let invitation = cx.invite(method.into(), args.name.as_deref(), lifetime)?;
    show(app, args, &invitation)?;
    if matches!(method, Method::Digits | Method::Words) {
        cx.tell_of_earlier(args.name.as_deref(), invitation.earlier);
    }
    let exit = match args.wait {
        0 => Exit::Done,
        seconds => wait(app, &cx, &teller, seconds, Some(&invitation.meeting))?,
    };
    teller.finish()?;
    Ok(exit)
}

/// Prints an invite.
fn show(app: &App, args: &cli::Invite, invitation: &Invitation) -> Result<()> {
    let Invitation { line, words, expires, hands_over: handed_over, .. } = invitation;
    let mut stdout = std::io::stdout().lock();
    if app.ui.json {
        let mut object = json!({ "schema": 1, "invite": line.as_str(), "expires": date(*expires) });
        if let (Some(words), Some(fields)) = (words, object.as_object_mut()) {
            fields.insert("words".into(), words.as_str().into());
        }
        if let (Some(fingerprint), Some(fields)) = (handed_over, object.as_object_mut()) {
            fields.insert("fingerprint".into(), fingerprint.to_string().into());
        }
        writeln!(stdout, "{}", json_line(&object))?;
    } else if args.qr {
        // In upper case it makes a smaller code, and is read all the same.
        write!(stdout, "{}", qr::draw(&line.to_ascii_uppercase())?)?;
    } else {
        writeln!(stdout, "{}", line.as_str())?;
    }
    stdout.flush()?;
    if let (Some(words), false) = (words, app.ui.json) {
        app.ui.say(&format!("words: {}", words.as_str()));
    }
    let method = args.method();
    let who = match method {
        Method::Device => {
            "anyone who has this line becomes you, once: give it to your own machine alone"
        }
        Method::Words => "the line may be seen: say the words to the other side alone",
        Method::Digits => "the line may be seen: you compare digits, which bulla pair shows",
        Method::Secret => "anyone who has this line can pair with you, once",
    };
    app.ui.note(&format!("{who}; it is good until {}", date(*expires)));
    if let Some(fingerprint) = handed_over {
        app.ui.note(&format!("it hands over your identity, fingerprint: {fingerprint}"));
    }
    // Not beside the line: an attacker who changes one would change the other.
    app.ui.note(&match method {
        Method::Device => "there, run: bulla pair --method device".into(),
        _ => format!(
            "tell them apart from the line, over a channel you trust: bulla pair --method {}",
            method.name()
        ),
    });
    if args.wait == 0 {
        app.ui.note("bulla pair goes on when it was accepted");
    }
    Ok(())
}

/// Lists the invites that no one has paired by yet.
fn list(app: &App, me: &Account) -> Result<Exit> {
    let mut stdout = std::io::stdout().lock();
    let pairs = me.pairs()?;
    let mut exit = Exit::Negative;
    for one in pairs.underway().iter().filter(|one| is_invite(one)) {
        let Some(state) = waits_for(one) else { continue };
        exit = Exit::Done;
        let (id, method) =
            (account::id(one), account::method(one).map(|method| Method::from(method).name()));
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
