//! The index that bulla would make if it encrypted nothing, for `benches/search`.
//!
//!     plain documents mbox=FILE                      a line of JSON for each message
//!     plain build     mbox=FILE folder=DIR           with bodies=no they are not stored
//!     plain add       folder=DIR file=FILE           one more message, durable
//!     plain search    folder=DIR limit=20 CLAUSE…    word:x phrase:x prefix:x from:x after:SECONDS
//!     plain cells     index=DIR key=FILE query=…     what bulla itself opens for a query
//!
//! Schema, word rule and reading of mail are the library's own files; files, queries and what is
//! shown of a hit are written here, straight against the engine.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod directory;
mod index;

use std::collections::HashMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bulla::crypto::label;
use bulla::identity::{Key, Keyfile};
use bulla::index::{Index, Query, SearchOptions};
// What the library's files name with `crate::`.
use bulla::{crypto, text, wire};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let mut options = HashMap::new();
    let mut clauses = Vec::new();
    for argument in arguments {
        match argument.split_once('=') {
            Some((name, value)) => drop(options.insert(name.to_owned(), value.to_owned())),
            None => clauses.push(argument),
        }
    }
    let text = |name: &str| options.get(name).unwrap_or_else(|| panic!("{name}= is missing"));
    let path = |name: &str| PathBuf::from(text(name));
    match verb.as_str() {
        "documents" => documents(&path("mbox")),
        "build" => {
            let stored = options.get("bodies").is_none_or(|value| value != "no");
            index::build(&path("mbox"), &path("folder"), stored);
        }
        "add" => index::add(&path("folder"), &path("file")),
        "search" => index::search(&path("folder"), text("limit").parse().unwrap(), &clauses),
        "cells" => cells(&path("index"), &path("key"), text("query")),
        _ => panic!("no verb {verb:?}"),
    }
}

/// Every message as a line of JSON, for those that cannot read mail.
fn documents(mbox: &Path) {
    let mut out = BufWriter::new(std::io::stdout().lock());
    index::each_message(mbox, |document| {
        let to = [&document.to[..], &document.cc[..]].concat().join(", ");
        let line = serde_json::json!({
            "id": document.id,
            "date": document.date,
            "from": document.from,
            "to": to,
            "subject": document.subject,
            "body": document.body,
            "attachments": document.attachments.join(", "),
        });
        writeln!(out, "{line}").unwrap();
    });
    out.flush().unwrap();
}

/// Cells that bulla's own index opens for the twenty newest hits of a query, of how many.
fn cells(folder: &Path, key: &Path, query: &str) {
    let Keyfile::Open(keys) = Keyfile::parse(&fs::read(key).unwrap()).unwrap() else {
        panic!("the key file wants a passphrase");
    };
    let identity = keys.into_iter().find_map(|key| match key {
        Key::Bulla(identity) => Some(identity),
        Key::Age(_) => None,
    });
    let key = identity.expect("a bulla identity").storage_key(label::STORAGE_INDEX);
    let index = Index::open(folder, &key).unwrap();
    let to_open = index.cells_opened();
    let options = SearchOptions { scores: false, ..SearchOptions::default() };
    let found = index.search(&Query::parse(query).unwrap(), &options).unwrap().total;
    let opened = index.cells_opened();
    let all = index.verify().unwrap().cells;
    println!(r#"{{"found":{found},"to_open":{to_open},"opened":{opened},"all":{all}}}"#);
}
