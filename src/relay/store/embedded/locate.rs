//! Location of a message in the log, and its body read from there.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::relay::protocol::Id;
use crate::relay::store::embedded::index::Index;
use crate::relay::store::embedded::record::{Fact, Head, MARK};
use crate::relay::store::embedded::segment::{Place, Segment};

/// A record in the log, to be read.
pub(super) struct Found {
    pub(super) id: Id,
    pub(super) place: Place,
    length: u64,
    segment: Arc<Segment>,
}

impl Found {
    /// The body, or `None` if it is not what was written.
    pub(super) fn read(&self) -> io::Result<Option<Bytes>> {
        let mut record = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        self.segment.file.read_at(&mut record, self.place.offset.into())?;
        let read = record.get(MARK..).and_then(Head::read);
        let Some((head, fact)) = read else { return Ok(None) };
        let id = match &fact {
            Fact::Put(message) => Some(Id(message.id)),
            _ => None,
        };
        let record = Bytes::from(record);
        let body = record.slice(usize::try_from(head.body_at()).unwrap_or(0).min(record.len())..);
        let sound = id == Some(self.id) && crc32fast::hash(&body) == head.body_sum;
        Ok(sound.then_some(body))
    }
}

impl Index {
    pub(super) fn found(&self, number: u32) -> Option<Found> {
        let entry = self.messages.get(number)?;
        let segment = self.segments.get(&entry.place.segment)?.segment.clone();
        let (id, place, length) = (entry.id, entry.place, Self::record_length(entry));
        Some(Found { id, place, length, segment })
    }
}
