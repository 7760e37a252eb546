//! Where a value came from.

use std::{fmt, path::PathBuf};

/// The layer and the place in it. Later layers win: default, file, environment, flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// The configuration file, at a line counted from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A file that an environment variable ending in `_FILE` names.
    SecretFile {
        /// The variable.
        variable: String,
        /// The file that it names.
        path: PathBuf,
    },
    /// A flag on the command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::SecretFile { variable, path } => write!(f, "{} by {variable}", path.display()),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}
