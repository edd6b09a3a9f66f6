//! Pulls whose power is cut at every operation of the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::crypto::{self, SigningSecret};
use crate::files::sim::{SimDisk, cut_everywhere};
use crate::relay::client::error::Error;
use crate::relay::client::spool::Spool;
use crate::relay::client::transport::{Events, Inbox, Pushed, SealedBody, Transport};
use crate::relay::protocol::{Capability, CapabilityId, Entry, Id, Info, MAX_FRAME, Status, Terms};
use crate::secret::{Secret, SecretString};

/// A relay of one mailbox, in memory.
#[derive(Default)]
struct Mailbox {
    messages: Mutex<BTreeMap<Id, Vec<u8>>>,
    acked: Mutex<BTreeSet<Id>>,
    /// Before each piece of a long message.
    pause: Duration,
}

impl Mailbox {
    fn arrives(&self, bytes: Vec<u8>) {
        self.messages.lock().unwrap().insert(Id(crypto::sha256(&[&bytes])), bytes);
    }

    fn bytes(&self, id: &Id) -> Result<Vec<u8>, Error> {
        self.messages.lock().unwrap().get(id).cloned().ok_or(Error::NoMessage(*id))
    }
}

fn unused<T>() -> Result<T, Error> {
    Err(Error::Protocol("no pull asks for that".into()))
}

impl Transport for Mailbox {
    fn url(&self) -> String {
        "http://relay.test".into()
    }

    fn list(&self, _: &SigningSecret, _: Duration, limit: usize) -> Result<Vec<Entry>, Error> {
        let messages = self.messages.lock().unwrap();
        let entry = |(id, bytes): (&Id, &Vec<u8>)| Entry {
            id: *id,
            size: bytes.len() as u64,
            expires: u64::MAX,
        };
        Ok(messages.iter().take(limit).map(entry).collect())
    }

    fn ack(&self, _: &SigningSecret, ids: &[Id]) -> Result<u64, Error> {
        self.acked.lock().unwrap().extend(ids);
        let mut messages = self.messages.lock().unwrap();
        Ok(ids.iter().filter(|id| messages.remove(id).is_some()).count() as u64)
    }

    fn fetch_from(
        &self,
        _: &SigningSecret,
        message: &Entry,
        from: u64,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let bytes = self.bytes(&message.id)?;
        for piece in bytes.get(from as usize..).unwrap_or_default().chunks(64 << 10) {
            std::thread::sleep(self.pause);
            out.write_all(piece)?;
        }
        Ok(())
    }

    fn take(
        &self,
        _: &SigningSecret,
        messages: &[Entry],
        each: &mut dyn FnMut(Id, &[u8]) -> io::Result<()>,
    ) -> Result<Vec<Id>, Error> {
        for entry in messages {
            each(entry.id, &self.bytes(&entry.id)?)?;
        }
        Ok(Vec::new())
    }

    fn info(&self) -> Result<Info, Error> {
        unused()
    }

    fn register(&self, _: &SigningSecret, _: Option<&SecretString>) -> Result<bool, Error> {
        unused()
    }

    fn status(&self, _: &SigningSecret) -> Result<Status, Error> {
        unused()
    }

    fn close(&self, _: &SigningSecret) -> Result<(), Error> {
        unused()
    }

    fn capabilities(&self, _: &SigningSecret) -> Result<Vec<Capability>, Error> {
        unused()
    }

    fn allow(&self, _: &SigningSecret, _: &CapabilityId, _: &Terms) -> Result<(), Error> {
        unused()
    }

    fn revoke(&self, _: &SigningSecret, _: &CapabilityId) -> Result<(), Error> {
        unused()
    }

    fn events(&self, _: &SigningSecret) -> Result<Events, Error> {
        unused()
    }

    fn push(&self, _: &Inbox, _: &Id, _: &mut dyn SealedBody, _: u64) -> Result<Pushed, Error> {
        unused()
    }

    fn push_batch(
        &self,
        _: &Inbox,
        _: &[(Id, &[u8])],
    ) -> Result<Vec<Result<Pushed, Error>>, Error> {
        unused()
    }
}

/// A relay, and what was delivered from it.
#[derive(Default)]
struct World {
    relay: Arc<Mailbox>,
    delivered: BTreeSet<Id>,
}

impl World {
    fn pull(&mut self, disk: &SimDisk) -> Result<Report, Stopped<Error>> {
        let key = Arc::new(SigningSecret::from_seed(&Secret::from_slice(&[7; 32]).unwrap()));
        let relay: Arc<dyn Transport> = Arc::clone(&self.relay) as _;
        let mut spool = Spool::on(disk.root().folder("spool"))?;
        let deliver = |id: Id, file: &mut File| {
            assert_eq!(Id(crypto::sha256(&[&read(file)])), id);
            self.delivered.insert(id);
            Ok(if is_given_out(&id) { Delivered::GivenOut } else { Delivered::Yes })
        };
        pull(&[Owned { relay, key }], &mut spool, Options::default(), deliver)
    }
}

fn read(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Half of the messages go to a reader that says nothing.
fn is_given_out(id: &Id) -> bool {
    id.0[0].is_multiple_of(2)
}

fn message(number: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| number ^ (at % 251) as u8).collect()
}

fn pull_twice(disk: &SimDisk, world: &mut World) -> Result<(), Stopped<Error>> {
    for number in 0..5 {
        world.relay.arrives(message(number, 900));
    }
    world.relay.arrives(message(5, MAX_FRAME as usize + 1));
    world.pull(disk)?;
    for number in 6..9 {
        world.relay.arrives(message(number, 900));
    }
    world.pull(disk).map(drop)
}

#[test]
fn no_crash_loses_a_message_or_acknowledges_one_without_its_mark() {
    cut_everywhere(
        |_| World::default(),
        pull_twice,
        |disk, mut world, _| {
            let acked = world.relay.acked.lock().unwrap().clone();
            assert!(acked.is_subset(&world.delivered));
            let spool = Spool::on(disk.root().folder("spool")).unwrap();
            for id in &acked {
                assert!(
                    spool.is_done(id),
                    "the relay was told before the mark was durable, given out: {}",
                    is_given_out(id)
                );
                if is_given_out(id) {
                    let mut kept = spool.open_message(id).unwrap().unwrap();
                    assert_eq!(Id(crypto::sha256(&[&read(&mut kept)])), *id);
                }
            }
            drop(spool);
            let left: Vec<Id> = world.relay.messages.lock().unwrap().keys().copied().collect();
            // A part that a power cut tore is dropped by its hash, and fetched again by the next pull.
            world.pull(disk).unwrap();
            world.pull(disk).unwrap();
            assert!(world.relay.messages.lock().unwrap().is_empty());
            assert!(left.iter().all(|id| world.delivered.contains(id)));
        },
    );
}

#[test]
fn a_long_message_waits_for_those_at_other_mailboxes() {
    let slow = Mailbox { pause: Duration::from_millis(500), ..Mailbox::default() };
    let big = message(1, 1 << 20);
    let last = Id(crypto::sha256(&[&big]));
    slow.arrives(big);
    let quick = (2..9).map(|number| {
        let mailbox = Mailbox::default();
        mailbox.arrives(message(number, 100));
        mailbox
    });
    let boxes: Vec<Owned> = std::iter::once(slow)
        .chain(quick)
        .map(|mailbox| {
            let key = SigningSecret::from_seed(&Secret::from_slice(&[7; 32]).unwrap());
            Owned { relay: Arc::new(mailbox), key: Arc::new(key) }
        })
        .collect();
    let mut spool = Spool::on(SimDisk::new(1).root().folder("spool")).unwrap();
    let options = Options { turn: Duration::from_secs(3), ..Options::default() };
    let mut order = Vec::new();
    let report = pull(&boxes, &mut spool, options, |id, _| {
        order.push(id);
        Ok::<_, Error>(Delivered::Yes)
    });
    assert_eq!((report.unwrap().delivered, order.last()), (8, Some(&last)));
}
