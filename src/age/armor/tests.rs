use proptest::prelude::*;

use super::*;
use crate::text::armor_encode;

fn encode(bytes: &[u8], step: usize) -> String {
    let mut armor = ArmorWriter::new(Vec::new());
    bytes.chunks(step).for_each(|piece| armor.write_all(piece).unwrap());
    armor.flush().unwrap();
    String::from_utf8(armor.finish().unwrap()).unwrap()
}

fn decode(text: &[u8], step: usize) -> Result<Vec<u8>, Error> {
    let mut reader = ArmorReader::new(BufReader::with_capacity(7, text));
    let mut out = Vec::new();
    let mut piece = vec![0; step];
    loop {
        match reader.read(&mut piece)? {
            0 => return Ok(out),
            got => out.extend_from_slice(&piece[..got]),
        }
    }
}

#[test]
fn lengths_around_lines_and_blocks() {
    let block = LINE * LINES;
    for length in [0, 1, 47, 48, 49, 96, block - 1, block, block + 1, 3 * block + 48] {
        let bytes: Vec<_> = (0..length).map(|i| i as u8).collect();
        for step in [1, 50, block, usize::MAX] {
            let text = encode(&bytes, step);
            assert_eq!(text, armor_encode("AGE ENCRYPTED FILE", &bytes));
            assert_eq!(decode(text.as_bytes(), step.min(9999)).unwrap(), bytes);
            assert_eq!(decode(text.replace('\n', "\r\n").as_bytes(), 64).unwrap(), bytes);
        }
    }
}

#[test]
fn white_space_around_is_bounded() {
    let text = encode(b"hello", 5);
    let pad = |before: usize, after: usize| {
        let blank = |n| " \t\n".chars().cycle().take(n).collect::<String>();
        decode(format!("{}\n{text}{}", blank(before), blank(after)).as_bytes(), 64)
    };
    assert_eq!(pad(1023, 1024).unwrap(), b"hello");
    assert!(matches!(pad(1024, 0), Err(Error::Armor(_))));
    assert!(matches!(pad(0, 1025), Err(Error::Armor(_))));
}

#[test]
fn refusals() {
    let text = encode(&[3; 200], 200);
    let broken = [
        String::new(),
        text.replacen("BEGIN", "begin", 1),
        text.replacen("-----BEGIN", "x-----BEGIN", 1),
        text.replacen("AwMD\n", "AwMD \n", 1),
        text.replacen("AwMD\n", "AwMD\r\r\n", 1),
        text.replacen("AwMD\n", "AwMD\n\n", 1),
        text.replacen("AwMD\n", "AwM\n", 1),
        text.replacen("AwMD\n", "AwMDAwMD\n", 1),
        text.replacen("AwMD\n", "AwM=\n", 1),
        text.replacen("AwMD\n", "====\n", 1),
        text.replacen("\n-----END", "-----END", 1),
        text.replacen("-----END AGE ENCRYPTED FILE-----\n", "", 1),
        text.replacen("-----END", "-----and", 1),
        format!("{text}x"),
        format!("{text}{text}"),
    ];
    for text in broken {
        assert!(matches!(decode(text.as_bytes(), 64), Err(Error::Armor(_))), "{text}");
    }
}

#[test]
fn the_first_byte_tells_armor_from_binary() {
    for (start, armored) in
        [("-----BEGIN", true), ("\n\n---", true), (" ", true), ("age-", false), ("", false)]
    {
        assert_eq!(Dearmored::new(start.as_bytes()).unwrap().is_armored(), armored, "{start:?}");
    }
}

#[test]
fn an_endless_line_is_not_read() {
    let endless = b"-----BEGIN AGE ENCRYPTED FILE-----\n".chain(io::repeat(b'A'));
    let result = io::copy(&mut ArmorReader::new(BufReader::new(endless)), &mut io::sink());
    assert!(matches!(result.map_err(Error::from), Err(Error::Armor(_))));
    let result = io::copy(&mut ArmorReader::new(BufReader::new(io::repeat(b' '))), &mut io::sink());
    assert!(matches!(result.map_err(Error::from), Err(Error::Armor(_))));
}

proptest! {
    #[test]
    fn round_trips(
        bytes in proptest::collection::vec(any::<u8>(), 0..500),
        step in 1usize..100,
    ) {
        prop_assert_eq!(decode(encode(&bytes, step).as_bytes(), step).unwrap(), bytes);
    }

    /// Decoding is strict: one changed byte is refused, or decodes to other bytes.
    #[test]
    fn one_text_for_one_file(
        bytes in proptest::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        byte in 33u8..127,
    ) {
        let text = encode(&bytes, 1000);
        let mut changed = text.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        if let Ok(decoded) = decode(&changed, 64) {
            prop_assert_eq!(decoded == bytes, changed == text.as_bytes());
        }
    }

    #[test]
    fn any_text_is_survived(text in "[ -~\r\n]{0,300}") {
        let _ = decode(text.as_bytes(), 64);
        let _ = decode(format!("-----BEGIN AGE ENCRYPTED FILE-----\n{text}").as_bytes(), 64);
    }
}
