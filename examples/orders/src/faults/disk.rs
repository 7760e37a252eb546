//! A disk that is full, for a service's databases.
//!
//! `PUT /disk {"isFull": true}` has SQLite take no more pages than its file has, so that it answers
//! as it does when the disk is full: "database or disk is full". `false` ends that, and so does the
//! end of the process.

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    routing::put,
};
use serde::{Deserialize, Serialize};
use stele_toolkit_sql::{
    Db, Dialect, Error,
    sqlx::{self, AssertSqlSafe, Row as _},
};

use crate::problem::Problem;

/// SQLite's own limit, and its default.
const PAGES_MAX: i64 = 0xFFFF_FFFE;

/// What is said of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disk {
    /// Whether it is full.
    pub is_full: bool,
}

/// The interface to it.
pub(crate) fn router(databases: Vec<Db>) -> Router {
    Router::new().route("/disk", put(set)).with_state(databases)
}

async fn set(
    State(databases): State<Vec<Db>>,
    disk: Result<Json<Disk>, JsonRejection>,
) -> Result<Json<Disk>, Problem> {
    let Json(disk) = disk?;
    for db in &databases {
        if db.dialect() != Dialect::Sqlite {
            return Err(Problem::not_found("only SQLite's databases have a limit"));
        }
        limit(db, disk.is_full).await?;
    }
    Ok(Json(disk))
}

/// Limits the one connection that writes.
async fn limit(db: &Db, is_full: bool) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let pages: i64 = match is_full {
        true => {
            let count = sqlx::query("PRAGMA page_count");
            count.fetch_one(&mut *tx).await?.try_get(0)?
        }
        false => PAGES_MAX,
    };
    let limit = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(limit).fetch_one(&mut *tx).await?;
    tx.commit().await
}
