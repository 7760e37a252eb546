//! What every event store does: one suite of claims for all of them.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

#[path = "../../../sql/tests/support/home.rs"]
mod server;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod support;

mod appending;
mod events;
mod order;
mod postgres;
mod reading;
mod repeating;
mod snapshots;

use std::{fmt::Debug, sync::Arc, time::Duration};

use stele_toolkit_es::{EventStore, MemoryStore, SqlStore};
use stele_toolkit_sql::Options;

/// A store of a test's own, with what it lives in.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) store: Arc<dyn EventStore>,
    _home: Box<dyn Debug + Send + Sync>,
}

impl Subject {
    pub(crate) async fn memory() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            _home: Box::new(()),
        }
    }

    pub(crate) async fn sqlite() -> Self {
        Self::sql(server::Home::sqlite()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::sql(server::Home::postgres().await).await
    }

    async fn sql(home: server::Home) -> Self {
        // The disk may be busy with other things.
        let options = Options::new().wait_max(Duration::from_secs(60));
        let db = home.open_with(options).await;
        let store = SqlStore::open(db).await.unwrap();
        Self {
            store: Arc::new(store),
            _home: Box::new(home),
        }
    }
}

/// Makes a test of each claim on each store: `claims! { one_wins; … }`.
#[macro_export]
macro_rules! claims {
    ($($claim:ident;)*) => {
        $crate::claims! { of memory: $($claim;)* }
        $crate::claims! { of sqlite: $($claim;)* }
        $crate::claims! { of postgres: $($claim;)* }
    };
    (of $store:ident: $($claim:ident;)*) => {
        mod $store {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let subject = $crate::Subject::$store().await;
                super::$claim(&subject).await;
            })*
        }
    };
}
