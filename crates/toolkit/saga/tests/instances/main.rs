//! Instances in a database: one suite for SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

#[path = "../../../sql/tests/support/home.rs"]
mod server;

mod orchestrating;
mod order;
mod participating;

/// Makes a test of each claim on each database: `claims! { commits; … }`.
#[macro_export]
macro_rules! claims {
    ($($claim:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                super::$claim($crate::order::World::new($crate::server::Home::sqlite()).await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let home = $crate::server::Home::postgres().await;
                super::$claim($crate::order::World::new(home).await).await;
            })*
        }
    };
}
