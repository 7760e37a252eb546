//! What only a database with several writers can get wrong: the order of events whose transactions
//! overlap.

use stele_toolkit_es::{AppendError, Appended, EventStore, Expected, Position, SqlStore, Types};
use stele_toolkit_sql::{Db, Tx, sqlx};

use crate::{
    events::{all, noted, stream, versions},
    home::Home,
};

async fn open() -> (Db, SqlStore) {
    let db = Home::postgres().await.open().await;
    (db.clone(), SqlStore::open(db).await.unwrap())
}

/// Appends an event to the stream of this name.
async fn append(store: &SqlStore, name: &str, expected: Expected) -> Appended {
    let (stream, events) = (stream(name), [noted("own")]);
    store.append(&stream, expected, &events).await.unwrap()
}

/// The same in a transaction.
async fn append_in(
    tx: &mut Tx,
    store: &SqlStore,
    name: &str,
    expected: Expected,
) -> Result<Appended, AppendError> {
    let (stream, events) = (stream(name), [noted("in a transaction")]);
    store.append_in(tx, &stream, expected, &events).await
}

/// Gives a transaction its number.
async fn write_something(tx: &mut Tx) {
    let write = "CREATE TEMPORARY TABLE something (x BIGINT) ON COMMIT DROP";
    sqlx::query(write).execute(&mut **tx).await.unwrap();
}

#[tokio::test]
async fn an_event_that_commits_late_is_not_skipped() {
    let (db, store) = open().await;
    let mut slow = db.begin().await.unwrap();
    let first = append_in(&mut slow, &store, "slow", Expected::NoStream).await;
    let first = first.unwrap().position;
    let second = append(&store, "fast", Expected::NoStream).await.position;
    assert!(first < second);

    let page = store.read_all(&Position::Start, &Types::All, 10).await;
    let page = page.unwrap();
    assert_eq!((page.events.len(), page.position), (0, Position::Start));
    slow.commit().await.unwrap();
    let events = all(&store, 2).await.into_iter();
    let positions: Vec<Position> = events.map(|event| event.position).collect();
    assert_eq!(positions, [first, second]);
}

#[tokio::test]
async fn an_event_that_is_rolled_back_holds_nobody_up() {
    let (db, store) = open().await;
    let mut slow = db.begin().await.unwrap();
    let undone = append_in(&mut slow, &store, "slow", Expected::NoStream).await;
    undone.unwrap();
    append(&store, "fast", Expected::NoStream).await;
    slow.rollback().await.unwrap();
    all(&store, 1).await;
    append(&store, "slow", Expected::NoStream).await;
    all(&store, 2).await;
}

#[tokio::test]
async fn an_older_transaction_appends_behind_a_younger_one() {
    let (db, store) = open().await;
    let mut older = db.begin().await.unwrap();
    write_something(&mut older).await;
    append(&store, "shared", Expected::NoStream).await;
    let second = append_in(&mut older, &store, "shared", Expected::Version(1)).await;
    second.unwrap();
    older.commit().await.unwrap();
    append(&store, "shared", Expected::Version(2)).await;
    assert_eq!(versions(&all(&store, 3).await), [1, 2, 3]);
}

#[tokio::test]
async fn after_a_conflict_the_callers_transaction_goes_on() {
    let (db, store) = open().await;
    append(&store, "shared", Expected::NoStream).await;
    let mut tx = db.begin().await.unwrap();
    let failed = append_in(&mut tx, &store, "shared", Expected::NoStream).await;
    assert!(matches!(
        failed,
        Err(AppendError::Conflict { actual: 1, .. })
    ));
    let appended = append_in(&mut tx, &store, "shared", Expected::Version(1)).await;
    assert_eq!(appended.unwrap().version, 2);
    tx.commit().await.unwrap();
    assert_eq!(versions(&all(&store, 2).await), [1, 2]);
}
