//! The HTTP interface, without a broker: what is to be published stays in the outbox.

use std::{sync::Arc, time::Duration};

use hyper::{StatusCode, header::HeaderName};
use serde_json::{Value, json};
use stele_toolkit_es::{Runner, SqlStore};
use stele_toolkit_sql::Db;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{Accepted, router};
use crate::{
    http::{Answer, HttpClient},
    order::{orders, orders::Orders, projection::OrderProjection, timeline},
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// An order service's interface, with a read model.
struct Api {
    http: HttpClient,
    url: String,
    _directory: TempDir,
}

impl Api {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("order.db").display());
        let db = Db::open(&url).await.unwrap();
        db.migrate("order", orders::MIGRATIONS).await.unwrap();
        db.migrate("timeline", timeline::MIGRATIONS).await.unwrap();
        let store = Arc::new(SqlStore::open(db.clone()).await.unwrap());
        let runner = Runner::open(db.clone(), Arc::clone(&store) as _, OrderProjection).await;
        tokio::spawn(runner.unwrap().run(std::future::pending()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = router(Orders::new(store, db), timeline::Changes::new());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self {
            http: HttpClient::new(Duration::from_secs(30)),
            url,
            _directory: directory,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.url);
        self.http.get(&url).await.unwrap()
    }

    async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json().unwrap()
    }

    async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Answer {
        let url = format!("{}{path}", self.url);
        let headers: Vec<_> = key.map(|key| (KEY, key)).into_iter().collect();
        self.http.post(&url, &headers, body).await.unwrap()
    }
}

fn order(customer: &str, price: i64) -> Value {
    json!({
        "customerId": "cust-456", "customerName": customer, "email": "ada@shop.example",
        "items": [{ "sku": "teapot", "quantity": 2, "price": price }],
        "card": "4242424242424242",
    })
}

#[tokio::test]
async fn an_order_is_accepted_and_found_by_its_position() {
    let api = Api::start().await;
    let answer = api.post("/orders", None, &order("Ada", 4_999)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let accepted: Accepted = answer.json().unwrap();
    let id = &accepted.order_id;
    let location = answer.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("/orders/{id}"));
    let shown = api.read(location).await;
    assert_eq!(shown["total"], 9_998);
    assert_eq!(shown["status"], "created");
    let found = format!("/orders?after={}&q=ada&status=created", accepted.position);
    assert_eq!(api.read(&found.replace("ada", "Ada")).await[0]["id"], *id);
    let none = api.read("/orders?customer=nobody").await;
    assert_eq!(none, json!([]));
    let history = api.read(&format!("/orders/{id}/history")).await;
    assert_eq!(history[0]["type"], "OrderCreated");
    assert_eq!(history[0]["who"], "cust-456");
    let report = api.read("/reports/daily").await;
    assert_eq!(report[0]["total"], 9_998);
}

#[tokio::test]
async fn the_same_key_is_the_same_order() {
    let api = Api::start().await;
    let first = api.post("/orders", Some("k-1"), &order("Ada", 100)).await;
    let again = api.post("/orders", Some("k-1"), &order("Ada", 100)).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(first.body, again.body);
    let other = api.post("/orders", Some("k-1"), &order("Ada", 200)).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    let media_type = other.headers["content-type"].to_str().unwrap();
    assert_eq!(media_type, "application/problem+json");
    let accepted: Accepted = first.json().unwrap();
    let all = format!("/orders?after={}", accepted.position);
    assert_eq!(api.read(&all).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn requests_with_one_key_at_the_same_time_are_one_order() {
    let api = Api::start().await;
    let body = order("Ada", 100);
    let post = || api.post("/orders", Some("k-1"), &body);
    let (a, b, c) = tokio::join!(post(), post(), post());
    assert_eq!(a.body, b.body);
    assert_eq!(b.body, c.body);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let api = Api::start().await;
    let mut no_items = order("Ada", 100);
    no_items["items"] = json!([]);
    let mut no_address = order("Ada", 100);
    no_address["email"] = json!("nobody");
    let free = order("Ada", 0);
    let too_large = order("Ada", i64::MAX);
    for body in [no_items, no_address, free, too_large] {
        let answer = api.post("/orders", None, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    assert_eq!(api.get("/orders/none").await.status, StatusCode::NOT_FOUND);
    let both = "/orders/none?version=1&at=2024-01-15T10:30:00Z";
    assert_eq!(api.get(both).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_account_ends_at_500_after_its_five_events_and_stood_at_700() {
    let api = Api::start().await;
    api.post("/accounts/12345", None, &json!({})).await;
    let moves = [
        ("deposit", 100_000),
        ("withdraw", 30_000),
        ("deposit", 20_000),
        ("withdraw", 40_000),
    ];
    for (what, amount) in moves {
        let path = format!("/accounts/12345/{what}");
        let moved = api.post(&path, None, &json!({ "amount": amount })).await;
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.text());
    }
    let now = api.read("/accounts/12345").await;
    assert_eq!(
        (&now["balance"], &now["version"]),
        (&json!("500.00"), &json!(5))
    );
    let before = api.read("/accounts/12345?version=3").await;
    assert_eq!(before["balance"], "700.00");
    let too_much = json!({ "amount": 50_001 });
    let refused = api.post("/accounts/12345/withdraw", None, &too_much).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
}
