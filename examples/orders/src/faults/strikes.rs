//! Messages that strike whoever handles them.

/// What the id of an order begins with whose messages make a handler panic.
pub const PANICS: &str = "panic-";

/// What the id of an order begins with whose messages end the process.
pub const ABORTS: &str = "abort-";

/// Whether such messages strike. Elsewhere they are like all others.
#[derive(Clone, Copy, Debug)]
pub struct Strikes {
    pub(crate) is_on: bool,
}

impl Strikes {
    /// A handler is at a message of an order.
    pub(crate) fn meet(self, order_id: &str) {
        if !self.is_on {
            return;
        }
        assert!(!order_id.starts_with(PANICS), "struck by {order_id}");
        if order_id.starts_with(ABORTS) {
            tracing::warn!(order_id, "struck, ends");
            std::process::abort();
        }
    }
}
