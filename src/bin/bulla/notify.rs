//! Words with the service manager: `sd_notify(3)` and `sd_watchdog_enabled(3)` of systemd, which
//! are a datagram and two variables.

use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The manager that started this process, if it wants to hear.
pub(crate) struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// What `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say.
    pub(crate) fn from_env() -> Self {
        let variable = |name| std::env::var(name).ok();
        let own = |pid: String| pid == std::process::id().to_string();
        let watchdog = variable("WATCHDOG_USEC")
            .filter(|_| variable("WATCHDOG_PID").is_none_or(own))
            .and_then(|micros| micros.parse().ok())
            .filter(|micros| *micros > 0)
            .map(Duration::from_micros);
        let socket = variable("NOTIFY_SOCKET")
            .and_then(|name| address(&name))
            .and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        Self { socket, watchdog }
    }

    /// After how long a silence the manager kills this process.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells it, as well as that can be done.
    pub(crate) fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(state.as_bytes(), address);
        }
    }
}

/// A path, or an abstract name behind `@`.
fn address(name: &str) -> Option<SocketAddr> {
    match name.strip_prefix('@') {
        None => SocketAddr::from_pathname(name).ok(),
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name).ok()
        }
        #[cfg(not(target_os = "linux"))]
        Some(_) => None,
    }
}
