//! A query as text that reads as the same query, with no more nesting than it had.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::index::document::Flag;
use crate::index::query::date;
use crate::index::query::expr::{Expr, FieldName, Form, Phrase, Query};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_char('*'),
            Self::And(all) => joined(f, all, " ", Self::is_many),
            // What is beside each other binds tighter.
            Self::Or(all) => joined(f, all, " OR ", |one| matches!(one, Self::Or(_))),
            Self::Not(inner) if **inner == Self::Flag(Flag::Unread) => f.write_str("is:read"),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                inner.part(f, inner.is_many())
            }
            Self::Text { field, phrase } => {
                scope(f, *field)?;
                phrase.fmt(f)
            }
            Self::Near { field, distance, phrases } => {
                scope(f, *field)?;
                for (at, phrase) in phrases.iter().enumerate() {
                    if at > 0 {
                        write!(f, " NEAR/{distance} ")?;
                    }
                    phrase.fmt(f)?;
                }
                Ok(())
            }
            Self::Value { key, value, open } => {
                write!(f, "{}:\"{value}\"{}", key.name(), if *open { "*" } else { "" })
            }
            Self::Flag(flag) => write!(f, "is:{}", flag.name()),
            Self::Date { from, to } => {
                let from = from.map(date::print).unwrap_or_default();
                // The last second that counts.
                let to = to.map(|to| date::print(to - 1)).unwrap_or_default();
                write!(f, "date:{from}..{to}")
            }
            Self::Size { from, to } => {
                let end = |end: &Option<u64>| end.map(|end| end.to_string()).unwrap_or_default();
                write!(f, "size:{}..{}", end(from), end(to))
            }
        }
    }
}

impl Expr {
    fn is_many(&self) -> bool {
        matches!(self, Self::And(_) | Self::Or(_))
    }

    /// Within another one, in parentheses or not.
    fn part(&self, f: &mut Formatter<'_>, apart: bool) -> fmt::Result {
        if apart { write!(f, "({self})") } else { self.fmt(f) }
    }
}

fn joined(
    f: &mut Formatter<'_>,
    all: &[Expr],
    between: &str,
    apart: impl Fn(&Expr) -> bool,
) -> fmt::Result {
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        one.part(f, apart(one))?;
    }
    Ok(())
}

fn scope(f: &mut Formatter<'_>, field: Option<FieldName>) -> fmt::Result {
    match field {
        Some(field) => write!(f, "{}:", field.name()),
        None => Ok(()),
    }
}

impl Display for Phrase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.form == Form::Exact {
            f.write_char('=')?;
        }
        let bare = self.text.chars().all(char::is_alphanumeric)
            && !matches!(self.text.as_str(), "AND" | "OR" | "NOT" | "NEAR");
        if bare {
            f.write_str(&self.text)?
        } else {
            write!(f, "\"{}\"", self.text)?
        }
        match self.form {
            Form::Plain | Form::Exact => Ok(()),
            Form::Open => f.write_char('*'),
            Form::Fuzzy(distance) => write!(f, "~{distance}"),
        }
    }
}
