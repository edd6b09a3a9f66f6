//! An invite with spoken words: two who pair by it, and a relay that does not hear them.

use super::*;
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{Call, Finish, Later, Opening, Proof, Reveal, Sort};
use crate::contact::pairing::pake::answer;
use crate::contact::pairing::side::Party;
use crate::contact::pairing::state::Move;
use crate::crypto;
use crate::kem;
use crate::wire;

/// Every step of a pairing by words.
struct Run {
    invite: Invite,
    offered: Pairing,
    joined: Step,
    answered: Step,
    proved: Step,
    settled: Step,
    done: Step,
    over: Step,
}

fn words() -> Words {
    ann().seed().words()
}

fn run() -> Run {
    let (offered, invite) = ann().offer_by(Way::Words);
    let joined = bob().join_by(&invite, &words());
    let answered = step(&offered, sent(&joined));
    let proved = step(&joined.state, sent(&answered));
    let settled = step(&answered.state, sent(&proved));
    let done = step(&proved.state, sent(&settled));
    let over = step(&settled.state, sent(&done));
    Run { invite, offered, joined, answered, proved, settled, done, over }
}

#[test]
fn words_pair_two() {
    let run = run();
    assert_eq!(run.offered.waits_for(), Waits::Joiner);
    assert_eq!(run.joined.state.waits_for(), Waits::Answer);
    assert_eq!(run.answered.state.waits_for(), Waits::Confirmation);
    assert_eq!(run.proved.state.waits_for(), Waits::Confirmation);
    assert_eq!(run.settled.state.waits_for(), Waits::Done);
    assert_eq!(run.done.state.waits_for(), Waits::Over(End::Paired));
    assert_eq!(run.over.state.waits_for(), Waits::Over(End::Paired));
    for (step, to) in [
        (&run.joined, ann().meeting()),
        (&run.answered, bob().meeting()),
        (&run.proved, ann().meeting()),
        (&run.settled, bob().meeting()),
        (&run.done, ann().meeting()),
    ] {
        assert_eq!(step.send[0].address, to);
        assert_eq!(step.send[0].bytes.len(), MESSAGE);
        assert_eq!(step.state.resend().is_empty(), same(&step.state, &run.done.state));
    }
    let (anns, bobs) = (paired(run.settled), paired(run.done));
    agree(&anns, &bobs);
    assert_eq!((anns.trust, bobs.trust), (Trust::Words, Trust::Words));
}

#[test]
fn words_go_with_their_invite_and_are_not_in_it() {
    let (offered, invite, words) =
        Pairing::offer_words(&ann().own(), ann().meeting(), UNTIL, NOW).unwrap();
    let line = invite.to_line().unwrap();
    assert_eq!(Invite::parse(&line).unwrap(), invite);
    assert_eq!(*invite.kind(), Kind::Words);
    assert!(line.len() < 300);
    let again = Pairing::offer_words(&ann().own(), ann().meeting(), UNTIL, NOW).unwrap();
    assert_ne!(again.2, words);
    // Two invites of one mailbox are the same, whatever their words: nothing of them is in it.
    assert_eq!(again.1, invite);
    assert!(!same(&offered, &again.0));

    let bob = bob();
    let (own, reply) = (bob.own(), bob.meeting());
    let by_words = Expected::Words(&words);
    let late = Pairing::join(&invite, by_words, &own, reply.clone(), UNTIL);
    assert!(matches!(late, Err(Error::Expired { .. })));
    let late = offered.receive(sent(&bob.join_by(&invite, &words)), UNTIL);
    assert!(matches!(late, Err(Error::Expired { .. })));
    let one = Pairing::join(&invite, by_words, &own, bob.address(1), NOW);
    assert!(matches!(one, Err(Error::OneMailbox)));
}

/// An attacker who changes the line replaces it by one for a weaker method: the joiner's own word decides.
#[test]
fn an_invite_for_another_method_is_refused() {
    let bob = bob();
    let words = ann().seed().words();
    let methods = [Expected::Secret, Expected::Digits, Expected::Words(&words)];
    for (at, way) in [Way::Secret, Way::Public, Way::Words].into_iter().enumerate() {
        let (_, invite) = ann().offer_by(way);
        for (other, method) in methods.into_iter().enumerate() {
            let joined = Pairing::join(&invite, method, &bob.own(), bob.meeting(), NOW);
            match joined {
                Ok(_) => assert_eq!(at, other),
                Err(error) => {
                    assert!(matches!(error, Error::OtherMethod) && at != other, "{error}");
                    // What it is for is not said: that is what an attacker would have accepted.
                    let said = error.to_string();
                    for method in ["secret", "digits", "words", "device"] {
                        assert!(!said.contains(method), "{said}");
                    }
                }
            }
        }
    }
}

#[test]
fn wrong_words_burn_the_invite_on_both_sides() {
    let (offered, invite) = ann().offer_by(Way::Words);
    let wrong: Words = "maple bamboo zigzag".parse().unwrap();
    let joined = bob().join_by(&invite, &wrong);
    let answered = step(&offered, sent(&joined));
    let burnt = step(&joined.state, sent(&answered));
    assert!(matches!(burnt.event, Event::Ended(End::WordsHere)));
    let told = step(&answered.state, sent(&burnt));
    assert!(matches!(told.event, Event::Ended(End::WordsThere)));
    assert!(told.send.is_empty());
    assert_eq!(told.state.waits_for(), Waits::Over(End::WordsThere));
    // The word goes again until it has come, and so it does when the answer comes again.
    assert_eq!(burnt.state.resend(), burnt.send);
    assert_eq!(step(&burnt.state, sent(&answered)).send, burnt.send);
    // The right words come too late.
    let right = Person::new(3).join_by(&invite, &words());
    assert!(told.state.receive(sent(&right), NOW).unwrap().is_none());
}

#[test]
fn the_line_is_part_of_what_the_words_confirm() {
    let (offered, invite) = ann().offer_by(Way::Words);
    let changed = Invite::new(Kind::Words, invite.address().clone(), UNTIL + 1).unwrap();
    let joined = bob().join_by(&changed, &words());
    // Ann does not even understand him; a relay may put him into the words of her line.
    assert!(offered.receive(sent(&joined), NOW).unwrap().is_none());
    let record = {
        let chain = Chain::begin(&changed).unwrap();
        message::open(&chain.outer(), Sort::Join, sent(&joined)).unwrap()
    };
    let chain = Chain::begin(&invite).unwrap();
    let call = message::seal(&chain.outer(), Sort::Join, &record).unwrap();
    let answered = step(&offered, &call);
    let record = {
        let call: Call = wire::decode(&record).unwrap();
        let mut chain = chain;
        chain.mix(&message::encode(&call.join).unwrap());
        chain.mix(&call.share);
        message::open(&chain.outer(), Sort::Answer, sent(&answered)).unwrap()
    };
    let forger = Forger::of(&changed, &joined);
    let answer = message::seal(&forger.chain.outer(), Sort::Answer, &record).unwrap();
    let burnt = step(&joined.state, &answer);
    assert!(matches!(burnt.event, Event::Ended(End::WordsHere)));
}

#[test]
fn nothing_is_handed_over_before_both_have_shown_the_words() {
    let run = run();
    // Whoever knows what both sides agreed first, but not the words, opens neither inside.
    let mut chain = Forger::of(&run.invite, &run.joined).chain;
    let record = message::open(&chain.outer(), Sort::Answer, sent(&run.answered)).unwrap();
    let proof: Proof = wire::decode(&record).unwrap();
    let shared = bob().seed().kem().decapsulate(&proof.encapsulated).unwrap();
    chain.mix(&proof.encapsulated);
    chain.agree(&shared);
    chain.mix(&proof.share);
    assert!(matches!(chain.clone().open(&proof.sealed), Err(Error::Forged)));
    assert!(message::open(&chain.outer(), Sort::Finish, sent(&run.proved)).is_none());
}

#[test]
fn nobody_pairs_with_himself_by_words() {
    let (offered, invite) = ann().offer_by(Way::Words);
    let mut twin = ann();
    twin.byte = 7;
    let joined = twin.join_by(&invite, &words());
    let answered = step(&offered, sent(&joined));
    let proved = step(&joined.state, sent(&answered));
    let end = step(&answered.state, sent(&proved));
    assert!(end.send.is_empty() && matches!(end.event, Event::Ended(End::Oneself)));
}

#[test]
fn messages_by_words_come_again_late_and_changed() {
    let run = run();
    for (state, bytes, answer) in [
        (&run.answered.state, sent(&run.joined), Some(sent(&run.answered))),
        (&run.proved.state, sent(&run.answered), Some(sent(&run.proved))),
        (&run.settled.state, sent(&run.proved), Some(sent(&run.settled))),
        (&run.done.state, sent(&run.settled), Some(sent(&run.done))),
        (&run.settled.state, sent(&run.joined), None),
        (&run.over.state, sent(&run.joined), None),
    ] {
        let again = step(state, bytes);
        assert!(matches!(again.event, Event::Repeated));
        assert!(same(&again.state, state));
        assert_eq!(again.send.first().map(|out| out.bytes.as_slice()), answer);
    }
    // A state that was restored says the very same.
    assert_eq!(step(&run.offered, sent(&run.joined)).send, run.answered.send);
    assert_eq!(step(&run.joined.state, sent(&run.answered)).send, run.proved.send);
    assert_eq!(step(&run.answered.state, sent(&run.proved)).send, run.settled.send);
    assert_eq!(step(&run.proved.state, sent(&run.settled)).send, run.done.send);
    // What overtook waits, and what was changed is nobody's.
    for (state, message) in [
        (&run.offered, sent(&run.proved)),
        (&run.joined.state, sent(&run.settled)),
        (&run.answered.state, sent(&run.done)),
        (&run.proved.state, sent(&run.proved)),
    ] {
        assert!(state.receive(message, NOW).unwrap().is_none());
    }
    for (state, message) in [
        (&run.offered, sent(&run.joined)),
        (&run.joined.state, sent(&run.answered)),
        (&run.answered.state, sent(&run.proved)),
        (&run.proved.state, sent(&run.settled)),
        (&run.settled.state, sent(&run.done)),
    ] {
        for at in (0..MESSAGE).step_by(127) {
            let mut changed = message.to_vec();
            changed[at] ^= 0x80;
            assert!(state.receive(&changed, NOW).unwrap().is_none(), "byte {at}");
        }
        let stored = Pairing::from_bytes(&state.to_bytes().unwrap()).unwrap();
        assert!(same(&stored, state));
    }
    // What is over keeps no secret.
    let (settled, done) = (run.over.state, run.done.state.clone());
    let anns = paired(run.settled);
    for state in [settled, done] {
        let bytes = state.to_bytes().unwrap();
        let seeds = [ann().seed(), bob().seed()];
        let secrets = seeds.iter().map(|seed| seed.0.expose()).chain([anns.pairwise.expose()]);
        for secret in secrets {
            assert!(!bytes.windows(32).any(|window| window == secret));
        }
    }
}

#[test]
fn a_second_joiner_is_not_answered() {
    let run = run();
    let other = Person::new(3).join_by(&run.invite, &words());
    let told = step(&run.answered.state, sent(&other));
    assert!(told.send.is_empty() && same(&told.state, &run.answered.state));
    assert!(matches!(told.event, Event::TurnedAway(Refusal::Used)));
    assert!(run.settled.state.receive(sent(&other), NOW).unwrap().is_none());
}

/// What somebody can make who read the invite and the joiner's first message, and knows the words
/// or guesses them.
struct Forger {
    chain: Chain,
    session: [u8; 32],
    call: Call,
}

impl Forger {
    fn of(invite: &Invite, joined: &Step) -> Self {
        let mut chain = Chain::begin(invite).unwrap();
        let record = message::open(&chain.outer(), Sort::Join, sent(joined)).unwrap();
        let call: Call = wire::decode(&record).unwrap();
        chain.mix(&message::encode(&call.join).unwrap());
        let session = *chain.hash();
        chain.mix(&call.share);
        Self { chain, session, call }
    }

    /// An answer of somebody who has the words, changed.
    fn answer(&self, words: &Words, change: impl FnOnce(&mut Proof, &mut Chain)) -> Vec<u8> {
        let key = kem::PublicKey::from_bytes(&self.call.join.opening.key).unwrap();
        let (encapsulated, shared) = kem::encapsulate(&key).unwrap();
        let mut chain = self.chain.clone();
        chain.mix(&encapsulated);
        chain.agree(&shared);
        let text = words.to_text();
        let context = pake::Context {
            password: text.as_bytes(),
            channel: crypto::label::PAIRING_WORDS,
            session: &self.session,
        };
        let scalar = pake::Ephemeral::from_random(&Secret::take(&mut [9; 32]));
        let share = scalar.share(&context);
        let run = pake::Run {
            session: &self.session,
            first: pake::Said { share: &self.call.share, data: &[] },
            second: pake::Said { share: &share, data: chain.hash() },
        };
        let isk = scalar.key_of_second(&run).unwrap();
        chain.mix(&share);
        chain.agree(&isk);
        let proof = *chain.proof().expose();
        let mut proof = Proof { encapsulated, share, proof, sealed: Vec::new() };
        change(&mut proof, &mut chain);
        let record = message::encode(&proof).unwrap();
        message::seal(&self.chain.outer(), Sort::Answer, &record).unwrap()
    }
}

#[test]
fn answers_by_words_that_break_a_rule_are_refused() {
    let (_, invite) = ann().offer_by(Way::Words);
    let joined = bob().join_by(&invite, &words());
    let forger = Forger::of(&invite, &joined);
    let opening = ann().seed().opening(&ann().card);
    let seal = |opening: Opening, hand| {
        move |proof: &mut Proof, chain: &mut Chain| {
            proof.sealed = chain.seal(&message::encode(&Reveal { opening, hand }).unwrap());
        }
    };
    let good = forger.answer(&words(), seal(opening.clone(), None));
    assert!(matches!(step(&joined.state, &good).event, Event::Answered));
    let refused = |bytes: Vec<u8>| joined.state.receive(&bytes, NOW).unwrap_err();

    let begin = Chain::begin(&invite).unwrap();
    let anns = Party::new(ann().seed(), &ann().own(), Role::Inviter, begin.hash()).unwrap();
    let early = forger.answer(&words(), seal(opening.clone(), Some(anns.hand)));
    assert!(matches!(refused(early), Error::Malformed(_)));
    let mut low = opening.clone();
    low.key[1184..].fill(0);
    let low = forger.answer(&words(), seal(low, None));
    assert!(matches!(refused(low), Error::Key(kem::Error::PublicKey)));
    let junk = forger.answer(&words(), |proof, _| proof.sealed = vec![7; 100]);
    assert!(matches!(refused(junk), Error::Forged));
    // A share that is none says nothing of the words, so it is no guess.
    for share in [[0; 32], [0xff; 32]] {
        let none = forger.answer(&words(), |proof, _| proof.share = share);
        assert!(matches!(refused(none), Error::Share(_)));
    }
    // The right key for what is sealed is not enough: one ciphertext opens under many.
    let unproved = forger.answer(&words(), |proof, chain| {
        seal(opening, None)(proof, chain);
        proof.proof[0] ^= 1;
    });
    assert!(matches!(step(&joined.state, &unproved).event, Event::Ended(End::WordsHere)));
}

#[test]
fn first_and_second_messages_that_break_a_rule_are_refused() {
    let (offered, invite) = ann().offer_by(Way::Words);
    let joined = bob().join_by(&invite, &words());
    let begin = Chain::begin(&invite).unwrap();
    let record = message::open(&begin.outer(), Sort::Join, sent(&joined)).unwrap();
    let refused = |change: &dyn Fn(&mut Call)| {
        let mut call: Call = wire::decode(&record).unwrap();
        change(&mut call);
        let record = message::encode(&call).unwrap();
        let bytes = message::seal(&begin.outer(), Sort::Join, &record).unwrap();
        offered.receive(&bytes, NOW).unwrap_err()
    };
    assert!(matches!(refused(&|call| call.share = [0; 32]), Error::Share(_)));
    assert!(matches!(refused(&|call| call.share = [0xff; 32]), Error::Share(_)));
    assert!(matches!(refused(&|call| call.join.reply.mailbox = [0; 32]), Error::Mailbox));
    assert!(matches!(refused(&|call| call.join.opening.key[1184..].fill(0)), Error::Key(_)));

    // Who knows the words keeps his card back.
    let answered = step(&offered, sent(&joined));
    let mut chain = Forger::of(&invite, &joined).chain;
    let answer = message::open(&chain.outer(), Sort::Answer, sent(&answered)).unwrap();
    let proof: Proof = wire::decode(&answer).unwrap();
    chain.mix(&proof.encapsulated);
    chain.agree(&bob().seed().kem().decapsulate(&proof.encapsulated).unwrap());
    let mut session = begin;
    session.mix(&message::encode(&wire::decode::<Call>(&record).unwrap().join).unwrap());
    let session = *session.hash();
    let call: Call = wire::decode(&record).unwrap();
    let scalar = pake::Ephemeral::from_random(&bob().seed().scalar(&session));
    let run = pake::Run {
        session: &session,
        first: pake::Said { share: &call.share, data: &[] },
        second: pake::Said { share: &proof.share, data: chain.hash() },
    };
    let isk = scalar.key_of_first(&run).unwrap();
    chain.mix(&proof.share);
    chain.agree(&isk);
    let reveal: Reveal = wire::decode(&chain.open(&proof.sealed).unwrap()).unwrap();
    let outer = chain.outer();
    let key = kem::PublicKey::from_bytes(&reveal.opening.key).unwrap();
    let (encapsulated, shared) = kem::encapsulate(&key).unwrap();
    chain.mix(&encapsulated);
    chain.agree(&shared);
    let sealed = chain.seal(&message::encode(&Finish { hand: None }).unwrap());
    let exchange = message::Exchange { encapsulated, sealed };
    let record = message::encode(&exchange).unwrap();
    let bytes = message::seal(&outer, Sort::Finish, &record).unwrap();
    assert!(matches!(answered.state.receive(&bytes, NOW), Err(Error::Malformed(_))));
    // Under the key of the word that the words were others nothing else is heard.
    let torn = {
        let mut chain = Forger::of(&invite, &joined).chain;
        chain.mix(&proof.encapsulated);
        chain.agree(&bob().seed().kem().decapsulate(&proof.encapsulated).unwrap());
        chain.later(Role::Joiner)
    };
    let done = message::seal(&torn, Sort::Later, &message::encode(&Later::Done).unwrap()).unwrap();
    assert!(answered.state.receive(&done, NOW).unwrap().is_none());
}

/// A relay that hears no word, but knows that they are of a list of eight.
struct Relay {
    list: Vec<Words>,
}

impl Relay {
    /// The list has the right words at a place that nobody knows.
    fn new(run: u8, right: &Words) -> Self {
        let random = |at: u8| crypto::sha256(&[b"relay that guesses", &[run, at]]);
        let mut list: Vec<_> = (1..8)
            .map(|at| Words::from_random(&Secret::from_slice(&random(at)[..6]).unwrap()))
            .collect();
        list.insert(usize::from(random(0)[0] % 8), right.clone());
        Self { list }
    }

    /// Takes up Ann's invite in Bob's place with every word of the list, one after another.
    fn takes_up(&self, offered: &Pairing, invite: &Invite) -> bool {
        let mut anns = offered.clone();
        for (at, guess) in self.list.iter().enumerate() {
            let joined = Person::new(100 + at as u8).join_by(invite, guess);
            let Some(answered) = anns.receive(sent(&joined), NOW).unwrap() else { return false };
            anns = answered.state;
            let Some(answer) = answered.send.first() else { continue };
            let end = joined.state.receive(&answer.bytes, NOW);
            if let Ok(Some(end @ Step { event: Event::Answered, .. })) = end {
                return matches!(step(&anns, sent(&end)).event, Event::Paired(_));
            }
        }
        false
    }

    /// Answers Bob in Ann's place with every word of the list, one after another.
    fn answers(&self, invite: &Invite, joined: &Step) -> bool {
        let mut bobs = joined.state.clone();
        for (at, guess) in self.list.iter().enumerate() {
            let person = Person::new(100 + at as u8);
            let begin = Chain::begin(invite).unwrap();
            let own = person.own();
            let party = Party::new(person.seed(), &own, Role::Inviter, begin.hash()).unwrap();
            let answered = answer(invite, party, guess, sent(joined), NOW).unwrap();
            let Move { send, .. } = answered.unwrap();
            match bobs.receive(&send[0].bytes, NOW) {
                Ok(Some(Step { event: Event::Answered, .. })) => return true,
                Ok(Some(heard)) => bobs = heard.state,
                Ok(None) => return false,
                Err(_) => {}
            }
        }
        false
    }
}

/// The right one of eight is found once in eight runs on either side, though all eight are tried:
/// one guess is all it gets.
#[test]
fn a_relay_that_guesses_has_one_guess_on_either_side() {
    let runs = 160;
    let (mut anns, mut bobs) = (0, 0);
    for run in 0..runs {
        let mut seed = crypto::sha256(&[b"ann who invites", &[run]]);
        let seed = Seed(Arc::new(Secret::take(&mut seed)));
        let words = seed.words();
        let (ann, own) = (ann(), ann().own().address);
        let own = Own { identity: &ann.identity, card: &ann.card, address: own };
        let (offered, invite) =
            Pairing::offer(seed, Way::Words, &own, ann.meeting(), UNTIL, NOW).unwrap();
        let relay = Relay::new(run, &words);
        anns += u32::from(relay.takes_up(&offered, &invite));
        bobs += u32::from(relay.answers(&invite, &bob().join_by(&invite, &words)));
    }
    // 20 of 160 are expected, with a deviation of 4.2; all 160 would be, were there two guesses
    // for the price of one again and again.
    for got in [anns, bobs] {
        assert!((4..=36).contains(&got), "{got} of {runs}");
    }
}
