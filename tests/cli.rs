//! The program as a script sees it: statuses, streams, files left behind, and the whole line
//! from `keygen` to `search` over a real relay process.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use common::{Person, Relay, everything_below, feed};

/// Two people who know each other by card, and their relay.
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
    for person in [&alice, &bob] {
        person.run(&["relay", "register", "--relay", &relay.url]).expect(0);
    }
    alice.knows("bob", &bob.card("Bob", &relay.url));
    bob.knows("alice", &alice.card("Alice", &relay.url));
    World { alice, bob, relay, _store: store }
}

impl World {
    /// Alice seals to Bob; the envelope stream.
    fn letter(&self, more: &[&str], body: &[u8]) -> Vec<u8> {
        self.alice.pipe(&[&["seal", "--to", "bob"], more].concat(), body).expect(0).out
    }
}

// ---- the whole line ----

#[test]
fn a_letter_goes_all_the_way() {
    let world = world();
    let letter = world.letter(&["--subject", "Quarterly numbers"], b"the harvest was plentiful\n");
    let pushed = world.alice.pipe(&["relay", "push"], &letter).expect(0).text();
    assert_eq!(pushed.trim().len(), 64);
    assert_eq!(world.alice.pipe(&["relay", "push"], &letter).expect(0).text(), pushed);

    let pulled = world.bob.run(&["relay", "pull"]).expect(0).out;
    let opened = world.bob.pipe(&["open", "--json"], &pulled).expect(0);
    let line = &opened.json()[0];
    assert_eq!(line["schema"], 1);
    assert_eq!(line["subject"], "Quarterly numbers");
    assert_eq!(line["body"], "the harvest was plentiful\n");
    assert_eq!(line["from"]["name"], "alice");
    assert_eq!(line["from"]["fingerprint"], world.alice.fingerprint());
    assert_eq!(line["from"]["trust"], "card by hand");
    assert_eq!((&line["seq"], &line["missed"]), (&1.into(), &0.into()));
    assert_eq!(line["forward_secrecy"], false);

    world.bob.pipe(&["index", "add", "-"], &opened.out).expect(0);
    let hits = world.bob.run(&["search", "--json", "harvest"]).expect(0).json();
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0]["subject"], "Quarterly numbers");
    assert_eq!(hits[0]["id"], line["id"]);
    world.bob.run(&["search", "drought"]).expect(1);
    let id = line["id"].as_str().unwrap();
    let shown = world.bob.run(&["index", "show", id]).expect(0).text();
    assert!(shown.contains("the harvest was plentiful"), "{shown}");
    world.bob.run(&["relay", "pull"]).expect(1);
}

#[test]
fn a_stolen_disk_tells_no_word_and_no_name() {
    let world = world();
    let letter = world.letter(&["--subject", "Peregrination"], b"meet at the old lighthouse\n");
    world.alice.pipe(&["relay", "push"], &letter).expect(0);
    let pulled = world.bob.run(&["relay", "pull"]).expect(0).out;
    let opened = world.bob.pipe(&["open", "--json"], &pulled).expect(0);
    world.bob.pipe(&["index", "add", "-"], &opened.out).expect(0);
    // The identity lies in `identity`; what else is there is state.
    fs::remove_file(world.bob.home().join("home/identity")).unwrap();
    let disk = everything_below(&world.bob.home().join("home"));
    assert!(disk.len() > 10_000);
    let url = world.relay.url.trim_start_matches("http://");
    let fingerprint = world.alice.fingerprint();
    let words = ["Peregrination", "peregrination", "lighthouse", "alice", "Alice", "BULLA"];
    for word in words.into_iter().chain([url, &fingerprint]) {
        let found = disk.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!found, "{word} is on the disk");
    }
}

#[test]
fn several_recipients_get_a_letter_each() {
    let world = world();
    let carol = Person::with_identity();
    let card = carol.card("Carol", &world.relay.url);
    let body = vec![7u8; 3 << 20];
    let to = ["seal", "--to", "bob", "--to", card.to_str().unwrap()];
    let letters = world.alice.pipe(&to, &body).expect(0).out;
    // Each opens his own and cannot open the other's.
    for person in [&world.bob, &carol] {
        let opened = person.pipe(&["open", "--unknown"], &letters).expect(10);
        assert!(opened.out == body);
    }
}

#[test]
fn a_job_with_one_variable_and_no_home_can_seal_and_push() {
    let world = world();
    let identity = fs::read_to_string(world.alice.home().join("home/identity")).unwrap();
    let card = world.bob.card("ops", &world.relay.url);
    let mut seal = world.alice.command(&["seal", "--to", card.to_str().unwrap()]);
    seal.env_remove("BULLA_HOME").env("BULLA_IDENTITY", identity);
    let sealed = feed(seal, b"artifact").expect(0);
    let mut push = world.alice.command(&["relay", "push"]);
    push.env_remove("BULLA_HOME");
    feed(push, &sealed.out).expect(0);
    let pulled = world.bob.run(&["relay", "pull"]).expect(0).out;
    let opened = world.bob.pipe(&["open", "--json", "--from", "alice"], &pulled).expect(0);
    assert_eq!(opened.json()[0]["seq"], serde_json::Value::Null);
}

// ---- who sent it, in which order ----

#[test]
fn replays_and_gaps_are_noticed() {
    let world = world();
    let letters: Vec<_> = (0..4).map(|n| world.letter(&[], &[b'0' + n])).collect();
    let missed = |n: usize, status| {
        let ran = world.bob.pipe(&["open", "--json"], &letters[n]).expect(status);
        (ran.json().first().map(|line| line["missed"].clone()), ran.err)
    };
    assert_eq!(missed(0, 0).0, Some(0.into()));
    let (gap, warning) = missed(3, 0);
    assert_eq!(gap, Some(2.into()));
    assert!(warning.contains("warning: 2 letters from alice"), "{warning}");
    assert_eq!(missed(0, 16).0, None);
    assert_eq!(missed(2, 0).0, Some(0.into()));
    assert_eq!(missed(2, 16).0, None);
    world.bob.pipe(&["open", "--again"], &letters[2]).expect(0);
}

#[test]
fn a_letter_that_was_not_written_out_is_not_a_replay() {
    let world = world();
    let letter = world.letter(&[], b"body");
    let out = world.bob.path("out");
    fs::write(&out, "mine").unwrap();
    let args = ["open", "-o", out.to_str().unwrap()];
    world.bob.pipe(&args, &letter).expect(20);
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    fs::remove_file(&out).unwrap();
    world.bob.pipe(&args, &letter).expect(0);
    assert_eq!(fs::read(&out).unwrap(), b"body");
    world.bob.pipe(&["open", "-o", "other"], &letter).expect(16);
    assert!(!world.bob.home().join("other").exists());
}

#[test]
fn a_sender_can_be_demanded() {
    let world = world();
    let signed = world.letter(&[], b"body");
    let anonymous = world.letter(&["--anonymous"], b"body");
    let ran = world.bob.pipe(&["open", "--from", "alice"], &anonymous).expect(11);
    assert!(ran.out.is_empty());
    world.bob.pipe(&["open", "--from", "alice"], &signed).expect(0);
    world.bob.pipe(&["open", "--from", "nobody"], &signed).expect(2);
    let open = world.bob.pipe(&["open", "--json"], &anonymous).expect(0);
    assert_eq!(open.json()[0]["from"], serde_json::Value::Null);
}

#[test]
fn a_stranger_who_calls_himself_alice_is_a_stranger() {
    let world = world();
    let mallory = Person::with_identity();
    mallory.card("Alice", &world.relay.url);
    mallory.knows("bob", &world.bob.card("Bob", &world.relay.url));
    let forged = mallory.pipe(&["seal", "--to", "bob"], b"send money").expect(0).out;
    let ran = world.bob.pipe(&["open", "--from", "alice"], &forged).expect(11);
    assert!(ran.out.is_empty());
    let ran = world.bob.pipe(&["open", "--json"], &forged).expect(0);
    assert!(ran.err.contains("unknown sender bulla1"), "{}", ran.err);
    let from = &ran.json()[0]["from"];
    assert_eq!(from["name"], serde_json::Value::Null);
    assert_eq!(from["trust"], "unknown");
    assert_eq!(from["fingerprint"], mallory.fingerprint());
}

// ---- streams and files ----

#[test]
fn an_output_appears_only_when_it_is_whole() {
    let person = Person::with_identity();
    let recipient = person.run(&["card", "--recipient"]).expect(0).text();
    let body = vec![1u8; 300_000];
    let sealed = person.pipe(&["seal", "-r", recipient.trim()], &body).expect(0).out;
    for cut in [sealed.len() - 1, sealed.len() - 40_000, 3_000] {
        let ran = person.pipe(&["open", "-o", "out"], &sealed[..cut]);
        assert_eq!(ran.status, 12, "cut at {cut}: {}", ran.err);
        assert!(fs::read_dir(person.home()).unwrap().all(|e| {
            let name = e.unwrap().file_name();
            name == "home" || name == "files"
        }));
        // To stdout: whole authenticated chunks, and the status says that the end is missing.
        let ran = person.pipe(&["open"], &sealed[..cut]).expect(12);
        assert_eq!(ran.out.len() % 65_536, 0);
        assert!(body.starts_with(&ran.out));
    }
    person.pipe(&["open", "-o", "out"], &sealed).expect(0);
    assert_eq!(fs::read(person.home().join("out")).unwrap(), body);
    person.pipe(&["open", "-o", "out"], &sealed).expect(20);
    person.pipe(&["open", "-f", "-o", "out"], &sealed).expect(0);
}

#[test]
fn a_closed_pipe_is_quiet() {
    let person = Person::with_identity();
    let recipient = person.run(&["card", "--recipient"]).expect(0).text();
    let sealed = person.pipe(&["seal", "-r", recipient.trim()], &vec![0; 4 << 20]).expect(0).out;
    let path = person.path("big.age");
    fs::write(&path, sealed).unwrap();
    let mut child = person.command(&["open", path.to_str().unwrap()]).spawn().unwrap();
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(output.stderr, b"");
}

#[test]
fn hostile_names_stay_in_the_folder_and_off_the_terminal() {
    let world = world();
    let name = "../../\u{1b}]0;owned\u{7}evil.sh";
    let letter = world.letter(&["--name", name, "--subject", "\u{1b}[2Jboo"], b"body");
    let folder = world.bob.path("inbox");
    fs::create_dir(&folder).unwrap();
    let args = ["open", "-v", "--output-dir", folder.to_str().unwrap()];
    let ran = world.bob.pipe(&args, &letter).expect(0);
    assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["]0;ownedevil.sh"]);
    // The same name again does not take the place of the first.
    world.bob.pipe(&args, &world.letter(&["--name", name], b"other")).expect(0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    assert_eq!(fs::read(folder.join("]0;ownedevil.sh")).unwrap(), b"body");
}

#[test]
fn json_carries_bytes_that_are_no_text() {
    let world = world();
    let letter = world.letter(&["--header", "ticket=7", "--type", "x/y"], &[0xff, 0x00]);
    let line = &world.bob.pipe(&["open", "--json"], &letter).expect(0).json()[0];
    assert_eq!(line["body_base64"], "/wA=");
    assert_eq!(line["body"], serde_json::Value::Null);
    assert_eq!(line["headers"]["ticket"], "7");
    assert_eq!(line["type"], "x/y");
}

// ---- statuses ----

#[test]
fn every_status_of_the_table_is_reached() {
    let world = world();
    let (alice, bob) = (&world.alice, &world.bob);
    let recipient = bob.run(&["card", "--recipient"]).expect(0).text();
    let sealed = alice.pipe(&["seal", "-r", recipient.trim()], b"body").expect(0).out;

    bob.pipe(&["open"], &sealed).expect(0);
    bob.run(&["relay", "pull"]).expect(1);
    bob.pipe(&["seal"], b"").expect(2);
    bob.run(&["seal", "--no-such-flag"]).expect(2);
    alice.pipe(&["open"], &sealed).expect(10);
    let letter = world.letter(&["--anonymous"], b"x");
    bob.pipe(&["open", "--from", "alice"], &letter).expect(11);
    bob.pipe(&["open"], &sealed[..sealed.len() - 1]).expect(12);
    bob.pipe(&["open"], b"hello, world").expect(13);
    bob.pipe(&["open"], b"").expect(12);

    fs::write(bob.path("pw"), "correct horse\n").unwrap();
    fs::set_permissions(bob.path("pw"), fs::Permissions::from_mode(0o600)).unwrap();
    bob.run(&["keygen", "-o", "locked", "--passphrase", "files/pw"]).expect(0);
    let locked = fs::read_to_string(bob.home().join("locked")).unwrap();
    assert!(locked.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"), "{locked}");
    bob.run(&["card", "-i", "locked", "--no-input"]).expect(14);
    bob.run(&["card", "-i", "locked"]).expect(14);
    bob.run(&["card", "-i", "locked", "--passphrase", "files/pw"]).expect(0);
    let mut wrong = bob.command(&["card", "-i", "locked", "--passphrase", "@ENV:PW"]);
    wrong.env("PW", "incorrect");
    feed(wrong, b"").expect(15);

    let letter = world.letter(&[], b"x");
    bob.pipe(&["open"], &letter).expect(0);
    bob.pipe(&["open"], &letter).expect(16);
    bob.run(&["keygen", "-o", "locked"]).expect(20);
    assert_eq!(fs::read_to_string(bob.home().join("locked")).unwrap(), locked);
    bob.run(&["open", "no-such-file"]).expect(21);
    bob.pipe(&["open", "-i", "no-such-key"], &sealed).expect(21);
    bob.run(&["keygen", "-o", "open-to-all"]).expect(0);
    let exposed = fs::Permissions::from_mode(0o644);
    fs::set_permissions(bob.home().join("open-to-all"), exposed).unwrap();
    bob.run(&["card", "-i", "open-to-all"]).expect(22);

    // A port where nobody listens, and a mailbox nobody registered.
    let card = bob.card("gone", "http://127.0.0.1:9");
    let lost = alice.pipe(&["seal", "--to", card.to_str().unwrap()], b"x").expect(0).out;
    alice.pipe(&["relay", "push", "--retry", "0"], &lost).expect(75);
    let carol = Person::with_identity();
    let card = carol.card("Carol", &world.relay.url);
    let refused = alice.pipe(&["seal", "--to", card.to_str().unwrap()], b"x").expect(0).out;
    alice.pipe(&["relay", "push"], &refused).expect(77);
}

#[test]
fn errors_have_hints_and_a_json_form() {
    let person = Person::new();
    let ran = person.run(&["card"]).expect(21);
    assert_eq!(
        ran.err,
        "error: there is no identity\n\
         hint: make one with: bulla keygen --default, or name one with -i FILE\n"
    );
    let ran = person.run(&["card", "--json"]).expect(21);
    let last: serde_json::Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
    assert_eq!(last["message_type"], "exit_error");
    assert_eq!(last["code"], 21);
}

#[test]
fn identities_come_from_every_source() {
    let person = Person::with_identity();
    let want = person.fingerprint();
    let path = person.home().join("home/identity");
    let text = fs::read_to_string(&path).unwrap();
    let nobody = Person::new();
    let card = |args: &[&str], name: &str, value: &str, input: &str| {
        let mut command = nobody.command(&[&["card", "--json"], args].concat());
        if !name.is_empty() {
            command.env(name, value);
        }
        feed(command, input.as_bytes()).expect(0).json()[0]["fingerprint"].clone()
    };
    let path = path.to_str().unwrap();
    assert_eq!(card(&["-i", path], "", "", ""), want);
    assert_eq!(card(&["-i", "-"], "", "", &text), want);
    assert_eq!(card(&["-i", "@FD:0"], "", "", &text), want);
    assert_eq!(card(&["-i", "@ENV:MINE"], "MINE", &text, ""), want);
    assert_eq!(card(&[], "BULLA_IDENTITY", &text, ""), want);
    assert_eq!(card(&[], "BULLA_IDENTITY_FILE", path, ""), want);
    assert_eq!(card(&[], "BULLA_IDENTITY_COMMAND", &format!("cat {path}"), ""), want);
    // One stdin cannot be two things.
    nobody.pipe(&["contact", "add", "-i", "-", "me", "-"], text.as_bytes()).expect(2);
}

#[test]
fn secret_variables_are_cleared_before_a_child_starts() {
    let world = world();
    world.alice.pipe(&["relay", "push"], &world.letter(&[], b"x")).expect(0);
    let identity = fs::read_to_string(world.bob.home().join("home/identity")).unwrap();
    let exec = "env > seen; printf %s \"$BULLA_ID\" > id";
    let mut pull = world.bob.command(&["relay", "pull", "-i", "@ENV:MINE", "--exec", exec]);
    pull.env("MINE", &identity).env("BULLA_IDENTITY", &identity);
    feed(pull, b"").expect(0);
    let seen = fs::read_to_string(world.bob.home().join("seen")).unwrap();
    assert!(!seen.contains("SECRET-KEY"), "{seen}");
    assert_eq!(fs::read_to_string(world.bob.home().join("id")).unwrap().len(), 64);
}

// ---- what is pulled is neither lost nor doubled ----

#[test]
fn a_pull_whose_reader_dies_loses_nothing() {
    let world = world();
    world.alice.pipe(&["relay", "push"], &world.letter(&[], &vec![b'x'; 2 << 20])).expect(0);
    let mut child = world.bob.command(&["relay", "pull"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 1000]).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let again = world.bob.run(&["relay", "pull"]).expect(0).out;
    world.bob.pipe(&["open", "-o", "whole"], &again).expect(0);
    assert_eq!(fs::metadata(world.bob.home().join("whole")).unwrap().len(), 2 << 20);
    world.bob.run(&["relay", "pull"]).expect(1);
    world.bob.run(&["relay", "pull", "--again"]).expect(1);
}

#[test]
fn a_letter_nobody_opened_can_be_pulled_again() {
    let world = world();
    world.alice.pipe(&["relay", "push"], &world.letter(&[], b"important")).expect(0);
    // The reader took it all and did nothing with it.
    world.bob.run(&["relay", "pull"]).expect(0);
    world.bob.run(&["relay", "pull"]).expect(1);
    let again = world.bob.run(&["relay", "pull", "--again"]).expect(0).out;
    // What goes on into a pipe may still get lost there, so the copy is kept.
    assert_eq!(world.bob.pipe(&["open"], &again).expect(0).out, b"important");
    let again = world.bob.run(&["relay", "pull", "--again"]).expect(0).out;
    world.bob.pipe(&["open", "--again", "-o", "safe"], &again).expect(0);
    world.bob.run(&["relay", "pull", "--again"]).expect(1);
}

#[test]
fn a_command_that_fails_keeps_its_letter() {
    let world = world();
    world.alice.pipe(&["relay", "push"], &world.letter(&[], b"body")).expect(0);
    let failed = world.bob.run(&["relay", "pull", "--exec", "exit 3"]);
    assert!(failed.status != 0 && failed.status != 1, "{failed:?}");
    let exec = format!("{} open -o \"$BULLA_ID.txt\"", common::BULLA);
    world.bob.run(&["relay", "pull", "--exec", &exec]).expect(0);
    let file = fs::read_dir(world.bob.home())
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "txt"))
        .unwrap();
    assert_eq!(fs::read(file).unwrap(), b"body");
    world.bob.run(&["relay", "pull", "--exec", "exit 3"]).expect(1);
}

#[test]
fn letters_pulled_into_a_folder_open_from_there() {
    let world = world();
    for n in 0..3 {
        world.alice.pipe(&["relay", "push"], &world.letter(&[], &[b'0' + n])).expect(0);
    }
    world.bob.run(&["relay", "pull", "--peek", "--output-dir", "peeked"]).expect(0);
    world.bob.run(&["relay", "pull", "--output-dir", "inbox"]).expect(0);
    world.bob.run(&["relay", "pull", "--output-dir", "inbox"]).expect(1);
    let mut bodies: Vec<_> = fs::read_dir(world.bob.home().join("inbox"))
        .unwrap()
        .map(|e| world.bob.run(&["open", e.unwrap().path().to_str().unwrap()]).expect(0).text())
        .collect();
    bodies.sort();
    assert_eq!(bodies, ["0", "1", "2"]);
}

#[test]
fn a_relay_killed_between_push_and_pull_has_every_letter() {
    let mut world = world();
    let ids: Vec<_> = (0..5)
        .map(|n| world.alice.pipe(&["relay", "push"], &world.letter(&[], &[b'0' + n])).expect(0))
        .map(|ran| ran.text().trim().to_owned())
        .collect();
    world.relay.kill_and_restart();
    let listed = world.bob.run(&["relay", "list"]).expect(0).text();
    for id in &ids {
        assert!(listed.contains(id.as_str()), "{listed}");
    }
    world.bob.run(&["relay", "ack", &ids[0]]).expect(0);
    world.relay.kill_and_restart();
    let pulled = world.bob.run(&["relay", "pull"]).expect(0).out;
    let lines = world.bob.pipe(&["open", "--json"], &pulled).expect(0).json();
    let mut bodies: Vec<_> = lines.iter().map(|line| line["body"].as_str().unwrap()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["1", "2", "3", "4"]);
}

#[test]
fn a_waiting_pull_gets_what_is_pushed() {
    let world = world();
    let waiting =
        world.bob.command(&["relay", "pull", "--wait", "30"]).stdin(Stdio::null()).spawn().unwrap();
    let letter = world.letter(&[], b"at last");
    world.relay.until_waiting(1);
    world.alice.pipe(&["relay", "push"], &letter).expect(0);
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(world.bob.pipe(&["open"], &output.stdout).expect(0).out, b"at last");
}

#[test]
fn two_processes_that_open_one_letter_open_it_once() {
    let world = world();
    let letter = world.letter(&[], &vec![b'x'; 1 << 20]);
    let path = world.bob.path("letter");
    fs::write(&path, letter).unwrap();
    // All are read at once: one whose reader stalls keeps the others waiting for their turn.
    let open = || {
        let output = world.bob.command(&["open", path.to_str().unwrap()]).output().unwrap();
        (output.status.code().unwrap(), output.stdout.len())
    };
    let mut statuses: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [(0, 1 << 20), (16, 0), (16, 0), (16, 0)]);
    let left = walkdir::WalkDir::new(world.bob.home());
    assert!(!left.into_iter().any(|e| e.unwrap().path().extension().is_some_and(|e| e == "turn")));
}

#[test]
fn one_letter_twice_in_a_stream_is_opened_once() {
    let world = world();
    let letter = world.letter(&[], b"once\n");
    let twice = [letter.clone(), letter].concat();
    let ran = world.bob.pipe(&["open"], &twice).expect(16);
    assert_eq!(ran.out, b"once\n");
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    let mut world = world();
    const LETTERS: usize = 30;
    let letters: Vec<_> =
        (0..LETTERS).map(|n| world.letter(&[], format!("{n}\n").as_bytes())).collect();

    // The relay is killed while letters are pushed; each pusher goes on until it is promised.
    let alice = &world.alice;
    let relay = &mut world.relay;
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| {
            for letter in &letters {
                alice.pipe(&["relay", "push", "--retry", "12"], letter).expect(0);
            }
        });
        for _ in 0..12 {
            relay.kill_and_restart();
            std::thread::sleep(std::time::Duration::from_millis(80));
        }
        pushing.join().unwrap();
    });

    // The puller is killed while its letters are opened; it comes back until there are none.
    let exec = format!("{} open -o \"got.$BULLA_ID\"", common::BULLA);
    for round in 0u64.. {
        let mut child = world.bob.command(&["relay", "pull", "--exec", &exec]).spawn().unwrap();
        if round < 12 {
            std::thread::sleep(std::time::Duration::from_millis(5 + 17 * (round % 7)));
            child.kill().unwrap();
            child.wait().unwrap();
        } else if child.wait().unwrap().code() == Some(1) {
            break;
        }
        assert!(round < 60, "the mailbox is never empty");
    }
    let files = fs::read_dir(world.bob.home()).unwrap().map(|file| file.unwrap().path());
    let got = files.filter(|path| path.file_stem().is_some_and(|stem| stem == "got"));
    let mut got: Vec<usize> =
        got.map(|path| fs::read_to_string(path).unwrap().trim().parse().unwrap()).collect();
    got.sort_unstable();
    assert_eq!(got, (0..LETTERS).collect::<Vec<_>>());
}

// ---- strangers and accidents in the middle of a stream ----

#[test]
fn what_a_stranger_pushes_costs_no_letter_behind_it() {
    let world = world();
    let before = world.letter(&[], b"before\n");
    let behind = world.letter(&[], b"behind\n");
    let recipient = world.bob.run(&["card", "--recipient"]).expect(0).text();
    let stranger = Person::new();
    let plain = stranger.pipe(&["seal", "-r", recipient.trim()], b"plain\n").expect(0).out;
    let mut lock = stranger.command(&["seal", "--passphrase", "@ENV:PW"]);
    lock.env("PW", "x");
    let locked = feed(lock, b"poison").expect(0).out;
    // Anybody who may push to the mailbox can put such things into it.
    let capability = world.bob.run(&["relay", "capability", "new"]).expect(0).text();
    let bearer = format!("Authorization: Bearer {}", capability.trim());
    let shown = world.alice.pipe(&["inspect", "--json"], &before).expect(0).json();
    let mailbox = shown[0]["mailbox"].as_str().unwrap();
    let push = |body: &[u8]| {
        let file = stranger.path("body");
        fs::write(&file, body).unwrap();
        let id = bulla::text::hex_encode(&bulla::crypto::sha256(&[body]));
        let url = format!("{}/v1/m/{mailbox}/{id}", world.relay.url);
        let mut put = std::process::Command::new("curl");
        let put = put.args(["-sf", "-H", &bearer, "-T"]).arg(file).arg(url).status();
        assert!(put.unwrap().success());
    };
    world.alice.pipe(&["relay", "push"], &before).expect(0);
    push(&locked);
    push(&plain);
    push(&[0; 500]);
    world.alice.pipe(&["relay", "push"], &behind).expect(0);

    let pulled = world.bob.run(&["relay", "pull"]).expect(0).out;
    let opened = world.bob.pipe(&["open", "--json"], &pulled);
    let bodies: Vec<_> = opened.json().iter().map(|line| line["body"].clone()).collect();
    assert_eq!(bodies, ["before\n", "plain\n", "behind\n"]);
    assert_eq!(opened.status, 13, "{}", opened.err);
    let added = world.bob.pipe(&["index", "add", "-"], &opened.out).expect(13);
    assert!(added.err.contains("2 added"), "{}", added.err);
    world.bob.run(&["search", "behind"]).expect(0);
}

#[test]
fn a_letter_behind_the_one_that_was_written_is_not_confirmed() {
    let world = world();
    for body in ["one", "two"] {
        world.alice.pipe(&["relay", "push"], &world.letter(&[], body.as_bytes())).expect(0);
    }
    let both = world.bob.run(&["relay", "pull"]).expect(0).out;
    world.bob.pipe(&["open", "-o", "out"], &both[..both.len() - 100]).expect(12);
    assert_eq!(fs::read(world.bob.home().join("out")).unwrap(), b"one");
    let again = world.bob.run(&["relay", "pull", "--again"]).expect(0).out;
    assert_eq!(world.bob.pipe(&["open"], &again).expect(0).out, b"two");
}

#[test]
fn a_command_that_opened_its_letter_and_then_failed_gets_it_again() {
    let world = world();
    world.alice.pipe(&["relay", "push"], &world.letter(&[], b"body")).expect(0);
    let exec = |end: &str| format!("{} open >> got; exit {end}", common::BULLA);
    world.bob.run(&["relay", "pull", "--exec", &exec("75")]).expect(26);
    world.bob.run(&["relay", "pull", "--exec", &exec("0")]).expect(0);
    assert_eq!(fs::read(world.bob.home().join("got")).unwrap(), b"bodybody");
    world.bob.run(&["relay", "pull", "--exec", "true"]).expect(1);
}

#[test]
fn a_peek_leaves_everything_as_it_was() {
    let world = world();
    for body in ["one", "two"] {
        world.alice.pipe(&["relay", "push"], &world.letter(&[], body.as_bytes())).expect(0);
    }
    world.bob.run(&["relay", "pull", "--peek"]).expect(0);
    world.bob.run(&["relay", "pull", "--limit", "1"]).expect(0);
    assert_eq!(world.bob.run(&["relay", "list"]).expect(0).text().lines().count(), 1);
}

#[test]
fn letters_cut_short_are_damaged_wherever_they_are_cut() {
    let world = world();
    let letter = world.letter(&[], &[b'x'; 5000]);
    for cut in [10, 20, 60, 100, 500, 1700, 3000, letter.len() - 1] {
        world.bob.pipe(&["open"], &letter[..cut]).expect(12);
    }
    // The last cut took the end of the stream only: that letter was whole.
    world.bob.pipe(&["open"], &letter).expect(16);
}

#[test]
fn mistakes_have_their_status_and_repeat_no_secret() {
    let person = Person::with_identity();
    person.pipe(&["contact", "add", "me"], b"junk").expect(13);
    person.pipe(&["seal", "-r", "age1x"], b"").expect(13);
    person.pipe(&["seal", "-R", "-"], b"hi\n").expect(13);
    person.run(&["relay", "list", "--timeout", "0"]).expect(2);
    person.run(&["relay", "pull", "--wait", "18446744073709551615"]).expect(2);
    let ran =
        person.run(&["relay", "serve", "--store", "postgres://me:hush@127.0.0.1/x"]).expect(2);
    assert!(!ran.err.contains("hush"), "{}", ran.err);
    let identity = fs::read_to_string(person.home().join("home/identity")).unwrap();
    let secret = identity.lines().find(|line| line.starts_with("BULLA-SECRET-KEY-1")).unwrap();
    let ran = person.run(&["card", "-i", secret]).expect(2);
    assert!(!ran.err.contains(&secret[20..40]), "{}", ran.err);
    let mut empty = person.command(&["card"]);
    empty.env("BULLA_IDENTITY", "");
    feed(empty, b"").expect(21);
    let ran = person.run(&["--json", "search", "--limit", "x", "y"]).expect(2);
    assert!(ran.err.lines().last().unwrap().contains("exit_error"), "{}", ran.err);
}

#[test]
fn a_home_that_cannot_be_written_is_none() {
    let person = Person::with_identity();
    let recipient = person.run(&["card", "--recipient"]).expect(0).text();
    let sealed = person.pipe(&["seal", "-r", recipient.trim()], b"body").expect(0).out;
    let identity = person.home().join("home/identity");
    let mut open = person.command(&["open", "-i", identity.to_str().unwrap()]);
    open.env("BULLA_HOME", "/proc/nonexistent");
    assert_eq!(feed(open, &sealed).expect(0).out, b"body");
}

// ---- who may push ----

#[test]
fn a_renewed_card_takes_the_place_of_the_ones_before() {
    let world = world();
    let (alice, bob) = (&world.alice, &world.bob);
    let old = world.letter(&[], b"by the old card");
    alice.pipe(&["relay", "push"], &old).expect(0);
    // Registering again changes nothing, and a card is a card.
    let again = bob.run(&["relay", "register", "--json"]).expect(0).json();
    assert_eq!((&again[0]["new"], &again[0]["generation"]), (&false.into(), &0.into()));

    let renewed = bob.run(&["relay", "register", "--renew", "--json"]).expect(0);
    assert!(renewed.err.contains("hand out the new one, bulla card"), "{}", renewed.err);
    assert_eq!(renewed.json()[0]["generation"], 1);
    let refused = alice.pipe(&["relay", "push"], &world.letter(&[], b"x")).expect(77);
    assert!(refused.err.contains("bulla contact add NAME CARD"), "{}", refused.err);
    alice.knows("bob", &bob.card("Bob", &world.relay.url));
    alice.pipe(&["relay", "push"], &world.letter(&[], b"by the new card")).expect(0);

    // Another machine of Bob's does not know of it, and learns it from the relay.
    let laptop = Person::new();
    let identity = bob.home().join("home/identity");
    let mut register =
        laptop.command(&["relay", "register", "--json", "--relay", &world.relay.url]);
    register.env("BULLA_IDENTITY_FILE", &identity);
    assert_eq!(feed(register, b"").expect(0).json()[0]["generation"], 1);
    alice.pipe(&["relay", "push"], &world.letter(&[], b"and still by the new card")).expect(0);
    let opened = bob.run(&["relay", "pull"]).expect(0).out;
    let lines = bob.pipe(&["open", "--json"], &opened).expect(0).json();
    let bodies: Vec<_> = lines.iter().map(|line| line["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["by the old card", "by the new card", "and still by the new card"]);
}

#[test]
fn terms_are_kept_and_told() {
    let world = world();
    let bob = &world.bob;
    bob.run(&["relay", "register", "--hourly", "2", "--max-bytes", "1M"]).expect(0);
    // Neither registering again nor renewing loses them.
    bob.run(&["relay", "register"]).expect(0);
    let renewed = bob.run(&["relay", "register", "--renew", "--json"]).expect(0).json();
    assert_eq!(
        (&renewed[0]["terms"]["hourly"], &renewed[0]["terms"]["bytes"]),
        (&2.into(), &(1 << 20).into())
    );
    world.alice.knows("bob", &bob.card("Bob", &world.relay.url));
    for _ in 0..2 {
        world.alice.pipe(&["relay", "push"], &world.letter(&[], b"x")).expect(0);
    }
    let ran = world.alice.pipe(&["relay", "push"], &world.letter(&[], b"x")).expect(75);
    assert!(ran.err.contains("hint: sleep "), "{}", ran.err);
    let listed = bob.run(&["relay", "capability", "list", "--json"]).expect(0).json();
    let [card] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!(
        (&card["of"], &card["pushed"], &card["messages"]),
        (&"card".into(), &2.into(), &2.into())
    );
}

#[test]
fn capabilities_are_given_and_taken_one_by_one() {
    let world = world();
    let (alice, bob) = (&world.alice, &world.bob);
    let new = ["relay", "capability", "new", "--total", "1", "-o", "files/build.cap", "--json"];
    fs::create_dir_all(bob.home().join("files")).unwrap();
    bob.run(&new).expect(0);
    let path = bob.path("build.cap");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let given: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let text = given["capability"].as_str().unwrap();
    let id = bulla::text::hex_encode(&bulla::crypto::sha256(&[text.as_bytes()]));
    assert_eq!(given["id"], id.as_str());

    let push = |body: &[u8]| {
        let mut push = alice.command(&["relay", "push", "--capability", "@ENV:CAP"]);
        push.env("CAP", text);
        feed(push, &world.letter(&[], body))
    };
    push(b"one").expect(0);
    push(b"used up").expect(77);
    let revoked = bob.run(&["relay", "capability", "revoke", &id, "--json"]).expect(0);
    assert_eq!(revoked.json()[0]["revoked"][0], id.as_str());
    bob.run(&["relay", "capability", "revoke", &id]).expect(1);
    bob.run(&["relay", "capability", "revoke", "junk"]).expect(13);
    // The card's is another.
    alice.pipe(&["relay", "push"], &world.letter(&[], b"two")).expect(0);
}

#[test]
fn a_public_inbox_is_opened_and_closed() {
    let world = world();
    let card = world.bob.run(&["card", "--json"]).expect(0).json();
    let mailbox = card[0]["mailbox"].as_str().unwrap();
    let push = |body: &str| {
        let id = bulla::text::hex_encode(&bulla::crypto::sha256(&[body.as_bytes()]));
        let url = format!("{}/v1/m/{mailbox}/{id}", world.relay.url);
        let mut put = std::process::Command::new("curl");
        let put = put.args(["-sf", "-X", "PUT", "--data-binary", body]).arg(url);
        put.status().unwrap().success()
    };
    assert!(!push("before"));
    let opened = world.bob.run(&["relay", "capability", "new", "--public"]).expect(0);
    assert_eq!(opened.text(), "");
    assert!(push("while"));
    world.bob.run(&["relay", "capability", "revoke", "--public"]).expect(0);
    assert!(!push("after"));
}

#[test]
fn a_capability_is_shown_to_nobody() {
    let world = world();
    let sealed = world.letter(&[], b"x");
    let bob = Person::new();
    let card = world.bob.run(&["card"]).expect(0).text();
    let capability = bulla::identity::Card::parse_text(&card).unwrap();
    let text = bulla::text::hex_encode(capability.capability().unwrap().expose());
    let mut shown = String::new();
    for args in [&["inspect"][..], &["inspect", "--json"]] {
        let ran = bob.pipe(args, &sealed).expect(0);
        assert!(ran.text().contains("capability"), "{}", ran.text());
        shown += &ran.text();
    }
    for args in [
        &["contact", "show", "bob", "-v"][..],
        &["contact", "list"],
        &["relay", "push", "-v", "/dev/stdin", "--relay", "http://127.0.0.1:9", "--retry", "0"],
    ] {
        let ran = world.alice.pipe(args, &sealed);
        shown += &(ran.text() + &ran.err);
    }
    assert!(!shown.contains(&text) && !shown.contains(&text[..16]), "{shown}");
}

#[test]
fn a_missing_secret_is_called_by_its_name() {
    let world = world();
    for (args, what) in [
        (&["relay", "register", "--token", "@ENV:NOPE"][..], "the token"),
        (&["relay", "push", "--capability", "@ENV:NOPE"], "the capability"),
    ] {
        let ran = world.bob.run(args).expect(21);
        assert!(ran.err.contains(&format!("cannot read {what} from @ENV:NOPE")), "{}", ran.err);
    }
}

// ---- many at once, and long ones ----

#[test]
fn of_many_letters_each_has_its_outcome_in_order() {
    let world = world();
    let carol = Person::with_identity();
    // Carol has no mailbox.
    world.alice.knows("carol", &carol.card("Carol", &world.relay.url));
    let to =
        |name: &str, body: &[u8]| world.alice.pipe(&["seal", "--to", name], body).expect(0).out;
    let mut stream = Vec::new();
    let big = vec![b'x'; 400 << 10];
    for n in 0..30 {
        stream.extend(match n {
            7 | 20 => to("carol", b"nobody is there"),
            11 => to("bob", &big),
            _ => to("bob", format!("{n} ").as_bytes()),
        });
    }
    let ran = world.alice.pipe(&["relay", "push", "--json"], &stream).expect(25);
    let shown = world.alice.pipe(&["inspect", "--json"], &stream).expect(0).json();
    let lines = ran.json();
    assert_eq!(lines.len(), 30);
    for (n, (line, shown)) in lines.iter().zip(&shown).enumerate() {
        assert_eq!(line["id"], shown["envelope"]);
        let (new, code) = if n == 7 || n == 20 { (None, Some(77)) } else { (Some(true), None) };
        assert_eq!((line["new"].as_bool(), line["error"]["code"].as_u64()), (new, code), "{line}");
    }
    // Again: the same, known by now. One error for those that failed together.
    let ran = world.alice.pipe(&["relay", "push"], &stream).expect(25);
    assert_eq!(ran.text().lines().count(), 28);
    assert!(ran.err.matches("error:").count() <= 2, "{}", ran.err);
    let pulled = world.bob.run(&["relay", "pull"]).expect(0).out;
    world.bob.pipe(&["open", "--output-dir", "in"], &pulled).expect(0);
    let files = fs::read_dir(world.bob.home().join("in")).unwrap();
    assert_eq!(
        files.map(|file| file.unwrap().metadata().unwrap().len() as usize).sum::<usize>(),
        big.len()
            + (0..30)
                .filter(|n| ![7, 11, 20].contains(n))
                .map(|n| format!("{n} ").len())
                .sum::<usize>()
    );
    world.bob.run(&["relay", "list"]).expect(1);
}

#[test]
fn a_long_letter_goes_through_a_relay_that_is_killed() {
    let mut world = world();
    let body: Vec<u8> =
        (0..6u32 << 20).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_be_bytes()).collect();
    let letter = world.letter(&[], &body);
    let (alice, relay) = (&world.alice, &mut world.relay);
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| alice.pipe(&["relay", "push", "--retry", "20"], &letter));
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(150));
            relay.kill_and_restart();
        }
        pushing.join().unwrap().expect(0);
    });
    let pulled = world.bob.run(&["relay", "pull"]).expect(0).out;
    assert!(world.bob.pipe(&["open"], &pulled).expect(0).out == body);
}

#[test]
fn what_arrives_is_given_out_while_it_is_followed() {
    let mut world = world();
    let exec = format!("{} open >> got", common::BULLA);
    let mut following =
        world.bob.command(&["relay", "pull", "--follow", "--exec", &exec]).spawn().unwrap();
    let got = world.bob.home().join("got");
    let mut expected = String::new();
    for n in 0..4 {
        if n == 2 {
            world.relay.kill_and_restart();
        }
        let letter = world.letter(&[], format!("{n}\n").as_bytes());
        world.alice.pipe(&["relay", "push"], &letter).expect(0);
        expected += &format!("{n}\n");
        let begun = std::time::Instant::now();
        while fs::read_to_string(&got).unwrap_or_default() != expected {
            assert!(begun.elapsed().as_secs() < 30, "{n} did not come");
            assert!(following.try_wait().unwrap().is_none());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    // The last one is acknowledged after it was delivered: killed in between, it comes again.
    let begun = std::time::Instant::now();
    while world.bob.run(&["relay", "list"]).status != 1 {
        assert!(begun.elapsed().as_secs() < 30, "the last one is not acknowledged");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    following.kill().unwrap();
    following.wait().unwrap();
    world.bob.run(&["relay", "pull"]).expect(1);
}

// ---- interrupted ----

#[test]
fn an_interrupted_open_leaves_no_plaintext() {
    let person = Person::with_identity();
    let recipient = person.run(&["card", "--recipient"]).expect(0).text();
    let secret = b"a plain word ".repeat(100_000);
    let sealed = person.pipe(&["seal", "-r", recipient.trim()], &secret).expect(0).out;
    let mut child = person.command(&["open", "-o", "out"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &sealed[..sealed.len() - 100]).unwrap();
    // Wait until most of it was opened and is somewhere on the disk.
    let descriptors = format!("/proc/{}/fd", child.id());
    let written = || {
        let files = fs::read_dir(&descriptors).unwrap();
        files
            .filter_map(|file| fs::metadata(file.unwrap().path()).ok())
            .any(|m| m.is_file() && m.len() > 500_000)
    };
    let begun = std::time::Instant::now();
    while !written() {
        assert!(begun.elapsed().as_secs() < 30, "nothing is written");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2));
    let disk = everything_below(person.home());
    assert!(!disk.windows(12).any(|window| window == b"a plain word"));
    assert!(!person.home().join("out").exists());
}

/// As some ssh servers give it to what they run: a socket, and not closed.
#[test]
fn an_invite_comes_over_a_socket_too_and_what_is_none_stays_there() {
    let store = tempfile::tempdir().unwrap();
    let relay = Relay::start(store.path());
    let [alice, bob] = [Person::with_identity(), Person::with_identity()];
    let invite = alice.run(&["invite", "--relay", &relay.url]).expect(0).out;
    let pair = |input: &[u8], method: &[&str]| {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.write_all(input).unwrap();
        let rest = theirs.try_clone().unwrap();
        let mut command = bob.command(&[&["pair", "--relay", &relay.url], method].concat());
        let status = command
            .stdin(std::process::Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .output()
            .unwrap()
            .status;
        rest.set_nonblocking(true).unwrap();
        let mut left = [0; 64];
        (status.code().unwrap(), (&rest).read(&mut left).unwrap_or(0))
    };
    assert_eq!(pair(b"echo the next line of a script\n", &[]), (1, 31));
    assert_eq!(pair(&invite, &["--method", "secret"]), (0, 0));
    assert_eq!(alice.run(&["pair"]).status, 1);
    bob.run(&["pair"]).expect(0);
    alice.run(&["pair"]).expect(0);
}

#[test]
fn who_is_paired_can_be_forgotten_though_the_relay_is_gone() {
    let store = tempfile::tempdir().unwrap();
    let mut relay = Relay::start(store.path());
    let [alice, bob] = [Person::with_identity(), Person::with_identity()];
    let invite = alice.run(&["invite", "--public", "--relay", &relay.url]).expect(0).out;
    bob.pipe(&["pair", "--method", "digits", "--as", "alice", "-"], &invite).expect(0);
    alice.run(&["pair"]).expect(1);
    bob.run(&["pair"]).expect(1);
    // Nobody named him: he has a name to type all the same.
    let said = alice.run(&["pair"]).expect(1).err;
    let listed = alice.run(&["contact", "list", "--json"]).expect(0).json();
    let name = listed[0]["pairing"].as_str().unwrap().to_owned();
    assert!(said.contains(&format!("--confirm {name} DIGITS")), "{said}");
    let shown = |person: &Person| person.run(&["contact", "list"]).text().trim().to_owned();
    let last = |text: String| text[text.len() - 4..].to_owned();
    alice.run(&["pair", "--confirm", &name, &last(shown(&bob))]).expect(0);
    bob.run(&["pair", "--confirm", "alice", &last(shown(&alice))]);
    for person in [&alice, &bob, &alice, &bob] {
        person.run(&["pair"]);
    }
    bob.run(&["contact", "show", "alice"]).expect(0);
    relay.kill();
    bob.run(&["contact", "revoke", "alice", "--retry", "0"]).expect(75);
    let gone = bob.run(&["contact", "remove", "alice", "--retry", "0"]).expect(75);
    assert!(gone.err.contains("a mailbox stays open at "), "{}", gone.err);
    bob.run(&["contact", "show", "alice"]).expect(2);
}
