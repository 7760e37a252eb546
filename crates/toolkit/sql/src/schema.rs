//! The toolkit's own tables, beside those of the inbox, which come and go with the days.

use crate::Migration;

/// Released migrations never change: a new one is added behind them.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration::portable(1, include_str!("schema/tables.sql")),
    Migration {
        version: 2,
        sqlite: "",
        postgres: include_str!("schema/postgres.sql"),
    },
];
