//! A stolen identity gets a successor, contacts are told, and they decide.

use crate::account::Error;
use crate::account::tests::world::{HERE, Person, THERE, World, settle};
use crate::contact::Trust;

/// Ann, who has paired with Bob and knows Carl by card, as he knows her.
fn three() -> (World, Person, Person, Person) {
    let (world, ann, bob) = World::paired();
    let carl = world.person_at("carl", THERE);
    for (one, other) in [(&ann, &carl), (&carl, &ann)] {
        one.account.add_contact(other.name, &other.account.public_card(|_| ()).unwrap()).unwrap();
    }
    (world, ann, bob, carl)
}

/// Makes a new identity in the place of a person's, and tells the contacts.
fn replace(world: &World, old: &Person, seed: &'static str) -> Person {
    let new = world.stranger(seed);
    assert!(old.cx().announce_successor(&new.account).unwrap().is_empty());
    let _ = new.cx().register_successor();
    new.cx().tell_untold().unwrap();
    new
}

#[test]
fn contacts_are_told_and_pair_with_the_new_identity() {
    let (world, ann, bob, carl) = three();
    let (trust, old) = (ann.trust("bob"), ann.account.fingerprint());
    let new = replace(&world, &ann, "ann, the second");
    assert_eq!(new.trust("bob"), trust);
    for contact in [&bob, &carl] {
        assert_eq!(contact.receive(), []);
        contact.said.expect("SuccessorAnnounced { name: \"ann\"");
        // Nothing has changed yet.
        let fingerprint = |of: &Person, name: &str| of.account.find_contact(name).unwrap().0;
        assert_eq!(fingerprint(contact, "ann"), old);
        let renamed = contact.cx().accept_introduction("ann-2", Some("anna"));
        assert!(matches!(renamed, Err(Error::SuccessorRenamed)), "{renamed:?}");
        contact.cx().accept_introduction("ann-2", None).unwrap();
        settle(&[&new, contact]);
        assert_eq!(fingerprint(contact, "ann"), new.account.fingerprint());
        assert_eq!(fingerprint(contact, "ann-old"), old);
        assert!(matches!(contact.trust("ann"), Trust::Introduced(by) if by.fingerprint() == old));
        contact.send("ann", "to the new one").unwrap();
        assert_eq!(new.bodies(), ["to the new one"]);
        // The thief has the old key and all that came with it, and is not taken for Ann.
        if let Ok(()) = ann.send(contact.name, "give me all") {
            assert_eq!(contact.receive(), []);
        }
    }
    assert_eq!((new.trust("bob"), new.trust("carl")), (trust, Trust::CardByHand));
}

#[test]
fn a_successor_that_a_thief_announces_too_is_a_rival() {
    let (world, ann, _bob, carl) = three();
    let thief = world.copy(&ann);
    let new = replace(&world, &ann, "ann, the second");
    let false_one = replace(&world, &thief, "the thief");
    carl.receive();
    let said = carl.said.take();
    for one in [&new, &false_one] {
        assert!(said.contains(&one.account.fingerprint().to_string()), "{said}");
    }
    carl.cx().accept_introduction("ann-2", None).unwrap();
    carl.said.expect("RivalSuccessor { name: \"ann-3\" }");
    settle(&[&new, &false_one, &carl]);
    // The other is refused with it, and so is what the old key says from then on.
    assert!(carl.cx().accept_introduction("ann-3", None).is_err());
    assert_eq!(carl.contacts().len(), 2);
}

/// Over a pairing the thief's letter has a number that was used: it is refused, or a rival.
#[test]
fn a_successor_that_a_thief_announces_over_a_pairing_takes_no_place() {
    let (world, ann, bob, _carl) = three();
    let thief = world.copy(&ann);
    let new = replace(&world, &ann, "ann, the second");
    bob.receive();
    let false_one = replace(&world, &thief, "the thief");
    bob.receive();
    bob.cx().accept_introduction("ann-2", None).unwrap();
    settle(&[&new, &false_one, &bob]);
    assert_eq!(bob.account.find_contact("ann").unwrap().0, new.account.fingerprint());
    assert!(bob.cx().accept_introduction("ann-3", None).is_err());
}

#[test]
fn contacts_who_are_not_reached_are_told_later() {
    let (world, ann, bob, carl) = three();
    world.relays.away(THERE, true);
    let new = replace(&world, &ann, "ann, the second");
    assert!(new.account.has_untold().unwrap());
    // Another identity on top of one that no one knows is not made.
    let third = world.stranger("ann, the third");
    let refused = new.cx().announce_successor(&third.account);
    assert!(matches!(refused, Err(Error::IdentityIsNew)), "{refused:?}");
    assert_eq!(new.cx().tell_untold().unwrap().left, ["bob", "carl"]);
    world.relays.away(THERE, false);
    assert_eq!(new.cx().tell_untold().unwrap().told, ["bob", "carl"]);
    assert!(new.cx().tell_untold().unwrap().told.is_empty());
    for contact in [&bob, &carl] {
        contact.receive();
        assert_eq!(contact.said.take().matches("SuccessorAnnounced").count(), 1);
    }
    bob.cx().accept_introduction("ann-2", None).unwrap();
    settle(&[&new, &bob]);
    bob.send("ann", "hello").unwrap();
    assert_eq!(new.bodies(), ["hello"]);
    assert!(world.relays.mailboxes(HERE) > 0);
}

#[test]
fn a_successor_that_is_refused_leaves_the_contact_as_it_was() {
    let (world, ann, bob, _carl) = three();
    replace(&world, &ann, "ann, the second");
    bob.receive();
    bob.cx().refuse_introduction("ann-2").unwrap();
    bob.said.expect("successor: true");
    assert_eq!(bob.account.find_contact("ann").unwrap().0, ann.account.fingerprint());
    assert!(bob.cx().accept_introduction("ann-2", None).is_err());
    ann.send("bob", "still me").unwrap();
    assert_eq!(bob.bodies(), ["still me"]);
}
