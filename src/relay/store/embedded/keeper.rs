//! A thread for what takes long and may be late: to make the next segment, to write the hint
//! of the last.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

type Task = Box<dyn FnOnce() + Send>;

/// Where such work is done.
pub(super) enum Keeper {
    /// On a thread of its own, in order.
    Thread(Option<mpsc::Sender<Task>>, Option<JoinHandle<()>>),
    /// At once: the order of a test is then always the same.
    #[cfg(test)]
    Here,
}

/// What became of it.
pub(super) type Outcome<T> = mpsc::Receiver<io::Result<T>>;

impl Keeper {
    pub(super) fn start() -> io::Result<Self> {
        let (queue, tasks) = mpsc::channel::<Task>();
        let work = move || tasks.into_iter().for_each(|task| task());
        let thread = std::thread::Builder::new().name("relay-keeper".into()).spawn(work)?;
        Ok(Self::Thread(Some(queue), Some(thread)))
    }

    /// Has something done.
    pub(super) fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        let (done, outcome) = mpsc::channel();
        // Nobody may want to know.
        let task = move || drop(done.send(task()));
        match self {
            Self::Thread(queue, _) => {
                let sent = queue.as_ref().map(|queue| queue.send(Box::new(task)));
                drop(sent);
            }
            #[cfg(test)]
            Self::Here => task(),
        }
        outcome
    }
}

/// The outcome if it is there, or when `wait`, when it comes.
pub(super) fn outcome<T>(from: &Outcome<T>, wait: bool) -> io::Result<Option<T>> {
    let gone = || io::Error::other("the keeper has ended");
    if wait {
        return from.recv().map_err(|_| gone())?.map(Some);
    }
    match from.try_recv() {
        Ok(outcome) => outcome.map(Some),
        Err(mpsc::TryRecvError::Empty) => Ok(None),
        Err(mpsc::TryRecvError::Disconnected) => Err(gone()),
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        match self {
            Self::Thread(queue, thread) => {
                *queue = None;
                if let Some(thread) = thread.take() {
                    let _ = thread.join();
                }
            }
            #[cfg(test)]
            Self::Here => {}
        }
    }
}
