//! `index show`: a document given back.

use std::io::Write;

use anyhow::Result;
use bulla::files::Access;
use bulla::index::{Document, Lost, Original, Part};
use bulla::text::{printable, printable_lines};

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::index_place::Place;
use crate::json::json_line;
use crate::output::{Nature, Target};
use crate::present::some;
use bulla::text::date;

pub(crate) fn run(app: &App, args: &cli::IndexShow) -> Result<Exit> {
    let selects = args.part.is_some() || args.attachment.is_some();
    let nature = if selects { Nature::Binary } else { Nature::Text };
    let target = Target::new(&args.output, None, nature)?;
    let document = Place::of(app, &args.place)?.open()?.show(&args.id)?;
    if args.list {
        return list(app, &original(&document)?);
    }
    if selects {
        let original = original(&document)?;
        let number = number(&original, args)?;
        let missing = || Fail::new(Exit::Negative, format!("there is no part {number}"));
        let bytes = original.part(number).ok_or_else(missing)?;
        return write(&target, &bytes);
    }
    if app.ui.json {
        return write(&target, format!("{}\n", json_line(&object(&document))).as_bytes());
    }
    if !args.text {
        match document.original() {
            Ok(original) => return write(&target, original.bytes()),
            // A letter is all there.
            Err(Lost::Nowhere) => {}
            Err(lost) => app.ui.note(&format!("this is what the index holds: {lost}")),
        }
    }
    write(&target, text(&document)?.as_bytes())
}

fn write(target: &Target, bytes: &[u8]) -> Result<Exit> {
    let mut out = target.open(Access::Private)?;
    out.write_all(bytes)?;
    out.finish()?;
    Ok(Exit::Done)
}

fn original(document: &Document) -> Result<Original> {
    document.original().map_err(|lost| {
        let id = document.id.get(..8).unwrap_or(&document.id);
        Fail::new(Exit::InputMissing, format!("the original of {id} is not there: {lost}"))
            .hint("bulla index show --text shows what the index holds")
            .into()
    })
}

/// The number of the part that is asked for.
fn number(original: &Original, args: &cli::IndexShow) -> Result<usize> {
    let Some(wanted) = &args.attachment else { return Ok(args.part.unwrap_or(0)) };
    let parts = original.parts();
    let named = |part: &&Part| part.name.as_deref() == Some(wanted);
    let numbered =
        |part: &&Part| part.attachment.is_some_and(|number| *wanted == number.to_string());
    let part = parts.iter().find(named).or_else(|| parts.iter().find(numbered));
    let missing = || {
        Fail::new(Exit::Negative, format!("there is no attachment {wanted}"))
            .hint("bulla index show --list shows what there is")
    };
    Ok(part.ok_or_else(missing)?.number)
}

fn list(app: &App, original: &Original) -> Result<Exit> {
    let mut stdout = std::io::stdout().lock();
    for part in original.parts() {
        let Part { number, attachment, kind, name, size } = part;
        if app.ui.json {
            let object = serde_json::json!({
                "schema": 1, "part": number, "attachment": attachment, "type": kind,
                "name": name, "size": size,
            });
            writeln!(stdout, "{}", json_line(&object))?;
        } else {
            let name = name.unwrap_or_default();
            let line = format!("{number:3}  {kind:24}  {size:9}  {name}");
            writeln!(stdout, "{}", printable(line.trim_end()))?;
        }
    }
    Ok(Exit::Done)
}

/// A document for people: its fields and its text.
fn text(document: &Document) -> Result<String> {
    let mut out = Vec::new();
    let list = |names: &[String]| names.join(", ");
    let set = |words: &mut dyn Iterator<Item = &str>| words.collect::<Vec<_>>().join(" ");
    let path = document.path.as_ref().map(|path| path.display().to_string());
    let fields = [
        ("From", document.from.clone()),
        ("To", list(&document.to)),
        ("Cc", list(&document.cc)),
        ("Date", document.date.map(date).unwrap_or_default()),
        ("Subject", document.subject.clone()),
        ("Attached", list(&document.attachments)),
        ("Path", path.unwrap_or_default()),
        ("Flags", set(&mut document.flags.iter().map(|flag| flag.name()))),
        ("Tags", set(&mut document.tags.iter().map(String::as_str))),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name}: {}", printable(value))?;
    }
    for (name, value) in &document.headers {
        writeln!(out, "{}: {}", printable(name), printable(value))?;
    }
    writeln!(out, "\n{}", printable_lines(document.body.trim_end_matches('\n')))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn object(document: &Document) -> serde_json::Value {
    let headers: serde_json::Map<_, _> = document
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    serde_json::json!({
        "schema": 1,
        "id": document.id,
        "kind": document.kind.name(),
        "path": document.path.as_ref().map(|path| path.to_string_lossy()),
        "offset": document.offset,
        "date": document.date.map(date),
        "from": document.from,
        "to": document.to,
        "cc": document.cc,
        "subject": document.subject,
        "attachments": document.attachments,
        "types": document.types,
        "size": document.size,
        "message_id": document.message_id,
        "in_reply_to": document.in_reply_to,
        "references": document.references,
        "thread": some(&document.thread),
        "flags": document.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>(),
        "tags": document.tags,
        "headers": headers,
        "body": document.body,
    })
}
