//! The `bulla` program: it parses, hands on, and translates the outcome.

#[cfg(feature = "index")]
mod agent;
mod app;
mod bar;
mod body;
mod child;
mod classify;
mod cli;
mod cmd;
mod events;
mod exit;
mod given;
mod harden;
mod home;
#[cfg(feature = "index")]
mod index_place;
mod input;
mod json;
mod network;
#[cfg(feature = "serve")]
mod notify;
mod output;
mod partly;
#[cfg(feature = "pdf")]
mod pdf;
mod present;
mod qr;
#[cfg(feature = "index")]
mod query;
mod recipients;
mod record;
mod sealed_input;
#[cfg(feature = "index")]
mod searcher;
mod source;
mod ui;
mod unlock;

use std::process::ExitCode;

use clap::Parser as _;

use app::App;
use cli::{Cli, Verb};
use exit::Exit;
use source::secret_as_argument;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|verb| verb == child::VERB) {
        return child::run(std::env::args_os().skip(2));
    }
    harden::process();
    #[cfg(feature = "index")]
    ui::hold_expected_panics();
    #[cfg(feature = "pdf")]
    if std::env::args_os().nth(1).is_some_and(|verb| verb == pdf::VERB) {
        return pdf::run();
    }
    if source::is_invite_among(std::env::args_os().skip(1)) {
        let json = std::env::args_os().any(|arg| arg == "--json");
        let common = cli::Common { json, quiet: false, verbose: false, no_input: true };
        return ExitCode::from(
            ui::Ui::new(&common).last_error(&secret_as_argument().into()).code(),
        );
    }
    let args = std::env::args_os();
    #[cfg(feature = "index")]
    let args = cli::spelled_out(args);
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and end well; the rest is usage.
            let status = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            if status == Exit::Usage && std::env::args_os().any(|arg| arg == "--json") {
                ui::exit_error(status, "usage");
            }
            if cli::would_write_envelopes(std::env::args_os()) {
                output::tell_reader(status);
            }
            return ExitCode::from(status.code());
        }
    };
    let app = App { ui: ui::Ui::new(&cli.common), home: home::Home::from_env() };
    let exit = run(&app, &cli.verb).unwrap_or_else(|error| app.ui.last_error(&error));
    if cli.verb.writes_envelopes() {
        output::tell_reader(exit);
    }
    ExitCode::from(exit.code())
}

fn run(app: &App, verb: &Verb) -> anyhow::Result<Exit> {
    match verb {
        Verb::Keygen(args) if args.replace => cmd::replace::run(app, args),
        Verb::Keygen(args) => cmd::keygen::run(app, args),
        Verb::Card(args) => cmd::card::run(app, args),
        Verb::Invite(args) => cmd::invite::run(app, args),
        Verb::Pair(args) => cmd::pair::run(app, args),
        Verb::Contact(args) => cmd::contact::run(app, args),
        Verb::Seal(args) => cmd::seal::run(app, args),
        Verb::Open(args) => cmd::open::run(app, args),
        Verb::Inspect(args) => cmd::inspect::run(app, args),
        Verb::Backup(args) => cmd::backup::run(app, args),
        Verb::Restore(args) => cmd::restore::run(app, args),
        Verb::Relay(args) => cmd::relay::run(app, args),
        #[cfg(feature = "index")]
        Verb::Index(args) => cmd::index::run(app, args),
        #[cfg(feature = "index")]
        Verb::Search(args) => cmd::search::run(app, args),
        #[cfg(feature = "index")]
        Verb::Tag(args) => cmd::tag::run(app, args),
        #[cfg(feature = "index")]
        Verb::Agent(args) => cmd::agent::run(app, args),
        Verb::Completions(args) => cmd::generate::completions(args),
        Verb::Man(args) => cmd::generate::man(args),
    }
}
