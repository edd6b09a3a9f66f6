//! Exit status of every error of the library, by variant.

use std::any::type_name;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "index")]
use bulla::index;
use bulla::relay::client;
use bulla::relay::protocol::Id;
use bulla::relay::protocol::pow::Task;
#[cfg(feature = "serve")]
use bulla::relay::server::admin::{backup, operator};
#[cfg(feature = "serve")]
use bulla::relay::server::{self, tls};
#[cfg(feature = "serve")]
use bulla::relay::store::{self, BodyError};
use bulla::{account, age, contact, crypto, identity, kem, letter, pake, state, text, wire};

use super::*;

/// Checks the rows of one type of error, and that they name all its variants.
fn rows<E: Error + Send + Sync + 'static>(rows: Vec<(E, Exit)>) {
    let mut named = BTreeSet::new();
    for (error, expected) in rows {
        let shown = format!("{error:?}");
        named.insert(shown.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned());
        let bare = classify(&error).0;
        assert_eq!(bare, expected, "{}: {shown}", type_name::<E>());
    }
    assert_eq!(named, variants(type_name::<E>()), "{} has other variants", type_name::<E>());
}

/// Reads the variants of an enum in the file that defines it.
fn variants(type_name: &str) -> BTreeSet<String> {
    let mut path: Vec<&str> = type_name.split("::").collect();
    let name = path.pop().unwrap();
    let begin = format!("pub enum {name} {{");
    let below = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path[1..].join("/"));
    let files = [below.with_extension("rs"), below.join("mod.rs")];
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap();
    let body = text.split_once(&begin).unwrap().1.split_once("\n}").unwrap().0;
    let is_variant =
        |line: &&str| line.starts_with("    ") && line[4..].starts_with(char::is_uppercase);
    let lines = body.lines().filter(is_variant);
    lines
        .map(|line| line.trim().split(|c: char| !c.is_alphanumeric()).next().unwrap().into())
        .collect()
}

fn text() -> String {
    String::new()
}

fn denied() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

fn damaged() -> crypto::Error {
    crypto::Error::Damaged("")
}

fn newer() -> wire::Error {
    wire::Error::Version { name: "", expected: 1, got: 2 }
}

fn random() -> crypto::Error {
    crypto::Error::Random(getrandom::Error::UNSUPPORTED)
}

#[test]
fn every_error_has_its_exit_status() {
    use Exit::*;
    use age::{Error as Age, KeyError as Key};
    rows(vec![
        (crypto::Error::Random(getrandom::Error::UNSUPPORTED), Damaged),
        (crypto::Error::LowOrder, Damaged),
        (crypto::Error::Signature, Damaged),
        (damaged(), Damaged),
    ]);
    rows(vec![
        (text::Error::Bech32, Malformed),
        (text::Error::Prefix { expected: "" }, Malformed),
        (text::Error::Base64, Malformed),
        (text::Error::Hex { expected: 1, got: 2 }, Malformed),
        (text::Error::Armor { label: "", why: "" }, Malformed),
    ]);
    rows(vec![
        (newer(), Malformed),
        (wire::Error::TooLong { name: "", max: 1, got: 2 }, Malformed),
        (wire::Error::Malformed { name: "", why: text() }, Malformed),
        (wire::Error::Io(denied()), InputMissing),
    ]);
    rows(vec![
        (state::Error::Damaged { what: "", why: damaged() }, Damaged),
        (state::Error::Record(newer()), Malformed),
        (state::Error::Crypto(random()), Failure),
        (state::Error::Io(denied()), InputMissing),
    ]);
    rows(vec![
        (Key::Text(text::Error::Bech32), Malformed),
        (Key::Length { expected: 1, got: 2 }, Malformed),
        (Key::Invalid, Malformed),
        (Key::Ssh, Malformed),
        (Key::Plugin(text()), Malformed),
        (Key::IsIdentity, Malformed),
        (Key::IsRecipient, Malformed),
        (Key::UnknownRecipient, Malformed),
        (Key::UnknownIdentity, Malformed),
    ]);
    rows(vec![
        (Age::Armor(""), Malformed),
        (Age::Header(""), Malformed),
        (Age::Mangled(""), Malformed),
        (Age::Version, Malformed),
        (Age::HeaderTooLong { max: 1 }, Malformed),
        (Age::NoMatch, NoIdentityFits),
        (Age::WrongPassphrase, WrongPassphrase),
        (Age::WorkFactor { max: 1, got: 2 }, Malformed),
        (Age::HeaderMac, Damaged),
        (Age::Payload { chunk: 1 }, Damaged),
        (Age::Truncated, Damaged),
        (Age::Trailing, Damaged),
        (Age::NoRecipients, Usage),
        (Age::MixedRecipients, Usage),
        (Age::PassphraseNotAlone, Usage),
        (Age::Key(Key::Invalid), Malformed),
        (Age::Crypto(random()), Failure),
        (Age::Io(denied()), InputMissing),
        (Age::Io(io::Error::other(Age::Truncated)), Damaged),
    ]);
    rows(vec![
        (identity::Error::Text(text::Error::Bech32), Malformed),
        (identity::Error::Record(newer()), Malformed),
        (identity::Error::Length { expected: 1, got: 2 }, Malformed),
        (identity::Error::CardSignature, SenderNotAuthenticated),
        (identity::Error::CardKey(""), Malformed),
        (identity::Error::CardEncoding, Malformed),
        (identity::Error::CardName { max: 1, why: "" }, Usage),
        (identity::Error::CardRelay { why: "" }, Usage),
        (identity::Error::KeyfileLength { max: 1, got: 2 }, Malformed),
        (identity::Error::KeyfileText, Malformed),
        (identity::Error::KeyfileEmpty, Malformed),
        (identity::Error::KeyfileLine { line: 1, why: text() }, Malformed),
        (identity::Error::WrongPassphrase, WrongPassphrase),
        (identity::Error::Locked(Age::NoMatch), NoIdentityFits),
        (identity::Error::Age(Age::HeaderMac), Damaged),
        (identity::Error::Crypto(random()), Failure),
    ]);
    letters();
    contacts();
    relays();
    #[cfg(feature = "serve")]
    servers();
    #[cfg(feature = "index")]
    indexes();
}

fn letters() {
    use Exit::*;
    use letter::{Error as Letter, ratchet::Error as Ratchet};
    let to = identity::Fingerprint::from_bytes([0; 32]);
    rows(vec![
        (Letter::Age(age::Error::NoMatch), NoIdentityFits),
        (Letter::Record(newer()), Malformed),
        (Letter::Malformed { what: "", why: "" }, Malformed),
        (Letter::Heading { field: "", why: "" }, Usage),
        (Letter::Truncated(""), Damaged),
        (Letter::Source { status: 75 }, Temporary),
        (Letter::Hash, Damaged),
        (Letter::Forged, SenderNotAuthenticated),
        (Letter::Unproven(""), SenderNotAuthenticated),
        (Letter::ForgedBody, SenderNotAuthenticated),
        (Letter::SenderCard(identity::Error::CardEncoding), SenderNotAuthenticated),
        (Letter::Readdressed { to }, SenderNotAuthenticated),
        (Letter::NotTheSender, Usage),
        (Letter::Unfinished, Failure),
        (Letter::Output(io::ErrorKind::BrokenPipe.into()), ClosedPipe),
        (Letter::Crypto(random()), Failure),
        (Letter::Io(io::ErrorKind::UnexpectedEof.into()), Damaged),
        (Letter::Io(io::Error::other("")), Failure),
    ]);
    rows(vec![
        (Ratchet::Malformed(""), Malformed),
        (Ratchet::Damaged, Damaged),
        (Ratchet::Unanswered, Failure),
        (Ratchet::Exhausted, Conflict),
        (Ratchet::Spent, Conflict),
        (Ratchet::Record(newer()), Damaged),
        (Ratchet::State(state::Error::Record(newer())), Malformed),
        (Ratchet::Key(kem::Error::PublicKey), SenderNotAuthenticated),
        (Ratchet::Crypto(random()), Failure),
    ]);
}

fn contacts() {
    use Exit::*;
    use contact::{Error as Contact, backup::Error as Backup, pairing::Error as Pairing};
    rows(vec![
        (Contact::Name { max: 1, why: "" }, Usage),
        (Contact::Unknown(text()), Usage),
        (Contact::NameTaken(text()), Conflict),
        (Contact::CardKnown(text()), Conflict),
        (Contact::CardOlder(text()), Conflict),
        (Contact::Full { max: 1 }, Conflict),
        (Contact::TooMany { what: "", max: 1 }, Conflict),
        (Contact::Oneself, Usage),
        (Contact::HandedCard(text()), Conflict),
        (Contact::Unreachable, Conflict),
        (Contact::Note { max: 1 }, Usage),
        (Contact::Introduction(newer()), Malformed),
        (Contact::NotIntroduced(text()), Usage),
        (Contact::NotPrivate, Malformed),
        (Contact::Exhausted(text()), Conflict),
        (Contact::Card(identity::Error::CardSignature), SenderNotAuthenticated),
        (Contact::State(state::Error::Io(denied())), InputMissing),
        (Contact::Crypto(random()), Failure),
    ]);
    rows(vec![
        (Pairing::Line(text::Error::Bech32), Malformed),
        (Pairing::Record(newer()), Malformed),
        (Pairing::Encoding, Malformed),
        (Pairing::Relay(identity::Error::CardRelay { why: "" }), Malformed),
        (Pairing::Mailbox, Malformed),
        (Pairing::Expired { until: 1 }, Conflict),
        (Pairing::NotTheOwner, Failure),
        (Pairing::OneMailbox, Failure),
        (Pairing::Key(kem::Error::PublicKey), SenderNotAuthenticated),
        (Pairing::Share(pake::Error), SenderNotAuthenticated),
        (Pairing::Commitment, SenderNotAuthenticated),
        (Pairing::Forged, SenderNotAuthenticated),
        (Pairing::Malformed(""), SenderNotAuthenticated),
        (Pairing::CardCapability, Failure),
        (Pairing::Card(identity::Error::CardEncoding), SenderNotAuthenticated),
        (Pairing::CardChanged, SenderNotAuthenticated),
        (Pairing::CardBorrowed, SenderNotAuthenticated),
        (Pairing::Digits, Usage),
        (Pairing::NoDigits, Conflict),
        (Pairing::OwnDigits, Usage),
        (Pairing::SafetyNumber, Usage),
        (Pairing::Confirmed, Conflict),
        (Pairing::Word { got: text(), nearest: "" }, Usage),
        (Pairing::WordCount { expected: 1, got: 2 }, Usage),
        (Pairing::OtherMethod, SenderNotAuthenticated),
        (Pairing::Crypto(random()), Failure),
    ]);
    rows(vec![
        (Backup::Malformed(""), Malformed),
        (Backup::Record(newer()), Malformed),
        (Backup::Identity(identity::Error::WrongPassphrase), WrongPassphrase),
        (Backup::Locked, Usage),
        (Backup::Age(age::Error::NoMatch), NoIdentityFits),
        (Backup::Contact(contact::Error::Full { max: 1 }), Conflict),
    ]);
}

fn relays() {
    use Exit::*;
    use client::Error as Client;
    let refused = |code: &str| Client::Refused { code: code.to_owned(), message: text() };
    let busy = |retry_after| Client::Temporary { why: text(), retry_after };
    let task = Task { bits: 1, challenge: [0; _] };
    rows(vec![
        (Client::Url { url: text(), why: "" }, Usage),
        (Client::Proxy { variable: text(), why: "" }, Usage),
        (Client::Authorities { file: PathBuf::new(), why: text() }, InputMissing),
        (busy(None), Temporary),
        (busy(Some(Duration::from_secs(9))), Temporary),
        (Client::Full(text()), Temporary),
        (refused("token"), Refused),
        (refused("too_large"), Refused),
        (refused("misdirected"), Refused),
        (refused(""), Refused),
        (Client::NoMailbox, Refused),
        (Client::Denied, Refused),
        (Client::Work(task), Temporary),
        (Client::NoMessage(Id([0; 32])), Refused),
        (Client::Insecure(text()), Refused),
        (Client::Clock { relay: 1, ours: 2 }, Refused),
        (Client::Version { min: 1, max: 2 }, Refused),
        (Client::Protocol(text()), Refused),
        (Client::WrongHash(Id([0; 32])), Damaged),
        (Client::Io(denied()), InputMissing),
        (Client::SpoolInUse { folder: PathBuf::new(), holder: None }, Temporary),
        (Client::Crypto(random()), Failure),
    ]);
}

#[cfg(feature = "serve")]
fn servers() {
    use Exit::*;
    use backup::Error as Backup;
    use server::Error as Server;
    use store::Error as Store;
    let address = "127.0.0.1:1".parse().unwrap();
    rows(vec![
        (Server::Store(Store::InUse(PathBuf::new())), Temporary),
        (Server::Nameless(address), Usage),
        (Server::AdminInUse(PathBuf::new()), Failure),
        (Server::Crypto(random()), Failure),
        (Server::Io(io::ErrorKind::AddrInUse.into()), Failure),
    ]);
    rows(vec![
        (Store::NoMailbox, Failure),
        (Store::Token, Failure),
        (Store::Rate, Failure),
        (Store::ShareFull, Failure),
        (Store::MailboxFull, Failure),
        (Store::RelayFull, Failure),
        (Store::Offset { expected: 1 }, Failure),
        (Store::Body(BodyError::WrongHash), Failure),
        (Store::InUse(PathBuf::new()), Temporary),
        (Store::Open { place: text(), why: text() }, Failure),
        (Store::Unavailable(text()), Temporary),
        (Store::Failed(text()), Failure),
    ]);
    rows(vec![
        (tls::Error::File { file: PathBuf::new(), error: denied() }, InputMissing),
        (tls::Error::Malformed { file: PathBuf::new(), why: text() }, Malformed),
        (tls::Error::Authority(text()), Temporary),
        (tls::Error::Making(rcgen::Error::CouldNotParseCertificate), Failure),
        (tls::Error::Tls(rustls::Error::HandshakeNotComplete), Failure),
    ]);
    rows(vec![
        (Backup::Operator(operator::Error::Protocol), Failure),
        (Backup::Malformed(1), Malformed),
        (Backup::Truncated(1), Damaged),
        (Backup::Io(denied()), InputMissing),
    ]);
    rows(vec![
        (operator::Error::Store(Store::Unavailable(text())), Failure),
        (operator::Error::Refused(text()), Failure),
        (operator::Error::Protocol, Failure),
        (operator::Error::Io(io::ErrorKind::ConnectionRefused.into()), Failure),
    ]);
}

#[cfg(feature = "index")]
fn indexes() {
    use Exit::*;
    use index::{Damage, Error as Index, QueryError};
    let query = QueryError { at: 0, expected: text(), meant: None };
    let io = |kind: io::ErrorKind| Index::Io { path: PathBuf::new(), error: kind.into() };
    rows(vec![
        (Index::Missing(PathBuf::new()), InputMissing),
        (Index::Exists(PathBuf::new()), OutputExists),
        (Index::Foreign(PathBuf::new()), Malformed),
        (Index::Key(PathBuf::new()), NoIdentityFits),
        (Index::Another(PathBuf::new()), Malformed),
        (Index::Version { path: PathBuf::new(), expected: 1, got: 2 }, Malformed),
        (Index::Busy(PathBuf::new()), Temporary),
        (Index::Damaged(Damage { file: text(), what: text() }), Damaged),
        (Index::Query(query), Usage),
        (Index::Pattern { pattern: text(), why: text() }, Usage),
        (Index::Stems { path: PathBuf::new(), expected: text(), got: text() }, Conflict),
        (Index::Id { max: 1, got: 2 }, Failure),
        (Index::Tag(text()), Usage),
        (Index::Tags { id: text(), max: 1 }, Usage),
        (Index::UnknownId(text()), Negative),
        (Index::AmbiguousId(text()), Usage),
        (io(io::ErrorKind::StorageFull), Failure),
        (io(io::ErrorKind::QuotaExceeded), Failure),
        (io(io::ErrorKind::NotFound), InputMissing),
        (Index::Crypto(random()), Failure),
        (Index::Engine(text()), Failure),
    ]);
}

#[test]
fn accounts() {
    use Exit::*;
    use account::Error as Account;
    use contact::pairing::{self, End};
    let boxed = || Box::new(Account::NoState);
    rows(vec![
        (Account::NoState, InputMissing),
        (Account::NoIdentity, InputMissing),
        (Account::Lock(denied()), InputMissing),
        (Account::LetterInUse, Temporary),
        (Account::OwnFingerprint, Usage),
        (Account::IdentityIsNew, Conflict),
        (Account::KeyErased, Conflict),
        (Account::KeyMissing, NoIdentityFits),
        (Account::SessionLost { name: text() }, NoIdentityFits),
        (Account::SessionConflict { name: text() }, Conflict),
        (Account::OtherSender, SenderNotAuthenticated),
        (Account::Revoked { name: text(), since: 1 }, SenderNotAuthenticated),
        (Account::Replay { id: [0; 16] }, Conflict),
        (Account::NotALetter, Malformed),
        (Account::NoCapability { title: text(), name: None, anonymous: true }, Usage),
        (Account::NoRelay, Usage),
        (Account::NoOwnRelay, Failure),
        (Account::NoRelayOnCard { name: text() }, Failure),
        (Account::NoMailbox { name: text() }, Failure),
        (Account::MailboxGone { name: text(), relay: text() }, Refused),
        (
            Account::Mailboxes {
                mailboxes: text(),
                relay: text(),
                source: Box::new(Account::Relay(client::Error::NoMailbox)),
            },
            Refused,
        ),
        (Account::LastGeneration, Usage),
        (Account::PairingEnded(End::BurntHere), SenderNotAuthenticated),
        (Account::OwnInvite, Conflict),
        (Account::InviteUsed, Conflict),
        (Account::DeviceInvite(text::Error::Bech32), Malformed),
        (Account::InvitesNamed { id: text(), count: 2 }, Usage),
        (Account::OtherCard { name: text() }, SenderNotAuthenticated),
        (Account::OtherCardIntroduced { name: text(), by: text() }, SenderNotAuthenticated),
        (Account::RevokedJoined { since: 1 }, SenderNotAuthenticated),
        (Account::NotPaired { name: text() }, Conflict),
        (Account::NotIntroduced { name: text(), source: boxed() }, InputMissing),
        (Account::InviteNotSent(boxed()), InputMissing),
        (Account::IntroducedUnreachable { name: text(), by: text() }, Conflict),
        (Account::SuccessorRenamed, Usage),
        (Account::DevicesNamed { name: text(), count: 2 }, Usage),
        (Account::DeviceKeysMissing, Conflict),
        (Account::NoHandover, Malformed),
        (Account::OtherHandover, SenderNotAuthenticated),
        (Account::ContactsNotTold(boxed()), InputMissing),
        (Account::NotRemoved { path: PathBuf::new(), source: denied() }, InputMissing),
        (Account::Contact(contact::Error::Oneself), Usage),
        (Account::Pairing(pairing::Error::Forged), SenderNotAuthenticated),
        (Account::Letter(letter::Error::Forged), SenderNotAuthenticated),
        (Account::Ratchet(ratchet::Error::Spent), Conflict),
        (Account::Age(age::Error::NoMatch), NoIdentityFits),
        (Account::Identity(identity::Error::CardSignature), SenderNotAuthenticated),
        (
            Account::Relay(client::Error::SpoolInUse { folder: PathBuf::new(), holder: None }),
            Temporary,
        ),
        (Account::Backup(contact::backup::Error::Locked), Usage),
        (Account::Record(newer()), Malformed),
        (Account::State(state::Error::Io(denied())), InputMissing),
        (Account::Text(text::Error::Bech32), Malformed),
        (Account::Key(kem::Error::PublicKey), Failure),
        (Account::Delivery(Box::new(denied())), InputMissing),
        (Account::Crypto(damaged()), Damaged),
        (Account::Io(denied()), InputMissing),
    ]);
}
