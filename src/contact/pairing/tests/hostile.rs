//! Somebody who has the invite, or the other side itself, breaks one rule at a time.

use super::*;
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{Bytes, Exchange, Hand, Join, Later, Opening, Reveal, Sort};
use crate::contact::pairing::side::Party;
use crate::contact::pairing::state::{Joined, Move, Offered, State};
use crate::crypto::{self, Aead, label};
use crate::kem::{self, PublicKey};
use crate::wire;

/// A party whose hand was changed before anything is made of it.
fn party(person: &Person, role: Role, invite: &Invite, change: impl FnOnce(&mut Hand)) -> Party {
    let begin = Chain::begin(invite).unwrap();
    let mut party = Party::new(person.seed(), &person.own(), role, begin.hash()).unwrap();
    change(&mut party.hand);
    party
}

fn receive(state: State, bytes: &[u8]) -> Result<Option<Move>, Error> {
    match state {
        State::Offered(state) => state.receive(bytes, NOW),
        State::Answered(state) => state.receive(bytes, NOW),
        State::Joined(state) => state.receive(bytes, NOW),
        State::Comparing(state) => state.receive(bytes, NOW),
        State::Settled(state) => state.receive(bytes, NOW),
        State::Closed(_) => Ok(None),
        State::Called(state) => state.receive(bytes, NOW),
        State::Heard(state) => state.receive(bytes, NOW),
        State::Proved(state) => state.receive(bytes, NOW),
    }
}

/// A secret pairing in which one hand was changed: what the other side says.
fn with_hand(role: Role, change: impl FnOnce(&mut Hand)) -> Error {
    let (offered, invite) = ann().offer(false);
    if role == Role::Inviter {
        let hostile = Offered::new(invite.clone(), party(&ann(), role, &invite, change));
        let joined = bob().join(&invite);
        let answered = receive(State::Offered(hostile), sent(&joined)).unwrap().unwrap();
        return joined.state.receive(&answered.send[0].bytes, NOW).unwrap_err();
    }
    let hostile = party(&bob(), role, &invite, change);
    let joined = Joined::begin(invite, hostile, bob().meeting()).unwrap();
    let answered = step(&offered, &joined.send[0].bytes);
    let finished = receive(joined.state, sent(&answered)).unwrap().unwrap();
    answered.state.receive(&finished.send[0].bytes, NOW).unwrap_err()
}

#[test]
fn nobody_hands_over_a_card_that_is_anothers() {
    for role in [Role::Inviter, Role::Joiner] {
        let carl = Person::new(3).card;
        let borrowed = with_hand(role, |hand| hand.card = Bytes(carl.to_bytes().to_vec()));
        assert!(matches!(borrowed, Error::CardBorrowed), "{role:?}");
        // Nor with what its owner signed in another pairing.
        let other = Person::new(4).offer(false).1;
        let carls = party(&Person::new(3), role, &other, |_| {}).hand;
        let (card, signature) = (carls.card, carls.signature);
        let replayed = with_hand(role, |hand| {
            hand.card = card;
            hand.signature = signature;
        });
        assert!(matches!(replayed, Error::CardBorrowed), "{role:?}");
    }
}

#[test]
fn hands_that_break_a_rule_are_refused() {
    for role in [Role::Inviter, Role::Joiner] {
        let blind = Arc::new(Secret::take(&mut [0; 32]));
        let changed = with_hand(role, |hand| hand.blind = blind);
        assert!(matches!(changed, Error::CardChanged), "{role:?}");
        let moved =
            with_hand(role, |hand| hand.address.mailbox = Person::new(3).address(1).mailbox);
        assert!(matches!(moved, Error::CardBorrowed), "{role:?}");
        let weak = with_hand(role, |hand| hand.address.mailbox = [0; 32]);
        assert!(matches!(weak, Error::Mailbox), "{role:?}");
        let nowhere = with_hand(role, |hand| hand.address.relay = "gopher://x".into());
        assert!(matches!(nowhere, Error::Relay(_)), "{role:?}");
    }
    // A signature holds for one role.
    let (_, invite) = ann().offer(false);
    let other = party(&bob(), Role::Inviter, &invite, |_| {}).hand.signature;
    assert!(matches!(with_hand(Role::Joiner, |hand| hand.signature = other), Error::CardBorrowed));
}

/// Everything that somebody makes who has the invite and read the joiner's first message.
struct Forger {
    joined: Step,
    chain: Chain,
    key: PublicKey,
    opening: Opening,
}

impl Forger {
    fn new(public: bool) -> (Self, Pairing) {
        let (offered, invite) = ann().offer(public);
        let joined = bob().join(&invite);
        let mut chain = Chain::begin(&invite).unwrap();
        let record = message::open(&chain.outer(), Sort::Join, sent(&joined)).unwrap();
        chain.mix(&record);
        let join: Join = wire::decode(&record).unwrap();
        let key = PublicKey::from_bytes(&join.opening.key).unwrap();
        let opening = ann().seed().opening(&ann().card);
        (Self { joined, chain, key, opening }, offered)
    }

    /// An answer with a secret of the forger's, and the chain after it.
    fn answer(&self, reveal: &Reveal) -> (Vec<u8>, Chain) {
        let (encapsulated, shared) = kem::encapsulate(&self.key).unwrap();
        let mut chain = self.chain.clone();
        chain.mix(&encapsulated);
        chain.agree(&shared);
        let sealed = chain.seal(&message::encode(reveal).unwrap());
        (self.sealed(&Exchange { encapsulated, sealed }), chain)
    }

    fn sealed(&self, exchange: &Exchange) -> Vec<u8> {
        let record = message::encode(exchange).unwrap();
        message::seal(&self.chain.outer(), Sort::Answer, &record).unwrap()
    }

    fn refused(&self, bytes: &[u8]) -> Error {
        self.joined.state.receive(bytes, NOW).unwrap_err()
    }
}

#[test]
fn an_answer_opens_the_commitment_or_is_refused() {
    let (forger, _) = Forger::new(true);
    for change in [
        |opening: &mut Opening| opening.nonce[0] ^= 1,
        |opening: &mut Opening| opening.card[0] ^= 1,
        |opening: &mut Opening| *opening.key = Person::new(3).seed().kem().public().to_bytes(),
    ] {
        let mut opening = forger.opening.clone();
        change(&mut opening);
        let (bytes, _) = forger.answer(&Reveal { opening, hand: None });
        assert!(matches!(forger.refused(&bytes), Error::Commitment));
    }
}

/// The relay of a public invite answers with its own secret and Ann's opening, which it has seen:
/// the digits agree, and nothing else. Nobody gets a card or a contact.
#[test]
fn who_shows_anothers_opening_agrees_on_no_key() {
    let (forger, offered) = Forger::new(true);
    let reveal = Reveal { opening: forger.opening.clone(), hand: None };
    let (bytes, chain) = forger.answer(&reveal);
    let bobs = step(&forger.joined.state, &bytes);
    let anns = step(&offered, sent(&forger.joined));
    assert!(anns.state.receive(sent(&bobs), NOW).unwrap().is_none());
    // The relay reads the outside of what Bob says, and not the inside.
    let record = message::open(&chain.outer(), Sort::Finish, sent(&bobs)).unwrap();
    let exchange: Exchange = wire::decode(&record).unwrap();
    let mut guess = chain.clone();
    guess.mix(&exchange.encapsulated);
    guess.agree(&Secret::take(&mut [0; 32]));
    assert!(matches!(guess.open(&exchange.sealed), Err(Error::Forged)));
}

#[test]
fn answers_that_break_a_rule_are_refused() {
    for public in [false, true] {
        let (forger, _) = Forger::new(public);
        let garbage = |sealed: Vec<u8>| {
            let (encapsulated, _) = kem::encapsulate(&forger.key).unwrap();
            forger.sealed(&Exchange { encapsulated, sealed })
        };
        assert!(matches!(forger.refused(&garbage(vec![7; 100])), Error::Forged));
        assert!(matches!(forger.refused(&garbage(vec![7; 3])), Error::Forged));
        let (mut encapsulated, _) = kem::encapsulate(&forger.key).unwrap();
        encapsulated[1088..].fill(0);
        let low = forger.sealed(&Exchange { encapsulated, sealed: vec![0; 16] });
        assert!(matches!(forger.refused(&low), Error::Key(kem::Error::Ciphertext)));
        let record = message::seal(&forger.chain.outer(), Sort::Answer, &[1, 2, 3]).unwrap();
        assert!(matches!(forger.refused(&record), Error::Record(_)));
        let (_, invite) = ann().offer(false);
        let hand = public.then(|| party(&ann(), Role::Inviter, &invite, |_| {}).hand);
        let (bytes, _) = forger.answer(&Reveal { opening: forger.opening.clone(), hand });
        assert!(matches!(forger.refused(&bytes), Error::Malformed(_)));
        // The state is as it was, and takes the true answer.
        let (offered, _) = ann().offer(public);
        let answered = step(&offered, sent(&forger.joined));
        let _ = step(&forger.joined.state, sent(&answered));
    }
}

/// Whoever reads a public invite could refuse in the inviter's name: nobody listens.
#[test]
fn a_refusal_counts_by_a_secret_invite_only() {
    for public in [false, true] {
        let (forger, _) = Forger::new(public);
        let record = message::encode(&Refusal::Used).unwrap();
        let refusal = message::seal(&forger.chain.outer(), Sort::Refusal, &record).unwrap();
        let heard = forger.joined.state.receive(&refusal, NOW).unwrap();
        assert_eq!(heard.is_none(), public);
    }
}

#[test]
fn an_answer_with_a_key_of_low_order_is_refused() {
    let (forger, _) = Forger::new(false);
    let (_, invite) = ann().offer(false);
    let mut opening = forger.opening.clone();
    opening.key[1184..].fill(0);
    let begin = Chain::begin(&invite).unwrap();
    let mut hand = party(&ann(), Role::Inviter, &invite, |_| {}).hand;
    let signed = message::Signed {
        role: Role::Inviter.byte(),
        invite: *begin.hash(),
        opening: opening.clone(),
        address: hand.address.clone(),
    };
    let signer = ann().identity.signer();
    hand.signature =
        signer.sign_labelled(label::PAIRING_HAND, &[&message::encode(&signed).unwrap()]);
    let (bytes, _) = forger.answer(&Reveal { opening, hand: Some(hand) });
    assert!(matches!(forger.refused(&bytes), Error::Key(kem::Error::PublicKey)));
}

#[test]
fn first_messages_that_break_a_rule_are_refused() {
    let (offered, invite) = ann().offer(false);
    let outer = Chain::begin(&invite).unwrap().outer();
    let good = Join { opening: bob().seed().opening(&bob().card), reply: bob().meeting() };
    let refused = |join: &Join| {
        let bytes = message::seal(&outer, Sort::Join, &message::encode(join).unwrap()).unwrap();
        offered.receive(&bytes, NOW).unwrap_err()
    };
    let mut low = good.clone();
    low.opening.key[1184..].fill(0);
    assert!(matches!(refused(&low), Error::Key(kem::Error::PublicKey)));
    let mut range = good.clone();
    range.opening.key[..3].fill(0xff);
    assert!(matches!(refused(&range), Error::Key(kem::Error::PublicKey)));
    let mut nowhere = good.clone();
    nowhere.reply.relay = "file:///etc/passwd".into();
    assert!(matches!(refused(&nowhere), Error::Relay(_)));
    let mut weak = good.clone();
    weak.reply.mailbox = [0; 32];
    assert!(matches!(refused(&weak), Error::Mailbox));
    // Under another's sort, another's key: not for this state.
    let record = message::encode(&good).unwrap();
    let other = message::seal(&outer, Sort::Answer, &record).unwrap();
    assert!(offered.receive(&other, NOW).unwrap().is_none());
}

#[test]
fn in_a_public_pairing_a_card_comes_late_and_is_the_one_committed_to() {
    let (_, invite) = ann().offer(true);
    for (role, change) in [(Role::Inviter, true), (Role::Joiner, true), (Role::Joiner, false)] {
        let (anns, bobs) = public_run();
        let (person, from, to) =
            if role == Role::Inviter { (ann(), &anns, &bobs) } else { (bob(), &bobs, &anns) };
        let word = from.confirm(digits(to), NOW).unwrap();
        // Its own word, sent back, is nobody's.
        assert!(unmoved(&word.state, sent(&word)));
        let key = later_key(role);
        let later: Later =
            wire::decode(&message::open(&key, Sort::Later, sent(&word)).unwrap()).unwrap();
        let Later::Hand(mut hand) = later else { panic!() };
        if change {
            let own = &person.identity;
            let newer = own.card("another", None, 0, NOW + 1).unwrap();
            hand.card = Bytes(newer.to_bytes().to_vec());
        } else {
            hand.signature = party(&person, role.other(), &invite, |_| {}).hand.signature;
        }
        let record = message::encode(&Later::Hand(hand)).unwrap();
        let refused = to.receive(&message::seal(&key, Sort::Later, &record).unwrap(), NOW);
        match refused {
            Err(Error::CardChanged) => assert!(change),
            Err(Error::CardBorrowed) => assert!(!change),
            other => panic!("{other:?}"),
        }
    }
}

/// The key of a side's later messages in [`public_run`], by both sides' seeds.
fn later_key(role: Role) -> Secret<32> {
    let (offered, invite) = ann().offer(true);
    let joined = bob().join(&invite);
    let answered = step(&offered, sent(&joined));
    let finished = step(&joined.state, sent(&answered));
    let mut chain = Chain::begin(&invite).unwrap();
    chain.mix(&message::open(&chain.outer(), Sort::Join, sent(&joined)).unwrap());
    for (sort, bytes, person) in
        [(Sort::Answer, sent(&answered), bob()), (Sort::Finish, sent(&finished), ann())]
    {
        let record = message::open(&chain.outer(), sort, bytes).unwrap();
        let exchange: Exchange = wire::decode(&record).unwrap();
        let shared = person.seed().kem().decapsulate(&exchange.encapsulated).unwrap();
        chain.mix(&exchange.encapsulated);
        chain.agree(&shared);
        chain.open(&exchange.sealed).unwrap();
    }
    chain.later(role)
}

/// A frame as a writer makes it who chooses salt and plaintext himself.
fn frame(key: &Secret<32>, salt: [u8; 32], mut plain: Vec<u8>) -> Vec<u8> {
    let info = [label::PAIRING_FRAME, &[Sort::Join as u8]].concat();
    let tag = Aead::new(&crypto::hkdf(key.expose(), &salt, &info)).seal(&[0; 12], &[], &mut plain);
    [&salt[..], &plain, &tag].concat()
}

#[test]
fn a_frame_has_one_salt_and_a_length_within() {
    let key = Secret::take(&mut [5; 32]);
    let open = |bytes: &[u8]| message::open(&key, Sort::Join, bytes);
    let salt = |plain: &[u8]| {
        crypto::hmac_sha256(key.expose(), &[label::PAIRING_SALT, &[Sort::Join as u8], plain])
    };
    let mut plain = vec![0; MESSAGE - 48];
    plain[..5].copy_from_slice(&[0, 3, b'a', b'b', b'c']);
    let good = frame(&key, salt(&plain), plain.clone());
    assert_eq!(good, message::seal(&key, Sort::Join, b"abc").unwrap());
    assert_eq!(open(&good).unwrap().as_slice(), b"abc");
    assert!(open(&frame(&key, [7; 32], plain.clone())).is_none());
    plain[..2].copy_from_slice(&8143u16.to_be_bytes());
    assert!(open(&frame(&key, salt(&plain), plain)).is_none());
    assert!(message::seal(&key, Sort::Join, &[0; 8142]).is_ok());
    assert!(message::seal(&key, Sort::Join, &[0; 8143]).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

    /// Whatever somebody with the invite puts into a message, it is refused and changes nothing.
    #[test]
    fn any_record_is_survived(
        version in 0u8..3,
        record in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..3000),
    ) {
        let record = [&[version], record.as_slice()].concat();
        let (forger, offered) = Forger::new(false);
        let (_, invite) = ann().offer(false);
        let join = message::seal(&Chain::begin(&invite).unwrap().outer(), Sort::Join, &record);
        assert!(offered.receive(&join.unwrap(), NOW).is_err());
        let answer = message::seal(&forger.chain.outer(), Sort::Answer, &record);
        forger.refused(&answer.unwrap());
        let (encapsulated, shared) = kem::encapsulate(&forger.key).unwrap();
        let mut chain = forger.chain.clone();
        chain.mix(&encapsulated);
        chain.agree(&shared);
        let sealed = chain.seal(&record);
        forger.refused(&forger.sealed(&Exchange { encapsulated, sealed }));
    }
}

/// The longest card and addresses there are still fit a message.
#[test]
fn the_longest_of_everything_fits() {
    let relay = format!("https://{}", "r".repeat(504));
    let long = |byte: u8| {
        let mut person = Person::new(byte);
        let name = "\u{1f980}".repeat(64);
        person.card =
            person.identity.card_without_capability(&name, Some(&relay), u64::MAX).unwrap();
        person
    };
    let far = |address: Address| Address { relay: relay.clone(), ..address };
    let (ann, bob) = (long(1), long(2));
    let anns = Own { address: far(ann.address(1)), ..ann.own() };
    let bobs = Own { address: far(bob.address(1)), ..bob.own() };
    for way in [Way::Secret, Way::Public, Way::Words] {
        let (offered, invite) =
            Pairing::offer(ann.seed(), way, &anns, far(ann.meeting()), u64::MAX, NOW).unwrap();
        assert!(Invite::parse(&invite.to_line().unwrap()).is_ok());
        let words = ann.seed().words();
        let expected = expected(&invite, Some(&words));
        let joined =
            Pairing::join_from(bob.seed(), &invite, expected, &bobs, far(bob.meeting()), NOW)
                .unwrap();
        let answered = step(&offered, sent(&joined));
        let bobs = step(&joined.state, sent(&answered));
        let anns = step(&answered.state, sent(&bobs));
        let states = if way == Way::Public {
            let word = bobs.state.confirm(digits(&anns.state), NOW).unwrap();
            let told = step(&anns.state, sent(&word));
            [word.state, told.state.confirm(digits(&bobs.state), NOW).unwrap().state]
        } else {
            [bobs.state, anns.state]
        };
        for state in states {
            let length = state.to_bytes().unwrap().len();
            assert!(length < 48 << 10, "{length} bytes");
        }
    }
}
