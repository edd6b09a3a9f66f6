//! Documents found, gathered by their threads.

use std::collections::{BTreeSet, HashSet};

use tantivy::DocAddress;
use tantivy::schema::Term;

use crate::index::engine::{Index, living};
use crate::index::error::Error;
use crate::index::query::Query;
use crate::index::search::options::{SearchOptions, Sort};
use crate::index::search::results::{Hit, Hits};

/// Most documents of a thread that are read for who takes part in it.
const READ: usize = 100;
/// Most names that are given of those who take part.
const NAMED: usize = 20;

/// A thread in which something was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Thread {
    /// The first of its documents in the order asked for: the newest that matches.
    pub first: Hit,
    /// Documents of it that match.
    pub matched: u64,
    /// All its documents.
    pub count: u64,
    /// Who wrote them, by name, each once, as they come; at most 20 of the first 100 documents.
    pub participants: Vec<String>,
}

/// Threads found, in the order of the first document of each that matches.
pub struct Threads<'a> {
    index: &'a Index,
    hits: Hits<'a>,
    seen: HashSet<String>,
    skip: usize,
    left: usize,
}

impl Index {
    /// Finds documents, and gives each thread of theirs once. Limit and offset count threads.
    pub fn threads(&self, query: &Query, options: &SearchOptions) -> Result<Threads<'_>, Error> {
        let sort = match options.sort {
            Sort::Relevance => Sort::Date,
            other => other,
        };
        let all = SearchOptions { limit: usize::MAX, offset: 0, sort, ..*options };
        let (skip, left) = (options.offset, options.limit);
        let hits = self.hits(query, &all)?;
        Ok(Threads { index: self, hits, seen: HashSet::new(), skip, left })
    }
}

impl Threads<'_> {
    /// Documents that match.
    pub fn total(&self) -> u64 {
        self.hits.total()
    }

    fn gather(&mut self, first: Hit) -> Result<Thread, Error> {
        let alone = Thread { matched: 1, count: 1, participants: names([&first.from]), first };
        if alone.first.thread.is_empty() {
            return Ok(alone);
        }
        let term = Term::from_field_text(self.index.fields.thread, &alone.first.thread);
        let found = &self.hits.found;
        let members = found.if_whole(living(&found.searcher, &term))?;
        let Some(members) = members else { return Ok(alone) };
        let mut senders = Vec::new();
        for address in members.iter().take(READ) {
            if let Some(head) = found.if_whole(found.head(*address))? {
                senders.push((head.date, head.from));
            }
        }
        senders.sort_unstable();
        let matches = |address: &&DocAddress| {
            let segment = found.matched.get(address.segment_ord as usize);
            segment.is_some_and(|docs| docs.binary_search(&address.doc_id).is_ok())
        };
        Ok(Thread {
            matched: members.iter().filter(matches).count() as u64,
            count: members.len() as u64,
            participants: names(senders.iter().map(|(_, from)| from)),
            first: alone.first,
        })
    }
}

impl Iterator for Threads<'_> {
    type Item = Result<Thread, Error>;

    fn next(&mut self) -> Option<Result<Thread, Error>> {
        while self.left > 0 {
            let hit = match self.hits.next()? {
                Ok(hit) => hit,
                Err(error) => return Some(Err(error)),
            };
            if !hit.thread.is_empty() && !self.seen.insert(hit.thread.clone()) {
                continue;
            }
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            self.left -= 1;
            return Some(self.gather(hit));
        }
        None
    }
}

/// The name, or the address of who has none; each once.
fn names<'a>(senders: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let name = |sender: &'a String| match sender.split_once(" <") {
        Some((name, _)) if !name.trim().is_empty() => name.trim().to_owned(),
        _ => sender.trim().trim_matches(['<', '>']).to_owned(),
    };
    let each = senders.into_iter().map(name);
    each.filter(|name| !name.is_empty() && seen.insert(name.clone())).take(NAMED).collect()
}

#[cfg(test)]
mod tests {
    use crate::index::search::threads::names;

    #[test]
    fn names_of_those_who_take_part() {
        let senders =
            ["Jo Doe <jo@b.org>", "<a@b.org>", "", "c@d.org", "Jo Doe <other@b.org>", " <x@y>"];
        let senders = senders.map(str::to_owned);
        assert_eq!(names(&senders), ["Jo Doe", "a@b.org", "c@d.org", "x@y"]);
    }
}
