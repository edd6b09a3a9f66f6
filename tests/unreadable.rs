//! What `index build` says of what it cannot read, and that it goes on.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;

use common::{Person, Ran};

/// mail-parser 0.11.9 asserts here, and panics where assertions are compiled in.
const BROKEN_DIGEST: &str = "From: a@b\nContent-Type: multipart/digest; boundary=d\n\n--d\n\n\
    Subject: one\n-i--\n--o\nContent-Type: message/rfc822\n\nSubject: inner\n\ninside\n--o--\n\
    epiloK\n--d--\n";

/// Somebody with files, and what a build of them says.
struct Place {
    person: Person,
}

impl Place {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let place = Self { person: Person::with_identity() };
        for (name, bytes) in files {
            fs::write(place.person.path(name), bytes).unwrap();
        }
        place
    }

    fn build(&self, flags: &[&str]) -> Ran {
        let folder = self.person.path("");
        let arguments = [&["index", "build", folder.to_str().unwrap()], flags].concat();
        self.person.run(&arguments)
    }
}

#[test]
fn a_panic_that_is_expected_prints_nothing() {
    let place = Place::new(&[("good.txt", b"words"), ("bad.eml", BROKEN_DIGEST.as_bytes())]);
    let said = place.build(&[]).expect(0).err;
    let bad = place.person.path("bad.eml");
    let expected = if cfg!(debug_assertions) {
        format!(
            "warning: skipped {}: the parts of this message are too broken to be told apart\n\
             1 added, 0 unchanged, 1 skipped\n",
            bad.display()
        )
    } else {
        "2 added, 0 unchanged, 0 skipped\n".to_owned()
    };
    assert_eq!(said, expected);
}

#[test]
fn what_cannot_be_read_is_named_up_to_a_bound_and_is_never_fatal() {
    let lines: String = (0..30).map(|n| format!("no letter {n}\n")).collect();
    let place = Place::new(&[("good.txt", b"words"), ("bad.jsonl", lines.as_bytes())]);
    let bad = place.person.path("bad.jsonl");
    let said = place.build(&[]).expect(0).err;
    let named = said.lines().filter(|line| line.starts_with("warning: skipped /")).count();
    assert_eq!(named, 20, "{said}");
    assert!(said.contains(&format!("warning: skipped {}#12: ", bad.display())), "{said}");
    assert!(said.contains("\nwarning: skipped 10 more, -v names them\n"), "{said}");
    assert!(said.ends_with("1 added, 0 unchanged, 30 skipped\n"), "{said}");

    let all = place.build(&["--reread", "-v"]).expect(0).err;
    let named = all.lines().filter(|line| line.starts_with("warning: skipped ")).count();
    assert_eq!(named, 30, "{all}");
    assert!(!all.contains("more"), "{all}");

    let ran = place.build(&["--reread", "--json"]).expect(0);
    let report = &ran.json()[0];
    assert_eq!((report["skipped"].as_u64(), report["unchanged"].as_u64()), (Some(30), Some(1)));
    let named = report["named"].as_array().unwrap();
    assert_eq!(named.len(), 20, "{named:?}");
    assert_eq!(named[1]["path"], bad.to_str().unwrap());
    assert_eq!(named[1]["offset"], 12);
    assert!(named[1]["why"].as_str().unwrap().contains("at line 1"), "{named:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_tried_again() {
    let place = Place::new(&[("good.txt", b"words"), ("bad.eml", b"")]);
    for added in [1, 0] {
        let said = place.build(&[]).expect(0).err;
        assert!(said.contains("bad.eml: not a message"), "{said}");
        let counts = format!("{added} added, {} unchanged, 1 skipped\n", 1 - added);
        assert!(said.ends_with(&counts), "{said}");
    }
    fs::write(place.person.path("bad.eml"), "Subject: mended\n\ntext\n").unwrap();
    assert!(place.build(&[]).expect(0).err.ends_with("1 added, 1 unchanged, 0 skipped\n"));
    place.person.run(&["search", "subject:mended"]).expect(0);
}

/// A text too long to be searched to its end, alone and in a mail, and a packed file that was cut.
#[test]
fn what_is_not_read_to_its_end_is_told() {
    let long = format!("beginning\n{}end\n", "words of it\n".repeat(1_500_000));
    let mail = format!("From: a@b\nSubject: long\n\n{long}");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mbox = "From a@b Thu Jan  1 00:00:00 1970\nFrom: a@b\nSubject: x\n\npacked\n\n";
    std::io::Write::write_all(&mut packed, mbox.repeat(50).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let cut = &packed[..packed.len() - 12];
    let files: [(&str, &[u8]); 3] =
        [("long.txt", long.as_bytes()), ("mail.eml", mail.as_bytes()), ("cut.mbox.gz", cut)];
    let place = Place::new(&files);
    let said = place.build(&[]).expect(0).err;
    for (name, what) in [
        ("long.txt", "not whole: PATH: only the first 16 MiB of its text"),
        ("mail.eml", "not whole: PATH: only the first 16 MiB of its text"),
        ("cut.mbox.gz", "skipped PATH: it ends in the middle: what comes before is read"),
    ] {
        let path = place.person.path(name).display().to_string();
        let line = format!("warning: {}\n", what.replace("PATH", &path));
        assert!(said.contains(&line), "{said}");
    }
    assert!(said.contains(", 1 skipped"), "{said}");
    let report = Place::new(&files).build(&["--json"]).expect(0).json().remove(0);
    assert_eq!((&report["cut"], report["named_cut"].as_array().unwrap().len()), (&2.into(), 2));
    place.person.run(&["search", "beginning"]).expect(0);
    place.person.run(&["search", "end"]).expect(1);
}
