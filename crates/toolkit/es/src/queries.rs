//! Queries: what a program is asked to tell.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    error::Error,
    fmt,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use stele_toolkit_bus::StoreError;
use stele_toolkit_sql::Db;

use crate::{Position, projection::Generation};

/// Something that a program is asked to tell.
pub trait Query: Send + Sync + 'static {
    /// The name of the projection whose tables it reads; see
    /// [`Projection::NAME`](crate::Projection::NAME).
    const PROJECTION: &'static str;

    /// The answer.
    type Answer: Send;

    /// Why there may be none.
    type Error: Error + Send + Sync + 'static;
}

/// Answers queries of one type.
#[async_trait]
pub trait QueryHandler<Q: Query>: Send + Sync + 'static {
    /// Reads the answer. Changes nothing.
    async fn answer(&self, query: Q) -> Result<Q::Answer, Q::Error>;
}

/// Why a query wasn't answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError<E: Error + 'static> {
    /// Nobody answers queries of its type: an error in the program.
    #[error("nothing answers {0}")]
    NoHandler(&'static str),
    /// Its tables haven't caught up in the time given. What the command did is safe, but can't be
    /// read yet: ask again, or show that it will appear.
    #[error("{projection} is at {at}, and hasn't seen {wanted} yet")]
    Behind {
        /// The projection.
        projection: &'static str,
        /// Up to where its tables go.
        at: Position,
        /// What was waited for.
        wanted: Position,
    },
    /// Up to where its tables go couldn't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its handler failed.
    #[error(transparent)]
    Handler(E),
}

/// Brings queries to their handlers: one for each type.
#[derive(Clone)]
pub struct Queries {
    db: Db,
    handlers: HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>,
}

/// A handler behind `dyn Any`, which needs a type of a known size.
struct Boxed<Q>(Box<dyn QueryHandler<Q>>);

/// Queries that are answered from tables that have seen a command.
#[derive(Debug)]
#[must_use = "it waits for nothing without `ask`"]
pub struct After<'q> {
    queries: &'q Queries,
    position: Position,
    wait_max: Duration,
}

/// How often to look whether tables have caught up.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Queries {
    /// No handlers. The projections' tables are in this database.
    pub fn new(db: Db) -> Self {
        Self {
            db,
            handlers: HashMap::new(),
        }
    }

    /// The same with a handler for a type of query. A handler that was there for it is replaced.
    #[must_use]
    pub fn with<Q: Query>(mut self, handler: impl QueryHandler<Q>) -> Self {
        let boxed = Boxed::<Q>(Box::new(handler));
        let entry: (&str, Arc<dyn Any + Send + Sync>) = (type_name::<Q>(), Arc::new(boxed));
        self.handlers.insert(TypeId::of::<Q>(), entry);
        self
    }

    /// Has a query answered from the tables as they are. They may not have seen the last commands
    /// yet.
    pub async fn ask<Q: Query>(&self, query: Q) -> Result<Q::Answer, QueryError<Q::Error>> {
        let found = self.handlers.get(&TypeId::of::<Q>());
        let handler = found.and_then(|(_, handler)| handler.downcast_ref::<Boxed<Q>>());
        let Some(handler) = handler else {
            return Err(QueryError::NoHandler(type_name::<Q>()));
        };
        handler.0.answer(query).await.map_err(QueryError::Handler)
    }

    /// Queries from tables that have seen everything up to a position, for which they wait at most
    /// this long: reading one's own writes.
    pub fn after(&self, position: Position, wait_max: Duration) -> After<'_> {
        After {
            queries: self,
            position,
            wait_max,
        }
    }
}

impl After<'_> {
    /// Has a query answered once its tables have caught up.
    ///
    /// # Errors
    ///
    /// [`QueryError::Behind`] if they haven't in time.
    pub async fn ask<Q: Query>(self, query: Q) -> Result<Q::Answer, QueryError<Q::Error>> {
        let db = &self.queries.db;
        let deadline = db.now() + self.wait_max;
        loop {
            let live = Generation::live(db, Q::PROJECTION).await?;
            let at = live.map_or(Position::Start, |live| live.position);
            if at.covers(&self.position) {
                return self.queries.ask(query).await;
            }
            let left = deadline.since(db.now());
            if left.is_zero() {
                return Err(QueryError::Behind {
                    projection: Q::PROJECTION,
                    at,
                    wanted: self.position,
                });
            }
            db.clock().sleep(left.min(LOOK_AGAIN)).await;
        }
    }
}

impl fmt::Debug for Queries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.handlers.values().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}

#[async_trait]
impl<Q: Query, H: QueryHandler<Q>> QueryHandler<Q> for Arc<H> {
    async fn answer(&self, query: Q) -> Result<Q::Answer, Q::Error> {
        (**self).answer(query).await
    }
}
