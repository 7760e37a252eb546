//! The planted bugs, as listed in a file for each law, which has the law's name.

use anyhow::Context as _;
use serde::Deserialize;

use crate::tidy::Repository;

/// The directory of the bugs.
pub(crate) const PLANTS: &str = "crates/test/sim/plants/";

/// A place in the sources, and a change that makes it wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bug {
    /// The mistake, stated as a claim in the form of a test's name.
    pub(crate) name: String,
    /// The file, relative to the repository's root.
    pub(crate) file: String,
    /// A text that occurs in it exactly once.
    pub(crate) find: String,
    /// The text that replaces it.
    pub(crate) plant: String,
    /// The law that it breaks.
    #[serde(skip)]
    pub(crate) law: u32,
}

/// A file of bugs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plants {
    bug: Vec<Bug>,
}

/// All bugs, by law.
pub(crate) fn all(repository: &Repository) -> anyhow::Result<Vec<Bug>> {
    let mut bugs = Vec::new();
    for file in repository.files() {
        if file.path.starts_with(PLANTS) {
            bugs.extend(of_file(&file.path, &file.text)?);
        }
    }
    Ok(bugs)
}

/// The bugs of one file.
pub(crate) fn of_file(path: &str, text: &str) -> anyhow::Result<Vec<Bug>> {
    let number = path.strip_prefix(PLANTS).and_then(|name| name.get(1..3));
    let law = number.and_then(|number| number.parse().ok());
    let law = law.with_context(|| format!("{path}: a law's file is called as l01_name is"))?;
    let plants: Plants = toml::from_str(text).with_context(|| path.to_owned())?;
    let of_law = |bug| Bug { law, ..bug };
    Ok(plants.bug.into_iter().map(of_law).collect())
}
