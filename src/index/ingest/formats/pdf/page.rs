//! The text of pages: what is shown, in the order it is, with blanks and lines where they are seen.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use lopdf::content::{Content, Operation};
use lopdf::{Dictionary, Document, Object, ObjectId};

use crate::index::document::MAX_BODY;
use crate::index::ingest::formats::pdf::font::Font;
use crate::index::ingest::formats::pdf::object::{DEPTH, MAX_STREAM, dictionary, entry};

/// Forms within forms that are read.
const FORMS: usize = 12;
/// States kept for later.
const STATES: usize = 512;
/// Gaps in sizes of a letter: one that is a blank, one that is another line.
const BLANK: f64 = 0.15;
const LINE: f64 = 0.5;

/// Accents by themselves, and those that belong to the letter before them.
const ACCENTS: [(char, char); 12] = [
    ('`', '\u{300}'),
    ('´', '\u{301}'),
    ('ˆ', '\u{302}'),
    ('˜', '\u{303}'),
    ('¯', '\u{304}'),
    ('˘', '\u{306}'),
    ('˙', '\u{307}'),
    ('¨', '\u{308}'),
    ('˚', '\u{30a}'),
    ('˝', '\u{30b}'),
    ('ˇ', '\u{30c}'),
    ('¸', '\u{327}'),
];

/// `[a b c d e f]` of a transformation (8.3.3).
type Matrix = [f64; 6];

const SAME: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// First the one, then the other.
fn times([a, b, c, d, e, f]: Matrix, [g, h, i, j, k, l]: Matrix) -> Matrix {
    [
        a * g + b * i,
        a * h + b * j,
        c * g + d * i,
        c * h + d * j,
        e * g + f * i + k,
        e * h + f * j + l,
    ]
}

/// What `q` keeps and `Q` brings back, as far as text has to do with it.
#[derive(Clone)]
struct State {
    page: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    letters: f64,
    words: f64,
    stretch: f64,
    leading: f64,
}

/// Where what was shown last ended.
struct Pen {
    at: (f64, f64),
    em: f64,
}

/// Reads pages one after the other.
pub(crate) struct Reader<'a> {
    document: &'a Document,
    fonts: HashMap<*const Dictionary, Rc<Font>>,
    text: String,
    pen: Option<Pen>,
    work: u64,
    /// Why the first page was not read that was not.
    failed: Option<String>,
}

impl<'a> Reader<'a> {
    /// One that reads so many operators.
    pub(crate) fn new(document: &'a Document, work: u64) -> Self {
        Self { document, fonts: HashMap::new(), text: String::new(), pen: None, work, failed: None }
    }

    /// The text of all pages; an error when there is none, and a page could not be read.
    pub(crate) fn end(mut self) -> Result<String, String> {
        self.text.truncate(self.text.trim_end().len());
        self.failed.filter(|_| self.text.is_empty()).map_or(Ok(self.text), Err)
    }

    /// Reads a page; a break when no more is to be read.
    pub(crate) fn page(&mut self, page: ObjectId) -> ControlFlow<()> {
        self.spend(1)?;
        let read = match self.document.get_dictionary(page) {
            Ok(read) => read,
            Err(error) => {
                self.failed.get_or_insert_with(|| error.to_string());
                return ControlFlow::Continue(());
            }
        };
        let mut resources = None;
        let mut above = Some(read);
        for _ in 0..DEPTH {
            let Some(node) = above else { break };
            resources = entry(self.document, node, b"Resources").and_then(dictionary);
            if resources.is_some() {
                break;
            }
            above = entry(self.document, node, b"Parent").and_then(dictionary);
        }
        match self.document.get_page_content_with_limit(page, MAX_STREAM) {
            Ok(content) => self.content(&content, resources, SAME, 0)?,
            Err(error) => drop(self.failed.get_or_insert_with(|| error.to_string())),
        }
        while self.text.ends_with(['\n', ' ']) {
            self.text.pop();
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.pen = None;
        ControlFlow::Continue(())
    }

    fn spend(&mut self, work: u64) -> ControlFlow<()> {
        self.work = self.work.saturating_sub(work);
        if self.work == 0 || self.text.len() > MAX_BODY {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Reads a content stream (7.8.2), as far as it can be.
    fn content(
        &mut self,
        content: &[u8],
        resources: Option<&'a Dictionary>,
        page: Matrix,
        depth: usize,
    ) -> ControlFlow<()> {
        self.spend(content.len() as u64 / 16)?;
        let mut state = State {
            page,
            font: None,
            size: 1.0,
            letters: 0.0,
            words: 0.0,
            stretch: 1.0,
            leading: 0.0,
        };
        let mut kept = Vec::new();
        let (mut line, mut at) = (SAME, SAME);
        for operation in Content::decode_iter(content).map_while(Result::ok) {
            self.spend(1)?;
            let Operation { operator, operands } = &operation;
            let number = |n: usize| match operands.get(n).map(Object::as_float) {
                Some(Ok(number)) => f64::from(number),
                _ => 0.0,
            };
            let matrix = || [number(0), number(1), number(2), number(3), number(4), number(5)];
            let moved = |line: Matrix, x, y| times([1.0, 0.0, 0.0, 1.0, x, y], line);
            match operator.as_str() {
                "q" if kept.len() < STATES => kept.push(state.clone()),
                "Q" => state = kept.pop().unwrap_or(state),
                "cm" => state.page = times(matrix(), state.page),
                "BT" => (line, at) = (SAME, SAME),
                "Tc" => state.letters = number(0),
                "Tw" => state.words = number(0),
                "Tz" => state.stretch = number(0) / 100.0,
                "TL" => state.leading = number(0),
                "Tf" => {
                    state.size = number(1);
                    let name = operands.first().and_then(|name| name.as_name().ok());
                    state.font = self.font(resources, name.unwrap_or_default())?;
                }
                "Tm" => (line, at) = (matrix(), matrix()),
                "Td" | "TD" | "T*" => {
                    let (x, y) = match operator.as_str() {
                        "T*" => (0.0, -state.leading),
                        _ => (number(0), number(1)),
                    };
                    if operator == "TD" {
                        state.leading = -y;
                    }
                    line = moved(line, x, y);
                    at = line;
                }
                "Tj" => self.show(operands, &state, &mut at)?,
                "TJ" => {
                    let all = operands.first().and_then(|all| all.as_array().ok());
                    self.show(all.map_or(&[], Vec::as_slice), &state, &mut at)?;
                }
                "'" | "\"" => {
                    if operator == "\"" {
                        (state.words, state.letters) = (number(0), number(1));
                    }
                    line = moved(line, 0.0, -state.leading);
                    at = line;
                    self.show(
                        operands.get(operands.len().saturating_sub(1)..).unwrap_or_default(),
                        &state,
                        &mut at,
                    )?;
                }
                "Do" if depth < FORMS => {
                    let name = operands.first().and_then(|name| name.as_name().ok());
                    self.form(name.unwrap_or_default(), resources, state.page, depth)?;
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads a form (8.10), which may bring resources of its own.
    fn form(
        &mut self,
        name: &[u8],
        resources: Option<&'a Dictionary>,
        page: Matrix,
        depth: usize,
    ) -> ControlFlow<()> {
        let document = self.document;
        let all = resources.and_then(|all| entry(document, all, b"XObject")).and_then(dictionary);
        let form = all.and_then(|all| entry(document, all, name)?.as_stream().ok());
        let Some(form) = form.filter(|form| {
            form.dict
                .get(b"Subtype")
                .is_ok_and(|kind| kind.as_name().is_ok_and(|name| name == b"Form"))
        }) else {
            return ControlFlow::Continue(());
        };
        let own = entry(document, &form.dict, b"Resources").and_then(dictionary);
        let mut matrix = SAME;
        let given = entry(document, &form.dict, b"Matrix").and_then(|given| given.as_array().ok());
        for (to, from) in matrix.iter_mut().zip(given.into_iter().flatten()) {
            *to = from.as_float().map_or(*to, f64::from);
        }
        match form.get_plain_content_with_limit(MAX_STREAM) {
            Ok(content) => {
                self.content(&content, own.or(resources), times(matrix, page), depth + 1)
            }
            Err(_) => ControlFlow::Continue(()),
        }
    }

    fn font(
        &mut self,
        resources: Option<&'a Dictionary>,
        name: &[u8],
    ) -> ControlFlow<(), Option<Rc<Font>>> {
        let document = self.document;
        let all = resources.and_then(|all| entry(document, all, b"Font")).and_then(dictionary);
        let font = all.and_then(|all| entry(document, all, name)).and_then(dictionary);
        let Some(font) = font else { return ControlFlow::Continue(None) };
        if let Some(known) = self.fonts.get(&std::ptr::from_ref(font)) {
            return ControlFlow::Continue(Some(Rc::clone(known)));
        }
        let read = Rc::new(Font::read(document, font));
        self.spend(read.work)?;
        self.fonts.insert(font, Rc::clone(&read));
        ControlFlow::Continue(Some(read))
    }

    /// Shows strings, and moves by the numbers between them (9.4.3).
    fn show(&mut self, all: &[Object], state: &State, at: &mut Matrix) -> ControlFlow<()> {
        let Some(font) = &state.font else { return ControlFlow::Continue(()) };
        for one in all {
            let Object::String(string, _) = one else {
                let back = one.as_float().map_or(0.0, f64::from) / 1000.0;
                *at = times([1.0, 0.0, 0.0, 1.0, -back * state.size * state.stretch, 0.0], *at);
                continue;
            };
            self.spend(string.len() as u64 / 16)?;
            for glyph in font.glyphs(string) {
                let shown = times(*at, state.page);
                let em = state.size.abs() * font.em * shown[2].hypot(shown[3]);
                let text = glyph.text.or(glyph.letter.as_ref().map(|_| ""));
                if let Some(text) = text {
                    let mut own = [0; 4];
                    let text = glyph.letter.map_or(text, |letter| letter.encode_utf8(&mut own));
                    self.put(text, (shown[4], shown[5]), em, (shown[0], shown[1]));
                }
                let space = if glyph.is_space { state.words } else { 0.0 };
                let wide = (glyph.width * state.size + state.letters + space) * state.stretch;
                *at = times([1.0, 0.0, 0.0, 1.0, wide, 0.0], *at);
                let ended = times(*at, state.page);
                self.pen = Some(Pen { at: (ended[4], ended[5]), em });
            }
        }
        ControlFlow::Continue(())
    }

    /// Puts a glyph's text behind what there is, with what parts them.
    fn put(&mut self, text: &str, (x, y): (f64, f64), em: f64, (dx, dy): (f64, f64)) {
        let is_blank = text.chars().all(char::is_whitespace);
        if let Some(Pen { at, em: before }) = self.pen {
            let em = em.max(before);
            let length = dx.hypot(dy);
            let (dx, dy) = (dx / length, dy / length);
            let along = (x - at.0) * dx + (y - at.1) * dy;
            let across = (y - at.1) * dx - (x - at.0) * dy;
            if across.abs() > LINE * em || along < -2.0 * em {
                self.end_line(text);
            } else if along > BLANK * em && !is_blank && !self.text.ends_with(char::is_whitespace) {
                self.text.push(' ');
            } else if along < -BLANK * em
                && let Some(whole) = self.accented(text)
            {
                self.text.push_str(&whole);
                return;
            }
        }
        if is_blank {
            if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
                self.text.push(' ');
            }
            return;
        }
        let seen = text.chars().map(|c| if c == '\u{ad}' { '-' } else { c });
        self.text.extend(seen.filter(|c| !c.is_control()));
    }

    /// Ends a line; a word that was parted there is whole again.
    fn end_line(&mut self, next: &str) {
        while self.text.ends_with(' ') {
            self.text.pop();
        }
        if self.text.is_empty() || self.text.ends_with('\n') {
            return;
        }
        let mut before = self.text.chars().rev();
        let is_parted = before.next() == Some('-')
            && before.by_ref().take(2).filter(|c| c.is_lowercase()).count() == 2
            && next.starts_with(char::is_lowercase);
        if is_parted {
            self.text.pop();
        } else {
            self.text.push('\n');
        }
    }

    /// An accent that stands over a letter, as TeX sets it, is that letter's.
    fn accented(&mut self, letter: &str) -> Option<String> {
        let accent = self.text.chars().next_back()?;
        let (_, mark) = ACCENTS.iter().find(|(one, _)| *one == accent)?;
        let bare = match letter.chars().next().filter(|c| c.is_alphabetic())? {
            'ı' => 'i',
            'ȷ' => 'j',
            other => other,
        };
        self.text.pop();
        Some(String::from_iter([bare, *mark]))
    }
}
