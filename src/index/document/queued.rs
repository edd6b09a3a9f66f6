//! Documents on their way to the engine: a document as the engine's fields.

use std::collections::BTreeSet;
use std::slice;

use tantivy::schema::{Field, OwnedValue};

use crate::index::analysis::tokenizer;
use crate::index::document::Document;
use crate::index::document::budget::Taken;
use crate::index::document::fields::Fields;
use crate::index::document::summary::order;
use crate::wire;

impl Document {
    /// The engine's fields of this document, and the bytes they take.
    pub(crate) fn into_fields(self, to: &Fields) -> Result<Queued, wire::Error> {
        let document = self.bounded();
        let mut values: Vec<(Field, OwnedValue)> = Vec::new();
        if let Some(path) = &document.path {
            values.push((to.path, path.to_string_lossy().into_owned().into()));
            if document.is_file() {
                values.push((to.source, Self::source(path).into()));
            }
        }
        values.push((to.order, order(document.date, &document.id).into()));
        values.push((to.size, document.size.into()));
        let lists =
            [(to.to, &document.to), (to.cc, &document.cc), (to.attachment, &document.attachments)];
        for (field, list) in lists {
            values.extend(list.iter().map(|one| (field, one.clone().into())));
        }
        let types: BTreeSet<_> = document.types.iter().flat_map(|name| type_terms(name)).collect();
        values.push((to.kind, document.kind.name().into()));
        values.extend(types.into_iter().map(|term| (to.kind, term.into())));
        values.extend(document.flags.iter().map(|flag| (to.flag, flag.name().into())));
        values.extend(document.tags.iter().map(|tag| (to.tag, tag.clone().into())));
        if let Some(id) = &document.message_id {
            values.push((to.message, id.clone().into()));
        }
        if !document.thread.is_empty() {
            values.push((to.thread, document.thread.clone().into()));
        }
        let (from, subject) = (slice::from_ref(&document.from), slice::from_ref(&document.subject));
        for head in [from, subject, &document.to, &document.cc, &document.attachments] {
            values.extend(tokenizer::head_values(head).map(|value| (to.heads, value.into())));
        }
        values.push((to.id, document.id.clone().into()));
        values.push((to.from, document.from.clone().into()));
        values.push((to.subject, document.subject.clone().into()));
        let Document { summary, body } = document;
        let head = wire::encode(&summary)?;
        let bytes = 2 * head.len() + body.len();
        values.push((to.body, body.into()));
        Ok(Queued { values, head, bytes, room: None })
    }
}

/// The terms of a MIME type: whole, and each of its halves. In lower case, parameters cut off.
fn type_terms(name: &str) -> impl Iterator<Item = String> {
    let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let halves: Vec<String> = name.split('/').map(str::to_owned).collect();
    let whole = (halves.len() > 1).then_some(name);
    halves.into_iter().chain(whole).filter(|term| !term.is_empty())
}

/// A document on its way to the engine, with the room it takes up in the queue.
pub(crate) struct Queued {
    values: Vec<(Field, OwnedValue)>,
    /// Everything but the body, for the store of summaries.
    pub(crate) head: Vec<u8>,
    /// Bytes of its texts.
    pub(crate) bytes: usize,
    /// Given back when the engine is done with it.
    pub(crate) room: Option<Taken>,
}

impl tantivy::Document for Queued {
    type Value<'a> = &'a OwnedValue;
    type FieldsValuesIter<'a> = std::iter::Map<
        slice::Iter<'a, (Field, OwnedValue)>,
        fn(&'a (Field, OwnedValue)) -> (Field, &'a OwnedValue),
    >;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        self.values.iter().map(|(field, value)| (*field, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::analysis::stemmer::Stems;
    use crate::index::document::{Kind, MAX_BODY};

    #[test]
    fn hostile_lengths_are_cut() {
        let fields = Fields::of(&Fields::schema(&Stems::default())).unwrap();
        let mut document = Document::new(Kind::Mail, "i".into());
        document.from = "é".repeat(1 << 20);
        document.subject = "s".repeat(1 << 20);
        document.to = vec!["t".repeat(1000); 1000];
        document.cc = document.to.clone();
        document.attachments = document.to.clone();
        document.types = document.to.clone();
        document.references = document.to.clone();
        document.in_reply_to = vec!["r".into(); 1 << 20];
        document.message_id = Some("m".repeat(999));
        document.thread = "t".repeat(1 << 20);
        document.tags = (0..1000).map(|n| format!("tag{n}")).collect();
        document.headers = vec![("k".repeat(1000), String::new()); 1000];
        document.body = "b".repeat(MAX_BODY + 1);
        assert!(document.into_fields(&fields).unwrap().bytes < MAX_BODY + (2 << 20));
    }

    #[test]
    fn terms_of_types() {
        let terms = |name| type_terms(name).collect::<Vec<_>>();
        assert_eq!(terms("Text/HTML; charset=utf-8"), ["text", "html", "text/html"]);
        assert_eq!(terms("odd"), ["odd"]);
        assert_eq!(terms(" ; x"), [""; 0]);
    }
}
