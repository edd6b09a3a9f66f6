//! `inspect`: what anybody can see, without a key.

use std::io::Write as _;

use anyhow::Result;
use bulla::age::{self, Inspection};
use bulla::letter::{self, EnvelopeReader, ratchet};
use bulla::text::{hex_encode, printable};
use serde_json::{Value, json};

use super::open::{nothing, unsealed};
use crate::app::App;
use crate::cli;
use crate::exit::Exit;
use crate::input::Input;
use crate::json::json_line;

pub(crate) fn run(app: &App, args: &cli::Inspect) -> Result<Exit> {
    let input = Input::open(args.file.as_deref(), "something sealed")?;
    let (kind, input) = letter::sniff(input)?;
    match kind {
        letter::Input::Age => show(app, &age(&age::inspect(input)?))?,
        letter::Input::Envelopes => {
            let mut envelopes = EnvelopeReader::new(input);
            let mut seen = 0;
            while let Some(envelope) = envelopes.next()? {
                let routing = envelope.routing().clone();
                let (inspection, id) = envelope.inspect()?;
                let mut fields = vec![
                    ("envelope", json!(hex_encode(&id))),
                    ("relay", json!(routing.relay)),
                    ("mailbox", json!(hex_encode(&routing.mailbox))),
                    // That there is one, and never its text.
                    ("capability", json!(routing.capability.is_some())),
                ];
                fields.extend(age(&inspection));
                show(app, &fields)?;
                seen += 1;
            }
            if seen == 0 {
                app.ui.note("an envelope stream without letters");
                return Ok(Exit::Negative);
            }
        }
        letter::Input::Empty => return Err(nothing().into()),
        _ => return Err(unsealed("the input is no age file and no envelope stream").into()),
    }
    Ok(Exit::Done)
}

fn age(inspection: &Inspection) -> Vec<(&'static str, Value)> {
    let ratchet = inspection.stanzas == [ratchet::KIND];
    let resists = match inspection.post_quantum {
        _ if ratchet => "yes",
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    vec![
        ("stanzas", json!(inspection.stanzas)),
        ("post_quantum", json!(resists)),
        ("armored", json!(inspection.armored)),
        ("forward_secrecy", json!(ratchet)),
        ("header_bytes", json!(inspection.header)),
        ("payload_bytes", json!(inspection.payload)),
        ("plaintext_bytes", json!(inspection.plaintext)),
    ]
}

fn show(app: &App, fields: &[(&'static str, Value)]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    if app.ui.json {
        let schema = ("schema".to_owned(), json!(1));
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let object: Value = std::iter::once(schema).chain(fields).collect();
        writeln!(stdout, "{}", json_line(&object))?;
        return Ok(());
    }
    for (name, value) in fields {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
            }
            Value::Null => "none named".into(),
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
            other => other.to_string(),
        };
        writeln!(stdout, "{:17}{}", name.replace('_', " "), printable(&text))?;
    }
    Ok(())
}
