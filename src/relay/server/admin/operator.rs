//! What an operator asks of a relay: totals, and tokens to register with. Of a relay that runs
//! through its socket file, else of the store itself.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::relay::protocol::{CapabilityId, Failure, Mailbox, Terms, TokenId};
use crate::relay::store::{self, Store, Token, Totals, Usage};

/// Longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 16 << 20;
/// How long a relay may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the operator got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The relay refused.
    #[error("the relay refused: {0}")]
    Refused(String),
    /// The answer is not one of this library's relay.
    #[error("what listens on the socket is no relay")]
    Protocol,
    /// The socket, or starting a runtime, failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// [`Totals`] as the socket speaks of them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct TotalsRecord {
    mailboxes: u64,
    messages: u64,
    bytes: u64,
}

impl From<Totals> for TotalsRecord {
    fn from(totals: Totals) -> Self {
        let Totals { mailboxes, waiting } = totals;
        Self { mailboxes, messages: waiting.messages, bytes: waiting.bytes }
    }
}

impl From<TotalsRecord> for Totals {
    fn from(record: TotalsRecord) -> Self {
        let TotalsRecord { mailboxes, messages, bytes } = record;
        Self { mailboxes, waiting: Usage { messages, bytes } }
    }
}

/// [`Token`] as the socket speaks of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    id: TokenId,
    mailboxes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(default)]
    used: u64,
}

impl From<Token> for TokenRecord {
    fn from(token: Token) -> Self {
        let Token { id, mailboxes, bytes, expires, used } = token;
        Self { id, mailboxes, bytes, expires, used }
    }
}

impl From<TokenRecord> for Token {
    fn from(record: TokenRecord) -> Self {
        let TokenRecord { id, mailboxes, bytes, expires, used } = record;
        Self { id, mailboxes, bytes, expires, used }
    }
}

/// Answer of `GET /v1/tokens`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<TokenRecord>,
}

/// A mailbox without its messages: what a backup keeps of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registered {
    /// Its name.
    pub mailbox: Mailbox,
    /// Who may push to it.
    pub capabilities: Vec<Allowed>,
}

/// A capability without what it pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    /// SHA-256 of its text.
    pub id: CapabilityId,
    /// What it allows.
    pub terms: Terms,
}

/// Most mailboxes of one answer: with a hundred capabilities each it stays below [`MAX_ANSWER`].
const PAGE: usize = 500;

/// One page of mailboxes behind a name.
pub(crate) async fn page(
    store: &dyn Store,
    after: Option<Mailbox>,
) -> Result<Vec<Registered>, store::Error> {
    let mut page = Vec::new();
    for mailbox in store.mailboxes(after, PAGE).await? {
        match store.capabilities(mailbox).await {
            Ok(all) => {
                let allowed = all.iter().map(|one| Allowed { id: one.id, terms: one.terms });
                page.push(Registered { mailbox, capabilities: allowed.collect() });
            }
            // Closed since.
            Err(store::Error::NoMailbox) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

/// The operator of a relay.
pub struct Operator(Reach);

enum Reach {
    Socket(PathBuf),
    Store(Arc<dyn Store>, tokio::runtime::Runtime),
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operator")
    }
}

impl Operator {
    /// Of the relay that listens on this socket file, or `None` when none does.
    pub fn at(socket: &Path) -> Option<Self> {
        UnixStream::connect(socket).ok().map(|_| Self(Reach::Socket(socket.to_owned())))
    }

    /// Of a store that no relay has open, or of one that many share.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when no runtime can be started.
    pub fn of(store: Arc<dyn Store>) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self(Reach::Store(store, runtime)))
    }

    /// What all mailboxes hold together.
    ///
    /// # Errors
    ///
    /// See [`Error`]; so too for the methods below.
    pub fn totals(&self) -> Result<Totals, Error> {
        match &self.0 {
            Reach::Socket(path) => {
                Ok(read::<TotalsRecord>(&ask(path, "GET", "/v1/totals", b"")?.1)?.into())
            }
            Reach::Store(store, runtime) => Ok(runtime.block_on(store.totals())?),
        }
    }

    /// Makes a token good for registering. Its text never comes near the relay: only its hash.
    pub fn add_token(&self, token: Token) -> Result<(), Error> {
        match &self.0 {
            Reach::Socket(path) => {
                // Numbers and hexadecimal digits: they always serialize.
                let body = serde_json::to_vec(&TokenRecord::from(token)).unwrap_or_default();
                ask(path, "POST", "/v1/tokens", &body).map(drop)
            }
            Reach::Store(store, runtime) => Ok(runtime.block_on(store.add_token(token))?),
        }
    }

    /// Takes a token away; `false` when there is none. Its mailboxes stay.
    pub fn remove_token(&self, id: TokenId) -> Result<bool, Error> {
        match &self.0 {
            Reach::Socket(path) => {
                let (status, _) = ask(path, "DELETE", &format!("/v1/tokens/{id}"), b"")?;
                Ok(status == 204)
            }
            Reach::Store(store, runtime) => Ok(runtime.block_on(store.remove_token(id))?),
        }
    }

    /// The tokens.
    pub fn tokens(&self) -> Result<Vec<Token>, Error> {
        match &self.0 {
            Reach::Socket(path) => {
                let Tokens { tokens } = read(&ask(path, "GET", "/v1/tokens", b"")?.1)?;
                Ok(tokens.into_iter().map(Token::from).collect())
            }
            Reach::Store(store, runtime) => Ok(runtime.block_on(store.tokens())?),
        }
    }

    /// Some mailboxes behind a name, in the order of their names; none at the end.
    pub(crate) fn mailboxes(&self, after: Option<Mailbox>) -> Result<Vec<Registered>, Error> {
        match &self.0 {
            Reach::Socket(path) => {
                let behind = after.map_or(String::new(), |name| format!("/{name}"));
                read(&ask(path, "GET", &format!("/v1/mailboxes{behind}"), b"")?.1)
            }
            Reach::Store(store, runtime) => Ok(runtime.block_on(page(&**store, after))?),
        }
    }

    /// Registers a mailbox on nobody's account and allows what a backup says. Only of a store that
    /// no relay has open: [`Error::Refused`] otherwise.
    pub(crate) fn restore(&self, registered: &Registered, now: u64) -> Result<(), Error> {
        let Reach::Store(store, runtime) = &self.0 else {
            return Err(Error::Refused("a backup goes into a store that no relay serves".into()));
        };
        runtime.block_on(async {
            store.register(registered.mailbox, None, now).await?;
            for allowed in &registered.capabilities {
                store.allow(registered.mailbox, allowed.id, allowed.terms).await?;
            }
            Ok(())
        })
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| Error::Protocol)
}

/// One request over the socket: status and body. 404 is an answer, other errors are not.
fn ask(socket: &Path, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Error> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: relay\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let answer = files::read_to_limit(Read::by_ref(&mut stream), MAX_ANSWER)?;
    let (status, body) = split(&answer).ok_or(Error::Protocol)?;
    if status >= 400 && status != 404 {
        let failure: Failure = read(body)?;
        return Err(Error::Refused(crate::text::printable(&failure.message)));
    }
    Ok((status, body.to_vec()))
}

/// Status and body of an answer that ends with its connection, as those of HTTP/1.0 do.
fn split(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    let status = std::str::from_utf8(head).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body))
}
