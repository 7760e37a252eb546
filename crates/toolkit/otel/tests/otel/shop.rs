//! A shop over a broker in memory: an HTTP server that publishes orders, and two services.

use std::{convert::Infallible, sync::Arc};

use http_body_util::Empty;
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{
    Batch, Client, ClientName, Event, Failure, Metrics, NoStore, Outbox, Policy, Running, Service,
    SystemClock, memory::MemoryBroker,
};
use stele_toolkit_envelope::{Message, Trace};
use stele_toolkit_otel::{OtelSpans, join};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tracing::Instrument as _;

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.created")]
pub(crate) struct OrderCreated {
    pub(crate) quantity: i64,
}

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "inventory.reserved")]
pub(crate) struct InventoryReserved {}

async fn reserve(Event(order): Event<OrderCreated>, out: Outbox) -> Result<(), Failure> {
    if order.quantity < 1 {
        return Err(Failure::reject("an order of nothing"));
    }
    out.publish(&InventoryReserved {});
    Ok(())
}

async fn ship(_: Event<InventoryReserved>) {
    tracing::info!("on its way");
}

async fn count(_: Batch<OrderCreated>) {}

pub(crate) struct Shop {
    broker: MemoryBroker,
    pub(crate) client: Client,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let broker = MemoryBroker::new(Arc::new(SystemClock));
        let name = ClientName {
            name: "shop".to_owned(),
            instance: "1".to_owned(),
        };
        let client = Client::connect(name, Arc::new(broker.transport())).await;
        Self {
            broker,
            client: client.expect("connected").with_spans(OtelSpans),
        }
    }

    pub(crate) async fn inventory(&self) -> Running {
        self.start(Service::new("inventory").on(reserve)).await
    }

    pub(crate) async fn shipping(&self) -> Running {
        self.start(Service::new("shipping").on(ship)).await
    }

    /// The same, counting in these metrics.
    pub(crate) async fn inventory_counting(&self, metrics: &Metrics) -> Running {
        let service = Service::new("inventory").on(reserve).metrics(metrics);
        self.start(service).await
    }

    pub(crate) async fn order(&self, quantity: i64) {
        let published = self.client.publish(&OrderCreated { quantity }).await;
        published.expect("published");
    }

    /// Returns once this many messages are handled, by what the registry tells.
    pub(crate) async fn until_handled(&self, registry: &Registry, count: u64) {
        let line = format!("handled_total{{handler=\"inventory/OrderCreated\"}} {count}");
        let mut page = String::new();
        while !page.lines().any(|it| it == line) {
            tokio::task::yield_now().await;
            page.clear();
            encode(&mut page, registry).expect("written");
        }
    }

    /// Takes two orders at once.
    pub(crate) async fn statistics(&self) -> Running {
        let full = std::time::Duration::from_secs(3600);
        let service = Service::new("statistics").on(count).batches(2, full);
        self.start(service).await
    }

    async fn start(&self, service: Service) -> Running {
        let service = service.policy(Policy::attempts(1)).spans(OtelSpans);
        let transport = Arc::new(self.broker.transport());
        let running = service.start(Arc::new(NoStore), transport).await;
        running.expect("started")
    }

    /// Sends one HTTP request with this `traceparent` to a server that publishes an order.
    pub(crate) async fn request(&self, traceparent: &str) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let serving = async {
            let (connection, _) = listener.accept().await.expect("accepted");
            let client = &self.client;
            let serve = service_fn(move |request| place_order(client.clone(), request));
            let http = hyper::server::conn::http1::Builder::new();
            let served = http.serve_connection(TokioIo::new(connection), serve);
            served.await.expect("served");
        };
        let asking = async {
            let mut connection = TcpStream::connect(address).await.expect("connected");
            let request = format!(
                "POST /orders HTTP/1.1\r\nHost: shop\r\nTraceparent: {traceparent}\r\n\
                 Connection: close\r\nContent-Length: 0\r\n\r\n"
            );
            connection
                .write_all(request.as_bytes())
                .await
                .expect("sent");
            let mut response = String::new();
            connection
                .read_to_string(&mut response)
                .await
                .expect("read");
            assert!(response.starts_with("HTTP/1.1 202 "), "{response}");
        };
        tokio::join!(serving, asking);
    }
}

async fn place_order(
    client: Client,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let header = |name| request.headers().get(name).and_then(|it| it.to_str().ok());
    let trace = Trace::of(None, header("traceparent"), header("tracestate"));
    let span = tracing::info_span!("POST /orders", otel.kind = "server");
    join(&span, &trace);
    let order = OrderCreated { quantity: 1 };
    let published = client.publish(&order).instrument(span).await;
    published.expect("published");
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
