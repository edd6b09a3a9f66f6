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
    world.join(&["--method", "device", "--no-input"], &line).expect(11);
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

/// A relay in the middle stalls an attempt whose digits would differ; the next one warns.
#[test]
fn a_second_attempt_by_digits_warns_of_the_first() {
    let world = world();
    let warned = |ran: &Ran| ran.err.contains("never finished");
    // The first: Bob has joined, Ann has answered, and nothing more comes.
    let line = world.invite(&world.ann, &["--public", "--as", "bob"]);
    let first = world.join(&["--method", "digits", "--as", "ann"], &line).expect(0);
    assert!(!warned(&first), "{}", first.err);
    world.ann.run(&["pair"]).expect(1);
    // The second, while the first is still pending on both sides.
    let at = ["--relay", world.relay.url.as_str()];
    let again = world.ann.run(&[&["invite", "--public", "--as", "Bob"], &at[..]].concat());
    assert!(warned(&again), "{}", again.err);
    let joined = world.join(&["--method", "digits", "--as", "ann"], &again.out).expect(0);
    assert!(warned(&joined), "{}", joined.err);
    // Others are not warned of.
    let other = world.ann.run(&[&["invite", "--public", "--as", "dora"], &at[..]].concat());
    assert!(!warned(&other), "{}", other.err);
    let secret = world.ann.run(&[&["invite", "--as", "bob"], &at[..]].concat());
    assert!(!warned(&secret), "{}", secret.err);
    // And after both have given up what was pending.
    world.bob.run(&["contact", "remove", "ann"]).expect(0);
    world.ann.run(&["contact", "remove", "bob"]).expect(0);
    assert_eq!((pairings(&world.ann), pairings(&world.bob)), (vec!["dora".into()], vec![]));
    let third = world.ann.run(&[&["invite", "--words", "--as", "bob"], &at[..]].concat());
    assert!(warned(&third) && third.err.contains("the last one given up 2"), "{}", third.err);
    let path = world.bob.path("words");
    std::fs::write(&path, third.err.lines().find_map(|l| l.strip_prefix("words: ")).unwrap())
        .unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let words = ["--words", path.to_str().unwrap(), "--as", "ann"];
    let joined = world.join(&words, &third.out).expect(0);
    assert!(warned(&joined) && joined.err.contains("the last one given up 2"), "{}", joined.err);
    // What came of it in the end is said once more, and then forgotten.
    for person in [&world.ann, &world.bob, &world.ann, &world.bob] {
        person.run(&["pair"]);
    }
    assert_eq!(contacts(&world.bob), ["ann"]);
    let fourth = world.ann.run(&[&["invite", "--public", "--as", "bob"], &at[..]].concat());
    assert!(!warned(&fourth), "{}", fourth.err);
}

/// The digits of a stalled attempt come up again with the warning beside them.
#[test]
fn digits_are_shown_again_and_say_where_the_others_go() {
    let world = world();
    for attempt in 0..2 {
        let line = world.invite(&world.ann, &["--public", "--as", "bob"]);
        world.join(&["--method", "digits", "--as", "ann"], &line).expect(0);
        world.ann.run(&["pair"]).expect(1);
        let first = world.bob.run(&["pair"]).expect(1);
        assert_eq!(first.err.contains("never finished"), attempt == 1, "{}", first.err);
        let again = world.bob.run(&["pair"]).expect(1);
        let digits = shown(&world.bob);
        for ran in [&first, &again] {
            let says = format!(
                "ann must type {digits}, and you the four shown there: bulla pair --confirm ann"
            );
            assert!(ran.err.contains(&says) || attempt == 1, "{}", ran.err);
            assert!(ran.err.contains("waits for the digits to be typed here") || attempt == 1);
        }
    }
}

/// An invite that fell into the wrong hands is withdrawn: no one pairs by it from then on.
#[test]
fn an_invite_that_was_withdrawn_cannot_be_taken_up() {
    let mut world = world();
    assert_eq!(world.ann.run(&["invite", "--list"]).expect(1).text(), "");
    let line = world.invite(&world.ann, &["--as", "bob"]);
    let other = world.invite(&world.ann, &["--public"]);
    let listed = world.ann.run(&["invite", "--list", "--json"]).expect(0).json();
    let fields: Vec<_> = listed.iter().map(|one| (&one["name"], &one["method"])).collect();
    assert_eq!(fields, [(&"bob".into(), &"secret".into()), (&().into(), &"digits".into())]);
    let id = listed[0]["id"].as_str().unwrap();
    assert!(
        world.ann.run(&["invite", "--list"]).text().starts_with(&format!("{id}  bob  secret  "))
    );
    let unnamed = listed[1]["id"].as_str().unwrap();
    assert!(pairings(&world.ann).contains(&unnamed.to_owned()));

    let none = world.ann.run(&["invite", "--withdraw", "ffffffff"]).expect(2);
    assert!(none.err.contains("hint: bulla invite --list"), "{}", none.err);
    world.ann.run(&["invite", "--withdraw", id]).expect(0);
    let used = world.join(&["--method", "secret"], &line).expect(16);
    assert!(used.err.contains("used or withdrawn"), "{}", used.err);
    assert_eq!(pairings(&world.bob), Vec::<String>::new());
    assert_eq!(pairings(&world.ann), [unnamed]);

    // One that was taken up before it was withdrawn comes to nothing too.
    world.join(&["--method", "digits", "--as", "ann"], &other).expect(0);
    world.relay.kill();
    let away = world.ann.run(&["invite", "--withdraw", unnamed, "--retry", "0"]).expect(0);
    assert!(away.err.contains("a mailbox stays open at "), "{}", away.err);
    assert_eq!(pairings(&world.ann), Vec::<String>::new());
}

/// Two invites of one name are told apart by their ids, and a pending pairing goes by its name on
/// either side.
#[test]
fn a_pending_pairing_is_given_up_by_name() {
    let world = world();
    let line = world.invite(&world.ann, &["--as", "bob"]);
    world.invite(&world.ann, &["--as", "bob"]);
    let two = world.ann.run(&["invite", "--withdraw", "bob"]).expect(2);
    assert!(two.err.contains("give the id"), "{}", two.err);
    world.join(&["--method", "secret", "--as", "ann"], &line).expect(0);
    world.bob.run(&["contact", "remove", "ann"]).expect(0);
    world.ann.run(&["contact", "remove", "BOB"]).expect(0);
    for person in [&world.ann, &world.bob] {
        assert_eq!(person.run(&["pair"]).expect(1).err.trim(), "no pairing is under way");
    }
    world.ann.run(&["contact", "remove", "bob"]).expect(2);
}

/// An invite among the arguments stays out of every log, whatever verb it was given to.
#[test]
fn an_invite_among_the_arguments_is_not_repeated() {
    let world = world();
    for kind in [&[][..], &["--device"]] {
        let line = String::from_utf8(world.invite(&world.ann, kind)).unwrap();
        let line = line.trim();
        let upper = line.to_uppercase();
        let flag = format!("--words={line}");
        for args in [
            &["pair", line][..],
            &["pair", "--method", "secret", "-v", &upper],
            &["pair", "--json", "--method", "secret", "x", line],
            &["pair", &flag],
            &["invite", line],
            &["contact", "add", "ann", line],
            &["seal", "--passphrase", line],
        ] {
            let ran = world.bob.run(args).expect(2);
            let said = (ran.err.clone() + &ran.text()).to_lowercase();
            assert!(!said.contains(&line[..24]), "{said}");
            assert!(said.contains("@env:name"), "{said}");
        }
    }
    // A passphrase or words where the name of a file belongs.
    for args in [
        &["pair", "tr0ub4dor and friends", "--method", "secret"][..],
        &["pair", "@tr0ub4dor and friends", "--method", "secret"],
        &["seal", "--passphrase", "tr0ub4dor and friends"],
        &["seal", "--passphrase", "@tr0ub4dor"],
        &["keygen", "--passphrase", "tr0ub4dor/x"],
        &["contact", "list", "--passphrase", "x", "-i", "tr0ub4dor"],
    ] {
        let ran = world.bob.run(args);
        assert!(matches!(ran.status, 2 | 21), "{} {}", ran.status, ran.err);
        assert!(!ran.err.contains("tr0ub4dor") && !ran.text().contains("tr0ub4dor"), "{}", ran.err);
        assert!(ran.err.contains("@ENV:NAME"), "{}", ran.err);
    }
}

fn digits_of(person: &Person, name: &str) -> serde_json::Value {
    person.run(&["contact", "verify", name, "--json"]).expect(0).json().remove(0)
}

fn verified(person: &Person, name: &str) -> Option<String> {
    let shown = person.run(&["contact", "show", name, "--json"]).expect(0).json().remove(0);
    shown["verified"]["by"].as_str().map(str::to_owned)
}

impl World {
    fn pair_by_secret(&self) {
        let line = self.invite(&self.ann, &["--as", "bob"]);
        self.join(&["--method", "secret", "--as", "ann"], &line).expect(0);
        for person in [&self.ann, &self.bob, &self.ann] {
            person.run(&["pair"]);
        }
    }
}

#[test]
fn sixty_digits_are_compared_and_stay_with_their_fingerprint() {
    let world = world();
    let World { ann, bob, mallory, relay, .. } = &world;
    world.pair_by_secret();
    let (anns, bobs) = (digits_of(ann, "bob"), digits_of(bob, "ann"));
    assert_eq!(
        (&anns["digits"], &anns["over"]),
        (&bobs["digits"], &"fingerprints and pairing".into())
    );
    let shown = ann.run(&["contact", "verify", "bob"]).expect(0);
    let lines: Vec<_> = shown.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{}", shown.text());
    assert_eq!(lines.concat().replace(' ', "").len() + 9 - 9, 60);
    assert_eq!(verified(ann, "bob").as_deref(), Some("secret-invite"));

    // The digits of another pair of people, a slip, and too few.
    let wrong = anns["digits"].as_str().unwrap().replace(['1', '2', '3'], "4");
    let refused =
        ann.pipe(&["contact", "verify", "bob", "--digits", "-"], wrong.as_bytes()).expect(11);
    assert!(refused.err.contains("the digits differ: someone is in between"), "{}", refused.err);
    ann.pipe(&["contact", "verify", "bob", "--digits", "-"], b"1234").expect(2);
    assert_eq!(verified(ann, "bob").as_deref(), Some("secret-invite"));
    let right = bob.run(&["contact", "verify", "ann"]).expect(0).out;
    ann.pipe(&["contact", "verify", "bob", "--digits", "-"], &right).expect(0);
    assert_eq!(verified(ann, "bob").as_deref(), Some("compared"));
    let text = ann.run(&["contact", "show", "bob"]).expect(0).text();
    assert!(text.contains("trust:        secret-invite, 2"), "{text}");
    assert!(text.contains("verified:     compared, 2"), "{text}");

    // Weaker ways to the same fingerprint take nothing back.
    world.pair_by_secret();
    assert_ne!(digits_of(ann, "bob")["digits"], anns["digits"]);
    assert_eq!(verified(ann, "bob").as_deref(), Some("compared"));
    let card = bob.card("bob", &relay.url);
    ann.run(&["contact", "remove", "bob"]).expect(0);
    ann.knows("bob", &card);
    assert_eq!(verified(ann, "bob").as_deref(), Some("compared"));
    assert_eq!(digits_of(ann, "bob")["over"], "fingerprints");
    // Another fingerprint under the name inherits nothing.
    ann.run(&["contact", "remove", "bob"]).expect(0);
    ann.knows("bob", &mallory.card("bob", &relay.url));
    assert_eq!(verified(ann, "bob"), None);
}
