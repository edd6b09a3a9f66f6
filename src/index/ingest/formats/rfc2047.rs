//! Encoded words of a header (RFC 2047) that the parser would read wrong: letters cut in two by
//! programs that count bytes, and charsets it does not know. They are put together, as UTF-8.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;

use crate::index::ingest::formats::cte::quoted_printable;
use crate::index::ingest::formats::legacy_charset::Charset;
use crate::text::base64_encode;

/// Longest encoded word that is looked at, in bytes: the standard allows 75.
const LONGEST: usize = 4096;

/// One encoded word.
struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
    /// Its length in the header.
    length: usize,
}

/// Finds the ends of words (`?=`) in a header, each byte looked at once: the ends of words that do not
/// end are all the same.
struct Ends<'a> {
    header: &'a [u8],
    /// Where the search began last, and the end that it found; that of all words from there to it.
    found: Option<(usize, Option<usize>)>,
    /// Bytes looked at.
    looked: usize,
}

impl<'a> Ends<'a> {
    fn new(header: &'a [u8]) -> Self {
        Self { header, found: None, looked: 0 }
    }

    /// Returns the first end at or behind `from`.
    fn behind(&mut self, from: usize) -> Option<usize> {
        if let Some((begin, end)) = self.found
            && begin <= from
            && end.is_none_or(|end| from <= end)
        {
            return end;
        }
        let rest = self.header.get(from..).unwrap_or_default();
        let end = rest.windows(2).position(|pair| pair == b"?=");
        self.looked += end.unwrap_or(rest.len());
        let end = end.map(|at| from + at);
        self.found = Some((from, end));
        end
    }
}

/// A header in which the parser reads every encoded word.
pub(crate) fn joined(header: &[u8]) -> Cow<'_, [u8]> {
    joined_by(header, &mut Ends::new(header))
}

fn joined_by<'a>(header: &'a [u8], ends: &mut Ends<'_>) -> Cow<'a, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let (mut done, mut at) = (0, 0);
    while let Some(begin) = find(header, at) {
        let words = run(header, begin, ends);
        let length = words.iter().map(|word| word.length).sum::<usize>();
        at = begin + length.max(2);
        if let Some(text) = mended(&words) {
            let out = out.get_or_insert_with(Vec::new);
            out.extend_from_slice(header.get(done..begin).unwrap_or_default());
            out.extend_from_slice(
                format!("=?utf-8?B?{}?=", base64_encode(text.as_bytes())).as_bytes(),
            );
            done = at;
        }
    }
    match out {
        None => Cow::Borrowed(header),
        Some(mut out) => {
            out.extend_from_slice(header.get(done..).unwrap_or_default());
            Cow::Owned(out)
        }
    }
}

fn find(header: &[u8], from: usize) -> Option<usize> {
    let rest = header.get(from..)?;
    rest.windows(2).position(|pair| pair == b"=?").map(|at| from + at)
}

/// The words from here on that have one charset, and nothing but blanks between them.
fn run<'a>(header: &'a [u8], begin: usize, ends: &mut Ends<'_>) -> Vec<Word<'a>> {
    let mut words: Vec<Word<'a>> = Vec::new();
    let mut at = begin;
    loop {
        let rest = header.get(at..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        // Where no word was, no blank leads to one.
        let blank = if words.is_empty() { 0 } else { blank };
        let Some(mut word) = word(header, at + blank, ends) else { return words };
        if words.first().is_some_and(|first| !first.charset.eq_ignore_ascii_case(word.charset)) {
            return words;
        }
        word.length += blank;
        at += word.length;
        words.push(word);
    }
}

/// The word that begins at a place: `=?charset*language?encoding?text?=`.
fn word<'a>(header: &'a [u8], begin: usize, ends: &mut Ends<'_>) -> Option<Word<'a>> {
    let rest = header.get(begin..)?;
    let within = rest.get(..rest.len().min(LONGEST))?.strip_prefix(b"=?")?;
    let mut parts = within.splitn(3, |byte| *byte == b'?');
    let (charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
    let text_begin = begin + 2 + charset.len() + 1 + encoding.len() + 1;
    let end = ends.behind(text_begin)? - text_begin;
    // The end is within the longest word as well.
    text.get(..end + 2)?;
    let encoded = text.get(..end)?;
    if encoded.contains(&b'\n') {
        return None;
    }
    let bytes = match encoding {
        b"B" | b"b" => base64_decode(encoded)?,
        b"Q" | b"q" => {
            let blanks = |byte: &u8| if *byte == b'_' { b' ' } else { *byte };
            quoted_printable(&encoded.iter().map(blanks).collect::<Vec<_>>())
        }
        _ => return None,
    };
    let length = 2 + charset.len() + 1 + encoding.len() + 1 + end + 2;
    let charset = std::str::from_utf8(charset).ok()?;
    let charset = charset.split('*').next().unwrap_or_default();
    Some(Word { charset, bytes, length })
}

/// The text of words that do not speak for themselves; `None` when each does.
fn mended(words: &[Word<'_>]) -> Option<String> {
    let label = words.first()?.charset;
    let charset = Charset::named(label)?;
    let whole = |word: &Word<'_>| charset.decode_strictly(&word.bytes).is_some();
    if !Charset::is_of_mail(label) && words.iter().all(whole) {
        return None;
    }
    let bytes = words.iter().flat_map(|word| &word.bytes).copied().collect::<Vec<_>>();
    charset.decode_strictly(&bytes).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_looked_through_once() {
        for (part, changed) in [
            ("=?utf-8?q?a", false),
            ("=?utf-8?q?a?= ", false),
            ("=?utf-8?q?=C3?= =?utf-8?q?=A9?= ", true),
            ("=?", false),
            ("=?a?b?", false),
            ("?=", false),
            ("=?=?=", false),
        ] {
            let header = part.repeat(10_000).into_bytes();
            let mut ends = Ends::new(&header);
            let joined = joined_by(&header, &mut ends);
            assert_eq!(matches!(joined, Cow::Owned(_)), changed, "{part}");
            assert!(ends.looked <= header.len(), "{part}: {}", ends.looked);
        }
    }

    proptest::proptest! {
        #[test]
        fn an_end_is_the_first(
            header in "[?=a]{0,40}",
            from in proptest::collection::vec(0usize..40, 0..9),
        ) {
            let mut ends = Ends::new(header.as_bytes());
            for from in from {
                let rest = header.get(from..).unwrap_or_default();
                let first = rest.find("?=").map(|at| from + at);
                proptest::prop_assert_eq!(ends.behind(from), first);
            }
        }
    }

    fn read(header: &str) -> String {
        String::from_utf8(joined(header.as_bytes()).into_owned()).unwrap()
    }

    fn word_of(text: &str) -> String {
        format!("=?utf-8?B?{}?=", base64_encode(text.as_bytes()))
    }

    #[test]
    fn letters_that_were_cut_in_two() {
        // 東京, cut within its first letter.
        let cut = "=?utf-8?B?5p0=?=\r\n =?UTF-8?B?seS6rA==?=";
        assert_eq!(
            read(&format!("Subject: a {cut} b\r\n")),
            format!("Subject: a {} b\r\n", word_of("東京"))
        );
        let cut = "=?utf-8?q?caf=C3?= =?utf-8*fr?q?=A9_noir?=";
        assert_eq!(read(cut), word_of("café noir"));
        assert_eq!(read("=?hz-gb-2312?B?fntEYzpDfn0=?= x"), format!("{} x", word_of("你好")));
    }

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        for header in [
            "Subject: plain\r\n",
            "Subject: =?utf-8?q?caf=C3=A9?= =?utf-8?q?_noir?=\r\n",
            "=?utf-8?B?5p0=?= =?iso-8859-1?Q?=E9?=",
            "=?utf-8?B?5p0=?= and =?utf-8?B?seS6rA==?=",
            "=?x-none?B?5p0=?=",
            "=?utf-8?B?broken",
            "=?utf-8?Z?5p0=?= =?=?=?",
            "=?",
        ] {
            assert!(matches!(joined(header.as_bytes()), Cow::Borrowed(_)), "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(header in "(=\\?|utf-8|hz|\\?|[bq]|=|[A-Za-z0-9+/]|\\PC| |\r\n){0,60}") {
            let once = read(&header);
            proptest::prop_assert_eq!(read(&once), once);
        }
    }
}
