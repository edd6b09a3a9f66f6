//! What a file is: by its first bytes, then by its name.

use std::path::Path;

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Mbox,
    Mail,
    Html,
    Text,
    Binary,
}

/// Header fields that a message has; two of them make one.
const FIELDS: [&str; 12] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "received",
    "return-path",
    "message-id",
    "mime-version",
    "delivered-to",
    "content-type",
    "dkim-signature",
];

/// Judges by the first bytes (some thousand) and the path.
pub(super) fn detect(head: &[u8], path: &Path) -> Form {
    if is_from_line(head) && is_message(after_line(head)) {
        return Form::Mbox;
    }
    // Mail may hold anything in its body, so it is told by its header before bytes are judged.
    if is_message(head) || in_maildir(path) {
        return Form::Mail;
    }
    if head.contains(&0) {
        return Form::Binary;
    }
    let extension = path.extension().map(|ext| ext.to_ascii_lowercase()).unwrap_or_default();
    let is_html = ["html", "htm", "xhtml"].iter().any(|ext| extension == *ext);
    if is_html || begins_as_html(head) {
        return Form::Html;
    }
    if extension == "eml" { Form::Mail } else { Form::Text }
}

/// A separator of mbox: `From `, a sender, and a date with a time and a year in it.
pub(super) fn is_from_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let rest = rest.split(|b| *b == b'\n').next().unwrap_or_default();
    let is_time = |w: &[u8]| matches!(w, [a, b, b':', c, d, ..] if [a, b, c, d].iter().all(|x| x.is_ascii_digit()));
    rest.len() < 1000 && rest.windows(5).any(is_time)
}

fn after_line(head: &[u8]) -> &[u8] {
    let end = head.iter().position(|b| *b == b'\n').map_or(head.len(), |at| at + 1);
    head.get(end..).unwrap_or_default()
}

/// Whether header fields stand at the beginning, two of them known.
fn is_message(head: &[u8]) -> bool {
    let mut known = 0;
    for line in head.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.first() {
            None => break,
            // The line before goes on.
            Some(b' ' | b'\t') => continue,
            Some(_) => {}
        }
        // A quoted separator, as some files have within.
        if line.starts_with(b">From ") {
            continue;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else { break };
        let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
        if name.is_empty() || !name.iter().all(|b| b.is_ascii_graphic()) {
            break;
        }
        known +=
            usize::from(FIELDS.iter().any(|field| field.as_bytes().eq_ignore_ascii_case(name)));
        if known == 2 {
            return true;
        }
    }
    false
}

/// `cur` or `new` beside the other two.
fn in_maildir(path: &Path) -> bool {
    path.parent().is_some_and(|folder| {
        let named = folder.file_name().is_some_and(|name| name == "cur" || name == "new");
        named && ["cur", "new", "tmp"].iter().all(|name| folder.with_file_name(name).is_dir())
    })
}

fn begins_as_html(head: &[u8]) -> bool {
    let head = head.get(..head.len().min(1024)).unwrap_or_default().to_ascii_lowercase();
    let text = String::from_utf8_lossy(&head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with("<!doctype html")
        || (text.starts_with('<') && (text.contains("<html") || text.contains("<head")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let of = |head: &str, path: &str| detect(head.as_bytes(), Path::new(path));
        let header = "From: a@b.org\r\nSubject: x\r\n\r\nbody";
        let from = "From a@b.org Thu Jan  1 00:00:00 1970\n";
        assert_eq!(of(&format!("{from}{header}"), "x"), Form::Mbox);
        assert_eq!(of(header, "x.txt"), Form::Mail);
        assert_eq!(of(&format!("X-Long: a\n b\n{header}"), "x"), Form::Mail);
        assert_eq!(of(&format!("{header}\0"), "x"), Form::Mail);
        assert_eq!(of("From here on: it is text\nTo: be or", "x"), Form::Text);
        assert_eq!(of("title: x\ndate: y\n\n# Notes", "x.md"), Form::Text);
        assert_eq!(of(" <!DOCTYPE html><p>", "x"), Form::Html);
        assert_eq!(of("<?xml?><html>", "x"), Form::Html);
        assert_eq!(of("<p>", "x.HTM"), Form::Html);
        assert_eq!(of("fn main() {}", "x.rs"), Form::Text);
        assert_eq!(of("\x7fELF\0", "x"), Form::Binary);
        assert_eq!(of("", "x"), Form::Text);
    }
}
