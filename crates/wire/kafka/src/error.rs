//! What can be wrong with a request's bytes.

/// Why a request can't be decoded or a response can't be encoded. The caller closes the
/// connection: what follows can't be trusted, and there is nobody to answer to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request ends before its fields do.
    #[error("the request ends within a field")]
    Truncated,
    /// A length below -1, or beyond what the request holds.
    #[error("length {0} doesn't fit the request")]
    Length(i64),
    /// Lists of more elements than a request may have.
    #[error("the request's lists have over {0} elements")]
    TooManyElements(usize),
    /// A text that isn't UTF-8.
    #[error("a text isn't UTF-8")]
    NotUtf8,
    /// The API isn't in [`crate::api`], or not in this version.
    #[error("API {key} version {version} can't be decoded")]
    Unsupported {
        /// The API's key.
        key: i16,
        /// The version asked for.
        version: i16,
    },
    /// Its shape is right but not its values, such as a null where none is allowed.
    #[error("the request is malformed: {0}")]
    Malformed(String),
    /// A response that its version can't express: a mistake of ours, not the client's.
    #[error("API {key} version {version} can't express the response: {reason}")]
    Unencodable {
        /// The API's key.
        key: i16,
        /// The version to encode.
        version: i16,
        /// In the encoder's words.
        reason: String,
    },
}
