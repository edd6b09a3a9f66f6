//! Heads of documents apart from their bodies, in a stream of their own in each segment: a list of
//! hits unpacks no body, and more heads lie in a cell.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use tantivy::index::{Segment, SegmentComponent};
use tantivy::indexer::doc_id_mapping::DocIdMapping;
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::Schema;
use tantivy::schema::document::ErasedDocument;
use tantivy::store::{Compressor, StoreReader, StoreWriter};
use tantivy::{DocAddress, DocId, Searcher, SegmentReader, TantivyError};

use crate::index::document::Summary;
use crate::index::document::queued::Queued;
use crate::wire;

/// How the stream is called.
const HEADS: &str = "head";
/// Bytes of heads that are compressed together.
const BLOCK: usize = 4 << 10;
/// A segment of so many documents is copied block by block, a smaller one head by head, so that
/// blocks do not stay small.
const BLOCKWISE: u32 = 1000;
/// Unpacked blocks kept a segment.
const KEPT: usize = 4;

fn component() -> SegmentComponent {
    SegmentComponent::Custom(HEADS.into())
}

fn writer(segment: &Segment) -> Result<StoreWriter, TantivyError> {
    let stream = segment.open_write(component())?;
    Ok(StoreWriter::new(stream, Compressor::Lz4, BLOCK, false)?)
}

fn reader(segment: &SegmentReader, kept: usize) -> Result<StoreReader, TantivyError> {
    Ok(StoreReader::open(segment.open_read(component())?, kept)?)
}

/// The part of the engine that writes and merges them.
pub(crate) struct Summaries;

struct Writer(StoreWriter);

impl SegmentPlugin for Summaries {
    fn extensions(&self) -> &[&str] {
        &[HEADS]
    }

    fn create_writer(
        &self,
        context: &PluginWriterContext<'_>,
    ) -> Result<Box<dyn PluginWriter>, TantivyError> {
        Ok(Box::new(Writer(writer(context.segment)?)))
    }

    /// The index is not sorted, so segments follow each other as they are.
    fn merge(&self, context: PluginMergeContext<'_>) -> Result<(), TantivyError> {
        let mut merged = writer(context.target_segment)?;
        for segment in context.readers {
            let heads = reader(segment, 1)?;
            if !segment.has_deletes() && segment.max_doc() >= BLOCKWISE {
                merged.stack(heads)?;
                continue;
            }
            for document in segment.doc_ids_alive() {
                merged.store_bytes(&heads.get_document_bytes(document)?)?;
            }
        }
        Ok(merged.close()?)
    }
}

impl PluginWriter for Writer {
    fn add_document(
        &mut self,
        _: DocId,
        document: &dyn ErasedDocument,
        _: &Schema,
    ) -> Result<(), TantivyError> {
        let queued = document.as_any().downcast_ref::<Queued>();
        let head = queued.map_or(&[][..], |queued| queued.head.as_slice());
        Ok(self.0.store_bytes(head)?)
    }

    fn serialize(
        self: Box<Self>,
        _: &Segment,
        _: Option<&DocIdMapping>,
    ) -> Result<(), TantivyError> {
        Ok(self.0.close()?)
    }

    fn mem_usage(&self) -> usize {
        self.0.mem_usage()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Reads the heads of documents that one searcher found.
#[derive(Default)]
pub(crate) struct Heads(RefCell<HashMap<u32, StoreReader>>);

impl Heads {
    /// The head of one document. Always of the same searcher.
    pub(crate) fn get(
        &self,
        searcher: &Searcher,
        address: DocAddress,
    ) -> Result<Summary, TantivyError> {
        let bytes =
            self.in_store(searcher, address, |store| store.get_document_bytes(address.doc_id))??;
        // Its cells opened: another version wrote it.
        wire::decode(&bytes).map_err(|error| TantivyError::SystemError(error.to_string()))
    }

    /// Looks into the store of the segment that a document is in.
    pub(crate) fn in_store<T>(
        &self,
        searcher: &Searcher,
        address: DocAddress,
        look: impl FnOnce(&StoreReader) -> T,
    ) -> Result<T, TantivyError> {
        let mut stores = self.0.borrow_mut();
        let store = match stores.entry(address.segment_ord) {
            Entry::Occupied(store) => store.into_mut(),
            Entry::Vacant(place) => {
                place.insert(reader(searcher.segment_reader(address.segment_ord), KEPT)?)
            }
        };
        Ok(look(store))
    }
}
