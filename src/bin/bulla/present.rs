//! Contacts and cards, as people and scripts read them.

use anyhow::Result;
use bulla::contact::{Book, Contact, Lookalikes, Trust};
use bulla::identity::{Card, Fingerprint};
use bulla::text::{date, hex_encode, mixes_scripts, printable};
use serde_json::json;

/// Returns remarks on the name of a key's owner: it can be taken for another contact's, or
/// mixes scripts.
pub(crate) fn remarks(known: &Lookalikes<'_>, name: &str, owner: &Fingerprint) -> Vec<String> {
    let like =
        known.find(name, owner).map(|contact| format!("looks like {}", printable(contact.name())));
    like.into_iter().chain(mixes_scripts(name).then(|| "mixed scripts".to_owned())).collect()
}

/// A contact's name as people read it, with what is conspicuous about it.
pub(crate) fn shown(known: &Lookalikes<'_>, contact: &Contact) -> String {
    let name = printable(contact.name());
    let remarks = remarks(known, contact.name(), &contact.fingerprint());
    if remarks.is_empty() { name } else { format!("{name} ({})", remarks.join(", ")) }
}

/// How trust came, as scripts and people read it.
pub(crate) fn trust(trust: &Trust) -> &'static str {
    match trust {
        Trust::CardByHand => "card by hand",
        Trust::SecretInvite => "secret-invite",
        Trust::Digits => "digits",
        Trust::Words => "words",
        Trust::Introduced(_) => "introduced",
        Trust::Compared => "compared",
        _ => "unknown",
    }
}

/// A contact as JSON.
pub(crate) fn contact_object(book: &Book, contact: &Contact) -> Result<serde_json::Value> {
    let mut object = card_object(&book.newest_card(contact)?);
    if let Some(fields) = object.as_object_mut() {
        let own = fields.insert("name".into(), contact.name().into());
        fields.insert("self_asserted_name".into(), own.unwrap_or_default());
        fields.insert("trust".into(), trust(contact.trust()).into());
        if let Trust::Introduced(by) = contact.trust() {
            let by = json!({ "name": by.name, "fingerprint": by.fingerprint().to_string() });
            fields.insert("introduced_by".into(), by);
        }
        fields.insert("since".into(), date(contact.since()).into());
        let revoked = book.revoked(&contact.fingerprint()).map(date);
        fields.insert("revoked".into(), revoked.into());
    }
    Ok(object)
}

/// A card as JSON.
pub(crate) fn card_object(card: &Card) -> serde_json::Value {
    serde_json::json!({
        "schema": 1,
        "name": card.name(),
        "fingerprint": card.fingerprint().to_string(),
        "recipient": card.recipient().to_string(),
        "relay": card.relay(),
        "mailbox": hex_encode(card.mailbox()),
        "card": card.to_text(),
    })
}

#[cfg(feature = "index")]
/// What is empty is null in JSON.
pub(crate) fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
