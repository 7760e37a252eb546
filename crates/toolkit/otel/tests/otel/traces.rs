//! Spans, as a test's exporter gets them.

use opentelemetry::trace::{SpanId, SpanKind, Status, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing::{Instrument as _, subscriber::DefaultGuard};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::shop::{OrderCreated, Shop};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Spans that have ended, of this thread.
struct Recorded {
    exporter: InMemorySpanExporter,
    _default: DefaultGuard,
}

impl Recorded {
    fn begin() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        Self {
            exporter,
            _default: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Returns once spans of these names have ended.
    async fn named(&self, names: &[&str]) -> Vec<SpanData> {
        loop {
            let spans = self.exporter.get_finished_spans().expect("spans");
            let named = |name: &&str| spans.iter().find(|span| span.name == *name).cloned();
            let found: Vec<SpanData> = names.iter().filter_map(named).collect();
            if found.len() == names.len() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    }
}

fn attribute<'a>(span: &'a SpanData, name: &str) -> Option<&'a str> {
    let attribute = span.attributes.iter().find(|it| it.key.as_str() == name)?;
    match &attribute.value {
        opentelemetry::Value::String(text) => Some(text.as_str()),
        _ => None,
    }
}

#[tokio::test]
async fn one_trace_goes_from_an_http_request_through_the_messages() {
    let recorded = Recorded::begin();
    let shop = Shop::open().await;
    let (inventory, shipping) = (shop.inventory().await, shop.shipping().await);
    shop.request(&format!("00-{TRACE}-{CALLER}-01")).await;
    let names = [
        "POST /orders",
        "process order.created",
        "process inventory.reserved",
    ];
    let spans = recorded.named(&names).await;
    let mut parent = SpanId::from_hex(CALLER).expect("an id");
    for (span, kind) in spans
        .iter()
        .zip([SpanKind::Server, SpanKind::Consumer, SpanKind::Consumer])
    {
        assert_eq!(
            span.span_context.trace_id().to_string(),
            TRACE,
            "{}",
            span.name
        );
        assert_eq!(span.parent_span_id, parent, "{}", span.name);
        assert_eq!(span.span_kind, kind, "{}", span.name);
        parent = span.span_context.span_id();
    }
    let destination = attribute(&spans[1], "messaging.destination.name");
    assert_eq!(destination, Some("order.created"));
    assert!(attribute(&spans[1], "messaging.message.id").is_some());
    let event = &spans[2].events.events[0];
    assert_eq!(
        event.name, "on its way",
        "its log lines are events of its span"
    );
    inventory.stop().await.expect("stopped");
    shipping.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_batch_is_linked_to_the_spans_that_sent_its_messages() {
    let recorded = Recorded::begin();
    let shop = Shop::open().await;
    let statistics = shop.statistics().await;
    let names = ["first", "second"];
    for name in names {
        let span = tracing::info_span!("order", otel.name = name);
        let order = OrderCreated { quantity: 1 };
        let published = shop.client.publish(&order).instrument(span).await;
        published.expect("published");
    }
    let senders = recorded.named(&names).await;
    let batch = recorded.named(&["process order.created"]).await.remove(0);
    let linked = batch
        .links
        .links
        .iter()
        .map(|link| link.span_context.span_id());
    let senders = senders.iter().map(|span| span.span_context.span_id());
    assert_eq!(linked.collect::<Vec<_>>(), senders.collect::<Vec<_>>());
    assert_eq!(batch.parent_span_id, SpanId::INVALID);
    statistics.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_failed_attempt_is_an_error() {
    let recorded = Recorded::begin();
    let shop = Shop::open().await;
    let inventory = shop.inventory().await;
    shop.order(0).await;
    let span = recorded.named(&["process order.created"]).await.remove(0);
    assert_eq!(span.status, Status::error("an order of nothing"));
    assert_eq!(attribute(&span, "error.type"), Some("rejected"));
    inventory.stop().await.expect("stopped");
}
