//! Revoked means revoked: by no way does a contact's signed letter reach the account any more, on
//! none of its machines.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;

use bulla::age::Opener;
use bulla::identity::{Card, Identity};
use bulla::letter::{self, Content, EnvelopeReader};
use common::{BULLA, Person, Ran, Relay, pair};

/// Alice, who has a card's mailbox too, and Bob, who paired with her.
struct World {
    alice: Person,
    bob: Person,
    relay: Relay,
    _store: tempfile::TempDir,
}

fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let relay = Relay::start(store.path());
    let (alice, bob) = (Person::with_identity(), Person::with_identity());
    alice.run(&["relay", "register", "--relay", &relay.url]).expect(0);
    pair([&alice, &bob], ["alice", "bob"], [&relay; 2]);
    World { alice, bob, relay, _store: store }
}

/// Takes another machine into use.
fn machine(of: &Person, relay: &str) -> Person {
    let machine = Person::new();
    let invite = of.run(&["invite", "--device", "--relay", relay]).expect(0).out;
    let fingerprint = of.fingerprint();
    let pair = ["pair", "--method", "device", "--fingerprint", &fingerprint];
    machine.pipe(&pair, &invite).expect(0);
    of.run(&["pair"]).expect(1);
    machine.run(&["pair"]).expect(1);
    of.run(&["pair"]).expect(0);
    machine.run(&["pair"]).expect(0);
    of.run(&["pair"]);
    machine
}

fn seal(from: &Person, to: &str, body: &str) -> Vec<u8> {
    from.pipe(&["seal", "--to", to], body.as_bytes()).expect(0).out
}

/// Pushes; says whether every relay took it.
fn push(from: &Person, letters: &[u8]) -> bool {
    let ran = from.pipe(&["relay", "push"], letters);
    assert!(matches!(ran.status, 0 | 25 | 77), "{}", ran.err);
    ran.status == 0
}

/// Pulls and opens.
fn open(by: &Person) -> Ran {
    let pulled = by.run(&["relay", "pull"]);
    by.pipe(&["open", "--json"], &pulled.out)
}

/// Lets each open what has come.
fn settle(people: &[&Person]) {
    people.iter().for_each(|person| drop(open(person)));
}

fn card(path: &Person) -> Card {
    Card::parse_text(&path.run(&["card"]).expect(0).text()).unwrap()
}

/// The sender's card inside the first letter of a stream.
fn card_inside(to: &Person, stream: &[u8]) -> Card {
    let text = fs::read_to_string(to.home().join("home/identity")).unwrap();
    let identity =
        Identity::parse(text.lines().find(|line| !line.starts_with('#')).unwrap()).unwrap();
    let mut envelopes = EnvelopeReader::new(stream);
    let mut sealed = Vec::new();
    let mut envelope = envelopes.next().unwrap().unwrap();
    std::io::copy(&mut envelope, &mut sealed).unwrap();
    envelope.finish().unwrap();
    let opener = Opener::new(sealed.as_slice(), &[&identity]).unwrap();
    let accept = |_: &Content| Ok::<_, letter::Error>(Vec::new());
    let (content, _) = letter::open(opener, &[identity.fingerprint()], accept).unwrap();
    let Content::Letter(letter) = content else { panic!() };
    letter.from.unwrap()
}

#[test]
fn a_card_from_a_pairing_or_a_letter_lets_nobody_push() {
    let World { alice, bob, .. } = &world();
    let handed = bob.run(&["contact", "show", "alice", "--card"]).expect(0).text();
    let handed = Card::parse_text(&handed).unwrap();
    assert_eq!(handed.capability(), None);
    assert_eq!(handed.fingerprint(), card(alice).fingerprint());
    assert!(card(alice).capability().is_some());
    // Nor does the one in a letter to a card.
    let carol = Person::with_identity();
    let to = carol.card("Carol", "http://127.0.0.1:9");
    alice.knows("carol", &to);
    let inside = card_inside(&carol, &seal(alice, "carol", "x"));
    assert_eq!((inside.capability(), inside.fingerprint()), (None, handed.fingerprint()));

    // F8: the revoked contact takes the card.
    alice.run(&["contact", "revoke", "bob"]).expect(0);
    fs::write(bob.path("a.card"), handed.to_text()).unwrap();
    for to in ["alice", bob.path("a.card").to_str().unwrap()] {
        let refused = bob.pipe(&["seal", "--anonymous", "--to", to], b"spam").expect(2);
        assert!(refused.err.contains("has no capability to push"), "{}", refused.err);
        assert!(refused.err.contains("hint: ask "), "{}", refused.err);
        assert!(refused.is_without_letters());
    }
    assert!(!push(bob, &seal(bob, "alice", "spam")));
    alice.run(&["relay", "pull"]).expect(1);
}

#[test]
fn a_revocation_holds_on_the_other_machine() {
    let World { alice, bob, relay, .. } = &world();
    let laptop = machine(alice, &relay.url);
    settle(&[bob]);
    assert!(push(bob, &seal(bob, "alice", "before")));
    assert_eq!(open(&laptop).json()[0]["body"], "before");
    // This one is at the other machine's mailbox when the contact is revoked.
    assert!(push(bob, &seal(bob, "alice", "on its way")));
    let said = alice.run(&["contact", "revoke", "bob"]).expect(0).err;
    assert!(said.contains("1 mailbox here, 1 mailbox of your other machines"), "{said}");
    let late = seal(bob, "alice", "after");
    assert!(!push(bob, &late));
    let listed = laptop.run(&["relay", "list", "--json"]).expect(0).json();
    assert_eq!(listed.len(), 1, "the news alone: {listed:?}");
    let told = open(&laptop);
    assert_eq!(told.out, b"");
    assert!(told.err.contains("bob was revoked on another machine of yours"), "{}", told.err);
    laptop.run(&["relay", "pull"]).expect(1);
    // Whatever way it comes.
    let refused = laptop.pipe(&["open"], &late).expect(11);
    assert_eq!(refused.out, b"");
    assert!(
        !laptop.run(&["contact", "show", "bob", "--json"]).expect(0).json()[0]["revoked"].is_null()
    );
    assert!(!push(bob, &seal(bob, "alice", "again")));
    // Lifted on one, lifted on all.
    alice.run(&["contact", "revoke", "--undo", "bob"]).expect(0);
    let said = open(&laptop).err;
    assert!(said.contains("is no longer revoked"), "{said}");
}

#[test]
fn a_revocation_shows() {
    let World { alice, .. } = &world();
    let json = |args: &[&str]| alice.run(args).expect(0).json().remove(0);
    assert!(json(&["contact", "list", "--json"])["revoked"].is_null());
    let revoked = alice.run(&["contact", "revoke", "bob", "--json"]).expect(0);
    assert!(revoked.err.contains("register --renew"), "{}", revoked.err);
    let since = revoked.json()[0]["revoked"].as_str().unwrap().to_owned();
    assert_eq!(json(&["contact", "list", "--json"])["revoked"], *since);
    assert_eq!(json(&["contact", "show", "bob", "--json"])["revoked"], *since);
    let text = alice.run(&["contact", "list"]).expect(0).text();
    assert!(text.contains(&format!("  revoked {since}")), "{text}");
    let text = alice.run(&["contact", "show", "bob"]).expect(0).text();
    assert!(text.contains(&format!("revoked:      {since}\n")), "{text}");
    // Twice is once.
    let again = alice.run(&["contact", "revoke", "bob"]).expect(0).err;
    assert!(again.contains(&format!("bob is revoked since {since}")), "{again}");
    alice.run(&["contact", "revoke", "nobody"]).expect(2);
}

#[test]
fn after_the_last_revocation_a_pull_finds_nothing() {
    let store = tempfile::tempdir().unwrap();
    let relay = Relay::start(store.path());
    let (alice, bob) = (Person::with_identity(), Person::with_identity());
    // Before there is anything, an unregistered mailbox is an error.
    alice.run(&["relay", "pull", "--relay", &relay.url]).expect(77);
    pair([&alice, &bob], ["alice", "bob"], [&relay; 2]);
    alice.run(&["relay", "pull"]).expect(1);
    alice.run(&["contact", "revoke", "bob"]).expect(0);
    let at = ["--relay", relay.url.as_str()];
    for verb in ["pull", "status", "list"] {
        alice.run(&["relay", verb]).expect(1);
        alice.run(&[&["relay", verb], &at[..]].concat()).expect(1);
    }
    alice.run(&["contact", "remove", "bob"]).expect(0);
    alice.run(&["relay", "pull"]).expect(1);
}

#[test]
fn what_a_relay_could_not_be_told_is_told_later() {
    let mut world = world();
    world.relay.kill();
    let ran = world.alice.run(&["contact", "revoke", "bob", "--retry", "0"]).expect(75);
    assert!(ran.err.contains("a mailbox stays open at "), "{}", ran.err);
    let again = world.alice.run(&["contact", "revoke", "bob", "--retry", "0"]).expect(75);
    assert!(again.err.contains("still open"), "{}", again.err);
    world.relay.kill_and_restart();
    world.alice.run(&["contact", "revoke", "bob"]).expect(0);
}

#[test]
fn signed_letters_of_a_revoked_contact_are_refused_and_dropped() {
    let World { alice, bob, relay, .. } = &world();
    // By a card that was handed out by hand.
    bob.knows("alice", &alice.card("Alice", &relay.url));
    let job = || {
        let mut job = std::process::Command::new(BULLA);
        let identity = fs::read_to_string(bob.home().join("home/identity")).unwrap();
        let to = alice.path("Alice.card");
        job.args(["seal", "--no-input", "--to"]).arg(to).env_clear();
        job.env("BULLA_IDENTITY", identity).stdout(std::process::Stdio::piped());
        job.stderr(std::process::Stdio::piped());
        common::feed(job, b"spam").expect(0).out
    };
    alice.run(&["contact", "revoke", "bob"]).expect(0);
    assert!(push(bob, &job()));
    let pulled = alice.run(&["relay", "pull"]).expect(0).out;
    let refused = alice.pipe(&["open"], &pulled).expect(11);
    assert_eq!(refused.out, b"");
    assert!(
        refused.err.contains("letter from bob refused and dropped: the contact was revoked on 20"),
        "{}",
        refused.err
    );
    // It is dropped: nothing is given out once more.
    alice.run(&["relay", "pull", "--again"]).expect(1);
    alice.pipe(&["open", "--again"], &pulled).expect(11);
    // Nor does a command get it again.
    assert!(push(bob, &job()));
    let exec = format!("{BULLA} open >> got");
    alice.run(&["relay", "pull", "--exec", &exec]).expect(0);
    alice.run(&["relay", "pull", "--exec", &exec]).expect(1);
    assert_eq!(fs::read(alice.home().join("got")).unwrap(), b"");
    // One of them in a stream does not cost the others.
    let carol = Person::with_identity();
    pair([alice, &carol], ["alice", "carol"], [relay; 2]);
    assert!(push(bob, &job()) && push(&carol, &seal(&carol, "alice", "hello")));
    let opened = open(alice).expect(11);
    assert_eq!(opened.json()[0]["body"], "hello");
    // Without a sender there is no one to refuse, until the card is renewed.
    let hidden = || bob.pipe(&["seal", "--anonymous", "--to", "alice"], b"psst").expect(0).out;
    assert!(push(bob, &hidden()));
    assert_eq!(open(alice).json()[0]["body"], "psst");
    alice.run(&["relay", "register", "--renew"]).expect(0);
    assert!(!push(bob, &hidden()));
}

#[test]
fn a_removed_contact_stays_revoked_until_paired_with_again() {
    let World { alice, bob, relay, .. } = &world();
    let fingerprint = bob.fingerprint();
    alice.run(&["contact", "remove", "bob"]).expect(0);
    assert!(!push(bob, &seal(bob, "alice", "spam")));
    bob.knows("alice", &alice.card("Alice", &relay.url));
    // A card alone lifts nothing, and says so.
    let added = {
        let card = bob.card("Bob", &relay.url);
        alice.run(&["contact", "add", "bob", card.to_str().unwrap()]).expect(0).err
    };
    assert!(added.contains("bob was revoked on 20") && added.contains("--undo bob"), "{added}");
    // A fingerprint alone may be revoked.
    alice.run(&["contact", "remove", "bob"]).expect(0);
    alice.run(&["contact", "revoke", "--undo", &fingerprint]).expect(0);
    alice.run(&["contact", "revoke", "--undo", &fingerprint]).expect(1);
    alice.run(&["contact", "revoke", &fingerprint]).expect(0);
    let said = pair([alice, bob], ["alice", "bob"], [relay; 2]);
    assert!(said.contains("bob was revoked, and is no longer"), "{said}");
    assert!(push(bob, &seal(bob, "alice", "hello again")));
    assert_eq!(open(alice).json()[0]["body"], "hello again");
}
