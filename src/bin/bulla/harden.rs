//! Secrets stay in this process: no core dump holds them, and no other process reads its memory.

use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft limit of core dumps that this process was started with, once it was lowered.
static CORE: Mutex<Option<Rlimit>> = Mutex::new(None);

/// Turns core dumps off, and the reading of this process's memory by others of the same user.
/// Called before any key is read. A system that refuses loses nothing else.
pub(crate) fn process() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let before = getrlimit(Resource::Core);
    *CORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..before });
}

/// Starts a command of the user with the limit of core dumps that this process was started with.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    let before = CORE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(limit) = *before else { return command.spawn() };
    // A child inherits what holds at this moment. On Linux this process still leaves no dump.
    let lowered = Rlimit { current: Some(0), ..limit };
    let _ = setrlimit(Resource::Core, limit);
    let child = command.spawn();
    let _ = setrlimit(Resource::Core, lowered);
    child
}
