//! PDFs, each read in a process of its own: what strangers send may keep their reader busy for ever,
//! or have it take all memory. The kernel bounds that process, and this one waits no longer than it
//! has to.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bulla::index::{MAX_BODY, Pdf};
use bulla::wire;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};

use crate::child::this_program;

/// The verb of such a process. Nobody types it.
pub(crate) const VERB: &str = "__pdf";

/// Seconds of work, and bytes of memory, that one may take.
const WORK: u64 = 10;
const MEMORY: u64 = 512 << 20;
/// How long it may take, whatever else the machine is busy with.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer: a byte, and what [`Pdf::read`] gives.
const ANSWER: usize = 1 + MAX_BODY;

/// The first byte of an answer: the PDF was read, or a sentence says why not.
const READ: u8 = b'y';
const UNREAD: u8 = b'n';

/// Has a process read a PDF.
pub(crate) fn read(bytes: &[u8]) -> Result<Pdf, String> {
    let mut command = Command::new(this_program().map_err(|error| error.to_string())?);
    command.arg(VERB);
    let answer = supervise(command, bytes, ANSWER, PATIENCE)?;
    match answer.split_first() {
        Some((&READ, record)) => {
            wire::decode(record).map_err(|error| format!("its reader gave {error}"))
        }
        Some((&UNREAD, why)) => Err(String::from_utf8_lossy(why).into_owned()),
        _ => Err("its reader gave no answer".to_owned()),
    }
}

/// That process: a PDF comes on stdin, the answer goes to stdout.
pub(crate) fn run() -> ExitCode {
    let bound = |resource, most| {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit)
    };
    let bounds = [
        (Resource::Cpu, WORK),
        (Resource::As, MEMORY),
        // What it reads is nobody's business, and it has nothing to write or to start.
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
    ];
    if bounds.into_iter().any(|(resource, most)| bound(resource, most).is_err()) {
        return ExitCode::FAILURE;
    }
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    let pdf = read.map_err(|error| error.to_string()).and_then(|_| {
        let pdf = Pdf::read(&bytes).map_err(|error| error.to_string())?;
        wire::encode(&pdf).map_err(|error| error.to_string())
    });
    let (first, rest) = match pdf {
        Ok(record) => (READ, record),
        Err(why) => (UNREAD, why.into_bytes()),
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&[first]).and_then(|()| stdout.write_all(&rest)) {
        Ok(()) if stdout.flush().is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// What a command makes of its input: at most so many bytes, in at most so much time. When this
/// returns, it runs no more.
fn supervise(
    mut command: Command,
    input: &[u8],
    most: usize,
    patience: Duration,
) -> Result<Vec<u8>, String> {
    // It needs nothing of ours, and least of all our secrets.
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child =
        command.spawn().map_err(|error| format!("its reader does not start: {error}"))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            // One that does not read to the end says why by its answer.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        let answer = match stdout {
            Some(stdout) => take(stdout, most, Instant::now() + patience),
            None => Err("its reader cannot be heard".to_owned()),
        };
        if answer.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        let answer = answer?;
        if status.success() { Ok(answer) } else { Err(ended(status)) }
    })
}

/// Reads to the end.
fn take(mut from: ChildStdout, most: usize, until: Instant) -> Result<Vec<u8>, String> {
    let mut taken = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("its reader took too long".to_owned());
        }
        let timeout =
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut waiting = [PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN)];
        match poll(&mut waiting, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
        match from.read(&mut buffer) {
            Ok(0) => return Ok(taken),
            Ok(read) => taken.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
        if taken.len() > most {
            return Err("its reader found no end of text".to_owned());
        }
    }
}

/// Why a process that gave no answer ended.
fn ended(status: ExitStatus) -> String {
    let signal = status.signal();
    if signal == Some(Signal::XCPU.as_raw()) || signal == Some(Signal::KILL.as_raw()) {
        return format!("its reader took more than {WORK} s of work");
    }
    if signal == Some(Signal::ABORT.as_raw()) || signal == Some(Signal::SEGV.as_raw()) {
        return format!("its reader needed more than {} MiB, or more stack", MEMORY >> 20);
    }
    format!("its reader ended with {status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, input: &[u8], most: usize) -> (Result<Vec<u8>, String>, Duration) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let start = Instant::now();
        let answer = supervise(command, input, most, Duration::from_millis(500));
        (answer, start.elapsed())
    }

    #[test]
    fn whatever_it_does_it_ends() {
        assert_eq!(shell("/bin/cat", &[7; 100_000], 100_000).0.unwrap(), [7; 100_000]);
        let input = vec![0; 1 << 20];
        for (script, expected) in [
            ("while :; do :; done", "took too long"),
            ("exec /bin/sleep 100", "took too long"),
            ("exec 1>&-; exec /bin/sleep 0.1", "ended"),
            ("while :; do echo text; done", "no end of text"),
            ("ulimit -t 0; kill -XCPU $$", "more than 10 s"),
            ("kill -ABRT $$", "more than 512 MiB"),
            ("kill -SEGV $$", "more than 512 MiB"),
            ("exit 101", "101"),
        ] {
            let (answer, time) = shell(script, &input, 10_000);
            match answer {
                // It closed its end, slept, and ended well.
                Ok(answer) => assert!(answer.is_empty() && expected == "ended", "{script}"),
                Err(why) => assert!(why.contains(expected), "{script}: {why}"),
            }
            assert!(time < Duration::from_secs(20), "{script}: {time:?}");
        }
    }

    #[test]
    fn nothing_of_ours_goes_along() {
        let answer = shell("exec /usr/bin/env", b"", 10_000).0.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        // What the shell sets itself.
        assert!(
            answer.lines().all(|line| line.starts_with("PWD=")
                || line.starts_with('_')
                || line.starts_with("SHLVL=")
                || line.starts_with("OLDPWD")),
            "{answer}"
        );
    }
}
