//! Two who do not know each other are introduced by a third, and both accept.

use std::io;

use crate::account::send::kind;
use crate::account::tests::relays::Request;
use crate::account::tests::world::{DAY, HERE, Person, World, pair, settle};
use crate::account::{Error, Expectation, Method};
use crate::contact::pairing::{Address, Outgoing};
use crate::contact::{Book, Introduction, Trust};
use crate::identity::Identity;
use crate::letter::{Draft, Heading, Notice, Postscript, Sender};
use crate::relay::client::Relays as _;

/// Carol, who has paired with both; the one who is to make the invite, and the one who takes it up.
fn three() -> (World, Person, [Person; 2]) {
    let world = World::new();
    let [carol, one, other] = ["carol", "ann", "bob"].map(|name| world.person(name));
    pair(&carol, &one);
    pair(&carol, &other);
    let first = one.account.fingerprint().to_bytes() < other.account.fingerprint().to_bytes();
    let both = if first { [one, other] } else { [other, one] };
    (world, carol, both)
}

fn introduce(carol: &Person) {
    carol.cx().introduce("ann", "bob", "from May").unwrap();
}

/// Returns how many capabilities push to the mailbox on a person's card.
fn capabilities(world: &World, of: &Person) -> usize {
    let key = of.account.identity().card_mailbox();
    world.relays.relay(HERE).unwrap().capabilities(&key).unwrap().len()
}

fn accept(by: &Person, of: &Person) -> bool {
    by.cx().accept_introduction(of.name, None).unwrap().is_some()
}

#[track_caller]
fn know_each_other(world: &World, both: [&Person; 2]) {
    for (one, other) in [(both[0], both[1]), (both[1], both[0])] {
        let Trust::Introduced(by) = one.trust(other.name) else { panic!("not introduced") };
        assert_eq!(by.name, "carol");
        one.send(other.name, "hello").unwrap();
        let got = other.receive().remove(0);
        assert_eq!((got.body.as_str(), got.forward_secrecy), ("hello", true));
        // What the introducer knows pushes nothing any more.
        assert_eq!(capabilities(world, one), 1);
    }
}

#[test]
fn two_pair_when_both_accept_whoever_does_first() {
    for inviter_first in [true, false] {
        let (world, carol, [inviter, joiner]) = three();
        introduce(&carol);
        for person in [&inviter, &joiner] {
            assert_eq!(person.receive(), []);
            person.said.expect("Introduced {");
        }
        if inviter_first {
            // The relay takes the invite only when the joiner has accepted too.
            assert!(accept(&inviter, &joiner));
            inviter.said.expect("NotAcceptedYet");
            assert!(!accept(&joiner, &inviter));
            joiner.said.expect("AcceptedFirst");
            assert_eq!(capabilities(&world, &joiner), 2);
        } else {
            assert!(!accept(&joiner, &inviter));
            assert_eq!(joiner.cx().advance_introductions().unwrap(), 1);
            assert!(accept(&inviter, &joiner));
        }
        settle(&[&inviter]);
        joiner.receive();
        joiner.said.expect("InvitedByIntroduced");
        settle(&[&joiner, &inviter]);
        know_each_other(&world, [&inviter, &joiner]);
        introduce(&carol);
        joiner.receive();
        joiner.said.expect("IntroducedKnown");
    }
}

#[test]
fn one_who_shows_another_card_than_the_one_introduced_is_refused() {
    let (world, carol, [inviter, joiner]) = three();
    introduce(&carol);
    inviter.receive();
    joiner.receive();
    accept(&joiner, &inviter);
    accept(&inviter, &joiner);
    // The joiner gives the invite away.
    let pairs = inviter.account.pairs().unwrap();
    let introduced = pairs.underway().iter().find(|one| one.introduced.is_some()).unwrap();
    let line = introduced.pairing.invite().unwrap().to_line().unwrap();
    let mallory = world.person("mallory");
    mallory.join(&line, "inviter", Expectation::Secret).unwrap();
    inviter.advance().unwrap();
    mallory.advance().unwrap();
    let ended = inviter.advance().unwrap().ended;
    assert!(matches!(&ended, Some(Error::OtherCardIntroduced { by, .. }) if by == "carol"));
    assert_eq!(inviter.contacts(), ["carol"]);
}

#[test]
fn of_introductions_that_come_again_the_two_need_not_accept_the_same() {
    let (world, carol, [inviter, joiner]) = three();
    introduce(&carol);
    inviter.receive();
    accept(&inviter, &joiner);
    // The joiner's is lost.
    world.relays.forget_messages(HERE);
    introduce(&carol);
    inviter.receive();
    joiner.receive();
    accept(&joiner, &inviter);
    settle(&[&inviter]);
    joiner.receive();
    settle(&[&joiner, &inviter]);
    know_each_other(&world, [&inviter, &joiner]);
}

#[test]
fn an_introduction_that_is_refused_closes_what_was_opened_for_it() {
    let (world, carol, [inviter, joiner]) = three();
    introduce(&carol);
    joiner.receive();
    accept(&joiner, &inviter);
    assert_eq!(capabilities(&world, &joiner), 2);
    joiner.cx().remove_contact(inviter.name).unwrap();
    joiner.said.expect("IntroductionRefused");
    assert_eq!(capabilities(&world, &joiner), 1);
    assert!(joiner.cx().accept_introduction(inviter.name, None).is_err());
    // One who is no contact any more has introduced no one.
    inviter.receive();
    inviter.cx().remove_contact("carol").unwrap();
    assert!(inviter.cx().accept_introduction(joiner.name, None).is_err());
}

#[test]
fn introductions_by_and_of_a_revoked_contact_are_ignored() {
    let (world, carol, [one, other]) = three();
    introduce(&carol);
    one.receive();
    one.cx().revoke(&carol.account.fingerprint()).unwrap();
    assert!(one.cx().accept_introduction(other.name, None).is_err());
    // Another contact does not bring a revoked one back.
    let dora = world.person("dora");
    pair(&dora, &other);
    pair(&dora, &carol);
    other.cx().revoke(&carol.account.fingerprint()).unwrap();
    dora.cx().introduce(other.name, "carol", "").unwrap();
    other.receive();
    other.said.expect("IntroducedRevoked");
    assert!(other.cx().accept_introduction("carol", None).is_err());
}

#[test]
fn what_strangers_and_liars_tell_brings_no_one_in() {
    let (world, carol, [inviter, joiner]) = three();
    let stranger = Identity::generate().unwrap();
    let mut book = Book::default();
    for person in [&inviter, &joiner] {
        let card = person.account.card().unwrap();
        book.add(person.name, &card, Trust::CardByHand, 1).unwrap();
    }
    let of = |person: &Person| book.get(person.name).unwrap();
    let told = Introduction::of(of(&inviter), of(&joiner), "").unwrap();
    let [oneself, true_one] = told.map(|one| one.to_bytes().unwrap());
    let shared = carol.account.pairs().unwrap().pairwise_of(&joiner.account.fingerprint());
    let to = joiner.account.public_card(|_| ()).unwrap();
    let says = |from: &Identity, paired: bool, kind: u16, content: &[u8]| {
        let card = from.card("", None, 0, 1).unwrap();
        let pairwise = paired.then(|| &*shared[0]);
        let notice = Some(Notice { kind, content: content.to_vec() });
        let postscript = Postscript { notice, ..Postscript::default() };
        let draft = Draft::new(
            Heading::default(),
            &to,
            Some(Sender { identity: from, card: &card, pairwise }),
        );
        let mut bytes = Vec::new();
        Draft { postscript, ..draft.unwrap() }.seal(io::empty(), &mut bytes).unwrap();
        let (relay, mailbox) = (HERE.to_owned(), *to.mailbox());
        let address = Address { relay, mailbox, capability: to.capability().unwrap().clone() };
        crate::account::send::push(&joiner.cx(), &Outgoing { address, bytes }).unwrap();
        assert_eq!(joiner.receive(), []);
        joiner.said.take()
    };
    let carols = carol.account.identity();
    let expect = |said: String, word: &str| assert!(said.contains(word), "{word}: {said}");
    expect(says(&stranger, false, kind::INTRODUCTION, &true_one), "IntroducedByStranger");
    // Her signature alone is no proof of what changes contacts.
    expect(says(carols, false, kind::INTRODUCTION, &true_one), "LetterRefused");
    for garbage in [&[][..], &[9; 100], &true_one[..200]] {
        expect(says(carols, true, kind::INTRODUCTION, garbage), "ControlRefused");
    }
    expect(says(carols, true, kind::INTRODUCTION, &oneself), "IntroducedToSelf");
    expect(says(carols, true, 999, b""), "UnknownControl { kind: 999");
    for line in [&b""[..], b"\xff\xfe", b"bulla-invite-1qqqqqq"] {
        expect(says(&stranger, false, kind::INVITE, line), "ControlRefused");
    }
    let words = carol.cx().invite(Method::Words, None, DAY).unwrap().line;
    expect(says(&stranger, false, kind::INVITE, words.as_bytes()), "ControlRefused");
    // However many strangers invite, no one is let in.
    let line = carol.cx().invite(Method::Secret, None, DAY).unwrap().line;
    for _ in 0..20 {
        says(&Identity::generate().unwrap(), false, kind::INVITE, line.as_bytes());
    }
    // News is taken from the owner's own devices, and what does not decode ends no run.
    expect(says(&stranger, false, kind::NEWS, b"x"), "NoDeviceOfOurs");
    expect(says(joiner.account.identity(), false, kind::NEWS, b"x"), "ControlRefused");
    assert_eq!(joiner.cx().advance_introductions().unwrap(), 0);
    assert_eq!(joiner.contacts(), ["carol"]);
    world.relays.seen();
    joiner.advance().unwrap();
    let pushed = world.relays.seen().into_iter().filter(|seen| seen.1 == Request::Push);
    assert!(pushed.count() <= 1, "at most the end of the pairing with Carol, said again");
}
