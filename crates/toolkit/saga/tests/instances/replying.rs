//! Which command a reply answers.

use stele_toolkit_envelope::Envelope;
use stele_toolkit_saga::{Entry, Handled};

use crate::order::{InventoryReserved, PaymentProcessed, World, sent, types};

crate::home::claims! { crate::order::World::new:
    a_reply_that_something_else_caused_does_not_count;
    a_reply_to_the_command_of_another_step_does_not_count;
    a_reply_that_says_no_cause_counts_for_the_step_that_waits;
}

fn is_late(handled: &Handled) -> bool {
    let mut entries = handled.entries.iter();
    handled.messages.is_empty() && entries.any(|new| matches!(new.entry, Entry::Late { .. }))
}

async fn a_reply_that_something_else_caused_does_not_count(world: World) {
    let created = world.created("req-1");
    let started = world.handle(&created).await;
    // Of the same matter, but not an answer to the command.
    let strange = world.reply::<InventoryReserved>(&created).await;
    assert!(is_late(&strange), "{strange:?}");
    let charge = world.reply::<InventoryReserved>(&sent(&started)[0]).await;
    assert_eq!(types(&charge), ["ChargePayment"]);
}

async fn a_reply_to_the_command_of_another_step_does_not_count(world: World) {
    let started = world.handle(&world.created("req-1")).await;
    let reserve = &sent(&started)[0];
    let charge = world.reply::<InventoryReserved>(reserve).await;
    let strange = world.reply::<PaymentProcessed>(reserve).await;
    assert!(is_late(&strange), "{strange:?}");
    let done = world.reply::<PaymentProcessed>(&sent(&charge)[0]).await;
    assert_eq!(types(&done), ["OrderConfirmed"]);
}

async fn a_reply_that_says_no_cause_counts_for_the_step_that_waits(world: World) {
    drop(world.handle(&world.created("req-1")).await);
    let context = world.context.clone().with_correlation_id("req-1");
    let reply = Envelope::of(&InventoryReserved::default(), &context).unwrap();
    assert_eq!(reply.metadata.causation_id, None);
    assert_eq!(types(&world.handle(&reply).await), ["ChargePayment"]);
}
