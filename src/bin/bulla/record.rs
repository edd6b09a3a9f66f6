//! The JSON line of a letter, as `open --json` prints it.

use bulla::contact::{Book, Receipt};
use bulla::identity::{Card, Fingerprint};
use bulla::letter::{Letter, Proof};
use bulla::text::{base64_encode, date, hex_encode, printable};
use serde_json::{Map, Value, json};

use crate::present::{remarks, trust};

/// A proven sender, and what the contact book says of them.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) name: Option<String>,
    pub(crate) fingerprint: Fingerprint,
    self_asserted: String,
    trust: &'static str,
    /// Remarks on the name.
    remarks: Vec<String>,
}

impl Sender {
    pub(crate) fn new(card: &Card, book: &Book) -> Self {
        let fingerprint = card.fingerprint();
        let contact = book.by_fingerprint(&fingerprint);
        let shown = contact.map_or(card.name(), |contact| contact.name());
        Self {
            name: contact.map(|contact| contact.name().to_owned()),
            fingerprint,
            self_asserted: card.name().to_owned(),
            trust: contact.map_or("unknown", |contact| trust(contact.trust())),
            remarks: remarks(&book.lookalikes(), shown, &fingerprint),
        }
    }

    /// Our name for the sender, or the fingerprint.
    pub(crate) fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.fingerprint.to_string())
    }

    /// Returns the line that names the sender: `from ann (digits)`.
    pub(crate) fn line(&self) -> String {
        let trust = if self.trust == "card by hand" { "unverified card" } else { self.trust };
        let mut known = Vec::new();
        let who = match &self.name {
            Some(name) => {
                known.push(trust.to_owned());
                format!("from {}", printable(name))
            }
            None => {
                if !self.self_asserted.is_empty() {
                    known
                        .push(format!("self-declared name \"{}\"", printable(&self.self_asserted)));
                }
                format!("unknown sender {}", self.fingerprint)
            }
        };
        known.extend(self.remarks.iter().cloned());
        if known.is_empty() { who } else { format!("{who} ({})", known.join(", ")) }
    }
}

/// Origin of a body, as far as it decides where the body may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A contact's.
    Contact,
    /// Proven to be of one sender, who is no contact.
    Unknown,
    /// No sender is proven: an anonymous letter, or a plain file that came among letters.
    Anonymous,
    /// A plain age file, which the user has named.
    File,
}

/// Where a body went: into the line, or to a file that it names.
pub(crate) enum Place<'a> {
    Line(&'a [u8]),
    File(&'a str),
}

/// One line of JSON. A plain age file has no letter: its fields are null.
pub(crate) fn line(
    letter: Option<&Letter>,
    sender: Option<&Sender>,
    receipt: Option<Receipt>,
    ratchet: bool,
    body: Place<'_>,
) -> Value {
    let heading = letter.map(|letter| &letter.heading);
    let missed = match receipt {
        Some(Receipt::Fresh { missed, .. }) => Some(missed),
        _ => None,
    };
    let headers: Map<String, Value> = heading
        .map(|heading| heading.pairs.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect())
        .unwrap_or_default();
    let mut object = json!({
        "schema": 1,
        "id": letter.map(|letter| hex_encode(&letter.id)),
        "from": sender.map(|sender| json!({
            "name": sender.name,
            "self_asserted_name": sender.self_asserted,
            "fingerprint": sender.fingerprint.to_string(),
            "trust": sender.trust,
            "proof": letter.map(|letter| match letter.proof {
                Proof::Pairwise => "pairwise",
                Proof::SignedPairwise => "signature+pairwise",
                _ => "signature",
            }),
        })),
        "seq": heading.and_then(|heading| heading.place).map(|(_, seq)| seq),
        "missed": missed,
        "date": heading.map(|heading| date(heading.date)),
        "subject": heading.and_then(|heading| heading.subject.as_deref()),
        "name": heading.and_then(|heading| heading.file_name.as_deref()),
        "type": heading.and_then(|heading| heading.content_type.as_deref()),
        "headers": headers,
        "forward_secrecy": ratchet,
    });
    let (key, value): (_, Value) = match body {
        Place::File(path) => ("path", path.into()),
        Place::Line(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => ("body", text.into()),
            Err(_) => ("body_base64", base64_encode(bytes).into()),
        },
    };
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.into(), value);
    }
    object
}
