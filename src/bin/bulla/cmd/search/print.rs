//! A match as a line, or as an object.

use bulla::index::{Hit, Snippet, Thread};
use bulla::text::printable;

use crate::present::some;
use bulla::text::date;

/// Digits of an id that are shown, and are enough to name it.
const SHORT: usize = 8;
/// Names of a thread's line.
const NAMED: usize = 3;

pub(super) fn lines(hit: &Hit, styled: bool) -> String {
    let id = hit.id.get(..SHORT).unwrap_or(&hit.id);
    let from = printable(&hit.from);
    let mut lines = format!("{id}  {}  {from}  {}", day(hit), printable(&title(hit)));
    if !hit.snippet.text.is_empty() {
        lines.push_str(&format!("\n    {}", emphasised(&hit.snippet, styled)));
    }
    lines
}

pub(super) fn thread_line(thread: &Thread) -> String {
    let hit = &thread.first;
    let id = hit.id.get(..SHORT).unwrap_or(&hit.id);
    let mut names = thread.participants.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if thread.participants.len() > NAMED {
        names.push_str(", …");
    }
    let count = format!("{}/{}", thread.matched, thread.count);
    let (names, title) = (printable(&names), printable(&title(hit)));
    format!("{id}  {}  {count:>5}  {names}  {title}", day(hit))
}

pub(super) fn day(hit: &Hit) -> String {
    let day = hit.date.and_then(|seconds| date(seconds).get(..10).map(str::to_owned));
    day.unwrap_or_else(|| "no date   ".into())
}

fn title(hit: &Hit) -> String {
    // A letter has no place, and perhaps the name of what was sent.
    let named = || hit.location().or_else(|| hit.attachments.first().cloned());
    if hit.subject.is_empty() { named().unwrap_or_default() } else { hit.subject.clone() }
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

pub(super) fn object(hit: &Hit) -> serde_json::Value {
    let marks: Vec<_> = hit.snippet.marks.iter().map(|mark| [mark.start, mark.end]).collect();
    serde_json::json!({
        "schema": 1,
        "id": hit.id,
        "path": hit.path.as_ref().map(|path| path.to_string_lossy()),
        "offset": hit.offset,
        "date": hit.date.map(date),
        "from": hit.from,
        "to": hit.to,
        "cc": hit.cc,
        "subject": hit.subject,
        "snippet": hit.snippet.text,
        "matches": marks,
        "score": hit.score,
        "thread": some(&hit.thread),
        "tags": hit.tags,
        "flags": hit.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>(),
        "type": hit.kind.name(),
        "types": hit.types,
        "size": hit.size,
        "attachments": hit.attachments,
        "message_id": hit.message_id,
    })
}

pub(super) fn thread_object(thread: &Thread) -> serde_json::Value {
    serde_json::json!({
        "schema": 1,
        "thread": some(&thread.first.thread),
        "count": thread.count,
        "matched": thread.matched,
        "participants": thread.participants,
        "newest": object(&thread.first),
    })
}
