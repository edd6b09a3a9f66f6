//! One step of a pairing: remembered first, then said, and only then forgotten by the relay.

use std::io::{Cursor, Write as _};
use std::time::Duration;

use anyhow::Result;
use bulla::contact::pairing::{
    Address, Digits, End, Error, Event, MESSAGE, Outgoing, Paired, Pairing, Role, Step, Waits,
};
use bulla::contact::{Own, Purpose, Trust, Underway, Unfinished};
use bulla::crypto;
use bulla::kem::PublicKey;
use bulla::letter::ratchet::{self, Ratchet, Start};
use bulla::relay::client::Inbox;
use bulla::relay::protocol::{Entry, Id, MAX_LIST, Mailbox};
use bulla::secret::Secret;
use bulla::text::hex_encode;
use serde_json::json;

use super::super::{contact, relay, revoke};
use super::{cancel, machine, succession};
use crate::app::{App, Me, date, now};
use crate::cli::Network;
use crate::exit::{Exit, Fail};
use crate::record::json_line;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The message was not for this pairing, or not yet.
    Nothing,
    /// It was a step.
    Step,
    /// The pairing ended without a contact.
    Ended(Exit),
}

/// Where things stand after a look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    /// Pairings that wait.
    pub(super) waiting: usize,
    /// Those of them that wait for digits to be typed here.
    pub(super) digits: usize,
    /// A pairing ended without a contact.
    pub(super) ended: Option<Exit>,
}

/// What a look at the relays is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    /// One pairing, or all.
    pub(super) only: Option<&'a Own>,
    /// Whether to say again what may not have come: once a run is enough.
    pub(super) again: bool,
    /// How long to wait for a message, where only one pairing is under way.
    pub(super) wait: Duration,
}

/// Goes as far as can be gone with one pairing or with all.
pub(super) fn go_on(app: &App, me: &Me, network: &Network, look: Look<'_>) -> Result<Standing> {
    let Look { only, again, wait } = look;
    let file = me.pairs_file()?;
    let (mut failed, mut ended) = (None, None);
    let underway = file.read()?;
    let wanted = |one: &&Underway| only.is_none_or(|only| *only == one.meeting);
    let alone = underway.underway().iter().filter(wanted).count() == 1;
    let wait = if alone { wait } else { Duration::ZERO };
    for one in underway.underway().iter().filter(wanted) {
        match go_on_with(app, me, network, one, again, wait) {
            Ok(how) => ended = how.or(ended),
            // One relay that is away does not keep the others from being asked.
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    app.ui.error(&before);
                }
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let pairs = file.read()?;
    let waits = |one: &&Underway| match one.pairing.waits_for() {
        Waits::Done | Waits::Over(_) => false,
        Waits::Joiner => one.pairing.expires() > now(),
        _ => true,
    };
    let waiting: Vec<_> = pairs.underway().iter().filter(wanted).filter(waits).collect();
    let is_ours = |one: &&&Underway| matches!(one.pairing.waits_for(), Waits::OurDigits(_));
    let digits = waiting.iter().filter(is_ours).count();
    Ok(Standing { waiting: waiting.len(), digits, ended })
}

fn go_on_with(
    app: &App,
    me: &Me,
    network: &Network,
    one: &Underway,
    again: bool,
    wait: Duration,
) -> Result<Option<Exit>> {
    let client = relay::client(&one.meeting.relay, network)?;
    let key = me.identity.meeting_mailbox(&one.meeting.index);
    if one.pairing.forget_after() < now() {
        cancel::end(app, me, network, &[one])?;
        return Ok(None);
    }
    let over = matches!(one.pairing.waits_for(), Waits::Done | Waits::Over(_));
    if again {
        match send(network, one.pairing.resend()) {
            // The other side has closed its mailbox since, and needs nothing more.
            Err(error) if over && machine::is_denied(&error) => {}
            sent => sent?,
        }
    }
    let listed = client.list(&key, if over { Duration::ZERO } else { wait }, MAX_LIST)?;
    let (mut done, mut ended) = (Vec::new(), None);
    for entry in listed {
        if entry.size != MESSAGE as u64 {
            done.push(entry.id);
            continue;
        }
        let message = fetch(&*client, &key, &entry)?;
        let outcome =
            take(app, me, network, &one.meeting, |pairing| Ok(pairing.receive(&message, now())?));
        match outcome {
            // It may have overtaken another.
            Ok(Outcome::Nothing) if !over => {}
            Ok(Outcome::Nothing | Outcome::Step) => done.push(entry.id),
            Ok(Outcome::Ended(exit)) => {
                ended = Some(exit);
                done.push(entry.id);
            }
            Err(error) if error.downcast_ref::<Error>().is_some() => {
                app.ui.warn(&format!("a message of a pairing is refused: {error}"));
                done.push(entry.id);
            }
            Err(error) => return Err(error),
        }
    }
    if !done.is_empty() {
        client.ack(&key, &done)?;
    }
    machine::serve(app, me, network, &one.meeting)?;
    Ok(ended)
}

fn fetch(
    client: &dyn bulla::relay::client::Transport,
    key: &crypto::SigningSecret,
    entry: &Entry,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(MESSAGE);
    client.fetch(key, entry, &mut bytes)?;
    Ok(bytes)
}

/// Outcome of a step that is durable.
struct Taken {
    send: Vec<Outgoing>,
    event: Result<Event, Fail>,
    name: String,
    purpose: Purpose,
    /// Whether it lifted a revocation.
    lifted: bool,
    /// Attempts with the contact that did not finish.
    earlier: Unfinished,
}

/// Takes a step with a pairing as it is now: what comes of it is durable before anything is said.
pub(super) fn take(
    app: &App,
    me: &Me,
    network: &Network,
    meeting: &Own,
    step: impl FnOnce(&Pairing) -> Result<Option<Step>>,
) -> Result<Outcome> {
    let done = me.pairs_file()?.update(|pairs| -> Result<_> {
        let Some(one) = pairs.at(meeting).cloned() else { return Ok(None) };
        let Some(Step { state, send, mut event }) = step(&one.pairing)? else { return Ok(None) };
        let mut name = title(&one);
        let (mut lifted, mut earlier) = (false, Unfinished::default());
        if let Event::Digits(_) = &event {
            earlier = pairs.unfinished(Some(meeting), one.name.as_deref(), None);
        }
        if let Event::Paired(paired) = &mut event {
            let contact = paired.card.fingerprint();
            let barred =
                me.book()?.revoked(&contact).filter(|_| pairs.is_barred(meeting, &contact));
            let refused = match barred {
                // Nothing is said to the other side, which is no contact here.
                _ if !one.is_with(&paired.card) => Some(another(&name, &one)),
                Some(since) => Some(self::barred(since)),
                None => None,
            };
            if let Some(refused) = refused {
                pairs.end(meeting, now());
                return Ok(Some(Taken {
                    send: Vec::new(),
                    event: Err(refused),
                    name,
                    purpose: one.purpose,
                    lifted,
                    earlier,
                }));
            }
            if let Some(introduced) = &one.introduced {
                paired.trust = Trust::Introduced(introduced.by().clone());
            }
            let known = me.book()?;
            if let (Purpose::Successor(_), Some(known)) =
                (&one.purpose, known.by_fingerprint(&paired.card.fingerprint()))
            {
                // It is the same contact: only the identity here is another.
                (paired.trust, paired.since) = (known.trust().clone(), known.since());
            }
            let (wanted, card) = (one.name.as_deref(), &paired.card);
            if one.purpose.is_contact() {
                name = me
                    .book_file()?
                    .update(|book| book.pair(wanted, card, paired.trust.clone(), paired.since))?;
                lifted = revoke::lift(me, pairs, &card.fingerprint())?;
                pairs.introductions.forget(&card.fingerprint());
                if let Some(introduced) = &one.introduced
                    && let Some(of_old) = succession::take_place(me, pairs, meeting, introduced)?
                {
                    name = of_old;
                }
                if one.purpose == Purpose::Contact
                    && matches!(paired.trust, Trust::Digits | Trust::Words)
                {
                    let fingerprint = card.fingerprint();
                    earlier = pairs.unfinished(Some(meeting), wanted, Some(&fingerprint));
                }
                pairs.finished(wanted, &card.fingerprint());
            } else {
                pairs.serve(meeting, Purpose::Waiting(card.to_bytes().to_vec()));
            }
            // First: a step that is taken again after a crash finds them there, and what begins them
            // stands nowhere else from here on.
            begin(me, paired)?;
            pairs.link(one.mailbox.clone(), paired)?;
        }
        pairs.go_on(meeting, state);
        Ok(Some(Taken { send, event: Ok(event), name, purpose: one.purpose, lifted, earlier }))
    })?;
    let Some(Taken { send: messages, event, name, purpose, lifted, earlier }) = done else {
        return Ok(Outcome::Nothing);
    };
    send(network, &messages)?;
    if lifted {
        app.ui.note(&format!("{name} was revoked, and is no longer: you paired again"));
    }
    warn_of_earlier(app, &name, earlier);
    if let Ok(Event::Paired(paired)) = &event
        && let Trust::Introduced(by) = &paired.trust
    {
        succession::settle(app, me, network, &by.fingerprint(), &paired.card.fingerprint())?;
    }
    match event {
        Ok(Event::Paired(_)) if matches!(purpose, Purpose::Successor(_)) => {
            app.ui.note(&format!("paired with {name} again, under your new identity"));
            Ok(Outcome::Step)
        }
        Ok(Event::Paired(_)) if purpose != Purpose::Contact => {
            app.ui.note("your other machine is there");
            Ok(Outcome::Step)
        }
        Ok(event) => tell(app, me, &name, &event),
        Err(refused) => Ok(Outcome::Ended(app.ui.error(&refused.into()))),
    }
}

/// What is said when somebody else took part than the one who was introduced.
fn another(name: &str, one: &Underway) -> Fail {
    if matches!(one.purpose, Purpose::Successor(_)) {
        let message = format!("this is not {name} as you knew them: another card was shown");
        return Fail::new(Exit::SenderNotAuthenticated, message)
            .hint(format!("pair with {name} again, over a channel you trust"));
    }
    let by = one.introduced.as_ref().map_or("", |introduced| introduced.by().name.as_str());
    let message = format!("this is not {name} as {by} introduced him: he shows another card");
    Fail::new(Exit::SenderNotAuthenticated, message)
        .hint(format!("ask {by}, and have him introduce you again"))
}

/// Returns the error of a revoked contact who takes up an invite from before.
fn barred(since: u64) -> Fail {
    let message = format!(
        "a contact that you revoked on {} took up an invite from before: nothing comes of it",
        date(since)
    );
    Fail::new(Exit::SenderNotAuthenticated, message)
        .hint("to pair with that contact again, make a new invite: bulla invite")
}

/// Begins the ratchets of letters with somebody.
fn begin(me: &Me, paired: &Paired) -> Result<()> {
    let theirs = PublicKey::from_bytes(&paired.their_key)?;
    me.sessions_file(&paired.card.fingerprint())?.update(|sessions| {
        sessions.begin(paired.address.mailbox, now(), || {
            Ratchet::new(Start {
                secret: &paired.pairwise,
                transcript: paired.transcript,
                inviter: paired.role == Role::Inviter,
                ours: Secret::take(&mut { *paired.own_seed.expose() }),
                theirs,
            })
        });
        Ok::<_, ratchet::Error>(())
    })?;
    Ok(())
}

/// Pushes messages to where they go.
pub(crate) fn send(network: &Network, messages: &[Outgoing]) -> Result<()> {
    for Outgoing { address, bytes } in messages {
        push(network, address, bytes)?;
    }
    Ok(())
}

/// Pushes sealed bytes.
pub(super) fn push(network: &Network, address: &Address, bytes: &[u8]) -> Result<()> {
    let client = relay::client(&address.relay, network)?;
    let inbox =
        Inbox { mailbox: Mailbox(address.mailbox), capability: Some(address.capability.clone()) };
    let id = Id(crypto::sha256(&[bytes]));
    client.push(&inbox, &id, &mut Cursor::new(bytes), bytes.len() as u64)?;
    Ok(())
}

/// Says what happened.
fn tell(app: &App, me: &Me, name: &str, event: &Event) -> Result<Outcome> {
    let said = match event {
        Event::Paired(paired) => {
            let book = me.book()?;
            let name = match book.get(name) {
                Ok(known) => contact::shown(&book.lookalikes(), known),
                Err(_) => name.to_owned(),
            };
            app.ui.note(&match &paired.trust {
                Trust::Introduced(by) => format!("paired with {name}, introduced by {}", by.name),
                trust => format!("paired with {name}, by {}", contact::trust(trust)),
            });
            app.ui.note(&format!("fingerprint: {}", paired.card.fingerprint()));
            if app.ui.json {
                let book = me.book()?;
                let known = book.by_fingerprint(&paired.card.fingerprint());
                let Some(known) = known else { return Ok(Outcome::Step) };
                let object = contact::object(&book, known)?;
                writeln!(std::io::stdout(), "{}", json_line(&object))?;
            }
            return Ok(Outcome::Step);
        }
        Event::Digits(shown) => return show_digits(app, name, *shown).map(|()| Outcome::Step),
        Event::TheyConfirmed => format!("{name} typed the right digits"),
        Event::WeConfirmed => "the digits are right; the other side has not typed its own".into(),
        Event::TurnedAway(_) => "somebody else tried to use the invite, and was turned away".into(),
        Event::Ended(end) => {
            return Ok(Outcome::Ended(app.ui.error(&ended(*end).into())));
        }
        Event::Joined | Event::Answered => "the other side was answered".into(),
        _ => return Ok(Outcome::Step),
    };
    match event {
        Event::Joined | Event::Answered => app.ui.detail(&said),
        _ => app.ui.note(&said),
    }
    Ok(Outcome::Step)
}

/// Shows one's own digits, and says where the other side's go.
pub(super) fn show_digits(app: &App, name: &str, shown: Digits) -> Result<()> {
    if app.ui.json {
        let object = json!({ "schema": 1, "pairing": name, "digits": shown.to_string() });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    app.ui.note(&format!(
        "{name} must type {shown}, and you the four shown there: bulla pair --confirm {name} DIGITS"
    ));
    Ok(())
}

/// Warns of earlier attempts that did not finish: a relay that puts someone in between stalls the
/// attempts whose digits would differ.
pub(super) fn warn_of_earlier(app: &App, name: &str, earlier: Unfinished) {
    let Unfinished { attempts, last } = earlier;
    if attempts == 0 {
        return;
    }
    let count = match attempts {
        1 => "an earlier pairing".to_owned(),
        more => format!("{more} earlier pairings"),
    };
    let last = last.map(|when| format!(", the last one given up {}", date(when)));
    app.ui.warn(&format!(
        "{count} with {name} never finished{}: the network may have failed, or someone in between \
         stalled it, and each attempt gives them another try; check afterwards with: bulla contact \
         verify {name}",
        last.unwrap_or_default()
    ));
}

/// What is said of a pairing that brought no contact.
pub(super) fn ended(end: End) -> Fail {
    match end {
        End::BurntHere => Fail::new(
            Exit::SenderNotAuthenticated,
            "these are not the digits: somebody is in between, or they were mistyped",
        )
        .hint("this invite is burnt on both sides: bulla invite makes another"),
        End::BurntThere => Fail::new(
            Exit::SenderNotAuthenticated,
            "the other side typed wrong digits, and the invite is burnt",
        )
        .hint("bulla invite makes another"),
        End::WordsHere => Fail::new(
            Exit::SenderNotAuthenticated,
            "these are not the words: somebody is in between, or they were misheard or mistyped",
        )
        .hint("this invite is burnt on both sides: bulla invite --words makes another"),
        End::WordsThere => Fail::new(
            Exit::SenderNotAuthenticated,
            "whoever took up the invite gave other words, and it is burnt",
        )
        .hint("bulla invite --words makes another"),
        End::Oneself => Fail::new(Exit::Conflict, "this invite is your own"),
        _ => Fail::new(Exit::Conflict, "the invite was used or has expired")
            .hint("ask for another one"),
    }
}

/// What a pairing is called until there is a contact.
pub(super) fn title(one: &Underway) -> String {
    if !one.purpose.is_contact() {
        return "another machine".into();
    }
    one.name.clone().unwrap_or_else(|| id(one))
}

/// The id of a pairing under way, by which one without a name is called.
pub(super) fn id(one: &Underway) -> String {
    hex_encode(one.meeting.index.get(..4).unwrap_or_default())
}
