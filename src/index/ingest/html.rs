//! HTML as a reader would see it: the standard's tokenizer, no tree, no recursion.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use crate::index::words;

/// What was read of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Content of the first `<title>`.
    pub(super) title: String,
    /// The text, a line a block.
    pub(super) text: String,
}

/// Reads a page.
pub(super) fn read(html: &str) -> Page {
    let input = BufferQueue::default();
    // A tendril holds at most 4 GiB; far smaller pieces keep its buffers small.
    let mut rest = html;
    let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(words::floor(rest, PIECE));
        input.push_back(StrTendril::from_slice(piece));
        let _ = tokenizer.feed(&input);
        rest = behind;
    }
    tokenizer.end();
    let state = tokenizer.sink.0.into_inner();
    Page { title: one_line(&state.title), text: state.text.trim().to_owned() }
}

/// Bytes given to the tokenizer at a time.
const PIECE: usize = 64 << 10;

#[derive(Default)]
struct Reader(RefCell<State>);

#[derive(Default)]
struct State {
    title: String,
    text: String,
    /// The element whose content is not text, until its end.
    within: Option<Raw>,
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
        if tag.kind == TagKind::EndTag {
            self.within = None;
        }
        if is_block(name) && !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        if tag.kind == TagKind::StartTag && name == "img" {
            let alt = tag.attrs.iter().find(|attribute| &*attribute.name.local == "alt");
            if let Some(alt) = alt {
                self.characters(&alt.value);
            }
        }
        if tag.kind == TagKind::EndTag {
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
            _ => return TokenSinkResult::Continue,
        };
        self.within = within;
        TokenSinkResult::RawData(state)
    }
}

/// Elements that begin a line and end one.
fn is_block(name: &str) -> bool {
    const BLOCKS: [&str; 34] = [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
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
    use super::*;

    #[test]
    fn what_a_reader_sees() {
        let page = read(
            "<!DOCTYPE html><title>A &amp;\n B</title><style>p{color:red}</style>\
             <script>if (a < b) evil('</p>')</script><h1>Head</h1><p>one<b>two</b> &eacute;\n\n\
             three<!-- comment --><td>cell<td>next<br>end <img alt=\"picture\" src=x>",
        );
        assert_eq!(page.title, "A & B");
        assert_eq!(page.text, "Head\nonetwo é three\ncell\nnext\nend picture");
    }

    #[test]
    fn blocks_are_sorted() {
        for name in ["address", "br", "td", "ul", "th", "p", "h1", "option"] {
            assert!(is_block(name), "{name}");
        }
        assert!(!is_block("b"));
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = "<div>".repeat(200_000) + "end";
        assert_eq!(read(&deep).text, "end");
        assert_eq!(read("<script>never ended").text, "");
        assert_eq!(read("a < b &unknown; <").text, "a < b &unknown; <");
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(html in "[<>/!a-z\"'= &;\\-]{0,200}") {
            let _ = read(&html);
        }
    }
}
