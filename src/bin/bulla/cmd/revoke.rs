//! `contact revoke` and `contact remove`: what is closed, here and on the owner's other machines.
//!
//! First it is remembered that the contact is revoked, and what is to be closed; then the relays are
//! asked. What a relay could not be asked for is tried again by every later `contact revoke`,
//! `relay pull` and `pair`.

use std::io::Write as _;

use anyhow::Result;
use bulla::contact::{self, Closing, News, Pairs};
use bulla::identity::{Card, Fingerprint};
use bulla::letter::Notice;
use bulla::relay::client::Error as RelayError;
use bulla::relay::client::bearer_text;
use bulla::relay::protocol::CapabilityId;
use serde_json::json;

use super::pair::cancel;
use super::{notice, relay};
use crate::app::{App, Me, date, now};
use crate::cli::{self, Network};
use crate::exit::{Exit, Fail};
use crate::record::json_line;

pub(crate) fn revoke(app: &App, args: &cli::ContactRevoke) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let (fingerprint, name) = named(&me, &args.name)?;
    if args.undo {
        return undo(app, &me, &args.network, &fingerprint, &name);
    }
    if fingerprint == me.identity.fingerprint() {
        return Err(Fail::usage("this is your own fingerprint").into());
    }
    let before = me.book()?.revoked(&fingerprint);
    let (here, elsewhere) = mark(&me, &News::new(&fingerprint, now(), true), None)?;
    let left = settle(app, &me, &args.network)?;
    let since = me.book()?.revoked(&fingerprint).unwrap_or_default();
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "fingerprint": fingerprint.to_string(),
            "revoked": date(since),
            "mailboxes": here,
            "mailboxes_elsewhere": elsewhere,
            "open": left,
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    if before.is_some() && here + elsewhere == 0 {
        app.ui.note(&format!("{name} is revoked since {}", date(since)));
    } else {
        tell(app, &me, &name, here, elsewhere)?;
    }
    done(left)
}

/// Closes what is open for a contact, forgets the contact and keeps the mark.
pub(crate) fn remove(app: &App, args: &cli::ContactRemove) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let fingerprint = match me.book()?.get(&args.name) {
        Ok(contact) => contact.fingerprint(),
        Err(_) if me.pairs()?.introductions.get(&args.name, now()).is_ok() => {
            super::pair::introduce::refuse(app, &me, &args.name)?;
            return done(settle(app, &me, &args.network)?);
        }
        Err(unknown) => {
            return match cancel::by_name(app, &me, &args.network, &args.name)? {
                0 => Err(unknown.into()),
                _ => Ok(Exit::Done),
            };
        }
    };
    let (here, elsewhere) = mark(&me, &News::new(&fingerprint, now(), true), None)?;
    // The contact's name last: killed in between, the same can be typed again.
    me.sessions_file(&fingerprint)?.remove()?;
    me.pairs_file()?.update(|pairs| {
        pairs.unlink(&fingerprint);
        Ok::<_, contact::Error>(())
    })?;
    let gone = me.book_file()?.update(|book| book.remove(&args.name))?;
    app.ui.note(&format!("removed {}, {}", gone.name(), gone.fingerprint()));
    // What was to pair under the name as well would bring it back.
    cancel::by_name(app, &me, &args.network, &args.name)?;
    let left = settle(app, &me, &args.network)?;
    tell(app, &me, gone.name(), here, elsewhere)?;
    done(left)
}

/// Finds a contact by name, or any key by its whole fingerprint. Returns the fingerprint and a name.
fn named(me: &Me, name: &str) -> Result<(Fingerprint, String)> {
    let book = me.book()?;
    match book.get(name) {
        Ok(contact) => Ok((contact.fingerprint(), contact.name().to_owned())),
        Err(unknown) => {
            let fingerprint = Fingerprint::parse(name).map_err(|_| unknown)?;
            let known = book.by_fingerprint(&fingerprint).map(|contact| contact.name().to_owned());
            Ok((fingerprint, known.unwrap_or_else(|| fingerprint.to_string())))
        }
    }
}

/// Lifts the revocation: signed letters are accepted again. What was closed stays closed.
fn undo(
    app: &App,
    me: &Me,
    network: &Network,
    fingerprint: &Fingerprint,
    name: &str,
) -> Result<Exit> {
    if !me.pairs_file()?.update(|pairs| lift(me, pairs, fingerprint))? {
        app.ui.note(&format!("{name} is not revoked"));
        return Ok(Exit::Negative);
    }
    app.ui.note(&format!(
        "letters signed by {name} are accepted again; the mailboxes stay closed: pair again to open \
         new ones"
    ));
    done(settle(app, me, network)?)
}

/// Lifts the revocation of a fingerprint, here and with the next letters on the other machines.
/// Returns whether there was one.
pub(crate) fn lift(me: &Me, pairs: &mut Pairs, fingerprint: &Fingerprint) -> Result<bool> {
    let lifted =
        me.book_file()?.update(|book| Ok::<_, contact::Error>(book.unrevoke(fingerprint)))?;
    if lifted {
        pairs.tell_machines(&News::new(fingerprint, now(), false), None);
    }
    Ok(lifted)
}

/// Remembers that a contact is revoked, and what is to be closed: the mailboxes here, and elsewhere.
/// `by` is the machine that said so.
fn mark(me: &Me, news: &News, by: Option<&[u8; 32]>) -> Result<(usize, usize)> {
    let contact = news.contact();
    me.book_file()?.update(|book| {
        book.revoke(&contact, news.date);
        Ok::<_, contact::Error>(())
    })?;
    Ok(me.pairs_file()?.update(|pairs| {
        pairs.tell_machines(news, by);
        Ok::<_, contact::Error>(pairs.revoke(&contact))
    })?)
}

/// Says what a revocation covers.
fn tell(app: &App, me: &Me, name: &str, here: usize, elsewhere: usize) -> Result<()> {
    let count = |count: usize| match count {
        1 => "1 mailbox".to_owned(),
        count => format!("{count} mailboxes"),
    };
    app.ui.note(&format!("{name} is revoked: letters that {name} signs are refused from now on"));
    match (here, elsewhere) {
        (0, 0) => app.ui.note(&format!("there was no mailbox for {name}")),
        (here, 0) => app.ui.note(&format!("mailboxes for {name}: {} here", count(here))),
        (here, elsewhere) => app.ui.note(&format!(
            "mailboxes for {name}: {} here, {} of your other machines",
            count(here),
            count(elsewhere)
        )),
    }
    if !me.pairs()?.machines().is_empty() {
        app.ui.note("your other machines are told, and refuse from their next pull on");
    }
    app.ui.note(&format!(
        "anonymous letters cannot be refused: if {name} has a card from you that was handed out by \
         hand, bulla relay register --renew revokes the capability on it"
    ));
    Ok(())
}

fn done(left: usize) -> Result<Exit> {
    let what = match left {
        0 => return Ok(Exit::Done),
        1 => "1 thing at a relay is still open or unsaid".to_owned(),
        left => format!("{left} things at relays are still open or unsaid"),
    };
    let fail = Fail::new(Exit::Temporary, what);
    Err(fail.hint("bulla relay pull tries again, and so does the same command").into())
}

/// Does what [`settle`] does within a verb that is for something else: each relay is asked once.
pub(crate) fn settle_once(app: &App, me: &Me, network: &Network) -> Result<()> {
    settle(app, me, &Network { retry: 0, ..network.clone() }).map(drop)
}

/// Closes what is to be closed and tells the other machines what they are to be told. Returns how
/// much could not be done; why is said in warnings.
pub(crate) fn settle(app: &App, me: &Me, network: &Network) -> Result<usize> {
    let file = me.pairs_file()?;
    let mut pairs = file.read()?;
    let own = me.identity.fingerprint();
    if pairs.tidy(&own, now()) {
        file.update(|pairs| {
            pairs.tidy(&own, now());
            Ok::<_, contact::Error>(())
        })?;
        pairs = file.read()?;
    }
    let mut left = 0;
    for closing in pairs.closing(now()) {
        match close(me, network, closing) {
            Ok(()) => file.update(|pairs| {
                pairs.closed(closing);
                Ok::<_, contact::Error>(())
            })?,
            Err(error) => {
                left += 1;
                app.ui.warn(&format!("a mailbox stays open at {}: {error:#}", closing.relay()));
            }
        }
    }
    let unsaid: Vec<_> = pairs.machines().iter().filter(|it| !it.news().is_empty()).collect();
    if unsaid.is_empty() {
        return Ok(left);
    }
    let card = super::card::settle(me, |_| ())?;
    for machine in unsaid {
        let address = me.address(&machine.outbox(&me.identity));
        let notice = Notice { kind: notice::NEWS, content: machine.letter()? };
        match notice::send_to(app, me, network, &card, &address, notice) {
            Ok(()) => file.update(|pairs| {
                pairs.told(machine.id(), machine.news());
                Ok::<_, contact::Error>(())
            })?,
            Err(error) => {
                left += 1;
                app.ui.warn(&format!("another machine of yours was not told: {error:#}"));
            }
        }
    }
    Ok(left)
}

fn close(me: &Me, network: &Network, closing: &Closing) -> Result<()> {
    let client = relay::client(closing.relay(), network)?;
    let closed = match closing {
        Closing::Mailbox(own) => client.close(&me.identity.contact_mailbox(&own.index)),
        Closing::Meeting(own) => client.close(&me.identity.meeting_mailbox(&own.index)),
        Closing::Capability { capability, .. } => {
            let id = CapabilityId::of(&bearer_text(capability));
            client.revoke(&me.identity.card_mailbox(), &id)
        }
    };
    match closed {
        // It is gone: another machine closed it, or it went with its relay's store.
        Err(RelayError::NoMailbox) => Ok(()),
        closed => Ok(closed?),
    }
}

/// Takes the news of another machine of the owner.
pub(crate) fn heard(app: &App, me: &Me, from: &Card, content: &[u8]) -> Result<()> {
    if from.fingerprint() != me.identity.fingerprint() {
        app.ui.warn(&format!("{} is no machine of yours: ignored", from.fingerprint()));
        return Ok(());
    }
    let (by, all) = Pairs::read_news(content)?;
    for news in all {
        let (contact, book) = (news.contact(), me.book()?);
        let known = book.revoked(&contact);
        let name = book.by_fingerprint(&contact).map(|contact| contact.name().to_owned());
        let name = name.unwrap_or_else(|| contact.to_string());
        if news.revoked {
            if known.is_none() {
                mark(me, &news, Some(&by))?;
                app.ui.note(&format!(
                    "{name} was revoked on another machine of yours, on {}",
                    date(news.date)
                ));
            }
        } else if known.is_some_and(|since| since <= news.date) {
            me.book_file()?.update(|book| {
                book.unrevoke(&contact);
                Ok::<_, contact::Error>(())
            })?;
            me.pairs_file()?.update(|pairs| {
                pairs.tell_machines(&news, Some(&by));
                Ok::<_, contact::Error>(())
            })?;
            app.ui.note(&format!("{name} is no longer revoked, says another machine of yours"));
        }
    }
    Ok(())
}
