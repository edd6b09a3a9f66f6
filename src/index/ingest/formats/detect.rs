//! What a file is: by its first bytes, then by its name.

use std::path::Path;

use crate::index::document::Kind;
use crate::index::ingest::formats::flags::is_maildir;

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Mbox,
    Mail,
    /// Lines of JSON, each a document.
    Lines,
    /// One document of text, of a kind and a MIME type.
    File(Kind, &'static str),
    /// No text: one of [`BINARIES`].
    Binary(u8),
}

/// What files without text are counted as.
pub(crate) const BINARIES: [&str; 9] =
    ["image", "audio", "video", "archive", "program", "document", "font", "database", "other"];

/// A PDF: a document among [`BINARIES`] where nobody reads it.
pub(crate) const PDF: Form = Form::File(Kind::Pdf, "application/pdf");
pub(crate) const PDF_UNREAD: Form = Form::Binary(5);
/// Bytes before a PDF's first line that its readers put up with.
const BEFORE_PDF: usize = 1024;

/// Types of files that may be asked for.
const TYPES: [(&str, Type); 7] = [
    ("mail", Type::Mail),
    ("html", Type::Html),
    ("markdown", Type::Markdown),
    ("text", Type::Text),
    ("code", Type::Code),
    ("json", Type::Json),
    ("pdf", Type::Pdf),
];

/// A type of files that a build may be kept to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// mbox, Maildir, `.eml`.
    Mail,
    /// HTML.
    Html,
    /// Markdown.
    Markdown,
    /// Plain text.
    Text,
    /// Source code.
    Code,
    /// Lines of JSON, among them letters.
    Json,
    /// PDF.
    Pdf,
}

impl Type {
    /// The names of all types: `mail`, `html`, `markdown`, `text`, `code`, `json`,
    /// `pdf`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TYPES.iter().map(|(name, _)| *name)
    }

    /// The type of this name.
    pub fn named(name: &str) -> Option<Self> {
        TYPES.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
    }
}

impl Form {
    /// The type that it belongs to; binaries to none.
    pub(crate) fn r#type(self) -> Option<Type> {
        Some(match self {
            Self::Mbox | Self::Mail => Type::Mail,
            Self::Lines => Type::Json,
            Self::File(Kind::Html, _) => Type::Html,
            Self::File(Kind::Markdown, _) => Type::Markdown,
            Self::File(Kind::Code, _) => Type::Code,
            Self::File(Kind::Pdf, _) => Type::Pdf,
            Self::File(..) => Type::Text,
            Self::Binary(_) => return None,
        })
    }
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

/// Judges by the first bytes (some thousand) and the path, without the ending of a packer.
pub(crate) fn detect(head: &[u8], path: &Path) -> Form {
    if is_from_line(head) && is_message(after_line(head)) {
        return Form::Mbox;
    }
    // Mail may hold anything in its body, so it is told by its header before bytes are judged.
    if is_message(head) || path.parent().is_some_and(is_maildir) {
        return Form::Mail;
    }
    let extension = extension(path);
    if is_pdf(head, &extension) {
        return PDF;
    }
    if let Some(binary) = binary(head, &extension) {
        return Form::Binary(binary);
    }
    if matches!(extension.as_str(), "html" | "htm" | "xhtml") || begins_as_html(head) {
        return Form::File(Kind::Html, "text/html");
    }
    match extension.as_str() {
        "eml" => Form::Mail,
        "jsonl" | "ndjson" => Form::Lines,
        "" => of_name(path),
        other => TEXTS
            .iter()
            .find(|(_, _, endings)| endings.split(' ').any(|ending| ending == other))
            .map_or(Form::File(Kind::Text, "text/plain"), |(kind, name, _)| {
                Form::File(*kind, name)
            }),
    }
}

/// By its first line, which may stand a little further down in what is called one.
fn is_pdf(head: &[u8], extension: &str) -> bool {
    let mark = b"%PDF-";
    let before = head.get(..head.len().min(BEFORE_PDF)).unwrap_or_default();
    head.starts_with(mark)
        || extension == "pdf" && before.windows(mark.len()).any(|part| part == mark)
}

/// The ending of a name, in lower case; that before it when it is a packer's.
fn extension(path: &Path) -> String {
    let lower = |path: &Path| {
        path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
    };
    match lower(path).as_str() {
        "gz" | "xz" | "zst" => lower(Path::new(path.file_stem().unwrap_or_default())),
        other => other.to_owned(),
    }
}

/// Files of text by their endings.
const TEXTS: [(Kind, &str, &str); 22] = [
    (Kind::Markdown, "text/markdown", "md markdown mkd mdown"),
    (Kind::Code, "text/x-c", "c h cc cpp cxx hh hpp hxx ino m mm"),
    (Kind::Code, "text/x-rust", "rs"),
    (Kind::Code, "text/x-go", "go"),
    (Kind::Code, "text/x-python", "py pyi pyx"),
    (Kind::Code, "text/javascript", "js mjs cjs jsx ts tsx vue svelte"),
    (Kind::Code, "text/x-java", "java kt kts scala groovy gradle"),
    (Kind::Code, "text/x-csharp", "cs fs vb"),
    (Kind::Code, "text/x-shellscript", "sh bash zsh fish ksh awk sed ps1 bat cmd"),
    (Kind::Code, "text/x-perl", "pl pm t raku"),
    (Kind::Code, "text/x-ruby", "rb rake gemspec"),
    (Kind::Code, "text/x-php", "php phtml"),
    (Kind::Code, "text/css", "css scss sass less"),
    (Kind::Code, "application/sql", "sql"),
    (Kind::Code, "text/x-lisp", "el lisp scm clj cljs rkt"),
    (Kind::Code, "text/x-functional", "hs ml mli erl ex exs elm nix"),
    (Kind::Code, "text/x-script", "lua r jl swift dart zig nim d asm s pas pro tcl vim proto"),
    (Kind::Code, "text/x-patch", "patch diff"),
    (Kind::Code, "text/x-makefile", "mk mak cmake"),
    (Kind::Text, "application/json", "json geojson"),
    (Kind::Text, "application/xml", "xml xsl xsd svg rss atom plist"),
    (Kind::Text, "text/csv", "csv tsv"),
];

/// Files of text that go by their whole name.
fn of_name(path: &Path) -> Form {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    match name.as_ref() {
        "Makefile" | "GNUmakefile" | "CMakeLists.txt" | "Dockerfile" | "Containerfile" => {
            Form::File(Kind::Code, "text/x-makefile")
        }
        _ => Form::File(Kind::Text, "text/plain"),
    }
}

/// First bytes of files without text, and the kind in [`BINARIES`].
const MAGIC: [(u8, &[u8]); 33] = [
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"),
    (0, b"GIF8"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"\0\0\x01\0"),
    (0, b"8BPS"),
    (1, b"ID3"),
    (1, b"OggS"),
    (1, b"fLaC"),
    (1, b"MThd"),
    (2, b"\x1a\x45\xdf\xa3"),
    (2, b"\0\0\x01\xba"),
    (2, b"FLV"),
    (3, b"PK\x03\x04"),
    (3, b"PK\x05\x06"),
    (3, b"\x1f\x8b"),
    (3, b"BZh"),
    (3, b"\xfd7zXZ\0"),
    (3, b"7z\xbc\xaf\x27\x1c"),
    (3, b"Rar!"),
    (3, b"\x28\xb5\x2f\xfd"),
    (4, b"\x7fELF"),
    (4, b"MZ"),
    (4, b"\xfe\xed\xfa"),
    (4, b"\xcf\xfa\xed\xfe"),
    (4, b"\xca\xfe\xba\xbe"),
    (4, b"\0asm"),
    (5, b"\xd0\xcf\x11\xe0"),
    (6, b"OTTO"),
    (6, b"wOF"),
    (7, b"SQLite format 3"),
    (7, b"!BDN"),
];

/// Whether a file holds no text, and which kind it is then.
fn binary(head: &[u8], extension: &str) -> Option<u8> {
    // UTF-16 is full of zeros; its mark tells it from others.
    let is_text = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let magic = MAGIC.iter().find(|(_, magic)| head.starts_with(magic)).map(|(kind, _)| *kind);
    // Letters that a text may begin with count with a zero behind them alone.
    let has_zero = head.contains(&0);
    let sure = magic.filter(|_| has_zero || head.first().is_some_and(|b| !b.is_ascii_graphic()));
    if sure.is_none() && (!has_zero || is_text) {
        return None;
    }
    let is = |list: &str| list.split(' ').any(|one| one == extension);
    let zip = sure == Some(3) && head.starts_with(b"PK");
    Some(match sure {
        Some(_) if zip && is("docx xlsx pptx odt ods odp epub") => 5,
        Some(_) if zip && is("jar apk whl") => 4,
        Some(kind) => kind,
        None if head.get(8..12) == Some(b"WEBP") || is("bmp ico tga xcf heic avif") => 0,
        None if head.get(8..12) == Some(b"WAVE") || is("mp3 wav aac m4a opus amr") => 1,
        None if head.get(4..8) == Some(b"ftyp") || is("avi mov mp4 mpg mkv wmv") => 2,
        None if is("tar zip lz lz4 lzma z cpio iso deb rpm") => 3,
        None if is("o a so dll exe pyc class wasm bin rlib rmeta") => 4,
        None if is("doc xls ppt mdb ps dvi") => 5,
        None if is("ttf otf pfb eot pcf") => 6,
        None if is("db sqlite mdb dat idx pack") => 7,
        None => 8,
    })
}

/// A separator of mbox: `From `, a sender, and a date with a time and a year in it.
pub(crate) fn is_from_line(line: &[u8]) -> bool {
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
        // A quoted separator, as some files have within; or one before a message alone.
        if line.starts_with(b">From ") || line.starts_with(b"From ") {
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

    const TEXT: Form = Form::File(Kind::Text, "text/plain");
    const HTML: Form = Form::File(Kind::Html, "text/html");

    #[test]
    fn forms() {
        let of = |head: &str, path: &str| detect(head.as_bytes(), Path::new(path));
        let header = "From: a@b.org\r\nSubject: x\r\n\r\nbody";
        let from = "From a@b.org Thu Jan  1 00:00:00 1970\n";
        assert_eq!(of(&format!("{from}{header}"), "x"), Form::Mbox);
        assert_eq!(of(header, "x.txt"), Form::Mail);
        assert_eq!(of(&format!("X-Long: a\n b\n{header}"), "x"), Form::Mail);
        assert_eq!(of(&format!("{header}\0"), "x"), Form::Mail);
        assert_eq!(of("From here on: it is text\nTo: be or", "x"), TEXT);
        assert_eq!(of("title: x\ndate: y\n\n# Notes", "x.md").r#type(), Some(Type::Markdown));
        assert_eq!(of(" <!DOCTYPE html><p>", "x"), HTML);
        assert_eq!(of("<?xml?><html>", "x"), HTML);
        assert_eq!(of("<p>", "x.HTM"), HTML);
        assert_eq!(of("<p>", "x.html.gz"), HTML);
        assert_eq!(of("fn main() {}", "x.rs"), Form::File(Kind::Code, "text/x-rust"));
        assert_eq!(of("all:", "Makefile").r#type(), Some(Type::Code));
        assert_eq!(of("{\"a\":1}", "x.jsonl"), Form::Lines);
        assert_eq!(of("", "x"), TEXT);
        assert_eq!(of("%PDF-1.4\n", "x"), PDF);
        assert_eq!(of("\0junk\n%PDF-1.4\n", "x.PDF"), PDF);
        assert_eq!(of("about %PDF-1.4\n", "x"), TEXT);
    }

    #[test]
    fn binaries_by_kind() {
        let of = |head: &[u8], path: &str| match detect(head, Path::new(path)) {
            Form::Binary(kind) => BINARIES[kind as usize],
            _ => "text",
        };
        for (head, path, kind) in [
            (&b"\x7fELF\0"[..], "x", "program"),
            (b"\x89PNG\r\n\x1a\n", "x", "image"),
            (b"PK\x03\x04\0", "x.zip", "archive"),
            (b"PK\x03\x04\0", "x.docx", "document"),
            (b"\0\0\0\x18ftypmp42", "x", "video"),
            (b"a\0b", "x.pyc", "program"),
            (b"a\0b", "x", "other"),
            // Texts that begin as some of them do.
            (b"MZ is a name", "x", "text"),
            (b"ID3 tags are", "x.txt", "text"),
            (b"\xff\xfea\0", "x.txt", "text"),
        ] {
            assert_eq!(of(head, path), kind, "{path} {head:?}");
        }
    }

    #[test]
    fn types_have_names() {
        assert_eq!(Type::named("mail"), Some(Type::Mail));
        assert!(Type::names().all(|name| Type::named(name).is_some()));
        assert_eq!(Type::named("docx"), None);
    }
}
