//! Attacks on a pairing as people run it: the line is replaced, the relay stalls, an invite falls
//! into the wrong hands.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use common::{Person, Ran, Relay};

/// Ann invites, Bob joins, and Mallory can change what goes between them.
struct World {
    ann: Person,
    bob: Person,
    mallory: Person,
    relay: Relay,
    _store: tempfile::TempDir,
}

fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let relay = Relay::start(store.path());
    let [ann, bob, mallory] = [(); 3].map(|()| Person::with_identity());
    // Its folder is made.
    bob.run(&["contact", "list"]).expect(1);
    World { ann, bob, mallory, relay, _store: store }
}

impl World {
    fn invite(&self, person: &Person, args: &[&str]) -> Vec<u8> {
        let at = ["--relay", self.relay.url.as_str()];
        person.run(&[&["invite"], args, &at[..]].concat()).expect(0).out
    }

    fn join(&self, args: &[&str], line: &[u8]) -> Ran {
        self.bob.pipe(&[&["pair", "--relay", &self.relay.url], args].concat(), line)
    }

    /// Bob's folder, and what the relay stores.
    fn state(&self) -> (Vec<u8>, Vec<u8>) {
        (common::everything_below(self.bob.home()), common::everything_below(self._store.path()))
    }
}

fn pairings(person: &Person) -> Vec<String> {
    let listed = person.run(&["contact", "list", "--json"]).json();
    listed.iter().filter_map(|one| one["pairing"].as_str().map(str::to_owned)).collect()
}

fn contacts(person: &Person) -> Vec<String> {
    let listed = person.run(&["contact", "list", "--json"]).json();
    listed.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
}

/// A person's own four digits, which `contact list` ends with.
fn shown(person: &Person) -> String {
    let text = person.run(&["contact", "list"]).text();
    let line = text.lines().find(|line| line.contains("digits")).unwrap();
    line[line.len() - 4..].to_owned()
}

/// Ann expects to compare digits; the line that reaches Bob is a secret invite of Mallory's.
#[test]
fn a_line_for_digits_replaced_by_a_secret_one_is_refused() {
    let world = world();
    world.invite(&world.ann, &["--public", "--as", "bob"]);
    let line = world.invite(&world.mallory, &[]);
    let before = world.state();
    let refused = world.join(&["--method", "digits", "--as", "ann"], &line).expect(11);
    assert!(refused.err.contains("for another method, or was changed on the way"));
    // The hint does not help the attack on.
    for word in ["secret", "--method", "leave"] {
        assert!(!refused.err.contains(word), "{}", refused.err);
    }
    // A script that names none gets the methods to choose from; the line chooses nothing.
    let asked = world.join(&["--as", "ann"], &line).expect(2);
    for method in ["secret", "digits", "words", "device"] {
        assert!(asked.err.contains(&format!("--method {method}")), "{}", asked.err);
    }
    assert!(world.state() == before, "a refused invite left something");
    world.mallory.run(&["pair"]).expect(1);
    world.bob.run(&["pair"]).expect(1);
    assert_eq!((contacts(&world.bob), pairings(&world.bob)), (vec![], vec![]));
}

/// Bob was told words, and passes them; the line is a secret invite of Mallory's.
#[test]
fn a_line_for_words_replaced_by_another_is_refused() {
    let world = world();
    let before_words = |line: &[u8], args: &[&str]| {
        let before = world.state();
        let path = world.bob.path("words");
        let refused = world.join(args, line).expect(11);
        assert!(path.exists());
        for word in ["secret", "digits", "--words", "--method", "leave"] {
            assert!(!refused.err.contains(word), "{}", refused.err);
        }
        assert!(world.state() == before, "a refused invite left something");
    };
    let path = world.bob.path("words");
    std::fs::write(&path, "apple apple able\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let words = path.to_str().unwrap();
    for kind in [&[][..], &["--method", "digits"], &["--method", "device"]] {
        let line = world.invite(&world.mallory, kind);
        before_words(&line, &["--words", words]);
        before_words(&line, &["--words", words, "--method", "words"]);
    }
    let line = world.invite(&world.mallory, &[]);
    let both = world.join(&["--words", words, "--method", "secret"], &line).expect(2);
    assert!(both.err.contains("--words goes with"), "{}", both.err);
}

/// Every method refuses the invites of the others, and a device line most of all.
#[test]
fn each_method_takes_its_own_invite_only() {
    let world = world();
    let methods = ["secret", "digits", "words", "device"];
    for kind in methods {
        let line = world.invite(&world.mallory, &["--method", kind]);
        for method in methods.into_iter().filter(|method| *method != kind) {
            let before = world.state();
            world.join(&["--method", method, "--no-input"], &line).expect(11);
            assert!(world.state() == before, "{kind} by {method}");
        }
    }
    world.mallory.run(&["invite", "--method", "secret", "--public"]).expect(2);
    world.mallory.run(&["invite", "--method", "device", "--as", "x"]).expect(2);
}

/// An invite that was accepted goes on, whether a method is named again or not.
#[test]
fn an_accepted_invite_goes_on_without_a_method() {
    let world = world();
    let line = world.invite(&world.ann, &["--as", "bob"]);
    world.join(&["--method", "secret", "--as", "ann"], &line).expect(0);
    world.ann.run(&["pair"]).expect(1);
    world.join(&["--method", "digits"], &line).expect(11);
    world.join(&[], &line).expect(0);
    world.bob.run(&["pair"]).expect(0);
    world.ann.run(&["pair"]).expect(0);
    assert_eq!(
        (contacts(&world.ann), contacts(&world.bob)),
        (vec!["bob".into()], vec!["ann".into()])
    );
}
