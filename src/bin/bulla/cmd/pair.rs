//! `invite` and `pair`: two people come to know each other, over relays that learn nothing of it.

pub(crate) mod cancel;
mod handover;
pub(crate) mod introduce;
mod machine;
mod mailboxes;
mod method;
mod newcomer;
mod step;
pub(crate) mod succession;

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bulla::contact::pairing::{
    Digits, End, Expected, Invite, Outgoing, Own, Pairing, Role, Waits, Words,
};
use bulla::contact::{self, Purpose, Underway};
use bulla::identity::Fingerprint;
use bulla::secret::SecretString;
use bulla::text::printable;
use serde_json::json;

pub(crate) use self::machine::is_denied;
use self::mailboxes::open_for_letters;
pub(crate) use self::mailboxes::{Made, open};
pub(crate) use self::step::send as push;
use self::step::{Look, Outcome};
use super::card::settle;
use super::relay;
use crate::app::{App, Me, date, now};
use crate::cli::time::deadline;
use crate::cli::{self, Method, Network};
use crate::exit::{Exit, Fail};
use crate::record::json_line;
use crate::source::Source;
use crate::{input, qr, source};

/// Bytes by which an invite is known.
const BEGIN: usize = 32;
/// Greatest line of an invite, in bytes.
const MAX_LINE: u64 = 4 << 10;
/// A contact that was given no name yet.
const UNNAMED: &str = "this contact";
/// How often the words are asked for, when what is typed are none.
const ASKED: usize = 4;
/// Pause between two looks while pairings are waited for.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for one message, after which what this process did not do is seen too.
const LONGEST_LOOK: Duration = Duration::from_secs(20);

pub(crate) fn invite(app: &App, args: &cli::Invite) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    if args.list {
        return cancel::list(app, &me);
    }
    if let Some(id) = &args.withdraw {
        return cancel::withdraw(app, &me, &args.network, id);
    }
    let method = args.method();
    if let Some(name) = &args.name {
        if method == Method::Device {
            let fail = Fail::usage("a machine of your own has no other name");
            return Err(fail.hint("leave --as out").into());
        }
        contact::check_name(name)?;
    }
    let client = relay::own(&me, &args.network)?;
    let expires = now().saturating_add(args.expires.as_secs());
    let made = Made::new(&*client)?;
    made.register(&me, &*client, args.token.as_ref(), expires)?;
    let card = settle(&me, |_| ())?;
    let own = Own { identity: &me.identity, card: &card, address: me.address(&made.mailbox) };
    let meeting = made.meeting_address(&me);
    let (pairing, invite, words) = match method {
        Method::Words => {
            let (pairing, invite, words) = Pairing::offer_words(&own, meeting, expires, now())?;
            (pairing, invite, Some(words.to_text()))
        }
        Method::Digits => {
            let (pairing, invite) = Pairing::offer_public(&own, meeting, expires, now())?;
            (pairing, invite, None)
        }
        Method::Secret | Method::Device => {
            let (pairing, invite) = Pairing::offer_secret(&own, meeting, expires, now())?;
            (pairing, invite, None)
        }
    };
    let (purpose, line) = match method {
        Method::Device => (Purpose::Machine, machine::to_line(&invite)?),
        _ => (Purpose::Contact, invite.to_line()?),
    };
    let meeting = made.meeting.clone();
    let underway = made.underway(args.name.clone(), pairing, None);
    let earlier = me.pairs_file()?.update(|pairs| {
        let earlier = pairs.unfinished(None, args.name.as_deref(), None);
        pairs.begin(Underway { purpose, ..underway })?;
        Ok::<_, contact::Error>(earlier)
    })?;
    let handed_over = (method == Method::Device).then(|| me.identity.fingerprint());
    show(app, args, &line, words.as_ref(), handed_over, expires)?;
    if matches!(method, Method::Digits | Method::Words) {
        step::warn_of_earlier(app, args.name.as_deref().unwrap_or(UNNAMED), earlier);
    }
    if args.wait == 0 {
        return Ok(Exit::Done);
    }
    wait(app, &me, &args.network, args.wait, Some(&meeting))
}

/// Prints an invite.
fn show(
    app: &App,
    args: &cli::Invite,
    line: &SecretString,
    words: Option<&SecretString>,
    handed_over: Option<Fingerprint>,
    expires: u64,
) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    if app.ui.json {
        let mut object = json!({ "schema": 1, "invite": line.as_str(), "expires": date(expires) });
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
    app.ui.note(&format!("{who}; it is good until {}", date(expires)));
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

pub(crate) fn run(app: &App, args: &cli::Pair) -> Result<Exit> {
    let Some(confirm) = &args.confirm else { return go_on(app, args) };
    let me = app.me(&args.keys)?;
    let typed = match (&args.digits, confirm.get(1)) {
        (Some(source), None) => source.line("the digits")?.parse::<Digits>()?,
        (None, Some(digits)) => digits.parse::<Digits>()?,
        _ => {
            let fail = Fail::usage("expected the four digits that the other side shows");
            return Err(fail.hint("--confirm NAME 1234, or --digits SRC").into());
        }
    };
    let name = confirm.first().map_or("", String::as_str);
    self::confirm(app, &me, &args.network, name, typed)
}

/// Accepts somebody who was introduced, or an invite, or goes on with what is under way.
fn go_on(app: &App, args: &cli::Pair) -> Result<Exit> {
    if let Some(name) = &args.accept {
        return introduce::accept(app, &app.me(&args.keys)?, args, name);
    }
    let Some(line) = invite_line(args)? else {
        // This machine is being taken into use.
        if newcomer::is_underway(app, args)? {
            return newcomer::go_on(app, args);
        }
        if args.fingerprint.is_some() {
            return Err(fingerprint_unused().into());
        }
        if args.words.is_some() || args.method.is_some() {
            let flag = if args.words.is_some() { "--words" } else { "--method" };
            let fail = Fail::usage(format!("{flag} goes with an invite, and none was given"));
            return Err(fail.hint("name the invite's file, or pipe it in").into());
        }
        let me = app.me(&args.keys)?;
        // What is left of a revocation is tried again; pairings go on without it.
        super::revoke::settle_once(app, &me, &args.network)?;
        let untold = super::replace::tell(app, &me, &args.network, args.token.as_ref())?.left;
        let introduced = introduce::go_on(app, &me, args)?;
        let exit = match introduced > 0 && me.pairs()?.underway().is_empty() {
            true => Exit::Done,
            false => wait(app, &me, &args.network, args.wait, None)?,
        };
        if introduced > 0 && exit == Exit::Done {
            app.ui.note("whom you accepted has not accepted yet, or his letter was not opened");
            return Ok(Exit::Negative);
        }
        return Ok(if untold.is_empty() { exit } else { Exit::Temporary });
    };
    if machine::is_line(&line) {
        let invite = machine::parse(&line)?;
        method::settle(app, args, &invite, true, newcomer::knows(app, args, &invite)?)?;
        return newcomer::join(app, args, &invite);
    }
    if args.fingerprint.is_some() {
        return Err(fingerprint_unused().into());
    }
    let me = app.me(&args.keys)?;
    let invite = Invite::parse(&line)?;
    let known = me.pairs()?.underway().iter().any(|one| one.pairing.is_of(&invite));
    let method = method::settle(app, args, &invite, false, known)?;
    let meeting = join(app, &me, args, &invite, method)?;
    if args.wait == 0 {
        app.ui.note("the invite is accepted: bulla pair goes on, here and on the other side");
        return Ok(Exit::Done);
    }
    wait(app, &me, &args.network, args.wait, Some(&meeting))
}

fn fingerprint_unused() -> Fail {
    Fail::usage("--fingerprint goes with an invite for this machine, by --method device")
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
            if !Invite::may_begin(&begin) && !machine::may_begin(&begin) {
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
            Err(slip) => drop(app.ui.error(&anyhow::Error::new(slip))),
        }
    }
    Ok(app.ui.ask_words()?.parse()?)
}

/// Takes up an invite by the method that the user named; `None` for one that was accepted before.
fn join(
    app: &App,
    me: &Me,
    args: &cli::Pair,
    invite: &Invite,
    method: Option<Method>,
) -> Result<contact::Own> {
    if let Some(name) = &args.name {
        contact::check_name(name)?;
    }
    let pairs = me.pairs_file()?;
    if let Some(known) = pairs.read()?.underway().iter().find(|one| one.pairing.is_of(invite)) {
        if known.pairing.role() == Role::Inviter {
            return Err(Fail::new(Exit::Conflict, "this invite is your own").into());
        }
        match known.pairing.waits_for() {
            Waits::Over(end) if end != End::Paired => return Err(step::ended(end).into()),
            // Accepted before: it goes on.
            _ => {}
        }
        return Ok(known.meeting.clone());
    }
    let words;
    let expected = match method.ok_or_else(method::missing)? {
        Method::Secret | Method::Device => Expected::Secret,
        Method::Digits => Expected::Digits,
        Method::Words => {
            words = self::words(app, args)?;
            Expected::Words(&words)
        }
    };
    let (underway, send) = joined(me, args, invite, expected, |made, pairing| {
        made.underway(args.name.clone(), pairing, None)
    })?;
    let meeting = underway.meeting.clone();
    let earlier = pairs.update(|pairs| {
        let earlier = pairs.unfinished(None, args.name.as_deref(), None);
        pairs.begin(underway)?;
        Ok::<_, contact::Error>(earlier)
    })?;
    if !matches!(expected, Expected::Secret) {
        step::warn_of_earlier(app, args.name.as_deref().unwrap_or(UNNAMED), earlier);
    }
    if let Err(error) = step::send(&args.network, &send) {
        if !machine::is_denied(&error) {
            return Err(error);
        }
        // Its mailbox is closed: nothing was said, and nothing can come of it.
        let pairs = pairs.read()?;
        let one: Vec<_> = pairs.at(&meeting).into_iter().collect();
        cancel::end(app, me, &args.network, &one)?;
        return Err(Fail::new(Exit::Conflict, "the invite was used or withdrawn, or has expired")
            .hint("ask for another one")
            .into());
    }
    Ok(meeting)
}

/// Takes up an invite; what is returned is remembered before the messages are sent.
fn joined(
    me: &Me,
    args: &cli::Pair,
    invite: &Invite,
    expected: Expected<'_>,
    underway: impl FnOnce(Made, Pairing) -> Underway,
) -> Result<(Underway, Vec<Outgoing>)> {
    let client = relay::own_or(me, &args.network, &invite.address().relay)?;
    let made = Made::new(&*client)?;
    made.register(me, &*client, args.token.as_ref(), invite.expires())?;
    let card = settle(me, |_| ())?;
    let own = Own { identity: &me.identity, card: &card, address: me.address(&made.mailbox) };
    let reply = made.meeting_address(me);
    let step = Pairing::join(invite, expected, &own, reply, now())?;
    Ok((underway(made, step.state), step.send))
}

fn confirm(app: &App, me: &Me, network: &Network, name: &str, typed: Digits) -> Result<Exit> {
    let pairs = me.pairs_file()?.read()?;
    let waits = |one: &&Underway| matches!(one.pairing.waits_for(), Waits::OurDigits(_));
    let named = |one: &&Underway| step::title(one).to_lowercase() == name.to_lowercase();
    let Some(found) = pairs.underway().iter().filter(waits).find(named) else {
        let fail = Fail::usage(format!("no pairing named {name:?} waits for digits"));
        return Err(fail.hint("bulla contact list shows the pairings under way").into());
    };
    let done = step::take(app, me, network, &found.meeting, |pairing| {
        Ok(Some(pairing.confirm(typed, now())?))
    })?;
    Ok(match done {
        Outcome::Ended(exit) => exit,
        _ => Exit::Done,
    })
}

/// Goes on with one pairing or with all, for so many seconds at most.
fn wait(
    app: &App,
    me: &Me,
    network: &Network,
    seconds: u64,
    only: Option<&contact::Own>,
) -> Result<Exit> {
    let pairs = me.pairs()?;
    if pairs.underway().is_empty() {
        app.ui.note("no pairing is under way");
        return Ok(Exit::Negative);
    }
    for one in pairs.underway().iter().filter(|one| only.is_none_or(|only| *only == one.meeting)) {
        if let Waits::OurDigits(shown) = one.pairing.waits_for() {
            step::show_digits(app, &step::title(one), shown)?;
        }
    }
    let until = deadline(Duration::from_secs(seconds));
    let mut again = true;
    loop {
        let wait = until.saturating_duration_since(Instant::now()).min(LONGEST_LOOK);
        let standing = step::go_on(app, me, network, Look { only, again, wait })?;
        again = false;
        if let Some(exit) = standing.ended {
            return Ok(exit);
        }
        if standing.waiting == 0 {
            return Ok(Exit::Done);
        }
        if Instant::now() >= until {
            for (count, side) in [
                (standing.digits, "the digits to be typed here"),
                (standing.waiting.saturating_sub(standing.digits), "the other side"),
            ] {
                match count {
                    0 => {}
                    1 => app.ui.note(&format!("one pairing waits for {side}")),
                    more => app.ui.note(&format!("{more} pairings wait for {side}")),
                }
            }
            return Ok(Exit::Negative);
        }
        sleep(PAUSE);
    }
}

/// What a pairing waits for, in words; `None` when it waits for nothing that matters.
fn waits_for(one: &Underway) -> Option<String> {
    let (pairing, name) = (&one.pairing, step::title(one));
    Some(match pairing.waits_for() {
        Waits::Joiner if pairing.expires() <= now() => "waits no more: the invite expired".into(),
        Waits::Joiner => format!("waits for somebody to accept, until {}", date(pairing.expires())),
        Waits::Answer | Waits::Confirmation => "waits for the other side".into(),
        Waits::OurDigits(shown) => format!(
            "waits for you to type their digits: bulla pair --confirm {name}; they must type {shown}"
        ),
        Waits::TheirDigits(shown) => format!("waits for the other side to type {shown}"),
        _ => return None,
    })
}

/// Lists the pairings under way; says how many there are.
pub(crate) fn list(app: &App, me: &Me) -> Result<usize> {
    let mut stdout = std::io::stdout().lock();
    let mut count = 0;
    for one in me.pairs()?.underway() {
        let Some(waits) = waits_for(one) else { continue };
        count += 1;
        let title = step::title(one);
        if app.ui.json {
            let id = step::id(one);
            let object = json!({ "schema": 1, "pairing": title, "id": id, "state": waits });
            writeln!(stdout, "{}", json_line(&object))?;
        } else {
            writeln!(stdout, "{}  pairing {waits}", printable(&title))?;
        }
    }
    Ok(count + introduce::list(app, me)?)
}
