//! SQLite in virtual time.
//!
//! A connection has a thread of its own, so the runtime may have nothing to run while a statement
//! is at work. Time must not pass then, but it must while a handler that has a transaction waits
//! for a time.
//!
//! | a connection is | time passes |
//! |---|---|
//! | in its pool | yes |
//! | in use by the toolkit, or on its way back to its pool | no |
//! | held where a crash is ordered | yes |
//! | lent to a handler that doesn't take it | yes |
//! | lent to a handler that waits for the clock | yes |
//! | lent to a handler that waits for something else | no: for a statement, most likely |
//!
//! A handler of the last kind that waits for ever, for an answer that never comes, would stop the
//! time for ever. So it stops it for a second of real time, or longer on a busy machine. A test
//! that keeps a connection while time is to pass is told so after a minute.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use stele_toolkit_bus::memory::{Crash, Outside, VirtualClock};
use stele_toolkit_sql::{Activity, Db, Failpoint, Options, Point, sqlx};

use super::{Harness, TestStore, left, watched::Watch};

/// How long a statement of a handler may take, in real time.
const STATEMENT_MAX: Duration = Duration::from_secs(1);

/// How often it is looked for its end at least, each time with the processor left to its thread: so
/// that it has its time where a machine is busy with other things.
const LOOKS_MIN: usize = 2_000;

/// How long the toolkit's statements may take together, in real time.
const STATEMENTS_MAX: Duration = Duration::from_secs(60);

/// How often a database looks for what others have left, of which there are none.
const POLL: Duration = Duration::from_secs(3600);

impl Harness {
    /// A new SQLite database in virtual time, which is gone with the harness.
    pub async fn sqlite(&self) -> Db {
        self.sqlite_with(Options::new()).await
    }

    /// A new SQLite database in virtual time, with other options, but for the clock and the
    /// failpoint.
    pub async fn sqlite_with(&self, options: Options) -> Db {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        let clock = self.clock();
        let crashes = Arc::new(Crashes {
            watch: self.watch(),
            held: AtomicUsize::new(0),
        });
        let options = options
            .clock(Arc::new(clock.clone()))
            .failpoint(Arc::<Crashes>::clone(&crashes))
            .poll(POLL)
            .synced(false)
            // By tokio's timers, which nothing here may run into.
            .wait_max(Duration::from_secs(3600));
        let db = awake(options.open(&url)).await.expect("a database");
        let connections: Arc<dyn Outside> = Arc::new(Connections::of(&db, crashes));
        clock.watch(Arc::clone(&connections));
        self.keep(Database {
            connections,
            directory,
        });
        db
    }
}

/// Waits for something outside of the runtime, and has it never be idle meanwhile: so time doesn't
/// pass, tokio's neither.
async fn awake<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            std::thread::yield_now();
            context.waker().wake_by_ref();
        }
        polled
    })
    .await
}

#[async_trait]
impl TestStore for Db {
    async fn left(&self) -> Vec<(&'static str, usize)> {
        let status = self.outbox_status().await.expect("the outbox");
        let mut reader = self.reader().await.expect("a connection");
        let count = sqlx::query_scalar::<_, i64>(self.sql("SELECT COUNT(*) FROM {p}timers"));
        let timers = count.fetch_one(&mut *reader).await.expect("the timers");
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        left([
            ("messages to send", count(status.waiting)),
            ("timers", usize::try_from(timers).unwrap_or(0)),
        ])
    }
}

/// Has crashes, and a database that is away, strike what isn't a handler, too: the loop that looks
/// after the deadlines of sagas.
#[derive(Debug)]
struct Crashes {
    watch: Arc<Watch>,
    /// How many transactions stand still before their commit.
    held: AtomicUsize,
}

#[async_trait]
impl Failpoint for Crashes {
    async fn reach(&self, point: Point) {
        match point {
            Point::BeforeCommit if self.watch.strikes(Crash::BeforeCommit) => {
                let _held = Held::by(self);
                std::future::pending::<()>().await;
            }
            Point::AfterCommit if self.watch.strikes(Crash::AfterCommit) => {
                std::future::pending::<()>().await;
            }
            // The broker has those of messages.
            Point::BeforeCommit
            | Point::AfterCommit
            | Point::BeforeAck
            | Point::BeforeSend
            | Point::AfterSend
            | Point::BeforeDelete => {}
        }
    }

    fn is_away(&self) -> bool {
        self.watch.is_away()
    }
}

/// A transaction that stands still, until its task is dropped.
struct Held<'a>(&'a Crashes);

impl<'a> Held<'a> {
    fn by(crashes: &'a Crashes) -> Self {
        crashes.held.fetch_add(1, Ordering::Relaxed);
        Self(crashes)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a harness keeps of a database, as long as it is there itself.
pub(super) struct Database {
    #[expect(dead_code, reason = "the clock asks it while it is there")]
    connections: Arc<dyn Outside>,
    #[expect(dead_code, reason = "the file is there as long as this is")]
    directory: tempfile::TempDir,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}

/// The connections of a database.
struct Connections {
    db: Db,
    crashes: Arc<Crashes>,
    /// What seems to be at statements, and since when it hasn't changed.
    at_statements: Mutex<Option<Unchanged>>,
}

/// What seems to be at statements.
struct Unchanged {
    activity: Activity,
    since: Instant,
    looks: usize,
}

impl Connections {
    fn of(db: &Db, crashes: Arc<Crashes>) -> Self {
        Self {
            db: db.clone(),
            crashes,
            at_statements: Mutex::new(None),
        }
    }
}

impl Outside for Connections {
    fn is_busy(&self, clock: &VirtualClock) -> bool {
        let activity = self.db.activity();
        let held = self.crashes.held.load(Ordering::Relaxed);
        let is_toolkit = activity.in_use > activity.lent.len() + held;
        // A task that handles a message waits for the handler's time-out, too.
        let waits = |task| clock.timers_of(task) > 1;
        let mut takers = activity.lent.iter().flatten();
        let is_handler = !takers.all(|task| waits(*task));
        if !is_toolkit && !is_handler {
            *self.at_statements() = None;
            return false;
        }
        let (lasts, looks) = self.unchanged(activity);
        assert!(
            !is_toolkit || lasts < STATEMENTS_MAX,
            "time can't pass: a connection of the database is in use; does the test keep one?"
        );
        is_toolkit || lasts < STATEMENT_MAX || looks < LOOKS_MIN
    }
}

impl Connections {
    /// For how long nothing but this has been seen, and in how many looks.
    fn unchanged(&self, activity: Activity) -> (Duration, usize) {
        #[expect(
            clippy::disallowed_methods,
            reason = "SQLite is fast or slow in real time"
        )]
        let now = Instant::now();
        let mut seen = self.at_statements();
        let same = seen.take().filter(|seen| seen.activity == activity);
        let unchanged = match same {
            Some(mut same) => {
                same.looks += 1;
                same
            }
            None => Unchanged {
                activity,
                since: now,
                looks: 0,
            },
        };
        let lasts = now.saturating_duration_since(unchanged.since);
        let looks = unchanged.looks;
        *seen = Some(unchanged);
        (lasts, looks)
    }

    fn at_statements(&self) -> MutexGuard<'_, Option<Unchanged>> {
        let at_statements = self.at_statements.lock();
        at_statements.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections({:?})", self.db.activity())
    }
}
