//! Transactions and migrations.

use sqlx::Row;
use stele_toolkit_sql::{Db, Error, Migration, Tx, sqlx};

use crate::support::Home;

const STOCK: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE stock (number {serial}, sku TEXT UNIQUE, free BIGINT NOT NULL, picture {blob})",
)];

crate::home::claims! { std::future::ready:
    what_is_committed_is_read;
    what_is_dropped_or_undone_is_gone;
    migrations_run_once_also_from_several_processes;
    a_changed_migration_is_refused;
    a_broken_constraint_is_refused_and_undone;
    a_commit_tells_whether_an_unheeded_failure_undid_it;
}

async fn stock(home: &Home) -> Db {
    let db = home.open().await;
    db.migrate("shop", STOCK).await.unwrap();
    db
}

async fn put(tx: &mut Tx, sku: &str, free: i64) -> Result<(), sqlx::Error> {
    let put = sqlx::query("INSERT INTO stock (sku, free, picture) VALUES ($1, $2, $3)");
    put.bind(sku)
        .bind(free)
        .bind(vec![0u8, 255])
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn rows(db: &Db) -> i64 {
    let mut reader = db.reader().await.unwrap();
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM stock");
    count.fetch_one(&mut *reader).await.unwrap()
}

async fn what_is_committed_is_read(home: Home) {
    let db = stock(&home).await;
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "cup", 3).await.unwrap();
    assert_eq!(rows(&db).await, 0, "readers see what is committed alone");
    tx.commit().await.unwrap();
    let again = home.open().await;
    let mut reader = again.reader().await.unwrap();
    let row = sqlx::query("SELECT number, sku, free, picture FROM stock");
    let row = row.fetch_one(&mut *reader).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 1);
    assert_eq!(row.get::<String, _>(1), "cup");
    assert_eq!(row.get::<i64, _>(2), 3);
    assert_eq!(row.get::<Vec<u8>, _>(3), [0, 255]);
}

async fn what_is_dropped_or_undone_is_gone(home: Home) {
    let db = stock(&home).await;
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "cup", 3).await.unwrap();
    drop(tx);
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "cup", 4).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(rows(&db).await, 0);
}

async fn migrations_run_once_also_from_several_processes(home: Home) {
    // Each has connections of its own, as another process does.
    let opened = futures_util::future::join_all((0..4).map(|_| home.open())).await;
    let runs = opened.iter().map(|db| db.migrate("shop", STOCK));
    for run in futures_util::future::join_all(runs).await {
        run.unwrap();
    }
    let mut reader = opened[0].reader().await.unwrap();
    let count = "SELECT COUNT(*) FROM {p}migrations WHERE component = 'shop'";
    let count = sqlx::query_scalar(opened[0].sql(count));
    let count: i64 = count.fetch_one(&mut *reader).await.unwrap();
    assert_eq!(count, 1);
}

async fn a_changed_migration_is_refused(home: Home) {
    let db = stock(&home).await;
    let changed = [Migration::portable(1, "CREATE TABLE stock (sku TEXT)")];
    let refused = db.migrate("shop", &changed).await;
    assert!(
        matches!(refused, Err(Error::MigrationChanged { version: 1, .. })),
        "{refused:?}"
    );
}

async fn a_broken_constraint_is_refused_and_undone(home: Home) {
    let db = stock(&home).await;
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "cup", 3).await.unwrap();
    let refused = Error::from(put(&mut tx, "cup", 4).await.unwrap_err());
    assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
    drop(tx);
    assert_eq!(rows(&db).await, 0);
}

async fn a_commit_tells_whether_an_unheeded_failure_undid_it(home: Home) {
    let db = stock(&home).await;
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "cup", 3).await.unwrap();
    put(&mut tx, "cup", 4).await.unwrap_err();
    // SQLite undoes the statement that failed, PostgreSQL everything: what counts is that COMMIT
    // tells which.
    let committed = tx.commit().await.is_ok();
    assert_eq!(rows(&db).await, i64::from(committed));
}

/// SQLite undoes the transaction by itself. The connection that has it isn't used any more.
#[tokio::test]
async fn a_full_disk_costs_the_transaction_and_no_other() {
    let home = Home::sqlite();
    let db = stock(&home).await;
    for is_dropped in [true, false] {
        let mut tx = db.begin().await.unwrap();
        let pages = sqlx::query_scalar("PRAGMA page_count");
        let pages: i64 = pages.fetch_one(&mut *tx).await.unwrap();
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(limit).fetch_one(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = db.begin().await.unwrap();
        let mut count = 0;
        let full = loop {
            count += 1;
            if let Err(error) = put(&mut tx, &format!("cup {count}"), 1).await {
                break Error::from(error);
            }
        };
        assert!(full.is_transient(), "{full}");
        if is_dropped {
            drop(tx);
        } else {
            tx.rollback().await.ok();
        }
        assert_eq!(rows(&db).await, 0);
        let tx = db.begin().await.expect("the next one begins");
        tx.rollback().await.unwrap();
    }
}
