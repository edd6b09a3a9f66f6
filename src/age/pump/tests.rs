use std::cell::Cell;

thread_local! {
    /// Threads this thread has started.
    pub(super) static STARTED: Cell<usize> = const { Cell::new(0) };
}
