//! The engine's files: streams in packs, of which the newest manifest says what there is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, WatchCallback, WatchCallbackList, WatchHandle,
    WritePtr,
};

use crate::files::disk::{self, Disk, Held};
use crate::index::error::Error;
use crate::index::storage::cells::{Damage, Opened, lock};
use crate::index::storage::folder::{self, Keys, READERS, WRITER};
use crate::index::storage::manifest::{self, Entry, Manifest};
use crate::index::storage::pack::{NewPack, Pack, StreamReader};
use crate::index::storage::segments::{self, Segment, group_of, segment_of};
use crate::secret::Secret;

/// The engine's name for its commit point.
pub(crate) const META: &str = "meta.json";
/// The engine's name for its list of files, which it needs no more: manifests tell what is there.
const MANAGED: &str = ".managed.json";
/// Cells: what only the generation before names is not kept until the next commit when it is more
/// than these, and than an eighth of what there is.
const MUCH: u64 = 16;

/// A part of the index that is damaged: the rest is searched without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What is damaged.
    pub damage: Damage,
    /// How many documents cannot be found for it; unknown where the newest list of what there is
    /// may be lost, and with it what the last commit brought.
    pub documents: Option<u64>,
}

/// What the engine sees as its directory.
#[derive(Clone)]
pub(crate) struct CellDirectory(Arc<Inner>);

struct Inner {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    wrapping: Secret<32>,
    keys: Mutex<Arc<Keys>>,
    opened: Arc<Opened>,
    state: Mutex<State>,
    /// Grows when a segment is left out.
    exclusions: AtomicU64,
    watchers: WatchCallbackList,
}

#[derive(Default)]
struct State {
    view: Option<Arc<View>>,
    /// Packs that no manifest names yet, by group.
    under_way: HashMap<String, Arc<NewPack>>,
    /// Packs that searchers opened before may still ask for.
    old: Vec<Weak<Pack>>,
    /// Segments that do not open.
    excluded: BTreeMap<String, Damage>,
}

/// What the newest manifest says, and the packs it names.
struct View {
    manifest: Manifest,
    doubt: Option<Damage>,
    /// The packs of the generation before, and their cells.
    before: BTreeMap<String, u64>,
    stamps: [Option<[u8; 33]>; 2],
    packs: HashMap<String, Arc<Pack>>,
}

impl View {
    /// Whether it names these packs and no others, beyond doubt.
    fn lists(&self, groups: &BTreeSet<String>) -> bool {
        let mut listed = self.manifest.packs.iter().map(Entry::group);
        let as_many = self.doubt.is_none() && groups.len() == self.manifest.packs.len();
        as_many && listed.all(|group| groups.contains(group))
    }

    /// Whether the packs that only the generation before names are [`MUCH`].
    fn keeps_much(&self) -> bool {
        let now: BTreeMap<String, u64> = self.manifest.packs.iter().map(Entry::extent).collect();
        let kept = self.before.iter().filter(|(name, _)| !now.contains_key(*name));
        let kept: u64 = kept.map(|(_, cells)| cells).sum();
        kept > MUCH && kept > now.values().sum::<u64>() / 8
    }
}

impl CellDirectory {
    /// The files of an index; [`CellDirectory::refresh`] reads what there is.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        folder: &Path,
        wrapping: Secret<32>,
        keys: Keys,
    ) -> Self {
        Self(Arc::new(Inner {
            disk,
            folder: folder.to_owned(),
            wrapping,
            keys: Mutex::new(Arc::new(keys)),
            opened: Opened::new(),
            state: Mutex::default(),
            exclusions: AtomicU64::new(0),
            watchers: WatchCallbackList::default(),
        }))
    }

    /// Counters and damage of every file opened through this directory.
    pub(crate) fn opened(&self) -> &Arc<Opened> {
        &self.0.opened
    }

    /// The folder the files lie in.
    pub(crate) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The disk the folder is on.
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.0.disk
    }

    /// What wraps the index key.
    pub(crate) fn wrapping(&self) -> &Secret<32> {
        &self.0.wrapping
    }

    /// The index keys known.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&lock(&self.0.keys))
    }

    /// From now on these are the index keys.
    pub(crate) fn set_keys(&self, keys: Keys) {
        *lock(&self.0.keys) = Arc::new(keys);
    }

    /// Reads the newest manifest, if there is another than before. Whoever calls it holds the
    /// readers' lock.
    pub(crate) fn refresh(&self) -> Result<(), Error> {
        let stamps = manifest::stamps(self.disk());
        if lock(&self.0.state).view.as_ref().is_some_and(|view| view.stamps == stamps) {
            return Ok(());
        }
        let io = Error::io(self.folder());
        let mut found = manifest::newest(self.disk(), self.keys().all()).map_err(io)?;
        if !matches!(&found, Ok(found) if found.doubt.is_none()) {
            // Perhaps another process has changed the key.
            self.set_keys(folder::unwrap_key(self.disk(), self.folder(), self.wrapping())?);
            let io = Error::io(self.folder());
            found = manifest::newest(self.disk(), self.keys().all()).map_err(io)?;
        }
        let found = found.map_err(|damage| match damage {
            Some(damage) => Error::Damaged(damage),
            None => Error::Damaged(Damage {
                file: manifest::SLOTS[0].into(),
                what: "it is missing".into(),
            }),
        })?;
        let before = found.before.iter().flat_map(|before| &before.packs).map(Entry::extent);
        self.show(found.newest, found.doubt, before.collect(), stamps, HashMap::new())
            .map_err(Error::io(self.folder()))
    }

    /// Makes a manifest the one that is seen. Packs that do not open are left out.
    fn show(
        &self,
        manifest: Manifest,
        doubt: Option<Damage>,
        before: BTreeMap<String, u64>,
        stamps: [Option<[u8; 33]>; 2],
        mut packs: HashMap<String, Arc<Pack>>,
    ) -> io::Result<()> {
        let mut state = lock(&self.0.state);
        if self.disk().waited() {
            manifest.packs.iter().for_each(|entry| entry.ahead(self.disk()));
        }
        for entry in &manifest.packs {
            let known = state.view.as_ref().and_then(|view| view.packs.get(entry.group()));
            if let Some(known) = known.filter(|pack| pack.file.name == entry.name()) {
                packs.entry(entry.group().to_owned()).or_insert_with(|| Arc::clone(known));
            }
            if packs.contains_key(entry.group()) {
                continue;
            }
            match Pack::open(self.disk(), entry, &self.0.opened) {
                Ok(pack) => {
                    packs.insert(entry.group().to_owned(), Arc::new(pack));
                }
                Err(error) => match self.0.opened.take_damage() {
                    Some(damage) => {
                        state.excluded.entry(segment_of(entry.group()).into()).or_insert(damage);
                        self.0.exclusions.fetch_add(1, Ordering::Relaxed);
                    }
                    None => return Err(error),
                },
            }
        }
        let listed =
            |segment: &str| manifest.packs.iter().any(|e| segment_of(e.group()) == segment);
        state.excluded.retain(|segment, _| listed(segment));
        let view = View { manifest, doubt, before, stamps, packs };
        if let Some(last) = state.view.replace(Arc::new(view)) {
            state.old.retain(|pack| pack.strong_count() > 0);
            state.old.extend(last.packs.values().map(Arc::downgrade));
        }
        Ok(())
    }

    fn view(&self) -> Option<Arc<View>> {
        lock(&self.0.state).view.clone()
    }

    /// Leaves the segment out whose file is damaged; false when there is none, or it is already.
    pub(crate) fn leave_out(&self, damage: &Damage) -> bool {
        let mut state = lock(&self.0.state);
        let Some(view) = state.view.clone() else { return false };
        let entry = view.manifest.packs.iter().find(|entry| entry.name() == damage.file);
        let Some(entry) = entry else { return false };
        let segment = segment_of(entry.group()).to_owned();
        let new = state.excluded.insert(segment, damage.clone()).is_none();
        self.0.exclusions.fetch_add(u64::from(new), Ordering::Relaxed);
        new
    }

    /// Grows when a segment is left out.
    pub(crate) fn exclusions(&self) -> u64 {
        self.0.exclusions.load(Ordering::Relaxed)
    }

    /// What is left out of what is seen.
    pub(crate) fn left_out(&self) -> Vec<LeftOut> {
        let state = lock(&self.0.state);
        let Some(view) = &state.view else { return Vec::new() };
        if view.doubt.is_none() && state.excluded.is_empty() {
            return Vec::new();
        }
        let segments = segments::segments(&view.manifest.meta).unwrap_or_default();
        let documents = |id: &str| {
            let segment = segments.iter().find(|s| s.id == id).map(Segment::documents);
            segment.or(id.starts_with(segments::CATALOGUE).then_some(0))
        };
        let doubt = view.doubt.iter().map(|doubt| (doubt, None));
        let excluded = state.excluded.iter().map(|(id, damage)| (damage, documents(id)));
        doubt
            .chain(excluded)
            .map(|(damage, documents)| LeftOut { damage: damage.clone(), documents })
            .collect()
    }

    /// Removes what killed writers left. Only for the holder of the writer's lock.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        for name in self.disk().list()? {
            if disk::is_under_way(&name) {
                self.disk().remove(&name)?;
            }
        }
        self.remove_unlisted()
    }

    /// Removes packs that neither generation names.
    fn remove_unlisted(&self) -> io::Result<()> {
        let Some(view) = self.view() else { return Ok(()) };
        let listed: BTreeSet<String> = view.manifest.names().collect();
        for name in self.disk().list()? {
            let unlisted = !listed.contains(&name) && !view.before.contains_key(&name);
            if unlisted && folder::is_cell_name(&name) {
                self.disk().remove(&name)?;
            }
        }
        Ok(())
    }

    pub(crate) fn lock_readers(&self) -> io::Result<Held> {
        let held = self.disk().lock(READERS, true)?;
        held.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// The manifest that is seen, and its packs; not for a damaged index.
    pub(crate) fn sound(&self) -> Result<(Manifest, Vec<Arc<Pack>>), Error> {
        if let Some(left_out) = self.left_out().into_iter().next() {
            return Err(Error::Damaged(left_out.damage));
        }
        let missing = || Error::io(self.folder())(io::ErrorKind::NotFound.into());
        let view = self.view().ok_or_else(missing)?;
        let Manifest { generation, meta, packs } = &view.manifest;
        let open = packs.iter().map(|entry| view.packs.get(entry.group()).map(Arc::clone));
        let packs = packs.iter().map(Entry::copy).collect::<Option<_>>().ok_or_else(missing)?;
        let manifest = Manifest { generation: *generation, meta: meta.clone(), packs };
        Ok((manifest, open.collect::<Option<_>>().ok_or_else(missing)?))
    }

    /// Makes the engine's list of segments the newest generation, behind their packs, the groups.
    fn publish(&self, meta: &[u8], groups: BTreeSet<String>) -> io::Result<()> {
        let view = self.view();
        let (mut entries, mut packs, mut new) = (Vec::new(), HashMap::new(), Vec::new());
        let written = groups.into_iter().try_for_each(|group| {
            let under_way = lock(&self.0.state).under_way.get(&group).map(Arc::clone);
            let entry = if let Some(pack) = under_way {
                let (entry, pack) = pack.finish()?;
                new.push(entry.name());
                packs.insert(group, Arc::new(pack));
                entry
            } else {
                let old = view.iter().flat_map(|view| &view.manifest.packs);
                let old = old.into_iter().find(|entry| entry.group() == group);
                old.and_then(Entry::copy).ok_or(io::ErrorKind::NotFound)?
            };
            entries.push(entry);
            Ok(())
        });
        let written =
            written.and_then(|()| if new.is_empty() { Ok(()) } else { self.disk().sync() });
        let generation = view.as_ref().map_or(0, |view| view.manifest.generation) + 1;
        let manifest = Manifest { generation, meta: meta.to_vec(), packs: entries };
        let held = written.and_then(|()| self.lock_readers());
        let written = held.and_then(|held| {
            let keys = self.keys();
            manifest.write(self.disk(), keys.newest().ok_or(io::ErrorKind::NotFound)?)?;
            Ok(held)
        });
        let stamps = manifest::stamps(self.disk());
        let held = match written {
            Ok(held) => held,
            Err(error) => {
                // Room for the next try, unless the manifest got there all the same.
                if view.is_none_or(|view| view.stamps == stamps) {
                    new.iter().for_each(|name| drop(self.disk().remove(name)));
                }
                return Err(error);
            }
        };
        let before = view.iter().flat_map(|view| &view.manifest.packs).map(Entry::extent).collect();
        let finished: Vec<String> = packs.keys().cloned().collect();
        self.show(manifest, None, before, stamps, packs)?;
        finished.iter().for_each(|group| drop(lock(&self.0.state).under_way.remove(group)));
        self.remove_unlisted()?;
        drop(held);
        Ok(())
    }

    /// Publishes once more what is seen: without what is left out, or when the generation before
    /// keeps much that was merged. Not while another writer is at work.
    pub(crate) fn tidy(&self) -> Result<(), Error> {
        let is_sound = lock(&self.0.state).excluded.is_empty();
        if is_sound && !self.view().is_some_and(|view| view.keeps_much()) {
            return Ok(());
        }
        let io = |error| Error::io(self.folder())(error);
        let Some(_writer) = self.disk().lock(WRITER, false).map_err(io)? else { return Ok(()) };
        let readers = self.lock_readers().map_err(io)?;
        self.refresh()?;
        drop(readers);
        let meta = {
            let state = lock(&self.0.state);
            let view = state.view.as_ref().ok_or_else(|| io(io::ErrorKind::NotFound.into()))?;
            segments::without(&view.manifest.meta, &state.excluded).map_err(io)?
        };
        self.publish(&meta, segments::groups(&meta).map_err(io)?).map_err(io)
    }

    /// Puts the same segments under a manifest that follows, twice, so that no older one stays.
    pub(crate) fn publish_twice(&self, manifest: Manifest, key: &Secret<32>) -> io::Result<()> {
        let mut manifest = manifest;
        for _ in 0..2 {
            manifest.generation += 1;
            manifest.write(self.disk(), key)?;
        }
        Ok(())
    }

    fn stream(&self, path: &Path) -> Result<StreamReader, OpenReadError> {
        let name = path.to_string_lossy();
        let group = group_of(&name);
        let state = lock(&self.0.state);
        let under_way = || state.under_way.get(group)?.stream(&name);
        let seen = || state.view.as_ref()?.packs.get(group)?.stream(&name);
        let old = || state.old.iter().find_map(|pack| pack.upgrade()?.stream(&name));
        under_way()
            .or_else(seen)
            .or_else(old)
            .ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))
    }
}

impl fmt::Debug for CellDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CellDirectory({})", self.0.folder.display())
    }
}

impl Directory for CellDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.stream(path)?))
    }

    /// Forgets a stream under way. Packs go when no manifest names them.
    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let name = path.to_string_lossy();
        let mut state = lock(&self.0.state);
        if state.under_way.get(group_of(&name)).is_some_and(|pack| pack.forget(&name)) {
            state.under_way.remove(group_of(&name));
        }
        Ok(())
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(if path == Path::new(META) { self.view().is_some() } else { self.stream(path).is_ok() })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let name = path.to_string_lossy();
        let mut state = lock(&self.0.state);
        let pack = match state.under_way.get(group_of(&name)) {
            Some(pack) => Arc::clone(pack),
            None => {
                let pack = NewPack::begin(self.disk(), &self.0.opened).map_err(|error| {
                    let error = self.0.opened.failed(error);
                    OpenWriteError::wrap_io_error(error, path.to_owned())
                })?;
                state.under_way.insert(group_of(&name).to_owned(), Arc::clone(&pack));
                pack
            }
        };
        Ok(BufWriter::new(Box::new(pack.stream_writer(&name))))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let missing = || OpenReadError::FileDoesNotExist(path.to_owned());
        if path != Path::new(META) {
            return Err(missing());
        }
        let state = lock(&self.0.state);
        let view = state.view.as_ref().ok_or_else(missing)?;
        segments::without(&view.manifest.meta, &state.excluded)
            .map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        if path == Path::new(MANAGED) {
            return Ok(());
        }
        // But for the engine's counter, which it takes up again where it was.
        let groups = segments::groups(data)?;
        if !self.view().is_some_and(|view| view.lists(&groups)) {
            self.publish(data, groups).map_err(|error| self.0.opened.failed(error))?;
        }
        drop(self.0.watchers.broadcast());
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        let refreshed = || {
            self.refresh().map_err(|error| match error {
                Error::Io { error, .. } => LockError::wrap_io_error(error),
                Error::Damaged(damage) => LockError::wrap_io_error(
                    self.0.opened.damaged(&damage.file, damage.what.clone()),
                ),
                other => LockError::wrap_io_error(io::Error::other(other.to_string())),
            })
        };
        // Whoever takes a lock looks what is there next.
        if lock.is_blocking {
            let held = self.lock_readers().map_err(LockError::wrap_io_error)?;
            refreshed()?;
            return Ok(DirectoryLock::from(Box::new(held)));
        }
        match self.disk().lock(WRITER, false) {
            Ok(Some(held)) => {
                let readers = self.lock_readers().map_err(LockError::wrap_io_error)?;
                refreshed()?;
                drop(readers);
                Ok(DirectoryLock::from(Box::new(held)))
            }
            Ok(None) => Err(LockError::LockBusy),
            Err(error) => Err(LockError::wrap_io_error(error)),
        }
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(self.0.watchers.subscribe(callback))
    }
}
