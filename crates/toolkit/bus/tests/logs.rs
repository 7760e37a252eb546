//! What a handler logs. A test binary of its own: which log lines are of interest is known once for
//! a process, and other tests would decide it, too.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{
    Destination, Event, NoStore, Outgoing, Raw, Service, Transport,
    memory::{MemoryBroker, VirtualClock},
};
use stele_toolkit_envelope::{Context, Envelope, Message, Trace};

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.created")]
struct OrderCreated {}

async fn look(_: Event<OrderCreated>) {
    tracing::info!("looking at the order");
}

async fn look_at_all(_: Raw) {
    tracing::info!("looking at a raw message");
}

/// A log that the test reads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_line_of_a_handler_has_the_four_ids() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let clock = Arc::new(VirtualClock::new());
    let transport = Arc::new(MemoryBroker::new(clock.clone()).transport());
    let all = Destination::Topic("all".to_owned());
    let service = Service::new("inventory")
        .on(look)
        .on_raw(all.clone(), look_at_all)
        .clock(clock.clone());
    let started = service.start(Arc::new(NoStore), transport.clone()).await;
    let running = started.expect("started");
    let context = Context::new("shop").with_correlation_id("request-7");
    let context = context.with_trace(Trace::Text("trace-abc".to_owned()));
    let envelope = Envelope::of(&OrderCreated {}, &context).expect("an envelope");
    let to = Destination::Topic("order.created".to_owned());
    let messages = [to, all].map(|to| {
        let id = envelope.message_id.clone();
        Outgoing::json(to, id, envelope.encode())
    });
    let results = transport.publish(&messages).await;
    results.into_iter().for_each(|it| it.expect("sent"));
    clock.run_to_idle().await;
    running.stop().await.expect("stopped");

    let log = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    for text in ["looking at the order", "looking at a raw message"] {
        let line = log.lines().find(|line| line.contains(text));
        let line: serde_json::Value = serde_json::from_str(line.expect("a line")).expect("JSON");
        let span = &line["span"];
        assert_eq!(span["message_id"], envelope.message_id.as_str());
        assert_eq!(span["correlation_id"], "request-7");
        assert_eq!(span["trace_id"], "trace-abc");
        assert_eq!(span["message_type"], "OrderCreated");
    }
}
