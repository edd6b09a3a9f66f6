//! Tests that need something from outside.

#![allow(dead_code, clippy::unwrap_used)]

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says that a test is skipped. Where `CI` is set, what it needs is to be there: it fails.
pub(crate) fn because(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "not skipped where CI is set: {why}");
    eprintln!("SKIPPED: {why}");
}

/// Says that a test is skipped that not every machine can run. The output of tests that pass is not
/// shown, so `.ci/run` prints what is written to a file too.
pub(crate) fn optional(why: &str) {
    eprintln!("SKIPPED: {why}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tmp");
    std::fs::create_dir_all(folder).unwrap();
    let list = format!("{folder}/skipped");
    let mut list = OpenOptions::new().create(true).append(true).open(list).unwrap();
    list.write_all(format!("{why}\n").as_bytes()).unwrap();
}
