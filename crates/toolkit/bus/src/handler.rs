//! Handlers: async functions whose arguments say what they need.

use std::{future::Future, pin::Pin};

use crate::{Call, Extensions, Failure, FromMessage, Reads, Refusal, Trigger};

/// What a handler returns when it is called.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// An async function that handles messages. Its first argument says which: an
/// [`Event`](crate::Event), a [`Batch`](crate::Batch) or [`Raw`](crate::Raw). Up to seven more say
/// what else it needs.
///
/// ```
/// # use stele_toolkit_bus::{Event, Failure, Outbox};
/// # use stele_toolkit_envelope::{Key, Message};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Message)]
/// # #[message(version = "1.0", topic = "order.created", key = id)]
/// # struct OrderCreated { id: String }
/// # #[derive(Serialize, Deserialize, Message)]
/// # #[message(version = "1.0", topic = "inventory.reserved", key = id)]
/// # struct InventoryReserved { id: String }
/// async fn reserve(Event(order): Event<OrderCreated>, out: Outbox) -> Result<(), Failure> {
///     out.publish(&InventoryReserved { id: order.id });
///     Ok(())
/// }
/// # let _ = stele_toolkit_bus::Service::new("inventory").on(reserve);
/// ```
///
/// A function whose first argument says nothing about messages isn't a handler:
///
/// ```compile_fail
/// # use stele_toolkit_bus::{Failure, Outbox, Service};
/// async fn nothing_to_handle(out: Outbox) -> Result<(), Failure> { Ok(()) }
/// let service = Service::new("inventory").on(nothing_to_handle);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a handler",
    note = "a handler is an `async fn` that returns `Result<(), Failure>`; its first argument is \
            `Event<T>`, `Batch<T>` or `Raw`, and up to seven more implement `FromMessage`",
    note = "its arguments are owned values, and its future is `Send`"
)]
pub trait Handler<Args>: Clone + Send + Sync + 'static {
    /// Which messages it reads.
    fn reads() -> Reads;

    /// Whether a service with these states has what the arguments need.
    fn check(states: &Extensions) -> Result<(), String>;

    /// Takes the arguments out of a call. The future handles the message.
    fn call(&self, call: &mut Call<'_>) -> Result<HandlerFuture, Refusal>;
}

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler can't return `{Self}`",
    note = "it returns `Result<(), Failure>`, a `Result` whose error is an error, or nothing"
)]
pub trait Outcome {
    /// As a result.
    fn into_result(self) -> Result<(), Failure>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<E: Into<Failure>> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), Failure> {
        self.map_err(Into::into)
    }
}

macro_rules! handler {
    ($first:ident $($more:ident)*) => {
        impl<F, Fut, Out, $first, $($more,)*> Handler<($first, $($more,)*)> for F
        where
            F: Fn($first, $($more,)*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Out> + Send + 'static,
            Out: Outcome,
            $first: Trigger,
            $($more: FromMessage,)*
        {
            fn reads() -> Reads {
                $first::reads()
            }

            fn check(states: &Extensions) -> Result<(), String> {
                $first::check(states)?;
                $($more::check(states)?;)*
                Ok(())
            }

            #[expect(non_snake_case, reason = "a value is named as its type")]
            fn call(&self, call: &mut Call<'_>) -> Result<HandlerFuture, Refusal> {
                let $first = $first::from_message(call)?;
                $(let $more = $more::from_message(call)?;)*
                let handling = self($first, $($more,)*);
                Ok(Box::pin(async move { handling.await.into_result() }))
            }
        }
    };
}

handler!(A);
handler!(A B);
handler!(A B C);
handler!(A B C D);
handler!(A B C D E);
handler!(A B C D E G);
handler!(A B C D E G H);
handler!(A B C D E G H I);
