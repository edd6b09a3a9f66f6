//! What we need to know of the engine's own list of segments, a JSON object of its format.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Deserialize;
use serde_json::Value;

/// The part of the list that we read.
#[derive(Deserialize)]
struct Meta {
    segments: Vec<Listed>,
    payload: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    segment_id: String,
    max_doc: u64,
    deletes: Option<Deletes>,
}

#[derive(Deserialize)]
struct Deletes {
    num_deleted_docs: u64,
    opstamp: u64,
}

/// One segment of the list.
pub(crate) struct Segment {
    /// Its id, as names of files begin.
    pub(crate) id: String,
    max_doc: u64,
    deletes: Option<Deletes>,
}

impl Segment {
    /// Documents that can be found in it.
    pub(crate) fn documents(&self) -> u64 {
        let deleted = self.deletes.as_ref().map_or(0, |deletes| deletes.num_deleted_docs);
        self.max_doc.saturating_sub(deleted)
    }

    /// The groups of files it needs: its own, and its list of removals.
    pub(crate) fn groups(&self) -> impl Iterator<Item = String> + use<'_> {
        let deletes = self.deletes.as_ref().filter(|deletes| deletes.num_deleted_docs > 0);
        let deletes = deletes.map(|deletes| format!("{}.{}.del", self.id, deletes.opstamp));
        std::iter::once(self.id.clone()).chain(deletes)
    }
}

/// The pack that a file of the engine belongs to: one a segment, one for each list of removals.
pub(crate) fn group_of(path: &str) -> &str {
    if path.ends_with(".del") { path } else { segment_of(path) }
}

/// The segment that a file of the engine belongs to.
pub(crate) fn segment_of(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// The segments of a list.
pub(crate) fn segments(meta: &[u8]) -> io::Result<Vec<Segment>> {
    let meta: Meta = serde_json::from_slice(meta).map_err(io::Error::from)?;
    let segment = |Listed { segment_id, max_doc, deletes }| Segment {
        id: id_in_names(&segment_id),
        max_doc,
        deletes,
    };
    Ok(meta.segments.into_iter().map(segment).collect())
}

/// What the names of catalogues begin with.
pub(crate) const CATALOGUE: &str = "catalogue-";

/// The catalogue that a list names.
pub(crate) fn catalogue(meta: &[u8]) -> io::Result<Option<String>> {
    let meta: Meta = serde_json::from_slice(meta).map_err(io::Error::from)?;
    Ok(meta.payload.filter(|name| name.starts_with(CATALOGUE)))
}

/// The groups of files that a list names.
pub(crate) fn groups(meta: &[u8]) -> io::Result<BTreeSet<String>> {
    let segments = segments(meta)?;
    Ok(segments.iter().flat_map(Segment::groups).chain(catalogue(meta)?).collect())
}

/// A list without some segments, or without the catalogue.
pub(crate) fn without<T>(meta: &[u8], left_out: &BTreeMap<String, T>) -> io::Result<Vec<u8>> {
    if left_out.is_empty() {
        return Ok(meta.to_vec());
    }
    let mut list: Value = serde_json::from_slice(meta)?;
    if let Some(segments) = list.get_mut("segments").and_then(Value::as_array_mut) {
        segments.retain(|segment| {
            let id = segment.get("segment_id").and_then(Value::as_str).unwrap_or_default();
            !left_out.contains_key(&id_in_names(id))
        });
    }
    let named = list.get("payload").and_then(Value::as_str);
    if named.is_some_and(|name| left_out.contains_key(name))
        && let Some(list) = list.as_object_mut()
    {
        list.remove("payload");
    }
    Ok(serde_json::to_vec(&list)?)
}

/// The engine writes ids with hyphens here, and without in names.
fn id_in_names(id: &str) -> String {
    id.replace('-', "")
}
