use std::fmt::Write as _;

use super::*;

/// Nobody reads PDFs here.
fn document(raw: &[u8], id: String) -> Result<Document, Unread> {
    super::document(raw, id, &mut Attached::new(None))
}

fn read(raw: &str) -> Document {
    document(raw.replace('\n', "\r\n").as_bytes(), "id".into()).unwrap()
}

const BROKEN_DIGEST: &[u8] = b"From: a@b\nContent-Type: multipart/digest; boundary=d\n\n--d\n\n\
    Subject: one\n-i--\n--o\nContent-Type: message/rfc822\n\nSubject: inner\n\ninside\n--o--\n\
    epiloK\n--d--\n";

#[test]
fn headers_are_decoded() {
    let mail = read(
        "From: =?iso-8859-1?Q?J=F6rg?= <joerg@example.org>\nTo: Friends: a@b.org, C <c@d.org>;\n\
         Cc: e@f.org\nSubject: =?utf-8?B?w6ljb2xl?= and\n more\n\
         Date: Fri, 02 Jan 2026 03:04:05 +0100\nMessage-ID: <me@x>\nIn-Reply-To: <you@x>\n\
         References: <first@x>\n <you@x>\nStatus: O\nX-Status: F\n\nText\n",
    );
    assert_eq!(mail.from, "Jörg <joerg@example.org>");
    assert_eq!(mail.to, ["a@b.org", "C <c@d.org>"]);
    assert_eq!(mail.cc, ["e@f.org"]);
    assert_eq!(mail.subject, "école and more");
    assert_eq!(mail.date, Some(1_767_319_445));
    assert_eq!(mail.body.trim(), "Text");
    assert_eq!(mail.message_id.as_deref(), Some("me@x"));
    assert_eq!(
        (&mail.in_reply_to[..], &mail.references[..]),
        (&["you@x".to_owned()][..], &["first@x".to_owned(), "you@x".to_owned()][..])
    );
    assert_eq!(mail.thread, thread_key("first@x"));
    assert_eq!(
        mail.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>(),
        ["unread", "flagged"]
    );
    assert_eq!(mail.types, ["text/plain"]);
    assert!(mail.size > 250);
    let odd = read("Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\nSubject: x\n\n");
    assert_eq!((odd.date, odd.thread.as_str()), (Some(1_767_225_600), ""));
}

#[test]
fn words_of_rfc_2047() {
    for (encoded, plain) in [
        ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        ("=?ISO-8859-1?Q?a_b?=\n =?utf-8?q?=C3=A9?=", "a bé"),
        ("=?utf-8*en?Q?caf=C3=A9?= x", "café x"),
        ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?gb2312?B?1tDOxA==?=", "中文"),
        ("=?windows-1252?q?=80?=", "€"),
        ("=?utf-8?B?broken", "=?utf-8?B?broken"),
    ] {
        assert_eq!(read(&format!("From: a@b\nSubject: {encoded}\n\n")).subject, plain, "{encoded}");
    }
}

#[test]
fn every_part_of_text_is_found() {
    let mail = read(
        "From: a@b.org\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\
         Content-Type: multipart/alternative; boundary=i\n\n--i\n\
         Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: 8bit\n\nplain\n\
         --i\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n\
         PHA+aGlkZGVuIGJhc2U2NDwvcD48c2NyaXB0PmV2aWwoKTwvc2NyaXB0Pg==\n--i--\n--o\n\
         Content-Type: message/rfc822\n\nFrom: inner@b.org\nSubject: forwarded\n\ninside\n--o\n\
         Content-Type: application/octet-stream; name=notes.txt\n\nin a text\n--o\n\
         Content-Type: application/octet-stream; name=notes\n\nin something\n--o\n\
         Content-Type: application/octet-stream; name=page.html\nContent-Transfer-Encoding: quoted-printable\n\n\
         <b>in a=\n page</b><i hidden>never</i>\n--o\n\
         Content-Type: application/json\n\n{\"in\":\"json\"}\n--o\n\
         Content-Type: message/delivery-status\n\nFinal-Recipient: lost@b.org\n--o\n\
         Content-Type: application/pdf; name=\"=?utf-8?Q?r=C3=A9sum=C3=A9.pdf?=\"\n\
         Content-Disposition: attachment\n\n%PDF\n--o\n\
         Content-Type: image/png\nContent-Disposition: attachment; filename*0*=utf-8''%e2%82%ac%20;\n \
         filename*1=rates.png\n\n\u{1}\n--o--\n",
    );
    for word in [
        "plain",
        "hidden base64",
        "forwarded",
        "inner@b.org",
        "inside",
        "in a text",
        "in a page",
        "json",
        "lost@b.org",
    ] {
        assert!(mail.body.contains(word), "{word} in {:?}", mail.body);
    }
    for word in ["evil", "in something", "never", "<b>", "%PDF"] {
        assert!(!mail.body.contains(word), "{word} in {:?}", mail.body);
    }
    assert_eq!(mail.attachments, ["notes.txt", "notes", "page.html", "résumé.pdf", "€ rates.png"]);
    for name in ["text/plain", "text/html", "message/rfc822", "image/png", "application/pdf"] {
        assert!(mail.types.iter().any(|one| one == name), "{name}");
    }
}

#[test]
fn html_beside_the_same_text_is_not_doubled() {
    let mail = |html: &str| {
        read(&format!(
            "From: a@b\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\nHello, world\n--i\n\
             Content-Type: text/html\n\n{html}\n--i--\n"
        ))
        .body
    };
    assert_eq!(mail("<p>Hello,<br>world"), "Hello, world");
    assert!(mail("<p>Hello, world, and more").contains("and more"));
}

#[test]
fn names_of_attachments() {
    for (header, name) in [
        ("attachment; filename=plain.txt", "plain.txt"),
        ("attachment; filename=\"with; blank.txt\"", "with; blank.txt"),
        ("attachment; filename*=iso-8859-1'de'gr%FC%DFe.txt", "grüße.txt"),
        ("attachment; filename*0=\"one\"; filename*1=\"two.txt\"", "onetwo.txt"),
        (
            "attachment; filename*0*=utf-8''%C3%A9; filename*1*=%C3%A8; filename*2=\".txt\"",
            "éè.txt",
        ),
        ("attachment; filename=\"=?utf-8?B?w6kudHh0?=\"", "é.txt"),
        ("inline; filename=\"naïve.txt\"", "naïve.txt"),
    ] {
        let mail = read(&format!(
            "From: a@b\nContent-Type: application/octet-stream\nContent-Disposition: {header}\n\nx\n"
        ));
        assert_eq!(mail.attachments, [name], "{header}");
    }
}

#[test]
fn broken_boundaries_lose_no_text() {
    for raw in [
        // Never closed; never opened; another one; none named; closed too early.
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nneedle\n",
        "Content-Type: multipart/mixed; boundary=b\n\nneedle\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--c\nContent-Type: text/plain\n\nneedle\n--c--\n",
        "Content-Type: multipart/mixed\n\n--b\n\nneedle\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b--\n--b\n\nneedle\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\
         Content-Type: multipart/alternative; boundary=c\n\n--c\n\nneedle\n--b--\n",
        "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nneedle, not base64!\n",
        "Content-Type: text/plain\nContent-Transfer-Encoding: odd\n\nneedle\n",
        "Content-Type: rubbish\n\nneedle\n",
        "Content-Type: message/rfc822\n\nSubject: needle\n\n",
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogbmVlZGxlCgo=\n",
    ] {
        let mail = read(&format!("From: a@b.org\nSubject: x\n{raw}"));
        assert!(mail.body.contains("needle"), "{raw:?} gave {:?}", mail.body);
    }
}

#[test]
fn charsets() {
    let mut tried = 0;
    for line in include_str!("charsets.txt").lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (hex, plain) = rest.split_once(' ').unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let header = format!("From: a@b\nContent-Type: text/plain; charset=\"{name}\"\n");
        let quoted: String = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "={byte:02X}");
            text
        });
        let raw = format!("{header}Content-Transfer-Encoding: quoted-printable\n\n{quoted}\n");
        let mail = document(raw.as_bytes(), "id".into()).unwrap();
        assert_eq!(mail.body.trim_end(), plain, "{name}, quoted");
        // Bare bytes cannot be those of UTF-16, whose lines end otherwise.
        if !name.starts_with("utf-16") {
            let raw = [format!("{header}\n").as_bytes(), &bytes].concat();
            let mail = document(&raw, "id".into()).unwrap();
            assert_eq!(mail.body.trim_end(), plain, "{name}, bare");
        }
        if !plain.contains(' ') && !name.starts_with("utf-16") && name != "utf-7" {
            let raw = format!("From: a@b\nSubject: =?{name}?Q?{quoted}?=\n\n");
            let mail = document(raw.as_bytes(), "id".into()).unwrap();
            assert_eq!(mail.subject, plain, "{name}, in a header");
        }
        tried += 1;
    }
    assert!(tried >= 40, "{tried} charsets");
}

#[test]
fn charsets_that_nobody_named() {
    let koi8: &[u8] = b"\xf0\xd2\xc9\xd7\xc5\xd4, \xcb\xc1\xcb \xc4\xc5\xcc\xc1? \xfa\xc4\xd2\xc1\xd7\xd3\xd4\xd7\xd5\xca\xd4\xc5, \xe4\xcf\xd2\xcf\xc7\xcf\xca \xc4\xd2\xd5\xc7";
    let raw = [b"From: a@b\nSubject: ", koi8, b"\n\n", koi8, b"\n"].concat();
    let mail = document(&raw, "id".into()).unwrap();
    assert!(mail.body.starts_with("Привет, как дела?"), "{}", mail.body);
    assert!(mail.subject.starts_with("Привет, как дела?"), "{}", mail.subject);
    for label in ["x-unknown", "unknown-8bit", "utf-8"] {
        let head = format!("From: a@b\nContent-Type: text/plain; charset={label}\n\n");
        let mail = document(&[head.as_bytes(), koi8].concat(), "id".into()).unwrap();
        assert!(mail.body.contains("Здравствуйте"), "{label}: {}", mail.body);
    }
    let page = b"From: a@b\nContent-Type: text/html\n\n<meta charset=windows-1251><p>\xcf\xf0\xe8\xe2\xe5\xf2";
    assert_eq!(document(page, "id".into()).unwrap().body, "Привет");
    let japanese = b"From: a@b\n\n\x1b$BF|K\\\x1b(B\n";
    assert_eq!(document(japanese, "id".into()).unwrap().body.trim(), "日本");
}

/// What a stranger may send to keep a reader busy, or to run out of its stack.
/// Multiparts, and messages within, that the parser would take apart.
fn taken_apart(raw: &[u8]) -> (u64, usize) {
    let (mut multiparts, mut messages) = (0, 0);
    for at in memchr::memchr_iter(b'/', raw) {
        let (before, behind) = raw.split_at(at);
        let is = |kind: &[u8], subtype: &[u8]| {
            let kind_is = before
                .last_chunk::<9>()
                .is_some_and(|end| end[9 - kind.len()..].eq_ignore_ascii_case(kind));
            kind_is
                && behind.get(1..=subtype.len()).is_some_and(|b| b.eq_ignore_ascii_case(subtype))
        };
        multiparts += u64::from(is(b"multipart", b""));
        let inner = is(b"multipart", b"digest") || is(b"message", b"rfc822");
        messages += usize::from(inner || is(b"message", b"global"));
    }
    (multiparts, messages)
}

/// Parts of a message, those within included, and how deep they are.
fn size(message: &Message<'_>) -> (usize, usize) {
    message.parts.iter().fold((0, 1), |(parts, depth), part| match &part.body {
        PartType::Message(inner) => {
            let (its, below) = size(inner);
            (parts + 1 + its, depth.max(below + 1))
        }
        _ => (parts + 1, depth),
    })
}

/// Time is that of a machine and of what else it does: the work is counted, by what the parser is
/// left to take apart and by what it makes. Ours reads a header once, see `rfc2047`.
#[test]
fn no_message_takes_long_or_deep() {
    let head = "From: a@b\nContent-Type: multipart/mixed; boundary=o\n\n";
    let nested = |count: u32| {
        (0..count).fold(String::new(), |mut text, n| {
            let _ = write!(text, "Content-Type: multipart/x; boundary=b{n}\n\n--b{n}\n");
            text
        })
    };
    let lost = (0..100_000).fold(head.to_owned(), |mut text, n| {
        let _ = write!(text, "--o\nContent-Type: multipart/x; boundary=never{n}\n\n");
        text
    });
    for (what, raw) in [
        ("messages in messages", "Content-Type: message/rfc822\n\n".repeat(300_000)),
        (
            "digests in digests",
            format!(
                "From: a@b\n{}",
                "Content-Type: multipart/digest; boundary=b\n\n--b\n\n".repeat(100_000)
            ),
        ),
        ("multiparts in multiparts", format!("From: a@b\n{}", nested(100_000))),
        ("boundaries that never come", lost),
        ("parts", format!("{head}{}", "--o\n\nx\n".repeat(1_000_000))),
        ("header fields", "X: y\n".repeat(2_000_000)),
        ("a long header", format!("Subject: {}\n\n", "=?utf-8?q?a".repeat(500_000))),
        ("encoded words", format!("Subject: {}\n\n", "=?utf-8?q?a?= ".repeat(500_000))),
        ("addresses", format!("To: {}\n\n", "\"a\" <b@c>, ".repeat(500_000))),
        ("comments", format!("To: {}\n\n", "(".repeat(2_000_000))),
        ("parameters", format!("Content-Type: text/plain{}\n\n", "; a*0*=b".repeat(300_000))),
        ("references", format!("References: {}\n\n", "<a@b> ".repeat(500_000))),
        ("a large body", format!("From: a@b\n\n{}", "word ".repeat(10 << 20))),
    ] {
        let tamed = tame(raw.as_bytes());
        let (multiparts, messages) = taken_apart(&tamed);
        // The parser reads on to the end for each multipart whose boundary never comes.
        let scanned = multiparts * raw.len() as u64;
        assert!(multiparts <= 64 || scanned <= SCANNED, "{what}: {scanned} bytes");
        assert!(multiparts <= MULTIPARTS && messages <= NESTED, "{what}: {multiparts} {messages}");
        if let Ok(message) = parse(&tamed) {
            let (parts, depth) = size(&message);
            assert!(parts <= raw.len() && depth <= NESTED + 1, "{what}: {parts} {depth}");
        }
        let found = document(raw.as_bytes(), "id".into());
        assert!(found.map_or(0, |mail| mail.body.len()) <= MAX_BODY, "{what}");
    }
}

/// mail-parser 0.11.9 asserts here, where assertions are compiled in.
#[test]
fn a_panic_of_the_parser_is_a_message_that_cannot_be_read() {
    let read = document(BROKEN_DIGEST, "id".into());
    assert_eq!(read.err(), cfg!(debug_assertions).then_some(Unread::Broken));
    assert_eq!(document(b"", "id".into()).err(), Some(Unread::NoHeader));
}

#[test]
fn what_is_far_within_is_read_still() {
    let mut raw = String::from("From: a@b\n");
    for n in 0..40 {
        let _ = write!(raw, "Content-Type: message/rfc822\n\nSubject: inner{n}\n");
    }
    let mail = read(&(raw + "\nneedle\n"));
    assert!(mail.body.contains("needle") && mail.body.contains("inner39"));
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_panic(raw in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let _ = document(&raw, "id".into());
    }
}

/// A mailbox that was cut, a list that puts its footer behind whatever it sends on, and programs that
/// forget to encode their own signs.
#[test]
fn encodings_that_break_off() {
    let html = "PHA+Y3V0IDxiPmxldHRlcjwvYj4gdGFpbA==";
    let head = "From: a@b\nContent-Type: multipart/mixed; boundary=o\n\n--o\n";
    let part = format!("Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n{html}\n");
    let cut = read(&format!("{head}{part}"));
    assert_eq!(
        (cut.body.trim(), &cut.types[..]),
        ("cut letter tail", &["text/html".to_owned()][..])
    );
    let footer = "_____\nTo leave the list\n";
    let alone = read(&format!("From: a@b\n{part}{footer}"));
    assert_eq!(alone.body.replace("\r\n", "\n"), "cut letter tail\n\n_____\nTo leave the list");
    let within = read(&format!("{head}{part}{footer}--o--\n"));
    assert!(within.body.contains("cut letter tail") && within.body.contains("To leave the list"));
    let quoted = read(
        "From: a@b\nContent-Type: text/plain; charset=iso-8859-1\n\
         Content-Transfer-Encoding: quoted-printable\n\ncaf=E9 at http://x/?a=zz lo=\nng\n",
    );
    assert_eq!(quoted.body.trim(), "café at http://x/?a=zz long");
}

#[test]
fn charsets_of_mail_alone() {
    let korean = "From: a@b\nSubject: =?ISO-2022-KR?B?GyQpQw4+SDNnDw==?=\n\
                  Content-Type: text/plain; charset=iso-2022-kr\n\n\u{1b}$)C\u{e}>H3gGO<<?d\u{f}\n";
    let korean = read(korean);
    assert_eq!((korean.subject.as_str(), korean.body.trim()), ("안녕", "안녕하세요"));
    let chinese = read("From: a@b\nContent-Type: text/plain; charset=hz-gb-2312\n\n~{Dc:CJ@=g~}\n");
    assert_eq!(chinese.body.trim(), "你好世界");
    let cut = read("From: a@b\nSubject: =?utf-8?B?5p0=?=\n =?utf-8?B?seS6rA==?= x\n\n");
    assert_eq!(cut.subject, "東京 x");
}
