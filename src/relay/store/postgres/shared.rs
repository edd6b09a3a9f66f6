//! State of one cluster that all its tasks share.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::relay::protocol::Mailbox;
use crate::relay::store::Arrivals;
use crate::relay::store::postgres::blobs::Blobs;
use crate::relay::store::postgres::coming::Coming;
use crate::relay::store::postgres::connection::Pool;
use crate::relay::store::postgres::options::Options;

/// State of one cluster that all its tasks share.
pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) options: Arc<Options>,
    pub(super) blobs: Option<Blobs>,
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) news: mpsc::UnboundedSender<HashSet<Mailbox>>,
    pub(super) trash: mpsc::UnboundedSender<Vec<Vec<u8>>>,
    pub(super) coming: Arc<Coming>,
    /// The row of totals this relay counts in.
    pub(super) lane: i16,
}

impl Shared {
    /// Wakes those who wait for these mailboxes, here and at other relays.
    pub(super) fn announce(&self, arrived: HashSet<Mailbox>) {
        if arrived.is_empty() {
            return;
        }
        for mailbox in &arrived {
            self.arrivals.tell(mailbox);
        }
        let _ = self.news.send(arrived);
    }

    /// Deletes parts that nobody names, without anybody waiting for it.
    pub(super) fn discard(&self, garbage: Vec<Vec<u8>>) {
        if !garbage.is_empty() {
            let _ = self.trash.send(garbage);
        }
    }
}
