//! Reading a stream: by version, by time, in pages, with everything that was written.

use stele_toolkit_es::{Expected, Position, Types, Until};

use crate::{
    Subject,
    events::{
        Noted, all, context, full, noted, noted_at, start, stream, versions, wait_until_readable,
    },
    support::envelope,
};

crate::claims! {
    an_event_is_read_as_it_was_written;
    a_stream_is_read_until_a_version_or_a_time;
    a_clock_set_back_does_not_reorder_the_past;
    a_stream_is_read_in_pages;
    unknown_types_are_kept_and_older_versions_are_upcast;
    types_are_filtered_and_the_position_passes_the_others;
}

async fn an_event_is_read_as_it_was_written(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("full/with/slashes ä"));
    let event = full();
    let appended = store.append(stream, Expected::NoStream, std::slice::from_ref(&event));
    let appended = appended.await.unwrap();
    let read = store.read(stream, 0, Until::Latest, 10).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].event.encode(), event.encode());
    assert_eq!(read[0].event.metadata.user_id.as_deref(), Some("user-789"));
    assert_eq!(
        read[0].event.metadata.causation_id.as_deref(),
        Some("cmd-1")
    );
    assert_eq!((read[0].version, read[0].time), (1, event.timestamp));
    assert_eq!(
        (&read[0].stream, &read[0].position),
        (stream, &appended.position)
    );
    assert_eq!(all(&**store, 1).await, read);
}

async fn a_stream_is_read_until_a_version_or_a_time(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("past"));
    for seconds in [0, 60, 60, 120] {
        store
            .append(stream, Expected::Any, &[noted_at(seconds)])
            .await
            .unwrap();
    }
    let at = |seconds| Until::Time(start() + std::time::Duration::from_secs(seconds));
    let cases = [
        (Until::Latest, 4),
        (Until::Version(0), 0),
        (Until::Version(2), 2),
        (Until::Version(u64::MAX), 4),
        (at(0), 1),
        (at(59), 1),
        (at(60), 3),
        (at(120), 4),
    ];
    for (until, count) in cases {
        let events = store.read(stream, 0, until, 10).await.unwrap();
        assert_eq!(
            versions(&events),
            (1..=count).collect::<Vec<u64>>(),
            "{until:?}"
        );
    }
    let events = store.read(stream, 2, Until::Version(3), 10).await.unwrap();
    assert_eq!(versions(&events), [3]);
    let none = crate::events::stream("none");
    assert_eq!(store.read(&none, 0, Until::Latest, 10).await.unwrap(), []);
}

async fn a_clock_set_back_does_not_reorder_the_past(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("back"));
    let events = [noted_at(100), noted_at(40)];
    store.append(stream, Expected::Any, &events).await.unwrap();
    store
        .append(stream, Expected::Any, &[noted_at(50)])
        .await
        .unwrap();
    store
        .append(stream, Expected::Any, &[noted_at(130)])
        .await
        .unwrap();
    let read = store.read(stream, 0, Until::Latest, 10).await.unwrap();
    let seconds = read.iter().map(|event| event.time.since(start()).as_secs());
    assert_eq!(seconds.collect::<Vec<u64>>(), [100, 100, 100, 130]);
    // What happened is not touched.
    assert_eq!(read[2].event.timestamp.since(start()).as_secs(), 50);
    let until = Until::Time(start() + std::time::Duration::from_secs(60));
    assert_eq!(store.read(stream, 0, until, 10).await.unwrap(), []);
}

async fn a_stream_is_read_in_pages(subject: &Subject) {
    let store = &subject.store;
    let (long, other) = (stream("long"), stream("other"));
    for _ in 0..25 {
        store
            .append(&long, Expected::Any, &[noted("x")])
            .await
            .unwrap();
        store
            .append(&other, Expected::Any, &[noted("y")])
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    loop {
        let page = store
            .read(&long, seen.len() as u64, Until::Latest, 10)
            .await
            .unwrap();
        seen.extend(versions(&page));
        if page.len() < 10 {
            break;
        }
    }
    assert_eq!(seen, (1..=25).collect::<Vec<u64>>());
    assert_eq!(store.read(&long, 25, Until::Latest, 10).await.unwrap(), []);
    assert_eq!(
        store
            .read(&long, u64::MAX, Until::Latest, 10)
            .await
            .unwrap(),
        []
    );
}

async fn unknown_types_are_kept_and_older_versions_are_upcast(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("mixed"));
    let context = context();
    let events = [
        envelope("Noted", "1.0", r#"{"text":"old"}"#, &context),
        envelope("NoteTaken", "1.0", r#"{"text":"alias"}"#, &context),
        envelope("Forgotten", "7.3", r#"{"anything":[1.10,null]}"#, &context),
        noted("new"),
    ];
    store
        .append(stream, Expected::NoStream, &events)
        .await
        .unwrap();
    let read = store.read(stream, 0, Until::Latest, 10).await.unwrap();
    let opened: Vec<Option<Noted>> = read.iter().map(|event| event.event.open().ok()).collect();
    let note = |text: &str| {
        let (text, language) = (text.to_owned(), "en".to_owned());
        Some(Noted { text, language })
    };
    assert_eq!(opened, [note("old"), note("alias"), None, note("new")]);
    // The store keeps what was written, not what it means today.
    assert_eq!(read[0].event.data.as_str(), r#"{"text":"old"}"#);
    assert_eq!(read[2].event.data.as_str(), r#"{"anything":[1.10,null]}"#);
}

async fn types_are_filtered_and_the_position_passes_the_others(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("filtered"));
    let context = context();
    for number in 0..30 {
        let name = if number % 10 == 4 {
            "NoteTaken"
        } else {
            "Other"
        };
        let event = envelope(name, "1.0", r#"{"text":"x"}"#, &context);
        store.append(stream, Expected::Any, &[event]).await.unwrap();
    }
    let last = store.read(stream, 29, Until::Latest, 1).await.unwrap();
    wait_until_readable(&**store, &last[0].position).await;
    let (mut at, mut seen, mut pages) = (Position::Start, Vec::new(), 0);
    loop {
        let page = store.read_all(&at, &Types::of::<Noted>(), 8).await.unwrap();
        seen.extend(versions(&page.events));
        assert!(page.position.covers(&at));
        at = page.position;
        pages += 1;
        if page.is_end {
            break;
        }
    }
    assert_eq!(seen, [5, 15, 25]);
    assert_eq!(pages, 4, "each page looks at 8 events");
    assert!(at.covers(&last[0].position), "{at} {}", last[0].position);
    let none = store
        .read_all(&Position::Start, &Types::none(), 100)
        .await
        .unwrap();
    assert_eq!(none.events, []);
    assert!(none.position.covers(&last[0].position));
}
