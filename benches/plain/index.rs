//! The library's own files, taken in by their paths: the same schema, the same word rule, the
//! same reading of mail. The library must have no way of writing an index in clear, so it does
//! not offer these to anybody.

#![allow(dead_code, unused_imports)]

#[path = "engine.rs"]
mod engine;
#[path = "ingest.rs"]
mod ingest;

#[rustfmt::skip]
#[path = "../../src/index/analysis/mod.rs"]
mod analysis;
#[rustfmt::skip]
#[path = "../../src/index/document/mod.rs"]
mod document;

pub(super) use engine::{add, build, search};
pub(super) use ingest::each_message;
