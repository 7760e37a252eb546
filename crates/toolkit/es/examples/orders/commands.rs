//! The write side: commands become events.

use async_trait::async_trait;
use stele_toolkit_envelope::Context;
use stele_toolkit_es::{Command, CommandHandler, ExecuteError, Position, Repository, SqlStore};

use crate::order::{Order, OrderAction, OrderRefusal};

/// Places an order.
#[derive(Clone, Debug)]
pub(crate) struct CreateOrder {
    pub(crate) order_id: String,
    pub(crate) customer_name: String,
    pub(crate) total_cents: i64,
}

/// Changes an order's total.
#[derive(Clone, Debug)]
pub(crate) struct UpdateOrder {
    pub(crate) order_id: String,
    pub(crate) total_cents: i64,
}

/// Cancels an order.
#[derive(Clone, Debug)]
pub(crate) struct CancelOrder {
    pub(crate) order_id: String,
    pub(crate) reason: String,
}

type OrderError = ExecuteError<OrderRefusal>;

impl Command for CreateOrder {
    type Error = OrderError;
}

impl Command for UpdateOrder {
    type Error = OrderError;
}

impl Command for CancelOrder {
    type Error = OrderError;
}

/// Handles the commands of orders.
#[derive(Debug)]
pub(crate) struct OrderCommandHandler {
    pub(crate) orders: Repository<Order, SqlStore>,
}

impl OrderCommandHandler {
    async fn execute(
        &self,
        order_id: &str,
        action: OrderAction,
        context: &Context,
    ) -> Result<Position, OrderError> {
        let executed = self.orders.execute(order_id, &action, context).await?;
        Ok(executed.position)
    }
}

#[async_trait]
impl CommandHandler<CreateOrder> for OrderCommandHandler {
    async fn handle(
        &self,
        command: CreateOrder,
        context: &Context,
    ) -> Result<Position, OrderError> {
        let order_id = command.order_id.clone();
        let action = OrderAction::Create {
            order_id: command.order_id,
            customer_name: command.customer_name,
            total_cents: command.total_cents,
        };
        self.execute(&order_id, action, context).await
    }
}

#[async_trait]
impl CommandHandler<UpdateOrder> for OrderCommandHandler {
    async fn handle(
        &self,
        command: UpdateOrder,
        context: &Context,
    ) -> Result<Position, OrderError> {
        let total_cents = command.total_cents;
        let action = OrderAction::Update { total_cents };
        self.execute(&command.order_id, action, context).await
    }
}

#[async_trait]
impl CommandHandler<CancelOrder> for OrderCommandHandler {
    async fn handle(
        &self,
        command: CancelOrder,
        context: &Context,
    ) -> Result<Position, OrderError> {
        let reason = command.reason;
        let action = OrderAction::Cancel { reason };
        self.execute(&command.order_id, action, context).await
    }
}
