//! `relay backup` and `relay restore`: a relay without its messages.

use std::io::BufReader;

use anyhow::Result;
use bulla::files::Access;
use bulla::relay::server::admin::backup;
use bulla::relay::server::admin::operator::Operator;
use bulla::relay::store::Quotas;

use super::{operator, store};
use crate::app::App;
use crate::cli;
use crate::cli::time::now;
use crate::exit::Exit;
use crate::input::Input;
use crate::output::{Nature, Target};

pub(crate) fn write(app: &App, args: &cli::RelayBackup) -> Result<Exit> {
    let target = Target::new(&args.output, None, Nature::Text)?;
    let operator = operator::operator(app, &args.at)?;
    let mut output = target.open(Access::Private)?;
    let mailboxes = backup::write(&operator, &mut output)?;
    output.finish()?;
    app.ui.note(&format!("mailboxes written down: {mailboxes}"));
    Ok(Exit::Done)
}

pub(crate) fn read(app: &App, args: &cli::RelayRestore) -> Result<Exit> {
    let input = Input::open(args.file.as_deref(), "a backup")?;
    let operator = Operator::of(store::open(app, &args.at, None, Quotas::default())?)?;
    let mailboxes = backup::read(&operator, BufReader::new(input), now())?;
    app.ui.note(&format!("mailboxes put back: {mailboxes}"));
    Ok(Exit::Done)
}
