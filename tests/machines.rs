//! A second machine of one person: what it gets, who learns of it, and that letters come to both.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::thread;
use std::time::Duration;

use common::{Person, Ran, Relay};
use serde_json::Value;

/// Alice and Bob, who paired, each at a relay of his own.
struct World {
    alice: Person,
    bob: Person,
    /// Where Alice's mailboxes are.
    here: Relay,
    /// Where Bob's are.
    there: Relay,
    _stores: [tempfile::TempDir; 2],
}

/// Takes this machine into use by an invite on stdin.
const DEVICE: [&str; 3] = ["pair", "--method", "device"];

fn world() -> World {
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (here, there) = (Relay::start(stores[0].path()), Relay::start(stores[1].path()));
    let (alice, bob) = (Person::with_identity(), Person::with_identity());
    let invite = alice.run(&["invite", "--as", "bob", "--relay", &here.url]).expect(0).out;
    let pair = ["pair", "--method", "secret", "--as", "alice", "--relay", &there.url];
    bob.pipe(&pair, &invite).expect(0);
    alice.run(&["pair"]).expect(1);
    bob.run(&["pair"]).expect(0);
    alice.run(&["pair"]).expect(0);
    World { alice, bob, here, there, _stores: stores }
}

impl World {
    /// Everything but the last step of the new machine.
    fn handed_to(&self, laptop: &Person) {
        let invite = self.alice.run(&["invite", "--device", "--relay", &self.here.url]).expect(0);
        assert!(invite.text().starts_with("bulla-device-1"), "{}", invite.text());
        assert!(invite.err.contains("becomes you"), "{}", invite.err);
        laptop.pipe(&DEVICE, &invite.out).expect(0);
        self.alice.run(&["pair"]).expect(1);
        laptop.run(&["pair"]).expect(1);
        let handed = self.alice.run(&["pair"]).expect(0);
        assert!(handed.err.contains("was handed what it needs"), "{}", handed.err);
    }
}

fn push(from: &Person, to: &str, body: &str) -> Ran {
    let sealed = from.pipe(&["seal", "--to", to], body.as_bytes()).expect(0).out;
    from.pipe(&["relay", "push"], &sealed).expect(0)
}

fn pull(person: &Person) -> (Vec<Value>, String) {
    let pulled = person.run(&["relay", "pull"]).expect(0).out;
    let opened = person.pipe(&["open", "--json"], &pulled).expect(0);
    (opened.json(), opened.err)
}

fn machines(person: &Person, name: &str) -> usize {
    let shown = person.run(&["contact", "show", name, "--json"]).expect(0).json();
    shown[0]["machines"].as_array().unwrap().len()
}

#[test]
fn letters_come_to_both_machines() {
    let world = world();
    let carol = Person::with_identity();
    world.alice.knows("carol", &carol.card("Carol", &world.here.url));
    world.alice.run(&["card", "--name", "Alice A."]).expect(0);
    push(&world.alice, "bob", "before");
    // An identity that was never used gives way.
    let laptop = Person::with_identity();
    let unused = laptop.fingerprint();
    world.handed_to(&laptop);
    let ran = laptop.run(&["pair", "--json"]).expect(0);
    assert!(ran.err.contains(&format!("was replaced, which was {unused}")), "{}", ran.err);
    let line = &ran.json()[0];
    assert_eq!((&line["contacts"], &line["told"]), (&2.into(), &1.into()));
    assert_eq!(laptop.fingerprint(), world.alice.fingerprint());
    let list = |person: &Person| person.run(&["contact", "list"]).expect(0).text();
    assert_eq!(list(&laptop), list(&world.alice));
    let card = |person: &Person| person.run(&["card"]).expect(0).out;
    assert_eq!(card(&laptop), card(&world.alice));

    // Bob learns of it by a letter that shows no body, and writes to both.
    assert_eq!(machines(&world.bob, "alice"), 1);
    let (letters, said) = pull(&world.bob);
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(said.contains("alice has a further machine"), "{said}");
    assert_eq!(machines(&world.bob, "alice"), 2);
    assert_eq!(push(&world.bob, "alice", "to both").text().lines().count(), 2);
    let (at_alice, _) = pull(&world.alice);
    let (at_laptop, said) = pull(&laptop);
    for came in [&at_alice, &at_laptop] {
        assert_eq!((came.len(), &came[0]["body"]), (1, &"to both".into()));
        assert_eq!(came[0]["from"]["trust"], "secret-invite");
        assert_eq!(came[0]["forward_secrecy"], true);
    }
    assert_eq!(at_alice[0]["id"], at_laptop[0]["id"]);
    assert!(!said.contains("warning"), "{said}");

    // Each answers by itself, in a numbering of its own and under keys of its own.
    for (person, body) in [(&laptop, "from the laptop"), (&world.alice, "from the desk")] {
        push(person, "bob", body);
        let (letters, said) = pull(&world.bob);
        assert_eq!((letters.len(), &letters[0]["body"]), (1, &body.into()));
        assert_eq!(
            (&letters[0]["from"]["name"], &letters[0]["missed"]),
            (&"alice".into(), &0.into())
        );
        assert_eq!(letters[0]["forward_secrecy"], true, "{body}");
        assert!(!said.contains("warning"), "{said}");
    }

    // What was made on the way is gone on both sides.
    let home = laptop.home().join("home");
    assert!(!home.join("newcomer").exists());
    let states = fs::read_dir(&home).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir());
    // The one of the identity that gave way, and the one that is in use.
    assert_eq!(states.count(), 2);
    world.alice.run(&["pair"]).expect(0);
    laptop.run(&["pair"]).expect(1);
}

#[test]
fn a_relay_that_is_away_is_asked_again() {
    let mut world = world();
    let laptop = Person::new();
    world.handed_to(&laptop);
    world.there.kill();
    let away = laptop.run(&["pair", "--retry", "0"]).expect(75);
    assert!(away.err.contains("could not be told of this machine: pair again"), "{}", away.err);
    assert!(laptop.home().join("home/newcomer").exists());
    let again = laptop.run(&["pair", "--retry", "0"]).expect(75);
    assert!(again.err.contains("could not be told"), "{}", again.err);
    world.there.kill_and_restart();
    laptop.run(&["pair"]).expect(0);
    assert!(!laptop.home().join("home/newcomer").exists());
    let (_, said) = pull(&world.bob);
    assert!(said.contains("alice has a further machine"), "{said}");
    assert_eq!(machines(&world.bob, "alice"), 2);
    push(&world.bob, "alice", "to both");
    assert_eq!(pull(&laptop).0[0]["body"], "to both");
    assert_eq!(pull(&world.alice).0[0]["body"], "to both");
}

#[test]
fn an_identity_in_use_does_not_give_way() {
    let world = world();
    let laptop = Person::with_identity();
    let card = world.bob.path("card");
    fs::write(&card, world.bob.run(&["card"]).expect(0).out).unwrap();
    laptop.knows("bob", &card);
    let (file, mine) = (laptop.home().join("home/identity"), laptop.fingerprint());
    world.handed_to(&laptop);
    let refused = laptop.run(&["pair"]).expect(20);
    assert!(refused.err.contains("another identity is in"), "{}", refused.err);
    assert_eq!(laptop.fingerprint(), mine);
    fs::rename(&file, laptop.home().join("mine")).unwrap();
    laptop.run(&["pair"]).expect(0);
    assert_eq!(laptop.fingerprint(), world.alice.fingerprint());

    // A contact that came later comes over in the same way.
    let carol = Person::with_identity();
    world.alice.knows("carol", &carol.card("Carol", &world.there.url));
    world.handed_to(&laptop);
    laptop.run(&["pair"]).expect(0);
    laptop.run(&["contact", "show", "carol"]).expect(0);
    assert_eq!(machines(&laptop, "bob"), 1);
    let (_, said) = pull(&world.bob);
    assert!(said.contains("a further machine"), "{said}");
    assert_eq!(machines(&world.bob, "alice"), 2);
}

#[test]
fn what_is_no_invite_for_a_machine_is_refused() {
    let world = world();
    let laptop = Person::new();
    let at = ["--relay", world.here.url.as_str()];
    let invite = world.alice.run(&[&["invite", "--device"], &at[..]].concat()).expect(0).text();
    let refused =
        laptop.pipe(&["pair", "--method", "device", "--as", "me"], invite.as_bytes()).expect(2);
    assert!(refused.err.contains("hint: leave --as out"), "{}", refused.err);
    let changed = invite.replace("bulla-device-1", "bulla-device-1q");
    let refused = laptop.pipe(&DEVICE, changed.as_bytes()).expect(13);
    assert!(refused.err.contains("hint: bulla invite --device"), "{}", refused.err);
    assert!(!laptop.home().join("home/newcomer").exists());
    world.alice.run(&["invite", "--device", "--public"]).expect(2);
    world.alice.run(&["invite", "--device", "--as", "x"]).expect(2);
    // It cannot be taken for an invite of somebody else, nor the other way round.
    let as_contact = invite.replace("bulla-device-", "bulla-invite-");
    Person::with_identity().pipe(&["pair", "--method", "secret"], as_contact.as_bytes()).expect(13);
    // Once taken up, it is good for no other machine.
    laptop.pipe(&DEVICE, invite.as_bytes()).expect(0);
    world.alice.run(&["pair"]).expect(1);
    let other = Person::new();
    other.pipe(&DEVICE, invite.as_bytes()).expect(0);
    world.alice.run(&["pair"]).expect(1);
    other.run(&["pair"]).expect(16);
    assert!(!other.home().join("home/newcomer").exists());
    other.run(&["pair"]).expect(21);
    laptop.run(&["pair"]).expect(1);
    world.alice.run(&["pair"]).expect(0);
    laptop.run(&["pair"]).expect(0);
    assert_eq!(laptop.fingerprint(), world.alice.fingerprint());
}

/// Whatever a run had done when it was killed, the next goes on.
#[test]
fn a_new_machine_may_be_killed_at_any_moment() {
    let world = world();
    let laptop = Person::new();
    world.handed_to(&laptop);
    let is_underway = || laptop.home().join("home/newcomer").exists();
    for pause in (0..60).map(|step| Duration::from_millis(3 * step)) {
        let mut run = laptop.command(&["pair"]).spawn().unwrap();
        thread::sleep(pause);
        run.kill().unwrap();
        run.wait().unwrap();
        if !is_underway() {
            break;
        }
    }
    if is_underway() {
        laptop.run(&["pair"]).expect(0);
    }
    assert_eq!(laptop.fingerprint(), world.alice.fingerprint());
    let (_, said) = pull(&world.bob);
    assert!(said.contains("alice has a further machine"), "{said}");
    assert_eq!(machines(&world.bob, "alice"), 2);
    push(&world.bob, "alice", "to both");
    for person in [&world.alice, &laptop] {
        let (letters, _) = pull(person);
        assert_eq!((letters.len(), &letters[0]["body"]), (1, &"to both".into()));
    }
    push(&laptop, "bob", "from the laptop");
    assert_eq!(pull(&world.bob).0[0]["body"], "from the laptop");
}
