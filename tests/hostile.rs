//! One relay that is down, silent, slow, wiped or lies holds up no other: every mode with push, pull
//! and pair.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use common::evil::{Evil, Mode};
use common::{Person, Ran, Relay, pair};

/// Bound of one run, far above what `--timeout 1` allows and far below what the relay would take.
const BUDGET: Duration = Duration::from_secs(120);

const JSON: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
const ERROR: &str =
    "HTTP/1.1 404 x\r\ncontent-type: application/json\r\ncontent-length: 16000\r\n\r\n";
const HEAD: &str = "HTTP/1.1 200 OK\r\n";
const OPEN: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"messages\":[";
const BUSY: &str = "HTTP/1.1 503 x\r\ntransfer-encoding: chunked\r\n\r\n";
const CHUNK: &str = "8\r\n        \r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const REDIRECT: &str =
    "HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
const GARBAGE: &str = "220 mail.example ESMTP\r\n\r\n";
const TEAPOT: &str = "HTTP/1.1 418 x\r\ncontent-length: 38\r\nconnection: close\r\n\r\n{\"error\":\"teapot\",\"message\":\"\\u001b[2J\"}";
const LATER: &str =
    "HTTP/1.1 503 x\r\nretry-after: 86400\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const STALE: &str = "HTTP/1.1 401 x\r\ndate: Fri, 01 Jan 2100 00:00:00 GMT\r\ncontent-length: 31\r\nconnection: close\r\n\r\n{\"error\":\"stale\",\"message\":\"x\"}";
const WIPED: &str = "HTTP/1.1 404 x\r\ncontent-length: 36\r\nconnection: close\r\n\r\n{\"error\":\"no_mailbox\",\"message\":\"x\"}";
const WORK: &str = "HTTP/1.1 401 x\r\nbulla-work: bits=22, challenge=000000000000000000000000000000000000000000000000\r\ncontent-length: 30\r\nconnection: close\r\n\r\n{\"error\":\"work\",\"message\":\"x\"}";
const HUNDRED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 140000\r\n\r\n";

/// What any request may get.
const ALL: [Mode; 21] = [
    Mode::HangUp,
    Mode::Silent,
    Mode::Trickle(HEAD, "x-more: a\r\n"),
    Mode::Trickle(JSON, " "),
    Mode::Trickle(ERROR, " "),
    Mode::Trickle(CONTINUE, CONTINUE),
    Mode::Trickle("", "H"),
    Mode::Flood(HEAD, "x-more: a\r\n"),
    Mode::Flood(OPEN, " "),
    Mode::Flood(BUSY, CHUNK),
    Mode::Flood(CONTINUE, CONTINUE),
    Mode::Flood("", "H"),
    Mode::Raw(REDIRECT),
    Mode::Raw(GARBAGE),
    Mode::Raw(TEAPOT),
    Mode::Raw(LATER),
    Mode::Raw(STALE),
    Mode::Raw(WIPED),
    Mode::Raw(WORK),
    Mode::Raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"),
    Mode::Raw("HTTP/9.9 200\r\n\r\n"),
];

/// Bob has his card's mailbox at the evil relay, and one for Carol at the honest one. Eve's card names
/// the evil relay.
struct World {
    evil: Evil,
    honest: Relay,
    bob: Person,
    carol: Person,
    _store: tempfile::TempDir,
}

fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let (honest, evil) = (Relay::start(store.path()), Evil::start());
    let (bob, carol) = (Person::with_identity(), Person::with_identity());
    pair([&bob, &carol], ["bob", "carol"], [&honest; 2]);
    bob.run(&["relay", "register", "--relay", &evil.url]).expect(0);
    let eve = Person::with_identity();
    eve.run(&["relay", "register", "--relay", &evil.url]).expect(0);
    let card = eve.card("eve", &evil.url);
    carol.knows("eve", &card);
    World { evil, honest, bob, carol, _store: store }
}

/// Runs within the budget.
fn timed(what: &str, run: impl FnOnce() -> Ran) -> Ran {
    let begun = Instant::now();
    let ran = run();
    assert!(begun.elapsed() < BUDGET, "{what} took {:?}", begun.elapsed());
    ran
}

impl World {
    /// Seals a letter to Eve and one to Bob, in this order.
    fn letters(&self, name: &str) -> Vec<u8> {
        self.carol.pipe(&["seal", "--to", "eve", "--to", "bob"], name.as_bytes()).expect(0).out
    }

    fn pull(&self, folder: &str) -> Ran {
        let args = ["relay", "pull", "--timeout", "1", "--retry", "1", "--output-dir", folder];
        timed("pull", || self.bob.run(&args))
    }

    fn pulled(&self, folder: &str) -> usize {
        std::fs::read_dir(self.bob.home().join(folder)).map_or(0, Iterator::count)
    }
}

#[test]
fn a_relay_that_does_anything_holds_up_no_push_and_no_pull() {
    let world = world();
    for (count, mode) in ALL.into_iter().enumerate() {
        world.evil.set(Mode::Honest);
        let letters = world.letters(&format!("letter {count}"));
        world.evil.set(mode);
        let push = ["relay", "push", "--timeout", "1", "--retry", "1"];
        let pushed = timed("push", || world.carol.pipe(&push, &letters));
        let what = format!("{mode:?}: {}", pushed.err);
        let taken = matches!(mode, Mode::Trickle(JSON, _) | Mode::Flood(OPEN, _))
            || matches!(mode, Mode::Raw(raw) if raw.starts_with("HTTP/1.1 200"));
        assert_eq!(pushed.status, if taken { 0 } else { 25 }, "{what}");
        assert_eq!(pushed.text().lines().count(), if taken { 2 } else { 1 }, "{what}");
        assert!(taken || pushed.err.contains(&world.evil.url), "{what}");
        assert!(!pushed.err.contains('\u{1b}'), "{what}");

        let folder = format!("in{count}");
        let pulled = world.pull(&folder);
        let what = format!("{mode:?}: {}", pulled.err);
        assert_eq!((pulled.status, world.pulled(&folder)), (25, 1), "{what}");
        let named = format!("the mailbox on the card at {}", world.evil.url);
        assert!(pulled.err.contains(&named), "{what}");
        assert!(!pulled.err.contains('\u{1b}'), "{what}");
    }
}

/// Its lists are well-formed, and what they name does not come, or comes for ever.
#[test]
fn a_relay_that_hands_nothing_out_holds_up_no_pull() {
    let huge: &'static str = Box::leak(listing(3, 1 << 40).into_boxed_str());
    let many: &'static str = Box::leak(listing(1, 100).into_boxed_str());
    let over: &'static str = Box::leak(listing(2000, 100).into_boxed_str());
    // What a relay does not have any more another device may have taken.
    for (count, (mode, status)) in [
        (Mode::List("{}"), 25),
        (Mode::List("[1,2"), 25),
        (Mode::List("<html>sign in</html>"), 25),
        (Mode::List(huge), 25),
        (Mode::List(over), 25),
        (Mode::List(many), 0),
        (Mode::Body(HUNDRED, "x"), 25),
        (Mode::Body(HUNDRED, ""), 25),
        (Mode::Body("", "H"), 25),
        (Mode::Body(ERROR, " "), 25),
    ]
    .into_iter()
    .enumerate()
    {
        let world = world();
        let push = ["relay", "push", "--timeout", "1", "--retry", "1"];
        world.carol.pipe(&push, &world.letters("one")).expect(0);
        world.evil.set(mode);
        let folder = format!("in{count}");
        let pulled = world.pull(&folder);
        let what = format!("{mode:?}: {}", pulled.err);
        assert_eq!((pulled.status, world.pulled(&folder)), (status, 1), "{what}");
    }
}

fn listing(count: usize, size: u64) -> String {
    let entry = |n| format!(r#"{{"id":"{n:064x}","size":{size},"expires":1898761600}}"#);
    let entries: Vec<String> = (0..count).map(entry).collect();
    format!(r#"{{"messages":[{}]}}"#, entries.join(","))
}

#[test]
fn a_relay_that_reads_slowly_holds_up_no_push() {
    let world = world();
    world.evil.set(Mode::Honest);
    let long = vec![b'x'; 20 << 20];
    let letter = world.carol.pipe(&["seal", "--to", "eve", "--to", "bob"], &long).expect(0).out;
    world.evil.set(Mode::SlowReader);
    let push = ["relay", "push", "--timeout", "2", "--retry", "0"];
    let pushed = timed("push", || world.carol.pipe(&push, &letter)).expect(25);
    assert!(pushed.err.contains(&world.evil.url), "{}", pushed.err);
    assert_eq!(pushed.text().lines().count(), 1);
}

#[test]
fn other_verbs_serve_the_other_relays() {
    let world = world();
    let bob = &world.bob;
    world.evil.set(Mode::HangUp);
    let push = ["relay", "push", "--timeout", "1", "--retry", "0"];
    world.carol.pipe(&push, &world.letters("one")).expect(25);
    let run = |args: &[&str]| {
        let args = [&["relay"], args, &["--timeout", "1", "--retry", "0"]].concat();
        let ran = timed("a verb", || bob.run(&args)).expect(25);
        assert!(ran.err.contains(&world.evil.url), "{}", ran.err);
        ran.text()
    };
    assert!(run(&["status"]).contains("for carol"));
    let listed = run(&["list"]);
    let id = listed.split(' ').next().unwrap();
    assert_eq!(listed.lines().count(), 1);
    run(&["ack", id]);
    assert_eq!(run(&["list"]), "");
}

#[test]
fn the_only_relay_keeps_its_own_status() {
    let (evil, eve) = (Evil::start(), Person::with_identity());
    eve.run(&["relay", "register", "--relay", &evil.url]).expect(0);
    for (mode, status) in [(Mode::HangUp, 75), (Mode::Raw(GARBAGE), 77), (Mode::Raw(WIPED), 77)] {
        evil.set(mode);
        for verb in [&["pull"][..], &["pull", "--follow"], &["list"], &["status"]] {
            // A relay that may come back is followed for ever.
            if verb.len() == 2 && status == 75 {
                continue;
            }
            let args = [&["relay"], verb, &["--timeout", "1", "--retry", "0"]].concat();
            let ran = timed("a verb", || eve.run(&args)).expect(status);
            assert!(ran.err.contains(&evil.url), "{}", ran.err);
        }
    }
}

#[test]
fn a_relay_that_is_refused_for_good_does_not_end_the_follow_of_others() {
    for mode in [Mode::Raw(GARBAGE), Mode::Raw(TEAPOT), Mode::Silent, Mode::Trickle(JSON, " ")] {
        let world = world();
        world.evil.set(mode);
        let args = ["relay", "pull", "--follow", "--timeout", "1", "--retry", "0", "--limit", "2"];
        let mut follow = world.bob.command(&[&args[..], &["--output-dir", "in"]].concat());
        let child = follow.spawn().unwrap();
        let push = ["relay", "push", "--timeout", "1", "--retry", "0"];
        for name in ["one", "two"] {
            world.honest.until_waiting(1);
            world.carol.pipe(&push, &world.letters(name));
        }
        let ran = timed("follow", || Ran::from(child.wait_with_output().unwrap()));
        // Its answer may still have been awaited when the run ended.
        let failed = matches!(mode, Mode::Raw(_)) || ran.status == 25;
        let status = if failed { 25 } else { 0 };
        assert_eq!((ran.status, world.pulled("in")), (status, 2), "{mode:?}: {}", ran.err);
        assert!(!failed || ran.err.contains(&world.evil.url), "{}", ran.err);
    }
}

#[test]
fn a_wait_neither_spins_nor_goes_on_behind_the_first_letter() {
    let (evil, eve) = (Evil::start(), Person::with_identity());
    eve.run(&["relay", "register", "--relay", &evil.url]).expect(0);
    evil.requests();
    eve.run(&["relay", "pull", "--wait", "3"]).expect(1);
    let count = evil.requests().len();
    assert!((2..10).contains(&count), "{count} requests in three seconds");

    let world = world();
    world.evil.set(Mode::HangUp);
    let push = ["relay", "push", "--timeout", "1", "--retry", "0"];
    world.carol.pipe(&push, &world.letters("one")).expect(25);
    let args = ["relay", "pull", "--wait", "300", "--timeout", "1", "--output-dir", "in"];
    timed("wait", || world.bob.run(&args)).expect(25);
    assert_eq!(world.pulled("in"), 1);

    // Nothing is there, and one relay fails: the other is waited at.
    let mut wait = world.bob.command(&args);
    let child = wait.spawn().unwrap();
    world.honest.until_waiting(1);
    world.carol.pipe(&push, &world.letters("two")).expect(25);
    timed("wait", || Ran::from(child.wait_with_output().unwrap())).expect(25);
    assert_eq!(world.pulled("in"), 2);
}

#[test]
fn an_invite_at_a_bad_relay_holds_up_no_pairing() {
    for mode in [Mode::Silent, Mode::Raw(WIPED), Mode::Trickle(JSON, " ")] {
        let world = world();
        let bob = &world.bob;
        bob.run(&["invite", "--as", "nobody", "--relay", &world.evil.url]).expect(0);
        let line = bob.run(&["invite", "--as", "dave", "--relay", &world.honest.url]).expect(0).out;
        let dave = Person::with_identity();
        let args = ["pair", "--method", "secret", "--as", "bob", "--relay", &world.honest.url, "-"];
        dave.pipe(&args, &line).expect(0);
        world.evil.set(mode);
        let pair = ["pair", "--timeout", "1", "--retry", "1"];
        let ran = timed("pair", || bob.run(&pair)).expect(25);
        let named = format!("the pairing with nobody at {}", world.evil.url);
        assert!(ran.err.contains(&named), "{}", ran.err);
        dave.run(&["pair"]).expect(0);
        timed("pair", || bob.run(&pair)).expect(25);
        let known = bob.run(&["contact", "list"]).expect(0).text();
        assert!(known.lines().any(|line| line.starts_with("dave ")), "{known}");
    }
}

#[test]
fn a_letter_that_is_too_long_stays_and_is_told_of() {
    let world = world();
    let letter = world.carol.pipe(&["seal", "--to", "bob"], &[b'x'; 100_000]).expect(0).out;
    world.carol.pipe(&["relay", "push"], &letter).expect(0);
    let small = world.carol.pipe(&["seal", "--to", "bob"], b"small").expect(0).out;
    world.carol.pipe(&["relay", "push"], &small).expect(0);
    let pull = ["relay", "pull", "--output-dir", "in", "--max-size", "64K"];
    for count in [1, 1] {
        let ran = world.bob.run(&pull).expect(25);
        assert!(ran.err.contains("longer than 65536 bytes"), "{}", ran.err);
        assert_eq!(world.pulled("in"), count);
    }
    world.bob.run(&["relay", "pull", "--output-dir", "in"]).expect(0);
    assert_eq!(world.pulled("in"), 2);
}
