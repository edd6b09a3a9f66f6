//! What letters say from program to program.

use anyhow::{Context as _, Result};
use bulla::contact::{self, pairing};
use bulla::identity::Card;
use bulla::letter::{Letter, Notice};

use super::pair::{self, introduce};
use super::seal;
use crate::app::{App, Me};
use crate::cli::Network;

/// The sender introduces somebody: an [`Introduction`](contact::Introduction).
pub(crate) const INTRODUCTION: u16 = 1;
/// The sender, who was introduced, accepts: the line of an invite.
pub(crate) const INVITE: u16 = 2;
/// A further machine of the sender's is in use; the letter's postscript says all of it.
pub(crate) const MACHINE: u16 = 3;

/// Takes the notice of a letter that was verified and is no replay.
pub(crate) fn take(app: &App, me: &Me, letter: &Letter, notice: &Notice) -> Result<()> {
    let Some(from) = &letter.from else { return Ok(()) };
    let taken = match notice.kind {
        INTRODUCTION => introduce::heard(app, me, from, &notice.content),
        INVITE => introduce::invited(app, me, from, &notice.content),
        // What it says is in the postscript, which was heard.
        MACHINE => Ok(()),
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
    let mut letters = Vec::new();
    for (routing, sealed) in seal::notice(app, me, to, name, &notice)? {
        let relay = routing.relay.or_else(|| network.relay.clone());
        let relay = relay.with_context(|| format!("no relay is on the card of {}", to.name()))?;
        let capability = routing.capability.unwrap_or_else(|| to.capability().clone());
        let address = pairing::Address { relay, mailbox: routing.mailbox, capability };
        letters.push(pairing::Outgoing { address, bytes: sealed });
    }
    pair::push(network, &letters)
}
