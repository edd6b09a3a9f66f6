//! `index`: what can be found later.

use std::io::{BufReader, Write as _};

use anyhow::Result;
use bulla::index::{self, BuildOptions, MAX_FILE, Report, Skipped};

use crate::app::App;
use crate::cli;
use crate::cmd::show;
use crate::exit::{Exit, Fail};
use crate::index_place::Place;
use crate::input::Input;
use crate::json::json_line;
#[cfg(feature = "pdf")]
use crate::pdf::read as read_pdf;
use crate::query;
use crate::ui::Ui;

/// Skipped files and messages that are named without -v.
const NAMED: usize = 20;

/// Reads no PDF, so that each is named among what was skipped.
#[cfg(not(feature = "pdf"))]
fn read_pdf(_: &[u8]) -> Result<index::Pdf, String> {
    Err("this program was built without a reader of PDFs".to_owned())
}

pub(crate) fn run(app: &App, verb: &cli::Index) -> Result<Exit> {
    match verb {
        cli::Index::Build(args) => build(app, args),
        cli::Index::Add(args) => add(app, args),
        cli::Index::Remove(args) => remove(app, args),
        cli::Index::Show(args) => show::run(app, args),
        cli::Index::Stats(args) => stats(app, args),
        cli::Index::Verify(args) => verify(app, args),
        cli::Index::Purge(args) => purge(app, args),
        cli::Index::Rekey(args) => rekey(app, args),
        cli::Index::Destroy(args) => destroy(app, args),
    }
}

fn build(app: &App, args: &cli::IndexBuild) -> Result<Exit> {
    for path in &args.path {
        // A path typed wrong is a mistake; one that cannot be read on the way is only skipped.
        path.metadata().map_err(|error| {
            Fail::new(Exit::InputMissing, format!("cannot read {}: {error}", path.display()))
        })?;
    }
    let options = BuildOptions {
        follow_links: args.follow,
        max_file: args.max_size.unwrap_or(MAX_FILE),
        exclude: args.exclude.clone(),
        gitignore: args.gitignore,
        types: args.types.clone(),
        reread: args.reread,
        pdf: Some(read_pdf),
        ..BuildOptions::default()
    };
    let index = Place::of(app, &args.place)?.open_or_create(args.stem.as_ref())?;
    let mut writer = index.writer()?;
    let bar = app.ui.bar("indexing");
    let report = writer.build(&args.path, &options, bar.as_ref())?;
    writer.finish()?;
    drop(bar);
    tell(&app.ui, &report)
}

fn add(app: &App, args: &cli::IndexAdd) -> Result<Exit> {
    let input = Input::open(Some(&args.file), "JSON lines")?;
    let place = Place::of(app, &args.place)?;
    let index = place.open_or_create(None)?;
    let mut writer = index.writer()?;
    let report = writer.add_json_lines(BufReader::new(input))?;
    writer.finish()?;
    place.are_safe(&report.letters)?;
    tell(&app.ui, &report)?;
    if report.skipped > 0 {
        let message = format!("{} lines hold no letter, the others are indexed", report.skipped);
        return Err(Fail::new(Exit::Malformed, message)
            .hint("expected what bulla open --json prints")
            .into());
    }
    Ok(Exit::Done)
}

/// What was done, and what was not: the latter is named, and never fatal.
fn tell(ui: &Ui, report: &Report) -> Result<Exit> {
    let most = if ui.is_verbose() { usize::MAX } else { NAMED };
    let named: Vec<_> = report.named.iter().take(most).collect();
    let cut: Vec<_> = report.named_cut.iter().take(most).collect();
    for (what, ones, all) in [("skipped", &named, report.skipped), ("not whole:", &cut, report.cut)]
    {
        for one in ones {
            let at = one.offset.map(|offset| format!("#{offset}")).unwrap_or_default();
            ui.warn(&format!("{what} {}{at}: {}", one.path.display(), one.why));
        }
        let more = all - ones.len() as u64;
        if more > 0 {
            let how = if ui.is_verbose() { "" } else { ", -v names them" };
            ui.warn(&format!("{what} {more} more{how}"));
        }
    }
    let Report { added, updated, unchanged, removed, skipped, binary, bytes, .. } = report;
    if ui.json {
        let object = |one: &&Skipped| {
            let path = one.path.to_string_lossy();
            serde_json::json!({ "path": path, "offset": one.offset, "why": one.why })
        };
        let named: Vec<_> = named.iter().map(object).collect();
        let named_cut: Vec<_> = cut.iter().map(object).collect();
        let object = serde_json::json!({
            "schema": 1, "added": added, "updated": updated, "unchanged": unchanged,
            "removed": removed, "skipped": skipped, "named": named,
            "cut": report.cut, "named_cut": named_cut, "binary": binary, "bytes": bytes,
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
        return Ok(Exit::Done);
    }
    if !binary.is_empty() {
        let kinds: Vec<_> = binary.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        ui.note(&format!("left out, without text: {}", kinds.join(", ")));
    }
    let mut line = format!("{added} added, {unchanged} unchanged, {skipped} skipped");
    for (count, what) in [(updated, "updated"), (removed, "removed")] {
        if *count > 0 {
            line += &format!(", {count} {what}");
        }
    }
    ui.note(&line);
    Ok(Exit::Done)
}

fn remove(app: &App, args: &cli::IndexRemove) -> Result<Exit> {
    let index = Place::of(app, &args.place)?.open()?;
    let text = query::typed(&args.query)?;
    let mut writer = index.writer()?;
    let is_hex = text.len() >= 6 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_id = text.len() == 32 && is_hex;
    let removed = if is_id {
        writer.remove_id(&text).map(|_| 1)?
    } else {
        writer.remove(&query::parse(&text)?)?
    };
    writer.finish()?;
    if removed == 0 && is_hex && index.show(&text).is_ok() {
        // The beginning of an id is a word, too.
        let message = format!("no document holds the word {text}");
        return Err(Fail::new(Exit::Negative, message)
            .hint(format!("one has that id: bulla index remove id:{text}"))
            .into());
    }
    app.ui.note(&format!("{removed} removed"));
    Ok(if removed == 0 { Exit::Negative } else { Exit::Done })
}

fn stats(app: &App, args: &cli::IndexStats) -> Result<Exit> {
    let place = Place::of(app, &args.place)?;
    let stats = place.open()?.stats()?;
    let mut stdout = std::io::stdout().lock();
    if app.ui.json {
        let object = serde_json::json!({
            "schema": 1,
            "path": place.folder.to_string_lossy(),
            "documents": stats.documents,
            "segments": stats.segments,
            "files": stats.files,
            "bytes": stats.bytes,
        });
        writeln!(stdout, "{}", json_line(&object))?;
    } else {
        writeln!(
            stdout,
            "documents  {}\nsegments   {}\nfiles      {}\nbytes      {}\nfolder     {}",
            stats.documents,
            stats.segments,
            stats.files,
            stats.bytes,
            place.folder.display()
        )?;
    }
    Ok(Exit::Done)
}

fn verify(app: &App, args: &cli::IndexStats) -> Result<Exit> {
    let checked = Place::of(app, &args.place)?.open()?.verify()?;
    for damage in &checked.damage {
        app.ui.warn(&damage.to_string());
    }
    if !checked.damage.is_empty() {
        let message = match checked.damage.len() {
            1 => "the index is damaged".to_owned(),
            many => format!("the index is damaged in {many} places"),
        };
        return Err(Fail::new(Exit::Damaged, message)
            .hint("the next bulla index build leaves them out and indexes what is missing")
            .into());
    }
    if checked.left_over > 0 {
        app.ui.note(&format!("{} files are left of killed writers", checked.left_over));
    }
    app.ui.note(&format!("{} cells in {} files are whole", checked.cells, checked.files));
    Ok(Exit::Done)
}

fn purge(app: &App, args: &cli::IndexStats) -> Result<Exit> {
    let purged = Place::of(app, &args.place)?.open()?.purge()?;
    app.ui.note(&match purged.documents {
        0 => "nothing removed was left in it; what older copies hold opens no more".to_owned(),
        documents => format!("{documents} deleted for good"),
    });
    Ok(Exit::Done)
}

fn rekey(app: &App, args: &cli::IndexStats) -> Result<Exit> {
    Place::of(app, &args.place)?.open()?.rekey()?;
    app.ui.note("everything is under a new key");
    Ok(Exit::Done)
}

fn destroy(app: &App, args: &cli::IndexDestroy) -> Result<Exit> {
    // Whoever has lost the passphrase can still destroy what he names.
    let folder = match &args.place.index {
        Some(folder) => folder.clone(),
        None => Place::of(app, &args.place)?.folder,
    };
    if !args.force {
        let message = format!("{} would be destroyed", folder.display());
        return Err(Fail::usage(message).hint("add --force to do it").into());
    }
    index::destroy(&folder)?;
    app.ui.note("destroyed: the key first, then the rest");
    Ok(Exit::Done)
}
