//! Letters that went to a pipe: opened again while they are kept, by their own keys alone.

use crate::account::tests::world::{DAY, HERE, Person, World, pair};
use crate::account::{Arrival, Error, Kept, Keyring, LetterOpener, Letters, Opened};
use crate::files::sim::{SimDisk, cut_everywhere};
use crate::relay::client::spool::Spool;
use crate::relay::protocol::Id;

type Body = Vec<u8>;

fn opener(of: &Person, again: bool) -> LetterOpener<Keyring<'_>> {
    let mut opener =
        LetterOpener::new(Keyring::new(vec![of.account.clone()], Vec::new(), &of.said));
    opener.again(again);
    opener
}

fn open(opener: &LetterOpener<Keyring<'_>>, sealed: &[u8]) -> Result<(Arrival, Body), Error> {
    match opener.open(sealed, &Letters::new(|_, _| Ok(())))? {
        Opened::Letter(arrival, body) => Ok((*arrival, body)),
        other => panic!("{other:?}"),
    }
}

/// Opens letters into a pipe, and keeps them for a day; returns their bodies.
fn to_pipe(of: &Person, sealed: &[&[u8]], again: bool) -> Result<Vec<Body>, Error> {
    let mut opener = opener(of, again);
    let mut bodies = Vec::new();
    for sealed in sealed {
        let (arrival, body) = open(&opener, sealed)?;
        opener.keep(arrival.in_envelope(Id(crate::crypto::sha256(&[sealed]))));
        bodies.push(body);
    }
    let until = Some(of.account.now() + DAY);
    match opener.record(|_| Kept { until, ..Kept::default() }).pop() {
        Some(error) => Err(error),
        None => Ok(bodies),
    }
}

fn opens_again(of: &Person, sealed: &[u8]) -> bool {
    open(&opener(of, true), sealed).is_ok()
}

#[test]
fn a_letter_that_went_to_a_pipe_opens_again_for_its_time() {
    let (world, ann, bob) = World::paired();
    let (first, second) = (bob.gets_by_ratchet(&ann, "first"), bob.gets_by_ratchet(&ann, "second"));
    assert_eq!(to_pipe(&bob, &[&first, &second], false).unwrap(), [&b"first"[..], b"second"]);
    // Only where it is asked for.
    let replay = open(&opener(&bob, false), &first);
    assert!(matches!(replay, Err(Error::Replay { .. })), "{replay:?}");
    // As often as it is lost, and its time does not begin anew.
    for _ in 0..2 {
        world.clock.forward(DAY / 3);
        assert_eq!(to_pipe(&bob, &[&second, &first], true).unwrap(), [&b"second"[..], b"first"]);
    }
    // Later letters come as ever.
    let third = bob.gets_by_ratchet(&ann, "third");
    assert_eq!(to_pipe(&bob, &[&third], false).unwrap(), [b"third"]);
    world.clock.forward(DAY / 3);
    bob.account.erase_expired_keys().unwrap();
    assert!(!opens_again(&bob, &first) && !opens_again(&bob, &second));
    assert!(opens_again(&bob, &third));
    world.clock.forward(DAY);
    bob.account.erase_expired_keys().unwrap();
    assert_eq!(bob.account.kept_folder().unwrap().list().unwrap(), Vec::<String>::new());
}

/// Claim C6: the key that is kept is the letter's own.
#[test]
fn a_thief_of_what_is_kept_opens_no_other_letter() {
    let (world, ann, bob) = World::paired();
    let before = bob.gets_by_ratchet(&ann, "before");
    assert_eq!(bob.bodies(), ["before"]);
    let late = bob.gets_by_ratchet(&ann, "late");
    let kept = bob.gets_by_ratchet(&ann, "kept");
    to_pipe(&bob, &[&kept], false).unwrap();
    let erased = bob.gets_by_ratchet(&ann, "erased");
    let (arrival, _) = open(&opener(&bob, false), &erased).unwrap();
    let mut once = opener(&bob, false);
    once.keep(arrival);
    assert!(once.record(|_| Kept { safe: true, ..Kept::default() }).is_empty());

    let thief = world.copy(&bob);
    assert!(!opens_again(&thief, &before) && !opens_again(&thief, &erased));
    assert!(opens_again(&thief, &kept) && opens_again(&thief, &late));
    // What is under a chain that goes on was never in it: the chain alone opens what comes.
    for name in bob.account.kept_folder().unwrap().list().unwrap() {
        bob.account.kept_folder().unwrap().remove(&name).unwrap();
    }
    assert!(!opens_again(&world.copy(&bob), &kept));
}

#[test]
fn what_is_safe_or_removed_or_backed_up_is_not_kept() {
    let (world, ann, bob) = World::paired();
    let sealed = ["one", "two", "three"].map(|body| bob.gets_by_ratchet(&ann, body));
    let ids: Vec<[u8; 16]> = {
        let opener = opener(&bob, false);
        sealed.iter().map(|one| open(&opener, one).unwrap().0.letter().id).collect()
    };
    let [one, two, three] = sealed.each_ref().map(Vec::as_slice);
    to_pipe(&bob, &[one, two, three], false).unwrap();

    Spool::open(bob.account.spool_folder().unwrap()).unwrap();
    bob.account.letters_are_safe(&ids[..1]).unwrap();
    assert!(!opens_again(&bob, one) && opens_again(&bob, two) && opens_again(&bob, three));
    // The spool is told that it need not keep the sealed bytes.
    let word = format!("{}.opened", Id(crate::crypto::sha256(&[one])));
    assert!(bob.account.spool_folder().unwrap().join(word).exists());

    // A backup, put back elsewhere, opens none of them.
    let elsewhere = world.fresh(&bob);
    let backup = bob.account.backup().unwrap();
    elsewhere.account.restore(backup.book, backup.pairs, false, &elsewhere.said).unwrap();
    assert!(!opens_again(&elsewhere, two));

    bob.cx().remove_contact("ann").unwrap();
    assert!(!opens_again(&bob, two) && !opens_again(&bob, three));
    assert_eq!(bob.account.kept_folder().unwrap().list().unwrap(), Vec::<String>::new());
}

#[test]
fn no_cut_while_letters_are_recorded_loses_one() {
    let sealed = std::sync::Mutex::new(Vec::new());
    cut_everywhere(
        |disk| {
            let world = World::new();
            let (ann, bob) = (world.person("ann"), world.on_disk("bob", disk));
            bob.cx().at(HERE).register(false, None).unwrap();
            pair(&ann, &bob);
            *sealed.lock().unwrap() =
                ["one", "two"].map(|body| bob.gets_by_ratchet(&ann, body)).into();
            world
        },
        |disk, world| {
            let bob = world.on_disk("bob", disk);
            let sealed = sealed.lock().unwrap().clone();
            let sealed: Vec<&[u8]> = sealed.iter().map(Vec::as_slice).collect();
            to_pipe(&bob, &sealed, false).is_ok()
        },
        |disk, world, _| {
            let bob = world.on_disk("bob", disk);
            for (sealed, body) in sealed.lock().unwrap().iter().zip([&b"one"[..], b"two"]) {
                // As one that never came, or as one that is given out again.
                assert_eq!(to_pipe(&bob, &[sealed], true).unwrap(), [body]);
            }
        },
    );
}

/// Disk operations, which cost a sync each or two, do not grow with the number of letters.
#[test]
fn letters_are_recorded_together() {
    let operations = |count: usize| {
        let (world, disk) = (World::new(), SimDisk::new(1));
        let (ann, bob) = (world.person("ann"), world.on_disk("bob", &disk));
        bob.cx().at(HERE).register(false, None).unwrap();
        pair(&ann, &bob);
        let sealed: Vec<_> = (0..count).map(|_| bob.gets_by_ratchet(&ann, "body")).collect();
        let mut opener = opener(&bob, false);
        for sealed in &sealed {
            let (arrival, _) = open(&opener, sealed).unwrap();
            opener.keep(arrival);
        }
        let before = disk.operations();
        let until = Some(bob.account.now() + DAY);
        assert!(opener.record(|_| Kept { until, ..Kept::default() }).is_empty());
        disk.operations() - before
    };
    let (one, many) = (operations(1), operations(100));
    // The lock of each letter is a file that is removed, which is not synced.
    assert!(many <= one + 99, "{one} operations for one letter, {many} for a hundred");
}
