//! Requests to the process that holds keys.
//!
//! Everything is of fixed length. A request is one byte and the name of an identity, which is a
//! hash of its locked form; an answer is one byte and, to [`Ask::Get`], what is held. Both ends
//! look who the other is before they say anything.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bulla::crypto;
use bulla::secret::Secret;
use zeroize::Zeroizing;

use crate::home::Home;

/// How long either end waits for the other.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Name of an identity.
pub(super) const NAME: usize = 32;
/// What is held of one: name of its folder, key of its index, seconds that are left.
pub(super) const HELD: usize = 8 + 32 + 8;

/// What is asked, as the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ask {
    Get = b'g',
    Put = b'p',
    Lock = b'l',
    Status = b's',
}

/// The answer that all went well.
pub(super) const YES: u8 = b'y';
/// The answer that there is no such thing.
pub(super) const NO: u8 = b'n';

/// What is held of one identity.
#[derive(Debug)]
pub(crate) struct Held {
    /// The hash of its locked form.
    pub(crate) name: [u8; NAME],
    /// Beginning of the name of its state's folder.
    pub(crate) folder: [u8; 8],
    /// What wraps the keys of its indexes.
    pub(crate) key: Secret<32>,
    /// How long it is held.
    pub(crate) time: Duration,
}

/// What an identity is called between the two ends.
pub(crate) fn name_of(locked: &[u8]) -> [u8; NAME] {
    crypto::sha256(&[b"bulla agent\0", locked])
}

impl Held {
    /// Bytes of a name and what is held.
    pub(crate) const RECORD: usize = NAME + HELD;

    /// Name and what is held, for the process that is to hold it.
    pub(crate) fn record(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::RECORD));
        bytes.extend_from_slice(&self.name);
        bytes.extend_from_slice(&self.encode());
        bytes
    }

    /// What [`Held::record`] gave.
    pub(crate) fn from_record(bytes: &[u8]) -> Option<Self> {
        let (name, rest) = bytes.split_first_chunk()?;
        let held = rest.first_chunk().filter(|held| held.len() == rest.len())?;
        Self::decode(*name, held)
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(HELD));
        bytes.extend_from_slice(&self.folder);
        bytes.extend_from_slice(self.key.expose());
        bytes.extend_from_slice(&self.time.as_secs().to_be_bytes());
        bytes
    }

    pub(super) fn decode(name: [u8; NAME], bytes: &[u8; HELD]) -> Option<Self> {
        let (folder, rest) = bytes.split_first_chunk()?;
        let (key, time) = rest.split_first_chunk::<32>()?;
        let time = Duration::from_secs(u64::from_be_bytes(*time.first_chunk()?));
        Some(Self { name, folder: *folder, key: Secret::from_slice(key)?, time })
    }
}

/// Where the agent listens: a folder that is ours alone.
pub(crate) fn socket(home: &Home) -> Option<PathBuf> {
    Some(home.runtime()?.join("agent"))
}

/// Whether the other end is ours.
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    #[cfg(target_os = "linux")]
    {
        rustix::net::sockopt::socket_peercred(stream)
            .is_ok_and(|peer| peer.uid == rustix::process::geteuid())
    }
    // Elsewhere the mode of the folder and of the socket has to do.
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        true
    }
}

fn connect(path: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    if !is_ours(&stream) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Asks, and returns the stream when the answer is yes.
fn ask(path: &Path, ask: Ask, name: &[u8; NAME], more: &[u8]) -> io::Result<Option<UnixStream>> {
    let mut stream = connect(path)?;
    let request = Zeroizing::new([&[ask as u8][..], name, more].concat());
    stream.write_all(&request)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok((answer == [YES]).then_some(stream))
}

/// What an agent holds of an identity, if there is one that does.
pub(crate) fn get(path: &Path, name: &[u8; NAME]) -> Option<Held> {
    let mut stream = ask(path, Ask::Get, name, &[]).ok()??;
    let mut bytes = Zeroizing::new([0; HELD]);
    stream.read_exact(&mut *bytes).ok()?;
    Held::decode(*name, &bytes)
}

/// Gives an agent something to hold; false when there is no agent.
pub(crate) fn put(path: &Path, held: &Held) -> bool {
    matches!(ask(path, Ask::Put, &held.name, &held.encode()), Ok(Some(_)))
}

/// Makes the agent forget and end; false when there is none.
pub(crate) fn lock(path: &Path) -> bool {
    matches!(ask(path, Ask::Lock, &[0; NAME], &[]), Ok(Some(_)))
}

/// How an agent is: how many identities, seconds until the last is forgotten, and whether its
/// memory is kept out of swap.
pub(crate) struct Status {
    pub(crate) identities: u64,
    pub(crate) seconds: u64,
    pub(crate) locked_memory: bool,
}

/// How the agent is, if there is one.
pub(crate) fn status(path: &Path) -> Option<Status> {
    let mut stream = ask(path, Ask::Status, &[0; NAME], &[]).ok()??;
    let (mut one, mut other, mut memory) = ([0; 8], [0; 8], [0]);
    stream.read_exact(&mut one).ok()?;
    stream.read_exact(&mut other).ok()?;
    stream.read_exact(&mut memory).ok()?;
    let (identities, seconds) = (u64::from_be_bytes(one), u64::from_be_bytes(other));
    Some(Status { identities, seconds, locked_memory: memory == [1] })
}
