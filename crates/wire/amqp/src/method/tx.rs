//! Class 90, `tx`: transactions of a channel.

use super::define::methods;

methods! {
    class 90 Tx

    /// Client: starts using transactions on this channel.
    Select = 10 "tx.select" [] {} []

    /// Server: done.
    SelectOk = 11 "tx.select-ok" [] {} []

    /// Client: commits.
    Commit = 20 "tx.commit" [] {} []

    /// Server: done.
    CommitOk = 21 "tx.commit-ok" [] {} []

    /// Client: rolls back.
    Rollback = 30 "tx.rollback" [] {} []

    /// Server: done.
    RollbackOk = 31 "tx.rollback-ok" [] {} []
}
