//! What the harness promises to those who write tests, and that its claims can fail.

mod messages;
mod on_sqlite;
mod placing;
mod sagas;
mod services;
