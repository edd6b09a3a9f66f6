//! Letters both ways: numbers, gaps, replays, order, and senders that are refused.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::account::tests::mailbox::Lie;
use crate::account::tests::world::{Got, HERE, Person, THERE, World, identity_of};
use crate::account::{Account, Arrival, Error, Letters};
use crate::age::ArmorWriter;
use crate::letter::{Heading, Proof};
use crate::relay::client::pull::Options;

fn got(body: &str, from: &str, missed: u64, late: bool) -> Got {
    let (body, from) = (body.to_owned(), Some(from.to_owned()));
    Got { body, from, proof: Proof::Pairwise, forward_secrecy: true, missed, late }
}

/// Gives a person the card of another by hand.
fn hand_card(of: &Person, to: &Person) {
    to.account.add_contact(of.name, &of.account.public_card(|_| ()).unwrap()).unwrap();
}

#[test]
fn letters_go_both_ways() {
    let (world, ann, bob) = World::paired();
    ann.send("bob", "hello").unwrap();
    assert_eq!(bob.receive(), [got("hello", "ann", 0, false)]);
    bob.send("ann", "hello yourself").unwrap();
    ann.send("bob", "crossing").unwrap();
    assert_eq!(ann.receive(), [got("hello yourself", "bob", 0, false)]);
    assert_eq!(bob.receive(), [got("crossing", "ann", 0, false)]);
    assert_eq!((bob.receive(), ann.receive()), (Vec::new(), Vec::new()));
    // Nothing is left at the relay of a letter that was delivered.
    assert_eq!(world.relays.waiting(THERE), 0);
}

#[test]
fn letters_that_do_not_come_are_counted() {
    let (world, ann, bob) = World::paired();
    ann.send("bob", "1").unwrap();
    world.relays.lie(THERE, Lie::DropsPushes);
    ann.send("bob", "2").unwrap();
    ann.send("bob", "3").unwrap();
    world.relays.repent(THERE);
    ann.send("bob", "4").unwrap();
    assert_eq!(bob.receive(), [got("1", "ann", 0, false), got("4", "ann", 2, false)]);
}

#[test]
fn letters_open_in_any_order() {
    let (world, ann, bob) = World::paired();
    for body in ["1", "2", "3"] {
        ann.send("bob", body).unwrap();
    }
    world.relays.lie(THERE, Lie::Reorders);
    let expected = [("3", 2, false), ("2", 0, true), ("1", 0, true)];
    assert_eq!(bob.receive(), expected.map(|(body, missed, late)| got(body, "ann", missed, late)));
    // Also those of an epoch before, and behind many that came first.
    let many: Vec<String> = (0..40).map(|n| format!("{n:02}")).collect();
    for body in &many {
        ann.send("bob", body).unwrap();
    }
    let one = Options { limit: 1, ..Options::default() };
    bob.receive_some(one).1.unwrap();
    bob.send("ann", "the next epoch").unwrap();
    assert_eq!(ann.receive().len(), 1);
    ann.send("bob", "of the next").unwrap();
    let mut bodies = bob.bodies();
    assert_eq!(bodies.pop().as_deref(), Some("of the next"));
    assert_eq!(bodies, many[..39]);
    // None of those that were overtaken opens again.
    world.relays.lie(THERE, Lie::Replays);
    bob.lose_spool();
    assert_eq!(bob.receive(), []);
}

#[test]
fn a_letter_that_comes_again_is_a_replay() {
    let (world, ann, bob) = World::paired();
    let carol = world.person("carol");
    hand_card(&bob, &carol);
    hand_card(&carol, &bob);
    ann.send("bob", "under a key of its own").unwrap();
    carol.send("bob", "to the card").unwrap();
    let all = bob.receive();
    let secret: Vec<_> = all.iter().map(|one| (one.forward_secrecy, one.from.as_deref())).collect();
    assert!(secret.contains(&(true, Some("ann"))) && secret.contains(&(false, Some("carol"))));
    // The same bytes, to a spool that remembers nothing.
    world.relays.lie(THERE, Lie::Replays);
    bob.lose_spool();
    bob.said.take();
    assert_eq!(bob.receive(), []);
    let said = bob.said.take();
    assert!(said.contains("KeyErased") && said.contains("Replay {"), "{said}");
    world.relays.repent(THERE);
    // The same letters in other bytes.
    for sealed in world.relays.pushed(THERE) {
        let mut armored = ArmorWriter::new(Vec::new());
        std::io::Write::write_all(&mut armored, &sealed).unwrap();
        world.relays.plant(THERE, &armored.finish().unwrap());
    }
    assert_eq!(bob.receive(), []);
    let said = bob.said.take();
    assert!(said.contains("KeyErased") && said.contains("Replay {"), "{said}");
}

#[test]
fn bytes_that_are_no_letter_cost_no_letter() {
    let (world, ann, bob) = World::paired();
    ann.send("bob", "hello").unwrap();
    let mut sealed = world.relays.pushed(THERE).pop().unwrap();
    world.relays.plant(THERE, b"no letter");
    world.relays.plant(THERE, &sealed[..sealed.len() / 2]);
    for at in [sealed.len() - 40, 400] {
        sealed[at] ^= 1;
        world.relays.plant(THERE, &sealed);
    }
    world.relays.lie(THERE, Lie::Reorders);
    assert_eq!(bob.receive(), [got("hello", "ann", 0, false)]);
    assert_eq!(bob.said.take().matches("LetterRefused").count(), 4);
}

#[test]
fn a_letter_that_was_not_delivered_comes_again() {
    let (world, ann, bob) = World::paired();
    ann.send("bob", "1").unwrap();
    ann.send("bob", "2").unwrap();
    let failed = AtomicBool::new(false);
    let mut bodies = Vec::new();
    for round in 0..2 {
        let report = bob.cx().receive(
            Options::default(),
            &mut Letters::new(|_: &Arrival, body: &[u8]| {
                if body == b"2" && !failed.swap(true, Ordering::SeqCst) {
                    return Err(Error::Delivery("the disk is full".into()));
                }
                bodies.push(body.to_vec());
                Ok(())
            }),
        );
        assert_eq!(report.is_err(), round == 0);
        world.relays.away(THERE, false);
    }
    assert_eq!(bodies, [b"1", b"2"]);
    assert_eq!(bob.receive(), []);
}

#[test]
fn letters_of_a_revoked_contact_are_dropped() {
    let (world, ann, bob) = World::paired();
    hand_card(&ann, &bob);
    bob.send("ann", "before").unwrap();
    bob.cx().send(&["ann"], &Heading::default(), &b"on its way"[..]).unwrap();
    let revoked = ann.cx().revoke(&bob.account.fingerprint()).unwrap();
    assert_eq!((revoked.before, revoked.here, revoked.open), (false, 1, 0));
    // Those in the mailbox for the contact went with it; further ones are refused by the relay.
    assert!(bob.send("ann", "after").unwrap_err().is_denied());
    assert_eq!(ann.receive(), []);
    // By the card that Bob was given, signed, a letter comes as far as this account.
    ann.gets_by_card(&Account::open(identity_of("bob"), None), "signed").unwrap();
    assert_eq!(ann.receive(), []);
    ann.said.expect("Revoked { name: \"bob\"");
    assert_eq!(world.relays.waiting(HERE), 0, "it is dropped");
}

#[test]
fn an_account_without_a_home_opens_and_seals_and_remembers_nothing() {
    let world = World::new();
    let bob = world.person("bob");
    let job = Account::open(identity_of("job"), None);
    assert!(!job.has_state());
    assert!(matches!(job.folder(), Err(Error::NoState)));
    assert!(job.book().unwrap().contacts().next().is_none());
    bob.gets_by_card(&job, "built").unwrap();
    let built = bob.receive().remove(0);
    assert_eq!((built.body.as_str(), built.from, built.forward_secrecy), ("built", None, false));
}
