//! Makes age files that are right, wrong or nearly right, each under a valid MAC where the
//! mutation is not about the MAC, so that what is behind the MAC is reached too.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

const CHUNK: usize = 65_536;

/// SplitMix64: the same numbers for the same seed, on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }

    fn some(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Recipient of the files.
pub(crate) struct Keys {
    pub(crate) recipient: [u8; 32],
    pub(crate) passphrase: &'static str,
}

/// One file, and what was done to it.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) passphrase: bool,
}

/// Parts of a file, before the MAC is computed.
struct File {
    version: Vec<u8>,
    /// Whole stanzas with their line feeds.
    stanzas: Vec<Vec<u8>>,
    file_key: [u8; 16],
    plain: Vec<u8>,
}

fn stanza(args: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("-> {args}\n").into_bytes();
    let text = base64_encode_unpadded(body);
    let mut rest = text.as_str();
    loop {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        if line.len() < 64 {
            return out;
        }
        rest = tail;
    }
}

fn base64_encode_unpadded(bytes: &[u8]) -> String {
    BASE64_STANDARD_NO_PAD.encode(bytes)
}

fn hkdf(material: &[u8], salt: &[u8], label: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), material).expand(label, &mut key).unwrap();
    key
}

/// Ciphertext and tag.
fn encrypted(key: &[u8; 32], nonce: [u8; 12], plain: &[u8]) -> Vec<u8> {
    let mut out = plain.to_vec();
    let cipher = ChaCha20Poly1305::new(key.into());
    let tag = cipher.encrypt_inout_detached(&Nonce::from(nonce), &[], out.as_mut_slice().into());
    out.extend_from_slice(&tag.unwrap());
    out
}

fn wrapped(key: &[u8; 32], file_key: &[u8]) -> Vec<u8> {
    encrypted(key, [0; 12], file_key)
}

/// The share and the body of an X25519 stanza.
fn x25519(random: &mut Random, keys: &Keys, file_key: &[u8]) -> ([u8; 32], Vec<u8>) {
    let secret = StaticSecret::from(random.bytes::<32>());
    let share = PublicKey::from(&secret).to_bytes();
    let shared = secret.diffie_hellman(&PublicKey::from(keys.recipient));
    let salt = [share, keys.recipient].concat();
    let key = hkdf(shared.as_bytes(), &salt, b"age-encryption.org/v1/X25519");
    (share, wrapped(&key, file_key))
}

fn scrypt(random: &mut Random, keys: &Keys, file_key: &[u8], factor: u8) -> ([u8; 16], Vec<u8>) {
    let salt = random.bytes::<16>();
    let labelled = [b"age-encryption.org/v1/scrypt".as_slice(), &salt].concat();
    let params = scrypt::Params::new(factor, 8, 1).unwrap();
    let mut key = [0; 32];
    scrypt::scrypt(keys.passphrase.as_bytes(), &labelled, &params, &mut key).unwrap();
    (salt, wrapped(&key, file_key))
}

impl File {
    fn new(random: &mut Random, keys: &Keys, length: usize) -> Self {
        let file_key = random.bytes();
        let (share, body) = x25519(random, keys, &file_key);
        let stanzas = vec![stanza(&format!("X25519 {}", base64_encode_unpadded(&share)), &body)];
        let version = b"age-encryption.org/v1\n".to_vec();
        Self { version, stanzas, file_key, plain: random.some(length) }
    }

    fn for_passphrase(random: &mut Random, keys: &Keys, factor: u8) -> Self {
        let mut file = Self::new(random, keys, 100);
        let (salt, body) = scrypt(random, keys, &file.file_key, factor);
        let salt = base64_encode_unpadded(&salt);
        file.stanzas = vec![stanza(&format!("scrypt {salt} {factor}"), &body)];
        file
    }

    fn covered(&self) -> Vec<u8> {
        [&self.version, &self.stanzas.concat(), b"---".as_slice()].concat()
    }

    fn mac(&self) -> String {
        let key = hkdf(&self.file_key, &[], b"header");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(&self.covered());
        base64_encode_unpadded(&mac.finalize().into_bytes())
    }

    fn header(&self) -> Vec<u8> {
        [self.covered(), format!(" {}\n", self.mac()).into_bytes()].concat()
    }

    /// Chunks with the numbers and marks that are given.
    fn payload(&self, random: &mut Random, chunks: &[(&[u8], u64, bool)]) -> Vec<u8> {
        let nonce = random.bytes::<16>();
        let key = hkdf(&self.file_key, &nonce, b"payload");
        let mut out = nonce.to_vec();
        for (plain, number, last) in chunks {
            let mut nonce = [0; 12];
            nonce[3..11].copy_from_slice(&number.to_be_bytes());
            nonce[11] = u8::from(*last);
            out.extend_from_slice(&encrypted(&key, nonce, plain));
        }
        out
    }

    fn bytes(&self, random: &mut Random) -> Vec<u8> {
        let mut chunks: Vec<&[u8]> = self.plain.chunks(CHUNK).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let last = chunks.len() - 1;
        let numbered = chunks.iter().enumerate().map(|(n, c)| (*c, n as u64, n == last));
        let payload = self.payload(random, &numbered.collect::<Vec<_>>());
        [self.header(), payload].concat()
    }
}

/// All kinds of mutations once, with what chance chooses in them, and `more` of single bytes.
pub(crate) fn cases(random: &mut Random, keys: &Keys, more: usize) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |what: String, bytes| all.push(Case { what, bytes, passphrase: false });
    versions(random, keys, &mut add);
    stanzas(random, keys, &mut add);
    macs(random, keys, &mut add);
    payloads(random, keys, &mut add);
    armors(random, keys, &mut add);
    for _ in 0..more {
        damage(random, keys, &mut add);
    }
    let mut add = |what: String, bytes| all.push(Case { what, bytes, passphrase: true });
    passphrases(random, keys, &mut add);
    all
}

type Add<'a> = &'a mut dyn FnMut(String, Vec<u8>);

fn versions(random: &mut Random, keys: &Keys, add: Add<'_>) {
    for version in [
        "age-encryption.org/v1\n",
        "age-encryption.org/v2\n",
        "age-encryption.org/v1 \n",
        "age-encryption.org/v1\r\n",
        "age-encryption.org/v1\n\n",
        "age-encryption.org/v\n",
        "age-encryption.org/v01\n",
        "age-encryption.org/v1.0\n",
        "Age-encryption.org/v1\n",
        " age-encryption.org/v1\n",
        "\n",
        "",
    ] {
        let mut file = File::new(random, keys, 10);
        file.version = version.into();
        add(format!("version {version:?}"), file.bytes(random));
    }
}

fn stanzas(random: &mut Random, keys: &Keys, add: Add<'_>) {
    // Another stanza before or behind the right one.
    let text = |bytes: &[u8]| base64_encode_unpadded(bytes);
    let mut others: Vec<(String, Vec<u8>)> = Vec::new();
    for length in [0, 1, 2, 3, 31, 32, 33, 47, 48, 49, 96, 97, 144] {
        let body = random.some(length);
        others.push((format!("unknown, body of {length}"), stanza("joke a b c", &body)));
    }
    for (what, raw) in [
        ("no argument", "-> x\n\n"),
        ("many arguments", "-> x 1 2 3 4 5 6 7 8 9 10 11 12\n\n"),
        ("two blanks", "-> x  y\n\n"),
        ("blank at the end", "-> x y \n\n"),
        ("no type", "-> \n\n"),
        ("no blank", "->x\n\n"),
        ("arrow alone", "->\n\n"),
        ("tab", "-> x\ty\n\n"),
        ("control character", "-> x\u{1}\n\n"),
        ("delete character", "-> x\u{7f}\n\n"),
        ("not ASCII", "-> é\n\n"),
        ("all visible ASCII", "-> !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n\n"),
        ("CR LF", "-> x\r\n\r\n"),
        ("CR in an argument", "-> x\ry\n\n"),
        ("no body", "-> x\n"),
        ("empty lines in the body", "-> x\n\n\n"),
        ("padding", "-> x\nQQ==\n"),
        ("one character", "-> x\nQ\n"),
        ("bits left over", "-> x\nQR\n"),
        ("URL alphabet", "-> x\n-_-_\n"),
        ("blank in the body", "-> x\nQQ QQ\n"),
        ("blank behind the body", "-> x\nQUJD \n"),
        ("short line in the middle", "-> x\nQUJD\nQUJD\n"),
        ("grease", "-> abc-grease %1 x\nQUJD\n"),
    ] {
        others.push((what.to_owned(), raw.as_bytes().to_vec()));
    }
    let line = "A".repeat(64);
    for (what, raw) in [
        ("a full line and no short one", format!("-> x\n{line}\n")),
        ("a full line and an empty one", format!("-> x\n{line}\n\n")),
        ("65 columns", format!("-> x\n{line}A\n\n")),
        ("68 columns", format!("-> x\n{line}AAAA\n")),
        ("63 columns and more", format!("-> x\n{}\nAAAA\n", &line[1..])),
        ("a long argument", format!("-> x {}\n\n", "y".repeat(5000))),
    ] {
        others.push((what.to_owned(), raw.into_bytes()));
    }
    for (what, raw) in others {
        let mut file = File::new(random, keys, 10);
        let place = random.below(2);
        file.stanzas.insert(place, raw);
        add(format!("stanza at {place}: {what}"), file.bytes(random));
    }
    // The stanza itself.
    let file = || File {
        version: b"age-encryption.org/v1\n".to_vec(),
        stanzas: vec![],
        file_key: [7; 16],
        plain: b"hello".to_vec(),
    };
    let good = x25519(random, keys, &[7; 16]);
    let mut high_bit = good.0;
    high_bit[31] |= 0x80;
    let mut bad_body = good.1.clone();
    bad_body[random.below(32)] ^= 1 << random.below(8);
    let other = x25519(random, keys, &[8; 16]);
    let (share, body) = (text(&good.0), &good.1);
    for (what, stanzas) in [
        ("alone", vec![stanza(&format!("X25519 {share}"), body)]),
        ("twice", vec![stanza(&format!("X25519 {share}"), body); 2]),
        (
            "of another file key first",
            vec![
                stanza(&format!("X25519 {}", text(&other.0)), &other.1),
                stanza(&format!("X25519 {share}"), body),
            ],
        ),
        (
            "for another first",
            vec![
                stanza(&format!("X25519 {}", text(&other.0)), &random.some(32)),
                stanza(&format!("X25519 {share}"), body),
            ],
        ),
        ("none", vec![]),
        ("high bit of the share", vec![stanza(&format!("X25519 {}", text(&high_bit)), body)]),
        ("zero share", vec![stanza(&format!("X25519 {}", text(&[0; 32])), body)]),
        (
            "zero share before the right one",
            vec![
                stanza(&format!("X25519 {}", text(&[0; 32])), body),
                stanza(&format!("X25519 {share}"), body),
            ],
        ),
        ("share of 31 bytes", vec![stanza(&format!("X25519 {}", text(&good.0[1..])), body)]),
        ("share of 33 bytes", vec![stanza(&format!("X25519 {}", text(&[0; 33])), body)]),
        ("padded share", vec![stanza(&format!("X25519 {}", BASE64_STANDARD.encode(good.0)), body)]),
        ("no share", vec![stanza("X25519", body)]),
        ("two shares", vec![stanza(&format!("X25519 {share} {share}"), body)]),
        ("lower case", vec![stanza(&format!("x25519 {share}"), body)]),
        ("body of 31 bytes", vec![stanza(&format!("X25519 {share}"), &body[1..])]),
        ("body of 33 bytes", vec![stanza(&format!("X25519 {share}"), &random.some(33))]),
        ("no body", vec![stanza(&format!("X25519 {share}"), &[])]),
        (
            "short body before the right one",
            vec![
                stanza(&format!("X25519 {}", text(&other.0)), &body[1..]),
                stanza(&format!("X25519 {share}"), body),
            ],
        ),
        ("wrong body", vec![stanza(&format!("X25519 {share}"), &bad_body)]),
        (
            "with a scrypt stanza",
            vec![
                stanza(&format!("X25519 {share}"), body),
                stanza(&format!("scrypt {} 2", text(&[1; 16])), &random.some(32)),
            ],
        ),
    ] {
        let file = File { stanzas, ..file() };
        add(format!("X25519 stanza: {what}"), file.bytes(random));
    }
}

fn macs(random: &mut Random, keys: &Keys, add: Add<'_>) {
    let file = File::new(random, keys, 10);
    let (covered, mac) = (file.covered(), file.mac());
    let bytes = BASE64_STANDARD_NO_PAD.decode(&mac).unwrap();
    let mut left_over = mac.clone();
    let last = left_over.pop().unwrap();
    left_over.push(char::from(last as u8 + 1));
    let mut wrong = bytes.clone();
    wrong[random.below(32)] ^= 1 << random.below(8);
    for (what, line) in [
        ("right", format!(" {mac}\n")),
        ("no blank", format!("{mac}\n")),
        ("two blanks", format!("  {mac}\n")),
        ("blank behind", format!(" {mac} \n")),
        ("padded", format!(" {mac}=\n")),
        ("bits left over", format!(" {left_over}\n")),
        ("31 bytes", format!(" {}\n", base64_encode_unpadded(&bytes[..31]))),
        ("33 bytes", format!(" {}\n", base64_encode_unpadded(&[&bytes[..], &[0]].concat()))),
        ("16 bytes", format!(" {}\n", base64_encode_unpadded(&bytes[..16]))),
        ("none", "\n".to_owned()),
        ("a blank alone", " \n".to_owned()),
        ("CR LF", format!(" {mac}\r\n")),
        ("lower case", format!(" {}\n", mac.to_lowercase())),
        ("wrong", format!(" {}\n", base64_encode_unpadded(&wrong))),
        ("zeros", format!(" {}\n", base64_encode_unpadded(&[0; 32]))),
        ("an argument", format!(" {mac} x\n")),
    ] {
        let payload = file.payload(random, &[(&file.plain, 0, true)]);
        add(format!("MAC: {what}"), [covered.clone(), line.into_bytes(), payload].concat());
    }
}

fn payloads(random: &mut Random, keys: &Keys, add: Add<'_>) {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK] {
        let bytes = File::new(random, keys, length).bytes(random);
        let mut longer = bytes.clone();
        longer.push(0);
        add(format!("payload: a byte behind {length}"), longer);
        for cut in [1, 15, 16, 17] {
            add(
                format!("payload: {cut} bytes less of {length}"),
                bytes[..bytes.len() - cut].into(),
            );
        }
        add(format!("payload of {length}"), bytes);
    }
    let file = File::new(random, keys, 3 * CHUNK);
    let (a, b, c) = (&file.plain[..CHUNK], &file.plain[CHUNK..2 * CHUNK], &file.plain[..7]);
    let none: &[u8] = &[];
    for (what, chunks) in [
        ("right", vec![(a, 0, false), (b, 1, false), (c, 2, true)]),
        ("swapped", vec![(b, 1, false), (a, 0, false), (c, 2, true)]),
        ("first missing", vec![(b, 1, false), (c, 2, true)]),
        ("last missing", vec![(a, 0, false), (b, 1, false)]),
        ("middle missing", vec![(a, 0, false), (c, 2, true)]),
        ("twice", vec![(a, 0, false), (a, 0, false), (c, 1, true)]),
        ("last mark on the first", vec![(a, 0, true), (c, 1, true)]),
        ("no last mark", vec![(a, 0, false), (c, 1, false)]),
        ("more behind the last", vec![(c, 0, true), (c, 1, true)]),
        ("full chunk behind the last", vec![(a, 0, true), (a, 1, true)]),
        ("empty last behind a full one", vec![(a, 0, false), (none, 1, true)]),
        ("empty alone", vec![(none, 0, true)]),
        ("empty alone without its mark", vec![(none, 0, false)]),
        ("empty twice", vec![(none, 0, false), (none, 1, true)]),
        ("short in the middle", vec![(c, 0, false), (c, 1, true)]),
        ("numbers from one", vec![(a, 1, false), (c, 2, true)]),
        ("no chunk", vec![]),
    ] {
        let payload = file.payload(random, &chunks);
        add(format!("chunks: {what}"), [file.header(), payload].concat());
    }
    let nonce = random.some(random.0 as usize % 15);
    add("payload: part of a nonce".to_owned(), [file.header(), nonce].concat());
    add("payload: none".to_owned(), file.header());
}

fn armors(random: &mut Random, keys: &Keys, add: Add<'_>) {
    const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
    const END: &str = "-----END AGE ENCRYPTED FILE-----";
    for extra in 0..3 {
        // Bases whose length leaves no, one and two bytes of a group.
        let mut file = File::new(random, keys, 40);
        while file.bytes(random).len() % 3 != extra {
            file.plain.push(1);
        }
        let text = BASE64_STANDARD.encode(file.bytes(random));
        let columns = |width: usize| {
            let lines =
                text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap());
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        let body = columns(64);
        let unpadded = body.trim_end().trim_end_matches('=').to_owned() + "\n";
        let (first, rest) = body.split_at(65);
        for (what, armor) in [
            ("right", format!("{BEGIN}\n{body}{END}\n")),
            ("no line feed at the end", format!("{BEGIN}\n{body}{END}")),
            ("CR LF", format!("{BEGIN}\n{body}{END}\n").replace('\n', "\r\n")),
            ("CR LF in one line", format!("{BEGIN}\r\n{body}{END}\n")),
            ("CR alone", format!("{BEGIN}\n{body}{END}\n").replace('\n', "\r")),
            ("blank lines before", format!("\n \n\t\n{BEGIN}\n{body}{END}\n")),
            ("a BOM before", format!("\u{feff}{BEGIN}\n{body}{END}\n")),
            ("blanks before the begin", format!("  {BEGIN}\n{body}{END}\n")),
            ("blank lines behind", format!("{BEGIN}\n{body}{END}\n\n \t\r\n")),
            ("many blank lines behind", format!("{BEGIN}\n{body}{END}\n{}", "\n".repeat(2000))),
            ("text before", format!("hello\n{BEGIN}\n{body}{END}\n")),
            ("text behind", format!("{BEGIN}\n{body}{END}\nhello\n")),
            ("the same again", format!("{BEGIN}\n{body}{END}\n").repeat(2)),
            ("no end", format!("{BEGIN}\n{body}")),
            ("another end", format!("{BEGIN}\n{body}{}\n", END.replace("AGE", "PGP"))),
            ("another begin", format!("{}\n{body}{END}\n", BEGIN.replace("AGE", "age"))),
            ("blank behind the begin", format!("{BEGIN} \n{body}{END}\n")),
            ("blank behind the end", format!("{BEGIN}\n{body}{END} \n")),
            ("blank behind a line", format!("{BEGIN}\n{} \n{rest}{END}\n", first.trim_end())),
            ("63 columns", format!("{BEGIN}\n{}{END}\n", columns(63))),
            ("60 columns", format!("{BEGIN}\n{}{END}\n", columns(60))),
            ("76 columns", format!("{BEGIN}\n{}{END}\n", columns(76))),
            ("one line", format!("{BEGIN}\n{text}\n{END}\n")),
            ("an empty line within", format!("{BEGIN}\n{first}\n{rest}{END}\n")),
            ("an empty line at its end", format!("{BEGIN}\n{body}\n{END}\n")),
            ("headers", format!("{BEGIN}\nVersion: 1\n\n{body}{END}\n")),
            ("no padding", format!("{BEGIN}\n{unpadded}{END}\n")),
            ("more padding", format!("{BEGIN}\n{}=\n{END}\n", body.trim_end())),
            ("padding within", format!("{BEGIN}\n{}=\n{rest}{END}\n", &first[..63])),
            (
                "URL alphabet",
                format!("{BEGIN}\n{}{END}\n", body.replace('+', "-").replace('/', "_")),
            ),
            ("end on the last line", format!("{BEGIN}\n{}{END}\n", body.trim_end())),
            ("nothing within", format!("{BEGIN}\n{END}\n")),
        ] {
            add(format!("armor: {what}, {extra} left over"), armor.into_bytes());
        }
        let mut bits = body.trim_end().to_owned();
        let padding = bits.len() - bits.trim_end_matches('=').len();
        bits.truncate(bits.len() - padding);
        if padding > 0 {
            let last = bits.pop().unwrap();
            bits.push(if last == 'A' { 'B' } else { char::from(last as u8 + 1) });
            let bits = bits + &"=".repeat(padding);
            let armor = format!("{BEGIN}\n{bits}\n{END}\n");
            add(format!("armor: bits left over, {extra} left over"), armor.into_bytes());
        }
    }
}

/// Damages any file anywhere.
fn damage(random: &mut Random, keys: &Keys, add: Add<'_>) {
    let length = *random.of(&[0, 1, 100, 5000]);
    let mut bytes = File::new(random, keys, length).bytes(random);
    let header = bytes.len() - length - 32;
    // Half of it in the header, where the structure is.
    let bound = if random.below(2) == 0 { header } else { bytes.len() };
    let at = random.below(bound);
    let what = match random.below(7) {
        0 => {
            bytes[at] ^= 1 << random.below(8);
            "bit changed"
        }
        1 => {
            bytes[at] = *random.of(b"\n\r \t=-A/+>\0\xff");
            "byte replaced"
        }
        2 => {
            bytes.insert(at, *random.of(b"\n\r \t=-A/+>\0\xff"));
            "byte put in"
        }
        3 => {
            bytes.remove(at);
            "byte taken out"
        }
        4 => {
            bytes.truncate(at);
            "cut"
        }
        5 => {
            let end = (at + 1 + random.below(100)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
            "range twice"
        }
        _ => {
            let more = random.below(40) + 1;
            bytes.extend(random.some(more));
            "bytes behind"
        }
    };
    add(format!("{what} at {at} of {length} plain"), bytes);
}

fn passphrases(random: &mut Random, keys: &Keys, add: Add<'_>) {
    for factor in [1, 2, 5, 10] {
        let file = File::for_passphrase(random, keys, factor);
        add(format!("scrypt: work factor {factor}"), file.bytes(random));
    }
    let file = |random: &mut Random| File::for_passphrase(random, keys, 2);
    let mut argued = |what: &str, change: &dyn Fn(&[&str]) -> String| {
        let mut file = file(random);
        let text = String::from_utf8(file.stanzas[0].clone()).unwrap();
        let (first, body) = text.split_once('\n').unwrap();
        let words: Vec<&str> = first.split(' ').skip(1).collect();
        file.stanzas[0] = format!("-> {}\n{body}", change(&words)).into_bytes();
        add(format!("scrypt: {what}"), file.bytes(random));
    };
    for factor in [
        "0",
        "02",
        "+2",
        "2.0",
        " 2",
        "-2",
        "0x2",
        "",
        "2 2",
        "64",
        "63",
        "256",
        "99999999999999999999",
    ] {
        let what = format!("work factor written {factor:?}");
        argued(&what, &|words| format!("{} {} {factor}", words[0], words[1]));
    }
    argued("no factor", &|words| words[..2].join(" "));
    argued("no salt", &|words| [words[0], words[2]].join(" "));
    argued("salt cut", &|words| format!("{} {} {}", words[0], &words[1][..20], words[2]));
    argued("salt padded", &|words| format!("{} {}== {}", words[0], words[1], words[2]));
    argued("upper case", &|words| format!("SCRYPT {} {}", words[1], words[2]));
    let mut twice = file(random);
    twice.stanzas.push(twice.stanzas[0].clone());
    add("scrypt: twice".to_owned(), twice.bytes(random));
    for place in 0..2 {
        let mut beside = file(random);
        beside.stanzas.insert(place, stanza("joke", b"ha"));
        add(format!("scrypt: another stanza at {place}"), beside.bytes(random));
        let mut beside = file(random);
        let (share, body) = x25519(random, keys, &beside.file_key);
        let share = format!("X25519 {}", base64_encode_unpadded(&share));
        beside.stanzas.insert(place, stanza(&share, &body));
        add(format!("scrypt: an X25519 stanza at {place}"), beside.bytes(random));
    }
    let mut short = file(random);
    let length = short.stanzas[0].len();
    short.stanzas[0].truncate(length - 3);
    short.stanzas[0].push(b'\n');
    add("scrypt: body cut".to_owned(), short.bytes(random));
    add("for a key, not a passphrase".to_owned(), File::new(random, keys, 5).bytes(random));
}
