//! How a database is opened.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{Clock, SystemClock};

use crate::{Db, Error, Failpoint};

/// How a database is opened. [`Db::open`] uses the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) prefix: String,
    pub(crate) readers: u32,
    pub(crate) writers: u32,
    pub(crate) wait_max: Duration,
    pub(crate) inbox_days: u32,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) process: String,
    pub(crate) poll: Duration,
    pub(crate) is_synced: bool,
    pub(crate) failpoint: Option<Arc<dyn Failpoint>>,
    pub(crate) makes_tables: bool,
}

impl Default for Options {
    fn default() -> Self {
        let clock = Arc::new(SystemClock);
        let started = clock.now().as_micros();
        Self {
            prefix: "stele_".to_owned(),
            readers: 4,
            writers: 8,
            wait_max: Duration::from_secs(5),
            inbox_days: 7,
            clock,
            process: format!("{}@{started}", std::process::id()),
            poll: Duration::from_secs(1),
            is_synced: true,
            failpoint: None,
            makes_tables: true,
        }
    }
}

impl Options {
    /// The defaults: tables begin with `stele_`, handled messages are remembered for 7 days.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the names of the toolkit's tables begin with: lower-case ASCII letters, digits and
    /// underscores, beginning with a letter. Services that share a database have different ones.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many connections read at most. 4 by default.
    #[must_use]
    pub fn readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// How many transactions write at the same time at most, on PostgreSQL; 8 by default. On SQLite
    /// it is always one.
    #[must_use]
    pub fn writers(mut self, writers: u32) -> Self {
        self.writers = writers.max(1);
        self
    }

    /// How long to wait for a connection, and for SQLite's lock if another process has it, before
    /// it fails as [`Error::Unavailable`]. 5 s by default.
    #[must_use]
    pub fn wait_max(mut self, wait_max: Duration) -> Self {
        self.wait_max = wait_max;
        self
    }

    /// For how many days handled messages are remembered, the day of the message not counted. 7 by
    /// default.
    #[must_use]
    pub fn inbox_days(mut self, days: u32) -> Self {
        self.inbox_days = days.max(1);
        self
    }

    /// The source of time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What this process is called in leases. No two that run at the same time have the same name:
    /// by default it is the process's number and the time at which these options were made.
    #[must_use]
    pub fn process(mut self, name: impl Into<String>) -> Self {
        self.process = name.into();
        self
    }

    /// How often to look for what other processes have left: messages to send, parked ones, and
    /// deadlines and operators' requests of sagas. 1 s by default. What this process does is known
    /// at once.
    #[must_use]
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// Whether a commit on SQLite waits until the disk has it. It does by default. A test, which a
    /// loss of power ends for good, is faster without.
    #[must_use]
    pub fn synced(mut self, is_synced: bool) -> Self {
        self.is_synced = is_synced;
        self
    }

    /// Called at the points where a crash has an outcome of its own. For tests and chaos runs.
    #[must_use]
    pub fn failpoint(mut self, failpoint: Arc<dyn Failpoint>) -> Self {
        self.failpoint = Some(failpoint);
        self
    }

    /// Makes nothing: neither a file, nor tables, nor newer versions of them. For tools that look
    /// at the database of a service, which may run another version of the toolkit.
    #[must_use]
    pub fn as_it_is(mut self) -> Self {
        self.makes_tables = false;
        self
    }

    /// Opens the database, as [`Db::open`] does.
    pub async fn open(self, url: &str) -> Result<Db, Error> {
        let mut letters = self.prefix.bytes();
        let begins = letters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase());
        let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !begins || !letters.all(is_letter) {
            return Err(Error::Url {
                url: url.to_owned(),
                reason: format!("{:?} can't be a prefix of tables' names", self.prefix),
            });
        }
        Db::open_with(url, self).await
    }
}
