//! Appending: expected versions, limits, all or nothing.

use futures_util::future::join_all;
use stele_toolkit_es::{
    AppendError, Expected, Until,
    limits::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX},
};

use crate::{
    Subject,
    events::{all, noted, stream, versions},
};

crate::claims! {
    one_of_several_that_expect_the_same_version_wins;
    a_conflict_tells_the_version;
    any_goes_behind_whatever_is_there;
    streams_do_not_disturb_each_other;
    an_append_is_all_or_nothing;
    limits_are_kept;
    large_events_are_kept_whole;
    an_append_is_announced;
}

async fn one_of_several_that_expect_the_same_version_wins(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("contested"));
    for version in 0..5 {
        let tries = (0..12).map(|number| async move {
            let event = [noted(&format!("{number}"))];
            store
                .append(stream, Expected::Version(version), &event)
                .await
        });
        let mut won = 0;
        for tried in join_all(tries).await {
            match tried {
                Ok(appended) => {
                    won += 1;
                    assert_eq!(
                        (appended.version, appended.is_repeated),
                        (version + 1, false)
                    );
                }
                Err(AppendError::Conflict { actual, .. }) => assert_eq!(actual, version + 1),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(won, 1);
    }
    let events = store.read(stream, 0, Until::Latest, 100).await.unwrap();
    assert_eq!(versions(&events), [1, 2, 3, 4, 5]);
}

async fn a_conflict_tells_the_version(subject: &Subject) {
    let store = &subject.store;
    let (known, unknown) = (stream("known"), stream("unknown"));
    let events = [noted("1"), noted("2")];
    store
        .append(&known, Expected::NoStream, &events)
        .await
        .unwrap();
    let cases = [
        (&known, Expected::NoStream, 2),
        (&known, Expected::Version(0), 2),
        (&known, Expected::Version(1), 2),
        (&known, Expected::Version(3), 2),
        (&unknown, Expected::Version(1), 0),
    ];
    for (stream, expected, version) in cases {
        let failed = store.append(stream, expected, &[noted("late")]).await;
        match failed {
            Err(AppendError::Conflict { stream: of, actual }) => {
                assert_eq!((&of, actual), (stream, version), "{expected:?}");
            }
            other => panic!("{expected:?}: {other:?}"),
        }
    }
    all(&**store, 2).await;
}

async fn any_goes_behind_whatever_is_there(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("busy"));
    let writers = (0..6).map(|_| async {
        for _ in 0..10 {
            let events = [noted("a"), noted("b")];
            store.append(stream, Expected::Any, &events).await.unwrap();
        }
    });
    join_all(writers).await;
    let events = store.read(stream, 0, Until::Latest, 1000).await.unwrap();
    assert_eq!(versions(&events), (1..=120).collect::<Vec<u64>>());
    let texts: Vec<&str> = events
        .iter()
        .map(|event| event.event.data.as_str())
        .collect();
    for pair in texts.chunks(2) {
        assert!(
            pair[0].contains("\"a\"") && pair[1].contains("\"b\""),
            "{pair:?}"
        );
    }
}

async fn streams_do_not_disturb_each_other(subject: &Subject) {
    let store = &subject.store;
    let appends = (0..20).map(|number| async move {
        let stream = stream(&format!("own-{number}"));
        for version in 0..5 {
            let event = [noted("x")];
            let appended = store.append(&stream, Expected::Version(version), &event);
            appended.await.unwrap();
        }
    });
    join_all(appends).await;
    all(&**store, 100).await;
}

async fn an_append_is_all_or_nothing(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("atomic"));
    let first = noted("first");
    store
        .append(stream, Expected::NoStream, std::slice::from_ref(&first))
        .await
        .unwrap();
    let many: Vec<_> = (0..150)
        .map(|_| noted("new"))
        .chain([first.clone()])
        .collect();
    let failed = store.append(stream, Expected::Version(1), &many).await;
    assert!(
        matches!(failed, Err(AppendError::IdInUse { .. })),
        "{failed:?}"
    );
    all(&**store, 1).await;
    let after = store
        .append(stream, Expected::Version(1), &[noted("second")])
        .await;
    assert_eq!(after.unwrap().version, 2);
}

async fn limits_are_kept(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("limits"));
    let too_large = noted(&"x".repeat(APPEND_BYTES_MAX));
    let too_many = vec![noted("x"); APPEND_EVENTS_MAX + 1];
    let too_much: Vec<_> = (0..10).map(|_| noted(&"x".repeat(95_000))).collect();
    for events in [&[][..], &[noted("x"), too_large], &too_many, &too_much] {
        let failed = store.append(stream, Expected::Any, events).await;
        assert!(
            matches!(failed, Err(AppendError::Limit(_))),
            "{} events",
            events.len()
        );
    }
    let most: Vec<_> = (0..APPEND_EVENTS_MAX).map(|_| noted("x")).collect();
    let appended = store
        .append(stream, Expected::NoStream, &most)
        .await
        .unwrap();
    assert_eq!(appended.version, APPEND_EVENTS_MAX as u64);
    let read = store.read(stream, 990, Until::Latest, 100).await.unwrap();
    assert_eq!(versions(&read), (991..=1000).collect::<Vec<u64>>());
}

async fn large_events_are_kept_whole(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("large"));
    let event = noted(&"ä".repeat(440_000));
    store
        .append(stream, Expected::NoStream, std::slice::from_ref(&event))
        .await
        .unwrap();
    let read = store.read(stream, 0, Until::Latest, 10).await.unwrap();
    assert!(read.len() == 1 && read[0].event == event);
    assert!(all(&**store, 1).await[0].event == event);
}

async fn an_append_is_announced(subject: &Subject) {
    let store = &subject.store;
    let mut changes = store.changes();
    changes.mark_unchanged();
    store
        .append(&stream("heard"), Expected::Any, &[noted("x")])
        .await
        .unwrap();
    assert!(changes.has_changed().unwrap());
}
