//! The arrows of the house point down: which module may use which, checked line by line.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "layers/circles.rs"]
mod circles;

// `skip` is in tests only.
const GROUND: &[&str] = &["secret", "wire", "text", "files", "padding", "progress", "skip"];
const MIDDLE: &[&str] = &["crypto", "kem", "pake", "state", "age", "identity"];
const ROOMS: &[&str] = &["letter", "contact", "relay", "index"];

/// Module, and what it may name with `crate::` besides itself.
fn allowed(module: &str) -> Option<Vec<&'static str>> {
    let above = |more: &[&'static str]| [GROUND, more].concat();
    Some(match module {
        "lib" => vec![],
        module if GROUND.contains(&module) => GROUND.to_vec(),
        "crypto" => above(&[]),
        "kem" | "pake" | "state" => above(&["crypto"]),
        "age" => above(&["crypto"]),
        "identity" => above(&["crypto", "age"]),
        module if ROOMS.contains(&module) => above(MIDDLE),
        // What joins the rooms below. Nothing in the library uses it.
        "account" => above(&[MIDDLE, &["letter", "contact", "relay"]].concat()),
        _ => return None,
    })
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The library's files as (module, path, text), the program left out.
fn library() -> Vec<(String, PathBuf, String)> {
    everything().into_iter().filter(|(module, ..)| module != "bin").collect()
}

/// The same with the program's, whose module is `bin`.
fn everything() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap().to_owned();
            let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
            let module = first.trim_end_matches(".rs").to_owned();
            (module, inside, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The modules a line names with `crate::`, as (`name`, whether a group hides what it uses).
fn uses(line: &str) -> impl Iterator<Item = (&str, bool)> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (&rest[..end], rest.starts_with('{'))
    })
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for (module, path, text) in library() {
        let Some(allowed) = allowed(&module) else {
            panic!("{} is in no room of the table: give it one", path.display())
        };
        for (number, line) in text.lines().enumerate() {
            for (used, group) in uses(line) {
                if group || (used != module && !allowed.contains(&used)) {
                    wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up or sideways:\n{}", wrong.join("\n"));
}

/// Each file can be understood without those that use it: imports between files go one way.
#[test]
fn imports_make_no_circles() {
    let sources = everything().into_iter();
    let sources = sources.map(|(_, path, text)| (path.to_str().unwrap().to_owned(), text));
    let found = circles::find(&sources.collect());
    assert!(found.is_empty(), "circles of imports: {found:#?}");
}

/// Returns the paths that a block of imports names in more than one statement.
fn imported_twice(text: &str) -> Vec<String> {
    let (mut twice, mut block) = (Vec::new(), Vec::<String>::new());
    for line in text.lines() {
        let Some(path) = line.strip_prefix("use ").and_then(|path| path.split_once(';')) else {
            block.clear();
            continue;
        };
        let Some((prefix, _)) = path.0.split_once("::{").or_else(|| path.0.rsplit_once("::"))
        else {
            continue;
        };
        if prefix.contains("::") && block.iter().any(|before| before == prefix) {
            twice.push(prefix.to_owned());
        }
        block.push(prefix.to_owned());
    }
    twice
}

/// One style of imports: each path in one statement, `use std::io::{self, Read};`.
#[test]
fn each_path_is_imported_once() {
    let mut wrong = Vec::new();
    for (_, path, text) in everything() {
        let twice = imported_twice(&text);
        wrong.extend(twice.into_iter().map(|prefix| format!("{}: {prefix}", path.display())));
    }
    assert!(wrong.is_empty(), "paths imported in two statements:\n{}", wrong.join("\n"));
    assert_eq!(imported_twice("use a::b::C;\nuse a::b::D;\n"), ["a::b"]);
    assert!(imported_twice("use std::fs;\nuse std::io;\n\nuse a::b::{C, D};\n").is_empty());
}

/// Rooms of the index, each with what of the index it may name besides itself.
fn allowed_in_index(room: &str) -> Option<&'static [&'static str]> {
    Some(match room {
        "analysis" => &[],
        "storage" => &["error"],
        "document" => &["analysis"],
        "query" => &["analysis", "document"],
        "error" => &["storage", "document", "query"],
        "engine" => &["error", "analysis", "storage", "document"],
        "search" => &["error", "analysis", "document", "query", "engine"],
        "writer" => &["error", "storage", "document", "query", "engine", "search"],
        "ingest" => &["error", "analysis", "storage", "document", "engine", "writer"],
        // The map and its re-exports, and the tests of the whole.
        "mod" | "tests" => return None,
        _ => panic!("{room} is in no room of the index: give it one"),
    })
}

#[test]
fn arrows_between_the_rooms_of_the_index_point_down() {
    let mut wrong = Vec::new();
    for (module, path, text) in library() {
        let second = path.components().nth(1).and_then(|part| part.as_os_str().to_str());
        let room = second.unwrap_or_default().trim_end_matches(".rs").to_owned();
        let Some(allowed) = (module == "index").then(|| allowed_in_index(&room)).flatten() else {
            continue;
        };
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        if path.ends_with("tests.rs") {
            continue;
        }
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::index::").skip(1) {
                let used = used.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap();
                if used != room && !allowed.contains(&used) {
                    wrong.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn only_wire_names_bincode() {
    for (module, path, text) in library() {
        assert!(module == "wire" || !text.contains("bincode::"), "{}", path.display());
    }
}

/// Rooms in which every default would stand in for a cryptographic result.
const PRIMITIVES: &[&str] = &["crypto", "kem", "pake", "secret"];

/// Constants in place of a hash, a tag, a key or a nonce, as they read without blanks.
const CONSTANTS: &[&str] = &[
    "unwrap_or([0;",
    "unwrap_or(&[0;",
    "unwrap_or_else(||[0;",
    "map_or([0;",
    "return[0;",
    "chunk().copied().unwrap_or",
    "chunk().map_or(0",
    "chunk().unwrap_or",
    "chunk_mut(){",
    "expose().get(",
];

/// (File, constant) that stands for nothing cryptographic.
const HARMLESS: &[(&str, &str)] = &[
    // An acknowledgment before the first epoch names none.
    ("letter/ratchet/receiving.rs", "map_or([0;"),
];

/// Defaults of one file that would take the place of a cryptographic result.
fn defaults(module: &str, path: &Path, text: &str) -> Vec<&'static str> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: String = code.split_whitespace().collect();
    let any: &[&str] = if PRIMITIVES.contains(&module) {
        &["unwrap_or", "map_or", "let_=", "Self::default", "Ok(mut", ".ok()"]
    } else {
        &[]
    };
    let known = |file: &str, one: &str, found: &str| path == Path::new(file) && one == found;
    let harmless = |found: &str| HARMLESS.iter().any(|(file, one)| known(file, one, found));
    let wanted = CONSTANTS.iter().chain(any);
    wanted.copied().filter(|found| code.contains(*found) && !harmless(found)).collect()
}

/// A primitive that fails where it cannot fail ends the program: a zero tag over bytes that were
/// not encrypted, a zero key or a nonce used twice would be taken for the real one.
#[test]
fn no_default_takes_the_place_of_a_cryptographic_result() {
    let mut wrong = Vec::new();
    for (module, path, text) in everything() {
        if path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        for found in defaults(&module, &path, &text) {
            wrong.push(format!("{}: {found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "use `expect` with the reason:\n{}", wrong.join("\n"));
    let seen = |module, text| defaults(module, Path::new("x.rs"), text).len();
    assert_eq!(seen("age", "mac\n    .map_or([0; TAG], Into::into)"), 1);
    assert_eq!(seen("kem", "key.unwrap_or_default()"), 1);
    assert_eq!(seen("age", "words.next().unwrap_or_default()"), 0);
}

#[test]
fn no_file_is_over_five_hundred_lines() {
    for (_, path, text) in library() {
        let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines().count();
        let test =
            path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        assert!(test || lines <= 500, "{} has {lines} lines", path.display());
    }
}

#[test]
fn the_scan_sees_what_it_should() {
    let seen: Vec<_> = uses("use crate::age::Error; crate::{wire, text}").collect();
    assert_eq!(seen, [("age", false), ("", true)]);
}

/// JSON as `serde_json` prints it has characters that a terminal obeys.
#[test]
fn the_program_prints_json_by_one_function() {
    for entry in walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin")) {
        let path = entry.unwrap().into_path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let raw = text.lines().find(|line| {
            line.contains("\"{object}\"")
                || line.contains("println(&") && line.contains(".to_string()")
        });
        assert_eq!(raw, None, "{}", path.display());
    }
}
