//! The database goes away and comes back: nothing is lost, and nobody has to help.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{Clock, Store, StoreError};
use stele_toolkit_sql::{Db, Error, Options, Relay, sqlx};

use crate::support::{Hands, Home, Sink, claim, event, home::Server, until};

async fn send(db: &Db, id: &str) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    tx.send(&[event(id, "k")]).await?;
    tx.commit().await
}

fn options(hands: &Hands) -> Options {
    Options::new()
        .clock(Arc::new(hands.clone()))
        .wait_max(Duration::from_millis(200))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_and_comes_back_costs_time_alone() {
    let hands = Hands::noon();
    let server = Server::new().await;
    let url = server.create_database("shop").await;
    let db = options(&hands).open(&url).await.unwrap();
    let sink = Sink::new(&hands);
    let relay = tokio::spawn(Relay::new(db.clone(), Arc::new(sink.clone())).run());
    send(&db, "1").await.unwrap();
    sink.wait_for(1).await;
    sink.hold();
    send(&db, "2").await.unwrap();
    until(async || {
        hands.advance(Duration::from_millis(1));
        sink.begun() == 2
    })
    .await;
    // In the middle of a message: the broker has it, the database can't be told.
    server.stop();
    sink.let_go();
    sink.wait_for(2).await;
    let failed = send(&db, "lost").await.unwrap_err();
    assert!(failed.is_transient(), "{failed}");
    let failed = Store::begin(&db, &claim("m", "k", hands.now()))
        .await
        .unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");
    hands.advance(Duration::from_secs(10));
    assert!(!relay.is_finished(), "it waits");
    server.start();
    until(async || send(&db, "3").await.is_ok()).await;
    let come = async || {
        hands.advance(Duration::from_millis(50));
        sink.ids().contains(&"3".to_owned())
            && db
                .outbox_status()
                .await
                .is_ok_and(|status| status.waiting == 0)
    };
    until(come).await;
    let mut ids = sink.ids();
    ids.dedup();
    assert_eq!(
        ids,
        ["1", "2", "3"],
        "in order, and nothing that wasn't committed"
    );
    // The notifications are back too: sent long before the next poll.
    let before = hands.now();
    send(&db, "4").await.unwrap();
    sink.wait_for(sink.ids().len() + 1).await;
    assert!(hands.now().since(before) < Duration::from_secs(1));
    relay.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_has_locked_is_waited_for() {
    let hands = Hands::noon();
    let home = Home::sqlite();
    let db = home.open_with(options(&hands)).await;
    let sink = Sink::new(&hands);
    let relay = tokio::spawn(Relay::new(db.clone(), Arc::new(sink.clone())).run());
    send(&db, "1").await.unwrap();
    sink.wait_for(1).await;
    let other = home.open().await;
    let lock = other.begin().await.unwrap();
    let failed = send(&db, "lost").await.unwrap_err();
    assert!(failed.is_transient(), "{failed}");
    hands.advance(Duration::from_secs(10));
    lock.rollback().await.unwrap();
    until(async || send(&db, "2").await.is_ok()).await;
    let come = async || {
        hands.advance(Duration::from_millis(50));
        db.outbox_status()
            .await
            .is_ok_and(|status| status.waiting == 0)
    };
    until(come).await;
    let mut ids = sink.ids();
    ids.dedup();
    assert_eq!(ids, ["1", "2"]);
    let mut reader = db.reader().await.unwrap();
    let written = sqlx::query("CREATE TABLE x (y TEXT)")
        .execute(&mut *reader)
        .await;
    assert!(written.is_err(), "a reader can't write");
    relay.abort();
}
