use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::age::{Recipient as _, ScryptIdentity, X25519Identity};

fn stanza(kind: &str, args: &[&str], body: &[u8]) -> Stanza {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Stanza { kind: kind.to_owned(), args, body: body.to_vec() }
}

fn read(bytes: &[u8]) -> Result<Header, Error> {
    Header::read(&mut &*bytes)
}

fn key() -> FileKey {
    FileKey::generate().unwrap()
}

/// The MAC was computed apart, from RFC 5869 and RFC 2104.
#[test]
fn text_of_a_header() {
    let key = FileKey::new(crate::secret::Secret::from_slice(b"YELLOW SUBMARINE").unwrap());
    let stanzas = vec![stanza("a", &["b", "~"], &[0; 48]), stanza("c", &[], &[255])];
    let text = Header::build(stanzas, &key).unwrap().into_bytes();
    let text = String::from_utf8(text).unwrap();
    let (covered, mac) = text.split_at(text.len() - 44);
    assert_eq!(
        covered,
        format!("age-encryption.org/v1\n-> a b ~\n{}\n\n-> c\n/w\n--- ", "A".repeat(64))
    );
    assert_eq!(mac, "9z0cgc6GsXPFMEBy0fAxPH7uCM167/8pkJVqxDv8PK0\n");
}

#[test]
fn not_a_byte_more_is_read() {
    let header = Header::build(vec![stanza("x", &[], &[])], &key()).unwrap();
    let file = [header.bytes(), b"payload"].concat();
    let mut input = file.as_slice();
    assert_eq!(Header::read(&mut input).unwrap().bytes(), header.bytes());
    assert_eq!(input, b"payload");
}

#[test]
fn words_that_cannot_be_written() {
    for (kind, arg) in [("", "a"), ("a", ""), ("a b", "c"), ("a", "b\n"), ("é", "a")] {
        let built = Header::build(vec![stanza(kind, &[arg], &[])], &key());
        assert!(matches!(built, Err(Error::Header(_))), "{kind:?} {arg:?}");
    }
}

#[test]
fn files_that_are_something_else() {
    let utf16: Vec<u8> =
        "\u{feff}age-encryption.org/v1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mangled: [&[u8]; 3] =
        [&utf16, b"\xef\xbb\xbfage-encryption.org/v1\n", b"age-encryption.org/v1\r\n-> x\r\n\r\n"];
    for bytes in mangled {
        assert!(matches!(read(bytes), Err(Error::Mangled(_))), "{bytes:?}");
    }
    for version in ["v2", "v10", "v1beta", "v1 "] {
        let text = format!("age-encryption.org/{version}\n-> x\n\n--- \n");
        assert!(matches!(read(text.as_bytes()), Err(Error::Version)), "{version}");
    }
    for other in ["", "a", "\n", "age-encryption.or", "salted__", "age-encryption.org/v1"] {
        assert!(matches!(read(other.as_bytes()), Err(Error::Header(_) | Error::Version)));
    }
    let no_stanza = format!("age-encryption.org/v1\n--- {}\n", "A".repeat(43));
    assert!(matches!(read(no_stanza.as_bytes()), Err(Error::Header("it has no stanza"))));
}

#[test]
fn a_large_file_of_another_kind_is_not_read_to_its_first_line_feed() {
    let mut input = std::io::BufReader::with_capacity(16, std::io::repeat(b'x').take(1 << 40));
    assert!(matches!(Header::read(&mut input), Err(Error::Header(_))));
    assert!(input.get_ref().limit() > (1 << 40) - 100);
}

#[test]
fn length_is_bounded() {
    let start = b"age-encryption.org/v1\n-> x\n".as_slice();
    let line = [[b'A'; 64].as_slice(), b"\n"].concat();
    let endless_body = start.chain(std::io::Cursor::new(line.repeat(HEADER_MAX / 64)));
    let endless_line = b"age-encryption.org/v1\n-> ".chain(std::io::repeat(b'x'));
    let mut inputs: [Box<dyn Read>; 2] = [Box::new(endless_body), Box::new(endless_line)];
    for input in &mut inputs {
        let read = Header::read(&mut std::io::BufReader::new(input));
        assert!(matches!(read, Err(Error::HeaderTooLong { .. })), "{read:?}");
    }
    // What would not be read is not written.
    let built = Header::build(vec![stanza("x", &[], &vec![0; HEADER_MAX * 3 / 4])], &key());
    assert!(matches!(built, Err(Error::HeaderTooLong { .. })));
}

#[test]
fn every_changed_byte_is_noticed() {
    let identity = X25519Identity::generate().unwrap();
    let other = X25519Identity::generate().unwrap();
    let key = key();
    let mut stanzas = identity.recipient().wrap(&key).unwrap();
    stanzas.extend(other.recipient().wrap(&key).unwrap());
    let header = Header::build(stanzas, &key).unwrap();
    assert_eq!(header.unlock(&[&identity]).unwrap().expose(), key.expose());
    for at in 0..header.bytes().len() {
        let mut changed = header.bytes().to_vec();
        changed[at] ^= 1;
        let unlocked = read(&changed).and_then(|header| header.unlock(&[&identity]));
        assert!(unlocked.is_err(), "byte {at}");
    }
}

#[test]
fn the_mac_is_checked_whatever_an_identity_says() {
    struct Finds(Class);
    impl Identity for Finds {
        fn unwrap(&self, _: &[Stanza]) -> Result<Option<FileKey>, Error> {
            FileKey::generate().map(Some)
        }
        fn class(&self) -> Class {
            self.0
        }
    }
    let header = Header::build(vec![stanza("x", &[], &[])], &key()).unwrap();
    assert!(matches!(header.unlock(&[&Finds(Class::Classic)]), Err(Error::HeaderMac)));
}

#[test]
fn no_match_or_wrong_passphrase() {
    let phrase = ScryptIdentity::new("a".to_owned().into());
    let identity = X25519Identity::generate().unwrap();
    let locked =
        Header::build(vec![stanza("scrypt", &["AAAAAAAAAAAAAAAAAAAAAA", "1"], &[0; 32])], &key());
    let locked = locked.unwrap();
    assert!(matches!(locked.unlock(&[&identity]), Err(Error::NoMatch)));
    assert!(matches!(locked.unlock(&[&identity, &phrase]), Err(Error::WrongPassphrase)));
    let other = Header::build(vec![stanza("x", &[], &[])], &key()).unwrap();
    assert!(matches!(other.unlock(&[&identity, &phrase]), Err(Error::NoMatch)));
    assert!(matches!(other.unlock(&[]), Err(Error::NoMatch)));
}

prop_compose! {
    fn any_stanza()(
        kind in "[!-~]{1,20}",
        args in proptest::collection::vec("[!-~]{1,80}", 0..4),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) -> Stanza {
        // A scrypt stanza must be alone.
        Stanza { kind: format!("{kind}."), args, body }
    }
}

proptest! {
    #[test]
    fn round_trips(stanzas in proptest::collection::vec(any_stanza(), 1..5)) {
        let header = Header::build(stanzas.clone(), &key()).unwrap();
        let again = read(header.bytes()).unwrap();
        prop_assert_eq!(again.stanzas(), stanzas);
        prop_assert_eq!(again.bytes(), header.bytes());
        prop_assert_eq!(again.mac, header.mac);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = read(&[b"age-encryption.org/v1\n-> ", bytes.as_slice()].concat());
        let _ = read(&[b"age-encryption.org/v1\n-> x\n", bytes.as_slice()].concat());
    }

    /// Parsing is strict: what is accepted is what would be written.
    #[test]
    fn one_text_for_one_header(at in 0usize..200, byte in any::<u8>()) {
        let stanzas = vec![stanza("X25519", &["AAAA"], &[1; 70]), stanza("b", &["c"], &[])];
        let header = Header::build(stanzas, &key()).unwrap();
        let mut changed = header.bytes().to_vec();
        let at = at % changed.len();
        changed[at] = byte;
        if let Ok(parsed) = read(&changed) {
            let again = Header::build(parsed.stanzas().to_vec(), &key()).unwrap();
            let covered = changed.len() - MAC_LINE;
            prop_assert_eq!(&again.bytes()[..covered], &changed[..covered]);
        }
    }
}
