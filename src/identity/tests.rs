use proptest::prelude::*;

use crate::age;
use crate::crypto::{self, label};
use crate::identity::keys::SECRET_PREFIX;
use crate::identity::*;
use crate::secret::Secret;
use crate::text;
use crate::wire;

fn identity(byte: u8) -> Identity {
    Identity::from_seed(Secret::take(&mut [byte; 32])).unwrap()
}

fn card() -> Card {
    identity(7).card("ops", Some("https://relay.example"), 3, 1_767_225_600).unwrap()
}

/// The passphrase "correct horse" at the lowest work factor: tests need no strength.
fn passphrase() -> age::ScryptRecipient {
    age::ScryptRecipient::new("correct horse".to_owned().into()).work_factor(2).unwrap()
}

/// Signs a changed card again with the key on it, as its owner could.
fn resigned(byte: u8, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = card().to_bytes().to_vec();
    change(&mut bytes);
    let end = bytes.len() - 64;
    let signature = identity(byte).signer().sign_labelled(label::CARD_SIGNATURE, &[&bytes[..end]]);
    bytes[end..].copy_from_slice(&signature);
    bytes
}

/// Where the fields of [`card`] begin.
const NAME: usize = 1;
const XWING: usize = NAME + 1 + 3;
const ED25519: usize = XWING + 1216;
const RELAY: usize = ED25519 + 32;
const MAILBOX: usize = RELAY + 1 + 1 + 21;
const CAPABILITY: usize = MAILBOX + 32;
const CREATED: usize = CAPABILITY + 32;
const SIGNATURE: usize = CREATED + 5;

#[test]
fn an_identity_is_one_line() {
    let line = identity(7).to_line();
    assert!(line.starts_with("BULLA-SECRET-KEY-1"));
    let again = Identity::parse(&line).unwrap();
    assert_eq!(again.fingerprint(), identity(7).fingerprint());
    assert_eq!(again.card_mailbox().public(), identity(7).card_mailbox().public());
    assert!(Identity::parse(&line.to_lowercase()).is_err());
    assert!(Identity::parse(&line[..line.len() - 1]).is_err());
    let short = text::bech32_encode(SECRET_PREFIX, &[1; 31]);
    assert!(matches!(Identity::parse(&short), Err(Error::Length { expected: 32, got: 31 })));
    assert_ne!(Identity::generate().unwrap().to_line(), Identity::generate().unwrap().to_line());
}

#[test]
fn keys_of_one_seed_differ() {
    let one = identity(7);
    let keys = [
        one.signer().public(),
        one.card_mailbox().public(),
        *one.storage_key(label::STORAGE_BOOK).expose(),
        *one.storage_key(label::STORAGE_INDEX).expose(),
        *one.card_capability(0).expose(),
        *one.card_capability(1).expose(),
        one.contact_mailbox(&[1; 16]).public(),
        one.contact_mailbox(&[2; 16]).public(),
        *one.contact_capability(&[1; 16], 0).expose(),
        *one.contact_capability(&[1; 16], 1).expose(),
        *one.contact_capability(&[2; 16], 0).expose(),
        one.meeting_mailbox(&[1; 16]).public(),
        one.meeting_mailbox(&[2; 16]).public(),
        *one.meeting_capability(&[1; 16]).expose(),
        *one.meeting_capability(&[2; 16]).expose(),
        [7; 32],
    ];
    for (i, key) in keys.iter().enumerate() {
        assert!(keys.iter().skip(i + 1).all(|other| other != key));
    }
}

/// As another implementation of HKDF and Ed25519 derives them.
#[test]
fn derivation_golden_bytes() {
    let signer = "083ba3dc0e79fdc0accbe606fbfba76daa678d5f53c825bf12d3a6be89786068";
    assert_eq!(text::hex_encode(&identity(7).signer().public()), signer);
    let mailbox = "2b62ba6a4b626084e50a89362c747e6eea8531d31bebe46cc1dd95aafec0b908";
    assert_eq!(text::hex_encode(&identity(7).card_mailbox().public()), mailbox);
    let capability = "efda9962d1629f587cd3e47c85b317a1e86bbf700e5d3cda92c5426384c2be13";
    assert_eq!(text::hex_encode(identity(7).card_capability(3).expose()), capability);
    let index = [5; 16];
    let mailbox = "5f24acb422e02e540cad7d16c591ea220976b28c11a20ec56e6f70df1ff7976f";
    assert_eq!(text::hex_encode(&identity(7).contact_mailbox(&index).public()), mailbox);
    let capability = "684eefc85fdd836098d76c9c661006ad969678f94611bf0b682e0d576cebe7b6";
    assert_eq!(text::hex_encode(identity(7).contact_capability(&index, 3).expose()), capability);
    let mailbox = "607747bd7b2c79d1f6d6f35c787271790fcbee84c99db991aff64762db9116c9";
    assert_eq!(text::hex_encode(&identity(7).meeting_mailbox(&index).public()), mailbox);
    let capability = "4121acb71cfa50630f4a6ee26899fa4296153d2f90749abb7c43a61f7866355e";
    assert_eq!(text::hex_encode(identity(7).meeting_capability(&index).expose()), capability);
}

#[test]
fn debug_shows_no_secret() {
    let one = identity(7);
    let file = Keyfile::parse(render(&one, 0).as_bytes()).unwrap();
    assert_eq!(format!("{one:?} {:?}", one.signer()), "Identity(..) ..");
    assert_eq!(format!("{file:?}"), "Open([Bulla(..)])");
    let card = format!("{:?}", card());
    assert!(card.contains("capability: Some(..), created"), "{card}");
    let locked = protect(&render(&one, 0), &passphrase()).unwrap();
    let locked = Keyfile::parse(locked.as_bytes()).unwrap();
    assert_eq!(format!("{locked:?}"), "Locked(Locked(..))");
}

#[test]
fn fingerprints_are_read_back_whole() {
    let fingerprint = identity(7).fingerprint();
    let text = fingerprint.to_string();
    assert!(text.starts_with("bulla1"));
    assert_eq!(Fingerprint::parse(&text).unwrap(), fingerprint);
    assert_eq!(format!("{fingerprint:?}"), text);
    assert!(Fingerprint::parse(&text[..40]).is_err());
    assert!(matches!(
        Fingerprint::parse(&text::bech32_encode("bulla", &[1; 33])),
        Err(Error::Length { expected: 32, got: 33 })
    ));
}

#[test]
fn a_card_is_read_back() {
    let made = card();
    let text = made.to_text();
    assert!(text.starts_with("-----BEGIN BULLA CARD-----\n"));
    for text in [text.clone(), format!("# from Ann\n\n{}\n\n", text.replace('\n', "\r\n"))] {
        let read = Card::parse_text(&text).unwrap();
        assert_eq!(read, made);
        assert_eq!(read.name(), "ops");
        assert_eq!(read.relay(), Some("https://relay.example"));
        assert_eq!(read.created(), 1_767_225_600);
        assert_eq!(read.fingerprint(), identity(7).fingerprint());
        assert_eq!(read.mailbox(), &identity(7).card_mailbox().public());
        assert_eq!(read.signer(), &identity(7).signer().public());
        assert_eq!(read.recipient().to_bytes(), identity(7).age_recipient().to_bytes());
    }
    assert!(identity(7).card("", None, 0, 0).is_ok());
}

#[test]
fn card_golden_bytes() {
    let made = card();
    let bytes = made.to_bytes();
    assert_eq!(bytes[..XWING], [1, 3, b'o', b'p', b's']);
    assert_eq!(bytes[XWING..ED25519], identity(7).age_recipient().to_bytes());
    assert_eq!(bytes[ED25519..RELAY], identity(7).signer().public());
    assert_eq!(&bytes[RELAY..MAILBOX], b"\x01\x15https://relay.example");
    assert_eq!(bytes[MAILBOX..CAPABILITY], identity(7).card_mailbox().public());
    assert_eq!(bytes[CAPABILITY..CREATED], *identity(7).card_capability(3).expose());
    assert_eq!(bytes[CREATED..SIGNATURE], [252, 0, 0xb9, 0x55, 0x69]);
    assert_eq!(bytes.len(), SIGNATURE + 64);
    // Pins the derivation of every key and the signature.
    assert_eq!(
        text::hex_encode(&crypto::sha256(&[bytes])),
        "8c84d08602712c2c30854692b3d1ec4a437338df63268bc05a74f9d696740e31"
    );
    assert_eq!(
        made.fingerprint().to_string(),
        "bulla1q99swummp4jcxexanfvrdqttl5vheym33gmjnx9ea9h7qahg54zqdlnk7p"
    );
}

#[test]
fn a_changed_card_is_refused() {
    let bytes = card().to_bytes().to_vec();
    for at in (0..XWING + 8).chain(ED25519..bytes.len()) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(Card::from_bytes(&changed).is_err(), "byte {at}");
    }
    for at in [
        NAME + 1,
        XWING,
        XWING + 1215,
        ED25519,
        RELAY + 5,
        MAILBOX,
        CAPABILITY,
        CREATED + 1,
        SIGNATURE,
    ] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(matches!(Card::from_bytes(&changed), Err(Error::CardSignature)), "byte {at}");
    }
    for end in 0..bytes.len() {
        assert!(Card::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(matches!(
        Card::from_bytes(&[3; 100]),
        Err(Error::Record(wire::Error::Version { got: 3, .. }))
    ));
}

#[test]
fn a_card_without_capability_is_version_2_of_the_same_layout() {
    let with = card();
    let made = identity(7)
        .card_without_capability("ops", Some("https://relay.example"), 1_767_225_600)
        .unwrap();
    let bytes = made.to_bytes();
    assert_eq!(bytes[0], 2);
    assert_eq!(bytes[NAME..CAPABILITY], with.to_bytes()[NAME..CAPABILITY]);
    assert_eq!(bytes[CAPABILITY..bytes.len() - 64], with.to_bytes()[CREATED..SIGNATURE]);
    assert_eq!(made.capability(), None);
    assert_eq!(made.fingerprint(), with.fingerprint());
    assert_eq!(made.mailbox(), with.mailbox());
    let read = Card::parse_text(&made.to_text()).unwrap();
    assert_eq!((read.name(), read.relay()), ("ops", Some("https://relay.example")));
    assert!(format!("{read:?}").contains("capability: None"));
    // Neither version can be made of the other.
    let mut cut = with.to_bytes().to_vec();
    cut[0] = 2;
    assert!(Card::from_bytes(&cut).is_err());
    cut.drain(CAPABILITY..CREATED);
    assert!(matches!(Card::from_bytes(&cut), Err(Error::CardSignature)));
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        assert!(Card::from_bytes(&changed).is_err(), "byte {at}");
        assert!(Card::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
}

/// As another implementation of HKDF derives it.
#[test]
fn mailboxes_of_machines_differ_by_machine_and_purpose() {
    let one = identity(7);
    let all = [
        one.machine_index(&[1; 32], &[1]),
        one.machine_index(&[1; 32], &[2]),
        one.machine_index(&[2; 32], &[1]),
        one.machine_index(&[1; 32], &[1; 32]),
        identity(8).machine_index(&[1; 32], &[1]),
    ];
    for (at, index) in all.iter().enumerate() {
        assert!(!all[at + 1..].contains(index));
    }
    assert_eq!(text::hex_encode(&all[3]), "69cc7370d6a9704e0f5033bd43f5daf3");
}

#[test]
fn a_card_signed_by_another_is_refused() {
    assert!(matches!(Card::from_bytes(&resigned(8, |_| ())), Err(Error::CardSignature)));
    assert!(Card::from_bytes(&resigned(7, |_| ())).is_ok());
}

#[test]
fn keys_nobody_can_own_are_refused() {
    let zero_share = resigned(7, |b| b[ED25519 - 32..ED25519].fill(0));
    assert!(matches!(Card::from_bytes(&zero_share), Err(Error::CardKey("X-Wing"))));
    let zero_mailbox = resigned(7, |b| b[MAILBOX..CAPABILITY].fill(0));
    assert!(matches!(Card::from_bytes(&zero_mailbox), Err(Error::CardKey("mailbox"))));
    // ML-KEM coefficients above the modulus (FIPS 203, section 7.2).
    let unreduced = resigned(7, |b| b[XWING..XWING + 3].fill(0xff));
    assert!(matches!(Card::from_bytes(&unreduced), Err(Error::CardKey("X-Wing"))));
    // The identity point verifies any message with a signature of its own making.
    let mut weak = card().to_bytes().to_vec();
    weak[ED25519..RELAY].fill(0);
    weak[ED25519] = 1;
    let end = weak.len() - 64;
    weak[end..].fill(0);
    weak[end] = 1;
    assert!(matches!(Card::from_bytes(&weak), Err(Error::CardSignature)));
}

#[test]
fn a_card_has_one_encoding() {
    // The date in nine bytes where five do.
    let padded = resigned(7, |b| {
        b.splice(CREATED..SIGNATURE, [253, 0, 0xb9, 0x55, 0x69, 0, 0, 0, 0]);
    });
    assert!(matches!(Card::from_bytes(&padded), Err(Error::CardEncoding)));
}

#[test]
fn texts_on_a_card_have_rules() {
    let long = "é".repeat(65);
    for name in ["a\nb", "\u{202e}a", " a", "a ", "\u{1b}[2J", long.as_str()] {
        assert!(
            matches!(identity(7).card(name, None, 0, 0), Err(Error::CardName { .. })),
            "{name:?}"
        );
    }
    for relay in ["relay.example", "ftp://x", "https://", "http:///x", "https://a b", "https://é"]
    {
        let card = identity(7).card("a", Some(relay), 0, 0);
        assert!(matches!(card, Err(Error::CardRelay { .. })), "{relay}");
    }
    let pinned = format!("relay+https://relay.example:7677#sha256-{}", "A".repeat(43));
    let card = identity(7).card("a", Some(&pinned), 0, 0).unwrap();
    assert_eq!(card.relay(), Some(pinned.as_str()));
}

#[test]
fn a_key_file_holds_identities_and_comments() {
    let one = identity(7);
    let text = render(&one, 1_767_225_600);
    assert!(text.starts_with("# created: 2026-01-01T00:00:00Z\n# fingerprint: bulla1"));
    let twice = format!("{}\r\n  {}\n\n", text.as_str(), identity(8).to_line().as_str());
    let Keyfile::Open(keys) = Keyfile::parse(twice.as_bytes()).unwrap() else { panic!() };
    let prints: Vec<_> = keys
        .iter()
        .map(|key| match key {
            Key::Bulla(identity) => identity.fingerprint(),
            Key::Age(_) => panic!(),
        })
        .collect();
    assert_eq!(prints, [one.fingerprint(), identity(8).fingerprint()]);
    assert!(render(&one, u64::MAX).starts_with("# created: 9999-12-30T"));
}

#[test]
fn key_files_are_refused_without_repeating_them() {
    let secret = identity(7).to_line();
    let mistyped = format!("# mine\n{}q\n", secret.as_str());
    let error = Keyfile::parse(mistyped.as_bytes()).unwrap_err();
    assert!(matches!(error, Error::KeyfileLine { line: 2, .. }));
    assert!(!format!("{error} {error:?}").contains(&secret[20..40]));
    let public = Keyfile::parse(identity(7).age_recipient().to_string().as_bytes()).unwrap_err();
    assert!(public.to_string().contains("public"), "{public}");
    assert!(matches!(Keyfile::parse(b"# nothing\n"), Err(Error::KeyfileEmpty)));
    assert!(matches!(Keyfile::parse(b"\xff\xfe"), Err(Error::KeyfileText)));
    assert!(matches!(Keyfile::parse(&vec![b'\n'; 1 << 21]), Err(Error::KeyfileLength { .. })));
    assert!(matches!(Keyfile::parse(b"hello"), Err(Error::KeyfileLine { line: 1, .. })));
}

#[test]
fn a_locked_key_file_tells_a_wrong_passphrase_from_damage() {
    let armored = protect(&render(&identity(7), 0), &passphrase()).unwrap();
    let Keyfile::Locked(locked) = Keyfile::parse(armored.as_bytes()).unwrap() else { panic!() };
    assert!(matches!(locked.unlock("wrong".to_owned().into()), Err(Error::WrongPassphrase)));
    let keys = locked.unlock("correct horse".to_owned().into()).unwrap();
    assert!(matches!(keys.as_slice(), [Key::Bulla(one)] if one.to_line() == identity(7).to_line()));
    let mut lines: Vec<_> = armored.lines().map(str::to_owned).collect();
    let last = lines.len() - 3;
    let other = if lines[last].starts_with('A') { "B" } else { "A" };
    lines[last].replace_range(..1, other);
    let damaged = Keyfile::parse(lines.join("\n").as_bytes()).unwrap();
    let Keyfile::Locked(damaged) = damaged else { panic!() };
    assert!(matches!(damaged.unlock("correct horse".to_owned().into()), Err(Error::Locked(_))));
}

proptest! {
    #[test]
    fn any_identity_and_fingerprint_are_read_back(mut seed: [u8; 32]) {
        let fingerprint = Fingerprint::from_bytes(seed);
        prop_assert_eq!(Fingerprint::parse(&fingerprint.to_string()).unwrap(), fingerprint);
        let one = Identity::from_seed(Secret::take(&mut seed)).unwrap();
        let again = Identity::parse(&one.to_line()).unwrap();
        prop_assert_eq!(again.to_line(), one.to_line());
        prop_assert_eq!(again.fingerprint(), one.fingerprint());
    }

    #[test]
    fn any_card_is_read_back(
        name in "[a-zéß ]{0,20}",
        relay in proptest::option::of("https?://[a-z.]{1,20}(:[0-9]{1,4})?/[a-z]{0,9}"),
        generation: u32,
        created: u64,
    ) {
        prop_assume!(name.trim() == name && relay.as_deref().is_none_or(|r| !r.contains(":///")));
        let card = identity(3).card(&name, relay.as_deref(), generation, created).unwrap();
        let read = Card::parse_text(&card.to_text()).unwrap();
        prop_assert_eq!(read.name(), name.as_str());
        prop_assert_eq!(read.relay(), relay.as_deref());
        prop_assert_eq!(read.created(), created);
        let capability = identity(3).card_capability(generation);
        prop_assert_eq!(read.capability().map(|known| known.expose()), Some(capability.expose()));
        let bare = identity(3).card_without_capability(&name, relay.as_deref(), created).unwrap();
        prop_assert_eq!(Card::parse_text(&bare.to_text()).unwrap(), bare);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = Card::from_bytes(&bytes);
        let _ = Keyfile::parse(&bytes);
        let _ = Fingerprint::parse(&String::from_utf8_lossy(&bytes));
    }
}
