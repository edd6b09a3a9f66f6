//! Introductions: a contact tells two others of each other, and both accept.

use std::sync::Arc;

use crate::account::account::Account;
use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::account::mailboxes::PairingMailboxes;
use crate::account::send::{kind, push_all, send_control, send_control_to};
use crate::account::{step, successor};
use crate::contact::pairing::{Address, Expected, Invite, Own as OwnSide, Pairing, Role, Waits};
use crate::contact::{self, Introduced, Introducer, Introduction, Own, Underway, WAITS};
use crate::identity::Card;
use crate::letter::Notice;
use crate::relay::protocol::Terms;
use crate::secret::SecretString;

/// Invites of one introduction that wait at the relay at once.
const MAX_INVITES: u64 = 4;
/// Greatest letter with an invite, in bytes.
const INVITE_BYTES: u64 = 16 << 10;

impl Context<'_> {
    /// Tells two contacts of each other; they pair when both accept. Returns their names.
    ///
    /// # Errors
    ///
    /// [`Error::NotIntroduced`] names the one who could not be told, and those of
    /// `Introduction::of`.
    pub fn introduce(&self, one: &str, other: &str, note: &str) -> Result<[String; 2], Error> {
        let book = self.account.book()?;
        let both = [book.get(one)?, book.get(other)?];
        let told = Introduction::of(both[0], both[1], note)?;
        for (to, told) in both.iter().zip(told) {
            let notice = Notice { kind: kind::INTRODUCTION, content: told.to_bytes()? };
            send_control(self, &to.card()?, Some(to.name()), &notice).map_err(|error| {
                Error::NotIntroduced { name: to.name().into(), source: Box::new(error) }
            })?;
        }
        Ok(both.map(|contact| contact.name().to_owned()))
    }

    /// Accepts a contact who was introduced, under the name of `renamed` if one is given. Returns the
    /// pairing, or `None` when the other side has to accept first.
    pub fn accept_introduction(
        &self,
        name: &str,
        renamed: Option<&str>,
    ) -> Result<Option<Own>, Error> {
        if let Some(renamed) = renamed {
            contact::check_name(renamed)?;
        }
        let now = self.account.now();
        let file = self.account.pairs_file()?;
        let pairs = file.read()?;
        let wanted = name.to_lowercase();
        let before = pairs
            .underway()
            .iter()
            .find(|one| one.introduced.is_some() && step::title(one).to_lowercase() == wanted);
        if let Some(one) = before {
            // Accepted before: what may not have come goes again.
            self.push_invite(one, true)?;
            return Ok(Some(one.meeting.clone()));
        }
        let found = pairs.introductions.get(name, now)?;
        if found.invites() {
            return self.invite_introduced(found, renamed).map(Some);
        }
        if renamed.is_some() && successor::is_successor(self.account, found)? {
            return Err(Error::SuccessorRenamed);
        }
        if let [rival, ..] = &successor::rivals(self.account, found)?[..] {
            self.events.event(Event::RivalSuccessor { name: rival });
        }
        let one = file.update(|pairs| pairs.introductions.accept(name, renamed, now).cloned())?;
        self.open_routes(&one)?;
        match one.invite() {
            Some(invite) => self.take_up_introduced(&one, invite).map(Some),
            None => {
                self.events.event(Event::AcceptedFirst { name: &one.name });
                Ok(None)
            }
        }
    }

    /// Makes the invite, for the other one alone.
    fn invite_introduced(&self, one: &Introduced, renamed: Option<&str>) -> Result<Own, Error> {
        let account = self.account;
        let card = one.card()?;
        let unreachable = || {
            let (name, by) = (one.name.clone(), one.by().name.clone());
            Error::IntroducedUnreachable { name, by }
        };
        let relay = self.own_relay_or(card.relay().ok_or_else(unreachable)?)?;
        let expires = account.now().saturating_add(WAITS);
        let made = PairingMailboxes::new(&*relay)?;
        made.register(self, &*relay, expires)?;
        let ours = account.card()?;
        let address = account.address(&made.letters);
        let own = OwnSide { identity: account.identity(), card: &ours, address };
        let at = made.meeting_address(self);
        let (pairing, invite) = Pairing::offer_secret(&own, at, expires, account.now())?;
        drop(invite);
        let meeting = made.meeting.clone();
        let name = renamed.map_or_else(|| one.name.clone(), str::to_owned);
        let underway = made.underway(Some(name), pairing, Some(one.clone()));
        begin(account, underway.clone(), one)?;
        self.push_invite(&underway, true)?;
        Ok(meeting)
    }

    /// Takes up the invite of the other one.
    fn take_up_introduced(&self, one: &Introduced, invite: &Invite) -> Result<Own, Error> {
        let (underway, send) = self.take_up(invite, Expected::Secret, |made, pairing| {
            made.underway(Some(one.name.clone()), pairing, Some(one.clone()))
        })?;
        let meeting = underway.meeting.clone();
        begin(self.account, underway, one)?;
        push_all(self, &send)?;
        Ok(meeting)
    }

    /// Pushes the invite to the mailbox on the joiner's card, by the routes that were not used yet. The
    /// relay refuses it until the joiner accepts. With `all` it is pushed by every route once more.
    fn push_invite(&self, underway: &Underway, all: bool) -> Result<(), Error> {
        let (Some(invite), Some(one)) = (underway.pairing.invite(), &underway.introduced) else {
            return Ok(());
        };
        let (card, line, joiner) = (one.card()?, invite.to_line()?, one.fingerprint());
        let notice = Notice { kind: kind::INVITE, content: line.as_bytes().to_vec() };
        let not_sent = |error| Error::InviteNotSent(Box::new(error));
        let pairs = self.account.pairs()?;
        if !pairs.has_route(&joiner) {
            // An introduction by an older program: the capability is on the card.
            return match all {
                true => send_control(self, &card, None, &notice).map_err(not_sent),
                false => Ok(()),
            };
        }
        let routes = match all {
            true => pairs.routes_of(&joiner).cloned().collect(),
            false => pairs.fresh_routes(&joiner),
        };
        let relay = card.relay().unwrap_or_default().to_owned();
        let mut refused = false;
        for route in routes {
            let capability = Arc::new(route.capability(&joiner));
            let address = Address { relay: relay.clone(), mailbox: *card.mailbox(), capability };
            match send_control_to(self, &card, &address, &notice) {
                Ok(()) => self.account.pairs_file()?.update(|pairs| {
                    pairs.sent(&route);
                    Ok::<_, contact::Error>(())
                })?,
                Err(error) if error.is_denied() => refused = true,
                Err(error) => return Err(not_sent(error)),
            }
        }
        if refused {
            self.events.event(Event::NotAcceptedYet { name: &step::title(underway) });
        }
        Ok(())
    }

    /// Opens the mailbox on the own card to the capabilities of an introduction, for the invite.
    fn open_routes(&self, one: &Introduced) -> Result<(), Error> {
        let routes = self.account.pairs()?.fresh_routes(&one.fingerprint());
        if routes.is_empty() {
            return Ok(());
        }
        let relay = self.own_relay()?;
        let terms = Terms {
            expires: Some(one.until().div_ceil(3600) * 3600),
            messages: Some(MAX_INVITES),
            bytes: Some(MAX_INVITES * INVITE_BYTES),
            ..Terms::default()
        };
        let own = self.account.fingerprint();
        for route in routes {
            let key = self.account.identity().card_mailbox();
            self.open_mailbox(&*relay, &key, &route.capability(&own), &terms)?;
            self.account.pairs_file()?.update(|pairs| {
                pairs.opened(&route, &relay.url());
                Ok::<_, contact::Error>(())
            })?;
        }
        Ok(())
    }

    /// Pushes the invites that were refused so far, and takes up those of contacts who were accepted and
    /// have accepted. Returns how many have not.
    pub fn advance_introductions(&self) -> Result<usize, Error> {
        let mut waiting = 0;
        for one in self.account.pairs()?.underway() {
            if one.pairing.role() == Role::Inviter
                && matches!(one.pairing.waits_for(), Waits::Joiner)
                // One relay that is away does not keep the others from being asked.
                && let Err(error) = self.push_invite(one, false)
            {
                self.events.event(Event::InviteNotSent { error: &error });
            }
        }
        let now = self.account.now();
        let pairs = self.account.pairs()?;
        for one in pairs.introductions.waiting(now).filter(|one| one.accepted()) {
            if !one.invites()
                && let Err(error) = self.open_routes(one)
            {
                self.events.event(Event::InviteCannotCome { name: &one.name, error: &error });
            }
            match one.invite().filter(|invite| now < invite.expires()) {
                Some(invite) => match self.take_up_introduced(one, invite) {
                    Ok(_) => {}
                    Err(error) if error.is_temporary() => {
                        waiting += 1;
                        self.events
                            .event(Event::InviteCannotCome { name: &one.name, error: &error });
                    }
                    Err(error) => return Err(error),
                },
                None => waiting += 1,
            }
        }
        Ok(waiting)
    }

    /// Forgets a contact who was introduced, or a new identity that was announced.
    pub(crate) fn refuse_introduction(&self, name: &str) -> Result<(), Error> {
        let (account, now) = (self.account, self.account.now());
        let one = account.pairs_file()?.update(|pairs| pairs.introductions.refuse(name, now))?;
        let successor = successor::is_successor(account, &one)?;
        if successor {
            successor::forget(account, &one.fingerprint())?;
        }
        let (name, by) = (one.name.as_str(), one.by().name.as_str());
        self.events.event(Event::IntroductionRefused { name, by, successor });
        Ok(())
    }
}

/// Turns an introduction into a pairing under way.
fn begin(account: &Account, underway: Underway, one: &Introduced) -> Result<(), Error> {
    account.pairs_file()?.update(|pairs| {
        pairs.begin(underway)?;
        pairs.introductions.forget(&one.fingerprint());
        Ok::<_, contact::Error>(())
    })?;
    Ok(())
}

/// Takes the introduction that a contact sent.
pub(crate) fn take_introduction(
    account: &Account,
    events: &dyn Events,
    from: &Card,
    content: &[u8],
) -> Result<(), Error> {
    let book = account.book()?;
    let Some(by) = book.by_fingerprint(&from.fingerprint()) else {
        events.event(Event::IntroducedByStranger { fingerprint: from.fingerprint() });
        return Ok(());
    };
    let told = Introduction::from_bytes(content)?;
    let fingerprint = told.card()?.fingerprint();
    if let Some(since) = book.revoked(&fingerprint) {
        events.event(Event::IntroducedRevoked { by: by.name(), fingerprint, since });
        return Ok(());
    }
    if fingerprint == account.fingerprint() {
        events.event(Event::IntroducedToSelf { by: by.name() });
        return Ok(());
    }
    let pairs = account.pairs()?;
    let met =
        |one: &Underway| one.introduced.as_ref().is_some_and(|i| i.fingerprint() == fingerprint);
    let underway = pairs.underway().iter().any(met);
    if !pairs.pairwise_of(&fingerprint).is_empty() || underway {
        if underway {
            // The other side may have accepted this introduction and not the one before.
            account.pairs_file()?.update(|pairs| pairs.add_route(&by.fingerprint(), &told))?;
        }
        events.event(Event::IntroducedKnown { by: by.name(), fingerprint });
        return Ok(());
    }
    let taken = |name: &str| book.get(name).is_ok_and(|other| other.fingerprint() != fingerprint);
    let (by, now) = (Introducer::from(by), account.now());
    let one = account.pairs_file()?.update(|pairs| pairs.hear(by, &told, taken, now).cloned())?;
    events.event(Event::Introduced { one: &one });
    Ok(())
}

/// Takes the invite of a contact who was introduced and has accepted.
pub(crate) fn take_invite(
    account: &Account,
    events: &dyn Events,
    from: &Card,
    content: &[u8],
) -> Result<(), Error> {
    let line = SecretString::new(String::from_utf8_lossy(content).into_owned());
    let invite = Invite::parse(&line)?;
    let (from, now) = (from.fingerprint(), account.now());
    let theirs = account.pairs_file()?.update(|pairs| {
        let theirs = pairs.introductions.invited(&from, &invite, now)?;
        Ok::<_, contact::Error>(theirs.into_iter().cloned().collect::<Vec<_>>())
    })?;
    let one = theirs.iter().find(|one| one.accepted()).or(theirs.first());
    events.event(Event::InvitedByIntroduced { one, from });
    Ok(())
}
