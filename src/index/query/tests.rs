use proptest::prelude::*;

use super::*;

fn word(text: &str) -> Expr {
    words_in(None, &[text], false)
}

fn words_in(field: Option<FieldName>, words: &[&str], open: bool) -> Expr {
    Expr::Words { field, words: words.iter().map(|w| (*w).to_owned()).collect(), open }
}

fn parse(text: &str) -> Expr {
    Query::parse(text).unwrap().0
}

fn fails(text: &str) -> (usize, String) {
    let error = Query::parse(text).unwrap_err();
    (error.at, error.expected)
}

#[test]
fn words_phrases_and_beginnings() {
    assert_eq!(parse("Naïve"), word("naive"));
    assert_eq!(parse("\"Release  Notes\""), words_in(None, &["release", "notes"], false));
    assert_eq!(parse("it's"), word("its"));
    assert_eq!(parse("mem*"), words_in(None, &["mem"], true));
    assert_eq!(parse("\"the mem\"*"), words_in(None, &["the", "mem"], true));
    assert_eq!(parse("http://a.org/b"), words_in(None, &["http", "a", "org", "b"], false));
    assert_eq!(parse("or and not"), Expr::And(vec![word("or"), word("and"), word("not")]));
}

#[test]
fn operators_bind_as_documented() {
    let not = |e| Expr::Not(Box::new(e));
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
    assert_eq!(parse("ORacle ANDes"), Expr::And(vec![word("oracle"), word("andes")]));
}

#[test]
fn fields_and_dates() {
    let from = Some(FieldName::From);
    assert_eq!(parse("from:alice"), words_in(from, &["alice"], false));
    assert_eq!(parse("from:\"Jo Doe\""), words_in(from, &["jo", "doe"], false));
    assert_eq!(
        parse("from:(a OR subject:b)"),
        Expr::Or(vec![
            words_in(from, &["a"], false),
            words_in(Some(FieldName::Subject), &["b"], false)
        ])
    );
    assert_eq!(parse("after:1970"), Expr::After(0));
    assert_eq!(parse("before:1970-02"), Expr::Before(31 * 86_400));
    assert_eq!(parse("-before:2026-01-02"), Expr::Not(Box::new(Expr::Before(1_767_312_000))));
}

#[test]
fn mistakes_point_at_their_place() {
    assert_eq!(fails(""), (0, "a word, a phrase or an opening parenthesis".into()));
    assert_eq!(fails("a AND"), (5, "a word, a phrase or an opening parenthesis".into()));
    assert_eq!(fails("a OR OR b").0, 5);
    assert_eq!(fails("(a").1, "a closing parenthesis");
    assert_eq!(fails("(a").0, 2);
    assert_eq!(fails("a) b"), (1, "an opening parenthesis before this one".into()));
    assert_eq!(fails("x \"a"), (4, "a closing quotation mark".into()));
    assert_eq!(fails("x --&"), (4, "a word with a letter or a digit".into()));
    assert_eq!(fails("x frm:y").0, 2);
    assert_eq!(fails("from: y"), (5, "what to look for behind from:".into()));
    assert_eq!(fails("é after:2026-13"), (9, "a date as YYYY-MM-DD, YYYY-MM or YYYY".into()));
    for bad in ["2026-1", "26", "2026-02-30", "2026-01-01-01", "yesterday", "", "(2026)"] {
        assert_eq!(fails(&format!("after:{bad}")).0, 6, "{bad}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    assert!(Query::parse(&format!("{}a{}", "(".repeat(60), ")".repeat(60))).is_ok());
    assert_eq!(fails(&"(".repeat(100_000)).0, 16 << 10);
    assert!(fails(&"(".repeat(10_000)).1.starts_with("at most 64"));
    assert!(fails(&"-".repeat(10_000)).1.starts_with("at most 64"));
    assert!(fails(&"from:".repeat(2_000)).1.starts_with("at most 64"));
}

proptest! {
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
                "é", "word", "x:",
            ]),
            0..30,
        )
    ) {
        let text = parts.concat();
        if let Err(error) = Query::parse(&text) {
            prop_assert!(text.is_char_boundary(error.at));
        }
    }
}
