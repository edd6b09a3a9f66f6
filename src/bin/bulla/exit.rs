//! How a run ends: one status for each kind of ending, and what to type next.

use std::fmt;

/// Exit statuses, as the man page lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Negative = 1,
    Usage = 2,
    NoIdentityFits = 10,
    SenderNotAuthenticated = 11,
    Damaged = 12,
    Malformed = 13,
    Locked = 14,
    WrongPassphrase = 15,
    Conflict = 16,
    OutputExists = 20,
    InputMissing = 21,
    UnsafePermissions = 22,
    Partial = 23,
    MoreLetters = 24,
    SomeFailed = 25,
    CommandFailed = 26,
    Failure = 70,
    Temporary = 75,
    Refused = 77,
    /// 128 + SIGPIPE: what a shell reports for a program whose reader went away.
    ClosedPipe = 141,
}

impl Exit {
    const ALL: &[Self] = &[
        Self::Done,
        Self::Negative,
        Self::Usage,
        Self::NoIdentityFits,
        Self::SenderNotAuthenticated,
        Self::Damaged,
        Self::Malformed,
        Self::Locked,
        Self::WrongPassphrase,
        Self::Conflict,
        Self::OutputExists,
        Self::InputMissing,
        Self::UnsafePermissions,
        Self::Partial,
        Self::MoreLetters,
        Self::SomeFailed,
        Self::CommandFailed,
        Self::Failure,
        Self::Temporary,
        Self::Refused,
        Self::ClosedPipe,
    ];

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Returns the status that a command before the pipe ended with; that of a failure where it is
    /// none of ours.
    pub(crate) fn of_source(code: u8) -> Self {
        let known = Self::ALL.iter().copied().find(|exit| exit.code() == code);
        known.filter(|exit| *exit != Self::Done).unwrap_or(Self::Failure)
    }
}

/// An error of the program itself, with its status and perhaps a hint.
#[derive(Debug)]
pub(crate) struct Fail {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Verdict on a letter in a stream, when it is about one.
    pub(crate) verdict: Option<Verdict>,
}

/// Why a letter was not written, though nothing is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was opened before, whole.
    Replay,
    /// It is from another sender than the run takes.
    Refused,
    /// Its sender is revoked.
    Revoked,
    /// The run wrote one already.
    Untaken,
}

impl Fail {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, verdict: None }
    }

    /// The error of a letter from a sender that the run does not take.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { verdict: Some(Verdict::Refused), ..Self::new(Exit::SenderNotAuthenticated, message) }
    }

    /// The error of a letter behind the one that the run wrote.
    pub(crate) fn untaken(message: impl Into<String>) -> Self {
        Self { verdict: Some(Verdict::Untaken), ..Self::new(Exit::MoreLetters, message) }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fail {}
