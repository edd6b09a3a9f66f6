//! Secret keys in files that are about to be replaced: recognized, and kept under another name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::files::disk::Access;
use crate::files::folder::{folder_of, sync_folder};
use crate::files::plain::read_bounded;
use crate::files::temporary::Temporary;

/// Longest file that may be a key file, in bytes.
const MAX: u64 = 1 << 20;
/// Beginnings of the lines that hold a secret key, as key files have them.
const LINES: [&str; 2] = ["BULLA-SECRET-KEY-", "AGE-SECRET-KEY-"];
/// Beginning of an armored age file whose first stanza is of a passphrase: the armor's first line,
/// and `age-encryption.org/v1`, a line feed and `-> scryp` in Base64.
const LOCKED: [&str; 2] =
    ["-----BEGIN AGE ENCRYPTED FILE-----", "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlw"];
/// Longest locked key file that `keygen` writes, in bytes. A backup holds such a file and more, so
/// it is longer.
const LOCKED_MAX: usize = 3400;
/// Longest name of a file that the kept one's name begins with, in bytes.
const NAME_MAX: usize = 180;
/// Characters of a fingerprint in the kept one's name.
const FINGERPRINT: usize = 14;

/// Returns whether the file at `path` holds a secret key, as far as that can be seen without a
/// passphrase: identities of ours and of age, locked ones as `keygen` writes them, and private keys
/// in PEM. A file that cannot be read may hold one.
pub fn holds_key(path: &Path) -> bool {
    match read(path) {
        Ok(Some(bytes)) => !keys(&bytes).is_empty(),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Returns whether replacing the file at `path` by `new` loses a secret key. With `any`, whatever is
/// in the file counts as one.
pub(super) fn would_lose(path: &Path, new: &[u8], any: bool) -> bool {
    match read(path) {
        Ok(Some(old)) => *old != *new && is_missing(&old, new, any),
        Ok(None) => false,
        Err(_) => true,
    }
}

fn is_missing(old: &[u8], new: &[u8], any: bool) -> bool {
    let mut lost = keys(old);
    if any && lost.is_empty() {
        lost.push(Zeroizing::new(old.to_vec()));
    }
    let new = keys(new);
    lost.iter().any(|key| !key.is_empty() && !new.contains(key))
}

/// The keys of a file: the lines that are one each, or the whole of a locked file or a PEM file.
fn keys(bytes: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let whole = || vec![Zeroizing::new(bytes.trim_ascii().to_vec())];
    let text = bytes.trim_ascii_start();
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    if let [Some(first), Some(second)] = [lines.next(), lines.next()]
        && first == LOCKED[0].as_bytes()
        && second.starts_with(LOCKED[1].as_bytes())
        && bytes.len() <= LOCKED_MAX
    {
        return whole();
    }
    let lines = || text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let pem = |label: &[u8]| {
        lines().any(|line| line.starts_with(b"-----BEGIN ") && line.ends_with(label))
    };
    // A server's key beside its certificate is replaced together with it, by a new one.
    if pem(b"PRIVATE KEY-----") && !pem(b"CERTIFICATE-----") {
        return whole();
    }
    let begins = |line: &[u8], with: &str| {
        line.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()))
    };
    lines()
        .filter(|line| LINES.iter().any(|with| begins(line, with)))
        .map(|line| Zeroizing::new(line.to_ascii_uppercase()))
        .collect()
}

/// Reads a regular file that is short enough to be a key file; `None` for anything else.
fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if !metadata.is_file() || metadata.len() > MAX {
        return Ok(None);
    }
    match read_bounded(path, MAX) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(None),
        other => other.map(|bytes| Some(Zeroizing::new(bytes))),
    }
}

/// Reads a new file from its beginning, if it is short enough to be a key file.
pub(super) fn new(file: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    use std::os::unix::fs::FileExt as _;
    let length = file.metadata()?.len();
    let mut bytes = Zeroizing::new(Vec::new());
    if length <= MAX {
        bytes.resize(usize::try_from(length).unwrap_or_default(), 0);
        file.read_exact_at(&mut bytes, 0)?;
    }
    Ok(bytes)
}

/// Gives the file at `path` a second name beside it, durably; returns it.
pub(super) fn keep(path: &Path) -> io::Result<PathBuf> {
    let kept = under_a_free_name(path, |kept| match fs::hard_link(path, kept) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy(path, kept),
        other => other,
    })?;
    make_private(&kept)?;
    sync_folder(folder_of(&kept))?;
    Ok(kept)
}

/// Gives the file that was at `path` and has the name `now` another one beside `path`, durably.
pub(super) fn keep_moved(now: tempfile::TempPath, path: &Path) -> io::Result<PathBuf> {
    let mut now = Some(now);
    let kept = under_a_free_name(path, |kept| match now.take() {
        Some(file) => file.persist_noclobber(kept).map_err(|error| {
            now = Some(error.path);
            error.error
        }),
        None => Err(io::ErrorKind::NotFound.into()),
    })?;
    make_private(&kept)?;
    sync_folder(folder_of(&kept))?;
    Ok(kept)
}

/// Returns whether two names are of one file, or of two with the same bytes.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((id(one), id(other)), (Ok(one), Ok(other)) if one == other)
        || matches!((read(one), read(other)), (Ok(Some(one)), Ok(Some(other))) if one == other)
}

/// Tries names that tell when and, where the file says it, whose key it was, until one is free.
fn under_a_free_name(
    path: &Path,
    mut name_it: impl FnMut(&Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.filter(|name| name.len() <= NAME_MAX).unwrap_or("key");
    let date = Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ");
    let mut begin = format!("{name}.old-{date}");
    if let Some(fingerprint) = read(path).ok().flatten().and_then(|bytes| fingerprint(&bytes)) {
        begin.push('-');
        begin.push_str(&fingerprint);
    }
    let mut kept = path.with_file_name(&begin);
    for number in 2.. {
        match name_it(&kept) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {
                kept = path.with_file_name(format!("{begin}-{number}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}

/// The beginning of the fingerprint that `keygen` wrote into the file.
fn fingerprint(bytes: &[u8]) -> Option<String> {
    let lines = std::str::from_utf8(bytes).ok()?.lines();
    let mut of = lines.filter_map(|line| line.strip_prefix("# fingerprint: bulla1"));
    let short: String = format!("bulla1{}", of.next()?).chars().take(FINGERPRINT).collect();
    short.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()).then_some(short)
}

/// Keeps the file on a file system without hard links.
fn copy(path: &Path, kept: &Path) -> io::Result<()> {
    let file = Temporary::create(folder_of(kept), Access::Private)?;
    io::copy(&mut File::open(path)?, &mut &**file.file())?;
    file.file().sync_all()?;
    file.name(kept)?;
    sync_folder(folder_of(kept))
}

/// Takes the file from others than its owner, and makes its bytes durable.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(());
    }
    let Ok(file) = File::open(path) else { return Ok(()) };
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "# fingerprint: bulla1abcdefghjk\nBULLA-SECRET-KEY-1QQQ\n";

    #[test]
    fn keys_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(!holds_key(&path));
        for (text, key) in [
            ("", false),
            ("a letter about BULLA-SECRET-KEY-1QQQ\n", false),
            (KEY, true),
            ("\n  age-secret-key-pq-1qqq", true),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", true),
            ("-----BEGIN CERTIFICATE-----\nM\n-----BEGIN PRIVATE KEY-----\nM\n", false),
            ("-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUx", false),
            (
                "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdC",
                true,
            ),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(holds_key(&path), key, "{text}");
        }
    }

    #[test]
    fn the_same_key_is_not_lost() {
        let lost = |old: &str, new: &str| is_missing(old.as_bytes(), new.as_bytes(), false);
        assert!(lost(KEY, ""));
        assert!(lost(KEY, "BULLA-SECRET-KEY-1RRR"));
        assert!(!lost(KEY, "# another comment\r\nbulla-secret-key-1qqq\r\nAGE-SECRET-KEY-1\n"));
        assert!(!lost("a letter", ""));
        assert!(is_missing(b"anything", b"", true));
        assert!(!is_missing(b"", b"", true));
    }

    #[test]
    fn a_kept_file_has_a_name_of_its_own_and_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        fs::write(&path, KEY).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let kept: Vec<PathBuf> = (0..3).map(|_| keep(&path).unwrap()).collect();
        for kept in &kept {
            let name = kept.file_name().unwrap().to_str().unwrap();
            assert!(
                name.starts_with("identity.old-2") && name.contains("Z-bulla1abcdefgh"),
                "{name}"
            );
            assert_eq!(fs::read(kept).unwrap(), KEY.as_bytes());
            assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
        let copied = folder.path().join("copied");
        copy(&path, &copied).unwrap();
        assert!(is_same(&path, &copied) && is_same(&path, &kept[0]));
        assert_eq!(copy(&path, &copied).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let long = folder.path().join("n".repeat(250));
        fs::write(&long, KEY).unwrap();
        assert!(
            keep(&long).unwrap().file_name().unwrap().to_str().unwrap().starts_with("key.old-")
        );
    }
}
