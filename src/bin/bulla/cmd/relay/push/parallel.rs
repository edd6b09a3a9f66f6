//! Pushes to several relays at the same time.

use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bulla::relay::client::{Error as RelayError, Inbox, Pushed, Transport};
use bulla::relay::protocol::{Id, Mailbox};

/// Relays that are pushed to at the same time.
const THREADS: usize = 16;

/// Letters that share a connection: the relay, and with --unlink the mailbox.
pub(super) type Circuit = (String, Option<Mailbox>);

/// Where a letter goes.
#[derive(Clone, PartialEq)]
pub(super) struct Place {
    pub(super) relay: String,
    pub(super) inbox: Inbox,
}

pub(super) struct Small {
    pub(super) place: Place,
    pub(super) id: Id,
    pub(super) bytes: Vec<u8>,
}

/// What became of a letter; letters that failed together share the error.
pub(super) type Outcome = Result<Pushed, Arc<anyhow::Error>>;

/// Letters for one mailbox, by their places in the window.
pub(super) struct Together<'a> {
    pub(super) place: &'a Place,
    pub(super) at: Vec<usize>,
    pub(super) letters: Vec<(Id, &'a [u8])>,
}

/// Letters that go over one connection.
pub(super) struct Job<'a> {
    pub(super) circuit: Circuit,
    pub(super) client: Arc<dyn Transport>,
    pub(super) groups: Vec<Together<'a>>,
}

/// Groups letters by mailbox, in the order of their first ones.
pub(super) fn grouped(window: &[Small]) -> Vec<Together<'_>> {
    let mut groups: Vec<Together<'_>> = Vec::new();
    for (at, small) in window.iter().enumerate() {
        let letter = (small.id, small.bytes.as_slice());
        match groups.iter_mut().find(|group| *group.place == small.place) {
            Some(group) => {
                group.at.push(at);
                group.letters.push(letter);
            }
            None => {
                groups.push(Together { place: &small.place, at: vec![at], letters: vec![letter] });
            }
        }
    }
    groups
}

/// Outcome of the letters of one connection: why its relay is away, if it is, and each letter's.
pub(super) type Ran = (Circuit, Option<Arc<anyhow::Error>>, Vec<(usize, Outcome)>);

/// Pushes over all connections at the same time, so that a slow relay holds no other.
pub(super) fn run_all(jobs: Vec<Job<'_>>) -> Vec<Ran> {
    let threads = jobs.len().min(THREADS);
    if threads <= 1 {
        return jobs.into_iter().map(run_one).collect();
    }
    let (jobs, done) = (Mutex::new(jobs.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(job) = job else { break };
                    let ran = run_one(job);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(ran);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn run_one(job: Job<'_>) -> Ran {
    let Job { circuit, client, groups } = job;
    let (mut away, mut each): (Option<Arc<anyhow::Error>>, Vec<(usize, Outcome)>) =
        Default::default();
    for Together { place, at, letters } in groups {
        let pushed = match &away {
            Some(away) => Err(away.clone()),
            None => push_together(&*client, place, &letters, &mut away),
        };
        match pushed {
            Ok(outcomes) => each.extend(at.into_iter().zip(outcomes)),
            Err(error) => each.extend(at.into_iter().map(|at| (at, Err(error.clone())))),
        }
    }
    (circuit, away, each)
}

/// Pushes letters to one mailbox: one outcome for each, or the error of all of them.
fn push_together(
    client: &dyn Transport,
    place: &Place,
    letters: &[(Id, &[u8])],
    away: &mut Option<Arc<anyhow::Error>>,
) -> Result<Vec<Outcome>, Arc<anyhow::Error>> {
    let url = client.url();
    let named = |error: RelayError| Arc::new(anyhow::Error::from(error).context(url.clone()));
    let pushed = match letters {
        [(id, bytes)] => {
            let length = bytes.len() as u64;
            client.push(&place.inbox, id, &mut Cursor::new(bytes), length).map(|one| vec![Ok(one)])
        }
        many => client.push_batch(&place.inbox, many),
    };
    match pushed {
        Ok(each) => Ok(each.into_iter().map(|one| one.map_err(named)).collect()),
        Err(error) if is_away(&error) => {
            let error = named(error);
            *away = Some(error.clone());
            Err(error)
        }
        Err(error) => {
            let context = match letters.len() {
                1 => url,
                many => format!("{many} letters for mailbox {} at {url}", place.inbox.mailbox),
            };
            Err(Arc::new(anyhow::Error::from(error).context(context)))
        }
    }
}

/// Returns whether a relay cannot be reached, as opposed to what it asks of one sender.
pub(super) fn is_away(error: &RelayError) -> bool {
    matches!(error, RelayError::Temporary { retry_after: None, .. })
}
