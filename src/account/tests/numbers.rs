//! Names and numbers of letters, as the contact book of the recipient judges them.

use crate::age::Opener;
use crate::contact::{Book, Place, Receipt, Trust};
use crate::identity::{Card, Identity};
use crate::letter::{self, Content, Error, Heading, Letter, Sender};
use crate::secret::Secret;

const ANN: u8 = 1;
const BOB: u8 = 2;
const MALLORY: u8 = 3;

fn identity(byte: u8) -> Identity {
    Identity::from_seed(Secret::take(&mut [byte; 32])).unwrap()
}

/// Returns a card with the name of Ann, whoever it is of.
fn card(byte: u8) -> Card {
    identity(byte).card("Ann", Some("https://relay.example"), 0, 1).unwrap()
}

/// Returns the fourth letter to Bob as Bob reads it.
fn letter(from: u8) -> Letter {
    let (from, card, bob) = (identity(from), card(from), identity(BOB));
    let sender = Sender { identity: &from, card: &card, pairwise: None };
    let heading = Heading { place: Some(([9; 16], 4)), ..Heading::default() };
    let mut sealed = Vec::new();
    letter::seal(&heading, &self::card(BOB), Some(sender), &b"4"[..], &mut sealed).unwrap();
    let opener = Opener::new(sealed.as_slice(), &[&bob]).unwrap();
    let opened = letter::open(opener, &[bob.fingerprint()], |_| Ok::<_, Error>(Vec::new()));
    let Content::Letter(letter) = opened.unwrap().0 else { panic!("not a letter") };
    *letter
}

/// A card may bear any name; the fingerprint is that of its owner.
#[test]
fn forgery_a_stranger_bears_a_known_name() {
    let from = letter(MALLORY).from.unwrap();
    assert_eq!(from.name(), "Ann");
    assert_ne!(from.fingerprint(), card(ANN).fingerprint());
    let mut book = Book::default();
    book.add("Ann", &card(ANN), Trust::CardByHand, 0).unwrap();
    assert!(book.by_fingerprint(&from.fingerprint()).is_none());
    assert!(book.add("Ann", &from, Trust::CardByHand, 0).is_err());
}

#[test]
fn numbers_are_counted_for_each_sender() {
    let fourth = letter(ANN);
    let mut book = Book::default();
    let mut receive = |letter: &Letter| {
        let from = letter.from.as_ref().map(Card::fingerprint);
        let place = letter.heading.place.map(|(stream, seq)| Place { stream, seq });
        assert_eq!(book.check(from.as_ref(), &letter.id, place), {
            let mut copy = book.clone();
            copy.record(from.as_ref(), &letter.id, place)
        });
        book.record(from.as_ref(), &letter.id, place)
    };
    assert_eq!(receive(&fourth), Receipt::Fresh { missed: 3, late: false });
    assert_eq!(receive(&fourth), Receipt::Replay);
    // Ann restored a backup: the number again, on another letter.
    assert_eq!(receive(&letter(ANN)), Receipt::Conflict);
    // Mallory uses the stream and the number of Ann: the letters of each sender are counted apart.
    assert_eq!(receive(&letter(MALLORY)), Receipt::Fresh { missed: 3, late: false });
}
