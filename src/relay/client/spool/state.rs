//! States of a message, and the names of files that keep them.

use crate::relay::protocol::Id;

/// State of a message in the spool, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Waiting,
    /// Waits, and was refused by the reader it was given to.
    Deferred,
    /// In this turn, and kept until this time in seconds of Unix time; until [`KEPT`] after it was
    /// given out where that is zero.
    ///
    /// [`KEPT`]: super::folder::KEPT
    Given(u64, u64),
    Done,
}

impl State {
    pub(super) fn extension(self) -> String {
        match self {
            Self::Waiting => "waiting".into(),
            Self::Deferred => "deferred".into(),
            Self::Given(turn, 0) => format!("{turn:016x}.given"),
            Self::Given(turn, until) => format!("{turn:016x}.{until:016x}.given"),
            Self::Done => "done".into(),
        }
    }

    fn parse(extension: &str) -> Option<Self> {
        match extension {
            "waiting" => Some(Self::Waiting),
            "deferred" => Some(Self::Deferred),
            "given" => Some(Self::Given(0, 0)),
            "done" => Some(Self::Done),
            given => {
                let given = given.strip_suffix(".given")?;
                match given.split_once('.') {
                    None => Some(Self::Given(hex(given)?, 0)),
                    Some((turn, until)) => Some(Self::Given(hex(turn)?, hex(until)?)),
                }
            }
        }
    }
}

pub(super) fn parse_name(name: &str) -> Option<(u64, Id, State)> {
    let (name, extension) = name.split_once('.')?;
    let (number, id) = name.split_once('-')?;
    Some((hex(number)?, id.parse().ok()?, State::parse(extension)?))
}

/// A number of exactly sixteen digits.
fn hex(text: &str) -> Option<u64> {
    (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok()).flatten()
}
