//! Where things are kept: XDG folders, or the one folder of `BULLA_HOME`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulla::files;

use crate::exit::{Exit, Fail};

/// The folders of this user; absent where there is no home at all, as in some CI jobs.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    config: Option<PathBuf>,
    data: Option<PathBuf>,
}

impl Home {
    pub(crate) fn from_env() -> Self {
        let folder = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(home) = folder("BULLA_HOME") {
            return Self { config: Some(home.clone()), data: Some(home) };
        }
        let home = folder("HOME");
        let xdg = |name, default: &str| {
            folder(name)
                // XDG Base Directory Specification: a path that is not absolute is ignored.
                .filter(|path| path.is_absolute())
                .or_else(|| home.as_ref().map(|home| home.join(default)))
                .map(|path| path.join("bulla"))
        };
        Self {
            config: xdg("XDG_CONFIG_HOME", ".config"),
            data: xdg("XDG_DATA_HOME", ".local/share"),
        }
    }

    /// The default identity file.
    pub(crate) fn identity(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|folder| folder.join("identity"))
    }

    /// The default identity file, its folder made.
    pub(crate) fn make_identity_place(&self) -> Result<PathBuf> {
        let path = self.identity().ok_or_else(homeless)?;
        if let Some(folder) = path.parent() {
            files::create_private_folder(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(path)
    }

    /// The identity that a machine throws away when it has been taken into use.
    pub(crate) fn newcomer(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|folder| folder.join("newcomer"))
    }

    #[cfg(feature = "index")]
    /// The folder of what lives only as long as its process.
    pub(crate) fn runtime(&self) -> Option<PathBuf> {
        let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let system = set("XDG_RUNTIME_DIR").filter(|path| path.is_absolute());
        match (set("BULLA_HOME"), system) {
            (None, Some(folder)) => Some(folder.join("bulla")),
            _ => self.data.clone(),
        }
    }

    /// The folder of the state of all identities, if there is a home at all.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }
}

/// The error of a verb that cannot do without a home.
pub(crate) fn homeless() -> Fail {
    Fail::new(Exit::InputMissing, "there is no home folder that state can be kept in")
        .hint("set BULLA_HOME to a folder")
}
