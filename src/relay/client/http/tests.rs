//! Against a relay made by hand, which breaks off, lies and asks for work as a test tells it to.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Cursor, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::crypto::{self, SigningSecret};
use crate::relay::client::error::Error;
use crate::relay::client::http::answer::unix_now;
use crate::relay::client::pull::{self, Delivered};
use crate::relay::client::spool::Spool;
use crate::relay::client::transport::{Inbox, Pushed, Transport as _};
use crate::relay::protocol::pow::{CHALLENGE, MAX_BITS, Proof, Task};
use crate::relay::protocol::{Entry, Id, Listing, Mailbox, frame};
use crate::secret::Secret;

/// A request under way: its head was read, its body not.
struct Asked {
    stream: BufReader<TcpStream>,
    line: String,
    headers: HashMap<String, String>,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Reads so many bytes of the body.
    fn body(&mut self, length: usize) -> Vec<u8> {
        if self.header("expect") == "100-continue" {
            self.headers.remove("expect");
            self.stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        body
    }

    fn whole_body(&mut self) -> Vec<u8> {
        let length = self.header("content-length").parse().unwrap_or(0);
        self.body(length)
    }

    fn answer(mut self, head: &str, body: &[u8]) {
        let length = if head.contains("content-length") {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n{length}\r\n");
        let _ = self.stream.get_mut().write_all(head.as_bytes());
        let _ = self.stream.get_mut().write_all(body);
    }

    fn refuse(self, status: &str, code: &str) {
        let body = format!(r#"{{"error":"{code}","message":"no"}}"#);
        self.answer(status, body.as_bytes());
    }
}

/// Answers each request with `handle`, for as long as the test runs; returns a client of it.
fn relay(mut handle: impl FnMut(Asked) + Send + 'static) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let mut headers = HashMap::new();
            loop {
                let mut header = String::new();
                stream.read_line(&mut header).unwrap();
                let Some((name, value)) = header.trim_end().split_once(": ") else { break };
                headers.insert(name.to_ascii_lowercase(), value.to_owned());
            }
            let line = line.trim_end_matches(" HTTP/1.1\r\n").to_owned();
            handle(Asked { stream, line, headers });
        }
    });
    let mut options = Options::default();
    (options.retries, options.timeout) = (2, Duration::from_secs(5));
    Client::new(&url, options).unwrap()
}

fn key() -> SigningSecret {
    SigningSecret::from_seed(&Secret::take(&mut [1; 32]))
}

fn inbox() -> Inbox {
    let capability = Some(Arc::new(Secret::take(&mut [0xab; 32])));
    Inbox { mailbox: Mailbox([7; 32]), capability }
}

fn id_of(body: &[u8]) -> Id {
    Id(crypto::sha256(&[body]))
}

fn entry(body: &[u8]) -> Entry {
    Entry { id: id_of(body), size: body.len() as u64, expires: 3600 }
}

/// 9 MiB that do not repeat.
fn long() -> Vec<u8> {
    (0..9u32 << 18).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_be_bytes()).collect()
}

fn push(client: &Client, body: &[u8]) -> Result<Pushed, Error> {
    push_to(client, &inbox(), body)
}

fn push_to(client: &Client, inbox: &Inbox, body: &[u8]) -> Result<Pushed, Error> {
    client.push(inbox, &id_of(body), &mut Cursor::new(body), body.len() as u64)
}

#[test]
fn a_push_shows_its_capability_and_nothing_else_of_the_sender() {
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let told = seen.clone();
    let client = relay(move |mut asked| {
        assert_eq!(asked.whole_body(), b"sealed");
        *told.lock().unwrap() = asked.headers.clone();
        asked.answer("201 Created", b"");
    });
    assert_eq!(push(&client, b"sealed").unwrap(), Pushed::New);
    let mut names: Vec<String> = seen.lock().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["authorization", "content-length", "content-type", "host"]);
    assert_eq!(seen.lock().unwrap()["authorization"], format!("Bearer {}", "ab".repeat(32)));
    assert!(!format!("{:?}", inbox()).contains("abab"), "{:?}", inbox());
}

/// A relay that keeps parts; what it takes of each part is said by `taken`.
fn keeping_parts(
    kept: Arc<Mutex<Vec<u8>>>,
    mut taken: impl FnMut(usize) -> usize + Send + 'static,
) -> Client {
    relay(move |mut asked| {
        let mut kept = kept.lock().unwrap();
        let whole = 9 << 20;
        if asked.line.starts_with("HEAD") {
            let head = match kept.len() {
                0 => "404 Not Found".to_owned(),
                n if n < whole => {
                    format!("204 No Content\r\nupload-offset: {n}\r\nupload-complete: ?0")
                }
                n => format!("200 OK\r\nupload-offset: {n}\r\nupload-complete: ?1"),
            };
            return asked.answer(&head, b"");
        }
        assert!(asked.line.starts_with("PATCH"), "{}", asked.line);
        assert_eq!(asked.header("content-type"), "application/partial-upload");
        assert_eq!(asked.header("upload-length"), whole.to_string());
        if asked.header("upload-offset") != kept.len().to_string() {
            let head = format!("409 Conflict\r\nupload-offset: {}", kept.len());
            return asked.answer(&head, br#"{"error":"offset","message":"elsewhere"}"#);
        }
        let rest = whole - kept.len();
        assert_eq!(asked.header("content-length"), rest.to_string());
        let part = asked.body(taken(rest));
        kept.extend_from_slice(&part);
        // Otherwise the line breaks here.
        if kept.len() == whole {
            asked.answer("201 Created", b"");
        }
    })
}

#[test]
fn a_long_message_goes_on_where_the_line_broke() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let mut parts = 0;
    // It breaks more often than a request is retried, and each time something came.
    let client = keeping_parts(kept.clone(), move |rest| {
        parts += 1;
        if parts < 6 { 1 << 20 } else { rest }
    });
    let body = long();
    assert_eq!(push(&client, &body).unwrap(), Pushed::New);
    assert!(*kept.lock().unwrap() == body);
    // Another run finds it there.
    assert_eq!(push(&client, &body).unwrap(), Pushed::Already);
}

#[test]
fn another_run_goes_on_with_a_long_message() {
    let body = long();
    let kept = Arc::new(Mutex::new(body[..4 << 20].to_vec()));
    let client = keeping_parts(kept.clone(), |rest| rest);
    assert_eq!(push(&client, &body).unwrap(), Pushed::New);
    assert!(*kept.lock().unwrap() == body);
}

#[test]
fn an_upload_that_never_moves_ends() {
    let client = relay(|asked| match asked.line.starts_with("HEAD") {
        true => asked.answer("204 No Content\r\nupload-offset: 5\r\nupload-complete: ?0", b""),
        false => asked.answer("409 Conflict\r\nupload-offset: 5", b"{}"),
    });
    assert!(push(&client, &long()).unwrap_err().is_temporary());
    let client = relay(|asked| asked.answer("204 No Content\r\nupload-offset: 99999999", b""));
    assert!(matches!(push(&client, &long()), Err(Error::Protocol(_))));
}

#[test]
fn damaged_parts_at_the_relay_are_sent_anew_once() {
    let mut times = 0;
    let client = relay(move |mut asked| {
        if asked.line.starts_with("HEAD") {
            return match times {
                0 => asked.answer("204 No Content\r\nupload-offset: 9000000", b""),
                _ => asked.answer("404 Not Found", b""),
            };
        }
        times += 1;
        asked.whole_body();
        match times {
            1 => asked.refuse("422 Unprocessable Content", "wrong_hash"),
            _ => asked.answer("201 Created", b""),
        }
    });
    assert_eq!(push(&client, &long()).unwrap(), Pushed::New);
    let client = relay(|mut asked| {
        if asked.line.starts_with("HEAD") {
            return asked.answer("404 Not Found", b"");
        }
        asked.whole_body();
        asked.refuse("422 Unprocessable Content", "wrong_hash");
    });
    let error = push(&client, &long()).unwrap_err();
    assert!(matches!(error, Error::Refused { code, .. } if code == "wrong_hash"));
}

#[test]
fn refusals_say_whether_a_retry_is_worth_it() {
    let refused = |status: &'static str, code: &'static str| {
        let begun = Instant::now();
        let error = push(&relay(move |asked| asked.refuse(status, code)), b"x").unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(3), "{status}");
        error
    };
    assert!(matches!(refused("404 Not Found", "no_mailbox"), Error::Denied));
    assert!(matches!(refused("507 Insufficient Storage", "share_full"), Error::Full(_)));
    assert!(matches!(refused("413 Content Too Large", "too_large"), Error::Refused { .. }));
    // Until the next hour nobody waits here.
    let later = refused("429 Too Many Requests\r\nretry-after: 1800", "rate");
    let Error::Temporary { retry_after: Some(after), .. } = later else { panic!("{later:?}") };
    assert_eq!(after.as_secs(), 1800);
    let long = relay(|asked| match asked.line.starts_with("HEAD") {
        true => asked.answer("404 Not Found", b""),
        false => asked.refuse("404 Not Found", "no_mailbox"),
    });
    assert!(matches!(push(&long, &self::long()), Err(Error::Denied)));
}

/// Asks for so many bits of work until it is shown; a batch never shows it.
fn asking_for_work(bits: u32) -> Client {
    let task = Task { bits, challenge: [5; CHALLENGE] };
    relay(move |mut asked| {
        let body = asked.whole_body();
        let proof: Option<Proof> = asked.header("bulla-work").parse().ok();
        let done = proof.is_some_and(|proof| {
            proof.challenge == task.challenge && proof.bits(&inbox().mailbox, &id_of(&body)) >= bits
        });
        match done {
            true => asked.answer("201 Created", b""),
            false => asked.refuse(&format!("401 Unauthorized\r\nbulla-work: {task}"), "work"),
        }
    })
}

#[test]
fn work_is_done_up_to_a_bound() {
    let (client, open) = (asking_for_work(8), Inbox { capability: None, ..inbox() });
    assert_eq!(push_to(&client, &open, b"sealed").unwrap(), Pushed::New);
    let bodies = [&b"one"[..], b"two"].map(|body| (id_of(body), body));
    let pushed = client.push_batch(&open, &bodies).unwrap();
    assert!(matches!(pushed[..], [Ok(Pushed::New), Ok(Pushed::New)]));

    let error = push_to(&asking_for_work(MAX_BITS + 1), &open, b"sealed").unwrap_err();
    assert!(matches!(error, Error::Work(Task { bits, .. }) if bits == MAX_BITS + 1));
    assert!(error.is_temporary());
}

#[test]
fn no_work_is_done_where_a_capability_is_shown() {
    let client = asking_for_work(8);
    assert!(matches!(push(&client, b"sealed"), Err(Error::Protocol(_))));
    let bodies = [&b"one"[..], b"two"].map(|body| (id_of(body), body));
    assert!(matches!(client.push_batch(&inbox(), &bodies), Err(Error::Protocol(_))));
}

#[test]
fn of_a_batch_each_message_has_its_outcome() {
    let bodies = [&b"one"[..], b"two", b"three", b"four"].map(|body| (id_of(body), body));
    let [one, two, three, four] = bodies.map(|(id, _)| id);
    let mut times = 0;
    let client = relay(move |mut asked| {
        times += 1;
        assert!(asked.line.ends_with("/push"), "{}", asked.line);
        assert_eq!(asked.header("authorization").len(), 7 + 64);
        let frames = frame::decode(asked.whole_body().into()).unwrap();
        assert!(frames.iter().map(|(id, body)| (*id, &body[..])).eq(bodies));
        let results = format!(
            r#"{{"results":[{{"id":"{one}","status":201}},{{"id":"{two}","status":200}},
             {{"id":"{three}","status":507,"error":"share_full"}},
             {{"id":"{four}","status":429,"error":"rate"}}]}}"#
        );
        match times {
            1 => asked.refuse("503 Service Unavailable", "busy"),
            2 => asked.answer("200 OK", results.as_bytes()),
            _ => asked
                .answer("200 OK", results.replace(&one.to_string(), &two.to_string()).as_bytes()),
        }
    });
    let outcomes = client.push_batch(&inbox(), &bodies).unwrap();
    assert!(
        matches!(
            &outcomes[..],
            [
                Ok(Pushed::New),
                Ok(Pushed::Already),
                Err(Error::Full(_)),
                Err(Error::Temporary { .. })
            ]
        ),
        "{outcomes:?}"
    );
    assert!(matches!(client.push_batch(&inbox(), &bodies), Err(Error::Protocol(_))));
}

#[test]
fn what_is_taken_together_is_checked_one_by_one() {
    let bodies = [&b"one"[..], b"two", b"three"];
    let entries = bodies.map(entry);
    let answers: Vec<Vec<u8>> = {
        let batch = |parts: &[(Id, &[u8])]| {
            let mut out = Vec::new();
            parts.iter().for_each(|(id, body)| frame::push(&mut out, id, body));
            out
        };
        let [one, two, three] = entries.map(|entry| entry.id);
        vec![
            // One is missing, one is not what it says.
            batch(&[(one, b"one"), (three, b"thre!")]),
            // In another order, so it could go on for ever.
            batch(&[(two, b"two"), (one, b"one")]),
            // Longer than any.
            [&frame::head(&one, u64::MAX)[..], b"one"].concat(),
            // Broken off, after one that is whole.
            batch(&[(one, b"one"), (two, b"two")])[..2 * frame::HEAD + 4].to_vec(),
        ]
    };
    let mut answers = answers.into_iter();
    let client = relay(move |mut asked| {
        asked.whole_body();
        asked.answer("200 OK", &answers.next().unwrap());
    });
    let take = || {
        let mut came = Vec::new();
        let outcome = client.take(&key(), &entries, &mut |_, body| {
            came.push(body.to_vec());
            Ok(())
        });
        (outcome, came)
    };
    let (outcome, came) = take();
    assert_eq!((outcome.unwrap(), came), (vec![entries[2].id], vec![b"one".to_vec()]));
    assert!(matches!(take().0, Err(Error::Protocol(_))));
    assert!(matches!(take().0, Err(Error::Protocol(_))));
    let (outcome, came) = take();
    assert!(outcome.unwrap_err().is_temporary());
    assert_eq!(came, [b"one"]);
}

#[test]
fn a_part_that_was_not_asked_for_is_refused() {
    let client = relay(|asked| match asked.header("range") {
        "bytes=2-" => asked.answer("206 Partial Content\r\ncontent-range: bytes 2-5/6", b"aled"),
        "bytes=3-" => asked.answer("206 Partial Content\r\ncontent-range: bytes 2-5/6", b"aled"),
        _ => asked.answer("200 OK", b"sealed"),
    });
    let fetch = |from| {
        let mut out = Vec::new();
        client.fetch_from(&key(), &entry(b"sealed"), from, &mut out).map(|()| out)
    };
    assert_eq!(fetch(0).unwrap(), b"sealed");
    assert_eq!(fetch(2).unwrap(), b"aled");
    assert!(matches!(fetch(3), Err(Error::Protocol(_))));
    assert!(matches!(fetch(4), Err(Error::Protocol(_))));
}

/// A relay with some messages that are acknowledged away; `broken` says after how many bytes an
/// answer with a message breaks off.
fn holding(
    bodies: &[&[u8]],
    events: impl Fn(usize) -> Vec<u8> + Send + 'static,
    mut broken: impl FnMut(usize) -> usize + Send + 'static,
) -> (Client, Arc<Mutex<Vec<String>>>) {
    let mut held: Vec<Vec<u8>> = bodies.iter().map(|body| body.to_vec()).collect();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = lines.clone();
    let client = relay(move |mut asked| {
        let (_, tail) = asked.line.rsplit_once('/').unwrap();
        let (tail, query) = tail.split_once('?').unwrap_or((tail, ""));
        let limit = query.split('&').find_map(|pair| pair.strip_prefix("limit=")?.parse().ok());
        let (tail, limit) = (tail.to_owned(), limit.unwrap_or(usize::MAX));
        let range = asked.header("range").to_owned();
        told.lock().unwrap().push(format!("{tail}{range}"));
        let request = asked.whole_body();
        let asks_for = |body: &Vec<u8>| {
            let id = id_of(body).to_string();
            String::from_utf8_lossy(&request).contains(&id)
        };
        match tail.as_str() {
            "take" => {
                let mut out = Vec::new();
                held.iter().filter(|body| asks_for(body)).for_each(|body| {
                    frame::push(&mut out, &id_of(body), body);
                });
                asked.answer("200 OK", &out);
            }
            "ack" => {
                let before = held.len();
                held.retain(|body| !asks_for(body));
                let deleted = before - held.len();
                asked.answer("200 OK", format!(r#"{{"deleted":{deleted}}}"#).as_bytes());
            }
            "events" => {
                let stream = events(held.len());
                asked.answer("200 OK\r\ncontent-type: text/event-stream", &stream);
            }
            id => match held.iter().find(|body| id_of(body).to_string() == *id) {
                Some(body) => {
                    let from = range.trim_start_matches("bytes=").trim_end_matches('-');
                    let from = from.parse().unwrap_or(0);
                    let rest = &body[from..];
                    let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
                    let head = format!(
                        "{status}\r\ncontent-range: bytes {from}-{}/{}\r\ncontent-length: {}",
                        body.len() - 1,
                        body.len(),
                        rest.len()
                    );
                    asked.answer(&head, &rest[..broken(rest.len())]);
                }
                None => {
                    let messages = held.iter().take(limit).map(|body| entry(body)).collect();
                    let listing = serde_json::to_vec(&Listing { messages }).unwrap();
                    asked.answer("200 OK", &listing);
                }
            },
        }
    });
    (client, lines)
}

#[test]
fn small_messages_are_pulled_together_and_a_long_one_from_where_it_broke() {
    let long = long();
    let bodies = [&b"one"[..], b"two", &long, b"three"];
    let mut times = 0;
    let (client, lines) = holding(
        &bodies,
        |_| Vec::new(),
        move |rest| {
            times += 1;
            if times < 5 { 1 << 20 } else { rest }
        },
    );
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let mut got = Vec::new();
    let mut deliver = |_, file: &mut File| {
        let mut body = Vec::new();
        file.read_to_end(&mut body)?;
        got.push(body);
        Ok::<_, std::io::Error>(Delivered::Yes)
    };
    let options = pull::Options::default();
    let report = pull::pull(&[owned(client)], &mut spool, options, &mut deliver).unwrap();
    assert_eq!((report.delivered, report.acknowledged, report.refused), (4, 4, 0));
    assert!(got == bodies);
    let mailbox = Mailbox(key().public()).to_string();
    let id = id_of(&long);
    let ranges = (1..5).map(|n| format!("{id}bytes={}-", n << 20));
    let expected: Vec<String> = [mailbox.clone(), "take".into(), id.to_string()]
        .into_iter()
        .chain(ranges)
        .chain(["take".into(), "ack".into(), mailbox])
        .collect();
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[test]
fn a_later_run_goes_on_with_what_came_of_a_long_message() {
    let long = long();
    let mut times = 0;
    // Four bodies in a row bring nothing: this run gives up.
    let (client, lines) = holding(
        &[&long],
        |_| Vec::new(),
        move |rest| {
            times += 1;
            match times {
                1 => 5 << 20,
                2..=4 => 0,
                _ => rest,
            }
        },
    );
    let folder = tempfile::tempdir().unwrap();
    let boxes = [owned(client)];
    let run = || {
        let mut spool = Spool::open(folder.path()).unwrap();
        let deliver = |_, _: &mut File| Ok::<_, Error>(Delivered::Yes);
        pull::pull(&boxes, &mut spool, pull::Options::default(), deliver)
    };
    assert!(matches!(run().unwrap().failed[..], [(0, Error::Temporary { .. })]));
    lines.lock().unwrap().clear();
    assert_eq!(run().unwrap().delivered, 1);
    assert_eq!(lines.lock().unwrap()[1], format!("{}bytes={}-", id_of(&long), 5 << 20));
}

#[test]
fn a_mailbox_is_followed_over_broken_lines() {
    // It says that it is there, and hangs up.
    let (client, lines) = holding(&[b"one", b"two"], |_| b": alive\n\n".to_vec(), |rest| rest);
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let mut offered = Vec::new();
    // What is put off is offered again when the line is mended.
    let deliver = |id, _: &mut File| {
        offered.push(id);
        Ok::<_, Error>(if offered.len() == 1 { Delivered::Later } else { Delivered::Yes })
    };
    let options = pull::Options { limit: 2, ..pull::Options::default() };
    let report = pull::follow(&[owned(client)], &mut spool, options, deliver, |_, _| ()).unwrap();
    assert_eq!((report.delivered, report.later, report.acknowledged), (2, 1, 2));
    assert_eq!(offered, [b"one", b"two", b"one"].map(|body| id_of(body)));
    assert_eq!(lines.lock().unwrap().iter().filter(|line| *line == "events").count(), 1);
}

#[test]
fn a_message_that_arrives_while_following_is_delivered_at_once() {
    let told = format!("data: {}\n\n", serde_json::to_string(&entry(b"late")).unwrap());
    let held = Arc::new(Mutex::new(Vec::new()));
    let mailbox = held.clone();
    let client = relay(move |mut asked| {
        let body = asked.whole_body();
        if asked.line.ends_with("/events") {
            mailbox.lock().unwrap().push(entry(b"late"));
            asked.answer("200 OK\r\ncontent-length: 9999", told.as_bytes());
        } else if asked.line.ends_with("/take") {
            let mut out = Vec::new();
            frame::push(&mut out, &id_of(b"late"), b"late");
            asked.answer("200 OK", &out);
        } else if asked.line.ends_with("/ack") {
            assert!(String::from_utf8(body).unwrap().contains(&id_of(b"late").to_string()));
            mailbox.lock().unwrap().clear();
            asked.answer("200 OK", br#"{"deleted":1}"#);
        } else {
            let messages = mailbox.lock().unwrap().clone();
            asked.answer("200 OK", &serde_json::to_vec(&Listing { messages }).unwrap());
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let options = pull::Options { limit: 1, ..pull::Options::default() };
    let deliver = |_, _: &mut File| Ok::<_, Error>(Delivered::Yes);
    let report = pull::follow(&[owned(client)], &mut spool, options, deliver, |_, _| ()).unwrap();
    assert_eq!((report.delivered, report.acknowledged), (1, 1));
    assert!(held.lock().unwrap().is_empty());
}

fn owned(client: Client) -> pull::Owned {
    pull::Owned { relay: Arc::new(client), key: Arc::new(key()) }
}

#[test]
fn several_mailboxes_are_pulled_though_one_cannot_be_reached() {
    let (one, _) = holding(&[b"one"], |_| Vec::new(), |rest| rest);
    let (two, left) = holding(&[b"two", b"three"], |_| Vec::new(), |rest| rest);
    let options = Options { retries: 0, ..Options::default() };
    let nobody = Client::new("http://127.0.0.1:9", options).unwrap();
    let mut boxes = vec![owned(one), owned(two)];
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let mut got = Vec::new();
    let mut deliver = |id, _: &mut File| {
        got.push(id);
        Ok::<_, Error>(Delivered::Yes)
    };
    let options = pull::Options { limit: 1, ..pull::Options::default() };
    let report = pull::pull(&boxes, &mut spool, options, &mut deliver).unwrap();
    assert_eq!((report.delivered, report.acknowledged), (1, 1));
    boxes.insert(1, owned(nobody));
    let options = pull::Options { wait: Duration::from_secs(1), ..pull::Options::default() };
    let report = pull::pull(&boxes, &mut spool, options, &mut deliver).unwrap();
    assert!(matches!(report.failed[..], [(1, Error::Temporary { .. })]));
    got.sort();
    let mut all = [&b"one"[..], b"two", b"three"].map(id_of);
    all.sort();
    assert_eq!(got, all);
    assert!(left.lock().unwrap().iter().any(|line| line == "ack"));
}

#[test]
fn whoever_waits_at_several_mailboxes_hears_of_the_first_message() {
    let told = format!("data: {}\n\n", serde_json::to_string(&entry(b"late")).unwrap());
    let (quiet, _) = holding(&[], |_| b": alive\n\n".to_vec(), |rest| rest);
    let listed = Arc::new(Mutex::new(0));
    let late = relay(move |mut asked| {
        asked.whole_body();
        if asked.line.ends_with("/events") {
            asked.answer("200 OK\r\ncontent-length: 9999", told.as_bytes());
        } else if asked.line.ends_with("/take") {
            let mut out = Vec::new();
            frame::push(&mut out, &id_of(b"late"), b"late");
            asked.answer("200 OK", &out);
        } else if asked.line.ends_with("/ack") {
            asked.answer("200 OK", br#"{"deleted":1}"#);
        } else {
            // It is there from the second look on.
            *listed.lock().unwrap() += 1;
            let there = *listed.lock().unwrap() == 2;
            let messages = if there { vec![entry(b"late")] } else { Vec::new() };
            asked.answer("200 OK", &serde_json::to_vec(&Listing { messages }).unwrap());
        }
    });
    let boxes = [owned(quiet), owned(late)];
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let options =
        pull::Options { wait: Duration::from_secs(20), limit: 1, ..pull::Options::default() };
    let deliver = |_, _: &mut File| Ok::<_, Error>(Delivered::Yes);
    let mut broken = 0;
    let report = pull::follow(&boxes, &mut spool, options, deliver, |_, _| broken += 1).unwrap();
    assert_eq!((report.delivered, report.acknowledged, broken), (1, 1, 0));
}

/// Sends a byte now and then until the client hangs up, or for a minute.
fn trickle(mut asked: Asked, head: &str, piece: &[u8]) {
    let _ = asked.whole_body();
    let _ = asked.stream.get_mut().write_all(head.as_bytes());
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(100));
        if asked.stream.get_mut().write_all(piece).is_err() {
            return;
        }
    }
}

const FAST: &str = match std::str::from_utf8(&[b' '; 1000]) {
    Ok(text) => text,
    Err(_) => "",
};

/// Every read brings a byte in time, so only the time of all of them together ends it.
#[test]
fn a_relay_that_trickles_its_answer_hangs_nobody() {
    let json = "content-type: application/json\r\ncontent-length: 16000\r\n\r\n";
    let answers = [
        (format!("HTTP/1.1 404 Not Found\r\n{json}"), " "),
        (format!("HTTP/1.1 503 Busy\r\n{json}"), " "),
        (format!("HTTP/1.1 200 OK\r\n{json}"), " "),
        // Faster than a message has to come, and no message.
        ("HTTP/1.1 200 OK\r\ncontent-length: 8000000\r\n\r\n{".into(), FAST),
        ("HTTP/1.1 404 Not Found\r\n".into(), "x-more: a\r\n"),
        ("HTTP/1.1 100 Continue\r\n\r\n".into(), "HTTP/1.1 100 Continue\r\n\r\n"),
    ];
    for (head, piece) in answers {
        let sent = head.clone();
        let mut client = relay(move |asked| {
            let head = sent.clone();
            std::thread::spawn(move || trickle(asked, &head, piece.as_bytes()));
        });
        client.options.timeout = Duration::from_millis(300);
        client.options.retries = 0;
        let start = Instant::now();
        assert!(push(&client, b"sealed").is_err() || head.contains(" 200 "), "{head}");
        assert!(client.list(&key(), Duration::ZERO, 10).is_err(), "{head}");
        let message = entry(b"sealed");
        assert!(client.fetch(&key(), &message, &mut Vec::new()).is_err(), "{head}");
        assert!(client.take(&key(), &[message], &mut |_, _| Ok(())).is_err(), "{head}");
        assert!(start.elapsed() < Duration::from_secs(20), "{head}: {:?}", start.elapsed());
    }
}

#[test]
fn a_stream_that_brings_no_event_is_not_alive() {
    for piece in ["x", "data: x\n", "event: weather\ndata: rain\n\n"] {
        let mut client = relay(move |asked| {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n:\n";
            std::thread::spawn(move || trickle(asked, head, piece.as_bytes()));
        });
        (client.options.timeout, client.silence) = (Duration::from_millis(500), Duration::ZERO);
        let start = Instant::now();
        let last = client.events(&key()).unwrap().last();
        assert!(matches!(last, Some(Err(Error::Temporary { .. }))), "{piece}: {last:?}");
        assert!(start.elapsed() < Duration::from_secs(20), "{piece}: {:?}", start.elapsed());
    }
}

#[test]
fn retries_end_with_the_time_of_the_request() {
    let asked_for = Arc::new(Mutex::new(0));
    let told = asked_for.clone();
    let mut client = relay(move |asked| {
        *told.lock().unwrap() += 1;
        std::thread::spawn(move || trickle(asked, "", b""));
    });
    (client.options.timeout, client.options.retries) = (Duration::from_millis(300), 9);
    assert!(client.status(&key()).unwrap_err().is_temporary());
    assert_eq!(*asked_for.lock().unwrap(), 1);
}

/// The date of an answer, and when the request it answers was signed.
fn stale(date: jiff::Timestamp) -> (Client, Arc<Mutex<Vec<u64>>>) {
    let signed = Arc::new(Mutex::new(Vec::new()));
    let told = signed.clone();
    let date = jiff::fmt::rfc2822::to_string(&date.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
    let client = relay(move |asked| {
        let input = asked.header("signature-input");
        let created = input.split("created=").nth(1).unwrap().split(';').next().unwrap();
        told.lock().unwrap().push(created.parse().unwrap());
        asked.refuse(&format!("401 Unauthorized\r\ndate: {date}"), "stale");
    });
    (client, signed)
}

#[test]
fn a_relay_obtains_no_signature_for_another_day() {
    let now = unix_now();
    let at = |seconds: i64| jiff::Timestamp::from_second(now as i64 + seconds).unwrap();
    let year_9999 = "9999-12-01T00:00:00Z".parse().unwrap();
    for (date, near) in [
        (year_9999, false),
        (jiff::Timestamp::UNIX_EPOCH, false),
        (at(86_400 + 3600), false),
        (at(-86_400 - 3600), false),
        (at(80_000), true),
        (at(-80_000), true),
    ] {
        let (client, signed) = stale(date);
        let error = client.status(&key()).unwrap_err();
        let signed = signed.lock().unwrap().clone();
        assert_eq!(signed.len(), if near { 2 } else { 1 }, "{date}");
        assert!(signed.iter().all(|created| created.abs_diff(now) <= 86_400 + 60), "{signed:?}");
        // It names both times.
        let text = error.to_string();
        assert!(text.contains(&date.to_string()[..16]), "{text}");
        assert!(text.contains(&at(0).to_string()[..13]), "{text}");
    }
}

#[test]
fn a_relay_of_other_versions_is_named_as_one() {
    let info = |versions: &str| {
        format!(
            r#"{{"protocol":"bulla-relay","versions":{versions},"limits":{{"message_bytes":1,
            "list":1,"ack":1,"batch":1,"batch_bytes":1,"frame_bytes":1,"wait_seconds":1,
            "ttl_hours":1,"window_seconds":1}},"registration":"open","more":0}}"#
        )
    };
    for (versions, expected) in [
        (r#"{"min":2,"max":3}"#, Some((2, 3))),
        (r#"{"min":0,"max":0}"#, Some((0, 0))),
        (r#"{"min":1,"max":2}"#, None),
        ("null", None),
    ] {
        let info = info(versions);
        let asked_for = Arc::new(Mutex::new(Vec::new()));
        let told = asked_for.clone();
        let client = relay(move |mut asked| {
            let _ = asked.whole_body();
            told.lock().unwrap().push(asked.line.clone());
            if asked.line == "GET /v1/info" {
                asked.answer("200 OK", info.as_bytes());
            } else {
                asked.refuse("404 Not Found", "no_route");
            }
        });
        for error in [push(&client, b"sealed").unwrap_err(), client.status(&key()).unwrap_err()] {
            match (&error, expected) {
                (Error::Version { min, max }, Some(range)) => assert_eq!((*min, *max), range),
                (Error::Refused { code, .. }, None) => assert_eq!(code, "no_route"),
                _ => panic!("{versions}: {error}"),
            }
        }
        assert_eq!(asked_for.lock().unwrap().len(), 4);
    }
    // Nothing is asked where all goes well.
    let asked_for = Arc::new(Mutex::new(0));
    let told = asked_for.clone();
    let client = relay(move |mut asked| {
        let _ = asked.whole_body();
        *told.lock().unwrap() += 1;
        asked.answer("201 Created", b"");
    });
    push(&client, b"sealed").unwrap();
    client.register(&key(), None).unwrap();
    assert_eq!(*asked_for.lock().unwrap(), 2);
}
