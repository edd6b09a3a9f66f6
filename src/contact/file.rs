//! The book on the disk: one sealed file, replaced as a whole under a lock.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::contact::Book;
use crate::contact::Error;
use crate::contact::Place;
use crate::crypto;
use crate::files;
use crate::secret::Secret;
use crate::wire;
use crate::wire::Record as _;

/// What the record at rest is bound to.
const KIND: &str = "contact book";
/// Greatest file: the record, an eighth of padding, salt and tag.
const MAX_FILE: u64 = (Book::MAX as u64 / 8) * 9 + 1024;

/// A contact book in a folder of the owner's state.
///
/// The file `book` is one record at rest ([`crypto::seal_record`]) and shows nothing but its
/// padded size and when it changed. It is replaced atomically and durably; a missing file is
/// an empty book; a damaged one is an error and stays as it is.
#[derive(Debug)]
pub struct BookFile {
    folder: PathBuf,
    key: Secret<32>,
}

impl BookFile {
    /// The book in `folder`, under the key that
    /// [`Identity::storage_key`](crate::identity::Identity::storage_key) gives for
    /// [`STORAGE_BOOK`](crypto::label::STORAGE_BOOK). Touches no file.
    pub fn new(folder: &Path, key: Secret<32>) -> Self {
        Self { folder: folder.to_owned(), key }
    }

    /// The book as it is now. Takes no lock: a book is replaced as a whole.
    pub fn read(&self) -> Result<Book, Error> {
        match files::read_bounded(&self.path(), MAX_FILE) {
            Ok(sealed) => {
                let record =
                    crypto::open_record(&self.key, KIND, &sealed).map_err(Error::Damaged)?;
                wire::decode(&record).map_err(Error::Record)
            }
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(Book::default()),
            Err(other) => Err(other.into()),
        }
    }

    /// Changes the book: lock, read, change, and when something changed and `change` is
    /// content, write durably. The folder is created for the owner alone.
    pub fn update<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut Book) -> Result<T, E>,
    ) -> Result<T, E> {
        files::create_private_folder(&self.folder).map_err(Error::Io)?;
        let _lock = files::Lock::acquire(&self.folder.join("book.lock")).map_err(Error::Io)?;
        let mut book = self.read()?;
        let before = book.clone();
        let result = change(&mut book)?;
        if book != before {
            self.write(&book)?;
        }
        Ok(result)
    }

    /// The place of the next letter to a contact, durable when this returns: a number is never
    /// used twice, whatever becomes of the letter.
    pub fn next_outgoing(&self, name: &str) -> Result<Place, Error> {
        self.update(|book| book.next_outgoing(name))
    }

    fn write(&self, book: &Book) -> Result<(), Error> {
        let record = Zeroizing::new(wire::encode(book).map_err(Error::Record)?);
        let sealed = crypto::seal_record(&self.key, KIND, &record)?;
        Ok(files::replace_private(&self.path(), &sealed)?)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("book")
    }
}
