//! Why an operation on an account failed.

use std::io;
use std::path::PathBuf;

use crate::age;
use crate::contact::pairing::{self, End};
use crate::contact::{self, backup};
use crate::crypto;
use crate::identity;
use crate::kem;
use crate::letter::{self, ratchet};
use crate::relay::client::Error as RelayError;
use crate::state;
use crate::text::{self, hex_encode};
use crate::wire;

/// Why an operation on an account failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // -- the account --
    /// An account without a home keeps no state.
    #[error("there is no home folder that state can be kept in")]
    NoState,
    /// No identity of the caller's is the recipient.
    #[error("there is no identity")]
    NoIdentity,
    /// The operating system gave no lock.
    #[error("cannot take a lock in the state folder")]
    Lock(#[source] io::Error),
    /// Another process opens the letter.
    #[error("another process has this letter in hand")]
    LetterInUse,
    /// The fingerprint is the account's own.
    #[error("this is your own fingerprint")]
    OwnFingerprint,
    /// Contacts are still to be told of this identity, so it cannot be replaced.
    #[error("this identity is new: contacts are still to be told")]
    IdentityIsNew,

    // -- letters --
    /// The key of a letter was erased when it was opened before.
    #[error("this letter was opened before")]
    KeyErased,
    /// No session has the key of a letter.
    #[error(
        "this letter's key is not here: it was erased, is another machine's, or another identity's"
    )]
    KeyMissing,
    /// A letter answers a key that this state does not have.
    #[error(
        "a letter from {name} cannot be opened: it answers a key that is not here: this state is a \
         copy, or a backup"
    )]
    SessionLost {
        /// The contact.
        name: String,
    },
    /// Two letters were sealed under one key.
    #[error(
        "a letter from {name} cannot be opened: its number was used: it was sealed from a copy of the \
         sender's state, or a backup"
    )]
    SessionConflict {
        /// The contact.
        name: String,
    },
    /// A letter under the keys of one contact names another as its sender.
    #[error("a letter under the keys of one contact names another as its sender")]
    OtherSender,
    /// A letter of a revoked contact.
    #[error(
        "letter from {name} refused and dropped: the contact was revoked on {}",
        text::date(*since)
    )]
    Revoked {
        /// The contact, or the fingerprint of a stranger.
        name: String,
        /// When it was revoked, in seconds of Unix time.
        since: u64,
    },
    /// A letter that was opened before.
    #[error("letter {} was opened before", hex_encode(id))]
    Replay {
        /// Its id.
        id: [u8; 16],
    },
    /// A plain age file where letters are expected.
    #[error("expected a letter, got a sealed file without a sender")]
    NotALetter,
    /// A letter would go to the mailbox on a card, and the card has no capability.
    #[error(
        "{} goes to the mailbox on a card that was handed out by hand, and the card of {title} here \
         has no capability to push",
        if *anonymous { "an anonymous letter" } else { "a letter" }
    )]
    NoCapability {
        /// What the recipient is called.
        title: String,
        /// The name in the contact book.
        name: Option<String>,
        /// Whether the letter hides its sender.
        anonymous: bool,
    },

    // -- relays --
    /// No relay is named, and the account registered at none.
    #[error("no relay is named")]
    NoRelay,
    /// No relay of the account's is known.
    #[error("no relay of yours is known")]
    NoOwnRelay,
    /// A card names no relay.
    #[error("no relay is on the card of {name}")]
    NoRelayOnCard {
        /// The card's owner.
        name: String,
    },
    /// A letter has no mailbox to go to.
    #[error("{name} has no mailbox")]
    NoMailbox {
        /// The recipient.
        name: String,
    },
    /// The relay does not have a mailbox that was made for a contact.
    #[error("the mailbox for {name} at {relay}: {}", RelayError::NoMailbox)]
    MailboxGone {
        /// The contact.
        name: String,
        /// The relay's URL.
        relay: String,
    },
    /// Mailboxes at a relay failed alike.
    #[error("{mailboxes} at {relay}")]
    Mailboxes {
        /// Which they are, in words.
        mailboxes: String,
        /// The relay's URL.
        relay: String,
        /// Why.
        source: Box<Error>,
    },
    /// The card's capability cannot be renewed again.
    #[error("there is no further generation")]
    LastGeneration,

    // -- pairing --
    /// A pairing ended without a contact.
    #[error("{}", ended(*.0))]
    PairingEnded(End),
    /// The invite was made by this account.
    #[error("this invite is your own")]
    OwnInvite,
    /// The relay takes nothing for the invite any more.
    #[error("the invite was used or withdrawn, or has expired")]
    InviteUsed,
    /// The line is no invite for a device.
    #[error("not an invite for a machine: {0}")]
    DeviceInvite(#[source] text::Error),
    /// Not exactly one invite has the id or name.
    #[error("{}", invites_named(id, *count))]
    InvitesNamed {
        /// What was asked for.
        id: String,
        /// How many have it.
        count: usize,
    },
    /// The contact showed another card than the one known.
    #[error("this is not {name} as you knew them: another card was shown")]
    OtherCard {
        /// The contact.
        name: String,
    },
    /// The contact showed another card than the one introduced.
    #[error("this is not {name} as {by} introduced him: he shows another card")]
    OtherCardIntroduced {
        /// The contact.
        name: String,
        /// The introducer.
        by: String,
    },
    /// A revoked contact took up an invite from before.
    #[error(
        "a contact that you revoked on {} took up an invite from before: nothing comes of it",
        text::date(*since)
    )]
    RevokedJoined {
        /// When it was revoked, in seconds of Unix time.
        since: u64,
    },
    /// The account and the contact have not paired.
    #[error("you and {name} have not paired")]
    NotPaired {
        /// The contact.
        name: String,
    },

    // -- introductions --
    /// A contact was not told of an introduction.
    #[error("{name} was not told")]
    NotIntroduced {
        /// The contact.
        name: String,
        /// Why.
        source: Box<Error>,
    },
    /// The invite to a contact who was introduced was not pushed.
    #[error("the invite was not sent")]
    InviteNotSent(#[source] Box<Error>),
    /// The card of a contact who was introduced names no relay.
    #[error("the card of {name} names no relay")]
    IntroducedUnreachable {
        /// The contact.
        name: String,
        /// The introducer.
        by: String,
    },
    /// A new identity keeps the name of the one it replaces.
    #[error("a new identity gets the name of the one it replaces")]
    SuccessorRenamed,

    // -- devices --
    /// Not exactly one device of a contact begins as asked.
    #[error("expected one machine of {name}, {count} begin so")]
    DevicesNamed {
        /// The contact.
        name: String,
        /// How many there are.
        count: usize,
    },
    /// There is no session with the device that waits.
    #[error("the keys for the other machine are not here")]
    DeviceKeysMissing,
    /// A letter hands nothing over.
    #[error("it does not hand anything over")]
    NoHandover,
    /// A letter hands another identity over than the one that was confirmed.
    #[error("it hands another identity over than the one that was confirmed")]
    OtherHandover,
    /// A contact could not be told of a new device.
    #[error("a contact could not be told of this machine: pair again")]
    ContactsNotTold(#[source] Box<Error>),
    /// The throw-away identity could not be removed.
    #[error("cannot remove {}", path.display())]
    NotRemoved {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    // -- below --
    /// The contact book or the pairings.
    #[error(transparent)]
    Contact(#[from] contact::Error),
    /// A pairing refused a message or a line.
    #[error(transparent)]
    Pairing(#[from] pairing::Error),
    /// A letter or an envelope stream.
    #[error(transparent)]
    Letter(#[from] letter::Error),
    /// A ratchet.
    #[error(transparent)]
    Ratchet(#[from] ratchet::Error),
    /// A sealed file.
    #[error(transparent)]
    Age(#[from] age::Error),
    /// A card or an identity.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// A relay, the way to it, or the spool.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// A backup.
    #[error(transparent)]
    Backup(#[from] backup::Error),
    /// A record that does not decode.
    #[error(transparent)]
    Record(wire::Error),
    /// A file of state.
    #[error(transparent)]
    State(#[from] state::Error),
    /// A text form.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// A public key of a pairing.
    #[error(transparent)]
    Key(#[from] kem::Error),
    /// Whatever takes the bodies failed.
    #[error("the letter could not be delivered: {0}")]
    Delivery(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
    /// The file system, or the reader or writer of a body.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// Wraps the error of whatever takes the bodies.
    pub fn delivery(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Delivery(error.into())
    }

    /// Returns whether nothing more comes of a letter: it was opened before, or is dropped for good.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self, Self::Replay { .. } | Self::KeyErased | Self::Revoked { .. })
    }

    /// Returns whether something is wrong with a letter, and not with the state, the relay or the output.
    pub(crate) fn is_of_letter(&self) -> bool {
        match self {
            Self::Letter(letter::Error::Io(_) | letter::Error::Output(_)) => false,
            Self::Age(age::Error::Io(_)) => false,
            Self::Ratchet(ratchet::Error::State(_) | ratchet::Error::Crypto(_)) => false,
            Self::Letter(_)
            | Self::Age(_)
            | Self::Ratchet(_)
            | Self::KeyMissing
            | Self::SessionLost { .. }
            | Self::SessionConflict { .. }
            | Self::OtherSender
            | Self::NotALetter => true,
            _ => self.is_settled(),
        }
    }

    /// Names the relay that failed, and whose mailbox it is.
    pub(crate) fn of_mailbox(self, name: &str, relay: &str) -> Self {
        match self {
            Self::Relay(error) if !error.is_local() => Self::Mailboxes {
                mailboxes: format!("the pairing with {name}"),
                relay: relay.to_owned(),
                source: Box::new(Self::Relay(error)),
            },
            other => other,
        }
    }

    /// Returns whether a relay failed in a way that may pass.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Relay(error) => error.is_temporary(),
            Self::Mailboxes { source, .. } => source.is_temporary(),
            _ => false,
        }
    }

    /// Returns whether a relay takes nothing there: the mailbox is closed, or the capability revoked.
    pub(crate) fn is_denied(&self) -> bool {
        match self {
            Self::Relay(RelayError::Denied | RelayError::NoMailbox) => true,
            Self::Mailboxes { source, .. } => source.is_denied(),
            _ => false,
        }
    }
}

fn invites_named(id: &str, count: usize) -> String {
    match count {
        0 => format!("no invite has the id or name {id:?}"),
        more => format!("{more} invites have the name {id:?}: give the id of one"),
    }
}

/// Returns what is said of a pairing that brought no contact.
fn ended(end: End) -> &'static str {
    match end {
        End::BurntHere => "these are not the digits: somebody is in between, or they were mistyped",
        End::BurntThere => "the other side typed wrong digits, and the invite is burnt",
        End::WordsHere => {
            "these are not the words: somebody is in between, or they were misheard or mistyped"
        }
        End::WordsThere => "whoever took up the invite gave other words, and it is burnt",
        End::Oneself => "this invite is your own",
        _ => "the invite was used or has expired",
    }
}
