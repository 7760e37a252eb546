//! Appending the same events again.

use futures_util::future::join_all;
use stele_toolkit_es::{AppendError, Expected};

use crate::{
    Subject,
    events::{all, noted, stream},
};

crate::claims! {
    the_same_append_again_changes_nothing;
    the_same_append_at_the_same_time_happens_once;
    an_id_names_one_event_for_ever;
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

async fn an_id_names_one_event_for_ever(subject: &Subject) {
    let (store, own, other) = (&subject.store, stream("own"), stream("other"));
    let (known, new) = (noted("known"), noted("new"));
    let events = [known.clone(), noted("2")];
    store
        .append(&own, Expected::NoStream, &events)
        .await
        .unwrap();
    let cases = [
        (&other, vec![known.clone()]),
        (&other, vec![new.clone(), known.clone()]),
        (&own, vec![known.clone(), new.clone()]),
        (&own, vec![new.clone(), known.clone()]),
        (&own, vec![events[1].clone(), known.clone()]),
        (&other, vec![new.clone(), new.clone()]),
    ];
    for (stream, events) in cases {
        for expected in [Expected::Any, Expected::NoStream, Expected::Version(2)] {
            let failed = store.append(stream, expected, &events).await;
            let is_right = match &failed {
                Err(AppendError::IdInUse { .. }) => true,
                // Of two reasons, either may be told.
                Err(AppendError::Conflict { .. }) => expected != Expected::Any,
                _ => false,
            };
            assert!(is_right, "{stream} {expected:?}: {failed:?}");
        }
    }
    all(&**store, 2).await;
}
