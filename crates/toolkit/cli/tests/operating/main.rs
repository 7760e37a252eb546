//! The program `stele-toolkit` on the databases of running services.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]
#![allow(
    clippy::disallowed_methods,
    reason = "files that an operator names aren't on the broker's disk"
)]

#[path = "../../../sql/tests/support/home.rs"]
mod home;

mod letters;
mod refusing;
mod sagas;
mod shop;

/// Makes a test of each claim on each database.
#[macro_export]
macro_rules! claims {
    ($($claim:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                super::$claim($crate::shop::Shop::new($crate::home::Home::sqlite()).await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let home = $crate::home::Home::postgres().await;
                super::$claim($crate::shop::Shop::new(home).await).await;
            })*
        }
    };
}
