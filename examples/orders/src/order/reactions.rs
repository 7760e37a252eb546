//! What the other services tell becomes a part of the order. Choreographed, the order decides by it
//! whether it is confirmed or cancelled; orchestrated, the saga decides, and sends a command.

use stele_toolkit_bus::{Event, Failure, Policy, Service, State};
use stele_toolkit_envelope::{Context, Envelope, Message};
use stele_toolkit_sql::Tx;

use super::{
    aggregate::{Action, OrderEvent},
    orders::{ActionError, Orders},
};
use crate::{
    faults::Strikes,
    messages::{
        CancelOrder, ConfirmOrder, InventoryRejected, InventoryReleased, InventoryReserved,
        PaymentFailed, PaymentProcessed, PaymentRefunded, ShippingScheduled,
    },
    settings::Style,
    topology::{ORDER, ORDER_COMMANDS},
};

pub(super) fn service(style: Style, strikes: Strikes) -> Service {
    let service = Service::new(ORDER).policy(Policy::attempts(5));
    let service = service.state(strikes);
    match style {
        Style::Choreographed => service
            .on(react::<InventoryReserved>)
            .on(react::<InventoryRejected>)
            .on(react::<InventoryReleased>)
            .on(react::<PaymentProcessed>)
            .on(react::<PaymentFailed>)
            .on(react::<PaymentRefunded>)
            .on(react::<ShippingScheduled>),
        Style::Orchestrated => service
            .on(note::<InventoryReserved>)
            .on(note::<InventoryRejected>)
            .on(note::<InventoryReleased>)
            .on(note::<PaymentProcessed>)
            .on(note::<PaymentFailed>)
            .on(note::<PaymentRefunded>)
            .on(note::<ShippingScheduled>)
            .on_queue(ORDER_COMMANDS, confirm)
            .on_queue(ORDER_COMMANDS, cancel),
    }
}

async fn react<F: Message + Into<OrderEvent>>(
    Event(fact): Event<F>,
    cause: Envelope,
    tx: Tx,
    State(orders): State<Orders>,
    State(strikes): State<Strikes>,
) -> Result<(), Failure> {
    let order_id = fact.key().0;
    strikes.meet(&order_id);
    tell(&orders, tx, &cause, &order_id, Action::React(fact.into())).await
}

async fn note<F: Message + Into<OrderEvent>>(
    Event(fact): Event<F>,
    cause: Envelope,
    tx: Tx,
    State(orders): State<Orders>,
    State(strikes): State<Strikes>,
) -> Result<(), Failure> {
    let order_id = fact.key().0;
    strikes.meet(&order_id);
    tell(&orders, tx, &cause, &order_id, Action::Note(fact.into())).await
}

async fn confirm(
    Event(command): Event<ConfirmOrder>,
    cause: Envelope,
    tx: Tx,
    State(orders): State<Orders>,
) -> Result<(), Failure> {
    tell(&orders, tx, &cause, &command.order_id, Action::Confirm).await
}

async fn cancel(
    Event(command): Event<CancelOrder>,
    cause: Envelope,
    tx: Tx,
    State(orders): State<Orders>,
) -> Result<(), Failure> {
    let action = Action::Cancel(command.reason);
    tell(&orders, tx, &cause, &command.order_id, action).await
}

async fn tell(
    orders: &Orders,
    mut tx: Tx,
    cause: &Envelope,
    order_id: &str,
    action: Action,
) -> Result<(), Failure> {
    let context = Context::new(ORDER).caused_by(cause);
    let told = orders.execute(&mut tx, order_id, &action, &context).await;
    told.map_err(ActionError::into_failure)?;
    Ok(())
}
