//! Why a command to a group is refused.

/// A refusal by a group: nothing has changed.
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
    /// The group has the maximum number of members, or their metadata takes all the memory there is
    /// for it.
    #[error("limit reached: members of a group")]
    Full,
    /// The leader's assignments take more memory than there is.
    #[error("limit reached: assignments of a group")]
    AssignmentsTooLarge,
    /// There is no memory for more committed offsets.
    #[error("limit reached: committed offsets")]
    OffsetsFull,
    /// A committed offset is used by members that subscribe to its topic.
    #[error("the group is subscribed to the topic")]
    Subscribed,
    /// The metadata of a committed offset is too long.
    #[error("limit reached: offset metadata")]
    MetadataTooLong,
    /// The group has no member with this id.
    #[error("unknown member id")]
    UnknownMember,
    /// Another member has the static name.
    #[error("static member fenced")]
    FencedInstance,
    /// Not the group's current generation.
    #[error("illegal generation")]
    IllegalGeneration,
    /// A rebalance is in progress: join again.
    #[error("rebalance in progress")]
    RebalanceInProgress,
    /// The protocol type or the protocols don't match the group's.
    #[error("inconsistent group protocol")]
    InconsistentProtocol,
    /// The session timeout is outside of the limits.
    #[error("session timeout outside of the limits")]
    SessionTimeout,
}
