//! `relay token` and `relay status --store`: the operator's.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulla::crypto;
use bulla::files::Access;
use bulla::relay::client::bearer_text;
use bulla::relay::protocol::TokenId;
use bulla::relay::server::admin::operator::Operator;
use bulla::relay::store::{Quotas, Token};
use serde_json::{Value, json};

use super::store;
use crate::app::App;
use crate::cli;
use crate::cli::time::now;
use crate::exit::{Exit, Fail};
use crate::json::json_line;
use crate::output::{Nature, Target};
use bulla::text::date;

/// Where a relay with this store listens for its operator: a store that is no folder has no
/// place of its own for that.
pub(super) fn socket(admin: Option<&Path>, at: &cli::StoreAt) -> Option<PathBuf> {
    let beside = || store::folder(at).map(|folder| folder.join("admin.sock"));
    admin.map(Path::to_owned).or_else(beside)
}

/// The operator of the relay that runs, else of the store it left.
pub(super) fn operator(app: &App, at: &cli::OperatorAt) -> Result<Operator> {
    let running = socket(at.admin.as_deref(), &at.store).and_then(|path| Operator::at(&path));
    if let Some(operator) = running {
        return Ok(operator);
    }
    // A mistyped name makes no new store.
    if let Some(folder) = store::folder(&at.store).filter(|folder| !folder.is_dir()) {
        let message = format!("there is no store in {}", folder.display());
        return Err(Fail::new(Exit::InputMissing, message).into());
    }
    Ok(Operator::of(store::open(app, &at.store, None, Quotas::default())?)?)
}

pub(crate) fn token(app: &App, verb: &cli::RelayToken) -> Result<Exit> {
    match verb {
        cli::RelayToken::New(args) => new(app, args),
        cli::RelayToken::List(at) => list(app, at),
        cli::RelayToken::Revoke(args) => revoke(app, args),
    }
}

fn new(app: &App, args: &cli::RelayTokenNew) -> Result<Exit> {
    let operator = operator(app, &args.at)?;
    let target = Target::new(&args.output, None, Nature::Text)?;
    let text = bearer_text(&crypto::random_secret()?);
    // Times are kept at the hour.
    let expires = args.expires.map(|time| (now() + time.as_secs()).div_ceil(3600) * 3600);
    let id = TokenId::of(&text);
    let token = Token { id, mailboxes: args.mailboxes, bytes: args.bytes, expires, used: 0 };
    // Opened first: a token that is good and shown to nobody is of no use.
    let mut output = target.open(Access::Private)?;
    operator.add_token(token)?;
    if app.ui.json {
        let mut shown = object(&token);
        if let Value::Object(members) = &mut shown {
            members.insert("token".into(), json!(text.as_str()));
        }
        writeln!(output, "{shown}")?;
    } else {
        writeln!(output, "{}", text.as_str())?;
    }
    output.finish()?;
    app.ui.note(&format!("to revoke it: bulla relay token revoke {id}"));
    Ok(Exit::Done)
}

fn list(app: &App, at: &cli::OperatorAt) -> Result<Exit> {
    let mut tokens = operator(app, at)?.tokens()?;
    tokens.sort_by_key(|token| token.id);
    let mut stdout = std::io::stdout().lock();
    for token in &tokens {
        if app.ui.json {
            writeln!(stdout, "{}", object(token))?;
            continue;
        }
        let until = token.expires.map(|time| format!("  until {}", date(time)));
        let bytes = token.bytes.map(|bytes| format!("  {bytes} bytes"));
        writeln!(
            stdout,
            "{}  {} of {} mailboxes{}{}",
            token.id,
            token.used,
            token.mailboxes,
            until.unwrap_or_default(),
            bytes.unwrap_or_default(),
        )?;
    }
    stdout.flush()?;
    Ok(if tokens.is_empty() { Exit::Negative } else { Exit::Done })
}

fn revoke(app: &App, args: &cli::RelayTokenRevoke) -> Result<Exit> {
    let ids = args.id.iter().map(|text| {
        let id = text.parse::<TokenId>();
        id.with_context(|| format!("{text:?} is no id as relay token list prints them"))
    });
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let operator = operator(app, &args.at)?;
    let mut revoked = 0;
    for id in ids {
        revoked += u64::from(operator.remove_token(id)?);
    }
    app.ui.note(&format!("{revoked} revoked"));
    Ok(if revoked == 0 { Exit::Negative } else { Exit::Done })
}

/// `relay status --store`: totals, which is all an operator sees.
pub(super) fn status(app: &App, at: &cli::OperatorAt) -> Result<Exit> {
    let totals = operator(app, at)?.totals()?;
    let (messages, bytes) = (totals.waiting.messages, totals.waiting.bytes);
    let mut stdout = std::io::stdout().lock();
    if app.ui.json {
        let mailboxes = totals.mailboxes;
        let object =
            json!({ "schema": 1, "mailboxes": mailboxes, "messages": messages, "bytes": bytes });
        writeln!(stdout, "{}", json_line(&object))?;
    } else {
        let mailboxes = totals.mailboxes;
        writeln!(stdout, "mailboxes {mailboxes}\nwaiting   {messages} messages, {bytes} bytes")?;
    }
    Ok(Exit::Done)
}

fn object(token: &Token) -> Value {
    json!({
        "schema": 1,
        "id": token.id,
        "mailboxes": token.mailboxes,
        "used": token.used,
        "bytes": token.bytes,
        "expires": token.expires.map(date),
    })
}
