//! `completions` and `man`: what is also committed under `completions/` and `man/`.

use std::io::Write as _;

use anyhow::Result;
use clap::{Command, CommandFactory as _};

use crate::cli::{self, Cli};
use crate::exit::{Exit, Fail};

pub(crate) fn completions(args: &cli::Completions) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bulla", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Done)
}

pub(crate) fn man(args: &cli::Man) -> Result<Exit> {
    let mut command = Cli::command().version(env!("CARGO_PKG_VERSION"));
    command.build();
    let mut name = String::from("bulla");
    for verb in &args.verb {
        let known = || {
            let verbs: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            Fail::usage(format!("there is no verb {verb:?}, expected one of: {}", verbs.join(", ")))
        };
        name = format!("{name}-{verb}");
        command = command.find_subcommand(verb).cloned().ok_or_else(known)?;
    }
    let mut page = Vec::new();
    let version = concat!("bulla ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command.display_name(name)).source(version).render(&mut page)?;
    std::io::stdout().write_all(&page)?;
    Ok(Exit::Done)
}
