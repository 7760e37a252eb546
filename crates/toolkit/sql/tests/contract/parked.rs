//! Parked messages: they come back when they are due, and their key waits for them.

use std::time::Duration;

use stele_toolkit_bus::{
    Claim, Clock, Due, DueQuery, KeyOrder, Origin, Parked, Parking, Store, Story, Unclaimed,
};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::Db;

use crate::{
    inbox::{open, unclaimed, work},
    support::{Home, claim, incoming, story},
};

const MINUTE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(30);

crate::home::claims! { std::future::ready:
    a_parked_message_comes_back_as_it_was_when_it_is_due;
    a_redelivered_message_waits_while_it_is_parked;
    later_ones_of_a_strict_key_wait_and_come_in_order;
    relaxed_messages_wait_for_nobody;
    a_lease_that_is_over_gives_it_to_another_and_one_commits;
    a_failed_attempt_keeps_its_place;
    a_message_that_was_handled_meanwhile_isnt_parked;
    a_parked_message_is_handled_once_however_old;
    due_messages_are_shared_among_processes;
}

pub(crate) async fn park(db: &Db, claim: &Claim<'_>, due: Timestamp, story: Option<&Story>) {
    let message = incoming(claim.message_id, claim.key);
    let parking = Parking {
        message: &message,
        origin: &origin(),
        attempts: story.map_or(0, |story| story.attempts),
        due,
        story,
    };
    db.park(claim, &parking).await.unwrap();
}

pub(crate) fn origin() -> Origin {
    Origin {
        name: "events".to_owned(),
        partition: Some(3),
        offset: Some(42),
    }
}

pub(crate) async fn due(db: &Db, now: Timestamp) -> Due {
    let query = DueQuery {
        service: "s",
        now,
        lease: LEASE,
        count_max: 10,
    };
    db.due(&query).await.unwrap()
}

pub(crate) fn ids(due: &Due) -> Vec<&str> {
    due.messages
        .iter()
        .map(|parked| parked.message_id.as_str())
        .collect()
}

pub(crate) fn parked<'a>(claim: &Claim<'a>, now: Timestamp) -> Claim<'a> {
    Claim {
        is_parked: true,
        now,
        ..*claim
    }
}

async fn a_parked_message_comes_back_as_it_was_when_it_is_due(home: Home) {
    let (db, hands) = open(&home).await;
    let now = hands.now();
    let (claim, story) = (claim("m", "k", now), story(1, now));
    park(&db, &claim, now + MINUTE, Some(&story)).await;
    let none = due(&db, now).await;
    assert_eq!((ids(&none), none.next), (vec![], Some(now + MINUTE)));
    hands.advance(MINUTE);
    let now = hands.now();
    let back = due(&db, now).await;
    let expected = Parked {
        handler: "s.h".to_owned(),
        message_id: "m".to_owned(),
        message: incoming("m", "k"),
        origin: origin(),
        attempts: 2,
        story: Some(story),
    };
    assert_eq!(back.messages, [expected]);
    assert_eq!(back.next, Some(now + LEASE));
    assert_eq!(
        ids(&due(&db, now).await),
        Vec::<&str>::new(),
        "it is leased"
    );
    let other = DueQuery {
        service: "other",
        now,
        lease: LEASE,
        count_max: 10,
    };
    assert_eq!(ids(&db.due(&other).await.unwrap()), Vec::<&str>::new());
    work(&db, &parked(&claim, now))
        .await
        .commit()
        .await
        .unwrap();
    let none = due(&db, now + LEASE).await;
    assert_eq!((ids(&none), none.next), (vec![], None));
    assert_eq!(unclaimed(&db, &claim).await, Some(Unclaimed::Duplicate));
}

async fn a_redelivered_message_waits_while_it_is_parked(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "", hands.now());
    park(&db, &claim, hands.now() + MINUTE, None).await;
    assert_eq!(unclaimed(&db, &claim).await, Some(Unclaimed::Waiting));
    let relaxed = Claim {
        order: KeyOrder::Relaxed,
        ..claim
    };
    assert_eq!(unclaimed(&db, &relaxed).await, Some(Unclaimed::Waiting));
}

async fn later_ones_of_a_strict_key_wait_and_come_in_order(home: Home) {
    let (db, hands) = open(&home).await;
    let now = hands.now();
    park(&db, &claim("1", "k", now), now + MINUTE, None).await;
    // Of another handler of the service.
    let second = Claim {
        handler: "s.other",
        ..claim("2", "k", now)
    };
    let third = claim("3", "k", now);
    for later in [second, third] {
        assert_eq!(unclaimed(&db, &later).await, Some(Unclaimed::Behind));
        park(&db, &later, now, None).await;
    }
    assert_eq!(unclaimed(&db, &claim("4", "other", now)).await, None);
    assert_eq!(
        unclaimed(&db, &claim("4", "", now)).await,
        None,
        "no key, no order"
    );
    let first = due(&db, now).await;
    assert_eq!((ids(&first), first.next), (vec![], Some(now + MINUTE)));
    hands.advance(MINUTE);
    let now = hands.now();
    for claim in [claim("1", "k", now), second, third] {
        let one = due(&db, now).await;
        assert_eq!(ids(&one), [claim.message_id]);
        work(&db, &parked(&claim, now))
            .await
            .commit()
            .await
            .unwrap();
    }
    assert_eq!(unclaimed(&db, &claim("4", "k", now)).await, None);
}

async fn relaxed_messages_wait_for_nobody(home: Home) {
    let (db, hands) = open(&home).await;
    let now = hands.now();
    let relaxed = |id| Claim {
        order: KeyOrder::Relaxed,
        ..claim(id, "k", now)
    };
    park(&db, &relaxed("1"), now + MINUTE, None).await;
    assert_eq!(unclaimed(&db, &relaxed("2")).await, None);
    park(&db, &relaxed("2"), now, None).await;
    assert_eq!(ids(&due(&db, now).await), ["2"]);
}

async fn a_lease_that_is_over_gives_it_to_another_and_one_commits(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "k", hands.now());
    park(&db, &claim, hands.now(), None).await;
    assert_eq!(due(&db, hands.now()).await.messages[0].attempts, 1);
    hands.advance(LEASE);
    let now = hands.now();
    assert_eq!(
        due(&db, now).await.messages[0].attempts,
        2,
        "counted before it is made"
    );
    let claim = parked(&claim, now);
    work(&db, &claim).await.commit().await.unwrap();
    assert_eq!(unclaimed(&db, &claim).await, Some(Unclaimed::Duplicate));
}

async fn a_failed_attempt_keeps_its_place(home: Home) {
    let (db, hands) = open(&home).await;
    let now = hands.now();
    let (first, second) = (claim("1", "k", now), claim("2", "k", now));
    park(&db, &first, now, None).await;
    park(&db, &second, now, None).await;
    assert_eq!(ids(&due(&db, now).await), ["1"]);
    work(&db, &parked(&first, now))
        .await
        .rollback()
        .await
        .unwrap();
    park(&db, &first, now + MINUTE, Some(&story(5, now))).await;
    let none = due(&db, now).await;
    assert_eq!((ids(&none), none.next), (vec![], Some(now + MINUTE)));
    hands.advance(MINUTE);
    let back = due(&db, hands.now()).await;
    assert_eq!(ids(&back), ["1"]);
    assert_eq!(back.messages[0].attempts, 6);
}

async fn a_message_that_was_handled_meanwhile_isnt_parked(home: Home) {
    let (db, hands) = open(&home).await;
    let now = hands.now();
    let claim = claim("m", "k", now);
    work(&db, &claim).await.commit().await.unwrap();
    park(&db, &claim, now, None).await;
    let none = due(&db, now).await;
    assert_eq!((ids(&none), none.next), (vec![], None));
}

async fn a_parked_message_is_handled_once_however_old(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "k", hands.now());
    park(&db, &claim, hands.now(), None).await;
    hands.advance(MINUTE * 60 * 24 * 30);
    let now = hands.now();
    let late = Claim { now, ..claim };
    assert_eq!(unclaimed(&db, &late).await, Some(Unclaimed::TooOld));
    assert_eq!(ids(&due(&db, now).await), ["m"]);
    let claim = parked(&claim, now);
    work(&db, &claim).await.commit().await.unwrap();
    assert_eq!(unclaimed(&db, &claim).await, Some(Unclaimed::Duplicate));
}

async fn due_messages_are_shared_among_processes(home: Home) {
    let (db, hands) = open(&home).await;
    let now = hands.now();
    let names: Vec<String> = (0..30).map(|n| format!("{n:02}")).collect();
    for name in &names {
        park(&db, &claim(name, "", now), now, None).await;
    }
    let take = || async {
        let mut taken = Vec::new();
        loop {
            let due = due(&db, now).await;
            if due.messages.is_empty() && due.next != Some(now) {
                return taken;
            }
            taken.extend(due.messages.into_iter().map(|parked| parked.message_id));
        }
    };
    let (a, b) = tokio::join!(take(), take());
    let mut all = [a, b].concat();
    all.sort();
    assert_eq!(all, names);
}
