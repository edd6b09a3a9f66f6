//! PDFs in folders and in mail: those of ordinary programs, broken ones, and such as are made to keep
//! their reader busy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bulla::index::{BuildOptions, Index, Pdf, PdfError, Query, Report, SearchOptions, Type};
use bulla::progress::Silent;
use bulla::secret::Secret;
use common::Person;
use flate2::Compression;
use flate2::write::ZlibEncoder;

const MADE: [&str; 7] =
    ["latex", "ghostscript", "cairo", "chrome", "libreoffice", "reportlab", "encrypted"];

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pdf");
    fs::read(folder.join(format!("{name}.pdf"))).unwrap()
}

fn squeezed(write: impl FnOnce(&mut dyn std::io::Write)) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    write(&mut encoder);
    encoder.finish().unwrap()
}

/// A PDF of one page with this content, deflated.
fn page(content: &[u8]) -> Vec<u8> {
    let head = "%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n\
        2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n\
        3 0 obj\n<</Type/Page/Parent 2 0 R/Contents 4 0 R>>\nendobj\n4 0 obj\n";
    let length = format!("<</Filter/FlateDecode/Length {}>>\nstream\n", content.len());
    let end = b"\nendstream\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF\n";
    [head.as_bytes(), length.as_bytes(), content, end].concat()
}

/// A stream of a few kilobytes that becomes a gibibyte.
fn bomb() -> Vec<u8> {
    page(&squeezed(|to| {
        let zeros = vec![0; 1 << 20];
        (0..1024).for_each(|_| to.write_all(&zeros).unwrap());
    }))
}

/// One that is within the bounds of a stream, and takes gigabytes when it is taken apart.
fn glutton() -> Vec<u8> {
    page(&squeezed(|to| {
        to.write_all(b"BT [").unwrap();
        let zeros = b"0 ".repeat(1 << 20);
        (0..31).for_each(|_| to.write_all(&zeros).unwrap());
        to.write_all(b"] TJ ET").unwrap();
    }))
}

fn mail(name: &str, pdf: &[u8]) -> String {
    format!(
        "From: a@b.org\nSubject: see {name}\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\n\
         covering words\n--o\nContent-Type: application/pdf; name=\"{name}.pdf\"\n\
         Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n{}\n--o--\n",
        BASE64_STANDARD.encode(pdf)
    )
}

/// An index, and a folder to build it of.
struct Place {
    folder: tempfile::TempDir,
    index: Index,
}

impl Place {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Secret::from_slice(&[7; 32]).unwrap();
        let index = Index::create(&folder.path().join("index"), &key).unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join("tree").join(name), bytes).unwrap();
        }
        Self { folder, index }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("tree").join(name)
    }

    fn build(&self, options: BuildOptions) -> Report {
        let mut writer = self.index.writer().unwrap();
        let report = writer.build(&[self.path("")], &options, &Silent).unwrap();
        writer.finish().unwrap();
        report
    }

    fn one(&self, query: &str) -> bulla::index::Document {
        let query = Query::parse(query).unwrap();
        let found = self.index.search(&query, &SearchOptions::default()).unwrap();
        assert_eq!(found.total, 1, "{query:?}");
        self.index.show(&found.hits[0].id).unwrap()
    }
}

fn read_here() -> BuildOptions {
    let pdf = |bytes: &[u8]| Pdf::read(bytes).map_err(|error| error.to_string());
    BuildOptions { pdf: Some(pdf), ..BuildOptions::default() }
}

#[test]
fn ordinary_pdfs_say_what_is_on_their_pages() {
    let cairo = "A hollow clay envelope, naïve\ntokens sealed inside, efficient\n\
        Привет, needle in the haystack";
    let reportlab = "A hollow clay envelope, naïve café\nthe needle in the haystack";
    let libreoffice = "A hollow clay envelope, naïve café: tokens sealed inside, carried by someone\n\
        who could not open it unseen.\nThe needle in the haystack.";
    let latex = "A hollow clay envelope: tokens sealed inside, carried by someone who could\n\
        not open it unseen. Efficient offices fluffed the ligatures, and unquestionably\n\
        incomprehensible hyphenations happened; a nai\u{308}ve cafe\u{301}, a Gro\u{308}ße, and α1.\n\n\
        The needle in the haystack.";
    let ghostscript = "NAME\nbulla − a clay envelope\nDESCRIPTION\nTokens sealed inside, carried by \
        someone who could not open it unseen. Efﬁcient ofﬁces. The needle in the\nhaystack.";
    let title = ["A clay envelope", "", "", "", "Clay", "Clay – a title", "Clay – a title"];
    let author = ["Jo Doe", "", "", "", "Jo Doe", "Jo Döe", "Jo Döe"];
    let text = [latex, ghostscript, cairo, cairo, libreoffice, reportlab, reportlab];
    for (n, name) in MADE.into_iter().enumerate() {
        let pdf = Pdf::read(&fixture(name)).unwrap();
        assert!(pdf.text.contains(text[n]), "{name}: {}", pdf.text);
        assert_eq!((pdf.title.as_str(), pdf.author.as_str()), (title[n], author[n]), "{name}");
    }
    assert_eq!(Pdf::read(&fixture("latex")).unwrap().created, Some(1_773_500_966));
    let locked = Pdf::read(&fixture("locked")).unwrap_err();
    assert!(matches!(locked, PdfError::Locked), "{locked}");
}

#[test]
fn a_build_reads_them_when_somebody_can() {
    let latex = fixture("latex");
    let attached = mail("report", &latex);
    let place = Place::new(&[
        ("a.pdf", &latex),
        ("b.PDF", &[b"\0\n", &fixture("cairo")[..]].concat()),
        ("note.txt", b"plain"),
        ("m.eml", attached.as_bytes()),
    ]);
    let nobody = place.build(BuildOptions::default());
    assert_eq!((nobody.added, nobody.skipped), (2, 0));
    assert_eq!(nobody.binary, [("document", 2)].into());
    assert!(!place.one("report").body.contains("hollow"));

    let only = BuildOptions { types: vec![Type::Pdf], reread: true, ..read_here() };
    assert_eq!(place.build(only).added, 2);
    let pdf = place.one("type:pdf path:a.pdf \"clay envelope\" needle");
    assert_eq!((pdf.subject.as_str(), pdf.from.as_str()), ("A clay envelope", "Jo Doe"));
    assert_eq!((pdf.date, pdf.types[0].as_str()), (Some(1_773_500_966), "application/pdf"));
    assert_eq!(place.one("type:pdf subject:b.PDF привет").kind.name(), "pdf");
    assert_eq!(place.one("from:doe café größe incomprehensible").id, pdf.id);
    assert_eq!(pdf.original().unwrap().bytes(), latex);

    // Edited, it is the same document, and its original is the new one.
    let newer = fixture("reportlab");
    fs::write(place.path("a.pdf"), &newer).unwrap();
    assert_eq!(place.build(read_here()).updated, 1);
    let pdf = place.index.show(&pdf.id).unwrap();
    assert_eq!(pdf.subject, "Clay – a title");
    assert_eq!(pdf.original().unwrap().bytes(), newer);
    fs::write(place.path("a.pdf"), &newer[1..]).unwrap();
    assert!(pdf.original().is_err());

    let place = Place::new(&[("m.eml", attached.as_bytes())]);
    place.build(read_here());
    let body = place.one("subject:report haystack type:pdf").body;
    assert!(body.starts_with("covering words") && body.contains("\n\nA clay envelope\nA hollow"));
}

/// Broken in every way, it costs neither the build nor more than a moment.
#[test]
fn broken_pdfs_end() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % bound.max(1) as u64) as usize
    };
    let (mut whole, mut worst) = (0, Duration::ZERO);
    for name in MADE {
        let good = fixture(name);
        for round in 0..400 {
            let mut bad = good.clone();
            match round % 4 {
                0 => bad.truncate(below(good.len())),
                1 => drop(bad.drain(below(good.len() / 2)..good.len() / 2 + below(100))),
                _ => {}
            }
            for _ in 0..below(8) {
                let at = below(bad.len());
                if let Some(byte) = bad.get_mut(at) {
                    *byte ^= 1 << below(8);
                }
            }
            let start = Instant::now();
            let read = Pdf::read(&bad);
            worst = worst.max(start.elapsed());
            whole += usize::from(read.is_ok_and(|pdf| pdf.text.contains("needle")));
        }
    }
    assert!(worst < Duration::from_secs(5), "{worst:?}");
    assert!(whole > 600, "{whole}");
}

#[test]
fn what_a_program_cannot_read_is_named_and_costs_nothing_else() {
    let (locked, open) = (mail("statement", &fixture("locked")), mail("report", &fixture("latex")));
    let files: [(&str, &[u8]); 9] = [
        ("a.pdf", &fixture("latex")),
        ("bomb.pdf", &bomb()),
        ("cut.pdf", &fixture("cairo")[..500]),
        ("empty.pdf", b"%PDF-1.7\n"),
        ("glutton.pdf", &glutton()),
        ("locked.pdf", &fixture("locked")),
        ("m.eml", locked.as_bytes()),
        ("n.eml", open.as_bytes()),
        ("z.txt", b"read all the same"),
    ];
    let person = Person::with_identity();
    for (name, bytes) in files {
        fs::write(person.path(name), bytes).unwrap();
    }
    let folder = person.path("");
    let build = |flags: &[&str]| {
        person.run(&[&["index", "build", folder.to_str().unwrap()], flags].concat()).expect(0)
    };
    let said = build(&[]).err;
    for (name, why) in [
        ("bomb.pdf", "this PDF is damaged: "),
        ("cut.pdf", "this PDF is damaged: "),
        ("empty.pdf", "this PDF is damaged: "),
        ("glutton.pdf", "its reader needed more than 512 MiB, or more stack"),
        ("locked.pdf", "this PDF opens with a passphrase alone"),
        ("m.eml", "attached statement.pdf: this PDF opens with a passphrase alone"),
    ] {
        let line = format!("warning: skipped {}: {why}", person.path(name).display());
        assert!(said.contains(&line), "{line}\n{said}");
    }
    assert!(said.ends_with("4 added, 0 unchanged, 6 skipped\n"), "{said}");
    assert_eq!(said.lines().count(), 7, "{said}");
    let paths = |query: &str| {
        let found = person.run(&["search", "--json", query]).expect(0).json();
        let name = |hit: &serde_json::Value| {
            Path::new(hit["path"].as_str().unwrap())
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        let mut names: Vec<_> = found.iter().map(name).collect();
        names.sort();
        names
    };
    assert_eq!(paths("haystack"), ["a.pdf", "n.eml"]);
    assert_eq!(paths("covering OR same"), ["m.eml", "n.eml", "z.txt"]);
    assert_eq!(paths("kernel OR type:pdf -type:mail"), ["a.pdf"]);
    // Those that could not be read are tried again.
    let again = build(&["--json"]);
    let report = &again.json()[0];
    assert_eq!((report["added"].as_u64(), report["skipped"].as_u64()), (Some(0), Some(5)));
    let only = build(&["--type", "pdf", "--reread"]).err;
    assert!(only.ends_with("0 added, 1 unchanged, 5 skipped\n"), "{only}");
}

/// The kernel holds the process that reads to what is promised.
#[cfg(target_os = "linux")]
#[test]
fn the_reader_is_bounded() {
    let person = Person::new();
    let mut child = person.command(&["__pdf"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let path = format!("/proc/{}/limits", child.id());
    let start = Instant::now();
    let limits = loop {
        let limits = fs::read_to_string(&path).unwrap();
        // The last one that it sets.
        let is_set = |line: &str| line.starts_with("Max processes ") && line.contains(" 0 ");
        if limits.lines().any(is_set) || start.elapsed() > Duration::from_secs(10) {
            break limits;
        }
    };
    for (name, most) in [
        ("Max cpu time", "10"),
        ("Max address space", "536870912"),
        ("Max core file size", "0"),
        ("Max file size", "0"),
        ("Max processes", "0"),
    ] {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let values: Vec<_> = line.split_whitespace().take(2).collect();
        assert_eq!(values, [most, most], "{name}");
    }
    child.stdin.take().unwrap().write_all(&fixture("latex")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"y"));
    assert_eq!(output.stderr, b"");
}
