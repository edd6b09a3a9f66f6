//! State that all requests of a relay share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::relay::protocol::{CapabilityId, Registration};
use crate::relay::server::admin::metrics::Metrics;
use crate::relay::server::config::Clock;
use crate::relay::server::guard::Replays;
use crate::relay::server::http::body::Memory;
use crate::relay::server::limits::{PublicLoad, Registrations};
use crate::relay::store::{Quotas, Store};

/// State that all requests share.
pub(super) struct App {
    pub(super) store: Arc<dyn Store>,
    pub(super) authorities: Vec<String>,
    pub(super) registration: Registration,
    pub(super) quotas: Quotas,
    pub(super) message_bytes: u64,
    pub(super) ttl_hours: u64,
    pub(super) body_pause: Duration,
    pub(super) clock: Clock,
    /// When this process began to serve.
    pub(super) started: u64,
    /// What a push without a capability has.
    pub(super) public: CapabilityId,
    pub(super) load: PublicLoad,
    pub(super) registrations: Registrations,
    pub(super) replays: Replays,
    pub(super) memory: Memory,
    pub(super) metrics: Metrics,
    pub(super) stopping: watch::Sender<bool>,
}
