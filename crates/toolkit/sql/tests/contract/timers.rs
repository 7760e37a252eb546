//! Timers: each comes once, with what it causes.

use std::time::Duration;

use prometheus_client::{encoding::text::encode, registry::Registry};
use stele_toolkit_bus::Clock;
use stele_toolkit_sql::{Db, Timer, TimerMetrics};

use crate::{
    inbox::open,
    support::{Hands, Home},
};

const MINUTE: Duration = Duration::from_secs(60);

crate::home::claims! { std::future::ready:
    a_timer_comes_once_when_it_is_due_however_late;
    a_timer_that_fails_stays_and_is_postponed;
    timers_are_set_cancelled_and_replaced_with_their_transaction;
    due_timers_are_shared_among_processes;
}

fn timer(hands: &Hands, id: &str, after: Duration) -> Timer {
    Timer {
        queue: "orders".to_owned(),
        id: id.to_owned(),
        due: hands.now() + after,
        payload: format!("{{\"of\":\"{id}\"}}"),
    }
}

async fn set(db: &Db, timers: &[Timer]) {
    let mut tx = db.begin().await.unwrap();
    for timer in timers {
        tx.set_timer(timer).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// The metric `timer_lateness_seconds`.
async fn lateness(db: &Db) -> String {
    let (metrics, mut registry) = (TimerMetrics::default(), Registry::default());
    metrics.register(&mut registry);
    metrics.update(db).await.unwrap();
    let mut page = String::new();
    encode(&mut page, &registry).unwrap();
    let mut values = page
        .lines()
        .filter_map(|it| it.strip_prefix("timer_lateness_seconds "));
    values.next().unwrap().to_owned()
}

async fn a_timer_comes_once_when_it_is_due_however_late(home: Home) {
    let (db, hands) = open(&home).await;
    let (soon, later) = (
        timer(&hands, "soon", MINUTE),
        timer(&hands, "later", MINUTE * 2),
    );
    set(&db, &[later.clone(), soon.clone()]).await;
    assert_eq!(db.next_timer("orders").await.unwrap(), Some(soon.due));
    assert!(db.take_timer("orders").await.unwrap().is_none());
    assert_eq!(lateness(&db).await, "0.0");
    hands.advance(MINUTE * 60);
    assert_eq!(lateness(&db).await, "3540.0");
    for expected in [soon, later] {
        let (tx, taken) = db.take_timer("orders").await.unwrap().unwrap();
        assert_eq!(taken, expected);
        tx.commit().await.unwrap();
    }
    assert!(db.take_timer("orders").await.unwrap().is_none());
    assert_eq!(db.next_timer("orders").await.unwrap(), None);
}

async fn a_timer_that_fails_stays_and_is_postponed(home: Home) {
    let (db, hands) = open(&home).await;
    set(&db, &[timer(&hands, "a", Duration::ZERO)]).await;
    let (tx, taken) = db.take_timer("orders").await.unwrap().unwrap();
    drop(tx);
    db.postpone_timer(&taken, MINUTE).await.unwrap();
    assert!(db.take_timer("orders").await.unwrap().is_none());
    hands.advance(MINUTE);
    let (tx, again) = db.take_timer("orders").await.unwrap().unwrap();
    assert_eq!(
        (again.id, again.payload),
        (taken.id.clone(), taken.payload.clone())
    );
    tx.commit().await.unwrap();
    db.postpone_timer(&taken, MINUTE).await.unwrap();
    assert_eq!(
        db.next_timer("orders").await.unwrap(),
        None,
        "one that is done isn't made again"
    );
}

async fn timers_are_set_cancelled_and_replaced_with_their_transaction(home: Home) {
    let (db, hands) = open(&home).await;
    let mut tx = db.begin().await.unwrap();
    tx.set_timer(&timer(&hands, "a", MINUTE)).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(db.next_timer("orders").await.unwrap(), None);
    set(&db, &[timer(&hands, "a", MINUTE)]).await;
    set(&db, &[timer(&hands, "a", MINUTE * 3)]).await;
    assert_eq!(
        db.next_timer("orders").await.unwrap(),
        Some(hands.now() + MINUTE * 3)
    );
    assert_eq!(db.next_timer("others").await.unwrap(), None);
    let mut tx = db.begin().await.unwrap();
    assert!(tx.cancel_timer("orders", "a").await.unwrap());
    assert!(!tx.cancel_timer("orders", "a").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(db.next_timer("orders").await.unwrap(), None);
}

async fn due_timers_are_shared_among_processes(home: Home) {
    let (db, hands) = open(&home).await;
    let timers: Vec<Timer> = (0..40)
        .map(|n| timer(&hands, &format!("{n:02}"), Duration::ZERO))
        .collect();
    set(&db, &timers).await;
    let take_all = || async {
        let mut taken = Vec::new();
        while let Some((tx, timer)) = db.take_timer("orders").await.unwrap() {
            tx.commit().await.unwrap();
            taken.push(timer.id);
        }
        taken
    };
    let (a, b, c) = tokio::join!(take_all(), take_all(), take_all());
    let mut all = [a, b, c].concat();
    all.sort();
    let expected: Vec<String> = timers.into_iter().map(|timer| timer.id).collect();
    assert_eq!(all, expected);
}
