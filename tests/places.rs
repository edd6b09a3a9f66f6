//! Links, devices, mounted secrets and cards as people paste them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/skip.rs"]
mod skip;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

use common::{Person, feed};

fn mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Seals to a plain age key in the file `k`. Returns the person who has it, and the sealed file.
fn with_age_key() -> (Person, Vec<u8>) {
    let me = Person::new();
    me.run(&["keygen", "--age=x25519", "-o", "k"]).expect(0);
    let recipient = me.run(&["card", "--recipient", "-i", "k"]).expect(0).text();
    let sealed = me.pipe(&["seal", "-r", recipient.trim()], b"secret").expect(0).out;
    fs::write(me.home().join("s.age"), &sealed).unwrap();
    (me, sealed)
}

#[test]
fn output_goes_through_links_and_stays_whole() {
    let (me, _) = with_age_key();
    let home = me.home();
    fs::create_dir(home.join("d")).unwrap();
    fs::write(home.join("d/real"), "old").unwrap();
    symlink("d/real", home.join("link")).unwrap();
    symlink("link", home.join("second")).unwrap();
    symlink("d/new", home.join("dangling")).unwrap();
    symlink("loop", home.join("loop")).unwrap();
    let open = |more: &[&str]| me.run(&[&["open", "-i", "k", "s.age"], more].concat());
    open(&["-o", "link"]).expect(20);
    open(&["-f", "-o", "second"]).expect(0);
    open(&["-o", "dangling"]).expect(0);
    for (link, real) in [("link", "d/real"), ("dangling", "d/new")] {
        assert!(home.join(link).symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(home.join(real)).unwrap(), b"secret");
    }
    open(&["-o", "loop"]).expect(21);
    // What fails leaves what was there, wherever the link leads.
    let broken = me.pipe(&["open", "-i", "k", "-f", "-o", "link"], b"age-encryption.org/v1\n");
    assert_ne!(broken.status, 0);
    assert_eq!(fs::read(home.join("d/real")).unwrap(), b"secret");
    // Devices are written to, and standard output by any of its names.
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"] {
        for force in [&[][..], &["-f"]] {
            let ran = open(&[force, &["-o", name]].concat()).expect(0);
            assert_eq!(ran.out, b"secret", "{name}");
        }
    }
    open(&["-o", "/dev/null"]).expect(0);
    assert_eq!(me.run(&["seal", "-r", "age1x", "/dev/null"]).status, 13);
}

#[test]
fn a_link_of_another_user_where_all_can_write_is_refused() {
    if !rustix::process::geteuid().is_root() {
        skip::optional("another user's link, which only root can make");
        return;
    }
    let (me, _) = with_age_key();
    let shared = me.home().join("shared");
    fs::create_dir(&shared).unwrap();
    mode(&shared, 0o1777);
    fs::write(me.home().join("victim"), "old").unwrap();
    let link = shared.join("out");
    symlink(me.home().join("victim"), &link).unwrap();
    lchown(&link, Some(12345), Some(12345)).unwrap();
    let ran = me.run(&["open", "-i", "k", "-f", "-o", "shared/out", "s.age"]).expect(22);
    assert!(ran.err.contains("is a link of another user"), "{}", ran.err);
    assert_eq!(fs::read(me.home().join("victim")).unwrap(), b"old");
}

#[test]
fn mounted_secrets_are_taken_and_others_refused_with_a_way_out() {
    let (me, sealed) = with_age_key();
    let key = me.home().join("k");
    mode(&key, 0o444);
    let refused = me.pipe(&["open", "-i", "k"], &sealed).expect(22);
    assert!(refused.err.contains("-i - < k"), "{}", refused.err);
    let credentials = |args: &[&str]| {
        let mut command = me.command(args);
        command.env("CREDENTIALS_DIRECTORY", me.home());
        feed(command, &sealed)
    };
    for readable in [0o400, 0o440, 0o444, 0o644] {
        mode(&key, readable);
        assert_eq!(credentials(&["open", "-i", "k"]).expect(0).out, b"secret");
    }
    for writable in [0o666, 0o460] {
        mode(&key, writable);
        credentials(&["open", "-i", "k"]).expect(22);
    }
    // A link from there leads out of it.
    let elsewhere = Person::new();
    fs::copy(&key, elsewhere.home().join("k")).unwrap();
    mode(&elsewhere.home().join("k"), 0o444);
    symlink(elsewhere.home().join("k"), me.home().join("out")).unwrap();
    credentials(&["open", "-i", "out"]).expect(22);
}

#[test]
fn cards_are_found_as_people_paste_them() {
    let (me, you) = (Person::with_identity(), Person::with_identity());
    let card = fs::read_to_string(you.card("You", "http://127.0.0.1:9")).unwrap();
    let trailing: String = card.lines().map(|line| format!("{line}  \r\n")).collect();
    for (what, text) in [
        ("text around", format!("Hi,\n\n{card}\nCheers\n")),
        ("blank space", trailing),
        ("a byte order mark", format!("\u{feff}{card}")),
    ] {
        let added = me.pipe(&["contact", "add", "you"], text.as_bytes());
        assert_eq!(added.status, 0, "{what}: {}", added.err);
        me.run(&["contact", "remove", "you"]).expect(0);
    }
    let mut command = me.command(&["contact", "add", "you", "@ENV:CARD"]);
    command.env("CARD", &card);
    feed(command, b"").expect(0);
    me.run(&["contact", "remove", "you"]).expect(0);
    // Two cards are no card: which was meant is not for us to choose.
    me.pipe(&["contact", "add", "you"], format!("{card}{card}").as_bytes()).expect(13);
    me.pipe(&["contact", "add", "you"], b"no card at all").expect(13);
}

#[test]
fn hints_without_an_identity_can_be_followed() {
    let me = Person::new();
    let hint = |set: &[(&str, &str)]| {
        let mut command = me.command(&["card"]);
        command.env_remove("BULLA_HOME").envs(set.iter().copied());
        feed(command, b"").expect(21).err
    };
    assert!(hint(&[]).contains("set BULLA_HOME"));
    assert!(hint(&[("HOME", "/nonexistent")]).contains("bulla keygen --default"));
    let id = "0".repeat(64);
    assert!(hint(&[("BULLA_ID", id.as_str())]).contains("BULLA_IDENTITY_FILE"));
    // The recipient of a key is that key's, and no other's.
    let (aged, _) = with_age_key();
    aged.run(&["keygen", "--default"]).expect(0);
    let refused = aged.pipe(&["seal", "-R", "k"], b"x");
    assert!(refused.err.contains("bulla card --recipient -i FILE"), "{}", refused.err);
    let own = aged.run(&["card", "--recipient"]).expect(0).text();
    assert_ne!(own, aged.run(&["card", "--recipient", "-i", "k"]).expect(0).text());
}
