//! The same services over a real broker, in real time.

use std::{sync::Arc, time::Duration};

use stele_toolkit_amqp::{Amqp, Settings};
use stele_toolkit_bus::{
    Destination, Outgoing, Service, StartError, Transport, memory::MemoryStore,
};
use stele_toolkit_contract::{Broker, Protocol};
use stele_toolkit_envelope::{Context, Envelope};
use stele_toolkit_saga::{Filter, Instances, Participant, SagaMetrics, Status};
use stele_toolkit_sql::{Db, sqlx};

use super::parts;
use crate::{clock::Hands, home::Home, order::OrderCreated};

/// Over AMQP, which a Stele of the test's own speaks.
fn transport(broker: &Broker) -> Arc<dyn Transport> {
    let mut settings = Settings::new(broker.address());
    // Long enough for a machine that is busy with other tests.
    settings.timeout = Duration::from_secs(30);
    Arc::new(Amqp::new(settings).unwrap())
}

async fn place(transport: &dyn Transport, order: &str) {
    let context = Context::new("shop").with_correlation_id(order);
    let order = OrderCreated {
        order: order.to_owned(),
    };
    let created = Envelope::of(&order, &context).unwrap();
    let to = Destination::Topic("order.created".to_owned());
    let message = Outgoing::json(to, created.message_id.clone(), created.encode());
    let sent = transport.publish(&[message]).await;
    sent.into_iter().for_each(|sent| sent.unwrap());
}

async fn statuses(db: &Db) -> Vec<(String, Status)> {
    let filter = Filter {
        name: Some(parts::SAGA.to_owned()),
        ..Filter::default()
    };
    let listed = Instances::of(db).list(&filter, 10).await;
    let listed = listed.unwrap().into_iter();
    let mut all: Vec<_> = listed.map(|it| (it.id.0, it.status)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_over_amqp_are_fulfilled_or_undone() {
    let broker = Broker::start(Protocol::Amqp).await;
    let mut keep = Vec::new();
    for service in [parts::inventory(), parts::payment(), parts::shipping()] {
        let home = Home::sqlite();
        let db = home.open().await;
        let mut tx = db.begin().await.unwrap();
        sqlx::query(parts::EFFECTS).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        Participant.migrate(&db).await.unwrap();
        let running = service.start(Arc::new(db), transport(&broker)).await;
        keep.push((running.unwrap(), home));
    }
    let home = Home::sqlite();
    let db = home.open().await;
    let service = parts::orders(&SagaMetrics::default());
    let running = service
        .start(Arc::new(db.clone()), transport(&broker))
        .await;
    let running = running.unwrap();
    let publishing = transport(&broker);
    for order in ["o-1", "sold-out-1", "unshippable-1"] {
        place(&*publishing, order).await;
    }
    let expected = [
        ("o-1".to_owned(), Status::Done),
        ("sold-out-1".to_owned(), Status::Undone),
        ("unshippable-1".to_owned(), Status::Undone),
    ];
    let ended = async {
        while statuses(&db).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    assert!(ended.is_ok(), "{:?}", statuses(&db).await);
    running.stop().await.unwrap();
    for (running, _) in keep {
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_service_without_a_database_does_not_start() {
    let clock = Arc::new(Hands::noon());
    let broker = stele_toolkit_bus::memory::MemoryBroker::new(Arc::<Hands>::clone(&clock));
    let service: Service = parts::orders(&SagaMetrics::default());
    let store = Arc::new(MemoryStore::new(clock));
    let started = service.start(store, Arc::new(broker.transport())).await;
    let error = started.map(drop).unwrap_err();
    assert!(matches!(error, StartError::Companion(_)), "{error}");
}
