//! A relay on a thread of this process, for examples and tests of clients.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::relay::server::config::Config;
use crate::relay::server::serve::{Error, Server};
use crate::relay::store::embedded::Embedded;

/// A relay that serves on loopback until it is dropped.
#[derive(Debug)]
pub struct Background {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Background {
    /// Starts a relay whose store is in `folder`, at a free port of loopback.
    pub fn start(folder: &Path) -> Result<Self, Error> {
        let config = Config::default();
        let store = Arc::new(Embedded::open(folder, config.quotas)?);
        let server = Server::new(config, store, TcpListener::bind("127.0.0.1:0")?)?;
        let url = format!("http://{}", server.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("relay".into()).spawn(move || {
            server.run(async {
                let _ = stopped.await;
            })
        })?;
        Ok(Self { url, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the relay's URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A relay that failed has said so to its clients.
            let _ = thread.join();
        }
    }
}
