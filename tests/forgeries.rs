//! Letters that no code of ours made: honest ones open, forgeries are refused, and what a thief can
//! do until a theft heals is what RATCHET.md says.
//!
//! The letters come from an independent client in Python (tests/forgery), which knows our pages and
//! none of our code. It needs `cryptography` with ML-KEM; where that is missing these tests say
//! that they are skipped, but in CI they fail.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/skip.rs"]
mod skip;

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use common::{BULLA, Person, Ran, Relay, feed};
use serde_json::Value;
use tempfile::TempDir;

const FORGE: &str = "tests/forgery/forge.py";
/// The body of most letters that the client makes.
const BODY: &str = "written without bulla";

/// Finds a Python that can run the client.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = PYTHON.get_or_init(|| {
        let named = std::env::var_os("BULLA_TEST_PYTHON").map(PathBuf::from);
        let usual = ["target/forgery/venv/bin/python", "python3"].map(PathBuf::from);
        let all = named.into_iter().chain(usual);
        all.into_iter().find(|python| {
            let ran = Command::new(python).args(["-B", FORGE, "list"]).output();
            ran.is_ok_and(|ran| ran.status.success())
        })
    });
    if found.is_none() {
        skip::because("no Python with cryptography >= 48 is here (set BULLA_TEST_PYTHON)");
    }
    found.as_deref()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A copy of a person's home at one time.
struct Home(TempDir);

impl Home {
    fn of(person: &Person) -> Self {
        Self::copy(&person.home().join("home"))
    }

    fn copy(home: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(home, folder.path());
        Self(folder)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = Command::new(BULLA);
        command.args(args).env_clear().env("BULLA_HOME", self.path());
        feed_piped(command, input)
    }
}

fn feed_piped(mut command: Command, input: &[u8]) -> Ran {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    feed(command, input)
}

/// Ann and Bob, who paired and wrote to each other, and Carol, who paired with Ann.
struct World {
    ann: Person,
    bob: Person,
    carol: Person,
    card: PathBuf,
    /// Ann's last letter under the ratchet, as a relay has it.
    recorded: Vec<u8>,
    _relay: Relay,
    _store: TempDir,
}

fn pair(one: &Person, other: &Person, names: [&str; 2], relay: &Relay) {
    let [of_one, of_other] = names;
    let invite = one.run(&["invite", "--as", of_other, "--relay", &relay.url]).expect(0).out;
    other.pipe(&["pair", "--method", "secret", "--as", of_one, "-"], &invite).expect(0);
    one.run(&["pair"]);
    other.run(&["pair"]);
    one.run(&["pair"]).expect(0);
}

fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let relay = Relay::start(store.path());
    let [ann, bob, carol] = [(); 3].map(|()| Person::with_identity());
    pair(&ann, &bob, ["ann", "bob"], &relay);
    pair(&ann, &carol, ["ann", "carol"], &relay);
    let recorded = exchange(&bob, &ann);
    // Bob waits for an answer.
    seal(&bob, "ann", "and?");
    let card = ann.card("ann", &relay.url);
    World { ann, bob, carol, card, recorded, _relay: relay, _store: store }
}

fn seal(from: &Person, to: &str, body: &str) -> Vec<u8> {
    let args = ["seal", "--to", to, "--subject", "the subject"];
    from.pipe(&args, body.as_bytes()).expect(0).out
}

/// A letter of Bob's to Ann and her answer, which is returned: what heals.
fn exchange(bob: &Person, ann: &Person) -> Vec<u8> {
    let letter = seal(bob, "ann", "hello");
    ann.pipe(&["open", "--json", "--from", "bob"], &letter).expect(0);
    let answer = seal(ann, "bob", "hello");
    bob.pipe(&["open", "--json", "--from", "ann"], &answer).expect(0);
    answer
}

/// Input of the client.
#[derive(Default)]
struct Given<'a> {
    contact: Option<&'a Home>,
    letter: Option<&'a [u8]>,
    other: Option<&'a Home>,
}

impl World {
    /// Has the client make a letter to Bob in Ann's name, with what is in a copy of Bob's home.
    fn make(&self, what: &str, stolen: &Home, given: &Given<'_>) -> Vec<u8> {
        let mut command = Command::new(python().unwrap());
        command.arg("-B").arg(FORGE).arg(what).arg(stolen.path()).arg(&self.card);
        for (option, home) in [("--contact", given.contact), ("--other", given.other)] {
            if let Some(home) = home {
                command.arg(option).arg(home.path());
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        if let Some(letter) = given.letter {
            fs::write(file.path(), letter).unwrap();
            command.arg("--letter").arg(file.path());
        }
        feed_piped(command, b"").expect(0).out
    }

    /// A letter of Ann's to a card: she has lost her state.
    fn signed(&self, to: &str, body: &str) -> Vec<u8> {
        let ann = Home::of(&self.ann);
        ann.run(&["contact", "renew", to], b"").expect(0);
        let args = ["seal", "--to", to, "--subject", "the subject"];
        ann.run(&args, body.as_bytes()).expect(0).out
    }
}

/// The machines of Ann's that a home knows.
fn machines(home: &Home) -> usize {
    let shown = home.run(&["contact", "show", "ann", "--json"], b"").expect(0).json();
    shown[0]["machines"].as_array().unwrap().len()
}

/// Demands that nothing of a letter comes out, whichever way it is opened, and that nothing of it
/// is heard.
#[track_caller]
fn refuses(home: &Path, letter: &[u8], what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let [file, dir] = ["file", "dir"].map(|name| folder.path().join(name));
    for way in [
        &["--json"][..],
        &["--output", file.to_str().unwrap()],
        &["--output-dir", dir.to_str().unwrap()],
    ] {
        for from in [&["--from", "ann"][..], &[]] {
            let victim = Home::copy(home);
            let ran = victim.run(&[&["open"], way, from].concat(), letter);
            assert_eq!(ran.status, 11, "{what} {way:?} {from:?}: {}", ran.err);
            assert!(ran.out.is_empty(), "{what}: {}", ran.text());
            assert_eq!(machines(&victim), 1, "{what}");
        }
    }
    assert!(!file.exists(), "{what}");
    assert!(fs::read_dir(dir).map_or(0, Iterator::count) == 0, "{what}");
}

/// Opens a letter in a copy of a home; the line of JSON.
#[track_caller]
fn opens(home: &Path, letter: &[u8], more: &[&str]) -> (Ran, Home) {
    let victim = Home::copy(home);
    let ran = victim.run(&[&["open", "--json"], more].concat(), letter).expect(0);
    (ran, victim)
}

fn proof(line: &Value) -> (&str, &str, bool) {
    let text = |value: &Value| value.as_str().unwrap().to_owned().leak();
    (
        text(&line["from"]["proof"]),
        text(&line["from"]["name"]),
        line["forward_secrecy"].as_bool().unwrap(),
    )
}

#[test]
fn honest_letters_of_an_independent_client_open() {
    if python().is_none() {
        return;
    }
    let world = world();
    let (bob, ann) = (Home::of(&world.bob), Home::of(&world.ann));
    let given = Given { contact: Some(&ann), ..Given::default() };
    let from = ["--from", "ann"];
    let make = |what| world.make(what, &bob, &given);

    let anonymous = opens(bob.0.path(), &make("honest-anonymous"), &[]).0.json().remove(0);
    assert_eq!((&anonymous["from"], &anonymous["body"]), (&Value::Null, &BODY.into()));
    for (what, expected) in [
        ("honest-signature", ("signature", "ann", false)),
        ("honest-both", ("signature+pairwise", "ann", false)),
        ("honest-ratchet", ("pairwise", "ann", true)),
    ] {
        let line = opens(bob.0.path(), &make(what), &from).0.json().remove(0);
        assert_eq!((proof(&line), &line["body"]), (expected, &BODY.into()), "{what}");
    }
    let long = opens(bob.0.path(), &make("honest-long"), &from).0.json().remove(0);
    assert!(long["body"] == "x".repeat(150_000));
    // What changes keys and machines is heard.
    let (ran, victim) = opens(bob.0.path(), &make("honest-machine"), &from);
    assert!(ran.err.contains("further machine"), "{}", ran.err);
    assert_eq!(machines(&victim), 2);
    let (ran, _) = opens(bob.0.path(), &make("honest-ratchet-notice"), &from);
    assert!(ran.err.contains("60000"), "{}", ran.err);
}

#[test]
fn a_thief_of_the_recipient_does_not_write_as_the_contact() {
    if python().is_none() {
        return;
    }
    let world = world();
    let (bob, ann, carol) = (Home::of(&world.bob), Home::of(&world.ann), Home::of(&world.carol));
    let refused = |what, given: &Given<'_>| {
        refuses(bob.0.path(), &world.make(what, &bob, given), what);
    };
    for what in [
        "forged-unsigned",
        "forged-mac",
        "forged-mac-offer",
        "forged-mac-machine",
        "forged-both-by-victim",
        "forged-machine-by-victim",
        "forged-signature-by-victim",
    ] {
        refused(what, &Given::default());
    }
    // Ann's signature without the MAC does not change machines.
    let given = Given { contact: Some(&ann), ..Given::default() };
    refused("forged-signature-machine", &given);
    // With a letter that Ann sent to Bob, and one that she sent to Carol.
    let letter = world.signed("bob", "pay ten to Carol");
    let opened = opens(bob.0.path(), &letter, &["--from", "ann"]).0.json().remove(0);
    assert_eq!(proof(&opened), ("signature+pairwise", "ann", false));
    let given = Given { letter: Some(&letter), ..Given::default() };
    for what in [
        "forged-stripped",
        "forged-mac-under-signed-headers",
        "forged-signature-moved",
        "forged-header-changed",
        "forged-body",
        "forged-body-without-trailer",
    ] {
        refused(what, &given);
    }
    let letter = world.signed("carol", "you are fired");
    let given = Given { letter: Some(&letter), other: Some(&carol), ..Given::default() };
    for what in ["forged-passed-on", "forged-readdressed"] {
        refused(what, &given);
    }
}

/// Which letters a thief of Bob's ratchet can write, and until when.
#[test]
fn a_stolen_ratchet_writes_as_the_contact_until_an_exchange_heals_it() {
    if python().is_none() {
        return;
    }
    let world = world();
    let stolen = Home::of(&world.bob);
    let given = Given { letter: Some(&world.recorded), ..Given::default() };
    let make = |what| world.make(what, &stolen, &given);
    // The documented limit: until one exchange, a letter that changes nothing.
    for what in ["thief-ratchet", "thief-ratchet-epoch"] {
        let line = opens(stolen.0.path(), &make(what), &["--from", "ann"]).0.json();
        assert_eq!(proof(&line[0]), ("pairwise", "ann", true), "{what}");
    }
    // Nothing that would outlive the healing.
    for what in [
        "thief-ratchet-offer",
        "thief-ratchet-notice",
        "thief-ratchet-signature",
        "thief-ratchet-unsigned",
    ] {
        refuses(stolen.0.path(), &make(what), what);
    }
    // Letters that cross are no exchange; the answer that Bob opens is one.
    exchange(&world.bob, &world.ann);
    for what in ["thief-ratchet", "thief-ratchet-epoch"] {
        let healed = Home::of(&world.bob);
        let ran = healed.run(&["open", "--json", "--from", "ann"], &make(what));
        assert_ne!(ran.status, 0, "{}", ran.err);
        assert!(ran.out.is_empty(), "{what}: {}", ran.text());
    }
    // Ann is not shut out.
    let letter = seal(&world.ann, "bob", "still me");
    world.bob.pipe(&["open", "--json", "--from", "ann"], &letter).expect(0);
}

/// A thief who begins the next epoch before the contact does is noticed by the contact's next letter,
/// and the new start that follows heals.
#[test]
fn a_thief_who_writes_first_is_noticed_and_shut_out() {
    if python().is_none() {
        return;
    }
    let world = world();
    let World { ann, bob, .. } = &world;
    let stolen = Home::of(bob);
    let forged = world.make("thief-ratchet", &stolen, &Given::default());
    bob.pipe(&["open", "--json", "--from", "ann"], &forged).expect(0);
    // What they write now does not fit; the side that sees it first offers a new start.
    let mut noticed = false;
    for _ in 0..2 {
        for (from, to, [of_from, of_to]) in [(bob, ann, ["bob", "ann"]), (ann, bob, ["ann", "bob"])]
        {
            let letter = seal(from, of_to, "did you write that?");
            let ran = to.pipe(&["open", "--json", "--from", of_from], &letter);
            noticed |= ran.err.contains("begins anew");
        }
    }
    assert!(noticed);
    exchange(bob, ann);
    let forged = world.make("thief-ratchet", &stolen, &Given::default());
    let ran = bob.pipe(&["open", "--json", "--from", "ann"], &forged);
    assert_ne!(ran.status, 0, "{}", ran.err);
    assert!(ran.out.is_empty());
}
