//! Queries as they are typed, and the caret under a mistake.

use anyhow::Result;
use bulla::files;
use bulla::index::Query;
use unicode_width::UnicodeWidthStr as _;

use crate::exit::{Exit, Fail};
use crate::input;
use crate::source::Source;

/// Greatest query from stdin, a variable or a descriptor: 64 KiB.
const MAX_QUERY: u64 = 64 << 10;

/// The query as it was typed, or from where it was said to be.
pub(crate) fn typed(words: &[String]) -> Result<String> {
    let special = |one: &str| {
        one == "-" || ["@ENV:", "@FD:"].iter().any(|designator| one.starts_with(designator))
    };
    let [one] = words else { return Ok(words.join(" ")) };
    if !special(one) {
        return Ok(one.trim().to_owned());
    }
    let Ok(source) = one.parse::<Source>();
    let bytes = match source {
        Source::Stdin => files::read_to_limit(input::stdin("the query")?, MAX_QUERY)?,
        source => source.read("the query")?.to_vec(),
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| Fail::new(Exit::Malformed, "the query is not UTF-8"))?;
    Ok(text.trim().to_owned())
}

/// Characters of a long query that are shown before and behind a mistake.
const SHOWN: usize = 60;

/// Understands a query, or shows with a caret where it stopped making sense.
pub(crate) fn parse(text: &str) -> Result<Query> {
    Query::parse(text).map_err(|error| {
        let before = text.get(..error.at).unwrap_or(text);
        let behind = text.get(error.at..).unwrap_or_default();
        // The line it is on, and of that what is near.
        let line = before.rsplit('\n').next().unwrap_or_default();
        let from = line.char_indices().rev().nth(SHOWN - 1).map_or(0, |(at, _)| at);
        let line = line.get(from..).unwrap_or_default();
        let rest = behind.split('\n').next().unwrap_or_default().chars().take(SHOWN);
        let plain = |text: &str| text.replace(|c: char| c.is_control(), " ");
        let (line, rest) = (plain(line), plain(&rest.collect::<String>()));
        // Letters of two columns, and marks of none: as the terminal has it.
        let column = line.width();
        let mut hint = format!("{line}{rest}\n{:column$}^", "");
        if let Some(meant) = &error.meant {
            hint.push_str(&format!("\ndid you mean {meant}"));
        }
        let message = format!("the query is not understood: expected {}", error.expected);
        if text.is_empty() {
            hint = "the query is empty: * finds everything".to_owned();
        }
        Fail::usage(message).hint(hint).into()
    })
}
