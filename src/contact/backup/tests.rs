use proptest::prelude::*;

use super::*;
use crate::age::{Recipient, ScryptIdentity, ScryptRecipient, X25519Identity};
use crate::contact::pairing::{self, Address, Paired, Pairing, Role};
use crate::contact::{Own, Place, Purpose, Receipt, Trust, Underway};
use crate::identity::{Card, Fingerprint};
use crate::secret::Secret;

const NOW: u64 = 1_767_225_600;

fn identity(byte: u8) -> Identity {
    Identity::from_seed(Secret::take(&mut [byte; 32])).unwrap()
}

fn card(byte: u8, created: u64) -> Card {
    identity(byte).card_without_capability("", None, created).unwrap()
}

fn address(byte: u8) -> Address {
    Address {
        relay: "https://relay.example".into(),
        mailbox: identity(byte).card_mailbox().public(),
        capability: Secret::take(&mut [byte; 32]).into(),
    }
}

fn own(byte: u8) -> Own {
    Own { relay: "https://own.example".into(), index: [byte; 16] }
}

fn paired(byte: u8) -> Paired {
    Paired {
        card: card(byte, 5),
        address: address(byte),
        pairwise: Secret::take(&mut [byte; 32]),
        transcript: [byte; 32],
        role: Role::Inviter,
        their_key: Box::new([byte; crate::kem::PUBLIC_KEY]),
        own_seed: Secret::take(&mut [byte; 32]),
        trust: Trust::SecretInvite,
        since: NOW,
    }
}

/// Two contacts, of whom one was paired with, a stranger, an anonymous letter, a pairing.
fn state() -> (Book, Pairs) {
    let mut book = Book::default();
    book.settings.name = "Me".into();
    book.settings.changed = 7;
    book.add("bob", &card(2, 5), Trust::CardByHand, 9).unwrap();
    book.add("carol", &card(3, 5), Trust::CardByHand, 9).unwrap();
    book.next_outgoing("bob").unwrap();
    let first = Place { stream: [1; 16], seq: 1 };
    let _ = book.record(Some(&card(2, 5).fingerprint()), &[1; 16], Some(first));
    let _ = book.record(Some(&card(9, 5).fingerprint()), &[2; 16], None);
    let _ = book.record(None, &[3; 16], None);
    let mut pairs = Pairs::default();
    pairs.link(own(1), &paired(2)).unwrap();
    let (me, mine) = (identity(1), card(1, 5));
    let party = pairing::Own { identity: &me, card: &mine, address: address(7) };
    let (pairing, _) = Pairing::offer_secret(&party, address(8), NOW + 60, NOW).unwrap();
    let underway = Underway {
        purpose: Purpose::Contact,
        name: None,
        meeting: own(8),
        mailbox: own(9),
        pairing,
        introduced: None,
    };
    pairs.begin(underway).unwrap();
    (book, pairs)
}

fn backup() -> Backup {
    let (book, pairs) = state();
    let text = identity::render(&identity(1), NOW);
    Backup::new(&identity(1), text.as_bytes(), &book, &pairs, NOW).unwrap()
}

fn reopened(sealed: &[u8], key: &dyn age::Identity) -> Result<Backup, Error> {
    Backup::open(Opener::new(sealed, &[key])?)
}

#[test]
fn everything_comes_back_but_what_must_not() {
    let key = X25519Identity::generate().unwrap();
    let mut sealed = Vec::new();
    backup().seal(&[key.recipient()], &[], &mut sealed).unwrap();
    let back = reopened(&sealed, &key).unwrap();
    assert_eq!((back.created, back.identity.fingerprint()), (NOW, identity(1).fingerprint()));
    assert_eq!(back.key_file, backup().key_file);
    assert_eq!(back.book.clone().next_outgoing("bob").unwrap().seq, 1);
    let (mut book, mut pairs) = (Book::default(), Pairs::default());
    assert_eq!(book.merge(back.book).unwrap().added, 2);
    assert_eq!(pairs.merge(back.pairs).unwrap(), 1);

    let (before, pairs_before) = state();
    assert_eq!(book.settings, before.settings);
    let bob = card(2, 5).fingerprint();
    assert_eq!(book.get("bob").unwrap().fingerprint(), bob);
    let first = Place { stream: [1; 16], seq: 1 };
    assert_eq!(book.check(Some(&bob), &[1; 16], Some(first)), Receipt::Replay);
    let stranger = card(9, 5).fingerprint();
    assert_eq!(book.check(Some(&stranger), &[2; 16], None), Receipt::Replay);
    assert_eq!(book.check(None, &[3; 16], None), Receipt::Replay);
    assert_eq!(pairs.mailboxes().map(|(own, _)| own).collect::<Vec<_>>(), [&own(1)]);
    assert_eq!(pairs.machines_of(&bob), pairs_before.machines_of(&bob));
    // No pairing goes on, and no number is used again.
    assert_eq!((pairs_before.underway().len(), pairs.underway().len()), (1, 0));
    let (old, new) = (before.clone().next_outgoing("bob"), book.next_outgoing("bob"));
    let (old, new) = (old.unwrap(), new.unwrap());
    assert_eq!((old.seq, new.seq), (2, 1));
    assert_ne!(old.stream, new.stream);
}

#[test]
fn a_backup_for_nobody_else_is_refused() {
    let (me, other) = (identity(1), identity(2));
    let plain = X25519Identity::generate().unwrap();
    let seal = |to: &[&dyn Recipient], inside: &[Key]| backup().seal(to, inside, Vec::new());
    assert!(matches!(seal(&[me.age_recipient()], &[]), Err(Error::Locked)));
    assert!(seal(&[me.age_recipient(), other.age_recipient()], &[]).is_ok());
    assert!(seal(&[other.age_recipient()], &[]).is_ok());
    // A key that lies beside the identity in its key file is as lost as the identity.
    let to = plain.recipient().to_string();
    let to = age::parse_recipient(&to).unwrap();
    assert!(seal(&[to.as_ref()], &[]).is_ok());
    assert!(matches!(seal(&[to.as_ref()], &[Key::Age(Box::new(plain))]), Err(Error::Locked)));
    assert!(matches!(seal(&[], &[]), Err(Error::Age(age::Error::NoRecipients))));
}

#[test]
fn a_locked_key_file_stays_as_it_is() {
    let passphrase = || ScryptRecipient::new("old".to_owned().into()).work_factor(2).unwrap();
    let locked = identity::protect(&identity::render(&identity(1), NOW), &passphrase()).unwrap();
    let (book, pairs) = state();
    let backup = Backup::new(&identity(1), locked.as_bytes(), &book, &pairs, NOW).unwrap();
    let mut sealed = Vec::new();
    let new = ScryptRecipient::new("new".to_owned().into()).work_factor(2).unwrap();
    backup.seal(&[&new], &[], &mut sealed).unwrap();
    let back = reopened(&sealed, &ScryptIdentity::new("new".to_owned().into())).unwrap();
    assert_eq!(*back.key_file, locked.as_bytes());
    assert_eq!(back.identity.fingerprint(), identity(1).fingerprint());
    let wrong = reopened(&sealed, &ScryptIdentity::new("old".to_owned().into()));
    assert!(matches!(wrong, Err(Error::Age(age::Error::WrongPassphrase))));
}

#[test]
fn another_identity_does_not_slip_in() {
    let (book, pairs) = state();
    let text = identity::render(&identity(1), NOW);
    let other = Backup::new(&identity(2), text.as_bytes(), &book, &pairs, NOW);
    assert!(matches!(other, Err(Error::Malformed(_))));
    let mut forged = backup();
    forged.identity = identity(2);
    let read = Backup::from_bytes(&forged.to_bytes().unwrap());
    assert!(matches!(read, Err(Error::Malformed(why)) if why.contains("another identity")));
}

#[test]
fn golden_bytes() {
    let mut backup = backup();
    backup.book = Book::default();
    backup.pairs = Pairs::default();
    backup.key_file = Zeroizing::new(identity(1).to_line().as_bytes().to_vec());
    let plain = backup.to_bytes().unwrap();
    let line = identity(1).to_line();
    let length = line.len() as u8;
    let mut expected = b"bulla/v1/backup\n".to_vec();
    expected.extend([0, 0, 0, 1 + 5 + 2 * (1 + length), 1, 252]);
    expected.extend((NOW as u32).to_le_bytes());
    for _ in 0..2 {
        expected.push(length);
        expected.extend(line.as_bytes());
    }
    // An empty book: no name, no relay, generation 0, never changed; no contacts, strangers, ids,
    // marks, cards by hand.
    expected.extend([0, 0, 0, 10, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // No pairings, no links, no introductions that wait or came early; no routes, machines,
    // mailboxes elsewhere, nothing to close, no pairings barred, no attempts.
    expected.extend([0, 0, 0, 11, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expected.resize(padme(expected.len() as u64) as usize, 0);
    assert_eq!(*plain, expected);
}

#[test]
fn what_is_no_backup_is_refused() {
    let whole = backup().to_bytes().unwrap();
    assert!(Backup::from_bytes(&whole).is_ok());
    let refused = |bytes: &[u8]| Backup::from_bytes(bytes).unwrap_err();
    assert!(matches!(refused(b""), Error::Malformed(_)));
    assert!(matches!(refused(b"-----BEGIN BULLA CARD-----"), Error::Malformed(_)));
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    // Every length is cut into, and what a record says it holds is there or refused.
    for cut in (0..MAGIC.len() + 64).chain((end - 64)..end) {
        assert!(Backup::from_bytes(&whole[..cut]).is_err(), "cut at {cut}");
    }
    let mut trailing = whole.clone();
    trailing.push(1);
    assert!(matches!(refused(&trailing), Error::Malformed("bytes follow its end")));
    let mut later = whole.clone();
    later[MAGIC.len() + 4] = 2;
    assert!(matches!(refused(&later), Error::Record(wire::Error::Version { got: 2, .. })));
    let mut long = whole.clone();
    long[MAGIC.len()..MAGIC.len() + 4].fill(0xff);
    assert!(matches!(refused(&long), Error::Malformed(_)));
    // A pairing under way, which would be heard again.
    let mut alive = backup();
    alive.pairs = state().1;
    assert!(matches!(
        refused(&alive.to_bytes().unwrap()),
        Error::Malformed("a link in it is none")
    ));
    let mut nowhere = backup();
    let mut paired = paired(2);
    paired.address.relay = "nowhere".into();
    nowhere.pairs.link(own(2), &paired).unwrap();
    assert!(matches!(refused(&nowhere.to_bytes().unwrap()), Error::Malformed(_)));
}

#[test]
fn a_file_without_end_is_not_taken_in() {
    let mut plain = Inside::default();
    let chunk = vec![0; 1 << 20];
    let written = (0..64).map(|_| plain.write_all(&chunk)).find_map(Result::err);
    assert_eq!(written.unwrap().kind(), io::ErrorKind::FileTooLarge);
    assert!(plain.length <= MAX);
}

// ---- merging ----

#[test]
fn a_backup_adds_and_takes_nothing_away() {
    let (mut book, mut pairs) = state();
    let (old, old_pairs) = (book.kept(), pairs.kept());
    // What came since.
    book.rename("carol", "carla").unwrap();
    book.add("carla", &card(3, 6), Trust::CardByHand, 10).unwrap();
    book.settings.name = "Myself".into();
    book.settings.changed = 8;
    let bob = card(2, 5).fingerprint();
    let later = Some(Place { stream: [1; 16], seq: 4 });
    let _ = book.record(Some(&bob), &[4; 16], later);
    pairs.link(own(2), &paired(4)).unwrap();
    pairs.close(&own(1));
    let sent = book.next_outgoing("bob").unwrap();
    let now = book.clone();

    let merged = book.merge(old).unwrap();
    assert_eq!(merged, crate::contact::Merged::default());
    assert_eq!(book, now);
    assert_eq!(pairs.merge(old_pairs).unwrap(), 0);
    assert_eq!(pairs.mailboxes().map(|(own, _)| own).collect::<Vec<_>>(), [&own(2)]);
    assert_eq!(pairs.underway().len(), 1);
    assert_eq!(book.next_outgoing("bob").unwrap(), Place { seq: sent.seq + 1, ..sent });
}

#[test]
fn what_is_missing_or_later_comes_from_the_backup() {
    let mut kept = Book::default();
    kept.settings.name = "Later".into();
    kept.settings.changed = 99;
    kept.add("bob", &card(2, 50), Trust::Digits, 60).unwrap();
    kept.add("Dora", &card(4, 5), Trust::SecretInvite, 9).unwrap();
    kept.add("carol", &card(5, 5), Trust::CardByHand, 9).unwrap();
    let seen = Some(Place { stream: [6; 16], seq: 2 });
    let dora = card(4, 5).fingerprint();
    let _ = kept.record(Some(&dora), &[6; 16], seen);
    let _ = kept.record(Some(&card(3, 5).fingerprint()), &[7; 16], None);

    let (mut book, _) = state();
    // Dora wrote here before she was a contact here.
    let _ = book.record(Some(&dora), &[8; 16], None);
    let merged = book.merge(kept).unwrap();
    assert_eq!((merged.added, merged.updated), (2, 1));
    assert_eq!(merged.renamed, [("carol".to_owned(), "carol-2".to_owned())]);
    assert_eq!(book.settings.name, "Later");
    let bob = book.get("bob").unwrap();
    assert_eq!((bob.trust(), bob.since()), (&Trust::Digits, 60));
    assert_eq!(bob.card().unwrap().created(), 50);
    assert_eq!(book.get("carol-2").unwrap().fingerprint(), card(5, 5).fingerprint());
    for (sender, id, at) in
        [(4, 6, seen), (4, 8, None), (3, 7, None), (2, 1, Some(Place { stream: [1; 16], seq: 1 }))]
    {
        let sender = card(sender, 5).fingerprint();
        assert_eq!(book.check(Some(&sender), &[id; 16], at), Receipt::Replay, "{id}");
    }
}

#[test]
fn a_full_book_says_so() {
    let (mut book, mut kept) = (Book::default(), Book::default());
    let names = |from: u16, book: &mut Book, count: u16| {
        for number in from..from + count {
            let mut seed = [0; 32];
            seed[..2].copy_from_slice(&number.to_be_bytes());
            let someone = Identity::from_seed(Secret::take(&mut seed)).unwrap();
            let card = someone.card("", None, 0, 1).unwrap();
            book.add(&format!("c{number}"), &card, Trust::CardByHand, 1).unwrap();
        }
    };
    names(0, &mut book, 511);
    names(600, &mut kept, 2);
    assert!(matches!(book.merge(kept), Err(contact::Error::Full { .. })));
}

proptest! {
    /// Whatever two places have seen, together they have seen; and nothing else, as long as the
    /// bounds are not reached.
    #[test]
    fn no_letter_is_forgotten_and_none_is_invented(
        here in prop::collection::vec((0u8..3, 1u64..40), 0..40),
        there in prop::collection::vec((0u8..3, 1u64..40), 0..40),
    ) {
        let sender = Fingerprint::from_bytes([9; 32]);
        let place = |stream: u8, seq| Some(Place { stream: [stream; 16], seq });
        let id = |stream: u8, seq: u64| [[stream; 8], seq.to_be_bytes()].concat().try_into().unwrap();
        let book = |seen: &[(u8, u64)]| {
            let mut book = Book::default();
            for (stream, seq) in seen {
                let _ = book.record(Some(&sender), &id(*stream, *seq), place(*stream, *seq));
            }
            book
        };
        let mut merged = book(&here);
        merged.merge(book(&there)).unwrap();
        for stream in 0..3 {
            for seq in 1..40 {
                let seen = here.contains(&(stream, seq)) || there.contains(&(stream, seq));
                let receipt = merged.check(Some(&sender), &id(stream, seq), place(stream, seq));
                prop_assert_eq!(receipt == Receipt::Replay, seen, "{} {}", stream, seq);
            }
        }
        let once = merged.clone();
        merged.merge(book(&there)).unwrap();
        prop_assert_eq!(merged, once);
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes: Vec<u8>, at in 0usize..2000, byte: u8) {
        prop_assert!(Backup::from_bytes(&bytes).is_err());
        let mut whole = backup().to_bytes().unwrap();
        let at = at % whole.len();
        whole[at] = byte;
        if let Ok(read) = Backup::from_bytes(&whole) {
            let _ = Book::default().merge(read.book);
        }
    }
}
