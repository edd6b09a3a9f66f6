//! Encrypted storage below the engine: sealed cells, packs of them, and the manifest that commits.

pub(super) mod cells;
pub(super) mod directory;
pub(super) mod folder;
pub(super) mod manifest;
pub(super) mod pack;
pub(super) mod rekey;
pub(super) mod segments;
pub(super) mod verify;
