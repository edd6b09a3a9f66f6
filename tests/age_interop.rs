//! Both ways with the real `age` program.
//!
//! Without it the tests say so and pass, except where `CI` is set: there they fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "common/skip.rs"]
mod skip;

#[path = "age/differential.rs"]
mod differential;
#[path = "age/mutate.rs"]
mod mutate;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bulla::age::{
    ArmorWriter, Dearmored, Identity, Opener, Recipient, ScryptIdentity, ScryptRecipient, Sealer,
    X25519Identity,
};
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse battery staple";

/// Lengths at which the number of chunks, or the way they are worked on, changes.
const LENGTHS: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 3_000_000];

/// Runs `test` in a fresh folder, if `age` is there.
fn with_age(test: impl FnOnce(&Path)) {
    if Command::new("age").arg("--version").output().is_ok_and(|output| output.status.success()) {
        let folder = TempDir::new().unwrap();
        return test(folder.path());
    }
    skip::because("the age program is missing: apt-get install age");
}

/// Runs `age` and returns what it wrote to its output. (With `-o` the version in Debian 12
/// makes no file for an empty plaintext.)
fn age(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("age").args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "age {arguments:?}: {output:?}");
    output.stdout
}

/// `age` asks for passphrases on its terminal, so it gets one: script(1) makes it and passes
/// its input on.
fn age_with_terminal(folder: &Path, arguments: &str, typed: &str) -> bool {
    let command = format!("age {arguments}");
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Held open until age has ended: the end of input would be typed to it too.
    let mut keyboard = script.stdin.take().unwrap();
    // One that refuses the file at once has ended before it could ask.
    let _ = keyboard.write_all(typed.as_bytes());
    let status = script.wait().unwrap();
    drop(keyboard);
    status.success()
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|i| ((i * 31) >> 3) as u8).collect()
}

fn seal(path: &Path, recipient: &dyn Recipient, armored: bool, plain: &[u8]) {
    let sealer = Sealer::new(&[recipient]).unwrap();
    let mut file = fs::File::create(path).unwrap();
    if armored {
        let mut armor = ArmorWriter::new(&mut file);
        sealer.seal(plain, &mut armor).unwrap();
        armor.finish().unwrap();
    } else {
        sealer.seal(plain, &mut file).unwrap();
    }
}

fn open(path: &Path, identity: &dyn Identity, armored: bool) -> Vec<u8> {
    let input = Dearmored::new(fs::File::open(path).unwrap()).unwrap();
    assert_eq!(input.is_armored(), armored);
    let mut opened = Vec::new();
    Opener::new(input, &[identity]).unwrap().open(&mut opened).unwrap();
    opened
}

#[test]
fn x25519_binary_and_armored() {
    with_age(|folder| {
        let identity = X25519Identity::generate().unwrap();
        let recipient = identity.recipient().to_string();
        fs::write(folder.join("key"), identity.to_text().as_bytes()).unwrap();
        for length in LENGTHS {
            let plain = plain(length);
            fs::write(folder.join("plain"), &plain).unwrap();
            for armored in [false, true] {
                seal(&folder.join("ours"), identity.recipient(), armored, &plain);
                assert!(age(folder, &["--decrypt", "-i", "key", "ours"]) == plain);

                let mut arguments = vec!["-r", &recipient, "-o", "theirs", "plain"];
                if armored {
                    arguments.insert(0, "--armor");
                }
                age(folder, &arguments);
                assert!(open(&folder.join("theirs"), &identity, armored) == plain);
            }
        }
    });
}

#[test]
fn armor_is_the_same_text() {
    with_age(|folder| {
        let identity = X25519Identity::generate().unwrap();
        let recipient = identity.recipient().to_string();
        fs::write(folder.join("plain"), plain(100_000)).unwrap();
        age(folder, &["--armor", "-r", &recipient, "-o", "theirs", "plain"]);
        let theirs = fs::read(folder.join("theirs")).unwrap();
        let mut ours = ArmorWriter::new(Vec::new());
        let mut binary = Dearmored::new(theirs.as_slice()).unwrap();
        std::io::copy(&mut binary, &mut ours).unwrap();
        assert!(ours.finish().unwrap() == theirs);
    });
}

#[test]
fn keys_of_age_keygen() {
    with_age(|folder| {
        let output = Command::new("age-keygen").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let secret = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let identity = X25519Identity::parse(secret).unwrap();
        assert_eq!(identity.to_text().as_str(), secret);
        assert!(text.contains(&format!("# public key: {}\n", identity.recipient())));
        fs::write(folder.join("plain"), b"hello").unwrap();
        let recipient = identity.recipient().to_string();
        age(folder, &["-r", &recipient, "-o", "theirs", "plain"]);
        assert_eq!(open(&folder.join("theirs"), &identity, false), b"hello");
    });
}

#[test]
fn we_open_what_age_sealed_to_a_passphrase() {
    with_age(|folder| {
        fs::write(folder.join("plain"), b"hello").unwrap();
        let typed = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
        assert!(age_with_terminal(folder, "--passphrase -o theirs plain", &typed));
        let identity = ScryptIdentity::new(PASSPHRASE.to_owned().into());
        assert_eq!(open(&folder.join("theirs"), &identity, false), b"hello");
    });
}

#[test]
fn age_opens_what_we_sealed_to_a_passphrase() {
    with_age(|folder| {
        let recipient = ScryptRecipient::new(PASSPHRASE.to_owned().into());
        let recipient = recipient.work_factor(12).unwrap();
        seal(&folder.join("ours"), &recipient, false, b"hello");
        let decrypt = |typed: &str| age_with_terminal(folder, "--decrypt -o opened ours", typed);
        assert!(!decrypt("another one\n"));
        assert!(decrypt(&format!("{PASSPHRASE}\n")));
        assert_eq!(fs::read(folder.join("opened")).unwrap(), b"hello");
    });
}
