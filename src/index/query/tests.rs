use proptest::prelude::*;

use crate::index::document::Flag;
use crate::index::query::expr::{Expr, FieldName, Form, Key, Phrase, Query};
use crate::index::query::{date, size};

/// 2026-03-14T15:09:26Z.
const NOW: i64 = 1_773_500_966;

fn text(field: Option<FieldName>, text: &str, form: Form) -> Expr {
    Expr::Text { field, phrase: Phrase { text: text.into(), form } }
}

fn word(word: &str) -> Expr {
    text(None, word, Form::Plain)
}

fn value(key: Key, value: &str, open: bool) -> Expr {
    Expr::Value { key, value: value.into(), open }
}

fn not(inner: Expr) -> Expr {
    Expr::Not(Box::new(inner))
}

fn parse(text: &str) -> Expr {
    Query::parse_at(text, NOW).unwrap().0
}

fn fails(text: &str) -> (usize, String) {
    let error = Query::parse_at(text, NOW).unwrap_err();
    (error.at, error.expected)
}

fn meant(text: &str) -> Option<String> {
    Query::parse_at(text, NOW).unwrap_err().meant
}

#[test]
fn words_phrases_and_beginnings() {
    assert_eq!(parse("Naïve"), word("Naïve"));
    assert_eq!(parse("\"Release  Notes\""), word("Release Notes"));
    assert_eq!(parse("it's"), word("it's"));
    assert_eq!(parse("mem*"), text(None, "mem", Form::Open));
    assert_eq!(parse("\"the mem\"*"), text(None, "the mem", Form::Open));
    assert_eq!(parse("\"the mem*\""), text(None, "the mem", Form::Open));
    assert_eq!(parse("http://a.org/b"), word("http://a.org/b"));
    assert_eq!(parse("or and not"), Expr::And(vec![word("or"), word("and"), word("not")]));
    for many in ["\"word**\"", "\"word* *\"", "\"word* \""] {
        assert_eq!(parse(many), text(None, "word", Form::Open), "{many}");
    }
    assert_eq!(parse("word~"), text(None, "word", Form::Fuzzy(1)));
    assert_eq!(parse("\"word\"~2"), text(None, "word", Form::Fuzzy(2)));
    assert_eq!(parse("~/Mail"), word("~/Mail"));
    assert_eq!(parse("a~b"), word("a~b"));
    assert_eq!(parse("=Bills"), text(None, "Bills", Form::Exact));
    assert_eq!(parse("=\"the bills\""), text(None, "the bills", Form::Exact));
    assert_eq!(
        parse("[PATCH] +x $5 what?").to_owned(),
        parse("\"[PATCH]\" \"+x\" \"$5\" \"what?\"")
    );
    assert_eq!(parse("*"), Expr::All);
    assert_eq!(parse("-*"), not(Expr::All));
}

#[test]
fn operators_bind_as_documented() {
    assert_eq!(parse("a b"), Expr::And(vec![word("a"), word("b")]));
    assert_eq!(parse("a AND b"), parse("a b"));
    assert_eq!(parse("a b OR c"), Expr::Or(vec![Expr::And(vec![word("a"), word("b")]), word("c")]));
    assert_eq!(
        parse("a (b OR c)"),
        Expr::And(vec![word("a"), Expr::Or(vec![word("b"), word("c")])])
    );
    assert_eq!(parse("a -b"), Expr::And(vec![word("a"), not(word("b"))]));
    assert_eq!(parse("a NOT b"), parse("a -b"));
    assert_eq!(parse("NOT(a)"), not(word("a")));
    assert_eq!(parse("ORacle ANDes NEARby"), parse("\"ORacle\" \"ANDes\" \"NEARby\""));
}

#[test]
fn nearness() {
    let near = |field, distance, words: &[&str]| {
        let phrase = |text: &&str| Phrase { text: (*text).into(), form: Form::Plain };
        Expr::Near { field, distance, phrases: words.iter().map(phrase).collect() }
    };
    assert_eq!(parse("a NEAR/5 b"), near(None, 5, &["a", "b"]));
    assert_eq!(parse("a NEAR \"b c\""), near(None, 10, &["a", "b c"]));
    assert_eq!(parse("a NEAR/2 b NEAR/2 c"), near(None, 2, &["a", "b", "c"]));
    let subject = Some(FieldName::Subject);
    assert_eq!(parse("subject:a NEAR/5 b"), near(subject, 5, &["a", "b"]));
    assert_eq!(parse("subject:(a NEAR/5 b)"), near(subject, 5, &["a", "b"]));
    assert_eq!(
        parse("x a NEAR b -c NEAR d"),
        Expr::And(vec![word("x"), near(None, 10, &["a", "b"]), not(near(None, 10, &["c", "d"]))])
    );
    assert_eq!(fails("a NEAR/0 b"), (7, "a number from 1 to 1000".into()));
    assert_eq!(fails("a NEAR/x b").0, 7);
    assert_eq!(fails("a NEAR/5 b NEAR/6 c"), (11, "NEAR/5 again, or parentheses".into()));
    let sides = "a word, a phrase, a beginning*, or some with OR between, on both sides of NEAR";
    assert_eq!(fails("(a b) NEAR c"), (0, sides.into()));
    assert_eq!(fails("a NEAR (b OR -c)"), (7, sides.into()));
    let or = |all: &[&[&str]]| Expr::Or(all.iter().map(|words| near(None, 10, words)).collect());
    assert_eq!(parse("a NEAR (b OR c)"), or(&[&["a", "b"], &["a", "c"]]));
    assert_eq!(
        parse("(a OR b) NEAR (c OR d)"),
        or(&[&["a", "c"], &["a", "d"], &["b", "c"], &["b", "d"]])
    );
    assert_eq!(parse("subject:(a OR b) NEAR c"), parse("subject:a NEAR c OR subject:b NEAR c"));
    assert!(
        matches!(parse("a NEAR b~1"), Expr::Near { phrases, .. } if phrases[1].form == Form::Fuzzy(1))
    );
    assert_eq!(fails("(a OR subject:b) NEAR c").0, 0);
    let nine = "(a OR b OR c OR d OR e OR f OR g OR h OR i)";
    assert!(fails(&format!("{nine} NEAR {nine}")).1.contains("64 ways"));
    assert_eq!(fails("subject:a NEAR from:b").0, 15);
    assert_eq!(fails("NEAR b").0, 0);
    assert_eq!(fails("a NEAR").0, 6);
}

#[test]
fn fields_and_values() {
    let from = Some(FieldName::From);
    assert_eq!(parse("from:alice"), text(from, "alice", Form::Plain));
    assert_eq!(parse("from:\"Jo Doe\""), text(from, "Jo Doe", Form::Plain));
    assert_eq!(
        parse("from:(a OR subject:b)"),
        Expr::Or(vec![
            text(from, "a", Form::Plain),
            text(Some(FieldName::Subject), "b", Form::Plain)
        ])
    );
    assert_eq!(parse("type:Application/PDF"), value(Key::Type, "application/pdf", false));
    assert_eq!(parse("type:image/*"), value(Key::Type, "image/", true));
    assert_eq!(parse("id:<a@b>"), value(Key::Id, "a@b", true));
    assert_eq!(parse("thread:0a1b"), value(Key::Thread, "0a1b", true));
    assert_eq!(
        parse("tag:To-do tag:\"x\"* tag:*"),
        Expr::And(vec![
            value(Key::Tag, "To-do", false),
            value(Key::Tag, "x", true),
            value(Key::Tag, "", true)
        ])
    );
    assert_eq!(parse("tag:(a OR b)"), parse("tag:a OR tag:b"));
    assert_eq!(parse("is:unread"), Expr::Flag(Flag::Unread));
    assert_eq!(parse("is:READ"), not(Expr::Flag(Flag::Unread)));
}

#[test]
fn dates_and_sizes() {
    let day = 86_400;
    let midnight = NOW - NOW % day;
    let date = |from, to| Expr::Date { from, to };
    for (text, want) in [
        ("after:1970", date(Some(0), None)),
        ("before:1970-02", date(None, Some(31 * day))),
        ("date:today", date(Some(midnight), Some(midnight + day))),
        ("after:yesterday", date(Some(midnight - day), None)),
        ("before:yesterday", date(None, Some(midnight - day))),
        ("date:2w", date(Some(NOW - 14 * day), None)),
        ("date:2w..1w", date(Some(NOW - 14 * day), Some(NOW - 7 * day))),
        ("date:1970..1971", date(Some(0), Some(2 * 365 * day))),
        ("date:1970-01-02..", date(Some(day), None)),
        ("date:..1970-01", date(None, Some(31 * day))),
        ("date:\"1970\"", date(Some(0), Some(365 * day))),
        ("size:>1k", Expr::Size { from: Some(1025), to: None }),
        ("size:1k..2k", Expr::Size { from: Some(1024), to: Some(2048) }),
        ("date:(1970)", date(Some(0), Some(365 * day))),
    ] {
        assert_eq!(parse(text), want, "{text}");
    }
    assert_eq!(parse("-before:2026-01-02"), not(date(None, Some(1_767_312_000))));
    for bad in ["2026-1", "26", "2026-02-30", "2026-01-01-01", "tomorrow", "last"] {
        assert_eq!(fails(&format!("after:{bad}")), (6, date::EXPECTED.into()), "{bad}");
    }
    assert_eq!(fails("é after:2026-13"), (9, date::EXPECTED.into()));
    assert_eq!(fails("date:2026..x"), (11, date::EXPECTED.into()));
    assert_eq!(fails("date:.."), (5, date::EXPECTED.into()));
    assert_eq!(fails("date:2026..2025"), (5, "a date before the one behind ..".into()));
    assert_eq!(fails("size:big"), (5, size::EXPECTED.into()));
}

#[test]
fn mistakes_point_at_their_place() {
    assert_eq!(fails(""), (0, "a word, a phrase or an opening parenthesis".into()));
    assert_eq!(fails("a AND"), (5, "a word, a phrase or an opening parenthesis".into()));
    assert_eq!(fails("a OR OR b").0, 5);
    assert_eq!(fails("(a").1, "a closing parenthesis");
    assert_eq!(fails("(a").0, 2);
    assert_eq!(fails("a) b"), (1, "an opening parenthesis before this one".into()));
    assert_eq!(fails("x \"a"), (2, "a closing quotation mark for this one".into()));
    assert_eq!(fails("x --&"), (4, "a word with a letter or a digit".into()));
    assert_eq!(fails("from: y"), (5, "what to look for behind from:".into()));
    assert_eq!(fails("(from:)"), (6, "what to look for behind from:".into()));
    assert_eq!(fails("a b~3"), (4, "1 or 2 letters behind ~".into()));
    assert_eq!(fails("x jo@b.org~1"), (2, "one word before ~".into()));
    assert_eq!(fails("=a*"), (0, "a whole word behind =, without * or ~".into()));
    assert_eq!(fails("tag:\"a b\""), (4, "a tag".into()));
    assert_eq!(fails("x id:\"\"").0, 5);
}

#[test]
fn mistakes_say_what_was_meant() {
    assert_eq!((fails("x frm:y").0, meant("x frm:y")), (2, Some("from:".into())));
    assert_eq!(meant("form:y"), Some("from:".into()));
    assert_eq!(meant("attach:y"), Some("attachment:".into()));
    assert_eq!(meant("sujet:y"), Some("subject:".into()));
    assert_eq!(meant("std::vec"), None);
    assert_eq!(meant("is:unred"), Some("is:unread".into()));
    assert_eq!(meant("is:blue"), None);
    assert_eq!(meant("a && b"), Some("AND".into()));
    assert_eq!(meant("a !b"), Some("-b".into()));
    assert_eq!((fails("a|b").0, meant("a|b")), (1, Some("a OR b".into())));
    assert_eq!((fails("x foo.*").0, meant("x foo.*")), (5, Some("foo*".into())));
    assert_eq!(fails("/^a[bc]/"), (0, "words: regular expressions are not understood".into()));
    assert_eq!(fails("wo*d"), (2, "* at the end of a word only".into()));
    assert_eq!(fails("*word").0, 0);
    assert!(Query::parse("path:/home/me/").is_ok());
}

#[test]
fn depth_and_length_are_bounded() {
    assert!(Query::parse(&format!("{}a{}", "(".repeat(60), ")".repeat(60))).is_ok());
    assert_eq!(fails(&"(".repeat(100_000)).0, 16 << 10);
    assert!(fails(&"(".repeat(10_000)).1.starts_with("at most 64"));
    assert!(fails(&"-".repeat(10_000)).1.starts_with("at most 64"));
    assert!(fails(&"from:".repeat(3_000)).1.starts_with("at most 64"));
    assert!(fails(&"é".repeat(10_000)).1.starts_with("at most"));
    // What is printed is no deeper than what was read.
    for deep in ["a b OR c", "subject:(a NEAR b)", "is:read", "tag:(x OR y) z"] {
        let text = format!("{}({deep})", "-".repeat(60));
        let query = Query::parse(&text).unwrap();
        assert_eq!(Query::parse(&query.to_string()), Ok(query), "{text}");
    }
}

#[test]
fn an_explanation_says_all_of_it() {
    let query = "from:alice (\"release notes\" OR bill*) -is:unread after:2026 size:>1k a NEAR b";
    assert_eq!(
        Query::parse(query).unwrap().explain().to_string(),
        "all of\n\
         ├─ the word \"alice\" in the sender\n\
         ├─ any of\n\
         │  ├─ the phrase \"release notes\" anywhere\n\
         │  └─ a word that begins with \"bill\" anywhere\n\
         ├─ not\n\
         │  └─ marked unread\n\
         ├─ dated from 2026-01-01T00:00:00Z on\n\
         ├─ with at least 1025 bytes\n\
         └─ the word \"a\" and the word \"b\", at most 10 words away from each other, in either \
         order, anywhere\n"
    );
    let explained = Query::parse("x tag:y").unwrap().explain();
    assert_eq!(
        (explained.query.as_str(), explained.parts[1].query.as_str()),
        ("x tag:\"y\"", "tag:\"y\"")
    );
}

/// Trees as the parser makes them.
fn trees() -> impl Strategy<Value = Expr> {
    let text =
        prop_oneof!["[a-zA-Zé0-9]{1,9}", "[a-z日本]{1,3} [A-Z]{2,4}", "AND|OR|NOT|NEAR|it's"];
    let form = prop_oneof![Just(Form::Plain), Just(Form::Open), Just(Form::Exact)];
    let phrase = (text, form).prop_map(|(text, form)| Phrase { text, form }).boxed();
    let field = || proptest::option::of(proptest::sample::select(&FieldName::ALL[..]));
    let seconds = || proptest::option::of(-1_000_000_000i64..4_000_000_000);
    let leaf = prop_oneof![
        Just(Expr::All),
        (field(), phrase.clone()).prop_map(|(field, phrase)| Expr::Text { field, phrase }),
        (field(), "[a-zéA-Z]{1,9}", 1u8..3).prop_map(|(field, text, most)| {
            Expr::Text { field, phrase: Phrase { text, form: Form::Fuzzy(most) } }
        }),
        (field(), 1u32..=1000, proptest::collection::vec(phrase, 2..4))
            .prop_map(|(field, distance, phrases)| Expr::Near { field, distance, phrases }),
        ("[a-z]{1,8}[*/-]?", any::<bool>()).prop_map(|(value, open)| {
            let value = value.replace('*', "");
            Expr::Value { key: Key::Tag, value, open }
        }),
        "[a-z]{1,5}(/[a-z-]{1,5})?".prop_map(|value| Expr::Value {
            key: Key::Type,
            value,
            open: false
        }),
        "[0-9a-f]{1,32}".prop_map(|value| Expr::Value { key: Key::Id, value, open: true }),
        proptest::sample::select(&Flag::ALL[..]).prop_map(Expr::Flag),
        (seconds(), seconds())
            .prop_filter("a range", |(from, to)| match (from, to) {
                (Some(from), Some(to)) => from < to,
                (from, to) => from.is_some() || to.is_some(),
            })
            .prop_map(|(from, to)| Expr::Date { from, to }),
        (proptest::option::of(any::<u64>()), any::<u64>())
            .prop_map(|(from, to)| Expr::Size { from, to: Some(to) }),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let many = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            many.clone().prop_map(Expr::And),
            many.prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_it_was(tree in trees()) {
        let text = Query(tree.clone()).to_string();
        let again = Query::parse_at(&text, NOW);
        prop_assert_eq!(again.map(|query| query.0), Ok(tree), "{}", text);
    }

    #[test]
    fn nothing_makes_the_parser_panic(text in "\\PC{0,60}") {
        if let Err(error) = Query::parse(&text) {
            prop_assert!(text.is_char_boundary(error.at));
        }
    }

    #[test]
    fn near_queries_neither(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "(", ")", "\"", "-", "*", ":", " ", "AND", "OR", "NOT", "from:", "after:", "2026",
                "é", "word", "x:", "NEAR", "NEAR/3 ", "~1", "~", "=", "tag:", "is:", "unread", "..",
                "size:", ">1k", "date:", "2w", "type:", "id:", "/", "|", ".*", "!", "&&",
            ]),
            0..30,
        )
    ) {
        let text = parts.concat();
        match Query::parse(&text) {
            Err(error) => prop_assert!(text.is_char_boundary(error.at)),
            Ok(query) => {
                prop_assert_eq!(Query::parse(&query.to_string()), Ok(query.clone()), "{}", query);
                query.explain();
            }
        }
    }
}
