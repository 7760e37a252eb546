//! Reading all events: each once, in an order that never changes.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::future::join_all;
use stele_toolkit_es::{EventStore, Expected, Position, ReadError, Recorded, Types};

use crate::{
    Subject,
    events::{all, noted, stream, wait_until_readable},
};

crate::claims! {
    readers_see_each_event_once_in_order_while_others_write;
    a_command_knows_when_its_events_can_be_read;
    positions_of_other_stores_are_refused;
}

const WRITERS: usize = 6;
const APPENDS: usize = 30;

const TOTAL: usize = WRITERS * APPENDS * 2;

/// Follows a store until the writers are done and nothing is left.
async fn follow(store: &dyn EventStore, limit: usize, is_done: &AtomicBool) -> Vec<Recorded> {
    let (mut at, mut seen) = (Position::Start, Vec::<Recorded>::new());
    loop {
        let was_done = is_done.load(Ordering::SeqCst);
        let page = store.read_all(&at, &Types::All, limit).await.unwrap();
        assert!(page.position.covers(&at), "{at} → {}", page.position);
        for event in &page.events {
            assert!(page.position.covers(&event.position));
        }
        seen.extend(page.events);
        at = page.position;
        if page.is_end {
            if was_done && seen.len() >= TOTAL {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn readers_see_each_event_once_in_order_while_others_write(subject: &Subject) {
    let store = &*subject.store;
    let is_done = AtomicBool::new(false);
    let writers = (0..WRITERS).map(|writer| async move {
        for number in 0..APPENDS {
            let stream = stream(&format!("{}", (writer * 7 + number) % 5));
            let events: Vec<_> = (0..1 + number % 3).map(|_| noted("x")).collect();
            store.append(&stream, Expected::Any, &events).await.unwrap();
        }
    });
    let writing = async {
        join_all(writers).await;
        is_done.store(true, Ordering::SeqCst);
    };
    let ((), one, two) = tokio::join!(
        writing,
        follow(store, 5, &is_done),
        follow(store, 64, &is_done)
    );
    let after = all(store, TOTAL).await;
    for seen in [&one, &two, &after] {
        assert_eq!(seen.len(), TOTAL);
        let mut versions: HashMap<String, u64> = HashMap::new();
        for event in seen {
            let last = versions.entry(event.stream.to_string()).or_default();
            assert_eq!(event.version, *last + 1, "{}", event.stream);
            *last = event.version;
        }
    }
    // A log with several partitions has an order in each of them alone.
    if matches!(after[0].position, Position::Row { .. }) {
        assert!(one == after && two == after);
    }
}

async fn a_command_knows_when_its_events_can_be_read(subject: &Subject) {
    let store = &*subject.store;
    let mut at = Position::Start;
    for number in 0..4 {
        let events = [noted("a"), noted("b")];
        let stream = stream(&format!("{number}"));
        let appended = store.append(&stream, Expected::Any, &events).await.unwrap();
        assert!(!at.covers(&appended.position));
        wait_until_readable(store, &appended.position).await;
        let page = store.read_all(&at, &Types::All, 1).await.unwrap();
        assert!(
            !page.position.covers(&appended.position),
            "one of two was read"
        );
        let rest = store
            .read_all(&page.position, &Types::All, 100)
            .await
            .unwrap();
        assert_eq!(
            (page.events.len(), rest.events.len(), rest.is_end),
            (1, 1, true)
        );
        assert!(rest.position.covers(&appended.position));
        let text = rest.position.to_string();
        at = text.parse().unwrap();
        assert_eq!(at, rest.position);
    }
}

async fn positions_of_other_stores_are_refused(subject: &Subject) {
    let store = &*subject.store;
    let appended = store
        .append(&stream("x"), Expected::Any, &[noted("x")])
        .await
        .unwrap();
    let foreign = match appended.position {
        Position::Row { .. } => Position::Start.with_place(0, 1),
        _ => Position::Row { xid: 1, id: 1 },
    };
    let failed = store.read_all(&foreign, &Types::All, 10).await;
    assert!(
        matches!(failed, Err(ReadError::ForeignPosition(_))),
        "{failed:?}"
    );
}
