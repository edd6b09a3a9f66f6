//! Two become contacts, by each method, or are told why not.

use crate::account::tests::relays::Request;
use crate::account::tests::world::{DAY, HERE, Person, THERE, World, invite_in, settle};
use crate::account::{Error, Expectation, Method};
use crate::contact::Trust;
use crate::contact::pairing::{self, Digits, End, Words};

fn two() -> (World, Person, Person) {
    let world = World::new();
    let (ann, bob) = (world.person("ann"), world.person_at("bob", THERE));
    world.relays.seen();
    (world, ann, bob)
}

/// Returns how many messages reached relays since the last call.
fn pushes(world: &World) -> usize {
    world.relays.seen().iter().filter(|(_, request, _)| *request == Request::Push).count()
}

/// Bob takes up an invite of Ann's by digits, and both are shown theirs.
fn comparing() -> (World, Person, Person) {
    let (world, ann, bob) = two();
    let invited = ann.invite(Method::Digits, "bob").unwrap();
    bob.join(&invited.line, "ann", Expectation::Digits).unwrap();
    settle(&[&ann, &bob]);
    (world, ann, bob)
}

#[test]
fn a_secret_invite_makes_two_contacts() {
    let (world, ann, bob) = two();
    let invited = ann.invite(Method::Secret, "bob").unwrap();
    assert_eq!(invited.expires, ann.account.now() + DAY);
    bob.join(&invited.line, "ann", Expectation::Secret).unwrap();
    settle(&[&ann, &bob]);
    assert_eq!((ann.contacts(), bob.contacts()), (vec!["bob".into()], vec!["ann".into()]));
    assert_eq!((ann.trust("bob"), bob.trust("ann")), (Trust::SecretInvite, Trust::SecretInvite));
    ann.said.expect("Paired");
    let digits = |of: &Person, name| of.account.verification(name).unwrap();
    let (anns, bobs) = (digits(&ann, "bob"), digits(&bob, "ann"));
    assert_eq!((&anns.digits, anns.paired), (&bobs.digits, true));
    // A meeting mailbox stays until the other side cannot ask again.
    world.clock.forward(40 * DAY);
    settle(&[&ann, &bob]);
    assert_eq!(ann.account.pairs().unwrap().underway().len(), 0);
    // The card's, and the one made for the contact.
    assert_eq!((world.relays.mailboxes(HERE), world.relays.mailboxes(THERE)), (2, 2));
}

#[test]
fn the_right_digits_make_two_contacts() {
    let (_world, ann, bob) = comparing();
    assert_eq!((ann.contacts(), bob.contacts()), (Vec::<String>::new(), Vec::new()));
    let ((anns_meeting, anns), (bobs_meeting, bobs)) = (ann.digits(), bob.digits());
    ann.cx().confirm_digits(&anns_meeting, bobs).unwrap();
    settle(&[&ann, &bob]);
    assert_eq!(bob.contacts(), Vec::<String>::new(), "one side alone is not enough");
    bob.cx().confirm_digits(&bobs_meeting, anns).unwrap();
    settle(&[&ann, &bob]);
    assert_eq!((ann.trust("bob"), bob.trust("ann")), (Trust::Digits, Trust::Digits));
}

#[test]
fn wrong_digits_burn_the_invite_on_both_sides() {
    let (_world, ann, bob) = comparing();
    let (meeting, anns) = ann.digits();
    let (bobs_meeting, bobs) = bob.digits();
    let wrong: Digits = if bobs.to_string() == "0000" { "0001" } else { "0000" }.parse().unwrap();
    let refused = ann.cx().confirm_digits(&meeting, wrong);
    assert!(matches!(refused, Err(Error::PairingEnded(End::BurntHere))), "{refused:?}");
    let ended = bob.advance().unwrap().ended;
    assert!(matches!(ended, Some(Error::PairingEnded(End::BurntThere))), "{ended:?}");
    // The right ones come too late.
    let late = bob.cx().confirm_digits(&bobs_meeting, anns);
    assert!(matches!(late, Err(Error::Pairing(pairing::Error::NoDigits))), "{late:?}");
    settle(&[&ann, &bob]);
    assert_eq!((ann.contacts(), bob.contacts()), (Vec::<String>::new(), Vec::new()));
}

#[test]
fn the_own_digits_cost_nothing() {
    let (_world, ann, bob) = comparing();
    let (meeting, anns) = ann.digits();
    let refused = ann.cx().confirm_digits(&meeting, anns);
    assert!(matches!(refused, Err(Error::Pairing(pairing::Error::OwnDigits))), "{refused:?}");
    ann.cx().confirm_digits(&meeting, bob.digits().1).unwrap();
}

#[test]
fn the_right_words_make_two_contacts() {
    let (_world, ann, bob) = two();
    let invited = ann.invite(Method::Words, "bob").unwrap();
    let words: Words = invited.words.unwrap().parse().unwrap();
    bob.join(&invited.line, "ann", Expectation::Words(words)).unwrap();
    settle(&[&ann, &bob]);
    assert_eq!((ann.trust("bob"), bob.trust("ann")), (Trust::Words, Trust::Words));
}

#[test]
fn wrong_words_burn_the_invite_on_both_sides() {
    let (_world, ann, bob) = two();
    let invited = ann.invite(Method::Words, "bob").unwrap();
    let right = invited.words.unwrap().to_string();
    let wrong = if right.contains("able") { "acid acid acid" } else { "able able able" };
    let expected = Expectation::Words(wrong.parse().unwrap());
    bob.join(&invited.line, "ann", expected).unwrap();
    let mut ended = Vec::new();
    for _ in 0..3 {
        for person in [&ann, &bob] {
            ended.extend(person.advance().unwrap().ended.map(|error| format!("{error:?}")));
        }
    }
    assert_eq!(ended, ["PairingEnded(WordsHere)", "PairingEnded(WordsThere)"]);
    // Who knows the right words comes too late.
    let expected = Expectation::Words(right.parse().unwrap());
    let again = bob.join(&invited.line, "ann", expected);
    assert!(matches!(again, Err(Error::PairingEnded(End::WordsHere))), "{again:?}");
    settle(&[&ann, &bob]);
    assert_eq!((ann.contacts(), bob.contacts()), (Vec::<String>::new(), Vec::new()));
}

#[test]
fn a_line_for_another_method_is_refused_with_nothing_stored_or_pushed() {
    let (world, ann, bob) = two();
    let expected = || {
        let words = Expectation::Words("able able able".parse().unwrap());
        [Expectation::Secret, Expectation::Digits, words]
    };
    for (right, method) in [Method::Secret, Method::Digits, Method::Words].into_iter().enumerate() {
        let invited = ann.invite(method, "bob").unwrap();
        for (at, expected) in expected().into_iter().enumerate().filter(|(at, _)| *at != right) {
            pushes(&world);
            let refused = bob.join(&invited.line, "ann", expected);
            let other = matches!(refused, Err(Error::Pairing(pairing::Error::OtherMethod)));
            assert!(other, "{method:?} by {at}: {refused:?}");
            assert_eq!(pushes(&world), 0);
            assert!(bob.account.pairs().unwrap().underway().is_empty());
        }
    }
    // Nor is anything stored when the user declines.
    let invited = ann.invite(Method::Secret, "bob").unwrap();
    let declined = bob.cx().join(&invite_in(&invited.line), None, || Err(Error::NoState));
    assert!(matches!(declined, Err(Error::NoState)));
    assert!(bob.account.pairs().unwrap().underway().is_empty());
}

#[test]
fn an_invite_is_good_for_one() {
    let (world, ann, bob) = two();
    let carol = world.person("carol");
    let invited = ann.invite(Method::Secret, "bob").unwrap();
    let own = ann.join(&invited.line, "me", Expectation::Secret);
    assert!(matches!(own, Err(Error::OwnInvite)), "{own:?}");
    bob.join(&invited.line, "ann", Expectation::Secret).unwrap();
    // Taken up here before: it goes on, by whatever method.
    bob.join(&invited.line, "ann", Expectation::Digits).unwrap();
    settle(&[&ann, &bob]);
    carol.join(&invited.line, "ann", Expectation::Secret).unwrap();
    settle(&[&ann]);
    let ended = carol.advance().unwrap().ended;
    assert!(matches!(ended, Some(Error::PairingEnded(End::Refused(_)))), "{ended:?}");
    assert_eq!((ann.contacts(), carol.contacts()), (vec!["bob".into()], Vec::new()));
}

#[test]
fn an_invite_that_was_withdrawn_cannot_be_taken_up() {
    let (world, ann, bob) = two();
    let [one, other] = [(); 2].map(|()| ann.invite(Method::Secret, "bob").unwrap());
    let two = ann.cx().withdraw_invite("bob");
    assert!(matches!(two, Err(Error::InvitesNamed { count: 2, .. })), "{two:?}");
    bob.join(&one.line, "ann", Expectation::Secret).unwrap();
    let pairs = ann.account.pairs().unwrap();
    for underway in pairs.underway() {
        // Whether it was taken up before or not, and with the relay away: here it ends at once.
        world.relays.away(HERE, true);
        ann.cx().withdraw_invite(&crate::account::id(underway)).unwrap();
        ann.said.expect("StaysOpen");
        world.relays.away(HERE, false);
    }
    ann.cx().close_revoked().unwrap();
    let late = bob.join(&other.line, "ann", Expectation::Secret);
    assert!(matches!(late, Err(Error::InviteUsed)), "{late:?}");
    ann.advance().unwrap();
    assert!(bob.advance().is_err_and(|error| error.is_denied()));
    assert_eq!((ann.contacts(), bob.contacts()), (Vec::<String>::new(), Vec::new()));
}

#[test]
fn an_invite_that_expired_cannot_be_taken_up() {
    let (world, ann, bob) = two();
    let [early, late] = [(); 2].map(|()| ann.invite(Method::Secret, "bob").unwrap());
    bob.join(&early.line, "ann", Expectation::Secret).unwrap();
    world.clock.forward(DAY + 1);
    let refused = bob.join(&late.line, "ann", Expectation::Secret);
    assert!(matches!(refused, Err(Error::Pairing(pairing::Error::Expired { .. }))), "{refused:?}");
    // One that was taken up in time comes to nothing when the inviter looks too late.
    settle(&[&ann]);
    let ended = bob.advance().unwrap().ended;
    assert!(matches!(ended, Some(Error::PairingEnded(End::Refused(_)))), "{ended:?}");
    assert_eq!((ann.contacts(), bob.contacts()), (Vec::<String>::new(), Vec::new()));
}

#[test]
fn attempts_by_digits_that_did_not_finish_are_told_of() {
    let (_world, ann, bob) = comparing();
    ann.said.take();
    bob.said.take();
    let invited = ann.invite(Method::Digits, "bob").unwrap();
    assert_eq!(invited.earlier.attempts, 1);
    bob.join(&invited.line, "ann", Expectation::Digits).unwrap();
    bob.said.expect("EarlierAttempts");
    settle(&[&ann, &bob]);
    // Given up is not forgotten.
    assert_eq!(ann.cx().give_up_pairings("bob").unwrap().len(), 2);
    assert_eq!(ann.invite(Method::Words, "bob").unwrap().earlier.attempts, 2);
    assert_eq!(ann.invite(Method::Words, "dora").unwrap().earlier.attempts, 0);
}

#[test]
fn a_name_that_is_not_one_is_refused_before_any_relay_is_asked() {
    let (world, ann, _bob) = two();
    assert!(matches!(ann.invite(Method::Secret, "bulla1x"), Err(Error::Contact(_))));
    assert!(matches!(ann.invite(Method::Secret, ""), Err(Error::Contact(_))));
    assert_eq!(world.relays.seen(), []);
}
