//! `search`, `tag` and `index show` as a person uses them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};

mod common;
use common::Person;

const ATTACHED: &str = "From: Ann Lee <ann@b.org>\nTo: bo@c.net\nCc: cy@d.io\n\
    Date: Thu, 1 Oct 2026 10:00:00 +0000\nSubject: the harbour\nMessage-ID: <1@b.org>\n\
    Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\n\
    bring the tools\n--o\nContent-Type: application/pdf; name=\"plan.pdf\"\n\
    Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nJVBERgA=\n--o--\n";

/// Somebody with a mail with an attachment, and a few more in an mbox.
fn person() -> Person {
    let person = Person::with_identity();
    fs::write(person.path("one.eml"), ATTACHED).unwrap();
    let mut mbox = String::new();
    for n in 1..=5 {
        mbox += "From a Thu Jan  1 00:00:00 1970\n";
        mbox += &format!("From: bo@c.net\nDate: 0{n} Mar 2026 10:00:00 +0000\nSubject: boat {n}\n");
        mbox += &format!("Message-ID: <m{n}@c>\n\na boat in the night\n>From the shore {n}\n\n");
    }
    fs::write(person.path("two.mbox"), mbox).unwrap();
    let folder = person.path("");
    person.run(&["index", "build", folder.to_str().unwrap()]).expect(0);
    person
}

fn ids(person: &Person, query: &str) -> Vec<String> {
    let ran = person.run(&["search", "--ids", "--limit", "0", query]);
    ran.text().lines().map(str::to_owned).collect()
}

#[test]
fn forms_of_the_answer() {
    let person = person();
    let text = |args: &[&str]| person.run(&[&["search"], args].concat()).expect(0).text();
    assert_eq!(
        text(&["--format", "{day} {from} {subject}", "tools"]),
        "2026-10-01 Ann Lee <ann@b.org> the harbour\n"
    );
    assert_eq!(text(&["--format", "{subject}\\t{type}\\n", "tools"]), "the harbour\tmail\n");
    assert_eq!(text(&["-0", "--format", "{cc}", "tools"]), "cy@d.io\0");
    let id = ids(&person, "tools").remove(0);
    assert_eq!(text(&["-0", "tools"]), format!("{id}\0"));
    assert_eq!(text(&["--ids", "tools"]), format!("{id}\n"));
    assert_eq!(text(&["--count", "boat"]), "5\n");
    assert_eq!(text(&["--json", "--count", "boat"]), "{\"count\":5,\"schema\":1}\n");
    let subjects =
        |args: &[&str]| text(&[&["--format", "{subject}"], args].concat()).replace('\n', ",");
    assert_eq!(subjects(&["--limit", "2", "boat"]), "boat 5,boat 4,");
    assert_eq!(subjects(&["--limit", "2", "--offset", "1", "boat"]), "boat 4,boat 3,");
    assert_eq!(subjects(&["--sort", "oldest", "--limit", "1", "boat"]), "boat 1,");
    assert_eq!(
        subjects(&["--sort", "relevance", "harbour OR boat", "--limit", "1"]),
        "the harbour,"
    );
    let files = text(&["-l", "boat OR tools"]);
    assert_eq!(files.lines().count(), 2, "{files}");

    let hit = person.run(&["search", "--json", "tool* NEAR/3 bring"]).expect(0).json().remove(0);
    assert_eq!(
        (&hit["schema"], &hit["id"], &hit["date"]),
        (&1.into(), &id.clone().into(), &"2026-10-01T10:00:00Z".into())
    );
    assert_eq!(
        (&hit["from"], &hit["to"][0], &hit["cc"][0]),
        (&"Ann Lee <ann@b.org>".into(), &"bo@c.net".into(), &"cy@d.io".into())
    );
    assert_eq!(
        (&hit["type"], &hit["tags"], &hit["subject"]),
        (&"mail".into(), &serde_json::json!([]), &"the harbour".into())
    );
    assert!(hit["score"].as_f64().unwrap() > 0.0);
    let snippet = hit["snippet"].as_str().unwrap();
    let marked = hit["matches"].as_array().unwrap().iter().map(|range| {
        &snippet[range[0].as_u64().unwrap() as usize..range[1].as_u64().unwrap() as usize]
    });
    assert_eq!(marked.collect::<Vec<_>>(), ["bring", "tools"]);
    for field in ["path", "offset", "thread", "flags", "size", "types", "attachments", "message_id"]
    {
        assert!(hit.get(field).is_some(), "{field}");
    }
    // Nobody looks, so nothing is in bold.
    assert!(!text(&["tools"]).contains('\x1b'));
}

#[test]
fn on_a_terminal_matches_are_bold() {
    let person = person();
    let shown = |env: &str| {
        let mut script = person.command(&[]);
        let line = format!("{env} {} search tools", common::BULLA);
        script = {
            let mut through = std::process::Command::new("script");
            through.args(["-qec", &line, "/dev/null"]).envs(
                script
                    .get_envs()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))),
            );
            through
        };
        String::from_utf8_lossy(&script.output().unwrap().stdout).into_owned()
    };
    assert!(shown("").contains("the \x1b[1mtools\x1b[0m"), "{:?}", shown(""));
    assert!(shown("NO_COLOR=1").contains("the tools"));
}

#[test]
fn how_a_search_ends() {
    let person = person();
    person.run(&["search", "boat"]).expect(0);
    person.run(&["search", "absent"]).expect(1);
    person.run(&["search", "--count", "absent"]).expect(1);
    let ran = person.run(&["search", "frm:ann boat"]).expect(2);
    assert!(
        ran.err.contains("hint: frm:ann boat\nhint: ^\nhint: did you mean from:\n"),
        "{}",
        ran.err
    );
    let ran = person.run(&["search", "one\ntwo \"three"]).expect(2);
    assert!(ran.err.contains("hint: two \"three\nhint:     ^\n"), "{}", ran.err);
    let ran = person.run(&["search", &format!("{} after:x", "word ".repeat(100))]).expect(2);
    assert!(ran.err.lines().all(|line| line.chars().count() < 200), "{}", ran.err);
    let ran = person.run(&["search", "--format", "{nothing}", "boat"]).expect(2);
    assert!(ran.err.contains("the fields are id, date"), "{}", ran.err);
    person.run(&["search", "--format", "{count}", "boat"]).expect(2);
    person.run(&["search", "--count", "--ids", "boat"]).expect(2);
    person.run(&["search", "--threads", "--sort", "relevance", "boat"]).expect(2);

    // One file damaged behind what an open looks at: there is more than that in large ones.
    let long: String =
        (0u64..40_000).map(|n| format!("{:x} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    fs::write(person.path("long.txt"), format!("a boat {long}")).unwrap();
    person.run(&["index", "build", person.path("long.txt").to_str().unwrap()]).expect(0);
    let home = person.home().join("home");
    let cells = walkdir::WalkDir::new(&home).into_iter().map(|entry| entry.unwrap().into_path());
    let cells: Vec<_> =
        cells.filter(|path| path.is_file() && path.file_name().unwrap().len() == 32).collect();
    let mut partial = 0;
    for path in cells {
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        // Every cell of the first half.
        (40..good.len() / 2).step_by(4112).for_each(|at| bad[at] ^= 1);
        fs::write(&path, bad).unwrap();
        let ran = person.run(&["--json", "search", "boat"]);
        assert!([0, 23].contains(&ran.status), "{ran:?}");
        if ran.status == 23 {
            partial += 1;
            assert!(ran.err.contains("the answer is partial"), "{}", ran.err);
            assert!(ran.err.lines().last().unwrap().contains("\"code\":23"), "{}", ran.err);
        }
        fs::write(&path, good).unwrap();
    }
    assert!(partial > 0);
    person.run(&["search", "boat"]).expect(0);
}

#[test]
fn a_query_need_not_be_on_the_command_line() {
    let person = person();
    let found = person.pipe(&["search", "--ids", "-"], b"subject:harbour\n").expect(0).text();
    assert_eq!(found.trim(), ids(&person, "tools")[0]);
    let mut command = person.command(&["search", "--ids", "@ENV:QUERY"]);
    command.env("QUERY", "subject:harbour");
    assert_eq!(common::feed(command, b"").expect(0).text(), found);
    let line = format!("{} search --ids @FD:3 3< query", common::BULLA);
    fs::write(person.home().join("query"), "subject:harbour").unwrap();
    let shell = person.command(&[]);
    let mut through = std::process::Command::new("bash");
    through.args(["-c", &line]).current_dir(person.home()).envs(
        shell.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))),
    );
    assert_eq!(String::from_utf8_lossy(&through.output().unwrap().stdout), found);
    // An address is a query.
    person.run(&["search", "@c.net"]).expect(0);
}

#[test]
fn a_query_is_explained_without_an_index() {
    let person = Person::new();
    let ran = person.run(&["search", "--explain", "from:ann (tools OR boat*)"]).expect(0);
    assert_eq!(
        ran.text(),
        "all of\n├─ the word \"ann\" in the sender\n└─ any of\n   ├─ the word \"tools\" anywhere\n   \
         └─ a word that begins with \"boat\" anywhere\n"
    );
    let object = person.run(&["--json", "search", "--explain", "a -b"]).expect(0).json().remove(0);
    assert_eq!((&object["schema"], &object["query"]), (&1.into(), &"a NOT b".into()));
    assert_eq!(object["parts"][1]["parts"][0]["what"], "the word \"b\" anywhere");
}

#[test]
fn originals_and_their_parts() {
    let person = person();
    let id = ids(&person, "tools").remove(0);
    assert_eq!(person.run(&["index", "show", &id]).expect(0).text(), ATTACHED);
    let boat = ids(&person, "\"boat 3\"").remove(0);
    let shown = person.run(&["index", "show", &boat]).expect(0).text();
    assert!(
        shown.starts_with("From: bo@c.net\n") && shown.ends_with("\nFrom the shore 3\n"),
        "{shown}"
    );
    let list = person.run(&["index", "show", "--list", &id]).expect(0).text();
    assert!(list.lines().nth(1).unwrap().ends_with("5  plan.pdf"), "{list}");
    let parts = person.run(&["--json", "index", "show", "--list", &id]).expect(0).json();
    assert_eq!(
        (&parts[1]["part"], &parts[1]["attachment"], &parts[1]["type"]),
        (&2.into(), &1.into(), &"application/pdf".into())
    );
    for selected in [["--part", "2"], ["--attachment", "1"], ["--attachment", "plan.pdf"]] {
        let ran = person.run(&[&["index", "show"], &selected[..], &[&id]].concat()).expect(0);
        assert_eq!(ran.out, b"%PDF\0");
    }
    person.run(&["index", "show", "--attachment", "1", "-o", "out", &id]).expect(0);
    assert_eq!(fs::read(person.home().join("out")).unwrap(), b"%PDF\0");
    person.run(&["index", "show", "--attachment", "1", "-o", "out", &id]).expect(20);
    person.run(&["index", "show", "--attachment", "other", &id]).expect(1);
    person.run(&["index", "show", "--part", "0", &id]).expect(1);
    let text = person.run(&["index", "show", "--text", &id]).expect(0).text();
    assert!(
        text.contains("Subject: the harbour\n") && text.contains("\nbring the tools\n"),
        "{text}"
    );
    assert!(!text.contains("boundary"), "{text}");

    // The file is another one now, and then it is gone.
    let other = ATTACHED.replace("tools", "tubes");
    fs::write(person.path("one.eml"), other).unwrap();
    for status in ["changed", "cannot be read"] {
        let ran = person.run(&["index", "show", &id]).expect(0);
        assert!(ran.text().contains("\nbring the tools\n") && ran.err.contains(status), "{ran:?}");
        person.run(&["index", "show", "--part", "1", &id]).expect(21);
        let _ = fs::remove_file(person.path("one.eml"));
    }
    person.run(&["index", "show", "0000"]).expect(1);
}

#[test]
fn tags_by_hand() {
    let person = person();
    let ran = person.run(&["tag", "+x", "-y", "boat"]).expect(0);
    assert_eq!(ran.err, "5 found, 5 changed\n");
    assert_eq!(ids(&person, "tag:x").len(), 5);
    // Built again, they are there.
    let folder = person.path("");
    person.run(&["index", "build", folder.to_str().unwrap()]).expect(0);
    assert_eq!(ids(&person, "tag:x is:read").len(), 5);
    let hit = person.run(&["search", "--json", "tag:x", "--limit", "1"]).expect(0).json().remove(0);
    assert_eq!(hit["tags"], serde_json::json!(["x"]));
    let object =
        person.run(&["--json", "tag", "-x", "subject:\"boat 1\""]).expect(0).json().remove(0);
    assert_eq!((&object["found"], &object["changed"]), (&1.into(), &1.into()));
    assert_eq!(ids(&person, "tag:x").len(), 4);
    person.run(&["tag", "-inbox", "--add", "i", "--", "tag:x"]).expect(0);
    assert_eq!(ids(&person, "tag:i").len(), 4);
    person.run(&["tag", "+x", "absent"]).expect(1);
    person.run(&["tag", "boat"]).expect(2);
    person.run(&["tag", "+a,b", "boat"]).expect(2);
    person.run(&["tag", "+x", "frm:a"]).expect(2);
    person.pipe(&["tag", "+z", "-"], b"subject:harbour").expect(0);
    assert_eq!(ids(&person, "tag:z").len(), 1);
}

/// Ticks of the processor that a process has used, whatever else the machine does.
fn work(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn the_first_line_comes_early_and_a_closed_pipe_is_quiet() {
    let person = Person::with_identity();
    let mut mbox = String::new();
    for n in 0..6000u64 {
        mbox += "From a Thu Jan  1 00:00:00 1970\n";
        mbox +=
            &format!("From: bo@c.net\nDate: 01 Mar 2026 10:00:00 +0000\nMessage-ID: <m{n}@c>\n\n");
        for word in 0..40u64 {
            mbox += &format!("{:x} ", (n * 40 + word).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        mbox += "\n\n";
    }
    fs::write(person.path("many.mbox"), mbox).unwrap();
    person.run(&["index", "build", person.path("many.mbox").to_str().unwrap()]).expect(0);
    let mut child = person.command(&["search", "--limit", "0", "*"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let first = work(child.id());
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    let whole = work(child.id());
    assert!(child.wait().unwrap().success());
    assert_eq!(rest.iter().filter(|byte| **byte == b'\n').count(), 2 * 6000 - 1);
    assert!(first * 2 < whole, "of {whole} ticks of the processor {first} before the first line");

    let mut child = person.command(&["search", "--limit", "0", "*"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(141), ""));
}

#[test]
fn a_caret_stands_below_the_mistake_whatever_the_width_of_letters() {
    let person = person();
    for (query, columns) in [("boat AND (", 10), ("東京 AND (", 10), ("e\u{301}t AND (", 8)] {
        let ran = person.run(&["search", query]).expect(2);
        let caret = format!("hint: {query}\nhint: {}^\n", " ".repeat(columns));
        assert!(ran.err.contains(&caret), "{}", ran.err);
    }
    let ran = person.run(&["search", " "]).expect(2);
    assert!(ran.err.ends_with("hint: the query is empty: * finds everything\n"), "{}", ran.err);
    // As it stands in a message.
    person.run(&["search", "Subject:boat"]).expect(0);
}

#[test]
fn one_of_something_is_said_to_be_one() {
    let person = person();
    let ran = person.run(&["search", "--threads", "--limit", "1", "boat"]).expect(0);
    assert!(ran.err.contains("1 thread shown"), "{}", ran.err);
    let ran = person.run(&["search", "--threads", "--limit", "2", "boat"]).expect(0);
    assert!(ran.err.contains("2 threads shown"), "{}", ran.err);
}

#[test]
fn what_is_removed_may_come_from_stdin_and_the_beginning_of_an_id_is_told() {
    let person = person();
    let id = ids(&person, "tools").remove(0);
    let ran = person.run(&["index", "remove", &id[..8]]).expect(1);
    let hint = format!("hint: one has that id: bulla index remove id:{}\n", &id[..8]);
    assert!(ran.err.ends_with(&hint), "{}", ran.err);
    person.run(&["index", "remove", &format!("id:{}", &id[..8])]).expect(0);
    person.run(&["search", "tools"]).expect(1);
    let ran = person.pipe(&["index", "remove", "-"], b"subject:boat\n").expect(0);
    assert_eq!(ran.err, "5 removed\n");
    let ran = person.run(&["index", "remove", "deadbeef"]).expect(1);
    assert_eq!(ran.err, "0 removed\n");
    let ran = person.run(&["index", "purge"]).expect(0);
    assert!(ran.err.contains("nothing removed was left"), "{}", ran.err);
}

/// A letter has no subject, perhaps, and no place where it lies.
#[test]
fn a_letter_without_a_subject_is_shown_by_its_name() {
    let person = Person::with_identity();
    let letter =
        br#"{"schema":1,"id":"ab","name":"plan.html","body":"<p>seen<script>no</script>"}"#;
    person.pipe(&["index", "add", "-"], letter).expect(0);
    let ran = person.run(&["search", "type:html seen"]).expect(0);
    assert!(ran.text().contains("plan.html\n    seen\n"), "{}", ran.text());
    person.run(&["search", "script"]).expect(1);
}
