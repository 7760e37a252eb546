//! What can be wrong with a configuration.

use std::{fmt::Display, io, path::PathBuf};

use crate::source::Source;

/// A configuration that can't be used. Each message says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key that doesn't exist. Correct or remove it.
    #[error("{from}: there is no key `{path}`{}", suggestion(.nearest))]
    UnknownKey {
        /// The key as written.
        path: String,
        /// Where it was written.
        from: Source,
        /// The key that it resembles.
        nearest: Option<&'static str>,
    },
    /// A variable that nothing reads. Correct or unset it.
    #[error("{name}: there is no such variable{}", suggestion(.nearest))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The one that it resembles.
        nearest: Option<String>,
    },
    /// A value of another kind. Write what was wanted.
    #[error("{from}: `{path}` wants {wanted}")]
    Value {
        /// The key.
        path: &'static str,
        /// Where the value was written.
        from: Source,
        /// What the key takes.
        wanted: String,
    },
    /// A file that can't be read. Check its name and its permissions.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file that isn't TOML. Correct it at the line.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A front that anybody on the network could use. Configure authentication, or say that it is
    /// meant.
    #[error(
        "`{section}.host` is {host}, which others can reach, and {missing}: {remedy}, or pass \
         --insecure to let anybody in"
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
    /// A key that means nothing without another. Set both, or neither.
    #[error("`{key}` needs `{other}`: set both, or neither")]
    Alone {
        /// The key that is set.
        key: &'static str,
        /// The key that isn't.
        other: &'static str,
    },
    /// Two fronts on one address. Move one of them.
    #[error("`{first}` and `{second}` are both {address}: move one of them")]
    SamePort {
        /// The key of one.
        first: &'static str,
        /// The key of the other.
        second: &'static str,
        /// The address.
        address: String,
    },
    /// The keys and the settings disagree: a defect of this program.
    #[error("the settings cannot be built: {0}")]
    Shape(String),
}

fn suggestion(nearest: &Option<impl Display>) -> String {
    nearest.as_ref().map_or_else(
        || "; `stele config docs` lists all keys".to_owned(),
        |key| format!("; did you mean `{key}`?"),
    )
}
