//! A relay that can lie: raw bytes over loopback, honest until it is told otherwise.

#![allow(dead_code, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How every request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As the protocol says, for an owner whose mailbox stays empty.
    Honest,
    /// The connection is closed without an answer.
    HangUp,
    /// Nothing comes.
    Silent,
    /// This, and then the second piece now and then, for minutes.
    Trickle(&'static str, &'static str),
    /// This, and then the second piece without end, as fast as it is taken.
    Flood(&'static str, &'static str),
    /// This alone.
    Raw(&'static str),
    /// Lists this; everything else is as in `Honest`.
    List(&'static str),
    /// Lists a message of 100 bytes, and answers the request for it so.
    Body(&'static str, &'static str),
    /// Reads a byte of an upload now and then.
    SlowReader,
}

/// A lying relay; its threads end with the test.
pub(crate) struct Evil {
    pub(crate) url: String,
    mode: Arc<Mutex<Mode>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Evil {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mode = Arc::new(Mutex::new(Mode::Honest));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (told, log) = (mode.clone(), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (told, log) = (told.clone(), log.clone());
                thread::spawn(move || drop(serve(stream.unwrap(), &told, &log)));
            }
        });
        Self { url, mode, requests }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// Returns the requests since the last call: method and target.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn serve(stream: TcpStream, told: &Mutex<Mode>, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    // A small window, so that whoever reads slowly is waited for soon.
    let mut stream = BufReader::with_capacity(1 << 10, stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let (mut length, mut expects) = (0, false);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header)?;
        let header = header.trim_end().to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap_or(0);
        }
        expects |= header.starts_with("expect:");
        if header.is_empty() {
            break;
        }
    }
    let target = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    log.lock().unwrap().push(target.clone());
    let mode = *told.lock().unwrap();
    if mode == Mode::SlowReader && length > 0 {
        if expects {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut byte = [0];
        loop {
            thread::sleep(Duration::from_millis(100));
            stream.read_exact(&mut byte)?;
        }
    }
    if expects && !matches!(mode, Mode::Raw(_)) {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    std::io::copy(&mut stream.by_ref().take(length), &mut std::io::sink())?;
    let stream = stream.get_mut();
    match mode {
        Mode::HangUp => Ok(()),
        Mode::Silent => {
            thread::sleep(Duration::from_secs(600));
            Ok(())
        }
        Mode::Trickle(head, piece) => trickle(stream, head, piece),
        Mode::Flood(head, piece) => {
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(piece.repeat(1000).as_bytes())?;
            }
        }
        Mode::Raw(answer) => stream.write_all(answer.as_bytes()),
        mode => honest(stream, &target, mode),
    }
}

/// Sends a piece now and then until the other side hangs up.
fn trickle(stream: &mut TcpStream, head: &str, piece: &str) -> std::io::Result<()> {
    stream.write_all(head.as_bytes())?;
    for _ in 0..6000 {
        thread::sleep(Duration::from_millis(100));
        stream.write_all(piece.as_bytes())?;
    }
    Ok(())
}

fn honest(stream: &mut TcpStream, target: &str, mode: Mode) -> std::io::Result<()> {
    let entry = format!(r#"{{"id":"{}","size":100,"expires":1898761600}}"#, "ab".repeat(32));
    let (method, path) = target.split_once(' ').unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.split('/').count();
    let (status, body) = match (method, path) {
        ("GET", _) if path.ends_with("/capabilities") => {
            ("200 OK", r#"{"capabilities":[]}"#.into())
        }
        ("PUT", _) if path.contains("/capabilities/") => ("204 No Content", String::new()),
        ("PUT", _) => ("201 Created", String::new()),
        ("POST", _) if path.ends_with("/ack") => ("200 OK", r#"{"deleted":0}"#.into()),
        ("POST", _) if path.ends_with("/take") => match mode {
            Mode::Body(head, piece) => return trickle(stream, head, piece),
            _ => ("200 OK", String::new()),
        },
        ("GET", _) if parts == 4 => match mode {
            Mode::List(list) => ("200 OK", list.into()),
            Mode::Body(..) => ("200 OK", format!(r#"{{"messages":[{entry}]}}"#)),
            _ => ("200 OK", r#"{"messages":[]}"#.into()),
        },
        ("GET", _) if parts == 5 && !path.ends_with("/events") => match mode {
            Mode::Body(head, piece) => return trickle(stream, head, piece),
            _ => ("404 Not Found", r#"{"error":"no_message","message":""}"#.into()),
        },
        _ => ("404 Not Found", r#"{"error":"no_route","message":""}"#.into()),
    };
    let length = if status.starts_with("204") {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{length}\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}
