//! No command destroys a secret key.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Person, kept};

fn identity(person: &Person) -> PathBuf {
    person.home().join("home/identity")
}

/// The one key that is kept in a folder: as it was, and private.
#[track_caller]
fn only_kept(folder: &Path, was: &[u8]) -> PathBuf {
    let all = kept(folder);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(fs::read(&all[0]).unwrap(), was);
    assert_eq!(fs::metadata(&all[0]).unwrap().permissions().mode() & 0o777, 0o600);
    all[0].clone()
}

/// The attack of `cases/cli/keygen-force.sh`: the program's hints are followed.
#[test]
fn keygen_force_destroyed_the_only_key() {
    let ann = Person::with_identity();
    fs::write(ann.home().join("n.txt"), "a secret note").unwrap();
    ann.run(&["index", "build", "n.txt"]).expect(0);
    let (was, fingerprint) = (fs::read(identity(&ann)).unwrap(), ann.fingerprint());
    let refused = ann.run(&["keygen", "--default"]).expect(20);
    assert!(refused.err.contains(&fingerprint), "{}", refused.err);
    assert!(!refused.err.contains("force"), "{}", refused.err);
    assert_eq!(fs::read(identity(&ann)).unwrap(), was);

    let forced = ann.run(&["keygen", "--default", "--force", "--quiet"]).expect(0);
    let old = only_kept(&ann.home().join("home"), &was);
    let name = old.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("identity.old-20") && name.ends_with(&fingerprint[..14]), "{name}");
    assert!(forced.err.contains(&format!("is kept in {}", old.display())), "{}", forced.err);
    assert_ne!(ann.fingerprint(), fingerprint);
    ann.run(&["search", "secret"]).expect(21);
    ann.run(&["search", "-i", old.to_str().unwrap(), "secret"]).expect(0);

    // The command that is printed puts it back, and loses neither.
    let hint = forced.err.lines().find_map(|line| line.strip_prefix("hint: or put it back: "));
    let new = fs::read(identity(&ann)).unwrap();
    assert!(Command::new("sh").args(["-c", hint.unwrap()]).status().unwrap().success());
    assert_eq!(fs::read(identity(&ann)).unwrap(), was);
    assert_eq!(fs::read(ann.home().join("home/identity.new")).unwrap(), new);
    ann.run(&["search", "secret"]).expect(0);

    // As often as it is done: none of them takes the place of another.
    for number in 1..4 {
        ann.run(&["keygen", "--default", "--force"]).expect(0);
        assert_eq!(kept(&ann.home().join("home")).len(), number);
    }
}

/// Whatever writes to a file that a key is in.
#[test]
fn no_verb_writes_over_a_secret_key() {
    let ann = Person::with_identity();
    ann.run(&["keygen", "-o", "id.key"]).expect(0);
    let (work, key) = (ann.path("work"), fs::read(ann.home().join("id.key")).unwrap());
    fs::create_dir(&work).unwrap();
    let file = work.join("id.key");
    let path = file.to_str().unwrap();
    let recipient = ann.run(&["card", "--recipient"]).expect(0).text();
    let sealed = ann.pipe(&["seal", "-r", recipient.trim()], b"a letter").expect(0).out;
    let runs: [(&[&str], &[u8]); 6] = [
        (&["keygen"], b""),
        (&["keygen", "--age"], b""),
        (&["seal", "-r", recipient.trim()], b"body"),
        (&["seal", "--to", "me.card"], b"body"),
        (&["open"], &sealed),
        (&["backup", "-r", "age1pq1"], b""),
    ];
    ann.run(&["keygen", "-o", "elsewhere"]).expect(0);
    let other = ann.run(&["card", "-i", "elsewhere", "--recipient"]).expect(0).text();
    let card = ann.run(&["card", "-i", "elsewhere"]).expect(0).out;
    fs::write(ann.home().join("me.card"), card).unwrap();
    for (args, input) in runs {
        let args: Vec<&str> =
            args.iter().map(|one| if *one == "age1pq1" { other.trim() } else { one }).collect();
        fs::write(&file, &key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = ann.pipe(&[&args[..], &["-o", path]].concat(), input).expect(20);
        assert!(refused.err.contains("holds a secret key"), "{}", refused.err);
        assert!(!refused.err.contains("--force"), "{}", refused.err);
        let ran = ann.pipe(&[&args[..], &["-f", "-o", path]].concat(), input).expect(0);
        assert_ne!(fs::read(&file).unwrap(), key);
        let old = only_kept(&work, &key);
        assert!(ran.err.contains(old.to_str().unwrap()), "{args:?}: {}", ran.err);
        fs::remove_file(old).unwrap();
    }
    // What is no key is replaced as ever.
    ann.pipe(&["open", "-f", "-o", path], &sealed).expect(0);
    assert_eq!(fs::read(&file).unwrap(), b"a letter");
    fs::remove_file(&file).unwrap();
    assert_eq!(fs::read_dir(&work).unwrap().count(), 0);
}

#[test]
fn locked_keys_are_kept_too_and_where_verbs_look_for_the_identity_anything_is() {
    let ann = Person::new();
    fs::write(ann.path("pw"), "the passphrase").unwrap();
    fs::set_permissions(ann.path("pw"), fs::Permissions::from_mode(0o600)).unwrap();
    let lock = ["--passphrase", "files/pw"];
    let make = |args: &[&str]| ann.run(&[&["keygen"], args].concat()).expect(0);
    for kind in [&[][..], &["--age"], &["--age=x25519"]] {
        let (folder, at) = (ann.home().join("locked"), ["-f", "-o", "locked/key"]);
        fs::create_dir(&folder).unwrap();
        make(&[&at[..], &lock, kind].concat());
        let was = fs::read(folder.join("key")).unwrap();
        make(&at);
        only_kept(&folder, &was);
        fs::remove_dir_all(folder).unwrap();
    }
    make(&["--default"]);
    // A backup holds the key that is here, and is replaced every night.
    let night = ["backup", "-a", "-f", "-o", "locked.backup", "--passphrase", "files/pw"];
    for _ in 0..2 {
        ann.run(&night).expect(0);
    }
    assert!(kept(ann.home()).is_empty());

    let odd = b"age-encryption.org/v1\n-> scrypt of another program";
    for (place, variable) in [(identity(&ann), None), (ann.home().join("mine"), Some(()))] {
        fs::write(&place, odd).unwrap();
        let mut command = ann.command(&["keygen", "--age", "-f", "-o", place.to_str().unwrap()]);
        if variable.is_some() {
            command.env("BULLA_IDENTITY_FILE", &place);
        }
        assert!(command.output().unwrap().status.success());
        only_kept(place.parent().unwrap(), odd);
    }
}

/// The new file is there only when the old one is safe, whatever ends the run.
#[test]
fn a_key_is_never_away_while_it_is_replaced() {
    let ann = Person::with_identity();
    let folder = ann.home().join("home");
    let inode = fs::metadata(identity(&ann)).unwrap().ino();
    let all_keys = || -> usize {
        let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |file: &PathBuf| fs::metadata(file).is_ok_and(|file| file.ino() == inode);
        files.filter(is_it).count()
    };
    let mut runs: Vec<_> =
        (0..6).map(|_| ann.command(&["keygen", "--default", "--force"]).spawn().unwrap()).collect();
    while runs.iter_mut().any(|run| run.try_wait().unwrap().is_none()) {
        // A name may go while the folder is listed; the other is there for good by then.
        assert!(all_keys() >= 1 || all_keys() >= 1);
    }
    assert!(all_keys() >= 1);
    let mut texts: Vec<Vec<u8>> =
        kept(&folder).iter().map(|path| fs::read(path).unwrap()).collect();
    texts.push(fs::read(identity(&ann)).unwrap());
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 7, "the first one, and one of each run");
}
