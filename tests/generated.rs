//! `man/` and `completions/` are what the program prints. `BLESS=1` rewrites them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

fn bulla(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bulla")).args(args).output().unwrap();
    assert!(output.status.success(), "bulla {args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The verbs below `path`, as the help lists them.
fn verbs(path: &[&str]) -> Vec<String> {
    let help = bulla(&[path, &["--help"]].concat());
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

fn compare(folder: &str, fresh: &BTreeMap<String, String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if std::env::var_os("BLESS").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in fresh {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let committed: BTreeMap<String, String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    let names = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(fresh), "run with BLESS=1");
    for (name, text) in fresh {
        assert!(committed[name] == *text, "{}/{name} is stale: run with BLESS=1", folder.display());
    }
}

#[test]
fn man_pages_are_up_to_date() {
    let mut pages = BTreeMap::from([("bulla.1".to_owned(), bulla(&["man"]))]);
    for verb in verbs(&[]) {
        pages.insert(format!("bulla-{verb}.1"), bulla(&["man", &verb]));
        for below in verbs(&[&verb]) {
            pages.insert(format!("bulla-{verb}-{below}.1"), bulla(&["man", &verb, &below]));
            for last in verbs(&[&verb, &below]) {
                let page = bulla(&["man", &verb, &below, &last]);
                pages.insert(format!("bulla-{verb}-{below}-{last}.1"), page);
            }
        }
    }
    assert!(pages.len() > 25, "{:?}", pages.keys());
    compare("man", &pages);
}

#[test]
fn completions_are_up_to_date() {
    let names = [
        ("bash", "bulla.bash"),
        ("zsh", "_bulla"),
        ("fish", "bulla.fish"),
        ("powershell", "_bulla.ps1"),
        ("elvish", "bulla.elv"),
    ];
    let scripts = names.map(|(shell, name)| (name.to_owned(), bulla(&["completions", shell])));
    compare("completions", &BTreeMap::from(scripts));
}
