//! Options of a search: order, limits, and what is worked out of each hit.

/// In which order hits come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Newest first, then by id; documents without a date last.
    #[default]
    Date,
    /// Oldest first, then by id; documents without a date last.
    Oldest,
    /// Best match first (BM25).
    Relevance,
}

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchOptions {
    /// Most hits to return.
    pub limit: usize,
    /// Hits to leave out before the first returned.
    pub offset: usize,
    /// Their order.
    pub sort: Sort,
    /// Whether to make snippets.
    pub snippets: bool,
    /// Whether to work scores out when the order does not need them.
    pub scores: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { limit: 20, offset: 0, sort: Sort::Date, snippets: true, scores: true }
    }
}
