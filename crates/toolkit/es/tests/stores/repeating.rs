//! Appending the same events again.

use futures_util::future::join_all;
use stele_toolkit_envelope::Envelope;
use stele_toolkit_es::{AppendError, Expected, StreamId};

use crate::{
    Subject,
    events::{all, noted, stream},
};

crate::claims! {
    the_same_append_again_changes_nothing;
    the_same_append_at_the_same_time_happens_once;
    an_id_names_one_event_of_a_stream;
}

async fn the_same_append_again_changes_nothing(subject: &Subject) {
    let (store, stream) = (&subject.store, &stream("again"));
    let events = [noted("1"), noted("2")];
    let first = store
        .append(stream, Expected::NoStream, &events)
        .await
        .unwrap();
    store
        .append(stream, Expected::Any, &[noted("3")])
        .await
        .unwrap();
    let expectations = [
        Expected::Any,
        Expected::NoStream,
        Expected::Version(0),
        Expected::Version(1),
        Expected::Version(3),
    ];
    for expected in expectations {
        let again = store.append(stream, expected, &events).await.unwrap();
        assert!(again.is_repeated, "{expected:?}");
        assert_eq!(
            (again.version, &again.position),
            (2, &first.position),
            "{expected:?}"
        );
    }
    all(&**store, 3).await;
}

async fn the_same_append_at_the_same_time_happens_once(subject: &Subject) {
    let store = &subject.store;
    for expected in [Expected::Any, Expected::NoStream] {
        let stream = stream(&format!("{expected:?}"));
        let events = [noted("1"), noted("2")];
        let tries = (0..8).map(|_| store.append(&stream, expected, &events));
        let all: Vec<_> = join_all(tries)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let new = all.iter().filter(|appended| !appended.is_repeated).count();
        assert_eq!(new, 1, "{expected:?}");
        assert!(all.iter().all(|appended| appended.version == 2), "{all:?}");
    }
    all(&**store, 4).await;
}

async fn an_id_names_one_event_of_a_stream(subject: &Subject) {
    let (store, own) = (&subject.store, stream("own"));
    let (known, new) = (noted("known"), noted("new"));
    let events = [known.clone(), noted("2")];
    let first = store.append(&own, Expected::NoStream, &events).await;
    first.unwrap();
    let cases = [
        vec![known.clone(), new.clone()],
        vec![new.clone(), known.clone()],
        vec![events[1].clone(), known.clone()],
        vec![new.clone(), new.clone()],
    ];
    for events in cases {
        assert_in_use(subject, &own, &events).await;
    }
    all(&**store, 2).await;
}

/// Appends events of which one has an id that is in use.
async fn assert_in_use(subject: &Subject, stream: &StreamId, events: &[Envelope]) {
    for expected in [Expected::Any, Expected::NoStream, Expected::Version(2)] {
        let failed = subject.store.append(stream, expected, events).await;
        let is_right = match &failed {
            Err(AppendError::IdInUse { .. }) => true,
            // Of two reasons, either may be told.
            Err(AppendError::Conflict { .. }) => expected != Expected::Any,
            _ => false,
        };
        assert!(is_right, "{stream} {expected:?}: {failed:?}");
    }
}

/// A log can't promise this: the order of two partitions isn't the same everywhere.
mod of_all_streams {
    use super::*;

    crate::claims! { of memory: an_id_names_one_event_of_all_streams; }
    crate::claims! { of sqlite: an_id_names_one_event_of_all_streams; }
    crate::claims! { of postgres: an_id_names_one_event_of_all_streams; }

    async fn an_id_names_one_event_of_all_streams(subject: &Subject) {
        let (own, other) = (stream("own"), stream("other"));
        let (known, new) = (noted("known"), noted("new"));
        let events = [known.clone()];
        let first = subject
            .store
            .append(&own, Expected::NoStream, &events)
            .await;
        first.unwrap();
        assert_in_use(subject, &other, std::slice::from_ref(&known)).await;
        assert_in_use(subject, &other, &[new, known]).await;
        all(&*subject.store, 1).await;
    }
}
