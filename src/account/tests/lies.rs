//! A relay that lies, in each way: no letter is taken twice, from another sender, in place of another,
//! or lost once it was acknowledged; no contact comes of a pairing that was not meant.

use crate::account::tests::mailbox::Lie;
use crate::account::tests::relays::Request;
use crate::account::tests::world::{HERE, Person, THERE, World, pair};
use crate::account::{Error, Expectation, Method};
use crate::relay::client::Error as RelayError;
use crate::relay::client::pull::Options;

const ALL: [Lie; 12] = [
    Lie::Hides,
    Lie::KeepsAcknowledged,
    Lie::Replays,
    Lie::Reorders,
    Lie::FlipsBytes,
    Lie::SwapsBytes,
    Lie::Resizes,
    Lie::Misdelivers,
    Lie::DeniesRegistration,
    Lie::DropsPushes,
    Lie::DeniesPushes,
    Lie::DeniesMailboxes,
];

/// Receives, whatever the relay says; what came, with its sender.
fn taken(by: &Person) -> Vec<(String, Option<String>)> {
    let (got, _) = by.receive_some(Options::default());
    got.into_iter().map(|one| (one.body, one.from)).collect()
}

#[test]
fn letters_come_once_and_from_their_sender() {
    let (world, ann, bob) = World::paired();
    let (carol, dora) = (world.person("carol"), world.person_at("dora", THERE));
    pair(&carol, &bob);
    pair(&ann, &dora);
    for lie in ALL {
        world.relays.lie(THERE, lie);
        let mut expected = Vec::new();
        for (from, n) in [(&ann, 1), (&carol, 1), (&ann, 2), (&carol, 2)] {
            let body = format!("{} {n}, {lie:?}", from.name);
            let sent = from.send("bob", &body);
            assert_eq!(sent.is_err(), lie == Lie::DeniesPushes, "{lie:?}");
            if lie != Lie::DropsPushes {
                expected.push((body, Some(from.name.to_owned())));
            }
        }
        let mut came = taken(&bob);
        came.extend(taken(&bob));
        let doras = taken(&dora);
        bob.lose_spool();
        came.extend(taken(&bob));
        world.relays.repent(THERE);
        came.extend(taken(&bob));
        came.sort();
        expected.sort();
        assert_eq!((came, doras), (expected, vec![]), "{lie:?}");
    }
    // All that was ever pushed once more, in every mailbox.
    bob.lose_spool();
    world.relays.lie(THERE, Lie::Misdelivers);
    assert_eq!((taken(&bob), taken(&dora)), (vec![], vec![]));
    world.relays.repent(THERE);
    // The keys of the two are in step all the same.
    for (from, to) in [(&bob, &ann), (&ann, &bob)] {
        from.send(to.name, "in step").unwrap();
        let got = to.receive().remove(0);
        assert_eq!((got.body.as_str(), got.forward_secrecy), ("in step", true));
    }
}

#[test]
fn pairings_come_to_what_was_meant_or_to_nothing() {
    for lie in ALL {
        let world = World::new();
        let (ann, bob, eve) = (world.person("ann"), world.person("bob"), world.person("eve"));
        world.relays.lie(HERE, lie);
        let Ok(invited) = ann.invite(Method::Secret, "bob") else {
            assert!(matches!(lie, Lie::DeniesRegistration | Lie::DeniesMailboxes), "{lie:?}");
            assert!(ann.account.pairs().unwrap().underway().is_empty(), "{lie:?}");
            continue;
        };
        let joined = bob.join(&invited.line, "ann", Expectation::Secret);
        for person in [&ann, &bob, &eve] {
            let _ = person.advance();
        }
        world.relays.repent(HERE);
        for person in [&ann, &bob, &ann, &bob, &ann, &bob, &eve] {
            let advanced = person.advance();
            assert!(advanced.is_ok() || lie == Lie::DeniesPushes, "{lie:?}: {advanced:?}");
        }
        let contacts = [&ann, &bob, &eve].map(Person::contacts);
        // A message that is said to be denied, or of another size, is not waited for.
        if matches!(lie, Lie::DeniesPushes | Lie::Resizes) {
            assert_eq!(matches!(joined, Err(Error::InviteUsed)), lie == Lie::DeniesPushes);
            assert_eq!(contacts, [const { Vec::<String>::new() }; 3]);
            continue;
        }
        assert_eq!(contacts, [vec!["bob".to_owned()], vec!["ann".to_owned()], vec![]], "{lie:?}");
        let book = ann.account.book().unwrap();
        assert_eq!(book.get("bob").unwrap().fingerprint(), bob.account.fingerprint());
    }
}

#[test]
fn a_registration_that_is_said_to_have_failed_is_made_again() {
    let world = World::new();
    let ann = world.stranger("ann");
    world.relays.lie(HERE, Lie::DeniesRegistration);
    let refused = ann.cx().at(HERE).register(false, None);
    assert!(matches!(refused, Err(Error::Relay(RelayError::Refused { .. }))), "{refused:?}");
    // It is not remembered as the account's relay.
    assert!(matches!(ann.cx().own_relay(), Err(Error::NoRelay)));
    world.relays.repent(HERE);
    let registered = ann.cx().at(HERE).register(false, None).unwrap();
    assert!(!registered.new);
    assert_eq!(ann.cx().own_relay().unwrap().url(), HERE);
}

#[test]
fn a_mailbox_that_is_said_to_be_gone_is_told_of_and_not_forgotten() {
    let (world, ann, bob) = World::paired();
    ann.send("bob", "hello").unwrap();
    world.relays.lie(THERE, Lie::DeniesMailboxes);
    let (got, report) = bob.receive_some(Options::default());
    assert_eq!(got, []);
    assert!(report.is_err());
    world.relays.repent(THERE);
    assert_eq!(bob.bodies(), ["hello"]);
}

#[test]
fn a_relay_that_shows_old_capabilities_brings_none_back() {
    let world = World::new();
    let ann = world.person("ann");
    let first = ann.cx().register(false, None).unwrap();
    let second = ann.cx().register(true, None).unwrap();
    assert_eq!((first.generation, second.generation), (0, 1));
    assert_ne!(first.capability, second.capability);
    world.relays.seen();
    // Asked again it says the same, and gives out no generation a second time.
    assert_eq!(ann.cx().register(false, None).unwrap().generation, 1);
    let seen = world.relays.seen();
    assert!(seen.iter().all(|(_, request, _)| *request != Request::Allow), "{seen:?}");
}
