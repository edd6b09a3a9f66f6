//! Names that a contact may have.

use crate::contact::error::Error;
use crate::text;

/// Characters of a contact's name.
pub(super) const MAX_NAME: usize = 64;

/// Returns a name that is not taken: the one that is wanted, or with a number behind it.
pub(super) fn numbered(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut free = name.to_owned();
    let mut number = 1;
    while taken(&free) {
        number += 1;
        let end = format!("-{number}");
        let room = MAX_NAME.saturating_sub(end.len());
        free = name.chars().take(room).chain(end.chars()).collect();
    }
    free
}

/// Folds a name: those that differ in case only are one, since the difference is not heard.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Checks that a contact may have this name: it must be typed after `--to` and may become part of a
/// file's name.
///
/// # Errors
///
/// [`Error::Name`].
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let wrong = |why| Err(Error::Name { max: MAX_NAME, why });
    if name.is_empty() {
        wrong("it is empty")
    } else if name.chars().count() > MAX_NAME {
        wrong("it is longer")
    } else if let Some(why) = text::name_fault(name) {
        wrong(why)
    } else if name.contains(['/', '\\']) || name.starts_with(['.', '-', '~', '@', '#']) {
        wrong("it has a slash, or begins with one of . - ~ @ #")
    } else if ["bulla1", "age1"].iter().any(|prefix| fold(name).starts_with(prefix)) {
        wrong("it looks like a key")
    } else {
        Ok(())
    }
}
