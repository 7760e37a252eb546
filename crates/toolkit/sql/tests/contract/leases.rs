//! Leases by name: one process at a time.

use std::time::Duration;

use stele_toolkit_sql::Error;

use crate::{inbox::open, support::Home};

const LENGTH: Duration = Duration::from_secs(5);

crate::home::claims! { std::future::ready:
    one_holder_at_a_time_and_the_next_one_fences_it;
    of_concurrent_takers_one_gets_it;
    a_released_lease_is_free_at_once;
}

async fn one_holder_at_a_time_and_the_next_one_fences_it(home: Home) {
    let (db, hands) = open(&home).await;
    let first = db.lease("writer", LENGTH).await.unwrap().unwrap();
    assert_eq!(db.lease("writer", LENGTH).await.unwrap(), None);
    assert!(db.lease("other", LENGTH).await.unwrap().is_some());
    hands.advance(LENGTH / 2);
    first.renew(&db).await.unwrap();
    hands.advance(LENGTH / 2);
    assert_eq!(
        db.lease("writer", LENGTH).await.unwrap(),
        None,
        "it was renewed"
    );
    hands.advance(LENGTH / 2);
    let second = db.lease("writer", LENGTH).await.unwrap().unwrap();
    assert!(second.epoch() > first.epoch());
    assert!(matches!(first.renew(&db).await, Err(Error::Fenced { .. })));
    let mut tx = db.begin().await.unwrap();
    assert!(matches!(
        first.check(&mut tx).await,
        Err(Error::Fenced { .. })
    ));
    second.check(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    first.release(&db).await.unwrap();
    assert_eq!(
        db.lease("writer", LENGTH).await.unwrap(),
        None,
        "it is the second's"
    );
}

async fn of_concurrent_takers_one_gets_it(home: Home) {
    let (db, _hands) = open(&home).await;
    let takers = (0..8).map(|_| db.lease("writer", LENGTH));
    let taken = futures_util::future::join_all(takers).await;
    let count = taken
        .into_iter()
        .filter(|lease| matches!(lease, Ok(Some(_))))
        .count();
    assert_eq!(count, 1);
}

async fn a_released_lease_is_free_at_once(home: Home) {
    let (db, _hands) = open(&home).await;
    let first = db.lease("writer", LENGTH).await.unwrap().unwrap();
    let epoch = first.epoch();
    first.release(&db).await.unwrap();
    assert!(db.lease("writer", LENGTH).await.unwrap().unwrap().epoch() > epoch);
}
