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
