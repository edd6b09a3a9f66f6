//! Making documents of bytes on all cores, while one thread reads and others index.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, available_parallelism};

use crate::index::document::budget::{Room, Taken};
use crate::index::document::{Document, Kind, MAX_BODY};
use crate::index::engine::Index;
use crate::index::error::Error;
use crate::index::ingest::formats::detect::Form;
use crate::index::ingest::formats::pdf::{Attached, PdfReader};
use crate::index::ingest::formats::{charset, flags, html, mail};
use crate::index::ingest::report::Skipped;
use crate::index::ingest::sources::threads::Threads;
use crate::index::writer::Sink;

/// Bytes between the reader and those who make documents of them.
const WAITING: usize = 64 << 20;
/// Pieces between them.
const PIECES: usize = 1024;
/// Most threads: the one that reads does not feed more.
const THREADS: usize = 16;
/// Stack of a thread, in bytes. Nothing here is deep on purpose; a parser may be.
const STACK: usize = 16 << 20;

/// Bytes that are to be a document.
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) raw: Vec<u8>,
    pub(crate) form: Form,
    pub(crate) path: Arc<Path>,
    /// Where it begins, when the file holds many.
    pub(crate) offset: Option<u64>,
    /// When the file was changed, in seconds since 1970.
    pub(crate) modified: i64,
    /// What its reader had put on the document whose place it takes.
    pub(crate) tags: BTreeSet<String>,
    /// Who reads PDFs.
    pub(crate) pdf: Option<PdfReader>,
}

/// What is to be told of a job.
pub(crate) enum Told {
    /// Nothing could be made of it.
    Failed(Skipped),
    /// What is attached to it could not be read.
    Part(Skipped),
    /// The end of its text was left out.
    Cut(Skipped),
}

/// Threads at work, until it is dropped.
pub(crate) struct Pool<'a> {
    jobs: SyncSender<(Job, Taken)>,
    room: Arc<Room>,
    told: Receiver<Told>,
    ended: Arc<Ended>,
    sink: Sink<'a>,
}

/// Why the index takes no more.
#[derive(Default)]
pub(crate) struct Ended {
    is: AtomicBool,
    why: Mutex<Option<Error>>,
}

impl Ended {
    fn end(&self, why: Error) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.is.store(true, Ordering::Relaxed);
    }

    /// The first reason there was.
    pub(crate) fn take(&self) -> Result<(), Error> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

impl<'a> Pool<'a> {
    /// Starts the threads in a scope, which waits for them.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, 'a>,
        sink: Sink<'a>,
        ended: &Arc<Ended>,
        (index, threads): (&'a Index, &'a Threads),
    ) -> Result<Self, Error> {
        let (jobs, queue) = sync_channel(PIECES);
        let (sender, told) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..available_parallelism().map_or(1, usize::from).min(THREADS) {
            let (queue, sender, ended) = (Arc::clone(&queue), sender.clone(), Arc::clone(ended));
            Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, move || {
                    let send = |document| threads.send(index, document, sink);
                    work(&queue, &sender, &ended, send);
                })
                .map_err(Error::io("a thread"))?;
        }
        let room = Room::new(WAITING);
        Ok(Self { jobs, room, told, ended: Arc::clone(ended), sink })
    }

    /// Hands a job on. False when the index takes no more.
    pub(crate) fn send(&self, job: Job) -> bool {
        let taken = self.room.take(job.raw.len());
        !self.ended.is.load(Ordering::Relaxed) && self.jobs.send((job, taken)).is_ok()
    }

    /// Where documents go that are ready.
    pub(crate) fn sink(&self) -> Sink<'a> {
        self.sink
    }

    /// Waits for all jobs, and says what is to be told of them.
    pub(crate) fn finish(self) -> Vec<Told> {
        drop(self.jobs);
        self.told.iter().collect()
    }
}

fn work(
    queue: &Mutex<Receiver<(Job, Taken)>>,
    told: &Sender<Told>,
    ended: &Ended,
    send: impl Fn(Document) -> Result<(), Error>,
) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((job, taken)) = next else { return };
        if ended.is.load(Ordering::Relaxed) {
            continue;
        }
        let (path, offset) = (Arc::clone(&job.path), job.offset);
        // A parser that gives up on what a stranger sent costs one document, not the build.
        let made = catch_unwind(AssertUnwindSafe(|| document(job)))
            .unwrap_or_else(|_| Err("it cannot be read".to_owned()));
        drop(taken);
        let named = |why| Skipped { path: PathBuf::from(&*path), offset, why };
        let tell = match made {
            Err(why) => vec![Told::Failed(named(why))],
            Ok((document, unread)) => {
                // Where it is cut, no letter is cut in two.
                let whole = document.body.len() + 4 <= MAX_BODY;
                if let Err(error) = send(document) {
                    return ended.end(error);
                }
                let most = MAX_BODY >> 20;
                let cut = (!whole)
                    .then(|| Told::Cut(named(format!("only the first {most} MiB of its text"))));
                unread.into_iter().map(|why| Told::Part(named(why))).chain(cut).collect()
            }
        };
        if tell.into_iter().any(|tell| told.send(tell).is_err()) {
            return;
        }
    }
}

/// The document of a job, and what of it could not be read.
fn document(job: Job) -> Result<(Document, Vec<String>), String> {
    let mut attached = Attached::new(job.pdf);
    let mut document = match job.form {
        Form::Mail | Form::Mbox => {
            let mut mail = mail::document(&job.raw, job.id, &mut attached)
                .map_err(|unread| unread.to_string())?;
            if job.form == Form::Mail {
                mail.flags = flags::of_maildir(&job.path).unwrap_or_default();
            }
            mail
        }
        Form::File(Kind::Pdf, mime) => {
            let read = job.pdf.ok_or("nobody reads PDFs")?;
            let mut document = titled(job.id, Kind::Pdf, mime, &job.raw, &job.path, job.modified);
            read(&job.raw)?.put_into(&mut document, &job.raw);
            document
        }
        Form::File(kind, mime) => file(job.id, kind, mime, &job.raw, &job.path, job.modified),
        Form::Lines | Form::Binary(_) => return Err("not a document".to_owned()),
    };
    document.path = Some(job.path.as_ref().into());
    document.offset = job.offset;
    document.tags = job.tags;
    Ok((document, attached.unread))
}

/// The document of a file of text.
pub(crate) fn file(
    id: String,
    kind: Kind,
    mime: &str,
    raw: &[u8],
    path: &Path,
    modified: i64,
) -> Document {
    let mut document = titled(id, kind, mime, raw, path, modified);
    if kind == Kind::Html {
        let page = html::read(&charset::html(raw));
        if !page.title.is_empty() {
            document.subject = page.title;
        }
        document.body = page.text;
    } else {
        document.body = charset::text(raw).into_owned();
    }
    document
}

/// The document of a file, but for its text; it is called as the file is.
fn titled(id: String, kind: Kind, mime: &str, raw: &[u8], path: &Path, modified: i64) -> Document {
    let mut document = Document::new(kind, id);
    document.subject = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    document.date = Some(modified);
    document.size = raw.len() as u64;
    document.types = vec![mime.to_owned()];
    document
}
