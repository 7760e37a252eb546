//! Instances in a database, and services with sagas: one suite for SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

#[path = "../../../sql/tests/support/clock.rs"]
mod clock;
#[path = "../../../sql/tests/support/home.rs"]
mod server;

mod correlating;
mod deciding;
mod orchestrating;
mod order;
mod participating;
mod services;

/// Makes a test of each claim on each database, whose subject is made of a home: `claims! { World:
/// commits; … }`.
#[macro_export]
macro_rules! claims {
    ($($claim:ident;)*) => { $crate::claims! { $crate::order::World: $($claim;)* } };
    ($subject:path: $($claim:ident;)*) => {
        mod sqlite {
            use $subject as Subject;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                super::$claim(Subject::new($crate::server::Home::sqlite()).await).await;
            })*
        }

        mod postgres {
            use $subject as Subject;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let home = $crate::server::Home::postgres().await;
                super::$claim(Subject::new(home).await).await;
            })*
        }
    };
}
