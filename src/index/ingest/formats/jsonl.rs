//! Letters as lines of JSON, one each, as `open --json` prints them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::index::document::{Document, Kind, MAX_ID, line_id};
use crate::index::ingest::formats::detect::{Form, detect};
use crate::index::ingest::formats::html;
use crate::text;

/// One line. Fields this program does not know are ignored.
#[derive(Deserialize)]
struct Letter {
    schema: u64,
    /// Null for a sealed file that holds no letter.
    id: Option<String>,
    from: Option<Sender>,
    date: Option<String>,
    subject: Option<String>,
    name: Option<String>,
    r#type: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    body: Option<String>,
    body_base64: Option<String>,
}

#[derive(Deserialize)]
struct Sender {
    name: Option<String>,
    fingerprint: Option<String>,
}

/// The document of a line in a file: a letter, or any other object, whose texts are searched.
pub(crate) fn line(line: &[u8]) -> Result<Document, String> {
    match document(line) {
        Ok(letter) => Ok(letter),
        Err(_) => object(line),
    }
}

/// The fields of an object, of which the first that is there is taken.
const SUBJECTS: [&str; 4] = ["subject", "title", "name", "message"];
const DATES: [&str; 4] = ["date", "time", "timestamp", "created_at"];
const SENDERS: [&str; 3] = ["from", "author", "user"];

fn object(line: &[u8]) -> Result<Document, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let Value::Object(fields) = &value else { return Err("it is no object".into()) };
    let first = |names: &[&str]| {
        names.iter().find_map(|name| fields.get(*name)?.as_str()).unwrap_or_default().to_owned()
    };
    let mut document = Document::new(Kind::Text, line_id(line));
    document.subject = first(&SUBJECTS);
    document.from = first(&SENDERS);
    document.date = DATES.iter().find_map(|name| match fields.get(*name)? {
        Value::String(date) => Some(date.parse::<jiff::Timestamp>().ok()?.as_second()),
        Value::Number(seconds) => seconds.as_i64(),
        _ => None,
    });
    document.types = vec!["application/json".to_owned()];
    document.size = line.len() as u64;
    texts(&value, &mut document.body);
    Ok(document)
}

/// The texts and numbers of a value, a line each. It is no deeper than its parser allows (128).
fn texts(value: &Value, to: &mut String) {
    match value {
        Value::String(text) => {
            to.push_str(text);
            to.push('\n');
        }
        Value::Number(number) => {
            to.push_str(&number.to_string());
            to.push('\n');
        }
        Value::Array(all) => all.iter().for_each(|one| texts(one, to)),
        Value::Object(fields) => fields.values().for_each(|one| texts(one, to)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The document of a line that is a letter.
pub(crate) fn document(line: &[u8]) -> Result<Document, String> {
    let letter: Letter = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if letter.schema != 1 {
        return Err(format!("expected schema 1, got {}", letter.schema));
    }
    let id = letter.id.ok_or("it is no letter: it has no id")?;
    if id.is_empty() || id.len() > MAX_ID {
        return Err(format!("expected an id of 1 to {MAX_ID} bytes, got {}", id.len()));
    }
    let mut document = Document::new(Kind::Letter, id);
    document.size = line.len() as u64;
    document.types = vec![letter.r#type.clone().unwrap_or_else(|| "text/plain".to_owned())];
    document.date = match letter.date {
        None => None,
        Some(date) => {
            let date: jiff::Timestamp =
                date.parse().map_err(|_| format!("expected a date of RFC 3339, got {date:?}"))?;
            Some(date.as_second())
        }
    };
    document.from = match letter.from {
        Some(Sender { name: Some(name), fingerprint: Some(key) }) => format!("{name} <{key}>"),
        Some(Sender { name, fingerprint }) => name.or(fingerprint).unwrap_or_default(),
        None => String::new(),
    };
    document.subject = letter.subject.unwrap_or_default();
    document.attachments = letter.name.into_iter().collect();
    document.headers = letter.headers.unwrap_or_default().into_iter().collect();
    let body = match (letter.body, letter.body_base64) {
        (Some(body), _) => Some(body),
        (None, Some(encoded)) => {
            let bytes = text::base64_decode(encoded.as_bytes())
                .map_err(|error| format!("body_base64: {error}"))?;
            String::from_utf8(bytes).ok()
        }
        (None, None) => None,
    };
    let body = body.unwrap_or_default();
    let is_html = match &letter.r#type {
        Some(kind) => kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html")),
        // Nobody said: as of a file of that name.
        None => {
            let head = body.as_bytes().get(..body.len().min(8 << 10)).unwrap_or_default();
            let name = document.attachments.first().map_or("", String::as_str);
            matches!(detect(head, Path::new(name)), Form::File(Kind::Html, _))
        }
    };
    if is_html && letter.r#type.is_none() {
        document.types = vec!["text/html".to_owned()];
    }
    document.body = if is_html { html::read(&body).text } else { body };
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_whole() {
        let letter = document(
            br#"{"schema":1,"id":"ab12","from":{"name":"Alice","fingerprint":"bulla1q","trust":"x"},
            "seq":3,"missed":[],"date":"2026-01-02T03:04:05Z","subject":"Hi","name":"a.txt",
            "type":"text/html","headers":{"k":"v"},"body":"<p>one<script>no</script>",
            "forward_secrecy":true,"new":{"x":[1]}}"#,
        )
        .unwrap();
        assert_eq!((letter.from.as_str(), letter.body.as_str()), ("Alice <bulla1q>", "one"));
        assert_eq!((letter.date, letter.kind), (Some(1_767_323_045), Kind::Letter));
        assert_eq!(letter.attachments, ["a.txt"]);
        assert_eq!(letter.headers, [("k".to_owned(), "v".to_owned())]);
    }

    #[test]
    fn a_letter_that_is_a_page_without_saying_so() {
        let page = document(
            br#"{"schema":1,"id":"a","name":"x.html","type":null,"body":"<p>seen<script>no</script>"}"#,
        )
        .unwrap();
        assert_eq!((page.body.as_str(), &page.types[..]), ("seen", &["text/html".to_owned()][..]));
        let text = document(br#"{"schema":1,"id":"a","name":"x.txt","body":"a <b> c"}"#).unwrap();
        assert_eq!(
            (text.body.as_str(), &text.types[..]),
            ("a <b> c", &["text/plain".to_owned()][..])
        );
    }

    #[test]
    fn lines_of_other_objects() {
        let log =
            line(br#"{"time":"2026-01-02T03:04:05Z","message":"it broke","n":{"a":[17,"deep"]}}"#);
        let log = log.unwrap();
        assert_eq!((log.subject.as_str(), log.date), ("it broke", Some(1_767_323_045)));
        assert!(log.body.contains("deep") && log.body.contains("17"), "{}", log.body);
        assert_eq!(log.id.len(), 32);
        assert_eq!(line(br#"{"schema":1,"id":"ab"}"#).unwrap().kind, Kind::Letter);
        assert!(line(b"[1]").is_err() && line(b"no").is_err());
        assert!(line(&b"[".repeat(100_000)).is_err());
    }

    #[test]
    fn anonymous_binary_and_bad_lines() {
        let of = |line: &str| document(line.as_bytes());
        let text = of(r#"{"schema":1,"id":"a","from":null,"body_base64":"aMOpaG8="}"#).unwrap();
        assert_eq!((text.body.as_str(), text.from.as_str(), text.date), ("hého", "", None));
        assert_eq!(of(r#"{"schema":1,"id":"a","body_base64":"/w=="}"#).unwrap().body, "");
        for bad in [
            r#"{"schema":2,"id":"a"}"#,
            r#"{"schema":1,"id":""}"#,
            r#"{"schema":1}"#,
            "[]",
            "{",
            r#"{"schema":1,"id":"a","date":"today"}"#,
            r#"{"schema":1,"id":"a","body_base64":"*"}"#,
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
