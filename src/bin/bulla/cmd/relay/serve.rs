//! `relay serve`.

use std::io::Write as _;
use std::net::TcpListener;

use anyhow::{Context as _, Result};
use bulla::crypto::sha256;
use bulla::relay::server::{Config, Server};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::cli;
use crate::exit::{Exit, Fail};

pub(crate) fn run(app: &App, args: &cli::RelayServe) -> Result<Exit> {
    if args.store.to_string_lossy().contains("://") {
        return Err(Fail::usage(format!("{} is no folder", args.store.display()))
            .hint("--store DIR")
            .into());
    }
    let mut config = Config::new(&args.store);
    config.authorities.clone_from(&args.name);
    config.ttl_hours = args.ttl.as_secs().div_ceil(3600).max(1);
    config.message_bytes = args.max_message;
    config.quotas.mailbox_messages = args.mailbox_messages;
    config.quotas.mailbox_bytes = args.mailbox_size;
    config.quotas.store_bytes = args.store_size;
    if let Some(source) = &args.token {
        config.token = Some(sha256(&[source.passphrase()?.as_bytes()]));
    }
    let listener = TcpListener::bind(args.listen)
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let server = Server::new(config, listener)?;
    // Scripts read the address, and know by it that the relay is there.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "http://{}", server.address())?;
    stdout.flush()?;
    app.ui.detail(&format!("store {}", args.store.display()));
    server.run(stop())?;
    app.ui.detail("stopped");
    Ok(Exit::Done)
}

/// Resolves when the relay is asked to stop.
async fn stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
