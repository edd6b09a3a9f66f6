//! What the codes of a font say, and how wide they are.

use std::collections::HashMap;

use lopdf::content::Content;
use lopdf::{Dictionary, Document, Object};

use crate::index::ingest::formats::pdf::object::{MAX_STREAM, dictionary, entry};

/// Most codes whose text is kept, and most widths: all that two bytes tell apart.
const CODES: usize = 1 << 16;
/// Longest text of one code, in UTF-16 units.
const LONGEST: usize = 32;
/// What a font costs to read, at least.
const LEAST: u64 = 1000;
/// Width of what has none, in thousandths of the size.
const WIDTH: f64 = 500.0;

/// A font.
pub(crate) struct Font {
    /// Bytes of a code.
    bytes: usize,
    /// Codes are UTF-16 themselves.
    is_unicode: bool,
    texts: HashMap<u32, Box<str>>,
    widths: HashMap<u32, f64>,
    width: f64,
    /// What a width is to be multiplied by.
    unit: f64,
    /// The height of a letter, in sizes of the font.
    pub(crate) em: f64,
    /// What it took to read it.
    pub(crate) work: u64,
}

/// A code of a string that is shown.
pub(crate) struct Glyph<'a> {
    pub(crate) text: Option<&'a str>,
    /// The same of a font whose codes are Unicode.
    pub(crate) letter: Option<char>,
    /// In sizes of the font.
    pub(crate) width: f64,
    /// It is the one byte that the space between words is added to (9.3.3).
    pub(crate) is_space: bool,
}

impl Font {
    pub(crate) fn read(document: &Document, font: &Dictionary) -> Self {
        let kind = entry(document, font, b"Subtype").and_then(|kind| kind.as_name().ok());
        let mut read = match kind {
            Some(b"Type0") => Self::composite(document, font),
            kind => Self::simple(document, font, kind == Some(b"Type3")),
        };
        if let Some(map) = stream(document, font, b"ToUnicode") {
            read.work += map.len() as u64 / 16;
            read.learn(&map, kind == Some(b"Type0"));
        }
        read
    }

    /// Of a font whose codes are bytes (9.6).
    fn simple(document: &Document, font: &Dictionary, is_drawn: bool) -> Self {
        let descriptor = entry(document, font, b"FontDescriptor").and_then(dictionary);
        let (mut texts, mut work) = (HashMap::new(), LEAST);
        let encoding = entry(document, font, b"Encoding");
        let named = encoding.and_then(|encoding| match encoding {
            Object::Name(name) => Some(name.as_slice()),
            other => entry(document, dictionary(other)?, b"BaseEncoding")?.as_name().ok(),
        });
        base(document, named, &mut texts);
        // Type 1 fonts have an encoding of their own, in their clear part.
        if named.is_none()
            && let Some(program) = descriptor.and_then(|d| stream(document, d, b"FontFile"))
        {
            work += program.len() as u64 / 16;
            built_in(document, &program, &mut texts);
        }
        let differences = encoding.and_then(dictionary);
        let differences = differences.and_then(|d| entry(document, d, b"Differences"));
        let mut code = 0u32;
        for one in differences.and_then(|d| d.as_array().ok()).into_iter().flatten() {
            match one {
                Object::Integer(number) => code = u32::try_from(*number).unwrap_or(256),
                Object::Name(name) if code < 256 => {
                    match named_text(document, name) {
                        Some(text) => texts.insert(code, text),
                        None => texts.remove(&code),
                    };
                    code += 1;
                }
                _ => {}
            }
        }
        let first = number(document, font, b"FirstChar").unwrap_or(0.0).clamp(0.0, 255.0);
        let first = first as u32;
        let all = entry(document, font, b"Widths").and_then(|widths| widths.as_array().ok());
        let all = all.into_iter().flatten().take(256).map(|one| plain(document, one));
        let widths: HashMap<_, _> =
            (first..).zip(all).filter_map(|(code, width)| Some((code, width?))).collect();
        let lacking = descriptor.and_then(|d| number(document, d, b"MissingWidth"));
        let width = lacking.filter(|width| *width > 0.0).unwrap_or(WIDTH);
        let (mut unit, mut em) = (0.001, 1.0);
        if is_drawn {
            // Its units are its own; a letter is twice as high as it is wide.
            let matrix = entry(document, font, b"FontMatrix").and_then(|m| m.as_array().ok());
            unit = matrix.and_then(|m| m.first()?.as_float().ok()).map_or(0.001, f64::from).abs();
            let known = widths.values().filter(|width| **width > 0.0);
            let (sum, count) = known.fold((0.0, 0.0), |(sum, count), w| (sum + w, count + 1.0));
            em = if count > 0.0 { 2.0 * unit * sum / count } else { 1.0 };
        }
        Self { bytes: 1, is_unicode: false, texts, widths, width, unit, em, work }
    }

    /// Of a font whose codes name glyphs of another (9.7).
    fn composite(document: &Document, font: &Dictionary) -> Self {
        let encoding = entry(document, font, b"Encoding").and_then(|name| name.as_name().ok());
        let below = entry(document, font, b"DescendantFonts").and_then(|all| all.as_array().ok());
        let below = below.and_then(|all| document.dereference(all.first()?).ok());
        let below = below.and_then(|(_, font)| dictionary(font));
        let width = below.and_then(|font| number(document, font, b"DW")).unwrap_or(1000.0);
        let mut widths = HashMap::new();
        let list = below.and_then(|font| entry(document, font, b"W")?.as_array().ok());
        let mut list = list.into_iter().flatten();
        // `first [w w w]`, or `first last w`.
        while let (Some(first), Some(next)) = (list.next(), list.next()) {
            let Some(first) = plain(document, first) else { continue };
            let first = first.clamp(0.0, CODES as f64) as u32;
            let next = document.dereference(next).map_or(next, |(_, next)| next);
            if let Object::Array(these) = next {
                let these = these.iter().take(CODES).filter_map(|one| plain(document, one));
                widths.extend((first..).zip(these));
            } else if let (Some(last), Some(width)) =
                (plain(document, next), list.next().and_then(|one| plain(document, one)))
            {
                let last = last.clamp(0.0, CODES as f64) as u32;
                widths.extend((first..=last).map(|code| (code, width)));
            }
            if widths.len() > CODES {
                break;
            }
        }
        let is_unicode = encoding.is_some_and(|name| {
            name.starts_with(b"Uni") && name.windows(3).any(|part| part == b"UCS" || part == b"UTF")
        });
        let (texts, work) = (HashMap::new(), LEAST);
        Self { bytes: 2, is_unicode, texts, widths, width, unit: 0.001, em: 1.0, work }
    }

    /// Takes what codes say from a CMap (9.10.3), which is read as far as it can be.
    fn learn(&mut self, map: &[u8], may_be_wide: bool) {
        let mut texts: HashMap<u32, Box<str>> = HashMap::new();
        for operation in Content::decode_iter(map).map_while(Result::ok) {
            let operands = operation.operands.as_slice();
            match operation.operator.as_str() {
                "endcodespacerange" if may_be_wide => {
                    let longest =
                        operands.iter().filter_map(|code| Some(code.as_str().ok()?.len()));
                    self.bytes = longest.max().unwrap_or(self.bytes).clamp(1, 4);
                }
                "endbfchar" => {
                    for pair in operands.as_chunks::<2>().0 {
                        if let [Object::String(code, _), Object::String(text, _)] = pair {
                            texts.insert(number_of(code), utf16(text, 0));
                        }
                    }
                }
                "endbfrange" => {
                    for range in operands.as_chunks::<3>().0 {
                        let [Object::String(first, _), Object::String(last, _), to] = range else {
                            continue;
                        };
                        let codes = number_of(first)..=number_of(last);
                        let room = CODES.saturating_sub(texts.len());
                        match to {
                            Object::String(text, _) => texts.extend(
                                codes
                                    .zip(0..=u16::MAX)
                                    .take(room)
                                    .map(|(c, n)| (c, utf16(text, n))),
                            ),
                            Object::Array(all) => {
                                let all = all.iter().filter_map(|text| text.as_str().ok());
                                let all = codes.zip(all).take(room);
                                texts.extend(all.map(|(code, text)| (code, utf16(text, 0))));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
            if texts.len() >= CODES {
                break;
            }
        }
        // Some say of a code that it is nothing, where its name says more.
        texts.retain(|_, text| !text.trim_matches(['\0', '\u{fffd}']).is_empty());
        self.texts.extend(texts);
    }

    /// The codes of a string.
    pub(crate) fn glyphs<'a>(&'a self, string: &'a [u8]) -> impl Iterator<Item = Glyph<'a>> {
        string.chunks(self.bytes).map(|bytes| {
            let code = number_of(bytes);
            let text = self.texts.get(&code).map(|text| &**text);
            let letter = char::from_u32(code).filter(|_| self.is_unicode && text.is_none());
            let width = self.widths.get(&code).unwrap_or(&self.width) * self.unit;
            Glyph { text, letter, width, is_space: bytes == b" " }
        })
    }
}

/// A code's bytes as a number.
fn number_of(code: &[u8]) -> u32 {
    code.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A text of UTF-16, its last unit raised.
fn utf16(text: &[u8], raised: u16) -> Box<str> {
    let units = text.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit));
    let mut units: Vec<u16> = units.take(LONGEST).collect();
    if let [one] = text {
        units.push(u16::from(*one));
    }
    if let Some(last) = units.last_mut() {
        *last = last.wrapping_add(raised);
    }
    String::from_utf16_lossy(&units).into()
}

/// The texts of an encoding that has a name; of the standard one where it has none.
fn base(document: &Document, name: Option<&[u8]>, texts: &mut HashMap<u32, Box<str>>) {
    let known: [&[u8]; 3] = [b"WinAnsiEncoding", b"MacRomanEncoding", b"MacExpertEncoding"];
    let name = name.filter(|name| known.contains(name)).unwrap_or(b"StandardEncoding");
    let mut font = Dictionary::new();
    font.set("Type", Object::Name(b"Font".to_vec()));
    font.set("Encoding", Object::Name(name.to_vec()));
    let Ok(encoding) = font.get_font_encoding(document) else { return };
    for code in 0..=u8::MAX {
        if let Ok(text) = encoding.bytes_to_string(&[code])
            && !text.is_empty()
        {
            texts.insert(code.into(), text.into());
        }
    }
}

/// Reads `dup 12 /fi put` in a Type 1 font (Adobe Type 1 Font Format, 2.3), before its encrypted part.
fn built_in(document: &Document, program: &[u8], texts: &mut HashMap<u32, Box<str>>) {
    let end = program.windows(5).position(|part| part == b"eexec").unwrap_or(program.len());
    let clear = program.get(..end).unwrap_or_default();
    let clear = String::from_utf8_lossy(clear.get(..clear.len().min(1 << 16)).unwrap_or_default());
    let mut words = clear.split_ascii_whitespace().skip_while(|word| *word != "/Encoding");
    while let Some(word) = words.next() {
        if word != "dup" {
            continue;
        }
        let code = words.next().and_then(|code| code.parse::<u8>().ok());
        let name = words.next().and_then(|name| name.strip_prefix('/'));
        if let (Some(code), Some(name)) = (code, name)
            && let Some(text) = named_text(document, name.as_bytes())
        {
            texts.insert(code.into(), text);
        }
    }
}

/// The text of a glyph by its name (Adobe Glyph List Specification, 2).
fn named_text(document: &Document, name: &[u8]) -> Option<Box<str>> {
    let name = std::str::from_utf8(name).ok()?.split('.').next()?;
    let parts = name.split('_').take(LONGEST).map(|part| component(document, part));
    let text: String = parts.collect::<Option<_>>()?;
    (!text.is_empty()).then(|| text.into())
}

fn component(document: &Document, name: &str) -> Option<String> {
    if let Some(text) = listed(document, name) {
        return Some(text);
    }
    let hex = |digits: &str| match digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => u32::from_str_radix(digits, 16).ok().and_then(char::from_u32),
        false => None,
    };
    if let Some(digits) = name.strip_prefix("uni").filter(|digits| digits.len() % 4 == 0) {
        let digits = digits.as_bytes().chunks(4).map(|part| hex(std::str::from_utf8(part).ok()?));
        return digits.collect();
    }
    let digits = name.strip_prefix('u').filter(|digits| (4..=6).contains(&digits.len()))?;
    hex(digits).map(String::from)
}

/// What the library's list of names says: it is asked as a font would be.
fn listed(document: &Document, name: &str) -> Option<String> {
    let mut encoding = Dictionary::new();
    let difference = vec![Object::Integer(0), Object::Name(name.as_bytes().to_vec())];
    encoding.set("Differences", Object::Array(difference));
    let mut font = Dictionary::new();
    font.set("Type", Object::Name(b"Font".to_vec()));
    font.set("Encoding", Object::Dictionary(encoding));
    let text = font.get_font_encoding(document).ok()?.bytes_to_string(&[0]).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// What is in a stream.
fn stream(document: &Document, of: &Dictionary, key: &[u8]) -> Option<Vec<u8>> {
    let stream = entry(document, of, key)?.as_stream().ok()?;
    stream.get_plain_content_with_limit(MAX_STREAM).ok()
}

fn number(document: &Document, of: &Dictionary, key: &[u8]) -> Option<f64> {
    plain(document, of.get(key).ok()?)
}

fn plain(document: &Document, object: &Object) -> Option<f64> {
    let (_, object) = document.dereference(object).ok()?;
    object.as_float().ok().map(f64::from)
}
