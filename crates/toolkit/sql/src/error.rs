//! Why something failed, sorted by whether trying again helps.

use stele_toolkit_bus::StoreError;

use crate::Dialect;

/// Why the database couldn't do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be reached, is busy, or gave up a transaction in favour of another. Try
    /// the whole transaction again.
    #[error("the database isn't available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The statement is wrong, breaks a constraint, or gave rows of another shape. It fails again.
    #[error("the database refuses: {0}")]
    Refused(#[source] sqlx::Error),
    /// The address of the database can't be used.
    #[error("can't use {url} as a database: {reason}")]
    Url {
        /// The address, as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A migration that was run has another text now. Restore it, and add a new one instead.
    #[error("migration {version} of {component} was changed after it had been run")]
    MigrationChanged {
        /// Whose migrations these are.
        component: String,
        /// Its version.
        version: i64,
    },
    /// A handler returned while something else still held its transaction.
    #[error("the transaction leaked: a task that outlives the handler holds it")]
    Leaked,
    /// A transaction that was lent to a handler is committed or undone by who lent it.
    #[error("a handler's transaction ends with the handler: it can't be ended by hand")]
    NotYours,
    /// A stored value isn't what this version writes.
    #[error("{table} holds what can't be read: {reason}")]
    Unreadable {
        /// The table, without its prefix.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A lease is over, or another has it.
    #[error("the lease {name} is held by another")]
    Fenced {
        /// The lease.
        name: String,
    },
}

impl Error {
    /// Whether trying the whole transaction again may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_transient(&error) {
            Self::Unavailable(error)
        } else {
            Self::Refused(error)
        }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(source) => Self::Unavailable(source.into()),
            Error::Leaked => Self::Leaked,
            other => Self::Refused(other.into()),
        }
    }
}

pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| match dialect(&code) {
            Dialect::Sqlite => is_transient_sqlite(&code),
            Dialect::Postgres => is_transient_postgres(&code),
        }),
        _ => false,
    }
}

/// SQLite's codes are numbers of one to four digits, PostgreSQL's have five characters.
fn dialect(code: &str) -> Dialect {
    if code.len() == 5 {
        Dialect::Postgres
    } else {
        Dialect::Sqlite
    }
}

/// <https://www.sqlite.org/rescode.html>; the lowest byte is the primary code.
fn is_transient_sqlite(code: &str) -> bool {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const OUT_OF_MEMORY: u32 = 7;
    const INTERRUPTED: u32 = 9;
    const IO_ERROR: u32 = 10;
    const FULL: u32 = 13;
    const CANT_OPEN: u32 = 14;
    const PROTOCOL: u32 = 15;
    const SCHEMA: u32 = 17;
    let Ok(code) = code.parse::<u32>() else {
        return false;
    };
    matches!(
        code & 0xff,
        BUSY | LOCKED
            | OUT_OF_MEMORY
            | INTERRUPTED
            | IO_ERROR
            | FULL
            | CANT_OPEN
            | PROTOCOL
            | SCHEMA
    )
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>, by classes: connections,
/// transactions that were given up, resources, an operator's intervention, the system.
fn is_transient_postgres(code: &str) -> bool {
    const CLASSES: [&str; 6] = ["08", "40", "53", "57", "58", "XX"];
    /// Waited too long for a lock; another wrote in between; the server is read-only after a
    /// fail-over; a statement that was prepared before a table was changed.
    const CODES: [&str; 4] = ["55P03", "55006", "25006", "0A000"];
    CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_databases_are_transient_and_broken_constraints_are_not() {
        for code in ["5", "517", "6", "10", "2570", "13", "14"] {
            assert!(is_transient_sqlite(code), "{code}");
        }
        for code in ["1", "19", "2067", "1555", "20"] {
            assert!(!is_transient_sqlite(code), "{code}");
        }
        for code in [
            "08006", "40001", "40P01", "53300", "57P01", "57P03", "55P03",
        ] {
            assert!(is_transient_postgres(code), "{code}");
        }
        for code in ["23505", "42P01", "22P02", "25P02"] {
            assert!(!is_transient_postgres(code), "{code}");
        }
    }

    #[test]
    fn lost_connections_are_transient() {
        let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(Error::from(sqlx::Error::Io(lost)).is_transient());
        assert!(Error::from(sqlx::Error::PoolTimedOut).is_transient());
        assert!(!Error::from(sqlx::Error::RowNotFound).is_transient());
    }
}
