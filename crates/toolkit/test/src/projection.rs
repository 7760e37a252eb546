//! Projections: given events, then rows.

use std::sync::Arc;

use sqlx::{Column, Row, TypeInfo, ValueRef, any::AnyRow};
use stele_toolkit_envelope::{Context, Envelope};
use stele_toolkit_es::{
    AggregateEvent, EventStore, Expected, MemoryStore, Projection, Runner, StreamId,
    projection::{Settings, Step},
};
use stele_toolkit_sql::{Db, Options, sqlx};

use crate::difference::{Item, assert_same};

/// A projection, and what has happened.
#[derive(Debug)]
#[must_use = "it tests nothing without `then_rows`"]
pub struct Given<P> {
    projection: P,
    events: Vec<(StreamId, Envelope)>,
    context: Context,
}

/// A projection whose tables are filled.
#[derive(Debug)]
pub struct Filled<P: Projection> {
    db: Db,
    runner: Runner<P>,
    /// The database is there as long as this is.
    _directory: Option<tempfile::TempDir>,
}

/// A projection, and no events yet.
pub fn given<P: Projection>(projection: P) -> Given<P> {
    Given {
        projection,
        events: Vec::new(),
        context: Context::new("test"),
    }
}

impl<P: Projection> Given<P> {
    /// These events have happened, in a stream, `Order/17` for example, after those before.
    #[track_caller]
    pub fn events<E: AggregateEvent>(
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

    /// Applies the events one by one, to tables of a SQLite database of its own.
    pub async fn filled(self) -> Filled<P> {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        let db = Options::new().synced(false).open(&url).await;
        let mut filled = self.filled_in(&db.expect("a database")).await;
        filled._directory = Some(directory);
        filled
    }

    /// Applies the events one by one, to tables of an empty database.
    pub async fn filled_in(self, db: &Db) -> Filled<P> {
        let store = Arc::new(MemoryStore::new());
        for (stream, event) in self.events {
            let appended = store.append(&stream, Expected::Any, &[event]).await;
            appended.expect("memory takes it");
        }
        let opened = Runner::open(db.clone(), store, self.projection).await;
        let settings = Settings {
            batch: 1,
            ..Settings::default()
        };
        let mut filled = Filled {
            db: db.clone(),
            runner: opened.expect("a database").with_settings(settings),
            _directory: None,
        };
        filled.catch_up().await;
        filled
    }

    /// Applies the events, and panics unless a query has exactly these rows: see
    /// [`Filled::then_rows`].
    pub async fn then_rows(self, query: &str, expected: &[&[&str]]) -> Filled<P> {
        self.filled().await.then_rows(query, expected).await
    }
}

impl<P: Projection> Filled<P> {
    /// Panics unless a query has exactly these rows. Tables are named as readers do, values are
    /// compared as text, and `NULL` is that word.
    pub async fn then_rows(self, query: &str, expected: &[&[&str]]) -> Self {
        let shown = |row: &&[&str]| {
            let values: Vec<String> = row.iter().map(|value| (*value).to_owned()).collect();
            line(&values)
        };
        let expected: Vec<Item> = expected.iter().map(shown).collect();
        let got: Vec<Item> = self.rows(query).await.iter().map(|row| line(row)).collect();
        assert_same("other rows are there", &expected, &got);
        self
    }

    /// Fills the tables anew, beside those that are read, in large batches, and panics unless the
    /// same rows are in them.
    pub async fn then_rebuilt_is_the_same(mut self) -> Self {
        let before = self.all().await;
        self.runner = self.runner.with_settings(Settings::default());
        self.runner.rebuild().await.expect("a database");
        self.catch_up().await;
        let after = self.all().await;
        assert_same("the tables that were filled anew differ", &before, &after);
        self
    }

    /// The rows of a query, as text.
    pub async fn rows(&self, query: &str) -> Vec<Vec<String>> {
        let mut reader = self.db.reader().await.expect("a database");
        let query = sqlx::query(self.db.sql(query));
        let rows = query.fetch_all(&mut *reader).await.expect("a query");
        rows.iter().map(texts).collect()
    }

    /// All rows of all tables, in the order of their text.
    async fn all(&self) -> Vec<Item> {
        let mut all = Vec::new();
        for table in P::TABLES {
            all.push(Item::line(format!("table {table}")));
            let mut rows = self.rows(&format!("SELECT * FROM {table}")).await;
            rows.sort();
            all.extend(rows.iter().map(|row| line(row)));
        }
        all
    }

    async fn catch_up(&mut self) {
        loop {
            match self.runner.step().await {
                Ok(Step::Idle) => return,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn line(row: &[String]) -> Item {
    Item::line(row.join(" | "))
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
