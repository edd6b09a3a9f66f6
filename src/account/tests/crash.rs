//! Letters received while the power is cut at every operation of the disk.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::account::tests::world::{HERE, Person, World, pair};
use crate::account::{Arrival, Error, Letters};
use crate::files::sim::SimDisk;
use crate::relay::client::pull::Options;

const LETTERS: [&str; 2] = ["one", "two"];

/// Receives until the disk fails or all is done, and counts how often each body was delivered.
fn receive(bob: &Person, delivered: &Mutex<BTreeMap<String, usize>>) -> Result<(), Error> {
    let mut count = Letters::new(|_: &Arrival, body: &[u8]| {
        let body = String::from_utf8(body.to_vec()).unwrap();
        *delivered.lock().unwrap().entry(body).or_default() += 1;
        Ok(())
    });
    bob.cx().receive(Options::default(), &mut count).map(drop)
}

/// Cuts the power at one operation. Returns whether there was so many.
fn cut_at(operation: u64, seed: u64) -> bool {
    let world = World::new();
    let disk = SimDisk::new(seed << 32 | operation);
    let (ann, bob) = (world.person("ann"), world.on_disk("bob", &disk));
    bob.cx().at(HERE).register(false, None).unwrap();
    pair(&ann, &bob);
    let sealed = LETTERS.map(|body| bob.gets_by_ratchet(&ann, body));

    let delivered = Mutex::default();
    disk.crash_in(Some(operation));
    let _ = receive(&bob, &delivered);
    let cut = disk.is_off();
    drop(bob);
    disk.restart();
    let before: BTreeMap<String, usize> = delivered.lock().unwrap().clone();

    let bob = world.on_disk("bob", &disk);
    receive(&bob, &delivered).unwrap();
    receive(&bob, &delivered).unwrap();
    let all = delivered.into_inner().unwrap();
    for body in LETTERS {
        let times = all.get(body).copied().unwrap_or_default();
        assert!(times >= 1, "{body} is lost: cut at {operation}, seed {seed}");
        // Between its delivery and its record a letter comes once more: no order can help.
        assert!(times <= 1 + usize::from(before.contains_key(body)), "{body} came {times} times");
    }
    let again: usize = all.values().sum::<usize>() - LETTERS.len();
    assert!(again <= 1, "{again} letters were delivered again: cut at {operation}");
    assert_eq!(world.relays.waiting(HERE), 0, "the relay has letters that were delivered");

    // A thief of everything that is left opens nothing.
    for letter in &sealed {
        assert!(opens(&bob, letter).is_err(), "the key of a letter is left: cut at {operation}");
    }
    cut
}

/// Opens a sealed letter by the keys of an account, whatever it remembers of letters.
fn opens(of: &Person, sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let keys = crate::account::Keyring::new(vec![of.account.clone()], Vec::new(), &of.said);
    let mut body = Vec::new();
    crate::age::Opener::new(sealed, &[&keys])?.open(&mut body)?;
    Ok(body)
}

#[test]
fn no_cut_loses_a_letter_or_leaves_its_key() {
    for operation in 1.. {
        if !(0..2).map(|seed| cut_at(operation, seed)).fold(false, |any, cut| any | cut) {
            assert!(operation > 20, "receiving has {operation} operations");
            return;
        }
    }
}
