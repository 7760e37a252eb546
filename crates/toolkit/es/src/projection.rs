//! Projections: tables for reading, which follow from the events.

use std::{
    error::Error,
    ops::{Deref, DerefMut},
};

use async_trait::async_trait;
use sqlx::{AnyConnection, AssertSqlSafe, SqlSafeStr, SqlStr};
use stele_toolkit_sql::{Tx, sqlx};

use crate::{Recorded, Types};

mod checkpoint;
mod error;
mod generation;
mod metrics;
mod runner;
mod switch;

pub use error::{ApplyError, RunError};
pub use generation::{Failed, Generation};
pub use metrics::Metrics;
pub use runner::{Runner, Settings, Step};

/// Tables for reading that follow from the events, and how they do.
///
/// Each event is applied in the transaction that notes that it was, so each has its effect once.
/// An event that can't be applied stops the projection there, visibly, until it can.
///
/// A table is filled under another name, `order_summaries__2`, and takes its place when it has
/// caught up. So statements name tables in braces; see [`Rows::sql`].
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// Its name. Never changes.
    const NAME: &'static str;

    /// Changes whenever [`Projection::SCHEMA`] does, or what an event does to the tables. Then the
    /// tables are filled anew, beside the old ones. It only grows: to go back to older code, give
    /// it a new version.
    const VERSION: u32;

    /// The names of its tables: lower-case ASCII letters, digits and underscores.
    const TABLES: &'static [&'static str];

    /// The statements that make its tables, separated by semicolons, with the tables' names in
    /// braces: `CREATE TABLE {order_summaries} (id TEXT PRIMARY KEY, …)`. An index has to have the
    /// name of its table in its own: `CREATE INDEX {order_summaries}_by_status ON …`.
    const SCHEMA: &'static str;

    /// The types of events that it wants.
    fn types() -> Types;

    /// Applies an event.
    async fn apply(&self, event: &Recorded, rows: &mut Rows<'_>) -> Result<(), ApplyError>;

    /// Applies several events, in order: by default one by one. One that writes many rows with one
    /// statement is several times as fast. If it fails, the events are given to it one by one, to
    /// find the one that can't be applied.
    async fn apply_all(&self, events: &[Recorded], rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        for event in events {
            self.apply(event, rows).await?;
        }
        Ok(())
    }
}

/// The tables of a projection, in a transaction. It is a [`sqlx`] connection.
#[derive(Debug)]
pub struct Rows<'t> {
    tx: &'t mut Tx,
    tables: &'t [(&'static str, String)],
}

impl<'t> Rows<'t> {
    /// `tables` has each table's name and the name that it has in the database.
    pub(crate) fn new(tx: &'t mut Tx, tables: &'t [(&'static str, String)]) -> Self {
        Self { tx, tables }
    }

    /// A statement in which each of the projection's tables is named in braces:
    /// `INSERT INTO {order_summaries} …`. Values are bound, never part of it.
    pub fn sql(&self, statement: &str) -> SqlStr {
        named(statement, self.tables)
    }

    /// The name that a table has in the database at the moment.
    pub fn table(&self, name: &str) -> Option<&str> {
        let mut all = self.tables.iter();
        all.find(|(known, _)| *known == name)
            .map(|(_, actual)| actual.as_str())
    }
}

impl Deref for Rows<'_> {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        self.tx
    }
}

impl DerefMut for Rows<'_> {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        self.tx
    }
}

/// A statement with the names that tables have in the database. Both are the program's own text.
fn named(statement: &str, tables: &[(&'static str, String)]) -> SqlStr {
    let mut text = statement.to_owned();
    for (name, actual) in tables {
        text = text.replace(&format!("{{{name}}}"), actual);
    }
    AssertSqlSafe(text).into_sql_str()
}

/// An error as its text with the texts of its causes.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
