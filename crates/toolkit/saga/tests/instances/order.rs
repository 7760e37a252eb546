//! The saga of the tests, and a world with a database and a clock of its own.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{Clock as _, Outgoing};
use stele_toolkit_envelope::{Context, Envelope, Message, SeededIds};
use stele_toolkit_saga::{Handled, Orchestrator, Plan, Saga};
use stele_toolkit_sql::{Db, Options, Tx};

use crate::{clock::Hands, home::Home};

macro_rules! messages {
    ($($name:ident $topic:literal)*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Message)]
        #[message(version = "1.0", topic = $topic, key = order)]
        pub(crate) struct $name {
            pub(crate) order: String,
        }

        impl From<&PlaceOrder> for $name {
            fn from(saga: &PlaceOrder) -> Self {
                Self { order: saga.order.clone() }
            }
        }
    )*};
}

messages! {
    OrderCreated "order.created"
    OrderConfirmed "order.updated"
    OrderCancelled "order.updated"
    ReserveInventory "inventory.commands"
    ReleaseInventory "inventory.commands"
    InventoryReserved "inventory.reserved"
    InventoryRejected "inventory.rejected"
    ChargePayment "payment.commands"
    RefundPayment "payment.commands"
    PaymentProcessed "payment.processed"
    PaymentFailed "payment.failed"
    ScheduleShipping "shipping.commands"
    ShippingScheduled "shipping.scheduled"
    ShippingRefused "shipping.refused"
    InventoryReleased "inventory.released"
    PaymentRefunded "payment.refunded"
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlaceOrder {
    pub(crate) order: String,
}

impl Saga for PlaceOrder {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self {
            order: start.order.clone(),
        }
    }

    fn plan(plan: &mut Plan<Self>) {
        steps(plan, |saga| saga);
    }
}

/// The steps of the first version.
fn steps<S: Saga>(plan: &mut Plan<S>, of: fn(&S) -> &PlaceOrder) {
    plan.step("reserve")
        .send(move |saga| ReserveInventory::from(of(saga)))
        .ok::<InventoryReserved>()
        .fail::<InventoryRejected>()
        .undo(move |saga| ReleaseInventory::from(of(saga)));
    plan.step("charge")
        .send(move |saga| ChargePayment::from(of(saga)))
        .ok::<PaymentProcessed>()
        .fail::<PaymentFailed>()
        .timeout(Duration::from_secs(30))
        .undo(move |saga| RefundPayment::from(of(saga)))
        .pivot();
    plan.done(move |saga| OrderConfirmed::from(of(saga)))
        .undone(move |saga| OrderCancelled::from(of(saga)));
}

/// The same saga, later: payment comes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlaceOrder2(PlaceOrder);

impl Saga for PlaceOrder2 {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 2;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self(PlaceOrder::begin(start))
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("charge")
            .send(|saga: &Self| ChargePayment::from(&saga.0))
            .ok::<PaymentProcessed>()
            .fail::<PaymentFailed>();
        plan.done(|saga| OrderConfirmed::from(&saga.0));
    }
}

/// Later still: as in the first version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlaceOrder3(PlaceOrder);

impl Saga for PlaceOrder3 {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 3;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self(PlaceOrder::begin(start))
    }

    fn plan(plan: &mut Plan<Self>) {
        steps(plan, |saga| &saga.0);
    }
}

/// The first version with another name of a step: a mistake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Renamed(PlaceOrder);

impl Saga for Renamed {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self(PlaceOrder::begin(start))
    }

    fn plan(plan: &mut Plan<Self>) {
        steps(plan, |saga| &saga.0);
        plan.step("pack")
            .send(|saga: &Self| ReserveInventory::from(&saga.0))
            .ok::<InventoryReserved>();
    }
}

/// A database, an orchestrator and a clock.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) orchestrator: Orchestrator,
    pub(crate) context: Context,
    hands: Hands,
    _home: Home,
}

impl World {
    pub(crate) async fn new(home: Home) -> Self {
        let hands = Hands::noon();
        let begun = hands.now();
        let options = Options::new().clock(Arc::new(hands.clone()));
        let db = home.open_with(options).await;
        let context = Context::new("orders").with_ids(Arc::new(SeededIds::new(1, begun)));
        let orchestrator = Orchestrator::new(context.clone()).with::<PlaceOrder>();
        orchestrator.migrate(&db).await.unwrap();
        Self {
            db,
            orchestrator,
            context,
            hands,
            _home: home,
        }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.hands.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn begin(&self) -> Tx {
        self.db.begin().await.unwrap()
    }

    /// The message that starts an instance.
    pub(crate) fn created(&self, request: &str) -> Envelope {
        let order = OrderCreated {
            order: "o-1".to_owned(),
        };
        let context = self.context.clone().with_correlation_id(request);
        Envelope::of(&order, &context).unwrap()
    }

    /// Handles a message in a transaction of its own, and returns what is to be sent.
    pub(crate) async fn handle(&self, envelope: &Envelope) -> Handled {
        let mut tx = self.begin().await;
        let handled = self.orchestrator.handle(&mut tx, envelope).await.unwrap();
        tx.commit().await.unwrap();
        handled
    }

    /// Handles a reply of this type to a command.
    pub(crate) async fn reply<M: Message + Default>(&self, command: &Envelope) -> Handled {
        let reply = command.caused(&M::default(), &self.context).unwrap();
        self.handle(&reply).await
    }

    /// Handles the deadlines that have passed.
    pub(crate) async fn due(&self) -> Handled {
        let mut tx = self.begin().await;
        let handled = self.orchestrator.due(&mut tx, 100).await.unwrap();
        tx.commit().await.unwrap();
        handled
    }
}

/// The messages that are to be sent.
pub(crate) fn sent(handled: &Handled) -> Vec<Envelope> {
    let decoded = |message: &Outgoing| Envelope::decode(&message.body, 1 << 20).unwrap();
    handled.messages.iter().map(decoded).collect()
}

/// Their types.
pub(crate) fn types(handled: &Handled) -> Vec<String> {
    let sent = sent(handled).into_iter();
    sent.map(|envelope| envelope.message_type).collect()
}
