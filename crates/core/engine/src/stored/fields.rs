//! Structs of the state as lists of fields: those that differ from the default, each with its
//! number. So a field can be added without a new version.

/// Stores a struct as the list of those of its fields that aren't their defaults. A field's number
/// is its place in the list here: new ones go to the end, and none is removed or given another
/// type. Fields that aren't listed aren't stored.
macro_rules! stored_fields {
    ($owner:ty { $($number:ident $field:ident: $kind:ty,)+ }) => {
        const _: () = {
            #[derive(serde::Deserialize)]
            enum Field {
                $($number($kind),)+
            }

            #[derive(serde::Serialize)]
            enum FieldRef<'a> {
                $($number(&'a $kind),)+
            }

            impl serde::Serialize for $owner {
                fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    let default = <$owner>::default();
                    let mut fields = Vec::new();
                    $(if self.$field != default.$field {
                        fields.push(FieldRef::$number(&self.$field));
                    })+
                    fields.serialize(to)
                }
            }

            impl<'de> serde::Deserialize<'de> for $owner {
                fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    let mut stored = <$owner>::default();
                    for field in <Vec<Field> as serde::Deserialize>::deserialize(from)? {
                        match field {
                            $(Field::$number(value) => stored.$field = value,)+
                        }
                    }
                    Ok(stored)
                }
            }
        };
    };
}

pub(crate) use stored_fields;
