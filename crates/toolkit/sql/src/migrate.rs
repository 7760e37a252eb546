//! Migrations: numbered changes of the schema, each run once.

use sqlx::Row;

use crate::{Db, Dialect, Error, Tx, dialect};

/// A change of the schema. Its text never changes once it has been released.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1, in order.
    pub version: i64,
    /// Its statements for SQLite, separated by semicolons.
    pub sqlite: &'static str,
    /// Its statements for PostgreSQL.
    pub postgres: &'static str,
}

impl Migration {
    /// A migration whose statements both databases understand. `{serial}` in them is the type of a
    /// numbered primary key, `{blob}` that of bytes; `{p}` is the prefix of the toolkit's tables.
    pub const fn portable(version: i64, sql: &'static str) -> Self {
        Self {
            version,
            sqlite: sql,
            postgres: sql,
        }
    }
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS {p}migrations (
    component TEXT NOT NULL,
    version BIGINT NOT NULL,
    digest BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    PRIMARY KEY (component, version)
)";

pub(crate) async fn run(db: &Db, component: &str, migrations: &[Migration]) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    lock(&mut tx).await?;
    sqlx::query(db.sql(TABLE)).execute(&mut *tx).await?;
    let known = "SELECT version, digest FROM {p}migrations WHERE component = $1";
    let known = sqlx::query(db.sql(known))
        .bind(component)
        .fetch_all(&mut *tx)
        .await?;
    for migration in migrations {
        let text = db.dialect().pick(migration.sqlite, migration.postgres);
        let digest = stable_hash(text.as_bytes()).cast_signed();
        let same = |row: &&sqlx::any::AnyRow| row.get::<i64, _>(0) == migration.version;
        match known.iter().find(same) {
            Some(row) if row.get::<i64, _>(1) == digest => {}
            Some(_) => {
                return Err(Error::MigrationChanged {
                    component: component.to_owned(),
                    version: migration.version,
                });
            }
            None => apply(&mut tx, component, migration.version, text, digest).await?,
        }
    }
    tx.commit().await
}

/// Keeps other processes from migrating until this transaction ends. On SQLite, beginning it has
/// done that.
pub(crate) async fn lock(tx: &mut Tx) -> Result<(), Error> {
    if tx.db().dialect() == Dialect::Postgres {
        let key = stable_hash(tx.db().options().prefix.as_bytes()).cast_signed();
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(key);
        lock.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn apply(
    tx: &mut Tx,
    component: &str,
    version: i64,
    text: &str,
    digest: i64,
) -> Result<(), Error> {
    let text = dialect::with_types(text, tx.db().dialect());
    let (statements, now) = (tx.db().sql(&text), tx.now());
    sqlx::raw_sql(statements).execute(&mut **tx).await?;
    let note = "INSERT INTO {p}migrations (component, version, digest, run_at)
        VALUES ($1, $2, $3, $4)";
    sqlx::query(tx.db().sql(note))
        .bind(component)
        .bind(version)
        .bind(digest)
        .bind(now.as_micros())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// FNV-1a with 64 bits: the same in every version and on every machine.
pub(crate) fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
