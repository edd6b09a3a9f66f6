//! Threads of mail whose answers say little of what they answer, in whichever order they come, and
//! mail whose folder was renamed as a whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::index::{BuildOptions, Index, Query, Report, SearchOptions};
use crate::progress::Silent;
use crate::secret::Secret;

struct Place {
    folder: tempfile::TempDir,
    index: Index,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Secret::from_slice(&[7; 32]).unwrap();
        let index = Index::create(&folder.path().join("index"), &key).unwrap();
        Self { folder, index }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and has it look as if that was long ago, unless it is to look new.
    fn put(&self, name: &str, text: &str, new: bool) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if !new {
            let file = fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(10_000)).unwrap();
        }
    }

    fn build(&self, name: &str) -> Report {
        let mut writer = self.index.writer().unwrap();
        let paths = [self.path(name)];
        let report = writer.build(&paths, &BuildOptions::default(), &Silent).unwrap();
        writer.finish().unwrap();
        assert_eq!(self.index.verify().unwrap().damage, []);
        report
    }

    fn subjects(&self, query: &str) -> String {
        let options = SearchOptions { limit: usize::MAX, ..SearchOptions::default() };
        let found = self.index.search(&Query::parse(query).unwrap(), &options).unwrap();
        let all: BTreeSet<_> = found.hits.into_iter().map(|hit| hit.summary.subject).collect();
        all.into_iter().collect()
    }

    /// The threads, each as the subjects of its messages in their order, the threads in theirs.
    fn threads(&self) -> Vec<String> {
        let query = Query::parse("*").unwrap();
        let options = SearchOptions { limit: usize::MAX, ..SearchOptions::default() };
        let threads = self.index.threads(&query, &options).unwrap().map(Result::unwrap);
        let members = threads.filter(|thread| !thread.first.thread.is_empty()).map(|thread| {
            let members = self.subjects(&format!("thread:{}", thread.first.thread));
            assert_eq!(members.len() as u64, thread.count);
            members
        });
        let all: BTreeSet<_> = members.collect();
        all.into_iter().collect()
    }
}

/// A message by a letter, and what it names: in `In-Reply-To` alone, or in `References` too.
fn mail(name: char, answers: Option<char>, references: &str) -> String {
    let mut mail = format!("From: {name}@b.org\nSubject: {name}\nMessage-ID: <{name}@x>\n");
    if let Some(before) = answers {
        mail += &format!("In-Reply-To: <{before}@x>\n");
    }
    if !references.is_empty() {
        let list: Vec<_> = references.chars().map(|one| format!("<{one}@x>")).collect();
        mail += &format!("References: {}\n", list.join(" "));
    }
    mail + "\ntext\n"
}

/// Two threads: a chain of which each names only what it answers, with a series of patches whose
/// cover letter is an answer and whose patches name only the cover letter; and one apart.
fn mails() -> Vec<(char, String)> {
    vec![
        ('a', mail('a', None, "")),
        ('b', mail('b', Some('a'), "")),
        ('c', mail('c', Some('b'), "")),
        ('d', mail('d', Some('c'), "ab")),
        ('e', mail('e', Some('d'), "d")),
        ('f', mail('f', Some('e'), "e")),
        ('x', mail('x', None, "")),
        // What this one answers is nowhere.
        ('y', mail('y', Some('z'), "xz")),
    ]
}

#[test]
fn answers_without_references_are_in_the_thread_of_what_they_answer() {
    let mut seed = 7_u64;
    let mut below = |end: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % end
    };
    for round in 0..20 {
        let place = Place::new();
        let mut mails = mails();
        // In any order, in one build or in several.
        for at in (1..mails.len()).rev() {
            if round > 0 {
                mails.swap(at, below(at + 1));
            }
        }
        let order: String = mails.iter().map(|(name, _)| *name).collect();
        let mut builds = 0;
        for (at, (name, mail)) in mails.iter().enumerate() {
            place.put(&format!("mail/{at}-{name}.eml"), mail, false);
            if round % 2 == 1 && below(3) == 0 {
                place.build("mail");
                builds += 1;
            }
        }
        place.build("mail");
        assert_eq!(place.threads(), ["abcdef", "xy"], "{order}, {builds} builds before");
        assert_eq!(place.build("mail").updated, 0);
    }
}

/// The same in files of many, of which the second is long enough for all of the index to be read
/// before.
#[test]
fn a_long_file_finds_its_threads_in_the_index() {
    let place = Place::new();
    let head = |mail: &str| format!("From a@b Thu Jan  1 00:00:00 1970\n{mail}\n");
    let mails = mails();
    let some: String =
        mails.iter().filter(|(name, _)| "aceyx".contains(*name)).map(|(_, m)| head(m)).collect();
    place.put("mail/one.mbox", &some, false);
    place.build("mail");
    let mut rest: String =
        mails.iter().filter(|(name, _)| "bdf".contains(*name)).map(|(_, m)| head(m)).collect();
    rest += &head(&format!("From: a@b\nSubject: long\n\n{}", "words of it\n".repeat(100)));
    place.put("mail/two.mbox", &rest, false);
    // So many files that not each is looked for alone.
    for number in 0..200 {
        place.put(&format!("mail/{number}.txt"), "text", false);
    }
    place.build("mail");
    assert_eq!(place.threads(), ["abcdef", "xy"]);
}

/// Real programs answer so, and tags stay where they were put.
#[test]
fn what_joins_two_threads_keeps_what_is_known_of_their_messages() {
    let place = Place::new();
    place.put("mail/c.eml", &mail('c', Some('b'), ""), false);
    place.put("mail/a.eml", &mail('a', None, ""), false);
    place.build("mail");
    assert_eq!(place.threads(), ["a", "c"]);
    let mut writer = place.index.writer().unwrap();
    let tags = ["kept".to_owned()].into();
    writer.tag(&Query::parse("subject:c").unwrap(), &tags, &BTreeSet::new()).unwrap();
    writer.finish().unwrap();
    place.put("mail/b.eml", &mail('b', Some('a'), ""), false);
    assert_eq!(place.build("mail").added, 1);
    assert_eq!(place.threads(), ["abc"]);
    assert_eq!(place.subjects("tag:kept"), "c");
    assert_eq!(place.index.count(&Query::parse("*").unwrap()).unwrap(), 3);
}

fn paths(place: &Place) -> Vec<PathBuf> {
    let options = SearchOptions { limit: usize::MAX, ..SearchOptions::default() };
    let found = place.index.search(&Query::parse("*").unwrap(), &options).unwrap();
    let mut all: Vec<_> =
        found.hits.into_iter().filter_map(|hit| Some(hit.summary.path?.into())).collect();
    all.sort();
    all
}

/// The folder that was indexed has another name now, and only that one is given.
#[test]
fn a_folder_that_was_renamed_is_found_under_its_new_name() {
    // Renamed; renamed when just written, so that times tell nothing; and copied elsewhere, as from
    // one disk to another.
    for how in ["renamed", "new", "copied"] {
        let place = Place::new();
        let many: String = ('a'..'e')
            .map(|name| format!("From a@b Thu Jan  1 00:00:00 1970\n{}\n", mail(name, None, "")))
            .collect();
        for (name, text) in
            [("f.eml", mail('f', None, "")), ("many.mbox", many), ("note.txt", "note".into())]
        {
            place.put(&format!("old/{name}"), &text, how == "new");
        }
        assert_eq!(place.build("old").added, 6);
        let before = paths(&place);
        if how == "copied" {
            fs::create_dir(place.path("other")).unwrap();
            for name in ["f.eml", "many.mbox", "note.txt"] {
                fs::copy(place.path("old").join(name), place.path("other").join(name)).unwrap();
            }
            fs::remove_dir_all(place.path("old")).unwrap();
        } else {
            fs::rename(place.path("old"), place.path("other")).unwrap();
        }
        let report = place.build("other");
        assert_eq!((report.added, report.removed, report.skipped), (0, 0, 0), "{how}");
        let moved = |path: &PathBuf| {
            place.path("other").join(path.file_name().unwrap_or(Path::new("").as_os_str()))
        };
        assert_eq!(paths(&place), before.iter().map(moved).collect::<Vec<_>>(), "{how}");
        assert_eq!(place.build("other").updated, 0, "{how}");
        // And back, which is a copy of some of it this time.
        fs::create_dir(place.path("old")).unwrap();
        fs::copy(place.path("other/f.eml"), place.path("old/f.eml")).unwrap();
        place.build("old");
        assert_eq!(paths(&place), before.iter().map(moved).collect::<Vec<_>>(), "{how}");
        fs::remove_dir_all(place.path("other")).unwrap();
        place.build("old");
        assert!(paths(&place).contains(&place.path("old/f.eml")), "{how}");
    }
}

/// An answer that comes before what it answers waits for it: nothing is written twice, and the index
/// has no segment for it. What turns up later is told, and leaves one segment.
#[test]
fn what_comes_early_is_written_once() {
    let place = Place::new();
    for thread in 0..200 {
        let message = |own: &str, before: &str| {
            let mut text =
                format!("From: a@b.org\nSubject: {own}\nMessage-ID: <{own}{thread}@x>\n");
            if !before.is_empty() {
                text += &format!("In-Reply-To: <{before}{thread}@x>\n");
            }
            text + "\nhello\n"
        };
        place.put(&format!("mail/{thread}-1.eml"), &message("c", "b"), false);
        place.put(&format!("mail/{thread}-2.eml"), &message("b", "a"), false);
        place.put(
            &format!("mail/{thread}-3.eml"),
            &message("a", if thread < 3 { "z" } else { "" }),
            false,
        );
    }
    place.build("mail");
    let stats = place.index.stats().unwrap();
    assert!(stats.segments <= 2, "{stats:?}");
    let options = SearchOptions { limit: usize::MAX, ..SearchOptions::default() };
    let all = Query::parse("*").unwrap();
    assert_eq!(place.threads(), ["abc"]);
    assert_eq!(place.index.threads(&all, &options).unwrap().count(), 200);
    // The beginnings of three, which are of one thread.
    for thread in 0..3 {
        let text = format!(
            "From: a@b.org\nSubject: z\nMessage-ID: <z{thread}@x>\nReferences: <y@x>\n\nhello\n"
        );
        place.put(&format!("mail/late{thread}.eml"), &text, false);
    }
    place.put("mail/y.eml", "From: a@b.org\nSubject: y\nMessage-ID: <y@x>\n\nhello\n", false);
    place.build("mail");
    let stats = place.index.stats().unwrap();
    assert!(stats.segments <= 3, "{stats:?}");
    assert_eq!(stats.documents, 604);
    assert_eq!(place.index.threads(&all, &options).unwrap().count(), 198);
}
