//! The store on a disk that lies, and what only this store does.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use crate::crypto;
use crate::files::sim::{Random, SimDisk};
use crate::relay::protocol::{CapabilityId, Entry, Id, Mailbox, Terms};
use crate::relay::store::embedded::keeper::Keeper;
use crate::relay::store::embedded::options::Options;
use crate::relay::store::embedded::record::{self, Fact, message};
use crate::relay::store::embedded::shared::SMALL;
use crate::relay::store::embedded::{Embedded, segment};
use crate::relay::store::{
    Answer, BodyError, Chunks, Error, INLINE, Push, Put, Quotas, Store, Upload, Usage,
};

/// Stretches of the log and messages that were found damaged since the store was opened.
fn damaged(store: &Embedded) -> u64 {
    store.shared.damaged.load(Ordering::Relaxed)
}

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;
const CAP: CapabilityId = CapabilityId([7; 32]);
/// One that is revoked and allowed again.
const OTHER: CapabilityId = CapabilityId([8; 32]);

struct Whole(Option<Bytes>);

impl Chunks for Whole {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(std::future::ready(Ok(self.0.take().filter(|bytes| !bytes.is_empty()))))
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn small() -> Options {
    Options { segment: 512 << 10, floor: 0, patience: Duration::ZERO, ..Options::default() }
}

fn start(machine: &SimDisk, options: Options) -> std::io::Result<Embedded> {
    let (log, bodies) = (machine.folder("log"), machine.folder("bodies"));
    Embedded::start(log, bodies, Keeper::Here, Quotas::default(), options)
}

fn mailbox(number: u8) -> Mailbox {
    Mailbox([number; 32])
}

/// Bytes that no other seed has a run of.
fn text(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random(seed);
    std::iter::repeat_with(|| random.next().to_be_bytes()).flatten().take(length).collect()
}

fn push(number: u8, bytes: &[u8]) -> Push {
    let id = Id(crypto::sha256(&[bytes]));
    let message = Entry { id, size: bytes.len() as u64, expires: NOW + 30 * DAY };
    Push { mailbox: mailbox(number), capability: CAP, message, now: NOW }
}

async fn put(store: &Embedded, number: u8, bytes: &[u8]) -> Result<Put, Error> {
    let body = &mut Whole(Some(Bytes::copy_from_slice(bytes)));
    store.put(push(number, bytes), body).await
}

async fn body(store: &Embedded, number: u8, id: Id) -> Option<Vec<u8>> {
    let mut stored = store.get(mailbox(number), id, 0, NOW).await.unwrap()?;
    let mut bytes = Vec::new();
    while let Some(piece) = stored.body.next().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    Some(bytes)
}

async fn listed(store: &Embedded, number: u8) -> Vec<Id> {
    let list = store.list(mailbox(number), usize::MAX, NOW).await.unwrap();
    list.iter().map(|entry| entry.id).collect()
}

async fn with_boxes(store: &Embedded) -> Result<(), Error> {
    for number in 0..BOXES {
        store.register(mailbox(number), None, NOW).await?;
        store.allow(mailbox(number), CAP, Terms::default()).await?;
    }
    Ok(())
}

const BOXES: u8 = 3;

/// What a message may be after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its push was answered: it is there.
    Stored,
    /// Something was asked and not answered: it is there whole, or not.
    Either,
    /// Its ack was answered: it never comes back.
    Gone,
}

/// States of a capability that a crash may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Revoked,
    Allowed,
    /// The one was asked and not answered while it was the other.
    Either,
}

/// What was asked and what was answered.
struct Oracle {
    random: Random,
    messages: BTreeMap<(u8, Id), (Fate, Vec<u8>, u64)>,
    pushed: [u64; BOXES as usize],
    asked: [u64; BOXES as usize],
    /// Those whose ack was answered.
    acked: BTreeSet<(u8, Id)>,
    uploads: BTreeMap<u64, u64>,
    /// State of [`OTHER`] in each mailbox, and how often it was allowed.
    other: [(Standing, u64); BOXES as usize],
    /// Messages pushed by it, each with how often it had been allowed by then.
    by_other: BTreeMap<(u8, Id), u64>,
    step: u64,
}

impl Oracle {
    fn new(seed: u64) -> Self {
        let (messages, pushed, asked, acked, uploads, by_other) = Default::default();
        let other = [(Standing::Revoked, 0); BOXES as usize];
        let random = Random(seed);
        Self { random, messages, pushed, asked, acked, uploads, other, by_other, step: 0 }
    }

    /// One step of a random life. Fails when the power does.
    async fn live(&mut self, store: &Embedded) -> Result<(), Error> {
        self.step += 1;
        match self.random.below(15) {
            12 => self.revoke_or_allow(store).await,
            13..=14 => self.push_by_other(store).await,
            0..=5 => self.push(store).await,
            6..=8 => self.ack(store).await,
            9 => self.upload(store).await,
            10 => {
                store.sweep(NOW + (self.step * 600).min(DAY / 2)).await?;
                Ok(())
            }
            _ => {
                // New terms, so that the capability is said again.
                let terms = Terms { total: Some(1 << 40), ..Terms::default() };
                store.allow(mailbox(self.random.below(3) as u8), CAP, terms).await
            }
        }
    }

    async fn push(&mut self, store: &Embedded) -> Result<(), Error> {
        let count = 1 + self.random.below(6);
        let mut pushes = Vec::new();
        for _ in 0..count {
            let number = self.random.below(BOXES.into()) as u8;
            let length = match self.random.below(40) {
                0 => INLINE as usize + 1 + self.random.below(1000) as usize,
                1..=9 => 8000 + self.random.below(16_000) as usize,
                _ => 1 + self.random.below(3000) as usize,
            };
            let bytes = text(self.random.next(), length);
            let key = (number, Id(crypto::sha256(&[&bytes])));
            self.messages.insert(key, (Fate::Either, bytes.clone(), self.step));
            self.asked[usize::from(number)] += 1;
            pushes.push(async move { (key, put(store, number, &bytes).await) });
        }
        let mut failed = Ok(());
        for (key, outcome) in join_all(pushes).await {
            match outcome {
                Ok(put) => {
                    assert_eq!(put, Put::New);
                    self.messages.get_mut(&key).unwrap().0 = Fate::Stored;
                    self.pushed[usize::from(key.0)] += 1;
                }
                Err(error) => failed = Err(error),
            }
        }
        failed
    }

    async fn ack(&mut self, store: &Embedded) -> Result<(), Error> {
        let number = self.random.below(BOXES.into()) as u8;
        let of_ten = self.random.below(11);
        let mut ids = Vec::new();
        for ((at, id), (fate, ..)) in &mut self.messages {
            if *at == number && *fate == Fate::Stored && self.random.below(10) < of_ten {
                *fate = Fate::Either;
                ids.push(*id);
            }
        }
        let asked = ids.len() as u64;
        let deleted = store.ack(mailbox(number), ids.clone(), NOW + DAY).await?;
        assert_eq!(deleted, asked);
        for id in ids {
            self.messages.get_mut(&(number, id)).unwrap().0 = Fate::Gone;
            self.acked.insert((number, id));
        }
        Ok(())
    }

    async fn revoke_or_allow(&mut self, store: &Embedded) -> Result<(), Error> {
        let number = self.random.below(BOXES.into()) as u8;
        let (standing, times) = &mut self.other[usize::from(number)];
        let before = std::mem::replace(standing, Standing::Either);
        if before == Standing::Allowed {
            assert!(store.revoke(mailbox(number), OTHER).await?);
            *standing = Standing::Revoked;
        } else {
            *times += 1;
            store.allow(mailbox(number), OTHER, Terms::default()).await?;
            *standing = Standing::Allowed;
        }
        Ok(())
    }

    async fn push_by_other(&mut self, store: &Embedded) -> Result<(), Error> {
        let number = self.random.below(BOXES.into()) as u8;
        let length = 1 + self.random.below(3000) as usize;
        let bytes = text(self.random.next(), length);
        let push = Push { capability: OTHER, ..push(number, &bytes) };
        let key = (number, push.message.id);
        let body = &mut Whole(Some(Bytes::copy_from_slice(&bytes)));
        let (standing, times) = self.other[usize::from(number)];
        if standing == Standing::Revoked {
            let refused = store.put(push, body).await;
            assert!(matches!(refused, Err(Error::NoMailbox | Error::Failed(_))), "{refused:?}");
            return Ok(());
        }
        self.messages.insert(key, (Fate::Either, bytes.clone(), self.step));
        self.by_other.insert(key, times);
        assert_eq!(store.put(push, body).await?, Put::New);
        self.messages.get_mut(&key).unwrap().0 = Fate::Stored;
        Ok(())
    }

    /// Checks that what was revoked stays so, and each capability holds what was pushed by it since it was
    /// allowed.
    async fn check_capabilities(&mut self, store: &Embedded, number: u8, there: &[Entry]) {
        let all = store.capabilities(mailbox(number)).await.unwrap();
        let one = all.iter().find(|one| one.id == CAP).unwrap();
        let (standing, times) = &mut self.other[usize::from(number)];
        let other = all.iter().find(|one| one.id == OTHER);
        assert_eq!(all.len(), 1 + usize::from(other.is_some()));
        if *standing == Standing::Either {
            *standing = if other.is_some() { Standing::Allowed } else { Standing::Revoked };
        }
        assert_eq!(other.is_some(), *standing == Standing::Allowed, "a capability came back");
        let held = |of: &dyn Fn(Option<&u64>) -> bool| {
            let held = there.iter().filter(|entry| of(self.by_other.get(&(number, entry.id))));
            held.fold((0, 0), |(messages, bytes), entry| (messages + 1, bytes + entry.size))
        };
        assert_eq!((one.messages, one.bytes), held(&|by| by.is_none()));
        if let Some(other) = other {
            assert_eq!((other.messages, other.bytes), held(&|by| by == Some(times)));
        }
        let range = self.pushed[usize::from(number)]..=self.asked[usize::from(number)];
        assert!(range.contains(&one.pushed), "{} pushed, {range:?}", one.pushed);
    }

    /// A part of an upload to mailbox 0.
    async fn upload(&mut self, store: &Embedded) -> Result<(), Error> {
        let (seed, at) = match self.uploads.first_key_value() {
            Some((seed, at)) if self.random.below(4) > 0 => (*seed, *at),
            _ => (self.random.next(), 0),
        };
        let whole = text(seed, 280_000);
        let key = (0, Id(crypto::sha256(&[&whole])));
        let end = (at + 1 + self.random.below(200_000)).min(280_000);
        let part = Bytes::copy_from_slice(&whole[at as usize..end as usize]);
        if end == 280_000 {
            self.messages.insert(key, (Fate::Either, whole.clone(), self.step));
            self.asked[0] += 1;
        }
        self.uploads.entry(seed).or_insert(0);
        match store.append(push(0, &whole), at, &mut Whole(Some(part))).await? {
            Upload::Part(durable) => {
                assert_eq!(durable, end);
                self.uploads.insert(seed, end);
            }
            Upload::Whole(put) => {
                assert_eq!(put, Put::New);
                self.uploads.remove(&seed);
                self.messages.get_mut(&key).unwrap().0 = Fate::Stored;
                self.pushed[0] += 1;
            }
        }
        Ok(())
    }

    /// Calls every promise in. What was open is decided by what is there.
    async fn check(&mut self, store: &Embedded) {
        let mut total = Usage::default();
        for number in 0..BOXES {
            let list = store.list(mailbox(number), usize::MAX, NOW).await.unwrap();
            let there: BTreeSet<Id> = list.iter().map(|entry| entry.id).collect();
            assert_eq!(there.len(), list.len(), "a message twice");
            let mut last = 0;
            for entry in &list {
                let known = self.messages.get(&(number, entry.id));
                let (fate, bytes, step) = known.expect("a message nobody pushed");
                assert_ne!(*fate, Fate::Gone, "an acknowledged message came back");
                let found = body(store, number, entry.id).await;
                assert!(
                    found.as_ref() == Some(bytes),
                    "{:?} bytes for {}, {fate:?}",
                    found.map(|found| found.len()),
                    bytes.len()
                );
                assert_eq!(entry.size, bytes.len() as u64);
                assert!(last <= *step, "out of order");
                last = *step;
            }
            for ((at, id), (fate, bytes, _)) in &mut self.messages {
                if *at != number {
                    continue;
                }
                let is_there = there.contains(id);
                assert!(is_there || *fate != Fate::Stored, "{} bytes are lost", bytes.len());
                if *fate == Fate::Either {
                    *fate = if is_there { Fate::Stored } else { Fate::Gone };
                }
            }
            let bytes = list.iter().map(|entry| entry.size).sum();
            let usage = Usage { messages: list.len() as u64, bytes };
            assert_eq!(store.usage(mailbox(number)).await.unwrap(), Some(usage));
            self.check_capabilities(store, number, &list).await;
            total.messages += usage.messages;
            total.bytes += usage.bytes;
            // A late repetition of what was acknowledged brings nothing back.
            let mut late = self.messages.iter().filter(|((at, _), _)| *at == number);
            let by_cap = |key: &(u8, Id)| !self.by_other.contains_key(key);
            let acked = late.find(|(key, _)| self.acked.contains(*key) && by_cap(key));
            if let Some((_, (_, bytes, _))) = acked {
                assert_eq!(put(store, number, bytes).await.unwrap(), Put::Already);
            }
        }
        let mut gone = Vec::new();
        for (seed, at) in &self.uploads {
            let whole = text(*seed, 280_000);
            let id = Id(crypto::sha256(&[&whole]));
            match store.uploaded(mailbox(0), CAP, id, NOW).await.unwrap() {
                Some(Upload::Part(durable)) => assert!(durable >= *at, "{durable} of {at}"),
                // Completed, or never begun.
                Some(Upload::Whole(_)) => {}
                None => assert!(*at == 0 || self.messages.contains_key(&(0, id))),
            }
            gone.push(*seed);
        }
        // Whatever is open goes on another day.
        self.uploads.retain(|seed, _| !gone.contains(seed));
        assert_eq!(store.totals().await.unwrap().waiting, total);
    }
}

/// Lives through power cuts, the first after `first` operations.
fn crashes(seed: u64, first: u64, cuts: usize) {
    let machine = SimDisk::new(seed ^ first << 20);
    let mut oracle = Oracle::new(seed);
    let mut random = Random(seed ^ first << 32);
    run(async {
        let store = start(&machine, small()).unwrap();
        with_boxes(&store).await.unwrap();
        drop(store);
        let mut ahead = first;
        for _ in 0..cuts {
            machine.crash_in(Some(ahead));
            // It may go off while it starts, and again.
            if let Ok(store) = start(&machine, small()) {
                while oracle.live(&store).await.is_ok() && !machine.is_off() {}
                drop(store);
            }
            machine.restart();
            if random.below(3) == 0 {
                machine.crash_in(Some(1 + random.below(30)));
                drop(start(&machine, small()));
                machine.restart();
            }
            let store = start(&machine, small()).unwrap();
            oracle.check(&store).await;
            drop(store);
            let gone = oracle.messages.iter().filter(|(key, _)| oracle.acked.contains(*key));
            for (_, (_, bytes, _)) in gone.rev().step_by(5).take(5).filter(|m| m.1.1.len() > 16) {
                assert_eq!(found(&machine, bytes), Vec::<String>::new(), "not overwritten");
            }
            ahead = 1 + random.below(400);
        }
    });
}

/// `BULLA_SOAK=n` for n times as many.
fn soak() -> u64 {
    std::env::var("BULLA_SOAK").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

#[test]
fn power_cuts_break_no_promise() {
    let seed: Option<u64> = std::env::var("BULLA_SEED").ok().and_then(|n| n.parse().ok());
    let seeds = match seed {
        Some(seed) => seed..seed + 1,
        None => 0..6 * soak(),
    };
    for seed in seeds {
        eprintln!("BULLA_SEED={seed}");
        crashes(seed, 1 + seed * 37 % 300, 12);
    }
}

#[test]
fn a_power_cut_at_every_operation() {
    let step = if soak() > 1 { 1 } else { 23 };
    for first in (1..700).step_by(step) {
        crashes(1000, first, 1);
    }
}

/// All files on the machine in which a run of these bytes is.
fn found(machine: &SimDisk, bytes: &[u8]) -> Vec<String> {
    let all = machine.all().into_iter();
    all.filter(|(_, file)| holds(file, bytes)).map(|(name, _)| name).collect()
}

/// Returns whether a file has the beginning or the end of something.
fn holds(file: &[u8], bytes: &[u8]) -> bool {
    let run = &bytes[..bytes.len().min(16)];
    let end = &bytes[bytes.len().saturating_sub(16)..];
    file.windows(run.len()).any(|w| w == run || w == end)
}

#[test]
fn what_is_gone_is_overwritten() {
    let machine = SimDisk::new(1);
    let mut options = small();
    options.segment = 4 << 20;
    run(async {
        let store = start(&machine, options).unwrap();
        with_boxes(&store).await.unwrap();
        let bodies: Vec<Vec<u8>> =
            [17, 500, 5000, 200_000, 300_000].iter().map(|n| text(*n, *n as usize)).collect();
        let ids: Vec<Id> = bodies.iter().map(|b| Id(crypto::sha256(&[b]))).collect();
        for round in 0..3u8 {
            for bytes in &bodies {
                assert_eq!(put(&store, round, bytes).await.unwrap(), Put::New);
                assert_eq!(found(&machine, bytes).len(), 1, "the search finds what is there");
            }
            match round {
                0 => drop(store.ack(mailbox(0), ids.clone(), NOW + DAY).await.unwrap()),
                1 => drop(store.close(mailbox(1)).await.unwrap()),
                _ => drop(store.sweep(NOW + 31 * DAY).await.unwrap()),
            }
            for bytes in &bodies {
                assert_eq!(found(&machine, bytes), Vec::<String>::new(), "{round}");
            }
        }
    });
}

#[test]
fn a_cut_before_the_overwriting_is_made_good() {
    let bytes = text(1, 5000);
    let id = Id(crypto::sha256(&[&bytes]));
    let mut cut_before = 0;
    for case in 0..48 {
        let (machine, ahead) = (SimDisk::new(case), 1 + case % 6);
        run(async {
            let store = start(&machine, small()).unwrap();
            with_boxes(&store).await.unwrap();
            put(&store, 0, &bytes).await.unwrap();
            machine.crash_in(Some(ahead));
            drop(store.ack(mailbox(0), vec![id], NOW + DAY).await);
            drop(store);
            machine.restart();
            cut_before += usize::from(!found(&machine, &bytes).is_empty());
            let store = start(&machine, small()).unwrap();
            let there = listed(&store, 0).await.contains(&id);
            assert_eq!(body(&store, 0, id).await.is_some(), there);
            assert_eq!(found(&machine, &bytes).is_empty(), !there, "{ahead}");
            cut_before -= usize::from(there);
        });
    }
    assert!(cut_before > 0, "no cut came between the two");
}

/// Fills several segments; says which are sealed.
async fn fill(store: &Embedded, machine: &SimDisk, count: u64) -> (Vec<Vec<u8>>, Vec<String>) {
    with_boxes(store).await.unwrap();
    let mut bodies = Vec::new();
    for number in 0..count {
        let bytes = text(number, 3000);
        put(store, 0, &bytes).await.unwrap();
        bodies.push(bytes);
    }
    let names = machine.all().into_keys();
    let sealed = names.filter_map(|name| {
        name.strip_prefix("log/").and_then(|n| n.strip_suffix(".hint")).map(|n| format!("{n}.log"))
    });
    (bodies, sealed.collect())
}

#[test]
fn damage_loses_what_it_hit_and_is_counted() {
    // Where in the first segment, how much, how many messages at most; with and without a hint.
    for (at, length, most) in [(20, 8, 0), (5000, 1, 1), (40_000, 200, 1), (60_000, 7000, 4)] {
        for hint in [true, false] {
            let machine = SimDisk::new(3);
            run(async {
                let store = start(&machine, small()).unwrap();
                let (bodies, sealed) = fill(&store, &machine, 700).await;
                assert!(sealed.len() > 2, "{sealed:?}");
                drop(store);
                machine.rot("log", &sealed[1], at, length);
                if !hint {
                    machine.rot("log", &sealed[1].replace(".log", ".hint"), 100, 1);
                }
                let store = start(&machine, small()).unwrap();
                let mut lost = 0;
                for bytes in &bodies {
                    let id = Id(crypto::sha256(&[bytes]));
                    match body(&store, 0, id).await {
                        Some(found) => assert!(found == *bytes),
                        None => lost += 1,
                    }
                }
                assert!(lost <= most, "{lost} lost at {at}, {most} expected");
                assert!((most > 0) == (lost > 0), "{lost} lost at {at}");
                assert!(lost == 0 || damaged(&store) > 0);
                // The rest of the mailbox can be had, and goes on.
                assert_eq!(listed(&store, 0).await.len(), bodies.len() - lost);
                assert_eq!(put(&store, 0, b"more").await.unwrap(), Put::New);
            });
        }
    }
}

#[test]
fn hints_say_what_segments_say() {
    let machine = SimDisk::new(4);
    run(async {
        let store = start(&machine, small()).unwrap();
        let (bodies, sealed) = fill(&store, &machine, 600).await;
        let ids: Vec<Id> = bodies.iter().map(|b| Id(crypto::sha256(&[b]))).collect();
        let some: Vec<Id> = ids.iter().step_by(3).copied().collect();
        store.ack(mailbox(0), some.clone(), NOW + DAY).await.unwrap();
        let before = (listed(&store, 0).await, store.capabilities(mailbox(0)).await.unwrap());
        drop(store);
        for round in 0..3 {
            let folder = machine.folder("log");
            if round == 1 {
                sealed.iter().for_each(|n| folder.remove(&n.replace(".log", ".hint")).unwrap());
            }
            let store = start(&machine, small()).unwrap();
            let after = (listed(&store, 0).await, store.capabilities(mailbox(0)).await.unwrap());
            assert_eq!(after, before, "{round}");
            assert_eq!(put(&store, 0, &bodies[0]).await.unwrap(), Put::Already);
            assert_eq!(damaged(&store), 0);
            // They are made again.
            let hints = machine.all().iter().filter(|(name, _)| name.ends_with(".hint")).count();
            assert!(hints >= sealed.len(), "{round}");
        }
    });
}

#[test]
fn the_log_stays_short_and_keeps_the_order() {
    let machine = SimDisk::new(5);
    run(async {
        let store = start(&machine, small()).unwrap();
        with_boxes(&store).await.unwrap();
        let mut kept = Vec::new();
        for number in 0..4000u64 {
            let bytes = text(number, 3000);
            let id = Id(crypto::sha256(&[&bytes]));
            put(&store, 0, &bytes).await.unwrap();
            if number % 50 == 0 {
                kept.push((id, bytes));
            } else {
                store.ack(mailbox(0), vec![id], NOW + DAY).await.unwrap();
            }
        }
        // 12 MB went through; some 240 kB are left.
        let length: usize = machine.all().values().map(Vec::len).sum();
        assert!(length < 4 << 20, "{length} bytes");
        for round in 0..2 {
            let order: Vec<Id> = kept.iter().map(|(id, _)| *id).collect();
            assert_eq!(listed(&store, 0).await, order, "{round}");
        }
        drop(store);
        let store = start(&machine, small()).unwrap();
        let order: Vec<Id> = kept.iter().map(|(id, _)| *id).collect();
        assert_eq!(listed(&store, 0).await, order);
        for (id, bytes) in &kept {
            assert!(body(&store, 0, *id).await.as_ref() == Some(bytes));
        }
        let [one] = store.capabilities(mailbox(0)).await.unwrap()[..] else { panic!() };
        assert_eq!((one.pushed, one.messages), (4000, 80));
        // What was acknowledged in segments that are gone is remembered.
        assert_eq!(put(&store, 0, &text(1, 3000)).await.unwrap(), Put::Already);
        // A day later nothing of it is remembered, and what was known of it is gone too.
        store.sweep(NOW + 3 * DAY).await.unwrap();
        store.sweep(NOW + 3 * DAY).await.unwrap();
        let id = crypto::sha256(&[&text(1, 3000)]);
        for _ in 0..500 {
            if found(&machine, &id).is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("its id is in {:?}", found(&machine, &id));
    });
}

#[test]
fn what_is_read_while_it_is_moved_is_not_given_up() {
    // On a busy machine much may be moved before the first is read: then once more.
    let mut read = 0;
    let enough = (11..61).any(|seed| {
        read += read_while_moved(seed);
        read > 50
    });
    assert!(enough, "only {read} were read meanwhile");
}

/// Reads over and over what is kept of a file that is given up, and says how often while it was there.
fn read_while_moved(seed: u64) -> u32 {
    let machine = SimDisk::new(seed);
    run(async {
        let store = start(&machine, small()).unwrap();
        let (bodies, sealed) = fill(&store, &machine, 700).await;
        assert!(sealed.len() > 2, "{sealed:?}");
        let ids: Vec<Id> = bodies.iter().map(|b| Id(crypto::sha256(&[b]))).collect();
        let (kept, dead): (Vec<_>, Vec<_>) = ids.iter().enumerate().partition(|(n, _)| n % 9 == 0);
        let dead = dead.into_iter().map(|(_, id)| *id).collect();
        let oldest_is_there = || machine.folder("log").list().unwrap().contains(&sealed[0]);
        machine.lag(Duration::from_millis(3));
        store.ack(mailbox(0), dead, NOW + DAY).await.unwrap();
        let mut read = 0;
        while oldest_is_there() {
            for (number, id) in &kept {
                assert!(body(&store, 0, **id).await.as_ref() == Some(&bodies[*number]), "{read}");
                read += u32::from(oldest_is_there());
            }
        }
        assert_eq!(damaged(&store), 0);
        read
    })
}

#[test]
fn a_full_disk_refuses_the_new_and_lets_the_old_out() {
    let machine = SimDisk::new(6);
    let options = small();
    machine.capacity(Some(3 << 20));
    run(async {
        let store = start(&machine, options).unwrap();
        with_boxes(&store).await.unwrap();
        let mut there = Vec::new();
        for number in 0.. {
            let bytes = text(number, 3000);
            match put(&store, 0, &bytes).await {
                Ok(_) => there.push((Id(crypto::sha256(&[&bytes])), bytes)),
                Err(Error::RelayFull) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(there.len() > 500, "{}", there.len());
        assert!(matches!(store.register(mailbox(9), None, NOW).await, Err(Error::RelayFull)));
        let long = text(1 << 40, 300_000);
        assert!(matches!(put(&store, 0, &long).await, Err(Error::RelayFull)));
        for (id, bytes) in there.iter().step_by(20) {
            assert!(body(&store, 0, *id).await.as_ref() == Some(bytes));
        }
        // The same after a restart, on the same full disk.
        drop(store);
        let store = start(&machine, options).unwrap();
        assert!(matches!(put(&store, 0, &long).await, Err(Error::RelayFull)));
        assert_eq!(listed(&store, 0).await.len(), there.len());
        for acked in there.chunks(10) {
            let ids: Vec<Id> = acked.iter().map(|(id, _)| *id).collect();
            assert_eq!(store.ack(mailbox(0), ids, NOW + DAY).await.unwrap(), acked.len() as u64);
        }
        // Then there is room again.
        for _ in 0..100 {
            if put(&store, 0, &long).await.is_ok() {
                return;
            }
            store.sweep(NOW).await.unwrap();
        }
        panic!("no room came of it");
    });
}

#[test]
fn a_failed_write_ends_it() {
    for ahead in 1..3 {
        let machine = SimDisk::new(7);
        run(async {
            let store = start(&machine, small()).unwrap();
            with_boxes(&store).await.unwrap();
            machine.crash_in(Some(ahead));
            assert!(matches!(put(&store, 0, b"1").await, Err(Error::Failed(_))));
            assert!(matches!(put(&store, 0, b"2").await, Err(Error::Failed(_))));
            assert!(matches!(store.ack(mailbox(0), vec![], 0).await, Err(Error::Failed(_))));
            assert!(store.failure().await.contains("power"));
        });
    }
}

#[test]
fn a_disk_that_cannot_be_written_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("file");
    std::fs::write(&there, "").unwrap();
    // Also for those whom no mode of a folder stops.
    let outcome = Embedded::open(&there.join("store"), Quotas::default());
    assert!(matches!(outcome, Err(Error::Open { .. })));
    let outcome = Embedded::open(Path::new("/proc/bulla"), Quotas::default());
    assert!(matches!(outcome, Err(Error::Open { .. })));
    let good = folder.path().join("store");
    let store = Embedded::open(&good, Quotas::default()).unwrap();
    assert!(matches!(Embedded::open(&good, Quotas::default()), Err(Error::InUse(_))));
    drop(store);
    drop(Embedded::open(&good, Quotas::default()).unwrap());
}

#[test]
fn a_clock_that_leaps_is_not_believed_at_once() {
    let machine = SimDisk::new(8);
    let patience = Duration::from_millis(400);
    let options = Options { patience, ..small() };
    run(async {
        let store = start(&machine, options).unwrap();
        with_boxes(&store).await.unwrap();
        put(&store, 0, b"1").await.unwrap();
        let year = 365 * DAY;
        assert_eq!(store.sweep(NOW).await.unwrap(), 0);
        // A year ahead, once and again; and back.
        assert_eq!(store.sweep(NOW + year).await.unwrap(), 0);
        assert_eq!(store.sweep(NOW + year + 1).await.unwrap(), 0);
        assert_eq!(store.sweep(NOW + 5).await.unwrap(), 0);
        assert_eq!(store.sweep(NOW - year).await.unwrap(), 0);
        drop(store);
        // The same after a restart: the log remembers the time.
        let store = start(&machine, options).unwrap();
        assert_eq!(store.sweep(NOW + year).await.unwrap(), 0);
        assert_eq!(listed(&store, 0).await.len(), 1);
        // Only a clock that goes on from there is believed.
        tokio::time::sleep(patience).await;
        assert_eq!(store.sweep(NOW + 2 * year).await.unwrap(), 0);
        assert_eq!(store.sweep(NOW + year).await.unwrap(), 0);
        tokio::time::sleep(patience).await;
        assert_eq!(store.sweep(NOW + year).await.unwrap(), 1);
    });
}

#[test]
fn an_upload_breaks_off_with_its_bytes_kept_across_a_cut() {
    let machine = SimDisk::new(9);
    run(async {
        let store = start(&machine, small()).unwrap();
        with_boxes(&store).await.unwrap();
        let whole = text(1, 700_000);
        let part = |range: std::ops::Range<usize>| Whole(Some(whole[range].to_vec().into()));
        let outcome = store.append(push(0, &whole), 0, &mut part(0..400_000)).await.unwrap();
        assert_eq!(outcome, Upload::Part(400_000));
        machine.crash_in(Some(3));
        drop(store.append(push(0, &whole), 400_000, &mut part(400_000..600_000)).await);
        drop(store);
        machine.restart();
        let store = start(&machine, small()).unwrap();
        let id = push(0, &whole).message.id;
        let far = store.uploaded(mailbox(0), CAP, id, NOW).await.unwrap();
        let Some(Upload::Part(at)) = far else { panic!("{far:?}") };
        assert!(at == 400_000 || at == 600_000);
        let rest = &mut part(at as usize..700_000);
        let outcome = store.append(push(0, &whole), at, rest).await.unwrap();
        assert_eq!(outcome, Upload::Whole(Put::New));
        assert!(body(&store, 0, id).await == Some(whole));
    });
}

#[test]
fn a_forged_record_in_a_body_is_none() {
    // What looks like a record lies in a body whose own head is damaged.
    let machine = SimDisk::new(10);
    run(async {
        let store = start(&machine, small()).unwrap();
        with_boxes(&store).await.unwrap();
        let close = record::encode(&Fact::Close { mailbox: mailbox(1).0 }, &[]).unwrap();
        put(&store, 1, b"victim").await.unwrap();
        put(&store, 0, &close.repeat(20)).await.unwrap();
        put(&store, 1, b"after").await.unwrap();
        drop(store);
        let log = machine
            .all()
            .into_iter()
            .find(|(_, bytes)| bytes.windows(close.len()).any(|window| window == close));
        let (name, bytes) = log.unwrap();
        let at = bytes.windows(close.len()).position(|window| window == close).unwrap();
        machine.rot("log", name.strip_prefix("log/").unwrap(), at - 20, 4);
        let store = start(&machine, small()).unwrap();
        assert_eq!(listed(&store, 1).await.len(), 2);
        assert_eq!(listed(&store, 0).await.len(), 0);
    });
}

#[test]
fn whoever_hangs_up_leaves_a_whole_message_or_none() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = Embedded::open(folder.path(), Quotas::default()).unwrap();
        with_boxes(&store).await.unwrap();
        for round in 0..30u64 {
            let bytes = text(round, 300_000);
            let time = Duration::from_micros(round * 150);
            let _ = tokio::time::timeout(time, put(&store, 0, &bytes)).await;
        }
        // Jobs are done in order, so after this one the queue is empty.
        store.register(mailbox(0), None, NOW).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let list = listed(&store, 0).await;
        for id in &list {
            assert_eq!(body(&store, 0, *id).await.unwrap().len(), 300_000);
        }
        let files = std::fs::read_dir(folder.path().join("bodies")).unwrap().count();
        assert_eq!(files, list.len());
        let reserved = store.shared.index().reserved;
        assert_eq!(reserved, 0);
        let mut broken = Whole(None);
        let short = store.put(push(0, b"none"), &mut broken).await;
        assert!(matches!(short, Ok(Put::New) | Err(Error::Body(BodyError::WrongLength))));
    });
}

/// Counts the messages and uploads in the log that name a capability.
fn naming(machine: &SimDisk, capability: CapabilityId) -> usize {
    loop {
        // A segment may be compacted away after it was listed: then the list is taken again.
        match try_naming(machine, capability) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            counted => return counted.unwrap(),
        }
    }
}

fn try_naming(machine: &SimDisk, capability: CapabilityId) -> io::Result<usize> {
    let disk = machine.folder("log");
    let numbers: Vec<u32> =
        disk.list().unwrap().iter().filter_map(|name| segment::number(name)).collect();
    let names = |number: u32| -> io::Result<usize> {
        let (_, records) = segment::Segment::read(&*disk, number)?.unwrap();
        let named = records.map(|met| match met.fact {
            record::Fact::Put(message) => message.capability,
            record::Fact::Upload(upload) => upload.capability,
            _ => record::REVOKED,
        });
        Ok(named.filter(|named| *named == capability.0).count())
    };
    numbers.into_iter().map(names).sum()
}

#[test]
fn a_copy_does_not_bring_a_revoked_capability_back() {
    let machine = SimDisk::new(7);
    run(async {
        let store = start(&machine, small()).unwrap();
        with_boxes(&store).await.unwrap();
        store.allow(mailbox(0), OTHER, Terms::default()).await.unwrap();
        let by_other = |bytes: &[u8]| Push { capability: OTHER, ..push(0, bytes) };
        let whole = |bytes: &[u8]| Whole(Some(Bytes::copy_from_slice(bytes)));
        let kept = text(1, 3000);
        assert_eq!(store.put(by_other(&kept), &mut whole(&kept)).await.unwrap(), Put::New);
        let upload = text(2, 280_000);
        store.append(by_other(&upload), 0, &mut whole(&upload[..1000])).await.unwrap();
        assert!(naming(&machine, OTHER) >= 2);
        assert!(store.revoke(mailbox(0), OTHER).await.unwrap());
        // The log is gone through until nothing that was written before is in it.
        for seed in 10..3000 {
            let bytes = text(seed, 3000);
            put(&store, 1, &bytes).await.unwrap();
            let id = Id(crypto::sha256(&[&bytes]));
            store.ack(mailbox(1), vec![id], NOW).await.unwrap();
        }
        assert_eq!(naming(&machine, OTHER), 0, "a copy names what was revoked");
        drop(store);
        let store = start(&machine, small()).unwrap();
        let again = text(3, 10);
        let refused = store.put(by_other(&again), &mut whole(&again)).await;
        assert!(matches!(refused, Err(Error::NoMailbox)), "{refused:?}");
        let refused = store.append(by_other(&upload), 1000, &mut whole(&upload[1000..])).await;
        assert!(matches!(refused, Err(Error::NoMailbox)), "{refused:?}");
        let known = store.capabilities(mailbox(0)).await.unwrap();
        assert_eq!(known.iter().map(|one| one.id).collect::<Vec<_>>(), [CAP]);
        // What it had pushed is there, and counts for the mailbox alone.
        assert_eq!(body(&store, 0, Id(crypto::sha256(&[&kept]))).await, Some(kept));
        // It can be allowed again, and holds nothing then.
        store.allow(mailbox(0), OTHER, Terms::default()).await.unwrap();
        let known = store.capabilities(mailbox(0)).await.unwrap();
        assert_eq!(known.iter().map(|one| one.messages).sum::<u64>(), 0);
        drop(store);
        let store = start(&machine, small()).unwrap();
        let known = store.capabilities(mailbox(0)).await.unwrap();
        assert_eq!(known.iter().map(|one| one.messages).sum::<u64>(), 0);
    });
}

/// What a power cut leaves of a group: a copy whose end is missing, a body whose head is missing, and
/// a record behind both.
#[test]
fn what_a_torn_group_left_is_overwritten() {
    let machine = SimDisk::new(11);
    run(async {
        let store = start(&machine, small()).unwrap();
        with_boxes(&store).await.unwrap();
        let (copied, headless) = (text(1, 2000), text(2, 2000));
        put(&store, 1, b"keeps the segment").await.unwrap();
        put(&store, 0, &copied).await.unwrap();
        drop(store);

        let (name, bytes) = machine.all().into_iter().find(|(_, b)| holds(b, &copied)).unwrap();
        let mark = &bytes[24..32];
        let head = |bytes: &[u8]| {
            let fact = message(&push(0, bytes), None);
            let record = record::encode(&fact, bytes).unwrap();
            [mark, &record[8..record.len() - bytes.len()]].concat()
        };
        let clock = record::encode(&Fact::Clock { now: 1 }, &[]).unwrap();
        let parts: [&[u8]; 6] = [
            &head(&copied),
            &copied[..1000],
            &[0; 1000],
            &vec![0; head(&headless).len()],
            &headless,
            &[mark, &clock[8..]].concat(),
        ];
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let log = machine.folder("log");
        let file = log.open_writable(name.strip_prefix("log/").unwrap()).unwrap();
        file.write_at(&parts.concat(), end as u64).unwrap();
        file.sync_data().unwrap();

        let store = start(&machine, small()).unwrap();
        assert_eq!(found(&machine, &headless), Vec::<String>::new());
        let id = Id(crypto::sha256(&[&copied]));
        assert!(body(&store, 0, id).await == Some(copied.clone()));
        put(&store, 0, &headless).await.unwrap();
        let other = Id(crypto::sha256(&[&headless]));
        assert_eq!(store.ack(mailbox(0), vec![id, other], NOW).await.unwrap(), 2);
        assert_eq!(found(&machine, b"keeps the segment"), [name]);
        assert_eq!(found(&machine, &copied), Vec::<String>::new());
        assert_eq!(found(&machine, &headless), Vec::<String>::new());
        drop(store);
        let store = start(&machine, small()).unwrap();
        assert_eq!(listed(&store, 0).await, []);
        put(&store, 0, b"goes on").await.unwrap();
        assert_eq!(listed(&store, 0).await.len(), 1);
    });
}

/// A log as it was written before copies named no revoked capability.
#[test]
fn a_message_that_names_an_unknown_capability_allows_nothing() {
    let machine = SimDisk::new(8);
    run(async {
        let store = start(&machine, small()).unwrap();
        with_boxes(&store).await.unwrap();
        let (first, second) = (text(1, 100), text(2, 100));
        let by_other = |bytes: &[u8]| Push { capability: OTHER, ..push(0, bytes) };
        let fact = message(&by_other(&first), None);
        let record = record::encode(&fact, &first).unwrap();
        store
            .ask(SMALL + record.len() as u64, true, move |turn| {
                turn.put(&fact, &record);
                Ok(())
            })
            .await
            .unwrap();
        let refused = async |store: &Embedded| {
            let body = &mut Whole(Some(Bytes::copy_from_slice(&second)));
            let refused = store.put(by_other(&second), body).await;
            assert!(matches!(refused, Err(Error::NoMailbox)), "{refused:?}");
        };
        refused(&store).await;
        drop(store);
        let store = start(&machine, small()).unwrap();
        refused(&store).await;
        let known = store.capabilities(mailbox(0)).await.unwrap();
        assert_eq!(known.iter().map(|one| one.id).collect::<Vec<_>>(), [CAP]);
        assert_eq!(listed(&store, 0).await.len(), 1);
    });
}
