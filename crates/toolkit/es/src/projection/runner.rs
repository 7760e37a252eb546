//! What keeps a projection's tables up to date.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{Db, Tx};

use super::{
    ApplyError, Generation, Metrics, Projection, Rows, RunError, checkpoint, switch, with_causes,
};
use crate::{EventStore, Page, Position, Recorded, sql};

mod run;

/// How a projection is run. The defaults are in the fields' descriptions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most events of one transaction: 2,000.
    pub batch: usize,
    /// How often to look for events that other processes have appended: every 100 ms.
    pub poll: Duration,
    /// For how long the lease is taken, and so the longest time until another process goes on for
    /// one that is gone: 5 s.
    pub lease: Duration,
    /// How soon an event that couldn't be applied is tried again: after 1 s, then after twice the
    /// time as before.
    pub retry_min: Duration,
    /// At most this long: 60 s.
    pub retry_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch: 2_000,
            poll: Duration::from_millis(100),
            lease: Duration::from_secs(5),
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
        }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has moved a checkpoint forward, or made tables. There may be more to do.
    Moved,
    /// The tables that were filled are read now.
    Switched,
    /// Nothing: everything that can be read has been applied.
    Idle,
}

/// Keeps the tables of a projection up to date.
///
/// Of all processes that run it, one at a time works: the one that has the lease. If two believe
/// that they do, the checkpoint, which each moves from where it saw it, lets one of them through.
pub struct Runner<P> {
    db: Db,
    store: Arc<dyn EventStore>,
    projection: P,
    settings: Settings,
    metrics: Metrics,
    /// When to try again, by the number of the generation whose event couldn't be applied.
    retries: BTreeMap<u64, Timestamp>,
    /// When the lease was last taken or renewed.
    renewed: Timestamp,
}

impl<P: Projection> Runner<P> {
    /// Runs a projection of the events of a store, with its tables in a database.
    pub async fn open(db: Db, store: Arc<dyn EventStore>, projection: P) -> Result<Self, RunError> {
        for name in P::TABLES {
            let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            if name.is_empty() || !name.bytes().all(is_letter) {
                return Err(RunError::TableName { name });
            }
        }
        sql::migrate(&db).await?;
        Ok(Self {
            db,
            store,
            projection,
            settings: Settings::default(),
            metrics: Metrics::default(),
            retries: BTreeMap::new(),
            renewed: Timestamp::MIN,
        })
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The same with metrics that are shown somewhere.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Has the tables filled anew beside those that are read, by whoever runs the projection, even
    /// though the version of the code is the same. Does nothing if they are being filled already.
    pub async fn rebuild(&self) -> Result<(), RunError> {
        let generations = Generation::of(&self.db, P::NAME).await?;
        if !generations.iter().any(is_filling::<P>) {
            self.create(&generations).await?;
        }
        Ok(())
    }

    /// Applies a page of events to the live tables, and one to those that are being filled. Made
    /// for [`Runner::run`]; tests and tools may call it alone.
    ///
    /// An event that can't be applied is an error once; until it is time to try again, steps do
    /// nothing to its tables.
    pub async fn step(&mut self) -> Result<Step, RunError> {
        let generations = Generation::of(&self.db, P::NAME).await?;
        let live = generations.iter().find(|generation| generation.is_live);
        let newest = generations.iter().map(|generation| generation.code_version);
        let live_version = live.map_or(0, |live| live.code_version);
        if live_version > P::VERSION {
            return Err(superseded::<P>(live_version));
        }
        let is_current = live.is_some() && live_version == P::VERSION;
        if !is_current && !generations.iter().any(is_filling::<P>) {
            return match newest.max() {
                Some(newer) if newer > P::VERSION => Err(superseded::<P>(newer)),
                _ => self.create(&generations).await,
            };
        }
        let mut done = Step::Idle;
        let mut failure = None;
        let own = |generation: &&Generation| generation.code_version == P::VERSION;
        let now = self.db.now();
        for generation in generations.iter().filter(own) {
            let due = self.retries.get(&generation.number);
            if due.is_some_and(|due| *due > now) {
                continue;
            }
            match self.advance(generation).await {
                Ok(Step::Idle) => {}
                Ok(step) => done = step,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(done), Err)
    }

    /// Makes the tables of the next generation, and deletes those that older code didn't finish.
    async fn create(&self, generations: &[Generation]) -> Result<Step, RunError> {
        let last = generations.iter().map(|generation| generation.number).max();
        let mut tx = self.db.begin().await?;
        for generation in generations {
            if !generation.is_live && generation.code_version < P::VERSION {
                switch::abandon::<P>(&mut tx, generation).await?;
            }
        }
        switch::create::<P>(&mut tx, last.unwrap_or(0) + 1).await?;
        tx.commit().await?;
        Ok(Step::Moved)
    }

    /// Applies the next page of events to a generation's tables.
    async fn advance(&mut self, generation: &Generation) -> Result<Step, RunError> {
        let (after, batch) = (&generation.position, self.settings.batch);
        let page = self.store.read_all(after, &P::types(), batch).await?;
        self.metrics.read::<P>(generation, &page, self.db.now());
        let is_unmoved = page.position == generation.position;
        if is_unmoved && (generation.is_live || !page.is_end) {
            return Ok(Step::Idle);
        }
        let mut tx = self.begin(generation, &page.position).await?;
        let tables = switch::tables::<P>(|name| generation.table(name));
        let mut rows = Rows::new(&mut tx, &tables);
        if let Err(error) = self.projection.apply_all(&page.events, &mut rows).await {
            tx.rollback().await?;
            return self.one_by_one(generation, &page, error).await;
        }
        let is_switched = !generation.is_live
            && page.is_end
            && switch::switch::<P>(&mut tx, generation, &page.position).await?;
        tx.commit().await?;
        self.retries.remove(&generation.number);
        self.metrics.applied::<P>(generation, page.events.len());
        match (is_switched, is_unmoved) {
            (true, _) => {
                let number = generation.number;
                tracing::info!(projection = P::NAME, generation = number, "tables switched");
                Ok(Step::Switched)
            }
            (false, true) => Ok(Step::Idle),
            (false, false) => Ok(Step::Moved),
        }
    }

    /// Begins a transaction that moves a checkpoint.
    async fn begin(&self, generation: &Generation, to: &Position) -> Result<Tx, RunError> {
        let mut tx = self.db.begin().await?;
        if !checkpoint::advance(&mut tx, generation, to).await? {
            return Err(RunError::Raced { name: P::NAME });
        }
        Ok(tx)
    }

    /// Applies what can be applied of a page that can't be as a whole, and notes which event stops
    /// it.
    async fn one_by_one(
        &mut self,
        generation: &Generation,
        page: &Page,
        error: ApplyError,
    ) -> Result<Step, RunError> {
        let (good, error) = match &page.events[..] {
            [_] => (0, error),
            _ => match self.first_failing(generation, page).await? {
                Some(found) => found,
                // Alone, each of them can be: whatever it was, it was about their number.
                None => return Ok(Step::Moved),
            },
        };
        if let Some(last) = page.events[..good].last() {
            let mut tx = self.begin(generation, &last.position).await?;
            let tables = switch::tables::<P>(|name| generation.table(name));
            let mut rows = Rows::new(&mut tx, &tables);
            for event in &page.events[..good] {
                let one = std::slice::from_ref(event);
                let applied = self.projection.apply_all(one, &mut rows).await;
                applied.map_err(|error| self.failure(event, with_causes(&*error)))?;
            }
            tx.commit().await?;
            self.metrics.applied::<P>(generation, good);
        }
        self.stop(generation, &page.events[good], error).await
    }

    /// The index of the first event that can't be applied after those before it, and why. If there
    /// is none, all of them have been applied.
    async fn first_failing(
        &self,
        generation: &Generation,
        page: &Page,
    ) -> Result<Option<(usize, ApplyError)>, RunError> {
        let mut tx = self.begin(generation, &page.position).await?;
        let tables = switch::tables::<P>(|name| generation.table(name));
        let mut rows = Rows::new(&mut tx, &tables);
        for (index, event) in page.events.iter().enumerate() {
            let one = std::slice::from_ref(event);
            if let Err(error) = self.projection.apply_all(one, &mut rows).await {
                tx.rollback().await?;
                return Ok(Some((index, error)));
            }
        }
        tx.commit().await?;
        self.metrics.applied::<P>(generation, page.events.len());
        Ok(None)
    }

    /// Notes that an event can't be applied, for operators and for the next attempt.
    async fn stop(
        &mut self,
        generation: &Generation,
        event: &Recorded,
        error: ApplyError,
    ) -> Result<Step, RunError> {
        let before = generation.failed.as_ref();
        let same = before.filter(|failed| failed.position == event.position);
        let attempts = same.map_or(0, |failed| failed.attempts);
        let wait = self.settings.retry_min * 2_u32.saturating_pow(attempts.min(20));
        let due = self.db.now() + wait.min(self.settings.retry_max);
        self.retries.insert(generation.number, due);
        let reason = with_causes(&*error);
        self.metrics.failed::<P>(generation);
        checkpoint::note_failure(&self.db, generation, event, &reason).await?;
        Err(self.failure(event, reason))
    }

    fn failure(&self, event: &Recorded, reason: String) -> RunError {
        RunError::Apply {
            name: P::NAME,
            stream: event.stream.clone(),
            version: event.version,
            position: event.position.clone(),
            reason,
        }
    }
}

/// Whether a generation is being filled by this version of the code.
fn is_filling<P: Projection>(generation: &Generation) -> bool {
    !generation.is_live && generation.code_version == P::VERSION
}

fn superseded<P: Projection>(newer: u32) -> RunError {
    RunError::Superseded {
        name: P::NAME,
        own: P::VERSION,
        newer,
    }
}

impl<P: Projection> fmt::Debug for Runner<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("projection", &P::NAME)
            .field("version", &P::VERSION)
            .field("store", &self.store)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
