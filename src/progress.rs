//! Progress of long work, told to whoever wants to draw it. The bar itself lives in the
//! program: the library never writes to a terminal.

/// Receives the progress of one piece of work.
pub trait Progress: Sync {
    /// The work ahead, in the unit of [`Progress::advance`], once it is known or grows.
    fn total(&self, _total: u64) {}
    /// So much more is done: bytes or items, as the function that reports says.
    fn advance(&self, done: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn advance(&self, _done: u64) {}
}
