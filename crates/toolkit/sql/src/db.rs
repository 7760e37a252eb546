//! The database of a service.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Any, Connection, Executor, SqlStr,
    any::AnyPoolOptions,
    pool::{Pool, PoolConnection},
};
use stele_toolkit_bus::Clock;
use stele_toolkit_envelope::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::{
    Activity, Dialect, Error, Migration, Options, Point, Tx, activity::Lendings, dialect, migrate,
    schema,
};

/// The database of a service, and its connections. Clones share them.
///
/// SQLite has one connection that writes, and others that read what is committed. PostgreSQL has
/// two pools likewise, so that readers never take the last connection from handlers.
#[derive(Clone, Debug)]
pub struct Db(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dialect: Dialect,
    options: Options,
    writers: Pool<Any>,
    readers: Pool<Any>,
    /// For the connection that listens.
    #[cfg(feature = "postgres")]
    url: String,
    /// How often something was committed that is to be sent, as far as this process knows. Each
    /// relay sees each change: the one that has the messages' lanes may be any of them.
    outbox_changes: watch::Sender<u64>,
    /// Held by the service of this process whose relay runs.
    relaying: AsyncMutex<()>,
    /// How often something else than a service's own calls has made parked messages due.
    due_changes: watch::Sender<u64>,
    /// The days whose inbox is known to be there.
    days: Mutex<BTreeSet<i64>>,
    /// Relays of this process that were dropped: they send nothing any more.
    gone: Mutex<BTreeSet<String>>,
    /// Numbers the relays and leases of this process.
    owners: AtomicU64,
    lent: Lendings,
    commits: AtomicU64,
}

impl Db {
    /// Opens `sqlite:inventory.db` (made if it isn't there) or `postgres://…`, and brings the
    /// toolkit's own tables up to date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Options::new().open(url).await
    }

    pub(crate) async fn open_with(url: &str, options: Options) -> Result<Self, Error> {
        let dialect = Dialect::of_url(url)?;
        sqlx::any::install_default_drivers();
        let (writers, readers) = match dialect {
            Dialect::Sqlite => sqlite(url, &options).await?,
            Dialect::Postgres => postgres(url, &options).await?,
        };
        let db = Self(Arc::new(Inner {
            dialect,
            options,
            writers,
            readers,
            #[cfg(feature = "postgres")]
            url: url.to_owned(),
            outbox_changes: watch::Sender::new(0),
            relaying: AsyncMutex::new(()),
            due_changes: watch::Sender::new(0),
            days: Mutex::new(BTreeSet::new()),
            gone: Mutex::new(BTreeSet::new()),
            owners: AtomicU64::new(0),
            lent: Lendings::default(),
            commits: AtomicU64::new(0),
        }));
        if db.options().makes_tables {
            db.migrate("sql", schema::MIGRATIONS).await?;
        }
        Ok(db)
    }

    /// Runs the migrations of a component that weren't run yet, in order, all in one transaction
    /// under a lock. `{p}` in their text becomes the prefix of tables' names.
    pub async fn migrate(&self, component: &str, migrations: &[Migration]) -> Result<(), Error> {
        migrate::run(self, component, migrations).await
    }

    /// Begins a transaction that may write. Dropping it undoes it.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let open = self.0.writers.begin_with(self.0.dialect.begin()).await?;
        Ok(Tx::own(self.clone(), open))
    }

    /// A connection that reads what is committed. On SQLite it refuses to write.
    pub async fn reader(&self) -> Result<PoolConnection<Any>, Error> {
        Ok(self.0.readers.acquire().await?)
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// The source of time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.options.clock
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.options.clock.now()
    }

    /// A statement in which `{p}` becomes the prefix of the toolkit's tables:
    /// `SELECT COUNT(*) FROM {p}outbox`. Values are bound, never part of it.
    pub fn sql(&self, statement: &str) -> SqlStr {
        dialect::with_prefix(statement, &self.0.options.prefix)
    }

    /// For how long a handled message is remembered at most: see [`Options::inbox_days`].
    pub fn remembers(&self) -> Duration {
        let days = self.options().inbox_days.saturating_add(1);
        Duration::from_secs(u64::from(days) * 24 * 3600)
    }

    /// How often it is looked at for what other processes have left; see [`Options::poll`].
    pub fn poll(&self) -> Duration {
        self.options().poll
    }

    /// What its connections do at the moment: for tests, which have to know when nothing does
    /// anything any more.
    pub fn activity(&self) -> Activity {
        let in_use = |pool: &Pool<Any>| {
            let open = usize::try_from(pool.size()).unwrap_or(usize::MAX);
            open.saturating_sub(pool.num_idle())
        };
        Activity {
            in_use: in_use(&self.0.writers) + in_use(&self.0.readers),
            lent: self.0.lent.takers(),
        }
    }

    /// How many transactions this process has committed. On SQLite each is a sync, unless it wrote
    /// nothing.
    pub fn commits(&self) -> u64 {
        self.0.commits.load(Ordering::Relaxed)
    }

    /// Closes all connections, once those in use are given back.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.writers.close().await;
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    pub(crate) fn inbox_days(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.0.days.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn outbox_has_changed(&self) {
        self.0.outbox_changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn outbox_changes(&self) -> watch::Receiver<u64> {
        self.0.outbox_changes.subscribe()
    }

    /// Locked by the service whose relay runs: one sends for all services that share the database.
    pub(crate) fn relaying(&self) -> &AsyncMutex<()> {
        &self.0.relaying
    }

    pub(crate) fn gone_owners(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn due_has_changed(&self) {
        self.0.due_changes.send_modify(|changes| *changes += 1);
    }

    /// The number of changes, once it isn't `seen`.
    pub(crate) async fn due_changes(&self, seen: u64) -> u64 {
        let mut changes = self.0.due_changes.subscribe();
        // It fails only once the sender is gone, which this database holds.
        let changes = changes.wait_for(|changes| *changes != seen).await;
        changes.map_or(seen, |changes| *changes)
    }

    /// A name for an owner of leases, that no other has.
    pub(crate) fn new_owner(&self) -> String {
        let number = self.0.owners.fetch_add(1, Ordering::Relaxed);
        format!("{}/{number}", self.0.options.process)
    }

    pub(crate) fn count_commit(&self) {
        self.0.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lendings(&self) -> &Lendings {
        &self.0.lent
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// Calls the failpoint that the options gave, if they did: for loops that commit transactions
    /// of their own.
    pub async fn reach(&self, point: Point) {
        if let Some(failpoint) = &self.0.options.failpoint {
            failpoint.reach(point).await;
        }
    }

    /// Fails if the failpoint that the options gave has the database away: for loops with
    /// transactions of their own, before they begin one and before they commit it.
    pub fn is_reachable(&self) -> Result<(), Error> {
        let failpoint = self.0.options.failpoint.as_ref();
        match failpoint.is_some_and(|it| it.is_away()) {
            true => Err(sqlx::Error::PoolTimedOut.into()),
            false => Ok(()),
        }
    }
}

async fn sqlite(url: &str, options: &Options) -> Result<(Pool<Any>, Pool<Any>), Error> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(Error::Url {
            url: url.to_owned(),
            reason: "connections can't share memory; use a file in a temporary directory".into(),
        });
    }
    let mode = match options.makes_tables {
        true => "mode=rwc",
        false => "mode=rw",
    };
    let url = match (url.contains("mode="), url.contains('?')) {
        (true, _) => url.to_owned(),
        (false, true) => format!("{url}&{mode}"),
        (false, false) => format!("{url}?{mode}"),
    };
    let busy = format!("PRAGMA busy_timeout = {};", options.wait_max.as_millis());
    // The writer comes first: it makes the file, and turns it to WAL for good.
    let synchronous = if options.is_synced { "FULL" } else { "OFF" };
    let writing = format!("{busy} PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};");
    let writers = pool(1, options, writing, Duration::MAX)
        .connect(&url)
        .await?;
    let reading = format!("{busy} PRAGMA query_only = ON;");
    let readers = pool(options.readers, options, reading, Duration::MAX);
    Ok((writers, readers.connect(&url).await?))
}

async fn postgres(url: &str, options: &Options) -> Result<(Pool<Any>, Pool<Any>), Error> {
    /// A connection that lay idle for longer may be gone: it is tried before it is used.
    const TRUSTED: Duration = Duration::from_secs(1);
    let writers = pool(options.writers, options, String::new(), TRUSTED);
    let readers = pool(options.readers, options, String::new(), TRUSTED);
    Ok((writers.connect(url).await?, readers.connect(url).await?))
}

/// Connections that run `first` when they are new, and are tried when they were idle for long. One
/// whose transaction couldn't be ended is replaced.
fn pool(size: u32, options: &Options, first: String, trusted: Duration) -> AnyPoolOptions {
    let first: Arc<str> = first.into();
    AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(options.wait_max)
        .test_before_acquire(false)
        .before_acquire(move |connection, about| {
            Box::pin(async move {
                // SQLite undoes the transaction by itself when the disk is full or fails, and
                // then refuses to undo it: the connection would count as within one for ever.
                if connection.is_in_transaction() {
                    return Ok(false);
                }
                if about.idle_for > trusted {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let first = Arc::clone(&first);
            Box::pin(async move {
                if !first.is_empty() {
                    let first = sqlx::AssertSqlSafe(first);
                    connection.execute(sqlx::raw_sql(first)).await?;
                }
                Ok(())
            })
        })
}
