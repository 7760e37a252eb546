//! The loop beside a service's handlers: tells instances that their deadlines have passed, does
//! what operators ask, and deletes what has ended long ago.
//!
//! ```text
//!  deadline, or woken, or 1 s ─► due instances ─► decide ─► outbox ─► commit ─► tell people
//!                            └─► operators' requests ─► the same
//! ```
//!
//! The lock on an instance's row is its lease: other processes pass over it while the transaction
//! is open, and get it at once when this one has died.

use std::{
    error::Error,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use stele_toolkit_bus::{Companion, Place};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{Db, Point, Tx};

use crate::{Handled, Orchestrator, SagaAlert, SagaError, requests, service::Shared};

/// How many instances are told in one transaction.
const BATCH: u32 = 32;

/// How many ended instances are deleted in one transaction.
const DELETED_MAX: u32 = 100;

/// The time between transactions that delete ended instances, while there are more and when there
/// are none. So at most 8.6 million a day are deleted, and others get the lock in between.
const DELETE_AGAIN: Duration = Duration::from_secs(1);
const DELETE_NEXT: Duration = Duration::from_secs(3600);

/// How many instances without a plan are told of at the start.
const LISTED_MAX: u32 = 1_000;

/// The time between attempts while the database is away.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    db: OnceLock<Db>,
}

impl Keeper {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let db = OnceLock::new();
        Self { shared, db }
    }
}

#[async_trait]
impl Companion for Keeper {
    async fn prepare(&self, place: &Place) -> Result<(), Box<dyn Error + Send + Sync>> {
        let db = place
            .lent::<Db>()
            .ok_or("sagas need a database: give the service a `Db` as its store")?;
        let remembered = db.remembers();
        if let Some(kept) = self.shared.sagas.keeps_ended.filter(|it| *it < remembered) {
            let problem = "ended sagas can't be kept for less long than handled messages are";
            return Err(format!("{problem}: {kept:?} is less than {remembered:?}").into());
        }
        let plans = self.shared.sagas.plans.clone();
        let orchestrator = Orchestrator::of(plans, place.context().clone());
        orchestrator.migrate(db).await?;
        for listed in orchestrator.without_plan(db, LISTED_MAX).await? {
            let (saga, id, version) = (&listed.name, &listed.id, listed.version);
            tracing::warn!(saga, %id, version, "it stands still: its plan isn't registered here");
        }
        self.db.get_or_init(|| db.clone());
        self.shared.orchestrator.get_or_init(|| orchestrator);
        Ok(())
    }

    async fn run(&self, place: &Place) {
        let (Some(db), Some(orchestrator)) = (self.db.get(), self.shared.orchestrator.get()) else {
            return;
        };
        let round = Round {
            shared: &self.shared,
            db,
            orchestrator,
            place,
        };
        let mut pause = PAUSE_MIN;
        let mut delete_at = db.now();
        while !place.is_stopping() {
            let until = match round.make().await {
                Ok(Made::Something) => {
                    pause = PAUSE_MIN;
                    continue;
                }
                Ok(Made::NothingUntil(at)) if delete_at > db.now() => {
                    pause = PAUSE_MIN;
                    at.min(delete_at)
                }
                Ok(Made::NothingUntil(_)) => {
                    delete_at = db.now() + round.delete().await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(service = place.service(), "deadlines of sagas: {error}");
                    let until = db.now() + pause;
                    pause = PAUSE_MAX.min(pause * 2);
                    until
                }
            };
            tokio::select! {
                biased;
                () = place.stopping() => {}
                () = self.shared.wake.notified() => {}
                () = db.clock().sleep_until(until) => {}
            }
        }
        round.tell(self.shared.take_alerts()).await;
    }

    async fn due_at(&self) -> Result<Option<Timestamp>, Box<dyn Error + Send + Sync>> {
        let (Some(db), Some(orchestrator)) = (self.db.get(), self.shared.orchestrator.get()) else {
            return Ok(None);
        };
        if requests::any(db, &orchestrator.versions()).await? {
            return Ok(Some(db.now()));
        }
        Ok(orchestrator.due_at(db).await?)
    }
}

/// What came of a look.
enum Made {
    /// Something was done, and there may be more.
    Something,
    /// There is nothing to do until then, unless it is woken.
    NothingUntil(Timestamp),
}

struct Round<'a> {
    shared: &'a Shared,
    db: &'a Db,
    orchestrator: &'a Orchestrator,
    place: &'a Place,
}

impl Round<'_> {
    async fn make(&self) -> Result<Made, SagaError> {
        self.tell(self.shared.take_alerts()).await;
        self.db.is_reachable()?;
        let versions = self.orchestrator.versions();
        if requests::any(self.db, &versions).await? && self.answer().await? {
            return Ok(Made::Something);
        }
        // A look without the write lock first: most of the time there is none.
        let now = self.db.now();
        let next = self.orchestrator.due_at(self.db).await?;
        if next.is_none_or(|at| at > now) {
            let poll = now + self.db.poll();
            return Ok(Made::NothingUntil(next.map_or(poll, |at| at.min(poll))));
        }
        let mut tx = self.db.begin().await?;
        let handled = self.orchestrator.due(&mut tx, BATCH).await?;
        let is_any = handled.instances > 0 || !handled.alerts.is_empty();
        self.commit(tx, handled).await?;
        Ok(match is_any {
            true => Made::Something,
            // Another process has them.
            false => Made::NothingUntil(self.db.now() + self.db.poll()),
        })
    }

    /// Deletes what has ended long ago, and says in what time to do so again.
    async fn delete(&self) -> Duration {
        match self.delete_some().await {
            Ok(true) => DELETE_AGAIN,
            Ok(false) => DELETE_NEXT,
            Err(error) => {
                tracing::warn!(service = self.place.service(), "ended sagas: {error}");
                PAUSE_MAX
            }
        }
    }

    /// Whether there may be more.
    async fn delete_some(&self) -> Result<bool, SagaError> {
        let Some(kept) = self.shared.sagas.keeps_ended else {
            return Ok(false);
        };
        self.db.is_reachable()?;
        let mut tx = self.db.begin().await?;
        let before = tx.now() - kept;
        let deleted = self.orchestrator.delete_ended(&mut tx, before, DELETED_MAX);
        let deleted = deleted.await?;
        tx.commit().await?;
        Ok(deleted == DELETED_MAX)
    }

    /// Does what an operator asked. `false` if nothing was asked of what this process knows.
    async fn answer(&self) -> Result<bool, SagaError> {
        let mut tx = self.db.begin().await?;
        let versions = self.orchestrator.versions();
        let Some(taken) = requests::take(&mut tx, &versions).await? else {
            return Ok(false);
        };
        let done = match taken.action {
            Some(action) => {
                let (name, id) = (&taken.name, &taken.id);
                self.orchestrator.operate(&mut tx, name, id, action).await
            }
            None => Err(SagaError::unreadable(
                &taken.name,
                &taken.id.0,
                "nobody here knows what was asked",
            )),
        };
        let (handled, problem) = match done {
            Ok(handled) => (handled, None),
            Err(error @ SagaError::Sql(_)) => return Err(error),
            // It was refused before anything was written.
            Err(error) => (Handled::default(), Some(error.to_string())),
        };
        requests::answer(&mut tx, &taken, problem).await?;
        self.commit(tx, handled).await?;
        Ok(true)
    }

    /// Commits, with what is to be sent, and then counts and tells.
    async fn commit(&self, mut tx: Tx, handled: Handled) -> Result<(), SagaError> {
        tx.send(&handled.messages).await?;
        self.db.reach(Point::BeforeCommit).await;
        self.db.is_reachable()?;
        tx.commit().await?;
        self.db.reach(Point::AfterCommit).await;
        self.shared.sagas.metrics.note(&handled);
        self.tell(handled.alerts).await;
        Ok(())
    }

    async fn tell(&self, alerts: Vec<SagaAlert>) {
        for alert in alerts {
            let subject = format!("{} {}", alert.name, alert.id);
            self.place.alert(&subject, &alert.text).await;
        }
    }
}
