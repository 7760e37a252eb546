//! Reply codes of `connection.close`, `channel.close` and `basic.return` (specification, section
//! 1.2 "Constants").

/// A reply code with the name that precedes its text, as in `NOT_FOUND - no queue 'q' ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyCode {
    /// The number on the wire.
    pub code: u16,
    /// The constant's name.
    pub name: &'static str,
    /// Whether it closes the connection rather than the channel.
    pub hard: bool,
}

macro_rules! reply_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $class:ident;)*) => {
        $($(#[$doc])*
        pub const $name: ReplyCode = ReplyCode {
            code: $code,
            name: stringify!($name),
            hard: reply_codes!(@ $class),
        };)*
    };
    (@ soft) => { false };
    (@ hard) => { true };
}

reply_codes! {
    /// An orderly close.
    REPLY_SUCCESS = 200 soft;
    /// A body larger than the server accepts.
    CONTENT_TOO_LARGE = 311 soft;
    /// A mandatory message without a matching binding.
    NO_ROUTE = 312 soft;
    /// An immediate message without a ready consumer.
    NO_CONSUMERS = 313 soft;
    /// Not permitted: missing rights, or a reserved name.
    ACCESS_REFUSED = 403 soft;
    /// No such queue or exchange.
    NOT_FOUND = 404 soft;
    /// Another connection holds it exclusively.
    RESOURCE_LOCKED = 405 soft;
    /// A precondition of the request doesn't hold.
    PRECONDITION_FAILED = 406 soft;
    /// The operator closed the connection.
    CONNECTION_FORCED = 320 hard;
    /// No such virtual host, in a form that some clients know.
    INVALID_PATH = 402 hard;
    /// A frame that can't be decoded.
    FRAME_ERROR = 501 hard;
    /// A method whose fields can't be decoded.
    SYNTAX_ERROR = 502 hard;
    /// A method that isn't valid in this state.
    COMMAND_INVALID = 503 hard;
    /// A channel that isn't open, or is already open.
    CHANNEL_ERROR = 504 hard;
    /// A frame that isn't valid in this state.
    UNEXPECTED_FRAME = 505 hard;
    /// The server lacks resources.
    RESOURCE_ERROR = 506 hard;
    /// Forbidden by the server's rules, for any user.
    NOT_ALLOWED = 530 hard;
    /// A feature that the server doesn't have.
    NOT_IMPLEMENTED = 540 hard;
    /// The server failed.
    INTERNAL_ERROR = 541 hard;
}
