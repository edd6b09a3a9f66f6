//! Circles of imports between files: strongly connected components over `use` and inline paths.
//!
//! A path leads to the file that defines the name: re-exports are followed, so a `mod.rs` of
//! declarations and re-exports is transparent. One that also defines something its children use,
//! and re-exports or uses a child, is a circle with that child. Unit tests are left out.

use std::collections::{BTreeMap, BTreeSet};

/// Path of a module below `src`, such as `["contact", "pairing"]`.
type Module = Vec<String>;

/// Files of one crate's sources by their path below `src`.
pub(crate) type Sources = BTreeMap<String, String>;

/// A path that a file names.
struct Named {
    path: Vec<String>,
    /// The name it gets in the file, when it is imported.
    import: Option<String>,
}

/// Returns the circles, the largest first, each as the files in it.
pub(crate) fn find(sources: &Sources) -> Vec<BTreeSet<String>> {
    let map = Map::read(sources);
    let edges: BTreeMap<&str, BTreeSet<&str>> =
        map.files.keys().map(|file| (file.as_str(), map.imports(file))).collect();
    let reach = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for next in &edges[file] {
                if seen.insert(*next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|file| (*file, reach(file))).collect();
    let mut circles = BTreeSet::new();
    for (file, below) in &reached {
        if below.contains(file) {
            let circle = below.iter().filter(|other| reached[**other].contains(file));
            circles.insert(circle.map(|file| (*file).to_owned()).collect::<BTreeSet<_>>());
        }
    }
    let mut circles: Vec<_> = circles.into_iter().collect();
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

/// Which file each module is, and what each file names.
struct Map {
    modules: BTreeMap<Module, String>,
    files: BTreeMap<String, (Module, Vec<Named>)>,
}

impl Map {
    fn read(sources: &Sources) -> Self {
        let sources: Vec<_> = sources
            .iter()
            .filter(|(file, _)| !file.ends_with("tests.rs") && !file.contains("/tests/"))
            .collect();
        let modules: BTreeMap<Module, String> =
            sources.iter().map(|(file, _)| (module(file), (*file).clone())).collect();
        let files = sources.into_iter().map(|(file, text)| {
            let own = module(file);
            let is_child = |name: &str| {
                let child: Module = own.iter().cloned().chain([name.to_owned()]).collect();
                modules.contains_key(&child)
            };
            let named = names(&tokens(text), is_child);
            (file.clone(), (own, named))
        });
        Self { files: files.collect(), modules }
    }

    /// Returns the other files that a file imports from.
    fn imports(&self, file: &str) -> BTreeSet<&str> {
        let (own, named) = &self.files[file];
        let found = named.iter().filter_map(|named| self.definer(own, &named.path, 0));
        found.filter(|found| *found != file).collect()
    }

    /// Returns the file that defines what a path leads to, seen from a module.
    fn definer(&self, from: &Module, path: &[String], depth: usize) -> Option<&str> {
        let (mut at, mut rest) = self.begin(from, path)?;
        while let Some((name, after)) = rest.split_first() {
            let child: Module = at.iter().cloned().chain([name.clone()]).collect();
            if !self.modules.contains_key(&child) {
                break;
            }
            (at, rest) = (child, after);
        }
        let file = self.modules.get(&at).filter(|_| !at.is_empty())?;
        let (own, named) = &self.files[file];
        let import = rest
            .first()
            .and_then(|name| named.iter().find(|named| named.import.as_ref() == Some(name)));
        if let Some(import) = import.filter(|_| depth < 16)
            && let Some(found) = self.definer(own, &import.path, depth + 1)
        {
            return Some(found);
        }
        Some(file)
    }

    /// Returns the module in which a path begins, and the rest; `None` for another crate's.
    fn begin<'a>(&self, from: &Module, path: &'a [String]) -> Option<(Module, &'a [String])> {
        let (first, mut rest) = path.split_first()?;
        let root: Module = match from.first().map(String::as_str) {
            Some("bin") => from.iter().take(2).cloned().collect(),
            _ => Module::new(),
        };
        match first.as_str() {
            "crate" => Some((root, rest)),
            "self" => Some((from.clone(), rest)),
            "super" => {
                let mut at = from.clone();
                at.pop();
                while let [next, after @ ..] = rest
                    && next == "super"
                {
                    at.pop();
                    rest = after;
                }
                Some((at, rest))
            }
            child => {
                let module: Module = from.iter().cloned().chain([child.to_owned()]).collect();
                self.modules.contains_key(&module).then_some((module, rest))
            }
        }
    }
}

fn module(file: &str) -> Module {
    let mut parts: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// Splits a source into names, `::` and single characters, without comments, strings and tests.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let mut taken = first.len_utf8();
        if rest.starts_with("//") {
            taken = rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            taken = rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if let Some(raw) = raw_string(rest) {
            taken = raw;
        } else if first == '"' {
            taken = quoted(rest, '"');
        } else if first == '\'' {
            // A lifetime has no second quote behind one character.
            let next = rest.chars().nth(1);
            if next == Some('\\') || rest.chars().nth(2) == Some('\'') {
                taken = quoted(rest, '\'');
            }
        } else if is_name(first) {
            taken = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            found.push(rest[..taken].to_owned());
        } else if rest.starts_with("::") {
            taken = 2;
            found.push("::".to_owned());
        } else if !first.is_whitespace() {
            found.push(first.to_string());
        }
        rest = &rest[taken..];
    }
    without_tests(found)
}

fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r').or_else(|| text.strip_prefix("br"))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = text.len() - body.len();
    Some(begin + body.find(&end).map_or(body.len(), |at| at + end.len()))
}

fn quoted(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == mark => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Leaves out what stands behind `#[cfg(test)]` or `#[cfg(doc)]`: an import, a declaration, or a
/// module or another item with its body.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = |what: &str| {
            let wanted = ["#", "[", "cfg", "(", what, ")", "]"];
            tokens[at..].iter().zip(wanted).filter(|(one, other)| one == other).count() == 7
        };
        if !(begins("test") || begins("doc")) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += 7;
        // The imports have groups in braces, and end with a semicolon.
        let import = tokens[at..].iter().find(|token| *token != "pub").is_some_and(|t| t == "use");
        let mut depth = 0;
        while at < tokens.len() {
            let token = tokens[at].as_str();
            at += 1;
            match token {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 && !import {
                        break;
                    }
                }
                // A field or a variant behind the attribute ends with a comma.
                ";" | "," if depth == 0 && (token == ";" || !import) => break,
                _ => {}
            }
        }
    }
    kept
}

/// Finds the paths that a file names.
fn names(tokens: &[String], is_child: impl Fn(&str) -> bool) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    let text = |at: usize| tokens.get(at).map_or("", String::as_str);
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or("", text);
        let begins = ["crate", "self", "super"].contains(&text(at)) || is_child(text(at));
        if text(at) == "use" {
            at += 1;
            tree(tokens, &mut at, &[], &mut found);
        } else if begins && text(at + 1) == "::" && !["::", ".", "in"].contains(&before) {
            let mut path = vec![text(at).to_owned()];
            while text(at + 1) == "::" {
                at += 2;
                path.push(text(at).to_owned());
            }
            found.push(Named { path, import: None });
        }
        at += 1;
    }
    found
}

/// Reads one branch of a tree of imports; stops at the comma, brace or semicolon behind it.
fn tree(tokens: &[String], at: &mut usize, prefix: &[String], found: &mut Vec<Named>) {
    let mut path = prefix.to_vec();
    let mut import = None;
    while let Some(token) = tokens.get(*at) {
        match token.as_str() {
            "{" => {
                while !matches!(tokens.get(*at).map(String::as_str), None | Some("}")) {
                    *at += 1;
                    tree(tokens, at, &path, found);
                }
                *at += 1;
                return;
            }
            "," | "}" | ";" => break,
            "as" => {
                *at += 1;
                import = tokens.get(*at).cloned();
            }
            "::" | "*" => {}
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        *at += 1;
    }
    if path.len() > prefix.len() || tokens.get(*at - 1).is_some_and(|t| t == "self" || t == "*") {
        let import = import.or_else(|| path.last().cloned());
        found.push(Named { path, import });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources = files.iter().map(|(file, text)| (file.to_string(), text.to_string()));
        find(&sources.collect()).into_iter().map(|one| one.into_iter().collect()).collect()
    }

    #[test]
    fn two_files_that_import_each_other_are_a_circle() {
        for back in [
            "use crate::a::one::One;",
            "use std::io;\nuse crate::{a::{one::{self, One as Uno}}, b};",
            "use super::one::*;",
            "fn f() -> crate::a::one::One { panic!() }",
            "fn f() { let _ = super::one::One { at: 'a', b: b\"\" }; }",
            "pub use super::one;",
            "#[cfg(test)]\nuse crate::b;\nuse crate::a::one::One;",
        ] {
            let files = [
                ("a/mod.rs", "pub mod one;\nmod two;"),
                ("a/one.rs", "use crate::a::two::Two;\npub struct One(Two);"),
                ("a/two.rs", back),
                ("b.rs", "pub struct B;"),
            ];
            assert_eq!(circles(&files), [["a/one.rs", "a/two.rs"]], "{back}");
        }
    }

    #[test]
    fn comments_strings_tests_and_visibilities_are_no_imports() {
        for back in [
            "// use crate::a::one::One;",
            "/* use crate::a::one::One; */ const A: &str = \"use crate::a::one::One;\";",
            "const A: &str = r#\"\" use crate::a::one::One; \"#; const B: char = '\"';",
            "#[cfg(test)]\nmod tests {\n use crate::a::one::One;\n}",
            "#[cfg(test)]\nuse crate::a::{one::One};\nuse std::io;",
            "pub(in crate::a::one) fn f() {}",
            "use other::a::one::One;",
        ] {
            let files = [
                ("a/mod.rs", "pub mod one;\nmod two;"),
                ("a/one.rs", "use crate::a::two::Two;"),
                ("a/two.rs", back),
                ("a/tests.rs", "use crate::a::one::One;"),
            ];
            assert!(circles(&files).is_empty(), "{back}");
        }
    }

    #[test]
    fn what_a_folder_defines_and_uses_of_its_files_is_a_circle() {
        let child = ("a/one.rs", "use crate::a::Error;\npub struct One;");
        for parent in [
            "mod one;\npub use one::One;\npub enum Error {}",
            "mod one;\nenum Error { A(one::One) }",
        ] {
            assert_eq!(circles(&[("a/mod.rs", parent), child]), [["a/mod.rs", "a/one.rs"]]);
        }
        let parent = "mod error;\nmod one;\npub use error::Error;\npub use one::One;";
        let error = ("a/error.rs", "pub enum Error {}");
        assert!(circles(&[("a/mod.rs", parent), child, error]).is_empty());
        // The same by way of the file that defines it.
        let error = ("a/error.rs", "use crate::a::One;\npub enum Error { A(One) }");
        let found = circles(&[("a/mod.rs", parent), child, error]);
        assert_eq!(found, [["a/error.rs", "a/one.rs"]]);
    }

    #[test]
    fn the_program_is_a_crate_of_its_own() {
        let files = [
            ("lib.rs", "pub mod a;"),
            ("a.rs", ""),
            ("bin/bulla/main.rs", "mod app;\nmod cmd;"),
            ("bin/bulla/app.rs", "use bulla::a;\nuse crate::cmd::open;"),
            ("bin/bulla/cmd/mod.rs", "pub mod open;"),
            ("bin/bulla/cmd/open.rs", "use crate::app::App;"),
        ];
        assert_eq!(circles(&files), [["bin/bulla/app.rs", "bin/bulla/cmd/open.rs"]]);
    }
}
