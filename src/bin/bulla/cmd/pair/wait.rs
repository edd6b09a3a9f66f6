//! Waiting until the other side of a pairing did its part.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use bulla::account::{Context, Look, title};
use bulla::contact;
use bulla::contact::pairing::Waits;

use crate::app::App;
use crate::cli::time::deadline;
use crate::events::Teller;
use crate::exit::Exit;
use crate::partly;
use crate::ui::message;

/// Pause between two looks while pairings are waited for.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for one message, after which what this process did not do is seen too.
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(20);

/// Goes on with one pairing or with all, for so many seconds at most.
pub(crate) fn wait(
    app: &App,
    cx: &Context<'_>,
    teller: &Teller,
    seconds: u64,
    only: Option<&contact::Own>,
) -> Result<Exit> {
    let pairs = cx.account.pairs()?;
    if pairs.underway().is_empty() {
        app.ui.note("no pairing is under way");
        return Ok(Exit::Negative);
    }
    for one in pairs.underway().iter().filter(|one| only.is_none_or(|only| *only == one.meeting)) {
        if let Waits::OurDigits(shown) = one.pairing.waits_for() {
            teller.show_digits(&title(one), shown);
        }
    }
    let until = deadline(Duration::from_secs(seconds));
    let mut again = true;
    let mut told = HashSet::new();
    loop {
        let wait = until.saturating_duration_since(Instant::now()).min(LONGEST_LOOK);
        let standing = cx.advance_pairings(Look { only, again, wait })?;
        again = false;
        if let Some(ended) = &standing.ended {
            standing.failed.iter().for_each(|error| {
                app.ui.error(error);
            });
            return Ok(app.ui.error(ended));
        }
        let failed: Vec<anyhow::Error> = standing.failed.into_iter().map(Into::into).collect();
        let over = standing.waiting == 0 || Instant::now() >= until;
        if !failed.is_empty() && (over || standing.reached == 0) {
            match partly::failed(app.ui, failed, standing.reached > 0) {
                Some(error) => return Err(error),
                None => return Ok(Exit::Done),
            }
        }
        for error in &failed {
            let text = message(&**error);
            if told.insert(text.clone()) {
                app.ui.warn(&format!("{text}: trying again"));
            }
        }
        if standing.waiting == 0 {
            return Ok(Exit::Done);
        }
        if over {
            for (count, side) in [
                (standing.digits, "the digits to be typed here"),
                (standing.waiting.saturating_sub(standing.digits), "the other side"),
            ] {
                match count {
                    0 => {}
                    1 => app.ui.note(&format!("one pairing waits for {side}")),
                    more => app.ui.note(&format!("{more} pairings wait for {side}")),
                }
            }
            return Ok(Exit::Negative);
        }
        sleep(PAUSE);
    }
}
