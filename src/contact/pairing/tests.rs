use std::sync::Arc;

use zeroize::Zeroizing;

use super::*;
use crate::contact::Trust;
use crate::contact::pairing::handshake::Way;
use crate::contact::pairing::side::Seed;
use crate::identity::{Card, Identity};
use crate::kem;
use crate::pake;
use crate::secret::Secret;
use crate::text::{self, hex_encode};
use crate::wire;

impl Pairing {
    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(wire::decode(bytes)?)
    }

    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        message::encode(self)
    }
}

const NOW: u64 = 1_767_225_600;
const DAY: u64 = 24 * 3600;
const UNTIL: u64 = NOW + 7 * DAY;

/// Somebody with an identity, a card and mailboxes of his own.
struct Person {
    byte: u8,
    identity: Identity,
    card: Card,
}

impl Person {
    fn new(byte: u8) -> Self {
        let identity = Identity::from_seed(Secret::take(&mut [byte; 32])).unwrap();
        let card = identity.card_without_capability(&format!("nr {byte}"), None, NOW).unwrap();
        Self { byte, identity, card }
    }

    fn own(&self) -> Own<'_> {
        Own { identity: &self.identity, card: &self.card, address: self.address(1) }
    }

    fn address(&self, index: u8) -> Address {
        let index = [index; 16];
        Address {
            relay: "https://relay.example".into(),
            mailbox: self.identity.contact_mailbox(&index).public(),
            capability: Arc::new(self.identity.contact_capability(&index, 0)),
        }
    }

    fn meeting(&self) -> Address {
        let index = [9; 16];
        Address {
            relay: "https://relay.example".into(),
            mailbox: self.identity.meeting_mailbox(&index).public(),
            capability: Arc::new(self.identity.meeting_capability(&index)),
        }
    }

    fn seed(&self) -> Seed {
        Seed(Arc::new(Secret::take(&mut [self.byte ^ 0x80; 32])))
    }

    fn offer(&self, public: bool) -> (Pairing, Invite) {
        self.offer_by(if public { Way::Public } else { Way::Secret })
    }

    fn offer_by(&self, way: Way) -> (Pairing, Invite) {
        Pairing::offer(self.seed(), way, &self.own(), self.meeting(), UNTIL, NOW).unwrap()
    }

    fn join(&self, invite: &Invite) -> Step {
        let expected = expected(invite, None);
        Pairing::join_from(self.seed(), invite, expected, &self.own(), self.meeting(), NOW).unwrap()
    }

    fn join_by(&self, invite: &Invite, words: &Words) -> Step {
        let (own, reply) = (self.own(), self.meeting());
        let expected = Expected::Words(words);
        Pairing::join_from(self.seed(), invite, expected, &own, reply, NOW).unwrap()
    }
}

/// The method of an invite that came from its inviter unchanged.
fn expected<'a>(invite: &Invite, words: Option<&'a Words>) -> Expected<'a> {
    match (invite.kind(), words) {
        (Kind::Words, Some(words)) => Expected::Words(words),
        (Kind::Words, None) => panic!("no words"),
        (Kind::Secret(_), _) => Expected::Secret,
        (Kind::Public(_), _) => Expected::Digits,
    }
}

fn ann() -> Person {
    Person::new(1)
}

fn bob() -> Person {
    Person::new(2)
}

fn step(pairing: &Pairing, bytes: &[u8]) -> Step {
    pairing.receive(bytes, NOW).unwrap().unwrap()
}

/// The one message of a step.
fn sent(step: &Step) -> &[u8] {
    let [one] = step.send.as_slice() else { panic!("{} messages", step.send.len()) };
    &one.bytes
}

fn paired(step: Step) -> Paired {
    match step.event {
        Event::Paired(paired) => *paired,
        other => panic!("{other:?}"),
    }
}

fn same(one: &Pairing, other: &Pairing) -> bool {
    *one.to_bytes().unwrap() == *other.to_bytes().unwrap()
}

/// A message changes nothing: it is not understood, refused, or answered as before.
fn unmoved(pairing: &Pairing, bytes: &[u8]) -> bool {
    match pairing.receive(bytes, NOW) {
        Ok(None) | Err(_) => true,
        Ok(Some(step)) => same(&step.state, pairing),
    }
}

fn digits(pairing: &Pairing) -> Digits {
    match pairing.waits_for() {
        Waits::OurDigits(digits) | Waits::TheirDigits(digits) => digits,
        other => panic!("{other:?}"),
    }
}

/// Every step of a pairing by a secret invite.
struct Run {
    invite: Invite,
    offered: Pairing,
    joined: Step,
    answered: Step,
    finished: Step,
    settled: Step,
    done: Step,
}

fn secret_run() -> Run {
    let (offered, invite) = ann().offer(false);
    let joined = bob().join(&invite);
    let answered = step(&offered, sent(&joined));
    let finished = step(&joined.state, sent(&answered));
    let settled = step(&answered.state, sent(&finished));
    let done = step(&finished.state, sent(&settled));
    Run { invite, offered, joined, answered, finished, settled, done }
}

/// Up to the digits, by a public invite: the inviter's side and the joiner's.
fn public_run() -> (Pairing, Pairing) {
    let (offered, invite) = ann().offer(true);
    let joined = bob().join(&invite);
    let answered = step(&offered, sent(&joined));
    let bobs = step(&joined.state, sent(&answered));
    let anns = step(&answered.state, sent(&bobs));
    (anns.state, bobs.state)
}

fn agree(anns: &Paired, bobs: &Paired) {
    assert_eq!(anns.card, bob().card);
    assert_eq!(bobs.card, ann().card);
    assert_eq!(anns.address, bob().address(1));
    assert_eq!(bobs.address, ann().address(1));
    assert!(anns.pairwise == bobs.pairwise);
    assert_eq!(anns.transcript, bobs.transcript);
    assert_eq!((anns.role, bobs.role), (Role::Inviter, Role::Joiner));
    let public = |seed: &Secret<32>| kem::SecretKey::from_seed(seed).public().to_bytes();
    assert_eq!(public(&anns.own_seed), *bobs.their_key);
    assert_eq!(public(&bobs.own_seed), *anns.their_key);
}

#[test]
fn a_secret_invite_pairs_two() {
    let run = secret_run();
    assert_eq!(run.offered.waits_for(), Waits::Joiner);
    assert_eq!(run.joined.state.waits_for(), Waits::Answer);
    assert_eq!(run.answered.state.waits_for(), Waits::Confirmation);
    assert_eq!(run.finished.state.waits_for(), Waits::Done);
    assert_eq!(run.settled.state.waits_for(), Waits::Over(End::Paired));
    assert_eq!(run.done.state.waits_for(), Waits::Over(End::Paired));
    assert!(run.settled.state.resend().is_empty() && run.done.state.resend().is_empty());
    for (step, to) in [
        (&run.joined, ann().meeting()),
        (&run.answered, bob().meeting()),
        (&run.finished, ann().meeting()),
        (&run.settled, bob().meeting()),
    ] {
        assert_eq!(step.send[0].address, to);
        assert_eq!(step.send[0].bytes.len(), MESSAGE);
    }
    let (anns, bobs) = (paired(run.settled), paired(run.finished));
    agree(&anns, &bobs);
    assert_eq!((anns.trust, bobs.trust), (Trust::SecretInvite, Trust::SecretInvite));
}

#[test]
fn a_public_invite_pairs_two_by_their_digits() {
    for anns_first in [true, false] {
        let (anns, bobs) = public_run();
        let (shown_by_ann, shown_by_bob) = (digits(&anns), digits(&bobs));
        let (first, second, typed) = if anns_first {
            (anns, bobs, [shown_by_bob, shown_by_ann])
        } else {
            (bobs, anns, [shown_by_ann, shown_by_bob])
        };
        let confirmed = first.confirm(typed[0], NOW).unwrap();
        assert!(matches!(confirmed.event, Event::WeConfirmed));
        assert!(matches!(confirmed.state.waits_for(), Waits::TheirDigits(_)));
        let told = step(&second, sent(&confirmed));
        assert!(matches!(told.event, Event::TheyConfirmed));
        let last = told.state.confirm(typed[1], NOW).unwrap();
        let [card, done] = last.send.as_slice() else { panic!() };
        // The second word cannot be understood before the first.
        assert!(confirmed.state.receive(&done.bytes, NOW).unwrap().is_none());
        let end = step(&confirmed.state, &card.bytes);
        assert!(matches!(step(&end.state, &done.bytes).event, Event::Done));
        assert!(matches!(step(&last.state, sent(&end)).event, Event::Done));
        assert_eq!(end.state.waits_for(), Waits::Done);
        // Nor is one's own last word the other side's.
        assert!(end.state.receive(sent(&end), NOW).unwrap().is_none());
        let (one, other) = (paired(end), paired(last));
        assert_eq!(one.trust, Trust::Digits);
        if anns_first { agree(&one, &other) } else { agree(&other, &one) }
    }
}

#[test]
fn an_invite_is_one_line() {
    for public in [false, true] {
        let (pairing, invite) = ann().offer(public);
        let line = invite.to_line().unwrap();
        assert!(line.is_ascii() && line.starts_with("bulla-invite-1") && line.len() < 400);
        assert_eq!(Invite::parse(&format!(" {}\n", *line)).unwrap(), invite);
        assert_eq!(pairing.invite(), Some(&invite));
        assert!(pairing.is_of(&invite));
        let mut swapped = line.to_string();
        let last = swapped.pop().unwrap();
        swapped.push(if last == 'q' { 'p' } else { 'q' });
        assert!(matches!(Invite::parse(&swapped), Err(Error::Line(_))));
    }
    assert!(matches!(Invite::parse("https://x"), Err(Error::Line(_))));
    let (_, invite) = ann().offer(false);
    let Kind::Secret(secret) = invite.kind() else { panic!() };
    let shown = format!("{invite:?} {secret:?}");
    for secret in [secret.expose(), ann().meeting().capability.expose()] {
        assert!(!shown.contains(&hex_encode(secret)) && !shown.contains(&format!("{secret:?}")));
    }
}

/// Encodes an invite with one thing changed, as somebody hostile could.
fn forged_line(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (_, invite) = ann().offer(false);
    let mut bytes = invite.record().unwrap().to_vec();
    change(&mut bytes);
    text::bech32_encode("bulla-invite-", &bytes).to_string()
}

#[test]
fn invites_that_break_a_rule_are_refused() {
    let parse = |change: fn(&mut Vec<u8>)| Invite::parse(&forged_line(change)).unwrap_err();
    assert!(matches!(parse(|b| b[0] = 2), Error::Record(wire::Error::Version { got: 2, .. })));
    assert!(matches!(parse(|b| b[1] = 9), Error::Record(wire::Error::Malformed { .. })));
    assert!(matches!(parse(|b| b.push(0)), Error::Record(wire::Error::Malformed { .. })));
    assert!(matches!(parse(|b| b.truncate(60)), Error::Record(wire::Error::Malformed { .. })));
    assert!(matches!(parse(|b| b.resize(641, 0)), Error::Record(wire::Error::TooLong { .. })));
    // Version, kind, secret, length of the relay's URL.
    assert!(matches!(parse(|b| b[35] = b' '), Error::Relay(_)));
    assert!(matches!(parse(|b| b[56..88].fill(0)), Error::Mailbox));
    // The same length in three bytes instead of one.
    let long = |b: &mut Vec<u8>| drop(b.splice(34..35, [251, 21, 0]));
    assert!(matches!(Invite::parse(&forged_line(long)).unwrap_err(), Error::Encoding));
}

#[test]
fn an_expired_invite_is_refused_on_both_sides() {
    let (offered, invite) = ann().offer(false);
    let late =
        Pairing::join(&invite, expected(&invite, None), &bob().own(), bob().meeting(), UNTIL);
    let late = late.unwrap_err();
    assert!(matches!(late, Error::Expired { until: UNTIL }));
    let past = Pairing::offer_secret(&ann().own(), ann().meeting(), NOW, NOW).unwrap_err();
    assert!(matches!(past, Error::Expired { .. }));

    let joined = bob().join(&invite);
    let told = offered.receive(sent(&joined), UNTIL).unwrap().unwrap();
    assert!(same(&told.state, &offered));
    assert!(matches!(told.event, Event::TurnedAway(Refusal::Expired)));
    let end = step(&joined.state, sent(&told));
    assert!(matches!(end.event, Event::Ended(End::Refused(Refusal::Expired))));
    assert_eq!(end.state.waits_for(), Waits::Over(End::Refused(Refusal::Expired)));

    let (offered, invite) = ann().offer(true);
    let expired = offered.receive(sent(&bob().join(&invite)), UNTIL);
    assert!(matches!(expired, Err(Error::Expired { .. })));
}

#[test]
fn what_began_in_time_goes_on_after() {
    let run = secret_run();
    let later = UNTIL + 9 * DAY;
    let finished = run.joined.state.receive(sent(&run.answered), later).unwrap().unwrap();
    let settled = run.answered.state.receive(sent(&finished), later).unwrap().unwrap();
    assert_eq!(settled.state.forget_after(), later + 30 * DAY);
    agree(&paired(settled), &paired(finished));
}

#[test]
fn an_expired_invite_says_when() {
    let said = Error::Expired { until: 1_767_225_600 }.to_string();
    assert_eq!(said, "the invite expired: it was good until 2026-01-01T00:00:00Z");
    assert!(Error::Expired { until: u64::MAX }.to_string().contains("until 9999-"));
}

#[test]
fn the_first_joiner_wins_and_the_second_is_told() {
    let run = secret_run();
    let other = Person::new(3).join(&run.invite);
    for state in [&run.answered.state, &run.settled.state] {
        let told = step(state, sent(&other));
        assert!(matches!(told.event, Event::TurnedAway(Refusal::Used)));
        assert!(same(&told.state, state));
        assert_eq!(told.send[0].address, Person::new(3).meeting());
        let end = step(&other.state, sent(&told));
        assert!(matches!(end.event, Event::Ended(End::Refused(Refusal::Used))));
        // The first does not take another's refusal for his own.
        assert!(run.joined.state.receive(sent(&told), NOW).unwrap().is_none());
    }
    // The first joiner's own message is not taken for another's, however late it comes again.
    let again = step(&run.settled.state, sent(&run.joined));
    assert!(again.send.is_empty() && matches!(again.event, Event::Repeated));
    let settled = step(&run.answered.state, sent(&run.finished));
    agree(&paired(settled), &paired(run.finished));

    // Who reads a public invite is not answered a second time.
    let (offered, invite) = ann().offer(true);
    let answered = step(&offered, sent(&bob().join(&invite)));
    let other = Person::new(3).join(&invite);
    assert!(answered.state.receive(sent(&other), NOW).unwrap().is_none());
}

#[test]
fn nobody_pairs_with_himself() {
    let (offered, invite) = ann().offer(false);
    assert!(offered.is_of(&invite) && offered.role() == Role::Inviter);
    let mut twin = ann();
    twin.byte = 7;
    let joined = twin.join(&invite);
    let answered = step(&offered, sent(&joined));
    let end = step(&joined.state, sent(&answered));
    assert!(end.send.is_empty() && matches!(end.event, Event::Ended(End::Oneself)));
    assert_eq!(end.state.waits_for(), Waits::Over(End::Oneself));

    let (offered, invite) = ann().offer(true);
    let joined = twin.join(&invite);
    let answered = step(&offered, sent(&joined));
    let twins = step(&joined.state, sent(&answered));
    let anns = step(&answered.state, sent(&twins)).state;
    let word = twins.state.confirm(digits(&anns), NOW).unwrap();
    assert!(matches!(step(&anns, sent(&word)).event, Event::Ended(End::Oneself)));
}

#[test]
fn repeated_messages_are_answered_as_before() {
    let run = secret_run();
    for (state, bytes, answer) in [
        (&run.answered.state, sent(&run.joined), Some(sent(&run.answered))),
        (&run.finished.state, sent(&run.answered), Some(sent(&run.finished))),
        (&run.settled.state, sent(&run.finished), Some(sent(&run.settled))),
        (&run.settled.state, sent(&run.joined), None),
        (&run.done.state, sent(&run.answered), None),
    ] {
        let again = step(state, bytes);
        assert!(matches!(again.event, Event::Repeated));
        assert!(same(&again.state, state));
        assert_eq!(again.send.first().map(|out| out.bytes.as_slice()), answer);
    }
    // And a state that was restored gives the very same answer.
    assert_eq!(step(&run.offered, sent(&run.joined)).send, run.answered.send);
    assert_eq!(step(&run.joined.state, sent(&run.answered)).send, run.finished.send);
    assert_eq!(step(&run.answered.state, sent(&run.finished)).send, run.settled.send);
    let again = paired(step(&run.joined.state, sent(&run.answered)));
    agree(&paired(run.settled), &again);
    assert_eq!(run.joined.state.resend(), run.joined.send);
    assert_eq!(run.answered.state.resend(), run.answered.send);
    assert_eq!(run.finished.state.resend(), run.finished.send);
    assert!(run.done.state.resend().is_empty());
}

#[test]
fn every_changed_byte_is_noticed() {
    let run = secret_run();
    for (state, message) in [
        (&run.offered, sent(&run.joined)),
        (&run.joined.state, sent(&run.answered)),
        (&run.answered.state, sent(&run.finished)),
        (&run.finished.state, sent(&run.settled)),
    ] {
        for at in (0..MESSAGE).step_by(61).chain([31, 32, MESSAGE - 1]) {
            let mut changed = message.to_vec();
            changed[at] ^= 0x80;
            assert!(state.receive(&changed, NOW).unwrap().is_none(), "byte {at}");
        }
        assert!(state.receive(&message[1..], NOW).unwrap().is_none());
        assert!(state.receive(&[message, &[0]].concat(), NOW).unwrap().is_none());
        assert!(state.receive(&[], NOW).unwrap().is_none());
    }
}

#[test]
fn foreign_messages_are_not_understood() {
    let run = secret_run();
    let other = {
        let (offered, invite) = Person::new(4).offer(false);
        let joined = Person::new(5).join(&invite);
        let answered = step(&offered, sent(&joined));
        [joined.send, answered.send].concat()
    };
    let own = [&run.joined, &run.answered, &run.finished, &run.settled];
    for state in [&run.offered, &run.joined.state, &run.answered.state, &run.finished.state] {
        for message in &other {
            assert!(state.receive(&message.bytes, NOW).unwrap().is_none());
        }
        // One's own message, sent back.
        for message in own.iter().filter(|step| same(&step.state, state)) {
            assert!(unmoved(state, sent(message)));
        }
    }
}

#[test]
fn messages_that_overtake_wait() {
    let run = secret_run();
    assert!(run.offered.receive(sent(&run.finished), NOW).unwrap().is_none());
    assert!(run.joined.state.receive(sent(&run.settled), NOW).unwrap().is_none());
    let (offered, invite) = ann().offer(true);
    let joined = bob().join(&invite);
    let answered = step(&offered, sent(&joined));
    let bobs = step(&joined.state, sent(&answered));
    let anns = step(&answered.state, sent(&bobs)).state;
    let word = bobs.state.confirm(digits(&anns), NOW).unwrap();
    assert!(answered.state.receive(sent(&word), NOW).unwrap().is_none());
    assert_eq!(word.state.resend().len(), 2);
    let told = step(&anns, sent(&word));
    assert!(matches!(told.event, Event::TheyConfirmed));
    // Who says that the digits are right has heard what came before.
    let anns_word = anns.confirm(digits(&bobs.state), NOW).unwrap();
    assert!(step(&bobs.state, sent(&anns_word)).state.resend().is_empty());
}

#[test]
fn states_survive_the_disk() {
    let run = secret_run();
    let (anns, bobs) = public_run();
    let burnt = anns.confirm(wrong(&bobs), NOW).unwrap().state;
    for state in [
        &run.offered,
        &run.joined.state,
        &run.answered.state,
        &run.finished.state,
        &run.settled.state,
        &run.done.state,
        &anns,
        &bobs,
        &burnt,
    ] {
        let bytes = state.to_bytes().unwrap();
        assert!(same(&Pairing::from_bytes(&bytes).unwrap(), state));
        assert!(Pairing::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        let shown = format!("{state:?}");
        assert!(shown.len() < 200 && shown.contains("waits_for"), "{shown}");
    }
    let mut newer = run.offered.to_bytes().unwrap().to_vec();
    newer[0] = 2;
    let newer = Pairing::from_bytes(&newer);
    assert!(matches!(newer, Err(Error::Record(wire::Error::Version { got: 2, .. }))));
}

/// What is over keeps no secret of the pairing.
#[test]
fn secrets_are_gone_from_what_is_over() {
    let run = secret_run();
    let (anns, bobs) = (paired(run.settled), paired(run.finished));
    let states = [secret_run().settled.state, secret_run().done.state];
    for state in states {
        let bytes = state.to_bytes().unwrap();
        for secret in [&anns.pairwise, &anns.own_seed, &bobs.own_seed] {
            assert!(!bytes.windows(32).any(|window| window == secret.expose()));
        }
        for secret in [ann().seed(), bob().seed()] {
            assert!(!bytes.windows(32).any(|window| window == secret.0.expose()));
        }
    }
}

fn wrong(other: &Pairing) -> Digits {
    let right: u16 = digits(other).to_string().parse().unwrap();
    format!("{:04}", (right + 1) % 10_000).parse().unwrap()
}

#[test]
fn one_wrong_digit_burns_the_pairing_on_both_sides() {
    let (anns, bobs) = public_run();
    for (first, second) in [(&anns, &bobs), (&bobs, &anns)] {
        let burnt = first.confirm(wrong(second), NOW).unwrap();
        assert!(matches!(burnt.event, Event::Ended(End::BurntHere)));
        let told = step(second, &burnt.send[0].bytes);
        assert!(matches!(told.event, Event::Ended(End::BurntThere)));
        assert!(told.send.is_empty());
        for state in [&burnt.state, &told.state] {
            assert!(matches!(state.confirm(digits(second), NOW), Err(Error::NoDigits)));
        }
        // He who confirmed before is told as well, and has no contact.
        let confirmed = second.confirm(digits(first), NOW).unwrap();
        assert!(burnt.state.receive(sent(&confirmed), NOW).unwrap().is_none());
        let told = step(&confirmed.state, &burnt.send[0].bytes);
        assert_eq!(told.state.waits_for(), Waits::Over(End::BurntThere));
        assert!(burnt.state.resend().iter().any(|out| out == &burnt.send[0]));
    }
}

#[test]
fn slips_at_the_keyboard_burn_nothing() {
    for text in ["", "123", "12345", "12 4", "-123", "+123", "١٢٣٤"] {
        assert!(matches!(text.parse::<Digits>(), Err(Error::Digits)), "{text}");
    }
    assert_eq!(" 0417\n".parse::<Digits>().unwrap().to_string(), "0417");
    let (anns, bobs) = public_run();
    assert!(matches!(anns.confirm(digits(&anns), NOW), Err(Error::OwnDigits)));
    let confirmed = anns.confirm(digits(&bobs), NOW).unwrap();
    let again = confirmed.state.confirm(digits(&bobs), NOW).unwrap();
    assert_eq!(again.send, confirmed.send);
    assert!(same(&again.state, &confirmed.state));
    assert!(matches!(confirmed.state.confirm(wrong(&bobs), NOW), Err(Error::Confirmed)));
    let run = secret_run();
    assert!(matches!(run.joined.state.confirm(digits(&bobs), NOW), Err(Error::NoDigits)));
}

#[test]
fn own_things_are_checked_before_they_go_out() {
    let (ann, bob) = (ann(), bob());
    let borrowed = Own { identity: &ann.identity, card: &bob.card, address: ann.address(1) };
    let refused = Pairing::offer_secret(&borrowed, ann.meeting(), UNTIL, NOW);
    assert!(matches!(refused, Err(Error::NotTheOwner)));
    let card = ann.identity.card("Ann", None, 0, NOW).unwrap();
    let by_hand = Own { card: &card, ..ann.own() };
    let refused = Pairing::offer_secret(&by_hand, ann.meeting(), UNTIL, NOW);
    assert!(matches!(refused, Err(Error::CardCapability)));
    let refused = Pairing::offer_secret(&ann.own(), ann.address(1), UNTIL, NOW);
    assert!(matches!(refused, Err(Error::OneMailbox)));
    let nowhere = Address { relay: "ftp://x".into(), ..ann.meeting() };
    let refused = Pairing::offer_public(&ann.own(), nowhere, UNTIL, NOW);
    assert!(matches!(refused, Err(Error::Relay(_))));
    let (_, invite) = ann.offer(true);
    let refused = Pairing::join(&invite, Expected::Digits, &bob.own(), bob.address(1), NOW);
    assert!(matches!(refused, Err(Error::OneMailbox)));
    let (_, invite) = ann.offer(false);
    assert!(Pairing::join(&invite, Expected::Secret, &bob.own(), bob.address(1), NOW).is_ok());
    let drawn = Pairing::join(&invite, Expected::Secret, &bob.own(), bob.meeting(), NOW).unwrap();
    assert_ne!(drawn.send, bob.join(&invite).send);
}

mod hostile;
mod orders;
mod relay;
mod spoken;
mod vectors;
