//! The tables.

use stele_toolkit_bus::StoreError;
use stele_toolkit_sql::{Db, Migration};

const MIGRATIONS: &[Migration] = &[Migration::portable(1, VERSION_1)];

const VERSION_1: &str = "
CREATE TABLE {p}streams (
    stream TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    xid BIGINT NOT NULL
);
CREATE TABLE {p}events (
    id {serial},
    xid BIGINT NOT NULL,
    stream TEXT NOT NULL,
    version BIGINT NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    event TEXT NOT NULL,
    UNIQUE (stream, version)
);
CREATE INDEX {p}events_order ON {p}events (xid, id);
CREATE TABLE {p}snapshots (
    stream TEXT NOT NULL,
    code_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (stream, code_version)
);
CREATE TABLE {p}projections (
    name TEXT NOT NULL,
    generation BIGINT NOT NULL,
    code_version BIGINT NOT NULL,
    is_live BIGINT NOT NULL,
    position TEXT NOT NULL,
    failures BIGINT NOT NULL,
    failed_at BIGINT,
    failed_position TEXT,
    failure TEXT,
    PRIMARY KEY (name, generation)
);
";

/// Makes the tables if they aren't there, or brings them up to date.
pub(crate) async fn migrate(db: &Db) -> Result<(), StoreError> {
    Ok(db.migrate("es", MIGRATIONS).await?)
}
