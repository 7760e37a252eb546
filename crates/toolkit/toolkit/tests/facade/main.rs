//! What depends on the facade alone: services on every transport, a saga, the pages' programs.

#[path = "../../examples/place_order/messages.rs"]
mod messages;
#[path = "../../examples/place_order/saga.rs"]
mod saga;

mod getting_started;
mod lengths;
mod place_order;
mod transports;
