//! A second machine of one person: what it gets, who learns of it, and that letters come to both.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Person, Ran, Relay, everything_below, feed};
use serde_json::Value;

/// Alice and Bob, who paired, each at a relay of his own.
struct World {
    alice: Person,
    bob: Person,
    /// Where Alice's mailboxes are.
    here: Relay,
    /// Where Bob's are.
    _there: Relay,
    _stores: [tempfile::TempDir; 2],
}

/// Takes this machine into use by an invite on stdin.
const DEVICE: [&str; 3] = ["pair", "--method", "device"];

/// The same, where the identity with this fingerprint is expected.
fn device(fingerprint: &str) -> [&str; 5] {
    ["pair", "--method", "device", "--fingerprint", fingerprint]
}

fn world() -> World {
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (here, there) = (Relay::start(stores[0].path()), Relay::start(stores[1].path()));
    let (alice, bob) = (Person::with_identity(), Person::with_identity());
    common::pair([&alice, &bob], ["alice", "bob"], [&here, &there]);
    World { alice, bob, here, _there: there, _stores: stores }
}

impl World {
    /// Everything but the last step of the new machine.
    fn handed_to(&self, laptop: &Person) {
        let invite = self.alice.run(&["invite", "--device", "--relay", &self.here.url]).expect(0);
        assert!(invite.text().starts_with("bulla-device-1"), "{}", invite.text());
        assert!(invite.err.contains("becomes you"), "{}", invite.err);
        let fingerprint = self.alice.fingerprint();
        assert!(invite.err.contains(&format!("fingerprint: {fingerprint}")), "{}", invite.err);
        laptop.pipe(&device(&fingerprint), &invite.out).expect(0);
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
    let laptop = Person::new();
    world.handed_to(&laptop);
    let ran = laptop.run(&["pair", "--json"]).expect(0);
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
    assert_eq!(states.count(), 1);
    world.alice.run(&["pair"]).expect(0);
    laptop.run(&["pair"]).expect(1);
}

/// The attack of `cases/security/pairing_downgrade.sh`, F1: a stranger's line replaced the identity.
#[test]
fn a_device_line_replaced_the_identity() {
    let world = world();
    let (mallory, here) = (Person::with_identity(), world.here.url.as_str());
    mallory.run(&["card", "--name", "Alice"]).expect(0);
    let line = mallory.run(&["invite", "--device", "--relay", here]).expect(0).out;
    let theirs = mallory.fingerprint();

    // Used or not, open or locked, and wherever it comes from.
    let victim = Person::with_identity();
    let home = victim.home().join("home");
    let mine = victim.fingerprint();
    let before = everything_below(&home);
    victim.pipe(&["pair", "--no-input", "--wait", "1"], &line).expect(2);
    for method in ["secret", "digits", "words"] {
        victim.pipe(&["pair", "--method", method], &line).expect(11);
    }
    for more in [&[][..], &["--fingerprint", &theirs], &["--fingerprint", &mine]] {
        let ran = victim.pipe(&[&DEVICE[..], more].concat(), &line).expect(20);
        assert!(ran.err.contains("has an identity, from"), "{}", ran.err);
        assert!(!ran.err.contains("force"), "{}", ran.err);
    }
    assert_eq!(everything_below(&home), before);
    for (name, value) in [
        ("BULLA_IDENTITY", "x"),
        ("BULLA_IDENTITY", ""),
        ("BULLA_IDENTITY_COMMAND", "touch ran"),
        ("BULLA_IDENTITY_FILE", "home/identity"),
    ] {
        let fresh = Person::new();
        fs::create_dir(fresh.home().join("home")).unwrap();
        if name == "BULLA_IDENTITY_FILE" {
            fs::write(fresh.home().join(value), "not even a key").unwrap();
        }
        let mut command = fresh.command(&device(&theirs));
        command.env(name, value);
        feed(command, &line).expect(20);
        assert!(!fresh.home().join("home/newcomer").exists());
        assert!(!fresh.home().join("ran").exists());
    }
    let fresh = Person::new();
    fresh.pipe(&[&device(&theirs)[..], &["-i", "any"]].concat(), &line).expect(20);
    assert!(!fresh.home().join("home").exists());
}

/// The same, F7: after a refused line every later `bulla pair` failed.
#[test]
fn a_refused_device_line_leaves_nothing() {
    let world = world();
    let (mallory, here) = (Person::with_identity(), world.here.url.as_str());
    let invite = || mallory.run(&["invite", "--device", "--relay", here]).expect(0).out;
    let line = invite();
    world.bob.pipe(&DEVICE, &line).expect(20);
    world.bob.run(&["pair"]).expect(0);

    // No one to confirm it: the invite is not even taken up.
    let laptop = Person::new();
    let unasked = laptop.pipe(&DEVICE, &line).expect(2);
    assert!(unasked.err.contains("hint: add --fingerprint"), "{}", unasked.err);
    laptop.pipe(&device("bulla1short"), &line).expect(2);
    laptop.pipe(&["pair", "--fingerprint", &world.alice.fingerprint()], &line).expect(2);
    assert!(!laptop.home().join("home").exists());
    mallory.run(&["pair"]).expect(1);

    // Another identity than the expected one: nothing is installed, and nothing is left.
    laptop.pipe(&device(&world.alice.fingerprint()), &line).expect(0);
    mallory.run(&["pair"]).expect(1);
    let refused = laptop.run(&["pair"]).expect(11);
    assert!(refused.err.contains(&format!("not {}", world.alice.fingerprint())), "{}", refused.err);
    let left = fs::read_dir(laptop.home().join("home")).unwrap();
    assert_eq!(left.count(), 0);
    laptop.run(&["pair"]).expect(21);

    // Given again, it must be the same; and a newer invite takes the place of one that waits.
    let line = invite();
    laptop.pipe(&device(&mallory.fingerprint()), &line).expect(0);
    mallory.run(&["pair"]).expect(1);
    laptop.run(&["pair", "--fingerprint", &world.alice.fingerprint()]).expect(11);
    laptop.pipe(&device(&mallory.fingerprint()), &invite()).expect(0);
    world.handed_to(&laptop);
    laptop.run(&["pair"]).expect(0);
    assert_eq!(laptop.fingerprint(), world.alice.fingerprint());

    // An identity that came meanwhile stays, and pairing goes on under it.
    let desk = Person::new();
    desk.pipe(&device(&mallory.fingerprint()), &invite()).expect(0);
    desk.run(&["keygen", "--default"]).expect(0);
    let ran = desk.run(&["pair"]).expect(1);
    assert!(ran.err.contains("the invite for it is given up"), "{}", ran.err);
    assert!(!desk.home().join("home/newcomer").exists());
}

/// A person at the terminal sees whose identity it is, and says yes or no.
#[test]
fn the_identity_is_shown_and_confirmed_on_a_terminal() {
    let world = world();
    world.alice.run(&["card", "--name", "Alice A."]).expect(0);
    let fingerprint = world.alice.fingerprint();
    for (answer, status) in [("no", 11), ("maybe\nyes", 1)] {
        let laptop = Person::new();
        let invite = world.alice.run(&["invite", "--device", "--relay", &world.here.url]).expect(0);
        fs::write(laptop.path("line"), invite.out).unwrap();
        let join = terminal(&laptop, "pair --method device files/line", "");
        assert_eq!(join.0, 0, "{}", join.1);
        world.alice.run(&["pair"]).expect(1);
        let asked = terminal(&laptop, "pair", answer);
        assert!(asked.1.contains("Alice A.") && asked.1.contains(&fingerprint), "{}", asked.1);
        // It was shown before anything came; what is left waits for the other machine.
        assert_eq!(asked.0, status, "{}", asked.1);
        let is_yes = status == 1;
        assert_eq!(laptop.home().join("home/newcomer").exists(), is_yes);
        assert!(!laptop.home().join("home/identity").exists());
        world.alice.run(&["pair"]);
        if is_yes {
            // Once is enough.
            laptop.run(&["pair"]).expect(0);
            assert_eq!(laptop.fingerprint(), fingerprint);
        }
    }
}

/// Runs with a controlling terminal on which an answer is typed.
fn terminal(person: &Person, args: &str, answer: &str) -> (i32, String) {
    let home = person.home().join("home");
    let run = format!("BULLA_HOME='{}' '{}' {args}", home.display(), common::BULLA);
    let mut script = Command::new("script");
    script.args(["-qec", &run, "/dev/null"]).current_dir(person.home());
    script.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = feed(script, format!("{answer}\n").as_bytes());
    (ran.status, ran.text() + &ran.err)
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
    let fingerprint = world.alice.fingerprint();
    laptop.pipe(&device(&fingerprint), invite.as_bytes()).expect(0);
    world.alice.run(&["pair"]).expect(1);
    let other = Person::new();
    other.pipe(&device(&fingerprint), invite.as_bytes()).expect(0);
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
