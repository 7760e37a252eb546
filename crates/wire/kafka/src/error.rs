//! The errors of decoding requests and encoding responses.

/// Why a request can't be decoded or a response can't be encoded. The caller closes the connection:
/// the bytes that follow can't be trusted, and no response is possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request ends within a field.
    #[error("the request ends within a field")]
    Truncated,
    /// A length below -1, or beyond the end of the request.
    #[error("length {0} doesn't fit the request")]
    Length(i64),
    /// The lists have more elements than a request may have.
    #[error("the request's lists have over {0} elements")]
    TooManyElements(usize),
    /// A text isn't UTF-8.
    #[error("a text isn't UTF-8")]
    NotUtf8,
    /// The API isn't in [`crate::api`], or not in this version.
    #[error("API {key} version {version} can't be decoded")]
    Unsupported {
        /// The API's key.
        key: i16,
        /// The requested version.
        version: i16,
    },
    /// The shape is right but the values aren't, such as null where it isn't allowed.
    #[error("the request is malformed: {0}")]
    Malformed(String),
    /// A response that can't be expressed in its version: a bug of the server, not of the client.
    #[error("API {key} version {version} can't express the response: {reason}")]
    Unencodable {
        /// The API's key.
        key: i16,
        /// The version to encode.
        version: i16,
        /// The encoder's message.
        reason: String,
    },
}
