//! Keys of letters: used once, stolen, copied, lost with a backup, and renewed.

use crate::account::tests::world::{Person, THERE, World, pair};
use crate::contact::pairing::{Address, Outgoing};
use crate::crypto::label;
use crate::letter::ratchet::{Next, Ratchet, Sessions};
use crate::letter::{Draft, Heading, Notice, Postscript, Proof, Routing, Sender};
use crate::secret::Secret;
use crate::text::hex_encode;

/// Sends a letter and demands that it is opened, with or without forward secrecy.
#[track_caller]
fn comes(from: &Person, to: &Person, body: &str, forward_secrecy: bool) {
    from.send(to.name, body).unwrap();
    let got = to.receive();
    assert_eq!(got.len(), 1, "{}", to.said.take());
    assert_eq!((got[0].body.as_str(), got[0].forward_secrecy), (body, forward_secrecy));
    // Between two who have paired, the signature is there as long as keys are offered.
    let proof = if forward_secrecy { Proof::Pairwise } else { Proof::SignedPairwise };
    assert_eq!(got[0].proof, proof);
}

/// Sends a letter and demands that it is refused.
#[track_caller]
fn is_refused(from: &Person, to: &Person, why: &str) {
    from.send(to.name, "refused").unwrap();
    assert_eq!(to.receive(), []);
    to.said.expect(why);
}

#[test]
fn a_thief_opens_nothing_that_was_opened_and_nothing_after_an_exchange() {
    let (world, ann, bob) = World::paired();
    ann.send("bob", "before").unwrap();
    let before = world.relays.pushed(THERE).pop().unwrap();
    assert_eq!(bob.bodies(), ["before"]);
    let under_way = bob.gets_by_ratchet(&ann, "under way");
    let thief = world.fork();
    let opened_by_thief = |sealed: &[u8]| {
        let bob = thief.copy(&bob);
        bob.lose_spool();
        thief.relays.plant(THERE, sealed);
        bob.bodies().contains(&"under way".to_owned())
    };
    // What was opened stays shut. What was under way does not: nobody had opened it.
    let at_theft = thief.copy(&bob);
    thief.relays.plant(THERE, &before);
    at_theft.lose_spool();
    assert_eq!(at_theft.bodies(), ["under way"]);
    assert!(opened_by_thief(&under_way));
    assert_eq!(bob.bodies(), ["under way"]);
    // Bob writes, which offers a key that the thief does not have; the answer is under it.
    let stolen = world.copy(&bob);
    comes(&bob, &ann, "one", true);
    ann.send("bob", "healed").unwrap();
    let away = world.fork();
    let thief = away.copy(&stolen);
    assert_eq!(thief.receive(), []);
    assert_eq!(bob.bodies(), ["healed"]);
}

#[test]
fn a_thief_of_the_sender_is_shut_out_by_an_exchange() {
    let (world, ann, bob) = World::paired();
    comes(&ann, &bob, "before", true);
    let thief = world.copy(&ann);
    comes(&ann, &bob, "first", true);
    // To a key that Ann offered in her first letter after the theft.
    bob.send("ann", "answer").unwrap();
    let fork = world.fork();
    assert_eq!(fork.copy(&thief).receive(), []);
    assert_eq!(ann.bodies(), ["answer"]);
}

#[test]
fn a_restored_sender_is_noticed_and_comes_back_into_step_however_often() {
    let (world, ann, bob) = World::paired();
    comes(&ann, &bob, "1", true);
    let backup = world.copy(&ann);
    comes(&ann, &bob, "2", true);
    for _ in 0..2 {
        ann.restore(&backup);
        // The same number once more, under another key.
        is_refused(&ann, &bob, "SessionConflict");
        comes(&bob, &ann, "again?", false);
        comes(&ann, &bob, "again", true);
        comes(&bob, &ann, "thanks", true);
    }
}

#[test]
fn a_restored_recipient_comes_back_into_step() {
    let (world, ann, bob) = World::paired();
    comes(&bob, &ann, "1", true);
    let backup = world.copy(&bob);
    comes(&bob, &ann, "2", true);
    comes(&ann, &bob, "to a key of letter 2", true);
    bob.restore(&backup);
    is_refused(&ann, &bob, "LetterRefused");
    bob.account.renew_keys("ann").unwrap();
    comes(&bob, &ann, "here I am", false);
    comes(&ann, &bob, "welcome", true);
}

#[test]
fn without_sessions_a_new_start_is_offered() {
    let (_world, ann, bob) = World::paired();
    comes(&bob, &ann, "1", true);
    ann.account.sessions_file(&bob.account.fingerprint()).unwrap().remove().unwrap();
    is_refused(&bob, &ann, "KeyMissing");
    comes(&ann, &bob, "2", false);
    ann.said.expect("KeysOffered");
    comes(&ann, &bob, "3", false);
    comes(&bob, &ann, "answer", true);
    comes(&ann, &bob, "4", true);
}

#[test]
fn letters_after_a_backup_was_restored_are_proven_to_both() {
    for (inviter, exchanged) in [(true, false), (true, true), (false, false), (false, true)] {
        let (world, ann, bob) = World::paired();
        let (ann, bob) = if inviter { (ann, bob) } else { (bob, ann) };
        if exchanged {
            comes(&ann, &bob, "1", true);
            comes(&bob, &ann, "1", true);
        }
        let backup = ann.account.backup().unwrap();
        let again = world.fresh(&ann);
        let (merged, mailboxes) =
            again.account.restore(backup.book, backup.pairs, false, &again.said).unwrap();
        assert_eq!((merged.added, mailboxes), (1, 1));
        // Until the other side has heard of it, what it seals goes to keys that are lost.
        comes(&again, &bob, "2", false);
        comes(&again, &bob, "3", false);
        comes(&bob, &again, "4", true);
        comes(&again, &bob, "5", true);
    }
}

#[test]
fn copies_never_use_a_key_twice() {
    let (world, ann, bob) = World::paired();
    let container = world.copy(&ann);
    let (one, other) = (bob.gets_by_ratchet(&ann, "same"), bob.gets_by_ratchet(&container, "same"));
    assert_ne!(one, other);
    let got = bob.receive();
    assert_eq!((got.len(), got[0].body.as_str()), (1, "same"));
    bob.said.expect("SessionConflict");
}

#[test]
fn of_a_removed_contact_no_key_is_left() {
    let (world, ann, bob) = World::paired();
    let letter = bob.gets_by_ratchet(&ann, "never opened");
    let removed = bob.cx().remove_contact("ann").unwrap();
    assert_eq!((removed.contact.map(|gone| gone.here), removed.open), (Some(1), 0));
    world.relays.plant(THERE, &letter);
    assert_eq!(bob.receive(), []);
    bob.said.expect("KeyMissing");
    assert!(bob.account.renew_keys("ann").is_err());
}

#[test]
fn damaged_keys_of_one_contact_cost_no_letter_of_others() {
    let (world, ann, bob) = World::paired();
    let carol = world.person("carol");
    pair(&carol, &bob);
    let (identity, carols) = (bob.account.identity(), carol.account.fingerprint().to_bytes());
    let name = identity.storage_key_for(label::STORAGE_RATCHET_NAME, &carols);
    let path = bob.account.folder().unwrap().join(hex_encode(&name.expose()[..8]));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    ann.send("bob", "hello").unwrap();
    carol.send("bob", "hello").unwrap();
    let got = bob.receive();
    assert_eq!(got.iter().map(|one| one.from.as_deref()).collect::<Vec<_>>(), [Some("ann")]);
    let said = bob.said.take();
    assert!(said.contains("SessionUnreadable { name: \"carol\"") && said.contains("KeyMissing"));
}

/// A letter to Bob that a contact, or a thief of the contact's state, makes byte by byte.
struct Forge<'a> {
    from: &'a Person,
    postscript: Postscript,
    key: bool,
    paired: bool,
}

impl Forge<'_> {
    fn seal(self, named: &Person, bob: &Person) -> Vec<u8> {
        let (account, theirs) = (&self.from.account, bob.account.fingerprint());
        let pairs = account.pairs().unwrap();
        let secret = |of: &Person| of.account.pairs().unwrap().pairwise_of(&theirs).remove(0);
        let key = self.key.then(|| {
            let machine = pairs.machines_of(&theirs)[0].mailbox;
            let file = account.sessions_file(&theirs).unwrap();
            match Sessions::next(&file, &machine, &secret(self.from), account.now()).unwrap() {
                Next::Key(key) => *key,
                Next::Offer { .. } => panic!("an offer"),
            }
        });
        let identity = named.account.identity();
        let (card, pairwise) = (named.account.card().unwrap(), secret(named));
        let pairwise = self.paired.then_some(&*pairwise);
        let sender = Sender { identity, card: &card, pairwise };
        let to = bob.account.card().unwrap();
        let draft = Draft::new(Heading::default(), &to, Some(sender)).unwrap();
        let mut sealed = Vec::new();
        let draft = Draft { key, postscript: self.postscript, ..draft };
        draft.seal(&b"it is me"[..], &mut sealed).unwrap();
        sealed
    }
}

/// Pushes bytes into the mailbox that Bob made for a contact.
fn push_as(from: &Person, bob: &Person, bytes: Vec<u8>) {
    let pairs = from.account.pairs().unwrap();
    let address: Address = pairs.machines_of(&bob.account.fingerprint())[0].clone();
    crate::account::send::push(&from.cx(), &Outgoing { address, bytes }).unwrap();
}

#[test]
fn a_letter_under_one_contacts_keys_names_no_other_sender() {
    let (world, ann, bob) = World::paired();
    let carol = world.person("carol");
    pair(&carol, &bob);
    let forge = || Forge { from: &ann, postscript: Postscript::default(), key: true, paired: true };
    push_as(&ann, &bob, forge().seal(&carol, &bob));
    assert_eq!(bob.receive(), []);
    bob.said.expect("OtherSender");
    push_as(&ann, &bob, forge().seal(&ann, &bob));
    assert_eq!(bob.bodies(), ["it is me"]);
}

#[test]
fn a_further_device_is_told_of_and_can_be_dropped() {
    let (_world, ann, bob) = World::paired();
    let pairs = ann.account.pairs().unwrap();
    let bobs = bob.account.fingerprint();
    let mine = pairs.machines_of(&bobs)[0].mailbox;
    let secret = &pairs.pairwise_of(&bobs)[0];
    let offer = || Ratchet::recover(secret, ann.account.now()).unwrap().offer().unwrap();
    let postscript = |machine| Postscript {
        machine: Some(machine),
        reply: Some(Routing {
            relay: Some("http://thief.test".into()),
            mailbox: ann.account.identity().contact_mailbox(&[7; 16]).public(),
            capability: Some(Secret::take(&mut [7; 32]).into()),
        }),
        offer: Some(offer().encode().unwrap()),
        notice: None::<Notice>,
    };
    let forge = |postscript, paired| Forge { from: &ann, postscript, key: false, paired };
    // A signature alone does not do, nor what was meant for another device of Bob's.
    for (machine, paired) in [(mine, false), ([8; 32], true)] {
        push_as(&ann, &bob, forge(postscript(machine), paired).seal(&ann, &bob));
        bob.receive();
        assert!(!bob.said.take().contains("ContactAddedDevice"));
        assert_eq!(bob.devices_of("ann"), 1);
    }
    push_as(&ann, &bob, forge(postscript(mine), true).seal(&ann, &bob));
    bob.receive();
    assert_eq!(bob.devices_of("ann"), 2);
    let theirs = bob.account.pairs().unwrap().machines_of(&ann.account.fingerprint())[1].mailbox;
    let prefix = hex_encode(&theirs[..6]);
    bob.account.drop_device("ann", &prefix).unwrap();
    assert!(bob.account.drop_device("ann", &prefix).is_err());
    comes(&bob, &ann, "to one", true);
}
