//! Parsers of others, which may panic at what a stranger sent.

use std::cell::Cell;
use std::panic::{UnwindSafe, catch_unwind};

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread is expected, and caught: it is within another's parser, at work on
/// what a stranger sent.
///
/// A panic prints a message before it is caught. A program that wants none of these asks this in its
/// hook ([`std::panic::set_hook`]), and goes on to what it does with other panics when it is false.
/// The library sets no hook: that is its caller's.
pub fn is_panic_expected() -> bool {
    EXPECTED.get()
}

/// What a parser of another's makes of it; `None` when it panics.
pub(crate) fn caught<T>(parse: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    let before = EXPECTED.replace(true);
    let made = catch_unwind(parse);
    EXPECTED.set(before);
    made.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_expected_within_alone() {
        assert!(!is_panic_expected());
        assert_eq!(caught(is_panic_expected), Some(true));
        assert!(!is_panic_expected());
        let none: Option<()> = caught(|| {
            assert_eq!(caught(|| panic!("inner")), None::<()>);
            assert!(is_panic_expected());
            panic!("outer")
        });
        assert_eq!((none, is_panic_expected()), (None, false));
    }
}
