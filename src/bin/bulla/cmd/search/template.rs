//! `--format`: text with fields in braces.

use anyhow::Result;
use bulla::index::{Hit, Thread};
use bulla::text::printable;

use super::print;
use crate::exit::Fail;
use bulla::text::date;

/// What `--format` asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    /// A line end or a NUL ends it, so none is to be added.
    ended: bool,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Field(&'static str),
}

const FIELDS: [&str; 18] = [
    "id",
    "date",
    "day",
    "from",
    "to",
    "cc",
    "subject",
    "path",
    "location",
    "type",
    "size",
    "tags",
    "flags",
    "thread",
    "message_id",
    "attachments",
    "snippet",
    "score",
];
/// Those of `--threads` besides.
const THREAD_FIELDS: [&str; 3] = ["count", "matched", "participants"];

impl Template {
    pub(super) fn parse(text: &str, threads: bool) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut ended = false;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let tail = rest.get(c.len_utf8()..).unwrap_or_default();
            let doubled = tail.starts_with(c);
            ended = false;
            rest = match c {
                '{' | '}' if doubled => {
                    literal.push(c);
                    tail.get(1..).unwrap_or_default()
                }
                '{' => {
                    let (name, tail) = tail
                        .split_once('}')
                        .ok_or_else(|| Fail::usage("a { of --format has no }, {{ is a brace"))?;
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                    pieces.push(Piece::Field(field(name, threads)?));
                    tail
                }
                '}' => return Err(Fail::usage("a } of --format has no {, }} is a brace").into()),
                '\\' => {
                    let escape = tail.chars().next();
                    let (escaped, ends) = match escape {
                        Some('n') => ('\n', true),
                        Some('0') => ('\0', true),
                        Some('t') => ('\t', false),
                        Some('\\') => ('\\', false),
                        _ => {
                            let message = "expected \\n, \\t, \\0 or \\\\ in --format";
                            return Err(Fail::usage(message).into());
                        }
                    };
                    literal.push(escaped);
                    ended = ends;
                    tail.get(1..).unwrap_or_default()
                }
                other => {
                    literal.push(other);
                    ended = other == '\n';
                    tail
                }
            };
        }
        pieces.push(Piece::Text(literal));
        Ok(Self { pieces, ended })
    }

    pub(super) fn wants_snippet(&self) -> bool {
        self.pieces.contains(&Piece::Field("snippet"))
    }

    pub(super) fn wants_score(&self) -> bool {
        self.pieces.contains(&Piece::Field("score"))
    }

    /// The text for a match, and whether its end is in it.
    pub(super) fn of(&self, hit: &Hit, thread: Option<&Thread>) -> (String, bool) {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                // What a stranger wrote moves no cursor and ends no line.
                Piece::Field(name) => text.push_str(&printable(&value(name, hit, thread))),
            }
        }
        (text, self.ended)
    }
}

fn field(name: &str, threads: bool) -> Result<&'static str> {
    let more: &[&str] = if threads { &THREAD_FIELDS } else { &[] };
    if let Some(field) = FIELDS.iter().chain(more).find(|field| **field == name) {
        return Ok(field);
    }
    let known: Vec<_> = FIELDS.iter().chain(more).copied().collect();
    let fail = Fail::usage(format!("--format knows no field {{{name}}}"));
    Err(match THREAD_FIELDS.contains(&name) {
        true => fail.hint(format!("{{{name}}} is known with --threads")),
        false => fail.hint(format!("the fields are {}", known.join(", "))),
    }
    .into())
}

fn value(name: &str, hit: &Hit, thread: Option<&Thread>) -> String {
    let list = |items: &[String]| items.join(", ");
    match name {
        "id" => hit.id.clone(),
        "date" => hit.date.map(date).unwrap_or_default(),
        "day" => print::day(hit),
        "from" => hit.from.clone(),
        "to" => list(&hit.to),
        "cc" => list(&hit.cc),
        "subject" => hit.subject.clone(),
        "path" => hit.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default(),
        "location" => hit.location().unwrap_or_default(),
        "type" => hit.kind.name().to_owned(),
        "size" => hit.size.to_string(),
        "tags" => hit.tags.iter().cloned().collect::<Vec<_>>().join(" "),
        "flags" => hit.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>().join(" "),
        "thread" => hit.thread.clone(),
        "message_id" => hit.message_id.clone().unwrap_or_default(),
        "attachments" => list(&hit.attachments),
        "snippet" => hit.snippet.text.clone(),
        "score" => hit.score.to_string(),
        "count" => thread.map_or(1, |thread| thread.count).to_string(),
        "matched" => thread.map_or(1, |thread| thread.matched).to_string(),
        _ => thread.map(|thread| list(&thread.participants)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Template {
        Template::parse(text, false).unwrap()
    }

    #[test]
    fn pieces_and_escapes() {
        let text = |text: &str| Piece::Text(text.into());
        assert_eq!(
            parse("{date}\\t{{x}} {from}").pieces,
            [text(""), Piece::Field("date"), text("\t{x} "), Piece::Field("from"), text("")]
        );
        assert!(parse("{id}\\n").ended && parse("{id}\\0").ended && parse("{id}\n").ended);
        assert!(!parse("{id}\\t").ended && !parse("\\n{id}").ended && !parse("\\n{{").ended);
        assert!(parse("{snippet}").wants_snippet() && !parse("{id}").wants_snippet());
        for bad in ["{", "}", "{id", "{nothing}", "{count}", "\\x", "\\", "{}", "{ id }"] {
            assert!(Template::parse(bad, false).is_err(), "{bad}");
        }
        assert!(Template::parse("{count} {participants}", true).is_ok());
    }
}
