//! Runs what the documents show: every ```console block of README, of `docs/run-a-relay.md` and of
//! `tests/cmd/*.md`, and sees that every example of a man page is among them.
//!
//! A block's lines after `$ ` go to one shell, in order; what follows is what must come, stdout
//! and stderr together, `[..]` for any text in a line and `...` for any lines. A line `? 11`
//! demands that status (0 otherwise). Each file has a folder, a home and a relay's port of its
//! own; `127.0.0.1:7677` stands for that port.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BULLA: &str = env!("CARGO_BIN_EXE_bulla");
const MARK: &str = "--8<--";
const SHOWN_PORT: &str = "127.0.0.1:7677";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[derive(Debug)]
struct Step {
    line: usize,
    command: String,
    status: i32,
    expected: String,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("```") {
            inside = line.starts_with("```console");
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            steps.push(Step { line: number, command, status: 0, expected: String::new() });
        } else if let Some(step) = steps.last_mut() {
            if let Some(more) = line.strip_prefix("> ").filter(|_| step.expected.is_empty()) {
                step.command.push('\n');
                step.command.push_str(more);
            } else if let Some(status) = line.strip_prefix("? ") {
                step.status = status.parse().expect("a status behind `? `");
            } else {
                step.expected.push_str(line);
                step.expected.push('\n');
            }
        }
    }
    steps
}

/// One shell for all steps; returns status and output of each.
fn run(steps: &[Step], port: &str) -> Vec<(i32, String)> {
    let sandbox = tempfile::tempdir().unwrap();
    let bin = sandbox.path().join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(BULLA, bin.join("bulla")).unwrap();
    // Where there is no terminal a pager only copies.
    std::os::unix::fs::symlink("/bin/cat", bin.join("less")).unwrap();
    let work = sandbox.path().join("work");
    fs::create_dir(&work).unwrap();
    for name in ["README.md", "LICENSE-APACHE", "LICENSE-MIT", "demo.sh"] {
        fs::copy(root().join(name), work.join(name)).unwrap();
    }

    let mut script = String::from("exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
    for step in steps {
        let command = step.command.replace(SHOWN_PORT, port);
        script.push_str(&format!("{command}\nprintf '\\n{MARK}%s\\n' $?\n"));
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash")
        .arg("-s")
        .current_dir(&work)
        .env_clear()
        .env("PATH", path)
        .env("HOME", sandbox.path())
        .env("BULLA_TEST_ROOT", root())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
    let mut output = String::new();
    shell.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    writer.join().unwrap().unwrap();
    shell.wait().unwrap();

    let mut results = Vec::new();
    let mut rest = output.as_str();
    while let Some((text, tail)) = rest.split_once(MARK) {
        let (status, tail) = tail.split_once('\n').unwrap();
        let text = text.trim_start_matches('\n').trim_end_matches('\n');
        let text = if text.is_empty() { String::new() } else { format!("{text}\n") };
        results.push((status.parse().unwrap(), text.replace(port, SHOWN_PORT)));
        rest = tail;
    }
    results
}

fn check(path: &Path) {
    let steps = steps(&fs::read_to_string(path).unwrap());
    assert!(!steps.is_empty(), "{} shows nothing", path.display());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let results = run(&steps, &port);
    let mut wrong = String::new();
    for (step, (status, output)) in steps.iter().zip(&results) {
        if *status != step.status || !matches(&step.expected, output) {
            wrong.push_str(&format!(
                "{}:{}: $ {}\n--- expected, status {}\n{}--- got, status {status}\n{output}\n",
                path.display(),
                step.line,
                step.command,
                step.status,
                step.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(results.len(), steps.len(), "{}: the shell ended early", path.display());
}

/// Whether `output` is what `pattern` shows: `[..]` within a line, `...` alone for any lines.
fn matches(pattern: &str, output: &str) -> bool {
    fn lines(pattern: &[&str], output: &[&str]) -> bool {
        match pattern.split_first() {
            None => output.is_empty(),
            Some((&"...", rest)) => (0..=output.len()).any(|skip| lines(rest, &output[skip..])),
            Some((first, rest)) => {
                !output.is_empty() && one_line(first, output[0]) && lines(rest, &output[1..])
            }
        }
    }
    fn one_line(pattern: &str, line: &str) -> bool {
        let mut parts = pattern.split("[..]");
        let first = parts.next().unwrap();
        let Some(mut line) = line.strip_prefix(first) else { return false };
        let parts: Vec<_> = parts.collect();
        let Some((last, middle)) = parts.split_last() else { return line.is_empty() };
        for part in middle {
            let Some(at) = line.find(part) else { return false };
            line = &line[at + part.len()..];
        }
        line.ends_with(last)
    }
    lines(&pattern.lines().collect::<Vec<_>>(), &output.lines().collect::<Vec<_>>())
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> = fs::read_dir(root().join("tests/cmd"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    pages.sort();
    pages
}

#[test]
fn readme() {
    check(&root().join("README.md"));
}

#[test]
fn run_a_relay() {
    check(&root().join("docs/run-a-relay.md"));
}

#[test]
fn pages_of_tests_cmd() {
    for page in pages() {
        check(&page);
    }
}

#[test]
fn every_example_of_a_man_page_is_run() {
    let (readme, relay) = (root().join("README.md"), root().join("docs/run-a-relay.md"));
    let run: Vec<String> = pages()
        .iter()
        .chain([&readme, &relay])
        .flat_map(|path| steps(&fs::read_to_string(path).unwrap()))
        .map(|step| step.command)
        .collect();
    let mut missing = Vec::new();
    for entry in fs::read_dir(root().join("man")).unwrap() {
        let page = fs::read_to_string(entry.unwrap().path()).unwrap();
        // Examples are the indented lines of the help text that begin with a command.
        for line in page.lines().map(unroff) {
            let command = line.trim_start();
            // What wants a PostgreSQL is run by tests/cluster.rs.
            let shown = line.starts_with("  ")
                && ["bulla ", "tar ", "ssh "].iter().any(|start| command.starts_with(start))
                && !command.contains("postgres://");
            let as_run = command.replace("age1…", "$recipient");
            if shown && !run.iter().any(|run| run.contains(&as_run)) {
                missing.push(command.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "shown, but in no tests/cmd/*.md:\n{}", missing.join("\n"));
}

/// A line of roff as it is read.
fn unroff(line: &str) -> String {
    line.replace("\\-", "-").replace("\\(aq", "'").replace("\\*(Aq", "'").replace("\\\\", "\\")
}

#[test]
fn the_comparison_can_fail() {
    assert!(matches("a[..]c\n...\nz\n", "abbc\nx\ny\nz\n"));
    assert!(!matches("a[..]c\n", "abbd\n"));
    assert!(!matches("a\n", "a\nb\n"));
    assert!(!matches("a\nb\n", "a\n"));
}
