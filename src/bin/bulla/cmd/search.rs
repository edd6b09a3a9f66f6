//! `search`: what was that sentence, and where?

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write};
use std::os::unix::ffi::OsStrExt as _;

use anyhow::Result;
use bulla::files;
use bulla::index::{Hit, Query, SearchOptions, Snippet};
use bulla::text::printable;

use super::index::Place;
use crate::app::{App, date};
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::input;
use crate::record::json_line;

/// Greatest query from stdin: 64 KiB.
const MAX_QUERY: u64 = 64 << 10;

pub(crate) fn run(app: &App, args: &cli::Search) -> Result<Exit> {
    let text = match args.query.as_slice() {
        [one] if one == "-" => {
            let bytes = files::read_to_limit(input::stdin("the query")?, MAX_QUERY)?;
            String::from_utf8(bytes)
                .map_err(|_| Fail::new(Exit::Malformed, "the query is not UTF-8"))?
        }
        words => words.join(" "),
    };
    let query = parse(text.trim())?;
    let index = Place::of(app, &args.place)?.open()?;
    let stdout = std::io::stdout();
    let mut out = std::io::BufWriter::new(stdout.lock());
    if args.count {
        let count = index.count(&query)?;
        if app.ui.json {
            writeln!(out, "{}", serde_json::json!({ "schema": 1, "count": count }))?;
        } else {
            writeln!(out, "{count}")?;
        }
        out.flush()?;
        return Ok(if count == 0 { Exit::Negative } else { Exit::Done });
    }
    let paths = args.files_with_matches;
    let bare = args.null || paths;
    let options = SearchOptions {
        limit: if args.limit == 0 || paths { usize::MAX } else { args.limit },
        snippets: !bare,
        scores: app.ui.json,
        ..SearchOptions::default()
    };
    let results = index.search(&query, &options)?;
    let end: &[u8] = if args.null { b"\0" } else { b"\n" };
    if paths {
        let mut told = BTreeSet::new();
        for path in results.hits.iter().filter_map(|hit| hit.path.as_deref()) {
            if told.insert(path) {
                out.write_all(path.as_os_str().as_bytes())?;
                out.write_all(end)?;
            }
        }
    } else {
        let styled =
            stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        for hit in &results.hits {
            if app.ui.json {
                writeln!(out, "{}", json_line(&object(hit)))?;
            } else if bare {
                out.write_all(hit.id.as_bytes())?;
                out.write_all(end)?;
            } else {
                line(&mut out, hit, styled)?;
            }
        }
    }
    out.flush()?;
    let shown = results.hits.len() as u64;
    if shown < results.total && !bare {
        app.ui.note(&format!("{shown} of {} shown, --limit 0 shows all", results.total));
    }
    Ok(if results.total == 0 { Exit::Negative } else { Exit::Done })
}

/// Understands a query, or shows with a caret where it stopped making sense.
pub(crate) fn parse(text: &str) -> Result<Query> {
    Query::parse(text).map_err(|error| {
        let before = text.get(..error.at).unwrap_or(text).chars().count();
        Fail::usage(format!("the query is not understood: {error}"))
            .hint(format!("{text}\n{:before$}^", ""))
            .into()
    })
}

fn line(out: &mut impl Write, hit: &Hit, styled: bool) -> Result<()> {
    let day = hit.date.map(date);
    let day = day.as_deref().and_then(|date| date.get(..10)).unwrap_or("no date   ");
    let id = hit.id.get(..8).unwrap_or(&hit.id);
    let title = if hit.subject.is_empty() {
        hit.location().unwrap_or_default()
    } else {
        hit.subject.clone()
    };
    writeln!(out, "{id}  {day}  {}  {}", printable(&hit.from), printable(&title))?;
    if !hit.snippet.text.is_empty() {
        writeln!(out, "    {}", emphasised(&hit.snippet, styled))?;
    }
    Ok(())
}

/// The snippet, what matched in bold on a terminal.
fn emphasised(snippet: &Snippet, styled: bool) -> String {
    if !styled {
        return printable(&snippet.text);
    }
    let mut text = String::new();
    let mut from = 0;
    let part = |range: std::ops::Range<usize>| printable(snippet.text.get(range).unwrap_or(""));
    for mark in &snippet.marks {
        text.push_str(&part(from..mark.start));
        text.push_str(&format!("\x1b[1m{}\x1b[0m", part(mark.clone())));
        from = mark.end;
    }
    text.push_str(&part(from..snippet.text.len()));
    text
}

fn object(hit: &Hit) -> serde_json::Value {
    let marks: Vec<_> = hit.snippet.marks.iter().map(|mark| [mark.start, mark.end]).collect();
    serde_json::json!({
        "schema": 1,
        "id": hit.id,
        "path": hit.path.as_ref().map(|path| path.to_string_lossy()),
        "offset": hit.offset,
        "date": hit.date.map(date),
        "from": hit.from,
        "to": hit.to,
        "subject": hit.subject,
        "snippet": hit.snippet.text,
        "matches": marks,
        "score": hit.score,
    })
}
