//! The method of a pairing, which the user names and the line of the invite does not.
//!
//! A line that came over a channel that others can change says what they want it to say. If it chose
//! the method, an invite for digits could be replaced by a secret one of an attacker's, and nothing
//! would be compared.

use anyhow::Result;
use bulla::contact::pairing::{Error, Invite, Kind};

use crate::app::App;
use crate::cli::{self, Method};
use crate::exit::Fail;

/// How often the method is asked for, when the answer names none.
const ASKED: usize = 4;

const QUESTION: &str = "\
how did this invite come, by what the inviter told you?
  secret  over a private channel, which no one else can read or change
  digits  over any channel, and the two of you will compare digits
  words   over any channel, and the inviter tells you three words
  device  from another machine of your own, which hands this one your identity
";

/// Settles the method of an invite, and refuses the invite if it is for another one.
///
/// `device` says that the line is for another machine of the user's own. `None`: the invite was
/// accepted here before (`known`), and no method was named.
pub(super) fn settle(
    app: &App,
    args: &cli::Pair,
    invite: &Invite,
    device: bool,
    known: bool,
) -> Result<Option<Method>> {
    let method = match named(args)? {
        Some(method) => method,
        None if known => return Ok(None),
        None => ask(app)?,
    };
    let fits = match method {
        Method::Secret => !device && matches!(invite.kind(), Kind::Secret(_)),
        Method::Digits => !device && matches!(invite.kind(), Kind::Public(_)),
        Method::Words => !device && matches!(invite.kind(), Kind::Words),
        Method::Device => device && matches!(invite.kind(), Kind::Secret(_)),
    };
    if fits { Ok(Some(method)) } else { Err(Error::OtherMethod.into()) }
}

/// The method that the flags name.
fn named(args: &cli::Pair) -> Result<Option<Method>> {
    match (args.method, &args.words) {
        (None | Some(Method::Words), Some(_)) => Ok(Some(Method::Words)),
        (Some(other), Some(_)) => {
            let name = other.name();
            Err(Fail::usage(format!("--words goes with --method words, not with {name}")).into())
        }
        (method, None) => Ok(method),
    }
}

/// Asks on the terminal. What the line says is not suggested.
fn ask(app: &App) -> Result<Method> {
    let mut question = format!("{QUESTION}secret, digits, words or device: ");
    for _ in 0..ASKED {
        let Some(answer) = app.ui.ask_line(&question)? else { return Err(missing().into()) };
        let answer = answer.trim().to_lowercase();
        let all = [Method::Secret, Method::Digits, Method::Words, Method::Device];
        if let Some(method) = all.into_iter().find(|method| method.name() == answer) {
            return Ok(method);
        }
        question = "type one of secret, digits, words, device: ".into();
    }
    Err(missing().into())
}

/// The error of a script that names no method for a new invite.
pub(super) fn missing() -> Fail {
    Fail::usage("a new invite is accepted by a method that you name, and none was named").hint(
        "as the inviter told you over a channel you trust, add one of:\n\
         --method secret: the invite came over a private channel, which no one else can read or change\n\
         --method digits: you will compare digits\n\
         --method words: the inviter tells you words\n\
         --method device: it is from another machine of your own",
    )
}
