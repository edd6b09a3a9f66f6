//! A relay in the middle of a public invite, which it changes on its way.

use super::*;
use crate::contact::pairing::digits;
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{Join, Opening};
use crate::crypto;

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn bytes(&mut self) -> [u8; 32] {
        self.0 += 1;
        crypto::sha256(&[b"relay in the middle", &self.0.to_be_bytes()])
    }

    /// An opening as its owner draws one. Keys are never used here, so they are only numbers.
    fn opening(&mut self) -> Opening {
        let key = Box::new(std::array::from_fn(|at| at as u8));
        Opening { key, nonce: self.bytes(), card: self.bytes() }
    }
}

/// A public invite of whoever draws this opening.
fn invite(opening: &Opening, meeting: &Address) -> Invite {
    let kind = Kind::Public(Invite::commitment(&message::encode(opening).unwrap()));
    Invite::new(kind, meeting.clone(), UNTIL).unwrap()
}

/// The hash of which one side takes the digits: the invite it saw, the joiner's and the inviter's
/// openings.
fn code(invite: &Invite, joiner: &Opening, inviter: &Opening) -> [u8; 32] {
    let mut chain = Chain::begin(invite).unwrap();
    // The joiner's mailbox is any: it is settled with his opening.
    let join = Join { opening: joiner.clone(), reply: invite.address().clone() };
    chain.mix(&message::encode(&join).unwrap());
    digits::hash(chain.hash(), inviter).unwrap()
}

/// How often a relay fools the inviter, the joiner, and both, of `runs` attempts with `digits` a
/// side. It shows Bob an invite of its own and joins Ann's. `tries` are the keys it makes and
/// chooses among; `opened` lets it look into Ann's commitment, which nobody can.
fn attack(digits: u32, runs: u32, tries: u32, opened: bool) -> [u32; 3] {
    let mut random = Random(u64::from(digits) << 40 | u64::from(tries) << 20);
    let meeting = super::ann().meeting();
    let split = |hash| digits::split(&hash, digits);
    let mut fooled = [0; 3];
    for _ in 0..runs {
        let (ann, bob, relay) = (random.opening(), random.opening(), random.opening());
        let anns_invite = invite(&ann, &meeting);
        // What Bob shows is settled when he has answered the relay's invite.
        let bobs = split(code(&invite(&relay, &meeting), &bob, &relay));
        // Before Ann shows anything the relay has to join; it tries what it can.
        let guess = if opened { ann.clone() } else { random.opening() };
        let mut joined = random.opening();
        for _ in 1..tries {
            if split(code(&anns_invite, &joined, &guess)) == bobs {
                break;
            }
            joined = random.opening();
        }
        let anns = split(code(&anns_invite, &joined, &ann));
        // Ann types what Bob shows as the joiner, Bob what Ann shows as the inviter.
        fooled[0] += u32::from(anns.1 == bobs.1);
        fooled[1] += u32::from(anns.0 == bobs.0);
        fooled[2] += u32::from(anns == bobs);
    }
    fooled
}

/// Within five standard deviations of what chance gives.
fn by_chance(got: u32, runs: u32, chance: f64) -> bool {
    let mean = f64::from(runs) * chance;
    (f64::from(got) - mean).abs() <= 5.0 * (mean * (1.0 - chance)).sqrt().max(1.0)
}

#[test]
fn a_relay_in_the_middle_succeeds_by_chance_only() {
    for (digits, runs) in [(1, 10_000), (2, 20_000)] {
        let chance = 0.1f64.powi(digits as i32);
        let [anns, bobs, both] = attack(digits, runs, 1, false);
        assert!(by_chance(anns, runs, chance), "{digits} digits, Ann: {anns} of {runs}");
        assert!(by_chance(bobs, runs, chance), "{digits} digits, Bob: {bobs} of {runs}");
        assert!(by_chance(both, runs, chance * chance), "{digits} digits, both: {both} of {runs}");
    }
}

#[test]
fn trying_many_keys_gains_nothing() {
    let (runs, tries) = (400, 200);
    let [anns, bobs, both] = attack(1, runs, tries, false);
    assert!(by_chance(anns, runs, 0.1), "Ann: {anns}");
    assert!(by_chance(bobs, runs, 0.1), "Bob: {bobs}");
    assert!(by_chance(both, runs, 0.01), "both: {both}");
    // The same relay, were the commitment open to it.
    let [_, _, both] = attack(1, runs, tries, true);
    assert!(both > runs / 2, "both: {both}");
}

#[test]
fn a_commitment_opens_in_one_way() {
    let (mut random, meeting) = (Random(0), ann().meeting());
    let shown = random.opening();
    let Kind::Public(commitment) = *invite(&shown, &meeting).kind() else { panic!() };
    for _ in 0..1000 {
        let other = Opening { nonce: random.bytes(), ..shown.clone() };
        assert_ne!(Invite::commitment(&message::encode(&other).unwrap()), commitment);
    }
    // And every part of it is in the digits.
    let joiner = random.opening();
    let whole = code(&invite(&shown, &meeting), &joiner, &shown);
    let mut keys = [shown.clone(), joiner.clone()];
    keys.iter_mut().for_each(|opening| opening.key[1215] ^= 1);
    assert_ne!(code(&invite(&shown, &meeting), &joiner, &keys[0]), whole);
    assert_ne!(code(&invite(&shown, &meeting), &keys[1], &shown), whole);
    let joiners = Opening { card: [0; 32], ..joiner.clone() };
    assert_ne!(code(&invite(&shown, &meeting), &joiners, &shown), whole);
    assert_ne!(code(&invite(&keys[0], &meeting), &joiner, &shown), whole);
}

/// With all eight digits, and people who type what the other shows.
#[test]
fn a_relay_in_the_middle_learns_no_card_and_is_burnt() {
    let (anns, anns_invite) = ann().offer(true);
    let (middle, bob_sees) = Person::new(66).offer(true);
    let bobs = bob().join(&bob_sees);
    let to_ann = Person::new(67).join(&anns_invite);
    let (to_bob, anns) = (step(&middle, sent(&bobs)), step(&anns, sent(&to_ann)));
    let (bobs, to_ann) = (step(&bobs.state, sent(&to_bob)), step(&to_ann.state, sent(&anns)));
    let (to_bob, anns) = (step(&to_bob.state, sent(&bobs)), step(&anns.state, sent(&to_ann)));
    assert_ne!(super::digits(&anns.state), super::digits(&to_bob.state));
    let anns_word = anns.state.confirm(super::digits(&bobs.state), NOW).unwrap();
    let bobs_word = bobs.state.confirm(super::digits(&anns.state), NOW).unwrap();
    for (word, middle) in [(anns_word, &to_ann.state), (bobs_word, &to_bob.state)] {
        assert!(matches!(word.event, Event::Ended(End::BurntHere)));
        let heard = step(middle, &word.send[0].bytes);
        assert!(matches!(heard.event, Event::Ended(End::BurntThere)));
    }
}
