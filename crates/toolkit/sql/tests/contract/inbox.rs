//! The inbox: a message is handled once by each handler.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{Begun, Claim, Clock, Extensions, Store, StoreError, Unclaimed, Work};
use stele_toolkit_sql::{Db, Options, Tx, sqlx};

use crate::support::{Hands, Home, claim};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

crate::home::claims! { std::future::ready:
    a_message_is_handled_once_by_each_handler;
    what_is_undone_or_dropped_is_claimed_again;
    of_concurrent_claims_one_commits;
    days_are_dropped_and_older_messages_are_too_old;
    a_message_meets_its_own_day_whenever_it_comes;
    a_handlers_rows_are_committed_with_its_claim;
    a_kept_transaction_is_found_out;
    attempts_are_counted_across_processes;
    a_batch_is_claimed_in_one_transaction;
}

pub(crate) async fn open(home: &Home) -> (Db, Hands) {
    let hands = Hands::noon();
    let options = Options::new().clock(Arc::new(hands.clone()));
    (home.open_with(options).await, hands)
}

pub(crate) async fn work(db: &Db, claim: &Claim<'_>) -> Box<dyn Work> {
    match db.begin_claim(claim).await {
        Begun::Work(work) => work,
        Begun::Not(reason) => panic!("{}: {reason:?}", claim.message_id),
    }
}

pub(crate) async fn unclaimed(db: &Db, claim: &Claim<'_>) -> Option<Unclaimed> {
    match db.begin_claim(claim).await {
        Begun::Work(work) => {
            work.rollback().await.unwrap();
            None
        }
        Begun::Not(reason) => Some(reason),
    }
}

/// [`Db::begin`] hides the store's.
trait BeginClaim {
    async fn begin_claim(&self, claim: &Claim<'_>) -> Begun;
}

impl BeginClaim for Db {
    async fn begin_claim(&self, claim: &Claim<'_>) -> Begun {
        Store::begin(self, claim).await.unwrap()
    }
}

async fn a_message_is_handled_once_by_each_handler(home: Home) {
    let (db, hands) = open(&home).await;
    let first = claim("m", "", hands.now());
    work(&db, &first).await.commit().await.unwrap();
    assert_eq!(unclaimed(&db, &first).await, Some(Unclaimed::Duplicate));
    let other = Claim {
        handler: "s.other",
        ..first
    };
    work(&db, &other).await.commit().await.unwrap();
    let again = home
        .open_with(Options::new().clock(Arc::new(hands.clone())))
        .await;
    assert_eq!(unclaimed(&again, &other).await, Some(Unclaimed::Duplicate));
}

async fn what_is_undone_or_dropped_is_claimed_again(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "", hands.now());
    work(&db, &claim).await.rollback().await.unwrap();
    drop(work(&db, &claim).await);
    work(&db, &claim).await.commit().await.unwrap();
    assert_eq!(unclaimed(&db, &claim).await, Some(Unclaimed::Duplicate));
}

async fn of_concurrent_claims_one_commits(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "", hands.now());
    let claims = (0..8).map(|_| async {
        match db.begin_claim(&claim).await {
            Begun::Work(work) => {
                work.commit().await.unwrap();
                None
            }
            Begun::Not(reason) => Some(reason),
        }
    });
    let outcomes = futures_util::future::join_all(claims).await;
    let handled = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    assert_eq!(handled, 1, "{outcomes:?}");
    assert!(outcomes.contains(&Some(Unclaimed::Duplicate)));
}

async fn days(db: &Db) -> Vec<i64> {
    let mut reader = db.reader().await.unwrap();
    let days = sqlx::query_scalar(db.sql("SELECT day FROM {p}inbox_days ORDER BY day"));
    days.fetch_all(&mut *reader).await.unwrap()
}

async fn days_are_dropped_and_older_messages_are_too_old(home: Home) {
    let (db, hands) = open(&home).await;
    let first = claim("m", "", hands.now());
    for _ in 0..=7 {
        let today = claim("m", "", hands.now());
        work(&db, &today).await.commit().await.unwrap();
        hands.advance(DAY);
    }
    let kept = days(&db).await;
    assert_eq!(kept.len(), 8, "today's and 7 before");
    let late = Claim {
        now: hands.now(),
        ..first
    };
    assert_eq!(unclaimed(&db, &late).await, Some(Unclaimed::TooOld));
    let today = claim("m", "", hands.now());
    work(&db, &today).await.commit().await.unwrap();
    let now_kept = days(&db).await;
    assert_eq!(now_kept[..7], kept[1..]);
    let mut reader = db.reader().await.unwrap();
    let table = format!("SELECT COUNT(*) FROM {{p}}inbox_{}", kept[0]);
    let gone = sqlx::query(db.sql(&table)).fetch_one(&mut *reader).await;
    assert!(gone.is_err(), "the table is dropped as a whole");
}

async fn a_message_meets_its_own_day_whenever_it_comes(home: Home) {
    let (db, hands) = open(&home).await;
    let sent = claim("m", "", hands.now());
    work(&db, &sent).await.commit().await.unwrap();
    for days in 1..=7 {
        hands.advance(DAY);
        let late = Claim {
            now: hands.now(),
            ..sent
        };
        assert_eq!(
            unclaimed(&db, &late).await,
            Some(Unclaimed::Duplicate),
            "{days} days"
        );
    }
}

async fn table(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let table = sqlx::query("CREATE TABLE seen (id TEXT PRIMARY KEY)");
    table.execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn seen(db: &Db) -> i64 {
    let mut reader = db.reader().await.unwrap();
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM seen");
    count.fetch_one(&mut *reader).await.unwrap()
}

async fn see(mut tx: Tx, id: &str) {
    let insert = sqlx::query("INSERT INTO seen (id) VALUES ($1)").bind(id);
    insert.execute(&mut *tx).await.unwrap();
}

async fn a_handlers_rows_are_committed_with_its_claim(home: Home) {
    let (db, hands) = open(&home).await;
    table(&db).await;
    for (end, expected) in [(false, 0), (true, 1)] {
        let mut work = work(&db, &claim("m", "", hands.now())).await;
        let mut lent = Extensions::new();
        work.lend(&mut lent);
        let tx = Tx::take(&lent).unwrap();
        assert!(Tx::take(&lent).is_none(), "there is one transaction");
        see(tx, "m").await;
        assert!(Tx::take(&lent).is_some(), "it came back");
        work.take_back(&mut lent).unwrap();
        assert!(Tx::take(&lent).is_none(), "it isn't lent any more");
        match end {
            true => work.commit().await.unwrap(),
            false => work.rollback().await.unwrap(),
        }
        assert_eq!(seen(&db).await, expected);
    }
}

async fn a_kept_transaction_is_found_out(home: Home) {
    let (db, hands) = open(&home).await;
    table(&db).await;
    let mut work = work(&db, &claim("m", "", hands.now())).await;
    let mut lent = Extensions::new();
    work.lend(&mut lent);
    let kept = Tx::take(&lent).unwrap();
    assert!(matches!(work.take_back(&mut lent), Err(StoreError::Leaked)));
    assert!(matches!(work.commit().await, Err(StoreError::Leaked)));
    see(kept, "m").await;
    assert_eq!(
        seen(&db).await,
        0,
        "whoever kept it can't have it committed"
    );
    assert_eq!(unclaimed(&db, &claim("m", "", hands.now())).await, None);
}

async fn attempts_are_counted_across_processes(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "", hands.now());
    assert_eq!(db.count_attempt(&claim).await.unwrap(), 1);
    let again = home
        .open_with(Options::new().clock(Arc::new(hands.clone())))
        .await;
    assert_eq!(again.count_attempt(&claim).await.unwrap(), 2);
    let other = Claim {
        message_id: "other",
        ..claim
    };
    assert_eq!(again.count_attempt(&other).await.unwrap(), 1);
}

async fn a_batch_is_claimed_in_one_transaction(home: Home) {
    let (db, hands) = open(&home).await;
    let now = hands.now();
    work(&db, &claim("done", "", now))
        .await
        .commit()
        .await
        .unwrap();
    let mut batch = work(&db, &claim("a", "", now)).await;
    // Of another day, whose table isn't there yet.
    let earlier = Claim {
        timestamp: now - DAY,
        ..claim("b", "", now)
    };
    assert_eq!(batch.join(&earlier).await.unwrap(), None);
    assert_eq!(
        batch.join(&claim("done", "", now)).await.unwrap(),
        Some(Unclaimed::Duplicate)
    );
    batch.rollback().await.unwrap();
    for end in [None, Some(Unclaimed::Duplicate)] {
        assert_eq!(unclaimed(&db, &claim("a", "", now)).await, end);
        assert_eq!(unclaimed(&db, &earlier).await, end);
        if end.is_none() {
            let mut batch = work(&db, &claim("a", "", now)).await;
            assert_eq!(batch.join(&earlier).await.unwrap(), None);
            batch.commit().await.unwrap();
        }
    }
}
