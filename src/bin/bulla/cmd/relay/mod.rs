//! `relay`: run one, push to one, pull from one.

#[cfg(feature = "serve")]
mod backup;
mod capability;
#[cfg(feature = "serve")]
mod key;
mod mailbox;
#[cfg(feature = "serve")]
mod operator;
mod pull;
mod push;
mod register;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod store;

use anyhow::Result;

use crate::app::App;
use crate::cli;
use crate::exit::Exit;

pub(crate) fn run(app: &App, verb: &cli::Relay) -> Result<Exit> {
    match verb {
        #[cfg(feature = "serve")]
        cli::Relay::Serve(args) => serve::run(app, args),
        #[cfg(feature = "serve")]
        cli::Relay::Backup(args) => backup::write(app, args),
        #[cfg(feature = "serve")]
        cli::Relay::Restore(args) => backup::read(app, args),
        #[cfg(feature = "serve")]
        cli::Relay::Key(verb) => key::run(app, verb),
        #[cfg(feature = "serve")]
        cli::Relay::Token(verb) => operator::token(app, verb),
        #[cfg(feature = "serve")]
        cli::Relay::Move(args) => store::shift(app, args),
        cli::Relay::Register(args) => register::run(app, args),
        cli::Relay::Capability(verb) => capability::run(app, verb),
        cli::Relay::Push(args) => push::run(app, args),
        cli::Relay::Pull(args) => pull::run(app, args),
        cli::Relay::List(args) => mailbox::list(app, args),
        cli::Relay::Ack(args) => mailbox::ack(app, args),
        #[cfg(feature = "serve")]
        cli::Relay::Status(args) if !args.store.is_empty() => {
            let (store, store_password) = (args.store.clone(), args.store_password.clone());
            let store = cli::StoreAt { store, store_password };
            operator::status(app, &cli::OperatorAt { store, admin: args.admin.clone() })
        }
        cli::Relay::Status(args) => mailbox::status(app, args),
    }
}
