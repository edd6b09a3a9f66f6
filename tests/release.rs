//! The check before a release, `deploy/release-check`, run on copies of the tree.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

const ADDRESS: &str = "REPORT-ADDRESS-PLACEHOLDER";
const CARD: &str = "REPORT-CARD-PLACEHOLDER";

/// Runs the check on a copy whose SECURITY.md ends with `line` and whose newest release in
/// CHANGELOG.md is `released`. Returns whether it passed, and what it wrote to stderr.
fn check(line: &str, released: Option<&str>) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("deploy")).unwrap();
    for file in ["Cargo.toml", "deploy/release-check"] {
        fs::copy(root.join(file), copy.path().join(file)).unwrap();
    }
    let security = fs::read_to_string(root.join("SECURITY.md"))
        .unwrap()
        .replace(ADDRESS, "security@bulla.example")
        .replace(CARD, "-----BEGIN BULLA CARD-----");
    fs::write(copy.path().join("SECURITY.md"), format!("{security}\n{line}\n")).unwrap();
    let mut changelog = "# Changelog\n\n## Unreleased\n\n- Next.\n\n".to_owned();
    if let Some(version) = released {
        changelog += &format!("## [{version}] - 2026-01-01\n\n- New.\n\n");
    }
    changelog += "## 0.0.1 - 2025-01-01\n\n- First.\n";
    fs::write(copy.path().join("CHANGELOG.md"), changelog).unwrap();

    let out = Command::new(copy.path().join("deploy/release-check")).output().unwrap();
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    (out.status.success(), errors)
}

#[test]
fn a_finished_tree_passes() {
    assert_eq!(check("", Some(env!("CARGO_PKG_VERSION"))), (true, String::new()));
}

#[test]
fn placeholders_for_reports_stop_a_release() {
    for placeholder in [ADDRESS, CARD] {
        let (passed, errors) = check(placeholder, Some(env!("CARGO_PKG_VERSION")));
        assert!(!passed, "{placeholder}");
        assert!(errors.contains(&format!("SECURITY.md still contains {placeholder}")), "{errors}");
    }
}

#[test]
fn a_version_that_the_changelog_does_not_release_stops_a_release() {
    for released in [Some("99.0.0"), None] {
        let (passed, errors) = check("", released);
        assert!(!passed, "{released:?}");
        assert!(errors.contains("the newest release in CHANGELOG.md is"), "{errors}");
    }
}
