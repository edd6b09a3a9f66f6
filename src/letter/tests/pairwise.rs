//! Letters between paired contacts: which proof a letter needs, what it proves to the recipient,
//! and what a thief of the recipient's keys can and cannot make of them.

use std::io;
use std::sync::{Arc, Mutex};

use crate::age;
use crate::crypto::{self, label};
use crate::identity::{Card, Fingerprint, Identity};
use crate::kem::SecretKey;
use crate::letter::ratchet::{LetterKey, Outcome, Ratchet, Start};
use crate::letter::{
    self, Content, Draft, Error, Heading, Letter, Notice, Pairwise, Postscript, Proof, Sender,
};
use crate::secret::Secret;

const ANN: u8 = 1;
const BOB: u8 = 2;
const MALLORY: u8 = 3;

fn secret(byte: u8) -> Secret<32> {
    Secret::take(&mut [byte; 32])
}

fn identity(byte: u8) -> Identity {
    Identity::from_seed(secret(byte)).unwrap()
}

fn card(of: u8) -> Card {
    identity(of).card("", None, 0, 1_767_225_600).unwrap()
}

/// The secret that two of them share.
fn shared(one: u8, other: u8) -> Secret<32> {
    secret(100 + one * other)
}

/// A letter from Ann, and how it is proven.
#[derive(Default)]
struct Plan {
    pairwise: Option<Secret<32>>,
    key: Option<LetterKey>,
    postscript: Postscript,
}

impl Plan {
    fn paired() -> Self {
        Self { pairwise: Some(shared(ANN, BOB)), ..Self::default() }
    }

    fn to(self, to: u8, body: &[u8]) -> Vec<u8> {
        let (identity, card, to) = (identity(ANN), card(ANN), card(to));
        let sender = Sender { identity: &identity, card: &card, pairwise: self.pairwise.as_ref() };
        let heading = Heading { place: Some(([9; 16], 1)), ..Heading::default() };
        let draft = Draft::new(heading, &to, Some(sender)).unwrap();
        let mut out = Vec::new();
        let draft = Draft { key: self.key, postscript: self.postscript, ..draft };
        draft.seal(body, &mut out).unwrap();
        out
    }
}

fn notice() -> Postscript {
    let notice = Some(Notice { kind: 1, content: vec![7] });
    Postscript { notice, ..Postscript::default() }
}

/// The ratchets of Ann and Bob.
fn ratchets() -> (Ratchet, Ratchet) {
    let pairwise = shared(ANN, BOB);
    let side = |inviter, ours, theirs| {
        Ratchet::new(Start {
            secret: &pairwise,
            transcript: [2; 32],
            inviter,
            ours: secret(ours),
            theirs: SecretKey::from_seed(&secret(theirs)).public(),
        })
    };
    (side(true, 3, 4), side(false, 4, 3))
}

fn next_key(ratchet: &mut Ratchet) -> LetterKey {
    ratchet.seal(1).unwrap()
}

/// Bob, who paired with `with`; `file` remembers the key of the file that was opened last.
struct Reader {
    identity: Identity,
    with: Vec<u8>,
    ratchet: Option<Ratchet>,
    file: Mutex<Option<[u8; 16]>>,
}

impl Reader {
    fn new(with: &[u8], ratchet: Option<Ratchet>) -> Self {
        Self { identity: identity(BOB), with: with.to_vec(), ratchet, file: Mutex::new(None) }
    }

    fn open(&self, sealed: &[u8]) -> (Result<Letter, Error>, Option<Vec<u8>>) {
        let mut released = None;
        let sink = Mutex::new(&mut released);
        let opened = age::Opener::new(sealed, &[self]).map_err(Error::from).and_then(|opener| {
            letter::open_paired(opener, &[self.identity.fingerprint()], self, |_| {
                **sink.lock().unwrap() = Some(Vec::new());
                Ok::<_, Error>(Released(&sink))
            })
        });
        let opened = opened.map(|(content, _)| match content {
            Content::Letter(letter) => *letter,
            Content::Plain => panic!("no letter"),
        });
        (opened, released)
    }

    fn opens(&self, sealed: &[u8]) -> (Proof, Vec<u8>) {
        match self.open(sealed) {
            (Ok(letter), Some(body)) => (letter.proof, body),
            other => panic!("{other:?}"),
        }
    }

    /// The error, when nothing at all was released.
    fn refuses(&self, sealed: &[u8]) -> Error {
        match self.open(sealed) {
            (Err(error), None) => error,
            other => panic!("{other:?}"),
        }
    }
}

struct Released<'a, 'b>(&'a Mutex<&'b mut Option<Vec<u8>>>);

impl io::Write for Released<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().as_mut().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl age::Identity for Reader {
    fn unwrap(&self, stanzas: &[age::Stanza]) -> Result<Option<age::FileKey>, age::Error> {
        let key = match self.ratchet.as_ref().and_then(|one| one.open(&stanzas[0]).unwrap()) {
            Some(Outcome::Opened(opened)) => Some(age::FileKey::new(opened.file_key)),
            _ => self.identity.unwrap(stanzas)?,
        };
        *self.file.lock().unwrap() = key.as_ref().map(|key| *key.expose());
        Ok(key)
    }

    fn class(&self) -> age::Class {
        age::Class::PostQuantum
    }
}

impl Pairwise for Reader {
    fn secrets(&self, to: &Fingerprint, from: &Fingerprint) -> Vec<Arc<Secret<32>>> {
        assert_eq!(*to, self.identity.fingerprint());
        let known = self.with.iter().filter(|with| identity(**with).fingerprint() == *from);
        known.map(|with| Arc::new(shared(BOB, *with))).collect()
    }
}

/// The parts of a letter's plaintext.
#[derive(Clone)]
struct Parts {
    header: Vec<u8>,
    authenticator: Vec<u8>,
    /// Body, trailer and padding.
    rest: Vec<u8>,
}

impl Parts {
    fn of(reader: &Reader, sealed: &[u8]) -> Self {
        fn frame(from: &[u8]) -> (Vec<u8>, &[u8]) {
            let (length, rest) = from.split_first_chunk().unwrap();
            let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            (frame.to_vec(), rest)
        }
        let mut plain = Vec::new();
        age::Opener::new(sealed, &[reader]).unwrap().open(&mut plain).unwrap();
        let (header, rest) = frame(&plain[8..]);
        let (authenticator, rest) = frame(rest);
        Self { header, authenticator, rest: rest.to_vec() }
    }

    /// Begins as the letter does, ends with another body and trailer, at the same length.
    fn with_body(&self, body: &[u8], trailer: &[u8]) -> Self {
        let front = 8 + 4 + self.header.len() + 4 + self.authenticator.len();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let block = if body.is_empty() { Vec::new() } else { [&length, body].concat() };
        let mut rest = [&block[..], &[0; 4], trailer].concat();
        assert!(front + rest.len() <= 4096 && front + self.rest.len() == 4096);
        rest.resize(self.rest.len(), 0);
        Self { rest, ..self.clone() }
    }

    fn plaintext(&self) -> Vec<u8> {
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_be_bytes();
        let (header, authenticator) = (length(&self.header), length(&self.authenticator));
        let parts: [&[u8]; 6] = [
            b"\x8bbulla L",
            &header,
            &self.header,
            &authenticator,
            &self.authenticator,
            &self.rest,
        ];
        parts.concat()
    }

    /// Seals the header as it is to a recipient, with an authenticator and trailer made of the new
    /// headers' hashes.
    fn seal(
        &self,
        recipient: &dyn age::Recipient,
        body: &[u8],
        authenticator: impl FnOnce(&[u8]) -> Vec<u8>,
        trailer: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Vec<u8> {
        let sealer = age::Sealer::new(&[recipient]).unwrap();
        let message =
            [crypto::sha256(&[sealer.header()]), crypto::sha256(&[&self.header])].concat();
        let authenticator = authenticator(&message);
        // The padding of a letter of the least length, whatever the authenticator's.
        let front = 8 + 4 + self.header.len() + 4 + authenticator.len();
        let forged = Self { authenticator, rest: vec![0; 4096 - front], ..self.clone() };
        let forged = forged.with_body(body, &trailer(&message));
        let mut out = Vec::new();
        sealer.seal(forged.plaintext().as_slice(), &mut out).unwrap();
        out
    }
}

fn mac(secret: &Secret<32>, label: &[u8], message: &[u8]) -> Vec<u8> {
    let key: Secret<32> = crypto::hkdf(secret.expose(), &[], label);
    crypto::hmac_sha256(key.expose(), &[message]).to_vec()
}

fn sign(signer: u8, label: &[u8], message: &[u8]) -> Vec<u8> {
    identity(signer).signer().sign_labelled(label, &[message]).to_vec()
}

fn mac_alone(secret: &Secret<32>, message: &[u8]) -> Vec<u8> {
    [vec![1, 2], mac(secret, label::LETTER_PAIRWISE, message)].concat()
}

fn signature_alone(signer: u8, message: &[u8]) -> Vec<u8> {
    [vec![1, 1], sign(signer, label::LETTER_SIGNATURE, message)].concat()
}

fn both(signer: u8, secret: &Secret<32>, message: &[u8]) -> Vec<u8> {
    let signature = sign(signer, label::LETTER_SIGNATURE_PAIRED, message);
    [vec![1, 3], signature, mac(secret, label::LETTER_PAIRWISE_SIGNED, message)].concat()
}

fn body_signature(signer: u8, body: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let hash = crypto::sha256(&[body]);
    move |message| sign(signer, label::LETTER_BODY, &[message, &hash].concat())
}

fn none(_: &[u8]) -> Vec<u8> {
    Vec::new()
}

#[test]
fn each_letter_has_the_proof_it_needs() {
    let (mut ann, bob) = ratchets();
    let reader = Reader::new(&[MALLORY, ANN], Some(bob));
    let mut under_ratchet = |postscript| {
        let plan = Plan { key: Some(next_key(&mut ann)), postscript, ..Plan::paired() };
        plan.to(BOB, b"hello")
    };
    for (sealed, proof) in [
        (Plan::default().to(BOB, b"hello"), Proof::Signature),
        (Plan::paired().to(BOB, b"hello"), Proof::SignedPairwise),
        (Plan { postscript: notice(), ..Plan::paired() }.to(BOB, b"hello"), Proof::SignedPairwise),
        (under_ratchet(Postscript::default()), Proof::Pairwise),
        (under_ratchet(notice()), Proof::SignedPairwise),
    ] {
        assert_eq!(reader.opens(&sealed), (proof, b"hello".to_vec()));
    }
    // To a reader who did not pair with Ann the MAC proves nothing.
    let sealed = Plan::paired().to(BOB, b"hello");
    for with in [&[][..], &[MALLORY]] {
        assert!(matches!(Reader::new(with, None).refuses(&sealed), Error::Unproven(_)));
    }
    // A key of the ratchet is for the pairing: no letter under it is signed alone, or anonymous.
    let (identity, from, to) = (identity(ANN), card(ANN), card(BOB));
    let sender = Sender { identity: &identity, card: &from, pairwise: None };
    for sender in [Some(sender), None] {
        let draft = Draft::new(Heading::default(), &to, sender).unwrap();
        let draft = Draft { key: Some(next_key(&mut ann)), ..draft };
        let refused = draft.seal(io::empty(), io::sink());
        assert!(matches!(refused, Err(Error::Unproven(_) | Error::NotTheSender)), "{refused:?}");
    }
}

/// The forge must be able to make a letter that is accepted, or its refusals mean nothing.
#[test]
fn the_forge_works() {
    let reader = Reader::new(&[ANN], None);
    let parts = Parts::of(&reader, &Plan::paired().to(BOB, b"hello"));
    let to = identity(BOB);
    let forged = parts.seal(
        to.age_recipient(),
        b"HELLO",
        |message| both(ANN, &shared(ANN, BOB), message),
        body_signature(ANN, b"HELLO"),
    );
    assert_eq!(reader.opens(&forged), (Proof::SignedPairwise, b"HELLO".to_vec()));
    let forged = parts.seal(
        to.age_recipient(),
        b"HELLO",
        |message| signature_alone(ANN, message),
        body_signature(ANN, b"HELLO"),
    );
    assert_eq!(reader.opens(&forged), (Proof::Signature, b"HELLO".to_vec()));
}

/// A thief of Bob's home has all of Bob's secrets, and writes to Bob as Ann.
#[test]
fn forgery_a_thief_of_the_recipient_writes_as_the_contact() {
    let reader = Reader::new(&[ANN, MALLORY], None);
    let parts = Parts::of(&reader, &Plan::paired().to(BOB, b"hello"));
    let (to, pairwise) = (identity(BOB), shared(ANN, BOB));
    let forge = |authenticator: &dyn Fn(&[u8]) -> Vec<u8>, signer: Option<u8>| {
        let trailer = |message: &[u8]| match signer {
            Some(signer) => body_signature(signer, b"forged")(message),
            None => Vec::new(),
        };
        reader.refuses(&parts.seal(to.age_recipient(), b"forged", authenticator, trailer))
    };
    // With the MAC alone: it is the right one, and does not do.
    let refused = forge(&|message| mac_alone(&pairwise, message), None);
    assert!(matches!(refused, Error::Unproven(_)), "{refused:?}");
    // With signatures of keys that a thief can have.
    for signer in [BOB, MALLORY] {
        assert!(matches!(
            forge(&|message| both(signer, &pairwise, message), Some(signer)),
            Error::Forged
        ));
        assert!(matches!(
            forge(&|message| signature_alone(signer, message), Some(signer)),
            Error::Forged
        ));
    }
    // With what Ann signed for another letter, whole or taken apart.
    let signed = parts.authenticator.clone();
    assert!(matches!(forge(&|_| signed.clone(), None), Error::Forged));
    assert!(matches!(forge(&|_| [&[1, 1], &signed[2..66]].concat(), None), Error::Forged));
    let signature = |message: &[u8]| {
        let mac = mac(&pairwise, label::LETTER_PAIRWISE_SIGNED, message);
        [&[1, 3], &signed[2..66], &mac].concat()
    };
    assert!(matches!(forge(&signature, None), Error::Forged));
    // With a signature made under the label of a letter that is signed alone, or of a card.
    for label in [label::LETTER_SIGNATURE, label::LETTER_BODY, label::CARD_SIGNATURE] {
        let relabelled = |message: &[u8]| {
            let mac = mac(&pairwise, label::LETTER_PAIRWISE_SIGNED, message);
            [vec![1, 3], sign(ANN, label, message), mac].concat()
        };
        assert!(matches!(forge(&relabelled, Some(ANN)), Error::Forged));
    }
}

/// A forger of Ann's signature alone does not change keys and machines: the MAC is there
/// for that.
#[test]
fn forgery_without_the_secret() {
    let reader = Reader::new(&[ANN, MALLORY], None);
    let to = identity(BOB);
    let sealed = Plan { postscript: notice(), ..Plan::paired() }.to(BOB, b"");
    let parts = Parts::of(&reader, &sealed);
    let forge = |authenticator: &dyn Fn(&[u8]) -> Vec<u8>| {
        let trailer = body_signature(ANN, b"");
        let sealed = parts.seal(to.age_recipient(), b"", authenticator, trailer);
        match reader.open(&sealed) {
            (Ok(letter), _) => Ok(letter.proof),
            (Err(error), None) => Err(error),
            other => panic!("{other:?}"),
        }
    };
    let right = shared(ANN, BOB);
    assert!(matches!(forge(&|message| both(ANN, &right, message)), Ok(Proof::SignedPairwise)));
    assert!(matches!(forge(&|message| signature_alone(ANN, message)), Err(Error::Unproven(_))));
    for wrong in [shared(MALLORY, BOB), secret(0)] {
        assert!(matches!(forge(&|m| both(ANN, &wrong, m)), Err(Error::Unproven(_))));
    }
    for bit in [0, 100, 255] {
        let flipped = |message: &[u8]| {
            let mut both = both(ANN, &right, message);
            both[66 + bit / 8] ^= 1 << (bit % 8);
            both
        };
        assert!(matches!(forge(&flipped), Err(Error::Unproven(_))));
    }
    // The MAC of letters under the ratchet, as a recipient could move it here.
    let other_label = |message: &[u8]| {
        let mac = mac(&right, label::LETTER_PAIRWISE, message);
        [vec![1, 3], sign(ANN, label::LETTER_SIGNATURE_PAIRED, message), mac].concat()
    };
    assert!(matches!(forge(&other_label), Err(Error::Unproven(_))));
}

#[test]
fn forgery_a_letter_to_mallory_is_passed_on_to_bob() {
    let mallory = Reader { identity: identity(MALLORY), ..Reader::new(&[], None) };
    let plan = Plan { pairwise: Some(shared(ANN, MALLORY)), ..Plan::default() };
    let parts = Parts::of(&mallory, &plan.to(MALLORY, b"you are fired"));
    let bob = identity(BOB);
    // As Mallory can, who has the secret shared with Ann, and with Ann's signature.
    let signature = parts.authenticator[2..66].to_vec();
    let passed_on = parts.seal(
        bob.age_recipient(),
        b"you are fired",
        |message| {
            let mac = mac(&shared(ANN, BOB), label::LETTER_PAIRWISE_SIGNED, message);
            [&[1, 3], &signature[..], &mac].concat()
        },
        none,
    );
    assert!(matches!(refused_as_mallorys(&passed_on, &bob), Error::Forged));
    // Even if Ann had signed it, it is Mallory's.
    let passed_on = parts.seal(
        bob.age_recipient(),
        b"you are fired",
        |message| both(ANN, &shared(ANN, MALLORY), message),
        body_signature(ANN, b"you are fired"),
    );
    let refused = refused_as_mallorys(&passed_on, &bob);
    assert!(matches!(refused, Error::Readdressed { to } if to == mallory.identity.fingerprint()));
}

/// Opens with every secret that Ann shares, so that nothing but signature and address stand in the
/// way.
fn refused_as_mallorys(sealed: &[u8], bob: &Identity) -> Error {
    struct All;
    impl Pairwise for All {
        fn secrets(&self, _: &Fingerprint, _: &Fingerprint) -> Vec<Arc<Secret<32>>> {
            vec![Arc::new(shared(ANN, BOB)), Arc::new(shared(ANN, MALLORY))]
        }
    }
    let opener = age::Opener::new(sealed, &[bob]).unwrap();
    let accept = |_: &Content| Ok::<_, Error>(io::sink());
    letter::open_paired(opener, &[bob.fingerprint()], &All, accept).map(drop).unwrap_err()
}

/// A thief of Bob's keys opens Ann's letter on its way and puts another body under its headers.
#[test]
fn forgery_the_body_of_a_signed_letter_is_exchanged() {
    let reader = Reader::new(&[ANN], None);
    for plan in [Plan::default(), Plan::paired()] {
        let sealed = plan.to(BOB, b"pay 10 to Carol");
        let parts = Parts::of(&reader, &sealed);
        let trailer = parts.rest[4 + 15 + 4..][..64].to_vec();
        assert_eq!(parts.with_body(b"pay 10 to Carol", &trailer).rest, parts.rest);
        let reseal = |parts: &Parts| {
            let key = *reader.file.lock().unwrap().as_ref().unwrap();
            seal_under(&sealed, &key, &parts.plaintext())
        };
        // Sealed again as it was, it opens: the forge works.
        assert_eq!(reader.opens(&reseal(&parts)).1, b"pay 10 to Carol");
        let forged = |body: &[u8], trailer: &[u8]| {
            let (opened, released) = reader.open(&reseal(&parts.with_body(body, trailer)));
            // It streams: what was released is taken back by the error.
            assert_eq!(released.as_deref(), Some(body));
            opened.unwrap_err()
        };
        assert!(matches!(forged(b"pay 99 to Carol", &trailer), Error::ForgedBody));
        assert!(matches!(forged(b"pay 10 to Caro", &trailer), Error::ForgedBody));
        assert!(matches!(forged(b"", &trailer), Error::ForgedBody));
        assert!(matches!(forged(b"pay 99 to Carol", &[]), Error::ForgedBody));
        // Signed by another, or by Ann under the other labels of letters.
        let message = [crypto::sha256(&[header_of(&sealed)]), crypto::sha256(&[&parts.header])];
        let hash = crypto::sha256(&[b"pay 99 to Carol"]);
        let signed = [message[0], message[1], hash].concat();
        for trailer in [
            sign(MALLORY, label::LETTER_BODY, &signed),
            sign(ANN, label::LETTER_SIGNATURE, &signed),
            sign(ANN, label::LETTER_SIGNATURE_PAIRED, &signed),
            parts.authenticator[2..66].to_vec(),
        ] {
            assert!(matches!(forged(b"pay 99 to Carol", &trailer), Error::ForgedBody));
        }
        // The body and trailer of another letter of Ann's.
        let other = Parts::of(&reader, &Plan::paired().to(BOB, b"pay 99 to Carol"));
        let moved = other.rest[4 + 15 + 4..][..64].to_vec();
        Parts::of(&reader, &sealed);
        assert!(matches!(forged(b"pay 99 to Carol", &moved), Error::ForgedBody));
    }
}

/// The age header of a sealed file.
fn header_of(sealed: &[u8]) -> &[u8] {
    let mac = sealed.windows(5).position(|at| at == b"\n--- ").unwrap() + 5;
    let end = mac + sealed[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    &sealed[..end]
}

/// Another payload under the header of a sealed file, with its key, for a plaintext of one chunk.
fn seal_under(sealed: &[u8], key: &[u8; 16], plain: &[u8]) -> Vec<u8> {
    assert!(plain.len() <= 65_536);
    let payload: Secret<32> = crypto::hkdf(key, &[5; 16], b"payload");
    let mut nonce = [0; 12];
    nonce[11] = 1;
    let mut chunk = plain.to_vec();
    let tag = crypto::Aead::new(&payload).seal(&nonce, &[], &mut chunk);
    [header_of(sealed), &[5; 16], &chunk, &tag].concat()
}

/// Bob can write under the ratchet what Ann never wrote, and no one can tell: so what she did write
/// there proves nothing to others. It is also what a thief of Bob's state can do until it heals.
#[test]
fn the_recipient_could_have_written_a_letter_under_the_ratchet() {
    let (mut ann, bob) = ratchets();
    let reader = Reader::new(&[ANN], Some(bob));
    let plan = Plan { key: Some(next_key(&mut ann)), ..Plan::paired() };
    let sealed = plan.to(BOB, b"I owe you 10");
    let parts = Parts::of(&reader, &sealed);
    let key = *reader.file.lock().unwrap().as_ref().unwrap();
    let made_by_bob = seal_under(&sealed, &key, &parts.with_body(b"I owe you 99", &[]).plaintext());
    assert_eq!(reader.opens(&made_by_bob), (Proof::Pairwise, b"I owe you 99".to_vec()));

    // The thief cannot write what changes keys, machines or contacts, there or elsewhere.
    let key = next_key(&mut ann);
    let plan = Plan { postscript: notice(), ..Plan::paired() };
    let parts = Parts::of(&reader, &plan.to(BOB, b""));
    let forged = parts.seal(&key, b"", |message| mac_alone(&shared(ANN, BOB), message), none);
    assert!(matches!(reader.refuses(&forged), Error::Unproven(_)));
    // A signature alone is no proof under the ratchet, though it holds.
    let forged =
        parts.seal(&key, b"", |message| signature_alone(ANN, message), body_signature(ANN, b""));
    assert!(matches!(reader.refuses(&forged), Error::Unproven(_)));
}

/// Letters that tests/forgery/vectors.py made.
#[test]
fn vectors_of_another_implementation() {
    let all: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../tests/vectors/letter/proofs.json")).unwrap();
    assert_eq!(all.len(), 10);
    let reader = Reader::new(&[ANN], None);
    for one in all {
        let text = |field: &str| one[field].as_str().unwrap();
        let name = text("name");
        let sealed = crate::text::base64_decode(text("sealed").as_bytes()).unwrap();
        let (opened, released) = reader.open(&sealed);
        let outcome = match &opened {
            Ok(Letter { proof: Proof::Signature, .. }) => "signature",
            Ok(Letter { proof: Proof::SignedPairwise, .. }) => "signature+pairwise",
            Err(Error::Unproven(_)) => "unproven",
            Err(Error::Forged) => "forged",
            Err(Error::ForgedBody) => "forged body",
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(outcome, text("outcome"), "{name}");
        assert_eq!(released.is_some(), opened.is_ok() || outcome == "forged body", "{name}");
        // What is deterministic is the same here.
        let parts = Parts::of(&reader, &sealed);
        let message = [crypto::sha256(&[header_of(&sealed)]), crypto::sha256(&[&parts.header])];
        let hex = crate::text::hex_encode;
        assert_eq!(hex(&message.concat()), text("message"), "{name}");
        assert_eq!(hex(&parts.authenticator), text("authenticator"), "{name}");
        if opened.is_ok() {
            let (message, pairwise) = (message.concat(), shared(ANN, BOB));
            let authenticator = match outcome {
                "signature" => signature_alone(ANN, &message),
                _ => both(ANN, &pairwise, &message),
            };
            assert_eq!(parts.authenticator, authenticator, "{name}");
            let body = text("body").as_bytes();
            assert_eq!(released.as_deref(), Some(body), "{name}");
            let trailer = body_signature(ANN, body)(&message);
            assert_eq!(hex(&trailer), text("body_signature"), "{name}");
        }
    }
}
