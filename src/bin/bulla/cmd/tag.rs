//! `tag`: words of one's own on what a query finds.

use std::io::Write as _;

use anyhow::Result;

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::index_place::Place;
use crate::json::json_line;
use crate::query;

pub(crate) fn run(app: &App, args: &cli::Tag) -> Result<Exit> {
    if args.add.is_empty() && args.remove.is_empty() {
        return Err(Fail::usage("expected a tag to put or to take off before the query")
            .hint("bulla tag +TAG QUERY, bulla tag -TAG QUERY")
            .into());
    }
    let query = query::parse(&query::typed(&args.query)?)?;
    let index = Place::of(app, &args.place)?.open()?;
    let mut writer = index.writer()?;
    let (add, remove) = (args.add.iter().cloned(), args.remove.iter().cloned());
    let done = writer.tag(&query, &add.collect(), &remove.collect())?;
    writer.finish()?;
    if app.ui.json {
        let object = serde_json::json!({
            "schema": 1, "found": done.found, "changed": done.changed,
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    } else {
        app.ui.note(&format!("{} found, {} changed", done.found, done.changed));
    }
    Ok(if done.found == 0 { Exit::Negative } else { Exit::Done })
}
