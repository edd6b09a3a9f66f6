//! The index from outside: real mail against a scan, a thief's view of the folder.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::index::{
    BuildOptions, Document, Error, Index, Kind, Query, SearchOptions, Sort, Writer, destroy,
};
use crate::progress::Silent;
use crate::secret::Secret;
use crate::skip;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

fn key(byte: u8) -> Secret<32> {
    Secret::from_slice(&[byte; 32]).unwrap()
}

fn query(text: &str) -> Query {
    Query::parse(text).unwrap()
}

fn ids(index: &Index, text: &str) -> BTreeSet<String> {
    let options =
        SearchOptions { limit: usize::MAX, snippets: false, scores: false, ..Default::default() };
    let results = index.search(&query(text), &options).unwrap();
    let ids: BTreeSet<_> = results.hits.into_iter().map(|hit| hit.summary.id).collect();
    assert_eq!(
        (results.total, index.count(&query(text)).unwrap()),
        (ids.len() as u64, ids.len() as u64)
    );
    ids
}

fn note(id: &str, body: &str) -> Document {
    let mut note = Document::new(Kind::Text, id.into());
    note.body = body.into();
    note
}

fn with_notes(folder: &Path, notes: &[(&str, &str)]) -> Index {
    let index = Index::open_or_create(folder, &key(1)).unwrap();
    let mut writer = index.writer().unwrap();
    notes.iter().for_each(|(id, body)| writer.add(note(id, body)).unwrap());
    writer.finish().unwrap();
    index
}

fn build(writer: &mut Writer<'_>, path: &Path) -> crate::index::Report {
    writer.build(&[path.to_owned()], &BuildOptions::default(), &Silent).unwrap()
}

// ---------------------------------------------------------------------------------------------
// Real mail, one build for all checks.

/// Unpacks the corpus, or says that it is not there.
fn corpus(to: &Path) -> Option<PathBuf> {
    let folder = std::env::var_os("BULLA_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    let packed = folder.join("linux-man.mbox.xz");
    if !packed.is_file() {
        skip::optional(&format!("{} is not there (set BULLA_CORPUS)", packed.display()));
        return None;
    }
    let mbox = to.join("linux-man.mbox");
    let out = fs::File::create(&mbox).unwrap();
    let status = Command::new("xz").arg("-dc").arg(&packed).stdout(out).status();
    assert!(status.expect("xz is installed").success());
    Some(mbox)
}

/// The messages of an mboxrd, cut without the library.
fn raw_messages(mbox: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> = vec![0];
    let needle = b"\n\nFrom ";
    let mut at = 0;
    while let Some(found) = mbox[at..].windows(needle.len()).position(|w| w == needle) {
        starts.push(at + found + 2);
        at += found + needle.len();
    }
    starts.push(mbox.len());
    starts.windows(2).map(|pair| &mbox[pair[0]..pair[1]]).collect()
}

/// Characters that are a word each.
fn alone(c: char) -> bool {
    matches!(c as u32, 0x1100..=0x11ff | 0x3005..=0x3007 | 0x3040..=0x30ff | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xa960..=0xa97f | 0xac00..=0xd7ff | 0xf900..=0xfaff
        | 0x20000..=0x3ffff)
}

/// The word rule, said again in another way: fold the whole text, then part it. Apostrophes
/// within words stay; [`forms`] takes them out.
fn tokens(text: &str) -> Vec<String> {
    let unseen =
        |c: &char| !matches!(*c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    // Hangul stays whole, and so do voiced kana; apostrophes of all shapes are one.
    let kept = |c: &char| matches!(*c, '\u{3099}' | '\u{309a}');
    let folded: String = text
        .chars()
        .filter(unseen)
        .map(|c| if "´ʹʻʼ‘’‛′＇".contains(c) { '\'' } else { c })
        .nfkd()
        .flat_map(char::to_lowercase)
        .filter(|c| !is_combining_mark(*c) || kept(c))
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .nfc()
        .collect();
    let letters: Vec<char> = folded.chars().collect();
    let mut joined = String::new();
    let mut apostrophes = 0;
    for (at, c) in letters.iter().enumerate() {
        let letter = |at: Option<usize>| {
            at.and_then(|at| letters.get(at)).is_some_and(|c| c.is_alphanumeric() && !alone(*c))
        };
        let joins = *c == '\'' && letter(at.checked_sub(1)) && letter(Some(at + 1));
        apostrophes = match c {
            '\'' if joins => apostrophes + 1,
            c if c.is_alphanumeric() => apostrophes,
            _ => 0,
        };
        let parts = *c == '\'' && !(joins && apostrophes <= 3);
        apostrophes = if joins && parts { 0 } else { apostrophes };
        joined.push(if parts { ' ' } else { *c });
    }
    let mut found = Vec::new();
    for run in joined.split(|c: char| !c.is_alphanumeric() && c != '\'') {
        let mut word = String::new();
        for c in run.chars() {
            if alone(c) && !word.is_empty() {
                found.push(std::mem::take(&mut word));
            }
            word.push(c);
            if alone(c) {
                found.push(std::mem::take(&mut word));
            }
        }
        if !word.is_empty() {
            found.push(word);
        }
    }
    // Apostrophes apart, as `forms` has it.
    for word in found.iter_mut().filter(|word| !word.contains('\'')) {
        let cut = word.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 64);
        let cut = cut.last().unwrap_or(0);
        word.truncate(cut);
    }
    found
}

/// What a word is found by.
fn forms(word: &str) -> impl Iterator<Item = String> {
    std::iter::once(word.replace('\'', "")).chain(word.split('\'').map(str::to_owned))
}

/// A document as numbers of words, field by field and value by value.
struct Scanned {
    id: String,
    date: Option<i64>,
    fields: HashMap<&'static str, Vec<Vec<u32>>>,
}

#[derive(Default)]
struct Words {
    numbers: HashMap<String, u32>,
    /// The forms of each.
    words: Vec<Vec<String>>,
}

impl Words {
    fn number(&mut self, text: &str) -> Vec<u32> {
        let next = |all: &mut Self, word: String| {
            let number = all.words.len() as u32;
            *all.numbers.entry(word.clone()).or_insert_with(|| {
                all.words.push(forms(&word).collect());
                number
            })
        };
        tokens(text).into_iter().map(|word| next(self, word)).collect()
    }

    fn scan(&mut self, document: &Document) -> Scanned {
        let mut fields = HashMap::new();
        fields.insert("from", vec![self.number(&document.from)]);
        fields.insert("subject", vec![self.number(&document.subject)]);
        fields.insert("body", vec![self.number(&document.body)]);
        let path = document.path.as_ref().unwrap().to_str().unwrap();
        fields.insert("path", vec![self.number(path)]);
        let to = document.to.iter().chain(&document.cc);
        fields.insert("to", to.map(|one| self.number(one)).collect());
        fields.insert("cc", document.cc.iter().map(|one| self.number(one)).collect());
        let names = document.attachments.iter();
        fields.insert("attachment", names.map(|one| self.number(one)).collect());
        Scanned { id: document.id.clone(), date: document.date, fields }
    }
}

/// A query for the scan, written by hand beside the text of each.
enum Ask {
    /// In the body: one word so far from another at most, on either side.
    Near(&'static str, u32, &'static str),
    /// In the subject: a word but for so many letters.
    Like(&'static str, usize),
    /// Field (or any), words, whether the last goes on.
    Has(Option<&'static str>, &'static str, bool),
    All(Vec<Ask>),
    Any(Vec<Ask>),
    Not(Box<Ask>),
    From(i64),
    Until(i64),
}

impl Ask {
    fn finds(&self, document: &Scanned, words: &Words) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.finds(document, words)),
            Self::Any(all) => all.iter().any(|one| one.finds(document, words)),
            Self::Not(one) => !one.finds(document, words),
            Self::From(moment) => document.date.is_some_and(|date| date >= *moment),
            Self::Until(moment) => document.date.is_some_and(|date| date < *moment),
            Self::Near(one, most, two) => document.fields["body"].iter().any(|text| {
                let at = |word: &str| {
                    let is = |number: u32| words.words[number as usize].iter().any(|f| f == word);
                    let at = text.iter().enumerate().filter(|(_, number)| is(**number));
                    at.map(|(at, _)| at).collect::<Vec<_>>()
                };
                let (ones, twos) = (at(one), at(two));
                ones.iter().any(|one| {
                    twos.iter().any(|two| (1..=*most as usize).contains(&one.abs_diff(*two)))
                })
            }),
            Self::Like(word, most) => document.fields["subject"].iter().flatten().any(|number| {
                let wanted: Vec<char> = word.chars().collect();
                words.words[*number as usize]
                    .iter()
                    .any(|form| alike(&form.chars().collect::<Vec<_>>(), &wanted, *most))
            }),
            Self::Has(field, text, open) => {
                let wanted: Vec<&str> = text.split(' ').collect();
                let fields: &[&str] = match field {
                    Some(field) => &[field],
                    None => &["from", "to", "subject", "body", "attachment"],
                };
                fields.iter().flat_map(|field| &document.fields[field]).any(|value| {
                    value.windows(wanted.len()).any(|window| {
                        window.iter().zip(&wanted).enumerate().all(|(at, (got, want))| {
                            let open = *open && at + 1 == wanted.len();
                            words.words[*got as usize]
                                .iter()
                                .any(|got| got == *want || (open && got.starts_with(want)))
                        })
                    })
                })
            }
        }
    }
}

/// Whether so many letters changed, left out or put in make one of the other.
fn alike(one: &[char], other: &[char], most: usize) -> bool {
    match (one, other) {
        ([], rest) | (rest, []) => rest.len() <= most,
        ([a, one @ ..], [b, other @ ..]) if a == b => alike(one, other, most),
        ([_, rest_one @ ..], [_, rest_other @ ..]) => {
            most > 0
                && (alike(rest_one, other, most - 1)
                    || alike(one, rest_other, most - 1)
                    || alike(rest_one, rest_other, most - 1))
        }
    }
}

/// Seconds of the first day of a year.
fn year(year: i64) -> i64 {
    let days = 365 * (year - 1970) + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
    86_400 * days
}

fn questions() -> Vec<(&'static str, Ask)> {
    use Ask::{All, Any, From, Has, Like, Near, Not, Until};
    let w = |word| Has(None, word, false);
    let f = |field, words| Has(Some(field), words, false);
    let p = |word| Has(None, word, true);
    let not = |ask| Not(Box::new(ask));
    vec![
        // Words: rare, middling, in nearly all, in none, of all shapes.
        ("mremap", w("mremap")),
        ("Kerrisk", w("kerrisk")),
        ("the", w("the")),
        ("zzyzxqq", w("zzyzxqq")),
        ("RÉSUMÉ", w("resume")),
        ("naïve", w("naive")),
        ("2", w("2")),
        ("EINTR", w("eintr")),
        ("sched_setattr", w("sched setattr")),
        ("don't", w("dont")),
        ("don’t", w("dont")),
        ("dont", w("dont")),
        ("mtk.manpages@gmail.com", w("mtk manpages gmail com")),
        ("日本語", w("日 本 語")),
        // Phrases.
        ("\"man page\"", w("man page")),
        ("\"file descriptor\"", w("file descriptor")),
        ("\"signed-off-by: michael\"", w("signed off by michael")),
        ("\"the kernel the\"", w("the kernel the")),
        ("\"of the of the of\"", w("of the of the of")),
        ("\"thanks in advance\"", w("thanks in advance")),
        // Beginnings.
        ("mrem*", p("mrem")),
        ("epoll*", p("epoll")),
        ("zz*", p("zz")),
        ("m*", p("m")),
        ("\"file desc\"*", p("file desc")),
        ("\"man pa*\"", p("man pa")),
        ("sched_set*", p("sched set")),
        // AND, OR, NOT.
        ("epoll kqueue", All(vec![w("epoll"), w("kqueue")])),
        ("epoll AND timerfd", All(vec![w("epoll"), w("timerfd")])),
        ("epoll OR kqueue", Any(vec![w("epoll"), w("kqueue")])),
        ("epoll NOT patch", All(vec![w("epoll"), not(w("patch"))])),
        ("epoll -patch -the", All(vec![w("epoll"), not(w("patch")), not(w("the"))])),
        ("-the", not(w("the"))),
        ("-the -a", All(vec![not(w("the")), not(w("a"))])),
        ("NOT (the OR a)", not(Any(vec![w("the"), w("a")]))),
        ("epoll timerfd OR mremap", Any(vec![All(vec![w("epoll"), w("timerfd")]), w("mremap")])),
        ("epoll (timerfd OR mremap)", All(vec![w("epoll"), Any(vec![w("timerfd"), w("mremap")])])),
        ("mremap OR NOT the", Any(vec![w("mremap"), not(w("the"))])),
        ("NOT NOT mremap", w("mremap")),
        ("\"man page\" -\"the man page\"", All(vec![w("man page"), not(w("the man page"))])),
        // Fields.
        ("from:michael", f("from", "michael")),
        ("from:\"Michael Kerrisk\"", f("from", "michael kerrisk")),
        ("to:linux-man@vger.kernel.org", f("to", "linux man vger kernel org")),
        ("subject:patch", f("subject", "patch")),
        ("subject:(epoll OR futex)", Any(vec![f("subject", "epoll"), f("subject", "futex")])),
        ("subject:mem*", Has(Some("subject"), "mem", true)),
        ("body:epoll -subject:epoll", All(vec![f("body", "epoll"), not(f("subject", "epoll"))])),
        ("attachment:patch", f("attachment", "patch")),
        ("path:linux path:mbox", All(vec![f("path", "linux"), f("path", "mbox")])),
        ("cc:kerrisk", f("cc", "kerrisk")),
        ("to:kerrisk -cc:kerrisk", All(vec![f("to", "kerrisk"), not(f("cc", "kerrisk"))])),
        // Neighbours, likeness, exact forms.
        ("body:(file NEAR/1 descriptor)", Near("file", 1, "descriptor")),
        ("body:(kernel NEAR/4 the)", Near("kernel", 4, "the")),
        ("body:epoll NEAR/20 body:timerfd", Near("epoll", 20, "timerfd")),
        ("body:the NEAR/3 the", Near("the", 3, "the")),
        ("subject:mremp~1", Like("mremp", 1)),
        (
            "subject:kernl~2 -subject:kernel",
            All(vec![Like("kernl", 2), not(f("subject", "kernel"))]),
        ),
        ("=EINTR", w("eintr")),
        ("*", not(w("zzyzxqqq"))),
        // Dates.
        ("date:2022", All(vec![From(year(2022)), Until(year(2023))])),
        ("date:2021..2022 futex", All(vec![From(year(2021)), Until(year(2023)), w("futex")])),
        ("date:..2019-12 mremap", All(vec![Until(year(2020)), w("mremap")])),
        (
            "(date:2020.. OR mremap) epoll",
            All(vec![Any(vec![From(year(2020)), w("mremap")]), w("epoll")]),
        ),
        ("after:2023", From(year(2023))),
        ("before:2020-01-01", Until(year(2020))),
        (
            "after:2021-01 before:2022 futex",
            All(vec![From(year(2021)), Until(year(2022)), w("futex")]),
        ),
        ("-after:1970", not(From(0))),
        (
            "from:michael after:2020 subject:patch -epoll",
            All(vec![
                f("from", "michael"),
                From(year(2020)),
                f("subject", "patch"),
                not(w("epoll")),
            ]),
        ),
    ]
}

#[test]
fn real_mail() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mbox) = corpus(folder.path()) else { return };
    let place = folder.path().join("index");
    let clock = Instant::now();
    let lap = |what: &str| eprintln!("{:6.1} s  {what}", clock.elapsed().as_secs_f64());

    let index = Index::create(&place, &key(1)).unwrap();
    let mut writer = index.writer().unwrap();
    let report = build(&mut writer, &mbox);
    writer.finish().unwrap();
    lap("built");
    let raw = fs::read(&mbox).unwrap();
    let messages = raw_messages(&raw);
    let bodies =
        messages.iter().map(|m| m.splitn(2, |b| *b == b'\n').nth(1).unwrap().trim_ascii_end());
    let distinct = bodies.collect::<HashSet<_>>().len() as u64;
    eprintln!("messages {}, distinct {distinct}, report {report:?}", messages.len());
    assert_eq!(messages.len(), 17_885);
    assert_eq!(report.added, distinct);
    assert_eq!((report.added + report.unchanged, report.skipped), (17_885, 0));
    assert_eq!(report.bytes, raw.len() as u64);
    let stats = index.stats().unwrap();
    assert_eq!(stats.documents, distinct);
    eprintln!("{stats:?}");

    same_hits(&index, &messages);
    lap("compared with a scan");
    little_is_opened(&place);
    lap("counted cells");
    nothing_to_read(&place, &raw);
    lap("searched the folder for words");
    let checked = index.verify().unwrap();
    assert_eq!(checked.damage, []);
    lap("verified");

    let one = Instant::now();
    let mut writer = index.writer().unwrap();
    writer.add(note("one-more", "zzyzxqq")).unwrap();
    writer.commit().unwrap();
    assert_eq!(ids(&index, "zzyzxqq").len(), 1);
    eprintln!("one more document durable and found after {:?}", one.elapsed());
    writer.remove_id("one-more").unwrap();
    let again = build(&mut writer, &mbox);
    assert_eq!((again.added, again.unchanged), (0, 17_885));
    writer.finish().unwrap();
    assert_eq!(index.stats().unwrap().documents, distinct);
    lap("built again");
}

fn same_hits(index: &Index, messages: &[&[u8]]) {
    let mut words = Words::default();
    let mut scanned = Vec::new();
    for id in ids(index, "-zzyzxqqq") {
        let document = index.show(&id).unwrap();
        assert_eq!(document.id, id);
        scanned.push(words.scan(&document));
    }
    assert!(scanned.len() as f64 > 0.99 * messages.len() as f64);
    let questions = questions();
    assert!(questions.len() >= 50);
    for (text, ask) in questions {
        let want: BTreeSet<String> = scanned
            .iter()
            .filter(|document| ask.finds(document, &words))
            .map(|document| document.id.clone())
            .collect();
        let got = ids(index, text);
        let wrong: Vec<_> = got.symmetric_difference(&want).take(3).collect();
        assert!(
            wrong.is_empty(),
            "{text}: {} found, {} expected, {wrong:?}",
            got.len(),
            want.len()
        );
        eprintln!("{:6} hits  {text}", got.len());
    }
    let results = index.search(&query("epoll"), &SearchOptions::default()).unwrap();
    let dates: Vec<_> = results.hits.iter().map(|hit| hit.date).collect();
    assert!(dates.is_sorted_by(|one, other| one >= other) && results.hits.len() == 20);
    for hit in &results.hits {
        let marked = hit.snippet.marks.first().map(|mark| &hit.snippet.text[mark.clone()]);
        let shown = marked.is_some_and(|text| text.eq_ignore_ascii_case("epoll"));
        assert!(shown || !index.show(&hit.id).unwrap().body.to_lowercase().contains(" epoll "));
        assert!(hit.score > 0.0);
        assert!(hit.location().unwrap().contains(".mbox#"));
    }
    let page = |offset| SearchOptions { limit: 7, offset, ..Default::default() };
    let second = index.search(&query("epoll"), &page(7)).unwrap();
    assert_eq!(second.hits, results.hits[7..14]);
    let best = SearchOptions { sort: Sort::Relevance, ..Default::default() };
    let scores = index.search(&query("epoll"), &best).unwrap().hits;
    assert!(scores.is_sorted_by(|one, other| one.score >= other.score));
}

fn little_is_opened(place: &Path) {
    for (text, most) in [
        ("mremap", 0.10),
        ("zzyzxqq", 0.02),
        ("the", 0.15),
        ("\"file descriptor\"", 0.15),
        ("mrem*", 0.10),
        ("mremap after:2022", 0.10),
    ] {
        let index = Index::open(place, &key(1)).unwrap();
        let total = index.stats().unwrap().bytes as f64;
        let opening = index.cells_opened();
        let clock = Instant::now();
        let options = SearchOptions { scores: false, ..SearchOptions::default() };
        let found = index.search(&query(text), &options).unwrap().total;
        let opened = index.cells_opened();
        let share = (opened * 4096) as f64 / total;
        eprintln!(
            "{text}: {found} found, {opened} cells opened ({opening} of them at open), {:.2} % of {total} bytes, {:?}",
            100.0 * share,
            clock.elapsed()
        );
        assert!(share < most, "{text}: {share}");
    }
    // A list of hits unpacks no body.
    let cells = |text: &str, limit, snippets| {
        let index = Index::open(place, &key(1)).unwrap();
        let (opening, clock) = (index.cells_opened(), Instant::now());
        let options = SearchOptions { limit, snippets, scores: false, ..Default::default() };
        let found = index.search(&query(text), &options).unwrap().hits.len();
        let opened = index.cells_opened() - opening;
        eprintln!(
            "{text}: {found} hits, snippets {snippets}: {opened} cells, {:?}",
            clock.elapsed()
        );
        opened
    };
    for text in ["mremap", "epoll", "the"] {
        let (with, without) = (cells(text, 20, true), cells(text, 20, false));
        assert!(without < with, "{text}: {without} cells without snippets, {with} with");
    }
    assert!(cells("the", usize::MAX, false) < cells("the", usize::MAX, true) / 2);
}

/// No word of the corpus stands anywhere in the folder.
///
/// Sealed cells look random, so a short word will stand in them by chance: some 10^6 words of 6
/// or 7 bytes in 10^8 places are expected to be met less than once, words of 8 bytes and more
/// in one of some ten thousand runs. So of the former a handful is allowed (in clear there would
/// be millions), of the latter none.
fn nothing_to_read(place: &Path, raw: &[u8]) {
    let mut words: HashSet<Vec<u8>> = HashSet::new();
    for word in raw.split(|b| !b.is_ascii_alphanumeric()).filter(|word| word.len() >= 6) {
        let word = &word[..word.len().min(63)];
        words.insert(word.to_vec());
        words.insert(word.to_ascii_lowercase());
    }
    let head = |bytes: &[u8]| {
        let mut six = [0; 8];
        six[..6].copy_from_slice(&bytes[..6]);
        u64::from_le_bytes(six)
    };
    let slot = |head: u64| (head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 37) as usize;
    let mut filter = vec![0u8; 1 << 24];
    // Bit n for a word of n bytes; 63 for longer ones, whose beginning is looked for.
    let mut lengths: HashMap<u64, u64> = HashMap::new();
    for word in &words {
        filter[slot(head(word)) / 8] |= 1 << (slot(head(word)) % 8);
        *lengths.entry(head(word)).or_default() |= 1 << word.len();
    }
    let mut by_chance = 0;
    let mut look = |bytes: &[u8]| {
        for at in 0..bytes.len().saturating_sub(5) {
            let head = head(&bytes[at..]);
            if filter[slot(head) / 8] & 1 << (slot(head) % 8) == 0 {
                continue;
            }
            let mask = lengths.get(&head).copied().unwrap_or(0);
            for length in (6..64).filter(|length| mask >> length & 1 == 1) {
                let Some(word) = bytes.get(at..at + length).filter(|word| words.contains(*word))
                else {
                    continue;
                };
                by_chance += 1;
                assert!(word.len() < 8, "{:?} stands in clear", String::from_utf8_lossy(word));
            }
        }
    };
    let mut files = 0;
    for entry in fs::read_dir(place).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // The names that are ours and are no secret.
        if !["key", "manifest-0", "manifest-1", "writer.lock", "readers.lock"]
            .contains(&name.as_str())
        {
            look(name.as_bytes());
        }
        look(&fs::read(entry.path()).unwrap());
        files += 1;
    }
    // The search finds what is there.
    look(b"\0Kerris\0");
    assert!(by_chance <= 8, "{by_chance} short words stand in clear");
    eprintln!("{} words, {files} files, {by_chance} short ones met by chance", words.len());
}

// ---------------------------------------------------------------------------------------------
// Small indexes.

#[test]
fn a_letter_is_added_found_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open_or_create(&folder.path().join("i"), &key(1)).unwrap();
    let lines = concat!(
        r#"{"schema":1,"id":"ab01","from":{"name":"Alice","fingerprint":"bulla1xyz","trust":"digits"},"#,
        r#""seq":1,"missed":[],"date":"2026-01-02T03:04:05Z","subject":"Plans","name":"p.txt","type":"#,
        r#""text/plain","headers":{"k":"v"},"body":"Meet at the harbour","forward_secrecy":true}"#,
        "\n\n",
        r#"{"schema":1,"id":"ab02","from":null,"body":"anonymous"}"#,
    );
    let mut writer = index.writer().unwrap();
    assert_eq!(writer.add_json_lines(lines.as_bytes()).unwrap().added, 2);
    assert_eq!(writer.add_json_lines(lines.as_bytes()).unwrap().unchanged, 2);
    let bad = b"{]\n{\"schema\":1,\"id\":null}\n{\"schema\":1,\"id\":\"c\"}\n";
    let report = writer.add_json_lines(&bad[..]).unwrap();
    assert_eq!((report.added, report.skipped, report.named[0].offset), (1, 2, Some(1)));
    writer.finish().unwrap();
    for text in [
        "harbour",
        "from:alice subject:plans",
        "after:2026-01-02 before:2026-01-03",
        "attachment:p.txt",
    ] {
        assert_eq!(ids(&index, text), BTreeSet::from(["ab01".to_owned()]), "{text}");
    }
    let letter = index.show("ab01").unwrap();
    assert_eq!(
        (letter.body.as_str(), letter.from.as_str()),
        ("Meet at the harbour", "Alice <bulla1xyz>")
    );
    assert_eq!(letter.headers, [("k".to_owned(), "v".to_owned())]);
    assert!(matches!(index.show("ab"), Err(Error::AmbiguousId(_))));
    assert!(matches!(index.show("ac"), Err(Error::UnknownId(_))));
    assert_eq!(index.show("ab02").unwrap().body, "anonymous");
}

#[test]
fn files_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let (place, tree) = (folder.path().join("i"), folder.path().join("tree"));
    let mail =
        |n: u32| format!("From: a@b.org\nSubject: number{n}\nMessage-ID: <{n}@b>\n\nmail{n}\n");
    let put = |path: &str, content: &[u8]| {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    put("md/cur/1:2,S", mail(1).as_bytes());
    put("md/new/2", mail(2).as_bytes());
    put("md/tmp/3", mail(3).as_bytes());
    put("copy.eml", mail(1).as_bytes());
    put("page.html", b"<title>Harbour</title><script>secretscript</script><p>caf&eacute;");
    put("notes.md", "# Übersicht\nplain words".as_bytes());
    put("latin.txt", b"na\xefve tail");
    put("binary", b"\x7fELF\0\0binaryword");
    put(
        "two.mbox",
        format!(
            "From a Thu Jan  1 00:00:00 1970\n{}\nFrom a Thu Jan  1 00:00:00 1970\n{}\n",
            mail(4),
            mail(2)
        )
        .as_bytes(),
    );
    std::os::unix::fs::symlink("..", tree.join("md/loop")).unwrap();
    Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap();

    let index = Index::create(&place, &key(1)).unwrap();
    let mut writer = index.writer().unwrap();
    let options = BuildOptions { follow_links: true, ..Default::default() };
    let paths = [tree.clone(), tree.join("absent")];
    let report = writer.build(&paths, &options, &Silent).unwrap();
    writer.commit().unwrap();
    // 1, 2, 4 once each, the page and two texts; the copies of 1 and 2 are known.
    assert_eq!((report.added, report.unchanged), (6, 2), "{report:?}");
    let mut named: Vec<_> =
        report.named.iter().map(|s| s.path.file_name().unwrap().to_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, ["absent", "loop", "pipe"]);
    assert_eq!(report.binary, [("program", 1)].into());
    for (text, hits) in [
        ("mail1", 1),
        ("mail2", 1),
        ("mail3", 0),
        ("mail4", 1),
        ("cafe", 1),
        ("secretscript", 0),
        ("ubersicht", 1),
        ("tail", 1),
        ("binaryword", 0),
        ("subject:harbour", 1),
        ("path:notes", 1),
    ] {
        assert_eq!(ids(&index, text).len(), hits, "{text}");
    }
    let hit = index.search(&query("mail4"), &SearchOptions::default()).unwrap().hits.remove(0);
    assert_eq!((hit.path.as_deref(), hit.offset), (Some(&*tree.join("two.mbox")), Some(0)));

    // An edited file takes the place of what it was.
    put("notes.md", b"other words");
    let report = writer.build(&paths, &options, &Silent).unwrap();
    assert_eq!((report.added, report.updated, report.unchanged), (0, 1, 7));
    assert_eq!((ids(&index, "plain").len(), ids(&index, "path:notes").len()), (0, 1));

    assert_eq!(writer.remove(&query("subject:number1 OR cafe")).unwrap(), 2);
    writer.remove_id(ids(&index, "mail2").first().unwrap()).unwrap();
    writer.finish().unwrap();
    assert_eq!(index.stats().unwrap().documents, 3);
    assert!(ids(&index, "mail1 OR mail2 OR cafe").is_empty());
    // What was removed by hand comes again when all is read again.
    let mut writer = index.writer().unwrap();
    assert_eq!(writer.build(&paths, &options, &Silent).unwrap().added, 0);
    let options = BuildOptions { reread: true, ..options };
    assert_eq!(writer.build(&paths, &options, &Silent).unwrap().added, 3);
    drop(writer);
}

#[test]
fn refusals() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("deep/er/i");
    assert!(matches!(Index::open(&place, &key(1)), Err(Error::Missing(_))));
    let index = with_notes(&place, &[("a", "word")]);
    assert!(matches!(Index::create(&place, &key(1)), Err(Error::Exists(_))));
    assert!(matches!(Index::open(&place, &key(2)), Err(Error::Key(_))));
    let writer = index.writer().unwrap();
    let other = Index::open(&place, &key(1)).unwrap();
    assert!(matches!(other.writer(), Err(Error::Busy(_))));
    assert!(matches!(other.verify(), Err(Error::Busy(_))));
    assert!(matches!(destroy(&place), Err(Error::Busy(_))));
    // Readers go on.
    assert_eq!(ids(&other, "word").len(), 1);
    drop(writer);
    assert!(other.writer().is_ok());

    // A folder of something else: a plaintext index, say.
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("meta.json"), "{}").unwrap();
    assert!(matches!(Index::open(&foreign, &key(1)), Err(Error::Foreign(_))));
    assert!(matches!(Index::open_or_create(&foreign, &key(1)), Err(Error::Foreign(_))));
    assert!(matches!(destroy(&foreign), Err(Error::Foreign(_))));
    // A key beside plaintext does not make it an index.
    fs::copy(place.join("key"), foreign.join("key")).unwrap();
    assert!(matches!(Index::open(&foreign, &key(1)), Err(Error::Damaged(_))));
    assert_eq!(fs::read(foreign.join("meta.json")).unwrap(), b"{}");

    destroy(&place).unwrap();
    assert!(!place.exists());
    assert!(matches!(destroy(&place), Err(Error::Missing(_))));
    destroy(&foreign).unwrap();
    assert!(foreign.join("meta.json").exists() && !foreign.join("key").exists());
}

#[test]
fn readers_go_on_while_a_writer_commits_and_merges() {
    let folder = tempfile::tempdir().unwrap();
    let index = with_notes(folder.path(), &[("first", "word")]);
    let reader = Index::open(folder.path(), &key(1)).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (mut last, mut rounds) = (0, 0);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                reader.reload().unwrap();
                let found = reader.search(&query("word"), &SearchOptions::default()).unwrap();
                assert!(found.total >= last && found.total > 0);
                (last, rounds) = (found.total, rounds + 1);
            }
            rounds
        });
        let mut writer = index.writer().unwrap();
        for n in 0..60 {
            writer.add(note(&format!("note{n}"), "word again")).unwrap();
            writer.commit().unwrap();
        }
        writer.finish().unwrap();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reading.join().unwrap() > 10);
    });
    reader.reload().unwrap();
    assert_eq!(reader.stats().unwrap().documents, 61);
    assert!(reader.stats().unwrap().segments < 20, "segments are merged");
}
