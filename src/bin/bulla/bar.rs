//! The progress bar: drawn on stderr for work over a second.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bulla::progress::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Work shorter than this is not worth a picture.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar over bytes that appears after a second.
pub(crate) struct Bar {
    what: &'static str,
    started: Instant,
    total: AtomicU64,
    done: AtomicU64,
    drawn: OnceLock<ProgressBar>,
}

impl Bar {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            started: Instant::now(),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            drawn: OnceLock::new(),
        }
    }

    fn draw(&self) -> ProgressBar {
        let known = self.total.load(Ordering::Relaxed) > 0;
        let template = if known {
            "{prefix} {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}"
        } else {
            "{prefix} {spinner} {bytes}  {bytes_per_sec}"
        };
        let bar = if known { ProgressBar::new(0) } else { ProgressBar::no_length() };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.with_prefix(self.what)
    }
}

impl Progress for Bar {
    fn total(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    fn advance(&self, done: u64) {
        let done = self.done.fetch_add(done, Ordering::Relaxed) + done;
        if self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.drawn.get_or_init(|| self.draw());
        let total = self.total.load(Ordering::Relaxed);
        if total > 0 {
            bar.set_length(total.max(done));
        }
        bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.drawn.get() {
            bar.finish_and_clear();
        }
    }
}
