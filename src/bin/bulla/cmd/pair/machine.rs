//! Another machine of the same person: the one that has everything hands it over, the new one takes
//! it and tells the contacts.
//!
//! The two pair as strangers do. The new machine has an identity for it that it throws away, in a
//! file that also says that it is being taken into use; the letter with everything waits at the relay
//! until it is done, so whatever ends a run, the next one goes on.

use anyhow::Result;
use bulla::contact::backup::Backup;
use bulla::contact::pairing::Invite;
use bulla::contact::{self, Machine, Own, Purpose};
use bulla::identity::Card;
use bulla::letter::ratchet::{Next, Sessions};
use bulla::letter::{Draft, Heading, Sender};
use bulla::relay::client::Error as RelayError;
use bulla::secret::SecretString;
use bulla::text;

use super::super::card::settle;
use super::super::relay;
use super::open_for_letters;
use super::step::{self};
use crate::app::{App, Me, now};
use crate::cli::Network;
use crate::exit::{Exit, Fail};

/// Human-readable part of an invite for a machine. The rest is that of a secret invite.
const PREFIX: &str = "bulla-device-";
const INVITE: &str = "bulla-invite-";
/// The content type of the letter with everything.
pub(super) const TYPE: &str = "application/vnd.bulla.backup";

// ---- the line ----

pub(super) fn to_line(invite: &Invite) -> Result<SecretString> {
    Ok(text::bech32_encode(PREFIX, &text::bech32_decode(INVITE, &invite.to_line()?)?))
}

pub(super) fn is_line(line: &str) -> bool {
    may_begin(line.as_bytes())
}

/// Whether what begins with these bytes may be an invite for a machine.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    bytes.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX.as_bytes()))
}

pub(super) fn parse(line: &str) -> Result<Invite> {
    let line = line.trim();
    let lower = line.bytes().any(|byte| byte.is_ascii_lowercase());
    // From a QR code it comes in upper case.
    let line: SecretString = if lower { line.to_owned() } else { line.to_ascii_lowercase() }.into();
    let record = text::bech32_decode(PREFIX, &line).map_err(|error| {
        Fail::new(Exit::Malformed, format!("not an invite for a machine: {error}"))
            .hint("bulla invite --device makes one, which is one long line")
    })?;
    Ok(Invite::parse(&text::bech32_encode(INVITE, &record))?)
}

// ---- the machine that has everything ----

/// Hands a machine what it needs, if one waits for that behind this pairing.
pub(super) fn serve(app: &App, me: &Me, network: &Network, meeting: &Own) -> Result<()> {
    let file = me.pairs_file()?;
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
        // The link with the machine itself is not handed over.
        pairs.unlink(&newcomer);
        let machine = Machine::new(&newcomer, false, &mailbox.relay);
        open_between(app, me, network, &machine, None);
        file.update(|pairs| {
            pairs.foresee(&me.identity, &newcomer);
            pairs.add_machine(machine);
            Ok::<_, contact::Error>(())
        })?;
        let key_file = me.key_file.as_ref().map_or(&[][..], |bytes| bytes);
        let backup = Backup::new(&me.identity, key_file, &me.book()?, &pairs, now())?;
        let own_card = settle(me, |_| ())?;
        let sender = Sender { identity: &me.identity, card: &own_card, pairwise: Some(secret) };
        let heading =
            Heading { date: now(), content_type: Some(TYPE.into()), ..Heading::default() };
        let mut draft = Draft::new(heading, &card, Some(sender))?;
        match Sessions::next(&me.sessions_file(&newcomer)?, &address.mailbox, secret, now())? {
            Next::Key(key) => draft.key = Some(*key),
            Next::Offer { .. } => {
                let fail = Fail::new(Exit::Conflict, "the keys for the other machine are not here");
                return Err(fail.hint("begin again: bulla invite --device").into());
            }
        }
        let mut sealed = Vec::new();
        draft.seal(backup.to_bytes()?.as_slice(), &mut sealed)?;
        match step::push(network, &address, &sealed) {
            Ok(()) => {}
            // It has closed its mailbox: it was handed everything by a run that then ended.
            Err(error) if is_denied(&error) => {}
            Err(error) => return Err(error),
        }
        app.ui.note("your other machine was handed what it needs, and tells your contacts");
    }
    close(app, me, network, &mailbox);
    file.update(|pairs| {
        pairs.serve(meeting, Purpose::Served);
        pairs.unlink(&newcomer);
        Ok::<_, contact::Error>(())
    })?;
    Ok(me.sessions_file(&newcomer)?.remove()?)
}

pub(crate) fn is_denied(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(RelayError::Denied | RelayError::NoMailbox))
}

/// Opens the mailboxes in which two machines tell each other of revocations. Without them each
/// closes what it knows of the other, and that is all.
pub(super) fn open_between(
    app: &App,
    me: &Me,
    network: &Network,
    machine: &Machine,
    token: Option<&SecretString>,
) {
    for own in [machine.inbox(&me.identity), machine.outbox(&me.identity)] {
        let opened = relay::client(&own.relay, network)
            .and_then(|client| open_for_letters(me, &*client, &own, token));
        if let Err(error) = opened {
            app.ui.warn(&format!(
                "your machines cannot tell each other of revocations, so revoke on each: {error:#}"
            ));
            return;
        }
    }
}

/// Closes a mailbox that was made for the other machine. A relay that is away keeps an empty one.
pub(super) fn close(app: &App, me: &Me, network: &Network, own: &Own) {
    let closed = relay::client(&own.relay, network)
        .and_then(|client| Ok(client.close(&me.identity.contact_mailbox(&own.index))?));
    match closed {
        Err(error) if !is_denied(&error) => {
            app.ui.warn(&format!("a mailbox that is not needed stays at its relay: {error}"));
        }
        _ => {}
    }
}
