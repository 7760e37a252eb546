//! The toolkit's own tables, beside those of the inbox, which come and go with the days.

use crate::Migration;

/// `seq` of the outbox and its dead rows is the order of sending within a key.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sqlite: SQLITE_1,
    postgres: POSTGRES_1,
}];

const SQLITE_1: &str = "
CREATE TABLE {p}leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    until_at BIGINT NOT NULL
);
";

const POSTGRES_1: &str = SQLITE_1;
