use super::*;

#[test]
fn dates() {
    for (date, expected) in [
        ("D:20260101000000Z", Some(1_767_225_600)),
        ("D:20260101010000+01'00'", Some(1_767_225_600)),
        ("D:20251231193000-04'30", Some(1_767_225_600)),
        ("20260101", Some(1_767_225_600)),
        ("D:2026", Some(1_767_225_600)),
        ("D:20260101000000+", Some(1_767_225_600)),
        ("D:20261301", None),
        ("D:202", None),
        ("yesterday", None),
        ("", None),
    ] {
        assert_eq!(seconds(date), expected, "{date}");
    }
}

/// A PDF of these objects, the first of them the catalog, with no table of where they are.
fn pdf(objects: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.5\n".to_vec();
    for ((dictionary, stream), number) in objects.iter().zip(1..) {
        bytes.extend(format!("{number} 0 obj\n{dictionary}\n").into_bytes());
        if !stream.is_empty() {
            bytes.extend([b"stream\n", *stream, b"\nendstream\n"].concat());
        }
        bytes.extend(b"endobj\n");
    }
    bytes.extend(b"trailer\n<</Root 1 0 R>>\n%%EOF\n");
    bytes
}

/// A page that shows this, by a font with these further entries and this map.
fn page(content: &str, font: &str, map: &str) -> String {
    let kind = if font.contains("/Subtype") { "" } else { "/Subtype/Type1" };
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1/Resources<</Font<</F 4 0 R>>>>>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 5 0 R>>".to_owned(),
        format!("<</Type/Font/ToUnicode 6 0 R{kind}{font}>>"),
        format!("<</Length {}>>", content.len()),
        format!("<</Length {}>>", map.len()),
    ];
    let streams: [&[u8]; 6] = [b"", b"", b"", b"", content.as_bytes(), map.as_bytes()];
    let objects: Vec<_> = objects.iter().map(String::as_str).zip(streams).collect();
    Pdf::read(&pdf(&objects)).unwrap().text
}

#[test]
fn what_stands_apart_is_apart() {
    let text = |content: &str| page(&format!("BT /F 10 Tf {content} ET"), "", "x");
    // Five letters of half a size are 25 wide.
    assert_eq!(text("(hello) Tj 25 0 Td (world) Tj"), "helloworld");
    assert_eq!(text("(hello) Tj 28 0 Td (world) Tj"), "hello world");
    assert_eq!(text("[(hello) -300 (world)] TJ"), "hello world");
    assert_eq!(text("[(hel) -30 (lo)] TJ"), "hello");
    assert_eq!(text("(hello) Tj 0 -12 Td (world) Tj"), "hello\nworld");
    assert_eq!(text("12 TL (hello) Tj (world) '"), "hello\nworld");
    assert_eq!(text("12 TL (hello) Tj T* 1 2 (world) \""), "hello\nworld");
    assert_eq!(text("(x) Tj 5 3 Td (2) Tj"), "x2");
    assert_eq!(text("(one) Tj 100 0 Td (right) Tj -100 -12 Td (two) Tj"), "one right\ntwo");
    // Upside down, and turned by a quarter.
    assert_eq!(text("1 0 0 -1 0 0 Tm (hello) Tj 25 0 Td (world) Tj"), "helloworld");
    assert_eq!(text("0 1 -1 0 0 0 Tm (hello) Tj 28 0 Td (world) Tj"), "hello world");
    // What cannot be.
    assert_eq!(text("0 0 0 0 0 0 Tm (hello) Tj 1e38 1e38 Td (world) Tj"), "helloworld");
}

#[test]
fn words_that_lines_part_are_whole() {
    let text = |content: &str| page(&format!("BT /F 10 Tf 12 TL {content} ET"), "", "x");
    assert_eq!(text("(an enve-) Tj T* (lope) Tj"), "an envelope");
    assert_eq!(text("(UTF-) Tj T* (8) Tj"), "UTF-\n8");
    assert_eq!(text("(a-) Tj T* (b) Tj"), "a-\nb");
}

#[test]
fn codes_are_read_by_map_names_and_font() {
    let show = "BT /F 10 Tf <0102> Tj ET";
    let map = "1 beginbfchar <01> <00660066> endbfchar 1 beginbfrange <02> <03> <0041> endbfrange";
    assert_eq!(page(show, "", map), "ffA");
    let map = "1 beginbfrange <01> <02> [<0041> <00DF>] endbfrange";
    assert_eq!(page(show, "", map), "Aß");
    let named = "/Encoding<</Differences[1/f_i/uni00E9]>>";
    assert_eq!(page(show, named, "x"), "fié");
    assert_eq!(page(show, "/Encoding<</Differences[1/nonsense/A.alt]>>", "x"), "A");
    assert_eq!(page("BT /F 10 Tf <80E9> Tj ET", "/Encoding/WinAnsiEncoding", "x"), "€é");
    // As TeX sets them: the accent, back, the letter.
    let named = "/Encoding<</Differences[1/dieresis/dotlessi]>>";
    assert_eq!(page("BT /F 10 Tf [(Na)<01> 450 <02> (ve)] TJ ET", named, "x"), "Nai\u{308}ve");
    // Two bytes a code.
    let wide = "/Subtype/Type0/Encoding/Identity-H";
    let map = "1 begincodespacerange <0000> <FFFF> endcodespacerange
        1 beginbfchar <0102> <042F> endbfchar";
    assert_eq!(page(show, wide, map), "Я");
    assert_eq!(page("BT /F 10 Tf <042F> Tj ET", "/Subtype/Type0/Encoding/UniGB-UCS2-H", "x"), "Я");
}

#[test]
fn hostile_numbers_are_bounded() {
    let show = "BT /F 10 Tf <00000001> Tj ET";
    let map = "1 begincodespacerange <00000000> <FFFFFFFF> endcodespacerange
        1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange";
    assert_eq!(page(show, "/Subtype/Type0", map), "B");
    let widths = "/FirstChar 99999999999/Widths[500 500]";
    assert_eq!(page("BT /F 10 Tf (x) Tj ET", widths, "x"), "x");
    let differences = "/Encoding<</Differences[4294967295/a/b 255/A/B -1/C]>>";
    assert_eq!(page("BT /F 10 Tf <FF00> Tj ET", differences, "x"), "A");
    let below = "/Subtype/Type0/DescendantFonts[<</W[4294967295[1 1] 0 4294967295 7]>>]";
    assert_eq!(page(show, below, map), "B");
    assert_eq!(page("BT /F 10 Tf (x) Tj ET /F Do q Q Q Q", "", "x"), "x");
}

#[test]
fn pages_that_lead_in_a_circle_end() {
    let page: (&str, &[u8]) = ("<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", b"");
    let content: (&str, &[u8]) = ("<</Length 4>>", b"q Q ");
    let tree = |kids: &str| {
        let pages = format!("<</Type/Pages/Parent 2 0 R/Kids[{kids}]/Count 9>>");
        Pdf::read(&pdf(&[("<</Type/Catalog/Pages 2 0 R>>", b""), (&pages, b""), page, content]))
    };
    assert!(tree("3 0 R 2 0 R 2 0 R 3 0 R").is_ok());
    let error = tree("2 0 R 2 0 R").unwrap_err().to_string();
    assert_eq!(error, "this PDF is damaged: expected pages, got none");
    // A form that shows itself, twice.
    let form = ("<</Subtype/Form/Resources 5 0 R/Length 12>>", &b"/X Do /X Do "[..]);
    let objects: [(&str, &[u8]); 5] = [
        ("<</Type/Catalog/Pages 2 0 R>>", b""),
        ("<</Type/Pages/Kids[3 0 R]/Resources 5 0 R>>", b""),
        ("<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", b""),
        form,
        ("<</XObject<</X 4 0 R>>>>", b""),
    ];
    assert_eq!(Pdf::read(&pdf(&objects)).unwrap().text, "");
}

#[test]
fn what_is_none_is_told() {
    for bytes in [&b""[..], b"%PDF-1.4", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF"] {
        let error = Pdf::read(bytes).unwrap_err();
        assert!(matches!(error, PdfError::Malformed(_)), "{error:?}");
    }
}
