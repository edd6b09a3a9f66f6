//! Further devices of one owner: what they take over, who is told, and that letters come to all.

use crate::account::tests::world::{DAY, Person, THERE, World, add_device, pair};
use crate::account::{Error, Method};
use crate::contact::pairing::End;

fn came(at: &Person) -> Vec<(String, bool, u64)> {
    let got = at.receive().into_iter();
    got.map(|one| (one.body, one.forward_secrecy, one.missed)).collect()
}

#[test]
fn letters_come_to_all_devices_and_from_each() {
    let (world, ann, bob) = World::paired();
    ann.send("bob", "before").unwrap();
    let laptop = add_device(&world, &ann);
    assert_eq!(laptop.account.fingerprint(), ann.account.fingerprint());
    assert_eq!(laptop.contacts(), ["bob"]);
    assert_eq!(laptop.account.now(), ann.account.now(), "the clock is the one given");
    assert_eq!(laptop.account.card().unwrap().to_bytes(), ann.account.card().unwrap().to_bytes());
    // Bob is told by a letter without a body.
    assert_eq!(came(&bob), [("before".into(), true, 0)]);
    bob.said.expect("ContactAddedDevice { name: \"ann\" }");
    assert_eq!(bob.devices_of("ann"), 2);
    // A third is taken into use by the second.
    let desk = add_device(&world, &laptop);
    bob.receive();
    assert_eq!(bob.devices_of("ann"), 3);
    bob.send("ann", "to all").unwrap();
    for device in [&ann, &laptop, &desk] {
        assert_eq!(came(device), [("to all".into(), true, 0)]);
    }
    // Each answers in a numbering and under keys of its own.
    for device in [&desk, &laptop, &ann] {
        device.send("bob", "answer").unwrap();
        assert_eq!(came(&bob), [("answer".into(), true, 0)]);
    }
}

#[test]
fn an_identity_that_was_not_confirmed_is_not_taken_over() {
    let (world, ann, bob) = World::paired();
    let device = world.device();
    let invited = bob.cx().invite(Method::Device, None, DAY).unwrap();
    assert_eq!(invited.hands_over, Some(bob.account.fingerprint()));
    device.join(&invited.line).unwrap();
    for _ in 0..2 {
        bob.advance().unwrap();
        device.advance().unwrap();
    }
    bob.advance().unwrap();
    assert_eq!(device.newcomer.peer().unwrap().unwrap().0, bob.account.fingerprint());
    assert!(device.take_over(&ann.account.fingerprint()).unwrap().is_none());
    device.said.expect("OtherHandover");
    // What was made for it is closed.
    let before = world.relays.mailboxes(THERE);
    device.newcomer.give_up(&device.cx()).unwrap();
    assert_eq!(world.relays.mailboxes(THERE), before - 1);
}

#[test]
fn an_invite_for_a_device_is_good_for_one() {
    let (world, ann, _bob) = World::paired();
    let [device, late] = [world.device(), world.device()];
    let invited = ann.cx().invite(Method::Device, None, DAY).unwrap();
    device.join(&invited.line).unwrap();
    ann.advance().unwrap();
    late.join(&invited.line).unwrap();
    ann.advance().unwrap();
    let ended = late.advance().unwrap().ended;
    assert!(matches!(ended, Some(Error::PairingEnded(End::Refused(_)))), "{ended:?}");
    device.advance().unwrap();
    ann.advance().unwrap();
    assert!(device.take_over(&ann.account.fingerprint()).unwrap().is_some());
}

#[test]
fn contacts_who_take_no_letters_keep_no_device_from_coming() {
    let (world, ann, bob) = World::paired();
    let carol = world.person("carol");
    pair(&ann, &carol);
    bob.cx().revoke(&ann.account.fingerprint()).unwrap();
    let laptop = add_device(&world, &ann);
    assert_eq!(laptop.contacts().len(), 2);
    carol.receive();
    assert_eq!((carol.devices_of("ann"), bob.devices_of("ann")), (2, 1));
}
