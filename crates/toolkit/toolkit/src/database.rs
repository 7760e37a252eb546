//! A service's database, as its environment names it.

use stele_toolkit_sql::{Db, Error};

use crate::transport::{self, ConnectError};

/// The variable that names the database.
pub const VARIABLE: &str = "DATABASE_URL";

/// The environment names no database, or one that can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such variable.
    #[error(transparent)]
    Variable(#[from] ConnectError),
    /// The database can't be opened.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Opens `sqlite:inventory.db`, made if it isn't there, or `postgres://…`.
pub async fn open(url: &str) -> Result<Db, Error> {
    Db::open(url).await
}

/// Opens the database that `DATABASE_URL` names.
pub async fn from_env() -> Result<Db, OpenError> {
    let url = transport::variable(VARIABLE, "sqlite:service.db")?;
    Ok(open(&url).await?)
}
