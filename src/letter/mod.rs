//! Letters and envelopes.
