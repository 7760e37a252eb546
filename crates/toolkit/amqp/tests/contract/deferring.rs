//! Two processes of a service on one queue, one of which puts a message off while the other is busy
//! with the one before it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{
    Destination, Event, Failure, NoStore, Outgoing, Policy, Service, State, Subscription, Transport,
};
use stele_toolkit_contract::{Names, Subject as _};
use stele_toolkit_envelope::{Context, Envelope, Message};
use tokio::{sync::watch, time};

use crate::OverAmqp;

/// How many messages there are; each is early before the one before it is applied.
const COUNT: u64 = 4;

/// More than the policy has attempts.
const EARLY: u64 = 20;

const ROUNDS: usize = 5;

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "deferring.changed", key = order)]
struct Changed {
    order: String,
    number: u64,
}

/// What both processes know.
#[derive(Debug, Default)]
struct Known {
    applied: BTreeSet<u64>,
    early: u64,
    /// The first message may be applied.
    is_checked: bool,
}

type Desk = Arc<watch::Sender<Known>>;

async fn apply(Event(event): Event<Changed>, State(desk): State<Desk>) -> Result<(), Failure> {
    if event.number == 1 {
        desk.subscribe().wait_for(|known| known.is_checked).await?;
    } else if !desk.borrow().applied.contains(&(event.number - 1)) {
        desk.send_modify(|known| known.early += 1);
        return Err(Failure::Defer(Duration::from_millis(2)));
    }
    desk.send_modify(|known| {
        known.applied.insert(event.number);
    });
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_put_off_in_one_process_is_handled_in_the_end() {
    let subject = OverAmqp::start(stele_toolkit_amqp::QueueKind::Quorum).await;
    for _ in 0..ROUNDS {
        let (name, desk) = (Names::new().name("deferring"), Desk::default());
        let mut processes = Vec::new();
        for _ in 0..2 {
            let service = Service::new(&name).on(apply).state(Arc::clone(&desk));
            let service = service.policy(Policy::attempts(3));
            let service = service.concurrency(1).prefetch(1);
            let started = service.start(Arc::new(NoStore), subject.transport()).await;
            processes.push(started.expect("started"));
        }
        let transport = subject.transport();
        publish(&*transport).await;

        let mut known = desk.subscribe();
        let all = async {
            known.wait_for(|known| known.early >= EARLY).await?;
            desk.send_modify(|known| known.is_checked = true);
            known
                .wait_for(|known| known.applied.len() as u64 == COUNT)
                .await
                .map(drop)
        };
        let in_time = time::timeout(subject.patience(), all).await;
        let dead = Subscription::new(&name).queue(format!("{name}.dead"));
        let dead = transport.depth(&dead).await;
        assert!(in_time.is_ok(), "{:?}, dead: {dead:?}", desk.borrow());
        for process in processes {
            process.stop().await.expect("stopped");
        }
    }
}

async fn publish(transport: &dyn Transport) {
    let context = Context::new("shop");
    for number in 1..=COUNT {
        let order = "o-1".to_owned();
        let envelope = Envelope::of(&Changed { order, number }, &context).expect("an envelope");
        let to = Destination::Topic(Changed::TOPIC.to_owned());
        let message = Outgoing::json(to, &envelope.message_id, envelope.encode());
        for published in transport.publish(&[message]).await {
            published.expect("published");
        }
    }
}
