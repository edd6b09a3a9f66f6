//! Revoked means revoked: at relays, on every device, and until the owner lifts it.

use crate::account::tests::world::{HERE, World, add_device, pair, settle};
use crate::account::{Error, Expectation, Method};

#[test]
fn a_revocation_holds_on_every_device_and_so_does_its_end() {
    let (world, ann, bob) = World::paired();
    let laptop = add_device(&world, &ann);
    // The third is taken into use by the second, and the first does not know of it.
    let desk = add_device(&world, &laptop);
    bob.receive();
    let bobs = bob.account.fingerprint();
    bob.send("ann", "on its way").unwrap();
    let revoked = desk.cx().revoke(&bobs).unwrap();
    assert_eq!((revoked.here, revoked.open), (1, 0));
    for device in [&laptop, &ann] {
        device.said.take();
        device.receive();
        device.said.expect("RevokedElsewhere { name: \"bob\"");
        device.cx().close_revoked().unwrap();
        assert!(device.account.book().unwrap().revoked(&bobs).is_some());
    }
    assert!(bob.send("ann", "spam").unwrap_err().is_denied());
    for device in [&ann, &laptop, &desk] {
        assert_eq!(device.receive(), []);
    }
    // Lifted on one, lifted on all.
    assert_eq!(ann.cx().unrevoke(&bobs).unwrap(), Some(0));
    assert_eq!(ann.cx().unrevoke(&bobs).unwrap(), None);
    for device in [&laptop, &desk] {
        device.receive();
        device.said.expect("UnrevokedElsewhere");
        device.cx().close_revoked().unwrap();
        assert!(device.account.book().unwrap().revoked(&bobs).is_none());
    }
}

#[test]
fn a_device_closes_what_only_another_made() {
    let (world, ann, _bob) = World::paired();
    let laptop = add_device(&world, &ann);
    let carol = world.person("carol");
    pair(&ann, &carol);
    laptop.cx().revoke(&carol.account.fingerprint()).unwrap();
    ann.receive();
    ann.said.expect("RevokedElsewhere");
    ann.cx().close_revoked().unwrap();
    assert!(carol.send("ann", "spam").unwrap_err().is_denied());
}

#[test]
fn what_a_relay_could_not_be_told_is_told_later() {
    let (world, ann, bob) = World::paired();
    world.relays.away(HERE, true);
    let bobs = bob.account.fingerprint();
    assert!(ann.cx().revoke(&bobs).unwrap().open > 0);
    ann.said.expect("StaysOpen");
    assert!(ann.cx().revoke(&bobs).unwrap().before);
    world.relays.away(HERE, false);
    bob.send("ann", "between").unwrap();
    // The next pull closes it, and what is in it is gone.
    assert_eq!(ann.receive(), []);
    assert!(bob.send("ann", "after").unwrap_err().is_denied());
    assert_eq!(ann.cx().revoke(&bobs).unwrap().open, 0);
    let own = ann.cx().revoke(&ann.account.fingerprint());
    assert!(matches!(own, Err(Error::OwnFingerprint)));
}

#[test]
fn a_removed_contact_stays_revoked_until_paired_with_again() {
    let (_world, ann, bob) = World::paired();
    let bobs = bob.account.fingerprint();
    ann.cx().remove_contact("bob").unwrap();
    assert!(bob.send("ann", "spam").unwrap_err().is_denied());
    // A card alone lifts nothing.
    ann.account.add_contact("bob", &bob.account.public_card(|_| ()).unwrap()).unwrap();
    assert!(ann.account.book().unwrap().revoked(&bobs).is_some());
    let invited = ann.invite(Method::Secret, "bob").unwrap();
    bob.join(&invited.line, "ann", Expectation::Secret).unwrap();
    settle(&[&ann, &bob]);
    ann.said.expect("RevocationLifted");
    bob.send("ann", "hello again").unwrap();
    assert_eq!(ann.bodies(), ["hello again"]);
}

#[test]
fn an_invite_from_before_lifts_no_revocation() {
    let (_world, ann, bob) = World::paired();
    let old = ann.invite(Method::Secret, "bob").unwrap();
    ann.cx().revoke(&bob.account.fingerprint()).unwrap();
    bob.join(&old.line, "ann", Expectation::Secret).unwrap();
    let mut ended = None;
    for _ in 0..2 {
        ended = ann.advance().unwrap().ended.or(ended);
        let _ = bob.advance();
    }
    assert!(matches!(ended, Some(Error::RevokedJoined { .. })), "{ended:?}");
    assert!(ann.account.book().unwrap().revoked(&bob.account.fingerprint()).is_some());
}

#[test]
fn a_card_by_hand_and_a_pairing_with_one_contact_go_together() {
    let (_world, ann, bob) = World::paired();
    let card = ann.account.public_card(|settings| settings.name = "A.".into()).unwrap();
    bob.account.add_contact("ann", &card).unwrap();
    assert!(card.capability().is_some());
    assert_eq!(bob.trust("ann"), crate::contact::Trust::SecretInvite);
    // The card that is kept to pass on lets no one push, and the later name is known.
    let book = bob.account.book().unwrap();
    let contact = book.get("ann").unwrap();
    assert_eq!(contact.card().unwrap().capability(), None);
    assert_eq!(book.newest_card(contact).unwrap().name(), "A.");
    bob.send("ann", "hello").unwrap();
    assert!(ann.receive().remove(0).forward_secrecy);
}
