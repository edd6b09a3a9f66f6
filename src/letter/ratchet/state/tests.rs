use std::collections::HashSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::age;
use crate::crypto::{self, Aead, label};
use crate::kem;
use crate::letter::ratchet::chain::{Agreed, Line, short};
use crate::letter::ratchet::receiving::{KEEP, Receiving, WINDOW};
use crate::letter::ratchet::sending::Sending;
use crate::letter::ratchet::session::Session;
use crate::letter::ratchet::stanza::{Parsed, Random};
use crate::letter::ratchet::state::{Adopted, Fault, MAX_SKIPPED};
use crate::letter::ratchet::*;
use crate::secret::Secret;
use crate::text::hex_encode;
use crate::wire::{self, Record as _};

const NOW: u64 = 1_767_225_600;

/// Bytes that look random and are the same in every run.
struct Drawn(u64, u64);

impl Drawn {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), crypto::Error> {
        for chunk in out.chunks_mut(32) {
            self.1 += 1;
            let block = crypto::sha256(&[&self.0.to_be_bytes(), &self.1.to_be_bytes()]);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }

    fn below(&mut self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.fill(&mut bytes).unwrap();
        (u64::from_be_bytes(bytes) % end as u64) as usize
    }
}

fn secret(byte: u8) -> Secret<32> {
    Secret::take(&mut [byte; 32])
}

/// Inviter and joiner.
fn pair() -> (Ratchet, Ratchet) {
    let public = |byte| kem::SecretKey::from_seed(&secret(byte)).public();
    let side = |inviter, ours, theirs| {
        Ratchet::new(Start {
            secret: &secret(1),
            transcript: [2; 32],
            inviter,
            ours: secret(ours),
            theirs: public(theirs),
        })
    };
    (side(true, 3, 4), side(false, 4, 3))
}

impl Ratchet {
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(Zeroizing::new(wire::encode(self).map_err(Error::Record)?))
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        wire::decode(bytes).map_err(Error::Record)
    }
}

fn copy(ratchet: &Ratchet) -> Ratchet {
    Ratchet::decode(&ratchet.encode().unwrap()).unwrap()
}

#[derive(Clone)]
struct Sent {
    file_key: [u8; 16],
    stanza: age::Stanza,
}

fn try_send(from: &mut Ratchet, drawn: &mut Drawn) -> Result<Sent, Error> {
    let mut file_key = [0; 16];
    drawn.fill(&mut file_key).unwrap();
    let key = from.seal_from(NOW, &mut |out| drawn.fill(out))?;
    let stanza = key.stanza(&file_key, &mut |out| drawn.fill(out))?;
    Ok(Sent { file_key, stanza })
}

fn send(from: &mut Ratchet, drawn: &mut Drawn) -> Sent {
    try_send(from, drawn).unwrap()
}

fn opened(by: &Ratchet, letter: &Sent) -> Option<Box<Opened>> {
    match by.open(&letter.stanza) {
        Ok(Some(Outcome::Opened(opened))) => {
            assert_eq!(opened.file_key.expose(), &letter.file_key);
            Some(opened)
        }
        _ => None,
    }
}

/// Opens and applies.
fn receive(by: &mut Ratchet, letter: &Sent) -> bool {
    let Some(opened) = opened(by, letter) else { return false };
    by.apply(opened.pending, NOW, NOW).unwrap();
    true
}

#[track_caller]
fn exchange(from: &mut Ratchet, to: &mut Ratchet, drawn: &mut Drawn) -> Sent {
    let letter = send(from, drawn);
    assert!(receive(to, &letter));
    assert!(opened(to, &letter).is_none(), "its key is gone");
    letter
}

#[test]
fn both_may_begin_and_answer() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(1, 0);
    let (first, other) = (send(&mut alice, drawn), send(&mut bob, drawn));
    assert!(receive(&mut bob, &first) && receive(&mut alice, &other));
    for _ in 0..5 {
        exchange(&mut alice, &mut bob, drawn);
        exchange(&mut bob, &mut alice, drawn);
        exchange(&mut bob, &mut alice, drawn);
    }
    // Nobody reads his own letters.
    let own = send(&mut alice, drawn);
    assert!(matches!(alice.open(&own.stanza), Ok(None)));
}

#[test]
fn every_answer_begins_an_epoch() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(2, 0);
    let ciphertext = |by: &Ratchet, letter: &Sent| {
        short_of(opened(by, letter).unwrap().pending.header.ciphertext.as_slice())
    };
    let mut seen = HashSet::new();
    for _ in 0..5 {
        let letter = send(&mut alice, drawn);
        assert!(seen.insert(ciphertext(&bob, &letter)));
        assert!(receive(&mut bob, &letter));
        let more = send(&mut alice, drawn);
        assert!(!seen.insert(ciphertext(&bob, &more)), "no answer, no new epoch");
        assert!(receive(&mut bob, &more));
        exchange(&mut bob, &mut alice, drawn);
    }
}

fn short_of(bytes: &[u8]) -> [u8; 32] {
    crypto::sha256(&[bytes])
}

/// What a thief opens of all letters with a state he may take through them in any order.
fn loot(mut state: Ratchet, letters: &[Sent]) -> Vec<usize> {
    let mut found = Vec::new();
    loop {
        let before = found.len();
        for (at, letter) in letters.iter().enumerate() {
            if !found.contains(&at) && receive(&mut state, letter) {
                found.push(at);
            }
        }
        if found.len() == before {
            found.sort_unstable();
            return found;
        }
    }
}

/// The state of a sender, turned to read what he sends.
fn stolen_sender(state: &Ratchet) -> Ratchet {
    let mut state = copy(state);
    let sending = std::mem::replace(
        &mut state.current.sending,
        Sending::new(Line::start(&secret(9), &[9; 32], true), None),
    );
    let (line, epoch) = sending.stolen();
    state.current.receiving = Receiving::stolen(line, epoch);
    state
}

#[test]
fn a_thief_of_the_recipients_state_opens_what_is_on_its_way_and_nothing_else() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(3, 0);
    let mut letters = Vec::new();
    for _ in 0..3 {
        letters.push(exchange(&mut alice, &mut bob, drawn));
        letters.push(exchange(&mut alice, &mut bob, drawn));
        exchange(&mut bob, &mut alice, drawn);
    }
    let before = letters.len();
    // One is late, one is on its way.
    letters.push(send(&mut alice, drawn));
    letters.push(exchange(&mut alice, &mut bob, drawn));
    letters.push(send(&mut alice, drawn));
    let thief = copy(&bob);
    // No answer yet: the thief reads on.
    letters.push(exchange(&mut alice, &mut bob, drawn));
    // One full exchange.
    exchange(&mut bob, &mut alice, drawn);
    for _ in 0..3 {
        letters.push(exchange(&mut alice, &mut bob, drawn));
        exchange(&mut bob, &mut alice, drawn);
    }
    assert_eq!(loot(thief, &letters), [before, before + 2, before + 3]);
    // And the owner can still open the late one.
    assert!(receive(&mut bob, &letters[before]));
}

#[test]
fn a_thief_of_the_senders_state_opens_what_follows_until_the_answer() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(4, 0);
    let mut letters = Vec::new();
    for _ in 0..3 {
        letters.push(exchange(&mut alice, &mut bob, drawn));
        letters.push(exchange(&mut alice, &mut bob, drawn));
        exchange(&mut bob, &mut alice, drawn);
    }
    letters.push(exchange(&mut alice, &mut bob, drawn));
    letters.push(send(&mut alice, drawn));
    let before = letters.len();
    let thief = stolen_sender(&alice);
    letters.push(exchange(&mut alice, &mut bob, drawn));
    letters.push(send(&mut alice, drawn));
    exchange(&mut bob, &mut alice, drawn);
    for _ in 0..3 {
        letters.push(exchange(&mut alice, &mut bob, drawn));
        exchange(&mut bob, &mut alice, drawn);
    }
    assert_eq!(loot(thief, &letters), [before, before + 1]);
}

#[test]
fn a_thief_of_a_sender_who_has_an_answer_opens_nothing_at_all() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(5, 0);
    let mut letters = vec![exchange(&mut alice, &mut bob, drawn)];
    exchange(&mut bob, &mut alice, drawn);
    let thief = stolen_sender(&alice);
    letters.push(exchange(&mut alice, &mut bob, drawn));
    letters.push(exchange(&mut alice, &mut bob, drawn));
    assert!(loot(thief, &letters).is_empty());
}

#[test]
fn every_letter_offers_a_key_that_was_not_there_before() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(24, 0);
    exchange(&mut alice, &mut bob, drawn);
    exchange(&mut bob, &mut alice, drawn);
    let thief = copy(&bob);
    exchange(&mut bob, &mut alice, drawn);
    let answer = exchange(&mut alice, &mut bob, drawn);
    assert!(loot(thief, &[answer]).is_empty());
}

#[test]
fn an_epoch_depends_on_all_that_it_is_made_of() {
    let (key, ciphertext) = ([4; kem::PUBLIC_KEY], [5; kem::CIPHERTEXT]);
    let line = |byte| Line::start(&secret(byte), &[2; 32], true);
    let agreed = |byte, key, ciphertext| Agreed::new(&secret(byte), key, ciphertext);
    let mut seen = HashSet::new();
    for (line, chain) in [
        line(1).step(&agreed(3, &key, &ciphertext)),
        line(0).step(&agreed(3, &key, &ciphertext)),
        line(1).step(&agreed(0, &key, &ciphertext)),
        line(1).step(&agreed(3, &[0; kem::PUBLIC_KEY], &ciphertext)),
        line(1).step(&agreed(3, &key, &[0; kem::CIPHERTEXT])),
    ] {
        assert!(seen.insert(line.next.tag(0)));
        for ahead in 0..3 {
            assert!(seen.insert(chain.peek(ahead).aead(&[0; 32]).seal(&[0; 12], &[], &mut [])));
        }
    }
}

#[test]
fn a_thief_of_what_pairing_left_opens_nothing_without_the_offered_keys() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(6, 0);
    let letters = [exchange(&mut alice, &mut bob, drawn), exchange(&mut alice, &mut bob, drawn)];
    // The pairwise secret and the transcript stay in the book.
    let thief = Ratchet::new(Start {
        secret: &secret(1),
        transcript: [2; 32],
        inviter: false,
        ours: secret(7),
        theirs: kem::SecretKey::from_seed(&secret(3)).public(),
    });
    assert!(loot(thief, &letters).is_empty());
}

#[test]
fn letters_two_thousand_ahead_open_and_so_do_those_they_overtook() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(7, 0);
    exchange(&mut alice, &mut bob, drawn);
    let letters: Vec<_> = (0..2001).map(|_| send(&mut alice, drawn)).collect();
    assert!(receive(&mut bob, &letters[2000]));
    for at in [0, 1, 1000, 1999] {
        assert!(receive(&mut bob, &letters[at]), "{at}");
    }
    // Over the turn of an epoch as well.
    exchange(&mut bob, &mut alice, drawn);
    let next: Vec<_> = (0..2001).map(|_| send(&mut alice, drawn)).collect();
    assert!(receive(&mut bob, &next[2000]));
    assert!(receive(&mut bob, &next[0]) && receive(&mut bob, &letters[500]));
    assert!(bob.encode().unwrap().len() < Ratchet::MAX / 2);
}

#[test]
fn what_lies_beyond_the_window_is_found_again_after_an_answer() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(8, 0);
    exchange(&mut alice, &mut bob, drawn);
    let mut last = send(&mut alice, drawn);
    for _ in 0..WINDOW {
        last = send(&mut alice, drawn);
    }
    assert!(matches!(bob.open(&last.stanza), Ok(None)));
    // Or after a new start.
    let mut deaf = copy(&bob);
    let fault = deaf.in_use();
    assert!(deaf.resync(&fault, &secret(1), NOW).unwrap());
    let mut other = copy(&alice);
    assert_eq!(other.adopt(&deaf.offer().unwrap(), &secret(1), NOW).unwrap(), Adopted::New);
    exchange(&mut other, &mut deaf, drawn);
    exchange(&mut bob, &mut alice, drawn);
    exchange(&mut alice, &mut bob, drawn);
}

#[test]
fn the_last_letter_of_the_window_opens_and_the_one_beyond_does_not() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(26, 0);
    let window = WINDOW as usize;
    exchange(&mut alice, &mut bob, drawn);
    // In the epoch under way, and in the one that an answer begins.
    for _ in 0..2 {
        let letters: Vec<_> = (0..=window).map(|_| send(&mut alice, drawn)).collect();
        assert!(matches!(bob.open(&letters[window].stanza), Ok(None)));
        assert!(receive(&mut bob, &letters[window - 1]));
        for at in [0, window - 2] {
            assert!(receive(&mut bob, &letters[at]), "{at}");
        }
        assert!(receive(&mut bob, &letters[window]));
        exchange(&mut bob, &mut alice, drawn);
    }
}

#[test]
fn the_last_skipped_key_that_fits_is_kept_and_one_more_costs_the_oldest() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(27, 0);
    exchange(&mut alice, &mut bob, drawn);
    let mut skipped = Vec::new();
    for count in [2_047, 2_047, 2] {
        skipped.extend((0..count).map(|_| send(&mut alice, drawn)));
        exchange(&mut alice, &mut bob, drawn);
    }
    assert_eq!(skipped.len(), MAX_SKIPPED);
    assert!(opened(&bob, &skipped[0]).is_some());
    skipped.push(send(&mut alice, drawn));
    exchange(&mut alice, &mut bob, drawn);
    assert!(opened(&bob, &skipped[0]).is_none());
    assert!(opened(&bob, &skipped[1]).is_some());
    // By age, to the hour.
    for (hours, kept) in [(KEEP, true), (KEEP + 1, false)] {
        let at = NOW + u64::from(hours) * 3600;
        let pending = opened(&bob, &send(&mut alice, drawn)).unwrap().pending;
        bob.apply(pending, at, at).unwrap();
        assert_eq!(opened(&bob, &skipped[1]).is_some(), kept, "{hours}");
    }
}

/// Whether 32 bytes are the key of a letter, whatever state they were found in.
fn is_key_of(key: &[u8; 32], letter: &Sent) -> bool {
    let [tag, salt] = letter.stanza.args.as_slice() else { panic!() };
    let decode = |text: &str| crate::text::base64_decode_unpadded(text.as_bytes()).unwrap();
    let (rest, mac) = letter.stanza.body.split_last_chunk::<16>().unwrap();
    let (header, wrapped) = rest.split_last_chunk::<16>().unwrap();
    let key: Secret<32> = crypto::hkdf(key, &decode(salt), label::RATCHET_LETTER);
    let bound = [&decode(tag), header].concat();
    Aead::new(&key).open(&[0; 12], &bound, &mut { *wrapped }, mac).is_ok()
}

/// Whether any 32 bytes of a state are a letter's key, a chain key up to three steps before it, or
/// the seed of the X-Wing key that `answered` names.
fn holds_key(state: &Ratchet, letter: &Sent, answered: Option<[u8; 8]>) -> bool {
    let bytes = state.encode().unwrap();
    bytes.windows(32).any(|window| {
        let mut chain: [u8; 32] = window.try_into().unwrap();
        let mut is_chain = || {
            (0..4).any(|_| {
                let key = crypto::hmac_sha256(&chain, &[label::RATCHET_LETTER]);
                chain = crypto::hmac_sha256(&chain, &[label::RATCHET_CHAIN]);
                is_key_of(&key, letter)
            })
        };
        let seed = || kem::SecretKey::from_seed(&Secret::from_slice(window).unwrap());
        is_key_of(&window.try_into().unwrap(), letter)
            || is_chain()
            || answered.is_some_and(|name| short(&seed().public().to_bytes()) == name)
    })
}

/// A thief of the whole state, who takes it apart instead of asking it.
#[test]
fn no_bytes_of_a_stolen_state_open_what_was_opened() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(28, 0);
    exchange(&mut alice, &mut bob, drawn);
    exchange(&mut bob, &mut alice, drawn);
    let late = send(&mut alice, drawn);
    let first = send(&mut alice, drawn);
    let begun = opened(&bob, &first).unwrap().pending;
    let answered = Some(begun.header.answered);
    assert!(holds_key(&bob, &first, answered), "the seed that the epoch answers");
    bob.apply(begun, NOW, NOW).unwrap();
    let next = send(&mut alice, drawn);
    // The key that was skipped and the chain key are there: the search finds what there is.
    assert!(holds_key(&bob, &late, None) && holds_key(&bob, &next, None));
    assert!(!holds_key(&bob, &first, answered));
    assert!(receive(&mut bob, &late) && receive(&mut bob, &next));
    for letter in [&late, &first, &next] {
        assert!(!holds_key(&bob, letter, answered));
        assert!(!holds_key(&alice, letter, None), "nor does the sender open them");
    }
}

#[test]
fn ten_thousand_steps_of_a_bad_relay() {
    for seed in [9, 109, 209] {
        bad_relay(&mut Drawn(seed, 0));
    }
}

fn bad_relay(drawn: &mut Drawn) {
    let (alice, bob) = pair();
    let mut sides = [alice, bob];
    // By sender: on their way, with the step of sending; and delivered.
    let mut queues: [Vec<(usize, Sent)>; 2] = Default::default();
    let mut delivered: [Vec<Sent>; 2] = Default::default();
    let (mut count, mut largest) = (0, 0);
    for step in 0..10_000 {
        let side = drawn.below(2);
        let queue = &mut queues[side];
        let old = queue.first().is_some_and(|(sent, _)| sent + 100 < step);
        match drawn.below(10) {
            0..5 if !old => {
                let letter = send(&mut sides[side], drawn);
                // Sometimes the writer fails after the state was written: a number is left out.
                if drawn.below(20) > 0 {
                    queue.push((step, letter));
                }
            }
            5 if !queue.is_empty() => drop(queue.remove(drawn.below(queue.len()))),
            6 if !delivered[side].is_empty() => {
                let again = &delivered[side][drawn.below(delivered[side].len())];
                let before = sides[1 - side].encode().unwrap();
                assert!(!receive(&mut sides[1 - side], again), "opened twice");
                assert_eq!(sides[1 - side].encode().unwrap(), before);
            }
            7 if !queue.is_empty() => {
                let mut forged = queue[drawn.below(queue.len())].1.clone();
                let at = drawn.below(forged.stanza.body.len());
                forged.stanza.body[at] ^= 1 << drawn.below(8);
                assert!(opened(&sides[1 - side], &forged).is_none());
            }
            _ if !queue.is_empty() => {
                let at = if old { 0 } else { drawn.below(queue.len()) };
                let (_, letter) = queue.remove(at);
                assert!(receive(&mut sides[1 - side], &letter), "step {step}");
                delivered[side].push(letter);
                count += 1;
            }
            _ => {}
        }
        if step % 10 == 0 {
            let bytes = sides[side].encode().unwrap();
            largest = largest.max(bytes.len());
            sides[side] = Ratchet::decode(&bytes).unwrap();
            assert_eq!(sides[side].encode().unwrap(), bytes);
        }
    }
    assert!(count > 2_500, "{count} delivered");
    assert!(largest < 32 << 10, "{largest} bytes of state");
}

/// Every eight bytes of tags, salts and bodies, over a run with answers, losses and repeats.
#[test]
fn nothing_in_the_clear_repeats() {
    let drawn = &mut Drawn(10, 0);
    let (mut alice, mut bob) = pair();
    let mut seen = HashSet::new();
    for round in 0..300 {
        let letter = if round % 3 == 2 { send(&mut bob, drawn) } else { send(&mut alice, drawn) };
        if round % 7 != 0 {
            receive(if round % 3 == 2 { &mut alice } else { &mut bob }, &letter);
        }
        let [tag, salt] = letter.stanza.args.as_slice() else { panic!() };
        let decode = |text: &str| crate::text::base64_decode_unpadded(text.as_bytes()).unwrap();
        for part in [decode(tag), decode(salt), letter.stanza.body] {
            for window in part.windows(8) {
                assert!(seen.insert(<[u8; 8]>::try_from(window).unwrap()), "round {round}");
            }
        }
    }
}

#[test]
fn changed_stanzas_open_nothing_and_change_nothing() {
    let (mut alice, bob) = pair();
    let drawn = &mut Drawn(11, 0);
    let letter = send(&mut alice, drawn);
    for at in (0..letter.stanza.body.len()).step_by(37).chain([letter.stanza.body.len() - 1]) {
        let mut changed = letter.clone();
        changed.stanza.body[at] ^= 1;
        assert!(matches!(bob.open(&changed.stanza), Err(Error::Damaged)), "byte {at}");
        changed.stanza.body.truncate(at);
        assert!(matches!(bob.open(&changed.stanza), Err(Error::Malformed(_))), "cut at {at}");
    }
    let other = send(&mut alice, drawn);
    let mut mixed = letter.clone();
    mixed.stanza.args[1] = other.stanza.args[1].clone();
    assert!(matches!(bob.open(&mixed.stanza), Err(Error::Damaged)));
    mixed.stanza = other.stanza.clone();
    mixed.stanza.args[0] = letter.stanza.args[0].clone();
    assert!(matches!(bob.open(&mixed.stanza), Err(Error::Damaged)));
    mixed.stanza.args.push("more".into());
    assert!(matches!(bob.open(&mixed.stanza), Err(Error::Malformed(_))));
    mixed.stanza.kind = "X25519".into();
    assert!(matches!(bob.open(&mixed.stanza), Ok(None)));
    assert!(opened(&bob, &letter).is_some() && opened(&bob, &other).is_some());
}

proptest! {
    #[test]
    fn any_stanza_is_survived(
        kind in prop_oneof![Just(KIND.to_owned()), "[ -~]{0,20}"],
        args in prop::collection::vec("[A-Za-z0-9+/]{0,50}", 0..4),
        body in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let (_, bob) = pair();
        let opened = bob.open(&age::Stanza { kind, args, body });
        prop_assert!(!matches!(opened, Ok(Some(_))));
    }

    #[test]
    fn any_state_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..4000), cut in 0..8000usize) {
        let _ = Ratchet::decode(&bytes);
        let good = pair().0.encode().unwrap();
        if cut < good.len() {
            prop_assert!(Ratchet::decode(&good[..cut]).is_err());
        }
    }
}

#[test]
fn copies_of_a_state_never_share_a_key_and_are_noticed() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(12, 0);
    exchange(&mut alice, &mut bob, drawn);
    exchange(&mut bob, &mut alice, drawn);
    exchange(&mut alice, &mut bob, drawn);
    let mut twin = copy(&alice);
    let (one, other) = (send(&mut alice, drawn), send(&mut twin, drawn));
    assert_eq!(one.stanza.args[0], other.stanza.args[0], "the same number");
    // Under one key and nonce the difference of the bodies would be that of the file keys.
    let wrapped =
        |letter: &Sent| letter.stanza.body[letter.stanza.body.len() - 32..][..16].to_vec();
    let difference =
        |a: &[u8], b: &[u8]| -> Vec<u8> { a.iter().zip(b).map(|(a, b)| a ^ b).collect() };
    assert_ne!(
        difference(&wrapped(&one), &wrapped(&other)),
        difference(&one.file_key, &other.file_key)
    );
    // Both could be opened; once one was, the other is a conflict, and no replay.
    assert!(opened(&bob, &other).is_some());
    assert!(receive(&mut bob, &one));
    assert!(matches!(bob.open(&one.stanza), Ok(Some(Outcome::Replay))));
    let Ok(Some(Outcome::Conflict(fault))) = bob.open(&other.stanza) else { panic!() };
    // Bob offers a new start, once; whoever of the two reads it goes on.
    assert!(bob.resync(&fault, &secret(1), NOW).unwrap());
    assert!(!bob.resync(&fault, &secret(1), NOW).unwrap());
    assert!(matches!(try_send(&mut bob, drawn), Err(Error::Unanswered)));
    let offer = bob.offer().unwrap();
    assert_eq!(twin.adopt(&offer, &secret(1), NOW + 1).unwrap(), Adopted::New);
    assert_eq!(twin.adopt(&offer, &secret(1), NOW + 1).unwrap(), Adopted::Known);
    exchange(&mut twin, &mut bob, drawn);
    exchange(&mut bob, &mut twin, drawn);
    assert!(bob.offer().is_none());
    // What the other still sends in the old session opens.
    exchange(&mut alice, &mut bob, drawn);
}

#[test]
fn an_epoch_begun_twice_by_copies_is_a_conflict() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(13, 0);
    exchange(&mut alice, &mut bob, drawn);
    exchange(&mut bob, &mut alice, drawn);
    let mut twin = copy(&alice);
    exchange(&mut alice, &mut bob, drawn);
    send(&mut twin, drawn);
    let other = send(&mut twin, drawn);
    assert!(matches!(bob.open(&other.stanza), Ok(Some(Outcome::Conflict(_)))));
}

#[test]
fn a_restored_state_finds_out_by_itself() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(14, 0);
    exchange(&mut alice, &mut bob, drawn);
    let mut restored = copy(&alice);
    exchange(&mut alice, &mut bob, drawn);
    let answer = send(&mut bob, drawn);
    let found = opened(&restored, &answer);
    let fault = match found {
        Some(opened) => restored.apply(opened.pending, NOW, NOW).unwrap().unwrap(),
        None => match restored.open(&answer.stanza) {
            Ok(Some(Outcome::Lost(fault))) => fault,
            _ => panic!(),
        },
    };
    assert!(restored.resync(&fault, &secret(1), NOW).unwrap());
    let offer = restored.offer().unwrap();
    assert_eq!(bob.adopt(&offer, &secret(1), NOW).unwrap(), Adopted::New);
    exchange(&mut bob, &mut restored, drawn);
    exchange(&mut restored, &mut bob, drawn);
}

#[test]
fn an_answer_to_a_key_that_a_restored_state_never_had_is_lost_and_said_to_be() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(15, 0);
    exchange(&mut alice, &mut bob, drawn);
    exchange(&mut bob, &mut alice, drawn);
    let restored = copy(&alice);
    exchange(&mut alice, &mut bob, drawn);
    let answer = send(&mut bob, drawn);
    assert!(matches!(restored.open(&answer.stanza), Ok(Some(Outcome::Lost(_)))));
    // The true state sees nothing wrong.
    let pending = opened(&alice, &answer).unwrap().pending;
    assert_eq!(alice.apply(pending, NOW, NOW).unwrap(), None);
}

#[test]
fn a_lost_state_is_offered_anew_and_the_old_one_opens_for_a_while() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(16, 0);
    exchange(&mut alice, &mut bob, drawn);
    let late = send(&mut alice, drawn);
    let never = send(&mut alice, drawn);
    let mut alice = Ratchet::recover(&secret(1), NOW).unwrap();
    assert!(matches!(try_send(&mut alice, drawn), Err(Error::Unanswered)));
    let offer = alice.offer().unwrap();
    let read: Offer = wire::decode(&wire::encode(&offer).unwrap()).unwrap();
    assert_eq!(bob.adopt(&read, &secret(1), NOW).unwrap(), Adopted::New);
    assert!(receive(&mut bob, &late));
    exchange(&mut bob, &mut alice, drawn);
    exchange(&mut alice, &mut bob, drawn);
    let mut later = copy(&bob);
    later.seal(NOW + u64::from(KEEP + 1) * 3600).unwrap();
    assert!(opened(&bob, &never).is_some());
    assert!(opened(&later, &never).is_none());
    // Another pairwise secret is another session.
    let mut stranger = Ratchet::answer(&offer, &secret(8), NOW).unwrap();
    let letter = send(&mut stranger, drawn);
    assert!(matches!(alice.open(&letter.stanza), Ok(None)));
}

#[test]
fn of_two_offers_that_cross_one_stands() {
    let drawn = &mut Drawn(17, 0);
    for _ in 0..4 {
        let mut alice = Ratchet::recover(&secret(1), NOW).unwrap();
        let mut bob = Ratchet::recover(&secret(1), NOW).unwrap();
        let (one, other) = (alice.offer().unwrap(), bob.offer().unwrap());
        let at_bob = bob.adopt(&one, &secret(1), NOW).unwrap();
        let at_alice = alice.adopt(&other, &secret(1), NOW).unwrap();
        assert!(matches!(
            (at_alice, at_bob),
            (Adopted::New, Adopted::Older) | (Adopted::Older, Adopted::New)
        ));
        let (mut asker, mut answerer) =
            if at_bob == Adopted::New { (alice, bob) } else { (bob, alice) };
        exchange(&mut answerer, &mut asker, drawn);
        exchange(&mut asker, &mut answerer, drawn);
    }
}

#[test]
fn clocks_that_disagree_do_not_keep_two_apart() {
    let drawn = &mut Drawn(18, 0);
    let mut bob = Ratchet::recover(&secret(1), NOW + 1_000_000).unwrap();
    let mut alice = Ratchet::answer(&bob.offer().unwrap(), &secret(1), NOW + 1_000_000).unwrap();
    exchange(&mut alice, &mut bob, drawn);
    // Alice loses her state, and her clock is behind: Bob offers a later start himself.
    let mut alice = Ratchet::recover(&secret(1), NOW).unwrap();
    let offer = alice.offer().unwrap();
    assert_eq!(bob.adopt(&offer, &secret(1), NOW + 1_000_000).unwrap(), Adopted::Older);
    assert_eq!(bob.adopt(&offer, &secret(1), NOW + 1_000_000).unwrap(), Adopted::Known);
    let counter = bob.offer().unwrap();
    assert_eq!(alice.adopt(&counter, &secret(1), NOW + 1).unwrap(), Adopted::New);
    exchange(&mut alice, &mut bob, drawn);
    exchange(&mut bob, &mut alice, drawn);
    // A relay that brings the old offer again changes nothing.
    assert_eq!(bob.adopt(&offer, &secret(1), NOW + 1_000_000).unwrap(), Adopted::Known);
    assert!(bob.offer().is_none());
}

/// Bob's fault with a letter that does not open.
fn fault(bob: &Ratchet, letter: &Sent) -> Fault {
    match bob.open(&letter.stanza) {
        Ok(Some(Outcome::Conflict(fault) | Outcome::Lost(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_old_backup_is_noticed_by_either_side() {
    for (exchanges, one_more) in [(1, false), (12, false), (12, true), (60, false)] {
        let (mut alice, mut bob) = pair();
        let drawn = &mut Drawn(23, 0);
        exchange(&mut alice, &mut bob, drawn);
        let mut restored = copy(&alice);
        if one_more {
            exchange(&mut alice, &mut bob, drawn);
        }
        for _ in 0..exchanges {
            exchange(&mut bob, &mut alice, drawn);
            exchange(&mut alice, &mut bob, drawn);
        }
        let fault = fault(&bob, &send(&mut restored, drawn));
        assert!(bob.resync(&fault, &secret(1), NOW).unwrap());
        let offer = bob.offer().unwrap();
        assert_eq!(restored.adopt(&offer, &secret(1), NOW).unwrap(), Adopted::New);
        exchange(&mut restored, &mut bob, drawn);
        exchange(&mut bob, &mut restored, drawn);
    }
}

#[test]
fn a_backup_that_is_restored_twice_is_noticed_twice_and_a_replay_is_no_reason() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(24, 0);
    exchange(&mut alice, &mut bob, drawn);
    let backup = copy(&alice);
    exchange(&mut alice, &mut bob, drawn);
    for _ in 0..3 {
        let mut restored = copy(&backup);
        let letter = send(&mut restored, drawn);
        let fault = fault(&bob, &letter);
        assert!(bob.resync(&fault, &secret(1), NOW).unwrap());
        let offer = bob.offer().unwrap();
        assert_eq!(restored.adopt(&offer, &secret(1), NOW).unwrap(), Adopted::New);
        exchange(&mut restored, &mut bob, drawn);
        exchange(&mut bob, &mut restored, drawn);
        // Whoever brings the letter again does not take the forward secrecy away again.
        let again = self::fault(&bob, &letter);
        assert!(!bob.resync(&again, &secret(1), NOW).unwrap());
        assert!(bob.offer().is_none());
    }
}

#[test]
fn who_writes_in_a_session_that_he_had_left_was_restored() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(25, 0);
    exchange(&mut alice, &mut bob, drawn);
    let under_way = send(&mut alice, drawn);
    let mut backup = copy(&alice);
    let letter = send(&mut backup, drawn);
    let renewed = bob.in_use();
    assert!(bob.resync(&renewed, &secret(1), NOW).unwrap());
    assert_eq!(alice.adopt(&bob.offer().unwrap(), &secret(1), NOW).unwrap(), Adopted::New);
    exchange(&mut alice, &mut bob, drawn);
    let later = NOW + 5 * 3600;
    let of = |bob: &Ratchet, letter| opened(bob, letter).unwrap().pending;
    assert_eq!(bob.apply(of(&bob, &under_way), NOW, later).unwrap(), None);
    let fault = bob.apply(of(&bob, &letter), later, later).unwrap().unwrap();
    assert!(bob.resync(&fault, &secret(1), NOW).unwrap());
}

#[test]
fn an_offer_that_waits_is_not_pushed_out_by_another() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(26, 0);
    let under_way = send(&mut alice, drawn);
    for n in 0..4 {
        let renewed = bob.in_use();
        assert_eq!(bob.resync(&renewed, &secret(1), NOW + n).unwrap(), n == 0);
    }
    assert!(receive(&mut bob, &under_way));
}

#[test]
fn a_state_that_was_stored_uses_no_number_again() {
    let (mut alice, _) = pair();
    let key = alice.seal(NOW).unwrap();
    let next = copy(&alice).seal(NOW).unwrap();
    assert_eq!((key.number, next.number), (0, 1));
    assert_eq!(format!("{alice:?}{key:?}"), "Ratchet(..)LetterKey(..)");
}

#[test]
fn a_letter_opened_twice_at_once_is_applied_once() {
    let (mut alice, mut bob) = pair();
    let letter = send(&mut alice, &mut Drawn(19, 0));
    let (one, other) = (opened(&bob, &letter).unwrap(), opened(&bob, &letter).unwrap());
    bob.apply(one.pending, NOW, NOW).unwrap();
    let before = bob.encode().unwrap();
    assert!(matches!(bob.apply(other.pending, NOW, NOW), Err(Error::Spent)));
    assert_eq!(bob.encode().unwrap(), before);
}

#[test]
fn a_sender_who_gets_no_answer_stays_small_and_is_answered() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(20, 0);
    let first = send(&mut alice, drawn);
    let mut sizes = Vec::new();
    for _ in 0..200 {
        exchange(&mut alice, &mut bob, drawn);
        sizes.push(alice.encode().unwrap().len());
    }
    assert!(sizes.iter().all(|size| *size < 8 << 10), "{sizes:?}");
    // An answer to the first key and one to the last.
    let (_, mut slow) = pair();
    assert!(receive(&mut slow, &first));
    let answer = send(&mut slow, drawn);
    assert!(opened(&alice, &answer).is_some());
    exchange(&mut bob, &mut alice, drawn);
    exchange(&mut alice, &mut bob, drawn);
}

#[test]
fn the_fullest_state_fits_and_forgets_the_oldest() {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(21, 0);
    let mut firsts = Vec::new();
    for _ in 0..4 {
        firsts.push(send(&mut alice, drawn));
        for _ in 0..1500 {
            send(&mut alice, drawn);
        }
        exchange(&mut alice, &mut bob, drawn);
        exchange(&mut bob, &mut alice, drawn);
    }
    let size = bob.encode().unwrap().len();
    assert!(size < Ratchet::MAX / 2, "{size}");
    assert!(opened(&bob, &firsts[0]).is_none(), "forgotten");
    assert!(opened(&bob, &firsts[3]).is_some());
    // And by age.
    let late = NOW + u64::from(KEEP + 1) * 3600;
    let letter = send(&mut alice, drawn);
    let pending = opened(&bob, &letter).unwrap().pending;
    bob.apply(pending, late, late).unwrap();
    assert!(opened(&bob, &firsts[3]).is_none());
    assert!(bob.encode().unwrap().len() < 8 << 10);
}

fn stanza_json(stanza: &age::Stanza) -> Value {
    json!({ "kind": stanza.kind, "args": stanza.args, "body": hex_encode(&stanza.body) })
}

fn start_json() -> Value {
    json!({
        "pairwise_secret": hex_encode(&[1; 32]),
        "transcript": hex_encode(&[2; 32]),
        "inviter_seed": hex_encode(&[3; 32]),
        "joiner_seed": hex_encode(&[4; 32]),
    })
}

/// What is drawn: see `Drawn`, which is said in words here.
const RANDOM: &str = "SHA-256(u64 22 || u64 i) for i = 1, 2, ..., big-endian; each draw begins \
    with a block of its own. A letter draws its file key (16 bytes), then, when it begins an \
    epoch, 64 for the encapsulation, then the seed of the key it offers (32), then the salt (32)";

/// Letters of both sides, some late, and the states they lead to.
fn conversation() -> Value {
    let (alice, bob) = pair();
    let drawn = &mut Drawn(22, 0);
    let mut sides = [alice, bob];
    let mut held: Vec<(usize, Sent)> = Vec::new();
    let mut letters = Vec::new();
    // By whom, and whether it is delivered at once.
    let plan =
        [(0, true), (1, true), (0, false), (0, true), (1, true), (0, true), (1, false), (1, true)];
    for (from, at_once) in plan {
        let letter = send(&mut sides[from], drawn);
        letters.push(json!({
            "from": (["inviter", "joiner"][from]),
            "at_once": at_once,
            "file_key": hex_encode(&letter.file_key),
            "stanza": stanza_json(&letter.stanza),
        }));
        if at_once {
            assert!(receive(&mut sides[1 - from], &letter));
        } else {
            held.push((from, letter));
        }
    }
    for (from, letter) in held {
        assert!(receive(&mut sides[1 - from], &letter));
    }
    json!({
        "what": "letters in the order they were written; each is opened and applied before the \
            next one is written when it is delivered at once, and at the end, in order, when not",
        "random": RANDOM,
        "start": start_json(),
        "unix_time": NOW,
        "letters": letters,
        "inviter_state": hex_encode(&sides[0].encode().unwrap()),
        "joiner_state": hex_encode(&sides[1].encode().unwrap()),
    })
}

/// What a recipient says of stanzas that are none, or were changed, or came before.
fn refused() -> Value {
    let (mut alice, mut bob) = pair();
    let drawn = &mut Drawn(22, 0);
    let first = exchange(&mut alice, &mut bob, drawn);
    let mut twin = copy(&alice);
    let second = exchange(&mut alice, &mut bob, drawn);
    let good = send(&mut alice, drawn);
    let changed = |change: &dyn Fn(&mut age::Stanza)| {
        let mut stanza = good.stanza.clone();
        change(&mut stanza);
        stanza
    };
    let cases = [
        ("in order", good.stanza.clone()),
        ("the type of another", changed(&|s| s.kind = "X25519".into())),
        ("the tag of nobody", changed(&|s| s.args[0] = "A".repeat(22))),
        ("no salt", changed(&|s| s.args.truncate(1))),
        ("an argument more", changed(&|s| s.args.push("more".into()))),
        ("a tag of 15 bytes", changed(&|s| s.args[0] = "A".repeat(20))),
        ("a tag that is not canonical", changed(&|s| s.args[0].replace_range(21.., "B"))),
        ("a body without its end", changed(&|s| s.body.truncate(2412))),
        ("a body with a byte more", changed(&|s| s.body.push(0))),
        ("an empty body", changed(&|s| s.body.clear())),
        ("another salt", changed(&|s| s.args[1] = first.stanza.args[1].clone())),
        (
            "the tag of a later letter",
            changed(&|s| {
                s.args[0] = send(&mut copy(&alice), &mut Drawn(23, 0)).stanza.args[0].clone()
            }),
        ),
        ("a header changed", changed(&|s| s.body[0] ^= 1)),
        ("a file key changed", changed(&|s| s.body[2400] ^= 1)),
        ("opened before", second.stanza.clone()),
        ("another letter under a number that was used", send(&mut twin, drawn).stanza),
    ];
    let cases: Vec<_> = cases
        .into_iter()
        .map(|(name, stanza)| {
            let expect = match bob.open(&stanza) {
                Ok(None) => "not ours",
                Ok(Some(Outcome::Opened(_))) => "opened",
                Ok(Some(Outcome::Replay)) => "replay",
                Ok(Some(Outcome::Conflict(_))) => "conflict",
                Ok(Some(Outcome::Lost(_))) => "lost",
                Err(Error::Malformed(_)) => "malformed",
                Err(Error::Damaged) => "damaged",
                Err(other) => panic!("{name}: {other}"),
            };
            json!({ "name": name, "expect": expect, "stanza": stanza_json(&stanza) })
        })
        .collect();
    json!({
        "what": "what a joiner says of stanzas; `state` is his",
        "state": hex_encode(&bob.encode().unwrap()),
        "cases": cases,
    })
}

/// A new start: an offer and the answer to it.
fn restart() -> Value {
    let drawn = &mut Drawn(22, 0);
    let session = Session::offering(&secret(1), NOW, &mut |out| drawn.fill(out)).unwrap();
    let mut alice = Ratchet::of(session);
    let offer = alice.offer().unwrap();
    let mut bob = Ratchet::answer(&offer, &secret(1), NOW).unwrap();
    let answer = exchange(&mut bob, &mut alice, drawn);
    let next = exchange(&mut alice, &mut bob, drawn);
    json!({
        "what": "an offer, the first letter under it, and that of the offering side; the offer draws its seed (32), then its secret (32)",
        "random": RANDOM,
        "pairwise_secret": hex_encode(&[1; 32]),
        "offer": hex_encode(&wire::encode(&offer).unwrap()),
        "transcript": hex_encode(&alice.current.id),
        "answer": { "file_key": hex_encode(&answer.file_key), "stanza": stanza_json(&answer.stanza) },
        "next": { "file_key": hex_encode(&next.file_key), "stanza": stanza_json(&next.stanza) },
    })
}

/// Bytes that change are a new version of the stanza or of the state: `BLESS=1` writes them.
#[test]
fn published_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ratchet");
    let all = [("conversation", conversation()), ("refused", refused()), ("restart", restart())];
    for (name, made) in all {
        let path = folder.join(name).with_extension("json");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        }
        let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert!(kept == made, "{name} changed");
    }
}

#[test]
fn a_pairing_retires_the_ratchets_before_it() {
    let mut drawn = Drawn(70, 0);
    let (mut alice, bob) = pair();
    let letters = [send(&mut alice, &mut drawn), send(&mut alice, &mut drawn)];
    let mut sessions = Sessions::default();
    sessions.begin([1; 32], NOW, || bob);
    sessions.begin([2; 32], NOW, || Ratchet::recover(&secret(9), NOW).unwrap());
    // What is on its way opens for a while.
    for letter in &letters {
        let Ok(Some((machine, Outcome::Opened(_)))) = sessions.open(&letter.stanza) else {
            panic!("not opened")
        };
        assert_eq!(machine, [1; 32]);
    }
    // A pairing that is taken up again changes nothing.
    let keep = u64::from(KEEP) * 3600;
    sessions.begin([2; 32], NOW + keep, || Ratchet::recover(&secret(9), NOW).unwrap());
    assert!(sessions.open(&letters[0].stanza).unwrap().is_some());
    sessions.begin([2; 32], NOW + keep + 3600, || Ratchet::recover(&secret(9), NOW).unwrap());
    assert!(sessions.open(&letters[0].stanza).unwrap().is_none());
}

/// A thief of the recipient's backup has the pairwise secret and the card's key: it reads an offer of
/// the contact's, and by that the headers of the answer and the key in them.
#[test]
fn a_thief_who_reads_an_offer_does_not_write_under_it() {
    let drawn = &mut Drawn(71, 0);
    let mut alice = Ratchet::recover(&secret(1), NOW).unwrap();
    let offer = alice.offer().unwrap();
    let mut bob = Ratchet::answer(&offer, &secret(1), NOW).unwrap();
    let forge = |key: Box<[u8; kem::PUBLIC_KEY]>, drawn: &mut Drawn| {
        let random: &mut Random<'_> = &mut |out| drawn.fill(out);
        let line = Line::start(&secret(1), &transcript_of(&offer), true);
        let mut sending = Sending::new(line, Some(key.clone()));
        sending.turn(random).unwrap();
        let ack = stanza::Ack { epoch: [0; 4], id: [0; 8], next: [0; 4] };
        sending.next(ack, key).unwrap().stanza(&[0; 16], random).unwrap()
    };
    // Before the answer, with a key of the thief's own.
    let own = Box::new(kem::SecretKey::from_seed(&secret(7)).public().to_bytes());
    assert!(matches!(bob.open(&forge(own, drawn)), Ok(None)));
    // After it, with the key that Bob offered.
    let answer = send(&mut bob, drawn);
    let parsed = Parsed::read(&answer.stanza).unwrap().unwrap();
    let keys = Line::start(&secret(1), &transcript_of(&offer), false).next;
    let offered = parsed.header(&keys).unwrap().offered;
    assert!(matches!(bob.open(&forge(offered, drawn)), Ok(None)));
    assert!(receive(&mut alice, &answer));
    exchange(&mut alice, &mut bob, drawn);
    exchange(&mut bob, &mut alice, drawn);
}

/// The transcript of a session that an offer begins.
fn transcript_of(offer: &Offer) -> [u8; 32] {
    Ratchet::answer(offer, &secret(1), NOW).unwrap().current.id
}
