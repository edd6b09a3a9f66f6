//! A relay without its messages, as JSON lines: who registered, who may push, which tokens are
//! good. A copy of the store itself, put back, would bring back messages that were taken since.
//!
//! Lines are a `Line` each; the last one says how many there were, so that a part is not taken
//! for the whole.

use std::io::{self, BufRead, Read as _, Write};

use serde::{Deserialize, Serialize};

use crate::relay::server::admin::operator::{self, Operator, Registered, TokenRecord};
use crate::relay::store::Token;

/// The one form there is.
const SCHEMA: u8 = 1;
/// Longest line: a mailbox with more capabilities than a relay allows.
const MAX_LINE: u64 = 1 << 20;

/// Why there is no backup, or it cannot be put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The relay or its store.
    #[error(transparent)]
    Operator(#[from] operator::Error),
    /// A line that is none of a backup.
    #[error("line {0} is not one of a backup of schema 1")]
    Malformed(u64),
    /// It ends early, or lines of it are missing.
    #[error("the backup is not whole: it ends behind line {0}")]
    Truncated(u64),
    /// Reading or writing it failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Serialize, Deserialize)]
struct Line {
    schema: u8,
    #[serde(flatten)]
    content: Content,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Token(TokenRecord),
    Mailbox(Registered),
    End { lines: u64 },
}

/// Writes a backup; says how many mailboxes it has. What is registered meanwhile may be missing.
///
/// # Errors
///
/// [`Error::Operator`], [`Error::Io`].
pub fn write(operator: &Operator, out: &mut impl Write) -> Result<u64, Error> {
    let mut lines = 0;
    let mut line = |content: Content| {
        lines += 1;
        let text = serde_json::to_string(&Line { schema: SCHEMA, content });
        writeln!(out, "{}", text.map_err(io::Error::from)?)
    };
    for token in operator.tokens()? {
        // Its mailboxes come back on nobody's account, so what it has used is taken off.
        let mailboxes = token.mailboxes.saturating_sub(token.used);
        line(Content::Token(Token { mailboxes, used: 0, ..token }.into()))?;
    }
    let (mut after, mut mailboxes) = (None, 0);
    loop {
        let page = operator.mailboxes(after)?;
        let Some(last) = page.last() else { break };
        after = Some(last.mailbox);
        for registered in page {
            line(Content::Mailbox(registered))?;
            mailboxes += 1;
        }
    }
    let end = Content::End { lines };
    let text = serde_json::to_string(&Line { schema: SCHEMA, content: end });
    writeln!(out, "{}", text.map_err(io::Error::from)?)?;
    Ok(mailboxes)
}

/// Puts a backup into a store that no relay serves; says how many mailboxes it had. What is there
/// already stays, so that it may be done again.
///
/// # Errors
///
/// [`Error::Malformed`] and [`Error::Truncated`], with what came before put back.
pub fn read(operator: &Operator, mut input: impl BufRead, now: u64) -> Result<u64, Error> {
    let (mut lines, mut mailboxes) = (0, 0);
    let mut text = Vec::new();
    loop {
        text.clear();
        input.by_ref().take(MAX_LINE).read_until(b'\n', &mut text)?;
        if text.is_empty() {
            return Err(Error::Truncated(lines));
        }
        let line: Line = serde_json::from_slice(&text).map_err(|_| Error::Malformed(lines + 1))?;
        match line.content {
            _ if line.schema != SCHEMA => return Err(Error::Malformed(lines + 1)),
            Content::Token(token) => operator.add_token(token.into())?,
            Content::Mailbox(registered) => {
                operator.restore(&registered, now)?;
                mailboxes += 1;
            }
            Content::End { lines: all } if all == lines => return Ok(mailboxes),
            Content::End { .. } => return Err(Error::Truncated(lines)),
        }
        lines += 1;
    }
}
