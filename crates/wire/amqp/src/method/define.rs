//! The macro that defines the methods of a class.

/// Defines the methods of one class, in the specification's order of fields:
///
/// ```text
/// class 50 "queue" {
///     Declare = 10 "queue.declare" [u16] { queue: ShortString, ... } []
/// }             id  name            │     fields                   └ reserved fields after them
///                                   └ reserved fields before them
/// ```
macro_rules! methods {
    (
        class $class_id:literal $class:ident
        $($(#[$doc:meta])*
        $name:ident = $id:literal $spec:literal
        [$($before:ty),*]
        { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
        [$($after:ty),*])*
    ) => {
        /// The class's id.
        pub const CLASS_ID: u16 = $class_id;

        /// A method of the class.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Method {
            $($(#[$doc])* $name($name),)*
        }

        $($(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl From<$name> for Method {
            fn from(method: $name) -> Self {
                Self::$name(method)
            }
        }

        impl From<$name> for crate::Method {
            fn from(method: $name) -> Self {
                Self::$class(method.into())
            }
        }

        impl $name {
            /// The method's id in its class.
            pub const ID: u16 = $id;

            #[allow(unused_variables, reason = "a method without fields reads nothing")]
            fn decode(reader: &mut crate::Reader) -> Result<Self, crate::ReadError> {
                $(<$before as crate::method::field::Field>::read(reader)?;)*
                $(let $field = <$type as crate::method::field::Field>::read(reader)?;)*
                $(<$after as crate::method::field::Field>::read(reader)?;)*
                Ok(Self { $($field,)* })
            }

            /// Writes the ids and the fields.
            pub fn encode(&self, writer: &mut crate::Writer<'_>) {
                writer.u16(CLASS_ID);
                writer.u16(Self::ID);
                $(crate::method::field::Field::write(&<$before>::default(), writer);)*
                $(crate::method::field::Field::write(&self.$field, writer);)*
                $(crate::method::field::Field::write(&<$after>::default(), writer);)*
            }
        })*

        impl Method {
            /// Reads the fields of method `id`; `None` if the class has no such method.
            pub(super) fn decode(
                id: u16,
                reader: &mut crate::Reader,
            ) -> Result<Option<Self>, crate::ReadError> {
                Ok(Some(match id {
                    $($id => Self::$name($name::decode(reader)?),)*
                    _ => return Ok(None),
                }))
            }

            /// Writes the ids and the fields.
            pub fn encode(&self, writer: &mut crate::Writer<'_>) {
                match self {
                    $(Self::$name(method) => method.encode(writer),)*
                }
            }

            /// The method's id in its class.
            pub fn id(&self) -> u16 {
                match self {
                    $(Self::$name(_) => $id,)*
                }
            }

            /// The method's name in the specification.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $spec,)*
                }
            }
        }
    };
}

pub(super) use methods;
