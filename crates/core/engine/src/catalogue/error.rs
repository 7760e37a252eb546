//! Why a definition is refused, and a route.

use stele_base_types::Name;

/// A refusal of the catalogue: nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// The log doesn't exist (any more). The caller looks the name up again.
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
    /// What is declared contradicts what exists.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// Fewer partitions than there are, or none; or more for a FIFO queue.
    #[error("a log of {existing} partitions can't become one of {requested}")]
    Partitions {
        /// What it has.
        existing: u32,
        /// What was asked.
        requested: u32,
    },
    /// The exchange has bindings and was to be deleted only without; or it is a predeclared one,
    /// which is never deleted.
    #[error("in use")]
    InUse,
    /// The log is another session's alone.
    #[error("exclusive access refused")]
    Exclusive,
    /// What is to end is all that the log is.
    #[error("it is nothing else, and would keep nothing: delete it instead")]
    OnlyRole,
    /// A limit of `limits.rs` is reached.
    #[error("limit reached: {0}")]
    Limit(&'static str),
}

/// What a declaration says otherwise than what exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("inequivalent '{field}': received '{received}' but current is '{current}'")]
pub struct Contradiction {
    /// Which attribute: `durable`, `exclusive`, `auto_delete`, `expires`, `fifo`, `type`,
    /// `internal`, `arguments`.
    pub field: &'static str,
    /// Declared now.
    pub received: Box<str>,
    /// In force.
    pub current: Box<str>,
}
