//! What makes a Rust type a message.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Key, Upcast, UpcastError, Version, upcast};

/// A type whose values are sent as messages. Usually derived:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use serde_json::Value;
/// use stele_toolkit_envelope::{Key, Message, UpcastError, Version};
///
/// #[derive(Serialize, Deserialize, Message)]
/// #[serde(rename_all = "camelCase")]
/// #[message(version = "1.1", topic = "order.created", key = order_id)]
/// #[message(upcast(from = "1.0", with = add_currency))]
/// struct OrderCreated {
///     order_id: String,
///     total_cents: i64,
///     currency: String,
/// }
///
/// /// Before 1.1 all orders were in euros.
/// fn add_currency(mut data: Value) -> Result<Value, UpcastError> {
///     let fields = data.as_object_mut().ok_or("not an object")?;
///     fields.insert("currency".to_owned(), "EUR".into());
///     Ok(data)
/// }
///
/// assert_eq!(OrderCreated::TYPE, "OrderCreated");
/// assert_eq!(OrderCreated::VERSION, Version::new(1, 1));
/// ```
///
/// The derive reads `#[message(…)]`, in one attribute or several:
///
/// | | |
/// |---|---|
/// | `version = "1.1"` | required: the version of what this type writes |
/// | `topic = "order.created"` | required: where its messages are published |
/// | `type = "OrderCreated"` | the type's name in messages; by default the Rust type's name |
/// | `key = order_id` | the field whose text is the key, also `customer.id`; by default none |
/// | `alias = "OrderPlaced"` | another name that is read as this type; may be repeated |
/// | `upcast(from = "1.0", with = function)` | reads an older version; may be repeated |
/// | `crate = path` | where this crate is, if it isn't `stele_toolkit_envelope` |
///
/// What is missing or wrong is an error of the compiler at its place:
///
/// ```compile_fail
/// # use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize, stele_toolkit_envelope::Message)]
/// #[message(topic = "order.created")] // `version` is missing: #[message(version = "1.0")]
/// struct OrderCreated {}
/// ```
///
/// A derive can't change how another one works, so the names of fields are up to serde: messages
/// have camelCase fields if the type says `#[serde(rename_all = "camelCase")]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a message",
    note = "derive it: #[derive(Serialize, Deserialize, Message)] #[message(version = \"1.0\", \
            topic = \"…\")]"
)]
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type's name in messages. Never changes.
    const TYPE: &'static str;

    /// The version of what is written.
    const VERSION: Version;

    /// Where messages of this type are published.
    const TOPIC: &'static str;

    /// Other names that are read as this type.
    const ALIASES: &'static [&'static str] = &[];

    /// How data of older versions become data of this one, ordered by [`Upcast::from`].
    const UPCASTS: &'static [Upcast] = &[];

    /// What the message is about; [`Key::none`] if it needs no order.
    fn key(&self) -> Key;

    /// Turns data of an older version into data of this one, by [`Message::UPCASTS`].
    ///
    /// Numbers go through [`Value`]: more than 17 significant digits aren't kept, unlike in data
    /// that need no upcast.
    fn upcast(from: Version, data: Value) -> Result<Value, UpcastError> {
        upcast::along(Self::UPCASTS, from, Self::VERSION, data)
    }
}

/// Whether `name` is the type's name or one of its aliases.
pub(crate) fn is_named<M: Message>(name: &str) -> bool {
    M::TYPE == name || M::ALIASES.contains(&name)
}
