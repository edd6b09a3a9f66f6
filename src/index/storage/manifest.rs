//! The commit point: which packs make up the index, and what opens each. `FORMAT.md` draws it.

use std::io;

use zeroize::Zeroizing;

use crate::crypto;
use crate::files::disk::{self, Disk};
use crate::index::storage::cells::{CELL, Damage, SALT};
use crate::index::storage::segments::group_of;
use crate::secret::Secret;
use crate::text;
use crate::wire::{self, Decode, Encode, Record};

/// Kind of the record.
const KIND: &str = "index manifest";
/// Bytes before the record in its sealed form: its length.
const LENGTH: usize = 4;
/// Bytes that sealing puts into the plaintext: another length.
const INSIDE: usize = 8;
/// What its length is a whole multiple of, but for what sealing adds.
const GRAIN: usize = 4 << 10;
/// Bytes that are read ahead: most manifests whole.
const AHEAD: u64 = 16 << 10;
/// Greatest length of the file, in bytes.
const MAX: u64 = 20 << 20;

/// The two places of manifests; one of an even generation stands in the first.
pub(crate) const SLOTS: [&str; 2] = ["manifest-0", "manifest-1"];

/// One state of the index.
#[derive(Encode, Decode)]
pub(crate) struct Manifest {
    /// Grows by one with each commit.
    pub(crate) generation: u64,
    /// The engine's own list of segments.
    pub(crate) meta: Vec<u8>,
    /// Every pack that this list needs.
    pub(crate) packs: Vec<Entry>,
}

/// A pack. Its secret stands nowhere else: a pack that no manifest names opens no more.
#[derive(Encode, Decode)]
pub(crate) struct Entry {
    pub(crate) id: [u8; 16],
    pub(crate) secret: Secret<32>,
    pub(crate) salt: [u8; SALT],
    /// Cells it has, padding included.
    pub(crate) cells: u64,
    pub(crate) streams: Vec<StreamEntry>,
}

/// One of the engine's files in a pack.
#[derive(Clone, Encode, Decode)]
pub(crate) struct StreamEntry {
    /// The engine's name for it.
    pub(crate) path: String,
    /// Length in bytes.
    pub(crate) length: u64,
    /// Runs of its whole cells: number of the first, and how many.
    pub(crate) runs: Vec<(u64, u64)>,
    /// The byte of the pack where the rest begins.
    pub(crate) tail: u64,
}

impl Record for Manifest {
    const NAME: &'static str = "index manifest";
    const VERSION: u8 = 1;
    const MAX: usize = 16 << 20;
}

impl Entry {
    /// The pack's file.
    pub(crate) fn name(&self) -> String {
        text::hex_encode(&self.id)
    }

    /// The pack's file, and its cells.
    pub(crate) fn extent(&self) -> (String, u64) {
        (self.name(), self.cells)
    }

    /// What it holds: a segment, or a list of removals.
    pub(crate) fn group(&self) -> &str {
        self.streams.first().map_or("", |stream| group_of(&stream.path))
    }

    /// A copy, with its secret.
    pub(crate) fn copy(&self) -> Option<Self> {
        let secret = Secret::from_slice(self.secret.expose())?;
        let Self { id, salt, cells, .. } = *self;
        Some(Self { id, secret, salt, cells, streams: self.streams.clone() })
    }

    /// Whether every stream lies within the pack.
    fn is_sound(&self) -> bool {
        let cell = CELL as u64;
        let room = self.cells.checked_mul(cell);
        let Some(room) = room.filter(|room| usize::try_from(*room).is_ok()) else { return false };
        self.streams.iter().all(|stream| {
            let mut whole = 0u64;
            let within = stream.runs.iter().all(|(first, count)| {
                whole = whole.saturating_add(*count);
                first.checked_add(*count).is_some_and(|end| end <= self.cells)
            });
            let rest = whole.checked_mul(cell).and_then(|whole| stream.length.checked_sub(whole));
            let end =
                rest.filter(|rest| *rest < cell).and_then(|rest| rest.checked_add(stream.tail));
            within && end.is_some_and(|end| end <= room)
        })
    }
}

impl Manifest {
    /// The names of its packs.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.packs.iter().map(Entry::name)
    }

    /// Reads a manifest from its bytes, and checks what it says.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, wire::Error> {
        let manifest: Self = wire::decode(bytes)?;
        if manifest.packs.iter().all(Entry::is_sound) {
            return Ok(manifest);
        }
        Err(wire::Error::Malformed { name: Self::NAME, why: "a stream is not in its pack".into() })
    }

    /// Where it stands.
    fn slot(&self) -> &'static str {
        let [even, odd] = SLOTS;
        if self.generation.is_multiple_of(2) { even } else { odd }
    }

    /// Writes it in place of the one before the last, durably.
    pub(crate) fn write(&self, disk: &dyn Disk, index_key: &Secret<32>) -> io::Result<()> {
        let record = Zeroizing::new(wire::encode(self).map_err(io::Error::other)?);
        // Its length tells about how many segments there are, as the number of packs does.
        let length = (LENGTH + record.len() + INSIDE).next_multiple_of(GRAIN) - INSIDE;
        let mut padded = Zeroizing::new(Vec::with_capacity(length));
        let number = u32::try_from(record.len()).map_err(io::Error::other)?;
        padded.extend_from_slice(&number.to_be_bytes());
        padded.extend_from_slice(&record);
        padded.resize(length, 0);
        let sealed = crypto::seal_record(index_key, KIND, &padded).map_err(io::Error::other)?;
        disk::replace(disk, self.slot(), &sealed)
    }
}

/// What stood in one of the two places.
enum Slot {
    Absent,
    Damaged(Damage),
    Sound(Manifest),
}

fn read(disk: &dyn Disk, slot: &'static str, keys: &[Secret<32>]) -> io::Result<Slot> {
    let damaged = |what: &str| Slot::Damaged(Damage { file: slot.into(), what: what.into() });
    let bytes = match disk::read(disk, slot, MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Slot::Absent),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::FileTooLarge | io::ErrorKind::UnexpectedEof
            ) =>
        {
            return Ok(damaged("it is no manifest"));
        }
        Err(error) => return Err(error),
    };
    let opened = keys.iter().find_map(|key| crypto::open_record(key, KIND, &bytes).ok());
    let Some(opened) = opened else {
        return Ok(damaged("it does not open (changed, cut or foreign)"));
    };
    let length = opened.first_chunk().map(|length| u32::from_be_bytes(*length) as usize);
    let record = length.and_then(|length| opened.get(LENGTH..LENGTH.checked_add(length)?));
    Ok(match record.map(Manifest::decode) {
        Some(Ok(manifest)) if manifest.slot() == slot => Slot::Sound(manifest),
        Some(Ok(_)) => damaged("it is of the other generation (moved)"),
        _ => damaged("it is not understood"),
    })
}

/// The newest manifest there is, and what is to be said about the other.
pub(crate) struct Found {
    pub(crate) newest: Manifest,
    /// The other place does not hold the generation before: perhaps it held a newer one.
    pub(crate) doubt: Option<Damage>,
    /// The generation before, whose packs stay too.
    pub(crate) before: Option<Manifest>,
}

/// Reads both manifests. `Err(Some(damage))` when neither opens, `Err(None)` when there is none.
pub(crate) fn newest(
    disk: &dyn Disk,
    keys: &[Secret<32>],
) -> io::Result<Result<Found, Option<Damage>>> {
    let [even, odd] = SLOTS;
    Ok(match (read(disk, even, keys)?, read(disk, odd, keys)?) {
        (Slot::Sound(one), Slot::Sound(other)) => {
            let (newest, before) =
                if one.generation > other.generation { (one, other) } else { (other, one) };
            let doubt = (newest.generation - before.generation != 1).then(|| Damage {
                file: before.slot().into(),
                what: "it is older than the generation before (an old copy)".into(),
            });
            Ok(Found { newest, doubt, before: Some(before) })
        }
        (Slot::Sound(newest), other) | (other, Slot::Sound(newest)) => {
            let doubt = match other {
                Slot::Damaged(damage) => Some(damage),
                // The first generation has none before it.
                _ if newest.generation == 1 => None,
                _ => {
                    let [even, odd] = SLOTS;
                    let file = if newest.slot() == even { odd } else { even };
                    Some(Damage { file: file.into(), what: "it is missing".into() })
                }
            };
            Ok(Found { newest, doubt, before: None })
        }
        (Slot::Damaged(damage), _) | (_, Slot::Damaged(damage)) => Err(Some(damage)),
        (Slot::Absent, Slot::Absent) => Err(None),
    })
}

/// What tells whether a manifest was written since: the random beginning of either file.
pub(crate) fn stamps(disk: &dyn Disk) -> [Option<[u8; 33]>; 2] {
    let files = SLOTS.map(|slot| disk.open(slot).ok());
    if disk.waited() {
        files.iter().flatten().for_each(|file| file.ahead(0, AHEAD));
    }
    files.map(|file| {
        let mut stamp = [0; 33];
        file?.read_at(&mut stamp, 0).ok()?;
        Some(stamp)
    })
}

#[cfg(test)]
mod tests;
