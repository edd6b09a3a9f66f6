//! Names before a colon.

use crate::index::query::expr::{FieldName, Key};

/// What a value stands for: that of the field before it, or before the parenthesis around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Any,
    Text(FieldName),
    Value(Key),
    Is,
    Date,
    After,
    Before,
    Size,
}

impl Scope {
    pub(super) fn field(self) -> Option<FieldName> {
        match self {
            Self::Text(field) => Some(field),
            _ => None,
        }
    }

    /// In upper case too, as it stands in a message.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = &*name.to_ascii_lowercase();
        let text = FieldName::ALL.iter().find(|field| field.name() == name);
        let value = Key::ALL.iter().find(|key| key.name() == name);
        Some(match (text, value, name) {
            (Some(field), _, _) => Self::Text(*field),
            (_, Some(key), _) => Self::Value(*key),
            (_, _, "is") => Self::Is,
            (_, _, "date") => Self::Date,
            (_, _, "after") => Self::After,
            (_, _, "before") => Self::Before,
            (_, _, "size") => Self::Size,
            _ => return None,
        })
    }
}

/// Every name before a colon.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let text = FieldName::ALL.iter().map(|field| field.name());
    let values = Key::ALL.iter().map(|key| key.name());
    text.chain(values).chain(["is", "date", "after", "before", "size"])
}
