//! Class 90, `tx`: transactions of a channel.

use super::define::methods;

methods! {
    class 90 Tx

    /// Client: use transactions on this channel.
    Select = 10 "tx.select" [] {} []

    /// Server: done.
    SelectOk = 11 "tx.select-ok" [] {} []

    /// Client: commit.
    Commit = 20 "tx.commit" [] {} []

    /// Server: done.
    CommitOk = 21 "tx.commit-ok" [] {} []

    /// Client: roll back.
    Rollback = 30 "tx.rollback" [] {} []

    /// Server: done.
    RollbackOk = 31 "tx.rollback-ok" [] {} []
}
