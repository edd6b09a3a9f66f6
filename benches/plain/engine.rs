//! The engine as its manual would have it used: built, added to, asked.

use std::fs;
use std::io::{BufWriter, Write};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use tantivy::collector::{Count, TopDocs};
use tantivy::query::{BooleanQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, Term};
use tantivy::{Index, IndexSettings, IndexWriter, Order, ReloadPolicy, TantivyDocument};

use crate::directory::Plain;
use crate::index::analysis::stemmer::Stems;
use crate::index::analysis::tokenizer::WordTokenizer;
use crate::index::document::fields::{Fields, ORDER, WORDS, headed};
use crate::index::document::queued::Queued;
use crate::index::document::summary;
use crate::index::document::summary_store::{Heads, Summaries};
use crate::index::ingest;

/// Memory of one thread that indexes, as bulla takes it.
const HEAP: usize = 48 << 20;
/// Bytes shown of a text.
const SHOWN: usize = 160;

/// Indexes every message of an mbox; the bodies are stored as well, or not.
pub(crate) fn build(mbox: &Path, folder: &Path, stored: bool) {
    let mut schema = serde_json::to_value(Fields::schema(&Stems::default())).unwrap();
    for field in schema.as_array_mut().unwrap() {
        if field["name"] == "body" {
            field["options"]["stored"] = stored.into();
        }
    }
    let schema: Schema = serde_json::from_value(schema).unwrap();
    fs::create_dir(folder).unwrap();
    let builder = Index::builder().schema(schema).settings(IndexSettings::default());
    builder.register_plugin(Arc::new(Summaries)).open_or_create(Plain::new(folder)).unwrap();
    let (engine, fields) = open(folder);
    let mut writer: IndexWriter<Queued> = engine.writer_with_num_threads(2, 2 * HEAP).unwrap();
    let (mut messages, mut bytes) = (0, 0);
    ingest::each_message(mbox, |document| {
        messages += 1;
        let names = [&document.to, &document.cc, &document.attachments];
        bytes += document.body.len() + document.subject.len() + document.from.len();
        bytes += names.iter().flat_map(|list| list.iter()).map(String::len).sum::<usize>();
        writer.add_document(document.into_fields(&fields).unwrap()).unwrap();
    });
    writer.commit().unwrap();
    writer.wait_merging_threads().unwrap();
    println!(r#"{{"messages":{messages},"text":{bytes}}}"#);
}

/// Adds one message.
pub(crate) fn add(folder: &Path, file: &Path) {
    let (engine, fields) = open(folder);
    let mut writer: IndexWriter<Queued> = engine.writer_with_num_threads(1, HEAP).unwrap();
    let document = ingest::read(&fs::read(file).unwrap(), file, None).unwrap();
    writer.delete_term(Term::from_field_text(fields.id, &document.id));
    writer.add_document(document.into_fields(&fields).unwrap()).unwrap();
    writer.commit().unwrap();
    writer.wait_merging_threads().unwrap();
}

fn open(folder: &Path) -> (Index, Fields) {
    let mut engine = Index::open(Plain::new(folder)).unwrap();
    engine.register_plugin(Arc::new(Summaries));
    engine.tokenizers().register(WORDS, WordTokenizer::default());
    let heads = WordTokenizer::heads(Stems::default());
    engine.tokenizers().register(&headed(&Stems::default()), heads);
    let fields = Fields::of(&engine.schema()).unwrap();
    (engine, fields)
}

/// The newest hits, as `bulla search` shows them, and how many there are.
pub(crate) fn search(folder: &Path, limit: usize, clauses: &[String]) {
    let (engine, fields) = open(folder);
    let reader = engine
        .reader_builder()
        .reload_policy(ReloadPolicy::Manual)
        .doc_store_cache_num_blocks(4)
        .try_into()
        .unwrap();
    let searcher = reader.searcher();
    let all = clauses.iter().map(|one| (Occur::Must, clause(&fields, one))).collect();
    let top = TopDocs::with_limit(limit).order_by_fast_field::<u64>(ORDER, Order::Desc);
    let (found, total) = searcher.search(&BooleanQuery::new(all), &(top, Count)).unwrap();
    let needles: Vec<String> = clauses
        .iter()
        .filter_map(|one| one.split_once(':'))
        .filter(|(kind, _)| ["word", "phrase", "prefix"].contains(kind))
        .map(|(_, value)| value.to_owned())
        .collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let heads = Heads::default();
    for (_, address) in found {
        let stored: TantivyDocument = searcher.doc(address).unwrap();
        let head = heads.get(&searcher, address).unwrap();
        let (date, excerpt) =
            (head.date.unwrap_or(0), excerpt(summary::body(&stored, &fields), &needles));
        writeln!(out, "{date}  {}  {}\n    {excerpt}", head.from, head.subject).unwrap();
    }
    writeln!(out, "{total} found").unwrap();
    out.flush().unwrap();
}

fn clause(fields: &Fields, text: &str) -> Box<dyn Query> {
    let (kind, value) = text.split_once(':').expect("kind:value");
    let anywhere = |make: &dyn Fn(Field) -> Box<dyn Query>| {
        let all = fields.anywhere().into_iter().map(make).collect();
        Box::new(BooleanQuery::union(all)) as Box<dyn Query>
    };
    let word = |field| {
        let term = Term::from_field_text(field, value);
        Box::new(TermQuery::new(term, IndexRecordOption::Basic)) as Box<dyn Query>
    };
    match kind {
        "word" => anywhere(&word),
        "from" => word(fields.from),
        "phrase" => anywhere(&|field| {
            let terms = value.split(' ').map(|word| Term::from_field_text(field, word));
            Box::new(PhraseQuery::new(terms.collect()))
        }),
        "prefix" => anywhere(&|field| {
            let end = format!("{value}\u{10ffff}");
            Box::new(RangeQuery::new(
                Bound::Included(Term::from_field_text(field, value)),
                Bound::Excluded(Term::from_field_text(field, &end)),
            ))
        }),
        "after" => {
            let from = summary::order_from(value.parse().unwrap());
            let from = Bound::Included(Term::from_field_u64(fields.order, from));
            Box::new(RangeQuery::new(from, Bound::Unbounded))
        }
        _ => panic!("no clause {text:?}"),
    }
}

/// The text around the first of the needles, in one line.
fn excerpt(body: &str, needles: &[String]) -> String {
    let bytes = body.as_bytes();
    let first = needles
        .iter()
        .filter_map(|needle| {
            bytes.windows(needle.len()).position(|at| at.eq_ignore_ascii_case(needle.as_bytes()))
        })
        .min()
        .unwrap_or(0);
    let from = first.saturating_sub(SHOWN / 3);
    let piece = &bytes[from..(from + SHOWN).min(bytes.len())];
    String::from_utf8_lossy(piece).split_whitespace().collect::<Vec<_>>().join(" ")
}
