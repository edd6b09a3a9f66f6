//! Two who do not know each other are introduced by a third, over a real relay.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;

use bulla::identity::Identity;
use common::{Person, Ran, Relay};

/// Carol has paired with both; each of the two has a mailbox and a card that names it.
struct World {
    carol: Person,
    /// The one who is asked to make the invite, and the one who is to take it up.
    inviter: Person,
    joiner: Person,
    relay: Relay,
    _store: tempfile::TempDir,
}

fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let relay = Relay::start(store.path());
    let people = [Person::with_identity(), Person::with_identity(), Person::with_identity()];
    let [carol, mut inviter, mut joiner] = people;
    if identity(&inviter).fingerprint().to_bytes() > identity(&joiner).fingerprint().to_bytes() {
        std::mem::swap(&mut inviter, &mut joiner);
    }
    for (person, name) in [(&inviter, "inviter"), (&joiner, "joiner")] {
        person.run(&["relay", "register", "--relay", &relay.url]).expect(0);
        common::pair([&carol, person], ["carol", name], [&relay; 2]);
    }
    World { carol, inviter, joiner, relay, _store: store }
}

fn identity(of: &Person) -> Identity {
    let text = fs::read_to_string(of.home().join("home/identity")).unwrap();
    Identity::parse(text.lines().find(|line| !line.starts_with('#')).unwrap()).unwrap()
}

fn introduce(carol: &Person) {
    carol.run(&["contact", "introduce", "inviter", "joiner", "--note", "from May"]).expect(0);
}

/// Pulls and opens.
#[track_caller]
fn hear(by: &Person) -> Ran {
    let pulled = by.run(&["relay", "pull"]).expect(0);
    by.pipe(&["open"], &pulled.out).expect(0)
}

/// How many capabilities push to the mailbox on the card.
fn capabilities(of: &Person) -> usize {
    of.run(&["relay", "capability", "list", "--json"]).expect(0).json().len()
}

/// Both go on until nothing is to be done.
fn settle(one: &Person, other: &Person) {
    for _ in 0..3 {
        one.run(&["pair"]);
        other.run(&["pair"]);
    }
}

fn know_each_other(world: &World) {
    let World { carol, inviter, joiner, .. } = world;
    let by = carol.fingerprint();
    for (person, other) in [(inviter, joiner), (joiner, inviter)] {
        let name = if std::ptr::eq(other, joiner) { "joiner" } else { "inviter" };
        let shown = person.run(&["contact", "show", name, "--json"]).expect(0).json().remove(0);
        assert_eq!(shown["fingerprint"], other.fingerprint());
        assert_eq!(shown["trust"], "introduced");
        assert_eq!(shown["introduced_by"]["name"], "carol");
        assert_eq!(shown["introduced_by"]["fingerprint"], by);
        let text = person.run(&["contact", "show", name]).expect(0).text();
        assert!(text.contains("trust:        introduced by carol, 20"), "{text}");
    }
    // What they write each other is under a secret of their own.
    let letter = inviter.pipe(&["seal", "--to", "joiner"], b"hello").expect(0).out;
    inviter.pipe(&["relay", "push"], &letter).expect(0);
    let pulled = joiner.run(&["relay", "pull"]).expect(0).out;
    let line = joiner.pipe(&["open", "--json"], &pulled).expect(0).json().remove(0);
    assert_eq!((&line["body"], &line["from"]["trust"]), (&"hello".into(), &"introduced".into()));
    assert_eq!(
        (&line["from"]["proof"], &line["forward_secrecy"]),
        (&"pairwise".into(), &true.into())
    );
    carol.pipe(&["open"], &letter).expect(10);
}

#[test]
fn two_pair_when_both_accept() {
    let world = world();
    let World { carol, inviter, joiner, .. } = &world;
    introduce(carol);
    for (person, other) in [(inviter, "joiner"), (joiner, "inviter")] {
        let said = hear(person).err;
        let expected = format!("carol introduces {other}: bulla pair --accept {other}");
        assert!(said.contains(&expected) && said.contains("carol writes: from May"), "{said}");
        let listed = person.run(&["contact", "list"]).expect(0).text();
        assert!(listed.contains(&format!("{other}  introduced by carol, until ")), "{listed}");
    }
    // The relay takes the invite only when the joiner has accepted too.
    let said = inviter.run(&["pair", "--accept", "joiner"]).expect(0).err;
    assert!(said.contains("joiner has not accepted yet"), "{said}");
    let said = inviter.run(&["pair"]).expect(1).err;
    assert!(said.contains("joiner has not accepted yet"), "{said}");
    joiner.run(&["relay", "pull"]).expect(1);
    let said = joiner.run(&["pair", "--accept", "inviter"]).expect(0).err;
    assert!(said.contains("waits for inviter to accept"), "{said}");
    assert_eq!(capabilities(joiner), 2);
    let said = inviter.run(&["pair"]).expect(1).err;
    assert!(!said.contains("has not accepted"), "{said}");
    let said = hear(joiner).err;
    assert!(said.contains("inviter has accepted too"), "{said}");
    settle(joiner, inviter);
    know_each_other(&world);
    // What the introducer knows pushes nothing any more.
    assert_eq!((capabilities(joiner), capabilities(inviter)), (1, 1));
    // It is said once.
    let again = inviter.run(&["pair", "--accept", "joiner"]);
    assert!(again.status == 0 || again.status == 2, "{}", again.err);
    introduce(carol);
    assert!(hear(joiner).err.contains("again, whom you know"));
}

#[test]
fn a_card_that_came_by_hand_is_not_passed_on() {
    let world = world();
    let World { carol, relay, .. } = &world;
    let dora = Person::with_identity();
    carol.knows("dora", &dora.card("Dora", &relay.url));
    let refused = carol.run(&["contact", "introduce", "inviter", "dora"]).expect(16);
    assert!(refused.err.contains("lets every reader of it push"), "{}", refused.err);
    assert!(refused.err.contains("hint: pair with that contact first"), "{}", refused.err);
}

#[test]
fn introductions_are_refused_by_removing_them() {
    let world = world();
    let World { carol, inviter, joiner, .. } = &world;
    introduce(carol);
    hear(inviter);
    let said = inviter.run(&["contact", "remove", "joiner"]).expect(0).err;
    assert!(said.contains("refused joiner, whom carol introduced"), "{said}");
    inviter.run(&["pair", "--accept", "joiner"]).expect(2);
    // Who is no contact any more has introduced nobody.
    hear(joiner);
    joiner.run(&["contact", "remove", "carol"]).expect(0);
    joiner.run(&["pair", "--accept", "inviter"]).expect(2);
    joiner.run(&["contact", "list"]).expect(1);
}
