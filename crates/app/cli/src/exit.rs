//! The exit codes of the command. Scripts rely on them: a code never changes its meaning.

use std::{fmt, io, process::ExitCode};

/// Any outcome but success. `PipeClosed` also exits with 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1: the command failed.
    Failed(anyhow::Error),
    /// 2: wrong usage, including an invalid configuration.
    Usage(anyhow::Error),
    /// 5: the broker can't be reached or isn't ready. A retry can succeed.
    Unavailable(anyhow::Error),
    /// 7: a check found errors.
    Critical(anyhow::Error),
    /// 0: the reader of the output closed the pipe.
    PipeClosed,
}

impl Failure {
    /// The process's exit code.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::PipeClosed => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unavailable(_) => 5,
            Self::Critical(_) => 7,
        })
    }

    /// Whether no message is printed.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::PipeClosed)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PipeClosed => Ok(()),
            Self::Failed(error)
            | Self::Usage(error)
            | Self::Unavailable(error)
            | Self::Critical(error) => f.write_str(&told(error)),
        }
    }
}

/// The error with its causes. Skips a cause that the error's own message already contains.
fn told(error: &anyhow::Error) -> String {
    let mut causes = error.chain().map(ToString::to_string);
    let mut told = causes.next().unwrap_or_default();
    for cause in causes {
        if !told.ends_with(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::PipeClosed
        } else {
            Self::Failed(error.into())
        }
    }
}

impl From<stele_app_config::Error> for Failure {
    fn from(error: stele_app_config::Error) -> Self {
        Self::Usage(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use stele_core_storage as storage;

    use super::*;

    #[test]
    fn what_the_system_says_is_said_once() {
        let refused = storage::Error::Io {
            action: "open",
            path: PathBuf::from("data"),
            source: io::Error::from_raw_os_error(13),
        };
        let failure = Failure::from(anyhow::Error::from(refused).context("cannot dump"));
        assert_eq!(
            failure.to_string(),
            "cannot dump: cannot open data: Permission denied (os error 13)"
        );
    }

    #[test]
    fn a_cause_that_its_error_keeps_to_itself_is_said() {
        let refused = io::Error::from_raw_os_error(98);
        let failure = Failure::from(anyhow::Error::from(refused).context("cannot listen"));
        assert_eq!(
            failure.to_string(),
            "cannot listen: Address already in use (os error 98)"
        );
    }
}
