//! The generations of a projection's tables.

use sqlx::{Row, any::AnyRow};
use stele_toolkit_bus::StoreError;
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{Db, sqlx};

use crate::{Position, sql::failed};

/// A projection's tables at one time: those that are read, or those that are being filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The projection.
    pub name: String,
    /// Its number: 1 for the first tables, one more each time they are filled anew.
    pub number: u64,
    /// The version of the code that fills them.
    pub code_version: u32,
    /// Whether they are read. The others are being filled.
    pub is_live: bool,
    /// Up to where events were applied.
    pub position: Position,
    /// The event that it stands before, if that can't be applied.
    pub failed: Option<Failed>,
}

/// An event that can't be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How often it was tried.
    pub attempts: u32,
    /// The last time.
    pub at: Timestamp,
    /// The event's position.
    pub position: Position,
    /// Why, the last time.
    pub reason: String,
}

/// The columns of a generation.
const SELECT: &str = "SELECT name, generation, code_version, is_live, position,
    failures, failed_at, failed_position, failure FROM {p}projections";

impl Generation {
    /// The generations of all projections in a database, by name and number. For operators.
    pub async fn all(db: &Db) -> Result<Vec<Self>, StoreError> {
        let statement = format!("{SELECT} ORDER BY name, generation");
        let mut reader = db.reader().await?;
        let rows = sqlx::query(db.sql(&statement))
            .fetch_all(&mut *reader)
            .await
            .map_err(failed)?;
        rows.iter().map(read).collect()
    }

    /// The generations of one projection, by number.
    pub async fn of(db: &Db, name: &str) -> Result<Vec<Self>, StoreError> {
        let statement = format!("{SELECT} WHERE name = $1 ORDER BY generation");
        let mut reader = db.reader().await?;
        let rows = sqlx::query(db.sql(&statement))
            .bind(name)
            .fetch_all(&mut *reader)
            .await
            .map_err(failed)?;
        rows.iter().map(read).collect()
    }

    /// The generation that is read, if there is one yet.
    pub async fn live(db: &Db, name: &str) -> Result<Option<Self>, StoreError> {
        let all = Self::of(db, name).await?;
        Ok(all.into_iter().find(|generation| generation.is_live))
    }

    /// The name of a table in the database.
    pub(super) fn table(&self, name: &str) -> String {
        if self.is_live {
            name.to_owned()
        } else {
            beside(name, self.number)
        }
    }
}

/// The name of a table while it is filled.
pub(super) fn beside(name: &str, number: u64) -> String {
    format!("{name}__{number}")
}

fn read(row: &AnyRow) -> Result<Generation, StoreError> {
    let refused = |reason: String| StoreError::Refused(reason.into());
    let column = |at: usize| row.try_get::<i64, _>(at).map_err(failed);
    let text = |at: usize| row.try_get::<String, _>(at).map_err(failed);
    let position = |text: String| {
        let parsed = text.parse::<Position>();
        parsed.map_err(|error| refused(error.to_string()))
    };
    let attempts = u32::try_from(column(5)?).unwrap_or(u32::MAX);
    let failure = match attempts {
        0 => None,
        attempts => Some(Failed {
            attempts,
            at: Timestamp::from_micros(column(6)?),
            position: position(text(7)?)?,
            reason: text(8)?,
        }),
    };
    Ok(Generation {
        name: text(0)?,
        number: u64::try_from(column(1)?).unwrap_or(0),
        code_version: u32::try_from(column(2)?).unwrap_or(0),
        is_live: column(3)? != 0,
        position: position(text(4)?)?,
        failed: failure,
    })
}
