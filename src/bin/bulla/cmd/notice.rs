//! What letters say from program to program.

use anyhow::Result;
use bulla::letter::{Letter, Notice};

use crate::app::{App, Me};

/// Takes the notice of a letter that was verified and is no replay.
pub(crate) fn take(app: &App, _me: &Me, letter: &Letter, notice: &Notice) -> Result<()> {
    let from = letter.from.as_ref().map_or("nobody", |card| card.name());
    app.ui.warn(&format!(
        "a notice of kind {} from {from} is not understood: is there a newer bulla?",
        notice.kind
    ));
    Ok(())
}
