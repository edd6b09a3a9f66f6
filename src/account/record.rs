//! Recording of letters whose bodies are safely out: what they say is stored, they are remembered, and
//! their keys erased.

use crate::account::account::Account;
use crate::account::control;
use crate::account::error::Error;
use crate::account::kept::KeptLetter;
use crate::account::keyring::Keys;
use crate::account::open::{Arrival, LetterOpener};
use crate::account::sessions::{self, OpenedBy, SessionCache};
use crate::contact;
use crate::identity::Fingerprint;
use crate::relay::client::spool::Word;
use crate::relay::protocol::Id;

/// What becomes of a letter that is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// A command has the letter and may be given it again: its key stays until
    /// [`erase_deferred`](crate::account::erase_deferred).
    pub deferred: bool,
    /// The body cannot get lost any more, so the spool need not keep a copy.
    pub safe: bool,
    /// The body went to a pipe, where it can get lost: until this time in seconds of Unix time the letter
    /// can be opened again.
    pub until: Option<u64>,
}

impl<K: Keys> LetterOpener<K> {
    /// Returns whether recording erases a key.
    pub fn erases_keys(&self) -> bool {
        self.unrecorded.iter().any(|arrival| arrival.opened_by.is_some())
    }

    /// Records the letters whose bodies are where they should be, all with the same few syncs, and tells
    /// the spool of those that cannot get lost any more. One that cannot be recorded does not keep the
    /// others.
    pub fn record(&mut self, kept: impl Fn(Option<&Id>) -> Kept) -> Vec<Error> {
        let arrivals = std::mem::take(&mut self.unrecorded);
        let mut errors = Vec::new();
        let mut owners: Vec<Fingerprint> = Vec::new();
        for arrival in &arrivals {
            if !owners.contains(&arrival.letter.to) {
                owners.push(arrival.letter.to);
            }
        }
        for owner in owners {
            let of_owner = arrivals.iter().filter(|arrival| arrival.letter.to == owner);
            if let Err(error) = self.record_all(&owner, of_owner, &kept, &mut errors) {
                errors.push(error);
            }
        }
        errors
    }

    /// Stores first what letters say, which can be taken twice, and what is kept of them, then that they
    /// came, and erases their keys last: after a crash in between they are opened again, and nothing of
    /// them is lost.
    fn record_all<'b>(
        &self,
        owner: &Fingerprint,
        arrivals: impl Iterator<Item = &'b Arrival>,
        kept: &impl Fn(Option<&Id>) -> Kept,
        errors: &mut Vec<Error>,
    ) -> Result<(), Error> {
        let (account, sessions) = self.member(owner)?;
        if !account.has_state() {
            return Ok(());
        }
        let mut all: Vec<(&Arrival, Kept)> = Vec::new();
        for arrival in arrivals {
            match self.take_control_data(account, sessions, arrival) {
                Ok(()) => all.push((arrival, kept(arrival.envelope.as_ref()))),
                Err(error) => errors.push(error),
            }
        }
        keep_letters(account, sessions, &all)?;
        account.book_file()?.update(|book| {
            for (arrival, _) in &all {
                let _ = arrival.record(book);
            }
            Ok::<_, contact::Error>(())
        })?;
        let mut erased = Vec::new();
        for (arrival, Kept { deferred, .. }) in &all {
            let (Some(by), date) = (&arrival.opened_by, arrival.letter.heading.date) else {
                continue;
            };
            match arrival.envelope.as_ref().filter(|_| *deferred) {
                Some(id) => errors.extend(sessions::defer_key(account, by, date, id).err()),
                None => erased.push((by, date)),
            }
        }
        errors.extend(sessions::erase_keys(account, self.events()?, &erased));
        tell_spool(account, &all)
    }

    fn take_control_data(
        &self,
        account: &Account,
        sessions: &SessionCache,
        arrival: &Arrival,
    ) -> Result<(), Error> {
        let (events, letter) = (self.events()?, &arrival.letter);
        if !arrival.known {
            sessions.take_control_data(account, events, letter)?;
            if let Some(notice) = &letter.postscript.notice {
                control::take(account, events, letter, notice)?;
            }
        }
        Ok(())
    }
}

/// Keeps the letters that went to a pipe, while they can be opened again.
fn keep_letters(
    account: &Account,
    sessions: &SessionCache,
    all: &[(&Arrival, Kept)],
) -> Result<(), Error> {
    let mut times: Vec<u64> = all.iter().filter_map(|(_, kept)| kept.until).collect();
    times.sort_unstable();
    times.dedup();
    for time in times {
        // What was opened again is kept already.
        let new = all.iter().filter(|(arrival, kept)| kept.until == Some(time) && !arrival.known);
        let letters = new.map(|(arrival, _)| KeptLetter {
            letter: arrival.letter.id,
            sender: arrival.sender().map(|card| card.fingerprint().to_bytes()),
            envelope: arrival.envelope.map(|id| id.0),
            key: arrival.opened_by.as_ref().and_then(OpenedBy::kept_key),
        });
        account.keep_letters(time, letters.collect())?;
        sessions.forget_kept();
    }
    Ok(())
}

/// Tells the spool what became of letters.
fn tell_spool(account: &Account, all: &[(&Arrival, Kept)]) -> Result<(), Error> {
    let spool = account.spool()?;
    for (arrival, Kept { safe, .. }) in all {
        let Some(id) = &arrival.envelope else { continue };
        // If this fails the copy is kept to the end of its time.
        let _ = match safe {
            true => Word::Opened.leave_on(&*spool, id),
            // It was refused before, and need not come again for that.
            false => Word::Refused.retract(&*spool, id),
        };
    }
    let again = all.iter().filter(|(arrival, kept)| kept.safe && arrival.known);
    let again: Vec<[u8; 16]> = again.map(|(arrival, _)| arrival.letter.id).collect();
    if again.is_empty() { Ok(()) } else { account.letters_are_safe(&again) }
}
