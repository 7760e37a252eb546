//! Events for the claims.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stele_toolkit_envelope::{
    Context, Envelope, Ids, Message, SeededIds, SystemIds, Timestamp, UpcastError,
};
use stele_toolkit_es::{EventStore, Position, Recorded, StreamId, Types};

/// A note: version 2.0 has a language, which older ones don't.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
#[message(version = "2.0", topic = "notes", alias = "NoteTaken")]
#[message(upcast(from = "1.0", with = add_language))]
pub(crate) struct Noted {
    pub(crate) text: String,
    pub(crate) language: String,
}

fn add_language(mut data: Value) -> Result<Value, UpcastError> {
    let fields = data.as_object_mut().ok_or("not an object")?;
    fields.insert("language".to_owned(), "en".into());
    Ok(data)
}

pub(crate) fn start() -> Timestamp {
    "2024-01-15T10:30:00Z".parse().unwrap()
}

/// A context with the system's ids.
pub(crate) fn context() -> Context {
    Context::new("test").with_ids(Arc::new(SystemIds))
}

/// An event that says `text`, now.
pub(crate) fn noted(text: &str) -> Envelope {
    let (text, language) = (text.to_owned(), "en".to_owned());
    Envelope::of(&Noted { text, language }, &context()).unwrap()
}

/// An event of some seconds after the start.
pub(crate) fn noted_at(seconds: u64) -> Envelope {
    let mut event = noted(&format!("at {seconds}"));
    event.timestamp = start() + Duration::from_secs(seconds);
    event
}

/// An event with everything in its envelope that one can have.
pub(crate) fn full() -> Envelope {
    let ids = SeededIds::new(7, start());
    let text = format!(
        r#"{{"messageId":"{}","type":"Noted","version":"2.0","timestamp":"2024-01-15T10:30:00.000001Z",
        "source":"test","correlationId":"req-1","data":{{"text":"99.990000000000000001 ä\u0000","language":"en"}},
        "metadata":{{"traceId":"trace-abc","userId":"user-789","causationId":"cmd-1","tenant":7}},"more":[1.10]}}"#,
        ids.message_id(ids.now())
    );
    Envelope::decode(text.as_bytes(), usize::MAX).unwrap()
}

pub(crate) fn stream(id: &str) -> StreamId {
    StreamId::new("Note", id).unwrap()
}

/// All events of a store, read in small pages, once there are `count` of them. On PostgreSQL it may
/// take a moment: transactions of other tests are on the same server.
pub(crate) async fn all(store: &dyn EventStore, count: usize) -> Vec<Recorded> {
    let (mut at, mut events) = (Position::Start, Vec::new());
    let reading = async {
        loop {
            let page = store.read_all(&at, &Types::All, 7).await.unwrap();
            events.extend(page.events);
            at = page.position;
            if page.is_end && events.len() >= count {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), reading).await;
    assert!(in_time.is_ok(), "{} events of {count}", events.len());
    assert_eq!(events.len(), count);
    events
}

/// Waits until everything up to a position can be read.
pub(crate) async fn wait_until_readable(store: &dyn EventStore, position: &Position) {
    let reading = async {
        let mut at = Position::Start;
        while !at.covers(position) {
            at = store
                .read_all(&at, &Types::none(), 1000)
                .await
                .unwrap()
                .position;
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), reading).await;
    in_time.expect("it can be read in time");
}

pub(crate) fn versions(events: &[Recorded]) -> Vec<u64> {
    events.iter().map(|event| event.version).collect()
}
