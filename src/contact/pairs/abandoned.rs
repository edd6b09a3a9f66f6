//! Pairings that end without a contact, and what is remembered of them.

use crate::contact::pairs::mailbox::{Closing, Own};
use crate::contact::pairs::{Abandoned, Pairs, Purpose, Underway};
use crate::identity::Fingerprint;

/// Attempts that are remembered; the oldest makes room.
const MAX_ABANDONED: usize = 64;
/// How long closing is tried: 30 days in seconds, as long as relays keep messages.
const TRIED: u64 = 30 * 24 * 3600;

/// Earlier attempts with a contact that did not finish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// How many there are.
    pub attempts: usize,
    /// When the last one was given up, in seconds of Unix time; `None` when none was.
    pub last: Option<u64>,
}

impl Pairs {
    /// Ends a pairing here: forgets it, remembers an attempt that someone in between may have used
    /// for a try, and leaves its mailboxes in [`Pairs::closing`]. `now` is in seconds of Unix time.
    pub(crate) fn end(&mut self, meeting: &Own, now: u64) {
        let Some(at) = self.underway.iter().position(|one| one.meeting == *meeting) else { return };
        let one = self.underway.remove(at);
        if is_try(&one) {
            if self.abandoned.len() >= MAX_ABANDONED {
                self.abandoned.remove(0);
            }
            self.abandoned.push(Abandoned {
                fingerprint: one.pairing.their_fingerprint().map(|f| f.to_bytes()),
                name: one.name,
                when: now,
            });
        }
        let kept = self.links.iter().any(|link| link.mailbox == one.mailbox);
        let until = now.saturating_add(TRIED);
        self.close_later(Closing::Meeting(one.meeting), until);
        if !kept {
            self.close_later(Closing::Mailbox(one.mailbox), until);
        }
    }

    /// Returns the earlier attempts with a contact that did not finish: under the same name (none
    /// is a name here), or with the same card. `but` is the attempt at hand.
    pub(crate) fn unfinished(
        &self,
        but: Option<&Own>,
        name: Option<&str>,
        fingerprint: Option<&Fingerprint>,
    ) -> Unfinished {
        let is_same = |known: &Option<String>, shown: Option<[u8; 32]>| {
            is_same_name(known.as_deref(), name)
                || shown.is_some_and(|shown| fingerprint.is_some_and(|f| f.to_bytes() == shown))
        };
        let underway = self.underway.iter().filter(|one| {
            but != Some(&one.meeting)
                && is_try(one)
                && is_same(&one.name, one.pairing.their_fingerprint().map(|f| f.to_bytes()))
        });
        let abandoned = self.abandoned.iter().filter(|one| is_same(&one.name, one.fingerprint));
        Unfinished {
            attempts: underway.count() + abandoned.clone().count(),
            last: abandoned.map(|one| one.when).max(),
        }
    }

    /// Forgets the attempts under a name, which have led to a contact.
    pub(crate) fn finished(&mut self, name: Option<&str>, fingerprint: &Fingerprint) {
        let fingerprint = Some(fingerprint.to_bytes());
        self.abandoned.retain(|one| {
            !is_same_name(one.name.as_deref(), name) && one.fingerprint != fingerprint
        });
    }
}

/// Returns whether a pairing gave someone in between a try at its digits or words.
fn is_try(one: &Underway) -> bool {
    one.purpose == Purpose::Contact && one.introduced.is_none() && one.pairing.was_tried()
}

fn is_same_name(one: Option<&str>, other: Option<&str>) -> bool {
    one.map(str::to_lowercase) == other.map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact::pairing::{Address, Expected, Own as Side, Pairing};
    use crate::identity::Identity;
    use crate::secret::Secret;
    use crate::wire;

    const NOW: u64 = 1_767_225_600;

    fn address(identity: &Identity, index: u8) -> Address {
        Address {
            relay: "https://relay.example".into(),
            mailbox: identity.meeting_mailbox(&[index; 16]).public(),
            capability: identity.meeting_capability(&[index; 16]).into(),
        }
    }

    fn own(index: u8) -> Own {
        Own { relay: "https://relay.example".into(), index: [index; 16] }
    }

    /// A pairing by digits that was taken up, of the joiner, under a name.
    fn attempt(number: u8, name: Option<&str>) -> Underway {
        let [ann, bob] =
            [1, 2].map(|byte| Identity::from_seed(Secret::take(&mut [byte; 32])).unwrap());
        let card = ann.card_without_capability("Ann", None, NOW).unwrap();
        let side = Side { identity: &ann, card: &card, address: address(&ann, 1) };
        let (_, invite) =
            Pairing::offer_public(&side, address(&ann, number), NOW + 60, NOW).unwrap();
        let card = bob.card_without_capability("Bob", None, NOW).unwrap();
        let side = Side { identity: &bob, card: &card, address: address(&bob, 1) };
        let reply = address(&bob, number);
        Underway {
            purpose: Purpose::Contact,
            name: name.map(str::to_owned),
            meeting: own(number),
            mailbox: own(number ^ 0x80),
            pairing: Pairing::join(&invite, Expected::Digits, &side, reply, NOW).unwrap().state,
            introduced: None,
        }
    }

    #[test]
    fn attempts_that_did_not_finish_are_counted() {
        let mut pairs = Pairs::default();
        let count = |pairs: &Pairs, but: Option<&Own>, name| {
            let Unfinished { attempts, last } = pairs.unfinished(but, name, None);
            (attempts, last)
        };
        pairs.begin(attempt(2, Some("bob"))).unwrap();
        assert_eq!(count(&pairs, None, Some("BOB")), (1, None));
        assert_eq!(count(&pairs, Some(&own(2)), Some("bob")), (0, None));
        assert_eq!(count(&pairs, None, Some("ann")), (0, None));
        assert_eq!(count(&pairs, None, None), (0, None));
        pairs.begin(attempt(3, None)).unwrap();
        assert_eq!(count(&pairs, None, None), (1, None));
        pairs.end(&own(2), 7);
        pairs.end(&own(2), 8);
        assert_eq!(count(&pairs, None, Some("bob")), (1, Some(7)));
        let read: Pairs = wire::decode(&wire::encode(&pairs).unwrap()).unwrap();
        assert_eq!(count(&read, None, Some("bob")), (1, Some(7)));
        pairs.finished(Some("Bob"), &Fingerprint::from_bytes([0; 32]));
        assert_eq!(count(&pairs, None, Some("bob")), (0, None));
        for _ in 0..2 * MAX_ABANDONED {
            pairs.begin(attempt(4, Some("eve"))).unwrap();
            pairs.end(&own(4), 9);
        }
        assert_eq!(count(&pairs, None, Some("eve")).0, MAX_ABANDONED);
    }

    #[test]
    fn mailboxes_of_what_ended_wait_to_be_closed() {
        let mut pairs = Pairs::default();
        pairs.begin(attempt(2, None)).unwrap();
        pairs.end(&own(2), NOW);
        let closing: Vec<_> = pairs.closing(NOW).cloned().collect();
        assert_eq!(closing, [Closing::Meeting(own(2)), Closing::Mailbox(own(2 ^ 0x80))]);
        pairs.closed(&closing[0]);
        assert_eq!(pairs.closing(NOW).collect::<Vec<_>>(), [&closing[1]]);
        assert_eq!(pairs.closing(NOW + TRIED).count(), 0);
        assert!(pairs.tidy(&Fingerprint::from_bytes([0; 32]), NOW + TRIED));
        assert_eq!(pairs.closing(NOW).count(), 0);
    }

    /// State of version 1, which had none of it, is read.
    #[test]
    fn older_records_are_read() {
        let mut bytes = wire::encode(&Pairs::default()).unwrap();
        assert_eq!(bytes.split_off(bytes.len() - 6), [0; 6]);
        bytes[0] = 1;
        let read: Pairs = wire::decode(&bytes).unwrap();
        assert!(read.underway().is_empty() && read.closing(0).next().is_none());
    }
}
