//! The library's own files, taken in by their paths: the same schema, the same word rule, the
//! same reading of mail. The library must have no way of writing an index in clear, so it does
//! not offer these to anybody.

#![allow(dead_code)]

#[path = "engine.rs"]
mod engine;
#[path = "ingest.rs"]
mod ingest;

#[rustfmt::skip]
#[path = "../../src/index/ahead.rs"]
mod ahead;
#[rustfmt::skip]
#[path = "../../src/index/document.rs"]
mod document;
#[rustfmt::skip]
#[path = "../../src/index/head.rs"]
mod head;
#[rustfmt::skip]
#[path = "../../src/index/queue.rs"]
mod queue;
#[rustfmt::skip]
#[path = "../../src/index/schema.rs"]
mod schema;
#[rustfmt::skip]
#[path = "../../src/index/stems.rs"]
mod stems;
#[rustfmt::skip]
#[path = "../../src/index/summaries.rs"]
mod summaries;
#[rustfmt::skip]
#[path = "../../src/index/words.rs"]
mod words;

pub(super) use engine::{add, build, search};
pub(super) use ingest::each_message;
