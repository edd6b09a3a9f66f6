//! Reading ahead, where a disk lets one wait: everything known to be needed is asked for at once,
//! so that it comes in the time of one. Where all is in memory nothing of this is done.

use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;

use tantivy::query::{EnableScoring, Query, Weight};
use tantivy::{DocAddress, Executor, Searcher, TantivyDocument};

use crate::index::document::summary_store::Heads;

/// Most threads that wait for the disk at once.
const AT_ONCE: usize = 16;

/// Tells the system what a future of the engine would read first.
fn hint<T>(future: impl Future<Output = T>) {
    // The first poll of a read tells of it: `StreamReader` has it so.
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

/// Tells the system that the head of a document will be read.
pub(crate) fn head(heads: &Heads, searcher: &Searcher, address: DocAddress) {
    // What does not open is met again, and told, by the one that reads it.
    let _ = heads.in_store(searcher, address, |store| {
        hint(store.get_document_bytes_async(address.doc_id, &Executor::SingleThread));
    });
}

/// Tells the system that the body of a document will be read.
pub(crate) fn body(searcher: &Searcher, address: DocAddress) {
    hint(searcher.doc_async::<TantivyDocument>(address));
}

/// Looks up the parts of a query in all segments at once, so that their cells are open when the
/// query itself is asked.
pub(crate) fn look_up(searcher: &Searcher, parts: &[Box<dyn Query>]) {
    let scoring = || EnableScoring::disabled_from_searcher(searcher);
    let weights: Vec<Box<dyn Weight>> =
        parts.iter().filter_map(|part| part.weight(scoring()).ok()).collect();
    let all = weights
        .iter()
        .flat_map(|weight| searcher.segment_readers().iter().map(move |reader| (weight, reader)));
    thread::scope(|scope| {
        for (weight, reader) in all.take(AT_ONCE) {
            // What does not open is met again, and told, by the query itself.
            let look = move || drop(weight.scorer(reader, 1.0));
            drop(thread::Builder::new().spawn_scoped(scope, look));
        }
    });
}
