//! The relay: what is committed is sent, in order, and deleted once it is confirmed.

use std::{sync::Arc, time::Duration};

use prometheus_client::{encoding::text::encode, registry::Registry};
use stele_toolkit_bus::{Clock, Outgoing, Store, TransportError};
use stele_toolkit_sql::{
    Db, Dialect, Error, Followers, Options, OutboxMetrics, Relay, RelayOptions, sqlx,
};
use tokio::task::JoinHandle;

use crate::{
    inbox::open,
    support::{Hands, Home, Sink, event, until},
};

crate::home::claims! { std::future::ready:
    what_is_committed_is_sent_and_deleted;
    what_is_undone_is_never_sent;
    a_key_keeps_its_order_over_failures_and_others_go_on;
    a_refused_message_is_kept_with_its_reason_and_its_lane_goes_on;
    followers_of_a_refused_message_can_wait_for_it;
    a_delayed_message_is_sent_when_it_is_due;
    messages_of_another_process_are_sent_too;
    a_relay_takes_over_the_lanes_of_one_that_is_gone;
    a_stopped_relay_of_the_same_process_holds_nothing_up;
    a_relay_that_was_paused_beyond_its_lease_is_fenced;
    two_relays_share_the_lanes;
    what_is_committed_wakes_whichever_relay_has_its_lane;
    services_that_share_a_database_have_one_relay;
    nothing_is_sent_before_what_may_come_before_it;
}

pub(crate) fn start(db: &Db, sink: &Sink, options: RelayOptions) -> JoinHandle<Error> {
    tokio::spawn(Relay::with(db.clone(), Arc::new(sink.clone()), options).run())
}

/// Rows are deleted at once, so that tests see what is done.
pub(crate) fn eager() -> RelayOptions {
    RelayOptions {
        settle_after: Duration::ZERO,
        ..RelayOptions::default()
    }
}

pub(crate) async fn send(db: &Db, messages: &[Outgoing]) {
    let mut tx = db.begin().await.unwrap();
    tx.send(messages).await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) async fn is_empty(db: &Db) -> bool {
    db.outbox_status().await.unwrap().waiting == 0
}

/// Returns once the condition holds, while time goes on slowly.
async fn passing(hands: &Hands, mut holds: impl AsyncFnMut() -> bool) {
    let goes_on = async || {
        hands.advance(Duration::from_millis(1));
        holds().await
    };
    until(goes_on).await;
}

fn refused() -> Option<TransportError> {
    Some(TransportError::Refused {
        transport: "sink",
        reason: "too large".to_owned(),
    })
}

fn busy() -> Option<TransportError> {
    Some(TransportError::Busy {
        transport: "sink",
        reason: "full".to_owned(),
    })
}

async fn what_is_committed_is_sent_and_deleted(home: Home) {
    let (db, hands) = open(&home).await;
    let mut first = event("1", "k");
    first.headers.set("traceparent", "00-ab");
    first.headers.set("raw", vec![0xff]);
    first.content_type = "text/plain".to_owned();
    send(&db, &[first.clone(), event("2", "")]).await;
    hands.advance(Duration::from_secs(3));
    let status = db.outbox_status().await.unwrap();
    assert_eq!((status.waiting, status.oldest), (2, Duration::from_secs(3)));
    let (metrics, mut registry) = (OutboxMetrics::default(), Registry::default());
    metrics.register(&mut registry);
    metrics.update(&db).await.unwrap();
    let mut page = String::new();
    encode(&mut page, &registry).unwrap();
    assert!(page.contains("\noutbox_depth 2\n"), "{page}");
    assert!(page.contains("\noutbox_oldest_seconds 3.0\n"), "{page}");
    let sink = Sink::new(&hands);
    let relay = start(&db, &sink, eager());
    sink.wait_for(2).await;
    assert_eq!(sink.sent()[0], first);
    passing(&hands, async || is_empty(&db).await).await;
    // One that comes later wakes it, without the clock moving.
    let more: Vec<Outgoing> = (0..600).map(|n| event(&format!("m{n}"), "k")).collect();
    send(&db, &more).await;
    let ids = sink.wait_for(602).await;
    let expected: Vec<&str> = more
        .iter()
        .map(|message| message.message_id.as_str())
        .collect();
    assert_eq!(ids[2..], expected);
    passing(&hands, async || is_empty(&db).await).await;
    relay.abort();
}

/// One relay has all lanes. A commit wakes it, although the other waits too, and for longer.
/// Nobody looks without being woken.
async fn what_is_committed_wakes_whichever_relay_has_its_lane(home: Home) {
    let (db, hands) = open(&home).await;
    let sinks = [Sink::new(&hands), Sink::new(&hands)];
    let options = RelayOptions {
        poll: Duration::from_secs(3600),
        ..eager()
    };
    send(&db, &[event("0", "k")]).await;
    let relays = [
        start(&db, &sinks[0], options),
        start(&db, &sinks[1], options),
    ];
    let sent = || sinks.iter().map(|sink| sink.sent().len()).sum::<usize>();
    passing(&hands, async || sent() == 1).await;
    for count in 1..10 {
        send(&db, &[event(&count.to_string(), "k")]).await;
        passing(&hands, async || sent() == count + 1).await;
    }
    assert!(sinks.iter().any(|sink| sink.sent().is_empty()));
    for relay in relays {
        relay.abort();
    }
}

async fn services_that_share_a_database_have_one_relay(home: Home) {
    let (db, hands) = open(&home).await;
    let sinks = [Sink::new(&hands), Sink::new(&hands)];
    let [first, second] = sinks.clone().map(|sink| {
        let db = db.clone();
        tokio::spawn(async move { Store::relay(&db, Arc::new(sink)).await })
    });
    let sent = || sinks.iter().map(|sink| sink.sent().len()).sum::<usize>();
    send(&db, &[event("1", "a"), event("2", "b")]).await;
    passing(&hands, async || sent() == 2).await;
    // The other goes on when the one is gone, at once.
    let is_first = !sinks[0].sent().is_empty();
    assert_ne!(is_first, !sinks[1].sent().is_empty());
    let (sends, waits) = if is_first {
        (first, second)
    } else {
        (second, first)
    };
    sends.abort();
    send(&db, &[event("3", "a")]).await;
    let went_on = &sinks[usize::from(is_first)];
    // What the first had sent and not deleted comes again.
    passing(&hands, async || went_on.ids().iter().any(|id| id == "3")).await;
    waits.abort();
}

async fn what_is_undone_is_never_sent(home: Home) {
    let (db, hands) = open(&home).await;
    let sink = Sink::new(&hands);
    let relay = start(&db, &sink, eager());
    let mut tx = db.begin().await.unwrap();
    tx.send(&[event("undone", "k")]).await.unwrap();
    tx.rollback().await.unwrap();
    send(&db, &[event("kept", "k")]).await;
    assert_eq!(sink.wait_for(1).await, ["kept"]);
    relay.abort();
}

async fn a_key_keeps_its_order_over_failures_and_others_go_on(home: Home) {
    let (db, hands) = open(&home).await;
    let sink = Sink::new(&hands);
    sink.fail("a1", busy());
    sink.fail("x", busy());
    let relay = start(&db, &sink, eager());
    send(&db, &[event("a1", "a"), event("a2", "a"), event("b1", "b")]).await;
    send(&db, &[event("x", ""), event("y", "")]).await;
    let ids = sink.wait_for(2).await;
    assert_eq!(ids, ["b1", "y"]);
    // The key still waits, so a later message of it does too.
    send(&db, &[event("a3", "a"), event("b2", "b")]).await;
    assert_eq!(sink.wait_for(3).await[2], "b2");
    sink.fail("a1", None);
    sink.fail("x", None);
    hands.advance(Duration::from_millis(100));
    let mut ids = sink.wait_for(7).await.split_off(3);
    ids.retain(|id| id != "x");
    assert_eq!(ids, ["a1", "a2", "a3"]);
    passing(&hands, async || is_empty(&db).await).await;
    relay.abort();
}

async fn a_refused_message_is_kept_with_its_reason_and_its_lane_goes_on(home: Home) {
    let (db, hands) = open(&home).await;
    let sink = Sink::new(&hands);
    sink.fail("a1", refused());
    let relay = start(&db, &sink, eager());
    send(&db, &[event("a1", "a"), event("b1", "b")]).await;
    sink.wait_for(1).await;
    passing(&hands, async || {
        db.outbox_status().await.unwrap().refused == 1
    })
    .await;
    send(&db, &[event("a2", "a")]).await;
    assert_eq!(sink.wait_for(2).await, ["b1", "a2"]);
    passing(&hands, async || is_empty(&db).await).await;
    let kept = db.refused(0).await.unwrap();
    assert_eq!(kept[0].message, event("a1", "a"));
    assert_eq!(kept[0].reason, "sink refuses: too large");
    assert_eq!(db.refused(kept[0].number).await.unwrap(), []);
    sink.fail("a1", None);
    assert!(db.retry_refused(kept[0].number).await.unwrap());
    assert_eq!(sink.wait_for(3).await[2], "a1");
    passing(&hands, async || is_empty(&db).await).await;
    assert_eq!(db.refused(0).await.unwrap(), []);
    assert!(!db.retry_refused(kept[0].number).await.unwrap());
    assert!(!db.drop_refused(kept[0].number).await.unwrap());
    relay.abort();
}

async fn followers_of_a_refused_message_can_wait_for_it(home: Home) {
    let (db, hands) = open(&home).await;
    let sink = Sink::new(&hands);
    sink.fail("a1", refused());
    let waiting = RelayOptions {
        followers: Followers::Wait,
        ..eager()
    };
    let relay = start(&db, &sink, waiting);
    send(&db, &[event("a1", "a")]).await;
    passing(&hands, async || {
        db.outbox_status().await.unwrap().refused == 1
    })
    .await;
    send(&db, &[event("a2", "a"), event("b1", "b")]).await;
    assert_eq!(sink.wait_for(1).await, ["b1"]);
    sink.fail("a1", None);
    let number = db.refused(0).await.unwrap()[0].number;
    let mut open = None;
    if db.dialect() == Dialect::Postgres {
        let tx = open.insert(db.begin().await.unwrap());
        tx.send(&[event("c1", "c")]).await.unwrap();
    }
    assert!(db.retry_refused(number).await.unwrap());
    assert_eq!(sink.wait_for(3).await, ["b1", "a1", "a2"]);
    drop(open);
    relay.abort();
}

async fn a_delayed_message_is_sent_when_it_is_due(home: Home) {
    let (db, hands) = open(&home).await;
    let sink = Sink::new(&hands);
    let relay = start(&db, &sink, eager());
    let mut delayed = event("late", "k");
    delayed.delay = Duration::from_secs(60);
    send(&db, &[delayed, event("soon", "k")]).await;
    assert_eq!(sink.wait_for(1).await, ["soon"]);
    let not_late = async || {
        let status = db.outbox_status().await.unwrap();
        (status.waiting, status.oldest) == (1, Duration::ZERO)
    };
    passing(&hands, not_late).await;
    hands.advance(Duration::from_secs(59));
    send(&db, &[event("later", "k")]).await;
    assert_eq!(sink.wait_for(2).await, ["soon", "later"]);
    hands.advance(Duration::from_secs(1));
    sink.wait_for(3).await;
    assert_eq!(
        sink.sent()[2],
        event("late", "k"),
        "the broker isn't asked to delay it again"
    );
    relay.abort();
}

async fn messages_of_another_process_are_sent_too(home: Home) {
    let (db, hands) = open(&home).await;
    let other = home
        .open_with(Options::new().clock(Arc::new(hands.clone())))
        .await;
    let sink = Sink::new(&hands);
    let relay = start(&db, &sink, eager());
    for count in 1..=2 {
        let sent_at = hands.now();
        send(&other, &[event(&count.to_string(), "k")]).await;
        sink.wait_for(count).await;
        let waited = hands.now().since(sent_at);
        let is_told = db.dialect() == Dialect::Postgres;
        assert!(
            !is_told || waited < Duration::from_secs(1),
            "not by the poll: {waited:?}"
        );
    }
    relay.abort();
}

async fn a_relay_takes_over_the_lanes_of_one_that_is_gone(home: Home) {
    let (db, hands) = open(&home).await;
    let (gone, next) = (Sink::new(&hands), Sink::new(&hands));
    gone.hold();
    let first = start(&db, &gone, eager());
    send(&db, &[event("1", "k")]).await;
    passing(&hands, async || gone.begun() == 1).await;
    first.abort();
    let options = Options::new().clock(Arc::new(hands.clone()));
    let other = home.open_with(options).await;
    let second = start(&other, &next, eager());
    hands.advance(Duration::from_millis(4900));
    send(&db, &[event("2", "k")]).await;
    assert_eq!(
        next.ids(),
        Vec::<String>::new(),
        "the lanes are still leased"
    );
    hands.advance(Duration::from_millis(100));
    until(async || {
        hands.advance(Duration::from_millis(50));
        next.ids() == ["1", "2"]
    })
    .await;
    second.abort();
}

async fn a_stopped_relay_of_the_same_process_holds_nothing_up(home: Home) {
    let (db, hands) = open(&home).await;
    let begun = hands.now();
    for id in ["1", "2", "3"] {
        let sink = Sink::new(&hands);
        let relay = start(&db, &sink, eager());
        send(&db, &[event(id, "k")]).await;
        assert_eq!(sink.wait_for(1).await, [id]);
        passing(&hands, async || is_empty(&db).await).await;
        relay.abort();
        drop(relay.await);
    }
    let took = hands.now().since(begun);
    assert!(
        took < Duration::from_secs(5),
        "no lease was waited for: {took:?}"
    );
}

/// Both publish, so it is doubled, at most; the first may delete nothing any more.
async fn a_relay_that_was_paused_beyond_its_lease_is_fenced(home: Home) {
    let (db, hands) = open(&home).await;
    let (paused, next) = (Sink::new(&hands), Sink::new(&hands));
    paused.hold();
    // Its own clock stands still while it is paused.
    let still = Hands::noon();
    let options = Options::new().clock(Arc::new(still.clone()));
    let paused_db = home.open_with(options).await;
    let first = start(&paused_db, &paused, eager());
    send(&paused_db, &[event("1", "k")]).await;
    passing(&still, async || paused.begun() == 1).await;
    hands.advance(Duration::from_secs(6));
    next.fail("1", busy());
    let second = start(&db, &next, eager());
    passing(&hands, async || next.begun() >= 1).await;
    paused.let_go();
    assert_eq!(paused.wait_for(1).await, ["1"]);
    // It has lost its lanes: neither does it delete the row, nor does it send what follows.
    send(&paused_db, &[event("2", "k")]).await;
    still.advance(Duration::from_secs(2));
    next.fail("1", None);
    until(async || {
        hands.advance(Duration::from_millis(100));
        next.ids() == ["1", "2"]
    })
    .await;
    passing(&hands, async || is_empty(&db).await).await;
    assert_eq!(paused.ids(), ["1"]);
    first.abort();
    second.abort();
}

async fn two_relays_share_the_lanes(home: Home) {
    let (db, hands) = open(&home).await;
    let options = Options::new().clock(Arc::new(hands.clone()));
    let other = home.open_with(options).await;
    let half = RelayOptions {
        lanes_max: 8,
        ..eager()
    };
    let (a, b) = (Sink::new(&hands), Sink::new(&hands));
    let relays = [start(&db, &a, half), start(&other, &b, half)];
    let keys: Vec<String> = (0..64).map(|n| format!("key-{n}")).collect();
    for round in 0..5 {
        let messages: Vec<Outgoing> = keys
            .iter()
            .map(|key| event(&format!("{key}/{round}"), key))
            .collect();
        send(&db, &messages).await;
    }
    until(async || {
        hands.advance(Duration::from_millis(10));
        a.ids().len() + b.ids().len() == 320
    })
    .await;
    assert!(!a.ids().is_empty() && !b.ids().is_empty());
    for key in &keys {
        let of_key = |sink: &Sink| {
            let mut ids = sink.ids();
            ids.retain(|id| id.starts_with(&format!("{key}/")));
            ids
        };
        let (of_a, of_b) = (of_key(&a), of_key(&b));
        assert!(of_a.is_empty() || of_b.is_empty(), "a key has one sender");
        let expected: Vec<String> = (0..5).map(|round| format!("{key}/{round}")).collect();
        assert_eq!([of_a, of_b].concat(), expected);
    }
    for relay in relays {
        relay.abort();
    }
}

/// On PostgreSQL a transaction that began to write earlier may be committed later, with an earlier
/// place in the outbox. SQLite has one writer.
async fn nothing_is_sent_before_what_may_come_before_it(home: Home) {
    let (db, hands) = open(&home).await;
    if db.dialect() == Dialect::Sqlite {
        let options = Options::new().wait_max(Duration::from_millis(50));
        let other = home.open_with(options).await;
        let first = db.begin().await.unwrap();
        let second = other.begin().await;
        assert!(
            second.is_err_and(|error| error.is_transient()),
            "one writes at a time"
        );
        drop(first);
        return;
    }
    let sink = Sink::new(&hands);
    let relay = start(&db, &sink, eager());
    let mut early = db.begin().await.unwrap();
    early.send(&[event("1", "k")]).await.unwrap();
    send(&db, &[event("2", "k")]).await;
    // One that pretends to come from an older transaction shows that the relay has looked.
    let mut tx = db.begin().await.unwrap();
    tx.send(&[event("mark", "other")]).await.unwrap();
    let older = "UPDATE {p}outbox SET xid = '3' WHERE message_id = 'mark'";
    sqlx::query(db.sql(older)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(sink.wait_for(1).await, ["mark"]);
    let status = db.outbox_status().await.unwrap();
    assert!(status.oldest_transaction > Duration::ZERO);
    early.commit().await.unwrap();
    assert_eq!(sink.wait_for(3).await, ["mark", "1", "2"]);
    relay.abort();
}
