//! `search`: what was that sentence, and where?

use std::collections::BTreeSet;
use std::io::{BufWriter, IsTerminal as _, StdoutLock, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use bulla::index::{Explained, Hit, Index, Query, SearchOptions, Sort, Thread};

use crate::app::App;
use crate::cli::{self, Order};
use crate::exit::{Exit, Fail};
use crate::index_place::{Place, warn_of};
use crate::json::json_line;
use crate::query::{parse, typed};

mod print;
mod template;

use template::Template;

/// What was found is shown at least so often.
const PATIENCE: Duration = Duration::from_millis(50);

pub(crate) fn run(app: &App, args: &cli::Search) -> Result<Exit> {
    let template = args.format.as_deref().map(|text| Template::parse(text, args.threads));
    let template = template.transpose()?;
    let query = parse(&typed(&args.query)?)?;
    if args.explain {
        return explain(app, &query);
    }
    let index = Place::of(app, &args.place)?.open()?;
    let bare = args.null && template.is_none();
    let form = match template {
        Some(template) => Form::Template(template),
        None if args.files_with_matches => Form::Paths,
        None if args.ids || bare => Form::Ids,
        None if app.ui.json => Form::Json,
        None => Form::Lines { styled: styled() },
    };
    let text = match &form {
        Form::Json | Form::Lines { .. } => !args.threads || app.ui.json,
        Form::Template(template) => template.wants_snippet(),
        Form::Ids | Form::Paths => false,
    };
    let scores = match &form {
        Form::Json => true,
        Form::Template(template) => template.wants_score(),
        _ => false,
    };
    let options = SearchOptions {
        limit: if args.limit == 0 || form == Form::Paths { usize::MAX } else { args.limit },
        offset: args.offset,
        sort: match args.sort {
            Order::Date => Sort::Date,
            Order::Oldest => Sort::Oldest,
            Order::Relevance => Sort::Relevance,
        },
        snippets: text,
        scores,
    };
    let told = index.left_out().len();
    let out = Out::new(form, args.null);
    let total = match (args.count, args.threads) {
        (true, _) => count(app, &index, &query, &options)?,
        (_, true) => threads(app, &index, &query, &options, out)?,
        _ => hits(app, &index, &query, &options, out)?,
    };
    ended(app, &index, told, total)
}

fn count(app: &App, index: &Index, query: &Query, options: &SearchOptions) -> Result<u64> {
    let count = index.hits(query, &SearchOptions { limit: 0, ..*options })?.total();
    let mut stdout = std::io::stdout();
    if app.ui.json {
        writeln!(stdout, "{}", serde_json::json!({ "schema": 1, "count": count }))?;
    } else {
        writeln!(stdout, "{count}")?;
    }
    Ok(count)
}

fn hits(
    app: &App,
    index: &Index,
    query: &Query,
    options: &SearchOptions,
    mut out: Out,
) -> Result<u64> {
    let mut hits = index.hits(query, options)?;
    let mut shown = 0;
    let mut told = BTreeSet::new();
    while let Some(hit) = hits.next().transpose()? {
        shown += 1;
        if out.form != Form::Paths {
            out.hit(&hit)?;
        } else if let Some(path) = hit.summary.path
            && !told.contains(&path)
        {
            out.record(path.as_os_str().as_bytes())?;
            told.insert(path);
        }
    }
    out.flush()?;
    let (total, skipped) = (hits.total(), options.offset as u64);
    if shown + skipped < total && matches!(out.form, Form::Lines { .. } | Form::Json) {
        app.ui.note(&format!("{shown} of {total} shown, --limit 0 shows all"));
    }
    Ok(total)
}

fn threads(
    app: &App,
    index: &Index,
    query: &Query,
    options: &SearchOptions,
    mut out: Out,
) -> Result<u64> {
    if options.sort == Sort::Relevance {
        return Err(Fail::usage("threads come by date").hint("--sort date, or oldest").into());
    }
    let mut threads = index.threads(query, options)?;
    let mut shown = 0;
    while let Some(thread) = threads.next().transpose()? {
        shown += 1;
        out.thread(&thread)?;
    }
    out.flush()?;
    if shown == options.limit && matches!(out.form, Form::Lines { .. } | Form::Json) {
        let threads = if shown == 1 { "thread" } else { "threads" };
        app.ui.note(&format!("{shown} {threads} shown, --limit 0 shows all"));
    }
    Ok(threads.total())
}

/// How a search ended that came to its end, and what of the index was left out of it.
fn ended(app: &App, index: &Index, told: usize, total: u64) -> Result<Exit> {
    let left_out = index.left_out();
    warn_of(&app.ui, left_out.get(told..).unwrap_or_default());
    if left_out.iter().any(|one| one.documents != Some(0)) {
        let message = "the answer is partial: what is damaged of the index was left out";
        return Err(Fail::new(Exit::Partial, message)
            .hint("the next bulla index build indexes what is missing")
            .into());
    }
    Ok(if total == 0 { Exit::Negative } else { Exit::Done })
}

/// What is printed of each match.
#[derive(Debug, PartialEq)]
enum Form {
    Lines { styled: bool },
    Json,
    Ids,
    Paths,
    Template(Template),
}

/// Standard output, on which a match appears soon after it was found.
struct Out {
    form: Form,
    null: bool,
    out: BufWriter<StdoutLock<'static>>,
    flushed: Option<Instant>,
}

impl Out {
    fn new(form: Form, null: bool) -> Self {
        let out = BufWriter::new(std::io::stdout().lock());
        Self { form, null, out, flushed: None }
    }

    fn hit(&mut self, hit: &Hit) -> Result<()> {
        let text = match &self.form {
            Form::Json => json_line(&print::object(hit)),
            Form::Lines { styled } => print::lines(hit, *styled),
            Form::Template(template) => return self.formatted(template.of(hit, None)),
            Form::Ids | Form::Paths => return self.record(hit.id.as_bytes()),
        };
        self.line(&text)
    }

    fn thread(&mut self, thread: &Thread) -> Result<()> {
        let text = match &self.form {
            Form::Json => json_line(&print::thread_object(thread)),
            Form::Lines { .. } => print::thread_line(thread),
            Form::Template(template) => {
                return self.formatted(template.of(&thread.first, Some(thread)));
            }
            Form::Ids | Form::Paths => return self.record(thread.first.id.as_bytes()),
        };
        self.line(&text)
    }

    fn line(&mut self, text: &str) -> Result<()> {
        writeln!(self.out, "{text}")?;
        self.show()
    }

    fn formatted(&mut self, (text, ended): (String, bool)) -> Result<()> {
        if ended && !self.null {
            self.out.write_all(text.as_bytes())?;
            return self.show();
        }
        self.record(text.as_bytes())
    }

    /// What a line end or a NUL ends.
    fn record(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.out.write_all(if self.null { b"\0" } else { b"\n" })?;
        self.show()
    }

    /// Lets the reader have the first at once, and the others before long.
    fn show(&mut self) -> Result<()> {
        if self.flushed.is_none_or(|last| last.elapsed() >= PATIENCE) {
            self.flush()?;
            self.flushed = Some(Instant::now());
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }
}

/// Whether matches are in bold.
fn styled() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

fn explain(app: &App, query: &Query) -> Result<Exit> {
    fn object(part: &Explained) -> serde_json::Value {
        let parts: Vec<_> = part.parts.iter().map(object).collect();
        serde_json::json!({ "what": part.what, "query": part.query, "parts": parts })
    }
    let explained = query.explain();
    let mut stdout = std::io::stdout();
    if app.ui.json {
        let mut object = object(&explained);
        if let Some(object) = object.as_object_mut() {
            object.insert("schema".into(), 1.into());
        }
        writeln!(stdout, "{}", json_line(&object))?;
    } else {
        write!(stdout, "{}", bulla::text::printable_lines(&explained.to_string()))?;
    }
    Ok(Exit::Done)
}
