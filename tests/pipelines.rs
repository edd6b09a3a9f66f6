//! Pipelines of the program in a shell: nothing is lost, and the status is that of the verb that failed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::process::{Command, Stdio};

use common::{BULLA, Person, Ran, Relay, pair};

struct World {
    me: Person,
    bob: Person,
    relay: Relay,
    _store: tempfile::TempDir,
}

/// Two who are paired.
fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let relay = Relay::start(store.path());
    let [me, bob] = [(); 2].map(|()| Person::with_identity());
    pair([&me, &bob], ["me", "bob"], [&relay, &relay]);
    World { me, bob, relay, _store: store }
}

impl World {
    fn gets(&self, body: &str) {
        let sealed = self.bob.pipe(&["seal", "--to", "me"], body.as_bytes()).expect(0).out;
        self.bob.pipe(&["relay", "push"], &sealed).expect(0);
    }
}

/// Runs a script of this shell, in which `bulla` is the program.
fn script(by: &Person, shell: &[&str], script: &str) -> Ran {
    let mut command = Command::new(shell[0]);
    command
        .args(&shell[1..])
        .args(["-c", &script.replace("bulla ", &format!("{BULLA} "))])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("BULLA_HOME", by.home().join("home"))
        .current_dir(by.home())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    common::feed(command, b"")
}

fn bash(by: &Person, line: &str) -> Ran {
    script(by, &["bash", "-o", "pipefail"], line)
}

fn bodies(ran: &Ran) -> Vec<String> {
    ran.json().iter().map(|line| line["body"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_pipeline_whose_last_command_fails_gives_its_letters_again() {
    let world = world();
    for body in ["one", "two", "three"] {
        world.gets(body);
    }
    bash(&world.me, "bulla relay pull | bulla open --json | (sleep 0.3; exit 7)").expect(7);
    let again = bash(&world.me, "bulla relay pull --again | bulla open --json").expect(0);
    assert_eq!(bodies(&again), ["one", "two", "three"]);
    // Until they are in the index.
    let index = "bulla relay pull --again | bulla open --json | bulla index add -";
    bash(&world.me, index).expect(0);
    bash(&world.me, "bulla relay pull --again | bulla open --json").expect(1);
    assert_eq!(world.me.run(&["search", "--json", "three"]).expect(0).json().len(), 1);
    assert_eq!(kept_files(&world.me), 0);
}

/// Returns how many files keep letters that went to a pipe.
fn kept_files(of: &Person) -> usize {
    let homes = std::fs::read_dir(of.home().join("home")).unwrap();
    let kept = homes.filter_map(|home| std::fs::read_dir(home.unwrap().path().join("kept")).ok());
    kept.flatten().count()
}

#[test]
fn a_letter_is_kept_where_it_can_get_lost_and_nowhere_else() {
    let world = world();
    for (open, kept) in [
        ("bulla open -o one", 0),
        ("bulla open --output-dir folder", 0),
        ("bulla open > two", 0),
        ("bulla open --keep 0 | cat", 0),
        ("bulla open --keep 10m | cat", 1),
    ] {
        world.gets("a letter");
        bash(&world.me, &format!("bulla relay pull | {open}")).expect(0);
        assert!((kept_files(&world.me) > 0) == (kept > 0), "{open}");
    }
    // Neither a key nor a sealed byte.
    world.gets("a letter");
    bash(&world.me, "bulla relay pull --keep 0 | bulla open --keep 0 | cat").expect(0);
    assert_eq!(
        bash(&world.me, "bulla relay pull --again | bulla open --json").expect(0).json().len(),
        1
    );
    // A command is given a letter again only when it failed.
    world.gets("a letter");
    let before = kept_files(&world.me);
    world.me.run(&["relay", "pull", "--exec", &format!("{BULLA} open | cat")]).expect(0);
    assert_eq!(kept_files(&world.me), before);
    for wrong in [&["open", "--keep", "8d"], &["open", "--keep", "1y"]] {
        world.me.run(wrong).expect(2);
    }
}

#[test]
fn a_pipeline_ends_with_the_status_of_the_verb_that_failed() {
    let World { me, bob, mut relay, _store } = world();
    for (line, status) in [
        ("bulla relay pull | bulla open", 1),
        ("bulla relay pull --relay ftp://nowhere | bulla open", 2),
        ("bulla relay pull --no-such-flag | bulla open", 2),
        ("bulla seal --to nobody < /dev/null | bulla relay push", 2),
        ("bulla seal --to me --header x < /dev/null | bulla relay push", 2),
        ("bulla seal --to me --from-command 'echo half; exit 3' | bulla relay push", 26),
        ("bulla seal --to me | bulla relay push > /dev/null", 0),
    ] {
        let by = if line.contains("seal") { &bob } else { &me };
        let ran = script(by, &["bash", "-o", "pipefail"], line);
        assert_eq!(ran.status, status, "{line}: {}", ran.err);
        // Also where the shell asks the last command alone.
        let ran = script(by, &["sh"], line);
        assert_eq!(ran.status, if status == 0 { 0 } else { status }, "{line}: {}", ran.err);
        assert!(!ran.err.contains("malformed"), "{line}: {}", ran.err);
    }
    relay.kill();
    let down = "bulla relay pull --retry 0 | bulla open";
    assert_eq!(bash(&me, down).status, 75);
    assert_eq!(script(&me, &["sh"], down).status, 75);
    // A stream without its end, and one without a byte, are cut off, not malformed.
    bash(&me, "printf '\\213bul%s' 'la E' | bulla open").expect(12);
    bash(&me, ": | bulla open").expect(12);
    bash(&me, ": | bulla relay push").expect(12);
    bash(&me, "echo hello | bulla open").expect(13);
}

#[test]
fn what_came_before_a_failure_is_opened_and_recorded() {
    let World { me, bob, relay, _store } = world();
    let send = |body: &str| {
        let sealed = bob.pipe(&["seal", "--to", "me"], body.as_bytes()).expect(0).out;
        bob.pipe(&["relay", "push"], &sealed).expect(0);
    };
    send("before");
    // The stream as pull ends it when something fails behind the first letter.
    let mut stream = me.run(&["relay", "pull"]).expect(0).out;
    stream.truncate(stream.len() - 4);
    stream.extend([0xff, 0xff, 0xff, 75]);
    for open in [&["open", "--json"][..], &["open", "--json", "--again", "-o", "lines"]] {
        let ran = me.pipe(open, &stream);
        assert_eq!(ran.status, 75, "{}", ran.err);
    }
    assert!(std::fs::read_to_string(me.home().join("lines")).unwrap().contains("before"));
    // It was recorded: without --again it is a replay, which says what is wrong with it.
    assert_eq!(me.pipe(&["open", "--json"], &stream).status, 16);
    drop(relay);
}

#[test]
fn a_command_that_fails_is_sealed_not_at_all() {
    let world = world();
    let bob = &world.bob;
    for (line, status) in [
        ("bulla seal --to me -o sealed --from-command 'echo half; kill -9 $$'", 26),
        ("bulla seal -p --from-command 'exit 1' -o sealed", 14),
        ("bulla seal -r age1nothing -o sealed --from-command 'touch ran'", 13),
    ] {
        let ran = bash(bob, line);
        assert_eq!(ran.status, status, "{line}: {}", ran.err);
        assert!(!bob.home().join("sealed").exists(), "{line}");
        assert!(!bob.home().join("ran").exists(), "nothing runs before all arguments are right");
    }
    // What it read on stdin it was given.
    bash(bob, "echo body | bulla seal --to me --from-command 'tr a-z A-Z' | bulla relay push")
        .expect(0);
    let got = bash(&world.me, "bulla relay pull | bulla open").expect(0);
    assert_eq!(got.text(), "BODY\n");
    // No number of a letter was used up by those that failed.
    assert!(!got.err.contains("not opened here"), "{}", got.err);
}

/// Letters of a command, which writes down what became of each.
fn exec(by: &Person, command: &str) -> Ran {
    by.run(&["relay", "pull", "--exec", &command.replace("bulla ", &format!("{BULLA} "))])
}

#[test]
fn a_letter_that_open_refused_is_not_delivered_whatever_the_shell_says() {
    let world = world();
    world.gets("important");
    // The shell of --exec knows no pipefail: all of these end with 0.
    for command in [
        "bulla open --from nobody | cat > got",
        "bulla open --from nobody > got; true",
        "bulla open -i none | cat; bulla open --help > help",
    ] {
        let ran = exec(&world.me, command).expect(26);
        assert!(ran.err.contains("bulla open failed in the command"), "{command}: {}", ran.err);
    }
    exec(&world.me, "bulla open > got").expect(0);
    assert_eq!(std::fs::read(world.me.home().join("got")).unwrap(), b"important");
    assert_eq!(exec(&world.me, "bulla open").status, 1);
    // One that opened its letter and left the rest to others did its part.
    world.gets("again");
    exec(&world.me, "bulla open | (cat > got; exit 3)").expect(26);
    exec(&world.me, "bulla open | cat > got").expect(0);
    assert_eq!(std::fs::read(world.me.home().join("got")).unwrap(), b"again");
}

#[test]
fn a_command_that_outlives_its_pull_keeps_others_from_beginning() {
    let world = world();
    let me = &world.me;
    world.gets("a letter");
    let log = me.home().join("log");
    // A child of the shell, which a signal to the shell does not end.
    let slow = "echo begin >> log; (until [ -e go ]; do sleep 0.1; done; echo end >> log); echo never >> log";
    let mut pull = me.command(&["relay", "pull", "--exec", slow]);
    let mut pull = pull.spawn().unwrap();
    while !log.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let held = me.run(&["relay", "pull", "--exec", "echo second >> log"]).expect(75);
    assert!(held.err.contains("is in use by process "), "{}", held.err);
    pull.kill().unwrap();
    pull.wait().unwrap();
    let held = me.run(&["relay", "pull", "--exec", "echo second >> log"]).expect(75);
    assert!(held.err.contains("is in use by process "), "{}", held.err);
    std::fs::write(me.home().join("go"), "").unwrap();
    let next = ["relay", "pull", "--exec", "echo $BULLA_AGAIN >> log"];
    while me.run(&next).status == 75 {}
    // The shell itself ended with its pull; the letter comes again, and says so.
    assert_eq!(std::fs::read_to_string(log).unwrap(), "begin\nend\nperhaps\n");
}
