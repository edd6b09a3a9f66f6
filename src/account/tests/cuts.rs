//! The connection breaks at any request of an operation, before the relay or behind it: the same again
//! continues, and comes to the same.

use std::cell::RefCell;

use crate::account::tests::relays::Cut;
use crate::account::tests::world::{DAY, HERE, Person, World, settle};
use crate::account::{Error, Expectation, Method};
use crate::relay::client::pull::Options;

/// Runs an operation with the connection cut at each of its requests in turn, each time from the same
/// beginning; goes on when it is mended; and checks what came of it.
fn cut_everywhere<const N: usize>(
    begin: (&World, [&Person; N]),
    operate: impl Fn([&Person; N]) -> Result<(), Error>,
    check: impl Fn(&World, [&Person; N]),
) {
    let mut cuts = 0;
    for cut in [Cut::Request, Cut::Answer] {
        for request in 1.. {
            let world = begin.0.fork();
            let people = begin.1.map(|person| world.copy(person));
            let people = people.each_ref();
            world.relays.cut_at(request, cut);
            let first = operate(people);
            if !world.relays.mend() {
                first.unwrap();
                check(&world, people);
                break;
            }
            cuts += 1;
            // Once may not be enough where the user has to type the same again.
            operate(people).and_then(|()| operate(people)).unwrap();
            check(&world, people);
        }
    }
    assert!(cuts > 1, "the operation made no request");
}

/// Advances the pairings of all, with the first error.
fn advance<const N: usize>(people: [&Person; N]) -> Result<(), Error> {
    for person in [people, people].as_flattened() {
        person.advance()?;
        person.cx().advance_introductions()?;
    }
    Ok(())
}

#[test]
fn of_an_invite_there_is_one_or_none() {
    let world = World::new();
    let ann = world.person("ann");
    cut_everywhere(
        (&world, [&ann]),
        |[ann]| match ann.account.pairs()?.underway().is_empty() {
            true => ann.invite(Method::Secret, "bob").map(drop),
            false => Ok(()),
        },
        |_, [ann]| assert_eq!(ann.account.pairs().unwrap().underway().len(), 1),
    );
}

#[test]
fn a_pairing_by_a_secret_invite_comes_to_its_end() {
    let world = World::new();
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    let line = ann.invite(Method::Secret, "bob").unwrap().line;
    cut_everywhere(
        (&world, [&ann, &bob]),
        |[ann, bob]| {
            bob.join(&line, "ann", Expectation::Secret)?;
            advance([ann, bob])
        },
        |_, [ann, bob]| {
            assert_eq!((ann.contacts(), bob.contacts()), (vec!["bob".into()], vec!["ann".into()]));
            let digits = |of: &Person, name| of.account.verification(name).unwrap().digits;
            assert_eq!(digits(ann, "bob"), digits(bob, "ann"));
        },
    );
}

#[test]
fn digits_that_were_typed_while_the_relay_was_away_count() {
    let world = World::new();
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    let line = ann.invite(Method::Digits, "bob").unwrap().line;
    bob.join(&line, "ann", Expectation::Digits).unwrap();
    settle(&[&ann, &bob]);
    let ((here, anns), (there, bobs)) = (ann.digits(), bob.digits());
    cut_everywhere(
        (&world, [&ann, &bob]),
        |[ann, bob]| {
            // Typed again, they are known.
            let _ = ann.cx().confirm_digits(&here, bobs);
            let _ = bob.cx().confirm_digits(&there, anns);
            advance([ann, bob])
        },
        |_, [ann, bob]| {
            assert_eq!((ann.contacts(), bob.contacts()), (vec!["bob".into()], vec!["ann".into()]));
        },
    );
}

#[test]
fn letters_are_received_once() {
    let (world, ann, bob) = World::paired();
    for body in ["1", "2", "3"] {
        ann.send("bob", body).unwrap();
    }
    let came = RefCell::new(Vec::new());
    cut_everywhere(
        (&world, [&bob]),
        |[bob]| {
            let (got, report) = bob.receive_some(Options::default());
            came.borrow_mut().extend(got.into_iter().map(|one| (one.body, one.missed)));
            report.map(drop)
        },
        |_, _| {
            let came = came.take();
            assert_eq!(came, ["1", "2", "3"].map(|body| (body.to_owned(), 0)));
        },
    );
}

#[test]
fn a_letter_that_may_have_been_sent_is_sent_again_under_another_number() {
    let (world, ann, bob) = World::paired();
    cut_everywhere(
        (&world, [&ann, &bob]),
        |[ann, _]| ann.send("bob", "hello"),
        |_, [_, bob]| {
            let got = bob.receive();
            assert!(!got.is_empty() && got.len() <= 3);
            assert!(got.iter().all(|one| one.body == "hello" && one.forward_secrecy));
        },
    );
}

#[test]
fn a_contact_is_revoked_at_every_relay_in_the_end() {
    let (world, ann, bob) = World::paired();
    let bobs = bob.account.fingerprint();
    cut_everywhere(
        (&world, [&ann, &bob]),
        |[ann, _]| match ann.cx().revoke(&bobs)?.open {
            0 => Ok(()),
            _ => Err(Error::NoState),
        },
        |world, [ann, bob]| {
            assert_eq!(ann.cx().revoke(&bobs).unwrap().open, 0);
            assert!(bob.send("ann", "spam").unwrap_err().is_denied());
            // The card's, and the one in which the pairing met, which expires.
            assert_eq!(world.relays.mailboxes(HERE), 2);
            assert_eq!(ann.receive(), []);
        },
    );
}

#[test]
fn a_device_takes_over_and_contacts_are_told_in_the_end() {
    let (begin, ann, bob) = World::paired();
    let device = begin.device();
    let line = ann.cx().invite(Method::Device, None, DAY).unwrap().line;
    device.join(&line).unwrap();
    for _ in 0..2 {
        ann.advance().unwrap();
        device.advance().unwrap();
    }
    ann.advance().unwrap();
    let confirmed = ann.account.fingerprint();
    for cut in [Cut::Request, Cut::Answer] {
        for request in 1.. {
            let world = begin.fork();
            let (device, bob) = (world.copy_device(&device), world.copy(&bob));
            world.relays.cut_at(request, cut);
            let first = device.take_over(&confirmed);
            let done = !world.relays.mend();
            let taken = match first {
                Ok(Some(taken)) => taken,
                other => {
                    assert!(!done, "{other:?}");
                    device.take_over(&confirmed).unwrap().unwrap()
                }
            };
            let laptop = device.becomes("ann", taken.account);
            bob.receive();
            assert_eq!(bob.devices_of("ann"), 2);
            bob.send("ann", "to both").unwrap();
            assert_eq!(laptop.bodies(), ["to both"]);
            if done {
                break;
            }
        }
    }
}
