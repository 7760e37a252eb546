//! What a collector gets, over HTTP.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    metrics::v1::{Metric, metric::Data, number_data_point::Value},
};
use prometheus_client::registry::Registry;
use prost::Message as _;
use stele_toolkit_bus::{Depth, Metrics};
use stele_toolkit_otel::{Telemetry, TelemetryError};
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::shop::Shop;

/// A collector that keeps the bodies of requests, by path.
#[derive(Clone, Default)]
struct Collector {
    bodies: Arc<watch::Sender<BTreeMap<String, Vec<Bytes>>>>,
    /// Whether it refuses everything.
    refuses: Arc<Mutex<bool>>,
}

impl Collector {
    /// Begins to listen, on a thread of its own, and returns the address.
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let collector = self.clone();
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.expect("accepted");
                let collector = collector.clone();
                let serve = service_fn(move |request| collector.clone().take(request));
                let http = hyper::server::conn::http1::Builder::new();
                let serving = http.serve_connection(TokioIo::new(connection), serve);
                // The client may close the connection at any time.
                tokio::spawn(async move { drop(serving.await) });
            }
        });
        format!("http://{address}")
    }

    async fn take(self, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        assert_eq!(request.headers()["content-type"], "application/x-protobuf");
        let body = request.into_body().collect().await.expect("a body");
        let mut response = Response::new(Empty::new());
        if *self.refuses.lock().await {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return Ok(response);
        }
        self.bodies.send_modify(|bodies| {
            bodies.entry(path).or_default().push(body.to_bytes());
        });
        Ok(response)
    }

    /// The first body sent to a path.
    async fn body(&self, path: &str) -> Bytes {
        let mut bodies = self.bodies.subscribe();
        let bodies = bodies.wait_for(|bodies| bodies.contains_key(path)).await;
        bodies.expect("the sender is here")[path][0].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_spans_with_the_services_name() {
    let collector = Collector::default();
    let telemetry = Telemetry::new("shop", &collector.listen().await).expect("an address");
    let subscriber = tracing_subscriber::registry().with(telemetry.layer());
    let span = tracing::subscriber::with_default(subscriber, || tracing::info_span!("order"));
    drop(span);
    telemetry.shutdown().await.expect("sent");
    let body = collector.body("/v1/traces").await;
    let request = ExportTraceServiceRequest::decode(body).expect("a request");
    let spans = &request.resource_spans[0];
    let resource = spans.resource.as_ref().expect("a resource");
    let name = resource
        .attributes
        .iter()
        .find(|it| it.key == "service.name");
    assert!(format!("{name:?}").contains("\"shop\""), "{name:?}");
    assert_eq!(spans.scope_spans[0].spans[0].name, "order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_metrics_of_a_registry() {
    let (metrics, mut registry) = (Metrics::default(), Registry::default());
    metrics.register(&mut registry);
    let shop = Shop::open().await;
    let inventory = shop.inventory_counting(&metrics).await;
    shop.order(0).await;
    shop.order(1).await;
    shop.until_handled(&registry, 1).await;
    inventory.stop().await.expect("stopped");
    let name = "order.created".to_owned();
    metrics.depth("inventory", &[Depth { name, waiting: 7 }], true);

    let collector = Collector::default();
    let telemetry = Telemetry::new("inventory", &collector.listen().await).expect("an address");
    telemetry.push(&registry).await.expect("taken");
    let body = collector.body("/v1/metrics").await;
    let request = ExportMetricsServiceRequest::decode(body).expect("a request");
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let find = |name: &str| metrics.iter().find(|it| it.name == name).expect("a metric");
    for (name, value) in [
        ("queue_depth", 7.0),
        ("consumer_lag", 7.0),
        ("failures", 1.0),
    ] {
        assert_eq!(number(find(name)), value, "{name}");
    }
    let age = find("message_age_seconds");
    let Some(Data::Histogram(histogram)) = &age.data else {
        panic!("{age:?}");
    };
    assert_eq!(age.unit, "s");
    // There is one for messages before their type is known, too.
    let mut points = histogram.data_points.iter();
    let point = points.find(|point| point.count > 0).expect("a point");
    assert_eq!(point.count, 2);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 2);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);

    *collector.refuses.lock().await = true;
    let refused = telemetry.push(&registry).await;
    assert!(
        matches!(refused, Err(TelemetryError::Collector(_))),
        "{refused:?}"
    );
}

fn number(metric: &Metric) -> f64 {
    let points = match metric.data.as_ref().expect("data") {
        Data::Gauge(gauge) => &gauge.data_points,
        Data::Sum(sum) => {
            assert!(sum.is_monotonic);
            &sum.data_points
        }
        other => panic!("{other:?}"),
    };
    match points[0].value {
        Some(Value::AsDouble(value)) => value,
        other => panic!("{other:?}"),
    }
}
