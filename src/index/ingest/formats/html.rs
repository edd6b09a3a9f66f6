//! HTML as a reader would see it: the standard's tokenizer and the elements that are open, no tree,
//! no recursion.

use std::cell::RefCell;
use std::collections::HashMap;

use html5ever::LocalName;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use crate::index::analysis::tokenizer;
use crate::index::ingest::formats::css_visibility::Seen;

/// What was read of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Content of the first `<title>`.
    pub(crate) title: String,
    /// The text, a line a block.
    pub(crate) text: String,
}

/// Bytes given to the tokenizer at a time.
const PIECE: usize = 64 << 10;
/// Longest tag that is read, in bytes; of a longer one (a picture within) its name is. The tokenizer
/// compares every attribute of a tag with all before it.
const LONGEST_TAG: usize = 16 << 10;
/// Such comparisons of one page: some seconds of them. The rest of a page that needs more is left.
const COMPARISONS: usize = 1 << 29;
/// Most elements open at once that are kept in mind.
const DEEPEST: usize = 1 << 16;
/// How far above an element its neighbour is looked for that it ends without a word.
const NEAR: usize = 16;

/// Reads a page.
pub(crate) fn read(html: &str) -> Page {
    let input = BufferQueue::default();
    let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
    let feed = |mut rest: &str| {
        // A tendril holds at most 4 GiB; far smaller pieces keep its buffers small.
        while !rest.is_empty() && tokenizer.sink.0.borrow().compared < COMPARISONS {
            let (piece, behind) = rest.split_at(tokenizer::floor(rest, PIECE));
            input.push_back(StrTendril::from_slice(piece));
            let _ = tokenizer.feed(&input);
            rest = behind;
        }
    };
    let (mut at, mut from, mut end) = (0, 0, None);
    while let Some(tag) = find(html, at, '<') {
        at = tag + 1;
        if !html.get(at..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic())) {
            continue;
        }
        if end.is_none_or(|end| end < at) {
            end = Some(find(html, at, '>').unwrap_or(html.len()));
        }
        if let Some(end) = end
            && end - at > LONGEST_TAG
        {
            let name = html.get(at..).unwrap_or_default();
            let name = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
            feed(html.get(from..at + name.min(64)).unwrap_or_default());
            // What ends a comment ends it still.
            from =
                end - if html.get(..end).is_some_and(|till| till.ends_with("--")) { 2 } else { 0 };
            at = end;
        }
    }
    feed(html.get(from..).unwrap_or_default());
    tokenizer.end();
    let state = tokenizer.sink.0.into_inner();
    Page { title: one_line(&state.title), text: state.text.trim().to_owned() }
}

fn find(text: &str, from: usize, what: char) -> Option<usize> {
    Some(from + text.get(from..)?.find(what)?)
}

#[derive(Default)]
struct Reader(RefCell<State>);

#[derive(Default)]
struct State {
    title: String,
    text: String,
    /// The element whose content is not text, until its end.
    within: Option<Raw>,
    /// Elements that are open, and how each shows what is in it.
    open: Vec<(LocalName, Seen)>,
    /// How many of a name are open.
    count: HashMap<LocalName, usize>,
    /// Attributes compared so far.
    compared: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Raw {
    Title,
    Unseen,
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => state.characters(&text),
            Token::TagToken(tag) => return state.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn characters(&mut self, text: &str) {
        match self.within {
            Some(Raw::Unseen) => {}
            Some(Raw::Title) => self.title.push_str(text),
            None if !self.seen().is_seen() => {}
            None => {
                for c in text.chars() {
                    // Blanks run together, as they do on the page.
                    if !c.is_ascii_whitespace() {
                        self.text.push(c);
                    } else if !self.text.ends_with([' ', '\n']) {
                        self.text.push(' ');
                    }
                }
            }
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        self.compared += tag.attrs.len() * tag.attrs.len() / 2;
        if tag.kind == TagKind::EndTag {
            self.within = None;
        }
        if is_block(name) && !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        if is_box(name) {
            self.characters(" ");
        }
        if tag.kind == TagKind::EndTag {
            self.end(&tag.name);
            return TokenSinkResult::Continue;
        }
        // As the standard's tree construction sets the tokenizer ("in head", "in body").
        let (within, state) = match name {
            "title" if self.title.is_empty() => (Some(Raw::Title), RawKind::Rcdata),
            "title" => (Some(Raw::Unseen), RawKind::Rcdata),
            "textarea" => (None, RawKind::Rcdata),
            "script" => (Some(Raw::Unseen), RawKind::ScriptData),
            "style" | "noembed" | "noframes" | "iframe" | "xmp" => {
                (Some(Raw::Unseen).filter(|_| name != "xmp"), RawKind::Rawtext)
            }
            _ => {
                self.begin(tag);
                return TokenSinkResult::Continue;
            }
        };
        self.within = within;
        TokenSinkResult::RawData(state)
    }

    /// How what comes next is shown.
    fn seen(&self) -> Seen {
        self.open.last().map(|(_, seen)| *seen).unwrap_or_default()
    }

    fn begin(&mut self, tag: &Tag) {
        let name: &str = &tag.name;
        self.end_neighbour(name);
        let seen = self.seen().within(tag);
        if name == "img" && seen.is_seen() {
            let alt = tag.attrs.iter().find(|attribute| &*attribute.name.local == "alt");
            // A picture is no part of the word beside it.
            if let Some(alt) = alt.filter(|alt| !alt.value.trim().is_empty()) {
                self.characters(" ");
                self.characters(&alt.value);
                self.characters(" ");
            }
        }
        // What ends itself hides nothing behind it.
        let over = is_void(name) || (tag.self_closing && seen == self.seen());
        if !over && self.open.len() < DEEPEST {
            *self.count.entry(tag.name.clone()).or_default() += 1;
            self.open.push((tag.name.clone(), seen));
        }
    }

    /// Ends an element, and with it those that are open within.
    fn end(&mut self, name: &LocalName) {
        if self.count.get(name).is_none_or(|count| *count == 0) {
            return;
        }
        while let Some((last, _)) = self.open.pop() {
            if let Some(count) = self.count.get_mut(&last) {
                *count -= 1;
            }
            if last == *name {
                return;
            }
        }
    }

    /// Ends the element before that this one ends without a word ("optional tags").
    fn end_neighbour(&mut self, name: &str) {
        let (ended, within): (&[&str], &[&str]) = match name {
            "li" => (&["li"], &["ul", "ol", "menu"]),
            "dt" | "dd" => (&["dt", "dd"], &["dl"]),
            "td" | "th" => (&["td", "th"], &["table"]),
            "tr" => (&["tr"], &["table"]),
            "tbody" | "tfoot" | "thead" => (&["tbody", "tfoot", "thead"], &["table"]),
            "option" | "optgroup" => (&["option"], &["select"]),
            _ if is_block(name) && name != "br" => (&["p"], &["table", "td", "th", "button"]),
            _ => return,
        };
        for (open, _) in self.open.iter().rev().take(NEAR) {
            if ended.contains(&&**open) {
                let open = open.clone();
                return self.end(&open);
            }
            if within.contains(&&**open) {
                return;
            }
        }
    }
}

/// Elements within a line that stand in a box of their own.
fn is_box(name: &str) -> bool {
    matches!(name, "textarea" | "button" | "select" | "option" | "meter" | "progress")
}

/// Elements without content.
fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "frame"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Elements that begin a line and end one.
fn is_block(name: &str) -> bool {
    const BLOCKS: [&str; 39] = [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "td",
        "tr",
        "ul",
    ];
    name == "th" || BLOCKS.binary_search(&name).is_ok()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn text(html: &str) -> String {
        read(html).text
    }

    #[test]
    fn what_a_reader_sees() {
        let page = read(
            "<!DOCTYPE html><title>A &amp;\n B</title><style>p{color:red}</style>\
             <script>if (a < b) evil('</p>')</script><h1>Head</h1><p>one<b>two</b> &eacute;\n\n\
             three<!-- comment --><td>cell<td>next<br>end <img alt=\"picture\" src=x>",
        );
        assert_eq!(page.title, "A & B");
        let boxes = "a<textarea>b</textarea>c<img alt=d>e<button>f</button>g<img alt=''>h";
        assert_eq!(text(boxes), "a b c d e f gh");
        assert_eq!(page.text, "Head\nonetwo é three\ncell\nnext\nend picture");
    }

    #[test]
    fn hidden_text_is_not_seen() {
        for hidden in [
            "<div hidden>no</div>yes",
            "<p hidden>no<p>yes",
            "<ul><li hidden>no<li>yes</ul>",
            "<table><tr><td style=display:none>no<td>yes</table>",
            "<table><tr hidden><td>no<tr><td>yes</table>",
            "<span style='display: none !important'>no</span>yes",
            "<span STYLE=\"Visibility:HIDDEN\">no</span>yes",
            "<div style='font-size:0px;line-height:0'>no</div>yes",
            "<div style='color:red;font-size:0'>no<b>no</b></div>yes",
            "<div style='font:0/0 a'>no</div>yes",
            "<template>no<p>no</p></template>yes",
            "<dialog>no</dialog>yes",
            "<div hidden><div>no</div>no<br>no<img alt=no></div>yes",
            "<div><span hidden>no</div>yes",
            "<img hidden alt=no>yes",
            "<div style='visibility:hidden'>no<b style='visibility:visible'>yes</b></div>",
            "<td style='font-size:0'>no<div style='font-size:14px'>yes</div>no</td>",
            "<div style='display:none'>no<b style='visibility:visible;font-size:9px'>no</b></div>yes",
            "<svg><path hidden d=x />no</path></svg>yes",
        ] {
            assert_eq!(text(hidden), "yes", "{hidden}");
        }
        for seen in [
            "<p aria-hidden=true>yes",
            "<dialog open>yes</dialog>",
            "<div style='display:block;font-size:0.8em'>yes</div>",
            "<noscript>yes</noscript>",
            "<div style='font-size:10px;font-size:'>yes</div>",
            "<input type=hidden value=no>yes",
        ] {
            assert_eq!(text(seen), "yes", "{seen}");
        }
        assert_eq!(text("in<b hidden>x</b>voice"), "invoice");
    }

    #[test]
    fn blocks_part_words_and_others_do_not() {
        for (html, seen) in [
            ("a<div>b</div>c", "a\nb\nc"),
            ("<li>a<li>b", "a\nb"),
            ("a<br>b<hr>c", "a\nb\nc"),
            ("a<i>b</i>c<wbr>d<a href=x>e</a>", "abcde"),
            ("&lt;a&gt; &#x41;&#66; &nbsp;&hellip;", "<a> AB \u{a0}…"),
        ] {
            assert_eq!(text(html), seen, "{html}");
        }
    }

    #[test]
    fn blocks_are_sorted() {
        for name in ["address", "br", "td", "ul", "th", "p", "h1", "option", "details"] {
            assert!(is_block(name), "{name}");
        }
        assert!(!is_block("b"));
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = "<div>".repeat(200_000) + "end";
        assert_eq!(text(&deep), "end");
        assert_eq!(text("<script>never ended"), "");
        assert_eq!(text("a < b &unknown; <"), "a < b &unknown; <");
    }

    #[test]
    fn a_picture_within_a_tag_takes_nothing_with_it() {
        let picture = "iVBORw0KGgo/+".repeat(100_000);
        let html = format!("<p>before <img alt=x src=\"data:image/png;base64,{picture}\"> after");
        assert_eq!(text(&html), "before after");
        let comment = format!("a<!-- <b {picture} -->c");
        assert_eq!(text(&comment), "ac");
        assert_eq!(text(&format!("a <b {picture}")), "a");
    }

    /// What is dear for a reader that compares everything with everything.
    #[test]
    fn no_page_takes_long() {
        let many = |count: u32, of: &dyn Fn(u32) -> String| (0..count).map(of).collect::<String>();
        let names = many(4000, &|n| format!(" a{n:x}"));
        for (what, html) in [
            ("attributes", format!("<b{names}>").repeat(200)),
            ("one long tag", format!("<b{}>", many(1_000_000, &|n| format!(" a{n:x}")))),
            ("ends that fit nothing", "<p><b>".repeat(30_000) + &"</i>".repeat(1_000_000)),
            ("ends far away", "<i>".to_owned() + &"<b>".repeat(60_000) + &"</i>".repeat(500_000)),
            ("beginnings", "<a ".repeat(2_000_000)),
            ("brackets", "<".repeat(4_000_000)),
            ("entities", "&".repeat(4_000_000)),
            ("comments", "<!--".repeat(1_000_000)),
            ("items", "<ul><li>".repeat(300_000)),
        ] {
            let start = Instant::now();
            let _ = read(&html);
            assert!(start.elapsed() < Duration::from_secs(20), "{what}: {:?}", start.elapsed());
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(html in "[<>/!a-z\"'= &;\\-]{0,200}") {
            let _ = read(&html);
        }
    }
}
