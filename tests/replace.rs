//! `keygen --replace`: a stolen identity gets a successor, and contacts are told.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::{Person, Ran, Relay, kept};
use serde_json::Value;

/// Ann, who has paired with Bob and has Carl's card. Both know her.
struct World {
    ann: Person,
    bob: Person,
    carl: Person,
    /// Relay of the mailboxes of Bob and Carl.
    there: Relay,
    _here: Relay,
    _stores: [tempfile::TempDir; 2],
}

fn world() -> World {
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (here, there) = (Relay::start(stores[0].path()), Relay::start(stores[1].path()));
    let [ann, bob, carl] = [(); 3].map(|()| Person::with_identity());
    ann.run(&["relay", "register", "--relay", &here.url]).expect(0);
    carl.run(&["relay", "register", "--relay", &there.url]).expect(0);
    ann.knows("carl", &carl.card("Carl", &there.url));
    carl.knows("ann", &ann.card("Ann", &here.url));
    common::pair([&ann, &bob], ["ann", "bob"], [&here, &there]);
    World { ann, bob, carl, there, _here: here, _stores: stores }
}

/// Pulls and opens; what was said.
fn pull(person: &Person) -> (Vec<Value>, String) {
    let pulled = person.run(&["relay", "pull"]).expect(0).out;
    let opened = person.pipe(&["open", "--json"], &pulled).expect(0);
    (opened.json(), opened.err)
}

fn push(from: &Person, to: &str, body: &str) -> Ran {
    let sealed = from.pipe(&["seal", "--to", to], body.as_bytes()).expect(0).out;
    from.pipe(&["relay", "push"], &sealed).expect(0)
}

fn show(person: &Person, name: &str) -> Value {
    person.run(&["contact", "show", name, "--json"]).expect(0).json()[0].clone()
}

/// Both run `pair` until nothing is left to say.
fn meet(one: &Person, other: &Person) {
    for _ in 0..3 {
        one.run(&["pair"]);
        other.run(&["pair"]);
    }
}

#[test]
fn contacts_are_told_and_pair_with_the_new_identity() {
    let World { ann, bob, carl, .. } = &world();
    let old = ann.fingerprint();
    let (bobs, trust) = (bob.fingerprint(), show(ann, "bob")["trust"].clone());
    let ran = ann.run(&["keygen", "--replace", "--json"]).expect(0);
    let new = ann.fingerprint();
    assert_ne!(old, new);
    let said = &ran.json()[0];
    assert_eq!(
        (&said["fingerprint"], &said["replaced"]),
        (&new.as_str().into(), &old.as_str().into())
    );
    assert_eq!(said["told"], serde_json::json!(["bob", "carl"]));
    let [before] = &kept(&ann.home().join("home"))[..] else { panic!("{}", ran.err) };
    assert!(
        ran.err.contains(&format!("open with the old key: bulla open -i {}", before.display()))
    );
    assert_eq!(
        (&show(ann, "bob")["fingerprint"], &show(ann, "bob")["trust"]),
        (&bobs.as_str().into(), &trust)
    );
    ann.run(&["pair"]).expect(1);

    for contact in [bob, carl] {
        let (letters, said) = pull(contact);
        assert!(letters.iter().all(|one| one["body"] == ""), "{letters:?}");
        assert!(said.contains("announces a new identity") && said.contains(&new), "{said}");
        assert!(said.contains("ask ann over a channel you trust"), "{said}");
        assert!(said.contains("bulla pair --accept ann-2"), "{said}");
        let listed = contact.run(&["contact", "list"]).expect(0).text();
        assert!(listed.contains("ann-2  new identity of ann"), "{listed}");
        // Nothing has changed yet.
        assert_eq!(show(contact, "ann")["fingerprint"], old.as_str());
        let renamed = contact.run(&["pair", "--accept", "ann-2", "--as", "anna"]).expect(2);
        assert!(renamed.err.contains("hint: leave --as out"), "{}", renamed.err);
        contact.run(&["pair", "--accept", "ann-2"]).expect(0);
        meet(ann, contact);
        let now = show(contact, "ann");
        assert_eq!(
            (&now["fingerprint"], &now["trust"]),
            (&new.as_str().into(), &"introduced".into())
        );
        assert_eq!(now["introduced_by"]["fingerprint"], old.as_str());
        assert_eq!(show(contact, "ann-old")["fingerprint"], old.as_str());
        push(contact, "ann", "to the new one");
        assert_eq!(pull(ann).0[0]["body"], "to the new one");
    }
    // Ann's knowledge of the two is what it was.
    assert_eq!(
        (&show(ann, "bob")["fingerprint"], &show(ann, "bob")["trust"]),
        (&bobs.as_str().into(), &trust)
    );
    assert_eq!(show(ann, "carl")["trust"], "card by hand");
    push(ann, "bob", "from the new one");
    let (letters, _) = pull(bob);
    assert_eq!(
        (&letters[0]["from"]["name"], &letters[0]["body"]),
        (&"ann".into(), &"from the new one".into())
    );

    // The thief has the old key and all that came with it, and is not taken for Ann.
    let thief = ["-i", before.to_str().unwrap()];
    let sealed =
        ann.pipe(&[&["seal", "--to", "bob"], &thief[..]].concat(), b"give me all").expect(0);
    ann.pipe(&["relay", "push", thief[0], thief[1]], &sealed.out);
    let pulled = bob.run(&["relay", "pull"]);
    let opened = bob.pipe(&["open", "--json"], &pulled.out);
    assert!(!opened.text().contains("\"ann\""), "{}", opened.text());
    // And what was sealed for the old key still opens.
    let card = carl.run(&["contact", "show", "ann-old", "--card"]).expect(0).out;
    fs::write(carl.path("old.card"), card).unwrap();
    let sealed = carl.pipe(&["seal", "--to", "./files/old.card"], b"late").expect(0).out;
    ann.pipe(&["open", thief[0], thief[1]], &sealed).expect(0);
}

/// The same over cards, where no ratchet tells the two apart.
#[test]
fn a_thief_announces_a_successor_to_one_who_has_only_the_card() {
    let World { ann, carl, .. } = &world();
    let thief = Person::new();
    let copy = std::process::Command::new("cp")
        .args(["-a", ann.home().join("home").to_str().unwrap(), thief.home().to_str().unwrap()])
        .status();
    assert!(copy.unwrap().success());
    ann.run(&["keygen", "--replace"]).expect(0);
    thief.run(&["keygen", "--replace"]).expect(0);
    let (_, said) = pull(carl);
    assert!(said.contains("announced another one before (ann-2)"), "{said}");
    assert!(said.contains(&ann.fingerprint()) && said.contains(&thief.fingerprint()), "{said}");
    let warned = carl.run(&["pair", "--accept", "ann-2"]).expect(0);
    assert!(warned.err.contains("ann-3 was announced by the same old identity"), "{}", warned.err);
    meet(ann, carl);
    // The other one is refused with it, and so is what the old key says from then on.
    carl.run(&["pair", "--accept", "ann-3"]).expect(2);
    assert_eq!(show(carl, "ann")["introduced_by"]["name"], "ann");
}

#[test]
fn contacts_who_are_not_reached_are_told_by_the_next_pair() {
    let mut world = world();
    world.there.kill();
    let ran = world.ann.run(&["keygen", "--replace", "--retry", "0", "--json"]).expect(75);
    assert!(ran.err.contains("bob could not be told: bulla pair tells"), "{}", ran.err);
    assert_eq!(ran.json()[0]["untold"], serde_json::json!(["bob", "carl"]));
    let new = world.ann.fingerprint();
    // Once more would make yet another identity.
    let again = world.ann.run(&["keygen", "--replace"]).expect(16);
    assert!(again.err.contains("hint: bulla pair tells them"), "{}", again.err);
    assert_eq!(world.ann.fingerprint(), new);
    world.ann.run(&["pair", "--retry", "0"]).expect(75);
    world.there.kill_and_restart();
    let told = world.ann.run(&["pair"]).expect(1);
    assert!(told.err.contains("told carl of your new identity"), "{}", told.err);
    let nothing = world.ann.run(&["pair"]).expect(1);
    assert!(!nothing.err.contains("told"), "{}", nothing.err);
    let (_, said) = pull(&world.bob);
    assert_eq!(said.matches("announces a new identity").count(), 1, "{said}");
    world.bob.run(&["pair", "--accept", "ann-2"]).expect(0);
    meet(&world.ann, &world.bob);
    assert_eq!(show(&world.bob, "ann")["fingerprint"], new.as_str());
}

#[test]
fn what_cannot_be_replaced_is_not() {
    let fresh = Person::new();
    fresh.run(&["keygen", "--replace"]).expect(21);
    for with in [&["-o", "x"][..], &["--default"], &["--force"], &["--age"]] {
        fresh.run(&[&["keygen", "--replace"], with].concat()).expect(2);
    }
    let mut command = fresh.command(&["keygen", "--replace"]);
    command.env("BULLA_IDENTITY", "x");
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    assert!(!fresh.home().join("home/identity").exists());

    // One that is locked, for one that is locked with another passphrase.
    for (name, text) in [("old", "the old passphrase"), ("new", "the new passphrase")] {
        fs::write(fresh.path(name), text).unwrap();
        fs::set_permissions(fresh.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    fresh.run(&["keygen", "--default", "--passphrase", "files/old"]).expect(0);
    let replace = ["keygen", "--replace", "--no-input", "--passphrase", "files/new"];
    let locked = fresh.run(&replace).expect(14);
    assert!(locked.err.contains("--identity-passphrase"), "{}", locked.err);
    fresh.run(&[&replace[..], &["--identity-passphrase", "files/old"]].concat()).expect(0);
    fresh.run(&["card", "--passphrase", "files/old"]).expect(15);
    fresh.run(&["card", "--passphrase", "files/new"]).expect(0);
    let before = kept(&fresh.home().join("home")).remove(0);
    fresh.run(&["card", "-i", before.to_str().unwrap(), "--passphrase", "files/old"]).expect(0);
}
