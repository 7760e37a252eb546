//! Why a command to a group is refused.

/// A refusal of a group: nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The group name is empty.
    #[error("invalid group id")]
    InvalidGroup,
    /// The group doesn't exist.
    #[error("no such group")]
    NoSuchGroup,
    /// The group has members.
    #[error("the group isn't empty")]
    NotEmpty,
    /// The group has as many members as it may have, or they have said as much of themselves as
    /// there is room for.
    #[error("limit reached: members of a group")]
    Full,
    /// The assignments that a leader hands in take more than there is room for.
    #[error("limit reached: assignments of a group")]
    AssignmentsTooLarge,
    /// There is no room for more committed offsets.
    #[error("limit reached: committed offsets")]
    OffsetsFull,
    /// A committed offset is used by members that subscribe to its topic.
    #[error("the group is subscribed to the topic")]
    Subscribed,
    /// The note to a committed offset is longer than allowed.
    #[error("limit reached: offset metadata")]
    MetadataTooLong,
    /// A member id that the group doesn't know.
    #[error("unknown member id")]
    UnknownMember,
    /// Another member has the static name.
    #[error("static member fenced")]
    FencedInstance,
    /// Not the group's generation.
    #[error("illegal generation")]
    IllegalGeneration,
    /// The group gathers its members: join again.
    #[error("rebalance in progress")]
    RebalanceInProgress,
    /// Protocol type or protocols don't fit the group's.
    #[error("inconsistent group protocol")]
    InconsistentProtocol,
    /// A session timeout outside of the limits.
    #[error("session timeout outside of the limits")]
    SessionTimeout,
}
