//! Letters between people who paired, proven by a MAC of their pairwise secret: what it proves to
//! the recipient, and that it proves nothing to anybody else.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io;
use std::sync::Arc;

use bulla::age;
use bulla::crypto::{self, label};
use bulla::identity::{Card, Fingerprint, Identity};
use bulla::letter::{self, Content, Draft, Error, Heading, Letter, Pairwise, Proof, Sender};
use bulla::secret::Secret;

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

/// What two of them share.
fn shared(one: u8, other: u8) -> Secret<32> {
    secret(100 + one * other)
}

fn seal(from: u8, to: u8, pairwise: &Secret<32>, body: &[u8]) -> Vec<u8> {
    let (identity, card, to) = (identity(from), card(from), card(to));
    let sender = Sender { identity: &identity, card: &card, pairwise: Some(pairwise) };
    let mut out = Vec::new();
    let heading = Heading { place: Some(([9; 16], 1)), ..Heading::default() };
    Draft::new(heading, &to, Some(sender)).unwrap().seal(body, &mut out).unwrap();
    out
}

/// Reads as somebody who paired with `with`.
struct Reader {
    me: u8,
    with: Vec<u8>,
}

impl Pairwise for Reader {
    fn secrets(&self, to: &Fingerprint, from: &Fingerprint) -> Vec<Arc<Secret<32>>> {
        assert_eq!(*to, identity(self.me).fingerprint());
        let known = self.with.iter().filter(|with| identity(**with).fingerprint() == *from);
        known.map(|with| Arc::new(shared(self.me, *with))).collect()
    }
}

fn open(me: u8, with: &[u8], sealed: &[u8]) -> Result<(Letter, Vec<u8>), Error> {
    let identity = identity(me);
    let reader = Reader { me, with: with.to_vec() };
    let opener = age::Opener::new(sealed, &[&identity])?;
    let mine = [identity.fingerprint()];
    let opened = letter::open_paired(opener, &mine, &reader, |_| Ok::<_, Error>(Vec::new()))?;
    let (Content::Letter(letter), body) = opened else { panic!("no letter") };
    Ok((*letter, body))
}

fn frames(plain: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    fn frame(from: &[u8]) -> (Vec<u8>, &[u8]) {
        let (length, rest) = from.split_first_chunk().unwrap();
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        (frame.to_vec(), rest)
    }
    let (header, rest) = frame(&plain[8..]);
    let (authenticator, rest) = frame(rest);
    (header, authenticator, rest.to_vec())
}

/// A letter put together by hand: the header and body of another, and an authenticator that is made
/// of both headers' hashes.
fn forge(to: u8, plain: &[u8], authenticator: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (header, _, rest) = frames(plain);
    let sealer = age::Sealer::new(&[identity(to).age_recipient()]).unwrap();
    let message = [crypto::sha256(&[sealer.header()]), crypto::sha256(&[&header])].concat();
    let authenticator = authenticator(&message);
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_be_bytes();
    let plain =
        [&plain[..8], &length(&header), &header, &length(&authenticator), &authenticator, &rest]
            .concat();
    let mut out = Vec::new();
    sealer.seal(plain.as_slice(), &mut out).unwrap();
    out
}

fn plaintext(me: u8, sealed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    age::Opener::new(sealed, &[&identity(me)]).unwrap().open(&mut plain).unwrap();
    plain
}

fn mac(pairwise: &Secret<32>, message: &[u8]) -> Vec<u8> {
    let key: Secret<32> = crypto::hkdf(pairwise.expose(), &[], label::LETTER_PAIRWISE);
    [&[1, 2], &crypto::hmac_sha256(key.expose(), &[message])[..]].concat()
}

#[test]
fn a_mac_proves_the_sender_to_whom_he_paired_with() {
    let letter = seal(ANN, BOB, &shared(ANN, BOB), b"hello");
    let (opened, body) = open(BOB, &[MALLORY, ANN], &letter).unwrap();
    assert_eq!(opened.from.unwrap().fingerprint(), identity(ANN).fingerprint());
    assert_eq!((opened.proof, body.as_slice()), (Proof::Pairwise, &b"hello"[..]));
    // Without that pairing it proves nothing.
    assert!(matches!(open(BOB, &[], &letter), Err(Error::Forged)));
    assert!(matches!(open(BOB, &[MALLORY], &letter), Err(Error::Forged)));
}

#[test]
fn forgery_without_the_secret() {
    let plain = plaintext(BOB, &seal(ANN, BOB, &shared(ANN, BOB), b"hello"));
    let refused = |authenticator: &dyn Fn(&[u8]) -> Vec<u8>| {
        let forged = forge(BOB, &plain, authenticator);
        matches!(open(BOB, &[ANN, MALLORY], &forged), Err(Error::Forged))
    };
    // As it stands, under another age header.
    let (_, authenticator, _) = frames(&plain);
    assert!(refused(&|_| authenticator.clone()));
    // By somebody else who paired with Bob.
    assert!(refused(&|message| mac(&shared(MALLORY, BOB), message)));
    assert!(refused(&|message| mac(&secret(0), message)));
    // Under the secret itself, or with a bit flipped.
    assert!(refused(&|message| {
        [&[1, 2], &crypto::hmac_sha256(shared(ANN, BOB).expose(), &[message])[..]].concat()
    }));
    for bit in [0, 100, 255] {
        assert!(refused(&|message| {
            let mut mac = mac(&shared(ANN, BOB), message);
            mac[2 + bit / 8] ^= 1 << (bit % 8);
            mac
        }));
    }
    assert!(!refused(&|message| mac(&shared(ANN, BOB), message)));
}

#[test]
fn forgery_a_letter_to_mallory_is_passed_on_to_bob() {
    let plain = plaintext(MALLORY, &seal(ANN, MALLORY, &shared(ANN, MALLORY), b"you are fired"));
    let forged = forge(BOB, &plain, |message| mac(&shared(ANN, MALLORY), message));
    let reader = Reader { me: MALLORY, with: vec![ANN] };
    let bob = identity(BOB);
    let opener = age::Opener::new(forged.as_slice(), &[&bob]).unwrap();
    // Even to somebody for whom the MAC holds it is somebody else's.
    let accept = |_: &Content| Ok::<_, Error>(io::sink());
    let refused = letter::open_paired(opener, &[bob.fingerprint()], &reader, accept);
    let mallory = identity(MALLORY).fingerprint();
    assert!(matches!(refused, Err(Error::Readdressed { to }) if to == mallory));
}

/// Bob can write what Ann never wrote, and nobody can tell: so what she did write proves nothing.
#[test]
fn the_recipient_could_have_written_it() {
    let plain = plaintext(BOB, &seal(ANN, BOB, &shared(ANN, BOB), b"I owe you 10"));
    let at = plain.windows(12).position(|w| w == b"I owe you 10").unwrap();
    let mut other = plain.clone();
    other[at..at + 12].copy_from_slice(b"I owe you 99");
    let made_by_bob = forge(BOB, &other, |message| mac(&shared(BOB, ANN), message));
    let (letter, body) = open(BOB, &[ANN], &made_by_bob).unwrap();
    assert_eq!(letter.from.unwrap().fingerprint(), identity(ANN).fingerprint());
    assert_eq!(body, b"I owe you 99");
}
