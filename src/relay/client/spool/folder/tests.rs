use std::fs;
use std::io::Read as _;

use super::*;
use crate::files::sim::{SimDisk, cut_everywhere};

impl Spool {
    /// Opens the spool in a folder of the real disk.
    pub(crate) fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        Self::on(Arc::new(Folder::new(folder.as_ref())))
    }
}

fn put(spool: &mut Spool, byte: u8) -> Id {
    let id = Id([byte; 32]);
    spool.put(id, &[byte; 5]).unwrap();
    spool.settle().unwrap();
    id
}

#[test]
fn messages_wait_in_order_and_are_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let ids: Vec<Id> = [9, 3, 7].map(|byte| put(&mut spool, byte)).to_vec();
    assert_eq!(spool.waiting(), ids);
    assert!(matches!(Spool::open(folder.path()), Err(Error::SpoolInUse { .. })));
    spool.done(&ids[1]).unwrap();
    drop(spool);

    let mut spool = Spool::open(folder.path()).unwrap();
    assert_eq!(spool.waiting(), [ids[0], ids[2]]);
    assert!(spool.is_done(&ids[1]) && spool.open_message(&ids[1]).unwrap().is_none());
    spool.put(ids[1], b"again").unwrap();
    spool.settle().unwrap();
    assert_eq!(put(&mut spool, 1), Id([1; 32]));
    assert_eq!(spool.waiting(), [ids[0], ids[2], Id([1; 32])]);
    let mut bytes = Vec::new();
    spool.open_message(&ids[0]).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, [9; 5]);
}

#[test]
fn what_a_crash_leaves_is_put_right() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    // Put and never settled: not here, and not promised to be.
    spool.put(Id([1; 32]), b"whole").unwrap();
    assert!(spool.waiting().is_empty());
    spool.arriving.clear();
    let id = put(&mut spool, 2);
    drop(spool);
    // Killed while a message came in, and between the rename and the emptying.
    fs::write(folder.path().join(".bulla-abc.part"), "half").unwrap();
    let waiting = folder.path().join(format!("{:016x}-{id}.waiting", 1));
    let done = waiting.with_extension("done");
    fs::rename(waiting, &done).unwrap();
    fs::write(folder.path().join("stranger.txt"), "kept").unwrap();
    let spool = Spool::open(folder.path()).unwrap();
    assert!(spool.is_done(&id));
    assert_eq!(fs::metadata(done).unwrap().len(), 0);
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn what_is_given_out_is_kept_until_it_is_opened_or_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let ids = [1, 2, 3, 4].map(|byte| put(&mut spool, byte));
    ids.iter().for_each(|id| spool.give(id, 30 * KEPT).unwrap());
    assert!(spool.waiting().is_empty() && spool.is_done(&ids[0]));
    Word::Opened.leave(folder.path(), &ids[0]).unwrap();
    Word::Opened.leave(folder.path(), &Id([9; 32])).unwrap();
    assert_eq!(spool.given(), ids);
    drop(spool);
    // As they were named before they had a time: for a week.
    let named = |number: usize, time: &str| {
        let begin = format!("{number:016x}-{}.{number:016x}.", ids[number]);
        let names = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        let name = names.iter().find(|name| name.starts_with(&begin)).unwrap();
        let until = name.strip_prefix(&begin).unwrap().strip_suffix(".given").unwrap();
        let until = u64::from_str_radix(until, 16).unwrap();
        assert!(until <= unix_time(SystemTime::now() + KEPT), "{until}");
        let new = folder.path().join(format!("{begin}{time}given"));
        fs::rename(folder.path().join(name), &new).unwrap();
        new
    };
    let week_old = SystemTime::now() - KEPT - Duration::from_secs(60);
    File::open(named(2, "")).unwrap().set_modified(week_old).unwrap();
    named(3, &format!("{:016x}.", unix_time(SystemTime::now())));

    let mut spool = Spool::open(folder.path()).unwrap();
    assert_eq!(spool.given(), [ids[1]]);
    assert!(spool.open_message(&ids[0]).unwrap().is_none());
    assert!(spool.open_message(&ids[1]).unwrap().is_some());
    let left = fs::read_dir(folder.path()).unwrap();
    assert_eq!(left.filter(|f| f.as_ref().unwrap().metadata().unwrap().len() > 0).count(), 1);
    // What was done is not undone, and a mark keeps the bytes until it is durable.
    spool.done(&ids[1]).unwrap();
    let path = folder.path().join(format!("{:016x}-{}.done", 1, ids[1]));
    assert_eq!(fs::metadata(&path).unwrap().len(), 5);
    spool.settle().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    spool.give(&ids[1], KEPT).unwrap();
    assert!(spool.given().is_empty());
}

#[test]
fn the_memory_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..REMEMBERED as u64 + 3 {
        let id = Id(crate::crypto::sha256(&[&number.to_be_bytes()]));
        File::create(folder.path().join(format!("{number:016x}-{id}.done"))).unwrap();
    }
    let spool = Spool::open(folder.path()).unwrap();
    assert_eq!(spool.messages.len(), REMEMBERED);
    assert_eq!(spool.messages.first_key_value().unwrap().0, &3);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), REMEMBERED + 1);
}

#[test]
fn a_long_message_goes_on_where_it_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let body = b"a message that comes in two parts".repeat(10_000);
    let id = Id(crate::crypto::sha256(&[&body]));
    let (first, second) = body.split_at(100_000);
    let mut spool = Spool::open(folder.path()).unwrap();
    let mut partial = spool.partial(id).unwrap();
    assert_eq!(partial.length(), 0);
    partial.write_all(first).unwrap();
    drop((partial, spool));

    let mut spool = Spool::open(folder.path()).unwrap();
    assert!(!spool.knows(&id) && spool.waiting().is_empty());
    let mut partial = spool.partial(id).unwrap();
    assert_eq!(partial.length(), 100_000);
    partial.write_all(second).unwrap();
    spool.complete(partial).unwrap();
    assert_eq!(spool.waiting(), [id]);
    let mut bytes = Vec::new();
    spool.open_message(&id).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
    assert!(bytes == body);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn parts_are_dropped_when_wrong_old_or_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let count = || fs::read_dir(folder.path()).unwrap().count();
    let mut spool = Spool::open(folder.path()).unwrap();
    let mut partial = spool.partial(Id([1; 32])).unwrap();
    partial.write_all(b"not what it says").unwrap();
    let wrong = spool.complete(partial);
    assert!(matches!(wrong, Err(Error::WrongHash(Id([1, ..])))));
    assert_eq!(count(), 1);
    // However many a relay begins and breaks off, one is kept.
    for byte in 2..10 {
        spool.partial(Id([byte; 32])).unwrap().write_all(b"part").unwrap();
        assert_eq!(count(), 2);
    }
    drop(spool);
    let path = folder.path().join(format!("{}.partial", Id([9; 32])));
    let week_old = std::time::SystemTime::now() - KEPT - Duration::from_secs(60);
    File::options().append(true).open(path).unwrap().set_modified(week_old).unwrap();
    Spool::open(folder.path()).unwrap();
    assert_eq!(count(), 1);
}

/// A pull that gives out `ids` in this order, to a reader that says `words` before or after each is
/// marked as given; then the next start.
fn next_start(folder: &Path, ids: &[Id], words: &[(Word, Id)], early: bool) -> Spool {
    let mut spool = Spool::open(folder).unwrap();
    let leave = || words.iter().for_each(|(word, id)| word.leave(folder, id).unwrap());
    if early {
        leave();
    }
    ids.iter().for_each(|id| spool.give(id, KEPT).unwrap());
    if !early {
        leave();
    }
    drop(spool);
    Spool::open(folder).unwrap()
}

#[test]
fn what_a_reader_did_not_take_waits_again_in_order_whoever_was_first() {
    for early in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        let ids = [9, 3, 7, 5, 4].map(|byte| put(&mut spool, byte));
        // Given out before, to a reader that left no word: it does not come again.
        spool.give(&ids[4], KEPT).unwrap();
        drop(spool);
        let words = [(Word::Opened, ids[0]), (Word::Untaken, ids[1])];
        let spool = next_start(folder.path(), &ids[..3], &words, early);
        assert_eq!(spool.waiting(), [ids[1], ids[2], ids[3]], "{early}");
        assert_eq!((spool.given(), spool.deferred()), (vec![ids[4]], vec![]));
        assert!(spool.is_done(&ids[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
        drop(spool);
        // Word is heeded once.
        let spool = next_start(folder.path(), &ids[1..4], &[], early);
        assert_eq!((spool.waiting(), spool.given()), (vec![], ids[1..].to_vec()));
    }
}

#[test]
fn what_a_reader_refused_waits_behind_all_others() {
    for early in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        let ids = [9, 3, 7].map(|byte| put(&mut spool, byte));
        drop(spool);
        let words = [(Word::Refused, ids[0]), (Word::Untaken, ids[2])];
        let mut spool = next_start(folder.path(), &ids, &words, early);
        assert_eq!((spool.waiting(), spool.deferred()), (vec![ids[2]], vec![ids[0]]));
        assert!(spool.is_waiting(&ids[0]) && !spool.is_done(&ids[0]) && spool.knows(&ids[0]));
        assert!(spool.open_message(&ids[0]).unwrap().is_some());
        let new = put(&mut spool, 1);
        drop(spool);
        // Given out last, it is handed back with what came before it.
        let order = [ids[2], new, ids[0]];
        let spool = next_start(folder.path(), &order, &[(Word::Untaken, new)], early);
        assert_eq!(spool.waiting(), [ids[0], new]);
        drop(spool);
        // Refused, and taken after all: it does not come again.
        let words = [(Word::Refused, new), (Word::Opened, new)];
        let spool = next_start(folder.path(), &[ids[0], new], &words, early);
        assert!(spool.is_done(&new) && spool.waiting().is_empty());
    }
}

/// Returns the state that the name of a message's file says.
fn spool_state(folder: &Path, id: &Id) -> State {
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let mut parsed = names.filter_map(|name| parse_name(name.to_str().unwrap()));
    parsed.find(|(_, of, _)| of == id).unwrap().2
}

/// Killed after any step of heeding a word, the next start ends where the one would have.
#[test]
fn word_is_heeded_however_often_the_start_is_killed() {
    let begin = || {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        let ids = [9, 3, 7, 5].map(|byte| put(&mut spool, byte));
        ids.iter().for_each(|id| spool.give(id, KEPT).unwrap());
        Word::Untaken.leave(folder.path(), &ids[1]).unwrap();
        (folder, ids)
    };
    for killed in 0..=3 {
        let (folder, ids) = begin();
        // The order in which `heed` renames: those behind the first, then the first.
        for at in [2, 3, 1].into_iter().take(killed) {
            let State::Given(turn, until) = spool_state(folder.path(), &ids[at]) else { panic!() };
            let name = |state| folder.path().join(name(at as u64, &ids[at], state));
            fs::rename(name(State::Given(turn, until)), name(State::Waiting)).unwrap();
        }
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.waiting(), ids[1..], "killed after {killed}");
        assert_eq!(spool.given(), [ids[0]]);
    }
}

#[test]
fn word_of_unknown_messages_and_of_an_older_spool_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let ids = [1, 2].map(|byte| put(&mut spool, byte));
    drop(spool);
    for word in [Word::Untaken, Word::Refused, Word::Opened] {
        word.leave(folder.path(), &Id([8; 32])).unwrap();
        word.leave(&folder.path().join("none"), &Id([8; 32])).unwrap_err();
    }
    for (number, id) in ids.iter().enumerate() {
        let name = |end: &str| folder.path().join(format!("{number:016x}-{id}.{end}"));
        fs::rename(name("waiting"), name("given")).unwrap();
    }
    assert!(Spool::keeps(folder.path(), &ids[0]) && !Spool::keeps(folder.path(), &Id([8; 32])));
    let mut spool = Spool::open(folder.path()).unwrap();
    assert_eq!(spool.given(), ids);
    spool.done(&ids[0]).unwrap();
    spool.settle().unwrap();
    assert!(!Spool::keeps(folder.path(), &ids[0]) && Spool::keeps(folder.path(), &ids[1]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

/// What a spool was asked, and what it promised.
#[derive(Default)]
struct Promises {
    /// Durably here.
    stored: Vec<Id>,
    /// Marked, durably or not.
    marked: Vec<Id>,
    /// Durably marked.
    done: Vec<Id>,
    /// Given out, and durably word was left that it comes again.
    untaken: Vec<Id>,
}

fn long() -> (Id, Vec<u8>) {
    let bytes: Vec<u8> = (0..3000_u32).flat_map(u32::to_le_bytes).collect();
    (Id(crypto::sha256(&[&bytes])), bytes)
}

fn go_through_all_states(disk: &SimDisk, promises: &mut Promises) -> Result<(), Error> {
    let ids = [1, 2, 3, 4].map(|byte| Id([byte; 32]));
    let folder = disk.root().folder("spool");
    let mut spool = Spool::on(Arc::clone(&folder))?;
    for id in ids {
        spool.put(id, &[id.0[0]; 1500])?;
    }
    spool.settle()?;
    promises.stored.extend(ids);
    promises.marked.extend([ids[0], ids[1], ids[2]]);
    spool.done(&ids[0])?;
    spool.give(&ids[1], KEPT)?;
    spool.give(&ids[2], KEPT)?;
    spool.settle()?;
    promises.done.extend([ids[0], ids[1], ids[2]]);
    let (id, bytes) = long();
    let mut partial = spool.partial(id)?;
    for piece in bytes.chunks(5000) {
        partial.write_all(piece)?;
    }
    spool.complete(partial)?;
    promises.stored.push(id);
    drop(spool);
    Word::Opened.leave_on(&*folder, &ids[1])?;
    promises.done.pop();
    Word::Untaken.leave_on(&*folder, &ids[2])?;
    promises.untaken.push(ids[2]);
    Spool::on(folder)?.settle().map_err(Error::from)
}

#[test]
fn no_crash_loses_a_message_or_a_mark() {
    let prepare = |_: &SimDisk| Promises::default();
    cut_everywhere(prepare, go_through_all_states, |disk, promises, _| {
        let spool = Spool::on(disk.root().folder("spool")).unwrap();
        for id in &promises.stored {
            assert!(spool.knows(id));
            let marked = promises.marked.contains(id);
            assert!(marked || spool.is_waiting(id));
        }
        for id in &promises.done {
            assert!(spool.is_done(id));
        }
        for id in &promises.untaken {
            assert!(spool.is_waiting(id));
        }
        // Whatever is said to be here is here as a whole.
        for id in [spool.waiting(), spool.deferred(), spool.given()].concat() {
            let mut bytes = Vec::new();
            spool.open_message(&id).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
            let (other, long) = long();
            assert_eq!(bytes, if id == other { long } else { vec![id.0[0]; 1500] });
        }
    });
}
