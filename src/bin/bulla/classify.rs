//! From an error of the library to an exit status and a hint: the one table of both.

use std::error::Error;
use std::io;

use bulla::letter::ratchet;
use bulla::relay;
#[cfg(feature = "serve")]
use bulla::relay::server;
use bulla::{account, age, contact, crypto, identity, letter, state, text, wire};

use crate::exit::{Exit, Fail};

/// What to type where there is no identity.
pub(crate) const NO_IDENTITY: &str =
    "make one with: bulla keygen --default, or name one with -i FILE";

type Verdict = (Exit, Option<String>);

/// The status of an error, and what to type next. The outermost cause that says something wins.
pub(crate) fn classify(error: &(dyn Error + 'static)) -> Verdict {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.find_map(one).unwrap_or((Exit::Failure, None))
}

fn one(cause: &(dyn Error + 'static)) -> Option<Verdict> {
    if let Some(fail) = cause.downcast_ref::<Fail>() {
        return Some((fail.exit, fail.hint.clone()));
    }
    cause
        .downcast_ref()
        .and_then(account)
        .or_else(|| cause.downcast_ref::<Box<account::Error>>().and_then(|inner| account(inner)))
        .or_else(|| cause.downcast_ref().and_then(age))
        .or_else(|| cause.downcast_ref().and_then(key))
        .or_else(|| cause.downcast_ref().and_then(identity))
        .or_else(|| cause.downcast_ref().and_then(contact))
        .or_else(|| cause.downcast_ref().and_then(pairing))
        .or_else(|| cause.downcast_ref().and_then(letter))
        .or_else(|| cause.downcast_ref().and_then(ratchet))
        .or_else(|| cause.downcast_ref().and_then(state))
        .or_else(|| cause.downcast_ref().and_then(relay))
        .or_else(|| serving(cause))
        .or_else(|| cause.downcast_ref().and_then(backup))
        .or_else(|| index(cause))
        .or_else(|| cause.downcast_ref().and_then(record))
        .or_else(|| cause.downcast_ref::<text::Error>().map(|_| (Exit::Malformed, None)))
        .or_else(|| cause.downcast_ref::<crypto::Error>().map(|_| (Exit::Damaged, None)))
        .or_else(|| cause.downcast_ref().and_then(io))
}

fn verdict(exit: Exit, hint: &str) -> Option<Verdict> {
    Some((exit, Some(hint.to_owned())))
}

fn account(error: &account::Error) -> Option<Verdict> {
    use account::Error as E;
    Some(match error {
        E::NoState => return verdict(Exit::InputMissing, "set BULLA_HOME to a folder"),
        E::NoIdentity => return verdict(Exit::InputMissing, NO_IDENTITY),
        E::LetterInUse => return verdict(Exit::Temporary, "try again when it has ended"),
        E::OwnFingerprint => (Exit::Usage, None),
        E::IdentityIsNew => return verdict(Exit::Conflict, "bulla pair tells them"),
        E::KeyErased => {
            return verdict(Exit::Conflict, "its key was erased then: ask for it again");
        }
        E::KeyMissing => {
            return verdict(
                Exit::NoIdentityFits,
                "if a contact's letters do not open any more: bulla contact renew NAME, and write to \
                 him",
            );
        }
        // Another machine with this mailbox may have the key that is not here.
        E::SessionLost { name } => {
            (Exit::NoIdentityFits, Some(format!("write to {name}, and ask for it again")))
        }
        E::SessionConflict { name } => {
            (Exit::Conflict, Some(format!("write to {name}, and ask for it again")))
        }
        E::OtherSender | E::OtherHandover => (Exit::SenderNotAuthenticated, None),
        E::Revoked { name, .. } => (
            Exit::SenderNotAuthenticated,
            Some(format!("bulla contact revoke --undo {name} accepts them again")),
        ),
        E::Replay { .. } => return verdict(Exit::Conflict, "--again opens it again"),
        E::NoCapability { title, name, .. } => {
            let name = name.as_deref().unwrap_or("NAME");
            let hint = format!(
                "ask {title} for a card made with bulla card, then: bulla contact add {name} CARD"
            );
            (Exit::Usage, Some(hint))
        }
        E::NoRelay => {
            return verdict(Exit::Usage, "name it with --relay URL, or in BULLA_RELAY");
        }
        E::MailboxGone { name, .. } => (
            Exit::Refused,
            Some(format!("{name} can no longer write to you: pair with {name} again")),
        ),
        E::LastGeneration => (Exit::Usage, None),
        E::NoHandover | E::NotALetter => (Exit::Malformed, None),
        // A transparent error is not among its own causes: what lies inside decides.
        E::Contact(inner) => return contact(inner),
        E::Pairing(inner) => return pairing(inner),
        E::Letter(inner) => return letter(inner),
        E::Ratchet(inner) => return ratchet(inner),
        E::Age(inner) => return age(inner),
        E::Identity(inner) => return identity(inner),
        E::Relay(inner) => return relay(inner),
        E::Backup(inner) => return backup(inner),
        E::Record(inner) => return record(inner),
        E::State(inner) => return state(inner),
        E::Text(_) => (Exit::Malformed, None),
        E::Crypto(_) => (Exit::Damaged, None),
        E::Io(inner) => return io(inner),
        other => return pairing_of_account(other),
    })
}

/// Those of pairings, introductions and devices.
fn pairing_of_account(error: &account::Error) -> Option<Verdict> {
    use account::Error as E;
    match error {
        E::PairingEnded(end) => Some(ended(*end)),
        E::OwnInvite => Some((Exit::Conflict, None)),
        E::InviteUsed => verdict(Exit::Conflict, "ask for another one"),
        E::DeviceInvite(_) => {
            verdict(Exit::Malformed, "bulla invite --device makes one, which is one long line")
        }
        E::InvitesNamed { .. } => verdict(Exit::Usage, "bulla invite --list"),
        E::OtherCard { name } => Some((
            Exit::SenderNotAuthenticated,
            Some(format!("pair with {name} again, over a channel you trust")),
        )),
        E::OtherCardIntroduced { by, .. } => Some((
            Exit::SenderNotAuthenticated,
            Some(format!("ask {by}, and have him introduce you again")),
        )),
        E::RevokedJoined { .. } => verdict(
            Exit::SenderNotAuthenticated,
            "to pair with that contact again, make a new invite: bulla invite",
        ),
        E::NotPaired { .. } => {
            verdict(Exit::Conflict, "letters to his card have no keys to renew: bulla invite")
        }
        E::IntroducedUnreachable { by, .. } => {
            Some((Exit::Conflict, Some(format!("ask {by} to introduce you by a newer card"))))
        }
        E::SuccessorRenamed => verdict(Exit::Usage, "leave --as out, and rename the contact later"),
        E::DevicesNamed { name, .. } => {
            Some((Exit::Usage, Some(format!("bulla contact show {name}"))))
        }
        E::DeviceKeysMissing => verdict(Exit::Conflict, "begin again: bulla invite --device"),
        _ => None,
    }
}

/// A pairing that brought no contact.
fn ended(end: contact::pairing::End) -> Verdict {
    use contact::pairing::End;
    let (exit, hint) = match end {
        End::BurntHere => (
            Exit::SenderNotAuthenticated,
            "this invite is burnt on both sides: bulla invite makes another",
        ),
        End::BurntThere => (Exit::SenderNotAuthenticated, "bulla invite makes another"),
        End::WordsHere => (
            Exit::SenderNotAuthenticated,
            "this invite is burnt on both sides: bulla invite --words makes another",
        ),
        End::WordsThere => (Exit::SenderNotAuthenticated, "bulla invite --words makes another"),
        End::Oneself => return (Exit::Conflict, None),
        _ => (Exit::Conflict, "ask for another one"),
    };
    (exit, Some(hint.to_owned()))
}

fn age(error: &age::Error) -> Option<Verdict> {
    use age::Error as E;
    Some(match error {
        E::Armor(_)
        | E::Header(_)
        | E::Version
        | E::HeaderTooLong { .. }
        | E::WorkFactor { .. } => (Exit::Malformed, None),
        E::Mangled(_) => {
            return verdict(Exit::Malformed, "send it as a file, or seal it again with --armor");
        }
        E::NoMatch => {
            return verdict(
                Exit::NoIdentityFits,
                "name the identity it was sealed to with -i FILE",
            );
        }
        E::WrongPassphrase => (Exit::WrongPassphrase, None),
        E::HeaderMac | E::Payload { .. } | E::Truncated | E::Trailing => {
            return verdict(Exit::Damaged, "fetch it again, or ask for it again");
        }
        E::NoRecipients => return verdict(Exit::Usage, "say to whom: --to, -r, -R or -p"),
        E::MixedRecipients => {
            return verdict(Exit::Usage, "seal twice, once for each kind of recipient");
        }
        E::PassphraseNotAlone => return verdict(Exit::Usage, "seal twice"),
        // A transparent error is not among its own causes: what lies inside decides.
        E::Key(inner) => return key(inner),
        E::Io(inner) => return io(inner),
        _ => return None,
    })
}

fn key(error: &age::KeyError) -> Option<Verdict> {
    use age::KeyError as E;
    match error {
        E::IsIdentity => verdict(
            Exit::Malformed,
            "seal to its recipient, which is: bulla card --recipient -i FILE",
        ),
        E::Ssh | E::Plugin(_) => verdict(Exit::Malformed, "make a key with: bulla keygen --age"),
        _ => Some((Exit::Malformed, None)),
    }
}

fn identity(error: &identity::Error) -> Option<Verdict> {
    use identity::Error as E;
    match error {
        E::WrongPassphrase => Some((Exit::WrongPassphrase, None)),
        E::CardSignature => verdict(Exit::SenderNotAuthenticated, "ask for the card again"),
        E::CardName { .. } | E::CardRelay { .. } => Some((Exit::Usage, None)),
        E::KeyfileEmpty | E::KeyfileText | E::KeyfileLine { .. } | E::KeyfileLength { .. } => {
            verdict(Exit::Malformed, "an identity is a file that bulla keygen wrote")
        }
        E::Locked(inner) | E::Age(inner) => age(inner),
        E::Record(inner) => record(inner),
        E::Crypto(_) => None,
        _ => Some((Exit::Malformed, None)),
    }
}

fn contact(error: &contact::Error) -> Option<Verdict> {
    use contact::Error as E;
    match error {
        E::Unknown(_) => verdict(Exit::Usage, "bulla contact list shows whom you know"),
        E::Name { .. } => Some((Exit::Usage, None)),
        E::NotIntroduced(_) => verdict(Exit::Usage, "bulla contact list shows who was introduced"),
        E::Oneself | E::Note { .. } => Some((Exit::Usage, None)),
        E::Unreachable => verdict(
            Exit::Conflict,
            "ask one of them for a newer card, and take it with: bulla contact add NAME CARD",
        ),
        E::HandedCard(_) => verdict(
            Exit::Conflict,
            "pair with that contact first: bulla invite --as NAME, or bulla pair",
        ),
        E::Introduction(_) | E::NotPrivate => Some((Exit::Malformed, None)),
        E::NameTaken(_) => {
            verdict(Exit::Conflict, "choose another name, or: bulla contact rename OLD NEW")
        }
        E::CardKnown(_) => verdict(Exit::Conflict, "bulla contact rename OLD NEW"),
        E::CardOlder(_) | E::Full { .. } | E::TooMany { .. } | E::Exhausted(_) => {
            Some((Exit::Conflict, None))
        }
        E::State(inner) => state(inner),
        E::Card(inner) => identity(inner),
        _ => None,
    }
}

fn state(error: &state::Error) -> Option<Verdict> {
    use state::Error as E;
    match error {
        E::Damaged { .. } => {
            verdict(Exit::Damaged, "is it another identity's? else bulla restore --force BACKUP")
        }
        E::Record(_) => Some((Exit::Malformed, None)),
        E::Io(inner) => io(inner),
        _ => None,
    }
}

fn ratchet(error: &ratchet::Error) -> Option<Verdict> {
    use ratchet::Error as E;
    match error {
        E::Malformed(_) => Some((Exit::Malformed, None)),
        E::Damaged | E::Record(_) => verdict(Exit::Damaged, "fetch it again, or ask for it again"),
        E::Key(_) => Some((Exit::SenderNotAuthenticated, None)),
        E::Spent => Some((Exit::Conflict, None)),
        E::Exhausted => verdict(Exit::Conflict, "bulla contact renew NAME"),
        E::State(inner) => state(inner),
        _ => None,
    }
}

fn pairing(error: &contact::pairing::Error) -> Option<Verdict> {
    use contact::pairing::Error as E;
    match error {
        E::Line(_) | E::Record(_) | E::Encoding | E::Relay(_) | E::Mailbox => {
            verdict(Exit::Malformed, "bulla invite makes an invite, which is one long line")
        }
        E::Expired { .. } => verdict(Exit::Conflict, "ask for another one: bulla invite"),
        E::Digits | E::OwnDigits | E::SafetyNumber => Some((Exit::Usage, None)),
        E::Word { nearest, .. } => {
            verdict(Exit::Usage, &format!("did you hear {nearest:?}? nothing was tried yet"))
        }
        E::WordCount { .. } => {
            verdict(Exit::Usage, "type them with blanks or hyphens between; nothing was tried yet")
        }
        E::OtherMethod => verdict(
            Exit::SenderNotAuthenticated,
            "ask the inviter, over a channel you trust, which method to use, and for a new invite",
        ),
        E::NoDigits | E::Confirmed => Some((Exit::Conflict, None)),
        E::Key(_)
        | E::Share(_)
        | E::Commitment
        | E::Forged
        | E::Malformed(_)
        | E::Card(_)
        | E::CardChanged
        | E::CardBorrowed => Some((Exit::SenderNotAuthenticated, None)),
        _ => None,
    }
}

fn letter(error: &letter::Error) -> Option<Verdict> {
    use letter::Error as E;
    match error {
        E::Forged | E::Unproven(_) | E::ForgedBody | E::SenderCard(_) | E::Readdressed { .. } => {
            verdict(Exit::SenderNotAuthenticated, "do not trust it; ask its sender another way")
        }
        // Its own message says what failed, before this one.
        E::Source { status } => Some((Exit::of_source(*status), None)),
        E::Truncated(_) | E::Hash => verdict(Exit::Damaged, "fetch it again, or ask for it again"),
        E::Malformed { .. } => Some((Exit::Malformed, None)),
        E::Heading { .. } | E::NotTheSender => Some((Exit::Usage, None)),
        // Their text is that of what they carry, so it is not among their causes.
        E::Age(inner) => age(inner),
        E::Record(inner) => record(inner),
        E::Io(inner) | E::Output(inner) => io(inner),
        _ => None,
    }
}

fn relay(error: &relay::client::Error) -> Option<Verdict> {
    use relay::client::Error as E;
    match error {
        E::Url { .. } | E::Proxy { .. } => Some((Exit::Usage, None)),
        E::Authorities { .. } => Some((Exit::InputMissing, None)),
        E::Temporary { retry_after: Some(after), .. } => {
            verdict(Exit::Temporary, &format!("sleep {}, and try again", after.as_secs()))
        }
        E::Temporary { .. } => verdict(Exit::Temporary, "try again later"),
        E::Full(_) => {
            verdict(Exit::Temporary, "try again when its owner has made room: bulla relay pull")
        }
        E::Work(_) => verdict(
            Exit::Temporary,
            "try again later, or ask for a card, with which no work is asked: bulla contact add NAME CARD",
        ),
        E::NoMailbox => verdict(Exit::Refused, "bulla relay register --relay URL"),
        E::Denied => verdict(
            Exit::Refused,
            "ask for a newer card, and take it with: bulla contact add NAME CARD",
        ),
        E::Refused { code, .. } => match code.as_str() {
            "token" => verdict(
                Exit::Refused,
                "bulla relay register --token FILE, with a token of the relay's operator",
            ),
            "too_large" => verdict(Exit::Refused, "split -b 512M FILE, and seal each part"),
            "misdirected" => verdict(
                Exit::Refused,
                "the relay's operator adds its name: bulla relay serve --name HOST[:PORT]",
            ),
            _ => Some((Exit::Refused, None)),
        },
        E::Clock { .. } => verdict(
            Exit::Refused,
            "compare both with the right time: set this machine's clock if it is wrong, else tell \
             the relay's operator",
        ),
        E::Version { .. } => verdict(
            Exit::Refused,
            "use a version of bulla that speaks one of them, or another relay",
        ),
        E::NoMessage(_) | E::Insecure(_) | E::Protocol(_) => Some((Exit::Refused, None)),
        E::WrongHash(_) => Some((Exit::Damaged, None)),
        E::SpoolInUse { .. } => verdict(
            Exit::Temporary,
            "another pull is at work, or a command that one gave a letter to: wait for it",
        ),
        E::Io(inner) => io(inner),
        _ => None,
    }
}

/// Returns the verdict on an error of those who serve a relay.
#[cfg(feature = "serve")]
fn serving(cause: &(dyn Error + 'static)) -> Option<Verdict> {
    cause
        .downcast_ref()
        .and_then(server)
        .or_else(|| cause.downcast_ref().and_then(store))
        .or_else(|| cause.downcast_ref().and_then(tls))
        .or_else(|| cause.downcast_ref().and_then(relay_backup))
}

#[cfg(not(feature = "serve"))]
fn serving(_: &(dyn Error + 'static)) -> Option<Verdict> {
    None
}

#[cfg(feature = "serve")]
fn server(error: &server::Error) -> Option<Verdict> {
    match error {
        server::Error::Nameless(_) => verdict(Exit::Usage, "--name HOST:PORT"),
        server::Error::Store(inner) => store(inner),
        _ => None,
    }
}

#[cfg(feature = "serve")]
fn store(error: &relay::store::Error) -> Option<Verdict> {
    use relay::store::Error as E;
    match error {
        E::InUse(_) => verdict(Exit::Temporary, "another relay serves this store"),
        E::Unavailable(_) => Some((Exit::Temporary, None)),
        _ => Some((Exit::Failure, None)),
    }
}

fn backup(error: &contact::backup::Error) -> Option<Verdict> {
    use contact::backup::Error as E;
    match error {
        E::Malformed(_) => verdict(Exit::Malformed, "a backup is what bulla backup wrote"),
        E::Locked => {
            verdict(Exit::Usage, "seal it to a passphrase with -p, or to a key kept elsewhere")
        }
        E::Identity(inner) => identity(inner),
        // Their text is that of what they carry, so it is not among their causes.
        E::Record(inner) => record(inner),
        E::Age(inner) => age(inner),
        E::Contact(inner) => contact(inner),
        _ => None,
    }
}

#[cfg(feature = "serve")]
fn relay_backup(error: &server::admin::backup::Error) -> Option<Verdict> {
    use server::admin::backup::Error as E;
    match error {
        E::Malformed(_) => verdict(Exit::Malformed, "a backup is what bulla relay backup wrote"),
        E::Truncated(_) => verdict(Exit::Damaged, "take an older backup"),
        E::Io(inner) => io(inner),
        _ => None,
    }
}

#[cfg(feature = "serve")]
fn tls(error: &server::tls::Error) -> Option<Verdict> {
    use server::tls::Error as E;
    match error {
        E::File { error, .. } => io(error),
        E::Malformed { .. } => verdict(Exit::Malformed, "certificates and keys are in PEM"),
        E::Authority(_) => Some((Exit::Temporary, None)),
        _ => None,
    }
}

#[cfg(not(feature = "index"))]
fn index(_: &(dyn Error + 'static)) -> Option<Verdict> {
    None
}

#[cfg(feature = "index")]
fn index(cause: &(dyn Error + 'static)) -> Option<Verdict> {
    use bulla::index::Error as E;
    match cause.downcast_ref::<E>()? {
        E::Missing(_) => verdict(Exit::InputMissing, "make one with: bulla index build PATH"),
        E::Exists(_) => Some((Exit::OutputExists, None)),
        E::Foreign(_) => verdict(Exit::Malformed, "choose another folder with --index DIR"),
        E::Key(_) => verdict(Exit::NoIdentityFits, "name the identity that built it with -i FILE"),
        E::Version { .. } | E::Another(_) => verdict(
            Exit::Malformed,
            "keep it, and build another one: bulla index build --index DIR",
        ),
        E::Stems { .. } => {
            verdict(Exit::Conflict, "leave --stem out, or give another index: --index DIR")
        }
        E::Pattern { .. } => verdict(Exit::Usage, "see man gitignore"),
        E::Busy(_) => verdict(Exit::Temporary, "wait for the other writer"),
        E::Damaged(_) => verdict(Exit::Damaged, "bulla index verify says where"),
        E::Query(_) | E::Tag(_) | E::Tags { .. } => Some((Exit::Usage, None)),
        E::UnknownId(_) => Some((Exit::Negative, None)),
        E::AmbiguousId(_) => verdict(Exit::Usage, "give more of the id"),
        E::Io { error, .. } if is_full(error) => {
            verdict(Exit::Failure, "the index is as it was: make room, and do it again")
        }
        E::Io { error, .. } => io(error),
        _ => None,
    }
}

#[cfg(feature = "index")]
/// Whether there is no room for what was to be written.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn record(error: &wire::Error) -> Option<Verdict> {
    match error {
        wire::Error::Io(inner) => io(inner),
        _ => Some((Exit::Malformed, None)),
    }
}

fn io(error: &io::Error) -> Option<Verdict> {
    // What a reader or writer of ours put inside says more.
    if let Some(verdict) = error.get_ref().and_then(|inner| one(inner)) {
        return Some(verdict);
    }
    Some(match error.kind() {
        io::ErrorKind::BrokenPipe => (Exit::ClosedPipe, None),
        io::ErrorKind::AlreadyExists => (Exit::OutputExists, None),
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory => (Exit::InputMissing, None),
        io::ErrorKind::UnexpectedEof => (Exit::Damaged, None),
        io::ErrorKind::FileTooLarge => (Exit::Malformed, None),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
