//! People with accounts in temporary homes, relays in memory, and a clock that moves when it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::account::send::push;
use crate::account::tests::relays::SimRelays;
use crate::account::{
    Account, Arrival, Clock, Context, Error, Event, Events, Expectation, Invitation, InviteLine,
    LetterSealer, Letters, Look, Method, Newcomer, Recipient, Standing, TakenOver,
};
use crate::contact::pairing::{Address, Digits, Invite, Outgoing, Waits};
use crate::contact::{Own, Receipt, Trust};
use crate::crypto;
use crate::files::sim::SimDisk;
use crate::identity::{self, Fingerprint, Identity, Key, Keyfile};
use crate::letter::{Heading, Proof, Routing};
use crate::relay::client::pull::{Options, Report};
use crate::secret::Secret;

pub(super) const DAY: u64 = 24 * 3600;
/// Relay of those for whom no other is named.
pub(super) const HERE: &str = "http://here.test";
/// Another relay.
pub(super) const THERE: &str = "http://there.test";

/// A clock that moves when it is told.
#[derive(Clone)]
pub(super) struct SimClock(Arc<AtomicU64>);

impl SimClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_767_225_600)))
    }

    /// Moves forward.
    pub(super) fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Moves back.
    pub(super) fn back(&self, seconds: u64) {
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Events, as their `Debug` shows them.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Vec<String>>);

impl Events for Recorder {
    fn event(&self, event: Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Recorder {
    /// Returns what was said since the last call.
    pub(super) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("\n")
    }

    /// Demands that something was said since the last call.
    #[track_caller]
    pub(super) fn expect(&self, word: &str) {
        let said = self.take();
        assert!(said.contains(word), "expected {word}, got:\n{said}");
    }
}

/// A letter that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) body: String,
    /// The contact that sent it.
    pub(super) from: Option<String>,
    pub(super) proof: Proof,
    pub(super) forward_secrecy: bool,
    /// Letters before it that have not come.
    pub(super) missed: u64,
    /// It fills a gap.
    pub(super) late: bool,
}

/// Relays and a clock.
pub(super) struct World {
    pub(super) relays: SimRelays,
    pub(super) clock: SimClock,
}

impl World {
    /// Returns a world that is as this one is now, and goes its own way. People are copied to it.
    pub(super) fn fork(&self) -> Self {
        let clock = SimClock::new();
        clock.forward(self.clock.now() - clock.now());
        Self { relays: self.relays.fork(clock.clone()), clock }
    }

    pub(super) fn new() -> Self {
        let clock = SimClock::new();
        Self { relays: SimRelays::new(clock.clone()), clock }
    }

    /// Returns two who have paired by a secret invite: Ann, who invited, is at a relay here, Bob at
    /// one there.
    pub(super) fn paired() -> (Self, Person, Person) {
        let world = Self::new();
        let (ann, bob) = (world.person("ann"), world.person_at("bob", THERE));
        pair(&ann, &bob);
        (world, ann, bob)
    }

    /// Returns a person who is registered at the relay here.
    pub(super) fn person(&self, name: &'static str) -> Person {
        self.person_at(name, HERE)
    }

    /// Returns a person who is registered at a relay.
    pub(super) fn person_at(&self, name: &'static str, relay: &str) -> Person {
        let person = self.stranger(name);
        person.cx().at(relay).register(false, None).unwrap();
        person
    }

    /// Returns a person who is registered nowhere. The identity follows from the name.
    pub(super) fn stranger(&self, name: &'static str) -> Person {
        self.someone(name, tempfile::tempdir().unwrap())
    }

    fn someone(&self, name: &'static str, home: TempDir) -> Person {
        let identity = identity_of(name);
        let text = identity::render(&identity, self.clock.now());
        let account = Account::open(identity, Some(home.path()))
            .with_key_file(text.as_bytes().to_vec().into())
            .with_clock(Arc::new(self.clock.clone()));
        Person { account, name, relays: self.relays.clone(), said: Recorder::default(), home }
    }

    /// Returns a person whose state is on a simulated disk.
    pub(super) fn on_disk(&self, name: &'static str, disk: &SimDisk) -> Person {
        let account = Account::on(identity_of(name), Some(disk.folder("state")))
            .with_clock(Arc::new(self.clock.clone()));
        let (said, home) = (Recorder::default(), tempfile::tempdir().unwrap());
        Person { account, name, relays: self.relays.clone(), said, home }
    }

    /// Returns a person in an empty home: the same, after the machine was lost.
    pub(super) fn fresh(&self, of: &Person) -> Person {
        self.someone(of.name, tempfile::tempdir().unwrap())
    }

    /// Returns a device without an identity of its own.
    pub(super) fn device(&self) -> Device {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("newcomer");
        let newcomer = Newcomer::create(path.clone(), Some(home.path()), None).unwrap();
        self.as_device(path, newcomer.account().clone(), home)
    }

    fn as_device(&self, path: PathBuf, account: Account, home: TempDir) -> Device {
        let account = account.with_clock(Arc::new(self.clock.clone()));
        let newcomer = Newcomer::new(path, account);
        Device { newcomer, relays: self.relays.clone(), said: Recorder::default(), home }
    }

    /// Returns a copy of a device that is being taken into use, in this world.
    pub(super) fn copy_device(&self, of: &Device) -> Device {
        let home = tempfile::tempdir().unwrap();
        copy(of.home.path(), home.path());
        let path = home.path().join("newcomer");
        let Keyfile::Open(mut keys) = Keyfile::parse(&fs::read(&path).unwrap()).unwrap() else {
            panic!("the key file is locked");
        };
        let Some(Key::Bulla(identity)) = keys.pop() else { panic!("no identity") };
        self.as_device(path, Account::open(identity, Some(home.path())), home)
    }

    /// Returns another, in this world, with all that a person has now: a thief, or a backup.
    pub(super) fn copy(&self, of: &Person) -> Person {
        let home = tempfile::tempdir().unwrap();
        copy(of.home.path(), home.path());
        self.someone(of.name, home)
    }
}

/// Returns the identity of a name.
pub(super) fn identity_of(name: &str) -> Identity {
    Identity::from_seed(Secret::take(&mut crypto::sha256(&[name.as_bytes()]))).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// An account, the events that it told, and its home.
pub(super) struct Person {
    pub(super) account: Account,
    pub(super) name: &'static str,
    pub(super) said: Recorder,
    home: TempDir,
    relays: SimRelays,
}

impl Person {
    pub(super) fn cx(&self) -> Context<'_> {
        Context::new(&self.account, &self.relays, &self.said)
    }

    /// Returns the same person with a clock of another time.
    pub(super) fn with_clock(self, clock: &SimClock) -> Self {
        Self { account: self.account.with_clock(Arc::new(clock.clone())), ..self }
    }

    /// Makes an invite for a contact that is good for a day.
    pub(super) fn invite(&self, method: Method, name: &str) -> Result<Invitation, Error> {
        self.cx().invite(method, Some(name), DAY)
    }

    /// Takes up an invite.
    pub(super) fn join(&self, line: &str, name: &str, expected: Expectation) -> Result<Own, Error> {
        self.cx().join(&invite_in(line), Some(name), || Ok::<_, Error>(expected))
    }

    /// Looks for what has come for the pairings under way.
    pub(super) fn advance(&self) -> Result<Standing, Error> {
        let look = Look { only: None, again: true, wait: Duration::ZERO };
        all_went_on(self.cx().advance_pairings(look))
    }

    /// Returns the digits that are shown here for the pairing under way.
    pub(super) fn digits(&self) -> (Own, Digits) {
        let pairs = self.account.pairs().unwrap();
        let shown = pairs.underway().iter().find_map(|one| match one.pairing.waits_for() {
            Waits::OurDigits(shown) => Some((one.meeting.clone(), shown)),
            Waits::TheirDigits(shown) => Some((one.meeting.clone(), shown)),
            _ => None,
        });
        shown.unwrap()
    }

    /// Returns the names of the contacts.
    pub(super) fn contacts(&self) -> Vec<String> {
        let book = self.account.book().unwrap();
        book.contacts().map(|contact| contact.name().to_owned()).collect()
    }

    /// Returns the trust in a contact.
    pub(super) fn trust(&self, name: &str) -> Trust {
        self.account.book().unwrap().get(name).unwrap().trust().clone()
    }

    /// Returns how many devices of a contact are known.
    pub(super) fn devices_of(&self, name: &str) -> usize {
        let fingerprint = self.account.book().unwrap().get(name).unwrap().fingerprint();
        self.account.pairs().unwrap().machines_of(&fingerprint).len()
    }

    /// Seals a letter to a contact, and pushes it.
    pub(super) fn send(&self, to: &str, body: &str) -> Result<(), Error> {
        let heading = Heading { date: self.account.now(), ..Heading::default() };
        self.cx().send(&[to], &heading, body.as_bytes())
    }

    /// Seals a letter as `from` to the card that this person hands out, and pushes it. Returns the
    /// sealed letter.
    pub(super) fn gets_by_card(&self, from: &Account, body: &str) -> Result<Vec<u8>, Error> {
        let card = self.account.public_card(|_| ()).unwrap();
        let sealer = LetterSealer::new(from, &self.said)?;
        let to = sealer.address(Recipient::card(&from.book()?, card)?)?;
        let mut out = Vec::new();
        sealer.seal(&to, &Heading::default(), |routing, draft| {
            let mut sealed = Vec::new();
            draft.seal(body.as_bytes(), &mut sealed)?;
            out.push((routing.clone(), sealed));
            Ok::<_, Error>(())
        })?;
        let (Routing { relay, mailbox, capability }, bytes) = out.remove(0);
        let (relay, capability) = (relay.unwrap(), capability.unwrap());
        let address = Address { relay, mailbox, capability };
        push(&self.cx(), &Outgoing { address, bytes: bytes.clone() })?;
        Ok(bytes)
    }

    /// Gets a letter of a contact, for the one device that there is of this person. Returns the sealed
    /// letter.
    pub(super) fn gets_by_ratchet(&self, from: &Self, body: &str) -> Vec<u8> {
        from.send(self.name, body).unwrap();
        from.relays.last_sent().unwrap()
    }

    /// Receives all that waits. Returns the letters by their bodies, since mailboxes are asked in a
    /// random order.
    #[track_caller]
    pub(super) fn receive(&self) -> Vec<Got> {
        let (got, report) = self.receive_some(Options::default());
        report.unwrap();
        got
    }

    /// Receives what these options allow. Returns also how the run ended.
    pub(super) fn receive_some(&self, options: Options) -> (Vec<Got>, Result<Report, Error>) {
        let mut all = Vec::new();
        let report = self.cx().receive(
            options,
            &mut Letters::new(|letter: &Arrival, body: &[u8]| {
                let (missed, late) = match letter.receipt() {
                    Some(Receipt::Fresh { missed, late }) => (missed, late),
                    _ => (0, false),
                };
                all.push(Got {
                    body: String::from_utf8(body.to_vec()).unwrap(),
                    from: letter.contact().map(|contact| contact.name().to_owned()),
                    proof: letter.letter().proof,
                    forward_secrecy: letter.forward_secrecy(),
                    missed,
                    late,
                });
                Ok(())
            }),
        );
        (all, report)
    }

    /// Receives, and returns the bodies in order.
    #[track_caller]
    pub(super) fn bodies(&self) -> Vec<String> {
        let mut bodies: Vec<_> = self.receive().into_iter().map(|got| got.body).collect();
        bodies.sort();
        bodies
    }

    /// Deletes the folder in which pulled letters wait.
    pub(super) fn lose_spool(&self) {
        let _ = fs::remove_dir_all(self.account.spool_folder().unwrap());
    }

    /// Puts the home back to what a copy of it was.
    pub(super) fn restore(&self, from: &Person) {
        fs::remove_dir_all(self.home.path()).unwrap();
        copy(from.home.path(), self.home.path());
    }
}

/// A device that is being taken into use.
pub(super) struct Device {
    pub(super) newcomer: Newcomer,
    pub(super) said: Recorder,
    relays: SimRelays,
    home: TempDir,
}

/// Demands that every pairing went on.
fn all_went_on(standing: Result<Standing, Error>) -> Result<Standing, Error> {
    let mut standing = standing?;
    standing.failed.pop().map_or(Ok(standing), Err)
}

impl Device {
    pub(super) fn cx(&self) -> Context<'_> {
        Context::new(self.newcomer.account(), &self.relays, &self.said)
    }

    pub(super) fn join(&self, line: &str) -> Result<Own, Error> {
        self.cx().join(&invite_in(line), None, || Ok::<_, Error>(Expectation::Secret))
    }

    pub(super) fn advance(&self) -> Result<Standing, Error> {
        let look = Look { only: None, again: true, wait: Duration::ZERO };
        all_went_on(self.cx().advance_pairings(look))
    }

    /// Takes over what was handed over by the confirmed identity, if it came.
    pub(super) fn take_over(&self, confirmed: &Fingerprint) -> Result<Option<TakenOver>, Error> {
        let cx = self.cx();
        let Some(backup) = self.newcomer.fetch(&cx, Duration::ZERO, confirmed)? else {
            return Ok(None);
        };
        let home = Some(self.home.path());
        self.newcomer.take_over(&cx, home, backup, |_| Ok::<_, Error>(())).map(Some)
    }

    /// Returns the person whose device this is now.
    pub(super) fn becomes(self, name: &'static str, account: Account) -> Person {
        let Self { relays, home, .. } = self;
        Person { account, name, said: Recorder::default(), home, relays }
    }
}

/// Takes another device of a person into use.
pub(super) fn add_device(world: &World, of: &Person) -> Person {
    let device = world.device();
    let invited = of.cx().invite(Method::Device, None, DAY).unwrap();
    device.join(&invited.line).unwrap();
    for _ in 0..2 {
        of.advance().unwrap();
        device.advance().unwrap();
    }
    of.advance().unwrap();
    let taken = device.take_over(&of.account.fingerprint()).unwrap().unwrap();
    of.advance().unwrap();
    device.becomes(of.name, taken.account)
}

/// Parses the line of an invite.
pub(super) fn invite_in(line: &str) -> Invite {
    match InviteLine::parse(line).unwrap() {
        InviteLine::Contact(invite) | InviteLine::Device(invite) => invite,
    }
}

/// Advances the pairings of people until nothing is to be done.
#[track_caller]
pub(super) fn settle(people: &[&Person]) {
    for _ in 0..4 {
        for person in people {
            person.advance().unwrap();
            person.cx().advance_introductions().unwrap();
        }
    }
}

/// Pairs two people by a secret invite, each under the other's name.
#[track_caller]
pub(super) fn pair(inviter: &Person, joiner: &Person) {
    let invited = inviter.invite(Method::Secret, joiner.name).unwrap();
    joiner.join(&invited.line, inviter.name, Expectation::Secret).unwrap();
    settle(&[inviter, joiner]);
    assert!(inviter.contacts().iter().any(|name| name == joiner.name));
    assert!(joiner.contacts().iter().any(|name| name == inviter.name));
    inviter.said.take();
    joiner.said.take();
}
