//! One active consumer, and others that stand by.

use std::time::Duration;

use stele_toolkit_bus::TransportError;

use crate::{
    Names, Subject,
    taking::{Client, of_queue, text, to_queue, within},
};

/// For how long a consumer gets everything before it counts as the active one: the other may need
/// this time to join.
const JOINING: Duration = Duration::from_secs(4);

/// How often a message is sent meanwhile.
const PACE: Duration = Duration::from_millis(50);

/// Of two consumers one gets everything, and when it crashes the other one does. Where there is no
/// such thing, it is refused.
#[expect(clippy::print_stdout, reason = "the time of the take-over is a result")]
pub async fn a_standby_takes_over_from_the_active_one(subject: &dyn Subject) {
    let queue = Names::new().name("standby");
    let mut subscription = of_queue(&queue);
    subscription.is_single_active = true;
    let publisher = Client::new(subject);
    let clients = [Client::new(subject), Client::new(subject)];
    if !publisher.transport.caps().single_active {
        let refused = publisher.transport.subscribe(&subscription).await;
        assert!(
            matches!(refused, Err(TransportError::Unsupported { .. })),
            "{refused:?}"
        );
        return;
    }
    publisher.declare_subscription(&subscription).await;
    let mut takings = Vec::new();
    for client in &clients {
        takings.push(client.subscribe(&subscription).await);
    }
    let mut sent = 0;
    let settled = async {
        let clock = subject.clock();
        let (mut active, mut since) = (0, clock.now());
        while clock.now().since(since) < JOINING {
            let body = sent.to_string();
            // Of any key, and so of any partition.
            publisher.publish(&[to_queue(&queue, &body, &body)]).await;
            sent += 1;
            let [a, b] = &mut takings[..] else {
                unreachable!("two subscriptions");
            };
            let (delivery, by) = tokio::select! {
                delivery = a.next() => (delivery, 0),
                delivery = b.next() => (delivery, 1),
            };
            // It may be the other's by now.
            delivery.ack().await.ok();
            if by != active {
                (active, since) = (by, clock.now());
            }
            clock.sleep(PACE).await;
        }
        active
    };
    let active = within(subject, subject.patience(), settled).await;
    let active = active.expect("one is active");
    let mut of_active = takings.remove(active);
    let mut standby = takings.remove(0);
    standby.expect_silence().await;

    publisher.publish(&[to_queue(&queue, "k", "held")]).await;
    let held = of_active.expect("held").await;
    let crashed = subject.clock().now();
    drop((held, of_active));
    loop {
        let delivery = standby.next().await;
        let is_it = text(&delivery) == "held";
        delivery.ack().await.expect("acknowledged");
        if is_it {
            break;
        }
    }
    let took: Duration = subject.clock().now().since(crashed);
    println!("{}: taken over after {took:?}", publisher.transport.name());
}
