//! Hearing of messages as they arrive: server-sent events (WHATWG HTML, section 9.2).

use std::io::{BufRead as _, BufReader, Read};

use ureq::http::Method;

use crate::crypto::SigningSecret;
use crate::relay::client::error::Error;
use crate::relay::client::http::answer;
use crate::relay::client::http::client::{Call, Client};
use crate::relay::client::http::pace::Within;
use crate::relay::client::transport::{Event, Events};

/// Greatest line of a stream, in bytes: an entry is a tenth of it.
const MAX_LINE: u64 = 2 << 10;

impl Client {
    /// Asks to be told of the messages in the mailbox of `key`.
    pub(super) fn get_events(&self, key: &SigningSecret) -> Result<Events, Error> {
        let call = Call {
            header: Some(("accept", "text/event-stream".into())),
            wait: self.silence,
            is_long: true,
            ..Call::owner(Method::GET, key, "/events")
        };
        let response = self.call(&call)?;
        // However it comes, a sign of life is whole within this time.
        let input = Within::new(
            response.into_body().into_reader(),
            self.options.timeout.saturating_add(self.silence),
        );
        let mut parser = Parser { input: BufReader::new(input) };
        let mut failed = false;
        Ok(Box::new(std::iter::from_fn(move || {
            parser.input.get_mut().renew();
            let event = if failed { None } else { parser.next().transpose() };
            failed = matches!(event, Some(Err(_)));
            event
        })))
    }
}

struct Parser<R> {
    input: BufReader<R>,
}

impl<R: Read> Parser<R> {
    fn next(&mut self) -> Result<Option<Event>, Error> {
        let mut kind = String::new();
        let mut data = String::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            let read = read.map_err(|error| answer::transport(error.into()))?;
            if read == 0 {
                return Ok(None);
            }
            if line.pop() != Some(b'\n') {
                // Too long, or cut off by the end, with which an event is not complete.
                let long = read as u64 == MAX_LINE;
                return if long {
                    Err(Error::Protocol("its events are too long".into()))
                } else {
                    Ok(None)
                };
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            let text = String::from_utf8_lossy(&line);
            let (field, value) = text.split_once(':').unwrap_or((&text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if !text.is_empty() => return Ok(Some(Event::Alive)),
                // An empty line ends an event. One of another kind is of a newer relay.
                "" if data.is_empty() => kind.clear(),
                "" if matches!(kind.as_str(), "" | "message") => {
                    let entry = serde_json::from_str(&data);
                    return entry
                        .map(|entry| Some(Event::Message(entry)))
                        .map_err(|error| Error::Protocol(error.to_string()));
                }
                "" => {
                    kind.clear();
                    data.clear();
                }
                "event" => value.clone_into(&mut kind),
                // Ours have one line of data, so there is nothing to join.
                "data" => value.clone_into(&mut data),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::protocol::{Entry, Id};
    use proptest::prelude::*;

    fn events(input: &[u8]) -> Vec<Result<Event, Error>> {
        let mut parser = Parser { input: BufReader::new(input) };
        let mut events = Vec::new();
        while let Some(event) = parser.next().transpose() {
            let failed = event.is_err();
            events.push(event);
            if failed {
                break;
            }
        }
        events
    }

    fn data(byte: u8) -> (Entry, String) {
        let entry = Entry { id: Id([byte; 32]), size: 7, expires: 3600 };
        (entry, serde_json::to_string(&entry).unwrap())
    }

    #[test]
    fn messages_comments_and_what_is_newer() {
        let ((one, first), (two, second)) = (data(1), data(2));
        let input = format!(
            ": hello\n\nid: {}\nevent: message\ndata: {first}\n\n\
             event: weather\ndata: rain\n\ndata:{second}\r\nretry: 5\r\n\r\ndata: {first}\n",
            one.id
        );
        let events: Vec<_> = events(input.as_bytes()).into_iter().map(Result::unwrap).collect();
        assert_eq!(events, [Event::Alive, Event::Message(one), Event::Message(two)]);
    }

    #[test]
    fn long_lines_and_other_data_are_refused() {
        let long = [b'x'; MAX_LINE as usize + 1];
        assert!(matches!(events(&long)[..], [Err(Error::Protocol(_))]));
        assert!(matches!(events(b"data: {}\n\n")[..], [Err(Error::Protocol(_))]));
        assert!(events(b"data: {}").is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = events(&bytes);
        }
    }
}
