//! What was read: each file, how it looked then, and the documents it holds. Kept in a cell file of
//! the index, named by the same commit that makes the documents durable.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::directory::error::OpenReadError;
use tantivy::directory::{Directory as _, FileHandle, TerminatingWrite as _};

use crate::crypto;
use crate::index::engine::Index;
use crate::index::error::Error;
use crate::index::storage::segments::CATALOGUE;
use crate::text;
use crate::wire::{self, Decode, Encode, FilePath, Record};

/// Documents of one record, so that none is long.
const HOLDINGS: usize = 4096;
/// Longest path in bytes; a file with a longer one is not remembered.
const MAX_PATH: usize = 64 << 10;

/// How a file looked: it is taken for unchanged while nothing of this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
pub(crate) struct Stat {
    /// Bytes.
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
    /// Numbers of the file system and of the file in it; 0 where there are none.
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// The id of a document: of one that was read here the 16 bytes it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub(crate) enum Name {
    Hash(u128),
    Text(Box<str>),
}

impl Name {
    pub(crate) fn of(id: &str) -> Self {
        let lower = !id.bytes().any(|b| b.is_ascii_uppercase());
        match u128::from_str_radix(id, 16) {
            Ok(hash) if id.len() == 32 && lower && !id.starts_with('+') => Self::Hash(hash),
            _ => Self::Text(id.into()),
        }
    }

    pub(crate) fn id(&self) -> String {
        match self {
            Self::Hash(hash) => text::hex_encode(&hash.to_be_bytes()),
            Self::Text(id) => id.to_string(),
        }
    }
}

/// A document in a file.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Holding {
    pub(crate) name: Name,
    /// Where it begins, when the file holds many.
    pub(crate) offset: u64,
    /// The document says that it came from here.
    pub(crate) home: bool,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub(crate) enum Shape {
    /// One document, whose id is the file's.
    #[default]
    File,
    /// A message.
    Mail,
    /// Messages behind each other.
    Mbox,
    /// Lines of JSON.
    Lines,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    pub(crate) stat: Stat,
    /// It was changed so shortly before that its time does not tell whether it was again.
    pub(crate) fresh: bool,
    /// Of its content: of a file that is one document of all, of others of samples up to `end`.
    pub(crate) content: u128,
    /// Bytes read of a file that holds many documents and may grow; 0 for another.
    pub(crate) end: u64,
    /// What it was read as.
    pub(crate) shape: Shape,
    /// What kind of binary it is, when it was left out for that.
    pub(crate) binary: Option<u8>,
    pub(crate) holds: Vec<Holding>,
}

/// All files that were read.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub(crate) files: HashMap<PathBuf, Entry>,
    /// How many files hold a document, those twice that hold it twice.
    held: HashMap<Name, u32>,
    /// Differs from what is on the disk.
    pub(crate) changed: bool,
}

impl Catalogue {
    pub(crate) fn get(&self, path: &Path) -> Option<&Entry> {
        self.files.get(path)
    }

    /// Takes a file out; its documents are still said to be held, until [`Self::release`].
    pub(crate) fn take(&mut self, path: &Path) -> Option<Entry> {
        self.changed = true;
        self.files.remove(path)
    }

    /// Puts a file in whose documents were counted before ([`Self::hold`], [`Self::take`]).
    pub(crate) fn put(&mut self, path: PathBuf, entry: Entry) {
        self.changed = true;
        if path.as_os_str().len() <= MAX_PATH {
            self.files.insert(path, entry);
        }
    }

    /// Whether a file holds a document.
    pub(crate) fn holds(&self, name: &Name) -> bool {
        self.held.contains_key(name)
    }

    /// Counts one more file that holds a document.
    pub(crate) fn hold(&mut self, name: &Name) {
        *self.held.entry(name.clone()).or_default() += 1;
    }

    /// Counts one file less; true when it was the last.
    pub(crate) fn release(&mut self, name: &Name) -> bool {
        let Some(count) = self.held.get_mut(name) else { return true };
        *count -= 1;
        if *count == 0 {
            self.held.remove(name);
            return true;
        }
        false
    }

    /// Reads the catalogue that the index's last commit names; an empty one when it names none, or
    /// one that is damaged: then all is read again, and known by its ids.
    pub(crate) fn load(index: &Index) -> Result<Self, Error> {
        let mut catalogue = Self::default();
        let Some(name) = index.catalogue()? else { return Ok(catalogue) };
        let stream = match index.directory.get_file_handle(Path::new(&name)) {
            Ok(stream) => stream,
            Err(OpenReadError::FileDoesNotExist(_)) => return Ok(catalogue),
            Err(error) => return index.checked(Err(error.into())),
        };
        let stream = Stream { stream, at: 0 };
        let read = catalogue.read(&mut BufReader::with_capacity(64 << 10, stream));
        match index.checked(read.map_err(|error| io::Error::other(error).into())) {
            Ok(()) => Ok(catalogue),
            Err(Error::Damaged(_)) => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn read(&mut self, from: &mut impl Read) -> Result<(), wire::Error> {
        let mut bytes = Vec::new();
        let mut last: Option<(PathBuf, Entry)> = None;
        let mut before: Vec<u8> = Vec::new();
        loop {
            let mut length = [0; 4];
            from.read_exact(&mut length)?;
            let length = u32::from_le_bytes(length) as usize;
            if length > Item::MAX {
                let got = length as u64;
                return Err(wire::Error::TooLong { name: Item::NAME, max: Item::MAX, got });
            }
            bytes.resize(length, 0);
            from.read_exact(&mut bytes)?;
            let item: Item = wire::decode(&bytes)?;
            if !matches!(item, Item::Holdings(_))
                && let Some((path, entry)) = last.take()
            {
                self.files.insert(path, entry);
            }
            match item {
                Item::End => return Ok(()),
                Item::Holdings(holds) => {
                    holds.iter().for_each(|one| self.hold(&one.name));
                    if let Some((_, entry)) = &mut last {
                        entry.holds.extend(holds);
                    }
                }
                Item::File { shared, rest, stat, fresh, content, end, shape, binary } => {
                    before.truncate(shared as usize);
                    before.extend(rest);
                    let holds = Vec::new();
                    let entry = Entry { stat, fresh, content, end, shape, binary, holds };
                    last = Some((FilePath::from_bytes(&before).into(), entry));
                }
            }
        }
    }

    /// Writes the catalogue under a new name and returns that: the next commit is to say it.
    pub(crate) fn store(&mut self, index: &Index) -> Result<String, Error> {
        let name = format!("{CATALOGUE}{}", text::hex_encode(&crypto::random::<8>()?));
        let write = || -> Result<(), tantivy::TantivyError> {
            let mut file = index.directory.open_write(Path::new(&name))?;
            self.write(&mut file).map_err(io::Error::other)?;
            Ok(file.terminate()?)
        };
        index.checked(write())?;
        self.changed = false;
        Ok(name)
    }

    fn write(&self, to: &mut impl Write) -> Result<(), wire::Error> {
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_unstable_by_key(|(path, _)| path.as_os_str());
        let mut item = |item: &Item| -> Result<(), wire::Error> {
            let bytes = wire::encode(item)?;
            to.write_all(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes())?;
            Ok(to.write_all(&bytes)?)
        };
        let mut before: &[u8] = &[];
        for (path, entry) in files {
            let path = path.as_os_str().as_encoded_bytes();
            let shared = path.iter().zip(before).take_while(|(a, b)| a == b).count();
            item(&Item::File {
                shared: u32::try_from(shared).unwrap_or_default(),
                rest: path.get(shared..).unwrap_or_default().to_vec(),
                stat: entry.stat,
                fresh: entry.fresh,
                content: entry.content,
                end: entry.end,
                shape: entry.shape,
                binary: entry.binary,
            })?;
            for holds in entry.holds.chunks(HOLDINGS) {
                item(&Item::Holdings(holds.to_vec()))?;
            }
            before = path;
        }
        item(&Item::End)
    }
}

/// A stream of the index from its beginning to its end.
struct Stream {
    stream: Arc<dyn FileHandle>,
    at: usize,
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = buf.len().min(self.stream.len() - self.at);
        let bytes = self.stream.read_bytes(self.at..self.at + length)?;
        buf.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);
        self.at += length;
        Ok(length)
    }
}

/// One record of the file: a file, then its documents.
#[derive(Debug, Encode, Decode)]
enum Item {
    File {
        /// Bytes its path has in common with that of the file before; files are in their order.
        shared: u32,
        rest: Vec<u8>,
        stat: Stat,
        fresh: bool,
        content: u128,
        end: u64,
        shape: Shape,
        binary: Option<u8>,
    },
    Holdings(Vec<Holding>),
    End,
}

impl Record for Item {
    const NAME: &'static str = "catalogue";
    const VERSION: u8 = 1;
    const MAX: usize = 2 << 20;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (path, count) in [("/a/b", 0u64), ("/a/bc", 1), ("/x", 10_000), ("/a/b/c", 2)] {
            let holds: Vec<_> = (0..count)
                .map(|n| Holding { name: Name::Hash(n.into()), offset: n * 300, home: n % 2 == 0 })
                .collect();
            holds.iter().for_each(|one| catalogue.hold(&one.name));
            let stat = Stat { size: count, modified: -5, device: 1, inode: 77 };
            let entry = Entry { stat, content: u128::MAX, end: 9, holds, ..Entry::default() };
            catalogue.put(path.into(), entry);
        }
        catalogue
    }

    fn bytes(catalogue: &Catalogue) -> Vec<u8> {
        let mut bytes = Vec::new();
        catalogue.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_comes_back() {
        let mut read = Catalogue::default();
        read.read(&mut bytes(&sample()).as_slice()).unwrap();
        assert_eq!((&read.files, &read.held), (&sample().files, &sample().held));
        assert!(!read.release(&Name::Hash(0)) && !read.release(&Name::Hash(0)));
        assert!(read.release(&Name::Hash(0)) && !read.holds(&Name::Hash(0)));
    }

    #[test]
    fn golden_bytes() {
        let mut catalogue = Catalogue::default();
        let name = Name::Text("m".into());
        let stat = Stat { size: 300, modified: -1, device: 2, inode: 3 };
        let holds = vec![Holding { name, offset: 4, home: true }];
        let entry = Entry {
            stat,
            fresh: true,
            content: 5,
            end: 6,
            shape: Shape::Mbox,
            binary: Some(7),
            holds,
        };
        catalogue.put("/p".into(), entry);
        assert_eq!(
            text::hex_encode(&bytes(&catalogue)),
            "1200000001000002\
             2f70fb2c01010203010506020107\
             080000000101\
             0101016d0401\
             020000000102"
        );
    }

    #[test]
    fn ids_are_short_or_whole() {
        for id in ["00ff00ff00ff00ff00ff00ff00ff00ff", "", "x", "00FF00ff00ff00ff00ff00ff00ff00ff"]
        {
            assert_eq!(Name::of(id).id(), id);
        }
        assert!(matches!(Name::of(&"0f".repeat(16)), Name::Hash(_)));
        assert!(matches!(Name::of(&format!("+{}", "0".repeat(31))), Name::Text(_)));
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(
            at in 0usize..10_000,
            byte in proptest::prelude::any::<u8>(),
            length in 0usize..20_000,
        ) {
            let mut bytes = bytes(&sample());
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(length);
            let _ = Catalogue::default().read(&mut bytes.as_slice());
        }
    }
}
