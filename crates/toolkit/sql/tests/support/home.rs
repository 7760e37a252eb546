//! Databases for tests: a file in a temporary directory, or a PostgreSQL server of this process.
//! Other crates' tests include this file by its path, as `crate::home`.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test binary uses a part of it"
)]

#[path = "postgres.rs"]
mod postgres;

use std::sync::atomic::{AtomicU32, Ordering};

use stele_toolkit_sql::{Db, Options};

pub(crate) use postgres::Server;

/// Makes a test of each claim on each database, with what a function makes of its home:
/// `claims! { crate::world::World::new: one_wins; … }`.
macro_rules! claims {
    ($subject:path: $($claim:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let home = $crate::home::Home::sqlite();
                super::$claim($subject(home).await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let home = $crate::home::Home::postgres().await;
                super::$claim($subject(home).await).await;
            })*
        }
    };
}

pub(crate) use claims;

/// A database of one test, gone with it.
#[derive(Debug)]
pub(crate) struct Home {
    url: String,
    directory: Option<tempfile::TempDir>,
}

impl Home {
    /// A SQLite file.
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite:{}", directory.path().join("test.db").display()),
            directory: Some(directory),
        }
    }

    /// A database on the PostgreSQL server that the tests of this process share.
    pub(crate) async fn postgres() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self {
            url: Server::shared().await.create_database(&name).await,
            directory: None,
        }
    }

    /// Another one of the same kind.
    pub(crate) async fn another(&self) -> Self {
        match self.directory {
            Some(_) => Self::sqlite(),
            None => Self::postgres().await,
        }
    }

    /// Opens it with default options, but for a disk that may be busy with other things.
    pub(crate) async fn open(&self) -> Db {
        let options = Options::new().wait_max(std::time::Duration::from_secs(60));
        self.open_with(options).await
    }

    /// Opens it.
    pub(crate) async fn open_with(&self, options: Options) -> Db {
        options.open(&self.url).await.unwrap()
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}
