//! Back from a document to the bytes it was read from, and to the parts of these.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders as _, PartType};

use crate::files;
use crate::index::document::{Document, Kind, MAX_BODY, cut, file_id, message_id};
use crate::index::ingest::formats::{cte, jsonl, mail, mbox, pdf, unpack};
use crate::index::ingest::options::MAX_FILE;
use crate::index::ingest::sources::pool;

/// The bytes a document was read from, which are the same as then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    bytes: Vec<u8>,
    is_mail: bool,
    name: Option<String>,
    kind: Option<String>,
}

/// A part of an original: of a mail, each that is no container; of a file, the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// From 1 on, in the order they come.
    pub number: usize,
    /// Its number among the attachments, when it is one.
    pub attachment: Option<usize>,
    /// Its MIME type.
    pub kind: String,
    /// Its file name, as a stranger gave it.
    pub name: Option<String>,
    /// Bytes, decoded.
    pub size: u64,
}

/// Why the original cannot be given back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// It is a letter, say, of which the index is the place.
    #[error("it came from no file")]
    Nowhere,
    /// The file is gone, or is not ours to read.
    #[error("its file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The file is there, with something else in it.
    #[error("its file has changed since")]
    Changed,
}

impl Document {
    /// Reads the original from where it was, and sees that it is the same: by the document's id, or
    /// for a file, which keeps its id when it is edited or moved, by what it says.
    pub fn original(&self) -> Result<Original, Lost> {
        let path = self.path.as_deref().ok_or(Lost::Nowhere)?;
        let is_mail = self.kind == Kind::Mail;
        let most = MAX_FILE.max(self.size.saturating_add(1));
        let input = unpacked(path, self.offset.unwrap_or_default())?;
        let bytes = match self.offset {
            Some(_) if is_mail => message(input, most)?,
            Some(_) => line(input, most)?,
            None => files::read_to_limit(input, most)?,
        };
        let same = match (is_mail, self.offset) {
            (true, _) => message_id(&bytes) == self.id,
            (false, Some(_)) => jsonl::line(&bytes).is_ok_and(|line| line.id == self.id),
            (false, None) => file_id(path, &bytes) == self.id || self.says(&bytes, path),
        };
        if !same {
            return Err(Lost::Changed);
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Original { bytes, is_mail, name, kind: self.types.first().cloned() })
    }

    /// Whether a file's bytes make this document.
    fn says(&self, bytes: &[u8], path: &Path) -> bool {
        if self.kind == Kind::Pdf {
            return pdf::is_of(self, bytes);
        }
        let mut made = pool::file(String::new(), self.kind, "", bytes, path, 0);
        cut(&mut made.body, MAX_BODY);
        bytes.len() as u64 == self.size && made.body == self.body
    }
}

/// A file from a byte on, that of what is in it when it is packed.
fn unpacked(path: &Path, offset: u64) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    let length = file.get_ref().metadata()?.len();
    if !unpack::is_packed(file.fill_buf()?) {
        file.seek(SeekFrom::Start(offset))?;
        return Ok(Box::new(file));
    }
    let mut input = unpack::unpack(file, length)?;
    io::copy(&mut input.by_ref().take(offset), &mut io::sink())?;
    Ok(input)
}

/// The message of an mbox that begins here.
fn message(input: impl BufRead, most: u64) -> Result<Vec<u8>, Lost> {
    let mut message = Vec::new();
    match mbox::Messages::new(input, most).next_into(&mut message)? {
        Some(found) if !found.too_long => Ok(message),
        _ => Err(Lost::Changed),
    }
}

/// The line that begins here.
fn line(input: impl BufRead, most: u64) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    input.take(most).read_until(b'\n', &mut line)?;
    Ok(line.trim_ascii().to_vec())
}

impl Original {
    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it consists of.
    pub fn parts(&self) -> Vec<Part> {
        if !self.is_mail {
            return vec![Part {
                number: 1,
                attachment: None,
                kind: self.kind.clone().unwrap_or_else(|| "application/octet-stream".into()),
                name: self.name.clone(),
                size: self.bytes.len() as u64,
            }];
        }
        let Ok(message) = mail::parse(&self.bytes) else { return Vec::new() };
        let mut attachments = 0;
        let described = leaves(&message).zip(1..).map(|(part, number)| {
            let name = part.attachment_name().map(str::to_owned);
            let attached = name.is_some() || is_attached(part);
            attachments += usize::from(attached);
            Part {
                number,
                attachment: attached.then_some(attachments),
                kind: kind_of(part),
                name,
                size: self.decoded(part).len() as u64,
            }
        });
        described.collect()
    }

    /// The bytes of a part, its transfer encoding undone.
    pub fn part(&self, number: usize) -> Option<Vec<u8>> {
        let at = number.checked_sub(1)?;
        if !self.is_mail {
            return (at == 0).then(|| self.bytes.clone());
        }
        let message = mail::parse(&self.bytes).ok()?;
        leaves(&message).nth(at).map(|part| self.decoded(part))
    }

    /// As it was before it was encoded: text in its own charset.
    fn decoded(&self, part: &MessagePart<'_>) -> Vec<u8> {
        let range = part.raw_body_offset() as usize..part.raw_end_offset() as usize;
        let raw = self.bytes.get(range);
        if let Some((bytes, _)) = raw.and_then(|raw| cte::mended(part, raw)) {
            return bytes;
        }
        let decoded = raw.and_then(|raw| match part.encoding {
            Encoding::None => Some(raw.to_vec()),
            Encoding::QuotedPrintable => quoted_printable_decode(raw),
            Encoding::Base64 => base64_decode(raw),
        });
        // What is encoded wrong is taken as it was read.
        decoded.unwrap_or_else(|| part.contents().to_vec())
    }
}

fn leaves<'a>(message: &'a Message<'_>) -> impl Iterator<Item = &'a MessagePart<'a>> {
    message.parts.iter().filter(|part| !matches!(part.body, PartType::Multipart(_)))
}

fn is_attached(part: &MessagePart<'_>) -> bool {
    part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment)
}

fn kind_of(part: &MessagePart<'_>) -> String {
    let named = part.content_type().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()),
        None => kind.ctype().to_owned(),
    });
    let own = match part.body {
        PartType::Html(_) => "text/html",
        PartType::Message(_) => "message/rfc822",
        PartType::Binary(_) | PartType::InlineBinary(_) => "application/octet-stream",
        _ => "text/plain",
    };
    named.unwrap_or_else(|| own.into()).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From: a@b.org\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nna=EFve\r\n--o\r\n\
        Content-Type: Application/PDF; name=\"a.pdf\"\r\nContent-Disposition: attachment\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nJVBERgA=\r\n--o\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninside\r\n--o--\r\n";

    fn mail(path: &Path, offset: Option<u64>) -> Document {
        let mut mail = Document::new(Kind::Mail, message_id(MAIL.as_bytes()));
        (mail.path, mail.offset) = (Some(path.into()), offset);
        mail
    }

    #[test]
    fn the_same_bytes_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box");
        let from = "From x Thu Jan  1 00:00:00 1970\n";
        let first = format!("{from}Subject: first\n\nx\n\n");
        std::fs::write(&path, format!("{first}{from}{MAIL}\n{first}")).unwrap();
        let offset = first.len() as u64;
        let original = mail(&path, Some(offset)).original().unwrap();
        assert_eq!(original.bytes(), MAIL.as_bytes());
        assert!(matches!(mail(&path, Some(0)).original(), Err(Lost::Changed)));
        assert!(matches!(mail(&path, Some(1 << 40)).original(), Err(Lost::Changed)));
        assert!(matches!(mail(&path, None).original(), Err(Lost::Changed)));
        std::fs::write(&path, MAIL).unwrap();
        assert_eq!(mail(&path, None).original().unwrap(), original);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(mail(&path, None).original(), Err(Lost::Unreadable(_))));
        let letter = Document::new(Kind::Letter, "l".into());
        assert!(matches!(letter.original(), Err(Lost::Nowhere)));
    }

    #[test]
    fn parts_are_what_they_were_before_they_were_encoded() {
        let original = Original { bytes: MAIL.into(), is_mail: true, name: None, kind: None };
        let parts = original.parts();
        let shown: Vec<_> =
            parts.iter().map(|p| (p.number, p.attachment, p.kind.as_str(), p.size)).collect();
        assert_eq!(
            shown,
            [
                (1, None, "text/plain", 5),
                (2, Some(1), "application/pdf", 5),
                (3, None, "message/rfc822", 21)
            ]
        );
        assert_eq!(parts[1].name.as_deref(), Some("a.pdf"));
        assert_eq!(original.part(1).unwrap(), b"na\xefve");
        assert_eq!(original.part(2).unwrap(), b"%PDF\0");
        assert_eq!(original.part(3).unwrap(), b"Subject: in\r\n\r\ninside\r\n".trim_ascii_end());
        assert_eq!((original.part(0), original.part(4)), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
            cut in 0..MAIL.len(),
        ) {
            let hostile = [&MAIL.as_bytes()[..cut], &bytes].concat();
            let original = Original { bytes: hostile, is_mail: true, name: None, kind: None };
            for part in original.parts() {
                let size = original.part(part.number).map(|part| part.len() as u64);
                proptest::prop_assert_eq!(size, Some(part.size));
            }
        }
    }
}
