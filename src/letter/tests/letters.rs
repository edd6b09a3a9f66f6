//! Letters from end to end, and the forgeries they must withstand, built byte by byte.

use std::io::{self, Read, Write};
use std::sync::Mutex;

use crate::age::{self, Recipient as _};
use crate::crypto::{self, label};
use crate::identity::{Card, Fingerprint, Identity};
use crate::letter::{
    self, Content, EnvelopeReader, EnvelopeWriter, Error, Heading, Letter, Routing, Sender,
};
use crate::secret::Secret;
use crate::text;
use proptest::prelude::*;

fn identity(byte: u8) -> Identity {
    Identity::from_seed(Secret::take(&mut [byte; 32])).unwrap()
}

fn card(byte: u8, name: &str) -> Card {
    identity(byte).card(name, Some("https://relay.example"), 0, 1).unwrap()
}

/// Ann writes, Bob reads, Mallory forges.
const ANN: u8 = 1;
const BOB: u8 = 2;
const MALLORY: u8 = 3;

fn heading() -> Heading {
    Heading {
        place: Some(([9; 16], 4)),
        date: 1_767_225_600,
        subject: Some("release".into()),
        file_name: Some("notes.txt".into()),
        content_type: Some("text/plain".into()),
        pairs: vec![("build".into(), "17".into())],
    }
}

fn seal(from: u8, to: u8, body: &[u8]) -> Vec<u8> {
    let (identity, card, mut out) = (identity(from), card(from, "Ann"), Vec::new());
    let sender = Sender { identity: &identity, card: &card, pairwise: None };
    letter::seal(&heading(), &self::card(to, ""), Some(sender), body, &mut out).unwrap();
    out
}

/// Opens as the owner of `me`; also says what was released, whatever came of it.
fn open(me: u8, sealed: &[u8]) -> (Result<Content, Error>, Option<Vec<u8>>) {
    struct Shared<'a>(&'a Mutex<Option<Vec<u8>>>);
    impl Write for Shared<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().as_mut().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let me = identity(me);
    let released = Mutex::new(None);
    let opened = age::Opener::new(sealed, &[&me]).map_err(Error::from).and_then(|opener| {
        letter::open(opener, &[me.fingerprint()], |_| {
            *released.lock().unwrap() = Some(Vec::new());
            Ok::<_, Error>(Shared(&released))
        })
    });
    (opened.map(|(content, _)| content), released.into_inner().unwrap())
}

fn open_letter(me: u8, sealed: &[u8]) -> (Letter, Vec<u8>) {
    match open(me, sealed) {
        (Ok(Content::Letter(letter)), Some(body)) => (*letter, body),
        other => panic!("{other:?}"),
    }
}

/// The error, when nothing at all was released.
fn refused(me: u8, sealed: &[u8]) -> Error {
    match open(me, sealed) {
        (Err(error), None) => error,
        other => panic!("{other:?}"),
    }
}

/// The plaintext of a sealed letter.
fn plaintext(me: u8, sealed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    age::Opener::new(sealed, &[&identity(me)]).unwrap().open(&mut plain).unwrap();
    plain
}

fn seal_bytes(to: u8, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    age::Sealer::new(&[identity(to).age_recipient()]).unwrap().seal(plain, &mut out).unwrap();
    out
}

/// The pieces of a letter, to be put together in other ways.
#[derive(Clone)]
struct Pieces {
    header: Vec<u8>,
    authenticator: Vec<u8>,
    rest: Vec<u8>,
}

impl Pieces {
    fn of(plain: &[u8]) -> Self {
        fn frame(from: &[u8]) -> (Vec<u8>, &[u8]) {
            let (length, rest) = from.split_first_chunk().unwrap();
            let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            (frame.to_vec(), rest)
        }
        assert_eq!(&plain[..8], b"\x8bbulla L");
        let (header, rest) = frame(&plain[8..]);
        let (authenticator, rest) = frame(rest);
        Self { header, authenticator, rest: rest.to_vec() }
    }

    fn plaintext(&self) -> Vec<u8> {
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_be_bytes();
        [
            b"\x8bbulla L",
            &length(&self.header)[..],
            &self.header,
            &length(&self.authenticator),
            &self.authenticator,
            &self.rest,
        ]
        .concat()
    }

    /// Seals to `to`, signed by `signer` when there is one.
    fn seal(&self, to: u8, signer: Option<u8>) -> Vec<u8> {
        self.seal_with(age::Sealer::new(&[identity(to).age_recipient()]).unwrap(), signer)
    }

    fn seal_with(&self, sealer: age::Sealer, signer: Option<u8>) -> Vec<u8> {
        let pieces = match signer {
            Some(signer) => self.signed(sealer.header(), signer),
            None => self.clone(),
        };
        let mut out = Vec::new();
        sealer.seal(pieces.plaintext().as_slice(), &mut out).unwrap();
        out
    }

    /// Signs headers and body, as far as there is a body.
    fn signed(&self, age_header: &[u8], signer: u8) -> Self {
        let signer = identity(signer).signer();
        let mut signed = self.clone();
        let hashes = [crypto::sha256(&[age_header]), crypto::sha256(&[&self.header])].concat();
        let signature = signer.sign_labelled(label::LETTER_SIGNATURE, &[&hashes]);
        signed.authenticator = [&[1, 1], &signature[..]].concat();
        let (mut at, mut body) = (0, crypto::Hash::default());
        while let Some(length) = self.rest[at..].first_chunk() {
            let length = u32::from_be_bytes(*length) as usize;
            at += 4;
            let Some(block) = self.rest.get(at..at.saturating_add(length)) else { return signed };
            if length == 0 {
                break;
            }
            body.update(block);
            at += length;
        }
        if let Some(trailer) = signed.rest.get_mut(at..at + 64) {
            let hash = body.finish();
            trailer.copy_from_slice(&signer.sign_labelled(label::LETTER_BODY, &[&hashes, &hash]));
        }
        signed
    }
}

/// Ann's letter to Bob, in pieces, with the body "hello".
fn pieces() -> Pieces {
    Pieces::of(&plaintext(BOB, &seal(ANN, BOB, b"hello")))
}

/// Replaces the one place where `old` stands.
fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    let [at] = places[..] else { panic!("{} places", places.len()) };
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

#[test]
fn a_letter_arrives_with_its_sender() {
    for length in [0, 5, 65_536, 200_000] {
        let body: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let sealed = seal(ANN, BOB, &body);
        let (letter, opened) = open_letter(BOB, &sealed);
        assert!(opened == body);
        assert_eq!(letter.from, Some(card(ANN, "Ann")));
        assert_eq!(letter.to, identity(BOB).fingerprint());
        assert_eq!(letter.heading, heading());
        assert_ne!(letter.id, open_letter(BOB, &seal(ANN, BOB, &body)).0.id);
        assert!(matches!(refused(MALLORY, &sealed), Error::Age(age::Error::NoMatch)));
    }
}

#[test]
fn an_anonymous_letter_says_so() {
    let mut sealed = Vec::new();
    let heading = Heading { place: None, ..heading() };
    let id = letter::seal(&heading, &card(BOB, ""), None, &b"hello"[..], &mut sealed).unwrap();
    let (letter, body) = open_letter(BOB, &sealed);
    assert_eq!((letter.from, letter.id, body.as_slice()), (None, id, &b"hello"[..]));
    let numbered = letter::seal(&self::heading(), &card(BOB, ""), None, io::empty(), io::sink());
    assert!(matches!(numbered, Err(Error::Heading { .. })));
}

#[test]
fn a_sealed_file_that_is_no_letter_is_plain() {
    for plain in [&b""[..], b"x", b"\x8bbulla", b"\x8bbulla E", b"more than eight bytes"] {
        let (content, released) = open(BOB, &seal_bytes(BOB, plain));
        assert_eq!(content.unwrap(), Content::Plain);
        assert_eq!(released.unwrap(), plain);
    }
}

#[test]
fn nobody_signs_with_the_card_of_another() {
    let (identity, card) = (identity(MALLORY), card(ANN, "Ann"));
    let sender = Sender { identity: &identity, card: &card, pairwise: None };
    let sealed =
        letter::seal(&heading(), &self::card(BOB, ""), Some(sender), io::empty(), io::sink());
    assert!(matches!(sealed, Err(Error::NotTheSender)));
}

#[test]
fn lengths_in_one_class_seal_to_one_length() {
    let length = |body: usize| seal(ANN, BOB, &vec![0; body]).len();
    assert_eq!(length(0), length(1000));
    assert_eq!(length(1_000_000), length(1_009_000));
    assert_ne!(length(1_000_000), length(1_050_000));
}

/// The forge must be able to make a letter that is accepted, or its refusals mean nothing.
#[test]
fn the_forge_works() {
    let (letter, body) = open_letter(BOB, &pieces().seal(BOB, Some(ANN)));
    assert_eq!(letter.from, Some(card(ANN, "Ann")));
    assert_eq!(body, b"hello");
}

#[test]
fn forgery_a_bit_of_the_header_is_flipped() {
    let pieces = pieces();
    // Every field: version, id, to, the card, place, date, texts, pairs.
    for at in (0..80).chain((80..1300).step_by(61)).chain(1300..pieces.header.len()) {
        let mut forged = pieces.clone();
        forged.header[at] ^= 1;
        // With Ann's signature as it stands, under the header that it signed or another.
        let error = refused(BOB, &forged.seal(BOB, None));
        let known = matches!(
            error,
            Error::Forged | Error::SenderCard(_) | Error::Record(_) | Error::Heading { .. }
        );
        assert!(known, "byte {at}: {error:?}");
    }
}

#[test]
fn forgery_the_signature_is_flipped_missing_or_anothers() {
    let sealer = age::Sealer::new(&[identity(BOB).age_recipient()]).unwrap();
    let hashes = [crypto::sha256(&[sealer.header()]), crypto::sha256(&[&pieces().header])].concat();
    let signature = identity(ANN).signer().sign_labelled(label::LETTER_SIGNATURE, &[&hashes]);
    let mut flipped = Pieces { authenticator: [&[1, 1], &signature[..]].concat(), ..pieces() };
    flipped.authenticator[40] ^= 1;
    let mut sealed = Vec::new();
    sealer.seal(flipped.plaintext().as_slice(), &mut sealed).unwrap();
    assert!(matches!(refused(BOB, &sealed), Error::Forged));

    let unsigned = Pieces { authenticator: vec![1, 0], ..pieces() };
    assert!(matches!(refused(BOB, &unsigned.seal(BOB, None)), Error::Forged));
    assert!(matches!(refused(BOB, &pieces().seal(BOB, Some(MALLORY))), Error::Forged));

    // A signature over the same bytes with another label.
    let card_signature = identity(ANN).signer().sign_labelled(label::CARD_SIGNATURE, &[&hashes]);
    let relabelled = Pieces { authenticator: [&[1, 1], &card_signature[..]].concat(), ..pieces() };
    assert!(matches!(refused(BOB, &relabelled.seal(BOB, None)), Error::Forged));

    // A signed letter without a sender is no anonymous letter.
    let anonymous = Heading { place: None, ..heading() };
    let mut sealed = Vec::new();
    letter::seal(&anonymous, &card(BOB, ""), None, io::empty(), &mut sealed).unwrap();
    let signed = Pieces::of(&plaintext(BOB, &sealed)).seal(BOB, Some(ANN));
    assert!(matches!(refused(BOB, &signed), Error::Forged));
}

/// A letter sealed again has another age header, even to the same reader: its signature is
/// bound to the file key of the letter that Ann sealed, and so is her body.
#[test]
fn forgery_the_body_is_exchanged() {
    let signed = Pieces::of(&plaintext(BOB, &seal(ANN, BOB, b"hello")));
    let body = [&[0, 0, 0, 5], &b"HELLO"[..], &[0; 4]].concat();
    let length = 8 + 4 + signed.header.len() + 4 + signed.authenticator.len() + body.len();
    let rest = [body, vec![0; 4096 - length]].concat();
    let exchanged = Pieces { rest, ..signed };
    assert_eq!(exchanged.plaintext().len(), 4096);
    assert!(matches!(refused(BOB, &exchanged.seal(BOB, None)), Error::Forged));
    // Signed by Ann herself it would be a letter.
    assert_eq!(open_letter(BOB, &exchanged.seal(BOB, Some(ANN))).1, b"HELLO");
}

#[test]
fn forgery_a_letter_to_mallory_is_passed_on_to_bob() {
    let to_mallory = seal(ANN, MALLORY, b"you are fired");
    let plain = plaintext(MALLORY, &to_mallory);
    // Sealed again as it stands.
    assert!(matches!(refused(BOB, &seal_bytes(BOB, &plain)), Error::Forged));
    // With the address changed.
    let mut readdressed = Pieces::of(&plain);
    let mallory = identity(MALLORY).fingerprint().to_bytes();
    let bob = identity(BOB).fingerprint().to_bytes();
    readdressed.header = replace(&readdressed.header, &mallory, &bob);
    assert!(matches!(refused(BOB, &readdressed.seal(BOB, None)), Error::Forged));
    // Signed by Ann, but to Mallory: a signature that holds does not make it Bob's.
    let signed = Pieces::of(&plain).seal(BOB, Some(ANN));
    let error = refused(BOB, &signed);
    assert!(
        matches!(error, Error::Readdressed { to } if to == identity(MALLORY).fingerprint()),
        "{error:?}"
    );
}

/// Lends out the file key, as a hostile recipient can.
struct Tapped<'a>(&'a Identity, Mutex<Option<[u8; 16]>>);

impl age::Identity for Tapped<'_> {
    fn unwrap(&self, stanzas: &[age::Stanza]) -> Result<Option<age::FileKey>, age::Error> {
        let key = self.0.unwrap(stanzas)?;
        *self.1.lock().unwrap() = key.as_ref().map(|key| *key.expose());
        Ok(key)
    }

    fn class(&self) -> age::Class {
        self.0.class()
    }
}

/// Mallory keeps Ann's payload, byte for byte, and only wraps its file key to Bob.
#[test]
fn forgery_a_letter_is_passed_on_under_its_own_file_key() {
    let to_mallory = seal(ANN, MALLORY, b"you are fired");
    let mallory = identity(MALLORY);
    let tapped = Tapped(&mallory, Mutex::new(None));
    let header = age::Opener::new(to_mallory.as_slice(), &[&tapped]).unwrap().header().len();
    let file_key = Secret::take(&mut tapped.1.into_inner().unwrap().unwrap());

    let [stanza] = <[_; 1]>::try_from(
        identity(BOB)
            .age_recipient()
            .wrap(&age::FileKey::new(Secret::take(&mut file_key.expose().clone())))
            .unwrap(),
    )
    .unwrap();
    let mut forged = format!("age-encryption.org/v1\n-> {} {}\n", stanza.kind, stanza.args[0]);
    forged += &format!("{}\n---", text::base64_encode_unpadded(&stanza.body));
    let mac_key: Secret<32> = crypto::hkdf(file_key.expose(), &[], b"header");
    let mac = crypto::hmac_sha256(mac_key.expose(), &[forged.as_bytes()]);
    forged += &format!(" {}\n", text::base64_encode_unpadded(&mac));
    let forged = [forged.as_bytes(), &to_mallory[header..]].concat();

    // The seal itself holds: it opens for Bob.
    assert!(plaintext(BOB, &forged) == plaintext(MALLORY, &to_mallory));
    assert!(matches!(refused(BOB, &forged), Error::Forged));
}

/// Ann sealed to Bob and Mallory at once: Mallory has the file key, and could have put any body
/// under Ann's signature.
#[test]
fn forgery_somebody_else_has_the_file_key() {
    let (bob, mallory) = (identity(BOB), identity(MALLORY));
    let sealer = age::Sealer::new(&[bob.age_recipient(), mallory.age_recipient()]).unwrap();
    let sealed = pieces().seal_with(sealer, Some(ANN));
    assert!(matches!(refused(BOB, &sealed), Error::Malformed { .. }));
}

#[test]
fn forgery_the_card_in_the_header_is_swapped() {
    let pieces = pieces();
    let ann = card(ANN, "Ann").to_bytes().to_vec();
    // Mallory's card on Ann's signature, and Ann's card on Mallory's.
    let mallory = card(MALLORY, "Ann").to_bytes().to_vec();
    assert_eq!(ann.len(), mallory.len());
    let swapped = Pieces { header: replace(&pieces.header, &ann, &mallory), ..pieces.clone() };
    assert!(matches!(refused(BOB, &swapped.seal(BOB, Some(ANN))), Error::Forged));
    assert!(matches!(refused(BOB, &pieces.seal(BOB, Some(MALLORY))), Error::Forged));
    // Ann's card with the name, the relay or the mailbox changed: answers would go astray.
    let other_mailbox = card(MALLORY, "").mailbox().to_vec();
    for (old, new) in [
        (&b"Ann"[..], &b"Bob"[..]),
        (b"https://relay.example", b"https://relay.evil.ex"),
        (card(ANN, "").mailbox(), &other_mailbox),
    ] {
        let changed = replace(&ann, old, new);
        let header = replace(&pieces.header, &ann, &changed);
        let forged = Pieces { header, ..pieces.clone() }.seal(BOB, Some(ANN));
        assert!(matches!(refused(BOB, &forged), Error::SenderCard(_)));
    }
}

/// The numbers are signed: the relay cannot renumber.
#[test]
fn forgery_numbers_of_the_stream() {
    let pieces = pieces();
    let place = [&[9; 16][..], &[4]].concat();
    let renumbered = replace(&pieces.header, &place, &[&[9; 16][..], &[5]].concat());
    let forged = Pieces { header: renumbered, ..pieces.clone() };
    assert!(matches!(refused(BOB, &forged.seal(BOB, None)), Error::Forged));
    let zero = replace(&pieces.header, &place, &[&[9; 16][..], &[0]].concat());
    let forged = Pieces { header: zero, ..pieces };
    assert!(matches!(refused(BOB, &forged.seal(BOB, Some(ANN))), Error::Heading { .. }));
}

#[test]
fn a_letter_cut_anywhere_by_its_sealer_is_truncated() {
    let large = vec![7; 70_000];
    let plain = plaintext(BOB, &seal(ANN, BOB, &large));
    let front = plain.windows(4).position(|w| w == [0, 1, 0, 0]).unwrap();
    // In the length of the first block, the block, the second block, the end, the signature, the
    // padding.
    let second = front + 4 + 65_536;
    let end = second + 4 + (70_000 - 65_536);
    for cut in [
        front,
        front + 2,
        front + 100,
        second,
        second + 9,
        end,
        end + 2,
        end + 4,
        end + 67,
        end + 68,
        plain.len() - 1,
    ] {
        let sealer = age::Sealer::new(&[identity(BOB).age_recipient()]).unwrap();
        let signed = Pieces::of(&plain).signed(sealer.header(), ANN);
        let mut sealed = Vec::new();
        sealer.seal(&signed.plaintext()[..cut], &mut sealed).unwrap();
        let (opened, released) = open(BOB, &sealed);
        assert!(matches!(opened, Err(Error::Truncated(_))), "cut at {cut}: {opened:?}");
        // What was released is a beginning of the body.
        assert!(large.starts_with(&released.unwrap()));
    }
    // Within header and authenticator nothing is released at all.
    for cut in [8, 10, 12, 50, front - 1] {
        assert!(matches!(refused(BOB, &seal_bytes(BOB, &plain[..cut])), Error::Truncated(_)));
    }
}

#[test]
fn a_letter_cut_or_changed_on_its_way_is_damaged() {
    let large = vec![7; 200_000];
    let sealed = seal(ANN, BOB, &large);
    let payload = sealed.len() - 150_000;
    for end in [sealed.len() - 1, payload] {
        let (opened, released) = open(BOB, &sealed[..end]);
        assert!(matches!(opened, Err(Error::Age(_))), "{opened:?}");
        assert!(released.is_none_or(|body| large.starts_with(&body)));
    }
    for at in [30, 1500, 1700, payload, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let (opened, released) = open(BOB, &changed);
        assert!(matches!(opened, Err(Error::Age(_))), "byte {at}: {opened:?}");
        assert!(released.is_none_or(|body| large.starts_with(&body)));
    }
}

#[test]
fn padding_and_blocks_have_one_form() {
    let pieces = pieces();
    let with_rest = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut forged = pieces.clone();
        change(&mut forged.rest);
        open(BOB, &forged.seal(BOB, Some(ANN))).0
    };
    assert!(with_rest(&|_| ()).is_ok());
    for at in [77, 100] {
        let marked = with_rest(&|rest| rest[at] = 1);
        assert!(matches!(marked, Err(Error::Malformed { .. })), "{marked:?}");
    }
    let last = with_rest(&|rest| *rest.last_mut().unwrap() = 1);
    assert!(matches!(last, Err(Error::Malformed { .. })));
    let longer = with_rest(&|rest| rest.push(0));
    assert!(matches!(longer, Err(Error::Malformed { .. })));
    let shorter = with_rest(&|rest| rest.truncate(rest.len() - 1));
    assert!(matches!(shorter, Err(Error::Truncated(_))));
    let oversized = with_rest(&|rest| rest[..4].copy_from_slice(&65_537u32.to_be_bytes()));
    assert!(matches!(oversized, Err(Error::Malformed { .. })));
    let huge = with_rest(&|rest| rest[..4].fill(0xff));
    assert!(matches!(huge, Err(Error::Malformed { .. })));
    for length in [98_305u32, u32::MAX] {
        let mut plain = pieces.plaintext();
        plain[8..12].copy_from_slice(&length.to_be_bytes());
        assert!(matches!(refused(BOB, &seal_bytes(BOB, &plain)), Error::Malformed { .. }));
    }
    let version = Pieces { authenticator: vec![2, 0], ..pieces.clone() };
    assert!(matches!(refused(BOB, &version.seal(BOB, None)), Error::Record(_)));
    let kind = Pieces { authenticator: vec![1, 7], ..pieces };
    assert!(matches!(refused(BOB, &kind.seal(BOB, None)), Error::Record(_)));
}

/// What the caller says comes back as the caller said it.
#[derive(Debug)]
enum Said {
    Replay([u8; 16]),
    Letter(Error),
}

impl From<Error> for Said {
    fn from(error: Error) -> Self {
        Self::Letter(error)
    }
}

#[test]
fn the_caller_may_refuse_before_a_byte_is_out() {
    let sealed = seal(ANN, BOB, b"hello");
    let bob = identity(BOB);
    let id = open_letter(BOB, &sealed).0.id;
    let opener = age::Opener::new(sealed.as_slice(), &[&bob]).unwrap();
    let refused = letter::open(opener, &[bob.fingerprint()], |content| match content {
        Content::Letter(letter) => Err::<Vec<u8>, _>(Said::Replay(letter.id)),
        Content::Plain => panic!(),
    });
    assert!(matches!(refused, Err(Said::Replay(which)) if which == id));

    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let opener = age::Opener::new(sealed.as_slice(), &[&bob]).unwrap();
    let full = letter::open(opener, &[bob.fingerprint()], |_| Ok::<_, Said>(Full));
    assert!(matches!(
        full.map(drop),
        Err(Said::Letter(Error::Output(error))) if error.kind() == io::ErrorKind::StorageFull
    ));
}

#[test]
fn a_letter_to_any_of_my_identities_is_mine() {
    let sealed = seal(ANN, BOB, b"hello");
    let (bob, other) = (identity(BOB), identity(8));
    let mine: Vec<Fingerprint> = vec![other.fingerprint(), bob.fingerprint()];
    let opener = age::Opener::new(sealed.as_slice(), &[&other, &bob]).unwrap();
    let (_, body) = letter::open(opener, &mine, |_| Ok::<_, Error>(Vec::new())).unwrap();
    assert_eq!(body, b"hello");
}

#[test]
fn letters_stream_through_envelopes() {
    let routing = Routing { relay: None, mailbox: *card(BOB, "").mailbox(), capability: None };
    let bodies = [vec![1; 10], vec![2; 300_000], Vec::new()];
    let mut writer = EnvelopeWriter::new(Vec::new()).unwrap();
    let (ann, ann_card) = (identity(ANN), card(ANN, "Ann"));
    let mut keys = Vec::new();
    for body in &bodies {
        let mut envelope = writer.begin(&routing).unwrap();
        let sender = Sender { identity: &ann, card: &ann_card, pairwise: None };
        letter::seal(&heading(), &card(BOB, ""), Some(sender), body.as_slice(), &mut envelope)
            .unwrap();
        keys.push(envelope.finish().unwrap());
    }
    let stream = writer.finish().unwrap();

    let mut reader = EnvelopeReader::new(stream.as_slice());
    let bob = identity(BOB);
    for body in &bodies {
        let mut envelope = reader.next().unwrap().unwrap();
        let opener = age::Opener::new(&mut envelope, &[&bob]).unwrap();
        let opened = letter::open(opener, &[bob.fingerprint()], |_| Ok::<_, Error>(Vec::new()));
        assert!(opened.unwrap().1 == *body);
    }
    assert!(reader.next().unwrap().is_none());

    let mut reader = EnvelopeReader::new(stream.as_slice());
    for key in keys {
        let (seen, hash) = reader.next().unwrap().unwrap().inspect().unwrap();
        assert_eq!(seen.stanzas, ["mlkem768x25519"]);
        assert_eq!(seen.post_quantum, Some(true));
        assert!(!seen.armored);
        assert_eq!(hash, key);
    }
}

/// The hash of the envelope is wrong though every chunk of the letter is right: the damage
/// shows before the letter is reported whole.
#[test]
fn a_wrong_hash_is_an_error_of_the_letter_in_it() {
    let routing = Routing { relay: None, mailbox: [0; 32], capability: None };
    let mut writer = EnvelopeWriter::new(Vec::new()).unwrap();
    let mut envelope = writer.begin(&routing).unwrap();
    envelope.write_all(&seal(ANN, BOB, b"hello")).unwrap();
    envelope.finish().unwrap();
    let mut stream = writer.finish().unwrap();
    let hash = stream.len() - 5;
    stream[hash] ^= 1;
    let bob = identity(BOB);
    let mut reader = EnvelopeReader::new(stream.as_slice());
    let envelope = reader.next().unwrap().unwrap();
    let opened = age::Opener::new(envelope, &[&bob]).map_err(Error::from).and_then(|opener| {
        letter::open(opener, &[bob.fingerprint()], |_| Ok::<_, Error>(Vec::new()))
    });
    assert!(matches!(opened, Err(Error::Hash)), "{opened:?}");
    assert!(reader.next().unwrap().is_none());
}

/// Counts what it gives, and keeps nothing.
struct Large(u64);

impl Read for Large {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = out.len().min(usize::try_from(self.0).unwrap());
        out[..got].fill(3);
        self.0 -= got as u64;
        Ok(got)
    }
}

#[test]
fn a_large_letter_streams_through() {
    let (ann, ann_card, bob) = (identity(ANN), card(ANN, "Ann"), identity(BOB));
    let mut sealed = tempfile::tempfile().unwrap();
    let sender = Sender { identity: &ann, card: &ann_card, pairwise: None };
    let length = 24 << 20;
    letter::seal(&heading(), &card(BOB, ""), Some(sender), Large(length), &sealed).unwrap();
    io::Seek::rewind(&mut sealed).unwrap();
    struct Count(u64);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(bytes.iter().all(|byte| *byte == 3));
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let opener = age::Opener::new(sealed, &[&bob]).unwrap();
    let (_, count) =
        letter::open(opener, &[bob.fingerprint()], |_| Ok::<_, Error>(Count(0))).unwrap();
    assert_eq!(count.0, length);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_letter_is_read_back(
        subject in proptest::option::of("\\PC{0,50}"),
        file_name in proptest::option::of("\\PC{0,50}"),
        value in "\\PC{0,50}",
        place: Option<([u8; 16], u64)>,
        date: u64,
        body in proptest::collection::vec(any::<u8>(), 0..5000),
    ) {
        prop_assume!(place.is_none_or(|(_, seq)| seq > 0));
        let pairs = vec![("key".to_owned(), value)];
        let heading = Heading { place, date, subject, file_name, content_type: None, pairs };
        let (ann, ann_card) = (identity(ANN), card(ANN, "Ann"));
        let sender = Sender { identity: &ann, card: &ann_card, pairwise: None };
        let mut sealed = Vec::new();
        letter::seal(&heading, &card(BOB, ""), Some(sender), body.as_slice(), &mut sealed).unwrap();
        let (letter, opened) = open_letter(BOB, &sealed);
        prop_assert_eq!(letter.heading, heading);
        prop_assert_eq!(opened, body);
    }

    /// Whatever is sealed to us, nothing panics and nothing passes for a letter of Ann's.
    #[test]
    fn any_plaintext_is_survived(at in 0usize..4096, bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
        let mut plain = pieces().plaintext();
        let end = (at + bytes.len()).min(plain.len());
        plain[at..end].copy_from_slice(&bytes[..end - at]);
        let (opened, released) = open(BOB, &seal_bytes(BOB, &plain));
        if let Ok(Content::Letter(letter)) = opened {
            prop_assert!(letter.from.is_none());
        } else if at >= 8 {
            prop_assert_eq!(released, None);
        }
    }
}
