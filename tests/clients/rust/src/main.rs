//! The lapin suite: `stele-client-lapin [part of a claim]`, against AMQP_ADDRESS.
//! Prints one line per check and the totals; the exit code tells whether all passed.

mod consume;
mod publish;
mod session;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The result of a check: the reason if it failed.
type Outcome = Result<(), String>;
/// A claim with the function that shows it.
type Check = (&'static str, fn() -> Pin<Box<dyn Future<Output = Outcome>>>);

/// The time limit of one check.
const LIMIT: Duration = Duration::from_secs(120);

/// Makes a list of checks from functions, under their own names.
macro_rules! checks {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((stringify!($name), || Box::pin($module::$name()))),*]
    };
}

const CHECKS: [Check; 9] = checks![
    publish::every_publish_is_confirmed,
    publish::a_mandatory_message_that_nothing_takes_comes_back,
    publish::properties_and_nested_headers_come_back,
    publish::a_large_body_comes_back_whole,
    publish::an_absent_exchange_is_404,
    consume::deliveries_come_in_order_and_are_settled,
    consume::a_returned_message_comes_again_marked_as_redelivered,
    consume::a_topic_exchange_routes_by_pattern,
    consume::an_exclusive_queue_is_405_for_another_connection,
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let (mut passed, mut failed) = (0, 0);
    for (claim, shows) in CHECKS
        .into_iter()
        .filter(|(claim, _)| claim.contains(&wanted))
    {
        let started = Instant::now();
        let outcome = tokio::time::timeout(LIMIT, shows()).await;
        match outcome.unwrap_or_else(|_| Err(format!("not done within {LIMIT:?}"))) {
            Ok(()) => {
                passed += 1;
                println!("ok   lapin.{claim} ({} ms)", started.elapsed().as_millis());
            }
            Err(reason) => {
                failed += 1;
                println!("FAIL lapin.{claim}: {reason}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
