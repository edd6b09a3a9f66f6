//! Revocation: what is closed at relays, here and on the owner's other devices.
//!
//! First it is stored that the contact is revoked, and what is to be closed; then the relays are
//! asked. What a relay could not be asked for is tried again by every later revocation, pull and
//! pairing.

use crate::account::account::Account;
use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::account::send::{kind, send_control_to};
use crate::contact::{self, Closing, News, Pairs};
use crate::identity::{Card, Fingerprint};
use crate::letter::Notice;
use crate::relay::client::{Error as RelayError, bearer_text};
use crate::relay::protocol::CapabilityId;

/// Outcome of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// When the contact was revoked, in seconds of Unix time.
    pub since: u64,
    /// Whether it was before.
    pub before: bool,
    /// Mailboxes for the contact that are closed here.
    pub here: usize,
    /// Mailboxes for the contact that are closed for other devices of the owner.
    pub elsewhere: usize,
    /// What is still open at relays, or not told to other devices.
    pub open: usize,
}

impl Context<'_> {
    /// Revokes a contact, or any key by its fingerprint: letters signed by it are refused from now on,
    /// and what it could push to is closed.
    ///
    /// # Errors
    ///
    /// [`Error::OwnFingerprint`]. A relay that cannot be reached is no error: see
    /// [`Revoked::open`].
    pub fn revoke(&self, fingerprint: &Fingerprint) -> Result<Revoked, Error> {
        if *fingerprint == self.account.fingerprint() {
            return Err(Error::OwnFingerprint);
        }
        let before = self.account.book()?.revoked(fingerprint).is_some();
        let news = News::new(fingerprint, self.account.now(), true);
        let (here, elsewhere) = mark(self.account, &news, None)?;
        let open = self.close_revoked()?;
        let since = self.account.book()?.revoked(fingerprint).unwrap_or_default();
        Ok(Revoked { since, before, here, elsewhere, open })
    }

    /// Lifts a revocation, here and with the next letters on the owner's other devices. What was closed
    /// stays closed. Returns `None` when the contact was not revoked, else what
    /// `close_revoked` leaves.
    pub fn unrevoke(&self, fingerprint: &Fingerprint) -> Result<Option<usize>, Error> {
        let lifted =
            self.account.pairs_file()?.update(|pairs| lift(self.account, pairs, fingerprint))?;
        if !lifted {
            return Ok(None);
        }
        self.events.event(Event::Unrevoked { fingerprint: *fingerprint });
        self.close_revoked().map(Some)
    }

    /// Closes what is still to be closed at relays, and tells the owner's other devices what they are
    /// to be told. Returns how much could not be done; the reasons are events.
    pub(crate) fn close_revoked(&self) -> Result<usize, Error> {
        let (account, file) = (self.account, self.account.pairs_file()?);
        let mut pairs = file.read()?;
        let own = account.fingerprint();
        if pairs.tidy(&own, account.now()) {
            file.update(|pairs| {
                pairs.tidy(&own, account.now());
                Ok::<_, contact::Error>(())
            })?;
            pairs = file.read()?;
        }
        let mut left = 0;
        for closing in pairs.closing(account.now()) {
            match self.close(closing) {
                Ok(()) => file.update(|pairs| {
                    pairs.closed(closing);
                    Ok::<_, contact::Error>(())
                })?,
                Err(error) => {
                    left += 1;
                    let relay = closing.relay().to_owned();
                    self.events.event(Event::StaysOpen { relay, error });
                }
            }
        }
        let untold: Vec<_> = pairs.machines().iter().filter(|it| !it.news().is_empty()).collect();
        if untold.is_empty() {
            return Ok(left);
        }
        let card = account.card()?;
        for machine in untold {
            let address = account.address(&machine.outbox(account.identity()));
            let content = machine.letter().map_err(Error::Record)?;
            let notice = Notice { kind: kind::NEWS, content };
            match send_control_to(self, &card, &address, &notice) {
                Ok(()) => file.update(|pairs| {
                    pairs.told(machine.id(), machine.news());
                    Ok::<_, contact::Error>(())
                })?,
                Err(error) => {
                    left += 1;
                    self.events.event(Event::DeviceNotTold { error });
                }
            }
        }
        Ok(left)
    }

    /// Does what `close_revoked` does within an operation that is for something
    /// else: each relay is asked once.
    pub fn close_revoked_once(&self) -> Result<(), Error> {
        Context { relays: &*self.relays.once(), ..self.clone() }.close_revoked().map(drop)
    }

    fn close(&self, closing: &Closing) -> Result<(), Error> {
        let (identity, relay) = (self.account.identity(), self.relays.relay(closing.relay())?);
        let closed = match closing {
            Closing::Mailbox(own) => relay.close(&identity.contact_mailbox(&own.index)),
            Closing::Meeting(own) => relay.close(&identity.meeting_mailbox(&own.index)),
            Closing::Capability { capability, .. } => {
                let id = CapabilityId::of(&bearer_text(capability));
                relay.revoke(&identity.card_mailbox(), &id)
            }
        };
        match closed {
            // It is gone: another device closed it, or it went with its relay's store.
            Err(RelayError::NoMailbox) => Ok(()),
            closed => Ok(closed?),
        }
    }
}

/// Lifts the revocation of a fingerprint, here and with the next letters on the other devices.
/// Returns whether there was one.
pub(crate) fn lift(
    account: &Account,
    pairs: &mut Pairs,
    fingerprint: &Fingerprint,
) -> Result<bool, Error> {
    let lifted =
        account.book_file()?.update(|book| Ok::<_, contact::Error>(book.unrevoke(fingerprint)))?;
    if lifted {
        pairs.tell_machines(&News::new(fingerprint, account.now(), false), None);
    }
    Ok(lifted)
}

/// Stores that a contact is revoked, and what is to be closed. Returns the mailboxes here, and
/// elsewhere. `by` is the device that said so.
pub(crate) fn mark(
    account: &Account,
    news: &News,
    by: Option<&[u8; 32]>,
) -> Result<(usize, usize), Error> {
    let contact = news.contact();
    account.book_file()?.update(|book| {
        book.revoke(&contact, news.date);
        Ok::<_, contact::Error>(())
    })?;
    Ok(account.pairs_file()?.update(|pairs| {
        pairs.tell_machines(news, by);
        Ok::<_, contact::Error>(pairs.revoke(&contact))
    })?)
}

/// Takes the news of another device of the owner.
pub(crate) fn take_news(
    account: &Account,
    events: &dyn Events,
    from: &Card,
    content: &[u8],
) -> Result<(), Error> {
    if from.fingerprint() != account.fingerprint() {
        events.event(Event::NoDeviceOfOurs { fingerprint: from.fingerprint() });
        return Ok(());
    }
    let (by, all) = Pairs::read_news(content).map_err(Error::Record)?;
    for news in all {
        let (contact, book) = (news.contact(), account.book()?);
        let known = book.revoked(&contact);
        let name = account.title(&contact)?;
        if news.revoked {
            if known.is_none() {
                mark(account, &news, Some(&by))?;
                events.event(Event::RevokedElsewhere { name, since: news.date });
            }
        } else if known.is_some_and(|since| since <= news.date) {
            account.book_file()?.update(|book| {
                book.unrevoke(&contact);
                Ok::<_, contact::Error>(())
            })?;
            account.pairs_file()?.update(|pairs| {
                pairs.tell_machines(&news, Some(&by));
                Ok::<_, contact::Error>(())
            })?;
            events.event(Event::UnrevokedElsewhere { name });
        }
    }
    Ok(())
}
