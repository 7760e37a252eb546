//! The errors of the configuration.

use std::{fmt::Display, io, path::PathBuf};

use crate::source::Source;

/// An unusable configuration. Each message says where the error is and how to correct it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key doesn't exist. Correct or remove it.
    #[error("{from}: unknown key `{path}`{}", suggestion(.nearest))]
    UnknownKey {
        /// The key as written.
        path: String,
        /// Where it was written.
        from: Source,
        /// The most similar key.
        nearest: Option<&'static str>,
    },
    /// The variable doesn't exist. Correct or unset it.
    #[error("{name}: unknown variable{}", suggestion(.nearest))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The most similar variable.
        nearest: Option<String>,
    },
    /// The value has the wrong kind. Write a value of the wanted kind.
    #[error("{from}: `{path}` must be {wanted}")]
    Value {
        /// The key.
        path: &'static str,
        /// Where the value was written.
        from: Source,
        /// What the key takes.
        wanted: String,
    },
    /// The file can't be read. Check its name and its permissions.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file isn't TOML. Correct the line.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's message.
        message: String,
    },
    /// Anybody on the network can use this front. Configure authentication, or allow it explicitly.
    #[error(
        "`{section}.host` is {host}, not a loopback address, and {missing}: {remedy}, or pass \
         --insecure to allow unauthenticated access"
    )]
    Open {
        /// The front's section.
        section: &'static str,
        /// The address.
        host: String,
        /// What is not configured.
        missing: &'static str,
        /// What to configure.
        remedy: &'static str,
    },
    /// The key has no meaning without another. Set both, or neither.
    #[error("`{key}` needs `{other}`: set both, or neither")]
    Alone {
        /// The key that is set.
        key: &'static str,
        /// The key that isn't.
        other: &'static str,
    },
    /// Two fronts have the same address. Change one of them.
    #[error("`{first}` and `{second}` are both {address}: change one of them")]
    SamePort {
        /// The key of one.
        first: &'static str,
        /// The key of the other.
        second: &'static str,
        /// The address.
        address: String,
    },
    /// The keys and the settings disagree: a bug in this program.
    #[error("the settings cannot be built: {0}")]
    Shape(String),
}

fn suggestion(nearest: &Option<impl Display>) -> String {
    nearest.as_ref().map_or_else(
        || "; `stele config docs` lists all keys".to_owned(),
        |key| format!("; did you mean `{key}`?"),
    )
}
