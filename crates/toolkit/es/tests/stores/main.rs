//! What every event store does: one suite of claims for all of them.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

#[path = "../../../sql/tests/support/home.rs"]
mod home;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod support;

mod appending;
mod events;
#[cfg(feature = "kafka")]
mod log;
mod order;
mod postgres;
mod reading;
mod repeating;
mod snapshots;

use std::{fmt::Debug, sync::Arc, time::Duration};

#[cfg(feature = "kafka")]
use stele_toolkit_es::LogStore;
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
        Self::sql(home::Home::sqlite()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::sql(home::Home::postgres().await).await
    }

    /// A log with three partitions, on a Stele of its own.
    #[cfg(feature = "kafka")]
    pub(crate) async fn log() -> Self {
        let (broker, settings) = log::broker().await;
        let store = LogStore::open(settings).await.unwrap();
        Self {
            store: Arc::new(store),
            _home: Box::new(broker),
        }
    }

    async fn sql(home: home::Home) -> Self {
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
        #[cfg(feature = "kafka")]
        $crate::claims! { of log: $($claim;)* }
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
