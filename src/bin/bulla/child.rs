//! Commands of the user that are told when this program ends.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::exit::Exit;
use crate::source::forget_secrets;

/// The verb of the process that becomes the command. Nobody types it.
pub(crate) const VERB: &str = "__command";

/// Returns a shell command that gets SIGTERM when this program ends, however it does, and sees none of our
/// secret variables. It stays in the process group, so that it may ask on the terminal.
pub(crate) fn shell(command: &str) -> io::Result<Command> {
    let mut child = Command::new(this_program()?);
    child.arg(VERB).arg(std::process::id().to_string()).arg(command);
    forget_secrets(&mut child);
    Ok(child)
}

/// The program that runs, also when another was put in its place.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok("/proc/self/exe".into()),
        false => std::env::current_exe(),
    }
}

/// Becomes the command.
pub(crate) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (parent, command) = (arguments.next(), arguments.next().unwrap_or_default());
    if !is_told(parent.and_then(|parent| parent.to_str()?.parse().ok())) {
        return ExitCode::from(Exit::Failure.code());
    }
    let error = Command::new("sh").arg("-c").arg(command).exec();
    eprintln!("error: cannot run sh: {error}");
    ExitCode::from(Exit::Failure.code())
}

/// Asks for a signal when the parent ends. Returns whether it is still there.
#[cfg(target_os = "linux")]
fn is_told(parent: Option<i32>) -> bool {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    // Where the system refuses, the command runs all the same.
    let told = set_parent_process_death_signal(Some(Signal::TERM));
    told.is_err() || getppid() == parent.and_then(Pid::from_raw)
}

#[cfg(not(target_os = "linux"))]
fn is_told(_: Option<i32>) -> bool {
    true
}
