mod letters;
mod pairwise;

use std::io::{self, Read, Write};
use std::sync::Arc;

use proptest::prelude::*;

use crate::crypto;
use crate::identity::{Card, Identity};
use crate::letter::header::Header;
use crate::letter::plaintext::{BLOCK, Plaintext, padded};
use crate::letter::proof::{Authenticator, Message, Needs};
use crate::letter::*;
use crate::secret::Secret;
use crate::wire;

/// Gives a few bytes at a time, as a pipe does.
struct Trickle<R>(R, usize);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(self.1);
        self.0.read(&mut out[..most])
    }
}

fn plaintext(front: &[u8], body: &[u8], step: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut stream = Plaintext::new(front.to_vec(), Trickle(body, step), None);
    stream.read_to_end(&mut out).unwrap();
    out
}

fn routing(byte: u8) -> Routing {
    Routing {
        relay: Some("https://relay.example:8443/x".into()),
        mailbox: [byte; 32],
        capability: None,
    }
}

fn stream(letters: &[&[u8]]) -> Vec<u8> {
    let mut writer = EnvelopeWriter::new(Vec::new()).unwrap();
    for (letter, number) in letters.iter().zip(0..) {
        let mut envelope = writer.begin(&routing(number)).unwrap();
        envelope.write_all(letter).unwrap();
        envelope.finish().unwrap();
    }
    writer.finish().unwrap()
}

fn read_all(input: &[u8], step: usize) -> Result<Vec<Vec<u8>>, Error> {
    let mut reader = EnvelopeReader::new(Trickle(input, step));
    let mut letters = Vec::new();
    while let Some(mut envelope) = reader.next()? {
        let mut sealed = Vec::new();
        envelope.read_to_end(&mut sealed)?;
        letters.push(sealed);
    }
    Ok(letters)
}

#[test]
fn golden_bytes() {
    let header = Header {
        id: [1; 16],
        to: [2; 32],
        from: Some(vec![3]),
        heading: Heading {
            place: Some(([4; 16], 5)),
            date: 300,
            subject: Some("s".into()),
            file_name: Some("f".into()),
            content_type: Some("t".into()),
            pairs: vec![("k".into(), "v".into())],
        },
        postscript: Postscript {
            machine: Some([10; 32]),
            reply: Some(Routing { relay: Some("r".into()), mailbox: [6; 32], capability: None }),
            offer: Some(vec![7]),
            notice: Some(Notice { kind: 8, content: vec![9] }),
        },
    };
    let mut expected = vec![1];
    expected.extend([1; 16]);
    expected.extend([2; 32]);
    expected.extend([1, 1, 3, 1]);
    expected.extend([4; 16]);
    expected.extend([5, 251, 44, 1, 1, 1, b's', 1, 1, b'f', 1, 1, b't', 1, 1, b'k', 1, b'v']);
    expected.push(1);
    expected.extend([10; 32]);
    expected.extend([1, 1, 1, b'r']);
    expected.extend([6; 32]);
    expected.extend([0, 1, 1, 7, 1, 8, 1, 9]);
    assert_eq!(wire::encode(&header).unwrap(), expected);
    assert_eq!(wire::decode::<Header>(&expected).unwrap(), header);

    assert_eq!(wire::encode(&Authenticator::None).unwrap(), [1, 0]);
    let mut expected = vec![1, 1];
    expected.extend([7; 64]);
    assert_eq!(wire::encode(&Authenticator::Ed25519([7; 64])).unwrap(), expected);
    let mut expected = vec![1, 2];
    expected.extend([7; 32]);
    assert_eq!(wire::encode(&Authenticator::Pairwise([7; 32])).unwrap(), expected);
    let mut expected = vec![1, 3];
    expected.extend([7; 64]);
    expected.extend([8; 32]);
    let signed = Authenticator::Signed { signature: [7; 64], mac: [8; 32] };
    assert_eq!(wire::encode(&signed).unwrap(), expected);

    let mut expected = vec![1, 0];
    expected.extend([9; 32]);
    expected.push(0);
    let mut routing = Routing { relay: None, mailbox: [9; 32], capability: None };
    assert_eq!(wire::encode(&routing).unwrap(), expected);
    expected.pop();
    expected.push(1);
    expected.extend([8; 32]);
    routing.capability = Some(Arc::new(Secret::take(&mut [8; 32])));
    assert_eq!(wire::encode(&routing).unwrap(), expected);
    assert_eq!(wire::decode::<Routing>(&expected).unwrap(), routing);
    assert!(format!("{routing:?}").contains("capability: Some(..)"), "{routing:?}");
}

#[test]
fn headings_are_bounded() {
    let fine = Heading::default();
    let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let long = |length: usize| Some("x".repeat(length));
    let check = |heading: Heading| {
        Header {
            id: [0; 16],
            to: [0; 32],
            from: Some(Vec::new()),
            heading,
            postscript: Postscript::default(),
        }
        .check()
    };
    let numbered = |place| Heading { place, ..fine.clone() };
    for bad in [
        numbered(Some(([0; 16], 0))),
        Heading { subject: long(1025), ..fine.clone() },
        Heading { file_name: long(256), ..fine.clone() },
        Heading { content_type: long(256), ..fine.clone() },
        Heading { content_type: Some("text/plain\n".into()), ..fine.clone() },
        Heading { pairs: pair("", "v"), ..fine.clone() },
        Heading { pairs: pair("a b", "v"), ..fine.clone() },
        Heading { pairs: pair(&"k".repeat(65), "v"), ..fine.clone() },
        Heading { pairs: pair("k", &"v".repeat(1025)), ..fine.clone() },
        Heading { pairs: [pair("k", "1"), pair("k", "2")].concat(), ..fine.clone() },
        Heading { pairs: (0..65).flat_map(|n| pair(&n.to_string(), "")).collect(), ..fine.clone() },
    ] {
        assert!(matches!(check(bad.clone()), Err(Error::Heading { .. })), "{bad:?}");
    }
    // The greatest heading that is allowed fits its record, with the greatest card.
    let greatest = Heading {
        place: Some(([9; 16], u64::MAX)),
        date: u64::MAX,
        subject: long(1024),
        file_name: long(255),
        content_type: long(255),
        pairs: (0..64).flat_map(|n| pair(&format!("{n:064}"), &"v".repeat(1024))).collect(),
    };
    check(greatest.clone()).unwrap();
    let secret = Secret::take(&mut [1; 32]);
    let offer = ratchet::Ratchet::recover(&secret, u64::MAX).unwrap().offer().unwrap();
    let relay = format!("https://{}", "r".repeat(248));
    let reply = Routing { relay: Some(relay), mailbox: [1; 32], capability: Some(secret.into()) };
    let postscript = Postscript {
        machine: Some([1; 32]),
        reply: Some(reply),
        offer: Some(offer.encode().unwrap()),
        notice: Some(Notice { kind: u16::MAX, content: vec![0; 16 << 10] }),
    };
    let header = |from, heading: &Heading, postscript: &Postscript| {
        let (heading, postscript) = (heading.clone(), postscript.clone());
        Header { id: [0; 16], to: [0; 32], from, heading, postscript }
    };
    let fullest = header(Some(vec![0; 2560]), &greatest, &postscript);
    fullest.check().unwrap();
    wire::encode(&fullest).unwrap();
    let nothing = Postscript::default();
    let numbered = header(None, &numbered(Some(([0; 16], 1))), &nothing);
    assert!(matches!(numbered.check(), Err(Error::Heading { .. })));
    let anonymous = header(None, &fine, &postscript);
    assert!(matches!(anonymous.check(), Err(Error::Heading { .. })));
    for bad in [
        Postscript { offer: Some(vec![1, 2, 3]), ..nothing.clone() },
        Postscript { reply: Some(Routing { relay: None, ..routing(1) }), ..nothing.clone() },
        Postscript { notice: Some(Notice { kind: 0, content: Vec::new() }), ..nothing.clone() },
        Postscript {
            notice: Some(Notice { kind: 1, content: vec![0; (16 << 10) + 1] }),
            ..nothing.clone()
        },
    ] {
        let refused = header(Some(Vec::new()), &fine, &bad).check();
        assert!(matches!(refused, Err(Error::Heading { .. })), "{bad:?}");
    }
}

/// Every kind of authenticator, for every kind of letter.
#[test]
fn each_kind_of_letter_needs_its_proof() {
    let identity = Identity::from_seed(Secret::take(&mut [7; 32])).unwrap();
    let card = identity.card("", None, 0, 1).unwrap();
    let secret = Arc::new(Secret::take(&mut [8; 32]));
    let message = Message::new(b"age header", b"letter header");
    let others = [Message::new(b"another", b"letter header"), Message::new(b"age header", b"")];
    let make = |ratchet, secret| {
        let needs = Needs { ratchet, postscript: false };
        Authenticator::new(&message, needs, &identity.signer(), secret).unwrap()
    };
    let (signature, mac) = (make(false, None), make(true, Some(&*secret)));
    let both = make(false, Some(&*secret));
    for flags in 0..8 {
        let [ratchet, postscript, paired] = [1, 2, 4].map(|flag| flags & flag != 0);
        let verify = |authenticator: &Authenticator, message: &Message, from: Option<&Card>| {
            let secrets = |_: &Card| if paired { vec![secret.clone()] } else { Vec::new() };
            let needs = Needs { ratchet, postscript };
            let verified = authenticator.verify(message, needs, from, secrets);
            verified.ok().map(|(proof, _)| proof)
        };
        let expected = [
            (&Authenticator::None, None),
            (&signature, Some(Proof::Signature).filter(|_| !(ratchet || postscript && paired))),
            (&mac, Some(Proof::Pairwise).filter(|_| paired && ratchet && !postscript)),
            (&both, Some(Proof::SignedPairwise).filter(|_| paired)),
        ];
        for (authenticator, proof) in expected {
            assert_eq!(verify(authenticator, &message, Some(&card)), proof, "{flags:b}");
            for other in &others {
                assert_eq!(verify(authenticator, other, Some(&card)), None, "{flags:b}");
            }
            let anonymous = *authenticator == Authenticator::None && !ratchet;
            let anonymous = anonymous.then_some(Proof::None);
            assert_eq!(verify(authenticator, &message, None), anonymous, "{flags:b}");
        }
    }
}

#[test]
fn plaintext_is_blocks_and_padding() {
    for length in [0, 1, 4000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
        let body: Vec<u8> = (0..length).map(|n| n as u8).collect();
        let mut expected = b"front".to_vec();
        for block in body.chunks(BLOCK) {
            expected.extend((block.len() as u32).to_be_bytes());
            expected.extend(block);
        }
        expected.extend([0; 4]);
        expected.resize(usize::try_from(padded(expected.len() as u64)).unwrap(), 0);
        for step in [7, 4096, usize::MAX] {
            assert!(plaintext(b"front", &body, step) == expected, "{length} bytes by {step}");
        }
    }
    assert_eq!(plaintext(b"", b"", 1).len(), 4096);
}

#[test]
fn lengths_in_one_class_are_one() {
    let length = |body: usize| plaintext(b"front", &vec![1; body], usize::MAX).len();
    assert_eq!(length(0), length(4000));
    assert_eq!(length(1_000_000), length(1_010_000));
    assert_ne!(length(1_000_000), length(1_100_000));
}

#[test]
fn a_stream_gives_back_what_it_took() {
    let large = vec![5; 3 * BLOCK + 17];
    let letters: [&[u8]; 4] = [b"one", b"", &large, &large[..BLOCK]];
    let one = stream(&letters);
    for step in [1, 13, usize::MAX] {
        assert!(read_all(&one, step).unwrap() == letters);
    }
    let mut reader = EnvelopeReader::new(one.as_slice());
    for (letter, number) in letters.iter().zip(0..) {
        let mut envelope = reader.next().unwrap().unwrap();
        assert_eq!(envelope.routing(), &routing(number));
        // Reading a part and going on is allowed.
        let _ = envelope.read(&mut [0; 2]).unwrap();
        assert_eq!(envelope.finish().unwrap(), crypto::sha256(&[letter]));
    }
    assert!(reader.next().unwrap().is_none());
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn streams_may_follow_each_other_and_be_empty() {
    assert_eq!(stream(&[]), b"\x8bbulla E\0\0\0\0");
    assert!(read_all(&stream(&[]), 1).unwrap().is_empty());
    let three = [stream(&[b"a"]), stream(&[]), stream(&[b"b", b"c"])].concat();
    assert_eq!(read_all(&three, 3).unwrap(), [b"a", b"b", b"c"]);
    assert!(matches!(read_all(b"", 1), Err(Error::Truncated(_))));
    assert!(matches!(read_all(b"hello, world", 1), Err(Error::Malformed { .. })));
    let trailing = [stream(&[]), b"more".to_vec()].concat();
    assert!(matches!(read_all(&trailing, 1), Err(Error::Malformed { .. })));
}

#[test]
fn a_stream_says_with_which_status_its_writer_failed() {
    let whole = stream(&[b"one", b"two"]);
    let failed = |begun: Vec<u8>, status| {
        let mut stream = begun;
        let is_begun = !stream.is_empty();
        write_failure(&mut stream, is_begun, status).unwrap();
        stream
    };
    let source = |stream: &[u8], step| match read_all(stream, step) {
        Err(Error::Source { status }) => status,
        other => panic!("{other:?}"),
    };
    for step in [1, 5, usize::MAX] {
        assert_eq!(source(&failed(Vec::new(), 75), step), 75);
        assert_eq!(source(&failed(whole[..whole.len() - 4].to_vec(), 25), step), 25);
        // In the middle of an envelope, between two blocks of it.
        let mut unfinished = Vec::new();
        let mut writer = EnvelopeWriter::new(&mut unfinished).unwrap();
        writer.begin(&routing(1)).unwrap().write_all(&vec![1; 3 * BLOCK]).unwrap();
        assert_eq!(source(&failed(unfinished, 70), step), 70);
        assert_eq!(source(&failed(Vec::new(), 0), step), 1);
    }
    // What it says is said again, and nothing behind it is read.
    let more = [failed(Vec::new(), 75), whole].concat();
    let mut reader = EnvelopeReader::new(more.as_slice());
    for _ in 0..2 {
        assert!(matches!(reader.next(), Err(Error::Source { status: 75 })));
    }
}

#[test]
fn what_was_given_out_before_is_marked() {
    let mut writer = EnvelopeWriter::new(Vec::new()).unwrap();
    writer.begin(&routing(1)).unwrap().finish().unwrap();
    writer.again().unwrap();
    writer.begin(&routing(2)).unwrap().finish().unwrap();
    let stream = [writer.finish().unwrap(), stream(&[b"a"])].concat();
    let mut reader = EnvelopeReader::new(stream.as_slice());
    let mut marked = Vec::new();
    while let Some(envelope) = reader.next().unwrap() {
        marked.push(envelope.is_again());
    }
    assert_eq!(marked, [false, true, false]);
}

#[test]
fn a_stream_cut_anywhere_is_truncated() {
    let whole = stream(&[b"one", b"two"]);
    for end in 1..whole.len() {
        let cut = read_all(&whole[..end], 5);
        assert!(matches!(cut, Err(Error::Truncated(_))), "cut at {end}: {cut:?}");
    }
}

#[test]
fn a_changed_envelope_is_noticed_and_the_next_one_read() {
    let whole = stream(&[b"one", b"two"]);
    let at = whole.windows(3).position(|w| w == b"one").unwrap();
    let mut changed = whole.clone();
    changed[at] ^= 1;
    assert!(matches!(read_all(&changed, 5), Err(Error::Hash)));
    let mut reader = EnvelopeReader::new(changed.as_slice());
    assert!(matches!(reader.next().unwrap().unwrap().finish(), Err(Error::Hash)));
    assert_eq!(reader.next().unwrap().unwrap().finish().unwrap(), crypto::sha256(&[b"two"]));
    let mut wrong_hash = whole;
    wrong_hash[at + 3 + 4] ^= 1;
    assert!(matches!(read_all(&wrong_hash, 5), Err(Error::Hash)));
}

#[test]
fn oversized_lengths_are_refused_and_nothing_is_read_after_them() {
    let whole = stream(&[b"one", b"two"]);
    let at = whole.windows(3).position(|w| w == b"one").unwrap();
    let mut block = whole.clone();
    block[at - 4..at].copy_from_slice(&(BLOCK as u32 + 1).to_be_bytes());
    let mut reader = EnvelopeReader::new(block.as_slice());
    assert!(matches!(reader.next().unwrap().unwrap().finish(), Err(Error::Malformed { .. })));
    assert!(matches!(reader.next(), Err(Error::Malformed { .. })));
    let mut routing = whole.clone();
    routing[8..12].copy_from_slice(&1025u32.to_be_bytes());
    assert!(matches!(read_all(&routing, 5), Err(Error::Record(wire::Error::TooLong { .. }))));
    let mut version = whole;
    version[12] = 2;
    assert!(matches!(read_all(&version, 5), Err(Error::Record(wire::Error::Version { .. }))));
}

#[test]
fn a_relay_that_is_no_url_is_refused_both_ways() {
    let bad = Routing { relay: Some("file:///etc/passwd".into()), ..routing(0) };
    let mut writer = EnvelopeWriter::new(Vec::new()).unwrap();
    assert!(matches!(writer.begin(&bad), Err(Error::Malformed { .. })));
    let mut by_hand = b"\x8bbulla E".to_vec();
    wire::write_framed(&mut by_hand, &bad).unwrap();
    assert!(matches!(read_all(&by_hand, 5), Err(Error::Malformed { .. })));
}

#[test]
fn an_unfinished_envelope_spoils_the_stream() {
    let mut writer = EnvelopeWriter::new(Vec::new()).unwrap();
    writer.begin(&routing(0)).unwrap().write_all(b"half").unwrap();
    assert!(matches!(writer.begin(&routing(1)), Err(Error::Unfinished)));
    assert!(matches!(writer.finish(), Err(Error::Unfinished)));
}

#[test]
fn inputs_are_told_apart_without_waiting_for_more() {
    let blanks = format!("{}-----BEGIN AGE ENCRYPTED FILE-----\n", " \r\n".repeat(300));
    let endless = [b" ".repeat(5000), b"x".to_vec()].concat();
    for (input, expected) in [
        (&b""[..], Input::Empty),
        (b"age-encryption.org/v1\n", Input::Age),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", Input::Age),
        (b"\n-----BEGIN AGE ENCRYPTED FILE-----\n", Input::Age),
        (blanks.as_bytes(), Input::Age),
        (b"\xff\xfea\0g\0", Input::Age),
        (b"\x8bbulla E", Input::Envelopes),
        (b"\x8bbulla L", Input::Unknown),
        (b"-----BEGIN BULLA CARD-----", Input::Unknown),
        (b" age-encryption.org/v1", Input::Unknown),
        (b"age", Input::Unknown),
        (b"\n\n", Input::Unknown),
        (&endless, Input::Unknown),
        (b"hello", Input::Unknown),
    ] {
        let (kind, mut rest) = sniff(Trickle(input, 3)).unwrap();
        assert_eq!(kind, expected, "{:?}", String::from_utf8_lossy(input));
        let mut back = Vec::new();
        rest.read_to_end(&mut back).unwrap();
        assert_eq!(back, input);
    }
    // A stream still being written: asking for one byte too many would block.
    struct Blocks;
    impl Read for Blocks {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("read too far")
        }
    }
    assert_eq!(sniff((&b"\x8bbulla E"[..]).chain(Blocks)).unwrap().0, Input::Envelopes);
}

proptest! {
    #[test]
    fn any_letters_travel(
        letters in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5),
        step in 1usize..50,
    ) {
        let slices: Vec<&[u8]> = letters.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(read_all(&stream(&slices), step).unwrap(), letters);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = sniff(bytes.as_slice()).unwrap();
        let _ = read_all(&bytes, 10);
        let _ = read_all(&[&b"\x8bbulla E"[..], &bytes].concat(), 10);
        let _ = wire::decode::<Header>(&[&[1], bytes.as_slice()].concat());
        let _ = wire::decode::<Authenticator>(&[&[1], bytes.as_slice()].concat());
    }

    #[test]
    fn any_header_is_read_back(
        id: [u8; 16],
        to: [u8; 32],
        from in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        place: Option<([u8; 16], u64)>,
        date: u64,
        subject: Option<String>,
        pairs in proptest::collection::vec(any::<(String, String)>(), 0..3),
    ) {
        let heading = Heading { place, date, subject, pairs, ..Heading::default() };
        let header = Header { id, to, from, heading, postscript: Postscript::default() };
        prop_assert_eq!(wire::decode::<Header>(&wire::encode(&header).unwrap()).unwrap(), header);
    }
}
