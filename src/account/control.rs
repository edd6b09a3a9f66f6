//! Control messages: what letters say from program to program.

use crate::account::account::Account;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::account::send::kind;
use crate::account::{introduce, revoke, successor};
use crate::contact;
use crate::letter::{Letter, Notice};

/// Takes the control message of a letter that was verified and is no replay.
///
/// What its sender did wrong is an event, and does not keep the letters behind it.
pub(crate) fn take(
    account: &Account,
    events: &dyn Events,
    letter: &Letter,
    notice: &Notice,
) -> Result<(), Error> {
    let Some(from) = &letter.from else { return Ok(()) };
    let content = &notice.content;
    let taken = match notice.kind {
        kind::INTRODUCTION => introduce::take_introduction(account, events, from, content),
        kind::INVITE => introduce::take_invite(account, events, from, content),
        // What it says is in the postscript, which was taken.
        kind::MACHINE => Ok(()),
        kind::SUCCESSOR => successor::take_announcement(account, events, from, content),
        kind::NEWS => revoke::take_news(account, events, from, content),
        kind => {
            events.event(Event::UnknownControl { kind, name: from.name() });
            Ok(())
        }
    };
    match taken {
        Err(error @ (Error::Contact(contact::Error::State(_)) | Error::State(_))) => Err(error),
        Err(error @ (Error::Contact(_) | Error::Pairing(_) | Error::Record(_))) => {
            events.event(Event::ControlRefused { name: from.name(), error: &error });
            Ok(())
        }
        taken => taken,
    }
}
