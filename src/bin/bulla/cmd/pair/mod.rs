//! `pair`: an invite taken up, and pairings under way continued, over relays that learn nothing of it.

mod device;
mod handover;
mod method;
mod wait;

use std::io::{BufRead, BufReader, Read as _};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulla::account::{Context, Expectation, InviteLine, title};
use bulla::contact::pairing::{Digits, Invite, Waits, Words};
use bulla::secret::SecretString;

pub(crate) use self::wait::wait;
use crate::app::App;
use crate::cli;
use crate::events::Teller;
use crate::exit::{Exit, Fail};
use crate::input;
use crate::network::{context, relays, token};
use crate::source::{self, Source};

/// Bytes by which an invite is known.
const BEGIN: usize = 32;
/// Greatest line of an invite, in bytes.
const MAX_LINE: u64 = 4 << 10;
/// How often the words are asked for, when what is typed are none.
const ASKED: usize = 4;

pub(crate) fn run(app: &App, args: &cli::Pair) -> Result<Exit> {
    let teller = Teller::new(app.ui);
    let exit = match &args.confirm {
        Some(confirmed) => confirm(app, args, &teller, confirmed)?,
        None => pair(app, args, &teller)?,
    };
    teller.finish()?;
    Ok(exit)
}

/// Takes the digits that the other side shows.
fn confirm(app: &App, args: &cli::Pair, teller: &Teller, confirmed: &[String]) -> Result<Exit> {
    let (me, relays) = (app.me(&args.keys)?, relays(&args.network));
    let typed = match (&args.digits, confirmed.get(1)) {
        (Some(source), None) => source.line("the digits")?.parse::<Digits>()?,
        (None, Some(digits)) => digits.parse::<Digits>()?,
        _ => {
            let fail = Fail::usage("expected the four digits that the other side shows");
            return Err(fail.hint("--confirm NAME 1234, or --digits SRC").into());
        }
    };
    let name = confirmed.first().map_or("", String::as_str);
    let pairs = me.pairs_file()?.read()?;
    let found = pairs.underway().iter().find(|one| {
        matches!(one.pairing.waits_for(), Waits::OurDigits(_))
            && title(one).to_lowercase() == name.to_lowercase()
    });
    let Some(found) = found else {
        let fail = Fail::usage(format!("no pairing named {name:?} waits for digits"));
        return Err(fail.hint("bulla contact list shows the pairings under way").into());
    };
    context(&me, &relays, teller, &args.network).confirm_digits(&found.meeting, typed)?;
    Ok(Exit::Done)
}

/// Accepts an introduction or an invite, or continues with what is under way.
fn pair(app: &App, args: &cli::Pair, teller: &Teller) -> Result<Exit> {
    if let Some(name) = &args.accept {
        return accept(app, args, teller, name);
    }
    let Some(line) = invite_line(args)? else {
        // This machine is being taken into use.
        if device::is_underway(app, args, teller)? {
            return device::go_on(app, args, teller);
        }
        refuse_unused(args)?;
        return go_on(app, args, teller);
    };
    match InviteLine::parse(&line)? {
        InviteLine::Device(invite) => {
            let known = device::knows(app, args, teller, &invite)?;
            method::settle(app, args, &invite, true, known)?;
            device::join(app, args, teller, &invite)
        }
        InviteLine::Contact(_) if args.fingerprint.is_some() => Err(fingerprint_unused().into()),
        InviteLine::Contact(invite) => join(app, args, teller, &invite),
    }
}

/// Refuses flags that go with an invite, where none was given.
fn refuse_unused(args: &cli::Pair) -> Result<()> {
    if args.fingerprint.is_some() {
        return Err(fingerprint_unused().into());
    }
    if args.words.is_some() || args.method.is_some() {
        let flag = if args.words.is_some() { "--words" } else { "--method" };
        let fail = Fail::usage(format!("{flag} goes with an invite, and none was given"));
        return Err(fail.hint("name the invite's file, or pipe it in").into());
    }
    Ok(())
}

fn fingerprint_unused() -> Fail {
    Fail::usage("--fingerprint goes with an invite for this machine, by --method device")
}

/// Continues with everything that is under way.
fn go_on(app: &App, args: &cli::Pair, teller: &Teller) -> Result<Exit> {
    let (me, relays) = (app.me(&args.keys)?, relays(&args.network));
    let token = token(args.token.as_ref())?;
    let cx = Context { token, ..context(&me, &relays, teller, &args.network) };
    let (untold, introduced) = {
        let once = cx.relays.once();
        let once = Context { relays: &*once, ..cx.clone() };
        (once.tell_untold()?.left, once.advance_introductions()?)
    };
    let exit = match introduced > 0 && me.pairs()?.underway().is_empty() {
        true => Ok(Exit::Done),
        false => wait(app, &cx, teller, args.wait, None),
    };
    // What is left of a revocation is tried again; pairings go on without it.
    cx.close_revoked_once()?;
    let exit = exit?;
    if introduced > 0 && exit == Exit::Done {
        app.ui.note("whom you accepted has not accepted yet, or his letter was not opened");
        return Ok(Exit::Negative);
    }
    Ok(if untold.is_empty() { exit } else { Exit::Temporary })
}

/// Accepts a contact who was introduced.
fn accept(app: &App, args: &cli::Pair, teller: &Teller, name: &str) -> Result<Exit> {
    let (me, relays) = (app.me(&args.keys)?, relays(&args.network));
    let token = token(args.token.as_ref())?;
    let cx = Context { token, ..context(&me, &relays, teller, &args.network) };
    let Some(meeting) = cx.accept_introduction(name, args.name.as_deref())? else {
        return Ok(Exit::Done);
    };
    if args.wait == 0 {
        app.ui.note("accepted: bulla pair goes on, here and on the other side");
        return Ok(Exit::Done);
    }
    wait(app, &cx, teller, args.wait, Some(&meeting))
}

/// Takes up an invite.
fn join(app: &App, args: &cli::Pair, teller: &Teller, invite: &Invite) -> Result<Exit> {
    let (me, relays) = (app.me(&args.keys)?, relays(&args.network));
    let cx = context(&me, &relays, teller, &args.network);
    let method = method::settle(app, args, invite, false, cx.knows_invite(invite)?)?;
    let cx = Context { token: token(args.token.as_ref())?, ..cx };
    let expect = || expectation(app, args, method.ok_or_else(method::missing)?);
    let meeting = cx.join(invite, args.name.as_deref(), expect)?;
    if args.wait == 0 {
        app.ui.note("the invite is accepted: bulla pair goes on, here and on the other side");
        return Ok(Exit::Done);
    }
    wait(app, &cx, teller, args.wait, Some(&meeting))
}

fn expectation(app: &App, args: &cli::Pair, method: cli::Method) -> Result<Expectation> {
    Ok(match method {
        cli::Method::Secret | cli::Method::Device => Expectation::Secret,
        cli::Method::Digits => Expectation::Digits,
        cli::Method::Words => Expectation::Words(words(app, args)?),
    })
}

/// The invite that is named, or piped in.
fn invite_line(args: &cli::Pair) -> Result<Option<SecretString>> {
    let mut input: Box<dyn BufRead> = match &args.invite {
        // May be a public one, which others may read: then its file is no secret.
        Some(Source::File(path)) => Box::new(BufReader::new(source::open(path, "the invite")?)),
        Some(Source::Stdin) => Box::new(input::stdin("the invite")?),
        Some(source) => return Ok(Some(source.line("the invite")?)),
        // Whose stdin is a script, or the list of a loop, has no invite there, and keeps his lines.
        None => {
            let patience = Duration::from_secs(args.network.timeout);
            let begin = input::peek_stdin(BEGIN, patience)?;
            if !InviteLine::may_begin(&begin) {
                return Ok(None);
            }
            Box::new(input::stdin("the invite")?)
        }
    };
    // One line and no more: who invites may go on to wait, with the pipe open.
    let mut line = SecretString::default();
    input.by_ref().take(MAX_LINE).read_line(&mut line).context("cannot read the invite")?;
    Ok((!line.trim().is_empty()).then_some(line))
}

/// The words that the inviter told the user. Slips are told before anything is tried with them.
fn words(app: &App, args: &cli::Pair) -> Result<Words> {
    if let Some(source) = &args.words {
        return Ok(source.line("the words")?.parse()?);
    }
    for _ in 1..ASKED {
        match app.ui.ask_words()?.parse() {
            Ok(words) => return Ok(words),
            Err(slip) => drop(app.ui.error(&slip)),
        }
    }
    Ok(app.ui.ask_words()?.parse()?)
}
