//! The fields of the engine. A change here is a change of the format.

use tantivy::TantivyError;
use tantivy::schema::{
    FAST, Field, FieldType, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};

use crate::index::analysis::stemmer::Stems;

/// Name under which the word rule is registered.
pub(crate) const WORDS: &str = "words";
/// What stands before the names of the word rules for [`Fields::heads`].
const HEADS: &str = "heads:";
/// The column of [`Fields::order`].
pub(crate) const ORDER: &str = "order";
/// The column of [`Fields::size`].
pub(crate) const SIZE: &str = "size";

/// Handles of the fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// The document's id, as one term.
    pub(crate) id: Field,
    /// The file of a document that is a whole file, as one term: an edited file replaces itself.
    pub(crate) source: Field,
    /// Date and beginning of the id, as one number to sort and filter by.
    pub(crate) order: Field,
    /// Words of the sender.
    pub(crate) from: Field,
    /// Words of the recipients, without those in copy.
    pub(crate) to: Field,
    /// Words of the recipients in copy.
    pub(crate) cc: Field,
    /// Words of the subject.
    pub(crate) subject: Field,
    /// All words of sender, recipients, subject and attachments' names once more: a word that is
    /// looked for anywhere is looked up here and in the body, and not in six dictionaries.
    pub(crate) heads: Field,
    /// Words of the text, which is also stored.
    pub(crate) body: Field,
    /// Words of attachments' names.
    pub(crate) attachment: Field,
    /// Words of the path.
    pub(crate) path: Field,
    /// What it was, and the MIME types of its parts, as whole terms.
    pub(crate) kind: Field,
    /// The Message-ID, as one term.
    pub(crate) message: Field,
    /// The key of the thread, as one term.
    pub(crate) thread: Field,
    /// Flags, each a term.
    pub(crate) flag: Field,
    /// Tags, each a term.
    pub(crate) tag: Field,
    /// Bytes, to filter by.
    pub(crate) size: Field,
}

/// Name under which the word rule with stems is registered; that without them when there are none.
pub(crate) fn stemmed(stems: &Stems) -> String {
    if stems.is_empty() { WORDS.to_owned() } else { format!("{WORDS}:{stems}") }
}

/// Name under which the word rule of [`Fields::heads`] is registered.
pub(crate) fn headed(stems: &Stems) -> String {
    format!("{HEADS}{}", stemmed(stems))
}

impl Fields {
    /// The schema of a new index: it names the languages that prose is stemmed in.
    pub(crate) fn schema(stems: &Stems) -> Schema {
        let by = |tokenizer: &str| {
            TextOptions::default().set_indexing_options(
                TextFieldIndexing::default()
                    .set_tokenizer(tokenizer)
                    .set_index_option(IndexRecordOption::WithFreqsAndPositions),
            )
        };
        let (words, prose, heads) = (by(WORDS), by(&stemmed(stems)), by(&headed(stems)));
        let whole = TextOptions::default().set_indexing_options(
            TextFieldIndexing::default()
                .set_tokenizer("raw")
                .set_fieldnorms(false)
                .set_index_option(IndexRecordOption::Basic),
        );
        let mut builder = Schema::builder();
        builder.add_text_field("id", whole.clone());
        builder.add_text_field("source", whole.clone());
        builder.add_u64_field(ORDER, FAST);
        for name in ["from", "to", "cc", "path"] {
            builder.add_text_field(name, words.clone());
        }
        for name in ["subject", "attachment"] {
            builder.add_text_field(name, prose.clone());
        }
        builder.add_text_field("heads", heads);
        for name in ["kind", "message", "thread", "flag", "tag"] {
            builder.add_text_field(name, whole.clone());
        }
        builder.add_u64_field(SIZE, FAST);
        builder.add_text_field("body", prose | STORED);
        builder.build()
    }

    /// The languages that a schema names.
    pub(crate) fn stems(schema: &Schema) -> Option<Stems> {
        let body = schema.get_field_entry(schema.get_field("body").ok()?);
        let FieldType::Str(options) = body.field_type() else { return None };
        let name = options.get_indexing_options()?.tokenizer();
        name.strip_prefix(WORDS)?.trim_start_matches(':').parse().ok()
    }

    /// Whether a field holds prose, whose words have stems as well.
    pub(crate) fn is_prose(&self, field: Field) -> bool {
        [self.subject, self.body, self.attachment, self.heads].contains(&field)
    }

    /// The handles in a schema that was read back.
    pub(crate) fn of(schema: &Schema) -> Result<Self, TantivyError> {
        Ok(Self {
            id: schema.get_field("id")?,
            source: schema.get_field("source")?,
            order: schema.get_field(ORDER)?,
            from: schema.get_field("from")?,
            to: schema.get_field("to")?,
            cc: schema.get_field("cc")?,
            subject: schema.get_field("subject")?,
            heads: schema.get_field("heads")?,
            body: schema.get_field("body")?,
            attachment: schema.get_field("attachment")?,
            path: schema.get_field("path")?,
            kind: schema.get_field("kind")?,
            message: schema.get_field("message")?,
            thread: schema.get_field("thread")?,
            flag: schema.get_field("flag")?,
            tag: schema.get_field("tag")?,
            size: schema.get_field(SIZE)?,
        })
    }

    /// Where a word without a field is looked for.
    pub(crate) fn anywhere(&self) -> [Field; 2] {
        [self.heads, self.body]
    }
}
