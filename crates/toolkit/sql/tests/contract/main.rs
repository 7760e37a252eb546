//! What a database does for a service: one suite for SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

#[path = "../support/mod.rs"]
mod support;

mod dead;
mod inbox;
mod leases;
mod parked;
mod relay;
mod timers;
mod transactions;

/// Makes a test of each claim on each database: `claims! { commits; … }`.
#[macro_export]
macro_rules! claims {
    ($($claim:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                super::$claim($crate::support::Home::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                super::$claim($crate::support::Home::postgres().await).await;
            })*
        }
    };
}
