//! HTTP of a relay: connections, requests and answers.

pub(super) mod answer;
pub(super) mod body;
pub(super) mod listen;
mod pace;
pub(super) mod request;
mod routes;
