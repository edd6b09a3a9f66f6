//! The JSON line of a letter, as `open --json` prints it.

use bulla::contact::{Contact, Receipt};
use bulla::identity::{Card, Fingerprint};
use bulla::letter::{Letter, Proof};
use bulla::text::{base64_encode, hex_encode, is_hostile};
use serde_json::{Map, Value, json};

use crate::app::date;
use crate::cmd::contact::trust;

/// A proven sender, and what the contact book says of him.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) name: Option<String>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) self_asserted: String,
    trust: &'static str,
}

impl Sender {
    pub(crate) fn new(card: &Card, contact: Option<&Contact>) -> Self {
        Self {
            name: contact.map(|contact| contact.name().to_owned()),
            fingerprint: card.fingerprint(),
            self_asserted: card.name().to_owned(),
            trust: contact.map_or("unknown", |contact| trust(contact.trust())),
        }
    }

    /// Our name for him, or his fingerprint.
    pub(crate) fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.fingerprint.to_string())
    }
}

/// A value as one line, in which no character does anything to a terminal.
pub(crate) fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        if is_hostile(c) {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            line.push(c);
        }
    }
    line
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
