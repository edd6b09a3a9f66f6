//! `backup` and `restore` as a script sees them: what comes back on another machine, what is
//! refused, and that nothing is left half done.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use common::{Person, Ran, Relay, everything_below, feed};

const WORDS: &str = "correct horse battery staple";

/// Runs with one passphrase in `WORDS` and another in `LOCK`.
fn run(person: &Person, args: &[&str], input: &[u8]) -> Ran {
    let mut command = person.command(args);
    command.env("WORDS", WORDS).env("LOCK", "the lock");
    feed(command, input)
}

/// An age key that lies elsewhere: the file, and its recipient. Quicker than a passphrase.
fn elsewhere() -> &'static (PathBuf, String) {
    static KEY: OnceLock<(PathBuf, String)> = OnceLock::new();
    KEY.get_or_init(|| {
        let path = tempfile::tempdir().unwrap().keep().join("elsewhere");
        let made = Person::new().run(&["keygen", "--age", "-o", path.to_str().unwrap()]).expect(0);
        (path, made.err.trim().trim_start_matches("public key: ").to_owned())
    })
}

fn backup(person: &Person) -> Vec<u8> {
    person.run(&["backup", "-r", &elsewhere().1]).expect(0).out
}

fn restore(person: &Person, more: &[&str], backup: &[u8]) -> Ran {
    let key = elsewhere().0.to_str().unwrap();
    run(person, &[&["restore", "-i", key], more].concat(), backup)
}

fn identity_file(person: &Person) -> PathBuf {
    person.home().join("home/identity")
}

/// Alice and Bob, who paired by a secret invite.
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
    World { alice, bob, _relay: relay, _store: store }
}

impl World {
    /// A letter to Alice's card, which opens as often as one likes and is a replay then.
    fn by_card(&self, body: &[u8]) -> Vec<u8> {
        let carol = Person::with_identity();
        let card = self.alice.path("card");
        fs::write(&card, self.alice.run(&["card", "--name", "Alice A."]).expect(0).out).unwrap();
        carol.pipe(&["seal", "--to", card.to_str().unwrap()], body).expect(0).out
    }
}

/// One seals and pushes, the other pulls and opens; the line of JSON.
fn letter(from: &Person, to: &Person, name: &str, body: &str) -> serde_json::Value {
    let sealed = from.pipe(&["seal", "--to", name], body.as_bytes()).expect(0).out;
    from.pipe(&["relay", "push"], &sealed).expect(0);
    let pulled = to.run(&["relay", "pull"]).expect(0).out;
    let opened = to.pipe(&["open", "--json"], &pulled).expect(0);
    let line = opened.json().remove(0);
    assert_eq!(line["body"], body, "{}", opened.err);
    assert!(!opened.err.contains("had the number"), "{}", opened.err);
    line
}

#[test]
fn a_lost_machine_comes_back() {
    let world = world();
    letter(&world.alice, &world.bob, "bob", "one");
    let seen = world.by_card(b"seen");
    world.alice.pipe(&["open", "--unknown"], &seen).expect(0);
    let backup = backup(&world.alice);
    // Numbers that the backup does not know of.
    letter(&world.alice, &world.bob, "bob", "two");

    let again = Person::new();
    let restored = restore(&again, &["--json"], &backup).expect(0);
    let line = &restored.json()[0];
    assert_eq!(line["identity"], "restored");
    assert_eq!(line["fingerprint"], world.alice.fingerprint());
    assert_eq!((&line["contacts_added"], &line["mailboxes_added"]), (&1.into(), &1.into()));
    let file = identity_file(&again);
    assert_eq!(fs::read(&file).unwrap(), fs::read(identity_file(&world.alice)).unwrap());
    for entry in walkdir::WalkDir::new(again.home().join("home")) {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
    }
    let contact = again.run(&["contact", "show", "bob", "--json"]).expect(0).json();
    assert_eq!(contact[0]["trust"], "secret-invite");
    let card = |person: &Person| person.run(&["card"]).expect(0).out;
    assert_eq!(card(&again), card(&world.alice));

    // What was opened before is a replay; letters go both ways, and no number comes twice.
    again.pipe(&["open", "--unknown"], &seen).expect(16);
    let line = letter(&again, &world.bob, "bob", "three");
    assert_eq!((&line["seq"], &line["from"]["name"]), (&1.into(), &"alice".into()));
    let line = letter(&world.bob, &again, "alice", "four");
    assert_eq!(line["from"]["trust"], "secret-invite");
    assert_eq!(letter(&again, &world.bob, "bob", "five")["missed"], 0);
}

#[test]
fn the_file_tells_nothing_of_what_is_in_it() {
    let world = world();
    let to = ["backup", "--passphrase", "@ENV:WORDS"];
    let backup = run(&world.alice, &to, b"").expect(0).out;
    assert!(backup.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    let identity = fs::read_to_string(identity_file(&world.alice)).unwrap();
    let secret = identity.lines().last().unwrap().as_bytes().to_vec();
    for word in [b"BULLA".as_slice(), b"bob", b"127.0.0.1", b"bulla1", &secret] {
        assert!(!backup.windows(word.len()).any(|window| window == word));
    }
    // The state is none the wiser of the passphrase, and no file of it is left anywhere.
    let disk = everything_below(world.alice.home());
    assert!(!disk.windows(WORDS.len()).any(|window| window == WORDS.as_bytes()));
}

#[test]
fn what_is_refused_says_what_to_do_and_leaves_nothing() {
    let alice = Person::with_identity();
    let fresh = Person::new();
    let words = |words: &str, more: &[&str], input: &[u8]| {
        let args = ["restore", "--passphrase", "@ENV:WORDS"];
        let mut command = fresh.command(&[&args[..], more].concat());
        command.env("WORDS", words);
        feed(command, input)
    };
    let to = ["backup", "--passphrase", "@ENV:WORDS"];
    let by_words = run(&alice, &to, b"").expect(0).out;
    assert!(words("wrong", &[], &by_words).expect(15).err.contains("wrong passphrase"));
    let none = fresh.pipe(&["restore", "--no-input"], &by_words).expect(14);
    assert!(none.err.contains("hint: give the passphrase with --passphrase"), "{}", none.err);

    let backup = backup(&alice);
    let refused = |more: &[&str], input: &[u8], status: i32, says: &str| {
        let ran = restore(&fresh, more, input).expect(status);
        assert!(ran.err.contains(says), "{}", ran.err);
        assert!(!identity_file(&fresh).exists());
    };
    refused(&[], &backup[..backup.len() - 10], 12, "hint: fetch it again");
    let mut changed = backup.clone();
    *changed.last_mut().unwrap() ^= 1;
    refused(&[], &changed, 12, "hint: fetch it again");
    refused(&[], b"something else", 13, "malformed age header");
    refused(&[], b"", 13, "");
    let other = run(&alice, &["seal", "-r", &elsewhere().1], b"a letter").expect(0).out;
    refused(&[], &other, 13, "hint: a backup is what bulla backup wrote");
    refused(&["none"], b"", 21, "cannot read a backup from none");
    let mut homeless = fresh.command(&["restore", "-i", elsewhere().0.to_str().unwrap()]);
    homeless.env_remove("BULLA_HOME");
    feed(homeless, &backup).expect(21);
    // Of all that, nothing is left; and the same backup is as good as ever.
    assert_eq!(fs::read_dir(fresh.home().join("home")).map_or(0, Iterator::count), 0);
    assert!(words(WORDS, &[], &by_words).expect(0).out.is_empty());
    assert_eq!(fresh.fingerprint(), alice.fingerprint());
}

#[test]
fn a_backup_is_sealed_to_something_that_lies_elsewhere() {
    let alice = Person::with_identity();
    let none = alice.run(&["backup", "-o", "backup"]).expect(2);
    assert!(none.err.contains("hint: bulla backup -p, --passphrase SRC"), "{}", none.err);
    let own = alice.run(&["card", "--recipient"]).expect(0).text();
    let locked_in = alice.run(&["backup", "-r", own.trim(), "-o", "backup"]).expect(2);
    assert!(locked_in.err.contains("nobody but the identity"), "{}", locked_in.err);
    assert!(!alice.home().join("backup").exists());
    alice.run(&["backup", "-p", "--no-input", "-o", "backup"]).expect(14);

    alice.run(&["keygen", "--age", "-o", "elsewhere"]).expect(0);
    let text = fs::read_to_string(alice.home().join("elsewhere")).unwrap();
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    fs::write(alice.home().join("recipients"), format!("{own}\n{recipient}\n")).unwrap();
    let made = ["backup", "-R", "recipients", "-a", "-o", "backup", "--json"];
    let made = alice.run(&made).expect(0);
    assert_eq!(made.json()[0]["contacts"], 0);
    let path = alice.home().join("backup");
    let sealed = fs::read(&path).unwrap();
    assert!(sealed.starts_with(b"-----BEGIN AGE"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    alice.run(&["backup", "-R", "recipients", "-o", "backup"]).expect(20);

    let fresh = Person::new();
    let unnamed = fresh.pipe(&["restore"], &sealed).expect(10);
    assert!(unnamed.err.contains("hint: name the key with -i FILE"), "{}", unnamed.err);
    fresh.run(&["keygen", "-o", "another"]).expect(0);
    fresh.pipe(&["restore", "-i", "another"], &sealed).expect(10);
    fs::copy(alice.home().join("elsewhere"), fresh.home().join("key")).unwrap();
    fresh.pipe(&["restore", "-i", "key"], &sealed).expect(0);
    assert_eq!(fresh.fingerprint(), alice.fingerprint());
}

#[test]
fn the_same_identity_is_merged_and_another_is_left_alone() {
    let world = world();
    let backup = backup(&world.alice);
    world.alice.run(&["contact", "rename", "bob", "Robert"]).expect(0);
    let seen = world.by_card(b"seen");
    world.alice.pipe(&["open", "--unknown"], &seen).expect(0);
    let before = fs::read(identity_file(&world.alice)).unwrap();
    let merged = restore(&world.alice, &["--json"], &backup).expect(0);
    assert_eq!(merged.json()[0]["identity"], "kept");
    assert_eq!(merged.json()[0]["contacts_added"], 0);
    assert!(merged.err.contains("the identity is here already"), "{}", merged.err);
    world.alice.run(&["contact", "show", "Robert"]).expect(0);
    world.alice.pipe(&["open", "--unknown"], &seen).expect(16);
    // Removed by mistake, and back again: a backup lifts no revocation.
    world.alice.run(&["contact", "remove", "Robert"]).expect(0);
    restore(&world.alice, &[], &backup).expect(0);
    let shown = world.alice.run(&["contact", "show", "bob", "--json"]).expect(0).json();
    assert!(!shown[0]["revoked"].is_null());
    world.alice.pipe(&["open", "--unknown"], &seen).expect(16);
    assert_eq!(fs::read(identity_file(&world.alice)).unwrap(), before);

    let theirs = fs::read(identity_file(&world.bob)).unwrap();
    let other = restore(&world.bob, &[], &backup).expect(20);
    assert!(other.err.contains("another identity is in"), "{}", other.err);
    assert_eq!(fs::read(identity_file(&world.bob)).unwrap(), theirs);
    let fingerprint = world.bob.fingerprint();
    let forced = restore(&world.bob, &["--force", "--json"], &backup).expect(0);
    assert!(forced.err.contains(&format!("was replaced, which was {fingerprint}")));
    assert_eq!(forced.json()[0]["identity"], "replaced");
    let kept = forced.json()[0]["kept"].as_str().unwrap().to_owned();
    assert_eq!(fs::read(&kept).unwrap(), theirs);
    assert!(kept.contains("identity.old-") && kept.contains(&fingerprint[..14]), "{kept}");
    assert!(!other.err.contains("for good"), "{}", other.err);
    assert_eq!(world.bob.fingerprint(), world.alice.fingerprint());
}

#[test]
fn an_identity_from_elsewhere_stays_there() {
    let alice = Person::with_identity();
    let backup = backup(&alice);
    let text = fs::read_to_string(identity_file(&alice)).unwrap();
    let key = elsewhere().0.to_str().unwrap();
    let with = |text: &str, person: &Person| {
        let mut command = person.command(&["restore", "-i", key]);
        command.env("BULLA_IDENTITY", text.lines().last().unwrap());
        feed(command, &backup)
    };
    let fresh = Person::new();
    with(&text, &fresh).expect(0);
    assert!(!identity_file(&fresh).exists());
    let other = fs::read_to_string(identity_file(&Person::with_identity())).unwrap();
    let refused = with(&other, &fresh).expect(20);
    assert!(refused.err.contains("hint: unset BULLA_IDENTITY"), "{}", refused.err);

    let mut named = fresh.command(&["restore", "-i", key]);
    named.env("BULLA_IDENTITY_FILE", fresh.home().join("elsewhere"));
    feed(named, &backup).expect(0);
    assert_eq!(fs::read_to_string(fresh.home().join("elsewhere")).unwrap(), text);
}

#[test]
fn a_lock_stays_or_is_changed() {
    let alice = Person::new();
    run(&alice, &["keygen", "--default", "--passphrase", "@ENV:LOCK"], b"").expect(0);
    let args = ["backup", "-r", &elsewhere().1];
    let locked = run(&alice, &[&args[..], &["--no-input"]].concat(), b"").expect(14);
    assert!(locked.err.contains("hint: give the identity's with --identity-passphrase"));
    let with = [&args[..], &["--identity-passphrase", "@ENV:LOCK"]].concat();
    let backup = run(&alice, &with, b"").expect(0).out;

    let fresh = Person::new();
    restore(&fresh, &[], &backup).expect(0);
    let text = fs::read(identity_file(&fresh)).unwrap();
    assert_eq!(text, fs::read(identity_file(&alice)).unwrap());
    let card = ["card", "--passphrase", "@ENV:LOCK"];
    let fingerprint = run(&fresh, &card, b"").expect(0).err;

    // The same once more, and the same under another passphrase, which has to be seen.
    restore(&fresh, &["--no-input"], &backup).expect(0);
    let other = Person::new();
    restore(&other, &["--lock=@ENV:WORDS"], &backup).expect(0);
    assert!(run(&other, &card, b"").expect(15).err.contains("wrong passphrase"));
    let card = ["card", "--passphrase", "@ENV:WORDS"];
    assert_eq!(run(&other, &card, b"").expect(0).err, fingerprint);
    let unseen = restore(&other, &["--no-input"], &backup).expect(14);
    assert!(unseen.err.contains("cannot see whether the identity here is the same"));
    restore(&other, &["--identity-passphrase", "@ENV:WORDS"], &backup).expect(0);
    restore(&other, &["--lock=@ENV:LOCK"], &backup).expect(14);
    restore(&other, &["--force", "--no-input"], &backup).expect(0);
    assert_eq!(fs::read(identity_file(&other)).unwrap(), text);
    // The other passphrase might have locked another identity: it is kept.
    assert_eq!(common::kept(&other.home().join("home")).len(), 1);
    let refused = restore(&other, &["--lock=@ENV:LOCK"], &backup).expect(2);
    assert!(refused.err.contains("lock it again with --force --lock"), "{}", refused.err);
}

/// Nothing that the old passphrase opens stays.
#[test]
fn the_same_identity_is_locked_again_without_a_copy() {
    let alice = Person::with_identity();
    let backup = backup(&alice);
    let open = fs::read_to_string(identity_file(&alice)).unwrap();
    let lock = |with: &[&str]| {
        let again = [&["--force", "--json"], with].concat();
        let ran = restore(&alice, &again, &backup).expect(0);
        assert_eq!(ran.json()[0]["identity"], "locked");
        assert!(ran.err.contains("locked the identity in"), "{}", ran.err);
    };
    lock(&["--lock=@ENV:LOCK"]);
    lock(&["--lock=@ENV:WORDS", "--identity-passphrase", "@ENV:LOCK"]);
    run(&alice, &["card", "--passphrase", "@ENV:LOCK"], b"").expect(15);
    run(&alice, &["card", "--passphrase", "@ENV:WORDS"], b"").expect(0);
    assert!(common::kept(&alice.home().join("home")).is_empty());

    // A file that holds more is kept.
    let age = alice.run(&["keygen", "--age"]).expect(0).text();
    fs::write(identity_file(&alice), format!("{open}{age}")).unwrap();
    let ran = restore(&alice, &["--force", "--lock=@ENV:LOCK"], &backup).expect(0);
    assert!(ran.err.contains("is kept in"), "{}", ran.err);
    assert_eq!(common::kept(&alice.home().join("home")).len(), 1);

    // One that cannot be looked at may be another.
    let unseen = ["--force", "--lock=@ENV:WORDS", "--no-input"];
    let ran = restore(&alice, &unseen, &backup).expect(0);
    assert!(ran.err.contains("if it is the same one, its old passphrase"), "{}", ran.err);
    assert_eq!(common::kept(&alice.home().join("home")).len(), 2);
}

#[test]
fn damaged_state_gives_its_place_up_to_force_alone() {
    let world = world();
    let backup = backup(&world.alice);
    letter(&world.alice, &world.bob, "bob", "so that there is a ratchet");
    let files: Vec<PathBuf> = walkdir::WalkDir::new(world.alice.home().join("home"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file() && path.parent().unwrap().join("book").exists())
        .filter(|path| path.extension().is_none())
        .collect();
    // The book, the links, and the ratchets with Bob.
    assert_eq!(files.len(), 3, "{files:?}");
    for file in &files {
        fs::write(file, "damaged").unwrap();
        let hint = restore(&world.alice, &[], &backup).expect(12).err;
        assert!(hint.contains("bulla restore --force BACKUP"), "{hint}");
        assert_eq!(fs::read(file).unwrap(), b"damaged");
        let forced = restore(&world.alice, &["--force"], &backup).expect(0);
        assert!(forced.err.contains("warning: replaced what cannot be read"), "{}", forced.err);
        let kept = format!("{}.unreadable-1", file.display());
        assert!(forced.err.contains(&format!("it is kept in {kept}")), "{}", forced.err);
        assert_eq!(fs::read(kept).unwrap(), b"damaged");
    }
    letter(&world.alice, &world.bob, "bob", "still there");
    letter(&world.bob, &world.alice, "alice", "yes");
}

/// A run that is killed between two writes is made good by the next.
#[test]
fn half_a_restore_is_completed_by_another() {
    let world = world();
    let backup = backup(&world.alice);
    let whole = Person::new();
    restore(&whole, &[], &backup).expect(0);
    for missing in ["identity", "book", "pairs"] {
        let entry = walkdir::WalkDir::new(whole.home().join("home"))
            .into_iter()
            .map(Result::unwrap)
            .find(|entry| entry.file_name() == missing)
            .unwrap();
        fs::remove_file(entry.path()).unwrap();
        restore(&whole, &[], &backup).expect(0);
        whole.run(&["contact", "show", "bob"]).expect(0);
    }
    letter(&whole, &world.bob, "bob", "here");
}
