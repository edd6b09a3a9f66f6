//! The index on the disk: what damage costs, what killed writers leave, a full disk, and that
//! deleted is gone. `BULLA_SOAK=n` kills n times as often.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::index::{BuildOptions, Document, Error, Index, Kind, Query, SearchOptions};
use crate::progress::Silent;
use crate::secret::Secret;
use crate::skip;

fn key() -> Secret<32> {
    Secret::from_slice(&[1; 32]).unwrap()
}

fn open(folder: &Path) -> Result<Index, Error> {
    Index::open(folder, &key())
}

fn query(text: &str) -> Query {
    Query::parse(text).unwrap()
}

fn ids(index: &Index, text: &str) -> BTreeSet<String> {
    let options =
        SearchOptions { limit: usize::MAX, snippets: false, scores: false, ..Default::default() };
    let results = index.search(&query(text), &options).unwrap();
    results.hits.into_iter().map(|hit| hit.summary.id).collect()
}

fn note(id: &str, body: &str) -> Document {
    let mut note = Document::new(Kind::Letter, id.into());
    note.body = body.into();
    note
}

fn with_notes(folder: &Path, notes: &[(&str, &str)]) -> Index {
    let index = Index::open_or_create(folder, &key()).unwrap();
    let mut writer = index.writer().unwrap();
    notes.iter().for_each(|(id, body)| writer.add(note(id, body)).unwrap());
    writer.finish().unwrap();
    index
}

/// The files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    named.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

/// Makes the files of a folder these.
fn restore(folder: &Path, to: &BTreeMap<String, Vec<u8>>) {
    for name in files(folder).keys().filter(|name| !to.contains_key(*name)) {
        fs::remove_file(folder.join(name)).unwrap();
    }
    to.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
}

fn is_pack(name: &str) -> bool {
    name.len() == 32
}

fn copied(place: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    restore(copy.path(), &files(place));
    copy
}

/// Many different words, so that packs have many cells.
fn long() -> String {
    (0u64..40_000).map(|n| format!("{:x} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
}

/// What somebody with the disk in hand might do to one file.
#[test]
fn damage_costs_one_segment_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("i");
    let long = long();
    with_notes(&place, &[("a1", "harbour tools"), ("a2", &long), ("a3", "harbour")]);
    with_notes(&place, &[("b1", "harbour rope"), ("b2", &long)]);
    let index = open(&place).unwrap();
    let mut writer = index.writer().unwrap();
    writer.remove_id("a3").unwrap();
    writer.finish().unwrap();
    drop(index);
    let older = files(&place);
    with_notes(&place, &[("c1", "harbour light")]);
    let other = folder.path().join("other");
    drop(with_notes(&other, &[("a1", "harbour tools"), ("a2", &long)]));
    let (good, foreign) = (files(&place), files(&other));
    let all = ["a1", "b1", "c1"].map(String::from);
    let foreign: Vec<_> = foreign.iter().filter(|(name, _)| is_pack(name)).collect();
    let names: Vec<_> = good.keys().filter(|name| is_pack(name)).cloned().collect();
    assert_eq!(names.len(), 4, "three segments and one list of removals");

    let mut costs = BTreeMap::<(String, usize), u32>::new();
    let mut ask = |what: &str, name: &str| {
        let index = open(&place).unwrap_or_else(|error| panic!("{what} {name}: {error}"));
        let found = ids(&index, "harbour");
        assert!(found.iter().all(|id| all.contains(id)), "{what} {name}: {found:?}");
        // Whatever is asked, the answer is right as far as it goes.
        for text in ["har*", "\"harbour rope\"", "after:1971 OR -x", "tools OR light"] {
            index.search(&query(text), &SearchOptions::default()).unwrap();
        }
        for id in ["a1", "a2", "b2", "c1"] {
            match index.show(id) {
                Ok(document) => assert_eq!(document.id, id),
                Err(Error::UnknownId(_)) => {}
                Err(other) => panic!("{what} {name}: {other}"),
            }
        }
        let left_out = index.left_out();
        assert!(left_out.len() <= 1, "{what} {name}: {left_out:?}");
        assert!(left_out.iter().all(|one| one.damage.file == name), "{what} {name}: {left_out:?}");
        let found = ids(&index, "harbour");
        let lost = all.len() - found.len();
        assert!(lost <= 1 && (lost == 0 || !left_out.is_empty()), "{what} {name}: {found:?}");
        if let [one] = left_out.as_slice() {
            assert!(one.documents.is_none_or(|documents| documents as usize >= lost));
            assert_eq!(one.documents.is_none(), name.starts_with("manifest"));
        }
        *costs.entry((if is_pack(name) { "pack" } else { name }.to_owned(), lost)).or_default() +=
            1;
        let damage = index.verify().unwrap().damage;
        assert!(!damage.is_empty(), "{what} {name}");
        assert!(damage.iter().all(|d| d.file == name), "{what} {name}: {damage:?}");
        // A writer, which may have to read and to merge, goes on without what is damaged, or says
        // what is; the next one does go on.
        let copy = copied(&place);
        let index = open(copy.path()).unwrap();
        let write = |id: &str| {
            let mut writer = index.writer()?;
            writer.add(note(id, "harbour more"))?;
            let _ = writer.remove_id("a1");
            writer.finish()
        };
        match write("d1") {
            Ok(()) => {}
            Err(Error::Damaged(damage)) => assert_eq!(damage.file, name, "{what}"),
            Err(other) => panic!("{what} {name}: {other}"),
        }
        write("d2").unwrap_or_else(|error| panic!("{what} {name}: {error}"));
        write("d3").unwrap();
        let again = open(copy.path()).unwrap();
        assert!(ids(&again, "more").contains("d2"));
        assert!(again.left_out().is_empty() || !name.starts_with("manifest"));
    };
    for (at, name) in names.iter().chain([&"manifest-0".into(), &"manifest-1".into()]).enumerate() {
        let file = place.join(name);
        let bytes = &good[name];
        let middle = (0..5).map(|cell| (40 + cell * 4112 + 9) % bytes.len());
        for byte in [0, 7, 20, bytes.len() / 2, bytes.len() - 1].into_iter().chain(middle) {
            let mut bad = bytes.clone();
            bad[byte] ^= 1;
            fs::write(&file, &bad).unwrap();
            ask(&format!("byte {byte} flipped in"), name);
        }
        for length in [0, 30, 64, bytes.len() - 4112, bytes.len() - 1] {
            fs::write(&file, &bytes[..length]).unwrap();
            ask(&format!("{length} bytes left of"), name);
        }
        // Another file of this index, a file of another index.
        fs::write(&file, &good[&names[(at + 1) % names.len()]]).unwrap();
        ask("swapped for a neighbour:", name);
        fs::write(&file, foreign[at % foreign.len()].1).unwrap();
        ask("swapped for a foreign file:", name);
        fs::remove_file(&file).unwrap();
        ask("missing:", name);
        restore(&place, &good);
    }
    eprintln!("what was damaged, documents lost of three: {costs:?}");
    assert!(costs[&("pack".to_owned(), 1)] > 20);

    // Both manifests: nothing can be read, and that is said.
    for slot in ["manifest-0", "manifest-1"] {
        fs::write(place.join(slot), "none").unwrap();
    }
    assert!(matches!(open(&place), Err(Error::Damaged(d)) if d.file.starts_with("manifest")));
    restore(&place, &good);
    // A file too much is no damage unless it is none of ours.
    fs::write(place.join("0".repeat(32)), &good[&names[0]]).unwrap();
    let checked = open(&place).unwrap().verify().unwrap();
    assert_eq!((checked.left_over, checked.damage), (1, vec![]));
    fs::write(place.join("notes.txt"), "x").unwrap();
    let checked = open(&place).unwrap().verify().unwrap();
    assert_eq!(checked.damage[0].file, "notes.txt");
    restore(&place, &good);
    // The whole folder of an earlier time is an index like any other: that is not found.
    restore(&place, &older);
    assert_eq!(ids(&open(&place).unwrap(), "harbour").len(), 2);
    restore(&place, &good);
    // The key's file.
    for at in [0, 1, 40, good["key"].len() - 1] {
        let mut bad = good["key"].clone();
        bad[at] ^= 1;
        fs::write(place.join("key"), bad).unwrap();
        assert!(matches!(open(&place), Err(Error::Key(_))));
    }
}

/// A reader that has the index open meets damage, and goes on.
#[test]
fn damage_met_by_a_search_is_left_out_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    with_notes(folder.path(), &[("a1", "harbour"), ("a2", &long())]);
    with_notes(folder.path(), &[("b1", "harbour")]);
    let index = open(folder.path()).unwrap();
    assert_eq!(ids(&index, "harbour").len(), 2);
    let good = files(folder.path());
    let (name, bytes) =
        good.iter().filter(|(name, _)| is_pack(name)).max_by_key(|f| f.1.len()).unwrap();
    let mut bad = bytes.clone();
    for cell in 0..bytes.len() / 4112 - 1 {
        bad[40 + cell * 4112] ^= 1;
    }
    fs::write(folder.path().join(name), bad).unwrap();
    // Its list of words lies in cells that were not opened yet.
    assert_eq!(ids(&index, "0*"), BTreeSet::new());
    let left_out = index.left_out();
    assert_eq!((left_out[0].damage.file.as_str(), left_out[0].documents), (name.as_str(), Some(2)));
    assert_eq!(ids(&index, "harbour"), BTreeSet::from(["b1".to_owned()]));
    // What was lost comes again when it is indexed again.
    let mut writer = index.writer().unwrap();
    writer.add(note("a1", "harbour")).unwrap();
    writer.finish().unwrap();
    let index = open(folder.path()).unwrap();
    assert_eq!(ids(&index, "harbour").len(), 2);
    assert_eq!(index.left_out(), []);
    assert!(index.verify().unwrap().damage.iter().all(|damage| damage.file == *name));
    with_notes(folder.path(), &[("c1", "harbour")]);
    assert_eq!(open(folder.path()).unwrap().verify().unwrap().damage, []);
}

#[test]
fn file_lengths_do_not_tell_how_much_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = |name: &str, notes: &[(&str, &str)]| {
        let place = folder.path().join(name);
        drop(with_notes(&place, notes));
        let mut lengths: Vec<usize> = files(&place).values().map(Vec::len).collect();
        lengths.sort_unstable();
        lengths
    };
    let many: Vec<(String, String)> =
        (0..40).map(|n| (format!("id{n}"), format!("short text number {n}"))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(id, body)| (&**id, &**body)).collect();
    let one = lengths("one", &[("a", "x")]);
    assert_eq!(
        one,
        lengths("more", &[("a", "some longer text"), ("b", "and another one"), ("c", "")])
    );
    assert_eq!(one, lengths("forty", &many));
    assert_eq!(one.iter().filter(|length| **length > 40).count(), 4, "key, two manifests, a pack");
}

// ---------------------------------------------------------------------------------------------
// What `docs/leakage.md` answers.

/// Names, lengths and times of the files of a folder.
fn outside(folder: &Path) -> BTreeMap<String, (u64, std::time::SystemTime)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let told = entries.map(|entry| {
        let metadata = entry.metadata().unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, (metadata.len(), metadata.modified().unwrap()))
    });
    told.collect()
}

#[test]
fn a_search_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    drop(with_notes(folder.path(), &[("a", "harbour"), ("b", "tools")]));
    let (before, seen) = (files(folder.path()), outside(folder.path()));
    std::thread::sleep(Duration::from_millis(20));
    let index = open(folder.path()).unwrap();
    ids(&index, "harbour OR tools");
    index.show("a").unwrap();
    index.stats().unwrap();
    index.verify().unwrap();
    drop(index);
    assert_eq!(files(folder.path()), before);
    assert_eq!(outside(folder.path()), seen);
}

/// The same documents under the same key, twice: not a block of the one is in the other, nor twice
/// in either.
#[test]
fn no_value_is_deterministic() {
    let folder = tempfile::tempdir().unwrap();
    let mut blocks = BTreeMap::<Vec<u8>, u32>::new();
    for name in ["one", "two"] {
        let place = folder.path().join(name);
        drop(with_notes(&place, &[("a", "harbour tools"), ("b", "harbour tools")]));
        for (name, bytes) in files(&place) {
            let skip = if is_pack(&name) { 8 } else { 1 };
            for block in bytes.get(skip..).unwrap_or_default().chunks_exact(8) {
                *blocks.entry(block.to_vec()).or_default() += 1;
            }
        }
    }
    assert!(blocks.len() > 5000);
    assert!(blocks.values().all(|count| *count == 1));
}

/// A thief with two snapshots sees that something was added: one new pack, one new manifest. He
/// sees that something was removed: one list of removals more. He does not see which.
#[test]
fn what_a_diff_of_two_snapshots_tells() {
    let folder = tempfile::tempdir().unwrap();
    let changed = |before: &BTreeMap<String, Vec<u8>>| {
        let after = files(folder.path());
        let new: Vec<String> = after
            .iter()
            .filter(|(name, b)| before.get(*name) != Some(*b))
            .map(|f| f.0.clone())
            .collect();
        let kind = |name: &String| if is_pack(name) { "pack" } else { "manifest" };
        let sizes: Vec<usize> =
            new.iter().filter(|name| is_pack(name)).map(|n| after[n].len()).collect();
        (new.iter().map(kind).collect::<Vec<_>>(), sizes)
    };
    drop(with_notes(folder.path(), &[("a", "harbour"), ("b", "tools"), ("c", "rope")]));
    // A pack is never shorter.
    let least = 40 + 4 * 4112;
    let mut before = files(folder.path());
    for (id, body) in [("d", "one word"), ("e", &"another longer one ".repeat(100))] {
        drop(with_notes(folder.path(), &[(id, body)]));
        assert_eq!(changed(&before), (vec!["pack", "manifest"], vec![least]), "{id}");
        before = files(folder.path());
    }
    let index = open(folder.path()).unwrap();
    for id in ["a", "b"] {
        let mut writer = index.writer().unwrap();
        writer.remove_id(id).unwrap();
        writer.finish().unwrap();
        assert_eq!(changed(&before), (vec!["pack", "manifest"], vec![least]), "{id}");
        before = files(folder.path());
    }
}

/// After `remove` and `purge` no cell that any key opens holds what was removed: not in the
/// folder, and not in copies of its files that somebody made before, whoever has today's keys.
#[test]
fn deleted_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("i");
    with_notes(&place, &[("a1", "harbour zanzibar"), ("a2", "harbour"), ("a3", "kept")]);
    let index = with_notes(&place, &[("b1", "rope"), ("a2", "harbour anew")]);
    let mut writer = index.writer().unwrap();
    writer.remove_id("a1").unwrap();
    writer.finish().unwrap();
    let before = files(&place);
    let purged = index.purge().unwrap();
    assert_eq!((purged.segments, purged.documents), (1, 2), "a1, and a2 as it was");
    assert_eq!(index.purge().unwrap().documents, 0);
    let after = files(&place);
    for (name, bytes) in before.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let kept = is_pack(name) && after.get(name) == Some(bytes);
        assert!(kept || after.get(name) != Some(bytes), "{name} is as it was");
    }
    assert_eq!(ids(&index, "harbour OR rope").len(), 2);
    assert!(ids(&index, "zanzibar").is_empty());
    assert_eq!(ids(&open(&place).unwrap(), "harbour OR rope").len(), 2);
    // The manifests of before under today's key: no secret of a pack can be had.
    let copy = tempfile::tempdir().unwrap();
    let mut mixed = before.clone();
    mixed.insert("key".into(), after["key"].clone());
    restore(copy.path(), &mixed);
    assert!(matches!(open(copy.path()), Err(Error::Damaged(d)) if d.file.starts_with("manifest")));
    // And the packs of before under today's manifests are not even looked at.
    let mut mixed = before;
    mixed.extend(after.clone());
    restore(copy.path(), &mixed);
    let index = open(copy.path()).unwrap();
    assert!(ids(&index, "zanzibar").is_empty() && index.verify().unwrap().damage.is_empty());

    // A change of the key leaves no file as it was.
    open(&place).unwrap().rekey().unwrap();
    let rekeyed = files(&place);
    let same = rekeyed
        .iter()
        .filter(|(name, bytes)| !bytes.is_empty() && after.get(*name) == Some(*bytes));
    assert_eq!(same.count(), 0);
    let lengths = |files: &BTreeMap<String, Vec<u8>>| files.values().map(Vec::len).sum::<usize>();
    assert_eq!(lengths(&rekeyed), lengths(&after));
    assert_eq!(ids(&open(&place).unwrap(), "harbour OR rope").len(), 2);
    // Somebody who had the index open goes on, with the key of now.
    index.reload().unwrap();
}

/// Who has the index open while its key is changed sees the new state when he looks again.
#[test]
fn readers_follow_a_change_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let index = with_notes(folder.path(), &[("a", "harbour")]);
    let reader = open(folder.path()).unwrap();
    index.rekey().unwrap();
    assert_eq!(ids(&reader, "harbour").len(), 1, "what is open stays open");
    with_notes(folder.path(), &[("b", "harbour")]);
    index.purge().unwrap();
    reader.reload().unwrap();
    assert_eq!(ids(&reader, "harbour").len(), 2);
    let mut writer = reader.writer().unwrap();
    writer.add(note("c", "harbour")).unwrap();
    writer.finish().unwrap();
    index.reload().unwrap();
    assert_eq!(ids(&index, "harbour").len(), 3);
}

/// A file system too small: a clear error, and the index as it was.
#[test]
fn a_full_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "bulla-test"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        return skip::optional("no file system can be mounted here");
    }
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let mounted = Mounted(folder.path().to_owned());
    let place = folder.path().join("i");
    let index = with_notes(&place, &[("a", "harbour")]);
    let before = files(&place);
    let mut writer = index.writer().unwrap();
    writer.add(note("long", &long())).unwrap();
    match writer.finish() {
        Err(Error::Io { error, .. }) => {
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(files(&place), before);
    drop(index);
    let index = with_notes(&place, &[("b", "harbour")]);
    assert_eq!(ids(&index, "harbour").len(), 2);
    drop(index);
    drop(mounted);
}

// ---------------------------------------------------------------------------------------------
// Killed writers.

const CHILD: &str = "BULLA_TEST_KILLED_WRITER";

/// The child of the test below: does one thing after another until it is killed, and says of each
/// when it begins and when it is done.
#[test]
#[ignore = "a child of killed_writers_lose_nothing_committed"]
fn child_writes_until_killed() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let index = Index::open_or_create(&folder.join("i"), &key()).unwrap();
    let say = |what: &str| {
        println!("{what}");
        std::io::stdout().flush().unwrap();
    };
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        let (verb, rest) = line.trim_end().split_once(' ').unwrap();
        if verb != "merge" {
            say(&format!("begin {verb}"));
        }
        match verb {
            "build" => {
                let mut writer = index.writer().unwrap();
                let paths = [PathBuf::from(rest)];
                writer.build(&paths, &BuildOptions::default(), &Silent).unwrap();
                writer.finish().unwrap();
            }
            "add" | "merge" => {
                // Small commits, so that the engine has much to merge.
                let mut writer = index.writer().unwrap();
                for id in rest.split(',') {
                    writer.add(note(id, &format!("killed {id}"))).unwrap();
                    writer.commit().unwrap();
                }
                if verb == "merge" {
                    // All is committed: what is left to do is what the engine merges.
                    say("begin merge");
                }
                writer.finish().unwrap();
            }
            "remove" => {
                let mut writer = index.writer().unwrap();
                let _ = writer.remove_id(rest);
                writer.finish().unwrap();
            }
            "purge" => drop(index.purge().unwrap()),
            "rekey" => index.rekey().unwrap(),
            other => panic!("{other}"),
        }
        say(&format!("done {}", line.trim_end()));
        line.clear();
    }
}

/// What a killed writer was doing, in turn.
const KILLED: [&str; 6] = ["build", "add", "merge", "purge", "rekey", "remove"];

#[test]
fn killed_writers_lose_nothing_committed() {
    let soak = std::env::var("BULLA_SOAK").ok().and_then(|soak| soak.parse::<u32>().ok());
    let wanted = 20 * soak.unwrap_or(1);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("i");
    drop(Index::create(&place, &key()).unwrap());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |end: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % end.max(1)
    };
    // What must be there, and what must not.
    let (mut there, mut gone) = (BTreeSet::new(), BTreeSet::new());
    let mut killed_in = BTreeMap::<&str, u32>::new();
    // How long each took when it was let live, in microseconds.
    let mut took = BTreeMap::<&str, u64>::new();
    let (mut killed, mut round) = (0, 0_usize);
    loop {
        // In turn, and at the end what a quick or a busy machine was never killed in.
        let rare = |verb: &&str| killed_in.get(verb).copied().unwrap_or_default() * 20 < wanted;
        let target = match KILLED.into_iter().find(rare) {
            Some(rare) if killed >= wanted => rare,
            None if killed >= wanted => break,
            _ => KILLED[round % KILLED.len()],
        };
        round += 1;
        assert!(
            round < 8 * wanted as usize + 100,
            "of {round} children too few died at work: {killed_in:?}"
        );
        let mut lines = Vec::new();
        for n in 0..12 {
            // Half of it is what is to be killed, from the second on: something must be there.
            let verb = if n % 2 == 1 { target } else { KILLED[below(6) as usize] };
            lines.push(match verb {
                "build" => {
                    let path = folder.path().join(format!("{round}-{n}.mbox"));
                    let mut mbox = String::new();
                    for m in 0..20 {
                        mbox += "From a Thu Jan  1 00:00:00 1970\nFrom: a@b\n";
                        mbox += &format!("Subject: part{round}x{n}\n\nkilled {round} {n} {m}\n\n");
                    }
                    fs::write(&path, mbox).unwrap();
                    format!("build {}", path.display())
                }
                "remove" => {
                    let ids: Vec<&String> = there.iter().collect();
                    match ids.get(below(ids.len() as u64) as usize) {
                        Some(id) => format!("remove {id}"),
                        None => "remove nothing".into(),
                    }
                }
                "purge" | "rekey" => format!("{verb} now"),
                // The engine merges eight of a size.
                _ => {
                    let count = if verb == "merge" { 9 } else { 4 };
                    let ids: Vec<_> = (0..count).map(|m| format!("id-{round}-{n}-{m}")).collect();
                    format!("{verb} {}", ids.join(","))
                }
            });
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "index::tests::store::child_writes_until_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for line in &lines {
            writeln!(stdin, "{line}").unwrap();
        }
        // It is killed within one of the first three of the kind that is to be.
        let mut lives = below(3);
        let mut said = Vec::new();
        let mut begun = Instant::now();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        for line in out.by_ref() {
            said.push(line.clone());
            if line.starts_with("done ") {
                let verb = KILLED.iter().find(|verb| line[5..].starts_with(**verb)).unwrap();
                took.insert(verb, begun.elapsed().as_micros() as u64);
            }
            if let Some(verb) = line.strip_prefix("begin ") {
                begun = Instant::now();
                if verb == target {
                    if lives == 0 {
                        break;
                    }
                    lives -= 1;
                }
            }
        }
        let usual = took.get(target).copied().unwrap_or(10_000);
        std::thread::sleep(Duration::from_micros(below(usual)));
        child.kill().unwrap();
        said.extend(out);
        child.wait().unwrap();
        let done = said.iter().filter(|line| line.starts_with("done ")).count();
        let begun = said.iter().filter(|line| line.starts_with("begin ")).count();

        let index = open(&place).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let mut parts = Vec::new();
        let mut happened =
            |line: &str, gone: &mut BTreeSet<String>| match line.split_once(' ').unwrap() {
                ("add" | "merge", list) => there.extend(list.split(',').map(String::from)),
                ("remove", id) => {
                    there.remove(id);
                    gone.insert(id.to_owned());
                }
                ("build", path) => parts.push(Path::new(path).file_stem().unwrap().to_owned()),
                _ => {}
            };
        lines[..done].iter().for_each(|line| happened(line, &mut gone));
        let mut unknown = BTreeSet::new();
        if let Some((verb, rest)) = lines.get(done).and_then(|line| line.split_once(' ')) {
            if begun > done {
                let verb = *KILLED.iter().find(|known| **known == verb).unwrap();
                *killed_in.entry(verb).or_default() += 1;
                // A change of the key and a removal come on top of what was asked for.
                killed += u32::from(!matches!(verb, "rekey" | "remove"));
            }
            if verb == "merge" && begun > done {
                // What is merged was committed before.
                happened(&lines[done], &mut gone);
            } else {
                unknown.extend(rest.split(',').map(String::from));
            }
        }
        let found: BTreeSet<String> =
            ids(&index, "killed").into_iter().filter(|id| id.starts_with("id-")).collect();
        let missing: Vec<_> =
            there.difference(&found).filter(|id| !unknown.contains(*id)).collect();
        assert!(missing.is_empty(), "round {round}: {missing:?}");
        let back: Vec<_> = found.intersection(&gone).collect();
        assert!(back.is_empty(), "round {round}: {back:?}");
        for part in parts {
            let part = part.into_string().unwrap().replace('-', "x");
            assert_eq!(index.count(&query(&format!("subject:part{part}"))).unwrap(), 20, "{part}");
        }
        assert_eq!(index.left_out(), [], "round {round}");
        assert_eq!(index.verify().unwrap().damage, [], "round {round}");
        for id in unknown {
            if found.contains(&id) {
                there.insert(id);
            } else {
                there.remove(&id);
            }
        }
    }
    eprintln!("{round} children were killed, at work in {killed_in:?}; {} notes", there.len());
    let index = with_notes(&place, &[("last", "killed last")]);
    let checked = index.verify().unwrap();
    assert_eq!((checked.left_over, checked.damage), (0, vec![]));
}
