//! How a query was understood, in words.

use std::fmt::{self, Display, Formatter};

use crate::index::analysis::tokenizer;
use crate::index::query::date;
use crate::index::query::expr::{Expr, FieldName, Form, Key, Phrase, Query};

/// How a query, or a part of one, was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// In words: "all of", "the word \"invoice\" in the subject".
    pub what: String,
    /// That part alone, as a query.
    pub query: String,
    /// What it is made of.
    pub parts: Vec<Explained>,
}

impl Query {
    /// Explains in words how the query was understood.
    pub fn explain(&self) -> Explained {
        explain(&self.0)
    }
}

fn explain(expr: &Expr) -> Explained {
    let (what, parts): (String, &[Expr]) = match expr {
        Expr::All => ("every document".into(), &[]),
        Expr::And(all) => ("all of".into(), all),
        Expr::Or(all) => ("any of".into(), all),
        Expr::Not(inner) => ("not".into(), std::slice::from_ref(inner)),
        Expr::Text { field, phrase } => (format!("{} {}", of(phrase), place(*field)), &[]),
        Expr::Near { field, distance, phrases } => {
            let all: Vec<String> = phrases.iter().map(of).collect();
            let away = match distance {
                1 => "side by side".to_owned(),
                many => format!("at most {many} words away from each other"),
            };
            (format!("{}, {away}, in either order, {}", all.join(" and "), place(*field)), &[])
        }
        Expr::Value { key, value, open } => {
            let what = match key {
                Key::Id => "an id that begins with",
                Key::Thread => "the thread",
                Key::Tag if *open => "a tag that begins with",
                Key::Tag => "the tag",
                Key::Type if *open => "a type that begins with",
                Key::Type => "the type",
            };
            let or = if *key == Key::Id { ", or that Message-ID" } else { "" };
            (format!("{what} \"{value}\"{or}"), &[])
        }
        Expr::Flag(flag) => (format!("marked {}", flag.name()), &[]),
        Expr::Date { from, to } => {
            let from = from.map(|from| format!("from {} on", date::print(from)));
            let to = to.map(|to| format!("before {}", date::print(to)));
            (format!("dated {}", both(from, to)), &[])
        }
        Expr::Size { from, to } => {
            let from = from.map(|from| format!("at least {from} bytes"));
            let to = to.map(|to| format!("at most {to} bytes"));
            (format!("with {}", both(from, to)), &[])
        }
    };
    let parts = parts.iter().map(explain).collect();
    Explained { what, query: expr.to_string(), parts }
}

fn both(from: Option<String>, to: Option<String>) -> String {
    let both: Vec<String> = from.into_iter().chain(to).collect();
    both.join(" and ")
}

fn of(phrase: &Phrase) -> String {
    let words = &phrase.text;
    let one = tokenizer::words(words).len() == 1;
    match phrase.form {
        Form::Plain if one => format!("the word \"{words}\""),
        Form::Plain => format!("the phrase \"{words}\""),
        Form::Open if one => format!("a word that begins with \"{words}\""),
        Form::Open => format!("a phrase that begins with \"{words}\""),
        Form::Fuzzy(1) => format!("a word like \"{words}\" but for one letter"),
        Form::Fuzzy(many) => format!("a word like \"{words}\" but for {many} letters"),
        Form::Exact => format!("exactly \"{words}\""),
    }
}

fn place(field: Option<FieldName>) -> &'static str {
    match field {
        None => "anywhere",
        Some(FieldName::From) => "in the sender",
        Some(FieldName::To) => "in the recipients",
        Some(FieldName::Cc) => "in those in copy",
        Some(FieldName::Subject) => "in the subject",
        Some(FieldName::Body) => "in the text",
        Some(FieldName::Attachment) => "in the name of an attachment",
        Some(FieldName::Path) => "in the path",
    }
}

impl Display for Explained {
    /// A tree of lines.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.lines(f, "", "")
    }
}

impl Explained {
    fn lines(&self, f: &mut Formatter<'_>, first: &str, rest: &str) -> fmt::Result {
        writeln!(f, "{first}{}", self.what)?;
        for (at, part) in self.parts.iter().enumerate() {
            let last = at + 1 == self.parts.len();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            part.lines(f, &format!("{rest}{branch}"), &format!("{rest}{below}"))?;
        }
        Ok(())
    }
}
