//! What the harness promises to those who write tests, and that its claims can fail.

mod messages;
mod on_sqlite;
mod placing;
mod processes;
mod sagas;
mod services;

use stele_toolkit_test::Crash;

/// Where a service may crash, and how many copies of what it publishes there are then.
const CRASHES: [(Crash, usize); 4] = [
    (Crash::BeforeCommit, 1),
    (Crash::AfterCommit, 1),
    (Crash::BeforeAck, 1),
    (Crash::AfterPublish, 2),
];
