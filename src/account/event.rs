//! Events: what happens to an account besides what an operation returns.

use std::path::Path;

use crate::account::error::Error;
use crate::contact::pairing::{self, Event as PairingEvent};
use crate::contact::{Book, Introduced, Trust, Underway, Unfinished};
use crate::identity::Fingerprint;
use crate::relay::client::Error as RelayError;
use crate::relay::protocol::Id;
use crate::state;

/// Receives events. Nothing is decided by it.
pub trait Events: Sync {
    /// Takes an event.
    fn event(&self, event: Event<'_>);
}

/// Ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// Something that happened. Names are those in the contact book, or fingerprints of strangers.
#[derive(Debug)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named after what they are")]
pub enum Event<'a> {
    /// An error that did not end the operation.
    Failed { error: &'a Error },

    // -- letters --
    /// The sessions with a contact cannot be read; letters of others open all the same.
    SessionUnreadable { name: String, error: Error },
    /// The keys of the two sides are out of step; the next letter offers new ones.
    KeysOutOfStep { name: String },
    /// Letters have no forward secrecy until the contact takes the keys that are offered.
    KeysOffered { name: String },
    /// A contact has a further device, which gets letters from now on.
    ContactAddedDevice { name: String },
    /// No relay is on the recipient's card.
    NoRelayOnCard { name: String },
    /// A letter that was pulled was not opened. It stays in the spool for a week.
    LetterRefused { id: Id, error: &'a Error },
    /// A control message of a kind that is not known here.
    UnknownControl { kind: u16, name: &'a str },
    /// A control message breaks a rule.
    ControlRefused { name: &'a str, error: &'a Error },

    /// A relay failed while letters were awaited; its mailbox, perhaps of a contact, is visited again.
    LineBroken { relay: String, name: Option<&'a str>, error: &'a RelayError },

    // -- mailboxes --
    /// A mailbox for a contact is gone at the relay.
    MailboxGone { name: String, relay: String },
    /// A mailbox that is not needed stays at its relay.
    MailboxLeft { error: Error },
    /// A mailbox that is to be closed stays open.
    StaysOpen { relay: String, error: Error },

    // -- pairing --
    /// A pairing took a step that brought no contact.
    Pairing { name: &'a str, event: &'a PairingEvent },
    /// A contact was paired with.
    Paired { name: &'a str, fingerprint: Fingerprint, trust: &'a Trust, book: &'a Book },
    /// A contact was paired with again, under a new identity of the account.
    PairedAgain { name: &'a str },
    /// Another device of the owner joined.
    DeviceJoined,
    /// Pairing again lifted the revocation of a contact.
    RevocationLifted { name: &'a str },
    /// Earlier attempts to pair with a contact did not finish.
    EarlierAttempts { name: &'a str, earlier: Unfinished },
    /// A message of a pairing breaks a rule.
    PairingMessageRefused { error: &'a pairing::Error },
    /// A pairing under way was given up.
    PairingGivenUp { one: &'a Underway },

    // -- introductions --
    /// A contact introduces another.
    Introduced { one: &'a Introduced },
    /// An introduction by someone who is no contact is ignored.
    IntroducedByStranger { fingerprint: Fingerprint },
    /// An introduction of a revoked key is ignored.
    IntroducedRevoked { by: &'a str, fingerprint: Fingerprint, since: u64 },
    /// A contact introduces the account to itself.
    IntroducedToSelf { by: &'a str },
    /// A contact introduces one who is known.
    IntroducedKnown { by: &'a str, fingerprint: Fingerprint },
    /// One who was introduced has accepted; `None` when no introduction of them came.
    InvitedByIntroduced { one: Option<&'a Introduced>, from: Fingerprint },
    /// An introduction is accepted here, and the other side has to accept.
    AcceptedFirst { name: &'a str },
    /// The other side has not accepted yet, so the invite was refused.
    NotAcceptedYet { name: &'a str },
    /// The invite of an introduction was not pushed.
    InviteNotSent { error: &'a Error },
    /// The mailbox for the invite of an introduction could not be opened.
    InviteCannotCome { name: &'a str, error: &'a Error },
    /// An introduction, or a new identity, was refused here.
    IntroductionRefused { name: &'a str, by: &'a str, successor: bool },

    // -- new identities --
    /// A contact announces a new identity.
    SuccessorAnnounced {
        name: &'a str,
        fingerprint: Fingerprint,
        new_name: &'a str,
        rivals: &'a [String],
    },
    /// A new identity is announced by one who is no contact.
    SuccessorOfStranger { fingerprint: Fingerprint },
    /// The identity that is announced is not new.
    SuccessorNotNew { name: &'a str },
    /// The identity that is announced is a contact.
    SuccessorKnown { name: &'a str, fingerprint: Fingerprint },
    /// Another new identity was announced by the same old one.
    RivalSuccessor { name: &'a str },
    /// The old identity of a contact is revoked.
    OldIdentityRevoked { fingerprint: Fingerprint },
    /// A contact was told of the account's new identity.
    ToldOfSuccessor { name: &'a str },
    /// A contact cannot be told of it any more.
    CannotBeTold { name: &'a str, error: Error },
    /// A contact could not be told of it yet.
    NotToldYet { name: &'a str, error: Error },

    // -- contacts --
    /// A contact was removed.
    ContactRemoved { name: &'a str, fingerprint: Fingerprint },
    /// The revocation of a contact is lifted.
    Unrevoked { fingerprint: Fingerprint },
    /// A contact was revoked on another device of the owner.
    RevokedElsewhere { name: String, since: u64 },
    /// The revocation was lifted on another device of the owner.
    UnrevokedElsewhere { name: String },

    // -- devices --
    /// News of a device that is none of the owner's.
    NoDeviceOfOurs { fingerprint: Fingerprint },
    /// Another device of the owner was not told of a revocation.
    DeviceNotTold { error: Error },
    /// The owner's devices cannot tell each other of revocations.
    DevicesApart { error: Error },
    /// A new device was handed what it needs.
    HandedOver,
    /// A letter to a new device is refused.
    HandoverRefused { error: Error },
    /// A contact takes no letters, and was not told of a new device.
    ContactClosed { name: &'a str },
    /// A file of state that cannot be read was kept aside.
    StateSetAside { error: &'a state::Error, kept: &'a Path },
}
