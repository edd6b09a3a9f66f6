//! The fuzz targets over their committed corpus and some hundred thousand changes of it, the same
//! in every run. `cargo fuzz run NAME` in `fuzz/` continues from there without a limit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};
use std::{fs, panic, thread};

/// Most time for the changes of one target.
const TIME: Duration = Duration::from_secs(2);
/// Most changes of one target.
const CHANGES: u32 = 20_000;

/// A panic in a thread that is not a test's: those of a server's tasks are caught by its runtime.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

macro_rules! targets {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                exercise(stringify!($name), super::$name);
            }
        )*
    };
}

targets! {
    backup
    card
    envelope
    field
    frame
    http
    invite
    json
    log
    mail
    manifest
    pack
    pdf
    query
    request
    segment
    signature
}

#[test]
fn each_corpus_has_its_target() {
    let found = fs::read_dir(corpora()).unwrap();
    let found: BTreeSet<String> =
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, NAMES.iter().map(|name| (*name).to_owned()).collect());
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn exercise(name: &str, target: fn(&[u8])) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // The panic of a test ends that test by itself.
            let is_test = thread::current().name().is_some_and(|name| name.contains("tests::"));
            if !is_test && !crate::index::is_panic_expected() {
                PANIC.lock().unwrap().get_or_insert_with(|| panic.to_string());
            }
            before(panic);
        }));
    });
    let folder = corpora().join(name);
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!corpus.is_empty(), "{} is empty", folder.display());
    for (file, data) in files.iter().zip(&corpus) {
        run(target, data).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    }
    let start = Instant::now();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..CHANGES {
        if start.elapsed() > TIME {
            break;
        }
        let data = change(&corpus, &mut random);
        run(target, &data).unwrap_or_else(|why| panic!("{why}\n{}", data.escape_ascii()));
    }
}

fn run(target: fn(&[u8]), data: &[u8]) -> Result<(), String> {
    let panicked = panic::catch_unwind(|| target(data)).is_err();
    match PANIC.lock().unwrap().take() {
        Some(why) => Err(why),
        None if panicked => Err("it panicked".to_owned()),
        None => Ok(()),
    }
}

/// One of the corpus with some bytes changed, cut out, doubled, or taken from another.
fn change(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut data = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        let length = random.below(data.len() - at + 1).min(1 << random.below(8));
        match random.below(6) {
            0 => data.truncate(at),
            1 => drop(data.drain(at..at + length)),
            2 => {
                let piece = data[at..at + length].to_vec();
                data.splice(at..at, piece);
            }
            3 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let piece = other[from..].iter().take(length.max(1)).copied().collect::<Vec<_>>();
                data.splice(at..at + length, piece);
            }
            4 => data.insert(at, random.next() as u8),
            _ if at < data.len() => data[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
    data
}

/// xorshift64 (Marsaglia, 2003): the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}
