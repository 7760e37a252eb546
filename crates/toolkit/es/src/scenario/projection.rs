//! Tests of projections in the form given, then.

use std::sync::Arc;

use sqlx::{Column, Row, TypeInfo, ValueRef, any::AnyRow};
use stele_toolkit_envelope::{Context, Envelope};
use stele_toolkit_sql::{Db, sqlx};

use crate::{
    AggregateEvent, EventStore, Expected, MemoryStore, Projection, Runner, StreamId,
    projection::Step,
};

/// A projection, and what has happened.
#[derive(Debug)]
#[must_use = "it tests nothing without `then_rows`"]
pub struct GivenEvents<P> {
    db: Db,
    projection: P,
    context: Context,
    events: Vec<(StreamId, Envelope)>,
}

/// A projection to be tested, with its tables in an empty database.
pub fn projection<P: Projection>(db: Db, projection: P) -> GivenEvents<P> {
    GivenEvents {
        db,
        projection,
        context: Context::new("scenario"),
        events: Vec::new(),
    }
}

impl<P: Projection> GivenEvents<P> {
    /// These events have happened, in a stream, `Order/17` for example.
    #[track_caller]
    pub fn given<E: AggregateEvent>(
        mut self,
        stream: &str,
        events: impl IntoIterator<Item = E>,
    ) -> Self {
        let stream: StreamId = stream.parse().expect("KIND/ID");
        for event in events {
            let envelope = event.wrap(&self.context).expect("an event that is JSON");
            self.events.push((stream.clone(), envelope));
        }
        self
    }

    /// Applies the events, and panics unless a query has exactly these rows. Tables are named as
    /// readers do, values are compared as text, and `NULL` is that word.
    pub async fn then_rows(self, query: &str, expected: &[&[&str]]) {
        let store = Arc::new(MemoryStore::new());
        for (stream, event) in self.events {
            let appended = store.append(&stream, Expected::Any, &[event]).await;
            appended.expect("memory takes it");
        }
        let opened = Runner::open(self.db.clone(), store, self.projection).await;
        let mut runner = opened.expect("a database");
        loop {
            match runner.step().await {
                Ok(Step::Idle) => break,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let mut reader = self.db.reader().await.expect("a database");
        let rows = sqlx::query(self.db.sql(query))
            .fetch_all(&mut *reader)
            .await;
        let rows: Vec<Vec<String>> = rows.expect("a query").iter().map(texts).collect();
        assert_eq!(rows, expected, "other rows are there");
    }
}

/// The values of a row as text.
fn texts(row: &AnyRow) -> Vec<String> {
    let columns = row.columns().iter().map(Column::ordinal);
    let text = |at: usize| {
        let value = row.try_get_raw(at).expect("a column");
        if value.is_null() {
            return "NULL".to_owned();
        }
        let number = || row.try_get::<i64, _>(at).map(|number| number.to_string());
        let float = || row.try_get::<f64, _>(at).map(|number| number.to_string());
        let text = row.try_get::<String, _>(at);
        let shown = text.or_else(|_| number()).or_else(|_| float());
        shown.unwrap_or_else(|_| format!("a {}", value.type_info().name()))
    };
    columns.map(text).collect()
}
