use super::*;

fn terms(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let (mut walk, mut word) = (Words::new(text), Word::default());
    while walk.read(&mut word) {
        found.push(word.terms().map(str::to_owned).collect());
    }
    found
}

fn looked_up(text: &str) -> Vec<(usize, String)> {
    sought(text).into_iter().map(|one| (one.offset, one.exact)).collect()
}

#[test]
fn folding() {
    assert_eq!(words("Naïve CAFÉ ﬁn Straße"), ["naive", "cafe", "fin", "straße"]);
    assert_eq!(words("sched_setattr(2)"), ["sched", "setattr", "2"]);
    assert_eq!(words("Jo.Doe@example.org"), ["jo", "doe", "example", "org"]);
    assert_eq!(words("ΟΔΟΣ οδος"), ["οδοσ", "οδοσ"]);
    assert_eq!(words("İstanbul so\u{ad}ft ½"), ["istanbul", "soft", "1", "2"]);
    assert_eq!(words("日本語abc"), ["日", "本", "語", "abc"]);
    assert_eq!(words("  -- "), Vec::<String>::new());
    assert_eq!(words("e\u{301}te\u{301} ÉTÉ"), ["ete", "ete"]);
}

#[test]
fn apostrophes_join_and_their_parts_are_found() {
    for text in ["don't", "don’t", "DON´T", "donʼt", "don‘t"] {
        assert_eq!(terms(text), [["dont", "don", "t"]], "{text}");
        assert_eq!(looked_up(text), [(0, "dont".to_owned())], "{text}");
    }
    assert_eq!(terms("l’avion d'Élise"), [["lavion", "l", "avion"], ["delise", "d", "elise"]]);
    // Quotes are no apostrophes.
    assert_eq!(
        terms("'quoted' rock 'n' roll's"),
        [vec!["quoted"], vec!["rock"], vec!["n"], vec!["rolls", "roll", "s"]]
    );
    // No chain of them is one word for ever.
    assert_eq!(words("a'b'c'd'e'f"), ["abcd", "ef"]);
    assert_eq!(words(&format!("{}'b", "a".repeat(70))), [&"a".repeat(64), "b"]);
}

#[test]
fn scripts_without_spaces_are_found_by_pairs_and_singly() {
    assert_eq!(
        terms("日本語abc"),
        [vec!["日", "日本"], vec!["本", "本語"], vec!["語"], vec!["abc"]]
    );
    assert_eq!(
        looked_up("日本語 abc"),
        [(0, "日本".to_owned()), (1, "本語".to_owned()), (3, "abc".to_owned())]
    );
    assert_eq!(looked_up("語"), [(0, "語".to_owned())]);
    assert_eq!(looked_up("日本 語"), [(0, "日本".to_owned()), (2, "語".to_owned())]);
    assert!(!sought("日本")[0].may_go_on && sought("abc")[0].may_go_on);
    // A line that ends parts no word; an empty one does, and so does a mark.
    assert_eq!(terms("日\r\n本")[0], ["日", "日本"]);
    assert_eq!(terms("日\n\n本")[0], ["日"]);
    assert_eq!(terms("日、本")[0], ["日"]);
}

#[test]
fn hangul_and_kana_are_the_same_however_composed() {
    use unicode_normalization::UnicodeNormalization as _;
    for text in ["한국어", "ガギグ パピ", "がっこう"] {
        let apart: String = text.nfd().collect();
        assert_ne!(apart, text);
        assert_eq!(terms(&apart), terms(text), "{text}");
    }
    assert_eq!(terms("한국어"), [vec!["한", "한국"], vec!["국", "국어"], vec!["어"]]);
    assert_eq!(words("ｶﾞｯ カ ハバパ"), ["ガ", "ッ", "カ", "ハ", "バ", "パ"]);
}

#[test]
fn a_long_word_is_cut_alike_everywhere() {
    let long = "a".repeat(100);
    assert_eq!(words(&long), ["a".repeat(64)]);
    // The cut never splits a character, and nothing shorter slips in behind it.
    let odd = format!("{}éß1", "a".repeat(63));
    assert_eq!(words(&odd), [format!("{}e", "a".repeat(63))]);
}

#[test]
fn offsets_are_of_the_source() {
    let text = "x Ünï½ don’t 日か\u{3099} y";
    let (mut walk, mut word) = (Words::new(text), Word::default());
    let mut found = Vec::new();
    while walk.read(&mut word) {
        found.push((word.form.clone(), &text[word.source.clone()]));
    }
    let want = [
        ("x", "x"),
        ("uni1", "Ünï½"),
        ("2", "½"),
        ("dont", "don’t"),
        ("日", "日"),
        ("が", "か\u{3099}"),
        ("y", "y"),
    ];
    assert_eq!(found, want.map(|(a, b)| (a.to_owned(), b)));
}

fn tokens(text: &str, stems: &str) -> Vec<(usize, String)> {
    let mut tokenizer = WordTokenizer::new(stems.parse().unwrap());
    let mut stream = tokenizer.token_stream(text);
    let mut found = Vec::new();
    while stream.advance() {
        found.push((stream.token().position, stream.token().text.clone()));
    }
    found
}

#[test]
fn all_terms_of_a_word_have_its_position() {
    let is = |found: Vec<(usize, String)>, want: &[(usize, &str)]| {
        let mut found: Vec<_> = found.iter().map(|(at, term)| (*at, term.as_str())).collect();
        let mut want = want.to_vec();
        found.sort_unstable();
        want.sort_unstable();
        assert_eq!(found, want);
    };
    is(
        tokens("It's 日本", ""),
        &[(0, "its"), (0, "it"), (0, "s"), (1, "日"), (1, "日本"), (2, "本")],
    );
    is(
        tokens("running Häuser 2 книги", "en,de"),
        &[
            (0, "running"),
            (0, "\u{1}enrun"),
            (0, "\u{1}derunning"),
            (1, "hauser"),
            (1, "\u{1}dehaus"),
            (1, "\u{1}enhauser"),
            (2, "2"),
            (3, "книги"),
        ],
    );
    // The same again, from what is kept.
    assert_eq!(tokens("running running", "en").len(), 4);
}

#[test]
fn a_query_asks_for_what_the_index_holds() {
    for text in ["running", "Alice's", "don’t", "日本語", "l'avion", "2026", "книги"] {
        let held = tokens(text, "de,en,fr");
        for one in sought(text) {
            assert!(held.contains(&(one.offset, one.exact.clone())), "{text}: {one:?}");
            for language in ["de", "en", "fr"] {
                assert!(held.contains(&(one.offset, one.stem(language))), "{text}: {one:?}");
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn words_of_words_are_themselves(text in "\\PC{0,80}") {
        for word in words(&text) {
            proptest::prop_assert!(word.len() <= LONGEST);
            proptest::prop_assert_eq!(words(&word), vec![word]);
        }
    }

    #[test]
    fn whatever_is_sought_is_held(text in "[a-zé'’ \\-\n日本語かガ\u{3099}한\u{1112}\u{1161}\u{11ab}0-9]{0,40}") {
        let held = tokens(&text, "en");
        for one in sought(&text) {
            proptest::prop_assert!(held.contains(&(one.offset, one.exact.clone())), "{:?}", one);
            proptest::prop_assert!(held.contains(&(one.offset, one.stem("en"))), "{:?}", one);
        }
        let positions: Vec<_> = held.iter().map(|(at, _)| *at).collect();
        proptest::prop_assert!(positions.is_sorted());
    }

    #[test]
    fn the_short_way_is_the_long_way(text in "[ -~]{0,60}") {
        // A mark that is dropped makes the long way of it.
        let long: String = text.chars().flat_map(|c| [c, '\u{301}']).collect();
        proptest::prop_assert_eq!(words(&text), words(&long));
    }
}
