//! Letters between people who paired: keys used once, stolen, lost, copied and restored.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use common::{BULLA, Person, Ran, Relay};
use serde_json::Value;

/// Alice invited Bob, over a relay of theirs.
struct World {
    alice: Person,
    bob: Person,
    _relay: Relay,
    _store: tempfile::TempDir,
}

fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let relay = Relay::start(store.path());
    let (alice, bob) = (Person::with_identity(), Person::with_identity());
    common::pair([&alice, &bob], ["alice", "bob"], [&relay; 2]);
    bob.run(&["contact", "show", "alice"]).expect(0);
    alice.run(&["contact", "show", "bob"]).expect(0);
    World { alice, bob, _relay: relay, _store: store }
}

fn seal(from: &Person, to: &str, body: &str) -> Vec<u8> {
    from.pipe(&["seal", "--to", to], body.as_bytes()).expect(0).out
}

fn open(by: &Person, letter: &[u8]) -> Ran {
    by.pipe(&["open", "--json", "--keep", "0"], letter)
}

/// Opens a letter and demands its body, and whether it has forward secrecy.
#[track_caller]
fn opens(by: &Person, letter: &[u8], body: &str, forward_secrecy: bool) -> Value {
    let line = open(by, letter).expect(0).json().remove(0);
    assert_eq!((&line["body"], &line["forward_secrecy"]), (&body.into(), &forward_secrecy.into()));
    line
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

/// Somebody else with all that this person has now: a thief, a backup, a container.
fn clone(person: &Person) -> Person {
    let other = Person::new();
    copy(&person.home().join("home"), &other.home().join("home"));
    other
}

fn restore(person: &Person, backup: &Person) {
    fs::remove_dir_all(person.home().join("home")).unwrap();
    copy(&backup.home().join("home"), &person.home().join("home"));
}

#[test]
fn a_letter_between_those_who_paired_has_a_key_of_its_own() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letter = seal(alice, "bob", "hello");
    let seen = alice.pipe(&["inspect", "--json"], &letter).expect(0).json().remove(0);
    assert_eq!(seen["stanzas"], serde_json::json!(["bulla-ratchet-v1"]));
    assert_eq!((&seen["forward_secrecy"], &seen["post_quantum"]), (&true.into(), &"yes".into()));
    let line = opens(bob, &letter, "hello", true);
    assert_eq!(line["from"]["proof"], "pairwise");
    assert_eq!((&line["seq"], &line["missed"]), (&1.into(), &0.into()));
    let answer = seal(bob, "alice", "and to you");
    opens(alice, &answer, "and to you", true);
    // Its key is gone: nobody opens it again, whatever he says.
    let again = bob.pipe(&["open", "--again", "--keep", "0"], &letter).expect(16);
    assert!(again.err.contains("its key was erased"), "{}", again.err);
    assert!(again.out.is_empty());
    // Nor the sender, who never had one to open it with.
    open(alice, &letter).expect(10);
}

#[test]
fn letters_that_hide_their_sender_or_come_from_a_job_say_that_they_have_no_forward_secrecy() {
    let world = world();
    let World { alice, bob, .. } = &world;
    // Pairing hands over no card with a capability.
    let refused = alice.pipe(&["seal", "--to", "bob", "--anonymous"], b"guess").expect(2);
    assert!(refused.err.contains("ask bob for a card made with bulla card"), "{}", refused.err);
    assert!(refused.is_without_letters());
    let card = bob.card("Bob", "http://127.0.0.1:9");
    alice.knows("bob", &card);
    let hidden = alice.pipe(&["seal", "--to", "bob", "--anonymous"], b"guess").expect(0).out;
    opens(bob, &hidden, "guess", false);
    let identity = fs::read_to_string(alice.home().join("home/identity")).unwrap();
    let mut job = std::process::Command::new(BULLA);
    job.args(["seal", "--no-input", "--to"]).arg(card).env_clear();
    job.env("BULLA_IDENTITY", identity).stdout(Stdio::piped());
    job.stderr(Stdio::piped());
    let sealed = common::feed(job, b"built").expect(0).out;
    let seen = bob.pipe(&["inspect", "--json"], &sealed).expect(0).json().remove(0);
    assert_eq!(seen["forward_secrecy"], false);
    let line = opens(bob, &sealed, "built", false);
    assert_eq!(
        (&line["from"]["name"], &line["from"]["proof"]),
        (&"alice".into(), &"signature".into())
    );
}

#[test]
fn what_cannot_be_opened_whole_costs_no_key() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letter = seal(alice, "bob", &"long enough for two chunks ".repeat(5000));
    for at in [letter.len() - 40, letter.len() / 2, 1500, 400] {
        let mut damaged = letter.clone();
        damaged[at] ^= 1;
        let status = open(bob, &damaged).status;
        assert!([10, 12, 13].contains(&status), "byte {at}: {status}");
        assert_eq!(open(bob, &letter[..at]).expect(12).out, b"");
    }
    // Nor does an output that cannot be written.
    fs::write(bob.home().join("there"), "already").unwrap();
    bob.pipe(&["open", "-o", "there"], &letter).expect(20);
    assert_eq!(open(bob, &letter).expect(0).json().len(), 1);
}

#[test]
fn a_restored_sender_is_noticed_and_comes_back_into_step() {
    let world = world();
    let World { alice, bob, .. } = &world;
    opens(bob, &seal(alice, "bob", "1"), "1", true);
    let backup = clone(alice);
    let second = seal(alice, "bob", "2");
    opens(bob, &second, "2", true);
    restore(alice, &backup);
    // The same number once more, under another key.
    let twin = seal(alice, "bob", "not 2");
    assert_ne!(second, twin);
    let refused = open(bob, &twin).expect(16);
    assert!(
        refused.err.contains("out of step") && refused.err.contains("ask for it again"),
        "{}",
        refused.err
    );
    // Bob offers a new start with his next letter, Alice answers under it, and all is well.
    let warned = bob.pipe(&["seal", "--to", "alice"], b"again?").expect(0);
    assert!(warned.err.contains("no forward secrecy"), "{}", warned.err);
    opens(alice, &warned.out, "again?", false);
    opens(bob, &seal(alice, "bob", "again"), "again", true);
    opens(alice, &seal(bob, "alice", "thanks"), "thanks", true);
}

#[test]
fn many_seal_to_one_contact_at_once() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letters: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let sealing: Vec<_> =
            (0..8).map(|n| scope.spawn(move || seal(alice, "bob", &n.to_string()))).collect();
        sealing.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut seen: Vec<u64> = letters
        .iter()
        .enumerate()
        .map(|(n, letter)| opens(bob, letter, &n.to_string(), true)["seq"].as_u64().unwrap())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=8).collect::<Vec<_>>());
}

#[test]
fn a_command_that_failed_after_it_opened_a_paired_contacts_letter_gets_it_again() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letter = seal(alice, "bob", "body");
    alice.pipe(&["relay", "push"], &letter).expect(0);
    let exec = |end: &str| format!("{BULLA} open >> got; exit {end}");
    bob.run(&["relay", "pull", "--exec", &exec("75")]).expect(26);
    bob.run(&["relay", "pull", "--exec", &exec("0")]).expect(0);
    assert_eq!(fs::read(bob.home().join("got")).unwrap(), b"bodybody");
    bob.run(&["relay", "pull", "--exec", "true"]).expect(1);
    // Now that the command has succeeded, the key is gone.
    let refused = clone(bob).pipe(&["open", "--again"], &letter).expect(16);
    assert!(refused.err.contains("its key was erased"), "{}", refused.err);
}

#[test]
fn of_a_removed_contact_no_key_is_left() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letter = seal(alice, "bob", "never opened");
    bob.run(&["contact", "remove", "alice"]).expect(0);
    let refused = open(bob, &letter).expect(10);
    assert!(refused.err.contains("hint:"), "{}", refused.err);
    alice.run(&["contact", "renew", "nobody"]).expect(2);
}

#[test]
fn what_waits_is_seen_and_deleted_in_every_mailbox() {
    let world = world();
    let World { alice, bob, .. } = &world;
    for body in ["one", "two"] {
        alice.pipe(&["relay", "push"], &seal(alice, "bob", body)).expect(0);
    }
    let listed = bob.run(&["relay", "list", "--json"]).expect(0).json();
    assert_eq!(listed.iter().map(|line| &line["contact"]).collect::<Vec<_>>(), ["alice", "alice"]);
    let status = bob.run(&["relay", "status", "--json"]).expect(0).json();
    assert_eq!((&status[0]["contact"], &status[0]["messages"]), (&"alice".into(), &2.into()));
    let (first, second) = (listed[0]["id"].as_str().unwrap(), listed[1]["id"].as_str().unwrap());
    bob.run(&["relay", "ack", first]).expect(0);
    bob.run(&["relay", "ack", first]).expect(1);
    let left = bob.run(&["relay", "list", "-0"]).expect(0).text();
    assert_eq!(left, format!("{second}\0"));
}

/// Whether a letter opens with all that is in somebody's home now.
fn opens_with_home(of: &Person, letter: &[u8]) -> bool {
    clone(of).pipe(&["open", "--again"], letter).status == 0
}

#[test]
fn a_home_that_is_stolen_after_a_letter_was_opened_does_not_open_it() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letters: Vec<Vec<u8>> = (0..4).map(|n| seal(alice, "bob", &n.to_string())).collect();
    let open_now =
        || -> Vec<usize> { (0..4).filter(|n| opens_with_home(bob, &letters[*n])).collect() };
    assert_eq!(open_now(), [0, 1, 2, 3]);
    // Late, to a file, and by way of a relay and a command that fails at first.
    opens(bob, &letters[1], "1", true);
    assert_eq!(open_now(), [0, 2, 3]);
    bob.pipe(&["open", "-o", "out"], &letters[0]).expect(0);
    assert_eq!(open_now(), [2, 3]);
    alice.pipe(&["relay", "push"], &letters[2]).expect(0);
    let exec = |end: &str| format!("{BULLA} open > got; exit {end}");
    bob.run(&["relay", "pull", "--exec", &exec("75")]).expect(26);
    assert_eq!(open_now(), [2, 3]);
    bob.run(&["relay", "pull", "--exec", &exec("0")]).expect(0);
    assert_eq!(open_now(), [3]);
    // A new epoch forgets the keys of the one before, but for those of letters that have not come.
    opens(alice, &seal(bob, "alice", "answer"), "answer", true);
    opens(bob, &seal(alice, "bob", "next"), "next", true);
    assert_eq!(open_now(), [3]);
    opens(bob, &letters[3], "3", true);
    assert!(open_now().is_empty());
}

#[test]
fn who_opens_for_long_sees_what_others_seal_meanwhile() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let mut long = bob.command(&["open", "--json"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = long.stdin.take().unwrap();
    let mut lines = BufReader::new(long.stdout.take().unwrap()).lines();
    // Streams may follow one another: the end mark of all comes last.
    let mut say = |letter: &[u8], last: bool| {
        stdin.write_all(if last { letter } else { &letter[..letter.len() - 4] }).unwrap();
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        (line["body"].clone(), line["forward_secrecy"].clone())
    };
    let first = seal(alice, "bob", "1");
    assert_eq!(say(&first, false), ("1".into(), true.into()));
    opens(alice, &seal(bob, "alice", "from another shell"), "from another shell", true);
    // Under a key that the other process offered.
    let second = seal(alice, "bob", "2");
    assert_eq!(say(&second[8..], true), ("2".into(), true.into()));
    drop(stdin);
    assert!(long.wait().unwrap().success());
    opens(alice, &seal(bob, "alice", "no new start"), "no new start", true);
}

#[test]
fn of_many_letters_whose_command_fails_none_is_lost() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letters: Vec<u8> = (0..70).flat_map(|n| seal(alice, "bob", &format!("{n}\n"))).collect();
    alice.pipe(&["relay", "push"], &letters).expect(0);
    let exec = |end: &str| format!("{BULLA} open >> got{end}; exit {end}");
    bob.run(&["relay", "pull", "--exec", &exec("1")]).expect(26);
    bob.run(&["relay", "pull", "--exec", &exec("0")]).expect(0);
    let all: String = (0..70).map(|n| format!("{n}\n")).collect();
    assert_eq!(fs::read_to_string(bob.home().join("got0")).unwrap(), all);
}

#[test]
fn a_pull_that_is_killed_in_its_command_gives_the_letter_again() {
    let world = world();
    let World { alice, bob, .. } = &world;
    alice.pipe(&["relay", "push"], &seal(alice, "bob", "body")).expect(0);
    let exec = format!("{BULLA} open > got && touch opened && exec sleep 60");
    let mut pull = bob.command(&["relay", "pull", "--exec", &exec]).spawn().unwrap();
    let begun = std::time::Instant::now();
    while !bob.home().join("opened").exists() {
        assert!(begun.elapsed().as_secs() < 30);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    pull.kill().unwrap();
    pull.wait().unwrap();
    let exec = format!("{BULLA} open > again");
    // The command is told to end, and holds the spool until it has.
    let again = loop {
        let ran = bob.run(&["relay", "pull", "--exec", &exec]);
        if ran.status != 75 {
            break ran;
        }
    };
    again.expect(0);
    assert_eq!(fs::read(bob.home().join("again")).unwrap(), b"body");
    bob.run(&["relay", "pull", "--exec", "true"]).expect(1);
}

#[test]
fn a_commands_own_status_16_is_no_replay() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letter = seal(alice, "bob", "body");
    alice.pipe(&["relay", "push"], &letter).expect(0);
    bob.run(&["relay", "pull", "--exec", "exit 16"]).expect(26);
    // A true one is: the letter was opened when it came another way.
    bob.pipe(&["open"], &letter).expect(0);
    let known = clone(bob);
    let exec = format!("{BULLA} open");
    known.run(&["relay", "pull", "--exec", &exec]).expect(0);
    known.run(&["relay", "list"]).expect(1);
}

#[test]
fn somebody_elses_variable_keeps_no_key() {
    let world = world();
    let World { alice, bob, .. } = &world;
    let letter = seal(alice, "bob", "body");
    let mut command = bob.command(&["open", "--keep", "0"]);
    command.env("BULLA_ID", "0".repeat(64));
    assert_eq!(common::feed(command, &letter).expect(0).out, b"body");
    let refused = bob.pipe(&["open", "--again"], &letter).expect(16);
    assert!(refused.err.contains("its key was erased"), "{}", refused.err);
}
