//! Clocks that jump or are wrong: what ends by time ends, and a wrong clock breaks nothing that stays.

use crate::account::tests::mailbox::Lie;
use crate::account::tests::world::{DAY, SimClock, THERE, World, settle};
use crate::account::{Expectation, Method};

const YEAR: u64 = 365 * DAY;

#[test]
fn a_letter_that_was_overtaken_opens_for_thirty_days() {
    for (days, opens) in [(29, true), (32, false)] {
        let (world, ann, bob) = World::paired();
        world.relays.lie(THERE, Lie::DropsPushes);
        let sealed = bob.gets_by_ratchet(&ann, "overtaken");
        world.relays.repent(THERE);
        ann.send("bob", "in time").unwrap();
        assert_eq!(bob.bodies(), ["in time"]);
        world.clock.forward(days * DAY);
        // Another letter, which tidies up.
        ann.send("bob", "later").unwrap();
        assert_eq!(bob.bodies(), ["later"]);
        world.relays.plant(THERE, &sealed);
        assert_eq!(!bob.bodies().is_empty(), opens, "{days} days");
    }
}

#[test]
fn letters_of_a_wrong_clock_open_and_keep_the_keys_in_step() {
    for wrong in [10 * YEAR, 0] {
        let (world, ann, bob) = World::paired();
        let clock = SimClock::new();
        clock.forward(wrong);
        if wrong == 0 {
            clock.back(10 * YEAR);
        }
        let ann = ann.with_clock(&clock);
        for round in ["1", "2"] {
            ann.send("bob", round).unwrap();
            bob.send("ann", round).unwrap();
            let (anns, bobs) = (ann.receive().remove(0), bob.receive().remove(0));
            assert!(anns.forward_secrecy && bobs.forward_secrecy);
            assert_eq!((anns.missed, bobs.missed), (0, 0));
        }
        // Right again.
        let ann = ann.with_clock(&world.clock);
        ann.send("bob", "3").unwrap();
        bob.send("ann", "3").unwrap();
        assert!(ann.receive().remove(0).forward_secrecy);
        assert!(bob.receive().remove(0).forward_secrecy);
    }
}

#[test]
fn keys_renewed_after_a_clock_was_far_ahead_take_their_place() {
    let (world, ann, bob) = World::paired();
    let ahead = SimClock::new();
    ahead.forward(10 * YEAR);
    let ann = ann.with_clock(&ahead);
    ann.account.renew_keys("bob").unwrap();
    ann.send("bob", "offered then").unwrap();
    assert_eq!(bob.bodies(), ["offered then"]);
    let ann = ann.with_clock(&world.clock);
    ann.account.renew_keys("bob").unwrap();
    ann.send("bob", "offered now").unwrap();
    assert!(!bob.receive().remove(0).forward_secrecy);
    bob.send("ann", "under the new keys").unwrap();
    assert!(ann.receive().remove(0).forward_secrecy);
    ann.send("bob", "in step").unwrap();
    assert!(bob.receive().remove(0).forward_secrecy);
}

#[test]
fn a_card_is_later_than_the_one_before_though_the_clock_went_back() {
    let world = World::new();
    let ann = world.person("ann");
    let name =
        |name: &str| ann.account.public_card(|settings| settings.name = name.into()).unwrap();
    let first = name("Ann");
    world.clock.back(YEAR);
    let second = name("Ann A.");
    assert!(second.created() > first.created());
    assert_eq!(name("Ann A.").to_bytes(), second.to_bytes());
}

#[test]
fn an_invite_outlives_a_clock_that_goes_back_and_not_one_that_jumps_ahead() {
    for (ahead, comes) in [(false, true), (true, false)] {
        let world = World::new();
        let (ann, bob) = (world.person("ann"), world.person("bob"));
        let invited = ann.invite(Method::Secret, "bob").unwrap();
        bob.join(&invited.line, "ann", Expectation::Secret).unwrap();
        match ahead {
            true => world.clock.forward(2 * DAY),
            false => world.clock.back(YEAR),
        }
        for person in [&ann, &bob, &ann, &bob] {
            person.advance().unwrap();
        }
        assert_eq!(!ann.contacts().is_empty(), comes);
        assert_eq!(!bob.contacts().is_empty(), comes);
        if comes {
            world.clock.forward(YEAR);
            settle(&[&ann, &bob]);
            ann.send("bob", "hello").unwrap();
            assert_eq!(bob.bodies(), ["hello"]);
        }
    }
}

#[test]
fn a_relay_deletes_what_waits_for_thirty_days_and_the_gap_is_seen() {
    let (world, ann, bob) = World::paired();
    ann.send("bob", "never read").unwrap();
    world.clock.forward(31 * DAY);
    ann.send("bob", "read").unwrap();
    let got = bob.receive();
    assert_eq!((got.len(), got[0].body.as_str(), got[0].missed), (1, "read", 1));
}
