//! `contact verify`: two people compare sixty digits at any time after they met.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use bulla::account::Verification;
use bulla::contact::pairing::SafetyNumber;
use serde_json::json;

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::json::json_line;

/// How often a yes or no is asked for.
const ASKED: usize = 4;

pub(super) fn run(app: &App, args: &cli::ContactVerify) -> Result<Exit> {
    let me = app.me(&args.keys)?;
    let Verification { name, fingerprint, digits: ours, paired } = me.verification(&args.name)?;
    let theirs = match &args.digits {
        Some(source) => {
            let typed = source.read("the digits")?;
            Some(String::from_utf8_lossy(&typed).parse::<SafetyNumber>()?)
        }
        None => None,
    };
    let over = if paired { "fingerprints and pairing" } else { "fingerprints" };
    let matches = theirs.map(|theirs| theirs == ours);
    let mut stdout = std::io::stdout().lock();
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "name": name,
            "fingerprint": fingerprint.to_string(),
            "digits": ours.to_string().replace(['\n', ' '], ""),
            "over": over,
            "matches": matches,
        });
        writeln!(stdout, "{}", json_line(&object))?;
    } else if matches.is_none() {
        writeln!(stdout, "{ours}")?;
    }
    let is_seen = !app.ui.json && stdout.is_terminal();
    drop(stdout);
    let matches = match matches {
        None if is_seen => ask(app, &name)?,
        matches => matches,
    };
    match matches {
        Some(true) => {
            me.mark_verified(&fingerprint)?;
            app.ui.note(&format!("verified {name}, {fingerprint}"));
            Ok(Exit::Done)
        }
        Some(false) => Err(differ(&name, paired).into()),
        None => {
            app.ui.note(&format!(
                "{name} must see the same digits, over both {over}: compare them over a channel you \
                 trust, then give those that {name} sees with --digits"
            ));
            Ok(Exit::Done)
        }
    }
}

/// Asks whether the other side sees the same; `None` where no one can be asked.
fn ask(app: &App, name: &str) -> Result<Option<bool>> {
    let question = format!("does {name} see the same digits, on a channel you trust? yes or no: ");
    for _ in 0..ASKED {
        let Some(answer) = app.ui.ask_line(&question)? else { return Ok(None) };
        match answer.trim().to_lowercase().as_str() {
            "yes" => return Ok(Some(true)),
            "no" => return Ok(Some(false)),
            "" => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

fn differ(name: &str, paired: bool) -> Fail {
    let other = match paired {
        true => "or one of you removed the other since you paired, or paired again",
        false => "or only one of you has the other by a card, or by an older one",
    };
    let message = format!("the digits differ: someone is in between you and {name}, {other}");
    Fail::new(Exit::SenderNotAuthenticated, message).hint(format!(
        "send nothing that matters to {name}; meet, or talk over a channel you trust, and pair again \
         by digits or words"
    ))
}
