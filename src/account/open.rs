//! Opening of letters: sender, replay and order are checked before the body is let out; what a
//! letter changes is stored, and its key erased, when the body is safely out.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::account::account::{Account, LetterLock};
use crate::account::error::Error;
use crate::account::event::Events;
use crate::account::keyring::{Keyring, Keys};
use crate::account::sessions::{self, OpenedBy};
use crate::age::{Dearmored, Opener};
use crate::contact::{Book, Contact, Place, Receipt};
use crate::identity::{Card, Fingerprint};
use crate::letter::{self, Content, Letter};
use crate::relay::protocol::Id;
use crate::text::hex_encode;

/// Letters that are locked at once, while their bodies wait to be complete together.
const MAX_LOCKED: usize = 256;

/// A letter whose sender is verified.
#[derive(Debug)]
pub struct Arrival {
    pub(super) letter: Letter,
    receipt: Option<Receipt>,
    /// The contact book as it was when the letter was checked.
    book: Arc<Book>,
    /// The session that opened it.
    pub(super) opened_by: Option<OpenedBy>,
    /// It was opened before, and is again.
    pub(super) known: bool,
    /// Id at the relay, when it came in an envelope.
    pub(super) envelope: Option<Id>,
    /// Held until the letter is recorded.
    _lock: Option<LetterLock>,
}

impl std::fmt::Debug for OpenedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedBy").field("contact", &self.contact).finish_non_exhaustive()
    }
}

impl Arrival {
    /// Returns the letter without its body.
    pub fn letter(&self) -> &Letter {
        &self.letter
    }

    /// Returns the id of the letter in hexadecimal digits.
    pub fn id(&self) -> String {
        hex_encode(&self.letter.id)
    }

    /// Returns the card of the sender, which is verified; `None` for an anonymous letter.
    pub fn sender(&self) -> Option<&Card> {
        self.letter.from.as_ref()
    }

    /// Returns the contact that the sender is.
    pub fn contact(&self) -> Option<&Contact> {
        self.book.by_fingerprint(&self.sender()?.fingerprint())
    }

    /// Returns the contact book as it was when the letter was checked.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Returns what is known of the letter's place among those of its sender; `None` for an account
    /// without state.
    pub fn receipt(&self) -> Option<Receipt> {
        self.receipt
    }

    /// Returns whether the letter had a key of its own, which is erased.
    pub fn forward_secrecy(&self) -> bool {
        self.opened_by.is_some()
    }

    /// Marks the letter as one that came in an envelope of this id.
    #[must_use]
    pub fn in_envelope(self, id: Id) -> Self {
        Self { envelope: Some(id), ..self }
    }

    fn place(&self) -> Option<Place> {
        self.letter.heading.place.map(|(stream, seq)| Place { stream, seq })
    }

    pub(super) fn record(&self, book: &mut Book) -> Receipt {
        let sender = self.sender().map(Card::fingerprint);
        book.record(sender.as_ref(), &self.letter.id, self.place())
    }
}

/// Where bodies go.
pub trait Delivery: Sync {
    /// The writer of one body.
    type Body: Write + Send;
    /// Why a body was not taken.
    type Error: Send;

    /// Decides whether a letter of this sender may be taken at all: nothing of a letter that is
    /// refused is remembered. `None` for a plain age file.
    fn admit(&self, letter: Option<&Sighted<'_>>) -> Result<(), Self::Error>;

    /// Returns whether a letter that was opened before is opened again.
    fn again(&self) -> bool {
        false
    }

    /// Begins a body. Nothing of it was let out, and its last byte is not verified before the
    /// writer has all of it. `None` for a plain age file.
    fn begin(&self, letter: Option<&Sighted<'_>>) -> Result<Self::Body, Self::Error>;
}

/// A letter whose sender is verified and that is not known to be a replay.
#[derive(Debug, Clone, Copy)]
pub struct Sighted<'a> {
    /// The letter.
    pub letter: &'a Letter,
    /// The contact book of the recipient.
    pub book: &'a Book,
}

/// What came of opening a file.
#[derive(Debug)]
pub enum Opened<B> {
    /// A plain age file, and its body.
    File(B),
    /// A letter, and its body.
    Letter(Box<Arrival>, B),
    /// A control message for the program.
    Control(Box<Arrival>),
}

/// A contact book with its owner and the digest of its file.
type CachedBook = (Fingerprint, [u8; 32], Arc<Book>);

/// Opens letters one after the other.
pub struct LetterOpener<K> {
    keys: K,
    /// Letters whose bodies are not safely out.
    pub(super) unrecorded: Vec<Arrival>,
    /// Contact books in which those are recorded.
    books: Mutex<Vec<CachedBook>>,
    again: bool,
}

impl<K: Keys> LetterOpener<K> {
    /// Opens letters with these keys.
    pub fn new(keys: K) -> Self {
        Self { keys, unrecorded: Vec::new(), books: Mutex::default(), again: false }
    }

    /// Opens letters again that went to a pipe, while they are kept, or no longer does.
    pub fn again(&mut self, again: bool) {
        self.again = again;
    }

    /// Returns how many letters wait to be recorded.
    pub fn unrecorded(&self) -> usize {
        self.unrecorded.len()
    }

    /// Returns the keys.
    pub fn keys(&self) -> &K {
        &self.keys
    }

    /// Returns the keys, to change them.
    pub fn keys_mut(&mut self) -> &mut K {
        &mut self.keys
    }

    /// Opens one sealed file and writes its body to where `delivery` begins it. When this returns,
    /// the last byte of the body is verified.
    ///
    /// # Errors
    ///
    /// [`Error::Revoked`], [`Error::OtherSender`], [`Error::Replay`] and those of
    /// `letter::open_paired`, before any of the body is let out; [`letter::Error::Age`] when the
    /// file breaks off or was changed.
    pub fn open<D: Delivery<Error = K::Error>>(
        &self,
        sealed: impl Read + Send,
        delivery: &D,
    ) -> Result<Opened<D::Body>, K::Error> {
        let sealed = Dearmored::new(sealed).map_err(Error::from)?;
        let opener = Opener::new(sealed, &[&self.keys]);
        let keyring = self.keys.keyring();
        let opened_by = keyring.and_then(Keyring::opened_by);
        let opener = opener.map_err(|error| self.keys.reason(error.into()))?;
        let mine = keyring.map(Keyring::fingerprints).unwrap_or_default();
        let accept = |content: &Content| self.accept(content, opened_by.as_ref(), delivery);
        let (content, accepted) = letter::open_paired(opener, &mine, &self.keys, accept)
            .map_err(|error| self.keys.reason(error))?;
        let Accepted { body, checked } = accepted;
        Ok(match (content, checked, body) {
            (Content::Letter(letter), Some(checked), body) => {
                let Checked { receipt, book, known, lock } = checked;
                let (envelope, _lock) = (None, lock);
                let arrival =
                    Arrival { letter: *letter, receipt, book, opened_by, known, envelope, _lock };
                match body {
                    Some(body) => Opened::Letter(Box::new(arrival), body),
                    None => Opened::Control(Box::new(arrival)),
                }
            }
            (_, _, Some(body)) => Opened::File(body),
            // No file is accepted without a body.
            (_, _, None) => return Err(Error::NoIdentity.into()),
        })
    }

    /// Decides whether a body is let out, and where to, before any of it is.
    fn accept<D: Delivery<Error = K::Error>>(
        &self,
        content: &Content,
        opened_by: Option<&OpenedBy>,
        delivery: &D,
    ) -> Result<Accepted<D::Body>, K::Error> {
        let Content::Letter(letter) = content else {
            delivery.admit(None)?;
            return Ok(Accepted { body: Some(delivery.begin(None)?), checked: None });
        };
        let checked = self.check(letter, opened_by, delivery)?;
        let body = match letter.postscript.notice {
            Some(_) => None,
            None => Some(delivery.begin(Some(&Sighted { letter, book: &checked.book }))?),
        };
        Ok(Accepted { body, checked: Some(checked) })
    }

    fn check<D: Delivery<Error = K::Error>>(
        &self,
        letter: &Letter,
        opened_by: Option<&OpenedBy>,
        delivery: &D,
    ) -> Result<Checked, K::Error> {
        let (account, sessions) = self.member(&letter.to)?;
        // Two processes that open one letter take turns, and the second sees a replay. A process that
        // holds a lock already does not wait for another: two such could wait for each other.
        let held = self.unrecorded.iter().any(|other| other.letter.id == letter.id);
        let lock = match (account.has_state() && !held, self.unrecorded.len()) {
            (true, 0) => Some(account.lock_letter(&letter.id)?),
            (true, locked) if locked < MAX_LOCKED => Some(account.try_lock_letter(&letter.id)?),
            _ => None,
        };
        let book = self.book(account)?;
        let sender = letter.from.as_ref().map(Card::fingerprint);
        if opened_by.is_some_and(|by| sender != Some(by.contact)) {
            return Err(Error::OtherSender.into());
        }
        if let Some(sender) = &sender
            && let Some(since) = book.revoked(sender)
        {
            let known = book.by_fingerprint(sender).map(|contact| contact.name().to_owned());
            let name = known.unwrap_or_else(|| sender.to_string());
            return Err(Error::Revoked { name, since }.into());
        }
        delivery.admit(Some(&Sighted { letter, book: &book }))?;
        let receipt =
            account.has_state().then(|| receipt(&book, letter, sender.as_ref(), opened_by));
        let known = matches!(receipt, Some(Receipt::Replay | Receipt::Old));
        let again = || -> Result<bool, Error> {
            Ok(delivery.again() || (self.again && sessions.is_kept(account, &letter.id)?))
        };
        if known && !again()? {
            // A run that ended before it erased the key of what it had opened.
            if let Some(by) = opened_by {
                let opened = [(by, letter.heading.date)];
                if let Some(error) = sessions::erase_keys(account, self.events()?, &opened).pop() {
                    return Err(error.into());
                }
            }
            return Err(Error::Replay { id: letter.id }.into());
        }
        Ok(Checked { receipt, book, known, lock })
    }

    /// Returns the contact book of an account, in which letters are recorded that wait to be.
    fn book(&self, account: &Account) -> Result<Arc<Book>, Error> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = account.fingerprint();
        let digest = if account.has_state() { account.book_file()?.digest()? } else { [0; 32] };
        if let Some((_, _, book)) = books.iter().find(|one| (one.0, one.1) == (owner, digest)) {
            return Ok(Arc::clone(book));
        }
        // Not read yet, or changed by another process.
        let mut book = account.book()?;
        for other in self.unrecorded.iter().filter(|other| other.letter.to == owner) {
            let _ = other.record(&mut book);
        }
        let book = Arc::new(book);
        books.retain(|(of, ..)| *of != owner);
        books.push((owner, digest, Arc::clone(&book)));
        Ok(book)
    }

    /// Takes a letter whose body is complete, for [`record`](Self::record).
    pub fn keep(&mut self, mut arrival: Arrival) {
        if let (Some(by), Ok((account, sessions))) =
            (&arrival.opened_by, self.member(&arrival.letter.to))
        {
            sessions.advance(account, by);
        }
        // Nobody asks for it any more, and the book changes without being copied.
        arrival.book = Arc::default();
        let books = self.books.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., book)) = books.iter_mut().find(|(of, ..)| *of == arrival.letter.to) {
            let _ = arrival.record(Arc::make_mut(book));
        }
        self.unrecorded.push(arrival);
    }

    pub(super) fn member(
        &self,
        fingerprint: &Fingerprint,
    ) -> Result<(&Account, &sessions::SessionCache), Error> {
        self.keys.keyring().ok_or(Error::NoIdentity)?.member(fingerprint)
    }

    pub(super) fn events(&self) -> Result<&dyn Events, Error> {
        Ok(self.keys.keyring().ok_or(Error::NoIdentity)?.events())
    }
}

/// Returns the place of a letter among those of its sender.
fn receipt(
    book: &Book,
    letter: &Letter,
    sender: Option<&Fingerprint>,
    opened_by: Option<&OpenedBy>,
) -> Receipt {
    let place = letter.heading.place.map(|(stream, seq)| Place { stream, seq });
    // A key that is used once opens no replay, however old the letter is.
    match book.check(sender, &letter.id, place) {
        Receipt::Old if opened_by.is_some_and(OpenedBy::is_first) => {
            Receipt::Fresh { missed: 0, late: true }
        }
        receipt => receipt,
    }
}

/// What is known of a letter whose body may be let out.
struct Checked {
    receipt: Option<Receipt>,
    book: Arc<Book>,
    known: bool,
    lock: Option<LetterLock>,
}

/// A body that may be let out; none for a control message.
struct Accepted<B> {
    body: Option<B>,
    checked: Option<Checked>,
}

impl<B: Write> Write for Accepted<B> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.body {
            Some(body) => body.write(buf),
            None => Ok(buf.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.body.as_mut().map_or(Ok(()), Write::flush)
    }
}
