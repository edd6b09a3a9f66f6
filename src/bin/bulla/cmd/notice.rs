//! What letters say from program to program.

use anyhow::{Context as _, Result};
use bulla::contact::{self, pairing};
use bulla::identity::Card;
use bulla::letter::{Letter, Notice};

use super::pair::{self, introduce, succession};
use super::{revoke, seal};
use crate::app::{App, Me};
use crate::cli::Network;

/// The sender introduces somebody: an [`Introduction`](contact::Introduction).
pub(crate) const INTRODUCTION: u16 = 1;
/// The sender, who was introduced, accepts: the line of an invite.
pub(crate) const INVITE: u16 = 2;
/// A further machine of the sender's is in use; the letter's postscript says all of it.
pub(crate) const MACHINE: u16 = 3;
/// The sender's identity was stolen, and has a successor: a [`Succession`](contact::Succession).
pub(crate) const SUCCESSOR: u16 = 4;
/// From a machine to another of the same owner: contacts were revoked.
pub(crate) const NEWS: u16 = 5;

/// Takes the notice of a letter that was verified and is no replay.
pub(crate) fn take(app: &App, me: &Me, letter: &Letter, notice: &Notice) -> Result<()> {
    let Some(from) = &letter.from else { return Ok(()) };
    let taken = match notice.kind {
        INTRODUCTION => introduce::heard(app, me, from, &notice.content),
        INVITE => introduce::invited(app, me, from, &notice.content),
        // What it says is in the postscript, which was heard.
        MACHINE => Ok(()),
        SUCCESSOR => succession::heard(app, me, from, &notice.content),
        NEWS => revoke::heard(app, me, from, &notice.content),
        kind => {
            app.ui.warn(&format!(
                "a notice of kind {kind} from {} is not understood: is there a newer bulla?",
                from.name()
            ));
            Ok(())
        }
    };
    // What its sender did wrong does not keep the letters behind it.
    let Err(error) = taken else { return Ok(()) };
    match error.downcast_ref::<contact::Error>() {
        Some(contact::Error::State(_)) => return Err(error),
        None if error.downcast_ref::<pairing::Error>().is_none() => return Err(error),
        _ => {}
    }
    app.ui.warn(&format!("a notice from {} is refused: {error}", from.name()));
    Ok(())
}

/// Sends a notice to somebody: to every machine of one who is paired with, else to his card.
pub(crate) fn send(
    app: &App,
    me: &Me,
    network: &Network,
    to: &Card,
    name: Option<&str>,
    notice: Notice,
) -> Result<()> {
    pair::push(network, &sealed(app, me, network, to, name, &notice)?)
}

/// Seals a notice, and sends nothing.
pub(crate) fn sealed(
    app: &App,
    me: &Me,
    network: &Network,
    to: &Card,
    name: Option<&str>,
    notice: &Notice,
) -> Result<Vec<pairing::Outgoing>> {
    let mut letters = Vec::new();
    for (routing, sealed) in seal::notice(app, me, to, name, None, notice)? {
        let relay = routing.relay.or_else(|| network.relay.clone());
        let relay = relay.with_context(|| format!("no relay is on the card of {}", to.name()))?;
        let capability =
            routing.capability.with_context(|| format!("{} has no mailbox", to.name()))?;
        let address = pairing::Address { relay, mailbox: routing.mailbox, capability };
        letters.push(pairing::Outgoing { address, bytes: sealed });
    }
    Ok(letters)
}

/// Sends a notice to one address.
pub(crate) fn send_to(
    app: &App,
    me: &Me,
    network: &Network,
    to: &Card,
    address: &pairing::Address,
    notice: Notice,
) -> Result<()> {
    let sealed = seal::notice(app, me, to, None, Some(address), &notice)?;
    let outgoing = |(_, bytes)| pairing::Outgoing { address: address.clone(), bytes };
    let letters: Vec<_> = sealed.into_iter().map(outgoing).collect();
    pair::push(network, &letters)
}
