//! Events of an account, in words.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use bulla::account::{Event, Events};
use bulla::contact::pairing::{Digits, Event as PairingEvent, Waits};
use bulla::contact::{Introduced, Trust, Unfinished};
use bulla::identity::Fingerprint;
use bulla::text::date;
use serde_json::json;

use crate::json::json_line;
use crate::present::{contact_object, shown, trust};
use crate::ui::Ui;

/// Tells the user, and with `--json` scripts, of what happens.
pub(crate) struct Teller {
    ui: Ui,
    /// Why a line did not go to stdout.
    failed: Mutex<Option<anyhow::Error>>,
}

impl Teller {
    pub(crate) fn new(ui: Ui) -> Self {
        Self { ui, failed: Mutex::default() }
    }

    /// Returns an error when a line did not go to stdout.
    pub(crate) fn finish(&self) -> Result<()> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(Ok(()), Err)
    }

    /// Shows one's own digits, and says where the other side's go.
    pub(crate) fn show_digits(&self, name: &str, shown: Digits) {
        if self.ui.json {
            self.line(|| Ok(json!({ "schema": 1, "pairing": name, "digits": shown.to_string() })));
        }
        self.ui.note(&format!(
            "{name} must type {shown}, and you the four shown there: bulla pair --confirm {name} DIGITS"
        ));
    }

    fn line(&self, object: impl FnOnce() -> Result<serde_json::Value>) {
        let write = || -> Result<()> { Ok(writeln!(io::stdout(), "{}", json_line(&object()?))?) };
        if let Err(error) = write() {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    fn letters(&self, event: Event<'_>) {
        let ui = self.ui;
        match event {
            Event::SessionUnreadable { name, error } => ui.warn(&format!("{name}: {error}")),
            Event::KeysOutOfStep { name } => ui.warn(&format!(
                "keys here and at {name} are out of step, as after a backup was restored or a machine \
                 copied: your next letter to {name} begins anew"
            )),
            Event::KeysOffered { name } => ui.warn(&format!(
                "until {name} answers, letters to {name} have no forward secrecy: new keys are offered"
            )),
            Event::ContactAddedDevice { name } => ui.warn(&format!(
                "{name} has a further machine, which gets your letters from now on: if {name} does \
                 not know of it, bulla contact show {name}, and drop it"
            )),
            Event::NoRelayOnCard { name } => {
                ui.warn(&format!("no relay is on the card of {name}: push with --relay URL"));
            }
            Event::UnknownControl { kind, name } => ui.warn(&format!(
                "a notice of kind {kind} from {name} is not understood: is there a newer bulla?"
            )),
            Event::ControlRefused { name, error } => {
                ui.warn(&format!("a notice from {name} is refused: {error}"));
            }
            Event::LineBroken { relay, name, error } => {
                let of = name.map_or_else(String::new, |name| format!("the mailbox for {name} at "));
                ui.warn(&format!("{of}{relay}: {error}: trying again"));
            }
            Event::MailboxGone { name, relay } => ui.warn(&format!(
                "the mailbox for {name} is gone at {relay}: did you revoke {name} on another machine?"
            )),
            Event::MailboxLeft { error } => {
                ui.warn(&format!("a mailbox that is not needed stays at its relay: {error}"));
            }
            Event::StaysOpen { relay, error } => {
                ui.warn(&format!("a mailbox stays open at {relay}: {}", chain(&error)));
            }
            other => self.pairing(other),
        }
    }

    fn pairing(&self, event: Event<'_>) {
        let ui = self.ui;
        match event {
            Event::Pairing { name, event } => self.step(name, event),
            Event::Paired { name, fingerprint, trust: by, book } => {
                let known = book.get(name).ok();
                let name =
                    known.map_or_else(|| name.to_owned(), |known| shown(&book.lookalikes(), known));
                ui.note(&match by {
                    Trust::Introduced(by) => {
                        format!("paired with {name}, introduced by {}", by.name)
                    }
                    by => format!("paired with {name}, by {}", trust(by)),
                });
                ui.note(&format!("fingerprint: {fingerprint}"));
                if let (true, Some(known)) = (ui.json, book.by_fingerprint(&fingerprint)) {
                    self.line(|| contact_object(book, known));
                }
            }
            Event::PairedAgain { name } => {
                ui.note(&format!("paired with {name} again, under your new identity"));
            }
            Event::DeviceJoined => ui.note("your other machine is there"),
            Event::RevocationLifted { name } => {
                ui.note(&format!("{name} was revoked, and is no longer: you paired again"));
            }
            Event::EarlierAttempts { name, earlier } => self.earlier(name, earlier),
            Event::PairingMessageRefused { error } => {
                ui.warn(&format!("a message of a pairing is refused: {error}"));
            }
            Event::PairingGivenUp { one } => {
                ui.note(&format!("the pairing with {} is given up", bulla::account::title(one)));
                if matches!(one.pairing.waits_for(), Waits::TheirDigits(_)) {
                    ui.note(
                        "the other side may have you as a contact, but their letters no longer \
                         reach you",
                    );
                }
            }
            other => self.introductions(other),
        }
    }

    fn step(&self, name: &str, event: &PairingEvent) {
        let ui = self.ui;
        match event {
            PairingEvent::Digits(shown) => self.show_digits(name, *shown),
            PairingEvent::TheyConfirmed => ui.note(&format!("{name} typed the right digits")),
            PairingEvent::WeConfirmed => {
                ui.note("the digits are right; the other side has not typed its own");
            }
            PairingEvent::TurnedAway(_) => {
                ui.note("somebody else tried to use the invite, and was turned away");
            }
            PairingEvent::Joined | PairingEvent::Answered => {
                ui.detail("the other side was answered");
            }
            _ => {}
        }
    }

    fn earlier(&self, name: &str, Unfinished { attempts, last }: Unfinished) {
        let count = match attempts {
            1 => "an earlier pairing".to_owned(),
            more => format!("{more} earlier pairings"),
        };
        let last = last.map(|when| format!(", the last one given up {}", date(when)));
        self.ui.warn(&format!(
            "{count} with {name} never finished{}: the network may have failed, or someone in between \
             stalled it, and each attempt gives them another try; check afterwards with: bulla contact \
             verify {name}",
            last.unwrap_or_default()
        ));
    }

    fn introductions(&self, event: Event<'_>) {
        let ui = self.ui;
        match event {
            Event::Introduced { one } => self.introduced(one),
            Event::IntroducedByStranger { fingerprint } => ui.warn(&format!(
                "{fingerprint} introduces somebody, and is no contact: nothing comes of it"
            )),
            Event::IntroducedRevoked { by, fingerprint, since } => ui.warn(&format!(
                "{by} introduces {fingerprint}, which you revoked on {}: ignored",
                date(since)
            )),
            Event::IntroducedToSelf { by } => ui.warn(&format!("{by} introduces you to yourself")),
            Event::IntroducedKnown { by, fingerprint } => {
                ui.note(&format!("{by} introduces {fingerprint} again, whom you know"));
            }
            Event::InvitedByIntroduced { one, from } => ui.note(&invited(one, from)),
            Event::AcceptedFirst { name } => ui.note(&format!(
                "accepted: waits for {name} to accept; an invite then comes as a letter: bulla relay \
                 pull | bulla open, then bulla pair"
            )),
            Event::NotAcceptedYet { name } => ui.note(&format!(
                "{name} has not accepted yet: the next bulla pair sends the invite again"
            )),
            Event::InviteNotSent { error } => {
                ui.warn(&format!("{}: the next bulla pair tries again", chain(error)));
            }
            Event::InviteCannotCome { name, error } => {
                ui.warn(&format!("the invite of {name} cannot come yet: {}", chain(error)));
            }
            Event::IntroductionRefused { name, by, successor: true } => {
                ui.note(&format!("refused {name}, the new identity that {by} announced"));
            }
            Event::IntroductionRefused { name, by, successor: false } => {
                ui.note(&format!("refused {name}, whom {by} introduced"));
            }
            other => self.successors(other),
        }
    }

    fn introduced(&self, one: &Introduced) {
        let (ui, by) = (self.ui, &one.by().name);
        ui.note(&match one.accepted() {
            true => format!("{by} introduces {} again, who has to accept", one.name),
            false => format!("{by} introduces {0}: bulla pair --accept {0}", one.name),
        });
        ui.note(&format!("fingerprint: {}", one.fingerprint()));
        if !one.note().is_empty() {
            ui.note(&format!("{by} writes: {}", one.note()));
        }
    }

    fn successors(&self, event: Event<'_>) {
        let ui = self.ui;
        match event {
            Event::SuccessorAnnounced { name, fingerprint, new_name, rivals } => {
                ui.warn(&format!(
                    "{name} announces a new identity, in a letter that the old one proves: {fingerprint}"
                ));
                ui.warn(&format!(
                    "a thief of the old one can write that too: ask {name} over a channel you trust"
                ));
                ui.note(&format!("to accept it: bulla pair --accept {new_name}"));
                ui.note(&format!("to refuse it: bulla contact remove {new_name}"));
                if !rivals.is_empty() {
                    ui.warn(&format!(
                        "{name} announced another one before ({}): one of the two is by someone who \
                         has the old key; accept neither before {name} has told you the fingerprint",
                        rivals.join(", ")
                    ));
                }
            }
            Event::SuccessorOfStranger { fingerprint } => ui.warn(&format!(
                "{fingerprint} announces a new identity, and is no contact: it is ignored"
            )),
            Event::SuccessorNotNew { name } => ui
                .warn(&format!("{name} announces an identity that is not new: it is ignored")),
            Event::SuccessorKnown { name, fingerprint } => {
                ui.note(&format!("{name} announces {fingerprint} again, which is a contact"));
            }
            Event::RivalSuccessor { name } => ui.warn(&format!(
                "{name} was announced by the same old identity: if this one is the thief's, you now \
                 write to the thief"
            )),
            Event::OldIdentityRevoked { fingerprint } => {
                ui.note(&format!("the old identity is revoked: {fingerprint}"));
            }
            Event::ToldOfSuccessor { name } => {
                ui.note(&format!("told {name} of your new identity"));
            }
            Event::CannotBeTold { name, error } => ui.warn(&format!(
                "{name} could not be told: {}: pair with {name} again",
                chain(&error)
            )),
            Event::NotToldYet { name, error } => {
                let error = anyhow::Error::new(error);
                ui.error(&*error.context(format!("{name} could not be told: bulla pair tells")));
            }
            other => self.devices(other),
        }
    }

    fn devices(&self, event: Event<'_>) {
        let ui = self.ui;
        match event {
            Event::ContactRemoved { name, fingerprint } => {
                ui.note(&format!("removed {name}, {fingerprint}"));
            }
            Event::RevokedElsewhere { name, since } => ui.note(&format!(
                "{name} was revoked on another machine of yours, on {}",
                date(since)
            )),
            Event::UnrevokedElsewhere { name } => {
                ui.note(&format!("{name} is no longer revoked, says another machine of yours"))
            }
            Event::NoDeviceOfOurs { fingerprint } => {
                ui.warn(&format!("{fingerprint} is no machine of yours: ignored"));
            }
            Event::DeviceNotTold { error } => {
                ui.warn(&format!("another machine of yours was not told: {}", chain(&error)));
            }
            Event::DevicesApart { error } => ui.warn(&format!(
                "your machines cannot tell each other of revocations, so revoke on each: {}",
                chain(&error)
            )),
            Event::HandedOver => {
                ui.note("your other machine was handed what it needs, and tells your contacts");
            }
            Event::HandoverRefused { error } => {
                ui.warn(&format!("a letter is refused: {}", chain(&error)));
            }
            Event::ContactClosed { name } => ui.warn(&format!(
                "{name} takes no letters from you, and was not told: pair with {name} again"
            )),
            Event::StateSetAside { error, kept } => {
                ui.warn(&format!("replaced what cannot be read: {error}"));
                ui.warn(&format!("it is kept in {}", kept.display()));
            }
            Event::Failed { error } => {
                ui.error(error);
            }
            _ => {}
        }
    }
}

impl Events for Teller {
    fn event(&self, event: Event<'_>) {
        self.letters(event);
    }
}

fn invited(one: Option<&Introduced>, from: Fingerprint) -> String {
    match one {
        Some(one) if one.accepted() => {
            format!("{} has accepted too: bulla pair goes on", one.name)
        }
        Some(one) => format!(
            "{0}, whom {1} introduced, has accepted: bulla pair --accept {0}",
            one.name,
            one.by().name
        ),
        None => format!("an invite of {from} waits until somebody introduces him"),
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &bulla::account::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
