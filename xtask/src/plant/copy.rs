//! A copy of the sources in which bugs are built: the sources themselves are never changed.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use super::bug::Bug;
use crate::tidy::Repository;

/// The copy.
#[derive(Debug)]
pub(crate) struct Copy {
    /// The directory of the sources.
    pub(crate) tree: PathBuf,
    /// The directory of the build output.
    pub(crate) build: PathBuf,
}

/// An unchanged file of the copy.
#[derive(Debug)]
pub(crate) struct Original {
    path: PathBuf,
    text: String,
}

impl Copy {
    /// Copies the text files. Build output of an earlier copy is reused where possible.
    pub(crate) fn make(root: &Path, repository: &Repository) -> anyhow::Result<Self> {
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
        let home = root.join(target).join("plant");
        let (tree, build) = (home.join("tree"), home.join("build"));
        if tree.exists() {
            fs::remove_dir_all(&tree).with_context(|| format!("removing {}", tree.display()))?;
        }
        for file in repository.files() {
            let path = tree.join(&file.path);
            let folder = path.parent().context("a file lies in a folder")?;
            fs::create_dir_all(folder)?;
            fs::write(&path, &file.text).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(Self { tree, build })
    }

    /// Puts a bug into the copy, until the result is restored.
    pub(crate) fn plant(&self, bug: &Bug) -> anyhow::Result<Original> {
        let path = self.tree.join(&bug.file);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", bug.file))?;
        let count = text.matches(&bug.find).count();
        ensure!(
            count == 1,
            "`{}` occurs {count} times in {}",
            bug.find,
            bug.file
        );
        fs::write(&path, text.replace(&bug.find, &bug.plant))?;
        Ok(Original { path, text })
    }
}

impl Original {
    /// Removes the bug again.
    pub(crate) fn restore(self) -> anyhow::Result<()> {
        fs::write(&self.path, self.text).with_context(|| format!("writing {}", self.path.display()))
    }
}
