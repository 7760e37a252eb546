//! Why a definition or a route is refused.

use stele_base_types::Name;

/// A refusal by the catalogue: nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// The log doesn't exist (any more). The caller looks up the name again.
    #[error("no such log")]
    NoSuchLog,
    /// The exchange doesn't exist.
    #[error("no exchange '{0}'")]
    NoSuchExchange(Name),
    /// The virtual host doesn't exist.
    #[error("no virtual host '{0}'")]
    NoSuchVirtualHost(Name),
    /// The target of a binding doesn't exist.
    #[error("the target of the binding doesn't exist")]
    NoSuchTarget,
    /// The declaration contradicts the existing definition.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// Fewer partitions than there are, or none; or more for a FIFO queue.
    #[error("can't change the number of partitions from {existing} to {requested}")]
    Partitions {
        /// The current number.
        existing: u32,
        /// The requested number.
        requested: u32,
    },
    /// The exchange has bindings and was to be deleted only if it has none; or it is predeclared,
    /// and can't be deleted.
    #[error("in use")]
    InUse,
    /// The log is exclusive to another session.
    #[error("exclusive access refused")]
    Exclusive,
    /// The role to be removed is the log's only one.
    #[error("it has no other role and would keep no records: delete it instead")]
    OnlyRole,
    /// Definitions take as much memory as they may.
    #[error("limit reached: memory for definitions (a part of limits.memory)")]
    Full,
    /// A limit of `limits.rs` is reached.
    #[error("limit reached: {0}")]
    Limit(&'static str),
}

/// How a declaration differs from the existing definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("inequivalent '{field}': received '{received}' but current is '{current}'")]
pub struct Contradiction {
    /// The attribute: `durable`, `exclusive`, `auto_delete`, `expires`, `fifo`, `type`, `internal`,
    /// `arguments`.
    pub field: &'static str,
    /// The declared value.
    pub received: Box<str>,
    /// The current value.
    pub current: Box<str>,
}
