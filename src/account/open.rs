//! Opening of letters: sender, replay and order are checked before the body is let out; what a
//! letter changes is stored, and its key erased, when the body is safely out.

use std::io::{self, Read, Write};

use crate::account::account::{Account, LetterLock};
use crate::account::control;
use crate::account::error::Error;
use crate::account::event::Events;
use crate::account::keyring::{Keyring, Keys};
use crate::account::sessions::{self, OpenedBy};
use crate::age::{Dearmored, Opener};
use crate::contact::{self, Book, Contact, Place, Receipt};
use crate::identity::{Card, Fingerprint};
use crate::letter::{self, Content, Letter};
use crate::relay::client::spool::Word;
use crate::relay::protocol::Id;
use crate::text::hex_encode;

/// Letters that are locked at once, while their bodies wait to be complete together.
const MAX_LOCKED: usize = 64;

/// A letter whose sender is verified.
#[derive(Debug)]
pub struct Arrival {
    letter: Letter,
    receipt: Option<Receipt>,
    /// The contact book as it was when the letter was checked.
    book: Book,
    /// The session that opened it.
    opened_by: Option<OpenedBy>,
    /// It was opened before, and is again.
    known: bool,
    /// Id at the relay, when it came in an envelope.
    envelope: Option<Id>,
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

    /// Returns whether it is a control message for the program, which has no body.
    pub fn is_control(&self) -> bool {
        self.letter.postscript.notice.is_some()
    }

    /// Marks the letter as one that came in an envelope of this id.
    #[must_use]
    pub fn in_envelope(self, id: Id) -> Self {
        Self { envelope: Some(id), ..self }
    }

    fn place(&self) -> Option<Place> {
        self.letter.heading.place.map(|(stream, seq)| Place { stream, seq })
    }

    fn record(&self, book: &mut Book) -> Receipt {
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

/// What becomes of a letter that is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// A command has the letter and may be given it again: its key stays until
    /// [`erase_deferred`](crate::account::erase_deferred).
    pub deferred: bool,
    /// The body cannot get lost any more, so the spool need not keep a copy.
    pub safe: bool,
}

/// Opens letters one after the other.
pub struct LetterOpener<K> {
    keys: K,
    /// Letters whose bodies are not safely out.
    unrecorded: Vec<Arrival>,
}

impl<K: Keys> LetterOpener<K> {
    /// Opens letters with these keys.
    pub fn new(keys: K) -> Self {
        Self { keys, unrecorded: Vec::new() }
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
    /// [`letter::open_paired`], before any of the body is let out; [`letter::Error::Age`] when the
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
        let (account, _) = self.member(&letter.to)?;
        let book = account.book()?;
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
        // Two processes that open one letter take turns, and the second sees a replay. A process that
        // holds a lock already does not wait for another: two such could wait for each other.
        let held = self.unrecorded.iter().any(|other| other.letter.id == letter.id);
        let lock = match (account.has_state() && !held, self.unrecorded.len()) {
            (true, 0) => Some(account.lock_letter(&letter.id)?),
            (true, locked) if locked < MAX_LOCKED => Some(account.try_lock_letter(&letter.id)?),
            _ => None,
        };
        let receipt = match account.has_state() {
            true => Some(self.receipt(account, letter, sender.as_ref(), opened_by)?),
            false => None,
        };
        let known = matches!(receipt, Some(Receipt::Replay | Receipt::Old));
        if known && !delivery.again() {
            // A run that ended before it erased the key of what it had opened.
            if let Some(by) = opened_by {
                sessions::erase_key(account, self.events()?, by, letter.heading.date, None)?;
            }
            return Err(Error::Replay { id: letter.id }.into());
        }
        Ok(Checked { receipt, book, known, lock })
    }

    /// Returns the place of a letter among those that were recorded, and those that are about to be.
    fn receipt(
        &self,
        account: &Account,
        letter: &Letter,
        sender: Option<&Fingerprint>,
        opened_by: Option<&OpenedBy>,
    ) -> Result<Receipt, Error> {
        let mut book = account.book()?;
        for other in self.unrecorded.iter().filter(|other| other.letter.to == letter.to) {
            let _ = other.record(&mut book);
        }
        let place = letter.heading.place.map(|(stream, seq)| Place { stream, seq });
        // A key that is used once opens no replay, however old the letter is.
        Ok(match book.check(sender, &letter.id, place) {
            Receipt::Old if opened_by.is_some() => Receipt::Fresh { missed: 0, late: true },
            receipt => receipt,
        })
    }

    /// Takes a letter whose body is complete, for [`record`](Self::record).
    pub fn keep(&mut self, arrival: Arrival) {
        if let (Some(by), Ok((account, sessions))) =
            (&arrival.opened_by, self.member(&arrival.letter.to))
        {
            sessions.advance(account, by);
        }
        self.unrecorded.push(arrival);
    }

    /// Returns whether recording erases a key.
    pub fn erases_keys(&self) -> bool {
        self.unrecorded.iter().any(|arrival| arrival.opened_by.is_some())
    }

    /// Records the letters whose bodies are where they should be, and tells the spool of those that
    /// cannot get lost any more. One that cannot be recorded does not keep the others.
    pub fn record(&mut self, kept: impl Fn(Option<&Id>) -> Kept) -> Vec<Error> {
        let arrivals = std::mem::take(&mut self.unrecorded);
        arrivals.iter().filter_map(|arrival| self.record_one(arrival, &kept).err()).collect()
    }

    /// Stores first what a letter says, which can be taken twice, then that it came, and erases its key
    /// last: after a crash in between it is opened again, and nothing of it is lost.
    fn record_one(
        &self,
        arrival: &Arrival,
        kept: &impl Fn(Option<&Id>) -> Kept,
    ) -> Result<(), Error> {
        let (events, letter) = (self.events()?, &arrival.letter);
        let (account, sessions) = self.member(&letter.to)?;
        if !account.has_state() {
            return Ok(());
        }
        if !arrival.known {
            sessions.take_control_data(account, events, letter)?;
            if let Some(notice) = &letter.postscript.notice {
                control::take(account, events, letter, notice)?;
            }
        }
        account.book_file()?.update(|book| {
            let _ = arrival.record(book);
            Ok::<_, contact::Error>(())
        })?;
        let Kept { deferred, safe } = kept(arrival.envelope.as_ref());
        if let Some(by) = &arrival.opened_by {
            let deferred = arrival.envelope.as_ref().filter(|_| deferred);
            sessions::erase_key(account, events, by, letter.heading.date, deferred)?;
        }
        if let Some(id) = &arrival.envelope {
            let spool = account.spool()?;
            // If this fails the copy is kept a week longer.
            let _ = match safe {
                true => Word::Opened.leave_on(&*spool, id),
                // It was refused before, and need not come again for that.
                false => Word::Refused.retract(&*spool, id),
            };
        }
        Ok(())
    }

    fn member(
        &self,
        fingerprint: &Fingerprint,
    ) -> Result<(&Account, &sessions::SessionCache), Error> {
        self.keys.keyring().ok_or(Error::NoIdentity)?.member(fingerprint)
    }

    fn events(&self) -> Result<&dyn Events, Error> {
        Ok(self.keys.keyring().ok_or(Error::NoIdentity)?.events())
    }
}

/// What is known of a letter whose body may be let out.
struct Checked {
    receipt: Option<Receipt>,
    book: Book,
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
