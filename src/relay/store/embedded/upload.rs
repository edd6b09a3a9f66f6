//! Messages that come in parts: a file that grows, and facts that say how much of it is
//! durable.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::crypto::Hash;
use crate::files::disk::Handle;
use crate::relay::protocol::Id;
use crate::relay::store::embedded::admit::{self, Admitted};
use crate::relay::store::embedded::body::{self, GATHER, Written, blocking, unavailable};
use crate::relay::store::embedded::log::Turn;
use crate::relay::store::embedded::open::Embedded;
use crate::relay::store::embedded::record::{self, Fact, message};
use crate::relay::store::embedded::shared::{SMALL, Shared};
use crate::relay::store::embedded::writer::{Ask, Job};
use crate::relay::store::{BodyError, Chunks, Error, INLINE, Push, Put, Upload};

/// Seconds after its first part in which an upload must be complete.
const LIFE: u64 = 24 * 3600;
/// Bytes of a part after which what came is made durable.
const CHECKPOINT: u64 = 64 << 20;

/// A part on its way. Nobody else adds to the upload meanwhile. When it is dropped, because its
/// request ended, what came is kept all the same.
struct Part {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Box<dyn Job>>,
    upload: record::Upload,
    file: Arc<dyn Handle>,
    hash: Option<Box<Hash>>,
    /// Bytes that are written.
    at: u64,
    open: bool,
}

impl Embedded {
    pub(super) async fn append_part(
        &self,
        push: Push,
        offset: u64,
        body: &mut dyn Chunks,
    ) -> Result<Upload, Error> {
        let Some(mut part) = self.begin(&push, offset).await? else {
            return Ok(Upload::Whole(Put::Already));
        };
        let came = part.receive(body).await;
        if matches!(came, Err(Error::Failed(_))) {
            part.open = false;
            return Err(self.failed());
        }
        if part.at < push.message.size || came.is_err() {
            let at = part.at;
            part.keep(self).await?;
            return came.map(|()| Upload::Part(at));
        }
        part.complete(self, push).await.map(Upload::Whole)
    }

    /// Begins a part; `None` when all of the message is there.
    async fn begin(&self, push: &Push, offset: u64) -> Result<Option<Part>, Error> {
        let (id, size) = (push.message.id, push.message.size);
        let known = {
            let mut index = self.shared.index();
            let (mailbox, _) =
                admit::capability(&index, &push.mailbox, &push.capability, push.now)?;
            if admit::is_known(&index, mailbox, &id, push.now) {
                return Ok(None);
            }
            match index.uploads.get_mut(&(mailbox, id)) {
                None if offset > 0 => return Err(Error::Offset { expected: 0 }),
                None => None,
                Some(partial) if partial.busy => {
                    return Err(Error::Unavailable("another part is on its way".into()));
                }
                Some(partial) if partial.upload.size != size => {
                    return Err(BodyError::WrongLength.into());
                }
                Some(partial) if partial.upload.offset != offset => {
                    return Err(Error::Offset { expected: partial.upload.offset });
                }
                Some(partial) => {
                    partial.busy = true;
                    Some((partial.upload.clone(), partial.hash.take()))
                }
            }
        };
        let queue = self.queue.clone().ok_or_else(|| self.failed())?;
        let shared = self.shared.clone();
        let (upload, hash, file) = match known {
            Some((upload, hash)) => {
                let (bodies, file) = (shared.bodies.clone(), upload.file);
                let file = blocking(move || body::open(&*bodies, file)).await;
                (upload, hash, file)
            }
            None => {
                let Admitted::Room(reservation) = admit::admit(&shared, push)? else {
                    return Ok(None);
                };
                let written = Written::create(&shared).await?;
                let file = written.file.clone();
                let upload = self.reserve(push, reservation, written).await?;
                (upload, Some(Box::default()), Ok(file))
            }
        };
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                shared.index().free_upload(&upload, None);
                return Err(unavailable(error));
            }
        };
        let at = upload.offset;
        Ok(Some(Part { shared, queue, upload, file, hash, at, open: true }))
    }

    /// Keeps room for an upload that begins.
    async fn reserve(
        &self,
        push: &Push,
        reservation: admit::Reservation,
        written: Written,
    ) -> Result<record::Upload, Error> {
        let push = *push;
        let upload = record::Upload {
            mailbox: push.mailbox.0,
            capability: push.capability.0,
            id: push.message.id.0,
            size: push.message.size,
            deadline: push.now.saturating_add(LIFE),
            file: written.number,
            offset: 0,
        };
        self.ask(SMALL, true, move |turn| {
            reservation.settle(turn.index);
            let (mailbox, _) =
                admit::capability(turn.index, &push.mailbox, &push.capability, push.now)?;
            let key = (mailbox, push.message.id);
            if turn.index.uploads.contains_key(&key)
                || turn.index.message(mailbox, &key.1).is_some()
            {
                return Err(Error::Unavailable("another part is on its way".into()));
            }
            turn.say(&Fact::Upload(Box::new(upload.clone())))?;
            turn.effects.named = true;
            written.keep();
            if let Some(partial) = turn.index.uploads.get_mut(&key) {
                partial.busy = true;
            }
            Ok(upload)
        })
        .await
    }
}

impl crate::relay::store::embedded::index::Index {
    /// Lets the next part come.
    fn free_upload(&mut self, upload: &record::Upload, hash: Option<Box<Hash>>) {
        let Some(mailbox) = self.any(&crate::relay::protocol::Mailbox(upload.mailbox)) else {
            return;
        };
        if let Some(partial) = self.uploads.get_mut(&(mailbox, Id(upload.id)))
            && partial.upload.file == upload.file
        {
            (partial.busy, partial.hash) = (false, hash);
        }
    }
}

impl Part {
    /// Writes what comes. Afterwards `at` bytes are written, also when the body broke off.
    async fn receive(&mut self, body: &mut dyn Chunks) -> Result<(), Error> {
        if self.hash.is_none() {
            self.hash = Some(self.read_again().await?);
        }
        let mut gathered = Vec::new();
        let mut unsynced = 0;
        loop {
            let piece = body.next().await;
            let more = matches!(piece, Ok(Some(_)));
            if let Ok(Some(bytes)) = &piece {
                gathered.extend_from_slice(bytes);
            }
            if self.at + gathered.len() as u64 > self.upload.size {
                return Err(BodyError::WrongLength.into());
            }
            if gathered.len() >= GATHER || !more {
                unsynced += gathered.len() as u64;
                self.write(std::mem::take(&mut gathered)).await?;
            }
            if unsynced >= CHECKPOINT {
                self.checkpoint().await?;
                unsynced = 0;
            }
            match piece {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// The hash of what is there, after a restart.
    async fn read_again(&self) -> Result<Box<Hash>, Error> {
        let (file, end) = (self.file.clone(), self.at);
        let read = move || {
            let mut hash = Box::<Hash>::default();
            let mut piece = vec![0; GATHER];
            let mut at = 0;
            while at < end {
                let length = (end - at).min(GATHER as u64);
                let bytes = piece.get_mut(..length as usize).unwrap_or_default();
                file.read_at(bytes, at)?;
                hash.update(bytes);
                at += length;
            }
            Ok(hash)
        };
        blocking(read).await.map_err(unavailable)
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        let (file, at, length) = (self.file.clone(), self.at, bytes.len() as u64);
        let mut hash = self.hash.take().unwrap_or_default();
        let write = move || {
            file.write_at(&bytes, at)?;
            hash.update(&bytes);
            Ok(hash)
        };
        let hash = blocking(write).await.map_err(|error| self.shared.failed_write(&error))?;
        (self.hash, self.at) = (Some(hash), at + length);
        Ok(())
    }

    async fn sync(&self) -> Result<(), Error> {
        let file = self.file.clone();
        blocking(move || file.sync_data()).await.map_err(|error| self.shared.failed_write(&error))
    }

    /// Makes what came durable while more comes.
    async fn checkpoint(&mut self) -> Result<(), Error> {
        self.sync().await?;
        self.upload.offset = self.at;
        let (reply, answer) = oneshot::channel();
        let job = progress(self.upload.clone(), None, reply);
        let gone = || Error::Failed("its writer has ended".into());
        self.queue.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Makes what came durable and lets the next part come.
    async fn keep(mut self, store: &Embedded) -> Result<(), Error> {
        self.sync().await?;
        self.open = false;
        self.upload.offset = self.at;
        let (reply, answer) = oneshot::channel();
        let job = progress(self.upload.clone(), Some(self.hash.take()), reply);
        self.queue.send(job).await.map_err(|_| store.failed())?;
        answer.await.unwrap_or_else(|_| Err(store.failed()))
    }

    /// Makes a message of the upload, if it is the one announced.
    async fn complete(mut self, store: &Embedded, push: Push) -> Result<Put, Error> {
        let hash = self.hash.take().unwrap_or_default();
        let (upload, at) = (self.upload.clone(), self.at);
        if hash.finish() != upload.id {
            self.open = false;
            let gone = Fact::NoUpload { mailbox: upload.mailbox, id: upload.id };
            store.ask(SMALL, false, move |turn| turn.say(&gone)).await?;
            return Err(BodyError::WrongHash.into());
        }
        let file = self.file.clone();
        // A short one lies in the log like any other.
        let (bytes, number) = if at <= INLINE {
            let read = move || {
                let mut bytes = vec![0; at as usize];
                file.read_at(&mut bytes, 0).map(|()| bytes)
            };
            (blocking(read).await.map_err(unavailable)?, None)
        } else {
            self.sync().await?;
            (Vec::new(), Some(upload.file))
        };
        let fact = message(&push, number);
        let record =
            record::encode(&fact, &bytes).map_err(|e| Error::Unavailable(e.to_string()))?;
        let room = record.len() as u64 + SMALL;
        self.open = false;
        store
            .ask(room, false, move |turn| {
                let outcome = turn.message(&push, &fact, &record);
                if !matches!(outcome, Ok(Put::New)) {
                    turn.index.free_upload(&upload, None);
                }
                outcome
            })
            .await
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let (shared, queue, file) = (self.shared.clone(), self.queue.clone(), self.file.clone());
        let mut upload = self.upload.clone();
        upload.offset = self.at;
        let hash = self.hash.take();
        let keep = move || match file.sync_data() {
            Ok(()) => {
                let (reply, _) = oneshot::channel();
                let _ = queue.blocking_send(progress(upload, Some(hash), reply));
            }
            Err(error) => drop(shared.failed_write(&error)),
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(keep)),
            Err(_) => self.shared.index().free_upload(&self.upload, None),
        }
    }
}

/// A job that says how far an upload has come. With a hash, the next part may come after it.
fn progress(
    upload: record::Upload,
    hash: Option<Option<Box<Hash>>>,
    reply: oneshot::Sender<Result<(), Error>>,
) -> Box<dyn Job> {
    let work = move |turn: &mut Turn<'_>| {
        let mailbox = turn.index.any(&crate::relay::protocol::Mailbox(upload.mailbox));
        let known = mailbox.and_then(|mailbox| turn.index.uploads.get(&(mailbox, Id(upload.id))));
        // It was closed or swept meanwhile, unless it is this one still.
        let Some(known) = known.filter(|known| known.upload.file == upload.file) else {
            return Err(Error::NoMailbox);
        };
        let record::Upload { capability, .. } = turn.index.upload_now(known);
        turn.say(&Fact::Upload(Box::new(record::Upload { capability, ..upload.clone() })))?;
        if let Some(hash) = hash {
            turn.index.free_upload(&upload, hash);
        }
        Ok(())
    };
    Box::new(Ask { work: Some(work), room: SMALL, grows: false, outcome: None, reply })
}
