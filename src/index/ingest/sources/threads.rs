//! Which thread a message is in, when what it answers says so of itself (as in
//! <https://www.jwz.org/doc/threading.html>, without its guesses from subjects).
//!
//! A message is in the thread of what it names in `References` or `In-Reply-To`, however short that
//! list is: by the messages it names that are known, and by those that named it before it came. Where
//! two threads turn out to be one, the documents of the one that was begun in its midst are told at
//! the end.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tantivy::DocAddress;
use tantivy::schema::{Field, Term};

use crate::index::document::summary_store::Heads;
use crate::index::document::{Document, thread_key};
use crate::index::engine::{Index, living};
use crate::index::error::Error;
use crate::index::writer::Sink;
use crate::text;

/// Most messages before it, from the nearest on, that are looked for in the index.
const NEAREST: usize = 8;
/// Most messages before it that are remembered with it, besides the first.
const NAMED: usize = 64;

/// Bytes of documents that wait until their thread is known; further ones do not wait.
const WAITING: usize = 64 << 20;

/// The threads that a build knows.
pub(crate) struct Threads {
    /// What this build has not met is looked for in the index.
    ask: bool,
    known: Mutex<Known>,
    /// Documents of threads whose beginning has not been met, and their bytes.
    waiting: Mutex<(Vec<Document>, usize)>,
}

#[derive(Default)]
struct Known {
    /// The thread of a message, by its Message-ID, hashed with a key of this process.
    of: HashMap<u64, u32>,
    hasher: RandomState,
    /// The threads by their keys, and the keys by their numbers.
    numbers: HashMap<u128, u32>,
    keys: Vec<u128>,
    /// What each has turned out to be a part of: itself, at first.
    part_of: Vec<u32>,
    /// Whether the message that began it was met, and answers none.
    begun: Vec<bool>,
}

impl Threads {
    /// Knows what the index holds: all of it now, or of each message when it is met.
    pub(crate) fn of(index: &Index, all: bool) -> Result<Self, Error> {
        let known = match all {
            false => Known::default(),
            true => index.ask(|searcher| {
                let (mut known, heads) = (Known::default(), Heads::default());
                for (segment, reader) in (0..).zip(searcher.segment_readers()) {
                    for document in reader.doc_ids_alive() {
                        let head = heads.get(searcher, DocAddress::new(segment, document))?;
                        known.learn(head.message_id.as_deref(), &head.thread);
                    }
                }
                Ok(known)
            })?,
        };
        let ask = !all && index.reader.searcher().num_docs() > 0;
        Ok(Self { ask, known: Mutex::new(known), waiting: Mutex::default() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message into its thread, and sends it on. One of a thread whose beginning has not been
    /// met waits, as it may turn out to be of another, and be written twice.
    pub(crate) fn send(
        &self,
        index: &Index,
        mut document: Document,
        sink: Sink<'_>,
    ) -> Result<(), Error> {
        let sure = self.place(index, &mut document)?;
        let bytes = document.memory();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if sure || waiting.1 + bytes > WAITING {
            drop(waiting);
            return sink.send(document);
        }
        waiting.1 += bytes;
        waiting.0.push(document);
        Ok(())
    }

    /// Sends those on that wait, each in the thread it has turned out to be in.
    pub(crate) fn send_waiting(&self, sink: Sink<'_>) -> Result<(), Error> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (documents, _) = std::mem::take(&mut *waiting);
        for mut document in documents {
            if let Some(key) = number_of(&document.thread) {
                let mut known = self.known();
                let number = known.number(key);
                let whole = known.whole(number);
                document.thread = text::hex_encode(&known.key(whole).to_be_bytes());
            }
            sink.send(document)?;
        }
        Ok(())
    }

    /// Puts a message into its thread. False when that has no beginning yet.
    fn place(&self, index: &Index, document: &mut Document) -> Result<bool, Error> {
        let Some(begun) = number_of(&document.thread) else { return Ok(true) };
        let own = document.message_id.clone();
        let mut before = document.references.clone();
        // The first, and the nearest: nobody needs more, and a stranger may name thousands.
        if before.len() > NAMED {
            before.drain(1..before.len() - NAMED);
        }
        if let Some(answered) = document.in_reply_to.first()
            && !before.contains(answered)
        {
            before.push(answered.clone());
        }
        if self.ask {
            self.ask(index, own.as_deref(), &before)?;
        }
        let mut known = self.known();
        let number = known.place(own.as_deref(), &before, begun);
        document.thread = text::hex_encode(&known.key(number).to_be_bytes());
        Ok(known.begun.get(number as usize).is_some_and(|begun| *begun))
    }

    /// Learns of the index what a message's place depends on.
    fn ask(&self, index: &Index, own: Option<&str>, before: &[String]) -> Result<(), Error> {
        if let Some(own) = own {
            self.look_for(index, own)?;
            // Those that named it before it came.
            let key = thread_key(own);
            if !threads_of(index, index.fields.thread, &key)?.is_empty() {
                self.known().learn(None, &key);
            }
        }
        for one in before.iter().rev().take(NEAREST) {
            if self.look_for(index, one)? {
                break;
            }
        }
        before.first().map_or(Ok(false), |first| self.look_for(index, first)).map(drop)
    }

    /// Whether the thread of a message is known now.
    fn look_for(&self, index: &Index, message: &str) -> Result<bool, Error> {
        if self.known().of_message(message).is_some() {
            return Ok(true);
        }
        let threads = threads_of(index, index.fields.message, message)?;
        let mut known = self.known();
        for thread in &threads {
            known.learn(Some(message), thread);
        }
        Ok(!threads.is_empty())
    }

    /// Threads that are parts of others, and of which.
    pub(crate) fn parts(&self) -> Vec<(String, String)> {
        let mut known = self.known();
        let named = |key: u128| text::hex_encode(&key.to_be_bytes());
        let mut parts = Vec::new();
        for number in 0..known.keys.len() as u32 {
            let whole = known.whole(number);
            if whole != number {
                parts.push((named(known.key(number)), named(known.key(whole))));
            }
        }
        parts
    }
}

impl Known {
    /// A message of the index, and the thread it is in there.
    fn learn(&mut self, message: Option<&str>, thread: &str) {
        let Some(key) = number_of(thread) else { return };
        let number = self.number(key);
        if let Some(message) = message {
            self.put(message, number);
        }
    }

    /// The thread of a message that came behind these and would begin one under `begun`.
    fn place(&mut self, own: Option<&str>, before: &[String], begun: u128) -> u32 {
        let first = before.iter().find_map(|one| self.of_message(one));
        let last = before.iter().rev().find_map(|one| self.of_message(one));
        let number = match first.zip(last) {
            Some((first, last)) => {
                self.unite(last, first);
                first
            }
            None => self.number(begun),
        };
        for one in before {
            if self.of_message(one).is_none() {
                self.put(one, number);
            }
        }
        if let Some(own) = own {
            // What answers it may have come before, and begun a thread with it.
            self.put(own, number);
            let named = number_of(&thread_key(own)).and_then(|key| self.numbers.get(&key).copied());
            if let Some(named) = named {
                self.unite(named, number);
            }
        }
        let whole = self.whole(number);
        if let (true, Some(met)) = (before.is_empty(), self.begun.get_mut(whole as usize)) {
            *met = true;
        }
        whole
    }

    /// Notes the thread of a message. If it is in another, that one is a part of this.
    fn put(&mut self, message: &str, number: u32) {
        let hash = self.hasher.hash_one(message);
        if let Some(other) = self.of.insert(hash, number) {
            self.unite(other, number);
        }
    }

    fn of_message(&self, message: &str) -> Option<u32> {
        self.of.get(&self.hasher.hash_one(message)).copied()
    }

    fn number(&mut self, key: u128) -> u32 {
        let next = self.keys.len() as u32;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.keys.push(key);
            self.part_of.push(next);
            self.begun.push(false);
        }
        number
    }

    fn key(&self, number: u32) -> u128 {
        self.keys.get(number as usize).copied().unwrap_or_default()
    }

    /// The thread that one is a part of.
    fn whole(&mut self, number: u32) -> u32 {
        let mut at = number;
        while let Some(&above) = self.part_of.get(at as usize)
            && above != at
        {
            // On the way, everything comes nearer to its end.
            let next = self.part_of.get(above as usize).copied().unwrap_or(above);
            if let Some(place) = self.part_of.get_mut(at as usize) {
                *place = next;
            }
            at = next;
        }
        at
    }

    fn unite(&mut self, part: u32, of: u32) {
        let (part, of) = (self.whole(part), self.whole(of));
        if let Some(place) = self.part_of.get_mut(part as usize) {
            *place = of;
        }
    }
}

/// The threads of the documents that have a term.
fn threads_of(index: &Index, field: Field, text: &str) -> Result<Vec<String>, Error> {
    let term = Term::from_field_text(field, text);
    index.ask(|searcher| {
        let heads = Heads::default();
        let members = living(searcher, &term)?.into_iter().take(NEAREST);
        members.map(|address| Ok(heads.get(searcher, address)?.thread)).collect()
    })
}

/// A thread's key as a number.
fn number_of(key: &str) -> Option<u128> {
    u128::from_str_radix(key, 16).ok().filter(|_| key.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Message-ID, and what it names before it.
    type Mail = (&'static str, &'static [&'static str]);

    /// The thread of each message in the end, by the Message-ID that its key was made of.
    fn threads(mails: &[Mail]) -> Vec<&'static str> {
        let mut known = Known::default();
        let mut keys = Vec::new();
        for (own, before) in mails {
            let before: Vec<String> = before.iter().map(|one| (*one).to_owned()).collect();
            let begun = before.first().map_or(*own, String::as_str);
            let begun = number_of(&thread_key(begun)).unwrap();
            let number = known.place(Some(own), &before, begun);
            keys.push(known.key(number));
        }
        let whole = |key| {
            let number = known.number(key);
            let number = known.whole(number);
            known.key(number)
        };
        let keys: Vec<u128> = keys.into_iter().map(whole).collect();
        let names = ["a", "b", "c", "d", "e", "x", "gone"];
        let name = |key: u128| {
            names.into_iter().find(|name| number_of(&thread_key(name)) == Some(key)).unwrap()
        };
        keys.into_iter().map(name).collect()
    }

    #[test]
    fn answers_that_name_only_what_they_answer_are_in_its_thread() {
        let chain: [Mail; 4] = [("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"])];
        assert_eq!(threads(&chain), ["a"; 4]);
        // In whichever order they come.
        let mut orders = vec![chain];
        for _ in 0..3 {
            let more: Vec<_> = orders
                .iter()
                .flat_map(|order| {
                    (1..4).map(|at| {
                        let mut other = *order;
                        other.swap(at - 1, at);
                        other
                    })
                })
                .collect();
            orders.extend(more);
        }
        for order in orders {
            assert_eq!(threads(&order), ["a"; 4], "{order:?}");
        }
    }

    #[test]
    fn messages_that_are_missing_hold_a_thread_together() {
        assert_eq!(
            threads(&[("b", &["gone"]), ("c", &["gone", "b"]), ("d", &["gone"])]),
            ["gone"; 3]
        );
        // The beginning came later, and is an answer itself: a cover letter to an older thread.
        let late: [Mail; 4] = [("c", &["b"]), ("a", &[]), ("d", &["c"]), ("b", &["a"])];
        assert_eq!(threads(&late), ["a"; 4]);
        // The list was cut at its beginning.
        assert_eq!(threads(&[("a", &[]), ("b", &["a"]), ("c", &["b", "gone"])]), ["a"; 3]);
    }

    #[test]
    fn strangers_stay_apart() {
        assert_eq!(
            threads(&[("a", &[]), ("b", &[]), ("c", &["a"]), ("d", &["b"])]),
            ["a", "b", "a", "b"]
        );
        // Each answers the other: one thread, and an end of it.
        let circle: [Mail; 3] = [("a", &["b"]), ("b", &["a"]), ("c", &["c"])];
        let found = threads(&circle);
        assert!(found[0] == found[1] && found[2] == "c", "{found:?}");
    }
}
