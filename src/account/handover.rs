//! Hand-over of everything an account has to another device of the same owner, which waits behind a
//! pairing under an identity that it throws away.
//!
//! The letter with everything waits at the relay until the new device is done, so whatever ends a run,
//! the next one continues.

use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::Event;
use crate::account::mailboxes::is_denied;
use crate::account::send::push;
use crate::contact::backup::Backup;
use crate::contact::pairing::Outgoing;
use crate::contact::{self, Machine, Own, Purpose};
use crate::identity::Card;
use crate::letter::ratchet::{Next, Sessions};
use crate::letter::{Draft, Heading, Sender};

/// Content type of the letter with everything.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.bulla.backup";

/// Hands a new device what it needs, if one waits for that behind this pairing.
pub(crate) fn serve(cx: &Context<'_>, meeting: &Own) -> Result<(), Error> {
    let account = cx.account;
    let file = account.pairs_file()?;
    let mut pairs = file.read()?;
    let Some((Purpose::Waiting(card), mailbox)) =
        pairs.at(meeting).map(|one| (one.purpose.clone(), one.mailbox.clone()))
    else {
        return Ok(());
    };
    let card = Card::from_bytes(&card)?;
    let newcomer = card.fingerprint();
    let (address, secret) =
        (pairs.machines_of(&newcomer).first().cloned(), pairs.pairwise_of(&newcomer));
    if let (Some(address), Some(secret)) = (address, secret.first()) {
        // The link with the device itself is not handed over.
        pairs.unlink(&newcomer);
        let machine = Machine::new(&newcomer, false, &mailbox.relay);
        open_between(cx, &machine);
        file.update(|pairs| {
            pairs.foresee(account.identity(), &newcomer);
            pairs.add_machine(machine);
            Ok::<_, contact::Error>(())
        })?;
        let book = account.book()?;
        let (identity, now) = (account.identity(), account.now());
        let backup = Backup::new(identity, account.key_file(), &book, &pairs, now)?;
        let own_card = account.card()?;
        let sender = Sender { identity, card: &own_card, pairwise: Some(secret) };
        let heading =
            Heading { date: now, content_type: Some(CONTENT_TYPE.into()), ..Heading::default() };
        let mut draft = Draft::new(heading, &card, Some(sender))?;
        let sessions = account.sessions_file(&newcomer)?;
        match Sessions::next(&sessions, &address.mailbox, secret, now)? {
            Next::Key(key) => draft.key = Some(*key),
            Next::Offer { .. } => return Err(Error::DeviceKeysMissing),
        }
        let mut bytes = Vec::new();
        draft.seal(backup.to_bytes()?.as_slice(), &mut bytes)?;
        match push(cx, &Outgoing { address, bytes }) {
            Ok(()) => {}
            // It has closed its mailbox: it was handed everything by a run that then ended.
            Err(Error::Relay(error)) if is_denied(&error) => {}
            Err(error) => return Err(error),
        }
        cx.events.event(Event::HandedOver);
    }
    cx.close_unneeded(&mailbox);
    file.update(|pairs| {
        pairs.serve(meeting, Purpose::Served);
        pairs.unlink(&newcomer);
        Ok::<_, contact::Error>(())
    })?;
    Ok(account.sessions_file(&newcomer)?.remove()?)
}

/// Opens the mailboxes in which two devices tell each other of revocations. Without them each closes
/// what it knows of the other, and that is all.
pub(crate) fn open_between(cx: &Context<'_>, machine: &Machine) {
    let identity = cx.account.identity();
    for own in [machine.inbox(identity), machine.outbox(identity)] {
        let opened = cx
            .relays
            .relay(&own.relay)
            .map_err(Error::from)
            .and_then(|relay| cx.open_for_letters(&*relay, &own));
        if let Err(error) = opened {
            cx.events.event(Event::DevicesApart { error });
            return;
        }
    }
}
