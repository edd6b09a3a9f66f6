//! The index on a disk that lies, and what the disk shows.

mod corpus;
mod ingest;
mod query;
mod store;
mod threads;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::files::sim::{Random, SimDisk};
use crate::index::analysis::stemmer::Stems;
use crate::index::document::{Document, Kind};
use crate::index::engine::Index;
use crate::index::query::Query;
use crate::index::search::options::SearchOptions;
use crate::index::storage::directory::CellDirectory;
use crate::index::storage::folder;
use crate::index::{Error, Writer};
use crate::secret::Secret;

fn key() -> Secret<32> {
    Secret::from_slice(&[7; 32]).unwrap()
}

fn place() -> &'static Path {
    Path::new("simulated")
}

fn made(disk: &SimDisk) -> Index {
    Index::create_on(disk.root(), place(), &key(), &Stems::default()).unwrap();
    opened(disk).unwrap()
}

fn opened(disk: &SimDisk) -> Result<Index, Error> {
    Index::open_on(disk.root(), place(), &key())
}

fn note(id: &str, body: &str) -> Document {
    let mut note = Document::new(Kind::Letter, id.into());
    note.body = body.into();
    note
}

fn ids(index: &Index, text: &str) -> BTreeSet<String> {
    let options =
        SearchOptions { limit: usize::MAX, snippets: false, scores: false, ..Default::default() };
    let found = index.search(&Query::parse(text).unwrap(), &options).unwrap();
    found.hits.into_iter().map(|hit| hit.summary.id).collect()
}

/// A disk that makes one wait is told what will be read, and gives the same answers.
#[test]
fn reading_ahead_changes_no_answer() {
    let disk = SimDisk::new(1);
    let index = made(&disk);
    for part in 0..3 {
        let mut writer = index.writer().unwrap();
        for n in 0..40 {
            let mut one = note(&format!("id{part}-{n:02}"), &format!("harbour tools {n} rope"));
            one.from = format!("Person {n} <p{n}@harbour.example>");
            one.subject = format!("boat {} of harbours", n % 7);
            one.date = Some(1_700_000_000 + n * 86_400);
            writer.add(one).unwrap();
        }
        writer.finish().unwrap();
    }
    index.reload().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in disk.all() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let plain = Index::open(folder.path(), &key()).unwrap();
    let options = SearchOptions { limit: 30, ..SearchOptions::default() };
    for text in [
        "harbour",
        "harb* NOT rope",
        "\"harbour tools\" from:p3",
        "tols~1 OR subject:boat",
        "tools NEAR/3 rope after:2023-12-01",
        "\"harbour to*\"",
        "id:id1* size:0..",
        "nothing",
    ] {
        let query = Query::parse(text).unwrap();
        let (one, other) = (index.search(&query, &options), plain.search(&query, &options));
        assert_eq!(one.unwrap(), other.unwrap(), "{text}");
    }
}

/// It opens with the key, and was made by a program that looks for other things.
#[test]
fn an_index_of_another_version_is_told() {
    let disk = SimDisk::new(1);
    let keys = folder::new_key(&*disk.root(), place(), &key()).unwrap();
    let directory = CellDirectory::new(disk.root(), place(), key(), keys);
    let mut schema = tantivy::schema::Schema::builder();
    schema.add_text_field("id", tantivy::schema::STRING);
    let builder = tantivy::Index::builder().schema(schema.build());
    drop(builder.open_or_create(directory).unwrap());
    assert!(matches!(opened(&disk), Err(Error::Another(_))));
}

/// How often, in the ordinary run and in a long one.
fn rounds(ordinary: u64) -> u64 {
    let soak = std::env::var("BULLA_SOAK").ok().and_then(|soak| soak.parse::<u64>().ok());
    soak.map_or(ordinary, |soak| ordinary * soak)
}

/// One change of the index: what it does, and the ids it leaves.
#[derive(Debug, Clone)]
enum Step {
    Add(Vec<String>),
    Remove(String),
    Purge,
    Rekey,
}

impl Step {
    fn any(random: &mut Random, next: &mut u64, there: &BTreeSet<String>) -> Self {
        let some = || there.iter().nth(random.0 as usize % there.len().max(1)).cloned();
        match (random.clone().below(10), some()) {
            (0, Some(id)) => Self::Remove(id),
            (1, _) => Self::Purge,
            (2, _) => Self::Rekey,
            _ => {
                let count = 1 + random.next() % 5;
                *next += count;
                Self::Add((*next - count..*next).map(|n| format!("id{n:05}")).collect())
            }
        }
    }

    fn apply(&self, to: &BTreeSet<String>) -> BTreeSet<String> {
        let mut to = to.clone();
        match self {
            Self::Add(ids) => to.extend(ids.iter().cloned()),
            Self::Remove(id) => {
                to.remove(id);
            }
            Self::Purge | Self::Rekey => {}
        }
        to
    }

    fn run(&self, index: &Index) -> Result<(), Error> {
        match self {
            Self::Add(ids) => {
                let mut writer: Writer<'_> = index.writer()?;
                for id in ids {
                    writer.add(note(id, &format!("word {id} body")))?;
                }
                writer.finish()
            }
            Self::Remove(id) => {
                let mut writer = index.writer()?;
                writer.remove_id(id)?;
                writer.finish()
            }
            Self::Purge => index.purge().map(drop),
            Self::Rekey => index.rekey(),
        }
    }
}

/// The power fails at any write, sync, naming or removal, and the disk keeps of the unsynced what
/// it likes: what was said to be done is there, what was under way is there whole or not at all.
#[test]
fn power_cuts_lose_nothing_committed() {
    let mut cut = BTreeMap::<&str, u32>::new();
    for seed in 0..rounds(60) {
        let mut random = Random(seed);
        let disk = SimDisk::new(seed);
        drop(made(&disk));
        let (mut there, mut next) = (BTreeSet::new(), 0);
        for _ in 0..12 {
            random.next();
            let step = Step::any(&mut random, &mut next, &there);
            let after = step.apply(&there);
            disk.crash_in(Some(1 + random.below(40)));
            let done = opened(&disk).and_then(|index| step.run(&index));
            match &done {
                Ok(()) => there = after.clone(),
                Err(_) if disk.is_off() => {
                    let what = format!("{step:?}");
                    let what = ["Add", "Remove", "Purge", "Rekey"]
                        .into_iter()
                        .find(|name| what.starts_with(name));
                    *cut.entry(what.unwrap()).or_default() += 1;
                }
                Err(error) => panic!("seed {seed}, {step:?}: {error}"),
            }
            disk.restart();
            let index = opened(&disk).unwrap_or_else(|e| panic!("seed {seed}, {step:?}: {e}"));
            let found = ids(&index, "word");
            assert!(
                found == there || (done.is_err() && found == after),
                "seed {seed}, {step:?}: {found:?}"
            );
            assert_eq!(index.left_out(), [], "seed {seed}, {step:?}");
            assert_eq!(index.verify().unwrap().damage, [], "seed {seed}, {step:?}");
            there = found;
        }
        // It can be written to, and what killed writers left is gone.
        disk.crash_in(None);
        let index = opened(&disk).unwrap();
        Step::Add(vec!["last".into()]).run(&index).unwrap();
        assert_eq!(ids(&index, "word").len(), there.len() + 1);
        assert_eq!(index.verify().unwrap().left_over, 0);
    }
    eprintln!("power was cut in {cut:?}");
    assert!(cut.len() == 4, "{cut:?}");
}

/// Every single operation of one commit, one removal, one purge and one change of the key.
#[test]
fn power_cuts_at_every_operation() {
    let steps = [
        Step::Add(vec!["new1".into(), "new2".into()]),
        Step::Remove("old1".into()),
        Step::Purge,
        Step::Rekey,
    ];
    for step in &steps {
        let run = |crash: Option<u64>, seed: u64| {
            let disk = SimDisk::new(seed);
            let index = made(&disk);
            Step::Add(vec!["old1".into(), "old2".into()]).run(&index).unwrap();
            Step::Add(vec!["old3".into()]).run(&index).unwrap();
            Step::Remove("old3".into()).run(&index).unwrap();
            Step::Add(vec!["old4".into(), "old5".into()]).run(&index).unwrap();
            Step::Remove("old5".into()).run(&index).unwrap();
            drop(index);
            let before: BTreeSet<String> = ["old1", "old2", "old4"].map(String::from).into();
            let (start, after) = (disk.operations(), step.apply(&before));
            disk.crash_in(crash);
            let done = opened(&disk).and_then(|index| step.run(&index));
            let took = disk.operations() - start;
            disk.restart();
            let index = opened(&disk).unwrap_or_else(|e| panic!("{step:?} {crash:?}: {e}"));
            let found = ids(&index, "word");
            assert!(
                found == after || (done.is_err() && found == before),
                "{step:?} cut at {crash:?}: {found:?}"
            );
            assert_eq!(index.left_out(), []);
            assert_eq!(index.verify().unwrap().damage, []);
            Step::Add(vec!["last".into()]).run(&index).unwrap();
            index.rekey().unwrap();
            assert_eq!(ids(&index, "word").len(), found.len() + 1);
            took
        };
        let operations = run(None, 0);
        for crash in 1..=operations {
            for seed in 0..rounds(2) {
                run(Some(crash), crash * 1000 + seed);
            }
        }
        eprintln!("{step:?}: cut at each of {operations} operations");
    }
}

/// The generation before does not keep what was merged until something else is committed.
#[test]
fn what_was_merged_goes() {
    let disk = SimDisk::new(1);
    let index = made(&disk);
    let packs = || disk.all().keys().filter(|name| folder::is_cell_name(name)).count() as u64;
    let mut most = 0;
    for n in 0..8 {
        Step::Add(vec![format!("id{n}")]).run(&index).unwrap();
        most = packs().max(most);
    }
    assert!(most > 6, "the engine merges eight of a size");
    assert_eq!((index.stats().unwrap().segments, packs()), (1, 1));
    assert_eq!(ids(&index, "word").len(), 8);
    assert_eq!(index.verify().unwrap().damage, []);
}

/// A full disk is told, and leaves the index as it was.
#[test]
fn a_full_disk() {
    let disk = SimDisk::new(1);
    let index = made(&disk);
    Step::Add(vec!["one".into(), "two".into()]).run(&index).unwrap();
    let before = disk.used();
    let step = Step::Add(vec!["three".into()]);
    let mut refused = 0;
    for room in (0..200).map(|n| n * 512) {
        disk.capacity(Some(before + room));
        match step.run(&opened(&disk).unwrap()) {
            Err(Error::Io { error, .. }) => {
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
                refused += 1;
            }
            Ok(()) => break,
            Err(other) => panic!("{other}"),
        }
        let index = opened(&disk).unwrap();
        assert_eq!(ids(&index, "word").len(), 2);
        assert_eq!(disk.used(), before, "room is given back");
        assert_eq!(index.verify().unwrap().damage, []);
        assert!(matches!(index.rekey(), Err(Error::Io { .. })));
    }
    disk.capacity(None);
    index.reload().unwrap();
    eprintln!("{refused} tries had no room");
    assert!(refused > 20 && ids(&index, "word").contains("three"));
}
