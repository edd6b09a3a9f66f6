//! What an operator may turn.

use std::time::Duration;

/// How an embedded store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Options {
    /// Bytes of one file of the log: 4 MiB to 1 GiB.
    pub segment: u64,
    /// Free bytes on the file system below which no message is taken. Below twice as many no
    /// mailbox is registered.
    pub(crate) floor: u64,
    /// Most acknowledged ids that are remembered; beyond, the oldest are forgotten early.
    pub remembered: usize,
    /// A sweep whose clock leapt by more than a day deletes nothing until the clock has gone on
    /// from there for so long.
    pub patience: Duration,
}

impl Default for Options {
    /// 64 MiB, 256 MiB, a million, an hour.
    fn default() -> Self {
        Self {
            segment: 64 << 20,
            floor: 256 << 20,
            remembered: 1 << 20,
            patience: Duration::from_secs(3600),
        }
    }
}
