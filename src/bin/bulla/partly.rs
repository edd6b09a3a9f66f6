//! Runs in which some relays or letters failed and others did not.

use anyhow::Error;

use crate::classify::classify;
use crate::exit::{Exit, Fail};
use crate::ui::{Ui, message};

/// Reports what failed: prints all errors but one, and returns that one to end the run with. Its
/// status is 25 where others succeeded. Otherwise it is the error's own, of one that may pass if
/// there is any.
pub(crate) fn failed(ui: Ui, mut errors: Vec<Error>, others_succeeded: bool) -> Option<Error> {
    let passes = |error: &Error| classify(&**error).0 == Exit::Temporary;
    let at = errors.iter().position(passes).unwrap_or(0);
    if at >= errors.len() {
        return None;
    }
    let last = errors.remove(at);
    errors.iter().for_each(|error| {
        ui.error(&**error);
    });
    if !others_succeeded {
        return Some(last);
    }
    let (exit, hint) = classify(&*last);
    if exit == Exit::ClosedPipe {
        return Some(last);
    }
    let fail = Fail::new(Exit::SomeFailed, message(&*last));
    Some(hint.into_iter().fold(fail, Fail::hint).into())
}
