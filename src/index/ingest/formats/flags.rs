//! What a mail folder says of its messages.

use std::collections::BTreeSet;
use std::path::Path;

use crate::index::document::Flag;

/// The flags of a message in a Maildir, by its name: `unique:2,FLAGS` in `cur`, all of `new` is
/// unread. `None` for a file elsewhere.
pub(crate) fn of_maildir(path: &Path) -> Option<BTreeSet<Flag>> {
    let folder = path.parent()?;
    if !is_maildir(folder) {
        return None;
    }
    if folder.file_name()? == "new" {
        return Some([Flag::Unread].into());
    }
    let name = path.file_name()?.to_string_lossy();
    // Where names cannot hold a colon, others stand for it.
    let letters = [":2,", ";2,", "!2,", "-2,"].iter().find_map(|info| name.rsplit_once(info));
    let letters = letters.map_or("", |(_, letters)| letters);
    let has = |letter| letters.contains(letter);
    let named = [
        (Flag::Unread, !has('S')),
        (Flag::Flagged, has('F')),
        (Flag::Replied, has('R')),
        (Flag::Passed, has('P')),
        (Flag::Draft, has('D')),
        (Flag::Trashed, has('T')),
    ];
    Some(named.into_iter().filter_map(|(flag, set)| set.then_some(flag)).collect())
}

/// `cur` or `new` beside the other two.
pub(crate) fn is_maildir(folder: &Path) -> bool {
    let named = folder.file_name().is_some_and(|name| name == "cur" || name == "new");
    named && ["cur", "new", "tmp"].iter().all(|name| folder.with_file_name(name).is_dir())
}

/// The flags that mail programs write into an mbox: `Status: RO`, `X-Status: AFDT`. Without these
/// fields nothing is said.
pub(crate) fn of_header(status: Option<&str>, more: Option<&str>) -> BTreeSet<Flag> {
    let mut flags = BTreeSet::new();
    if status.is_some_and(|status| !status.contains('R')) {
        flags.insert(Flag::Unread);
    }
    for (letter, flag) in
        [('A', Flag::Replied), ('F', Flag::Flagged), ('T', Flag::Draft), ('D', Flag::Trashed)]
    {
        if more.is_some_and(|more| more.contains(letter)) {
            flags.insert(flag);
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(flags: &BTreeSet<Flag>) -> Vec<&'static str> {
        flags.iter().map(|flag| flag.name()).collect()
    }

    #[test]
    fn names_of_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["cur", "new", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let of = |name: &str| of_maildir(&folder.path().join(name)).map(|flags| names(&flags));
        assert_eq!(of("cur/1.a:2,"), Some(vec!["unread"]));
        assert_eq!(of("cur/1.a:2,S"), Some(vec![]));
        assert_eq!(
            of("cur/1.a:2,DFPRST"),
            Some(vec!["flagged", "replied", "passed", "draft", "trashed"])
        );
        assert_eq!(of("cur/1.a"), Some(vec!["unread"]));
        assert_eq!(of("cur/1.a!2,FS"), Some(vec!["flagged"]));
        assert_eq!(of("new/1.a:2,S"), Some(vec!["unread"]));
        assert_eq!(of("other/1.a:2,S"), None);
    }

    #[test]
    fn fields_of_a_header() {
        assert_eq!(names(&of_header(Some("O"), None)), ["unread"]);
        assert_eq!(names(&of_header(Some("RO"), Some("AF"))), ["flagged", "replied"]);
        assert!(of_header(None, None).is_empty());
    }
}
