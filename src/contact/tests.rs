use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::files::local::Folder;
use crate::identity::{Card, Fingerprint, Identity};
use crate::secret::Secret;
use crate::state;
use crate::wire;

const FRESH: Receipt = Receipt::Fresh { missed: 0, late: false };
const LATE: Receipt = Receipt::Fresh { missed: 0, late: true };

fn card(byte: u8, name: &str, created: u64) -> Card {
    let identity = Identity::from_seed(Secret::take(&mut [byte; 32])).unwrap();
    identity.card(name, None, 0, created).unwrap()
}

fn key(byte: u8) -> Secret<32> {
    Secret::take(&mut [byte; 32])
}

fn book_file(folder: &Path, byte: u8) -> BookFile {
    BookFile::on(Arc::new(Folder::new(folder)), key(byte))
}

fn id(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

fn place(stream: u8, seq: u64) -> Option<Place> {
    Some(Place { stream: [stream; 16], seq })
}

fn stranger(number: u64) -> Fingerprint {
    let mut bytes = [0xee; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Fingerprint::from_bytes(bytes)
}

fn book_of_ann() -> Book {
    let mut book = Book::default();
    assert_eq!(book.add("Ann", &card(1, "ann", 5), Trust::CardByHand, 9).unwrap(), Added::New);
    book
}

#[test]
fn contacts_are_found_by_name_and_fingerprint() {
    let mut book = book_of_ann();
    book.add("bob", &card(2, "", 0), Trust::CardByHand, 9).unwrap();
    let ann = book.get("ANN").unwrap();
    assert_eq!((ann.name(), ann.trust(), ann.since()), ("Ann", &Trust::CardByHand, 9));
    assert_eq!(ann.card().unwrap(), card(1, "ann", 5));
    assert_eq!(book.by_fingerprint(&card(2, "", 0).fingerprint()).unwrap().name(), "bob");
    assert!(book.by_fingerprint(&stranger(1)).is_none());
    assert!(matches!(book.get("carl"), Err(Error::Unknown(name)) if name == "carl"));
    book.rename("ann", "zoe").unwrap();
    book.rename("zoe", "Zoe").unwrap();
    assert!(matches!(book.rename("zoe", "BOB"), Err(Error::NameTaken(_))));
    let names: Vec<_> = book.contacts().map(Contact::name).collect();
    assert_eq!(names, ["bob", "Zoe"]);
    assert_eq!(book.remove("zoe").unwrap().fingerprint(), card(1, "ann", 5).fingerprint());
    assert!(matches!(book.remove("zoe"), Err(Error::Unknown(_))));
}

#[test]
fn nobody_takes_the_place_of_a_contact() {
    let mut book = book_of_ann();
    let before = book.clone();
    let other = book.add("ann", &card(2, "ann", 99), Trust::CardByHand, 10);
    assert!(matches!(other, Err(Error::NameTaken(_))));
    let twice = book.add("anna", &card(1, "ann", 5), Trust::CardByHand, 10);
    assert!(matches!(twice, Err(Error::CardKnown(name)) if name == "Ann"));
    let older = book.add("ann", &card(1, "ann", 4), Trust::CardByHand, 10);
    assert!(matches!(older, Err(Error::CardOlder(_))));
    let same = book.add("ann", &card(1, "ann", 5), Trust::CardByHand, 10);
    assert_eq!(same.unwrap(), Added::Unchanged);
    assert_eq!(book, before);
    let later = book.add("ann", &card(1, "Ann B.", 6), Trust::CardByHand, 10);
    assert_eq!(later.unwrap(), Added::Refreshed);
    assert_eq!(book.get("ann").unwrap().card().unwrap().name(), "Ann B.");
}

#[test]
fn names_have_rules() {
    let long = "x".repeat(65);
    for name in ["", " a", "a\t", "a/b", "..", "-r", "@fd", "~", "a\nb", "BULLA1x", "age1q", &long]
    {
        let added = Book::default().add(name, &card(1, "", 0), Trust::CardByHand, 0);
        assert!(matches!(added, Err(Error::Name { .. })), "{name:?}");
    }
    for name in ["a", "Zoë van der Berg", "bob+work", "ops@example.org"] {
        assert!(Book::default().add(name, &card(1, "", 0), Trust::CardByHand, 0).is_ok(), "{name}");
    }
}

#[test]
fn golden_bytes() {
    let mut book = Book::default();
    book.settings =
        Settings { name: "me".into(), relay: Some("http://r".into()), generation: 2, changed: 300 };
    let _ = book.record(Some(&stranger(1)), &[3; 16], place(2, 2));
    let _ = book.record(Some(&stranger(1)), &[5; 16], None);
    let _ = book.record(None, &[4; 16], None);
    let mut expected = vec![3, 2, b'm', b'e', 1, 8];
    expected.extend(b"http://r");
    expected.extend([2, 251, 44, 1, 0, 1]);
    expected.extend(stranger(1).to_bytes());
    expected.extend([1]);
    expected.extend([2; 16]);
    expected.extend([0, 1, 2, 2, 1, 2]);
    expected.extend([3; 16]);
    expected.extend([1]);
    expected.extend([5; 16]);
    expected.extend([1]);
    expected.extend([4; 16]);
    // No marks, no cards by hand beside others, which version 1 did not have.
    let older = [&[1], &expected[1..]].concat();
    expected.extend([0, 0]);
    assert_eq!(wire::encode(&book).unwrap(), expected);
    assert_eq!(wire::decode::<Book>(&expected).unwrap(), book);
    assert_eq!(wire::decode::<Book>(&older).unwrap(), book);

    let mut book = book_of_ann();
    book.next_outgoing("ann").unwrap();
    let bytes = wire::encode(&book).unwrap();
    // No name of his own, no relay, the first generation, never changed; one contact.
    assert_eq!(bytes[..10], [3, 0, 0, 0, 0, 1, 3, b'A', b'n', b'n']);
    // By hand, since 9, one letter sent, nothing received, no strangers, no anonymous ids.
    assert_eq!(bytes[bytes.len() - 26..bytes.len() - 23], [0, 9, 1]);
    assert_eq!(bytes[bytes.len() - 7..], [1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn letters_to_a_contact_are_numbered_in_one_stream() {
    let mut book = book_of_ann();
    let first = book.next_outgoing("ann").unwrap();
    let second = book.next_outgoing("ann").unwrap();
    assert_eq!((first.seq, second.seq), (1, 2));
    assert_eq!(first.stream, second.stream);
    let other = book_of_ann().next_outgoing("ann").unwrap();
    assert_ne!(first.stream, other.stream);
}

#[test]
fn gaps_replays_and_conflicts_are_told_apart() {
    let mut book = book_of_ann();
    let ann = card(1, "ann", 5).fingerprint();
    let mut receive = |number, at| book.record(Some(&ann), &id(number), at);
    assert_eq!(receive(1, place(1, 1)), FRESH);
    assert_eq!(receive(4, place(1, 4)), Receipt::Fresh { missed: 2, late: false });
    assert_eq!(receive(3, place(1, 3)), LATE);
    assert_eq!(receive(5, place(1, 5)), FRESH);
    assert_eq!(receive(3, place(1, 3)), Receipt::Replay);
    assert_eq!(receive(33, place(1, 3)), Receipt::Conflict);
    assert_eq!(receive(2, place(1, 2)), LATE);
    // A new stream that begins in its middle.
    assert_eq!(receive(6, place(2, 3)), Receipt::Fresh { missed: 2, late: false });
    assert_eq!(receive(7, None), FRESH);
    assert_eq!(receive(7, None), Receipt::Replay);
    assert_eq!(
        receive(8, place(3, u64::MAX)),
        Receipt::Fresh { missed: u64::MAX - 1, late: false }
    );
    assert_eq!(receive(9, place(3, u64::MAX)), Receipt::Conflict);
    assert_eq!(receive(10, place(3, 1)), LATE);
    assert_eq!(receive(10, place(3, 0)), Receipt::Old);
    // Both of a conflict are known from then on.
    assert_eq!(receive(9, place(3, u64::MAX)), Receipt::Replay);
    assert_eq!(receive(8, place(3, u64::MAX)), Receipt::Replay);
}

#[test]
fn check_changes_nothing() {
    let mut book = book_of_ann();
    let ann = card(1, "ann", 5).fingerprint();
    let before = book.clone();
    assert_eq!(book.check(Some(&ann), &id(1), place(1, 1)), FRESH);
    assert_eq!(book.check(Some(&stranger(1)), &id(1), place(1, 1)), FRESH);
    assert_eq!(book.check(None, &id(1), None), FRESH);
    assert_eq!(book, before);
    assert_eq!(book.record(None, &id(1), None), FRESH);
    assert_eq!(book.check(None, &id(1), None), Receipt::Replay);
    assert_eq!(book.record(None, &id(1), None), Receipt::Replay);
}

#[test]
fn a_letter_stays_seen_when_its_sender_enters_or_leaves_the_book() {
    let ann = card(1, "ann", 5).fingerprint();
    let mut book = Book::default();
    assert_eq!(book.record(Some(&ann), &id(1), place(1, 1)), FRESH);
    book.add("ann", &card(1, "ann", 5), Trust::CardByHand, 0).unwrap();
    assert_eq!(book.check(Some(&ann), &id(1), place(1, 1)), Receipt::Replay);
    book.remove("ann").unwrap();
    assert_eq!(book.check(Some(&ann), &id(1), place(1, 1)), Receipt::Replay);
}

#[test]
fn one_sender_cannot_touch_the_memory_of_another() {
    let mut book = book_of_ann();
    let ann = card(1, "ann", 5).fingerprint();
    let _ = book.record(Some(&ann), &id(1), place(1, 1));
    for number in 0..500 {
        assert_eq!(book.record(Some(&stranger(number)), &id(1), place(1, 1)), FRESH);
    }
    assert_eq!(book.check(Some(&ann), &id(1), place(1, 1)), Receipt::Replay);
    assert_eq!(book.check(Some(&stranger(499)), &id(1), place(1, 1)), Receipt::Replay);
    // The stranger longest silent is forgotten.
    assert_eq!(book.check(Some(&stranger(0)), &id(1), place(1, 1)), FRESH);
}

/// What is too old to be told from a replay is said to be.
#[test]
fn what_is_forgotten_of_a_stream_counts_as_old() {
    let mut book = Book::default();
    let sender = stranger(1);
    for seq in (2..=200).step_by(2) {
        let _ = book.record(Some(&sender), &id(seq), place(1, seq));
    }
    // A run for each even number, the highest 32 of them kept; ids of the last 32.
    assert_eq!(book.check(Some(&sender), &id(199), place(1, 199)), LATE);
    assert_eq!(book.check(Some(&sender), &id(139), place(1, 139)), LATE);
    assert_eq!(book.check(Some(&sender), &id(135), place(1, 135)), Receipt::Old);
    assert_eq!(book.check(Some(&sender), &id(1), place(1, 200)), Receipt::Conflict);
    assert_eq!(book.check(Some(&sender), &id(1), place(1, 100)), Receipt::Old);
    // Seven streams later this one is remembered, eight later it looks new.
    for stream in 2..=8 {
        let _ = book.record(Some(&sender), &id(1), place(stream, 1));
    }
    assert_eq!(book.check(Some(&sender), &id(200), place(1, 200)), Receipt::Replay);
    let _ = book.record(Some(&sender), &id(1), place(9, 1));
    let forgotten = book.check(Some(&sender), &id(200), place(1, 200));
    assert_eq!(forgotten, Receipt::Fresh { missed: 199, late: false });
}

/// Whatever 512 hostile contacts and any number of strangers send, the book fits its record.
#[test]
fn the_fullest_book_fits_its_record() {
    let worst = |book: &mut Book, sender: Option<&Fingerprint>| {
        for stream in 0..40 {
            for step in 0..400 {
                let _ = book.record(sender, &id(step), place(stream, u64::MAX / 2 + 2 * step));
            }
        }
        for number in 0..5000 {
            let _ = book.record(sender, &id(number), None);
        }
    };
    let mut book = Book::default();
    worst(&mut book, Some(&stranger(0)));
    let one = wire::encode(&book).unwrap().len();
    for number in 0..10_000 {
        let _ = book.record(None, &id(number), None);
    }
    let anonymous = wire::encode(&book).unwrap().len() - one;
    // A contact's card is at most 2,560 bytes, its name 256.
    // A mark has a fingerprint, an introducer's name and fingerprint, and two dates.
    let marks = 4096 * (32 + 1 + 256 + 3 + 32 + 2 * 10);
    let fullest = 512 * (one + 2560 + 256 + 64) + 64 * one + anonymous + marks + 1024;
    assert!(fullest < <Book as wire::Record>::MAX, "{fullest} bytes, {one} a sender");
}

#[test]
fn the_file_shows_nothing_and_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let file = book_file(&state, 1);
    assert_eq!(file.read().unwrap(), Book::default());
    assert!(!state.exists());
    file.update(|book| book.add("Annabel", &card(1, "", 0), Trust::CardByHand, 0)).unwrap();
    assert_eq!(file.update(|book| book.next_outgoing("annabel")).unwrap().seq, 1);
    assert_eq!(book_file(&state, 1).update(|book| book.next_outgoing("annabel")).unwrap().seq, 2);
    let bytes = fs::read(state.join("book")).unwrap();
    assert!(!bytes.windows(7).any(|w| w.eq_ignore_ascii_case(b"annabel")));
    assert!(
        !fs::read_dir(&state)
            .unwrap()
            .any(|e| { e.unwrap().file_name().to_string_lossy().contains(".part") })
    );
}

#[test]
fn a_failed_or_idle_update_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = book_file(folder.path(), 1);
    file.update(|_| Ok::<_, Error>(())).unwrap();
    let failed = file.update(|book| {
        book.settings.name = "x".into();
        book.remove("nobody")
    });
    assert!(matches!(failed, Err(Error::Unknown(_))));
    assert!(!folder.path().join("book").exists());
}

#[test]
fn a_damaged_book_is_an_error_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = book_file(folder.path(), 1);
    let add = |book: &mut Book| book.add("ann", &card(1, "", 0), Trust::CardByHand, 0);
    file.update(add).unwrap();
    let stranger = book_file(folder.path(), 2);
    assert!(matches!(stranger.read(), Err(state::Error::Damaged { .. })));
    let path = folder.path().join("book");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(file.update(add), Err(Error::State(state::Error::Damaged { .. }))));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // Cut to nothing is damage too, not an empty book.
    fs::write(&path, b"").unwrap();
    assert!(matches!(file.update(add), Err(Error::State(state::Error::Damaged { .. }))));
}

#[test]
fn processes_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let file = book_file(folder.path(), 1);
    file.update(|book| book.add("ann", &card(1, "", 0), Trust::CardByHand, 0)).unwrap();
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let number = || {
            (0..5)
                .map(|_| file.update(|book| book.next_outgoing("ann")).unwrap().seq)
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(number)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}

proptest! {
    /// Drops, repeats and reorders within the memory's bounds, against a plain set.
    #[test]
    fn the_window_agrees_with_a_set(numbers in proptest::collection::vec(1u64..40, 0..120)) {
        let mut book = book_of_ann();
        let ann = card(1, "ann", 5).fingerprint();
        let mut seen = BTreeSet::new();
        for seq in numbers {
            let highest = seen.last().copied().unwrap_or(0);
            let again = seen.contains(&seq);
            let expected = if again {
                Receipt::Replay
            } else if seq > highest {
                Receipt::Fresh { missed: seq - highest - 1, late: false }
            } else {
                LATE
            };
            let receipt = book.check(Some(&ann), &id(seq), place(1, seq));
            // Of the last 32 the ids are known too.
            prop_assert!(receipt == expected || (again && receipt == Receipt::Old));
            prop_assert_eq!(book.record(Some(&ann), &id(seq), place(1, seq)), receipt);
            prop_assert_eq!(book.check(Some(&ann), &id(seq), place(1, seq)), Receipt::Replay);
            seen.insert(seq);
            let bytes = wire::encode(&book).unwrap();
            prop_assert_eq!(&wire::decode::<Book>(&bytes).unwrap(), &book);
        }
    }

    /// Past the bounds a letter may be refused too often, but none is taken twice.
    #[test]
    fn nothing_is_fresh_twice_within_eight_streams(
        letters in proptest::collection::vec((0u8..8, 1u64..500), 0..400)
    ) {
        let mut book = Book::default();
        let mut taken: BTreeMap<(u8, u64), usize> = BTreeMap::new();
        for (stream, seq) in letters {
            let receipt = book.record(Some(&stranger(7)), &id(seq), place(stream, seq));
            let times = taken.entry((stream, seq)).or_default();
            *times += usize::from(matches!(receipt, Receipt::Fresh { .. }));
            prop_assert!(*times <= 1);
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let mut record = vec![1];
        record.extend(bytes);
        let _ = wire::decode::<Book>(&record);
    }
}

mod cards {
    use super::*;

    fn bare(name: &str, created: u64) -> Card {
        let identity = Identity::from_seed(key(1)).unwrap();
        identity.card_without_capability(name, None, created).unwrap()
    }

    fn names(book: &Book) -> [String; 3] {
        let contact = book.get("ann").unwrap();
        let handed = book.handed_card(&contact.fingerprint()).unwrap();
        [
            contact.card().unwrap().name().to_owned(),
            handed.map_or("none".into(), |card| card.name().to_owned()),
            book.newest_card(contact).unwrap().name().to_owned(),
        ]
    }

    #[test]
    fn a_card_by_hand_and_one_from_a_pairing_are_both_kept() {
        let mut book = Book::default();
        book.add("ann", &card(1, "hand 5", 5), Trust::CardByHand, 1).unwrap();
        assert_eq!(names(&book), ["hand 5", "hand 5", "hand 5"]);
        book.pair(None, &bare("paired 9", 9), Trust::Digits, 2).unwrap();
        assert_eq!(names(&book), ["paired 9", "hand 5", "paired 9"]);
        // Of each kind the later one, whatever the other is dated.
        let added = book.add("ann", &card(1, "hand 7", 7), Trust::CardByHand, 3);
        assert_eq!(added.unwrap(), Added::Refreshed);
        assert_eq!(names(&book), ["paired 9", "hand 7", "paired 9"]);
        book.add("ann", &card(1, "hand 12", 12), Trust::CardByHand, 3).unwrap();
        assert_eq!(names(&book), ["paired 9", "hand 12", "hand 12"]);
        let added = book.add("ann", &card(1, "hand 12", 12), Trust::CardByHand, 3);
        assert_eq!(added.unwrap(), Added::Unchanged);
        let older = book.add("ann", &card(1, "hand 11", 11), Trust::CardByHand, 3);
        assert!(matches!(older, Err(Error::CardOlder(_))));
        book.pair(None, &bare("paired 8", 8), Trust::Digits, 4).unwrap();
        assert_eq!(names(&book), ["paired 9", "hand 12", "hand 12"]);
        assert_eq!(*book.get("ann").unwrap().trust(), Trust::Digits);
        // The same from a backup, in either direction.
        for (mut one, other) in [(Book::default(), book.clone()), (book.clone(), Book::default())] {
            one.merge(other).unwrap();
            assert_eq!(names(&one), ["paired 9", "hand 12", "hand 12"]);
        }
        let mut by_hand = Book::default();
        by_hand.add("ann", &card(1, "hand 20", 20), Trust::CardByHand, 1).unwrap();
        by_hand.merge(book.clone()).unwrap();
        assert_eq!(names(&by_hand), ["paired 9", "hand 20", "hand 20"]);
        let read: Book = wire::decode(&wire::encode(&book).unwrap()).unwrap();
        assert_eq!(read, book);
        book.remove("ann").unwrap();
        assert_eq!(book.handed_card(&bare("", 1).fingerprint()).unwrap(), None);
    }
}

mod introductions {
    use super::*;

    const NOW: u64 = 1_767_225_600;

    /// A book with contacts whose cards name a relay, or none.
    fn book(people: &[(u8, &str, bool)]) -> Book {
        let mut book = Book::default();
        for (byte, name, reachable) in people {
            let identity = Identity::from_seed(key(*byte)).unwrap();
            let relay = reachable.then_some("https://relay.example");
            let card = identity.card_without_capability(name, relay, 5).unwrap();
            book.add(name, &card, Trust::CardByHand, 9).unwrap();
        }
        book
    }

    fn told(people: [(u8, &str, bool); 2], note: &str) -> Result<[Introduction; 2], Error> {
        let book = book(&people);
        Introduction::of(book.get(people[0].1)?, book.get(people[1].1)?, note)
    }

    fn carol() -> Introducer {
        Introducer::from(book(&[(3, "carol", true)]).get("carol").unwrap())
    }

    fn dave() -> Introducer {
        Introducer::from(book(&[(4, "dave", true)]).get("dave").unwrap())
    }

    fn hear(to: &mut Introductions, by: Introducer, told: Introduction) -> Introduced {
        to.hear(by, told, |_| false, NOW).unwrap().clone()
    }

    #[test]
    fn one_invites_and_the_other_can_be_written_to() {
        let invites = |told: &[Introduction; 2]| {
            told.each_ref()
                .map(|told| hear(&mut Introductions::default(), carol(), told.clone()).invites())
        };
        let lower_first =
            card(1, "", 0).fingerprint().to_bytes() < card(2, "", 0).fingerprint().to_bytes();
        let both = told([(1, "ann", true), (2, "bob", true)], "").unwrap();
        assert_eq!(invites(&both), [lower_first, !lower_first]);
        let swapped = told([(2, "bob", true), (1, "ann", true)], "").unwrap();
        assert_eq!(invites(&swapped), [!lower_first, lower_first]);
        let one = told([(1, "ann", true), (2, "bob", false)], "").unwrap();
        assert_eq!(invites(&one), [false, true]);
        let other = told([(1, "ann", false), (2, "bob", true)], "").unwrap();
        assert_eq!(invites(&other), [true, false]);
        let none = told([(1, "ann", false), (2, "bob", false)], "");
        assert!(matches!(none, Err(Error::Unreachable)));
        let same = book(&[(1, "ann", true)]);
        let same = Introduction::of(same.get("ann").unwrap(), same.get("ann").unwrap(), "");
        assert!(matches!(same, Err(Error::Oneself)));
        // Each is told of the other, with the note.
        let [to_ann, to_bob] = told([(1, "ann", true), (2, "bob", true)], "\u{1b}[2Jhi").unwrap();
        assert_eq!(to_ann.card().unwrap().name(), "bob");
        assert_eq!(to_bob.card().unwrap().name(), "ann");
        assert_eq!(hear(&mut Introductions::default(), carol(), to_ann).note(), "\\u{1b}[2Jhi");
        let long = "x".repeat(1025);
        assert!(matches!(told([(1, "a", true), (2, "b", true)], &long), Err(Error::Note { .. })));
    }

    #[test]
    fn what_an_introducer_tells_is_read_whole_or_not() {
        let [to_ann, _] = told([(1, "ann", true), (2, "bob", true)], "hi").unwrap();
        let bytes = to_ann.to_bytes().unwrap();
        assert_eq!(Introduction::from_bytes(&bytes).unwrap(), to_ann);
        let read = |bytes: &[u8]| Introduction::from_bytes(bytes).unwrap_err();
        assert!(matches!(read(&bytes[..bytes.len() - 1]), Error::Introduction(_)));
        assert!(matches!(read(&[bytes.as_slice(), &[0]].concat()), Error::Introduction(_)));
        assert!(matches!(read(&vec![1; 4097]), Error::Introduction(_)));
        // A card that its owner did not sign so.
        let mut changed = bytes.clone();
        changed[100] ^= 1;
        assert!(matches!(read(&changed), Error::Card(_)));
    }

    #[test]
    fn both_get_one_secret_and_no_card_passes_a_capability_on() {
        let [to_ann, to_bob] = told([(1, "ann", true), (2, "bob", true)], "").unwrap();
        assert!(to_ann.secret().is_some());
        assert_eq!(to_ann.secret(), to_bob.secret());
        let [again, _] = told([(1, "ann", true), (2, "bob", true)], "").unwrap();
        assert_ne!(again.secret(), to_ann.secret());
        assert_eq!(to_ann.card().unwrap().capability(), None);
        let mut by_hand = book(&[(1, "ann", true)]);
        by_hand.add("bob", &card(2, "bob", 1), Trust::CardByHand, 9).unwrap();
        let (ann, bob) = (by_hand.get("ann").unwrap(), by_hand.get("bob").unwrap());
        assert!(matches!(Introduction::of(ann, bob, ""), Err(Error::HandedCard(_))));
        // As older programs wrote it.
        let mut older = to_ann.to_bytes().unwrap();
        older.truncate(older.len() - 33);
        older[0] = 1;
        let older = Introduction::from_bytes(&older).unwrap();
        assert_eq!(older.secret(), None);
        assert_eq!(older.card().unwrap(), to_ann.card().unwrap());
    }

    #[test]
    fn names_are_cleaned_and_apart() {
        let mut all = Introductions::default();
        let name = |all: &mut Introductions, byte: u8, name: &str, taken: &[&str]| {
            let [told, _] = told([(1, "ann", true), (byte, name, true)], "").unwrap();
            let taken = |name: &str| taken.contains(&name);
            all.hear(carol(), told, taken, NOW).unwrap().name.clone()
        };
        assert_eq!(name(&mut all, 5, "bob", &[]), "bob");
        assert_eq!(name(&mut all, 6, "BOB", &[]), "BOB-2");
        assert_eq!(name(&mut all, 7, "eve", &["eve"]), "eve-2");
        // A name that no contact may bear, as somebody hostile writes it.
        let [told, _] = told([(1, "ann", true), (8, "sam", true)], "").unwrap();
        let mut bytes = told.to_bytes().unwrap();
        let at = bytes.windows(4).rposition(|window| window == b"\x03sam").unwrap();
        bytes[at + 1..at + 4].copy_from_slice(b"../");
        let told = Introduction::from_bytes(&bytes).unwrap();
        assert_eq!(hear(&mut all, carol(), told).name, "sam");
        assert_eq!(all.get("Eve-2", NOW).unwrap().by(), &carol());
    }

    #[test]
    fn what_is_kept_is_bounded_and_lapses() {
        let mut all = Introductions::default();
        let told = |byte: u8| told([(1, "ann", true), (byte, "bob", true)], "").unwrap()[0].clone();
        for byte in 10..26 {
            hear(&mut all, carol(), told(byte));
        }
        let more = all.hear(carol(), told(26), |_| false, NOW);
        assert!(matches!(more, Err(Error::TooMany { max: 16, .. })));
        // The same again is no more, and another introducer has room of his own.
        hear(&mut all, carol(), told(10));
        hear(&mut all, dave(), told(10));
        assert_eq!(all.waiting(NOW).count(), 17);
        assert_eq!(all.waiting(NOW + WAITS - 1).count(), 17);
        assert_eq!(all.waiting(NOW + WAITS).count(), 0);
        assert!(matches!(all.get("bob", NOW + WAITS), Err(Error::NotIntroduced(_))));
        all.forget_by(&dave().fingerprint());
        assert_eq!(all.waiting(NOW).count(), 16);
        all.lapse(NOW + WAITS);
        let mut pairs = Pairs::default();
        pairs.introductions = all;
        assert_eq!(wire::encode(&pairs).unwrap(), [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(wire::decode::<Pairs>(&[1, 0, 0, 0, 0]).is_ok());
    }

    #[test]
    fn an_acceptance_stays_what_it_was() {
        let mut all = Introductions::default();
        let of = |note: &str| told([(1, "ann", true), (2, "bob", true)], note).unwrap()[0].clone();
        hear(&mut all, carol(), of("first"));
        assert_eq!(hear(&mut all, carol(), of("second")).note(), "second");
        assert!(matches!(all.accept("eve", None, NOW), Err(Error::NotIntroduced(_))));
        let one = all.accept("BOB", Some("robert"), NOW).unwrap();
        assert!(one.accepted() && one.invite().is_none());
        let again = hear(&mut all, carol(), of("third"));
        assert_eq!((again.note().as_str(), again.name.as_str()), ("second", "robert"));
        assert!(all.refuse("bob", NOW).is_err());
        assert_eq!(all.refuse("robert", NOW).unwrap().fingerprint(), card(2, "", 0).fingerprint());
        assert_eq!(all.waiting(NOW).count(), 0);
    }

    #[test]
    fn somebodys_word_does_not_replace_a_better_way() {
        let introduced = || Trust::Introduced(carol());
        let mut book = book_of_ann();
        book.pair(None, &card(1, "ann", 5), introduced(), 20).unwrap();
        assert_eq!(book.get("ann").unwrap().trust(), &introduced());
        book.pair(None, &card(1, "ann", 5), Trust::Digits, 30).unwrap();
        book.pair(None, &card(1, "ann", 5), introduced(), 40).unwrap();
        let ann = book.get("ann").unwrap();
        assert_eq!((ann.trust(), ann.since()), (&Trust::Digits, 30));
        // A variant's place is its number in the record.
        let bytes = |trust| {
            wire::encode(&{
                let mut book = Book::default();
                book.add("a", &card(1, "", 0), trust, 0).unwrap();
                book
            })
        };
        let by_hand = bytes(Trust::CardByHand).unwrap();
        let numbers =
            [Trust::SecretInvite, Trust::Digits, Trust::Words, introduced()].map(|trust| {
                let other = bytes(trust).unwrap();
                let at = by_hand.iter().zip(&other).position(|(one, other)| one != other).unwrap();
                other[at]
            });
        assert_eq!(numbers, [1, 2, 3, 4]);
    }
}

/// A fingerprint keeps its strongest verification and its revocation when the contact goes.
#[test]
fn marks_outlive_the_contact() {
    let (bob, eve) = (card(2, "", 0), card(3, "", 0));
    let mut book = Book::default();
    book.add("bob", &bob, Trust::CardByHand, 10).unwrap();
    let fingerprint = bob.fingerprint();
    assert_eq!(book.strongest(&fingerprint), Some((&Trust::CardByHand, 10)));
    book.verify(&fingerprint, &Trust::Digits, 20);
    book.verify(&fingerprint, &Trust::SecretInvite, 30);
    assert_eq!(book.strongest(&fingerprint), Some((&Trust::Digits, 20)));
    book.revoke(&fingerprint, 40);
    book.revoke(&fingerprint, 50);
    book.remove("bob").unwrap();
    assert_eq!(book.strongest(&fingerprint), Some((&Trust::Digits, 20)));
    assert_eq!(book.revoked(&fingerprint), Some(40));
    // Other keys under the same name inherit nothing.
    book.add("bob", &eve, Trust::CardByHand, 60).unwrap();
    assert_eq!(book.strongest(&eve.fingerprint()), Some((&Trust::CardByHand, 60)));
    assert_eq!(book.revoked(&eve.fingerprint()), None);
    // A merge keeps the stronger side and any revocation.
    let mut other = Book::default();
    other.verify(&fingerprint, &Trust::Words, 5);
    other.merge(book.clone()).unwrap();
    assert_eq!(other.strongest(&fingerprint), Some((&Trust::Words, 5)));
    assert_eq!(other.revoked(&fingerprint), Some(40));
    assert!(other.unrevoke(&fingerprint) && !other.unrevoke(&fingerprint));
    assert_eq!(other.revoked(&fingerprint), None);
}

/// Pairing again in a weaker way, or removing the contact, takes no verification back.
#[test]
fn the_strongest_verification_stays_with_its_fingerprint() {
    let bob = card(2, "bob", 0);
    let fingerprint = bob.fingerprint();
    let mut book = Book::default();
    book.pair(Some("bob"), &bob, Trust::Digits, 10).unwrap();
    book.pair(Some("bob"), &bob, Trust::SecretInvite, 20).unwrap();
    assert_eq!(book.get("bob").unwrap().trust(), &Trust::SecretInvite);
    assert_eq!(book.strongest(&fingerprint), Some((&Trust::Digits, 10)));
    book.pair(Some("bob"), &bob, Trust::Words, 30).unwrap();
    book.remove("bob").unwrap();
    book.add("bob", &bob, Trust::CardByHand, 40).unwrap();
    assert_eq!(book.strongest(&fingerprint), Some((&Trust::Words, 30)));
    // As a book of version 1 has it: the entry alone says how the contact came.
    let mut old = Book::default();
    old.add("bob", &bob, Trust::Digits, 10).unwrap();
    old.remove("bob").unwrap();
    assert_eq!(old.strongest(&fingerprint), Some((&Trust::Digits, 10)));
}

/// A full table makes room by what is neither revoked nor a contact's.
#[test]
fn revocations_are_not_pushed_out() {
    let mut book = Book::default();
    let revoked = card(2, "", 0).fingerprint();
    book.revoke(&revoked, 1);
    for number in 0..5000_u64 {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        book.verify(&Fingerprint::from_bytes(bytes), &Trust::Digits, 2);
    }
    assert_eq!(book.revoked(&revoked), Some(1));
}

/// Books of version 1, which had no marks, and of version 2, which had one card a contact, are read.
#[test]
fn older_books_are_read() {
    let mut bytes = wire::encode(&Book::default()).unwrap();
    for version in [2, 1] {
        assert_eq!(bytes.pop(), Some(0));
        bytes[0] = version;
        assert_eq!(wire::decode::<Book>(&bytes).unwrap(), Book::default());
    }
}
